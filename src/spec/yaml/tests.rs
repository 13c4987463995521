use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Code, SourceMap};

fn read(text: &str) -> (Node<'_>, Diagnostics) {
    let mut found = Diagnostics::new();
    let (node, whole) = parse(FileId(0), text, &mut found);
    assert_eq!(whole, found.is_empty());
    (node, found)
}

fn good(text: &str) -> Node<'_> {
    let (node, found) = read(text);
    assert!(found.is_empty(), "{text:?}: {found:?}");
    node
}

/// Code, message, what is underlined, and the help of the only complaint.
fn complaint(text: &str) -> (Code, String, String, String) {
    let (_, found) = read(text);
    let all: Vec<_> = found.iter().collect();
    assert_eq!(all.len(), 1, "{text:?}: {all:?}");
    let slice = slice(text, all[0].span()).to_owned();
    (all[0].code, all[0].message.clone(), slice, all[0].help.clone().unwrap())
}

fn slice(text: &str, span: Span) -> &str {
    text.get(span.start as usize..(span.start + span.len) as usize).expect("a span in the text")
}

/// Every key and value of a tree with the text that its span covers.
fn places<'t>(text: &'t str, node: &Node<'_>, into: &mut Vec<&'t str>) {
    into.push(slice(text, node.span));
    match &node.value {
        Value::Nothing | Value::Scalar { .. } => {}
        Value::Seq(items) => items.iter().for_each(|item| places(text, item, into)),
        Value::Map(entries) => entries.iter().for_each(|(key, value)| {
            into.push(slice(text, key.span));
            places(text, value, into);
        }),
    }
}

fn all_places(text: &str) -> Vec<&str> {
    let mut into = Vec::new();
    places(text, &good(text), &mut into);
    into
}

#[test]
fn nothing_reorders_what_people_see() {
    for c in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
        for text in [format!("a: b # {c}\n"), format!("a: x{c}y\n"), format!("\"{c}a\": x\n")] {
            let (code, message, underlined, _) = complaint(&text);
            assert_eq!((code, underlined), (Code::BidiControl, c.to_string()));
            assert!(message.contains(&format!("U+{:04X}", u32::from(c))), "{message}");
        }
    }
    // Right-to-left letters, and what else begins with the same bytes.
    good("a: \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{633}\u{644}\u{627}\u{645} \u{2013} \u{20ac}\n");
}

#[test]
fn spans_are_exact_in_brackets_and_in_blocks() {
    assert_eq!(
        all_places("a: [ x, \"y z\" , 'w' ] # c\nb:\n  c: { d: e }   \n\nf: last\n"),
        [
            "a: [ x, \"y z\" , 'w' ] # c\nb:\n  c: { d: e }   \n\nf: last",
            "a",
            "[ x, \"y z\" , 'w' ]",
            "x",
            "\"y z\"",
            "'w'",
            "b",
            "c: { d: e }",
            "c",
            "{ d: e }",
            "d",
            "e",
            "f",
            "last",
        ]
    );
    assert_eq!(
        all_places("- [ # one\n  a: b]\n- c\n"),
        ["- [ # one\n  a: b]\n- c", "[ # one\n  a: b]", "a: b", "a", "b", "c"]
    );
    assert_eq!(
        all_places("a:\n- b\n- c: d\nx: y"),
        ["a:\n- b\n- c: d\nx: y", "a", "- b\n- c: d", "b", "c: d", "c", "d", "x", "y"]
    );
    assert_eq!(all_places("a: |\n  one\n  two\n\nb: c"), ["a: |\n  one\n  two\n\nb: c", "a", "one\n  two", "b", "c"]);
}

#[test]
fn spans_count_bytes_whatever_the_text_holds() {
    let long = "é".repeat(200);
    let text = format!("\u{feff}# {long}\r\nname: \"{long}\"\r\n{long}:   'ü'\r\nlist: [ \u{1f600}, b ]\r\n");
    let places = all_places(&text);
    assert_eq!(
        places[1..],
        ["name", &format!("\"{long}\""), &long, "'ü'", "list", "[ \u{1f600}, b ]", "\u{1f600}", "b"]
    );
}

#[test]
fn scalars_stay_as_written() {
    let node =
        good("[yes, no, 010, 1e3, 0x1f, 12:30:45, 2001-01-01, .inf, true, \"\\u00e9\", 'it''s', BC:24:11:00:00:64]");
    let Value::Seq(items) = &node.value else { panic!() };
    let texts: Vec<_> = items.iter().map(|item| item.text().unwrap()).collect();
    assert_eq!(
        texts,
        ["yes", "no", "010", "1e3", "0x1f", "12:30:45", "2001-01-01", ".inf", "true", "é", "it's", "BC:24:11:00:00:64"]
    );
    let quoted = |item: &Node<'_>| matches!(item.value, Value::Scalar { plain: false, .. });
    assert_eq!(items.iter().filter(|item| quoted(item)).count(), 2);
}

