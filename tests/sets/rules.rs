//! What every target writes for random specs: each rule is understood, nothing in it is opaque.

use std::collections::BTreeMap;
use std::sync::Arc;

use fwc::analysis::loaded::nft::Cases;
use fwc::analysis::loaded::{Asked, Condition, Effect, iptables, nft};
use fwc::diagnostic::FileId;
use fwc::net::Family;
use fwc::state::ruleset::{Program, Rule, Ruleset, Table};
use fwc::target::{self, Selection, Templates};

use crate::fleet;
use crate::specs::random_spec;

/// Seeds of specs that are tried.
const SPECS: u64 = 60;

/// All files that a spec compiles to, by path.
fn files(text: &str) -> BTreeMap<String, String> {
    let fleet = fleet(text);
    let templates = Templates::new(BTreeMap::new()).expect("the embedded templates parse");
    let compile = |target: &&dyn target::Target| target.compile(&fleet, &Selection::default(), &templates);
    let all = target::ALL.iter().map(compile).map(|compiled| compiled.expect("the templates render"));
    all.flat_map(|compiled| compiled.files).map(|file| (file.path, file.content)).collect()
}

fn opaque(asked: &Asked) -> bool {
    asked.conditions.iter().any(|condition| matches!(condition, Condition::Opaque(_)))
        || asked.effects.iter().any(|effect| matches!(effect, Effect::Opaque(_)))
}

/// Asks of every rule; gives how many there are.
fn check(ruleset: &Ruleset, text: &str, mut understood: impl FnMut(&str, &Table, &Rule) -> bool) -> usize {
    assert_eq!(ruleset.unread, [], "{text}");
    for (name, table) in &ruleset.tables {
        for rule in table.chains.values().flat_map(|chain| &chain.rules) {
            assert!(understood(&name.family, table, rule), "`{rule}` of\n{text}");
        }
    }
    ruleset.rule_count()
}

#[test]
fn every_rule_that_is_written_is_understood() {
    let mut counts = BTreeMap::new();
    for files in (0..SPECS).map(|seed| files(&random_spec(seed))) {
        for (path, text) in &files {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let (program, family) = match name {
                "iptables.rules" => (Program::Iptables, Family::V4),
                "ip6tables.rules" => (Program::Ip6tables, Family::V6),
                "fwc.nft" => (Program::Nft, Family::V4),
                _ => continue,
            };
            let count = if program == Program::Nft {
                check(&fwc::state::nft::read(FileId(0), text), text, |family, table, rule| {
                    let mut words = nft::Words::new(family, table);
                    !opaque(&words.asked(rule)) && words.cases(rule) != Some(Cases::Opaque)
                })
            } else {
                let mut ruleset = fwc::state::iptables::read(FileId(0), text, program);
                let sets = files.get(&format!("{folder}/ipset.rules")).map_or("", String::as_str);
                for (name, set) in fwc::state::ipset::read(FileId(0), sets).0 {
                    for table in ruleset.tables.values_mut() {
                        table.sets.insert(Arc::clone(&name), set.clone());
                    }
                }
                check(&ruleset, text, |_, table, rule| !opaque(&iptables::asked(family, table, rule)))
            };
            *counts.entry(name.to_owned()).or_insert(0) += count;
        }
    }
    assert!(counts.len() == 3 && counts.values().all(|count| *count > 2000), "{counts:?}");
}
