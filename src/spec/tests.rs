use proptest::prelude::*;

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

fn folder(files: &[(&str, &str)]) -> (SourceMap, Option<Spec>, Vec<Diagnostic>) {
    let mut sources = SourceMap::default();
    for (path, text) in files {
        sources.add(*path, *text);
    }
    let (spec, found) = load(&sources);
    let found = found.iter().cloned().collect();
    (sources, spec, found)
}

/// A spec without its places.
fn words(spec: &Spec) -> String {
    let text = format!("{spec:?}");
    let mut parts = text.split("Span {");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.split_once('}').unwrap().1)
}

#[test]
fn maps_are_merged_at_any_depth_and_tests_are_joined() {
    let (_, apart, found) = folder(&[
        (
            "a.yaml",
            "version: 1\nhosts: { pm1: { rules: [ { in: drop } ] } }\ntests: [ { from: outside, to: vm/100, expect: drop } ]\n",
        ),
        ("b.yaml", "version: 1\nhosts:\n  pm1:\n    options: { tcpflags: true }\n  pm2:\nvms:\n"),
        ("c.yaml", "# nothing\n"),
        (
            "d.yaml",
            "hosts: { pm1: { options: { ndp: false } } }\nvms: { 100: {} }\ntests: { from: vm/100, to: outside, expect: accept }\n",
        ),
    ]);
    assert_eq!(found, []);
    let whole = good(
        "version: 1\nhosts: { pm1: { rules: [ { in: drop } ], options: { tcpflags: true, ndp: false } }, pm2: }\nvms: { 100: {} }\n\
         tests: [ { from: outside, to: vm/100, expect: drop }, { from: vm/100, to: outside, expect: accept } ]\n",
    );
    assert_eq!(words(&apart.unwrap()), words(&whole));
}

#[test]
fn what_is_given_twice_shows_both_places() {
    for (first, second, path, at) in [
        ("hosts: { pm1: { rules: [] } }", "hosts: { pm1: { rules: [] } }", "hosts.pm1.rules", 16),
        ("datacenter: { name: a }", "datacenter: { name: a }", "datacenter.name", 14),
        (
            "datacenter: { options: { enable: true } }",
            "datacenter: { options: { enable: true } }",
            "datacenter.options.enable",
            25,
        ),
        ("groups: { base: [] }", "groups: { base: { rules: [] } }", "groups.base", 10),
        ("hosts: { pm1: { inherits: a } }", "hosts: { pm1: { inherits: [b] } }", "hosts.pm1.inherits", 16),
    ] {
        let (sources, spec, found) = folder(&[("a.yaml", &format!("{first}\nversion: 1\n")), ("b.yaml", second)]);
        assert_eq!(spec, None);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].message, format!("`{path}` is given twice"));
        assert_eq!(found[0].code, Code::DuplicateKey);
        let places: Vec<_> = found[0].labels.iter().map(|label| (label.span.file.0, label.span.start)).collect();
        assert_eq!(places, [(1, at), (0, at)]);
        let key = path.rsplit('.').next().unwrap();
        assert!(found[0].labels.iter().all(|label| sources.slice(label.span) == key));
    }
}

#[test]
fn every_file_may_repeat_the_version_but_not_another_one() {
    let (sources, _, found) =
        folder(&[("a.yaml", "version: 1\n"), ("b.yaml", "version: 1\n"), ("c.yaml", "version: 2\n")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].message, "the files disagree on `version`: `2` here");
    let texts: Vec<_> = found[0].labels.iter().map(|label| sources.slice(label.span)).collect();
    assert_eq!(texts, ["2", "1"]);
}

#[test]
fn errors_of_all_files_are_said_at_once_and_nothing_is_missed_for_a_broken_one() {
    let (sources, spec, found) = folder(&[
        ("a.yaml", "version: [\n"),
        ("b.yaml", "hosts: { pm1: { adresses: 10.0.0.1 } }\n"),
        ("c.yaml", "zones: { web: {} }\nvms: { 1: {} }\n"),
        ("d.yaml", "[]\n"),
    ]);
    assert_eq!(spec, None);
    let said: Vec<_> =
        found.iter().map(|d| format!("{}: {}", sources.path(d.span().file).display(), d.message)).collect();
    // Not that `version` and `kind` are missing: they may stand in what could not be read.
    assert_eq!(
        said,
        [
            "a.yaml: expected a value",
            "b.yaml: unknown key `adresses` in a host",
            "c.yaml: `1` is not the number of a guest",
            "d.yaml: expected a map for a spec, found a list",
        ]
    );
}

#[test]
fn no_files_and_empty_files_lack_a_version() {
    for files in [&[][..], &[("a.yaml", "")], &[("a.yaml", ""), ("b.yaml", "# x")]] {
        let (_, spec, found) = folder(files);
        assert_eq!(spec, None);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "a spec without `version`");
        assert_eq!(found[0].help.as_deref(), Some("begin the spec with `version: 1`"));
    }
}

