//! A rule of which guardrails leave nothing, and decide otherwise.
//!
//! Guardrails stand before everybody's own rules. Where they take all packets of a rule, on every machine that has it, and
//! drop what it accepts or accept what it drops, whoever wrote the rule does not get what it says. A rule that is left some
//! packets, or on some machine, is not told: to take a part of a rule is what guardrails are for.
//!
//! ```yaml
//! datacenter:
//!   guardrails:
//!     rules: [ { in: drop, proto: tcp, dport: 23 } ]
//! vms:
//!   100:
//!     rules: [ { in: accept, macro: Telnet, source: 192.0.2.0/24 } ]   # the guardrail drops it
//! ```
//!
//! Remove the rule, or have those who own the guardrail make room for it.

use crate::diagnostic::{Code, Diagnostic};
use crate::policy::words;

use super::fate::{Fate, RuleFate};
use super::{Finding, Ground, label_rules};

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for (span, rule) in ground.told(Fate::Dead).filter(|(_, rule)| is_contradicted(ground, rule)) {
        let by = ground.rules_of(rule);
        let finding = Diagnostic::warning(
            Code::ContradictedByGuardrail,
            *span,
            "guardrails decide about every packet of this rule, and not as it says",
        );
        let verdict = words::verdict(rule.applied.rule.verdict);
        let finding = finding
            .because(format!("nothing is left to {verdict} here"))
            .help("remove the rule, or make an exception for it before the guardrail");
        out.push(Finding::of_rule(&rule.applied.rule.origin.zone, *span, label_rules(finding, &by)));
    }
}

/// Whether guardrails alone take a rule's packets, and not all as it would.
pub(super) fn is_contradicted(ground: &Ground<'_>, rule: &RuleFate<'_>) -> bool {
    let by = ground.rules_of(rule);
    !by.is_empty()
        && by.iter().all(|(span, _)| ground.is_guardrail(*span))
        && by.iter().any(|(_, verdict)| *verdict != rule.applied.rule.verdict)
}
