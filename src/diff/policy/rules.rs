//! Lists of rules, each pair of sections or groups compared once for all machines that share it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::diff::report::Kind;
use crate::policy::{Addresses, Direction, Entry, Group, GroupCall, Origin, Rule, Section, ZoneRef, words};

use super::cause::Origins;
use crate::diff::collect::CauseRef;
use crate::diff::pairing;

/// A difference between two lists, not yet at any place.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    pub(super) kind: Kind,
    /// None: a reference to a group, which may speak of several.
    pub(super) direction: Option<Direction>,
    /// Who wrote the rule.
    pub(super) zone: ZoneRef,
    pub(super) identity: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) spans: (Option<Span>, Option<Span>),
    /// The name whose meaning changed, where the rule itself is as it was.
    pub(super) because: Option<CauseRef>,
}

/// Compares sections and groups.
#[derive(Debug)]
pub(super) struct Comparer<'a> {
    origins: &'a Origins<'a>,
    sections: HashMap<(usize, usize), Rc<[Delta]>>,
    groups: HashMap<(usize, usize), Rc<[Delta]>>,
}

/// A shared thing by where it lies.
fn pointer<T>(shared: Option<&Arc<T>>) -> usize {
    shared.map_or(0, |shared| Arc::as_ptr(shared).cast::<u8>() as usize)
}

impl<'a> Comparer<'a> {
    pub(super) fn new(origins: &'a Origins<'a>) -> Self {
        Self { origins, sections: HashMap::new(), groups: HashMap::new() }
    }

    /// What became of a section; none of a side that has no such section.
    pub(super) fn sections(&mut self, old: Option<&Arc<Section>>, new: Option<&Arc<Section>>) -> Rc<[Delta]> {
        let key = (pointer(old), pointer(new));
        if let Some(known) = self.sections.get(&key) {
            return Rc::clone(known);
        }
        let entries = |section: Option<&Arc<Section>>| section.map_or(Vec::new(), |section| section.entries.clone());
        let found: Rc<[Delta]> = self.entries(&entries(old), &entries(new)).into();
        self.sections.insert(key, Rc::clone(&found));
        found
    }

    /// What became of a group.
    pub(super) fn groups(&mut self, old: &Arc<Group>, new: &Arc<Group>) -> Rc<[Delta]> {
        let key = (pointer(Some(old)), pointer(Some(new)));
        if let Some(known) = self.groups.get(&key) {
            return Rc::clone(known);
        }
        let entries = |group: &Group| group.rules.iter().cloned().map(Entry::Rule).collect::<Vec<_>>();
        let found: Rc<[Delta]> = self.entries(&entries(old), &entries(new)).into();
        self.groups.insert(key, Rc::clone(&found));
        found
    }

    fn entries(&mut self, old: &[Entry], new: &[Entry]) -> Vec<Delta> {
        let mut pairs = pairing::pairs(old, new);
        lone(old, new, &mut pairs);
        let moved = moves(old, new, &pairs);
        let mut found = Vec::new();
        for (before, after) in pairs {
            let entry = |list: &'_ [Entry], at: Option<usize>| -> Option<Entry> { list.get(at?).cloned() };
            match (entry(old, before), entry(new, after)) {
                (Some(was), Some(is)) => {
                    self.pair(&was, &is, &mut found);
                    if let Some((at, _)) = after.and_then(|at| moved.iter().find(|(moved, _)| *moved == at)) {
                        found.push(Delta {
                            detail: Some(neighbour(new, *at)),
                            ..delta(Kind::Moved, Some(&was), Some(&is))
                        });
                    }
                }
                (Some(was), None) => found.push(delta(Kind::Removed, Some(&was), None)),
                (None, Some(is)) => found.push(delta(Kind::Added, None, Some(&is))),
                (None, None) => {}
            }
        }
        found
    }

