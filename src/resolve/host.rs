//! One host's policy: options, rules, hooks, sysctl.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::net::{AddressSet, Family, InterfaceAddress, Ranges};
use crate::policy::{
    CorosyncRing, DatacenterOptions, Direction, Hook, HookName, HostOptions, HostPolicy, Inherited, IptablesMode,
    IptablesOptions, Log, Origin, Platform, RuleList, SectionKind, SkipReason, Stage, TargetName, Verdict, VnetPolicy,
    ZoneRef, management_ports,
};
use crate::spec::model::{HostPart, Map, OptionValue, Text};
use crate::spec::options::{self, OptionZone};

use super::caution;
use super::graph::{Edge, NodeId};
use super::machines::{GuestPlan, HostPlan};
use super::names::{LocalNetwork, NameKind, Scope, ScopePart};
use super::option::{self, Chain, Link};
use super::section::{HostSections, World, body};
use super::sysctl;

/// A host without its guests, and what they need of it.
pub(super) struct HostDraft {
    /// The policy; guests still missing.
    pub policy: HostPolicy,
    /// Whether frames other than IP are judged: the datacenter's `ebtables`.
    pub judges_frames: bool,
    /// The ipset `blacklist`, if defined.
    pub blacklist: Option<Arc<AddressSet>>,
}

/// The zones of a chain with what they set.
pub(super) fn links<'a>(world: &World<'a>, nodes: &[NodeId], skip_datacenter: bool) -> Vec<Link<'a>> {
    static NOTHING: Map<OptionValue> = Map::new();
    let mut links = Vec::new();
    for zone in nodes.iter().filter_map(|node| world.graph.zone(*node)) {
        let Some((body, _)) = body(world.spec, zone) else { continue };
        let options = if skip_datacenter && *zone == ZoneRef::Datacenter { &NOTHING } else { &body.options };
        links.push(Link { zone, options, guardrails: &body.guardrail_options });
    }
    links
}

fn host_part<'a>(world: &World<'a>, zone: &ZoneRef) -> Option<&'a HostPart> {
    let named = |name: &str| world.spec.zones.iter().find(|(known, _)| known.value == name);
    match zone {
        ZoneRef::Datacenter => Some(&world.spec.datacenter.host),
        ZoneRef::Host(name) => {
            world.spec.hosts.iter().find(|(known, _)| known.value == *name).map(|(_, host)| &host.host)
        }
        ZoneRef::Zone(name) => named(name).map(|(_, zone)| &zone.host),
        ZoneRef::Guests(_)
        | ZoneRef::Vm(_)
        | ZoneRef::Container(_)
        | ZoneRef::Nic(..)
        | ZoneRef::Group(_)
        | ZoneRef::Vnet(_) => None,
    }
}

