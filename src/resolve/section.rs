//! The rules that each zone writes, read once and shared by all machines that take them whole.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::net::AddressSet;
use crate::policy::{Entry, Group, Section, SectionKind, Skipped, ZoneRef};
use crate::spec::Spec;
use crate::spec::model::{Body, Rule};

use super::define::Definitions;
use super::graph::{NodeId, ZoneGraph};
use super::identity::Identities;
use super::names::{LocalNetwork, Machines, Names, Scope};
use super::rule::{Entries, Groups, ListKind, ReadGroup, RuleReader};

/// The rules of a zone as a host has them.
#[derive(Debug, Clone)]
pub(super) struct ReadSection {
    /// The rules.
    pub section: Arc<Section>,
    /// What is without effect on this host.
    pub skipped: Vec<Skipped>,
    /// Whether it reads otherwise on another host.
    host_dependent: bool,
}

/// All that a reader of rules looks things up in.
#[derive(Debug)]
pub(super) struct World<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// Who inherits from whom.
    pub graph: &'a ZoneGraph,
    /// Aliases and ipsets.
    pub definitions: &'a Definitions,
    /// Addresses of machines.
    pub machines: &'a Machines,
    /// Some host's own network, for zones that are read without a host at hand.
    pub sample: Option<Arc<AddressSet>>,
}

/// The groups as one host has them.
#[derive(Debug, Default)]
pub(super) struct HostGroups {
    /// By name.
    pub groups: Groups,
    /// Whether any of them reads otherwise on another host.
    pub host_dependent: bool,
}

impl<'a> World<'a> {
    /// The names in reach of a zone.
    pub(super) fn names(&self, own: Option<&ZoneRef>, ancestors: &[NodeId]) -> Vec<&'a Names> {
        self.definitions.scope(self.graph, own, ancestors)
    }

    /// Every group; with `local` a host's network, or the sample.
    pub(super) fn groups(&self, local: &LocalNetwork, out: &mut Diagnostics) -> HostGroups {
        let datacenter = self.graph.node(&ZoneRef::Datacenter);
        let names = self.names(None, datacenter.as_slice());
        let mut found = HostGroups::default();
        for (name, group) in &self.spec.groups {
            let scope = Scope::new(names.clone(), self.machines, local.clone());
            let mut identities = Identities::default();
            let mut reader = RuleReader {
                zone: ZoneRef::Group(name.value.clone()),
                kind: ListKind::Group,
                scope: &scope,
                groups: None,
                identities: &mut identities,
            };
            let mut entries = Entries::default();
            reader.read(&group.rules, &mut entries, out);
            let whole = entries.entries.len() + entries.skipped.len() == group.rules.len();
            let rules = entries.entries.into_iter().filter_map(|entry| match entry {
                Entry::Rule(rule) => Some(rule),
                // A group calls no group; the reader has said so.
                Entry::Group(_) => None,
            });
            let comment = group.comment.as_ref().map(|text| text.value.clone());
            let group = Group { name: name.value.clone(), comment, rules: rules.collect(), span: name.span };
            let read = ReadGroup { group: whole.then(|| Arc::new(group)), skipped: entries.skipped };
            found.groups.insert(name.value.clone(), read);
            found.host_dependent |= scope.used_local_network.get();
        }
        found
    }
}

/// Reads zones' rules, each once where all hosts agree.
#[derive(Debug)]
pub(super) struct Sections<'a> {
    world: &'a World<'a>,
    shared_groups: HostGroups,
    shared: RefCell<BTreeMap<(NodeId, SectionKind), Option<ReadSection>>>,
}

/// One host's view of sections.
#[derive(Debug)]
pub(super) struct HostSections<'a> {
    sections: &'a Sections<'a>,
    own_groups: Option<HostGroups>,
    local: LocalNetwork,
    cache: RefCell<BTreeMap<(NodeId, SectionKind), Option<ReadSection>>>,
}

impl<'a> Sections<'a> {
    /// Reads every zone's rules once, so that unused zones' errors are found too.
    pub(super) fn new(world: &'a World<'a>, out: &mut Diagnostics) -> Self {
        let local = LocalNetwork::Sample(world.sample.clone());
        let shared_groups = world.groups(&local, out);
        let sections = Self { world, shared_groups, shared: RefCell::default() };
        for node in 0.. {
            if world.graph.zone(node).is_none() {
                break;
            }
            for (kind, read) in read_node(world, node, &local, &sections.shared_groups, out) {
                sections.shared.borrow_mut().insert((node, kind), read);
            }
        }
        sections
    }

    /// The groups as read with the sample.
    pub(super) fn groups(&self) -> &Groups {
        &self.shared_groups.groups
    }

    /// The rules of every zone, in the order of the graph.
    pub(super) fn all(&self) -> Vec<Arc<Section>> {
        let shared = self.shared.borrow();
        shared.values().flatten().map(|read| Arc::clone(&read.section)).collect()
    }

