//! What holds for every input: the same spec gives the same bytes however it is laid out, no text makes fwc panic,
//! and where there is an error there is no output.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "every test target takes its own part")]
mod common;

use std::collections::BTreeMap;

use fwc::diagnostic::{Diagnostics, SourceMap};
use fwc::target::{self, Selection, Templates};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

/// All phases in a row, as `fwc build` runs them.
fn compile(files: &[(String, String)]) -> (BTreeMap<String, String>, Diagnostics) {
    let mut sources = SourceMap::default();
    for (name, text) in files {
        sources.add(name, text.as_str());
    }
    let (spec, mut found) = fwc::spec::load(&sources);
    let Some(spec) = spec else { return (BTreeMap::new(), found) };
    let (fleet, more) = fwc::resolve::resolve(&spec);
    found.append(more);
    let Some(fleet) = fleet else { return (BTreeMap::new(), found) };
    let templates = Templates::new(BTreeMap::new()).expect("the embedded templates parse");
    let mut outputs = BTreeMap::new();
    for target in target::ALL {
        let compiled = target.compile(&fleet, &Selection::default(), &templates).expect("the templates render");
        let failed = compiled.diagnostics.has_errors();
        assert!(!failed || compiled.files.is_empty(), "{:?} writes in spite of errors", target.name());
        found.append(compiled.diagnostics);
        for file in compiled.files {
            let old = outputs.insert(file.path.clone(), file.content);
            assert!(old.is_none(), "{} is written twice", file.path);
        }
    }
    (outputs, found)
}

/// A piece of YAML: only what the properties need.
#[derive(Debug, Clone)]
enum Node {
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    Scalar(String),
}

fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    Node::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text(value: impl ToString) -> Node {
    Node::Scalar(value.to_string())
}

