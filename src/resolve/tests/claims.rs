//! The spec's `tests`, resolved.

use super::{finding, findings, fleet};
use crate::net::{Family, Protocol};
use crate::policy::{Endpoint, Expectation, GuestKind, Selector, State};

/// Two hosts of a zone each, a guest zone that one host alone gives to its guests, a guest without a NIC.
const WORLD: &str = "
version: 1
datacenter: { aliases: { office: 192.0.2.1 }, ipsets: { six: ['2001:db8::/64'] } }
zones:
  metal: { kind: host }
  web: { kind: guest }
  lonely: { kind: guest }
hosts:
  pm1: { inherits: metal, addresses: 10.0.0.1/24, guests: { inherits: web } }
  pm2: { addresses: 10.0.1.1/24 }
vms:
  100: { host: [pm1, pm2], options: { macfilter: false }, nics: { net0: {}, net1: {} } }
  101: { host: pm2, options: { macfilter: false }, nics: { net0: {} } }
  102: { host: pm1 }
containers:
  200: { host: pm1, options: { macfilter: false }, nics: { net0: {} } }
";

fn with(test: &str) -> String {
    format!("{WORLD}tests:\n  - {test}\n")
}

/// What an end of a test stands for.
fn selected(end: &str) -> Vec<String> {
    let fleet = fleet(&with(&format!("{{ from: \"{end}\", to: outside, expect: drop }}")));
    let endpoints = fleet.tests[0].from[0].endpoints.iter();
    let text = |endpoint: &Endpoint| match endpoint {
        Endpoint::Outside => "outside".to_owned(),
        Endpoint::Host(name) => name.clone(),
        Endpoint::Guest { kind, id, nic } => Selector::Guest(*kind, *id, *nic).to_string(),
    };
    endpoints.map(text).collect()
}

#[test]
fn an_end_stands_for_each_of_its_machines() {
    assert_eq!(selected("outside"), ["outside"]);
    assert_eq!(selected("host/pm2"), ["pm2"]);
    assert_eq!(selected("host/*"), ["pm1", "pm2"]);
    assert_eq!(selected("vm/100"), ["vm/100"]);
    assert_eq!(selected("vm/100:net1"), ["vm/100:net1"]);
    // A guest without a NIC sends and gets nothing.
    assert_eq!(selected("vm/*"), ["vm/100", "vm/101"]);
    assert_eq!(selected("ct/*"), ["ct/200"]);
    assert_eq!(selected("zone/metal"), ["pm1"]);
    // On any of its hosts.
    assert_eq!(selected("zone/web"), ["vm/100", "ct/200"]);
}

#[test]
fn the_matches_of_a_test_are_those_of_a_rule() {
    let fleet = fleet(&with(
        "{ name: web, from: [outside, host/pm1], to: vm/100, proto: [tcp, udp], sport: 1024-65535, dport: [https, 80], \
           source: [office, 10.0.0.0/8], dest: host/pm1, iface: eno1, state: established, expect: reject }",
    ));
    let claim = &fleet.tests[0];
    assert_eq!(claim.title(), "web");
    assert_eq!((claim.from.len(), claim.to.len()), (2, 1));
    assert_eq!(claim.from[1].selector, Selector::Host("pm1".to_owned()));
    assert_eq!(claim.to[0].selector, Selector::Guest(GuestKind::Vm, 100, None));
    let protocols: Vec<Protocol> = claim.services.iter().map(|service| service.protocol).collect();
    assert_eq!(protocols, [Protocol::TCP, Protocol::UDP]);
    for service in &claim.services {
        assert_eq!(service.dest_ports.as_ref().unwrap().iter().collect::<Vec<_>>(), [(80, 80), (443, 443)]);
        assert_eq!(service.source_ports.as_ref().unwrap().iter().collect::<Vec<_>>(), [(1024, 65535)]);
    }
    assert!(claim.source.as_ref().unwrap().set.contains("192.0.2.1".parse().unwrap()));
    assert!(claim.dest.as_ref().unwrap().set.contains("10.0.0.1".parse().unwrap()));
    assert!(!claim.dest.as_ref().unwrap().set.has(Family::V6));
    assert_eq!(
        (claim.interface.as_deref(), claim.state, claim.expect),
        (Some("eno1"), State::Established, Expectation::Reject)
    );
}

#[test]
fn what_a_test_leaves_out_is_new_and_any() {
    let fleet = fleet(&with("{ from: zone/web, to: [outside, host/*], expect: drop }"));
    let claim = &fleet.tests[0];
    assert_eq!(claim.title(), "zone/web to outside, host/*");
    assert_eq!((claim.state, claim.services.len(), claim.macro_name), (State::New, 0, None));
    assert!(claim.source.is_none() && claim.dest.is_none() && claim.interface.is_none());
}

#[test]
fn a_macro_and_flags_are_read() {
    let fleet = fleet(&with(
        "{ from: outside, to: host/*, macro: DNS, expect: drop }\n  \
         - { from: outside, to: host/*, proto: tcp, tcp_flags: { mask: [syn, ack], set: [syn] }, expect: drop }\n  \
         - { from: outside, to: host/*, proto: icmp, icmp_type: echo-request, expect: drop }",
    ));
    let [dns, flags, ping] = fleet.tests.as_slice() else { panic!("{:?}", fleet.tests) };
    assert_eq!((dns.macro_name, dns.services.len()), (Some("DNS"), 2));
    assert!(flags.services[0].tcp_flags.is_some());
    assert!(ping.services[0].icmp.is_some());
}

