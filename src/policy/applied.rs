//! The rules of a list that hold at one hook, and how each of them came there.

use std::sync::Arc;

use super::{Clause, Direction, GroupCall, Inherited, Match, Nic, Rule, RuleInterface, RuleList};

/// A rule as it holds at a hook: written on its own or in a group, inherited by some way.
#[derive(Debug, Clone, Copy)]
pub struct Applied<'a> {
    /// The rule.
    pub rule: &'a Arc<Rule>,
    /// The reference that brought it, where it stands in a group.
    pub call: Option<&'a Arc<GroupCall>>,
    /// The section it (or the reference) stands in, and the way from the machine to the zone that wrote it.
    pub inherited: &'a Inherited,
    /// The interface it is restricted to here.
    pub interface: &'a RuleInterface,
}

impl Applied<'_> {
    /// The rule's meaning here, its interface included; one clause for each service.
    #[must_use]
    pub fn clauses(&self) -> Vec<Clause> {
        self.rule.clauses().into_iter().map(|clause| self.at_interface(clause)).collect()
    }

    /// A group's rules carry no interface of their own; the reference's counts.
    fn at_interface(&self, mut clause: Clause) -> Clause {
        if let RuleInterface::Host(name) = self.interface
            && !clause.matches.iter().any(|m| matches!(m, Match::InInterface(_) | Match::OutInterface(_)))
        {
            clause.matches.push(match self.rule.direction {
                Direction::In | Direction::Forward => Match::InInterface(name.clone()),
                Direction::Out => Match::OutInterface(name.clone()),
            });
        }
        clause
    }
}

impl RuleList {
    /// The enabled rules of a direction that can hold at a hook, groups flattened, in order: those for every interface,
    /// with a NIC those for that NIC, without one those for interfaces of the host.
    pub fn applied<'a>(&'a self, direction: Direction, nic: Option<&Nic>) -> impl Iterator<Item = Applied<'a>> {
        let nic = nic.map(|nic| nic.index);
        self.entries()
            .flat_map(move |(entry, inherited)| {
                let call = entry.call();
                entry.rules(direction).map(move |(rule, interface)| Applied { rule, call, inherited, interface })
            })
            .filter(move |applied| match (applied.interface, nic) {
                (RuleInterface::Nic(only), Some(index)) => *only == index,
                (RuleInterface::Any, _) | (RuleInterface::Host(_), None) => true,
                (RuleInterface::Nic(_), None) | (RuleInterface::Host(_), Some(_)) => false,
            })
    }
}
