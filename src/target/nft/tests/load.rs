//! What makes a load fast, or wrong: sharing, order, and the traps of the bridge.

use super::*;

const TWO: &str = "vms:\n\
    \x20 100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' }, net1: { bridge: vmbr1, mac: 'BC:24:11:00:01:64' } }, rules: [ { in: accept, proto: tcp, dport: 22 } ] }\n\
    \x20 101: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:65' } }, rules: [ { in: accept, proto: tcp, dport: 22 } ] }\n";

#[test]
fn equal_guests_and_their_nics_share_one_chain() {
    let text = file(&with(TWO));
    for device in ["tap100i0", "tap100i1", "tap101i0"] {
        assert!(text.contains(&format!("\"{device}\" : goto guest-100-in")), "{text}");
    }
    assert!(!text.contains("chain guest-101"), "{text}");
}

#[test]
fn a_rule_for_one_nic_is_that_nics_alone() {
    let spec = TWO.replacen("dport: 22 }", "dport: 22, iface: net1 }", 1);
    let text = file(&with(&spec));
    let rules = chain(&text, "bridge", "guest-100-in");
    assert_eq!(rules[1..rules.len() - 1], ["oifname @nic-net1 tcp dport 22 accept"]);
    assert!(
        text.contains("\tset nic-net1 {\n\t\ttype ifname\n\t\telements = {\n\t\t\t\"tap100i1\"\n\t\t}\n"),
        "{text}"
    );
    for device in ["tap100i0", "tap100i1"] {
        assert!(text.contains(&format!("\"{device}\" : goto guest-100-in")), "{text}");
    }
}

/// The condition stands at the rule, and so guests whose rules are equal share them all the same.
#[test]
fn rules_for_one_nic_are_shared_by_equal_guests() {
    let spec =
        TWO.replace("dport: 22 }", "dport: 22, iface: net0 }, { out: drop, proto: tcp, dport: 25, iface: net0 }");
    let text = file(&with(&spec));
    assert!(text.contains("\t\t\t\"tap100i0\",\n\t\t\t\"tap101i0\"\n"), "{text}");
    assert!(text.contains("\"tap101i0\" : goto guest-100-in") && !text.contains("chain guest-101"), "{text}");
    let out = chain(&text, "bridge", "guest-100-out");
    assert!(out.contains(&"iifname @nic-net0 tcp dport 25 drop".to_owned()), "{out:#?}");
}

/// A group that a guest calls for one NIC, and rules of a zone for one.
#[test]
fn groups_and_zones_for_one_nic_are_that_nics_alone() {
    let zone = "datacenter: { guests: { rules: [ { in: accept, proto: udp, dport: 53, iface: net1 }, { group: web, iface: net0 } ] } }\n\
                groups: { web: [ { in: accept, proto: tcp, dport: 80 } ] }\n";
    let text = file(&(with(TWO) + zone));
    let rules = chain(&text, "bridge", "datacenter-guests-in");
    assert_eq!(rules, ["oifname @nic-net1 udp dport 53 accept", "oifname @nic-net0 jump group-web-in"]);
    assert!(text.contains("\t\t\t\"tap100i0\",\n\t\t\t\"tap101i0\"\n"), "{text}");
}

/// The set is there, empty, where the NIC of a rule is not filtered.
#[test]
fn a_rule_for_a_nic_that_is_not_filtered_names_an_empty_set() {
    let spec =
        TWO.replacen("dport: 22 }", "dport: 22, iface: net1 }", 1).replacen("01:64'", "01:64', firewall: false", 1);
    let text = file(&with(&spec));
    assert!(text.contains("\tset nic-net1 {\n\t\ttype ifname\n\t}\n"), "{text}");
}

/// Alternatives of one rule that differ by ports alone are one rule.
#[test]
fn a_macro_of_two_ports_is_one_rule() {
    let text = file(&guest("rules: [ { in: accept, macro: Web, source: 203.0.113.0/24 } ]"));
    let rules = chain(&text, "bridge", "guest-100-in");
    let [_, web, _] = rules.as_slice() else { panic!("{rules:#?}") };
    assert!(web.starts_with("ip saddr 203.0.113.0/24 tcp dport @ports-") && web.ends_with(" accept"), "{web}");
    assert!(text.contains("\t\t\t80,\n\t\t\t443\n"), "{text}");
}

