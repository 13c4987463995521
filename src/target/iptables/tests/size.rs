//! Few rules for many guests: what is shared, and that it means the same.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::fixture::*;
use crate::target::iptables::dispatch::{self, Address};
use crate::target::iptables::ruleset::{Chain, Chains, Jump, Name, Side, Test};

const SPEC: &str = r#"
version: 1
datacenter:
  guests:
    rules:
      - { id: web, in: accept, macro: Web }
      - { id: ping, in: accept, macro: Ping }
    options: { policy_in: drop, policy_out: drop, macfilter: false }
hosts: { pm1: { addresses: [10.0.0.11/24], targets: iptables } }
vms:
  100:
    host: pm1
    nics:
      net0: { bridge: vmbr0, ip: 10.0.1.100/24 }
      net1: { bridge: vmbr0, ip: 10.0.2.100/24 }
    rules:
      - { id: a, in: accept, proto: tcp, dport: 1001 }
      - { id: b, in: accept, proto: tcp, dport: 1002, source: 10.0.0.0/24 }
      - { id: c, in: drop, proto: udp, dport: 1003 }
      - { id: n, in: accept, proto: tcp, dport: 1004, iface: net1 }
      - { id: d, in: accept, proto: tcp, dport: 1005 }
      - { id: o, out: accept, proto: tcp, dport: 2001 }
      - { id: p, out: accept, proto: tcp, dport: 2002 }
      - { id: q, out: accept, proto: tcp, dport: 2003 }
      - { id: r, out: accept, proto: tcp, dport: 2004, iface: net0 }
      - { id: s, out: drop, proto: tcp, dport: 2005 }
  101:
    host: pm1
    nics: { net0: { bridge: vmbr0, ip: 10.0.1.101/24 } }
    rules: [ { id: x, in: accept, proto: tcp, dport: 1006 } ]
"#;

fn v4(spec: &str) -> String {
    files(spec).remove("iptables.rules").unwrap()
}

/// What NICs have in common is written once; the rules for one of them keep their place.
#[test]
fn nics_share_what_is_not_for_one_of_them() {
    let text = v4(SPEC);
    let common = chain(&text, "vm100-in");
    assert!(position(&common, "-j base-in") < position(&common, "-p tcp -m tcp --dport 1001"), "{common:#?}");
    assert!(common.last().unwrap().starts_with("-p udp -m udp --dport 1003"), "{common:#?}");
    let last = ["-p tcp -m tcp --dport 1005 -m comment --comment d -j ACCEPT", "-g rest-in"];
    assert_eq!(chain(&text, "vm100-net0-in"), [&["-j vm100-in"], last.as_slice()].concat());
    let own = "-p tcp -m tcp --dport 1004 -m comment --comment n -j ACCEPT";
    assert_eq!(chain(&text, "vm100-net1-in"), [&["-j vm100-in", own], last.as_slice()].concat());
}

/// An accept returns there, which a chain cannot do for its caller.
#[test]
fn what_returns_is_not_called() {
    let text = v4(SPEC);
    let out = chain(&text, "vm100-net0-out");
    let ports: Vec<&str> = out.iter().filter_map(|rule| rule.strip_prefix("-p tcp -m tcp --dport ")).collect();
    let ports: Vec<&str> = ports.iter().filter_map(|rest| rest.get(..4)).collect();
    assert_eq!(ports, ["2001", "2002", "2003", "2004", "2005"], "{out:#?}");
    loads(&files(SPEC));
}

/// What stands behind a guest's own rules is one chain for all guests.
#[test]
fn guests_share_what_follows_their_own_rules() {
    let text = v4(SPEC);
    assert_eq!(
        chain(&text, "rest-in"),
        [
            "-p tcp -m multiport --dports 80,443 -m comment --comment web -j ACCEPT",
            "-p icmp -m icmp --icmp-type 8 -m comment --comment ping -j ACCEPT",
            "-j noise-in",
            "-j DROP"
        ]
    );
    assert_eq!(chain(&text, "vm101-in").last(), Some(&"-g rest-in"));
    // A line with the guest's number is its own.
    let logged = v4(&SPEC.replace("policy_out: drop", "policy_out: drop, log_level_in: info"));
    assert!(!logged.contains("rest-in"), "{logged}");
    for number in [100, 101] {
        assert!(logged.contains(&format!("\":{number}:6:vm{number}-in: policy DROP: \"")), "{logged}");
    }
}

