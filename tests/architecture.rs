//! The house: floors import downwards only, files are read and printed to in one place, files stay readable.

#![expect(clippy::expect_used, clippy::string_slice, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each floor and all that it may import. What is not named here is forbidden.
const FLOORS: &[(&str, &[&str])] = &[
    ("diagnostic", &[]),
    ("net", &[]),
    ("policy", &["net", "diagnostic"]),
    ("spec", &["net", "diagnostic"]),
    ("resolve", &["spec", "policy", "net", "diagnostic"]),
    ("target", &["analysis", "state", "policy", "net", "diagnostic"]),
    ("analysis", &["state", "policy", "net", "diagnostic"]),
    ("state", &["net", "diagnostic"]),
    ("diff", &["target", "analysis", "state", "spec", "policy", "net", "diagnostic"]),
    ("import", &["analysis", "state", "target", "resolve", "spec", "policy", "net", "diagnostic"]),
    ("cli", &["import", "diff", "analysis", "target", "state", "resolve", "spec", "policy", "net", "diagnostic"]),
];

/// Floors that read files, run programs and print.
const OUTSIDE: &[&str] = &["cli", "main.rs"];

/// Files that are longer than the house allows, and why.
const LONG: &[(&str, &str)] = &[];

/// Lines of a file; tables of cases may be longer.
const LIMIT: usize = 500;
const TEST_LIMIT: usize = 800;

fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of src/") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut found = Vec::new();
    walk(&src, &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&src).expect("below src/").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a source file"))
        })
        .collect()
}

/// The first part of a path below `src/`: its floor, or the file itself.
fn floor(name: &str) -> &str {
    name.split_once('/').map_or(name, |(floor, _)| floor)
}

/// The source without comments and without what only tests see.
fn production(text: &str) -> String {
    let before_tests = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    before_tests.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

/// Every floor that a text names by `crate::FLOOR` or by `crate::{FLOOR…}`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
        };
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (index, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    _ if start && !c.is_whitespace() => {
                        found.push(word(&list[index..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.push(word(rest));
        }
    }
    found
}

#[test]
fn imports_are_read_as_rust_reads_them() {
    assert_eq!(imports("use crate::net::Mac; let x: crate::policy::Y;"), ["net", "policy"]);
    assert_eq!(imports("use crate::{spec::{A, B}, net};"), ["spec", "net"]);
}

#[test]
fn floors_import_downwards_only() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let Some((_, allowed)) = FLOORS.iter().find(|(known, _)| *known == floor(&name)) else {
            assert!(["lib.rs", "main.rs"].contains(&name.as_str()), "src/{name} belongs to no known floor");
            continue;
        };
        if is_test_file(&name) {
            continue;
        }
        for import in imports(&production(&text)) {
            if import != floor(&name) && !allowed.contains(&import.as_str()) {
                wrong.push(format!("src/{name} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_target_knows_another() {
    let targets = ["iptables", "nft", "pve", "sysctl"];
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let Some(own) = targets.iter().find(|target| name.starts_with(&format!("target/{target}/"))) else { continue };
        let text = production(&text);
        for other in targets.iter().filter(|other| *other != own) {
            for path in [format!("target::{other}"), format!("super::{other}::"), format!("super::super::{other}")] {
                if text.contains(&path) {
                    wrong.push(format!("src/{name} names {path}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_programs_and_printing_stay_in_the_command_line() {
    let words = ["std::fs", "std::process", "std::env", "println!", "eprintln!", "print!(", "stdout()", "stderr()"];
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        if OUTSIDE.contains(&floor(&name)) || is_test_file(&name) {
            continue;
        }
        let text = production(&text);
        wrong.extend(words.iter().filter(|word| text.contains(**word)).map(|word| format!("src/{name} uses {word}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn yaml_and_terminals_have_one_place_each() {
    let places = [("saphyr", "spec/"), ("miette", "cli/"), ("petgraph", "resolve/"), ("clap", "cli/")];
    for (name, text) in sources() {
        let text = production(&text);
        for (library, place) in places {
            let uses = text.contains(&format!("{library}::")) || text.contains(&format!("{library}_parser::"));
            assert!(!uses || name.starts_with(place) || name == "main.rs", "src/{name} uses {library}");
        }
    }
}

#[test]
fn files_stay_short() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        let excused = LONG.iter().any(|(known, _)| *known == name);
        let limit = if is_test_file(&name) { TEST_LIMIT } else { LIMIT };
        if lines > limit && !excused {
            wrong.push(format!("src/{name} has {lines} lines; {limit} is the limit"));
        }
        if lines <= limit && excused {
            wrong.push(format!("src/{name} is short now; take it off the list"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn modules_open_with_what_they_are_for() {
    for (name, text) in sources() {
        assert!(is_test_file(&name) || text.starts_with("//!"), "src/{name} does not say what it is for");
    }
}

/// Hash order must not reach an output: hash collections may be asked, never walked.
#[test]
fn hash_collections_are_never_walked() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let text = production(&text);
        for field in hash_names(&text) {
            for walk in [".iter()", ".iter_mut()", ".keys()", ".values()", ".values_mut()", ".into_iter()", ".drain("] {
                if text.contains(&format!("{field}{walk}")) {
                    wrong.push(format!("src/{name} walks `{field}{walk}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names of fields and variables of a hash collection's type.
fn hash_names(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["HashMap", "HashSet"] {
        for (at, _) in text.match_indices(kind) {
            let before = text[..at].trim_end().trim_end_matches("std::collections::");
            let Some(before) = before.strip_suffix([':', '=']) else { continue };
            let name: String =
                before.trim_end().chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let name: String = name.chars().rev().collect();
            // A field is asked through `self`; a variable stands by itself.
            let variable = text[..at].lines().last().is_some_and(|line| line.trim_start().starts_with("let "));
            found.extend((!name.is_empty()).then(|| if variable { name } else { format!("self.{name}") }));
        }
    }
    found
}

#[test]
fn names_of_hash_collections_are_found() {
    assert_eq!(hash_names("let mut seen = HashSet::new();\nstruct A { made: HashMap<u8, u8> }"), ["self.made", "seen"]);
}
