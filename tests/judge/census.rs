//! How many probes of each kind were sent, and what became of them.
//!
//! In: probes with what the model expects of them. Out: a count for each kind, by what a frame is, the way that it takes,
//! the stage that decides about it and what is said of it; and the kinds of a list that were never sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use fwc::analysis::Rejection;
use fwc::policy::{HookName, State, TargetName};

use crate::judge::{Arrival, Expectation, Place, Probe};
use crate::load::Backend;
use crate::stack;
use crate::topology::{Network, Port, Station};
use crate::wire::{Body, Ip, Payload, Ports};

/// What must be sent through a host where everything can happen.
const ALL: &[&str] = &[
    "from guest to guest",
    "from guest to host",
    "from guest to outside",
    "from host to guest",
    "from outside to guest",
    "from outside to outside",
    "routed, bridge to bridge",
    "routed, from guest to guest",
    "routed, from guest to outside",
    "routed, from outside to guest",
    "announced by FTP",
    "within a flow: false address",
    "within a flow: false MAC",
    "false address",
    "false ARP sender",
    "false MAC",
    "flooded",
    "reject by guest-out, told by ICMP",
    "reject by guest-out, told by TCP",
];

/// What must be sent where a reject towards a guest is one.
const TOWARDS_GUESTS: &[&str] = &["reject by guest-in, told by ICMP", "reject by guest-in, told by TCP"];

/// What must be sent even where the host's own hooks alone are judged.
const HOST: &[&str] = &[
    "from host to host",
    "from host to outside",
    "from outside to host",
    "routed, from outside to outside",
    "ARP",
    "other ethertype",
    "VLAN",
    "QinQ",
    "IPv4 TCP",
    "IPv4 UDP",
    "IPv4 ICMP",
    "IPv6 TCP",
    "IPv6 UDP",
    "IPv6 ICMP",
    "neighbour discovery",
    "router discovery",
    "duplicate address detection",
    "DHCP question",
    "DHCP answer",
    "DHCPv6 question",
    "DHCPv6 answer",
    "broadcast",
    "multicast",
    "smurf",
    "new",
    "established",
    "invalid",
    "error about a flow",
    "reject by host-in, told by ICMP",
    "reject by host-in, told by TCP",
    "reject by host-out, told by ICMP",
    "reject by host-out, told by TCP",
];

/// Probes of each kind: those that should arrive, and those that should not.
#[derive(Debug, Default)]
pub struct Census(BTreeMap<String, [usize; 2]>);

impl Census {
    /// Counts a probe.
    pub fn count(&mut self, network: &Network<'_>, probe: &Probe, expectation: &Expectation<'_>) {
        let arrives = expectation.arrivals.iter().any(|arrival| arrival.arrives);
        for kind in kinds(network, probe, expectation) {
            self.0.entry(kind).or_default()[usize::from(!arrives)] += 1;
        }
    }

    /// The kinds that should have been sent, and were not, or with one outcome alone.
    pub fn missing(&self, network: &Network<'_>, backend: Backend) -> Vec<String> {
        let all = if backend.has(HookName::GuestIn) { ALL } else { &[] };
        let rejects = if backend.target() == TargetName::Iptables { TOWARDS_GUESTS } else { &[] };
        let mut wanted: BTreeSet<String> =
            HOST.iter().chain(all).chain(rejects).map(|kind| (*kind).to_owned()).collect();
        let host = network.host;
        let own = [&host.hook_in, &host.hook_out, &host.hook_forward];
        let guests = host.guests.iter().flat_map(|guest| [&guest.hook_in, &guest.hook_out]);
        let vnets = host.vnets.iter().map(|vnet| &vnet.hook);
        for hook in own.into_iter().chain(guests).chain(vnets).filter(|hook| backend.has(hook.name)) {
            let stages = hook.stages.iter().filter(|stage| !stage.clauses(hook.name, None).is_empty());
            wanted.extend(stages.map(|stage| decided(hook.name, stage.name())));
        }
        // Every way but the loopback's lets some through and some not.
        let both = |kind: &str| kind.trim_start_matches("routed, ").starts_with("from ") && kind != "from host to host";
        wanted.retain(|kind| match self.0.get(kind) {
            Some(counts) => both(kind) && counts.contains(&0),
            None => true,
        });
        wanted.into_iter().collect()
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(kind, [arrive, stop])| writeln!(f, "{arrive:6} arrive {stop:6} do not  {kind}"))
    }
}

fn decided(hook: HookName, stage: &str) -> String {
    format!("decided by {}: {stage}", hook.name())
}

fn kinds(network: &Network<'_>, probe: &Probe, expectation: &Expectation<'_>) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    frame(network, probe, &mut kinds);
    let state = expectation.packet.ip().map(|ip| ip.state);
    match &probe.frame.body {
        Body::Ip(ip) => packet(network, ip, state, &mut kinds),
        Body::Arp(_) => add(&mut kinds, "ARP"),
        Body::Other(_) => add(&mut kinds, "other ethertype"),
    }
    if let Place::Port(port) = probe.from
        && matches!(network.ports[port].station, Station::Guest(..))
    {
        falsehood(&network.ports[port], probe, state, &mut kinds);
    }
    for arrival in &expectation.arrivals {
        kinds.insert(way(network, probe.from, arrival));
        bridges(network, probe.from, arrival, &mut kinds);
        for (crossing, decision) in &arrival.decisions {
            let stage = decision.stage.map_or("none", |stage| stage.name());
            kinds.insert(decided(crossing.hook.name, stage));
        }
    }
    let by = expectation.arrivals.iter().flat_map(|arrival| arrival.decisions.last()).map(|(crossing, _)| crossing);
    let how = match expectation.told {
        None | Some(Rejection::Silent) => None,
        Some(Rejection::TcpReset) => Some("TCP"),
        Some(Rejection::PortUnreachable | Rejection::Prohibited) => Some("ICMP"),
    };
    kinds.extend(how.into_iter().flat_map(|how| {
        by.clone().map(move |crossing| format!("reject by {}, told by {how}", crossing.hook.name.name()))
    }));
    kinds
}