/// Builds a host's policy; its guests are added later.
pub(super) fn host(
    world: &World<'_>,
    plan: &HostPlan<'_>,
    hosts: &[HostPlan<'_>],
    guests: &[GuestPlan<'_>],
    sections: &HostSections<'_>,
    datacenter: &DatacenterOptions,
    out: &mut Diagnostics,
) -> HostDraft {
    let nodes = world.graph.linear(plan.node);
    let zones: Vec<&ZoneRef> = nodes.iter().filter_map(|node| world.graph.zone(*node)).collect();
    let parts: Vec<(&ZoneRef, &HostPart)> =
        zones.iter().filter_map(|zone| host_part(world, zone).map(|part| (*zone, part))).collect();
    let platform = platform(&parts);
    let targets = targets(&parts, platform);
    let iptables = iptables(&parts, out);
    let links = links(world, nodes, true);
    let options = option::host(&Chain::new(&links, OptionZone::Host), datacenter, out);
    caution::of_connection_log(&options, platform, &targets, out);
    caution::of_slow_limit(&options, out);
    let scope = Scope::new(world.names(None, nodes), world.machines, LocalNetwork::Of(plan.first_network()));
    let find = |kind, name| scope.find(kind, ScopePart::Any, name).map(|(_, found)| Arc::clone(&found.set));
    let local_network = find(NameKind::Alias, "local_network").or_else(|| plan.first_network());
    let blacklist = find(NameKind::Ipset, "blacklist");
    let management = find(NameKind::Ipset, "management");
    let broadcast = broadcast(plan, guests, hosts);
    let rules = Arc::new(rules(world, plan, nodes, sections));
    refuse_empty_own(&rules, &ZoneRef::Host(plan.name.value.clone()), out);
    let context = HookContext {
        options: &options,
        platform,
        blacklist: blacklist.as_ref(),
        management: management.as_ref(),
        local_network: local_network.as_ref(),
        broadcast: &broadcast,
        rules: &rules,
        rings: rings(world, plan, hosts, platform),
    };
    let (hook_in, hook_out, hook_forward) = (context.hook_in(), context.hook_out(), context.hook_forward());
    let policy = HostPolicy {
        name: plan.name.value.clone(),
        span: plan.name.span,
        comment: plan.spec.comment.as_ref().map(|text| text.value.clone()),
        platform,
        targets,
        path: zones.into_iter().cloned().collect(),
        enabled: datacenter.enable.value && options.enable.value,
        addresses: plan.addresses.clone(),
        local_network: if platform == Platform::Linux { find(NameKind::Alias, "local_network") } else { local_network },
        broadcast,
        options,
        iptables,
        rules,
        hook_in,
        hook_out,
        hook_forward,
        guests: Vec::new(),
        vnets: Vec::new(),
        sysctl: sysctl::settings(&parts, out),
        sysctl_file: sysctl::file(&parts),
    };
    HostDraft { policy, judges_frames: datacenter.ebtables.value, blacklist }
}

/// A machine's own rule that stands for nothing there is an error; only what it inherits may be.
pub(super) fn refuse_empty_own(list: &RuleList, machine: &ZoneRef, out: &mut Diagnostics) {
    for inherited in list.sections.iter().filter(|inherited| inherited.path.len() == 1) {
        let own = inherited.skipped.iter().filter(|skipped| skipped.origin.zone == inherited.section.zone);
        for skipped in own.filter(|skipped| skipped.reason == SkipReason::NoAddress) {
            let message = format!("this rule stands for no address on `{machine}`");
            out.push(
                Diagnostic::error(Code::NoAddresses, skipped.origin.span, message)
                    .because("`local_network` is not defined, and is the network of the host's first address")
                    .help("give the host an address of the family that the rule needs, or define the alias `local_network`"),
            );
        }
    }
}

/// Guardrails from the farthest zone, then rules from the nearest.
fn rules(world: &World<'_>, plan: &HostPlan<'_>, nodes: &[NodeId], sections: &HostSections<'_>) -> RuleList {
    let start = ZoneRef::Host(plan.name.value.clone());
    let edges: &[Edge] = world.graph.parents(plan.node);
    let inherited = |node: &NodeId, kind| {
        let read = sections.get(*node, kind)?;
        let path = if *node == plan.node { vec![start.clone()] } else { world.graph.path(&start, edges, *node) };
        Some(Inherited { section: read.section, path: path.into(), skipped: read.skipped })
    };
    let guardrails = nodes.iter().rev().filter_map(|node| inherited(node, SectionKind::Guardrails));
    let rules = nodes.iter().filter_map(|node| inherited(node, SectionKind::Rules));
    RuleList { sections: guardrails.chain(rules).collect() }
}

/// What runs on another host.
fn platform_of(world: &World<'_>, plan: &HostPlan<'_>) -> Platform {
    let zones = world.graph.linear(plan.node).iter().filter_map(|node| world.graph.zone(*node));
    platform(&zones.filter_map(|zone| host_part(world, zone).map(|part| (zone, part))).collect::<Vec<_>>())
}

fn platform(parts: &[(&ZoneRef, &HostPart)]) -> Platform {
    match parts.iter().find_map(|(_, part)| part.platform.as_ref()) {
        Some(text) if text.value == "linux" => Platform::Linux,
        // The reader lets no third word through.
        Some(_) | None => Platform::Proxmox,
    }
}

fn targets(parts: &[(&ZoneRef, &HostPart)], platform: Platform) -> BTreeSet<TargetName> {
    let wanted = TargetName::ALL.into_iter();
    match (parts.iter().find_map(|(_, part)| part.targets.as_ref()), platform) {
        (Some(list), _) => wanted.filter(|target| list.value.iter().any(|text| text.value == target.name())).collect(),
        (None, Platform::Proxmox) => wanted.collect(),
        (None, Platform::Linux) => wanted.filter(|target| *target != TargetName::Pve).collect(),
    }
}

fn iptables(parts: &[(&ZoneRef, &HostPart)], out: &mut Diagnostics) -> IptablesOptions {
    let default = IptablesOptions { mode: IptablesMode::Exclusive, ipset: false, origin: None };
    let nearest = parts.iter().find_map(|(zone, part)| part.iptables.as_ref().map(|block| (*zone, block)));
    let Some((zone, block)) = nearest else { return default };
    let shared = block.mode.as_ref().is_some_and(|mode| mode.value == "shared");
    if let (false, Some(text)) = (shared, &block.prefix) {
        let message = "`prefix` has no effect in exclusive mode";
        let help = "add `mode: shared`, or drop `prefix`";
        out.push(Diagnostic::error(Code::PrefixWithoutShared, text.span, message).help(help));
    }
    let ipset = block.ipset.as_ref().is_some_and(|text| {
        options::parse_bool(text).unwrap_or_else(|diagnostic| {
            out.push(diagnostic);
            false
        })
    });
    let prefix = block.prefix.as_ref().map_or_else(|| "FWC".to_owned(), |text| text.value.clone());
    let mode = if shared { IptablesMode::Shared { prefix } } else { IptablesMode::Exclusive };
    let origin = Origin { zone: zone.clone(), identity: "iptables".to_owned(), span: block.span };
    IptablesOptions { mode, ipset, origin: Some(origin) }
}

/// Broadcast addresses of the networks of the host and its guests, and all multicast addresses.
fn broadcast(plan: &HostPlan<'_>, guests: &[GuestPlan<'_>], hosts: &[HostPlan<'_>]) -> Arc<AddressSet> {
    let this = hosts.iter().position(|other| other.node == plan.node);
    let on_host = guests.iter().filter(|guest| guest.placements.iter().any(|at| Some(at.host) == this));
    let nics = on_host.flat_map(|guest| guest.nics.iter().flat_map(|(nic, _)| &nic.addresses));
    let of_network = |address: &InterfaceAddress| match address.network() {
        IpNet::V4(network) if network.prefix_len() < 31 => Some(u32::from(network.broadcast())),
        IpNet::V4(_) | IpNet::V6(_) => None,
    };
    let known = plan.addresses.iter().chain(nics).filter_map(of_network).map(|address| (address, address));
    let fixed = [
        (u32::from(Ipv4Addr::BROADCAST), u32::from(Ipv4Addr::BROADCAST)),
        (u32::from(Ipv4Addr::new(224, 0, 0, 0)), u32::from(Ipv4Addr::new(239, 255, 255, 255))),
    ];
    let v6 = Ranges::range(0xff << 120, u128::MAX);
    Arc::new(AddressSet::new(Ranges::from_ranges(known.chain(fixed)), v6))
}

/// The host's own address and the other nodes' on each ring.
fn rings(world: &World<'_>, plan: &HostPlan<'_>, hosts: &[HostPlan<'_>], platform: Platform) -> Vec<CorosyncRing> {
    if platform == Platform::Linux {
        return Vec::new();
    }
    let set = |addresses: &mut dyn Iterator<Item = IpAddr>| {
        let sets: Vec<AddressSet> = addresses.map(AddressSet::address).collect();
        Arc::new(AddressSet::union_of(&sets))
    };
    let ring = |(number, own): (usize, &IpAddr)| {
        let family = Family::of(*own);
        let others = hosts.iter().filter(|host| host.node != plan.node);
        let others = others.filter(|host| platform_of(world, host) == Platform::Proxmox);
        let mut peers = others.filter_map(|host| host.corosync.get(number).copied());
        let peers = set(&mut peers.by_ref().filter(|peer| Family::of(*peer) == family));
        (!peers.is_empty()).then(|| CorosyncRing { own: set(&mut std::iter::once(*own)), peers })
    };
    plan.corosync.iter().enumerate().filter_map(ring).collect()
}

struct HookContext<'a> {
    options: &'a HostOptions,
    platform: Platform,
    blacklist: Option<&'a Arc<AddressSet>>,
    management: Option<&'a Arc<AddressSet>>,
    local_network: Option<&'a Arc<AddressSet>>,
    broadcast: &'a Arc<AddressSet>,
    rules: &'a Arc<RuleList>,
    rings: Vec<CorosyncRing>,
}

impl HookContext<'_> {
    fn hook_in(&self) -> Hook {
        let options = self.options;
        let mut stages = vec![Stage::Loopback, Stage::Conntrack { drop_invalid: true }];
        if options.ndp.value {
            stages.push(Stage::NeighbourDiscovery(crate::policy::NDP_ALL));
        }
        stages.extend(protective(options, self.blacklist, self.broadcast));
        stages.push(Stage::Igmp);
        stages.push(Stage::Rules(Arc::clone(self.rules)));
        let ports = management_ports(self.platform, Direction::In);
        let peers = match self.platform {
            Platform::Proxmox => {
                let sets = self.management.into_iter().chain(self.local_network).map(AsRef::as_ref);
                AddressSet::union_of(sets.collect::<Vec<_>>())
            }
            Platform::Linux => self.management.map(|set| set.as_ref().clone()).unwrap_or_default(),
        };
        if !peers.is_empty() {
            stages.push(Stage::Management { peers: Arc::new(peers), ports });
        }
        self.corosync(&mut stages);
        stages.extend(policy(options.policy_in.value, options.log_level_in.value, Some(self.broadcast)));
        Hook { name: HookName::HostIn, stages }
    }

    fn hook_out(&self) -> Hook {
        let options = self.options;
        let mut stages = vec![Stage::Loopback, Stage::Conntrack { drop_invalid: true }];
        if options.ndp.value {
            stages.push(Stage::NeighbourDiscovery(crate::policy::NDP_NO_ADVERTISEMENT));
        }
        stages.push(Stage::Igmp);
        stages.push(Stage::Rules(Arc::clone(self.rules)));
        if let (Platform::Proxmox, Some(local)) = (self.platform, self.local_network) {
            let ports = management_ports(self.platform, Direction::Out);
            stages.push(Stage::Management { peers: Arc::clone(local), ports });
        }
        self.corosync(&mut stages);
        stages.extend(policy(options.policy_out.value, options.log_level_out.value, Some(self.broadcast)));
        Hook { name: HookName::HostOut, stages }
    }

    fn hook_forward(&self) -> Hook {
        let options = self.options;
        let mut stages = vec![Stage::Conntrack { drop_invalid: !options.nf_conntrack_allow_invalid.value }];
        stages.push(Stage::Rules(Arc::clone(self.rules)));
        stages.extend(policy(options.policy_forward.value, options.log_level_forward.value, None));
        Hook { name: HookName::HostForward, stages }
    }

    fn corosync(&self, stages: &mut Vec<Stage>) {
        if !self.rings.is_empty() {
            stages.push(Stage::Corosync(self.rings.clone()));
        }
    }
}

/// Blacklist, smurfs and TCP flags, as the host's options have them; towards guests too.
pub(super) fn protective(
    options: &HostOptions,
    blacklist: Option<&Arc<AddressSet>>,
    broadcast: &Arc<AddressSet>,
) -> Vec<Stage> {
    let mut stages = Vec::new();
    if let Some(set) = blacklist {
        stages.push(Stage::Blacklist { set: Arc::clone(set), log: options.log_level_in.value });
    }
    if options.nosmurfs.value {
        let sources = Arc::new(broadcast.only(Family::V4));
        stages.push(Stage::Smurfs { sources, log: options.smurf_log_level.value });
    }
    if options.tcpflags.value {
        stages.push(Stage::TcpFlags { log: options.tcp_flags_log_level.value });
    }
    stages
}

/// The end of a hook: an accept policy, or the noise stage (where the hook has one) and the policy with its log line.
pub(super) fn policy(verdict: Verdict, log: Log, noise: Option<&Arc<AddressSet>>) -> Vec<Stage> {
    match verdict {
        Verdict::Accept | Verdict::Skip => vec![Stage::Policy { verdict: Verdict::Accept, log: Log::None }],
        Verdict::Drop | Verdict::Reject => {
            let reject = verdict == Verdict::Reject;
            let noise = noise.map(|broadcast| Stage::Noise { reject, broadcast: Arc::clone(broadcast) });
            noise.into_iter().chain([Stage::Policy { verdict, log }]).collect()
        }
    }
}

/// What a vnet's policy depends on besides the vnet: on every host its own.
pub(super) struct VnetContext<'a> {
    /// The groups as the host has them.
    pub groups: &'a super::rule::Groups,
    /// The host's network.
    pub local: LocalNetwork,
    /// Whether packets in state invalid are dropped.
    pub drop_invalid: bool,
}

