//! The table "Where the two implementations differ, and what fwc does" of the page on Proxmox VE's semantics: a test
//! for each row that speaks of `.fw` files, named by the row.

use super::{compile, guest_rules, section};

/// The findings without those of the tests in `differ`.
fn others(findings: Vec<String>) -> Vec<String> {
    findings.into_iter().filter(|finding| !finding.contains("pve::nftables-differs")).collect()
}

/// A node with these options, and one VM.
fn node(options: &str, guest: &str) -> (String, String, Vec<String>) {
    let (files, findings) = compile(&format!(
        "
version: 1
hosts: {{ pm1: {{ addresses: 10.0.0.1/24, {options} }} }}
vms:
  100:
    host: pm1
    nics: {{ net0: {{ bridge: vmbr0, mac: 'BC:24:11:00:00:64', ip: [10.0.0.100/24, '2001:db8::64/64'] }} }}
    {guest}
"
    ));
    let text = |path: &str| files.get(path).cloned().unwrap_or_default();
    (text("pve/nodes/pm1/host.fw"), text("pve/firewall/100.fw"), others(findings))
}

/// Row "forward and vnet rules".
#[test]
fn forward_rules_warn_unless_the_host_runs_nftables() {
    let rules = "rules: [ { forward: drop, proto: tcp, dport: 25 } ]";
    let (host, _, findings) = node(rules, "");
    assert_eq!(section(&host, "RULES").len(), 1, "written all the same");
    assert_eq!(findings.len(), 1);
    assert!(findings[0].starts_with("warning pve::forward-ignored `{ forward: drop"), "{findings:?}");
    let (_, _, findings) = node(&format!("options: {{ nftables: true }}, {rules}"), "");
    assert_eq!(findings, [] as [&str; 0]);
}

/// Row "forward and vnet rules", for vnets.
#[test]
fn vnets_warn_unless_every_host_runs_nftables() {
    let spec = |nftables: &str| {
        compile(&format!(
            "
version: 1
hosts:
  pm1: {{ addresses: 10.0.0.1/24, options: {{ nftables: true }} }}
  pm2: {{ addresses: 10.0.0.2/24, options: {{ nftables: {nftables} }} }}
vnets: {{ prod: {{ options: {{ policy_forward: drop }}, rules: [ {{ forward: accept, macro: Web, log: info }} ] }} }}
"
        ))
    };
    let (files, findings) = spec("true");
    assert_eq!(others(findings), [] as [&str; 0]);
    let vnet = &files["pve/sdn/firewall/prod.fw"];
    assert_eq!(section(vnet, "OPTIONS"), ["enable: 1", "policy_forward: DROP"]);
    assert!(section(vnet, "RULES")[0].starts_with("FORWARD Web(ACCEPT) -log info # ["));
    let findings = others(spec("false").1);
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().all(|finding| finding.ends_with("on `pm2`")), "{findings:?}");
}

/// Row "host-out under a drop policy".
#[test]
fn a_drop_policy_out_warns_under_nftables() {
    let spec = |nftables: &str| {
        let yaml = format!(
            "
version: 1
datacenter: {{ options: {{ policy_out: drop }} }}
hosts: {{ pm1: {{ addresses: 10.0.0.1/24, options: {{ nftables: {nftables} }} }} }}
"
        );
        others(compile(&yaml).1)
    };
    assert_eq!(spec("false"), [] as [&str; 0]);
    let findings = spec("true");
    assert!(findings.len() == 1 && findings[0].starts_with("warning pve::option-ignored `policy_out`"), "{findings:?}");
}

/// Row "smurfs, tcpflags, blacklist".
#[test]
fn what_nftables_applies_to_the_host_alone_warns() {
    let (_, _, findings) = node("options: { nftables: true, tcpflags: true }", "");
    assert_eq!(findings.len(), 1, "{findings:?}");
    let (_, _, findings) = node("options: { nftables: true }", "");
    assert_eq!(findings, [] as [&str; 0], "defaults are no reason to complain");
    let (_, findings) = compile(
        "
version: 1
datacenter: { ipsets: { blacklist: 192.0.2.0/24 } }
hosts: { pm1: { addresses: 10.0.0.1/24, options: { nftables: true } } }
",
    );
    let findings = others(findings);
    assert!(findings.len() == 1 && findings[0].contains("ignores the ipset `blacklist`"), "{findings:?}");
}

