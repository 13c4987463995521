//! The readers of nft's forms: what is the same in other words, what is not, and what cannot be read.

mod broken;
mod forms;
mod golden;
mod spelling;

use super::*;
use crate::diagnostic::Span;
use crate::state::ruleset::{Rule, Table, TableName};

/// What a ruleset says, wherever it says it.
fn meaning(mut ruleset: Ruleset) -> Ruleset {
    for table in ruleset.tables.values_mut() {
        for chain in table.chains.values_mut() {
            chain.span = Span::default();
            chain.rules.iter_mut().for_each(|rule| rule.span = Span::default());
        }
        table.sets.values_mut().for_each(|set| set.span = Span::default());
        table.maps.values_mut().for_each(|map| map.span = Span::default());
    }
    ruleset.unread.iter_mut().for_each(|one| one.span = Span::default());
    ruleset
}

fn script(text: &str) -> Ruleset {
    meaning(read(FileId(0), text))
}

fn listing(text: &str) -> Ruleset {
    meaning(read_json(FileId(0), text))
}

fn table<'r>(ruleset: &'r Ruleset, family: &str, name: &str) -> &'r Table {
    let name = TableName { family: family.into(), name: name.into() };
    ruleset.tables.get(&name).unwrap_or_else(|| panic!("no table {name}: {ruleset:?}"))
}

/// The rules of a chain of the table `inet t` with these lines.
fn rules(lines: &str) -> Vec<Rule> {
    let ruleset = script(&format!("table inet t {{\n\tchain c {{\n{lines}\n\t}}\n}}\n"));
    assert_eq!(ruleset.unread, [], "{lines}");
    table(&ruleset, "inet", "t").chains["c"].rules.clone()
}
