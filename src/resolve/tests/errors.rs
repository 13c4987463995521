//! What cannot hold, or would widen, is refused where it is written.

use super::{finding, findings, fleet};

/// A host rule in a small spec.
fn rule(rule: &str) -> Vec<String> {
    findings(&spec(rule))
}

fn spec(rule: &str) -> String {
    format!(
        "version: 1
datacenter:
  aliases: {{ office: 203.0.113.0/24, six: '2001:db8::/32' }}
  ipsets: {{ management: [office] }}
  rules:
    - {rule}
groups: {{ webserver: [ {{ in: accept, proto: tcp, dport: 80 }} ] }}
hosts: {{ pm1: {{ addresses: 10.0.0.1/24 }}, bare: {{}} }}
"
    )
}

#[test]
fn ports_without_a_protocol_are_refused() {
    // pve-semantics, "ports without a protocol": one implementation skips the rule, the other accepts everything.
    let found = rule("{ in: accept, dport: 22 }");
    assert_eq!(
        found,
        [
            "resolve::port-without-protocol | `dport` without a protocol | 22 | add `proto: tcp`, `proto: udp`, or both as a list"
        ]
    );
}

#[test]
fn families_that_exclude_each_other_are_refused() {
    // pve-semantics, "source and destination of different families": a match is lost there.
    let (diagnostic, labels) = finding(&spec("{ in: accept, source: office, dest: six }"));
    assert_eq!(diagnostic.message, "this rule can never match: IPv4 and IPv6 exclude each other");
    assert_eq!(labels, ["office", "six"]);
    let (_, labels) = finding(&spec("{ in: accept, source: six, proto: icmp }"));
    assert_eq!(labels, ["six", "icmp"]);
}

#[test]
fn unresolvable_references_are_refused_with_a_suggestion() {
    // pve-semantics, "unresolvable reference in a drop rule": it fails open there.
    assert_eq!(
        rule("{ in: drop, source: offce }"),
        ["resolve::unknown-name | unknown alias `offce` | offce | did you mean `office`?"]
    );
    assert_eq!(
        rule("{ in: drop, source: +managment }"),
        ["resolve::unknown-name | unknown ipset `managment` | +managment | did you mean `management`?"]
    );
    assert_eq!(
        rule("{ in: drop, source: management }"),
        [
            "resolve::unknown-name | unknown alias `management` | management | `management` is an ipset: write `+management`"
        ]
    );
    assert_eq!(
        rule("{ group: webservr }"),
        ["resolve::unknown-group | unknown security group `webservr` | webservr | did you mean `webserver`?"]
    );
    assert_eq!(
        rule("{ in: accept, macro: Ssh }"),
        ["resolve::unknown-macro | unknown macro `Ssh` | Ssh | did you mean `SSH`?"]
    );
}

#[test]
fn machines_without_addresses_are_refused() {
    let found = rule("{ in: accept, source: host/bare }");
    assert!(found[0].starts_with("resolve::no-addresses | `host/bare` has no addresses | host/bare |"), "{found:?}");
}

#[test]
fn every_error_is_found_at_once() {
    let found = rule("{ in: accept, proto: tpc, dport: 99999, source: nobody }");
    let codes: Vec<&str> = found.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(codes, ["resolve::unknown-protocol", "resolve::bad-port", "resolve::unknown-name"]);
}

#[test]
fn a_locked_option_cannot_be_set_otherwise_below() {
    let (diagnostic, labels) = finding(
        "version: 1
datacenter: { guardrails: { options: { enable: true } } }
hosts: { pm1: {} }
vms:
  100: { host: pm1, options: { enable: false } }
",
    );
    assert_eq!(diagnostic.message, "`enable` is locked by a guardrail of `datacenter`");
    assert_eq!(labels, ["enable", "enable"]);
}

#[test]
fn guardrails_cannot_be_left_out() {
    let found = findings(
        "version: 1
datacenter: { guests: { guardrails: { rules: [ { id: no-rdp, in: drop, proto: tcp, dport: 3389 } ] } } }
hosts: { pm1: {} }
vms:
  100: { host: pm1, without: [no-rdp, nothing] }
",
    );
    assert_eq!(found.len(), 2);
    assert!(
        found[0].starts_with("resolve::guardrail-locked | `no-rdp` is a guardrail and cannot be left out | no-rdp")
    );
    assert!(found[1].starts_with("resolve::unknown-rule | `vm/100` inherits no rule with the id `nothing` | nothing"));
}

#[test]
fn a_family_specific_source_narrows_a_two_family_macro() {
    // pve-semantics, "a family-specific source with a two-family macro": IPv4 only.
    let fleet = fleet(&spec("{ in: accept, macro: Ping, source: 10.0.0.0/8 }"));
    let (rule, _) = fleet.hosts[0].rules.rules(crate::policy::Direction::In).next().unwrap();
    let clauses = rule.clauses();
    assert_eq!(clauses.len(), 1);
    assert!(clauses[0].speaks_of(crate::net::Family::V4));
    assert!(!clauses[0].speaks_of(crate::net::Family::V6));
}

#[test]
fn a_broken_definition_is_reported_once() {
    let found = findings(
        "version: 1
datacenter:
  aliases: { office: nowhere }
  ipsets: { bad: [+worse], good: [10.0.0.1] }
  rules: [ { in: accept, source: office }, { in: accept, source: [+bad, +good] } ]
hosts: { pm1: {} }
",
    );
    let codes: Vec<&str> = found.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(codes, ["resolve::bad-address", "resolve::nested-ipset"]);
}