/// Rows "`ipfilter-net<N>` without `ipfilter: 1`" and "own `ipfilter-net<N>` set".
#[test]
fn ip_filters_are_whole_and_switched_on() {
    let (_, guest, findings) = node("comment: x", "ipsets: { ipfilter-net0: [10.0.0.200, 10.0.0.100] }");
    assert_eq!(findings, [] as [&str; 0]);
    assert!(section(&guest, "OPTIONS").contains(&"ipfilter: 1"));
    assert_eq!(
        section(&guest, "IPSET ipfilter-net0"),
        ["10.0.0.100", "10.0.0.200", "2001:db8::64", "fe80::be24:11ff:fe00:64"]
    );
    // On a guest with a NIC that has no filter, the option would filter that one too.
    let (files, _) = compile(
        "
version: 1
hosts: { pm1: { addresses: 10.0.0.1/24 } }
vms:
  100:
    host: pm1
    ipsets: { ipfilter-net1: 10.0.0.200 }
    rules: [ { id: a, in: accept, source: +ipfilter-net1 } ]
    nics:
      net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' }
      net1: { bridge: vmbr0, mac: 'BC:24:11:00:01:64' }
",
    );
    let guest = &files["pve/firewall/100.fw"];
    assert_eq!(section(guest, "OPTIONS"), ["enable: 1", "dhcp: 1"]);
    assert!(!guest.contains("[IPSET ipfilter-net0]"));
    // A rule that speaks of the set means the set as written, without what the filter adds.
    assert_eq!(section(guest, "RULES"), ["IN ACCEPT -source +dc/vm-100-ipfilter-net1 # [a]"]);
    assert_eq!(section(&files["pve/firewall/cluster.fw"], "IPSET vm-100-ipfilter-net1"), ["10.0.0.200"]);
}

/// Row "guest `reject`".
#[test]
fn reject_of_guests_is_written_as_it_is() {
    let (_, guest, findings) =
        node("comment: x", "options: { policy_in: reject }\n    rules: [ { id: a, in: reject, macro: Auth } ]");
    assert_eq!(findings, [] as [&str; 0]);
    assert!(section(&guest, "OPTIONS").contains(&"policy_in: REJECT"));
    assert_eq!(section(&guest, "RULES"), ["IN Auth(REJECT) # [a]"]);
}

/// Row "`dhcp: false`, `ndp: false`": the default of `dhcp` differs too, so it is always said.
#[test]
fn dhcp_is_always_explicit() {
    assert!(section(&node("comment: x", "").1, "OPTIONS").contains(&"dhcp: 1"));
    let (_, guest, _) = node("comment: x", "options: { dhcp: false, ndp: false }");
    assert_eq!(section(&guest, "OPTIONS"), ["enable: 1", "dhcp: 0", "ndp: 0"]);
}

/// Row "`-p tcp -dport 0`".
#[test]
fn port_zero_alone_is_refused() {
    let (lines, findings) = guest_rules("[ { in: accept, proto: tcp, dport: 0 } ]");
    assert!(lines.is_empty());
    assert!(findings.len() == 1 && findings[0].starts_with("error pve::inexpressible"), "{findings:?}");
}

/// Row "`-p icmp -dport echo-request`".
#[test]
fn icmp_types_have_their_own_option() {
    let (lines, _) = guest_rules("[ { in: accept, proto: icmp, icmp_type: 8 } ]");
    assert_eq!(lines, ["IN ACCEPT -p icmp -icmp-type echo-request"]);
}

/// Row "source and destination of different families".
#[test]
fn sides_are_cut_to_the_family_they_share() {
    let (lines, _) = guest_rules("[ { in: accept, source: ['2001:db8::/32', 192.0.2.1], dest: ['2001:db8:1::/48'] } ]");
    assert_eq!(lines, ["IN ACCEPT -source 2001:db8::/32 -dest 2001:db8:1::/48"]);
}

/// Row "a family-specific source with a two-family macro".
#[test]
fn a_macro_of_both_families_is_spelled_out_beside_addresses_of_one() {
    let (lines, _) = guest_rules(
        "[ { in: accept, macro: Ping, source: 10.0.0.0/8 }, { in: accept, macro: Ping, dest: '2001:db8::/32' } ]",
    );
    assert_eq!(
        lines,
        [
            "IN ACCEPT -source 10.0.0.0/8 -p icmp -icmp-type echo-request",
            "IN ACCEPT -dest 2001:db8::/32 -p icmpv6 -icmp-type echo-request",
        ]
    );
    let (lines, _) = guest_rules("[ { in: accept, macro: Ping } ]");
    assert_eq!(lines, ["IN Ping(ACCEPT)"]);
}