/// Comments say where a rule stands in the spec, but for the number of a guest that may share it with others.
#[test]
fn comments_name_the_zone_and_the_rule() {
    let more = "datacenter: { guests: { rules: [ { id: dns, in: accept, macro: DNS } ] } }\n\
                groups: { web: [ { id: http, in: accept, proto: tcp, dport: 80 } ] }\n";
    let rules = "rules: [ { id: ssh, in: accept, proto: tcp, dport: 22 }, { id: pages, group: web } ]";
    let text = file(&(guest(rules) + more));
    for (rule, comment) in [
        ("tcp dport 22 accept", "guest ssh"),
        ("jump group-web-in", "guest pages"),
        ("tcp dport 80 accept", "group/web http"),
        ("udp dport 53 accept", "datacenter/guests dns"),
    ] {
        assert!(text.contains(&format!("\t\t{rule} comment \"{comment}\"\n")), "{rule} in {text}");
    }
}

/// Guests that log share their chains too; only the stub that knows the number is their own.
#[test]
fn logging_guests_share_their_rules() {
    let text = file(&with(&TWO.replace("dport: 22 }", "dport: 22, log: info }")));
    assert!(text.contains("\"tap101i0\" : goto guest-100-in"), "{text}");
    for (device, number) in [("tap100i0", 100), ("tap100i1", 100), ("tap101i0", 101)] {
        assert!(text.contains(&format!("\"{device}\" : jump log-guest-in-info-accept-{number}")), "{text}");
    }
}

/// On Linux the kernel log gets the lines, and the datacenter's limit can be lifted.
#[test]
fn linux_logs_to_the_kernel() {
    let spec = with(
        "datacenter: { options: { log_ratelimit: { enable: false } }, rules: [ { in: drop, proto: udp, log: err } ] }",
    );
    let text = file(&spec.replace("targets", "platform: linux, targets"));
    assert_eq!(
        chain(&text, "inet", "log-host-in-err-drop"),
        ["log prefix \"fwc :0:3:host-in: DROP: \" level err", "drop"]
    );
}

/// nft has a word of its own for one level.
#[test]
fn a_warning_is_called_warn() {
    let spec = with("datacenter: { rules: [ { in: drop, proto: udp, log: warning } ] }");
    let text = file(&spec.replace("targets", "platform: linux, targets"));
    assert!(text.contains("log prefix \"fwc :0:4:host-in: DROP: \" level warn\n"), "{text}");
}

/// nft 1.0.6 finds a map's chains only if they stand before it, and a rule's sets likewise.
#[test]
fn everything_stands_before_it_is_named() {
    let text = file(&with(&TWO.replace("dport: 22 }", "dport: [22, 80], log: info }")));
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().map(str::trim) {
        let words: Vec<&str> = line.trim_end_matches([',', '{']).split_whitespace().collect();
        if let [kind @ ("set" | "map" | "chain"), name] = words.as_slice() {
            assert!(seen.insert((*kind, name.to_string())) || text.contains("table bridge"), "{line}");
            continue;
        }
        for pair in words.windows(2) {
            if let ["goto" | "jump", target] = pair {
                assert!(seen.contains(&("chain", target.to_string())), "{line}");
            }
        }
        for word in words.iter().filter_map(|word| word.strip_prefix('@')) {
            assert!(seen.contains(&("set", word.to_owned())) || seen.contains(&("map", word.to_owned())), "{line}");
        }
    }
}

/// An answer made by `reject` leaves as `invalid`; nothing else that is not forwarded does.
#[test]
fn answers_of_reject_reach_the_guest() {
    let post = chain(&file(&guest("rules: []")), "bridge", "postrouting");
    assert_eq!(
        post,
        [
            "tcp flags & (rst) == rst ct state invalid meta mark & 0x40000000 == 0 accept",
            "meta protocol ip icmp type 3 ct state invalid meta mark & 0x40000000 == 0 accept",
            "meta protocol ip6 icmpv6 type 1 ct state invalid meta mark & 0x40000000 == 0 accept",
            "oifname vmap @guest-in",
            "oifname @interfaces-1327dca1 meta mark set meta mark & 0xefffffff",
            "accept",
        ]
    );
}

