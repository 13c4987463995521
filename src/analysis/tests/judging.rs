//! Packets at one hook, each with the verdict and the stage or rule that must decide it.

use std::net::IpAddr;

use super::{fleet, guest, host};
use crate::analysis::{ArpPacket, Body, IpPacket, Judge, Packet, Payload, Rejection};
use crate::net::{AddressSet, Mac, Protocol, TcpFlags};
use crate::policy::{Hook, Log, LogLevel, Nic, State, Verdict};

const SPEC: &str = r#"
version: 1
datacenter:
  options: { policy_in: reject }
  ipsets: { management: [192.0.2.0/24], blacklist: [198.51.100.0/24] }
  guardrails: { rules: [ { id: rdp, in: drop, proto: tcp, dport: 3389, log: err } ] }
groups:
  web: [ { id: http, in: accept, proto: tcp, dport: [80, 443] } ]
hosts:
  a:
    addresses: [10.0.0.1/24, "2001:db8::1/64"]
    options: { tcpflags: true, log_level_in: warning }
    rules: [ { id: nfs, in: accept, proto: tcp, dport: 2049, iface: eno1 } ]
vms:
  100:
    host: a
    options: { ipfilter: true, policy_in: drop }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: [10.0.1.100/24, "2001:db8:1::100/64"] }, net1: { bridge: vmbr0, mac: "BC:24:11:00:01:64", ip: 10.0.2.100 } }
    rules:
      - { id: web, group: web, iface: net0 }
      - { id: ftp, in: reject, proto: tcp, dport: 21 }
      - { id: ping, in: accept, macro: Ping, source: 10.0.0.0/8 }
"#;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ip(source: &str, dest: &str, protocol: Protocol, payload: Payload) -> Packet {
    let (source, dest) = (address(source), address(dest));
    Packet::new(Body::Ip(IpPacket { source, dest, protocol, payload, state: State::New }))
}

fn tcp(source: &str, dest: &str, port: u16) -> Packet {
    ip(source, dest, Protocol::TCP, Payload::Tcp { source: 40_000, dest: port, flags: TcpFlags::SYN })
}

fn in_state(mut packet: Packet, state: State) -> Packet {
    if let Body::Ip(ip) = &mut packet.body {
        ip.state = state;
    }
    packet
}

/// `verdict stage rule log`, what is not there left out.
fn decide(hook: &Hook, nic: Option<&Nic>, packet: &Packet) -> String {
    let decision = Judge::new(hook, nic).decide(packet);
    let verdict = match decision.verdict {
        Verdict::Accept => "accept",
        Verdict::Drop => "drop",
        Verdict::Reject => "reject",
        Verdict::Skip => "skip",
    };
    let stage = decision.stage.map_or("none", |stage| stage.name());
    let rule = decision.rule.map(|applied| format!(" {}", applied.rule.origin.identity)).unwrap_or_default();
    let call = decision.rule.and_then(|applied| applied.call).map(|call| format!(" by {}", call.origin.identity));
    let log = match decision.log {
        Log::None => String::new(),
        Log::At(level) => format!(" log {}", LogLevel::name(level)),
    };
    format!("{verdict} {stage}{rule}{}{log}", call.unwrap_or_default())
}

#[test]
fn towards_a_guest() {
    let fleet = fleet(SPEC);
    let host = host(&fleet, "a");
    let (guest0, nic0) = guest(host, 100, 0);
    let (_, nic1) = guest(host, 100, 1);
    let first = |packet: &Packet| decide(&guest0.hook_in, Some(nic0), packet);
    let second = |packet: &Packet| decide(&guest0.hook_in, Some(nic1), packet);
    let (from, to) = ("203.0.113.9", "10.0.1.100");
    assert_eq!(first(&tcp(from, to, 443)), "accept rules http by web");
    assert_eq!(second(&tcp(from, to, 443)), "drop policy", "the reference is for net0");
    assert_eq!(first(&tcp(from, to, 21)), "reject rules ftp");
    assert_eq!(first(&tcp(from, to, 3389)), "drop rules rdp log err");
    assert_eq!(first(&in_state(tcp(from, to, 3389), State::Established)), "accept conntrack");
    assert_eq!(first(&in_state(tcp(from, to, 443), State::Invalid)), "drop conntrack");
    assert_eq!(first(&tcp("198.51.100.7", to, 443)), "drop blacklist log warning");
    assert_eq!(first(&tcp("10.0.1.255", to, 443)), "drop nosmurfs");
    assert_eq!(first(&tcp(from, to, 445)), "drop noise");
    let echo = Payload::Icmp { kind: 8, code: 0 };
    assert_eq!(first(&ip("10.9.9.9", to, Protocol::ICMP, echo)), "accept rules ping");
    assert_eq!(first(&ip(from, to, Protocol::ICMP, echo)), "drop policy");
    let echo6 = Payload::Icmp { kind: 128, code: 0 };
    let ping6 = ip("2001:db8:9::9", "2001:db8:1::100", Protocol::ICMPV6, echo6);
    assert_eq!(first(&ping6), "drop policy", "an IPv4 source leaves a two-family macro IPv4 alone");
    let solicitation = Payload::Icmp { kind: 135, code: 0 };
    assert_eq!(first(&ip("fe80::1", "ff02::1:ff00:100", Protocol::ICMPV6, solicitation)), "accept ndp");
    assert_eq!(first(&ip("10.0.1.1", to, Protocol::UDP, Payload::Ports { source: 67, dest: 68 })), "accept dhcp");
}

