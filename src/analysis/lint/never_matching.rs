//! A rule that no packet can match.
//!
//! Its conditions may exclude each other, or the packets that it speaks of never come by: what a host exchanges with its
//! loopback addresses goes through `lo`, which is accepted before all rules, and packets of a NIC without `firewall` pass no
//! rule at all. Whoever reads the spec takes such a rule for protection or for access that is not there.
//!
//! ```yaml
//! hosts:
//!   pm1:
//!     rules:
//!       - { in: accept, proto: tcp, dport: 3306, source: 127.0.0.1 }   # comes by `lo` alone
//! ```
//!
//! Remove the rule, or mend what it says.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::net::AddressSet;
use crate::policy::{Addresses, Direction, Nic, Rule, RuleInterface, Verdict, ZoneRef};

use super::fate::{Fate, RuleFate};
use super::{Finding, Ground};

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for (span, rule) in &ground.fates.rules {
        let zone = &rule.applied.rule.origin.zone;
        let why = match rule.fate {
            Fate::Unmatched => "its conditions exclude each other",
            Fate::Dead | Fate::Spare | Fate::Needed if by_loopback(rule) => {
                "a host's loopback addresses are reached by `lo` alone, which is accepted before all rules"
            }
            Fate::Dead | Fate::Spare | Fate::Needed => continue,
        };
        let finding = Diagnostic::warning(Code::NeverMatching, *span, "no packet can match this rule").because(why);
        out.push(Finding::of_rule(zone, *span, finding.help("remove the rule, or mend what it matches")));
    }
    unfiltered(ground, out);
}

/// Whether a host's rule accepts what comes by the loopback interface alone.
pub(super) fn by_loopback(fate: &RuleFate<'_>) -> bool {
    let rule: &Rule = fate.applied.rule;
    let inside = |addresses: &Option<Addresses>| addresses.as_ref().is_some_and(|it| is_loopback(&it.set));
    let sides = match rule.direction {
        Direction::In | Direction::Forward => inside(&rule.source) || inside(&rule.dest),
        Direction::Out => inside(&rule.dest),
    };
    fate.hosts_only && rule.verdict == Verdict::Accept && sides
}

fn is_loopback(set: &AddressSet) -> bool {
    let loopback = ["127.0.0.0/8", "::1/128"].into_iter().filter_map(|text| text.parse().ok());
    let loopback: Vec<AddressSet> = loopback.map(AddressSet::network).collect();
    set.difference(&AddressSet::union_of(&loopback)).is_empty()
}

/// Rules of a NIC that is not filtered, on a guest that is.
fn unfiltered(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    let mut told: BTreeMap<Span, (ZoneRef, Span)> = BTreeMap::new();
    let guests = ground.fleet.hosts.iter().flat_map(|host| &host.guests).filter(|guest| guest.enabled);
    for guest in guests {
        let own = guest.rules.sections.iter().filter(|inherited| inherited.path.len() == 1);
        for entry in own.flat_map(|inherited| &inherited.section.entries) {
            let RuleInterface::Nic(index) = entry.interface() else { continue };
            let of_nic = |nic: &&Nic| nic.index == *index && !nic.firewall;
            if let Some(nic) = guest.nics.iter().find(of_nic) {
                told.insert(entry.origin().span, (entry.origin().zone.clone(), nic.span));
            }
        }
    }
    for (span, (zone, nic)) in told {
        let finding = Diagnostic::warning(Code::NeverMatching, span, "no packet can match this rule")
            .because("it is for a NIC that is not filtered")
            .label(nic, "`firewall` is false here")
            .help("remove the rule, or let the NIC be filtered");
        out.push(Finding::of_rule(&zone, span, finding));
    }
}