/// Where invalid packets are routed, one from outside is no answer of the host's, and meets the guest's rules.
#[test]
fn routed_packets_are_no_answers() {
    let open = "options: { nf_conntrack_allow_invalid: true }, targets";
    let spec = guest("rules: []").replace("vmbr0", "prod").replace("targets", open) + "vnets: { prod: {} }\n";
    let text = file(&spec);
    let forward = ["meta mark & 0x40000000 == 0x40000000 accept", "meta mark set meta mark & 0xf7ffffff | 0x20000000"];
    assert_eq!(chain(&text, "inet", "forward")[0..2], forward);
    let post = chain(&text, "bridge", "postrouting");
    for answer in &post[0..3] {
        assert!(answer.ends_with("ct state invalid meta mark & 0x60000000 == 0 accept"), "{answer}");
    }
    // The bits stay until nobody asks for them any more.
    assert_eq!(chain(&text, "bridge", "hook-postrouting-again")[2], "meta mark set meta mark & 0x8fffffff");
    let output = chain(&text, "bridge", "output");
    assert_eq!(output[0], "meta mark & 0x20000000 == 0x20000000 accept");
    for answer in &output[1..4] {
        assert!(answer.ends_with("ct state invalid accept"), "{answer}");
    }
    let without = spec.replace("bridge: prod", "bridge: vmbr0");
    assert_eq!(chain(&file(&without), "inet", "forward")[1], "meta mark set meta mark | 0x20000000");
    assert!(!file(&guest("rules: []")).contains("0x20000000"), "invalid packets are not routed");
    assert!(!file(&guest("options: { enable: false }").replace("targets", open)).contains("0x20000000"));
}

/// With `bridge-nf-call-iptables` on, bridged frames come by the host's forward chain and are none of its business.
#[test]
fn bridged_frames_are_not_routed() {
    let text = file(&guest("rules: []"));
    assert_eq!(chain(&text, "inet", "forward")[0], "meta mark & 0x40000000 == 0x40000000 accept");
    assert_eq!(chain(&text, "bridge", "forward")[0], "meta mark set meta mark | 0x40000000");
    assert!(!file(&HOST.replace("targets", "platform: linux, targets")).contains("0x40000000"));
}

/// Also where no hook judges them: else a host's closed forward hook would cut off guests that no one filters.
#[test]
fn bridged_frames_are_not_routed_where_no_guest_is_filtered() {
    let off = guest("options: { enable: false }");
    let vnet = HOST.to_owned() + "vnets: { prod: { options: { enable: false } } }\n";
    let synflood = HOST.replace("targets", "options: { protection_synflood: true }, targets");
    let linux = |spec: &str| spec.replace("targets", "platform: linux, targets");
    for spec in [&off, &vnet, HOST, &linux(&off), &linux(&vnet), &synflood] {
        let text = file(spec);
        assert_eq!(chain(&text, "inet", "forward")[0], "meta mark & 0x40000000 == 0x40000000 accept");
        assert_eq!(
            text.split("\ntable bridge fwc {\n").nth(1).expect("the table"),
            "\tchain forward {\n\t\tmeta mark set meta mark | 0x40000000\n\t\taccept\n\t}\n\n\
             \tchain hook-forward {\n\t\ttype filter hook forward priority -200; policy accept;\n\
             \t\tmeta mark set meta mark | 0x10000000\n\t\tgoto forward\n\t}\n\n\
             \tchain hook-forward-again {\n\t\ttype filter hook forward priority -199; policy accept;\n\
             \t\tmeta mark & 0x10000000 == 0 goto forward comment \"met no rules yet, as they are being replaced\"\n\
             \t\tmeta mark set meta mark & 0xefffffff\n\t\taccept\n\t}\n\n\
             \tchain postrouting {\n\t\ttype filter hook postrouting priority 0; policy accept;\n\
             \t\tmeta mark set meta mark & 0xbfffffff\n\t\taccept\n\t}\n}\n"
        );
    }
}

/// Below -200 the bridge's own conntrack has not run, and on a second load would come after.
#[test]
fn priorities_stay_above_conntrack() {
    let spec = guest("rules: []")
        .replace("targets", "options: { nf_conntrack_helpers: ftp, protection_synflood: true }, targets");
    let text = file(&spec);
    assert!(chain(&text, "bridge", "hook-prerouting")[0].contains("priority -100;"));
    assert!(chain(&text, "bridge", "helpers")[0].contains("hook prerouting priority -150;"));
    assert_eq!(chain(&text, "bridge", "helpers")[1..], ["tcp dport 21 ct helper set \"helper-ftp\"", "accept"]);
    assert!(chain(&text, "inet", "raw")[0].contains("hook prerouting priority -300;"));
    // What goes to the host is counted there alone.
    assert!(chain(&text, "bridge", "synflood")[0].contains("hook forward"));
    for (name, family) in [("raw", "inet"), ("synflood", "bridge")] {
        assert!(chain(&text, family, name)[1].ends_with("limit rate over 200/second burst 1000 packets } drop"));
    }
}

