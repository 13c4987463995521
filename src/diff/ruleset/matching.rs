//! Which rule of one list is which of another.
//!
//! In: two lists, and what they have in common in order. Out: for every rule its counterpart: an equal one elsewhere, one
//! that is called the same, one that is like it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::alter::same_then;
use super::flat::{Flat, Line, List, Placed, Then};
use crate::state::ruleset::{Test, Verdict};

/// Pairs of rules that are tried for likeness, within one gap and with one comment.
const TRIES: usize = 4_096;

/// A rule of either list, and its place there.
pub(super) struct Row {
    pub(super) placed: Placed,
    pub(super) line: Arc<Line>,
}

/// Which rule of the other list each rule is.
pub(super) struct Matching {
    /// As found.
    pub(super) old: Vec<Row>,
    /// As meant.
    pub(super) new: Vec<Row>,
    /// For each new rule: the old one, and whether it was moved here.
    pub(super) of_new: Vec<Option<(usize, bool)>>,
    /// For each old one, whether it is taken.
    pub(super) taken: Vec<bool>,
    /// Equal ones in the same order.
    pub(super) aligned: Vec<(usize, usize)>,
}

/// A list's rules.
pub(super) fn rows(flat: &Flat<'_>, list: &List) -> Vec<Row> {
    let row = |placed: &Placed| Some(Row { placed: placed.clone(), line: flat.pools.line_of(placed.line)? });
    list.lines.iter().filter_map(row).collect()
}

/// Moves blocks of unmatched rules up or down where that means the same, so that they begin and end where calls do:
/// what came or went with a call is then one block.
pub(super) fn slide(aligned: &mut [(usize, usize)], old: &[Row], new: &[Row]) {
    blocks(aligned, new);
    let swap = |aligned: &mut [(usize, usize)]| aligned.iter_mut().for_each(|pair| *pair = (pair.1, pair.0));
    swap(aligned);
    blocks(aligned, old);
    swap(aligned);
}

/// The blocks of the second list, where the first one has nothing unmatched.
fn blocks(aligned: &mut [(usize, usize)], rows: &[Row]) {
    /// How far a block moves at most.
    const FAR: usize = 256;
    let line = |at: usize| rows.get(at).map(|row| row.placed.line);
    let call = |at: usize| rows.get(at).map(|row| row.placed.site.first().copied());
    let edge = |at: usize| usize::from(at == 0 || call(at.wrapping_sub(1)) != call(at));
    for at in 0..aligned.len().saturating_sub(1) {
        let (Some(before), Some(after)) = (aligned.get(at).copied(), aligned.get(at + 1).copied()) else { break };
        if after.0 != before.0 + 1 || after.1 <= before.1 + 1 {
            continue;
        }
        let (start, end) = (before.1 + 1, after.1);
        let score = |start: usize, end: usize| edge(start) + edge(end);
        let mut best = (score(start, end), 0);
        for up in 1..FAR {
            let there = (at + 1).checked_sub(up).and_then(|place| aligned.get(place)).copied();
            let contiguous = there == before.0.checked_sub(up - 1).zip(before.1.checked_sub(up - 1));
            if !contiguous || there.is_none() || line(start - up) != line(end - up) {
                break;
            }
            let found = score(start - up, end - up);
            if found > best.0 {
                best = (found, up);
            }
        }
        for up in 0..best.1 {
            if let Some(pair) = aligned.get_mut(at - up) {
                pair.1 = end - 1 - up;
            }
        }
    }
}

impl Matching {
    fn take(&mut self, old: usize, new: usize, moved: bool) {
        if let (Some(taken), Some(of)) = (self.taken.get_mut(old), self.of_new.get_mut(new)) {
            *taken = true;
            *of = Some((old, moved));
        }
    }

    /// Old rules without a counterpart.
    pub(super) fn open_old(&self) -> Vec<usize> {
        self.taken.iter().enumerate().filter(|(_, taken)| !**taken).map(|(at, _)| at).collect()
    }

    /// New rules without a counterpart.
    pub(super) fn open_new(&self) -> Vec<usize> {
        self.of_new.iter().enumerate().filter(|(_, of)| of.is_none()).map(|(at, _)| at).collect()
    }

    /// Finds them.
    pub(super) fn settle(&mut self, flat: &Flat<'_>) {
        for (old, new) in self.aligned.clone() {
            self.take(old, new, false);
        }
        self.by_likeness_in_gaps(flat, true);
        self.moves();
        self.by_comment(flat);
        self.by_likeness_in_gaps(flat, false);
    }

    /// Equal rules at other places.
    fn moves(&mut self) {
        let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for at in self.open_old().into_iter().rev() {
            if let Some(row) = self.old.get(at) {
                places.entry(row.placed.line).or_default().push(at);
            }
        }
        for at in self.open_new() {
            let line = self.new.get(at).map(|row| row.placed.line);
            if let Some(old) = line.and_then(|line| places.get_mut(&line)).and_then(Vec::pop) {
                self.take(old, at, true);
            }
        }
    }

