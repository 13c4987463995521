//! Every row of the table "where the two implementations differ, and what fwc does" that speaks of this
//! output; each test names its row.

use crate::diagnostic::Severity;

use super::*;

fn has(rules: &[String], part: &str) -> bool {
    rules.iter().any(|rule| rule.contains(part))
}

/// Row: forward and vnet rules: enforced.
#[test]
fn forward_and_vnet_rules_are_enforced() {
    let text = file(&with(
        "datacenter: { rules: [ { forward: drop, proto: tcp, dport: 25 } ] }\n\
         vnets: { prod: { options: { policy_forward: drop }, rules: [ { forward: accept, proto: tcp, dport: 80 } ] } }\n",
    ));
    assert!(has(&chain(&text, "inet", "forward"), "tcp dport 25 drop"));
    let vnet = chain(&text, "bridge", "vnet-prod");
    assert!(place(&vnet, "tcp dport 80 accept") < place(&vnet, "drop"));
    assert!(has(&chain(&text, "bridge", "forward"), "meta ibrname vmap @vnet-forward"));
    assert!(text.contains("\"prod\" : goto vnet-prod"));
}

/// Row: forward and vnet rules: enforced, also on the bridge that a host makes beside a vnet's for a tag.
#[test]
fn a_vnet_judges_the_bridges_of_its_tags() {
    let tagged = guest("rules: []").replace("vmbr0", "prod, tag: 100");
    let text = file(&format!("{tagged}vnets: {{ prod: {{ rules: [ {{ forward: drop }} ] }} }}"));
    assert!(text.contains("\t\t\t\"prod\" : goto vnet-prod,\n\t\t\t\"prodv100\" : goto vnet-prod\n"), "{text}");
}

/// Row: vnet rules hold between a guest of the vnet and the host, and not between others and the host.
#[test]
fn a_vnet_stands_between_its_guests_and_the_host() {
    let text = file(
        &(guest("rules: []").replace("vmbr0", "prod")
            + "vnets: { prod: { rules: [ { forward: drop, proto: udp } ] } }"),
    );
    let unknown = "iifname @interfaces-1327dca1 meta mark set meta mark & 0xefffffff";
    assert_eq!(chain(&text, "bridge", "input"), ["iifname vmap @from-vnet", unknown, "accept"]);
    assert!(text.contains("\t\t\t\"tap100i0\" : goto from-vnet-prod\n"));
    assert_eq!(chain(&text, "inet", "vnet-prod")[2], "meta l4proto 17 drop");
    assert!(text.contains("\t\t\t\"tap100i0\" : goto vnet-prod\n"));
    let unknown = "oifname @interfaces-1327dca1 meta mark set meta mark & 0xefffffff";
    assert_eq!(chain(&text, "bridge", "output")[4..], ["oifname vmap @to-vnet", unknown, "accept"]);
    assert_eq!(chain(&text, "bridge", "vnet-prod").last().unwrap(), "accept");
}

/// Its chain is not that where vnets judge what the host keeps.
#[test]
fn a_vnet_may_be_called_input() {
    let text = file(
        &(guest("rules: []").replace("vmbr0", "input")
            + "vnets: { input: { rules: [ { forward: drop, proto: udp } ] } }"),
    );
    assert_eq!(chain(&text, "inet", "vnet-input").last().unwrap(), "accept");
    assert!(has(&chain(&text, "inet", "vnet-input.2"), "meta l4proto 17 drop"));
    assert_eq!(text.matches("\tchain vnet-input {").count(), 1);
}

/// What the host routes from or to a guest of a vnet is host-forward's; only ARP and the like is judged at the port.
#[test]
fn a_vnet_is_not_asked_about_what_the_host_routes() {
    let text = file(
        &(guest("rules: []").replace("vmbr0", "prod")
            + "vnets: { prod: { rules: [ { forward: drop, proto: udp } ] } }"),
    );
    assert_eq!(
        chain(&text, "bridge", "from-vnet-prod"),
        [
            "ether type 0x88a8 goto vnet-prod",
            "meta protocol != @frame-ip goto vnet-prod",
            "meta mark set meta mark | 0x08000000",
            "accept"
        ]
    );
    assert_eq!(
        chain(&text, "inet", "vnet-input"),
        ["meta mark & 0x08000000 == 0x08000000 goto from-vnet-prod", "accept"]
    );
    assert!(chain(&text, "inet", "hook-vnet-input")[0].contains("hook input priority -10;"));
    assert_eq!(chain(&text, "inet", "from-vnet-prod"), ["meta mark set meta mark & 0xf7ffffff", "goto vnet-prod"]);
    let forward = ["meta mark & 0x40000000 == 0x40000000 accept", "meta mark set meta mark & 0xf7ffffff | 0x20000000"];
    assert_eq!(chain(&text, "inet", "forward")[0..2], forward);
    assert_eq!(chain(&text, "bridge", "output")[0], "meta mark & 0x20000000 == 0x20000000 accept");
    // What the host sends through a tunnel is its own again.
    let own = "meta mark & 0x20000000 == 0x20000000 meta mark set meta mark & 0xdfffffff";
    assert_eq!(chain(&text, "inet", "output")[0], own);
    assert_eq!(chain(&text, "bridge", "hook-postrouting-again")[2], "meta mark set meta mark & 0x8fffffff");
}

