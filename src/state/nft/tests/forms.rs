//! Scripts, listings as text, and as JSON.

use super::*;
use crate::state::ruleset::Verdict;

/// A script, and the listing that nft 1.0.6 makes of it, with what it says of other things left in.
pub(super) const TEXT: &str = r#"# Warning: table ip filter is managed by iptables-nft, do not touch!
table inet fwc { # handle 3
	set flood { # handle 1
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 1m
		elements = { 10.0.0.1 expires 59s988ms }
	}

	map disp { # handle 9
		type ifname : verdict
		elements = { "lo" : accept,
			     "tap100i0" : goto g100 }
	}

	chain g100 { # handle 1
		ct state established,related counter packets 5 bytes 300 accept comment "a \ b" # handle 13
		tcp flags ! fin,syn drop # handle 14
		meta mark set meta mark & 0xefffffff | 0x20000000 # handle 15
		update @flood { ip saddr limit rate over 200/second burst 1000 packets } drop # handle 16
		iifname . ip saddr { "a" . 10.0.0.1, "b" . 10.0.0.2 } limit rate 5/second log prefix "x y" group 0 # handle 17
		fib saddr . iif oif missing drop # handle 18
		ip daddr { 10.0.0.0/23 } reject with icmp host-prohibited # handle 19
	}

	chain input { # handle 2
		type filter hook input priority filter - 5; policy drop;
		iifname vmap @disp # handle 20
	}
}
"#;