impl Node {
    /// In flow style: keys in the order that `shuffle` gives them.
    fn render(&self, shuffle: &mut dyn FnMut(usize) -> Vec<usize>) -> String {
        match self {
            Self::Scalar(value) if value.chars().all(|c| c.is_ascii_alphanumeric()) => value.clone(),
            Self::Scalar(value) => format!("\"{value}\""),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| item.render(shuffle)).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(entries) => {
                let order = shuffle(entries.len());
                let one = |at: usize, shuffle: &mut dyn FnMut(usize) -> Vec<usize>| {
                    entries.get(at).map(|(key, value)| format!("{key}: {}", value.render(shuffle)))
                };
                let entries: Vec<String> = order.into_iter().filter_map(|at| one(at, shuffle)).collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }

    /// Every path of maps down to a leaf or a list, up to a depth, with what stands there.
    fn leaves(&self, depth: usize, path: Vec<String>, found: &mut Vec<(Vec<String>, Self)>) {
        match self {
            Self::Map(entries) if depth > 0 && !entries.is_empty() => {
                for (key, value) in entries {
                    let mut path = path.clone();
                    path.push(key.clone());
                    value.leaves(depth - 1, path, found);
                }
            }
            Self::Map(_) | Self::List(_) | Self::Scalar(_) => found.push((path, self.clone())),
        }
    }

    fn insert(&mut self, path: &[String], value: Self) {
        let (Self::Map(entries), Some((first, rest))) = (self, path.split_first()) else { return };
        if rest.is_empty() {
            entries.push((first.clone(), value));
            return;
        }
        if !entries.iter().any(|(key, _)| key == first) {
            entries.push((first.clone(), Self::Map(Vec::new())));
        }
        if let Some((_, inner)) = entries.iter_mut().find(|(key, _)| key == first) {
            inner.insert(rest, value);
        }
    }
}

/// Which addresses a side of a rule names: of one family, of the other, of both, or none.
fn addresses() -> impl Strategy<Value = Option<Node>> {
    let one = prop_oneof![
        Just("10.1.0.0/16"),
        Just("10.2.3.4"),
        Just("10.3.0.1-10.3.0.9"),
        Just("2001:db8:1::/48"),
        Just("2001:db8::5"),
        Just("office"),
        Just("both"),
        Just("+partners"),
        Just("zone/web"),
        Just("host/a1"),
    ];
    prop::option::of(prop::collection::vec(one, 1..3).prop_map(|list| Node::List(list.into_iter().map(text).collect())))
}

fn service() -> impl Strategy<Value = Vec<(String, Node)>> {
    let ports = prop_oneof![Just("22"), Just("80"), Just("1024-2047"), Just("https")];
    prop_oneof![
        Just(vec![]),
        prop_oneof![Just("SSH"), Just("Web"), Just("Ping"), Just("SMB"), Just("HTTP/3")]
            .prop_map(|name| vec![("macro".to_owned(), text(name))]),
        (prop_oneof![Just("tcp"), Just("udp"), Just("sctp")], prop::collection::vec(ports, 1..3)).prop_map(
            |(proto, ports)| vec![
                ("proto".to_owned(), text(proto)),
                ("dport".to_owned(), Node::List(ports.into_iter().map(text).collect()))
            ]
        ),
        Just(vec![("proto".to_owned(), text("icmp")), ("icmp_type".to_owned(), text("echo-request"))]),
        Just(vec![("proto".to_owned(), text("icmpv6")), ("icmp_type".to_owned(), text("128"))]),
    ]
}

fn rule() -> impl Strategy<Value = Node> {
    let direction = prop_oneof![3 => Just("in"), 1 => Just("out")];
    let verdict = prop_oneof![3 => Just("accept"), 2 => Just("drop"), 1 => Just("reject")];
    let log = prop::option::of(prop_oneof![Just("info"), Just("nolog")]);
    (direction, verdict, service(), addresses(), addresses(), log).prop_map(
        |(direction, verdict, service, source, dest, log)| {
            let mut entries = vec![(direction.to_owned(), text(verdict))];
            entries.extend(service);
            entries.extend(source.map(|node| ("source".to_owned(), node)));
            entries.extend(dest.map(|node| ("dest".to_owned(), node)));
            entries.extend(log.map(|level| ("log".to_owned(), text(level))));
            Node::Map(entries)
        },
    )
}

fn rules() -> impl Strategy<Value = Node> {
    prop::collection::vec(rule(), 0..4).prop_map(Node::List)
}

fn guest(id: usize, rules: Node, zones: &[&str], hosts: &[&str]) -> (String, Node) {
    let list = |words: &[&str]| Node::List(words.iter().map(text).collect());
    let nic = map([
        ("bridge", text("vmbr0")),
        ("mac", text(format!("BC:24:11:00:00:{id:02X}"))),
        ("ip", Node::List(vec![text(format!("10.1.0.{id}/16")), text(format!("2001:db8:1::{id:x}/64"))])),
    ]);
    let body =
        map([("host", list(hosts)), ("inherits", list(zones)), ("rules", rules), ("nics", map([("net0", nic)]))]);
    (id.to_string(), body)
}

/// A small spec of every kind of zone. Some are wrong on purpose: rules that can never hold.
fn spec() -> impl Strategy<Value = Node> {
    let guests = prop::collection::vec(
        (
            rules(),
            prop_oneof![Just(vec!["web"]), Just(vec!["web", "quiet"]), Just(vec!["quiet", "web"])],
            subsequence(vec!["a1", "a2"], 1..=2),
        ),
        1..4,
    );
    (guests, rules(), rules(), rules(), rules(), any::<bool>()).prop_map(
        |(guests, own, group, host, zone, ipfilter)| {
            let guests =
                guests.into_iter().zip(100..).map(|((rules, zones, hosts), id)| guest(id, rules, &zones, &hosts));
            map([
                ("version", text(1)),
                (
                    "datacenter",
                    map([
                        ("aliases", map([("office", text("203.0.113.0/24")), ("both", text("2001:db8:2::/48"))])),
                        (
                            "ipsets",
                            map([(
                                "partners",
                                Node::List(vec![text("192.0.2.0/24"), text("!192.0.2.7"), text("2001:db8:3::1")]),
                            )]),
                        ),
                        ("rules", own),
                        ("guests", map([("options", map([("ipfilter", text(ipfilter))]))])),
                    ]),
                ),
                ("groups", map([("shared", map([("rules", group)]))])),
                (
                    "zones",
                    map([
                        ("web", map([("kind", text("guest")), ("rules", zone)])),
                        (
                            "quiet",
                            map([
                                ("kind", text("guest")),
                                ("options", map([("policy_out", text("drop"))])),
                                ("rules", Node::List(vec![map([("group", text("shared"))])])),
                            ]),
                        ),
                    ]),
                ),
                (
                    "hosts",
                    map([
                        (
                            "a1",
                            map([
                                ("addresses", Node::List(vec![text("10.0.0.1/24"), text("2001:db8::1/64")])),
                                ("rules", host),
                            ]),
                        ),
                        ("a2", map([("addresses", text("10.0.0.2/24"))])),
                    ]),
                ),
                ("vms", Node::Map(guests.collect())),
            ])
        },
    )
}

/// The order of a map's keys: a shuffle by a small generator, the same for the same seed.
fn shuffler(mut seed: u64) -> impl FnMut(usize) -> Vec<usize> {
    move |length| {
        let mut order: Vec<usize> = (0..length).collect();
        for at in (1..length).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(at, usize::try_from(seed >> 33).unwrap_or(0) % (at + 1));
        }
        order
    }
}