/// Each vnet has its own value of as few bits as tell them apart.
#[test]
fn vnets_are_told_apart_by_the_mark() {
    let nic = |vnet: &str, at: u32| format!("net{at}: {{ bridge: {vnet}, mac: 'BC:24:11:00:00:{at}4' }}");
    let spec = |vnets: &[&str]| {
        let nics: Vec<String> = vnets.iter().zip(0..).map(|(vnet, at)| nic(vnet, at)).collect();
        let all: Vec<String> = vnets
            .iter()
            .map(|vnet| format!("{vnet}: {{ options: {{ policy_forward: drop, log_level_forward: info }} }}"))
            .collect();
        let guest = format!("vms: {{ 100: {{ host: pm1, nics: {{ {} }} }} }}\n", nics.join(", "));
        file(&with(&format!("{guest}vnets: {{ empty: {{}}, {} }}\n", all.join(", "))))
    };
    let two = spec(&["aa", "bb"]);
    assert_eq!(
        chain(&two, "inet", "vnet-input"),
        [
            "meta mark & 0x0c000000 == 0x04000000 goto from-vnet-aa",
            "meta mark & 0x0c000000 == 0x08000000 goto from-vnet-bb",
            "accept"
        ]
    );
    assert_eq!(chain(&two, "bridge", "from-vnet-aa")[2], "meta mark set meta mark & 0xf7ffffff | 0x04000000");
    assert_eq!(chain(&two, "bridge", "from-vnet-bb")[2], "meta mark set meta mark & 0xfbffffff | 0x08000000");
    let four = spec(&["aa", "bb", "cc", "dd"]);
    assert_eq!(chain(&four, "bridge", "from-vnet-dd")[2], "meta mark set meta mark & 0xf9ffffff | 0x08000000");
    assert!(chain(&four, "inet", "forward")[1].contains("& 0xf1ffffff | 0x20000000"));
}

/// A finding about a vnet's rule, which stands in both tables, is said once.
#[test]
fn a_rule_in_both_tables_is_complained_about_once() {
    let spec =
        guest("rules: []").replace("vmbr0", "prod") + "vnets: { prod: { rules: [ { forward: drop, proto: 43 } ] } }";
    let compiled = compile(&spec);
    let found: Vec<_> = compiled.diagnostics.iter().collect();
    let [error] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(error.code.as_str(), "nft::protocol");
}

const CLUSTER: &str = "version: 1\n\
    datacenter: { options: { policy_out: drop }, ipsets: { management: 192.0.2.1 }, rules: [ { in: drop, proto: tcp, dport: 22 } ] }\n\
    hosts: { pm1: { addresses: 10.0.0.11/24, targets: nft }, pm2: { addresses: 10.0.0.12/24, targets: [] } }\n";

/// Rows: management and corosync accepts stand after the user's rules; migration ports; corosync from peers only.
#[test]
fn cluster_traffic_comes_after_the_rules_and_from_peers_only() {
    let text = file(CLUSTER);
    let input = chain(&text, "inet", "input");
    let own = place(&input, "tcp dport 22 drop");
    let corosync = place(&input, "ip saddr 10.0.0.12 ip daddr 10.0.0.11 udp dport 5405-5412 accept");
    let management = input.iter().position(|rule| rule.starts_with("ip saddr @") && rule.contains("tcp dport @ports"));
    assert!(own < management.unwrap() && own < corosync);
    assert!(text.contains("\t\t\t60000-60050\n"));
    assert!(!text.contains("5404"));
}

/// Row: host-out under a drop policy permits cluster traffic.
#[test]
fn a_closed_host_still_speaks_to_its_cluster() {
    let output = chain(&file(CLUSTER), "inet", "output");
    assert!(has(&output, "ip daddr 10.0.0.0/24 tcp dport @ports"));
    let corosync = place(&output, "ip saddr 10.0.0.11 ip daddr 10.0.0.12 udp dport 5405-5412 accept");
    assert!(corosync < output.len() - 1);
    assert_eq!(output.last().unwrap(), "drop");
}