pub(super) const JSON: &str = r#"{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
{"table": {"family": "inet", "name": "fwc", "handle": 3}},
{"set": {"family": "inet", "name": "flood", "table": "fwc", "type": "ipv4_addr", "handle": 1, "size": 65535, "flags": ["timeout"], "timeout": 60, "elem": [{"elem": {"val": "10.0.0.1", "expires": 59}}]}},
{"map": {"family": "inet", "name": "disp", "table": "fwc", "type": "ifname", "handle": 9, "map": "verdict", "elem": [["lo", {"accept": null}], ["tap100i0", {"goto": {"target": "g100"}}]]}},
{"chain": {"family": "inet", "table": "fwc", "name": "g100", "handle": 1}},
{"chain": {"family": "inet", "table": "fwc", "name": "input", "handle": 2, "type": "filter", "hook": "input", "prio": -5, "policy": "drop"}},
{"rule": {"family": "inet", "table": "fwc", "chain": "g100", "handle": 13, "comment": "a \\ b", "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"counter": {"packets": 5, "bytes": 300}}, {"accept": null}]}},
{"rule": {"family": "inet", "table": "fwc", "chain": "g100", "handle": 14, "expr": [{"match": {"op": "!", "left": {"payload": {"protocol": "tcp", "field": "flags"}}, "right": ["fin", "syn"]}}, {"drop": null}]}},
{"rule": {"family": "inet", "table": "fwc", "chain": "g100", "handle": 15, "expr": [{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": [{"&": [{"meta": {"key": "mark"}}, 4026531839]}, 536870912]}}}]}},
{"rule": {"family": "inet", "table": "fwc", "chain": "g100", "handle": 16, "expr": [{"set": {"op": "update", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@flood", "stmt": [{"limit": {"rate": 200, "burst": 1000, "per": "second", "inv": true}}]}}, {"drop": null}]}},
{"rule": {"family": "inet", "table": "fwc", "chain": "g100", "handle": 17, "expr": [{"match": {"op": "==", "left": {"concat": [{"meta": {"key": "iifname"}}, {"payload": {"protocol": "ip", "field": "saddr"}}]}, "right": {"set": [{"concat": ["a", "10.0.0.1"]}, {"concat": ["b", "10.0.0.2"]}]}}}, {"limit": {"rate": 5, "burst": 5, "per": "second"}}, {"log": {"prefix": "x y", "group": 0}}]}},
{"rule": {"family": "inet", "table": "fwc", "chain": "g100", "handle": 18, "expr": [{"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, "right": false}}, {"drop": null}]}},
{"rule": {"family": "inet", "table": "fwc", "chain": "g100", "handle": 19, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": {"set": [{"prefix": {"addr": "10.0.0.0", "len": 23}}]}}}, {"reject": {"type": "icmp", "expr": "host-prohibited"}}]}},
{"rule": {"family": "inet", "table": "fwc", "chain": "input", "handle": 20, "expr": [{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@disp"}}]}}]}
"#;

#[test]
fn json_says_what_text_says() {
    assert!(is_json(JSON) && !is_json(TEXT));
    let (text, json) = (script(TEXT), listing(JSON));
    assert_eq!((text.unread.as_slice(), json.unread.as_slice()), (&[][..], &[][..]));
    assert_eq!(text, json);
    assert_eq!(text.rule_count(), 8);
}

#[test]
fn places_are_those_of_rules() {
    let slice = |text: &str, span: Span| {
        text.get(span.start as usize..(span.start + span.len) as usize).expect("a place").to_owned()
    };
    for (text, ruleset) in [(TEXT, read(FileId(7), TEXT)), (JSON, read_json(FileId(7), JSON))] {
        let table = table(&ruleset, "inet", "fwc");
        let rule = &table.chains["g100"].rules[1];
        assert_eq!(rule.span.file, FileId(7));
        let found = slice(text, rule.span);
        assert!(
            found == "tcp flags ! fin,syn drop" || found.starts_with("{\"rule\"") && found.ends_with("}}"),
            "{found}"
        );
        assert!(slice(text, table.sets["flood"].span).contains("flood"));
        assert!(slice(text, table.maps["disp"].span).contains("disp"));
        assert!(slice(text, table.chains["input"].span).contains("input"));
    }
}

#[test]
fn json_that_has_no_words_differs() {
    let rule = |statement: &str| {
        let text = format!(
            r#"{{"nftables": [{{"rule": {{"family": "inet", "table": "t", "chain": "c", "expr": [{statement}, {{"accept": null}}]}}}}]}}"#
        );
        let found = listing(&text);
        assert_eq!(found.unread, []);
        table(&found, "inet", "t").chains["c"].rules.clone()
    };
    let differ = |a: &str, b: &str| assert_ne!(rule(a), rule(b));
    differ(r#"{"new": {"a": 1}}"#, r#"{"new": {"a": 2}}"#);
    differ(r#"{"new": 5}"#, r#"{"new": 6}"#);
    differ(r#"{"accept": {"but": 1}}"#, r#"{"accept": {"but": 2}}"#);
    differ(r#"{"dnat": {"addr": "10.0.0.1"}}"#, r#"{"dnat": {"addr": "10.0.0.2"}}"#);
    differ(r#"{"limit": {"rate": 1, "new": 1}}"#, r#"{"limit": {"rate": 1, "new": 2}}"#);
    let matches = |left: &str| format!(r#"{{"match": {{"op": "==", "left": {left}, "right": 5}}}}"#);
    differ(&matches(r#"{"meta": {"key": "mark", "new": 1}}"#), &matches(r#"{"meta": {"key": "mark", "new": 2}}"#));
    differ(&matches(r#"{"osf": {"key": "name"}}"#), &matches(r#"{"osf": {"key": "version"}}"#));
    assert_eq!(rule(r#"{"new": 5}"#)[0].verdict, Verdict::Accept);
}

#[test]
fn sets_of_newer_versions() {
    let set = |inside: &str| {
        let text = format!(r#"{{"nftables": [{{"set": {{"family": "inet", "table": "t", "name": "s", {inside}}}}}]}}"#);
        table(&listing(&text), "inet", "t").sets["s"].clone()
    };
    let typed = set(r#""type": ["ipv4_addr", "inet_service"], "flags": ["interval"], "size": 5"#);
    let payload =
        |header: &str, field: &str| format!(r#"{{"payload": {{"protocol": "{header}", "field": "{field}"}}}}"#);
    let keys = format!("{}, {}", payload("ip", "saddr"), payload("tcp", "dport"));
    assert_eq!(set(&format!(r#""type": {{"typeof": {{"concat": [{keys}]}}}}"#)), typed);
    assert_ne!(set(r#""type": "ipv4_addr", "flags": ["dynamic"]"#), set(r#""type": "ipv4_addr""#));
    assert_ne!(set(r#""type": "ipv4_addr", "new": 1"#), set(r#""type": "ipv4_addr", "new": 2"#));
}

#[test]
fn chains_of_json_are_hooked_as_those_of_text() {
    let chain = |inside: &str| {
        let text =
            format!(r#"{{"nftables": [{{"chain": {{"family": "netdev", "table": "t", "name": "c", {inside}}}}}]}}"#);
        table(&listing(&text), "netdev", "t").chains["c"].clone()
    };
    let hooked = r#""type": "filter", "hook": "ingress", "prio": 5, "policy": "drop""#;
    let text = "table netdev t {\n chain c {\n type filter hook ingress device eth0 priority 5; policy drop;\n }\n}\n";
    let read = table(&script(text), "netdev", "t").chains["c"].clone();
    assert_ne!(chain(hooked), read);
    let base = read.base.expect("a base chain");
    assert_eq!((base.hook.as_str(), &base.policy), ("filter hook ingress device eth0 priority 5", &Verdict::Drop));
    assert_ne!(chain(hooked), chain(&hooked.replace("drop", "accept")));
    assert_ne!(chain(hooked), chain(&hooked.replace('5', "6")));
    assert_ne!(chain(hooked), chain(&format!(r#"{hooked}, "dev": "eth0""#)));
    assert_ne!(chain(hooked), chain(&format!(r#"{hooked}, "new": 5"#)));
}

#[test]
fn a_sleeping_table_is_seen() {
    let awake = listing(r#"{"nftables": [{"table": {"family": "inet", "name": "fwc"}}]}"#);
    let asleep = listing(r#"{"nftables": [{"table": {"family": "inet", "name": "fwc", "flags": "inet"}}]}"#);
    assert_ne!(awake, asleep);
    assert_eq!(asleep, script("table inet fwc {\n flags dormant\n}\n"));
}

#[test]
fn scripts_replace_tables() {
    let old = "table inet fwc {\n chain c {\n accept\n }\n}\n";
    let new = "table inet fwc\ndelete table inet fwc\ntable inet fwc {\n chain d {\n drop\n }\n}\n";
    assert_eq!(script(&format!("{old}{new}")), script(new));
    assert_eq!(script(&format!("{old}flush ruleset\n{new}")), script(new));
    assert_eq!(script("destroy table inet fwc\n").unread, []);
    // Blocks of one chain go on.
    let twice = script("table inet t {\n chain c {\n accept\n }\n}\ntable inet t {\n chain c {\n drop\n }\n}\n");
    assert_eq!(table(&twice, "inet", "t").chains["c"].rules.len(), 2);
    // Without a family it is IPv4's.
    assert_eq!(script("table t {\n}\n"), script("table ip t {\n}\n"));
}
