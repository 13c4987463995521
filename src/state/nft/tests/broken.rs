//! What cannot be read is named, and the rest is read.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What is unread of a text, and why.
fn unread(ruleset: &Ruleset, text: &str) -> Vec<(String, String)> {
    let slice = |span: Span| text.get(span.start as usize..(span.start + span.len) as usize).unwrap_or_default();
    ruleset.unread.iter().map(|one| (slice(one.span).to_owned(), one.reason.clone())).collect()
}

#[track_caller]
fn only(text: &str, place: &str, reason: &str) -> Ruleset {
    let found = read(FileId(0), text);
    assert_eq!(unread(&found, text), [(place.to_owned(), reason.to_owned())]);
    found
}

#[test]
fn commands_other_than_tables_are_unread() {
    only("include \"/etc/nft.d/*.nft\"\n", "include \"/etc/nft.d/*.nft\"", "only whole tables are read");
    only("define x = { 1, 2 }\n", "define x = { 1, 2 }", "only whole tables are read");
    only("add rule inet t c accept\n", "add rule inet t c accept", "only whole tables are read");
    only("delete table inet x\n", "delete table inet x", "there is no such table before this line");
    let found = only(
        "include \"a\"\ntable inet t {\n chain c {\n accept\n}\n}\n",
        "include \"a\"",
        "only whole tables are read",
    );
    assert_eq!(found.rule_count(), 1);
}

#[test]
fn a_text_cut_off_is_read_as_far_as_it_goes() {
    let text = "table inet t {\n\tchain a {\n\t\taccept\n\t}\n\tchain b {\n\t\tdrop\n\t\ttcp dport 22 acc";
    let found = read(FileId(0), text);
    let reasons = unread(&found, text);
    let meant = [
        ("table inet t", "this block is not closed"),
        ("chain b", "this block is not closed"),
        ("tcp dport 22 acc", "the text ends in this rule"),
    ];
    assert_eq!(reasons, meant.map(|(place, reason)| (place.to_owned(), reason.to_owned())));
    assert_eq!((found.rule_count(), table(&found, "inet", "t").chains.len()), (2, 2));
    let text = "table inet t {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1,\n 10.0.0.3";
    let found = read(FileId(0), text);
    assert!(unread(&found, text).iter().any(|(_, reason)| reason == "a brace is not closed"));
    assert_eq!(table(&found, "inet", "t").sets["s"].elements.len(), 2);
}

#[test]
fn a_lost_brace_costs_its_block_alone() {
    let text =
        "table inet t {\n chain a {\n accept\n\n chain b {\n drop\n }\n}\ntable inet u {\n chain c {\n accept\n }\n}\n";
    let found = only(text, "chain a", "this block is not closed");
    assert_eq!((table(&found, "inet", "t").chains.len(), table(&found, "inet", "u").chains.len()), (2, 1));
    let text = "table inet t {\n chain a {\n tcp dport { 22, 80 accept\n drop\n }\n}\n";
    let found = only(text, "tcp dport { 22, 80 accept", "a brace is not closed");
    assert_eq!(found.rule_count(), 1);
    only("table inet t {\n chain a {\n log prefix \"x\n drop\n }\n}\n", "\"x", "a quoted text is not closed");
}

