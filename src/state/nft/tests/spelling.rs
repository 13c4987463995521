//! One meaning, one spelling.

use super::*;
use crate::state::ruleset::{Set, Test, Value, Verdict};

#[track_caller]
fn same(a: &str, b: &str) {
    assert_eq!(rules(a), rules(b));
}

#[track_caller]
fn differ(a: &str, b: &str) {
    assert_ne!(rules(a), rules(b), "{a} and {b}");
}

#[test]
fn dependencies_are_left_out() {
    same("meta l4proto tcp tcp dport 22 accept", "tcp dport 22 accept");
    same("meta nfproto ipv4 ip saddr 10.0.0.1 accept", "ip saddr 10.0.0.1 accept");
    same("meta nfproto ipv4 icmp type 8 accept", "icmp type echo-request accept");
    same("meta l4proto 6 tcp dport vmap { 22 : accept }", "tcp dport vmap { 22 : accept }");
    same("meta nfproto ipv4 update @s { ip saddr } drop", "update @s { ip saddr } drop");
    same("meta protocol ip tcp dport 22", "meta nfproto ipv4 tcp dport 22");
    differ("meta l4proto tcp accept", "accept");
    differ("meta nfproto ipv4 accept", "accept");
    differ("meta nfproto ipv4 udp sport 68 udp dport 67 return", "udp sport 68 udp dport 67 return");
    differ("meta nfproto ipv6 ip saddr 10.0.0.1", "ip saddr 10.0.0.1");
    differ("meta l4proto != tcp tcp dport 22", "tcp dport 22");
    differ("ip protocol tcp tcp dport 22", "tcp dport 22");
}

#[test]
fn dependencies_hold_for_the_statements_behind_them() {
    differ("meta l4proto tcp limit rate 1/second tcp dport 22", "limit rate 1/second tcp dport 22");
    differ("meta nfproto ipv4 log ip saddr 10.0.0.1 drop", "log ip saddr 10.0.0.1 drop");
    same("log meta l4proto tcp tcp dport 22", "log tcp dport 22");
    differ("log meta l4proto tcp reject with tcp reset", "meta l4proto tcp log reject with tcp reset");
    same("log reject with tcp reset", "meta l4proto tcp log reject with tcp reset");
}

#[test]
fn blanks_of_all_kinds_are_blanks() {
    same("tcp\u{a0}dport \u{b}\t22\u{2003} \r accept \u{3000}", "tcp dport 22 accept");
    same("tcp dport 22\u{a0}accept\u{85}comment \"a\"", "tcp dport 22 accept comment \"a\"");
    differ("iifname \"a\u{a0}b\" accept", "iifname \"a b\" accept");
}

#[test]
fn a_key_is_the_same_whatever_rules_asked_before() {
    let before =
        "tcp dport 22\nct mark 1\nip protocol 6\nicmpv6 type 1\nip6 hoplimit 1\nmeta mark 1\nmeta iifname \"b\"";
    for line in ["ct status snat", "ip dscp cs1", "vlan id 1", "iif \"a\"", "mark 2", "ip length 9 tcp dport 22", "tcp"]
    {
        assert_eq!(rules(&format!("{before}\n{line}")).last(), rules(line).last(), "{line}");
    }
}

#[test]
fn tests_have_no_order_but_for_statements() {
    same("tcp dport 22 ip saddr 10.0.0.1 accept", "ip saddr 10.0.0.1 tcp dport 22 accept");
    same("tcp dport 22 tcp dport 22 accept", "tcp dport 22 accept");
    differ("limit rate 1/second ip saddr 10.0.0.1 accept", "ip saddr 10.0.0.1 limit rate 1/second accept");
    differ("meta mark set 1 meta mark 1 accept", "meta mark 1 meta mark set 1 accept");
    same("log ip saddr 10.0.0.1 tcp dport 22", "log tcp dport 22 ip saddr 10.0.0.1");
}

