//! What is split, spelled out and refused.

use super::{compile, guest_rules, section};

/// The lines that one rule becomes.
fn lines(rule: &str) -> Vec<String> {
    let (lines, findings) = guest_rules(&format!("[ {rule} ]"));
    assert!(findings.is_empty(), "{findings:?}");
    lines
}

/// The one finding about a rule that cannot be written.
fn refused(rule: &str) -> String {
    let (lines, findings) = guest_rules(&format!("[ {rule} ]"));
    assert_eq!(lines, [] as [&str; 0], "nothing is written beside an error");
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    finding.split_once("`: ").unwrap().1.to_owned()
}

#[test]
fn several_protocols_and_types_become_a_line_each() {
    assert_eq!(
        lines("{ in: accept, proto: [tcp, udp], dport: 53 }"),
        ["IN ACCEPT -p tcp -dport 53", "IN ACCEPT -p udp -dport 53"]
    );
    assert_eq!(
        lines("{ in: accept, proto: icmp, icmp_type: [echo-request, 11] }"),
        ["IN ACCEPT -p icmp -icmp-type echo-request", "IN ACCEPT -p icmp -icmp-type time-exceeded"]
    );
    assert_eq!(lines("{ in: drop, proto: icmpv6 }"), ["IN DROP -p icmpv6"]);
    assert_eq!(lines("{ in: drop, proto: [47, sctp] }"), ["IN DROP -p gre", "IN DROP -p sctp"]);
}