/// Row: smurfs, tcpflags, blacklist: host and guest-in.
#[test]
fn protective_stages_stand_before_host_and_guest() {
    let text = file(
        &(guest("rules: []").replace("targets", "options: { tcpflags: true }, targets")
            + "datacenter: { ipsets: { blacklist: 198.51.100.0/24 } }"),
    );
    for rules in [chain(&text, "inet", "input"), around(&text, "in").0] {
        assert!(has(&rules, "ip saddr 198.51.100.0/24 drop"));
        assert!(has(&rules, "ct state new,invalid drop"));
        assert!(has(&rules, "tcp flags & (fin|syn) == fin|syn drop"));
        assert!(has(&rules, "tcp flags & (fin|syn|rst|psh|ack|urg) == 0x0 drop"));
    }
    let (out, _) = around(&text, "out");
    assert!(!has(&out, "tcp flags") && !has(&out, "198.51.100.0"));
}

/// Rows: ICMP errors before MAC and IP filter: no; a spoofed source in another guest's established flow: dropped.
#[test]
fn sources_are_filtered_before_anything_is_accepted() {
    let text = file(&guest("options: { ipfilter: true }"));
    let (out, _) = around(&text, "out");
    let mac = place(&out, "iifname . ether saddr != @nic-mac drop");
    let arp = place(&out, "meta protocol arp iifname . arp saddr ether != @nic-mac drop");
    let filter = place(&out, "jump ipfilter-guest-out");
    let first_accept = out.iter().position(|rule| rule.ends_with("accept")).unwrap();
    assert!(mac < first_accept && arp < first_accept && filter < first_accept);
    assert!(filter < place(&out, "ct state established,related accept"));
}

/// Rows: `ipfilter-net<N>` without `ipfilter: 1` filters; link-local added to an own set.
#[test]
fn a_set_of_sources_filters_by_itself_and_keeps_neighbour_discovery_alive() {
    let text = file(&guest("ipsets: { ipfilter-net0: 10.5.5.5 }"));
    assert!(has(&around(&text, "out").0, "jump ipfilter-guest-out"));
    for element in ["\"tap100i0\" . 10.0.1.100", "\"tap100i0\" . 10.5.5.5", "\"tap100i0\" . fe80::be24:11ff:fe00:64"] {
        assert!(text.contains(element), "{element} in {text}");
    }
}

/// Rows: DHCP with an IP filter; duplicate address detection and ARP probes pass.
#[test]
fn an_ip_filter_lets_a_guest_get_its_address() {
    let text = file(&guest("options: { ipfilter: true }"));
    assert_eq!(
        chain(&text, "bridge", "ipfilter-guest-out"),
        [
            "iifname . ip saddr @nic-ip return",
            "iifname . ip6 saddr @nic-ip6 return",
            "ip saddr 0.0.0.0 udp sport 68 udp dport 67 return",
            "ip6 saddr :: icmpv6 type 135 return",
            "meta protocol arp iifname . arp saddr ip @nic-ip return",
            "meta protocol arp arp saddr ip 0.0.0.0 return",
            "meta protocol @frame-ip drop",
            "meta protocol arp drop",
        ]
    );
}

/// A NIC that may speak from networks has rules of its own: no set of intervals is keyed by interface.
#[test]
fn networks_of_sources_are_plain_rules() {
    let text = file(&guest("ipsets: { ipfilter-net0: [10.5.0.0/16, 10.7.0.0/16] }"));
    let filter = chain(&text, "bridge", "ipfilter-guest-out");
    assert!(filter[0].starts_with("ip saddr @addresses-v4-") && filter[0].ends_with(" return"), "{filter:#?}");
    assert!(has(&filter, "meta protocol arp arp saddr ip @addresses-v4-"));
    assert!(!text.contains("\"tap100i0\" . 10."));
}

/// Row: guest `reject`: real from the guest, a drop with a warning towards it; real towards a host.
#[test]
fn reject_towards_a_guest_is_a_drop_with_a_warning() {
    let spec = guest("rules: [ { group: gg }, { out: reject, proto: tcp, dport: 26 } ]")
        + "groups: { gg: [ { in: reject, proto: tcp, dport: 25 } ] }\ndatacenter: { rules: [ { group: gg } ] }\n";
    let compiled = compile(&spec);
    let found: Vec<_> = compiled.diagnostics.iter().collect();
    let [warning] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((warning.severity, warning.code.as_str()), (Severity::Warning, "nft::reject-becomes-drop"));
    let text = &compiled.files[0].content;
    assert_eq!(chain(text, "bridge", "group-gg-in"), ["tcp dport 25 drop"]);
    assert_eq!(chain(text, "inet", "group-gg-in"), ["tcp dport 25 goto reject-packet"]);
    assert!(chain(text, "bridge", "guest-100-out").contains(&"tcp dport 26 goto reject-packet".to_owned()));
}