/// Rows "unresolvable reference in a drop rule" and "a line that does not parse": an error leaves no file at all.
#[test]
fn an_error_leaves_nothing_to_load() {
    let (host, guest, findings) = node("comment: x", "rules: [ { in: drop, proto: 253 }, { in: accept, macro: Web } ]");
    assert_eq!((host.as_str(), guest.as_str(), findings.len()), ("", "", 1));
}

/// Row "ipset exclusion (`!`)".
#[test]
fn exclusions_are_subtracted_the_most_specific_first() {
    let (files, _) = compile(
        "
version: 1
datacenter:
  ipsets:
    lab:
      comment: all but one
      entries: [10.0.0.0/30, '!10.0.0.2/31', { value: 10.0.0.3, comment: 'back # in' }]
hosts: { pm1: { addresses: 10.0.0.1/24 } }
",
    );
    let cluster = &files["pve/firewall/cluster.fw"];
    assert_eq!(section(cluster, "IPSET lab"), ["10.0.0.0/31", "10.0.0.3"]);
    assert!(cluster.contains("[IPSET lab] # all but one\n"));
    assert!(cluster.contains("\n# written: ! 10.0.0.2/31\n# written: 10.0.0.3 (back # in)\n"));
}

/// Row "two entries that normalise to one network".
#[test]
fn overlapping_entries_are_merged() {
    let (files, _) = compile(
        "
version: 1
datacenter:
  aliases: { net: 10.0.0.0/24 }
  ipsets: { same: [net, 10.0.0.7/24], inside: [10.1.0.0/16, 10.1.2.3], all: 0.0.0.0/0, apart: [net, 10.0.1.0/24] }
hosts: { pm1: { addresses: 10.0.0.1/24 } }
",
    );
    let cluster = &files["pve/firewall/cluster.fw"];
    assert_eq!(section(cluster, "IPSET same"), ["10.0.0.0/24"]);
    assert_eq!(section(cluster, "IPSET inside"), ["10.1.0.0/16"]);
    assert_eq!(section(cluster, "IPSET all"), ["0.0.0.0/1", "128.0.0.0/1"]);
    assert_eq!(section(cluster, "IPSET apart"), ["net", "10.0.1.0/24"]);
}

/// Rows "`nf_conntrack_tcp_timeout_syn_recv`" and "`nf_conntrack_max` below 262144".
#[test]
fn conntrack_options_that_need_the_sysctl_output_say_so() {
    let options = "options: { nf_conntrack_tcp_timeout_syn_recv: 45, nf_conntrack_max: 65536 }";
    let (host, _, findings) = node(options, "");
    assert_eq!(findings, [] as [&str; 0]);
    assert_eq!(
        section(&host, "OPTIONS"),
        ["enable: 1", "nf_conntrack_max: 65536", "nf_conntrack_tcp_timeout_syn_recv: 45"]
    );
    let (_, _, findings) = node(&format!("{options}, targets: [pve]"), "");
    assert_eq!(findings.len(), 2, "{findings:?}");
}

/// Row "`ips`, `layer2_protocols`".
#[test]
fn options_of_the_iptables_implementation_warn_under_nftables() {
    let options = "options: { ips: true, ips_queues: '0:3', layer2_protocols: [ARP, IPv4] }";
    let (_, guest, findings) = node("targets: [pve]", options);
    assert_eq!(findings, [] as [&str; 0]);
    assert_eq!(
        section(&guest, "OPTIONS"),
        ["enable: 1", "dhcp: 1", "layer2_protocols: ARP,IPv4", "ips: 1", "ips_queues: 0:3"]
    );
    let (_, _, findings) = node("targets: [pve], options: { nftables: true }", options);
    assert_eq!(findings.len(), 2, "{findings:?}");
}

/// ICMP types that only the iptables implementation knows by name would cost a node of the other its ruleset.
#[test]
fn icmp_names_of_one_implementation_are_refused_under_nftables() {
    let rules = "rules: [ { in: accept, proto: icmp, icmp_type: fragmentation-needed } ]";
    assert_eq!(node(rules, "").2, [] as [&str; 0]);
    let (_, _, findings) = node(&format!("options: {{ nftables: true }}, {rules}"), "");
    assert!(findings.len() == 1 && findings[0].starts_with("error pve::inexpressible"), "{findings:?}");
}