/// A name of a zone may fill a comment; what the rule is called stays.
#[test]
fn a_comment_keeps_the_identity() {
    let label = "a".repeat(60);
    let name = format!("{label}.{label}.{label}.example");
    let rules = "rules: [ { id: lets-the-office-in, in: accept, macro: SSH } ], targets";
    let compiled = compile(&HOST.replace("pm1:", &format!("{name}:")).replace("targets", rules));
    let text = &compiled.files[0].content;
    let comment = text.lines().filter_map(|line| line.split("comment \"").nth(1)?.strip_suffix('"'));
    let comments: Vec<&str> = comment.filter(|text| text.starts_with("host/")).collect();
    assert!(!comments.is_empty() && comments.iter().all(|text| text.len() == 128), "{comments:?}");
    assert!(comments.iter().all(|text| text.ends_with(" lets-the-office-in")), "{comments:?}");
}

#[test]
fn a_flood_of_sources_has_room() {
    let text = file(&HOST.replace("targets", "options: { protection_synflood: true }, targets"));
    let set = "\t\ttype ipv6_addr\n\t\tsize 786432\n\t\tflags dynamic,timeout\n\t\ttimeout 6s\n";
    assert!(text.contains(set), "{text}");
}

#[test]
fn every_base_chain_decides_by_itself() {
    let text = file(&(guest("rules: []").replace("vmbr0", "prod") + "vnets: { prod: { rules: [] } }"));
    let bases: Vec<&str> = text.split("\tchain ").filter(|part| part.contains("type filter hook")).collect();
    assert!(bases.len() >= 8, "{text}");
    for base in bases {
        let rules = base.split("\n\t}\n").next().unwrap();
        let mut last = rules.lines().last().unwrap().split(" comment").next().unwrap().trim();
        if let Some(to) = last.strip_prefix("goto ") {
            let judging = text.split_once(&format!("chain {to} {{\n")).and_then(|(_, text)| text.split_once("\n\t}\n"));
            last = judging.unwrap().0.lines().last().unwrap().split(" comment").next().unwrap().trim();
        }
        assert!(rules.contains("policy accept;") && ["accept", "drop"].contains(&last), "{base}");
    }
}

#[test]
fn names_that_are_keywords_are_prefixed() {
    let text =
        file(&(guest("rules: [ { group: reject } ]") + "groups: { reject: [ { in: accept, proto: tcp, dport: 1 } ] }"));
    assert!(text.contains("chain group-reject-in {"));
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let spec = with(TWO);
    assert_eq!(file(&spec), file(&spec));
}

/// A packet that crosses while the table is replaced meets the old rules or the new ones: each hook that judges has a second base
/// chain behind both, for what met none. A map that has lost its elements already is no answer.
#[test]
fn no_packet_comes_between_two_versions() {
    let text = file(&(guest("rules: []").replace("vmbr0", "prod") + "vnets: { prod: { rules: [] } }"));
    for (family, names) in [
        ("inet", ["input", "output", "forward", "vnet-input"].as_slice()),
        ("bridge", &["prerouting", "forward", "input", "output", "postrouting"]),
    ] {
        for name in names {
            let priority = |chain: &[String]| -> i32 {
                let words = chain[0].split(['-', ' ', ';']).collect::<Vec<_>>();
                let sign = if chain[0].contains("priority -") { -1 } else { 1 };
                sign * words[words.iter().rposition(|word| *word == "policy").unwrap() - 2].parse::<i32>().unwrap()
            };
            let [first, again] = ["", "-again"].map(|end| chain(&text, family, &format!("hook-{name}{end}")));
            assert_eq!(priority(&again), priority(&first) + 1, "{family} {name}");
            assert_eq!(first[1..], ["meta mark set meta mark | 0x10000000".to_owned(), format!("goto {name}")]);
            assert_eq!(again[1], format!("meta mark & 0x10000000 == 0 goto {name}"));
            assert!(again[2].starts_with("meta mark set meta mark & 0x") && again[3] == "accept", "{again:?}");
            let rules = chain(&text, family, name);
            for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.contains(" vmap @")) {
                let key = rule.split(" vmap ").next().unwrap();
                let lost = rules[at + 1].strip_prefix(key).and_then(|rest| rest.strip_prefix(" @interfaces-")).unwrap();
                assert!(lost.ends_with(" meta mark set meta mark & 0xefffffff"), "{rules:?}");
            }
        }
    }
}