/// The same for a policy.
#[test]
fn a_reject_policy_towards_a_guest_is_a_drop_with_a_warning() {
    let compiled = compile(&guest("options: { policy_in: reject, policy_out: reject }"));
    assert_eq!(compiled.diagnostics.len(), 1, "{:#?}", compiled.diagnostics);
    let text = &compiled.files[0].content;
    assert_eq!(around(text, "in").1.last().unwrap(), "drop");
    assert_eq!(around(text, "out").1.last().unwrap(), "goto reject-packet");
    assert!(
        around(text, "out")
            .1
            .iter()
            .any(|rule| rule.starts_with("udp dport @") && rule.ends_with("goto reject-packet"))
    );
}

/// Row: reject of UDP: port-unreachable.
#[test]
fn rejected_udp_hears_that_the_port_is_unreachable() {
    let text = file(&with("datacenter: { rules: [ { in: reject, proto: udp } ] }"));
    let reject = chain(&text, "inet", "reject-packet");
    let udp = place(&reject, "meta l4proto 17 reject with icmpx type port-unreachable");
    assert!(place(&reject, "meta l4proto 6 reject with tcp reset") < udp);
    assert!(place(&reject, "meta nfproto ipv4 meta l4proto 1 drop") < udp);
    assert!(udp < place(&reject, "meta nfproto ipv4 reject with icmp type host-prohibited"));
    assert_eq!(reject.last().unwrap(), "drop");
}

/// Row: VLAN-tagged guest frames never bypass. `ether type` would see the tag, so no rule asks for it, nor makes
/// nft ask for it by itself, as `icmp type` without `meta protocol` does.
#[test]
fn tagged_frames_meet_the_same_rules() {
    let text = file(&guest("options: { ipfilter: true }, rules: [ { in: accept, macro: Ping } ]"));
    let bridge = text.split("table bridge fwc {").nth(1).unwrap();
    for line in bridge.lines().map(str::trim) {
        assert!(!line.contains("ether type") || line.starts_with("ether type 0x88a8 drop"), "{line}");
        let icmp = line.contains("icmp type") || line.contains("icmpv6 type");
        let named = ["meta protocol ip", "ip saddr", "ip6 saddr", "reject with"].iter().any(|part| line.contains(part));
        assert!(!icmp || named, "{line}");
        assert!(!line.contains("arp saddr") || line.starts_with("meta protocol arp "), "{line}");
    }
    for direction in ["in", "out"] {
        let (before, _) = around(&text, direction);
        assert_eq!(before[..2], ["ether type 0x88a8 drop", "meta protocol @frame-tag drop"]);
    }
}

/// Row: `dhcp: false`, `ndp: false`: no accept rule, and no drop either.
#[test]
fn without_dhcp_and_ndp_nothing_speaks_of_them() {
    let text = file(&guest("options: { dhcp: false, ndp: false, radv: true }"));
    let (into, out) = (around(&text, "in").0, around(&text, "out").0);
    assert!(!has(&into, "dport 68") && !has(&out, "dport 67") && !has(&into, "icmpv6") && !has(&out, "icmpv6"));
    let text = file(&guest("options: { dhcp: true }"));
    assert!(has(&around(&text, "in").0, "meta protocol ip udp sport 67 udp dport 68 accept"));
}

/// Row: port 0 is as written.
#[test]
fn port_zero_is_a_port() {
    let text = file(&guest("rules: [ { in: accept, proto: tcp, dport: 0 } ]"));
    assert!(has(&chain(&text, "bridge", "guest-100-in"), "tcp dport 0 accept"));
}

/// Rows: an ICMP type accepts that type alone; a family-specific source with a two-family macro is IPv4 only.
#[test]
fn ping_from_ipv4_is_ipv4_alone() {
    let text = file(&guest("rules: [ { in: accept, macro: Ping, source: 10.0.0.0/8 } ]"));
    let rules = chain(&text, "bridge", "guest-100-in");
    assert_eq!(rules[1..rules.len() - 1], ["ip saddr 10.0.0.0/8 icmp type 8 accept"]);
}

