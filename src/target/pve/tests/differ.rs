//! Differences of the nftables implementation that change verdicts: told once each, where they show, and only then.

use super::compile;

/// The words of the warnings of two hosts with these keys and a guest with these, the one for every host aside.
fn told(fleet: &str, host: &str, guest: &str) -> Vec<String> {
    let (_, findings) = compile(&format!(
        "
version: 1
{fleet}
hosts:
  pm1: {{ addresses: 10.0.0.1/24, corosync: 10.9.0.1, {host} }}
  pm2: {{ addresses: 10.0.0.2/24, corosync: 10.9.0.2 }}
vms:
  100:
    host: pm1
    {guest}
"
    ));
    let told = findings.iter().filter_map(|finding| finding.strip_prefix("warning pve::nftables-differs "));
    told.filter(|words| !words.contains("opens corosync")).map(str::to_owned).collect()
}

const NIC: &str = "nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } }";
/// A host of that implementation without the difference of its default.
const QUIET: &str = "options: { nftables: true, nosmurfs: false }";

fn of_rules(rules: &str) -> Vec<String> {
    told("", &format!("{QUIET}, rules: {rules}"), NIC)
}

fn of_options(options: &str) -> Vec<String> {
    told("", &format!("options: {{ nftables: true, nosmurfs: false, {options} }}"), NIC)
}

fn of_guest(guest: &str) -> Vec<String> {
    told("", QUIET, &format!("{NIC}\n    {guest}"))
}

#[track_caller]
fn one(findings: &[String], place: &str, words: &str) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with(&format!("`{place}")) && findings[0].contains(words), "{findings:?}");
    assert!(findings[0].ends_with("on `pm1`"), "{findings:?}");
}

#[test]
fn what_holds_for_every_host_is_told_once() {
    let (_, findings) = compile(
        "
version: 1
zones: { node: { kind: host, options: { nftables: true } } }
hosts:
  pm1: { inherits: node, addresses: 10.0.0.1/24 }
  pm2: { addresses: 10.0.0.2/24, options: { nftables: true } }
  pm3: { addresses: 10.0.0.3/24 }
",
    );
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("warning pve::nftables-differs `nftables`: "), "{findings:?}");
    assert!(findings[0].contains("60000-60050") && findings[0].ends_with("on `pm1`, `pm2`"), "{findings:?}");
}

#[test]
fn the_other_implementation_and_hosts_that_are_off_are_left_alone() {
    let everything = "options: { ipfilter: true, dhcp: false, ndp: false, policy_in: reject }";
    let guest = format!("{NIC}\n    {everything}\n    rules: [ {{ in: reject, macro: Auth }} ]");
    let rules = "rules: [ { in: drop, proto: tcp, dport: 22 } ]";
    let options = "nf_conntrack_allow_invalid: true, ndp: false, nosmurfs: true";
    let host = |more: &str| format!("options: {{ {options}, {more} }}, {rules}");
    assert_eq!(told("", &host("nftables: false"), &guest), [] as [&str; 0]);
    assert_eq!(told("", &host("nftables: true, enable: false"), &guest), [] as [&str; 0]);
    assert_eq!(told("", &host("nftables: true"), &guest).len(), 9);
    let disabled = guest.replace("ipfilter: true", "ipfilter: true, enable: false");
    assert_eq!(told("", &host("nftables: true"), &disabled).len(), 4, "what the host does by itself");
}

