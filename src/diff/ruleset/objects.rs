//! What a table holds besides rules.
//!
//! In: the two tables. Out: the changes of sets that are compared by their names, and of its other things (helpers,
//! quotas, flags).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Comparison;
use super::change::{Detail, Kind, RuleText};
use super::list::Raw;
use super::table::Driver;
use crate::diagnostic::Span;
use crate::state::ruleset::{Set, Table, Value};

impl Driver<'_, '_> {
    /// Sets that are compared by name, and what else a table holds.
    pub(super) fn objects(&mut self, comparison: &mut Comparison) {
        let (found, meant) = (self.sides.found, self.sides.meant);
        for name in self.named {
            match (found.sets.get(name), meant.sets.get(name)) {
                (Some(old), Some(new)) => self.set(name, old, new),
                (None, None) => {}
                _ => comparison.unseen_sets.push((self.sides.name.clone(), Arc::clone(name))),
            }
        }
        let names: BTreeSet<&String> = found.others.keys().chain(meant.others.keys()).collect();
        for name in names {
            let (old, new) = (found.others.get(name), meant.others.get(name));
            if old == new {
                continue;
            }
            let text = |lines: Option<&Vec<String>>| -> Vec<RuleText> {
                let text = |lines: &Vec<String>| RuleText {
                    text: format!("{name}: {}{}", lines.join("; "), asleep(name, lines)),
                    comment: None,
                    span: Span::default(),
                };
                lines.map(text).into_iter().collect()
            };
            let raw = Raw::new(Kind::Object, text(old), text(new), Vec::new());
            let place = self.place(&name.as_str().into());
            self.gather.add(raw, place, name);
        }
    }

    fn set(&mut self, name: &Arc<str>, old: &Set, new: &Set) {
        let all = |set: &Set| -> BTreeSet<String> {
            let kind = [format!("type {}", set.kind)];
            set.elements.iter().cloned().chain(set.attributes.iter().cloned()).chain(kind).collect()
        };
        let (a, b) = (all(old), all(new));
        if a == b {
            return;
        }
        let detail = Detail::Elements {
            of: format!("@{name}"),
            removed: a.difference(&b).cloned().collect(),
            added: b.difference(&a).cloned().collect(),
        };
        let raw = Raw::new(Kind::Set, Vec::new(), Vec::new(), vec![detail]);
        let place = self.place(name);
        let table = self.sides.name.to_string();
        self.gather.add(raw, place, &table);
    }
}

/// What is to be known of a table's flags.
fn asleep(name: &str, lines: &[String]) -> &'static str {
    let dormant = name == "flags" && lines.iter().any(|line| line.split([',', ' ']).any(|flag| flag == "dormant"));
    if dormant { " (while it is dormant, the table filters nothing)" } else { "" }
}

/// Sets that can be compared by their names alone.
pub(super) fn named(found: &Table, meant: &Table) -> BTreeSet<Arc<str>> {
    let mut named = BTreeSet::new();
    for table in [found, meant] {
        for rule in table.chains.values().flat_map(|chain| &chain.rules) {
            for test in &rule.tests {
                if let Value::Set(name) = &test.value
                    && !table.sets.contains_key(name)
                {
                    named.insert(Arc::clone(name));
                }
            }
            for word in rule.statements.iter().flat_map(|text| text.split_whitespace()) {
                if let Some((name, _)) = word.strip_prefix('@').and_then(|name| table.sets.get_key_value(name)) {
                    named.insert(Arc::clone(name));
                }
            }
        }
        let special = table.sets.iter().filter(|(_, set)| !set.attributes.is_empty());
        named.extend(special.map(|(name, _)| Arc::clone(name)));
    }
    named
}
