//! Aliases, ipsets and groups: what a name stands for, whether or not anybody uses it.

use std::collections::BTreeSet;

use crate::diff::report::{Kind, Subject};
use crate::policy::{Ipset, IpsetEntry, ZoneRef, words};

use super::machine::Machines;
use super::rules;
use crate::diff::collect::{CauseRef, Draft};

/// Entries of an ipset that are written out.
const ENTRIES: usize = 6;

/// Compares all definitions of both specs.
pub(super) fn compare(machines: &mut Machines<'_>) {
    aliases(machines);
    ipsets(machines);
    groups(machines);
}

fn draft(cause: &CauseRef, name: &str, old: Option<String>, new: Option<String>) -> Draft {
    let kind = match (&old, &new) {
        (None, _) => Kind::Added,
        (_, None) => Kind::Removed,
        (_, _) => Kind::Altered,
    };
    let spans = (cause.old, cause.new);
    Draft { kind, subject: Subject::Definition, name: name.to_owned(), zone: None, old, new, detail: None, spans }
}

fn aliases(machines: &mut Machines<'_>) {
    let origins = machines.origins;
    let (old, new) = (&origins.old.fleet.aliases, &origins.new.fleet.aliases);
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let text = |alias: Option<&crate::policy::Alias>| alias.map(|alias| alias.network.to_string());
        let (before, after) = (text(old.get(key)), text(new.get(key)));
        let detail = commented(old.get(key).map(|alias| &alias.comment), new.get(key).map(|alias| &alias.comment));
        if before != after || detail.is_some() {
            let cause = origins.definition(&key.0, "aliases", &key.1, before != after);
            let draft = Draft { detail, ..draft(&cause, &key.1, before, after) };
            machines.collector.add(&cause, draft, None);
        }
    }
}

fn ipsets(machines: &mut Machines<'_>) {
    let origins = machines.origins;
    let (old, new) = (&origins.old.fleet.ipsets, &origins.new.fleet.ipsets);
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (entries(old.get(key)), entries(new.get(key)));
        let said = commented(old.get(key).map(|ipset| &ipset.comment), new.get(key).map(|ipset| &ipset.comment));
        let said = said.or_else(|| entry_comments(old.get(key)?, new.get(key)?));
        if before == after && said.is_none() {
            continue;
        }
        let cause = origins.definition(&key.0, "ipsets", &key.1, before != after);
        let name = format!("+{}", key.1);
        let text = |entries: &Option<BTreeSet<String>>| entries.as_ref().map(|entries| shortened(entries.iter()));
        let draft = match (&before, &after) {
            (Some(before), Some(after)) => {
                let entries = Some(come_and_gone(before, after)).filter(|text| !text.is_empty());
                let detail = Some(entries.into_iter().chain(said).collect::<Vec<_>>().join("; "));
                Draft { kind: Kind::Altered, detail, ..draft(&cause, &name, None, None) }
            }
            (_, _) => draft(&cause, &name, text(&before), text(&after)),
        };
        machines.collector.add(&cause, draft, None);
    }
}

/// What became of the comment of a definition that both sides have.
fn commented(old: Option<&Option<String>>, new: Option<&Option<String>>) -> Option<String> {
    let (old, new) = (old?.as_deref(), new?.as_deref());
    (old != new).then(|| rules::comment(old, new))
}

/// What became of the comments of entries that both sides have: of the first that is another, by its entry.
fn entry_comments(old: &Ipset, new: &Ipset) -> Option<String> {
    new.entries.iter().find_map(|is| {
        let same = |was: &&IpsetEntry| was.reference == is.reference && was.exclude == is.exclude;
        let said = commented(old.entries.iter().find(same).map(|was| &was.comment), Some(&is.comment))?;
        Some(format!("{}: {said}", words::reference(&is.reference)))
    })
}

/// The entries as they are written; their order means nothing.
fn entries(ipset: Option<&Ipset>) -> Option<BTreeSet<String>> {
    let entry =
        |entry: &IpsetEntry| format!("{}{}", if entry.exclude { "!" } else { "" }, words::reference(&entry.reference));
    ipset.map(|ipset| ipset.entries.iter().map(entry).collect())
}

fn shortened<'e>(entries: impl Iterator<Item = &'e String>) -> String {
    let entries: Vec<&str> = entries.map(String::as_str).collect();
    let shown: Vec<&str> = entries.iter().take(ENTRIES).copied().collect();
    let more = entries.len().saturating_sub(shown.len());
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// `adds a, b; removes c`.
pub(in crate::diff) fn come_and_gone(before: &BTreeSet<String>, after: &BTreeSet<String>) -> String {
    let come: Vec<&String> = after.difference(before).collect();
    let gone: Vec<&String> = before.difference(after).collect();
    let mut parts = Vec::new();
    parts.extend((!come.is_empty()).then(|| format!("adds {}", shortened(come.into_iter()))));
    parts.extend((!gone.is_empty()).then(|| format!("removes {}", shortened(gone.into_iter()))));
    parts.join("; ")
}

fn groups(machines: &mut Machines<'_>) {
    let origins = machines.origins;
    let (old, new) = (&origins.old.fleet.groups, &origins.new.fleet.groups);
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let cause = origins.zone(&ZoneRef::Group(name.clone()));
        match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) => {
                for delta in machines.comparer.groups(before, after).iter() {
                    machines.delta(delta, &cause, None);
                }
                if let Some(said) = commented(Some(&before.comment), Some(&after.comment)) {
                    let draft = draft(&cause, &format!("group {name}"), None, None);
                    let draft = Draft { kind: Kind::Altered, detail: Some(said), ..draft };
                    machines.collector.add(&cause, draft, None);
                }
            }
            (before, after) => {
                let count = |group: &std::sync::Arc<crate::policy::Group>| format!("{} rules", group.rules.len());
                let draft = draft(&cause, &format!("group {name}"), before.map(count), after.map(count));
                machines.collector.add(&cause, draft, None);
            }
        }
    }
}