    fn pair(&mut self, old: &Entry, new: &Entry, found: &mut Vec<Delta>) {
        match (old, new) {
            (Entry::Rule(was), Entry::Rule(is)) => {
                if !Arc::ptr_eq(was, is) {
                    self.rule(old, new, was, is, found);
                }
            }
            (Entry::Group(was), Entry::Group(is)) => {
                let same = was.group.name == is.group.name;
                if entry_words(old) != entry_words(new) || !same {
                    found.push(delta(Kind::Altered, Some(old), Some(new)));
                } else {
                    let commented = was.comment != is.comment;
                    let mut details: Vec<String> =
                        commented.then(|| comment(was.comment.as_deref(), is.comment.as_deref())).into_iter().collect();
                    details.extend(renamed(&was.origin, &is.origin));
                    if !details.is_empty() {
                        let detail = Some(details.join("; "));
                        found.push(Delta { detail, ..delta(Kind::Altered, Some(old), Some(new)) });
                    }
                }
                if same {
                    found.extend(self.groups(&was.group, &is.group).iter().cloned());
                }
            }
            // One identity, and yet another thing: an id that was given to it.
            (Entry::Rule(_), Entry::Group(_)) | (Entry::Group(_), Entry::Rule(_)) => {
                found.push(delta(Kind::Altered, Some(old), Some(new)));
            }
        }
    }

    fn rule(&self, old: &Entry, new: &Entry, was: &Rule, is: &Rule, found: &mut Vec<Delta>) {
        let (before, after) = (entry_words(old), entry_words(new));
        let mut details = Vec::new();
        let mut because = None;
        if before == after && was.direction == is.direction {
            if let Some((detail, cause)) = self.resolved(was, is) {
                details.push(detail);
                because = cause;
            } else if was.services != is.services {
                details.push("its macro stands for something else".to_owned());
            }
        }
        if was.comment != is.comment {
            // The edit is the rule's own then, whatever its names stand for.
            because = None;
            details.push(comment(was.comment.as_deref(), is.comment.as_deref()));
        }
        if before == after {
            details.extend(renamed(&was.origin, &is.origin));
        }
        if before != after || was.direction != is.direction || !details.is_empty() {
            let detail = Some(details.join("; ")).filter(|text| !text.is_empty());
            found.push(Delta { detail, because, ..delta(Kind::Altered, Some(old), Some(new)) });
        }
    }

    /// A rule of the same words whose names stand for other addresses: which, and whose doing it is.
    fn resolved(&self, old: &Rule, new: &Rule) -> Option<(String, Option<CauseRef>)> {
        let ends = [(&old.source, &new.source), (&old.dest, &new.dest)];
        ends.into_iter().find_map(|(was, is)| self.addresses(was.as_ref()?, is.as_ref()?))
    }

    fn addresses(&self, old: &Addresses, new: &Addresses) -> Option<(String, Option<CauseRef>)> {
        if old.set == new.set {
            return None;
        }
        let term =
            old.terms.iter().zip(&new.terms).find(|(was, is)| was.set != is.set || was.reference != is.reference);
        let Some((was, is)) = term else { return Some(("other addresses".to_owned(), None)) };
        let (come, gone) = (is.set.difference(&was.set), was.set.difference(&is.set));
        let mut parts = Vec::new();
        parts.extend((!come.is_empty()).then(|| format!("is also {}", words::addresses(&come))));
        parts.extend((!gone.is_empty()).then(|| format!("is no longer {}", words::addresses(&gone))));
        let detail = format!("{} {}", words::reference(&is.reference), parts.join(", and "));
        Some((detail, self.origins.reference(&was.reference, &is.reference)))
    }
}

/// Another `id` of the same entry.
fn renamed(old: &Origin, new: &Origin) -> Option<String> {
    (old.identity != new.identity).then(|| format!("its id: {} → {}", old.identity, new.identity))
}

/// Pairs what is left alone between the same neighbours, one rule gone and one new, where both look the same way and
/// say the same: whatever it matches now, it is that rule which was edited.
fn lone(old: &[Entry], new: &[Entry], pairs: &mut Vec<pairing::Pair>) {
    let partner: BTreeMap<usize, usize> =
        pairs.iter().filter_map(|(before, after)| Some(((*before)?, (*after)?))).collect();
    let taken: BTreeSet<usize> = partner.values().copied().collect();
    // The partner of the neighbour; the ends of both lists are partners, too.
    let above = |at: usize| match at.checked_sub(1) {
        None => Some(0),
        Some(neighbour) => partner.get(&neighbour).map(|found| found + 1),
    };
    let below = |at: usize| if at + 1 == old.len() { Some(new.len()) } else { partner.get(&(at + 1)).copied() };
    let mut found = Vec::new();
    for (slot, pair) in pairs.iter().enumerate() {
        let (Some(before), None) = *pair else { continue };
        let Some(after) = above(before).filter(|after| below(before) == Some(after + 1)) else { continue };
        let (Some(Entry::Rule(was)), Some(Entry::Rule(is))) = (old.get(before), new.get(after)) else { continue };
        if !taken.contains(&after) && was.direction == is.direction && was.verdict == is.verdict {
            found.push((slot, after));
        }
    }
    for (slot, after) in &found {
        if let Some(pair) = pairs.get_mut(*slot) {
            pair.1 = Some(*after);
        }
    }
    pairs.retain(|(before, after)| before.is_some() || !found.iter().any(|(_, known)| Some(*known) == *after));
}

