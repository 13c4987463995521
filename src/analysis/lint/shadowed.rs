//! A rule that no packet gets to.
//!
//! Rules before it, or stages before all rules, decide about every packet that it matches, on every machine that has it.
//! It does nothing, and where the others decide otherwise than it says, that is hardly what was meant. A rule that is
//! inherited by many is told only where it does nothing for all of them.
//!
//! ```yaml
//! rules:
//!   - { in: drop, source: 198.51.100.0/24 }
//!   - { in: accept, proto: tcp, dport: 443, source: 198.51.100.7 }   # dropped by the rule above
//! ```
//!
//! Move the rule up if it is meant, or remove it.

use crate::diagnostic::{Code, Diagnostic};

use super::contradicted_by_guardrail::is_contradicted;
use super::fate::Fate;
use super::{Finding, Ground, label_rules, stages_of};

/// Rules take it, and a little of it stages that stand before all rules.
const EARLIER: &str = "all that it matches is decided before it";

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for (span, rule) in ground.told(Fate::Dead).filter(|(_, rule)| !is_contradicted(ground, rule)) {
        let by = ground.rules_of(rule);
        let differ = by.iter().any(|(_, verdict)| *verdict != rule.applied.rule.verdict);
        let (why, help) = match (by.is_empty(), differ) {
            (true, _) => {
                let why = format!("decided before all rules: {}", stages_of(&rule.by).join(", "));
                (why, "remove it, or change what decides about these packets before all rules")
            }
            (false, true) => (EARLIER.to_owned(), "move it up if it is meant, or remove it"),
            (false, false) => (EARLIER.to_owned(), "remove it: no packet fares otherwise"),
        };
        let finding = Diagnostic::warning(Code::Shadowed, *span, "no packet gets to this rule").because(why).help(help);
        out.push(Finding::of_rule(&rule.applied.rule.origin.zone, *span, label_rules(finding, &by)));
    }
}
