//! Every example's output: equal to itself, and each single edit of it is told once.

use std::path::{Path, PathBuf};

use super::*;
use crate::state::ruleset::{Rule, Test, Value, Verdict};

/// Every ruleset below `golden/`.
fn rulesets() -> Vec<(String, Ruleset)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"), &mut files);
    let mut all = Vec::new();
    for path in files {
        let program = match path.file_name().unwrap().to_str().unwrap() {
            "iptables.rules" => Program::Iptables,
            "ip6tables.rules" => Program::Ip6tables,
            "ebtables.rules" => Program::Ebtables,
            "fwc.nft" => Program::Nft,
            _ => continue,
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let sets = std::fs::read_to_string(path.with_file_name("ipset.rules")).ok();
        let ruleset = read(program, &text, sets.as_deref().filter(|_| program != Program::Nft));
        assert_eq!(ruleset.unread, [], "{}", path.display());
        all.push((path.display().to_string(), ruleset));
    }
    assert!(all.len() > 20);
    all
}

#[test]
fn a_ruleset_equals_itself() {
    for (name, ruleset) in rulesets() {
        let comparison = compare(&ruleset, &ruleset);
        assert!(comparison.is_equal(), "{name}\n{}", said(&comparison));
        assert_eq!(comparison.foreign, [], "{name}");
        assert!(is_loaded(&ruleset, &ruleset) || ruleset.rule_count() == 0, "{name}");
    }
}

/// Another value of the same kind; none where it is not clear what that is.
fn other(value: &str) -> Option<String> {
    if let Ok(number) = value.parse::<u16>() {
        return Some(if number == 22_222 { 22_223 } else { 22_222 }.to_string());
    }
    let address = value.split_once('/').map_or(value, |(address, _)| address);
    if address.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some(value.replace(address, "192.0.2.77"));
    }
    if value
        .strip_prefix(address)
        .and_then(|rest| rest.strip_prefix('/')?.parse().ok())
        .is_some_and(|length: u8| length < 40)
    {
        return None;
    }
    address.parse::<std::net::Ipv6Addr>().is_ok().then(|| value.replace(address, "2001:db8:77::77"))
}

/// Every place in a ruleset where a rule stands.
fn places(ruleset: &Ruleset) -> Vec<(TableName, Arc<str>, usize)> {
    let mut all = Vec::new();
    for (table, content) in &ruleset.tables {
        for (chain, rules) in &content.chains {
            all.extend((0..rules.rules.len()).map(|at| (table.clone(), Arc::clone(chain), at)));
        }
    }
    all
}

fn rules<'r>(ruleset: &'r mut Ruleset, (table, chain, _): &(TableName, Arc<str>, usize)) -> &'r mut Vec<Rule> {
    &mut ruleset.tables.get_mut(table).unwrap().chains.get_mut(chain).unwrap().rules
}

/// Whether a rule is a branch of a tree, which a second time no packet comes to.
fn branch(rule: &Rule) -> bool {
    let net = |test: &Test| match &test.value {
        Value::One(value) => value.ends_with('+') || &*test.key == "-d" && value.contains('/'),
        Value::Any(_) | Value::Set(_) => false,
    };
    matches!(rule.verdict, Verdict::Goto(_) | Verdict::Jump(_)) && rule.tests.len() == 1 && rule.tests.iter().any(net)
}

/// Whether the order of two rules means nothing: each leads on by another interface or address.
fn unordered(a: &Rule, b: &Rule) -> bool {
    let lookup = |rule: &Rule| {
        let leads = matches!(rule.verdict, Verdict::Jump(_) | Verdict::Goto(_));
        let key = |test: &Test| matches!(&*test.key, "-i" | "-o" | "-d" | "--physdev-in" | "--physdev-out");
        (leads && rule.tests.iter().all(key)).then(|| rule.tests.clone())
    };
    lookup(a).zip(lookup(b)).is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && a != b)
}

type Change<'c> = &'c mut dyn FnMut(&mut Ruleset);

/// A rule for packets that come while sets are not filled yet. Whatever becomes of it, to later packets it is none.
fn guard(rule: &Rule) -> bool {
    let filled = |test: &Test| test.negated && matches!(&test.value, Value::Set(name) if &**name == "filled");
    rule.tests.iter().any(filled)
}

