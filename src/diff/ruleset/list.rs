//! Two lists of rules, held against each other.
//!
//! In: the lists, as found and as meant. Out: what came, went, moved or became another, in few words, and the dispatches
//! whose entries differ. Promise: nothing is said of equal lists; of lists that are not, something is. Rules are matched
//! as they are first, then by their comments, then by likeness; a list costs what its changes cost.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::alter::{alterations, set_change};
use super::change::{Detail, Kind, RuleText};
use super::flat::{END, Flat, Line, List, Side, Then};
use super::joined::{Sites, Told, join};
use super::matching::{Matching, Row, rows, slide};
use super::{sequence, words};
use crate::diagnostic::Span;
use crate::state::ruleset::{Test, Value};

/// A change of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) kind: Kind,
    pub(super) old: Vec<RuleText>,
    pub(super) new: Vec<RuleText>,
    pub(super) details: Vec<Detail>,
    /// The rules in the two texts that this comes from, which are the same for all guests that share a chain.
    pub(super) causes: [Vec<Span>; 2],
}

impl Raw {
    pub(super) fn new(kind: Kind, old: Vec<RuleText>, new: Vec<RuleText>, details: Vec<Detail>) -> Self {
        let spans = |rules: &[RuleText]| rules.iter().map(|rule| rule.span).collect();
        let causes = [spans(&old), spans(&new)];
        Self { kind, old, new, details, causes }
    }
}

/// What differs between two lists.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// The changes, in order.
    pub(super) raw: Vec<Raw>,
    /// Dispatches with different entries, as found and as meant, and the chain or map as meant.
    pub(super) dispatches: Vec<(u32, u32, Arc<str>)>,
}

impl Difference {
    pub(super) fn size(&self) -> usize {
        self.raw.len() + self.dispatches.len()
    }
}

/// Lists within lists; what is deeper is not looked into.
const DEPTH: usize = 64;
/// What differs.
pub(super) fn compare(flat: &Flat<'_>, found: &List, meant: &List) -> Difference {
    let mut difference = Difference::default();
    within(flat, found, meant, DEPTH, &mut difference);
    difference
}

fn within(flat: &Flat<'_>, old: &List, new: &List, depth: usize, out: &mut Difference) {
    if old.number == new.number {
        return;
    }
    let before = out.size();
    let mut idle = false;
    if depth > 0 {
        let numbers = |list: &List| list.lines.iter().map(|placed| placed.line).collect::<Vec<_>>();
        let mut aligned = sequence::align(&numbers(old), &numbers(new));
        let (old, new) = (rows(flat, old), rows(flat, new));
        slide(&mut aligned, &old, &new);
        let mut matching = Matching { of_new: vec![None; new.len()], taken: vec![false; old.len()], old, new, aligned };
        matching.settle(flat);
        idle = matching.tell(flat, depth, out);
    }
    if out.size() == before && !idle {
        out.raw.push(Raw::new(Kind::Unexplained, Vec::new(), Vec::new(), Vec::new()));
    }
}

impl Matching {
    /// Whether packets that two lines send on go on at the same rule of the new list.
    fn same_target(&self, old: (usize, &Row), new: (usize, &Row)) -> bool {
        let leave = (old.1.placed.leave, new.1.placed.leave);
        // Where lists within differ, one may let packets out and the other not: that is said of them.
        if leave == (false, false) || leave.0 != leave.1 && old.1.line.then != new.1.line.then {
            return true;
        }
        let target = |(at, row): (usize, &Row)| match row.placed.to {
            _ if !row.placed.leave => at + 1,
            END => usize::MAX,
            to => to as usize,
        };
        let behind = |by: fn(&(usize, usize)) -> usize, to: usize| {
            let pair = self.aligned.get(self.aligned.partition_point(|pair| by(pair) < to));
            pair.map_or(self.new.len(), |pair| pair.1)
        };
        behind(|pair| pair.0, target(old)) == behind(|pair| pair.1, target(new))
    }

