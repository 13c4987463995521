//! A rule without which every packet fares the same.
//!
//! It decides, but what comes behind it decides the same, log line included, on every machine that has it: a later rule,
//! a stage such as `management`, or the policy. Whoever changes the spec later has one line more to understand, and one that
//! seems to protect or to open something. All that this finds can go at once. Guardrails are never told: they are there for
//! rules to come.
//!
//! ```yaml
//! datacenter:
//!   options: { policy_out: accept }
//!   rules:
//!     - { out: accept, macro: DNS }   # the policy accepts it too
//! ```
//!
//! Remove the rule; or say why it stands, such as `allow: { redundant: "the policy will be drop soon" }`.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::policy::words;

use super::fate::{Fate, RuleFate};
use super::list::Who;
use super::{Finding, Ground, label_rules, stages_of};

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for (span, rule) in ground.told(Fate::Spare) {
        let verdict = words::verdict(rule.applied.rule.verdict);
        let by = ground.rules_of(rule);
        let stages = stages_of(&rule.by);
        let why = match (by.is_empty(), stages.is_empty()) {
            (true, _) => format!("{} would {verdict} it too", stages.join(" and ")),
            (false, true) => "later rules do the same".to_owned(),
            (false, false) => format!("later rules and {} do the same", stages.join(" and ")),
        };
        let finding = Diagnostic::warning(Code::Redundant, *span, "without this rule every packet fares the same")
            .because(why)
            .help("remove it, or say why it stands: `allow: { redundant: REASON }`");
        let mut finding = label_rules(finding, &by);
        if let Some(policy) = policy(ground, rule) {
            finding = finding.label(policy, "the policy");
        }
        out.push(Finding::of_rule(&rule.applied.rule.origin.zone, *span, finding));
    }
}

/// Where the policy is set that does the same.
fn policy(ground: &Ground<'_>, rule: &RuleFate<'_>) -> Option<Span> {
    let site = ground.sites.get(rule.site?)?;
    let counts = rule.by.iter().any(|(who, _)| *who == Who::Stage("policy"));
    site.policy.filter(|_| counts).map(|origin| origin.span)
}
