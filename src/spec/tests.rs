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
    let row = |d: &crate::diagnostic::Diagnostic| {
        (d.message.clone(), sources.slice(d.span()).to_owned(), d.help.clone().unwrap_or_default())
    };
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
