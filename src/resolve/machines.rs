//! Hosts and guests with their own values read: addresses, NICs, where guests run.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::net::{AddressSet, InterfaceAddress, Mac, parse_prefix};
use crate::policy::{GuestKind, Nic, ZoneRef};
use crate::spec::model::{Guest, Host, Text};
use crate::spec::{Spec, model, options};

use super::graph::{Edge, NodeId, ZoneGraph, guests_of};
use super::names::Machines;
use super::nics::{check_devices, check_tagged_bridges, warn_of_shared_addresses, warn_of_unused_ipfilters};
use super::rule::nic_index;

/// A host as the spec has it, with its addresses read.
#[derive(Debug)]
pub(super) struct HostPlan<'a> {
    /// The definition.
    pub spec: &'a Host,
    /// The name where it is defined.
    pub name: &'a Text,
    /// Its node.
    pub node: NodeId,
    /// Its `guests` block's node.
    pub guests_node: NodeId,
    /// In the order written.
    pub addresses: Vec<InterfaceAddress>,
    /// One for each ring, in order.
    pub corosync: Vec<IpAddr>,
}

impl HostPlan<'_> {
    /// The network of its first address.
    pub(super) fn first_network(&self) -> Option<Arc<AddressSet>> {
        self.addresses.first().map(|address| Arc::new(AddressSet::network(address.network())))
    }
}

/// A guest on one of its hosts.
#[derive(Debug)]
pub(super) struct Placement {
    /// Which host, by its place in the list of hosts.
    pub host: usize,
    /// Its parents there.
    pub edges: Vec<Edge>,
    /// Its ancestors there, in order, without itself.
    pub ancestors: Rc<[NodeId]>,
}

/// A guest as the spec has it, with its NICs read.
#[derive(Debug)]
pub(super) struct GuestPlan<'a> {
    /// The definition.
    pub spec: &'a Guest,
    /// Where it is defined.
    pub span: Span,
    /// Its number.
    pub id: u32,
    /// VM or container.
    pub kind: GuestKind,
    /// Its zone.
    pub zone: ZoneRef,
    /// By number; `sources` still unset.
    pub nics: Vec<(Nic, &'a model::Nic)>,
    /// The hosts it may run on.
    pub placements: Vec<Placement>,
}

/// Reads the hosts.
pub(super) fn hosts<'a>(spec: &'a Spec, graph: &ZoneGraph, out: &mut Diagnostics) -> Vec<HostPlan<'a>> {
    let plan = |(name, host): &'a (Text, Host)| {
        let zone = ZoneRef::Host(name.value.clone());
        let mut addresses: Vec<InterfaceAddress> = Vec::new();
        for text in &host.addresses {
            let Some(address) = interface_address(text, out) else { continue };
            if addresses.iter().any(|known| known.address() == address.address()) {
                let message = format!("address `{}` is listed twice", address.address());
                out.push(Diagnostic::error(Code::DuplicateAddress, text.span, message).help("remove one of them"));
            }
            addresses.push(address);
        }
        let mut corosync = Vec::new();
        for text in &host.corosync {
            match text.value.parse::<IpAddr>() {
                Ok(address) => corosync.push(address),
                Err(_) => out.push(
                    Diagnostic::error(Code::BadAddress, text.span, format!("`{}` is not an address", text.value))
                        .help("write one address for each ring, without a prefix"),
                ),
            }
        }
        if host.corosync.is_empty() {
            corosync = addresses.iter().map(|address| address.address()).collect();
        }
        let node = graph.node(&zone)?;
        let guests_node = graph.node(&guests_of(zone))?;
        Some(HostPlan { spec: host, name, node, guests_node, addresses, corosync })
    };
    spec.hosts.iter().filter_map(plan).collect()
}

/// An address with or without a prefix length; the host bits are the point of it.
fn interface_address(text: &Text, out: &mut Diagnostics) -> Option<InterfaceAddress> {
    let help = "write an address with the prefix length of its network, such as `10.0.0.11/24`";
    let network = match parse_prefix(&text.value) {
        Ok(network) => network,
        Err(message) => {
            out.push(Diagnostic::error(Code::BadAddress, text.span, message).help(help));
            return None;
        }
    };
    let full = network.prefix_len() == network.max_prefix_len();
    let short = network.max_prefix_len() - network.prefix_len() <= 1;
    let address = network.addr();
    let v4_edge = address.is_ipv4() && (address == network.network() || address == network.broadcast());
    let no_host = address.is_unspecified() || address.is_multicast() || (v4_edge && !short);
    let everybody = address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    if no_host && !full || address.is_unspecified() || address.is_multicast() || everybody {
        let message = format!("`{}` is no machine's address", text.value);
        let why = if address.is_multicast() {
            "a multicast address"
        } else if address.is_unspecified() {
            "the unspecified address"
        } else if address == network.network() {
            "the network's own address"
        } else {
            "the network's broadcast address"
        };
        out.push(Diagnostic::error(Code::BadAddress, text.span, message).because(why).help(help));
        return None;
    }
    Some(InterfaceAddress(network))
}