#[test]
fn what_is_absent_is_nothing_and_points_at_its_key() {
    let text = "{ a: , b: ~, c: null, d: \"\", e: \"null\", f }";
    let node = good(text);
    for (key, at) in [("a", "a"), ("b", "~"), ("c", "null"), ("f", "f")] {
        assert_eq!(node.get(key).unwrap().value, Value::Nothing, "{key}");
        assert_eq!(slice(text, node.get(key).unwrap().span), at);
    }
    assert_eq!(node.get("d").unwrap().text(), Some(""));
    assert_eq!(node.get("e").unwrap().text(), Some("null"));
}

#[test]
fn an_empty_file_is_an_empty_map() {
    for text in ["", "\n", "# a comment", "---", "---\n...\n", "\u{feff}", "\u{feff}# x\r\n", "  \t\n"] {
        assert_eq!(good(text).value, Value::Map(Vec::new()), "{text:?}");
    }
}

#[test]
fn a_key_twice_shows_both_places() {
    for count in [2, 100] {
        let keys: String = (0..count).map(|at| format!("k{at}: x\n")).collect();
        let text = format!("{keys}k1: y\n");
        let (node, found) = read(&text);
        let found: Vec<_> = found.iter().collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].message, "`k1` is given twice");
        let starts: Vec<_> = found[0].labels.iter().map(|label| label.span.start as usize).collect();
        assert_eq!(starts, [text.rfind("k1").unwrap(), text.find("k1").unwrap()]);
        assert_eq!(node.get("k1").unwrap().text(), Some("x"));
    }
    assert_eq!(complaint("{ a: 1, \"a\": 2 }").2, "\"a\"");
}

#[test]
fn an_exclusion_without_quotes_is_explained() {
    for text in
        ["a: [198.51.100.0/24, !198.51.100.7]", "a:\n  - !198.51.100.7\n", "a: !198.51.100.7", "a: [!198.51.100.7, x]"]
    {
        let (code, message, at, help) = complaint(text);
        assert_eq!(code, Code::YamlUnsupported);
        assert_eq!(message, "`!198.51.100.7` is not text but a YAML tag");
        assert_eq!(at, "!198.51.100.7");
        assert!(help.contains("put the text in quotes"), "{help}");
    }
    for text in [
        "a: [!2001:db8::/32]",
        "a: [!+management, b]",
        "a: !!str x",
        "a: ! x",
        "a: !{x: y}",
        "a: [!10.0.0.1-10.0.0.9]",
        "!a b: c",
        "a: !<x> y",
    ] {
        let (_, _, _, help) = complaint(text);
        assert!(help.contains("put the text in quotes"), "{text}: {help}");
    }
    let (_, found) = read("a: [!10.0.0.1, !10.0.0.2]");
    assert_eq!(found.len(), 2);
}

#[test]
fn aliases_stand_for_what_is_before_them() {
    let text = "a: &x [1, { b: 2 }]\nc: *x\nd: &y text\ne: [*y, *y]\n";
    let node = good(text);
    assert_eq!(node.get("a").unwrap(), node.get("c").unwrap());
    let Value::Seq(items) = &node.get("e").unwrap().value else { panic!() };
    assert_eq!(items.iter().map(|item| item.text().unwrap()).collect::<Vec<_>>(), ["text", "text"]);
    assert_eq!(slice(text, node.get("e").unwrap().span), "[*y, *y]");
    assert_eq!(complaint("a: &x [1, *x]").1, "`*x` refers to itself");
    let (_, message, at, help) = complaint("hosts: *all");
    assert_eq!((&*message, &*at), ("an alias of nothing", "*all"));
    assert!(help.contains("quotes"));
    assert_eq!(complaint("host: *").1, "an alias of nothing");
}

#[test]
fn aliases_cannot_multiply_without_end() {
    let mut wide = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let row = vec![format!("*a{}", level - 1); 10].join(", ");
        wide += &format!("a{level}: &a{level} [{row}]\n");
    }
    let (code, message, ..) = complaint(&wide);
    assert_eq!((code, &*message), (Code::TooLarge, "aliases that multiply beyond measure"));
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for level in 1..100_000 {
        deep += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert_eq!(complaint(&deep).0, Code::TooLarge);
}

#[test]
fn nesting_is_bounded() {
    for open in ["[", "{a: ", "- ", "? ", "[{a: "] {
        let (code, message, ..) = complaint(&open.repeat(100_000));
        assert_eq!((code, &*message), (Code::TooLarge, "lists or maps nested too deeply"), "{open}");
    }
    let indented: String = (0..3000).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    assert_eq!(complaint(&indented).0, Code::TooLarge);
    good(&format!("{}x{}", "[".repeat(DEPTH_LIMIT), "]".repeat(DEPTH_LIMIT)));
}

#[test]
fn one_document_a_file() {
    let (code, message, at, help) = complaint("a: b\n---\nc: d\n");
    assert_eq!((code, &*message, &*at), (Code::YamlUnsupported, "a second document in one file", "---"));
    assert!(help.contains("a file of its own"));
}