#[test]
fn named_things_are_sorted_guests_and_nics_by_number() {
    let spec = good(
        "version: 1\nhosts: { b: {}, a: {} }\nvms: { 1000: {}, 200: { nics: { net10: {}, net2: {} } }, 100: {} }\n\
         datacenter: { options: { policy_out: drop, enable: true } }\n",
    );
    let names = |map: Vec<&model::Text>| map.into_iter().map(|name| name.value.clone()).collect::<Vec<_>>();
    assert_eq!(names(spec.hosts.iter().map(|(name, _)| name).collect()), ["a", "b"]);
    assert_eq!(names(spec.vms.iter().map(|(name, _)| name).collect()), ["100", "200", "1000"]);
    assert_eq!(names(spec.vms[1].1.nics.iter().map(|(name, _)| name).collect()), ["net2", "net10"]);
    assert_eq!(names(spec.datacenter.body.options.iter().map(|(name, _)| name).collect()), ["enable", "policy_out"]);
}

#[test]
fn short_and_long_forms_mean_the_same() {
    for (short, long) in [
        ("groups: { base: { in: drop, id: x } }", "groups: { base: { rules: [ { in: drop, id: x } ] } }"),
        ("groups: { base: [ { in: drop } ] }", "groups: { base: { rules: { in: drop } } }"),
        ("datacenter: { aliases: { aa: 10.0.0.1 } }", "datacenter: { aliases: { aa: { value: 10.0.0.1 } } }"),
        ("datacenter: { ipsets: { aa: x } }", "datacenter: { ipsets: { aa: { entries: [ { value: x } ] } } }"),
        (
            "datacenter: { ipsets: { aa: { value: x, comment: y } } }",
            "datacenter: { ipsets: { aa: [ { value: x, comment: y } ] } }",
        ),
        ("vms: { 100: { host: a, inherits: b } }", "vms: { 100: { host: [a], inherits: [b] } }"),
        (
            "hosts: { a: { options: { nf_conntrack_helpers: ftp } } }",
            "hosts: { a: { options: { nf_conntrack_helpers: [ftp] } } }",
        ),
        ("hosts: { a: { rules: { in: drop, dport: 22 } } }", "hosts: { a: { rules: [ { in: drop, dport: [22] } ] } }"),
    ] {
        let [short, long] = [short, long].map(|text| words(&good(&format!("version: 1\n{text}\n"))));
        assert_eq!(short, long);
    }
}

/// Everything the loader owes for any text.
fn sound(texts: &[String]) -> Result<(), TestCaseError> {
    let mut sources = SourceMap::default();
    for (at, text) in texts.iter().enumerate() {
        sources.add(format!("{at}.yaml"), text.clone());
    }
    let (spec, found) = load(&sources);
    prop_assert_eq!(spec.is_none(), found.has_errors());
    for diagnostic in found.iter() {
        prop_assert!(diagnostic.help.is_some(), "{}", diagnostic.message);
        prop_assert!(!diagnostic.message.ends_with('.'), "{}", diagnostic.message);
        for label in &diagnostic.labels {
            let end = (label.span.start + label.span.len) as usize;
            let text = sources.text(label.span.file);
            prop_assert!(text.get(label.span.start as usize..end).is_some(), "{}", diagnostic.message);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_texts_load_without_panic(texts in prop::collection::vec("\\PC{0,80}|[a-z:{}\\[\\], \n#&*!-]{0,80}", 1..4)) {
        sound(&texts)?;
    }

    /// Mutations of a spec that has everything: characters and lines lost, doubled, replaced, moved.
    #[test]
    fn any_mutation_of_a_spec_loads_without_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5_u8, "[\\PC]|[:{}\\[\\],\n\t #&*!~-]"), 1..6),
    ) {
        let mut text = std::fs::read_to_string("examples/design.yaml").unwrap();
        for (at, other, kind, with) in edits {
            let mut chars: Vec<char> = text.chars().collect();
            if kind < 3 {
                let at = at.index(chars.len());
                let new: Vec<char> = if kind == 0 { Vec::new() } else { with.chars().collect() };
                chars.splice(at..at + usize::from(kind < 2), new);
                text = chars.into_iter().collect();
            } else {
                let mut lines: Vec<&str> = text.lines().collect();
                let (at, other) = (at.index(lines.len()), other.index(lines.len()));
                if kind == 3 { lines.swap(at, other) } else { lines.insert(other, lines[at]) }
                text = lines.join("\n");
            }
        }
        sound(&[text])?;
    }

    /// The order of keys and of files means nothing.
    #[test]
    fn shuffled_files_and_keys_are_the_same_spec(order in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let parts = [
            "hosts: { b: { rules: [ { in: drop } ], comment: x }, a: }\n",
            "hosts: { c: { options: { ndp: true } } }\n",
            "vms: { 200: {}, 100: { options: { dhcp: true, enable: true } } }\n",
            "version: 1\ndatacenter: { name: x, aliases: { zz: 10.0.0.1, aa: 10.0.0.2 } }\n",
        ];
        let files: Vec<(&str, &str)> = order.iter().map(|at| ("x.yaml", parts[*at])).collect();
        let straight: Vec<(&str, &str)> = parts.iter().map(|part| ("x.yaml", *part)).collect();
        let [shuffled, straight] = [files, straight].map(|files| words(&folder(&files).1.unwrap()));
        prop_assert_eq!(shuffled, straight);
    }
}