/// One vnet's policy.
pub(super) fn vnet(
    world: &World<'_>,
    name: &Text,
    spec: &crate::spec::model::Vnet,
    context: &VnetContext<'_>,
    datacenter: &DatacenterOptions,
    out: &mut Diagnostics,
) -> VnetPolicy {
    let zone = ZoneRef::Vnet(name.value.clone());
    let node = world.graph.node(&ZoneRef::Datacenter);
    let scope = Scope::new(world.names(None, node.as_slice()), world.machines, context.local.clone());
    let mut identities = super::identity::Identities::default();
    let mut entries = super::rule::Entries::default();
    let mut reader = super::rule::RuleReader {
        zone: zone.clone(),
        kind: super::rule::ListKind::Vnet,
        scope: &scope,
        groups: Some(context.groups),
        identities: &mut identities,
    };
    reader.read(&spec.rules, &mut entries, out);
    let section = crate::policy::Section { zone: zone.clone(), kind: SectionKind::Rules, entries: entries.entries };
    let path: Arc<[ZoneRef]> = Arc::from([zone.clone()]);
    let inherited = Inherited { section: Arc::new(section), path, skipped: entries.skipped };
    let rules = Arc::new(RuleList { sections: vec![inherited] });
    // The datacenter's guardrails lock a vnet's options too.
    let own = Link { zone: &zone, options: &spec.options, guardrails: &Vec::new() };
    let mut chain = vec![own];
    chain.extend(links(world, node.as_slice(), true));
    let options = option::vnet(&Chain::new(&chain, OptionZone::Vnet), out);
    let frames = if datacenter.ebtables.value { Stage::Arp } else { Stage::OtherFrames };
    let conntrack = Stage::Conntrack { drop_invalid: context.drop_invalid };
    let mut stages = vec![frames, conntrack, Stage::Rules(Arc::clone(&rules))];
    stages.extend(policy(options.policy_forward.value, options.log_level_forward.value, None));
    VnetPolicy {
        name: name.value.clone(),
        comment: spec.comment.as_ref().map(|text| text.value.clone()),
        span: name.span,
        enabled: datacenter.enable.value && options.enable.value,
        options,
        rules,
        hook: Hook { name: HookName::VnetForward, stages },
    }
}