#[test]
fn json_cut_off_is_read_as_far_as_it_goes() {
    let whole = r#"{"nftables": [{"table": {"family": "inet", "name": "t"}}, {"chain": {"family": "inet", "table": "t", "name": "c{\"}"}}, {"rule": {"family": "inet", "table": "t", "chain": "c{\"}", "expr": [{"accept": null}]}}]}"#;
    assert_eq!(read_json(FileId(0), whole).unread, []);
    let cut = whole.split_at(whole.len() - 12).0;
    let found = read_json(FileId(0), cut);
    assert_eq!(found.rule_count(), 0);
    assert_eq!(table(&found, "inet", "t").chains.len(), 1);
    let [(place, reason)] = &unread(&found, cut)[..] else { panic!("{found:?}") };
    assert!(place.starts_with("{\"rule\"") && reason == "the text ends here");
    for (text, reason) in [
        ("{}", "the text ends here"),
        (r#"{"nftables": [{"table": {"family": "inet"}}]}"#, "this names no table"),
        (
            r#"{"nftables": [{"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 5}}]}"#,
            "this rule says nothing",
        ),
        (r#"{"nftables": [{"table": 5}]}"#, "this is no object of nft"),
        (r#"{"nftables": [[1]]}"#, "this is no object"),
        (r#"{"nftables": [{"a" 5}]}"#, "this is no JSON"),
        (r#"{"nftables": [{"delete": {"table": {"family": "inet", "name": "t"}}}]}"#, "only whole tables are read"),
    ] {
        assert_eq!(unread(&read_json(FileId(0), text), text)[0].1, reason, "{text}");
    }
}

/// Wherever a listing is cut off, that is said.
#[test]
fn every_cut_is_seen() {
    let begin = forms::TEXT.find("{ # handle 3").expect("a table") + 1;
    let end = forms::TEXT.trim_end().len();
    for at in (begin..end).filter(|at| forms::TEXT.is_char_boundary(*at)) {
        let text = forms::TEXT.split_at(at).0;
        assert_ne!(read(FileId(0), text).unread, [], "{text}");
    }
    for at in 0..forms::JSON.trim_end().len() - 2 {
        let text = forms::JSON.split_at(at).0;
        assert_ne!(read_json(FileId(0), text).unread, [], "{text}");
    }
}

/// Pieces of nft's language, so that random texts come far.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "table inet t {",
        "chain c {",
        "set s {",
        "map m {",
        "}",
        "{",
        "\n",
        ";",
        ",",
        "\"",
        "\\",
        "#",
        "# xt_",
        ":",
        ".",
        "-",
        "/",
        "|",
        "(",
        ")",
        "type",
        "typeof",
        "ipv4_addr",
        "filter hook input priority",
        "elements =",
        "flags",
        "timeout 1m",
        "accept",
        "jump",
        "goto",
        "reject with",
        "icmp type",
        "tcp flags &",
        "ct state",
        "meta mark",
        "set",
        "vmap",
        "map",
        "@s",
        "limit rate",
        "over",
        "log",
        "prefix",
        "update",
        "counter packets",
        "comment",
        "ip saddr",
        "10.0.0.0/8",
        "::/0",
        "1-5",
        "fib",
        "numgen",
        "mod",
        "@th,",
        "arp saddr",
        "!",
        "!=",
        "<",
        "18446744073709551615",
        "0xffffffffffffffffffff",
        "ct original",
        "{\"nftables\": [",
        "{\"rule\": {",
        "\"expr\": [",
        "{\"match\":",
        "]",
        "é",
        "quota over",
        "meter",
        "ct count",
        "delete table",
    ];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_hole_makes_the_readers_fail(json in any::<bool>(), from in any::<Index>(), to in any::<Index>(), filling in pieces()) {
        let text = if json { forms::JSON } else { forms::TEXT };
        let (from, to) = (from.index(text.len()), to.index(text.len()));
        let (head, tail) = (text.split_at(from.min(to)).0, text.split_at(from.max(to)).1);
        let text = format!("{head}{filling}{tail}");
        let ruleset = if json { read_json(FileId(0), &text) } else { read(FileId(0), &text) };
        for one in ruleset.unread {
            prop_assert!((one.span.start + one.span.len) as usize <= text.len());
        }
    }

    #[test]
    fn no_text_makes_the_readers_fail(text in prop_oneof![pieces(), ".{0,200}", pieces().prop_map(|text| format!("table inet t {{ chain c {{ {text}"))]) {
        for ruleset in [read(FileId(0), &text), read_json(FileId(0), &text)] {
            for one in ruleset.unread {
                prop_assert!((one.span.start + one.span.len) as usize <= text.len());
            }
        }
    }
}