#[test]
fn a_test_that_cannot_be_about_a_packet_is_an_error() {
    for (test, code, underlined, help) in [
        ("from: host/pm3, to: outside", "resolve::unknown-name", "host/pm3", "did you mean `pm1`?"),
        ("from: vm/200, to: outside", "resolve::unknown-name", "vm/200", "did you mean `ct/200`?"),
        ("from: vm/999, to: outside", "resolve::unknown-name", "vm/999", "define the guest"),
        ("from: zone/wep, to: outside", "resolve::unknown-name", "zone/wep", "did you mean `web`?"),
        ("from: vm/101:net1, to: outside", "resolve::unknown-nic", "vm/101:net1", "define the NIC"),
        ("from: zone/lonely, to: outside", "resolve::empty-match", "zone/lonely", "a guest needs a NIC"),
        ("from: vm/102, to: outside", "resolve::empty-match", "vm/102", "a guest needs a NIC"),
        ("from: outside, to: vm/100, dport: 22", "resolve::port-without-protocol", "22", "add `proto: tcp`"),
        ("from: outside, to: vm/100, proto: tcp, dport: 0x16", "resolve::bad-port", "0x16", "a range"),
        ("from: outside, to: vm/100, proto: tcq", "resolve::unknown-protocol", "tcq", "did you mean `tcp`?"),
        ("from: outside, to: vm/100, macro: ssh", "resolve::unknown-macro", "ssh", "did you mean `SSH`?"),
        ("from: outside, to: vm/100, source: ofice", "resolve::unknown-name", "ofice", "did you mean `office`?"),
        ("from: outside, to: vm/100, source: []", "resolve::empty-match", "[]", "name at least one"),
        ("from: outside, to: vm/100, dest: local_network", "resolve::local-network-in-test", "local_network", "define"),
        (
            "from: outside, to: vm/100, source: office, dest: +six",
            "resolve::never-holds",
            "office",
            "one test for each",
        ),
        ("from: outside, to: vm/100, proto: icmp, dest: +six", "resolve::never-holds", "+six", "one test for each"),
        ("from: outside, to: vm/100, iface: net1", "resolve::bad-interface", "net1", "vm/100:net1"),
        ("from: vm/101, to: vm/100, iface: eno1", "resolve::bad-interface", "eno1", "drop `iface`"),
    ] {
        let (found, labels) = finding(&with(&format!("{{ {test}, expect: drop }}")));
        assert_eq!((found.code.as_str(), labels[0].as_str()), (code, underlined), "{test}");
        assert!(found.help.as_deref().unwrap_or("").contains(help), "{test}: {:?}", found.help);
    }
}

#[test]
fn who_may_alone_is_read_as_a_source_is() {
    let fleet = fleet(&with(
        "{ to: host/*, proto: tcp, dport: 8006, only: [office, +six, host/pm1, zone/metal, 10.7.0.0/16, 10.8.0.1-10.8.0.9] }\n  \
         - { from: vm/100, to: outside, only: office }",
    ));
    let [everyone, one] = fleet.tests.as_slice() else { panic!("{:?}", fleet.tests) };
    assert_eq!(everyone.title(), "only office, +six, host/pm1, zone/metal, 10.7.0.0/16, 10.8.0.1-10.8.0.9 to host/*");
    assert_eq!((everyone.says(), everyone.expect), ("only", Expectation::Never));
    let ends: Vec<String> = everyone.from.iter().map(|end| end.selector.to_string()).collect();
    assert_eq!(ends, ["outside", "host/*", "vm/*", "ct/*"]);
    let only = everyone.only.as_ref().unwrap();
    assert!(only.everyone);
    for (address, inside) in
        [("192.0.2.1", true), ("2001:db8::9", true), ("10.0.0.1", true), ("10.8.0.9", true), ("10.8.0.10", false)]
    {
        assert_eq!(only.addresses.set.contains(address.parse().unwrap()), inside, "{address}");
        assert_eq!(only.others.contains(address.parse().unwrap()), !inside, "{address}");
    }
    assert_eq!(one.title(), "only office from vm/100 to outside");
    assert!(!one.only.as_ref().unwrap().everyone);
}

#[test]
fn an_only_that_can_say_nothing_is_an_error() {
    for (test, code, underlined, help) in [
        ("to: vm/100, only: nowhere", "resolve::unknown-name", "nowhere", "office"),
        ("to: vm/100, only: []", "resolve::empty-match", "[]", "name at least one"),
        ("to: vm/100, only: local_network", "resolve::local-network-in-test", "local_network", "define"),
        ("to: vm/100, only: zone/web", "resolve::no-addresses", "zone/web", "give its machines addresses"),
        ("to: vm/100, only: ['0.0.0.0/0', '::/0']", "resolve::never-holds", "['0.0.0.0/0', '::/0']", "name fewer"),
        ("to: vm/100, only: 192.0.0.0/8, source: office", "resolve::never-holds", "192.0.0.0/8", "name fewer"),
        ("to: vm/101, iface: net0, only: office", "resolve::bad-interface", "net0", "vm/100:net1"),
    ] {
        let (found, labels) = finding(&with(&format!("{{ {test} }}")));
        assert_eq!((found.code.as_str(), labels[0].as_str()), (code, underlined), "{test}");
        assert!(found.help.as_deref().unwrap_or("").contains(help), "{test}: {:?}", found.help);
    }
}

#[test]
fn all_errors_of_a_test_are_said_at_once() {
    let found = findings(&with("{ from: vm/999, to: zone/wep, dport: 22, source: nowhere, expect: drop }"));
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn claims_share_what_they_select() {
    let fleet =
        fleet(&with("{ from: vm/*, to: outside, expect: drop }\n  - { from: outside, to: vm/*, expect: drop }"));
    assert!(std::sync::Arc::ptr_eq(&fleet.tests[0].from[0].endpoints, &fleet.tests[1].to[0].endpoints));
}
