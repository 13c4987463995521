use super::*;

/// The spec of one file, which must be right.
pub(super) fn good(text: &str) -> Spec {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = load(&sources);
    let messages: Vec<_> = found.iter().map(|d| format!("{} at `{}`", d.message, sources.slice(d.span()))).collect();
    assert_eq!(messages, Vec::<String>::new());
    spec.unwrap()
}

/// What is said of one file: message, what is underlined, and the help.
pub(super) fn complaints(text: &str) -> Vec<(String, String, String)> {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = load(&sources);
    assert!(spec.is_none() || !found.has_errors());
    let row =
        |d: &Diagnostic| (d.message.clone(), sources.slice(d.span()).to_owned(), d.help.clone().unwrap_or_default());
    found.iter().map(row).collect()
}

#[test]
fn every_text_of_a_rule_keeps_its_place() {
    let text = "version: 1\ngroups:\n  base:\n    - { in: accept, proto: tcp, dport: [80, \"443\"], comment: 'é!' }\n";
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = load(&sources);
    assert!(found.is_empty(), "{found:?}");
    let spec = spec.unwrap();
    let rule = &spec.groups[0].1.rules[0];
    assert_eq!(sources.slice(rule.span), "{ in: accept, proto: tcp, dport: [80, \"443\"], comment: 'é!' }");
    let dport = rule.dport.as_ref().unwrap();
    assert_eq!(sources.slice(dport.span), "[80, \"443\"]");
    assert_eq!(sources.slice(dport.value[1].span), "\"443\"");
    assert_eq!(rule.comment.as_ref().unwrap().value, "é!");
}

/// The text of every file of an example.
fn example(name: &str) -> SourceMap {
    let mut sources = SourceMap::default();
    let mut folders = vec![std::path::Path::new("examples").join(name)];
    let mut files = Vec::new();
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        sources.add(path, text);
    }
    sources
}

#[test]
fn every_example_loads() {
    for entry in std::fs::read_dir("examples").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let sources = example(&name);
        if sources.files().next().is_none() {
            continue;
        }
        let (spec, found) = load(&sources);
        let messages: Vec<_> =
            found.iter().map(|d| format!("{} at `{}`", d.message, sources.slice(d.span()))).collect();
        assert_eq!(messages, Vec::<String>::new(), "{name}");
        assert!(spec.is_some());
    }
}

/// A fleet of guests with two NICs, ten own rules and a group each.
pub(super) fn fleet(guests: u32) -> String {
    use std::fmt::Write;
    let mut text = "version: 1\nhosts: { pm1: { addresses: 10.0.0.1/24 } }\nvms:\n".to_owned();
    for at in 0..guests {
        let (a, b) = (at / 250, at % 250 + 1);
        writeln!(
            text,
            "  {}:\n    name: web{at}\n    host: pm1\n    options: {{ ipfilter: true }}\n    nics:",
            at + 100
        )
        .unwrap();
        for nic in 0..2 {
            writeln!(text, "      net{nic}: {{ bridge: vmbr{nic}, mac: \"BC:24:11:0{nic}:{a:02X}:{b:02X}\", ip: [10.{nic}.{a}.{b}/16, \"2001:db8:{nic}::{at:x}/64\"] }}").unwrap();
        }
        writeln!(text, "    rules:\n      - {{ id: base, group: g{} }}", at % 50).unwrap();
        for rule in 0..10 {
            writeln!(
                text,
                "      - {{ in: accept, proto: tcp, dport: {}, source: +management, comment: rule {rule} of {at} }}",
                1000 + rule
            )
            .unwrap();
        }
    }
    text
}

/// Nanoseconds that this thread has had a processor: other load does not count.
fn processor_time() -> u64 {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement: cargo test --release --lib load_time -- --ignored --nocapture"]
fn load_time() {
    println!("a rule has {} bytes", size_of::<model::Rule>());
    for guests in [1000, 10_000] {
        let mut sources = SourceMap::default();
        sources.add("fleet.yaml", fleet(guests));
        let (file, _, text) = sources.files().next().unwrap();
        let mut best = [u64::MAX; 5];
        for _ in 0..10 {
            let mut found = Diagnostics::new();
            let mut times = vec![processor_time()];
            assert!(saphyr_parser::Parser::new_from_str(text).count() > 0);
            times.push(processor_time());
            let tree = yaml::parse(file, text, &mut found).0;
            times.push(processor_time());
            shape::check(&tree, true, &mut found);
            times.push(processor_time());
            let spec = decode::spec(tree);
            times.push(processor_time());
            drop(spec);
            times.push(processor_time());
            assert!(found.is_empty(), "{found:?}");
            for (best, pair) in best.iter_mut().zip(times.windows(2)) {
                *best = (*best).min((pair[1] - pair[0]) / 10_000);
            }
        }
        let [events, parse, check, decode, drop] = best.map(|hundredths| hundredths as f64 / 100.0);
        println!(
            "{guests} guests, {} bytes: events alone {events} ms; parse {parse}, check {check}, decode {decode}, drop {drop}",
            text.len()
        );
    }
}
