//! Equal changes at many places are one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::{Change, Detail, Kind, RuleText};
use super::list::Raw;
use super::place::Place;
use crate::diagnostic::Span;

/// A change without its places in texts.
type Key = (Kind, Vec<(String, Option<Arc<str>>)>, Vec<(String, Option<Arc<str>>)>, Vec<Detail>, String);

/// Changes so far.
#[derive(Debug, Default)]
pub(super) struct Gather {
    by_key: BTreeMap<Key, usize>,
    by_place: BTreeMap<(Kind, Vec<Span>, Vec<Span>), usize>,
    changes: Vec<(Change, BTreeSet<Place>)>,
    entries: Vec<Entry>,
}

/// A place that came or went whole.
#[derive(Debug)]
pub(super) struct Entry {
    /// [`Kind::PlaceAdded`] or [`Kind::PlaceRemoved`].
    pub(super) kind: Kind,
    /// Which.
    pub(super) place: Place,
    /// Its list, and the lists that the rules of a tree's entry lead to: by them an address is known to be an
    /// interface's. Numbers of one table's pools, so the table stands with them.
    pub(super) lists: BTreeSet<u32>,
    /// How many rules.
    pub(super) rules: usize,
    /// The rule or map.
    pub(super) text: RuleText,
}

impl Gather {
    /// Adds a change at a place. `apart`: what keeps changes apart that look the same.
    pub(super) fn add(&mut self, raw: Raw, place: Place, apart: &str) {
        let texts =
            |rules: &[RuleText]| rules.iter().map(|rule| (rule.text.clone(), rule.comment.clone())).collect::<Vec<_>>();
        let key = (raw.kind, texts(&raw.old), texts(&raw.new), raw.details.clone(), apart.to_owned());
        // Rules that many guests share are told for each of them in its own addresses.
        let [old, new] = raw.causes.clone();
        let place_key = (raw.kind, old, new);
        let written = place_key.1.iter().chain(&place_key.2).all(|span| span.len > 0);
        let named = matches!(raw.kind, Kind::PlaceAltered | Kind::Unexplained);
        let written = written && !named && !(place_key.1.is_empty() && place_key.2.is_empty());
        let known = self.by_key.get(&key).or_else(|| self.by_place.get(&place_key).filter(|_| written));
        let at = known.copied().unwrap_or(self.changes.len());
        self.by_key.insert(key, at);
        if written {
            self.by_place.insert(place_key, at);
        }
        match self.changes.get_mut(at) {
            Some((_, places)) => {
                places.insert(place);
            }
            None => {
                let Raw { kind, old, new, details, .. } = raw;
                let rules = old.len().max(new.len());
                let change = Change { kind, old, new, details, places: Vec::new(), rules };
                self.changes.push((change, BTreeSet::from([place])));
            }
        }
    }

    /// Adds a place that came or went whole.
    pub(super) fn entry(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// All of them, each with its places.
    pub(super) fn finish(mut self) -> Vec<Change> {
        self.join_entries();
        let finished =
            |(change, places): (Change, BTreeSet<Place>)| Change { places: places.into_iter().collect(), ..change };
        self.changes.into_iter().map(finished).collect()
    }

    /// One change for each interface that came or went, with the addresses that lead to the same rules.
    fn join_entries(&mut self) {
        let mut by_name: BTreeMap<(Kind, String), Vec<Entry>> = BTreeMap::new();
        let mut others = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            match entry.place.selectors.last() {
                Some(selector) if selector.way().is_some() => {
                    by_name.entry((entry.kind, selector.value.to_string())).or_default().push(entry);
                }
                Some(_) | None => others.push(entry),
            }
        }
        for entry in others {
            let same = |other: &Entry| {
                (&other.place.table, other.kind) == (&entry.place.table, entry.kind)
                    && !other.lists.is_disjoint(&entry.lists)
            };
            let value =
                entry.place.selectors.last().map_or_else(String::new, |last| format!("{} {}", last.key, last.value));
            match by_name.values_mut().find(|entries| entries.iter().any(same)) {
                Some(entries) => entries.push(entry),
                None => by_name.entry((entry.kind, value)).or_default().push(entry),
            }
        }
        for ((kind, _), entries) in by_name {
            let texts: Vec<RuleText> = entries.iter().map(|entry| entry.text.clone()).take(1).collect();
            let (old, new) = if kind == Kind::PlaceRemoved { (texts, Vec::new()) } else { (Vec::new(), texts) };
            let rules = entries.iter().map(|entry| entry.rules).sum();
            let places: BTreeSet<Place> = entries.into_iter().map(|entry| entry.place).collect();
            self.changes.push((Change { kind, old, new, details: Vec::new(), places: Vec::new(), rules }, places));
        }
    }
}
