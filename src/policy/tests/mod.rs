//! The meaning of every stage, written out: one line a clause, to be read against Proxmox VE's documentation.

use std::sync::Arc;

use super::*;
use crate::net::{AddressSet, Family, Mac, Protocol, Ranges};

/// A clause as a line: conditions, verdict, log level.
fn line(clause: &Clause) -> String {
    let condition = |condition: &Match| match condition {
        Match::Frame(kind) => format!("{kind:?}").to_lowercase(),
        Match::EtherTypeNot(listed) => format!("ethertype not {listed:04x?}"),
        Match::Family(family) => family.name().to_lowercase(),
        Match::State(states) => {
            format!("state {}", states.iter().map(|s| format!("{s:?}").to_lowercase()).collect::<Vec<_>>().join(","))
        }
        Match::Source(set) => format!("from {}", text(set)),
        Match::SourceNot(set) => format!("not from {}", text(set)),
        Match::Dest(set) => format!("to {}", text(set)),
        Match::Protocol(protocol) => protocol.to_string(),
        Match::SourcePorts(ports) => format!("sport {}", numbers(ports)),
        Match::DestPorts(ports) => format!("dport {}", numbers(ports)),
        Match::Icmp(icmp) => format!("type {}{}", icmp.kind, icmp.code.map(|c| format!("/{c}")).unwrap_or_default()),
        Match::TcpFlags(flags) => format!("flags {:#x}/{:#x}", flags.set, flags.mask),
        Match::TcpFlagsNot(flags) => format!("flags not {:#x}/{:#x}", flags.set, flags.mask),
        Match::InInterface(name) => format!("in {name}"),
        Match::OutInterface(name) => format!("out {name}"),
        Match::Loopback => "loopback".to_owned(),
        Match::SourceMacNot(mac) => format!("mac not {mac}"),
        Match::ArpSender(set) => format!("arp sender {}", text(set)),
    };
    let conditions: Vec<String> = clause.matches.iter().map(condition).collect();
    let log = match clause.log {
        Log::None => String::new(),
        Log::At(level) => format!(" log {}", level.name()),
    };
    format!("{}: {:?}{log}", conditions.join(" "), clause.verdict).to_lowercase()
}

fn text(set: &AddressSet) -> String {
    let networks = Family::BOTH.into_iter().flat_map(|family| set.networks(family));
    networks.map(|network| network.to_string()).collect::<Vec<_>>().join(",")
}

fn numbers(ports: &Ranges<u16>) -> String {
    let range = |(a, b): (u16, u16)| if a == b { a.to_string() } else { format!("{a}-{b}") };
    ports.iter().map(range).collect::<Vec<_>>().join(",")
}

fn set(networks: &[&str]) -> Arc<AddressSet> {
    let sets: Vec<AddressSet> = networks.iter().map(|net| AddressSet::network(net.parse().unwrap())).collect();
    Arc::new(AddressSet::union_of(&sets))
}

fn nic() -> Nic {
    Nic {
        index: 0,
        device: "tap100i0".to_owned(),
        bridge: None,
        mac: Some(Mac([0xbc, 0x24, 0x11, 0, 0, 0x64])),
        tag: None,
        addresses: Vec::new(),
        dhcp: false,
        firewall: true,
        sources: Some(set(&["10.0.0.9/32"])),
        span: crate::diagnostic::Span::default(),
    }
}

fn lines(stage: &Stage, hook: HookName) -> Vec<String> {
    stage.clauses(hook, Some(&nic())).iter().map(line).collect()
}

#[test]
fn layer_two() {
    assert_eq!(lines(&Stage::StackedVlan, HookName::GuestOut), ["stacked: drop"]);
    assert_eq!(lines(&Stage::OtherFrames, HookName::GuestOut), ["arp: accept", "stacked: accept", "other: accept"]);
    assert_eq!(lines(&Stage::MacFilter, HookName::GuestOut), ["mac not bc:24:11:00:00:64: drop"]);
    assert_eq!(lines(&Stage::Arp, HookName::GuestIn), ["arp: accept"]);
    let lldp = EtherType { name: "LLDP".to_owned(), number: 0x88cc };
    assert_eq!(lines(&Stage::Layer2(vec![lldp]), HookName::GuestOut), ["ethertype not [88cc]: drop"]);
}

#[test]
fn the_ip_filter_lets_pass_who_has_no_address_yet() {
    // "DHCP with an IP filter: works"; "duplicate address detection, ARP probes with an IP filter: pass".
    assert_eq!(
        lines(&Stage::IpFilter, HookName::GuestOut),
        [
            "ip from 10.0.0.9/32: skip",
            "ipv4 from 0.0.0.0/32 udp sport 68 dport 67: skip",
            "ipv6 icmpv6 type 135 from ::/128: skip",
            "arp sender 10.0.0.9/32: skip",
            "arp sender 0.0.0.0/32: skip",
            "ip: drop",
            "arp: drop",
        ]
    );
    let open = Nic { sources: None, ..nic() };
    assert!(Stage::IpFilter.clauses(HookName::GuestOut, Some(&open)).is_empty());
}