/// Rows: exclusions are subtracted, the most specific prefix wins; entries that are one network are merged.
#[test]
fn exclusions_are_subtracted() {
    let text = file(
        &(guest("rules: [ { in: accept, proto: tcp, dport: 22, source: +trusted } ]")
            + "datacenter: { ipsets: { trusted: [10.0.0.0/24, '!10.0.0.128/25', 10.0.0.200, 10.0.0.0/25] } }"),
    );
    assert!(has(&chain(&text, "bridge", "guest-100-in"), "ip saddr @ipset-trusted-v4 tcp dport 22 accept"));
    assert!(text.contains("10.0.0.0/25,\n\t\t\t10.0.0.200\n"), "{text}");
}

/// Row: names are case-sensitive.
#[test]
fn groups_that_differ_by_case_are_two() {
    let text = file(
        &(guest("rules: [ { group: web }, { group: Web } ]")
            + "groups: { web: [ { in: accept, proto: tcp, dport: 80 } ], Web: [ { in: accept, proto: tcp, dport: 81 } ] }"),
    );
    assert_eq!(chain(&text, "bridge", "group-web-in"), ["tcp dport 80 accept"]);
    assert_eq!(chain(&text, "bridge", "group-Web-in"), ["tcp dport 81 accept"]);
}

/// Row: `nf_conntrack_allow_invalid`: forwarded (guest) traffic only.
#[test]
fn invalid_is_allowed_for_guests_alone() {
    let text = file(&guest("rules: []").replace("targets", "options: { nf_conntrack_allow_invalid: true }, targets"));
    assert!(has(&chain(&text, "inet", "input"), "ct state invalid drop"));
    assert!(!has(&chain(&text, "inet", "forward"), "ct state invalid drop"));
    assert!(
        !has(&around(&text, "in").0, "ct state invalid drop") && !has(&around(&text, "out").0, "ct state invalid drop")
    );
}

/// Row: log prefix action: the verdict as written, also where a rejection is a drop.
#[test]
fn log_lines_name_the_verdict_as_written() {
    let spec = guest("options: { log_level_in: warning }, rules: [ { in: reject, proto: tcp, dport: 25, log: info } ]");
    let compiled = compile(&spec);
    let text = &compiled.files[0].content;
    assert_eq!(
        chain(text, "bridge", "log-guest-in-info-reject-100"),
        ["limit rate 1/second burst 5 packets log prefix \":100:6:guest-in: REJECT: \" group 0"]
    );
    assert_eq!(chain(text, "bridge", "log-guest-in-info-reject"), ["oifname vmap @log-guest-in-info-reject", "drop"]);
    assert_eq!(
        chain(text, "bridge", "log-guest-in-warning-policy-drop-100"),
        ["limit rate 1/second burst 5 packets log prefix \":100:4:guest-in: policy DROP: \" group 0"]
    );
}

/// Row: `ips`, `layer2_protocols`: an error in nft.
#[test]
fn options_of_iptables_are_errors() {
    for option in ["ips: true", "layer2_protocols: [IPv4, ARP]"] {
        let compiled = compile(&guest(&format!("options: {{ {option} }}")));
        let found: Vec<_> = compiled.diagnostics.iter().collect();
        let [error] = found.as_slice() else { panic!("{found:#?}") };
        assert_eq!((error.severity, error.code.as_str()), (Severity::Error, "nft::unsupported-option"));
        assert!(compiled.files.is_empty());
    }
    assert!(compile(&guest("options: { ips: true, enable: false }")).diagnostics.is_empty());
}

/// nft looks through IPv6's extension headers: a rule for one would match no IPv6 packet.
#[test]
fn extension_headers_are_errors_where_the_rule_may_be_ipv6() {
    let rule = |rest: &str| with(&format!("datacenter: {{ rules: [ {{ in: drop, {rest} }} ] }}\n"));
    for proto in [0, 43, 44, 60] {
        for addresses in ["", ", source: '2001:db8::/32'"] {
            let compiled = compile(&rule(&format!("proto: {proto}{addresses}")));
            let found: Vec<_> = compiled.diagnostics.iter().collect();
            let [error] = found.as_slice() else { panic!("{found:#?}") };
            assert_eq!((error.severity, error.code.as_str()), (Severity::Error, "nft::protocol"));
            assert!(compiled.files.is_empty());
        }
        let text = file(&rule(&format!("proto: {proto}, source: 192.0.2.0/24")));
        assert!(has(&chain(&text, "inet", "input"), &format!("ip saddr 192.0.2.0/24 meta l4proto {proto} drop")));
    }
    for proto in ["ah", "esp", "59"] {
        assert!(compile(&rule(&format!("proto: {proto}"))).diagnostics.is_empty(), "{proto}");
    }
}