/// Reads the guests and where they may run.
pub(super) fn guests<'a>(
    spec: &'a Spec,
    graph: &ZoneGraph,
    hosts: &[HostPlan<'a>],
    out: &mut Diagnostics,
) -> Vec<GuestPlan<'a>> {
    let vms = spec.vms.iter().map(|(id, guest)| (GuestKind::Vm, id, guest));
    let containers = spec.containers.iter().map(|(id, guest)| (GuestKind::Container, id, guest));
    let by_name: BTreeMap<&str, usize> = hosts.iter().map(|host| host.name.as_str()).zip(0..).collect();
    let mut plans = Vec::new();
    for (kind, id, guest) in vms.chain(containers) {
        // The reader refuses numbers that do not parse.
        let Ok(number) = id.value.parse::<u32>() else { continue };
        let zone = kind.zone(number);
        let nics = nics(guest, kind, number, out);
        let inherited = graph.guest_edges(&guest.inherits, spec, out);
        let mut placements = Vec::new();
        for (host, span) in runs_on(guest, &by_name, id.span, out) {
            let Some(plan) = hosts.get(host) else { continue };
            let mut edges = inherited.clone();
            edges.push(Edge { parent: plan.guests_node, span });
            let Some(ancestors) = graph.guest(&zone, &edges, out) else { continue };
            placements.push(Placement { host, edges, ancestors });
        }
        if placements.is_empty() && spec.hosts.is_empty() {
            let message = format!("`{zone}` runs on no host, so nothing is made for it");
            out.push(Diagnostic::warning(Code::NoHost, id.span, message).help("define the `hosts` that it may run on"));
        }
        plans.push(GuestPlan { spec: guest, span: id.span, id: number, kind, zone, nics, placements });
    }
    plans.sort_by_key(|plan| plan.id);
    check_devices(&plans, out);
    check_tagged_bridges(spec, &plans, out);
    warn_of_shared_addresses(&plans, out);
    warn_of_unused_ipfilters(spec, &plans, out);
    plans
}

/// The hosts a guest may run on, with where that was written. Without `host`, or with `any`: all.
fn runs_on(guest: &Guest, hosts: &BTreeMap<&str, usize>, span: Span, out: &mut Diagnostics) -> Vec<(usize, Span)> {
    let any = guest.host.iter().find(|name| name.value == "any");
    if guest.host.is_empty() || (any.is_some() && guest.host.len() == 1) {
        let span = any.map_or(span, |name| name.span);
        return hosts.values().map(|host| (*host, span)).collect();
    }
    let mut found: Vec<(usize, Span)> = Vec::new();
    for name in &guest.host {
        let known = hosts.get(name.as_str());
        match known {
            Some(host) if found.iter().any(|(other, _)| other == host) => {
                let message = format!("host `{}` is listed twice", name.value);
                out.push(Diagnostic::error(Code::UnknownHost, name.span, message).help("remove one of them"));
            }
            Some(host) => found.push((*host, name.span)),
            None => {
                let help = if name.value == "any" {
                    "`any` stands alone: it means every host".to_owned()
                } else {
                    did_you_mean(&name.value, "hosts", hosts.keys().copied())
                };
                let message = format!("unknown host `{}`", name.value);
                out.push(Diagnostic::error(Code::UnknownHost, name.span, message).help(help));
            }
        }
    }
    found.sort_unstable_by_key(|(host, _)| *host);
    found
}

fn nics<'a>(guest: &'a Guest, kind: GuestKind, id: u32, out: &mut Diagnostics) -> Vec<(Nic, &'a model::Nic)> {
    let mut nics = Vec::new();
    for (name, nic) in &guest.nics {
        // The reader refuses other names.
        let Some(index) = nic_index(&name.value) else { continue };
        nics.push((read_nic(nic, name.span, kind, id, index, out), nic));
    }
    nics.sort_by_key(|(nic, _)| nic.index);
    nics
}

