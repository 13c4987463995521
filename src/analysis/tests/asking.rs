//! Questions that leave things out, questions without an answer, and remarks.

use super::fleet;
use crate::analysis::{Answer, Body, Frame, Note, Payload, Place, Question, Unanswerable};
use crate::net::{Family, Protocol};
use crate::policy::{Endpoint, Fleet, Selector, State, Verdict};

const SPEC: &str = r#"
version: 1
datacenter:
  guests: { rules: [ { id: ping, in: accept, macro: Ping }, { id: web, in: accept, proto: tcp, dport: 80 } ] }
hosts:
  a: { addresses: [10.0.0.1/24, "2001:db8::1/64"], rules: [ { in: accept, proto: [tcp, udp], dport: 53, iface: eno1 }, { in: drop, proto: tcp, dport: 53, iface: eno2 } ] }
  b: { addresses: 10.0.0.2/24, guests: { options: { policy_in: accept } } }
  c: { addresses: 10.0.0.3/24 }
vnets:
  prod: { options: { enable: false } }
vms:
  100: { host: [a, b, c], nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:01", ip: ["2001:db8:1::1", 10.1.0.1, 10.1.0.9] } } }
  101: { host: [b, c], nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:02", ip: [10.1.0.2, "2001:db8:1::2"] } } }
  102: { host: a, without: ping, nics: { net1: { bridge: prod, mac: "BC:24:11:00:00:03", ip: "2001:db8:1::3" }, net2: { bridge: lan, firewall: false, mac: "BC:24:11:00:00:04", ip: 10.3.0.3 } } }
  103: { host: b, options: { enable: false }, nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:05", ip: dhcp } } }
"#;

fn end(text: &str) -> Endpoint {
    match Selector::parse(text) {
        Some(Selector::Outside) => Endpoint::Outside,
        Some(Selector::Host(name)) => Endpoint::Host(name),
        Some(Selector::Guest(kind, id, nic)) => Endpoint::Guest { kind, id, nic },
        other => panic!("{text} is {other:?}"),
    }
}

fn between(from: &str, to: &str) -> Question {
    Question::between(end(from), end(to))
}

fn tcp(from: &str, to: &str, port: u16) -> Question {
    Question { protocol: Some(Protocol::TCP), dport: Some(port), ..between(from, to) }
}

/// The packet: `source > dest protocol payload state`.
fn packet(answer: &Answer<'_>) -> String {
    match &answer.packet.body {
        Body::Ip(ip) => {
            let payload = match ip.payload {
                Payload::Tcp { source, dest, flags } => format!("{source}>{dest} {flags}"),
                Payload::Ports { source, dest } => format!("{source}>{dest}"),
                Payload::Icmp { kind, code } => format!("{kind}/{code}"),
                Payload::Other => "-".to_owned(),
            };
            format!("{} > {} {} {payload} {}", ip.source, ip.dest, ip.protocol, ip.state.name())
        }
        Body::Arp(arp) => format!("{} > {}", arp.sender, arp.target),
        Body::Stacked => "stacked".to_owned(),
        Body::Other(number) => format!("{number:#x}"),
    }
}

fn asked(fleet: &Fleet, question: &Question) -> String {
    question.ask(fleet).map_or_else(|reason| reason.message, |answer| packet(&answer))
}

fn hosts(fleet: &Fleet, question: &Question) -> String {
    let name = |place: Place<'_>| place.host().map_or("-", |host| host.name.as_str()).to_owned();
    match question.ask(fleet) {
        Ok(answer) => format!("{} {}", name(answer.from), name(answer.to)),
        Err(reason) => reason.message,
    }
}

/// Every remark in a word or two.
fn notes(fleet: &Fleet, question: &Question) -> Vec<String> {
    let answer = question.ask(fleet).unwrap();
    let word = |note: &Note<'_>| match note {
        Note::Ping => "ping".to_owned(),
        Note::Unseen => "unseen".to_owned(),
        Note::NoEffect(option) => (*option).to_owned(),
        Note::Router(host) => format!("router {}", host.name),
        Note::Off { machine, span } => format!("off {machine} {}", span.is_some()),
        Note::Elsewhere { guest, others } => {
            let others: Vec<String> = others.iter().map(|(host, there)| format!("{}={there:?}", host.name)).collect();
            format!("{guest} {}", others.join(" "))
        }
        Note::Interface { applied, interface, .. } => format!("{:?} by {interface}", applied.rule.verdict),
        Note::Skipped { machine, skipped } => format!("{} {machine}", skipped.origin.identity),
    };
    answer.notes.iter().map(word).collect()
}

#[test]
fn what_is_left_out_is_that_of_an_ordinary_first_packet() {
    let fleet = fleet(SPEC);
    let ask = |question: &Question| asked(&fleet, question);
    assert_eq!(ask(&between("vm/100", "vm/101")), "10.1.0.1 > 10.1.0.2 icmp 8/0 new");
    assert_eq!(ask(&between("vm/100", "vm/102")), "2001:db8:1::1 > 2001:db8:1::3 icmpv6 128/0 new");
    assert_eq!(ask(&between("vm/100", "vm/102:net2")), "10.1.0.1 > 10.3.0.3 icmp 8/0 new");
    assert_eq!(ask(&tcp("host/a", "vm/100", 80)), "10.0.0.1 > 10.1.0.1 tcp 49152>80 2 new");
    let six = Question { family: Some(Family::V6), ..between("host/a", "vm/100") };
    assert_eq!(ask(&six), "2001:db8::1 > 2001:db8:1::1 icmpv6 128/0 new");
    let named = Question { dest: Some("2001:db8:f::1".parse().unwrap()), ..tcp("vm/100", "outside", 1) };
    assert_eq!(ask(&named), "2001:db8:1::1 > 2001:db8:f::1 tcp 49152>1 2 new");
    let known = Question { dport: None, state: Some(State::Established), ..tcp("vm/100", "vm/101", 0) };
    assert_eq!(ask(&known), "10.1.0.1 > 10.1.0.2 tcp 49152>49152 16 established");
    let flags = Question { tcp_flags: Some(4), dport: Some(1), sport: Some(0), ..between("vm/100", "vm/101") };
    assert_eq!(ask(&flags), "`--dport` without a protocol");
    let flags = Question { protocol: Some(Protocol::TCP), ..flags };
    assert_eq!(ask(&flags), "10.1.0.1 > 10.1.0.2 tcp 0>1 4 new");
    let exact = Question { icmp_type: Some("port-unreachable".to_owned()), ..between("vm/100", "vm/101") };
    assert_eq!(ask(&exact), "10.1.0.1 > 10.1.0.2 icmp 3/3 new");
    let other = Question { protocol: Some(Protocol(47)), ..between("vm/100", "vm/101") };
    assert_eq!(ask(&other), "10.1.0.1 > 10.1.0.2 gre - new");
    let arp = Question { frame: Frame::Arp, ..between("vm/100", "vm/101") };
    assert_eq!(ask(&arp), "10.1.0.1 > 10.1.0.2");
    let foreign = Question { frame: Frame::Other(0x88cc), ..between("vm/103", "outside") };
    assert_eq!(ask(&foreign), "0x88cc", "no address is needed");
    let stacked = Question { frame: Frame::Stacked, ..tcp("vm/103", "outside", 1) };
    assert_eq!(ask(&stacked), "stacked");
}

#[test]
fn what_has_no_default_is_asked_for() {
    let fleet = fleet(SPEC);
    let refused = |question: &Question| {
        let Unanswerable { message, help } = question.ask(&fleet).map(|answer| packet(&answer)).unwrap_err();
        format!("{message}: {help}")
    };
    assert_eq!(refused(&tcp("outside", "vm/100", 1)), "no address is known of `outside`: add `--source ADDRESS`");
    // The family is that of the end that has an address.
    assert_eq!(refused(&tcp("outside", "vm/102", 1)), "no address is known of `outside`: add `--source ADDRESS`");
    assert_eq!(refused(&tcp("vm/100", "vm/103", 1)), "no IPv4 address is known of `vm/103:net0`: add `--dest ADDRESS`");
    let crossed = "no IPv4 address is known of `vm/102:net1`: add `--source ADDRESS`, or ask about IPv6";
    assert_eq!(refused(&tcp("vm/102", "host/b", 1)), crossed);
    let arp = Question { frame: Frame::Arp, ..between("vm/100", "outside") };
    assert_eq!(refused(&arp), "no address is known of `outside`: add `--dest ADDRESS`");
    let port = Question { dport: None, ..tcp("vm/100", "vm/101", 0) };
    assert_eq!(refused(&port), "a `tcp` packet needs a destination port: add `--dport PORT`");
    let families = Question {
        source: Some("10.0.0.1".parse().unwrap()),
        dest: Some("2001:db8::1".parse().unwrap()),
        ..tcp("vm/100", "vm/101", 1)
    };
    assert!(refused(&families).starts_with("the source `10.0.0.1` is IPv4, and the destination `2001:db8::1` IPv6"));
    let types = Question { icmp_type: Some("8".to_owned()), ..tcp("vm/100", "vm/101", 1) };
    assert!(refused(&types).starts_with("`tcp` has no ICMP types"));
    let flags = Question { protocol: Some(Protocol::UDP), tcp_flags: Some(2), ..tcp("vm/100", "vm/101", 1) };
    assert!(refused(&flags).starts_with("`udp` has no TCP flags"));
    let state = Question { frame: Frame::Arp, state: Some(State::New), ..between("vm/100", "vm/101") };
    assert_eq!(refused(&state), "an ARP frame has no `--state`: leave it out");
    assert_eq!(
        refused(&tcp("outside", "vm/104", 1)),
        "the spec has no guest `vm/104` on a host: did you mean `vm/100`?"
    );
}

#[test]
fn a_guest_runs_where_both_ends_may_or_where_it_is_said_to() {
    let fleet = fleet(SPEC);
    let on = |from: &str, to: &str, hosts: &[&str]| Question {
        on: hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..tcp(from, to, 80)
    };
    let at = |question: Question| hosts(&fleet, &question);
    assert_eq!(at(on("vm/100", "vm/101", &[])), "b b");
    assert_eq!(at(on("vm/101", "vm/100", &[])), "b b");
    assert_eq!(at(on("vm/100", "host/c", &[])), "c c");
    assert_eq!(at(on("host/a", "vm/101", &[])), "a b");
    assert_eq!(at(on("vm/100", "vm/101", &["a"])), "a b");
    assert_eq!(at(on("vm/100", "vm/101", &["c"])), "c c");
    assert_eq!(at(on("vm/100", "vm/101", &["b", "c"])), "b c");
    assert_eq!(at(on("vm/101", "vm/100", &["a"])), "b a");
    assert_eq!(at(on("vm/100", "vm/101", &["a", "a"])), "`host/a` does not run `vm/101`");
    assert_eq!(at(on("host/a", "host/b", &["a"])), "`host/a` does not run `host/a` nor `host/b`");
    assert_eq!(at(on("vm/100", "vm/101", &["d"])), "the spec has no host `d`");
    assert!(at(on("vm/100", "vm/101", &["a", "b", "c"])).starts_with("a packet has two ends"));
}

#[test]
fn remarks_say_what_the_verdicts_do_not() {
    let fleet = fleet(SPEC);
    let of = |question: &Question| notes(&fleet, question);
    let quiet = Question { source: Some("192.0.2.1".parse().unwrap()), ..tcp("outside", "host/b", 1) };
    assert_eq!(of(&quiet), [""; 0]);
    // Who is filtered, and how it is elsewhere: b accepts all.
    let vnet_off = "off vnet/prod true";
    assert_eq!(of(&tcp("vm/101", "vm/100", 81)), [vnet_off, "vm/101 c=Accept", "vm/100 a=Drop c=Drop"]);
    let out = Question { dest: Some("192.0.2.1".parse().unwrap()), ..tcp("vm/102:net2", "outside", 1) };
    assert_eq!(of(&out), ["off vm/102:net2 true"]);
    let dhcp = Question { source: Some("192.0.2.2".parse().unwrap()), ..tcp("vm/103", "host/b", 1) };
    assert_eq!(of(&dhcp), ["off vm/103 true", vnet_off]);
    // Rules for interfaces, where the packet names none; not those that speak of others.
    let enters = Question { source: Some("192.0.2.1".parse().unwrap()), ..tcp("outside", "host/a", 53) };
    assert_eq!(of(&enters), ["Accept by eno1", "Drop by eno2"]);
    let by = Question { interface: Some("eno1".to_owned()), ..enters.clone() };
    assert_eq!(of(&by), [""; 0]);
    assert_eq!(of(&Question { dport: Some(54), ..enters }), [""; 0]);
    // What was left out, if it would have decided.
    let ping = Question { on: vec!["a".to_owned()], ..between("vm/100", "vm/102") };
    assert_eq!(of(&ping), ["ping", vnet_off, "vm/100 b=Drop c=Drop", "ping vm/102"]);
    let web = Question { on: vec!["a".to_owned()], ..tcp("vm/100", "vm/102", 80) };
    assert_eq!(of(&web), [vnet_off, "vm/100 b=Accept c=Accept"]);
    // Options that nobody looks at, and tags that nobody looks behind.
    let unused = Question {
        interface: Some("eno1".to_owned()),
        mac: Some(crate::net::Mac([2, 0, 0, 0, 0, 1])),
        frame: Frame::Stacked,
        ..between("outside", "vm/102")
    };
    assert_eq!(of(&unused), ["unseen", "--iface", "--mac", vnet_off]);
    let spoofed = Question { mac: unused.mac, ..tcp("vm/102", "vm/100", 80) };
    assert_eq!(spoofed.ask(&fleet).unwrap().trace.verdict, Verdict::Drop);
    assert!(!of(&spoofed).contains(&"--mac".to_owned()));
    let apart = Question { on: vec!["a".to_owned()], ..tcp("vm/100", "vm/102:net2", 80) };
    assert_eq!(of(&apart)[0], "router a");
    let routed = Question { via: Some("a".to_owned()), ..apart };
    assert!(!of(&routed)[0].starts_with("router"), "{:?}", of(&routed));
}

#[test]
fn a_firewall_that_is_off_is_named_where_it_was_switched_off() {
    let spec =
        "version: 1\ndatacenter: { options: { enable: false } }\nhosts: { a: { addresses: [10.0.0.1, 10.0.0.2] } }\n";
    let fleet = fleet(spec);
    let question = Question { source: Some("192.0.2.1".parse().unwrap()), ..tcp("outside", "host/a", 53) };
    let answer = question.ask(&fleet).unwrap();
    assert_eq!((answer.trace.verdict, answer.trace.hooks.len()), (Verdict::Accept, 0));
    let [Note::Off { span: Some(span), .. }] = answer.notes.as_slice() else { panic!("{:?}", answer.notes) };
    let written = spec.get(span.start as usize..).unwrap_or_default();
    assert!(written.starts_with("enable: false") || written.starts_with("false"), "{written}");
}
