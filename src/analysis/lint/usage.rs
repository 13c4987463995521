//! Which names of a spec something refers to.
//!
//! In: a fleet with all that was written. Out: the aliases, ipsets and groups that a rule, an ipset or a test names,
//! whether or not a machine enforces it.

use std::collections::BTreeSet;

use crate::policy::{Addresses, Entry, Fleet, Reference, Rule, RuleList, Section, ZoneRef};

/// What is referred to.
#[derive(Debug, Default)]
pub(super) struct Usage<'a> {
    /// By the zone that defines it and its name.
    pub aliases: BTreeSet<(&'a ZoneRef, &'a str)>,
    /// By the zone that defines it and its name.
    pub ipsets: BTreeSet<(&'a ZoneRef, &'a str)>,
    /// By name.
    pub groups: BTreeSet<&'a str>,
}

impl<'a> Usage<'a> {
    pub(super) fn of(fleet: &'a Fleet) -> Self {
        let mut usage = Self::default();
        fleet.written.sections.iter().for_each(|section| usage.section(section));
        for group in fleet.groups.values() {
            group.rules.iter().for_each(|rule| usage.rule(rule));
        }
        fleet.vnets.iter().for_each(|vnet| usage.list(&vnet.rules));
        for host in &fleet.hosts {
            host.guests.iter().for_each(|guest| usage.list(&guest.rules));
        }
        for entry in fleet.ipsets.values().flat_map(|ipset| &ipset.entries) {
            usage.reference(&entry.reference);
        }
        for claim in &fleet.tests {
            let only = claim.only.as_ref().map(|only| &only.addresses);
            claim.source.iter().chain(&claim.dest).chain(only).for_each(|addresses| usage.addresses(addresses));
        }
        usage
    }

    /// A machine's own rules; what it inherits is among the zones'.
    fn list(&mut self, list: &'a RuleList) {
        let own = list.sections.iter().filter(|inherited| inherited.path.len() == 1);
        own.for_each(|inherited| self.section(&inherited.section));
    }

    fn section(&mut self, section: &'a Section) {
        for entry in &section.entries {
            match entry {
                Entry::Rule(rule) => self.rule(rule),
                Entry::Group(call) => {
                    self.groups.insert(&call.group.name);
                }
            }
        }
    }

    fn rule(&mut self, rule: &'a Rule) {
        rule.source.iter().chain(&rule.dest).for_each(|addresses| self.addresses(addresses));
    }

    fn addresses(&mut self, addresses: &'a Addresses) {
        addresses.terms.iter().for_each(|term| self.reference(&term.reference));
    }

    fn reference(&mut self, reference: &'a Reference) {
        match reference {
            Reference::Alias(zone, name) => {
                self.aliases.insert((zone, name));
            }
            Reference::Ipset(zone, name) => {
                self.ipsets.insert((zone, name));
            }
            Reference::Literal(_)
            | Reference::LocalNetwork
            | Reference::Zone(_)
            | Reference::Host(_)
            | Reference::Guest(_) => {}
        }
    }
}
