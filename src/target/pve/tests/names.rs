//! What is hoisted, under which names, and what is kept apart.

use super::{compile, section};

#[test]
fn definitions_of_zones_and_machines_are_hoisted_and_guests_keep_theirs() {
    let (files, findings) = compile(
        "
version: 1
hosts: { pm1: { addresses: [10.0.0.1/24, '2001:db8::1/64'] } }
zones:
  web:
    kind: guest
    aliases: { proxy: { value: 192.0.2.9, comment: the old one } }
    ipsets: { friends: [proxy, 198.51.100.0/24] }
    rules:
      - { id: proxy, in: accept, source: proxy }
      - { id: friends, in: accept, source: +friends }
      - { id: peers, in: accept, source: zone/web }
containers:
  200:
    host: pm1
    inherits: web
    aliases: { mine: 192.0.2.77 }
    ipsets: { ours: [mine, 192.0.2.78] }
    nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:C8', ip: 10.0.0.200/24 } }
    rules:
      - { id: mine, in: accept, source: mine }
      - { id: ours, in: accept, source: +ours }
      - { id: node, in: accept, source: host/pm1 }
      - { id: self, out: drop, dest: ct/200 }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let guest = &files["pve/firewall/200.fw"];
    assert_eq!(
        section(guest, "RULES"),
        [
            "IN ACCEPT -source guest/mine # [mine]",
            "IN ACCEPT -source +guest/ours # [ours]",
            "IN ACCEPT -source +dc/host-pm1 # [node]",
            "OUT DROP -dest +dc/ct-200 # [self]",
            "IN ACCEPT -source dc/zone-web-proxy # [proxy]",
            "IN ACCEPT -source +dc/zone-web-friends # [friends]",
            "IN ACCEPT -source +dc/zone-web # [peers]",
        ]
    );
    assert_eq!(section(guest, "ALIASES"), ["mine 192.0.2.77"]);
    assert_eq!(section(guest, "IPSET ours"), ["mine", "192.0.2.78"]);
    let cluster = &files["pve/firewall/cluster.fw"];
    assert!(section(cluster, "ALIASES").contains(&"zone-web-proxy 192.0.2.9 # the old one"));
    assert_eq!(section(cluster, "IPSET zone-web-friends"), ["192.0.2.9 # proxy", "198.51.100.0/24"]);
    assert_eq!(section(cluster, "IPSET host-pm1"), ["10.0.0.1", "2001:db8::1"]);
    assert_eq!(section(cluster, "IPSET ct-200"), ["10.0.0.200"]);
}

#[test]
fn a_hoisted_name_never_falls_on_one_of_the_datacenters() {
    let (files, findings) = compile(
        "
version: 1
datacenter: { ipsets: { host-pm1: 192.0.2.1 } }
hosts: { pm1: { addresses: 10.0.0.1/24, rules: [ { in: accept, source: host/pm1 }, { in: accept, source: +host-pm1 } ] } }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let rules = section(&files["pve/nodes/pm1/host.fw"], "RULES");
    let name = rules[0].split(' ').nth(3).unwrap().strip_prefix("+dc/").unwrap();
    assert_ne!(name, "host-pm1");
    assert!(rules[1].starts_with("IN ACCEPT -source +dc/host-pm1 "));
    assert_eq!(section(&files["pve/firewall/cluster.fw"], &format!("IPSET {name}")), ["10.0.0.1"]);
}

#[test]
fn long_names_are_cut_and_told_apart() {
    let long = "z".repeat(64);
    let (files, findings) = compile(&format!(
        "
version: 1
hosts: {{ pm1: {{ inherits: node, addresses: 10.0.0.1/24 }} }}
zones: {{ node: {{ kind: host, ipsets: {{ {long}: 192.0.2.1, {long}a: 192.0.2.2 }}, rules: [ {{ in: accept, source: +{long} }} ] }} }}
"
        ).replace(&format!(", {long}a: 192.0.2.2"), ""));
    assert_eq!(findings, [] as [&str; 0]);
    let rules = section(&files["pve/nodes/pm1/host.fw"], "RULES");
    let name = rules[0].split(' ').nth(3).unwrap().strip_prefix("+dc/").unwrap();
    assert!(name.len() <= 64 && name.starts_with("zone-node-zzz"), "{name}");
}

#[test]
fn names_that_are_one_in_lower_case_are_refused() {
    let (files, findings) = compile(
        "
version: 1
datacenter:
  aliases: { office: 192.0.2.0/24, Office: 198.51.100.0/24 }
  ipsets: { Staff: 192.0.2.0/24, STAFF: 198.51.100.0/24, Management: 203.0.113.1 }
groups: { web: [ { in: accept, macro: Web } ], Web: [ { in: accept, macro: HTTP } ] }
hosts: { pm1: { addresses: 10.0.0.1/24, rules: [ { group: web }, { group: Web } ] } }
",
    );
    assert!(files.is_empty());
    assert_eq!(findings.len(), 4, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.starts_with("error pve::name")));
}

#[test]
fn names_are_lower_case_where_they_are_defined_and_where_they_are_used() {
    let (files, findings) = compile(
        "
version: 1
datacenter:
  aliases: { Office: 192.0.2.0/24 }
  ipsets: { Staff: [Office, 203.0.113.1] }
  rules: [ { id: a, in: accept, source: Office }, { id: b, in: accept, source: +Staff }, { id: c, group: Web } ]
groups: { Web: [ { in: accept, macro: Web } ] }
hosts: { pm1: { addresses: 10.0.0.1/24 } }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let cluster = &files["pve/firewall/cluster.fw"];
    assert_eq!(
        section(cluster, "RULES"),
        ["IN ACCEPT -source dc/office # [a]", "IN ACCEPT -source +dc/staff # [b]", "GROUP web # [c]"]
    );
    assert_eq!(section(cluster, "IPSET staff"), ["office", "203.0.113.1"]);
}

#[test]
fn group_names_have_eighteen_characters_at_most() {
    let spec = |name: &str| {
        compile(&format!(
            "
version: 1
groups: {{ {name}: [ {{ in: accept, macro: Web }} ] }}
hosts: {{ pm1: {{ addresses: 10.0.0.1/24, rules: [ {{ group: {name} }} ] }} }}
"
        ))
        .1
    };
    assert_eq!(spec("abcdefghijklmnopqr"), [] as [&str; 0]);
    assert_eq!(
        spec("abcdefghijklmnopqrs"),
        ["error pve::name `abcdefghijklmnopqrs`: Proxmox VE takes group names of at most 18 characters, and \
             `abcdefghijklmnopqrs` has 19"]
    );
}

#[test]
fn groups_of_other_hosts_do_not_complain() {
    let (_, findings) = compile(
        "
version: 1
groups: { flags-of-the-linux-hosts: [ { in: drop, proto: tcp, tcp_flags: { mask: [syn], set: [syn] } } ] }
hosts:
  pm1: { addresses: 10.0.0.1/24 }
  srv: { addresses: 10.0.0.2/24, platform: linux, rules: [ { group: flags-of-the-linux-hosts } ] }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
}

#[test]
fn what_proxmox_ve_knows_for_the_whole_cluster_is_refused_below_it() {
    let (_, findings) = compile(
        "
version: 1
zones: { node: { kind: host, ipsets: { blacklist: 192.0.2.0/24 } } }
hosts:
  pm1: { addresses: 10.0.0.1/24, inherits: node, aliases: { local_network: 10.0.0.0/8 } }
  srv: { addresses: 10.0.0.2/24, platform: linux, ipsets: { management: 192.0.2.1 } }
",
    );
    assert_eq!(
        findings,
        [
            "error pve::scope `blacklist`: Proxmox VE knows the ipset `blacklist` for the whole cluster only",
            "error pve::scope `local_network`: Proxmox VE knows the alias `local_network` for the whole cluster only",
        ]
    );
}

#[test]
fn management_in_rules_means_what_was_written() {
    let spec = |entries: &str| {
        let (files, findings) = compile(&format!(
            "
version: 1
datacenter: {{ ipsets: {{ management: {entries} }}, rules: [ {{ id: a, in: accept, source: +management }} ] }}
hosts: {{ pm1: {{ addresses: 10.0.0.1/24 }} }}
"
        ));
        assert_eq!(findings, [] as [&str; 0]);
        files["pve/firewall/cluster.fw"].clone()
    };
    // Proxmox VE adds `local_network` to the set, for rules too.
    let cluster = spec("192.0.2.1");
    assert_eq!(section(&cluster, "RULES"), ["IN ACCEPT -source +dc/management-as-written # [a]"]);
    assert_eq!(section(&cluster, "IPSET management-as-written"), ["192.0.2.1"]);
    let cluster = spec("10.0.0.0/16");
    assert_eq!(section(&cluster, "RULES"), ["IN ACCEPT -source +dc/management # [a]"]);
}

#[test]
fn files_that_proxmox_ve_would_not_find_are_refused() {
    let (files, findings) = compile(
        "
version: 1
hosts: { pm1.example.org: { addresses: 10.0.0.1/24 } }
",
    );
    assert!(files.is_empty());
    assert!(findings[0].starts_with("error pve::name `pm1.example.org`"), "{findings:?}");
}

#[test]
fn nothing_breaks_out_of_a_comment() {
    let mut out = String::new();
    let line = super::super::file::RuleLine {
        comment: Some("[x] a\nIN ACCEPT\r\u{2028}b\u{85}c # d".to_owned()),
        ..super::super::file::RuleLine::new(super::super::file::Action::Group("web".to_owned()))
    };
    line.write(&mut out);
    assert_eq!(out, "GROUP web # [x] a IN ACCEPT  b c \u{ff03} d");
}

/// Only what a wanted target needs may complain.
#[test]
fn a_group_that_no_rule_refers_to_is_left_out_where_it_cannot_be_said() {
    let spec = "
version: 1
groups:
  called: [ { in: accept, proto: tcp, dport: 80 } ]
  CALLED: [ { in: accept, proto: tcp, dport: 81 } ]
  spare: [ { in: accept, proto: tcp, dport: 82 } ]
  scans: [ { in: drop, proto: tcp, tcp_flags: { mask: [syn, fin], set: [syn, fin] } } ]
  of-more-than-eighteen: [ { in: accept, proto: tcp, dport: 83 } ]
hosts:
  pm1: { addresses: [10.0.0.1/24], rules: [ { group: called } ] }
  pm2: { addresses: [10.0.0.2/24], targets: nft, rules: [] }
";
    let (files, findings) = compile(spec);
    assert_eq!(findings, [] as [&str; 0]);
    let cluster = &files["pve/firewall/cluster.fw"];
    let called = section(cluster, "group called");
    assert!(called.len() == 1 && called[0].starts_with("IN ACCEPT -p tcp -dport 80"), "{called:?}");
    assert!(cluster.contains("[group spare]") && !cluster.contains("[group scans]"), "{cluster}");
    for left_out in ["CALLED", "scans", "of-more-than-eighteen"] {
        let note = format!("# Left out: group {left_out}, which no rule refers to and Proxmox VE cannot have.\n");
        assert!(cluster.contains(&note), "{cluster}");
    }
    let (_, findings) = compile(&spec.replace("group: called", "group: scans"));
    assert_eq!(findings.len(), 1, "{findings:?}");
}