#[test]
fn keys_are_text() {
    assert_eq!(complaint("? [a]\n: b\n").1, "expected text as a key, found a list");
    assert_eq!(complaint("{ a: b }: c\n").1, "expected text as a key, found a map");
    assert_eq!(complaint(": c\n").1, "expected text as a key, found nothing");
}

/// Usual mistakes: the text, what is underlined, the message.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("a:\n\tb: c\n", "b:", "a tab where YAML wants spaces"),
    ("a: b: c\n", ":", "a `:` where no key can stand"),
    ("a: [b, c\nd: e\n", ":", "a `:` where no key can stand"),
    ("a: [b, c\n", "", "expected `,` or `]`"),
    ("a: [b, {c: d]\n", "]", "expected `,` or `}`"),
    ("a: { b: c\n", "", "expected `,` or `}`"),
    ("a: ]\n", "]", "a bracket that closes nothing"),
    ("a: \"b\n", "\"b", "a quote that is never closed"),
    ("a: \"\\q\"\n", "\"\\q\"", "an escape that YAML does not have"),
    ("a: \"b\" c\n", "c", "text after the closing quote"),
    ("a: @b\n", "@b", "a character that cannot begin a value"),
    ("a: %b\n", "%b", "a character that cannot begin a value"),
    ("a:\n    b: c\n  d: e\n", "d:", ""),
    ("a:\n  - b\n c: d\n", "c:", ""),
    ("a:\n  b: c\n  d\n", "", ""),
    ("a: b\0c\n", "\0", "the control character U+0000"),
    ("a: b # \u{7}\n", "\u{7}", "the control character U+0007"),
    ("a: \u{9b}\n", "\u{9b}", "the control character U+009B"),
    ("a: \"\\ud83d\\ude00\"\n", "\\ud83d\\ude00", "YAML takes no half of a character"),
    ("a: \"\\\\ud83d \\\" \\uD83D x\"\n", "\\uD83D", "YAML takes no half of a character"),
];

#[test]
fn usual_mistakes_are_said_with_their_fix() {
    for (text, at, message) in MISTAKES {
        let (code, said, place, help) = complaint(text);
        assert_eq!(code, Code::YamlSyntax, "{text:?}");
        assert!(said.starts_with(message), "{text:?}: {said} at {place:?}");
        assert!(at.is_empty() || place == *at, "{text:?}: {said} at {place:?}");
        assert!(!said.contains("not YAML"), "{text:?}: {said}");
        assert!(!help.is_empty());
    }
}

#[test]
fn an_open_bracket_is_shown() {
    for text in ["hosts:\n  pm1: { addresses: [10.0.0.1\nvms: {}\n", "a: [1,\n\tb: c\nd: \"x\n"] {
        let (_, found) = read(text);
        let first = found.iter().next().unwrap();
        assert_eq!(slice(text, first.labels[1].span), "[");
        assert!(first.help.as_ref().unwrap().starts_with("close the `[`"));
    }
}

/// Spans that cover what they are spans of, and nothing out of the text.
fn sound(text: &str, node: &Node<'_>) {
    let covered = text.get(node.span.start as usize..(node.span.start + node.span.len) as usize);
    assert!(covered.is_some(), "{text:?}");
    match &node.value {
        Value::Nothing | Value::Scalar { .. } => {}
        Value::Seq(items) => items.iter().for_each(|item| sound(text, item)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| sound(text, value)),
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,60}|[\\[\\]{}:,\\-?&*!|>'\"%@`# \n\t\ra-c0-9]{0,60}") {
        let (node, found) = read(&text);
        sound(&text, &node);
        let mut sources = SourceMap::default();
        sources.add("x", text.clone());
        for diagnostic in found.iter() {
            for label in &diagnostic.labels {
                prop_assert!(text.get(label.span.start as usize..(label.span.start + label.span.len) as usize).is_some());
            }
        }
    }

    #[test]
    fn plain_texts_read_back_from_their_spans(
        words in prop::collection::vec("[a-zA-Zäöü\u{1f600}][a-zA-Z0-9ß./é_-]{0,70}", 1..30),
        ends in prop::sample::select(vec!["\n", "\r\n", "\n\n", " # ü\n", "\n# ü\r\n"]),
    ) {
        let words: Vec<String> = words.iter().enumerate().map(|(at, word)| format!("{word}{at}")).collect();
        let text: String = words.iter().map(|word| format!("{word}: [{word},  '{word}']{ends}")).collect();
        let Value::Map(entries) = good(&text).value else { panic!() };
        prop_assert_eq!(entries.len(), words.len());
        for ((key, value), word) in entries.iter().zip(&words) {
            prop_assert_eq!(slice(&text, key.span), word);
            prop_assert_eq!(slice(&text, value.span), format!("[{word},  '{word}']"));
        }
    }
}