#[test]
fn rules_that_cannot_override_the_accepts_before_them_are_told() {
    let words = "accepts management and corosync before this rule";
    one(&of_rules("[ { in: drop, proto: tcp, dport: 22 } ]"), "{ in: drop", words);
    one(&of_rules("[ { in: reject, source: 10.0.0.7 } ]"), "{ in: reject", words);
    one(&of_rules("[ { in: drop, proto: udp, dport: 5400-5405, source: 10.9.0.0/24 } ]"), "{ in: drop", words);
    for other in [
        "{ in: accept, proto: tcp, dport: 22 }",
        "{ out: drop, proto: tcp, dport: 22 }",
        "{ in: drop, proto: tcp, dport: 22, enable: false }",
        "{ in: drop, proto: tcp, dport: 22, source: 192.0.2.0/24 }",
        "{ in: drop, proto: udp, dport: 22 }",
        "{ in: drop, proto: tcp, dport: 60000 }",
        "{ in: drop, proto: udp, dport: 5405, source: 192.0.2.1 }",
        "{ in: drop, proto: udp, dport: 5405, dest: 10.9.0.9 }",
    ] {
        assert_eq!(of_rules(&format!("[ {other} ]")), [] as [&str; 0], "{other}");
    }
    let many = of_rules("[ { in: drop, proto: tcp, dport: 8006 }, { in: drop, proto: tcp, dport: 22 } ]");
    one(&many, "{ in: drop, proto: tcp, dport: 8006 }", words);
}

#[test]
fn guardrails_and_groups_count_as_rules_of_the_host() {
    let words = "accepts management and corosync before this rule";
    let guardrail = "datacenter: { guardrails: { rules: [ { in: drop, proto: tcp, dport: 22 } ] } }";
    one(&told(guardrail, QUIET, NIC), "{ in: drop", words);
    let group = "groups: { shut: [ { in: drop, proto: tcp, dport: 3128 } ] }";
    one(&told(group, &format!("{QUIET}, rules: [ {{ group: shut }} ]"), NIC), "{ in: drop", words);
}

#[test]
fn options_of_hosts_that_mean_something_else_are_told() {
    one(&of_options("nf_conntrack_allow_invalid: true"), "nf_conntrack_allow_invalid", "to and from the host itself");
    one(&of_options("ndp: false"), "ndp", "drops neighbour discovery before the host's rules");
    assert_eq!(of_options("nf_conntrack_allow_invalid: false, ndp: true"), [] as [&str; 0]);
}

#[test]
fn smurfs_are_on_by_default() {
    let words = "applies `nosmurfs` to the host, not to its guests";
    one(&told("", "options: { nftables: true }", NIC), "nftables", words);
    one(&told("", "options: { nosmurfs: true, nftables: true }", NIC), "nosmurfs", words);
    let unfiltered = NIC.replace("bridge", "firewall: false, bridge");
    assert_eq!(told("", "options: { nftables: true }", &unfiltered), [] as [&str; 0]);
}

#[test]
fn reject_of_guests_is_told() {
    one(&of_guest("rules: [ { in: reject, macro: Auth }, { out: reject } ]"), "{ in: reject", "this rule of a guest");
    one(&of_guest("rules: [ { out: reject } ]"), "{ out: reject", "this rule of a guest");
    one(&of_guest("options: { policy_out: reject }"), "policy_out", "this policy of a guest");
    assert_eq!(of_guest("rules: [ { in: reject, enable: false }, { in: drop } ]"), [] as [&str; 0]);
}

#[test]
fn ip_filters_are_told() {
    let words = "drops DHCP requests from 0.0.0.0";
    one(&of_guest("options: { ipfilter: true }\n    ipsets: { ipfilter-net0: 10.0.0.100 }"), "ipfilter", words);
    one(&of_guest("ipsets: { ipfilter-net0: 10.0.0.100 }"), "net0", words);
    let two = NIC.replace(" } }", " }, net1: { bridge: vmbr0, mac: 'BC:24:11:00:01:64' } }");
    let ignored = told("", QUIET, &format!("{two}\n    ipsets: {{ ipfilter-net1: 10.0.0.100 }}"));
    one(&ignored, "net1", "ignores the IP filter of a guest that has NICs without one");
}

#[test]
fn accepts_that_become_drops_are_told() {
    one(&of_guest("options: { dhcp: false }"), "dhcp", "drops DHCP before the guest's rules");
    one(&of_guest("options: { ndp: false }"), "ndp", "drops neighbour discovery before the guest's rules");
}