/// Every edit of one element.
fn edits(ruleset: &Ruleset, edit: &mut dyn FnMut(String, Change<'_>)) {
    for place in places(ruleset) {
        let (table, chain, at) = &place;
        let all = &ruleset.tables[table].chains[chain].rules;
        let original = &all[*at];
        let mut edit = |what: &str, change: &mut dyn FnMut(&mut Vec<Rule>)| {
            let name = format!("{what} {chain} {at}: {original} {:?}", original.comment);
            edit(name, &mut |ruleset| change(rules(ruleset, &place)));
        };
        // A branch stands for many entries, each of which is a change of its own.
        if branch(original) || guard(original) {
            continue;
        }
        edit("drop", &mut |rules| drop(rules.remove(*at)));
        edit("double", &mut |rules| rules.insert(*at, rules[*at].clone()));
        if all.get(at + 1).is_some_and(|next| !unordered(original, next) && !guard(next)) {
            edit("swap", &mut |rules| rules.swap(*at, at + 1));
        }
        if original.verdict == Verdict::Accept {
            edit("verdict", &mut |rules| rules[*at].verdict = Verdict::Drop);
        }
        if original.verdict == Verdict::Drop {
            edit("verdict", &mut |rules| rules[*at].verdict = Verdict::Accept);
        }
        for (number, test) in original.tests.iter().enumerate() {
            if let Value::One(value) = &test.value
                && let Some(new) = other(value)
            {
                edit("value", &mut |rules| rules[*at].tests[number].value = Value::One(new.clone()));
            }
        }
        let calls = matches!(original.verdict, Verdict::Jump(_) | Verdict::Goto(_)) && original.tests.is_empty();
        if original.comment.is_some() && !calls {
            edit("comment", &mut |rules| rules[*at].comment = Some("another".into()));
        }
    }
    for (name, table) in &ruleset.tables {
        for (set, content) in &table.sets {
            let asked = |rule: &Rule| rule.tests.iter().any(|test| test.value == Value::Set(Arc::clone(set)));
            let used = table.chains.values().flat_map(|chain| &chain.rules).any(asked);
            for element in content.elements.iter().filter(|_| used) {
                edit(format!("drop element {element} of {set}"), &mut |ruleset| {
                    let table = ruleset.tables.get_mut(name).unwrap();
                    table.sets.get_mut(set).unwrap().elements.remove(element);
                });
            }
        }
        for (map, content) in &table.maps {
            for element in content.elements.keys() {
                edit(format!("drop element {element} of map {map}"), &mut |ruleset| {
                    let table = ruleset.tables.get_mut(name).unwrap();
                    table.maps.get_mut(map).unwrap().elements.remove(element);
                });
                let others = content.elements.iter().filter(|(_, verdict)| **verdict != content.elements[element]);
                if let Some((_, verdict)) = others.into_iter().next() {
                    edit(format!("redirect element {element} of map {map}"), &mut |ruleset| {
                        let table = ruleset.tables.get_mut(name).unwrap();
                        table.maps.get_mut(map).unwrap().elements.insert(element.clone(), verdict.clone());
                    });
                }
            }
        }
        for (chain, _) in table.chains.iter().filter(|(name, chain)| own::is_root(name, chain)) {
            edit(format!("policy of {chain}"), &mut |ruleset| {
                let table = ruleset.tables.get_mut(name).unwrap();
                let policy = &mut table.chains.get_mut(chain).unwrap().base.as_mut().unwrap().policy;
                *policy = if *policy == Verdict::Accept { Verdict::Drop } else { Verdict::Accept };
            });
        }
    }
}

/// Edits tried of each ruleset, spread evenly. `EDITS=100000 cargo test` tries them all, which takes long.
const EDITS: usize = 30;

#[test]
fn each_edit_is_told_once() {
    let most = std::env::var("EDITS").map_or(EDITS, |edits| edits.parse().unwrap());
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (at, (file, ruleset)) in rulesets().into_iter().enumerate() {
        let mut all = 0_usize;
        edits(&ruleset, &mut |_, _| all += 1);
        let step = all.div_ceil(most).max(1);
        // Another one first in each file.
        let mut count = at;
        edits(&ruleset, &mut |name, change| {
            count += 1;
            if count % step != 0 {
                return;
            }
            let mut found = ruleset.clone();
            change(&mut found);
            if found == ruleset {
                return;
            }
            tried += 1;
            let comparison = compare(&ruleset, &found);
            if comparison.changes.len() != 1 {
                wrong.push(format!("{file}: {name}: {} changes\n{}", comparison.changes.len(), said(&comparison)));
            }
        });
    }
    assert!(tried > 500, "only {tried} edits");
    let shown: Vec<_> = wrong.iter().take(20).cloned().collect();
    assert!(wrong.is_empty(), "{} of {tried} edits\n{}", wrong.len(), shown.join("\n\n"));
}