#[test]
fn flags_are_one_in_all_their_spellings() {
    same("tcp flags & (fin|syn|rst|ack) != syn drop", "tcp flags != syn / fin,syn,rst,ack drop");
    same("tcp flags & (fin|syn|rst|ack) == syn drop", "tcp flags 0x2 / 0x1,0x2,0x4,0x10 drop");
    same("tcp flags & (fin|syn) == 0x0 drop", "tcp flags ! fin,syn drop");
    same("tcp flags & (fin|syn) != 0 drop", "tcp flags fin,syn drop");
    same("tcp flags & rst == rst drop", "tcp flags rst drop");
    same("tcp flags { syn, syn|ack } drop", "tcp flags { syn | ack, syn } drop");
    differ("tcp flags & (fin|syn) == syn drop", "tcp flags & (fin|syn) != syn drop");
    differ("tcp flags == syn drop", "tcp flags syn drop");
    differ("tcp flags syn,ack drop", "tcp flags & (syn|ack) == (syn|ack) drop");
    same("meta mark & 0x1 == 0x1 drop", "meta mark & 1 != 0x00000000 drop");
    differ("meta mark & 0x3 == 0x3 drop", "meta mark & 0x3 != 0 drop");
}

#[test]
fn states_are_sets() {
    same("ct state { established, related } accept", "ct state related,established accept");
    same("ct state 0x2,0x4 accept", "ct state established | related accept");
    same("ct state != { invalid } accept", "ct state != invalid accept");
    same("ct state == established", "ct state established");
    differ("ct state != established", "ct state established");
    differ("ct state != established | related", "ct state != { established, related }");
    assert_eq!(
        rules("ct state new,invalid")[0].tests,
        [Test {
            key: "ct state".into(),
            negated: false,
            value: Value::Any(["invalid".to_owned(), "new".into()].into())
        }]
    );
}

#[test]
fn names_and_numbers_are_one() {
    same("icmpv6 type { 133, nd-router-advert } accept", "icmpv6 type { nd-router-solicit, 134 } accept");
    same("icmp code 4 icmp type 3", "icmp type destination-unreachable icmp code frag-needed");
    same("icmpv6 type 133-136", "icmpv6 type { 134, 133, nd-neighbor-advert, 135 }");
    same("tcp dport ssh", "tcp dport 22");
    same("meta l4proto { tcp, 17, ipv6-icmp }", "meta l4proto { 58, 6, udp }");
    same("meta mark 0x00000010", "meta mark 16");
    same("ether type 0x0806", "ether type arp");
    same("meta nfproto 10", "meta nfproto ipv6");
    same("fib daddr type 3", "fib daddr type broadcast");
    same("iifname lo accept", "meta iifname \"lo\" accept");
    same("mark 1", "meta mark 0x1");
    same("ip dscp cs1", "ip dscp 0x08");
    same("ct mark set mark", "ct mark set meta mark");
    same("meta mark set meta mark & 0xefffffff | 32", "meta mark set meta mark & 0xefffffff | 0x20");
    let found = rules("meta l4proto { 58, 253 } icmpv6 type 134 icmpv6 code 1 ether type 0x8100 ether type 0x88cc");
    let text = "ether type 0x88cc ether type 8021q icmpv6 code 1 icmpv6 type nd-router-advert meta l4proto 253,icmpv6";
    assert_eq!(found[0].to_string(), text);
    differ("iifname \"22\"", "iifname \"022\"");
}

#[test]
fn values_are_intervals() {
    same("ip daddr { 10.1.0.0/16, 10.2.0.0-10.2.0.5 } drop", "ip daddr { 10.1.0.0-10.2.0.5 } drop");
    same("tcp dport { 80, 443 } accept", "tcp dport { 443, 80 } accept");
    same("tcp dport { 80, 81 } accept", "tcp dport 80-81 accept");
    same("tcp dport { 80 } accept", "tcp dport 80 accept");
    same("tcp dport > 1023", "tcp dport 1024-65535");
    same("ip saddr 10.0.0.1/32", "ip saddr 10.0.0.1");
    same("ip saddr 10.0.0.7/24", "ip saddr 10.0.0.0-10.0.0.255");
    same("ip saddr & 255.255.0.0 == 10.1.0.0", "ip saddr 10.1.0.0/16");
    same("ip6 saddr 2001:DB8:0::1", "ip6 saddr 2001:db8::1");
    same("ether saddr BC:24:11:00:00:64", "ether saddr bc:24:11:00:00:64");
    differ("tcp dport { 80, 443 } accept", "tcp dport { 80 } accept");
    differ("tcp dport { 80, 443 } accept", "tcp dport 80-443 accept");
    differ("ip saddr != @a drop", "ip saddr @a drop");
    differ("ip saddr 10.0.0.0/24", "ip saddr != 10.0.0.0/24");
    differ("meta length > 5", "meta length >= 5");
    let found = rules("tcp dport { 5-9, 3, 4, 80 }");
    assert_eq!(found[0].tests[0].value, Value::Any(["3-9".to_owned(), "80".into()].into()));
    assert_eq!(rules("ip saddr { 10.0.0.0/25, 10.0.0.128/25 }")[0].to_string(), "ip saddr 10.0.0.0/24");
}