#[test]
fn from_a_guest() {
    let fleet = fleet(SPEC);
    let host = host(&fleet, "a");
    let (guest, nic) = guest(host, 100, 0);
    let sent = |packet: &Packet| decide(&guest.hook_out, Some(nic), packet);
    assert_eq!(sent(&tcp("10.0.1.100", "203.0.113.9", 25)), "accept policy");
    assert_eq!(sent(&tcp("10.0.1.101", "203.0.113.9", 25)), "drop ipfilter");
    assert_eq!(sent(&in_state(tcp("10.0.1.101", "203.0.113.9", 25), State::Established)), "drop ipfilter");
    let mut spoofed = tcp("10.0.1.100", "203.0.113.9", 25);
    spoofed.source_mac = Some(Mac([2, 0, 0, 0, 0, 1]));
    assert_eq!(sent(&spoofed), "drop macfilter");
    spoofed.source_mac = nic.mac;
    assert_eq!(sent(&spoofed), "accept policy");
    assert_eq!(sent(&tcp("fe80::be24:11ff:fe00:64", "2001:db8::1", 80)), "accept policy");
    assert_eq!(sent(&tcp("fe80::1", "2001:db8::1", 80)), "drop ipfilter");
    let discover = ip("0.0.0.0", "255.255.255.255", Protocol::UDP, Payload::Ports { source: 68, dest: 67 });
    assert_eq!(sent(&discover), "accept dhcp");
    let detection = ip("::", "ff02::1:ff00:100", Protocol::ICMPV6, Payload::Icmp { kind: 135, code: 0 });
    assert_eq!(sent(&detection), "accept ndp");
    let advertisement =
        ip("fe80::be24:11ff:fe00:64", "ff02::1", Protocol::ICMPV6, Payload::Icmp { kind: 134, code: 0 });
    assert_eq!(sent(&advertisement), "drop radv");
    let arp = |sender: &str, sender_mac: Option<Mac>| {
        let (sender, target) = (sender.parse().unwrap(), "10.0.1.1".parse().unwrap());
        Packet::new(Body::Arp(ArpPacket { sender_mac, sender, target }))
    };
    assert_eq!(sent(&arp("10.0.1.100", None)), "accept arp");
    assert_eq!(sent(&arp("0.0.0.0", None)), "accept arp");
    assert_eq!(sent(&arp("10.0.1.1", None)), "drop ipfilter");
    assert_eq!(sent(&arp("10.0.1.100", Some(Mac([2, 0, 0, 0, 0, 1])))), "drop macfilter");
    assert_eq!(sent(&Packet::new(Body::Stacked)), "drop stacked-vlan");
    assert_eq!(sent(&Packet::new(Body::Other(0x88cc))), "accept policy");
}

#[test]
fn towards_and_from_the_host() {
    let fleet = fleet(SPEC);
    let host = host(&fleet, "a");
    let enters = |packet: &Packet| decide(&host.hook_in, None, packet);
    let by = |mut packet: Packet, name: &str| {
        packet.in_interface = Some(name.to_owned());
        packet.out_interface = Some(name.to_owned());
        packet
    };
    assert_eq!(enters(&tcp("192.0.2.7", "10.0.0.1", 8006)), "accept management");
    assert_eq!(enters(&tcp("203.0.113.9", "10.0.0.1", 8006)), "reject policy log warning");
    assert_eq!(enters(&tcp("203.0.113.9", "10.0.0.1", 2049)), "reject policy log warning");
    assert_eq!(enters(&by(tcp("203.0.113.9", "10.0.0.1", 2049), "eno1")), "accept rules nfs");
    assert_eq!(enters(&by(tcp("203.0.113.9", "10.0.0.1", 2049), "eno2")), "reject policy log warning");
    assert_eq!(enters(&by(tcp("127.0.0.1", "127.0.0.1", 1), "lo")), "accept loopback");
    let xmas = ip("192.0.2.7", "10.0.0.1", Protocol::TCP, Payload::Tcp { source: 1, dest: 22, flags: 0x29 });
    assert_eq!(enters(&xmas), "drop tcpflags");
    assert_eq!(decide(&host.hook_out, None, &tcp("10.0.0.1", "203.0.113.9", 80)), "accept policy");
    assert_eq!(decide(&host.hook_out, None, &by(tcp("127.0.0.1", "127.0.0.1", 1), "lo")), "accept loopback");
}

#[test]
fn what_a_reject_answers() {
    let broadcast = AddressSet::network("10.0.1.255/32".parse().unwrap());
    let answer = |packet: &Packet| packet.rejection(&broadcast);
    let udp = Payload::Ports { source: 1, dest: 2 };
    assert_eq!(answer(&tcp("10.0.0.1", "10.0.1.100", 21)), Rejection::TcpReset);
    assert_eq!(answer(&tcp("10.0.0.1", "10.0.1.255", 21)), Rejection::Silent);
    assert_eq!(answer(&tcp("224.0.0.1", "10.0.1.100", 21)), Rejection::Silent);
    assert_eq!(answer(&ip("10.0.0.1", "10.0.1.100", Protocol::UDP, udp)), Rejection::PortUnreachable);
    assert_eq!(answer(&ip("10.0.0.1", "10.0.1.100", Protocol(132), udp)), Rejection::Prohibited);
    let echo = Payload::Icmp { kind: 8, code: 0 };
    assert_eq!(answer(&ip("10.0.0.1", "10.0.1.100", Protocol::ICMP, echo)), Rejection::Silent);
    assert_eq!(answer(&Packet::new(Body::Other(0x88cc))), Rejection::Silent);
}
