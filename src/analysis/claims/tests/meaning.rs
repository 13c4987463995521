//! What claims mean: each row is a test of a small world and its answer.

use crate::analysis::Answer;
use crate::analysis::claims::{Failure, Outcome, check};
use crate::analysis::packet::Body;
use crate::analysis::tests::fleet;
use crate::policy::Verdict;

pub(super) const WORLD: &str = r#"
version: 1
datacenter:
  aliases: { office: 203.0.113.0/24 }
  ipsets: { blacklist: [198.51.100.0/24], management: [office] }
hosts:
  a: { addresses: 10.0.0.1/24, options: { tcpflags: true }, rules: [ { in: accept, proto: tcp, dport: 2049, iface: eno1 }, { in: reject, proto: tcp, dport: 113 } ] }
  b: { addresses: 10.0.0.2/24 }
vnets:
  prod: { rules: [ { forward: drop, proto: udp, dport: 5000-5009 } ] }
vms:
  100:
    host: [a, b]
    options: { ipfilter: true }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: [10.0.1.100/24, "2001:db8:1::100/64"] } }
    rules:
      - { in: accept, proto: tcp, dport: [80, 443] }
      - { in: accept, proto: tcp, dport: 8000-8099, source: office }
      - { in: drop, proto: tcp, dport: 9005 }
      - { in: accept, proto: tcp, dport: 9000-9009 }
      - { out: drop, proto: tcp, dport: 25 }
  101:
    host: a
    nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:65", ip: 10.0.2.101/24 }, net1: { bridge: vmbr0, mac: "BC:24:11:00:01:65", ip: 10.0.1.101/24 } }
    rules:
      - { in: accept, proto: tcp, dport: 5432, source: vm/100 }
      - { in: accept, proto: udp, dport: 4990-5020, iface: net0 }
      - { in: reject, proto: tcp, dport: 113 }
