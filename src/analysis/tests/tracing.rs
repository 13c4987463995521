//! Packets from end to end: where each is stopped, and by which interface hosts see it.

use super::{fleet, guest, host};
use crate::analysis::{Body, IpPacket, Packet, Payload, Place, Trace, route};
use crate::net::{Protocol, TcpFlags};
use crate::policy::{Fleet, State, Verdict};

const SPEC: &str = r#"
version: 1
hosts:
  a:
    addresses: 10.0.0.1/24
    options: { policy_out: drop, policy_forward: drop }
    rules:
      - { id: bridge, in: accept, proto: tcp, dport: 80, iface: prod }
      - { id: back, out: accept, iface: prod }
      - { id: self, out: accept, iface: lo, dest: host/a }
      - { id: through, forward: accept, iface: prod }
  b: { addresses: 10.0.0.2/24 }
vms:
  100: { host: a, rules: [ { out: drop, proto: tcp, dport: 25 } ], nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:01", ip: 10.1.0.1 }, net1: { bridge: prod, tag: 7, mac: "BC:24:11:00:00:02", ip: 10.2.0.1 } } }
  101: { host: b, nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:03", ip: 10.1.0.2 } } }
"#;

fn packet(port: u16) -> Packet {
    let payload = Payload::Tcp { source: 49_152, dest: port, flags: TcpFlags::SYN };
    let (source, dest) = ("10.1.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap());
    Packet::new(Body::Ip(IpPacket { source, dest, protocol: Protocol::TCP, payload, state: State::New }))
}

fn trace<'a>(fleet: &'a Fleet, from: Place<'a>, to: Place<'a>, via: Option<&'a str>, port: u16) -> Trace<'a> {
    let via = via.map(|name| host(fleet, name));
    Trace::new(&packet(port), route(from, to, via).unwrap())
}

fn of<'a>(fleet: &'a Fleet, name: &str, id: u32, nic: u8) -> Place<'a> {
    let host = host(fleet, name);
    let (guest, nic) = guest(host, id, nic);
    Place::Guest(host, guest, nic)
}

fn last(trace: &Trace<'_>) -> String {
    let step = trace.hooks.last().unwrap();
    let rule = step.decision.rule.map_or("-".to_owned(), |applied| applied.rule.origin.identity.clone());
    format!("{} {rule}", step.crossing.hook.name.name())
}

#[test]
fn a_packet_goes_on_until_a_hook_stops_it() {
    let fleet = fleet(SPEC);
    let (guest, other) = (of(&fleet, "a", 100, 0), of(&fleet, "b", 101, 0));
    let stopped = trace(&fleet, guest, other, None, 25);
    assert_eq!((stopped.verdict, stopped.hooks.len(), stopped.unreached.len()), (Verdict::Drop, 1, 1));
    assert_eq!(stopped.unreached[0].decision.verdict, Verdict::Drop);
    let arrives = trace(&fleet, guest, other, None, 26);
    assert_eq!((arrives.verdict, arrives.hooks.len(), arrives.unreached.len()), (Verdict::Drop, 2, 0));
    assert_eq!(arrives.hooks[0].decision.verdict, Verdict::Accept);
    let leaves = trace(&fleet, guest, Place::Outside, None, 26);
    assert_eq!((leaves.verdict, leaves.hooks.len(), leaves.unreached.len()), (Verdict::Accept, 1, 0));
}

#[test]
fn a_host_sees_its_guests_packets_come_by_their_bridge() {
    let fleet = fleet(SPEC);
    let (a, b) = (Place::Host(host(&fleet, "a")), Place::Host(host(&fleet, "b")));
    let (plain, tagged) = (of(&fleet, "a", 100, 0), of(&fleet, "a", 100, 1));
    assert_eq!(last(&trace(&fleet, plain, a, None, 80)), "host-in bridge");
    assert_eq!(trace(&fleet, Place::Outside, a, None, 80).verdict, Verdict::Drop);
    assert_eq!(last(&trace(&fleet, a, plain, None, 80)), "guest-in -");
    assert_eq!(last(&trace(&fleet, a, b, None, 80)), "host-out -");
    assert_eq!(last(&trace(&fleet, plain, Place::Outside, Some("a"), 80)), "host-forward through");
    assert_eq!(last(&trace(&fleet, Place::Outside, plain, Some("a"), 80)), "host-forward -");
    assert_eq!(last(&trace(&fleet, a, a, None, 80)), "host-in -", "loopback, both ways");
    assert_eq!(trace(&fleet, a, a, None, 80).verdict, Verdict::Accept);
    // A VLAN's interface has a name of its own.
    let seen = |place| trace(&fleet, a, place, None, 80).hooks[0].packet.out_interface.clone();
    assert_eq!((seen(plain).as_deref(), seen(tagged)), (Some("prod"), None));
}

#[test]
fn a_named_interface_counts_before_the_bridge() {
    let fleet = fleet(SPEC);
    let a = Place::Host(host(&fleet, "a"));
    let mut by = packet(80);
    by.in_interface = Some("eno1".to_owned());
    let trace = Trace::new(&by, route(of(&fleet, "a", 100, 0), a, None).unwrap());
    assert_eq!((last(&trace).as_str(), trace.verdict), ("host-in -", Verdict::Drop));
}