/// Entries that stand elsewhere among those of their direction: indices into the new list, and into the old one.
fn moves(old: &[Entry], new: &[Entry], pairs: &[pairing::Pair]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for direction in [Direction::In, Direction::Out, Direction::Forward] {
        let common: Vec<(usize, usize)> = pairs
            .iter()
            .filter_map(|(before, after)| Some(((*before)?, (*after)?)))
            .filter(|(before, after)| {
                let speaks = |entry: Option<&Entry>| entry.is_some_and(|entry| speaks_of(entry, direction));
                speaks(old.get(*before)) && speaks(new.get(*after))
            })
            .collect();
        let positions: Vec<usize> = common.iter().map(|(_, after)| *after).collect();
        for at in pairing::moved(&positions) {
            if let Some((before, after)) = common.get(at)
                && !found.iter().any(|(known, _)| known == after)
            {
                found.push((*after, *before));
            }
        }
    }
    found
}

fn speaks_of(entry: &Entry, direction: Direction) -> bool {
    match entry {
        Entry::Rule(rule) => rule.direction == direction,
        Entry::Group(call) => call.group.rules.iter().any(|rule| rule.direction == direction),
    }
}

/// Where an entry stands: behind which other one.
fn neighbour(list: &[Entry], at: usize) -> String {
    match at.checked_sub(1).and_then(|before| list.get(before)) {
        Some(before) => format!("now behind `{}`", entry_words(before)),
        None => "now the first".to_owned(),
    }
}

fn delta(kind: Kind, old: Option<&Entry>, new: Option<&Entry>) -> Delta {
    let shown = new.or(old);
    let direction = shown.and_then(|entry| match entry {
        Entry::Rule(rule) => Some(rule.direction),
        Entry::Group(call) => single_direction(call),
    });
    let origin = shown.map(Entry::origin);
    // A moved rule is shown as it is; where it went is the detail.
    let before = old.filter(|_| kind != Kind::Moved || new.is_none());
    Delta {
        kind,
        direction,
        zone: origin.map_or(ZoneRef::Datacenter, |origin| origin.zone.clone()),
        identity: origin.map_or(String::new(), |origin| origin.identity.clone()),
        old: before.map(entry_words),
        new: new.map(entry_words),
        detail: match (old, new) {
            (Some(entry), None) | (None, Some(entry)) => contents(entry),
            (_, _) => None,
        },
        spans: (old.map(|entry| entry.origin().span), new.map(|entry| entry.origin().span)),
        because: None,
    }
}

/// The one direction that a group's rules have.
fn single_direction(call: &GroupCall) -> Option<Direction> {
    let mut directions = call.group.rules.iter().map(|rule| rule.direction);
    let first = directions.next()?;
    directions.all(|other| other == first).then_some(first)
}

/// What a reference brings, in a few words.
fn contents(entry: &Entry) -> Option<String> {
    let Entry::Group(call) = entry else { return None };
    let rules: Vec<String> = call.group.rules.iter().take(3).map(|rule| rule_words(rule)).collect();
    let more = call.group.rules.len().saturating_sub(rules.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (!rules.is_empty()).then(|| format!("{}{more}", rules.join("; ")))
}

pub(super) fn comment(old: Option<&str>, new: Option<&str>) -> String {
    match (old, new) {
        (None, Some(new)) => format!("comment `{new}`"),
        (Some(old), None) => format!("no more comment `{old}`"),
        (old, new) => format!("comment `{}` → `{}`", old.unwrap_or_default(), new.unwrap_or_default()),
    }
}

fn rule_words(rule: &Rule) -> String {
    let off = if rule.enabled { "" } else { " (disabled)" };
    format!("{} {}{off}", words::verdict(rule.verdict), words::matches(rule))
}

/// A rule or a reference in the spec's words.
fn entry_words(entry: &Entry) -> String {
    match entry {
        Entry::Rule(rule) => rule_words(rule),
        Entry::Group(call) => {
            let off = if call.enabled { "" } else { " (disabled)" };
            let interface = words::interface(&call.interface).map_or(String::new(), |text| format!(" {text}"));
            format!("group {}{interface}{off}", call.group.name)
        }
    }
}
