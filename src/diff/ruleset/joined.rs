//! Lines of a list that come from one rule of the spec, or went with one call, are one change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::Kind;
use super::flat::{Flat, Line, Site, Then};
use super::list::Raw;
use super::matching::Row;
use crate::diagnostic::Span;
use crate::state::ruleset::Verdict;

/// Where a change was told from, for what is joined to it.
pub(super) struct Told {
    at: usize,
    /// The call that it came or went with.
    group: Option<Site>,
    line: Arc<Line>,
    /// Whether all that it asks is a mark.
    marked: bool,
}

impl Told {
    pub(super) fn new(flat: &Flat<'_>, at: usize, row: &Row, group: Option<Site>) -> Self {
        let tests = row.line.tests.iter().filter_map(|test| flat.pools.tests.get(*test));
        let marked = row.line.tests.len() == 1 && tests.into_iter().all(|test| &*test.key == "--mark");
        Self { at, group, line: Arc::clone(&row.line), marked }
    }
}

/// Which calls came or went as a whole.
pub(super) struct Sites(BTreeMap<Site, (usize, usize)>);

impl Sites {
    /// Counts them; `open`: the rules that came or went, ascending.
    pub(super) fn of(all: impl Iterator<Item = Site>, open: &[usize]) -> Self {
        let mut counts: BTreeMap<Site, (usize, usize)> = BTreeMap::new();
        if open.is_empty() {
            return Self(counts);
        }
        let mut open = open.iter().peekable();
        for (at, site) in all.enumerate() {
            let is_open = open.next_if(|next| **next == at).is_some();
            for prefix in prefixes(site) {
                let entry = counts.entry(prefix).or_default();
                *entry = (entry.0 + 1, entry.1 + usize::from(is_open));
            }
        }
        Self(counts)
    }

    /// The rule that a change comes from: of what came or went as a whole the call.
    pub(super) fn cause(&self, row: &Row) -> Span {
        let whole = |prefix: &Site| self.0.get(prefix).is_some_and(|(all, open)| all == open);
        let mut calls = prefixes(row.placed.site).zip(row.placed.via);
        calls.find(|(prefix, _)| whole(prefix)).map_or(row.placed.span, |(_, call)| call)
    }

    /// The outermost call that a rule came or went with, where more than one rule did.
    pub(super) fn group(&self, site: Site) -> Option<Site> {
        prefixes(site).find(|prefix| self.0.get(prefix).is_some_and(|(all, open)| all == open && *all > 1))
    }
}

/// The rule of the list, then with that of the chain that it calls, and so on.
fn prefixes([first, second, third, fourth]: Site) -> impl Iterator<Item = Site> {
    [[first, 0, 0, 0], [first, second, 0, 0], [first, second, third, 0], [first, second, third, fourth]].into_iter()
}

/// Adds a change, or joins it to the one before, where both are one rule of the spec.
pub(super) fn join(told: &mut Vec<(Raw, Told)>, raw: Raw, row: Told) {
    if let Some((last, before)) = told.last_mut().filter(|(last, before)| one(last, before, &raw, &row)) {
        last.old.extend(raw.old);
        last.new.extend(raw.new);
        let [old, new] = &mut last.causes;
        let [more_old, more_new] = raw.causes;
        for (all, more) in [(old, more_old), (new, more_new)] {
            all.extend(more);
            all.dedup();
        }
        *before = row;
        return;
    }
    told.push((raw, row));
}

/// Whether a change belongs to the one told before.
fn one(last: &Raw, before: &Told, raw: &Raw, row: &Told) -> bool {
    let comments = (&before.line.comment, &row.line.comment);
    let called_same = comments.0.is_some() && comments.0 == comments.1;
    // The line that logs has no comment; the one behind it asks the same and has.
    let logs = comments.0.is_none() && before.line.then == Then::Verdict(Verdict::Continue);
    let logged = logs && before.line.tests == row.line.tests;
    let grouped = before.group.is_some() && before.group == row.group;
    // What a called chain accepted by a mark is accepted behind the call.
    let answered = row.line.comment.is_none() && row.line.then == Then::Leave && row.marked;
    last.kind == raw.kind
        && before.at + 1 == row.at
        && match raw.kind {
            Kind::Added | Kind::Removed | Kind::Moved => called_same || logged || grouped || answered,
            Kind::Altered => {
                let free = comments.0.is_none() || comments.1.is_none();
                last.details == raw.details && (called_same || free)
            }
            Kind::Set => last.details == raw.details,
            Kind::CommentOnly
            | Kind::PlaceAdded
            | Kind::PlaceRemoved
            | Kind::PlaceAltered
            | Kind::Chain
            | Kind::Object
            | Kind::NotLed
            | Kind::Unexplained => false,
        }
}
