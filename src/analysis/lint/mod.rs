//! Lints: what a spec says in vain, or can hardly mean. One file each; its opening comment is what users read of it.
//!
//! In: a fleet. Out: warnings, each at the line that says so, with the other lines that are to blame. Promised: a finding
//! holds for every packet and every machine that the spec knows; what could not be judged within the budget is named and
//! not guessed at. An `allow` takes a finding away, and one that takes none away is told itself.

mod contradicted_by_guardrail;
mod documentation;
mod fate;
mod hidden_definition;
mod list;
mod lock_out;
mod never_matching;
mod open_administration;
mod over_budget;
mod redundant;
mod shadowed;
mod site;
mod unused_alias;
mod unused_allow;
mod unused_group;
mod unused_ipset;
mod unused_zone;
mod usage;

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::policy::{Fleet, SectionKind, Verdict, ZoneRef};

use fate::{Fate, Fates, RuleFate};
use list::{Decision, Who};
use site::Site;
use usage::Usage;

pub use documentation::{documentation, documented};
pub use lock_out::Session;

/// Other rules that a finding shows.
const SHOWN: usize = 3;

/// What lints look at.
#[derive(Debug)]
struct Ground<'a> {
    fleet: &'a Fleet,
    sites: Vec<Site<'a>>,
    fates: Fates<'a>,
    usage: Usage<'a>,
    session: Option<&'a Session>,
}

/// A finding, and where it stands.
#[derive(Debug)]
struct Finding {
    /// The zone whose text it is about.
    zone: ZoneRef,
    /// The rule that it is about.
    rule: Option<Span>,
    diagnostic: Diagnostic,
}

impl Finding {
    fn of_rule(zone: &ZoneRef, rule: Span, diagnostic: Diagnostic) -> Self {
        Self { zone: zone.clone(), rule: Some(rule), diagnostic }
    }

    fn of_zone(zone: ZoneRef, diagnostic: Diagnostic) -> Self {
        Self { zone, rule: None, diagnostic }
    }
}

type Lint = fn(&Ground<'_>, &mut Vec<Finding>);

const LINTS: [Lint; 8] = [
    contradicted_by_guardrail::check,
    hidden_definition::check,
    lock_out::check,
    never_matching::check,
    open_administration::check,
    over_budget::check,
    redundant::check,
    shadowed::check,
];

/// Those about names that nothing refers to.
const UNUSED: [Lint; 4] = [unused_alias::check, unused_group::check, unused_ipset::check, unused_zone::check];

/// All that lints have to say of a fleet, without what is allowed. With a session, that one too must be able to come back.
#[must_use]
pub fn check(fleet: &Fleet, session: Option<&Session>) -> Diagnostics {
    let sites = site::sites(fleet);
    let fates = fate::judge(&sites);
    let ground = Ground { fleet, fates, sites, usage: Usage::of(fleet), session };
    let mut found = Vec::new();
    for lint in LINTS {
        lint(&ground, &mut found);
    }
    // Without hosts nobody enforces anything yet, and the rules of guests are not read.
    for lint in UNUSED.iter().filter(|_| !fleet.hosts.is_empty()) {
        lint(&ground, &mut found);
    }
    let mut out = Diagnostics::new();
    unused_allow::sift(&ground, found).into_iter().for_each(|finding| out.push(finding.diagnostic));
    out.sort();
    out
}

impl<'a> Ground<'a> {
    /// The rules that have a fate on all machines together, in the order of the spec. What only seems to have one, because
    /// of packets that never come by, is left to its own lint.
    fn told(&self, fate: Fate) -> impl Iterator<Item = (&Span, &RuleFate<'a>)> {
        self.fates.rules.iter().filter(move |(_, rule)| rule.fate == fate && !never_matching::by_loopback(rule))
    }

    /// The rules that decide in a rule's stead, and how.
    fn rules_of(&self, rule: &RuleFate<'_>) -> Vec<(Span, Verdict)> {
        let rules = rule.by.iter().filter_map(|(who, decision)| match who {
            Who::Rule(span) => Some((*span, decision.0)),
            Who::Stage(_) => None,
        });
        let rules: BTreeSet<(Span, Verdict)> = rules.collect();
        rules.into_iter().collect()
    }

    /// Whether a rule is a guardrail wherever it holds.
    fn is_guardrail(&self, span: Span) -> bool {
        let rule = self.fates.rules.get(&span);
        rule.is_some_and(|rule| rule.applied.inherited.section.kind == SectionKind::Guardrails)
    }
}

/// Stages that take some packets of every rule.
const COMMON: [&str; 6] = ["ebtables", "stacked-vlan", "loopback", "macfilter", "arp", "conntrack"];

/// The stages that decide in a rule's stead, in words; those that always do only where there is no other.
fn stages_of(by: &BTreeSet<(Who, Decision)>) -> Vec<String> {
    let mut names: Vec<&str> = by
        .iter()
        .filter_map(|(who, _)| match who {
            Who::Rule(_) => None,
            Who::Stage(name) => Some(*name),
        })
        .collect();
    names.dedup();
    if names.iter().any(|name| !COMMON.contains(name)) {
        names.retain(|name| !COMMON.contains(name));
    }
    let word = |name| if name == "policy" { "the policy".to_owned() } else { format!("`{name}`") };
    names.into_iter().map(word).collect()
}

/// Labels the first of some rules, and says how many more there are.
fn label_rules(mut finding: Diagnostic, rules: &[(Span, Verdict)]) -> Diagnostic {
    let what = if rules.len() == 1 { "" } else { " some of it" };
    for (number, (span, verdict)) in rules.iter().take(SHOWN).enumerate() {
        let verb = match verdict {
            Verdict::Accept => "accepts",
            Verdict::Drop => "drops",
            Verdict::Reject => "rejects",
            Verdict::Skip => "skips",
        };
        let rest = rules.len().saturating_sub(SHOWN);
        let more = match number + 1 == SHOWN && rest > 0 {
            true => format!(", as do {rest} more rules"),
            false => String::new(),
        };
        let what = if what.is_empty() { " it" } else { what };
        finding = finding.label(*span, format!("{verb}{what}{more}"));
    }
    finding
}

#[cfg(test)]
mod tests;