containers:
  200: { host: b, options: { ipfilter: true, policy_in: reject }, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:C8", ip: 10.0.1.200/24 } } }
"#;

/// `ok`, or what is wrong: the packet's ports and what becomes of it where.
fn answer(test: &str) -> String {
    let fleet = fleet(&format!("{WORLD}tests:\n  - {{ {test} }}\n"));
    let outcomes = check(&fleet, |_| true);
    let [outcome] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(outcome.left_out, 0, "{test}");
    text(outcome)
}

fn text(outcome: &Outcome<'_>) -> String {
    match &outcome.failure {
        None => "ok".to_owned(),
        Some(Failure::NoPacket(..)) => "no packet".to_owned(),
        Some(Failure::Undecided(..)) => "undecided".to_owned(),
        Some(Failure::NothingLeft(example)) => format!("nothing left: {}", describe(example)),
        Some(Failure::Counterexample(example)) => describe(example),
    }
}

fn describe(example: &Answer<'_>) -> String {
    let Body::Ip(ip) = &example.packet.body else { return "no IP".to_owned() };
    let ports = ip.payload.ports().map(|(_, dest)| format!(" {dest}")).unwrap_or_default();
    let verdict = match example.trace.verdict {
        Verdict::Accept => "accept",
        Verdict::Drop => "drop",
        Verdict::Reject => "reject",
        Verdict::Skip => "skip",
    };
    let last = example.trace.hooks.last().map(|step| {
        let stage = step.decision.stage.map_or("none", |stage| stage.name());
        format!(" by {stage} in {} of {}", step.crossing.hook.name.name(), step.crossing.machine)
    });
    format!("{verdict} {}{ports}{}", ip.protocol, last.unwrap_or_default())
}

#[test]
fn every_packet_must_fit() {
    for (test, expected) in [
        ("from: outside, to: vm/100, proto: tcp, dport: [80, 443], expect: accept", "ok"),
        ("from: outside, to: vm/100, proto: tcp, dport: 22, expect: drop", "ok"),
        (
            "from: outside, to: vm/100, proto: tcp, dport: 22, expect: accept",
            "drop tcp 22 by policy in guest-in of vm/100",
        ),
        (
            "from: outside, to: vm/100, proto: tcp, dport: 80, expect: drop",
            "accept tcp 80 by rules in guest-in of vm/100",
        ),
        // One end of a range, and one port within it.
        (
            "from: outside, to: vm/100, proto: tcp, dport: 9000-9009, expect: accept",
            "drop tcp 9005 by rules in guest-in of vm/100",
        ),
        (
            "from: outside, to: vm/100, proto: tcp, dport: 9006-9010, expect: accept",
            "drop tcp 9010 by policy in guest-in of vm/100",
        ),
        ("from: outside, to: vm/100, proto: tcp, dport: 9006-9009, expect: accept", "ok"),
        ("from: outside, to: vm/100, proto: tcp, dport: 1-79, expect: drop", "ok"),
        // The source decides.
        (
            "from: outside, to: vm/100, proto: tcp, dport: 8000, expect: accept",
            "drop tcp 8000 by policy in guest-in of vm/100",
        ),
        ("from: outside, to: vm/100, source: office, proto: tcp, dport: 8000-8099, expect: accept", "ok"),
        ("from: outside, to: vm/100, source: 192.0.2.0/24, proto: tcp, dport: 8000, expect: drop", "ok"),
        // From the own address, and through every NIC.
        ("from: vm/100, to: vm/101, proto: tcp, dport: 5432, expect: accept", "ok"),
        ("from: ct/200, to: vm/101, proto: tcp, dport: 5432, expect: drop", "ok"),
        ("from: ct/200, to: ct/200, proto: tcp, dport: 5432, expect: drop", "no packet"),
        ("from: outside, to: 'vm/101:net0', proto: udp, dport: 4990-4999, expect: accept", "ok"),
        (
            "from: outside, to: vm/101, proto: udp, dport: 4990-4999, expect: accept",
            "drop udp 4990 by policy in guest-in of vm/101",
        ),
        (
            "from: outside, to: 'vm/101:net0', proto: udp, dport: 4990-5020, expect: accept",
            "drop udp 5000 by rules in vnet-forward of vnet/prod",
        ),
        // By interface.
        (
            "from: outside, to: host/a, proto: tcp, dport: 2049, expect: accept",
            "drop tcp 2049 by policy in host-in of host/a",
        ),
        (
            "from: outside, to: host/a, proto: tcp, dport: 2049, expect: drop",
            "accept tcp 2049 by rules in host-in of host/a",
        ),
        ("from: outside, to: host/a, proto: tcp, dport: 2049, iface: eno1, expect: accept", "ok"),
        ("from: outside, to: host/a, proto: tcp, dport: 2049, iface: eno2, expect: drop", "ok"),
        (
            "from: outside, to: host/*, proto: tcp, dport: 2049, expect: drop",
            "accept tcp 2049 by rules in host-in of host/a",
        ),
        // State.
        ("from: outside, to: vm/100, proto: tcp, dport: 22, state: established, expect: accept", "ok"),
        ("from: outside, to: vm/100, state: invalid, expect: drop", "ok"),
        // Every protocol.
        ("from: outside, to: 'vm/101:net0', expect: drop", "reject tcp 113 by rules in guest-in of vm/101"),
        ("from: host/a, to: host/b, expect: accept", "drop tcp 54321 by policy in host-in of host/b"),
        ("from: host/a, to: host/a, expect: accept", "ok"),
        ("from: host/*, to: host/*, proto: tcp, dport: 22, expect: accept", "ok"),
    ] {
        assert_eq!(answer(test), expected, "{test}");
    }
}

#[test]
fn what_protects_does_not_count_unless_nothing_is_left() {
    for (test, expected) in [
        // Blacklist, flags and the IP filter stop some of these packets.
        ("from: outside, to: vm/100, proto: tcp, dport: 80, expect: accept", "ok"),
        ("from: outside, to: host/a, source: office, proto: tcp, dport: 22, expect: accept", "ok"),
        (
            "from: outside, to: vm/100, source: 198.51.100.0/24, proto: tcp, dport: 80, expect: accept",
            "nothing left: drop tcp 80 by blacklist in guest-in of vm/100",
        ),
        ("from: outside, to: vm/100, source: 198.51.96.0/20, proto: tcp, dport: 80, expect: accept", "ok"),
        (
            "from: vm/100, to: outside, source: 10.0.1.99, proto: tcp, dport: 80, expect: accept",
            "nothing left: drop tcp 80 by ipfilter in guest-out of vm/100",
        ),
        ("from: vm/100, to: outside, source: 10.0.1.99, proto: tcp, dport: 80, expect: drop", "ok"),
        (
            "from: outside, to: vm/100, proto: tcp, dport: 80, state: invalid, expect: accept",
            "nothing left: drop tcp 80 by conntrack in guest-in of vm/100",
        ),
    ] {
        assert_eq!(answer(test), expected, "{test}");
    }
}

#[test]
fn drop_and_reject_are_not_the_same() {
    for (test, expected) in [
        ("from: outside, to: vm/101, proto: tcp, dport: 113, expect: reject", "ok"),
        (
            "from: outside, to: vm/101, proto: tcp, dport: 113, expect: drop",
            "reject tcp 113 by rules in guest-in of vm/101",
        ),
        (
            "from: outside, to: vm/101, proto: tcp, dport: 114, expect: reject",
            "drop tcp 114 by policy in guest-in of vm/101",
        ),
        // The noise stage rejects tcp 43 over IPv6 in front of a drop policy; before a reject policy it drops much.
        ("from: outside, to: vm/100, proto: tcp, dport: 30-50, expect: drop", "ok"),
        (
            "from: outside, to: ct/200, proto: [tcp, udp], dport: 1-65535, expect: reject",
            "accept udp 68 by dhcp in guest-in of ct/200",
        ),
        ("from: outside, to: ct/200, proto: tcp, dport: 1-65535, expect: reject", "ok"),
        // Dropped or rejected, and by whom, is all the same to what may never pass.
        ("from: outside, to: vm/101, proto: tcp, dport: [113, 114], expect: never", "ok"),
        ("from: outside, to: vm/100, source: 198.51.100.0/24, proto: tcp, dport: 80, expect: never", "ok"),
        (
            "from: outside, to: vm/100, proto: tcp, dport: 1-100, expect: never",
            "accept tcp 80 by rules in guest-in of vm/100",
        ),
    ] {
        assert_eq!(answer(test), expected, "{test}");
    }
}

#[test]
fn a_source_that_no_filter_holds_counts_where_nothing_may_pass() {
    let open = "from: 'vm/101:net1', to: ct/200, proto: tcp, dport: 5432, expect: reject";
    assert_eq!(answer(open), "ok");
    let forged = "from: vm/101, to: host/b, proto: tcp, dport: 22, expect: drop";
    assert_eq!(answer(forged), "accept tcp 22 by management in host-in of host/b");
    let held = "from: vm/100, to: host/b, proto: tcp, dport: 22, expect: drop";
    assert_eq!(answer(held), "ok");
}

#[test]
fn between_bridges_the_host_may_route() {
    // The vnet would drop what a router of the network brings; routed by the host, nothing does.
    let test = "from: vm/100, to: 'vm/101:net0', proto: udp, dport: 5000, expect: drop";
    assert_eq!(answer(test), "accept udp 5000 by rules in guest-in of vm/101");
}

#[test]
fn only_some_addresses_reach() {
    for (test, expected) in [
        // The web interface is open to the management set and to the local network.
        ("to: host/*, proto: tcp, dport: 8006, only: [+management, 10.0.0.0/24]", "ok"),
        (
            "to: host/*, proto: tcp, dport: 8006, only: +management",
            "accept tcp 8006 by management in host-in of host/a",
        ),
        ("to: host/*, proto: tcp, dport: [22, 8006], only: [office, host/a, host/b, 10.0.0.0/24]", "ok"),
        // One address too few.
        (
            "to: host/b, proto: tcp, dport: 8006, only: [203.0.113.0-203.0.113.254, 10.0.0.0/24]",
            "accept tcp 8006 by management in host-in of host/b",
        ),
        // That these are accepted is not claimed.
        ("to: host/b, proto: tcp, dport: 4711, only: office", "ok"),
        ("to: vm/100, proto: tcp, dport: 8000-8099, only: office", "ok"),
        ("to: vm/100, proto: tcp, dport: 8000-9000, only: office", "accept tcp 9000 by rules in guest-in of vm/100"),
        ("to: vm/101, proto: tcp, dport: 5432, only: vm/100", "ok"),
        ("to: vm/101, proto: tcp, dport: 5432, only: ct/200", "accept tcp 5432 by rules in guest-in of vm/101"),
        ("from: [host/*, ct/200], to: vm/101, proto: tcp, dport: 5432, only: office", "ok"),
        // A narrower source; an interface.
        (
            "to: vm/100, source: 192.0.2.0/24, proto: tcp, dport: 80, only: 192.0.2.0/25",
            "accept tcp 80 by rules in guest-in of vm/100",
        ),
        ("to: host/a, source: 192.0.2.0/24, proto: tcp, dport: 8006, only: 192.0.2.0/25", "ok"),
        ("to: host/a, iface: eno2, proto: tcp, dport: 2049, only: office", "ok"),
        (
            "to: host/a, iface: eno1, proto: tcp, dport: 2049, only: office",
            "accept tcp 2049 by rules in host-in of host/a",
        ),
        // Replies are another state.
        ("to: vm/100, proto: tcp, dport: 22, only: office", "ok"),
        (
            "to: vm/100, proto: tcp, dport: 22, state: established, only: office",
            "accept tcp 22 by conntrack in guest-in of vm/100",
        ),
        // Towards outside: everyone is every machine, but not outside itself.
        (
            "to: outside, proto: tcp, dport: 25, only: [host/a, host/b, vm/101]",
            "accept tcp 25 by policy in vnet-forward of vnet/prod",
        ),
        ("from: [host/*, vm/100], to: outside, proto: tcp, dport: 25, only: [host/a, host/b]", "ok"),
        (
            "from: [host/*, vm/100], to: outside, proto: tcp, dport: 25, only: host/a",
            "accept tcp 25 by policy in host-out of host/b",
        ),
    ] {
        assert_eq!(answer(test), expected, "{test}");
    }
}

#[test]
fn a_machine_that_talks_to_itself_breaks_no_claim() {
    // The local network holds the hosts themselves; 10.0.0.2 is the other one.
    let others = "10.0.0.0-10.0.0.1, 10.0.0.3-10.0.0.255";
    assert_eq!(answer("to: host/a, proto: tcp, dport: 8006, only: [office, 10.0.0.2-10.0.0.255, 10.0.0.0]"), "ok");
    assert_eq!(
        answer(&format!("to: host/a, proto: tcp, dport: 8006, only: [office, {others}]")),
        "accept tcp 8006 by management in host-in of host/a"
    );
    assert_eq!(answer("from: host/a, to: host/a, only: office"), "no packet");
    // Who is in the set may be named among those who send, and sends no packet that counts.
    assert_eq!(answer("from: host/b, to: host/a, proto: tcp, dport: 8006, only: host/b"), "no packet");
    assert_eq!(answer("from: [host/b, ct/200], to: host/a, proto: tcp, dport: 8006, only: host/b"), "ok");
}

#[test]
fn what_holds_for_everyone_is_what_holds_for_each() {
    // Left out, `from` is decided by fewer ways: the answer is that for all ends by name.
    let ends = "from: [outside, host/*, vm/*, ct/*]";
    for to in ["host/a", "host/*", "vm/100", "'vm/101:net0'", "vm/*", "ct/*"] {
        for service in [
            "proto: tcp, dport: 5432",
            "proto: tcp, dport: [22, 8006]",
            "proto: udp, dport: 5000",
            "proto: [tcp, udp], dport: 1-9999",
        ] {
            for only in ["office", "vm/100", "[office, 10.0.0.0/24, vm/100]", "[0.0.0.0/0]", "'::/0'"] {
                let test = format!("to: {to}, {service}, only: {only}");
                let (some, all) = (answer(&test), answer(&format!("{ends}, {test}")));
                assert_eq!(some == "ok", all == "ok", "{test}: {some}, {all}");
            }
        }
    }
}