    /// Rules that are called the same.
    fn by_comment(&mut self, flat: &Flat<'_>) {
        let mut groups: BTreeMap<Arc<str>, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for at in self.open_old() {
            if let Some(comment) = self.old.get(at).and_then(|row| row.line.comment.clone()) {
                groups.entry(comment).or_default().0.push(at);
            }
        }
        for at in self.open_new() {
            if let Some(comment) = self.new.get(at).and_then(|row| row.line.comment.clone()) {
                groups.entry(comment).or_default().1.push(at);
            }
        }
        for (comment, (old, new)) in groups {
            let alone = old.len() == 1 && new.len() == 1;
            // With its zone it names one rule of the spec, whatever that has become; else it may be a stage's.
            let named = comment.contains(' ');
            let least = if named { 0 } else { 1 };
            self.pair(flat, &old, &new, if alone { least } else { LIKE / 2 });
        }
    }

    /// Rules between the same neighbours. `same`: only such as do the same (or ask the same) in all but one part.
    fn by_likeness_in_gaps(&mut self, flat: &Flat<'_>, same: bool) {
        let (mut old, mut new) = (0, 0);
        let ends = (self.old.len(), self.new.len());
        for (at, to) in self.aligned.clone().into_iter().chain([ends]) {
            let olds: Vec<usize> = (old..at).filter(|at| self.taken.get(*at) == Some(&false)).collect();
            let news: Vec<usize> = (new..to).filter(|at| self.of_new.get(*at) == Some(&None)).collect();
            match (olds.as_slice(), news.as_slice()) {
                ([], _) | (_, []) => {}
                ([old], [new]) if !same && self.wider(*old, *new) => self.take(*old, *new, false),
                (olds, news) => self.pair(flat, olds, news, if same { CERTAIN } else { LIKE }),
            }
            (old, new) = (at + 1, to + 1);
        }
    }

    /// Whether two rules do the same, and one of them asks for less.
    fn wider(&self, old: usize, new: usize) -> bool {
        let (Some(old), Some(new)) = (self.old.get(old), self.new.get(new)) else { return false };
        let (old, new) = (&old.line, &new.line);
        let within = |one: &Line, other: &Line| one.tests.iter().all(|test| other.tests.contains(test));
        let decides = |then: &Then| match then {
            Then::Verdict(_) | Then::Leave => true,
            Then::Dispatch(_) | Then::List(_) => false,
        };
        decides(&old.then)
            && (&old.then, &old.statements, &old.comment) == (&new.then, &new.statements, &new.comment)
            && (within(old, new) || within(new, old))
    }

    /// Pairs the likest first.
    fn pair(&mut self, flat: &Flat<'_>, old: &[usize], new: &[usize], least: u32) {
        if old.len().saturating_mul(new.len()) > TRIES {
            return;
        }
        let mut tries: Vec<(u32, usize, usize)> = Vec::new();
        for at in old {
            for to in new {
                let (Some(a), Some(b)) = (self.old.get(*at), self.new.get(*to)) else { continue };
                let score = likeness(flat, &a.line, &b.line);
                if score >= least {
                    tries.push((score, *at, *to));
                }
            }
        }
        tries.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        for (_, at, to) in tries {
            let free = self.taken.get(at) == Some(&false) && self.of_new.get(to) == Some(&None);
            if free {
                let crossed = self.crosses(at, to);
                self.take(at, to, crossed);
            }
        }
    }

    /// Whether the two stand at different sides of an aligned rule.
    fn crosses(&self, old: usize, new: usize) -> bool {
        let before = |by: fn(&(usize, usize)) -> usize, at: usize| self.aligned.partition_point(|pair| by(pair) < at);
        before(|pair| pair.0, old) != before(|pair| pair.1, new)
    }
}

/// The likeness from which two rules are one that was altered; all is [`ALL`].
const LIKE: u32 = 500;
/// The likeness of rules that differ in one part alone.
const CERTAIN: u32 = 1_000;
const ALL: u32 = 1_000;

/// How like two rules are: more than [`ALL`] where only one part differs, 0 for unlike ones.
fn likeness(flat: &Flat<'_>, old: &Line, new: &Line) -> u32 {
    let tests = |line: &Line| -> Vec<Arc<Test>> {
        line.tests.iter().filter_map(|test| flat.pools.tests.get(*test).cloned()).collect()
    };
    let most = old.tests.len().max(new.tests.len());
    let equal = old.tests.iter().filter(|test| new.tests.contains(test)).count();
    let (old_tests, new_tests) = (tests(old), tests(new));
    let near = |a: &&Arc<Test>| new_tests.iter().any(|b| a.key == b.key && a.negated == b.negated);
    let near = old_tests.iter().filter(near).count();
    let share = ((equal + near) * 500).checked_div(most);
    let asked = share.map_or(ALL, |share| u32::try_from(share).unwrap_or(0));
    let same = (same_then(&old.then, &new.then), old.statements == new.statements);
    match same {
        // The comment, or what is within, is all that differs.
        (true, true) if asked == ALL => ALL + 200,
        (true, true) => asked,
        (true, false) | (false, true) if asked == ALL => {
            // A rule that only logs is not one that decides.
            if same.1 && (nothing(&old.then) || nothing(&new.then)) { 0 } else { ALL }
        }
        (true, false) => asked.saturating_sub(100),
        (false, true) => asked.saturating_sub(400),
        (false, false) => asked.saturating_sub(700),
    }
}

fn nothing(then: &Then) -> bool {
    *then == Then::Verdict(Verdict::Continue)
}