#[test]
fn conntrack_and_protection() {
    let drop = Stage::Conntrack { drop_invalid: true };
    let expected = ["ip state invalid: drop", "ip state established,related: accept"];
    assert_eq!(lines(&drop, HookName::HostIn), expected);
    assert_eq!(lines(&Stage::Conntrack { drop_invalid: false }, HookName::GuestIn), expected[1..]);
    let log = Log::At(LogLevel::Info);
    let blacklist = Stage::Blacklist { set: set(&["198.51.100.0/24"]), log };
    assert_eq!(lines(&blacklist, HookName::GuestIn), ["ip from 198.51.100.0/24: drop log info"]);
    let smurfs = Stage::Smurfs { sources: set(&["224.0.0.0/4"]), log };
    assert_eq!(lines(&smurfs, HookName::HostIn), ["ipv4 state new,invalid from 224.0.0.0/4: drop log info"]);
    assert_eq!(
        lines(&Stage::TcpFlags { log }, HookName::HostIn),
        [
            // FIN,PSH,URG of all six; none of them; SYN and RST; FIN and SYN; SYN alone from port 0.
            "ip tcp flags 0x29/0x3f: drop log info",
            "ip tcp flags 0x0/0x3f: drop log info",
            "ip tcp flags 0x6/0x6: drop log info",
            "ip tcp flags 0x3/0x3: drop log info",
            "ip tcp sport 0 flags 0x2/0x17: drop log info",
        ]
    );
    assert_eq!(lines(&Stage::Igmp, HookName::HostIn), ["ipv4 igmp: accept"]);
}

#[test]
fn what_machines_need_to_get_an_address() {
    assert_eq!(
        lines(&Stage::Dhcp, HookName::GuestIn),
        ["ipv4 udp sport 67 dport 68: accept", "ipv6 udp sport 547 dport 546: accept"]
    );
    assert_eq!(
        lines(&Stage::Dhcp, HookName::GuestOut),
        ["ipv4 udp sport 68 dport 67: accept", "ipv6 udp sport 546 dport 547: accept"]
    );
    assert_eq!(lines(&Stage::RouterAdvertisements, HookName::GuestOut), ["ipv6 icmpv6 type 134: drop"]);
    assert_eq!(
        lines(&Stage::NeighbourDiscovery(NDP_NO_ADVERTISEMENT), HookName::GuestOut),
        ["ipv6 icmpv6 type 133: accept", "ipv6 icmpv6 type 135: accept", "ipv6 icmpv6 type 136: accept"]
    );
}

#[test]
fn who_manages_hosts() {
    let ports = management_ports(Platform::Proxmox, Direction::In);
    let stage = Stage::Management { peers: set(&["10.0.0.0/24"]), ports };
    let tcp = "tcp dport 22,3128,5900-5999,8006,60000-60050";
    assert_eq!(lines(&stage, HookName::HostIn), [format!("ip {tcp} from 10.0.0.0/24: accept")]);
    let ring = CorosyncRing { own: set(&["10.0.0.1/32"]), peers: set(&["10.0.0.2/32"]) };
    let stage = Stage::Corosync(vec![ring]);
    let udp = "ip udp dport 5405-5412";
    assert_eq!(lines(&stage, HookName::HostIn), [format!("{udp} from 10.0.0.2/32 to 10.0.0.1/32: accept")]);
    assert_eq!(lines(&stage, HookName::HostOut), [format!("{udp} from 10.0.0.1/32 to 10.0.0.2/32: accept")]);
}

#[test]
fn noise_before_a_drop_policy() {
    let noise = |reject| Stage::Noise { reject, broadcast: set(&["224.0.0.0/4", "ff00::/8"]) };
    let expected = |microsoft: &str| {
        [
            "ip tcp dport 43 ipv6: reject".to_owned(),
            "ip to 224.0.0.0/4,ff00::/8: drop".to_owned(),
            "ipv4 icmp type 3/4: accept".to_owned(),
            "ipv4 icmp type 11: accept".to_owned(),
            "ipv6 icmpv6 type 1: accept".to_owned(),
            "ipv6 icmpv6 type 3: accept".to_owned(),
            "ipv6 icmpv6 type 2: accept".to_owned(),
            "ip state invalid: drop".to_owned(),
            format!("ip udp dport 135,137-139,445: {microsoft}"),
            format!("ip udp sport 137 dport 1024-65535: {microsoft}"),
            format!("ip tcp dport 135,139,445: {microsoft}"),
            "ip udp dport 1900: drop".to_owned(),
            "ip tcp flags not 0x2/0x17: drop".to_owned(),
            "ip udp sport 53: drop".to_owned(),
        ]
    };
    assert_eq!(lines(&noise(false), HookName::HostIn), expected("drop"));
    assert_eq!(lines(&noise(true), HookName::HostIn), expected("reject"));
}

#[test]
fn a_clause_knows_which_families_it_speaks_of() {
    use crate::net::Family;
    let v4 = Clause::new(vec![Match::Source(set(&["10.0.0.0/8"]))], Verdict::Accept);
    assert!(v4.speaks_of(Family::V4) && !v4.speaks_of(Family::V6));
    let arp = Clause::new(vec![Match::Frame(FrameKind::Arp)], Verdict::Accept);
    assert!(!arp.speaks_of(Family::V4) && !arp.speaks_of(Family::V6));
    let all = Clause::new(Vec::new(), Verdict::Drop);
    assert!(all.speaks_of(Family::V4) && all.speaks_of(Family::V6));
}

#[test]
fn a_protocol_of_one_family_is_looked_for_in_that_family_alone() {
    let families = |protocol| {
        let service = Service { protocol, source_ports: None, dest_ports: None, icmp: None, tcp_flags: None };
        let conditions = service.matches();
        Family::BOTH.into_iter().filter(|family| conditions.contains(&Match::Family(*family))).collect::<Vec<_>>()
    };
    assert_eq!(families(Protocol::TCP), []);
    assert_eq!(families(Protocol::ICMP), [Family::V4]);
    assert_eq!(families(Protocol::IGMP), [Family::V4], "an IPv6 packet may carry the number 2 too");
    assert_eq!(families(Protocol::ICMPV6), [Family::V6]);
}