#[test]
fn concatenations_and_maps() {
    same(
        "iifname . ip saddr { a . 10.0.0.1, b . 10.0.0.2 }",
        "iifname . ip saddr { b . 10.0.0.2/32, \"a\" . 10.0.0.1 }",
    );
    same("tcp dport vmap { 22 : accept, 23 : jump x }", "tcp dport vmap { telnet : jump x, 22: accept }");
    same("ct state vmap { invalid : drop, new : accept }", "ct state vmap { 8 : accept, 1 : drop }");
    differ("tcp dport vmap { 22 : accept, 23 : jump x }", "tcp dport vmap { 22 : accept, 23 : goto x }");
    differ("iifname vmap @a", "iifname vmap @b");
    differ("iifname vmap @a", "oifname vmap @a");
    let found = rules("iifname . ether saddr vmap @m");
    assert_eq!(found[0].verdict, Verdict::Map { key: "iifname . ether saddr".into(), map: "m".into() });
}

#[test]
fn answers_are_spelled_out() {
    same("reject", "reject with icmpx type port-unreachable");
    same("reject with icmpx 3", "reject with icmpx type admin-prohibited");
    same("reject with tcp reset", "meta l4proto 6 reject with tcp reset");
    same("ip saddr 10.0.0.1 reject", "ip saddr 10.0.0.1 reject with icmp type port-unreachable");
    same("meta nfproto ipv4 reject with icmp type host-prohibited", "reject with icmp 10");
    same("meta nfproto ipv6 reject", "reject with icmpv6 port-unreachable");
    differ("meta nfproto ipv6 reject", "reject");
    differ("reject", "reject with icmpx admin-prohibited");
    differ("reject", "drop");
    assert_eq!(rules("reject")[0].verdict, Verdict::Reject("icmpx port-unreachable".into()));
}

#[test]
fn statements_have_one_spelling() {
    same("log prefix \"a b\" level warn", "log prefix \"a b\"");
    assert_eq!(rules("log prefix \"a\"'b\" accept")[0].statements, ["log prefix \"a\"'b\""]);
    same("accept comment \"a; {b} # c\"", "accept comment \"a; {b} # c\" # handle 5");
    same("log level info prefix \"a\"", "log prefix \"a\" level info");
    same("log flags tcp sequence,options", "log flags tcp options flags tcp sequence");
    same("limit rate 5/second", "limit rate 5/second burst 5 packets");
    same("counter packets 5 bytes 300 accept", "accept");
    same("counter accept", "accept");
    same("quota over 25 mbytes used 3 bytes drop", "quota over 25 mbytes drop");
    same("ct helper set \"ftp\"", "ct helper set ftp");
    same("update @s { ip saddr timeout 60s counter packets 1 bytes 2 }", "update @s { ip saddr timeout 1m }");
    differ("counter name \"a\"", "counter name \"b\"");
    differ("limit rate 5/second", "limit rate over 5/second");
    differ("limit rate 5/second", "limit rate 5/second burst 6 packets");
    differ("log prefix \"a\"", "log prefix \"a\" group 0");
    differ("ct count 5 accept", "ct count over 5 accept");
    differ("update @s { ip saddr }", "add @s { ip saddr }");
    differ("update @s { ip saddr & 255.0.0.0 }", "update @s { ip saddr }");
    differ("jump a", "goto a");
    differ("accept\ndrop", "drop\naccept");
}

#[test]
fn what_is_not_known_stays() {
    differ("some thing 5 accept", "some thing 6 accept");
    differ("xt match \"a\" accept", "xt match \"b\" accept");
    differ("meta l4proto tcp # xt_tcp 5", "meta l4proto tcp # xt_tcp 6");
    differ("numgen inc mod 2 0", "numgen inc mod 2 1");
    differ("tcp option maxseg size set 5", "tcp option maxseg size set 6");
    differ("dnat to 10.0.0.1", "dnat to 10.0.0.2");
    differ("queue num 1-3 bypass", "queue num 1-3");
    differ("ct state nonsense", "ct state other");
    differ("tcp flags & nonsense == syn", "tcp flags & other == syn");
    differ("@th,0,16 5", "@th,0,16 6");
    let found = rules("some thing 5 accept comment \"c\"");
    assert_eq!(
        (found[0].statements.as_slice(), &found[0].verdict),
        (&["some thing 5".to_owned()][..], &Verdict::Accept)
    );
    assert_eq!(found[0].comment.as_deref(), Some("c"));
}