/// The end of a chain returns by itself.
#[test]
fn no_chain_ends_in_a_bare_return() {
    let text = v4(&SPEC.replace("policy_out: drop", "policy_out: accept"));
    assert!(text.contains("vm100-net0-out"), "{text}");
    assert!(!text.lines().any(|line| line.ends_with("-out -j RETURN")), "{text}");
}

/// Alternatives of one rule become one where nothing but their destination ports differs.
#[test]
fn alternatives_that_differ_in_ports_are_one_rule() {
    let spec = |rules: &str| {
        v4(&format!(
            "version: 1\nhosts: {{ pm1: {{ addresses: [10.0.0.1/24], targets: iptables, rules: [ {rules} ] }} }}\n"
        ))
    };
    let of = |rules: &str| {
        let text = spec(rules);
        chain(&text, "INPUT")
            .into_iter()
            .filter(|rule| rule.contains("--comment it"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("{ id: it, in: accept, macro: Web, source: [192.0.2.1, 192.0.2.9] }"),
        [
            "-s 192.0.2.1/32 -p tcp -m multiport --dports 80,443 -m comment --comment it -j ACCEPT",
            "-s 192.0.2.9/32 -p tcp -m multiport --dports 80,443 -m comment --comment it -j ACCEPT"
        ]
    );
    assert_eq!(
        of("{ id: it, in: drop, proto: [tcp, udp], dport: [80, 81] }"),
        [
            "-p tcp -m tcp --dport 80:81 -m comment --comment it -j DROP",
            "-p udp -m udp --dport 80:81 -m comment --comment it -j DROP"
        ]
    );
    // No port test at all is every port: nothing takes another's ports then.
    let all = of("{ id: it, in: accept, macro: Ceph }");
    assert_eq!(all, ["-p tcp -m multiport --dports 3300,6789,6800:7300 -m comment --comment it -j ACCEPT"]);
}

/// A line of a rule that guests inherit, or of a group or NIC, has the number of the guest that it speaks of; what is
/// not logged stays in one chain.
#[test]
fn log_lines_of_shared_rules_have_the_guests_number() {
    let text = v4(r#"
version: 1
groups:
  gg:
    - { in: accept, proto: tcp, dport: 1 }
    - { in: drop, proto: udp, dport: 1 }
    - { in: accept, proto: tcp, dport: 2, source: 10.0.0.0/8 }
    - { id: lg, in: drop, proto: tcp, dport: 3, log: info }
    - { in: accept, proto: tcp, dport: 4 }
    - { out: drop, proto: tcp, dport: 14 }
datacenter:
  guardrails: { rules: [ { id: rail, in: drop, proto: tcp, dport: 5, log: info } ] }
  guests:
    options: { macfilter: false }
    rules:
      - { in: accept, proto: tcp, dport: 6 }
      - { in: accept, proto: tcp, dport: 7, source: 10.0.0.0/8 }
      - { in: drop, proto: tcp, dport: 7 }
      - { id: list, in: accept, proto: tcp, dport: 8, log: info }
hosts: { pm1: { addresses: [10.0.0.11/24], targets: iptables } }
vms:
  100:
    host: pm1
    nics: { net0: { bridge: vmbr0, ip: 10.0.1.100/24, rules: [ { in: drop, proto: tcp, dport: 9, log: info } ] } }
    rules: [ { group: gg } ]
  101: { host: pm1, nics: { net0: { bridge: vmbr0, ip: 10.0.1.101/24 } }, rules: [ { group: gg } ] }
"#);
    let logged = |number: u32, port: u32| {
        let line = |line: &&str| line.contains(&format!("--dport {port} ")) && line.contains("NFLOG");
        let lines: Vec<&str> = text.lines().filter(line).collect();
        lines.iter().filter(|line| line.contains(&format!("\":{number}:6:vm{number}-"))).count()
    };
    for port in [3, 5, 8] {
        assert_eq!((logged(100, port), logged(101, port)), (1, 1), "{port}: {text}");
    }
    assert_eq!((logged(100, 9), logged(101, 9)), (1, 0), "{text}");
    assert_eq!(text.matches("-p tcp -m tcp --dport 1 ").count(), 1, "{text}");
    assert!(!chain(&text, "group-gg-in").is_empty() && !chain(&text, "datacenter-guests-in").is_empty(), "{text}");
}

/// Where a tree leads, how many rules were tried, and how many chains were entered.
fn walk(chains: &[Chain], root: &str, holds: &dyn Fn(&Test) -> bool) -> (String, usize, usize) {
    let (mut at, mut tried, mut depth) = (root.to_owned(), 0, 0);
    while let Some(chain) = chains.iter().find(|chain| *chain.name == *at) {
        depth += 1;
        let mut next = None;
        for rule in &chain.rules {
            tried += 1;
            if rule.tests.iter().all(holds) {
                let Jump::Goto(name) = &rule.jump else { panic!("{rule:?}") };
                next = Some(name.to_string());
                break;
            }
        }
        at = next.unwrap_or_else(|| panic!("{root} ends in {at}"));
    }
    (at, tried, depth)
}

/// Whatever the names are, each leads to its own chain; few chains are on the way, and few of them small.
#[test]
fn every_port_is_found_in_few_steps() {
    let names: Vec<Name> = (100..2100).flat_map(|id| (0..3).map(move |nic| format!("tap{id}i{nic}").into())).collect();
    let keys: BTreeMap<Name, Name> = names.iter().map(|name| (name.clone(), format!("to-{name}").into())).collect();
    let mut chains: Chains<Test> = Chains::new(String::new());
    let root = dispatch::ports(&mut chains, "port", Side::Source, &keys);
    let chains = chains.finish();
    assert!(chains.len() < keys.len() / 10, "{}", chains.len());
    for name in &names {
        let holds = |test: &Test| {
            let Test::Port(_, port) = test else { panic!("{test:?}") };
            port.strip_suffix('+').map_or(port == name, |start| name.starts_with(start))
        };
        let (end, tried, depth) = walk(&chains, &root, &holds);
        assert_eq!(end, format!("to-{name}"));
        assert!(tried <= 60 && depth <= 5, "{name}: {tried} rules in {depth} chains");
    }
}

#[test]
fn every_address_is_found_in_few_steps() {
    // Dense, in pairs far apart, and alone.
    let dense = (0..2000_u32).map(|n| 0x0a00_0000 + n);
    let pairs = (0..300_u32).flat_map(|n| [0x0a80_0000 + n * 4096, 0x0a80_0001 + n * 4096]);
    let addresses: Vec<Ipv4Addr> = dense.chain(pairs).chain([0xcb00_7101]).map(Ipv4Addr::from).collect();
    let key = |address: &Ipv4Addr| Address {
        address: IpAddr::V4(*address),
        any_out: true,
        out: None,
        chain: format!("to-{address}").into(),
    };
    let mut keys: Vec<Address> = addresses.iter().map(key).collect();
    keys.sort();
    let mut chains: Chains<Test> = Chains::new(String::new());
    let root = dispatch::addresses(&mut chains, "address", &keys);
    let chains = chains.finish();
    assert!(chains.len() < keys.len() / 10, "{}", chains.len());
    for address in &addresses {
        let holds = |test: &Test| {
            let Test::Network { network, .. } = test else { panic!("{test:?}") };
            network.contains(&IpAddr::V4(*address))
        };
        let (end, tried, depth) = walk(&chains, &root, &holds);
        assert_eq!(end, format!("to-{address}"));
        assert!(tried <= 100 && depth <= 5, "{address}: {tried} rules in {depth} chains");
    }
}