fn add(kinds: &mut BTreeSet<String>, kind: &str) {
    kinds.insert(kind.to_owned());
}

/// What the frame is, whatever it carries.
fn frame(network: &Network<'_>, probe: &Probe, kinds: &mut BTreeSet<String>) {
    let frame = &probe.frame;
    let known = network.ports.iter().map(|port| port.mac).chain(network.segments.iter().map(|segment| segment.mac));
    match (frame.dest.0[0], frame.dest) {
        (0xff, _) => add(kinds, "broadcast"),
        (_, dest) if dest.is_multicast() => add(kinds, "multicast"),
        (_, dest) if probe.from != Place::Host && !known.into_iter().any(|mac| mac == dest) => add(kinds, "flooded"),
        (_, _) => {}
    }
    match frame.tags.as_slice() {
        [] => {}
        [tag] if tag.ethertype == 0x8100 => add(kinds, "VLAN"),
        [_, ..] => add(kinds, "QinQ"),
    }
}

fn packet(network: &Network<'_>, ip: &Ip, state: Option<State>, kinds: &mut BTreeSet<String>) {
    let family = if ip.source.is_ipv4() { "IPv4" } else { "IPv6" };
    let protocol = match ip.payload {
        Payload::Tcp(_) => "TCP",
        Payload::Udp(_) => "UDP",
        Payload::Icmp { .. } | Payload::Error { .. } | Payload::Neighbour { .. } => "ICMP",
        Payload::Sctp(_) => "SCTP",
        Payload::UdpLite(_) => "UDP-Lite",
        Payload::Dccp(_) => "DCCP",
        Payload::Other(_) => "another protocol",
    };
    kinds.insert(format!("{family} {protocol}"));
    match (&ip.payload, ip.source.is_ipv4()) {
        (Payload::Neighbour { kind: 135, .. }, _) if ip.source.is_unspecified() => {
            add(kinds, "duplicate address detection");
        }
        (Payload::Neighbour { .. }, _) => add(kinds, "neighbour discovery"),
        (Payload::Icmp { kind: 133 | 134, .. }, false) => add(kinds, "router discovery"),
        (Payload::Udp(Ports { source: 68, dest: 67 }), true) => add(kinds, "DHCP question"),
        (Payload::Udp(Ports { source: 67, dest: 68 }), true) => add(kinds, "DHCP answer"),
        (Payload::Udp(Ports { source: 546, dest: 547 }), false) => add(kinds, "DHCPv6 question"),
        (Payload::Udp(Ports { source: 547, dest: 546 }), false) => add(kinds, "DHCPv6 answer"),
        (_, true | false) => {}
    }
    if ip.source.is_ipv4() && stack::is_group(network, ip.source) {
        add(kinds, "smurf");
    }
    match (state, &ip.payload) {
        (None, _) => {}
        (Some(State::Related), Payload::Error { .. }) => add(kinds, "error about a flow"),
        (Some(State::Related), _) => add(kinds, "announced by FTP"),
        (Some(State::New), _) => add(kinds, "new"),
        (Some(State::Established), _) => add(kinds, "established"),
        (Some(State::Invalid), _) => add(kinds, "invalid"),
    }
}

/// What a guest says of itself that is not so.
fn falsehood(port: &Port<'_>, probe: &Probe, state: Option<State>, kinds: &mut BTreeSet<String>) {
    let own = |address: IpAddr| {
        let link_local = IpAddr::V6(port.mac.link_local());
        address.is_unspecified() || address == link_local || port.addresses.contains(&address)
    };
    let false_mac = probe.frame.source != port.mac;
    let false_address = matches!(&probe.frame.body, Body::Ip(ip) if !own(ip.source));
    let false_arp =
        matches!(&probe.frame.body, Body::Arp(arp) if !own(arp.sender.into()) || arp.sender_mac != port.mac);
    let said = [(false_mac, "false MAC"), (false_address, "false address"), (false_arp, "false ARP sender")];
    for (_, what) in said.into_iter().filter(|(is, _)| *is) {
        add(kinds, what);
        if state == Some(State::Established) {
            kinds.insert(format!("within a flow: {what}"));
        }
    }
}

/// The row of the table of ways.
fn way(network: &Network<'_>, from: Place, arrival: &Arrival<'_>) -> String {
    let who = |place: Place| match place {
        Place::Host => "host",
        Place::Port(port) => match network.ports[port].station {
            Station::Guest(..) => "guest",
            Station::Unknown => "outside",
        },
    };
    let routed = arrival.by_stack && from != Place::Host && arrival.place != Place::Host;
    format!("{}from {} to {}", if routed { "routed, " } else { "" }, who(from), who(arrival.place))
}

fn bridges(network: &Network<'_>, from: Place, arrival: &Arrival<'_>, kinds: &mut BTreeSet<String>) {
    let (Place::Port(from), Place::Port(to)) = (from, arrival.place) else { return };
    let segments = [from, to].map(|port| network.ports[port].segment);
    let bridged = segments.iter().all(|segment| network.segments[*segment].bridge.is_some());
    if bridged && segments[0] != segments[1] {
        add(kinds, "routed, bridge to bridge");
    }
}