#[test]
fn hooks_have_numbers() {
    let base = |family: &str, hook: &str| {
        let ruleset = script(&format!("table {family} t {{\n chain c {{ type filter hook {hook}\n}}\n}}\n"));
        table(&ruleset, family, "t").chains["c"].base.clone().expect("a base chain")
    };
    assert_eq!(base("inet", "input priority filter - 5; policy accept;").hook, "filter hook input priority -5");
    assert_eq!(base("bridge", "input priority filter + 1;").hook, "filter hook input priority -199");
    assert_eq!(base("inet", "forward priority mangle").hook, "filter hook forward priority -150");
    assert_eq!(base("inet", "forward priority x"), base("inet", "forward priority x; policy accept"));
    assert_ne!(base("inet", "forward priority 0"), base("inet", "forward priority 0; policy drop"));
    assert_ne!(base("inet", "forward priority x"), base("inet", "forward priority y"));
    let device = base("netdev", "ingress device \"eth0\" priority 0; policy drop");
    assert_eq!(device.hook, "filter hook ingress device eth0 priority 0");
}

fn set(lines: &str) -> Set {
    let ruleset = script(&format!("table inet t {{\n set s {{\n{lines}\n }}\n}}\n"));
    assert_eq!(ruleset.unread, []);
    table(&ruleset, "inet", "t").sets["s"].clone()
}

#[test]
fn sets_are_compared_by_what_they_hold() {
    let addresses =
        |elements: &str| set(&format!("type ipv4_addr; flags interval; elements = {{ {elements} }}")).elements;
    assert_eq!(addresses("10.0.0.0/25, 10.0.0.128/25"), addresses("10.0.0.0/24"));
    assert_eq!(addresses("10.0.0.1, 10.0.0.2"), addresses("10.0.0.1-10.0.0.2"));
    assert_eq!(addresses("10.0.0.1 counter packets 1 bytes 2 comment \"x\""), addresses("10.0.0.1"));
    assert_eq!(addresses("10.0.0.1 timeout 1h expires 5s"), addresses("10.0.0.1 timeout 3600s"));
    assert_ne!(addresses("10.0.0.1 timeout 1h"), addresses("10.0.0.1"));
    assert_ne!(addresses("10.0.0.1"), addresses("10.0.0.2"));
    assert_ne!(addresses("10.0.0.0/24"), addresses("10.0.0.0/23"));
    assert_eq!(set("type ether_type; elements = { arp, 0x8100 }").elements, ["8021q", "arp"].map(str::to_owned).into());
    assert_eq!(set("type ipv4_addr; size 5; auto-merge; flags interval"), set("type ipv4_addr"));
    assert_eq!(set("typeof ip saddr . tcp dport"), set("type ipv4_addr . inet_service"));
    assert_ne!(set("type ipv4_addr; flags constant"), set("type ipv4_addr"));
    assert_ne!(set("type ipv4_addr; timeout 5s"), set("type ipv4_addr; timeout 6s"));
    assert_eq!(set("type ipv4_addr; timeout 60s"), set("type ipv4_addr; timeout 1m; flags timeout"));
    assert_ne!(set("type ipv4_addr"), set("type ipv6_addr"));
    assert_ne!(set("type ipv4_addr; something new"), set("type ipv4_addr"));
}

#[test]
fn packets_fill_dynamic_sets() {
    let filled = set("type ipv4_addr; flags dynamic,timeout; timeout 5s; elements = { 10.0.0.1 expires 3s }");
    assert_eq!(filled.elements, [].into());
    assert_eq!(filled.attributes, ["dynamic", "size 65535", "timeout 5s"].map(str::to_owned).into());
    assert_ne!(set("type ipv4_addr; flags dynamic; size 5"), set("type ipv4_addr; flags dynamic; size 6"));
    // Not every listing says so of a set that rules fill.
    let both = |flags: &str| {
        script(&format!(
            "table inet t {{\n set s {{\n type ipv4_addr; size 5; {flags} }}\n chain c {{\n update @s {{ ip saddr }} drop\n}}\n}}\n"
        ))
    };
    assert_eq!(both("flags dynamic"), both(""));
}