    /// A host's view.
    pub(super) fn on_host(&'a self, local: LocalNetwork) -> HostSections<'a> {
        // Errors were found with the sample; what a host finds besides is that something is empty there.
        let own_groups = self.shared_groups.host_dependent.then(|| self.world.groups(&local, &mut Diagnostics::new()));
        HostSections { sections: self, own_groups, local, cache: RefCell::default() }
    }
}

impl HostSections<'_> {
    /// The groups as this host has them.
    pub(super) fn groups(&self) -> &Groups {
        self.own_groups.as_ref().map_or(self.sections.groups(), |own| &own.groups)
    }

    /// The host's `local_network` for rules.
    pub(super) fn local_network(&self) -> LocalNetwork {
        self.local.clone()
    }

    /// The rules of a zone; none where it writes none.
    pub(super) fn get(&self, node: NodeId, kind: SectionKind) -> Option<ReadSection> {
        let shared = self.sections.shared.borrow().get(&(node, kind)).cloned().flatten()?;
        let dependent = shared.host_dependent || (self.own_groups.is_some() && calls_groups(&shared.section));
        if !dependent {
            return Some(shared);
        }
        if let Some(known) = self.cache.borrow().get(&(node, kind)) {
            return known.clone();
        }
        let own = HostGroups { groups: self.groups().clone(), host_dependent: true };
        let read = read_node(self.sections.world, node, &self.local, &own, &mut Diagnostics::new());
        for (kind, section) in read {
            self.cache.borrow_mut().insert((node, kind), section);
        }
        self.cache.borrow().get(&(node, kind)).cloned().flatten()
    }
}

fn calls_groups(section: &Section) -> bool {
    section.entries.iter().any(|entry| matches!(entry, Entry::Group(_)))
}

/// The guardrails and the rules of a node.
fn read_node(
    world: &World<'_>,
    node: NodeId,
    local: &LocalNetwork,
    groups: &HostGroups,
    out: &mut Diagnostics,
) -> [(SectionKind, Option<ReadSection>); 2] {
    let none = [(SectionKind::Guardrails, None), (SectionKind::Rules, None)];
    let Some(zone) = world.graph.zone(node) else { return none };
    let Some((body, kind)) = body(world.spec, zone) else { return none };
    let names = world.names(None, world.graph.linear(node));
    let mut identities = Identities::default();
    let mut read = |section: SectionKind, kind: ListKind, rules: &[Rule]| {
        if rules.is_empty() {
            return None;
        }
        let scope = Scope::new(names.clone(), world.machines, local.clone());
        let mut entries = Entries::default();
        let mut reader = RuleReader {
            zone: zone.clone(),
            kind,
            scope: &scope,
            groups: Some(&groups.groups),
            identities: &mut identities,
        };
        reader.read(rules, &mut entries, out);
        let host_dependent = scope.used_local_network.get();
        let section = Section { zone: zone.clone(), kind: section, entries: entries.entries };
        Some(ReadSection { section: Arc::new(section), skipped: entries.skipped, host_dependent })
    };
    let guardrails = if *zone == ZoneRef::Datacenter { ListKind::Everybody } else { kind };
    [
        (SectionKind::Guardrails, read(SectionKind::Guardrails, guardrails, &body.guardrail_rules)),
        (SectionKind::Rules, read(SectionKind::Rules, kind, &body.rules)),
    ]
}

/// What a zone of the graph writes, and as which kind of list its rules are read.
pub(super) fn body<'a>(spec: &'a Spec, zone: &ZoneRef) -> Option<(&'a Body, ListKind)> {
    use crate::spec::model::ZoneKind;
    match zone {
        ZoneRef::Datacenter => Some((&spec.datacenter.body, ListKind::Host)),
        ZoneRef::Host(name) => {
            let (_, host) = spec.hosts.iter().find(|(known, _)| known.value == *name)?;
            Some((&host.body, ListKind::Host))
        }
        ZoneRef::Zone(name) => {
            let (_, zone) = spec.zones.iter().find(|(known, _)| known.value == *name)?;
            let kind = match zone.kind.value {
                ZoneKind::Host => ListKind::Host,
                ZoneKind::Guest => ListKind::Guest,
            };
            Some((&zone.body, kind))
        }
        ZoneRef::Guests(owner) => {
            let part = match owner.as_ref() {
                ZoneRef::Datacenter => Some(&spec.datacenter.host),
                ZoneRef::Host(name) => spec.hosts.iter().find(|(known, _)| known.value == *name).map(|(_, h)| &h.host),
                ZoneRef::Zone(name) => spec.zones.iter().find(|(known, _)| known.value == *name).map(|(_, z)| &z.host),
                ZoneRef::Guests(_)
                | ZoneRef::Vm(_)
                | ZoneRef::Container(_)
                | ZoneRef::Nic(..)
                | ZoneRef::Group(_)
                | ZoneRef::Vnet(_) => None,
            };
            part?.guests.as_ref().map(|block| (&block.body, ListKind::Guest))
        }
        ZoneRef::Vm(_) | ZoneRef::Container(_) | ZoneRef::Nic(..) | ZoneRef::Group(_) | ZoneRef::Vnet(_) => None,
    }
}
