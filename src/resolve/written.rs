//! What a spec has besides what machines enforce, for lints.
//!
//! In: the spec and what was resolved of it. Out: [`Written`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::Code;
use crate::policy::{Allow, AllowPlace, NamedZone, Section, Written, ZoneRef};
use crate::spec::Spec;
use crate::spec::model::{Body, HostPart, Map, Rule, Text};

use super::graph::{NodeId, ZoneGraph, guests_of};
use super::machines::{GuestPlan, HostPlan};
use super::section::World;

/// All of it.
pub(super) fn written(
    world: &World<'_>,
    hosts: &[HostPlan<'_>],
    guests: &[GuestPlan<'_>],
    sections: Vec<Arc<Section>>,
) -> Written {
    Written {
        allows: Allows::of(world.spec),
        sections,
        zones: zones(world.spec, world.graph, hosts, guests),
        hidden: world.definitions.hidden.clone(),
    }
}

/// The named zones, and whether somebody inherits them.
fn zones(spec: &Spec, graph: &ZoneGraph, hosts: &[HostPlan<'_>], guests: &[GuestPlan<'_>]) -> Vec<NamedZone> {
    let blocks = graph.node(&guests_of(ZoneRef::Datacenter));
    let hosts = hosts.iter().flat_map(|host| [host.node, host.guests_node]);
    let heirs = hosts.chain(blocks).flat_map(|node| graph.linear(node)).copied();
    let placed = guests.iter().flat_map(|guest| &guest.placements);
    let inherited: BTreeSet<NodeId> = heirs.chain(placed.flat_map(|at| at.ancestors.iter().copied())).collect();
    let zone = |(name, _): &(Text, _)| {
        let node = graph.node(&ZoneRef::Zone(name.value.clone()));
        let is_inherited = node.is_some_and(|node| inherited.contains(&node));
        NamedZone { name: name.value.clone(), span: name.span, is_inherited }
    };
    spec.zones.iter().map(zone).collect()
}

/// Collects every `allow`.
struct Allows(Vec<Allow>);

impl Allows {
    fn of(spec: &Spec) -> Vec<Allow> {
        let mut found = Self(Vec::new());
        found.body(ZoneRef::Datacenter, &spec.datacenter.body);
        found.host_part(ZoneRef::Datacenter, &spec.datacenter.host);
        for (name, group) in &spec.groups {
            found.add(&group.allow, || AllowPlace::Zone(ZoneRef::Group(name.value.clone())));
            found.rules(&group.rules);
        }
        for (name, zone) in &spec.zones {
            found.body(ZoneRef::Zone(name.value.clone()), &zone.body);
            found.host_part(ZoneRef::Zone(name.value.clone()), &zone.host);
        }
        for (name, host) in &spec.hosts {
            found.body(ZoneRef::Host(name.value.clone()), &host.body);
            found.host_part(ZoneRef::Host(name.value.clone()), &host.host);
        }
        let vms = spec.vms.iter().map(|(id, guest)| (id, guest, ZoneRef::Vm as fn(u32) -> ZoneRef));
        let containers = spec.containers.iter().map(|(id, guest)| (id, guest, ZoneRef::Container as _));
        for (id, guest, zone) in vms.chain(containers) {
            let Ok(number) = id.value.parse() else { continue };
            found.body(zone(number), &guest.body);
            guest.nics.iter().for_each(|(_, nic)| found.rules(&nic.rules));
        }
        for (name, vnet) in &spec.vnets {
            found.add(&vnet.allow, || AllowPlace::Zone(ZoneRef::Vnet(name.value.clone())));
            found.rules(&vnet.rules);
        }
        found.0
    }

    fn host_part(&mut self, zone: ZoneRef, part: &HostPart) {
        if let Some(block) = &part.guests {
            self.body(guests_of(zone), &block.body);
        }
    }

    fn body(&mut self, zone: ZoneRef, body: &Body) {
        self.add(&body.allow, || AllowPlace::Zone(zone.clone()));
        self.rules(&body.guardrail_rules);
        self.rules(&body.rules);
    }

    fn rules(&mut self, rules: &[Rule]) {
        for rule in rules {
            self.add(&rule.allow, || AllowPlace::Rule(rule.span));
        }
    }

    fn add(&mut self, allowed: &Map<Text>, place: impl Fn() -> AllowPlace) {
        for (name, reason) in allowed {
            // The reader refuses other names.
            let Some(lint) = Code::lint(&name.value) else { continue };
            self.0.push(Allow { lint, reason: reason.value.clone(), place: place(), span: name.span });
        }
    }
}