#[test]
fn port_lists_hold_fifteen_and_a_range_counts_two() {
    let odd = |range: std::ops::Range<u32>| range.map(|n| (2 * n + 1).to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(
        lines(&format!("{{ in: accept, proto: tcp, dport: [{}] }}", odd(0..16))),
        [format!("IN ACCEPT -p tcp -dport {}", odd(0..15)), "IN ACCEPT -p tcp -dport 31".to_owned()]
    );
    assert_eq!(
        lines(&format!("{{ in: accept, proto: tcp, dport: [{}, 100-200, 300-400] }}", odd(0..12))),
        [format!("IN ACCEPT -p tcp -dport {},100:200", odd(0..12)), "IN ACCEPT -p tcp -dport 300:400".to_owned()]
    );
    // Both sides at once: every combination.
    let both = lines(&format!("{{ in: accept, proto: udp, sport: [{}], dport: [{}] }}", odd(0..16), odd(0..16)));
    assert_eq!(both.len(), 4);
    assert_eq!(both[3], "IN ACCEPT -p udp -dport 31 -sport 31");
}

#[test]
fn port_zero_stands_in_lists_and_ranges_only() {
    assert_eq!(lines("{ in: accept, proto: tcp, dport: [0, 5] }"), ["IN ACCEPT -p tcp -dport 0,5"]);
    assert_eq!(lines("{ in: accept, proto: tcp, sport: 0-9 }"), ["IN ACCEPT -p tcp -sport 0:9"]);
    assert!(refused("{ in: accept, proto: tcp, sport: 0 }").starts_with("port 0 alone means every port"));
}

#[test]
fn macros_of_one_implementation_are_spelled_out() {
    assert_eq!(lines("{ in: accept, macro: HTTP/3 }"), ["IN ACCEPT -p udp -dport 443"]);
    assert_eq!(lines("{ in: accept, macro: PBS }"), ["IN ACCEPT -p tcp -dport 8007"]);
    assert_eq!(lines("{ in: accept, macro: Web }"), ["IN Web(ACCEPT)"]);
}

#[test]
fn lists_of_both_families_become_a_line_for_each() {
    assert_eq!(
        lines("{ in: accept, macro: SSH, source: [10.0.0.0/8, '2001:db8::/32', 192.0.2.1] }"),
        ["IN SSH(ACCEPT) -source 10.0.0.0/8,192.0.2.1", "IN SSH(ACCEPT) -source 2001:db8::/32"]
    );
    // A macro of both families is spelled out for each.
    assert_eq!(
        lines("{ in: accept, macro: Ping, source: [10.0.0.0/8, '2001:db8::/32'] }"),
        [
            "IN ACCEPT -source 10.0.0.0/8 -p icmp -icmp-type echo-request",
            "IN ACCEPT -source 2001:db8::/32 -p icmpv6 -icmp-type echo-request",
        ]
    );
    // The sides overlap in one family: the other's addresses can never match.
    assert_eq!(
        lines("{ in: accept, source: [10.0.0.0/8, '2001:db8::/32'], dest: 192.0.2.1 }"),
        ["IN ACCEPT -source 10.0.0.0/8 -dest 192.0.2.1"]
    );
}

#[test]
fn a_set_of_both_families_is_cut_where_the_other_side_speaks_of_one() {
    let (files, findings) = compile(
        "
version: 1
datacenter:
  aliases: { office: 203.0.113.0/24 }
  ipsets: { both: [192.0.2.0/24, '2001:db8::/32'] }
  rules: [ { in: accept, source: +both, dest: office } ]
hosts: { pm1: { addresses: 10.0.0.1/24 } }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let cluster = &files["pve/firewall/cluster.fw"];
    let [rule] = section(cluster, "RULES")[..] else { panic!("{cluster}") };
    let words: Vec<&str> = rule.split(' ').collect();
    assert_eq!((words[2], words[4], words[5]), ("-source", "-dest", "dc/office"));
    let list = words[3].strip_prefix("+dc/").unwrap();
    assert_eq!(section(cluster, &format!("IPSET {list}")), ["192.0.2.0/24"]);
}

#[test]
fn lists_with_ranges_or_names_become_ipsets_beside_the_rule() {
    let (files, findings) = compile(
        "
version: 1
datacenter: { aliases: { office: 203.0.113.0/24 } }
hosts: { pm1: { addresses: 10.0.0.1/24 } }
vms:
  100:
    host: pm1
    nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } }
    rules:
      - { in: accept, source: [192.0.2.1-192.0.2.2, office] }
      - { in: drop, source: [office, 192.0.2.1-192.0.2.2] }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let guest = &files["pve/firewall/100.fw"];
    let rules = section(guest, "RULES");
    let name = rules[0].split(' ').nth(3).unwrap().strip_prefix("+guest/").unwrap();
    assert!(name.starts_with("list-"));
    // The same addresses, however they were written, are the same set.
    assert!(rules[1].contains(&format!("+guest/{name} ")));
    assert_eq!(section(guest, &format!("IPSET {name}")), ["192.0.2.1", "192.0.2.2", "203.0.113.0/24"]);
    assert!(guest.contains(&format!("[IPSET {name}] # 192.0.2.1-192.0.2.2, office")));
}

#[test]
fn what_no_line_can_say_is_refused_at_the_rule() {
    assert_eq!(
        refused("{ in: drop, proto: tcp, tcp_flags: { mask: [syn, ack], set: [syn] } }"),
        "Proxmox VE cannot match `tcp_flags`"
    );
    assert_eq!(
        refused("{ in: drop, proto: icmp, icmp_type: 42 }"),
        "Proxmox VE takes ICMP types by name, and 42 has none"
    );
    assert_eq!(
        refused("{ in: drop, proto: icmp, icmp_type: 11/7 }"),
        "Proxmox VE takes ICMP types by name, and 11/7 has none"
    );
    assert_eq!(refused("{ in: drop, proto: 200 }"), "Proxmox VE takes no protocol without a name such as 200");
}

#[test]
fn interfaces_that_proxmox_ve_does_not_take_are_refused() {
    let spec = |name: &str| {
        let (_, findings) = compile(&format!(
            "
version: 1
hosts: {{ pm1: {{ addresses: 10.0.0.1/24, rules: [ {{ in: accept, iface: '{name}' }} ] }} }}
"
        ));
        findings
    };
    for good in ["vmbr0", "eno1.100", "enp3s0f1"] {
        assert_eq!(spec(good), [] as [&str; 0], "{good}");
    }
    for bad in ["wg-home", "x", "eth0.a"] {
        assert_eq!(spec(bad).len(), 1, "{bad}");
    }
}

#[test]
fn disabled_rules_and_calls_are_carried() {
    let (files, _) = compile(
        "
version: 1
groups: { web: [ { in: accept, macro: Web }, { in: accept, macro: HTTP/3, enable: false } ] }
hosts: { pm1: { addresses: 10.0.0.1/24 } }
vms:
  100:
    host: pm1
    nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } }
    rules: [ { id: a, group: web, enable: false }, { id: b, group: web, iface: net0, comment: 'says # itself' } ]
",
    );
    assert_eq!(
        section(&files["pve/firewall/100.fw"], "RULES"),
        ["|GROUP web # [a]", "GROUP web -i net0 # [b] says \u{ff03} itself"]
    );
    let group = section(&files["pve/firewall/cluster.fw"], "group web");
    assert!(group[1].starts_with("|IN ACCEPT -p udp -dport 443"));
}

#[test]
fn a_vnets_file_spells_its_groups_out_and_a_guests_file_has_no_forward_rule() {
    let (files, findings) = compile(
        "
version: 1
datacenter: { guardrails: { rules: [ { id: through, forward: drop, proto: tcp, dport: 23 } ] } }
groups: { gg: [ { forward: drop, proto: tcp, dport: 6 } ] }
hosts:
  h1: { addresses: 10.0.0.1/24, options: { nftables: true } }
  h2: { addresses: 10.0.0.2/24, targets: [nft, iptables], rules: [ { group: gg } ] }
vms: { 100: { host: h1, nics: { net0: { bridge: prod, mac: 'BC:24:11:00:00:64', ip: 10.0.0.4 } } } }
vnets: { prod: { rules: [ { group: gg } ] } }
",
    );
    assert!(!findings.iter().any(|finding| finding.starts_with("error")), "{findings:?}");
    assert!(files["pve/sdn/firewall/prod.fw"].contains("FORWARD DROP -p tcp -dport 6"));
    assert!(!files["pve/firewall/100.fw"].contains("FORWARD"));
    assert!(files["pve/nodes/h1/host.fw"].contains("FORWARD DROP -p tcp -dport 23"));
}
