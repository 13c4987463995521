//! What iptables, ip6tables, ebtables and ipset files mean, against what the programs list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fwc::diagnostic::FileId;
use fwc::state::ruleset::{Chain, Program, Ruleset, Set, Table, Verdict};
use fwc::state::{ipset, iptables};

/// Reads `*-restore` input or `*-save` output, of which nothing may stay unread.
pub fn parse(text: &str, program: &str) -> Ruleset {
    let kind = match program.split(['-', '.']).next() {
        Some("iptables") => Program::Iptables,
        Some("ip6tables") => Program::Ip6tables,
        Some("ebtables") => Program::Ebtables,
        other => panic!("no such program: {other:?}"),
    };
    let found = iptables::read(FileId(0), text, kind);
    assert!(found.unread.is_empty(), "{program}: {:?}", found.unread);
    found
}

/// Reads ipset's `restore` input or `save` output, of which nothing may stay unread.
pub fn parse_sets(text: &str) -> BTreeMap<Arc<str>, Set> {
    let (mut sets, unread) = ipset::read(FileId(0), text);
    assert!(unread.is_empty(), "{unread:?}");
    for set in sets.values_mut() {
        // Where it stands in its file is no part of it.
        set.span = Default::default();
    }
    sets
}

/// Rules as lines, comments with them.
fn text(chain: &Chain) -> String {
    let line = |rule: &fwc::state::ruleset::Rule| format!("{rule} # {}", rule.comment.as_deref().unwrap_or_default());
    chain.rules.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether two chains are the same, wherever they stand.
fn same(a: &Chain, b: &Chain) -> bool {
    let rules = a.rules.iter().zip(&b.rules);
    a.base == b.base
        && a.rules.len() == b.rules.len()
        && rules.into_iter().all(|(a, b)| {
            (&a.tests, &a.statements, &a.verdict, &a.comment) == (&b.tests, &b.statements, &b.verdict, &b.comment)
        })
}

/// What two rulesets disagree on, line by line; empty where they mean the same.
/// Chains that hold nothing and end nothing are created by the programs themselves and count as absent.
pub fn differences(meant: &Ruleset, listed: &Ruleset) -> Vec<String> {
    let accepts = |chain: &Chain| chain.base.as_ref().is_some_and(|base| base.policy == Verdict::Accept);
    let trivial = |chain: &Chain| chain.rules.is_empty() && accepts(chain);
    let mut found = Vec::new();
    for table in meant.tables.keys().chain(listed.tables.keys()).collect::<BTreeSet<_>>() {
        let empty = Table::default();
        let (left, right) = (meant.tables.get(table).unwrap_or(&empty), listed.tables.get(table).unwrap_or(&empty));
        let (left, right) = (&left.chains, &right.chains);
        for name in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
            match (left.get(name), right.get(name)) {
                (Some(a), Some(b)) if same(a, b) => {}
                (Some(a), Some(b)) => {
                    if a.base != b.base {
                        found.push(format!("{table} {name}: {:?} became {:?}", a.base, b.base));
                    }
                    let difference = super::common::difference(&text(a), &text(b));
                    found.push(format!("{table} {name}: {difference}"));
                }
                (Some(chain), None) if !trivial(chain) => found.push(format!("{table} {name} is missing")),
                (None, Some(chain)) if !trivial(chain) => found.push(format!("{table} {name} is not meant")),
                (_, _) => {}
            }
        }
    }
    found
}