    /// Adds what there is to tell. Says whether some rules were not worth it, as no packet fits them.
    fn tell(&self, flat: &Flat<'_>, depth: usize, out: &mut Difference) -> bool {
        let before = out.size();
        let mut told: Vec<(Raw, Told)> = Vec::new();
        let removed = self.open_old();
        let sites = Sites::of(self.old.iter().map(|row| row.placed.site), &removed);
        let mut idle = false;
        // What a goto makes of its chain's end is told only where nothing else is.
        let mut made: Vec<Raw> = Vec::new();
        for at in removed {
            let Some(row) = self.old.get(at) else { continue };
            if row.placed.made {
                made.push(Raw::new(Kind::Removed, vec![words::rule(flat, &row.placed)], Vec::new(), Vec::new()));
                continue;
            }
            if never(flat, &row.line) {
                idle = true;
                continue;
            }
            let mut raw = Raw::new(Kind::Removed, vec![words::rule(flat, &row.placed)], Vec::new(), Vec::new());
            raw.causes = [vec![sites.cause(row)], Vec::new()];
            join(&mut told, raw, Told::new(flat, at, row, sites.group(row.placed.site)));
        }
        let added = self.open_new();
        let added = Sites::of(self.new.iter().map(|row| row.placed.site), &added);
        let moved: Vec<usize> =
            self.of_new.iter().zip(0..).filter(|(of, _)| matches!(of, Some((_, true)))).map(|(_, at)| at).collect();
        let moved = Sites::of(self.new.iter().map(|row| row.placed.site), &moved);
        for (at, row) in self.new.iter().enumerate() {
            match self.of_new.get(at).copied().flatten() {
                None if never(flat, &row.line) => idle = true,
                None if row.placed.made => {
                    made.push(Raw::new(Kind::Added, Vec::new(), vec![words::rule(flat, &row.placed)], Vec::new()));
                }
                None => {
                    let mut raw = Raw::new(Kind::Added, Vec::new(), vec![words::rule(flat, &row.placed)], Vec::new());
                    raw.causes = [Vec::new(), vec![added.cause(row)]];
                    join(&mut told, raw, Told::new(flat, at, row, added.group(row.placed.site)));
                }
                Some((old_at, was_moved)) => {
                    let Some(old) = self.old.get(old_at) else { continue };
                    if let Some(mut raw) = self.altered(flat, (old_at, old), (at, row), was_moved) {
                        let group = moved.group(row.placed.site).filter(|_| raw.kind == Kind::Moved);
                        if raw.kind == Kind::Moved {
                            raw.causes = [vec![], vec![moved.cause(row)]];
                        }
                        join(&mut told, raw, Told::new(flat, at, row, group));
                    }
                    match (&old.line.then, &row.line.then) {
                        (Then::List(old), Then::List(new)) if !unlike(flat, *old, *new) => {
                            let (old, new) = (flat.list_of(Side::Found, *old), flat.list_of(Side::Meant, *new));
                            within(flat, &old, &new, depth - 1, out);
                        }
                        (Then::Dispatch(old), Then::Dispatch(new)) if old != new => {
                            let through = row.placed.through.clone().unwrap_or_else(|| "".into());
                            out.dispatches.push((*old, *new, through));
                        }
                        _ => {}
                    }
                }
            }
        }
        out.raw.extend(told.into_iter().map(|(raw, _)| raw));
        if out.size() == before {
            out.raw.append(&mut made);
        }
        idle
    }

    /// What is another in a rule that is on both sides, what is within it aside.
    fn altered(&self, flat: &Flat<'_>, old: (usize, &Row), new: (usize, &Row), moved: bool) -> Option<Raw> {
        let (a, b) = (old.1, new.1);
        let mut details = alterations(flat, &a.line, &b.line);
        if !moved && !self.same_target(old, new) {
            details.push(Detail::ReturnsElsewhere);
        }
        let kind = match () {
            () if !details.is_empty() => {
                details.extend(moved.then_some(Detail::Moved));
                if let Some(only) = set_change(flat, &a.line, &b.line, &details) {
                    // A set is one thing, whichever rules ask for it.
                    return Some(Raw::new(Kind::Set, Vec::new(), Vec::new(), vec![only]));
                }
                Kind::Altered
            }
            () if moved => Kind::Moved,
            () if a.line.comment != b.line.comment => Kind::CommentOnly,
            () => return None,
        };
        Some(Raw::new(kind, vec![words::rule(flat, &a.placed)], vec![words::rule(flat, &b.placed)], details))
    }
}

/// Whether no packet fits a line: it asks for an element of a set that has none.
fn never(flat: &Flat<'_>, line: &Line) -> bool {
    let empty = |test: &Test| !test.negated && matches!(&test.value, Value::Any(values) if values.is_empty());
    line.tests.iter().filter_map(|test| flat.pools.tests.get(*test)).any(|test| empty(test))
}

/// Whether two lists share nothing, so that one stands in the other's place.
pub(super) fn unlike(flat: &Flat<'_>, old: u32, new: u32) -> bool {
    let (old, new) = (flat.pools.list_of(old), flat.pools.list_of(new));
    let there: BTreeSet<u32> = old.lines.iter().map(|placed| placed.line).collect();
    let shared = new.lines.iter().any(|placed| there.contains(&placed.line));
    !shared && old.lines.len().max(new.lines.len()) > 1
}