#[test]
fn other_objects_are_kept() {
    let others = |text: &str| table(&script(&format!("table inet t {{\n{text}\n}}\n")), "inet", "t").others.clone();
    let helper = "ct helper ftp {\n type \"ftp\" protocol tcp\n";
    assert_eq!(others(&format!("{helper} }}")), others(&format!("{helper} l3proto inet\n }}")));
    assert_ne!(others(&format!("{helper} }}")), others(&format!("{helper} l3proto ip\n }}")));
    let bridged =
        |text: &str| table(&script(&format!("table bridge t {{\n{text}\n}}\n")), "bridge", "t").others.clone();
    assert_eq!(bridged(&format!("{helper} }}")), bridged(&format!("{helper} l3proto inet\n }}")));
    assert_ne!(bridged(&format!("{helper} }}")), bridged(&format!("{helper} l3proto ip\n }}")));
    assert_eq!(others("counter c {\n packets 5 bytes 6\n}"), others("counter c {\n packets 0 bytes 0\n}"));
    assert_ne!(others("quota q {\n 25 mbytes\n}"), others("quota q {\n over 25 mbytes\n}"));
    assert_ne!(others("flags dormant"), others(""));
    assert_ne!(others("map m {\n type mark : mark; elements = { 1 : 2 }\n}"), others("map m {\n type mark : mark\n}"));
    assert_ne!(others("map m {\n type mark : verdict; flags dynamic\n}"), others("map m {\n type mark : verdict\n}"));
}

#[test]
fn what_a_listing_leaves_out_is_kept_apart() {
    let left = |text: &str| -> Vec<String> {
        let ruleset = script(&format!("table bridge t {{\n\tchain c {{\n\t\t{text}\n\t}}\n}}\n"));
        let rule = &table(&ruleset, "bridge", "t").chains["c"].rules[0];
        rule.unlisted.0.iter().map(ToString::to_string).collect()
    };
    assert_eq!(left("meta protocol ip icmp type 8 accept"), ["meta protocol ip"]);
    assert_eq!(left("meta protocol ip meta l4proto 1 drop"), ["meta protocol ip"]);
    assert_eq!(left("meta protocol ip meta l4proto 6 reject with tcp reset"), ["meta l4proto tcp", "meta protocol ip"]);
    assert_eq!(left("ip saddr 10.0.0.1 tcp dport 22 accept"), [""; 0]);
    // Before nft knows the protocol, it asks for the outer ethertype.
    assert_eq!(left("icmpv6 type 135 ip6 saddr :: accept"), ["ether type ip6"]);
    assert_eq!(left("ip6 saddr :: icmpv6 type 135 accept"), [""; 0]);
    assert_eq!(left("arp saddr ip 10.0.0.1 accept"), ["ether type arp"]);
}

#[test]
fn what_is_spelled_at_once_is_what_is_read() {
    use super::super::element::Part;
    use super::super::kind::{ICMP_CODE, Kind};
    use super::super::spelled::spelled;
    use super::super::token::tokens;
    let texts = [
        "0 22 022 22-23 23-22 22-22 022-23 65536 18446744073709551615 18446744073709551616 0x1f host-unreachable tap1i0 a*",
        "10.0.0.0/8 10.0.0.1/8 10.0.0.1 10.0.0.1/32 10.0.0.0/08 0.0.0.0/0 10.0.0.0/255.0.0.0 010.0.0.1 10.0.0 10.0.0.0/33",
        "2001:db8::/32 2001:DB8::/32 2001:db8:0::1 2001:db8::1/32 ::/0 ::1/128 ::ffff:1.2.3.4 1::2-1::3 fe80::/010 ::/129",
        "bc:24:11:00:00:75 BC:24:11:00:00:75 bc:24:11:0:0:75 bc:24:11:00:00:7g",
    ];
    let mut at_once = 0;
    for kind in [Kind::Name, Kind::Plain, Kind::Port, Kind::Decimal(ICMP_CODE), Kind::Mark, Kind::Protocol] {
        for text in texts.join(" ").split(' ') {
            let read = tokens(FileId(0), text, &mut Vec::new());
            let found = spelled(kind, &read);
            at_once += usize::from(found.is_some());
            assert!(found.is_none_or(|found| found == Part::read(kind, &read).show(kind)), "{kind:?} {text}");
        }
    }
    assert!(at_once > 50, "{at_once}");
}