fn read_nic(nic: &model::Nic, span: Span, kind: GuestKind, id: u32, index: u8, out: &mut Diagnostics) -> Nic {
    let bridge = nic.bridge.as_ref().map(|text| text.value.clone());
    let device = nic.device.as_ref().map(|text| text.value.clone()).unwrap_or_else(|| {
        let prefix = match kind {
            GuestKind::Vm => "tap",
            GuestKind::Container => "veth",
        };
        format!("{prefix}{id}i{index}")
    });
    let mut addresses = Vec::new();
    let mut dhcp = false;
    for text in &nic.ip {
        if text.value == "dhcp" {
            dhcp = true;
        } else {
            addresses.extend(interface_address(text, out));
        }
    }
    let mac = nic.mac.as_ref().and_then(|text| read_mac(text, out));
    let tag = nic.tag.as_ref().and_then(|text| text.value.parse::<u16>().ok());
    let firewall = nic.firewall.as_ref().is_none_or(|text| {
        options::parse_bool(text).unwrap_or_else(|diagnostic| {
            out.push(diagnostic);
            true
        })
    });
    Nic { index, device, bridge, mac, tag, addresses, dhcp, firewall, sources: None, span }
}

fn read_mac(text: &Text, out: &mut Diagnostics) -> Option<Mac> {
    let help = "write six pairs of hexadecimal digits with colons, such as `BC:24:11:00:00:64`, in quotes";
    match Mac::parse(&text.value) {
        Ok(mac) if mac.is_multicast() => {
            let message = format!("`{}` is a multicast address and can be no NIC's", text.value);
            out.push(Diagnostic::error(Code::BadMac, text.span, message).help(help));
            None
        }
        Ok(mac) => Some(mac),
        Err(message) => {
            out.push(Diagnostic::error(Code::BadMac, text.span, message).help(help));
            None
        }
    }
}

/// The addresses of all machines, and of all zones by who inherits them.
pub(super) fn machines(spec: &Spec, graph: &ZoneGraph, hosts: &[HostPlan<'_>], guests: &[GuestPlan<'_>]) -> Machines {
    let union = |addresses: &mut dyn Iterator<Item = InterfaceAddress>| {
        addresses.fold(AddressSet::empty(), |all, address| all.union(&AddressSet::address(address.address())))
    };
    let mut machines = Machines::default();
    let mut members: BTreeMap<NodeId, Vec<Arc<AddressSet>>> = BTreeMap::new();
    let mut unknown: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
    for host in hosts {
        let set = Arc::new(union(&mut host.addresses.iter().copied()));
        for node in graph.linear(host.node) {
            members.entry(*node).or_default().push(Arc::clone(&set));
            if set.is_empty() {
                unknown.entry(*node).or_default().push(format!("`host/{}`", host.name.value));
            }
        }
        machines.hosts.insert(host.name.value.clone(), set);
    }
    for guest in guests {
        let set = Arc::new(union(&mut guest.nics.iter().flat_map(|(nic, _)| nic.addresses.iter().copied())));
        let mut ancestors: Vec<NodeId> =
            guest.placements.iter().flat_map(|placement| placement.ancestors.iter().copied()).collect();
        ancestors.sort_unstable();
        ancestors.dedup();
        let nameless = |(nic, _): &(Nic, _)| nic.dhcp && nic.addresses.is_empty();
        let is_unknown = set.is_empty() || guest.nics.iter().any(nameless);
        for node in ancestors {
            members.entry(node).or_default().push(Arc::clone(&set));
            if is_unknown {
                unknown.entry(node).or_default().push(format!("`{}`", guest.zone));
            }
        }
        match guest.kind {
            GuestKind::Vm => machines.vms.insert(guest.id, set),
            GuestKind::Container => machines.containers.insert(guest.id, set),
        };
    }
    for (name, _) in &spec.zones {
        let node = graph.node(&ZoneRef::Zone(name.value.clone()));
        let sets = node.and_then(|node| members.get(&node)).map_or(&[][..], Vec::as_slice);
        machines.zones.insert(name.value.clone(), Arc::new(AddressSet::union_of(sets.iter().map(AsRef::as_ref))));
        if let Some(names) = node.and_then(|node| unknown.get(&node)) {
            machines.unknown.insert(name.value.clone(), some_of(names));
        }
    }
    machines
}

/// A few names, and how many more there are.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
