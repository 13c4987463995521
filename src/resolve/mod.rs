//! Names to values, zones to machines: a typed [`Spec`] becomes the [`Fleet`] that it means.
//!
//! In: a spec whose shape is right. Out: every machine's policy, or every error there is: all names
//! exist, no circles, all values typed, no rule that could never match. Promise: nothing is left out
//! of a machine's rules without a record of it ([`crate::policy::Inherited::skipped`]).

mod address;
mod caution;
mod claim;
mod define;
mod family;
mod graph;
mod guest;
mod host;
mod identity;
mod machines;
mod names;
mod nics;
mod option;
mod rule;
mod section;
mod service;
mod sysctl;
mod without;
mod written;

use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::policy::{Datacenter, Fleet, HostPolicy, VnetPolicy, ZoneRef};
use crate::spec::Spec;
use crate::spec::options::OptionZone;

use claim::ClaimReader;
use define::Definitions;
use graph::ZoneGraph;
use guest::GuestBuilder;
use machines::{GuestPlan, HostPlan};
use names::LocalNetwork;
use section::{Sections, World};

/// Resolves a spec. The fleet is there exactly when there is no error; diagnostics come in source order.
#[must_use]
pub fn resolve(spec: &Spec) -> (Option<Fleet>, Diagnostics) {
    let mut out = Diagnostics::new();
    let fleet = ZoneGraph::build(spec, &mut out).map(|graph| resolve_with(spec, &graph, &mut out));
    out.sort();
    let whole = !out.has_errors();
    (fleet.filter(|_| whole), out)
}

fn resolve_with(spec: &Spec, graph: &ZoneGraph, out: &mut Diagnostics) -> Fleet {
    let hosts = machines::hosts(spec, graph, out);
    let guests = machines::guests(spec, graph, &hosts, out);
    let machines = machines::machines(spec, graph, &hosts, &guests);
    let sample = hosts.iter().find_map(HostPlan::first_network);
    let definitions = Definitions::read(spec, graph, &guests, &machines, out);
    let world = World { spec, graph, definitions: &definitions, machines: &machines, sample };
    let sections = Sections::new(&world, out);
    let datacenter_node = graph.node(&ZoneRef::Datacenter);
    let links = host::links(&world, datacenter_node.as_slice(), false);
    let options = option::datacenter(&option::Chain::new(&links, OptionZone::Datacenter), out);
    let local = LocalNetwork::Sample(world.sample.clone());
    let context = host::VnetContext { groups: sections.groups(), local, drop_invalid: true };
    let vnets = vnets(&world, &context, &options, out);
    let datacenter = Datacenter { name: spec.datacenter.name.as_ref().map(|text| text.value.clone()), options };
    let tests = ClaimReader::new(&world, &hosts, &guests).read(out);
    let build = |(at, plan)| host_with_guests(&world, &sections, &datacenter, &hosts, &guests, at, plan, out);
    let mut policies: Vec<HostPolicy> = hosts.iter().enumerate().map(build).collect();
    caution::of_rings(&hosts, &policies, out);
    without::check_without(&world, &guests, &policies, out);
    policies.sort_by(|a, b| a.name.cmp(&b.name));
    let groups =
        sections.groups().iter().filter_map(|(name, group)| Some((name.clone(), Arc::clone(group.group.as_ref()?))));
    let groups = groups.collect();
    let written = written::written(&world, &hosts, &guests, sections.all());
    Fleet {
        datacenter,
        hosts: policies,
        groups,
        vnets,
        aliases: definitions.aliases.clone(),
        ipsets: definitions.ipsets.clone(),
        tests,
        written,
    }
}

#[expect(clippy::too_many_arguments, reason = "the one place where a host and its guests come together")]
fn host_with_guests(
    world: &World<'_>,
    sections: &Sections<'_>,
    datacenter: &Datacenter,
    hosts: &[HostPlan<'_>],
    guests: &[GuestPlan<'_>],
    at: usize,
    plan: &HostPlan<'_>,
    out: &mut Diagnostics,
) -> HostPolicy {
    let on_host = sections.on_host(LocalNetwork::Of(plan.first_network()));
    let draft = host::host(world, plan, hosts, guests, &on_host, &datacenter.options, out);
    let builder = GuestBuilder::new(world, &on_host, &draft);
    let placed = guests.iter().filter_map(|guest| {
        let placement = guest.placements.iter().find(|placement| placement.host == at)?;
        Some((guest, placement))
    });
    let policies = placed.map(|(guest, placement)| builder.build(guest, placement, out)).collect();
    let context = host::VnetContext {
        groups: on_host.groups(),
        local: on_host.local_network(),
        drop_invalid: !draft.policy.options.nf_conntrack_allow_invalid.value,
    };
    // What is wrong with a vnet was found when it was read without a host.
    let vnets = vnets(world, &context, &datacenter.options, &mut Diagnostics::new());
    HostPolicy { guests: policies, vnets, ..draft.policy }
}

fn vnets(
    world: &World<'_>,
    context: &host::VnetContext<'_>,
    options: &crate::policy::DatacenterOptions,
    out: &mut Diagnostics,
) -> Vec<Arc<VnetPolicy>> {
    let build = |(name, vnet)| Arc::new(host::vnet(world, name, vnet, context, options, out));
    world.spec.vnets.iter().map(|(name, vnet)| (name, vnet)).map(build).collect()
}

#[cfg(test)]
mod tests;
