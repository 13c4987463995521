//! The rules of a list that hold at one hook, and how each of them came there.

use std::sync::Arc;

use super::{Clause, Direction, GroupCall, Inherited, Nic, Rule, RuleInterface, RuleList};

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
        // A group's rules carry no interface of their own; the reference's counts.
        self.rule.clauses_at(match &self.rule.interface {
            own @ RuleInterface::Host(_) => own,
            RuleInterface::Any | RuleInterface::Nic(_) => self.interface,
        })
    }
}

impl RuleList {
    /// The enabled rules of a direction that can hold at a hook, groups flattened, in order: those for every interface,
    /// with a NIC those for that NIC, without one those for interfaces of the host.
    pub fn applied<'a>(&'a self, direction: Direction, nic: Option<&Nic>) -> impl Iterator<Item = Applied<'a>> {
        let nic = nic.map(|nic| nic.index);
        self.sections.iter().flat_map(move |inherited| inherited.applied(direction, nic))
    }
}

impl Inherited {
    /// Of [`RuleList::applied`], those of one section; with a NIC, this is its number. Nothing else of the machine matters.
    pub fn applied(&self, direction: Direction, nic: Option<u8>) -> impl Iterator<Item = Applied<'_>> {
        let holds = move |interface: &RuleInterface| match (interface, nic) {
            (RuleInterface::Nic(only), Some(index)) => *only == index,
            (RuleInterface::Any, _) | (RuleInterface::Host(_), None) => true,
            (RuleInterface::Nic(_), None) | (RuleInterface::Host(_), Some(_)) => false,
        };
        self.section.entries.iter().flat_map(move |entry| {
            let call = entry.call();
            let rules = entry.rules(direction).filter(move |(_, interface)| holds(interface));
            rules.map(move |(rule, interface)| Applied { rule, call, inherited: self, interface })
        })
    }
}
