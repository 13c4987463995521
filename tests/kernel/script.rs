//! nftables scripts as fwc reads them, and rules in the kernel's own form, which is an independent witness.
//!
//! In: what fwc wrote, or what nft lists. Out: every object by its place (`inet fwc chain host-in`) with its lines;
//! two are equal exactly when they mean the same.

use std::collections::{BTreeMap, BTreeSet};

use fwc::diagnostic::FileId;
use fwc::state::nft;
use fwc::state::ruleset::{Ruleset, Set};

/// Every object of a ruleset with its lines: rules in order, attributes sorted.
pub type Objects = BTreeMap<String, Vec<String>>;

/// Reads a script, or a listing in one of its forms, of which nothing may stay unread.
pub fn parse(text: &str) -> Objects {
    let found = if nft::is_json(text) { nft::read_json(FileId(0), text) } else { nft::read(FileId(0), text) };
    assert!(found.unread.is_empty(), "{:?}", found.unread);
    objects(&found)
}

/// All that a ruleset says, but for the places where it says it.
pub fn objects(ruleset: &Ruleset) -> Objects {
    let mut objects = Objects::new();
    for (name, table) in &ruleset.tables {
        objects.insert(name.to_string(), Vec::new());
        let mut add = |kind: &str, object: &str, lines: Vec<String>| {
            objects.insert(format!("{name} {kind} {object}"), lines);
        };
        for (chain, found) in &table.chains {
            let mut lines = vec![format!("{:?}", found.base)];
            lines.extend(
                found.rules.iter().map(|rule| {
                    format!("{:?} {:?} {:?} {:?}", rule.tests, rule.statements, rule.verdict, rule.comment)
                }),
            );
            add("chain", chain, lines);
        }
        for (set, Set { kind, elements, attributes, span: _ }) in &table.sets {
            let mut lines = vec![format!("{kind} {attributes:?}")];
            lines.extend(elements.iter().cloned());
            add("set", set, lines);
        }
        for (map, found) in &table.maps {
            let mut lines = vec![found.kind.clone()];
            lines.extend(found.elements.iter().map(|(key, verdict)| format!("{key} : {verdict:?}")));
            add("map", map, lines);
        }
        for (other, lines) in &table.others {
            add("other", other, lines.clone());
        }
    }
    objects
}

/// The kernel's own form of every rule, as `nft --debug=netlink` shows it, by chain and in order.
///
/// A listing in words may leave out what nft takes for implied; this leaves out nothing.
pub fn bytecode(text: &str) -> Objects {
    let mut objects = Objects::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        let mut words = line.split(' ');
        let head: Vec<&str> = words.by_ref().take(3).collect();
        if line.starts_with("  [") || line.starts_with("  userdata") {
            if let Some(rules) = current.as_ref().and_then(|name| objects.get_mut(name)) {
                let instruction = line.trim().replace(" 0x0 ]", " ]").replace(" timeout 0ms", "");
                let instruction = instruction.split("__set").collect::<Vec<_>>();
                let text = match instruction.as_slice() {
                    [before, after] => format!("{before}__set{}", after.trim_start_matches(|c: char| c != ' ')),
                    other => other.concat(),
                };
                if let Some(rule) = rules.last_mut() {
                    rule.push_str(&text);
                    rule.push(' ');
                }
            }
        } else if matches!(head[..], ["inet" | "bridge", _, chain] if !chain.starts_with('@'))
            && head.len() == 3
            && words.all(|word| word.parse::<u32>().is_ok())
        {
            let name = head.join(" ");
            objects.entry(name.clone()).or_default().push(String::new());
            current = Some(name);
        } else {
            current = None;
        }
    }
    objects
}

/// What two rulesets disagree on; empty where they mean the same.
pub fn differences(meant: &Objects, listed: &Objects) -> Vec<String> {
    let mut found = Vec::new();
    for name in meant.keys().chain(listed.keys()).collect::<BTreeSet<_>>() {
        match (meant.get(name), listed.get(name)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                found.push(format!("{name}: {}", super::common::difference(&a.join("\n"), &b.join("\n"))));
            }
            (Some(_), None) => found.push(format!("{name} is missing")),
            (None, _) => found.push(format!("{name} is not meant")),
        }
    }
    found
}