/// Without its places: what a finding says does not depend on how the spec is laid out.
fn messages(found: &Diagnostics) -> Vec<String> {
    let mut messages: Vec<String> =
        found.iter().map(|finding| format!("{:?} {}", finding.severity, finding.message)).collect();
    messages.sort();
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn layout_does_not_matter(spec in spec(), seed: u64, files in 1_usize..5, homes: Vec<Index>) {
        let plain = vec![("fwc.yaml".to_owned(), spec.render(&mut |length| (0..length).collect()))];
        let (expected, found) = compile(&plain);
        let mut leaves = Vec::new();
        spec.leaves(3, Vec::new(), &mut leaves);
        let mut parts = vec![Node::Map(Vec::new()); files];
        for (at, (path, value)) in leaves.into_iter().enumerate() {
            let home = homes.get(at % homes.len().max(1)).map_or(at % files, |index| index.index(files));
            parts[home].insert(&path, value);
        }
        let mut shuffle = shuffler(seed);
        let split: Vec<(String, String)> =
            parts.iter().enumerate().map(|(at, part)| (format!("{at}.yaml"), part.render(&mut shuffle))).collect();
        let (actual, found_split) = compile(&split);
        prop_assert_eq!(messages(&found), messages(&found_split));
        prop_assert_eq!(found.has_errors(), found_split.has_errors());
        if !found.has_errors() {
            prop_assert!(!expected.is_empty());
            prop_assert_eq!(expected, actual);
        }
    }

    #[test]
    fn any_text_is_taken(text in "\\PC{0,200}") {
        compile(&[("fwc.yaml".to_owned(), text)]);
    }

    #[test]
    fn any_text_after_a_key_is_taken(text in "[ -~\n]{0,60}", key in "(datacenter|hosts|vms|groups|zones|vnets|tests|version|containers)") {
        compile(&[("fwc.yaml".to_owned(), format!("{key}: {text}\n"))]);
    }

    /// A valid spec with a piece cut out, doubled, moved or replaced.
    #[test]
    fn a_damaged_spec_is_taken(which: Index, start: Index, length in 0_usize..40, what in 0_u8..6, word: Index) {
        let specs: Vec<String> = ["design", "quickstart", "server"]
            .iter()
            .map(|name| std::fs::read_to_string(common::root().join(format!("examples/{name}.yaml"))).expect("an example"))
            .collect();
        let valid: Vec<char> = which.get(&specs).chars().collect();
        let start = start.index(valid.len());
        let end = (start + length).min(valid.len());
        let words = ["0.0.0.0/0", "::/0", "[]", "{}", "null", "true", "65536", "-1", "any", "+management", "zone/web-tier", "!", "&a", "*a", "<<", "\u{0}", "é", "99999999999999999999", "host/*", "net99", "accept", "1.5"];
        let middle: String = match what {
            0 => String::new(),
            1 => valid[start..end].iter().chain(&valid[start..end]).collect(),
            2 => valid[start..end].iter().rev().collect(),
            3 => "\n".into(),
            _ => (*word.get(&words)).into(),
        };
        let damaged: String = valid[..start].iter().collect::<String>() + &middle + &valid[end..].iter().collect::<String>();
        compile(&[("fwc.yaml".to_owned(), damaged)]);
    }
}

/// Bytes that are no text reach the program only as a file.
#[test]
fn any_bytes_are_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let samples: [&[u8]; 6] =
        [b"\xff\xfe\x00", b"version: 1\n\x80", b"", b"\xef\xbb\xbfversion: 1\n", b"\x00\x00", b"a: \xed\xa0\x80"];
    for (at, bytes) in samples.iter().enumerate() {
        let spec = folder.path().join(format!("{at}.yaml"));
        let out = folder.path().join(format!("out{at}"));
        std::fs::write(&spec, bytes).expect("a file");
        let output = common::build(&spec, &out);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{bytes:?}: {said}");
        assert!(output.status.code().is_some_and(|code| [0, 2].contains(&code)), "{bytes:?}: {said}");
        assert!(output.status.success() || !out.exists(), "{bytes:?}: something is written");
    }
}
