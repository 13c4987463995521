//! Each thing once, under a number.
//!
//! In: tests, texts, lines and lists. Out: numbers that are equal exactly if the things are: what is equal is
//! found by comparing numbers, without any chance of a collision. Numbers follow from the order of asking, so they are the
//! same each time.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::state::ruleset::{Test, Verdict};

/// Things and their numbers.
#[derive(Debug)]
pub(in crate::diff::ruleset) struct Pool<T> {
    numbers: HashMap<T, u32>,
    things: Vec<T>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), things: Vec::new() }
    }
}

impl<T: Hash + Eq + Clone> Pool<T> {
    /// The number of a thing; `own` makes it where it is new.
    pub(in crate::diff::ruleset) fn number<Q: Hash + Eq + ?Sized>(&mut self, thing: &Q, own: impl FnOnce() -> T) -> u32
    where
        T: Borrow<Q>,
    {
        if let Some(number) = self.numbers.get(thing) {
            return *number;
        }
        let owned = own();
        let number = u32::try_from(self.things.len()).unwrap_or(u32::MAX);
        self.numbers.insert(owned.clone(), number);
        self.things.push(owned);
        number
    }

    /// The thing of a number.
    pub(in crate::diff::ruleset) fn get(&self, number: u32) -> Option<&T> {
        self.things.get(number as usize)
    }
}

/// What a line does in the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::diff::ruleset) enum Then {
    /// One of the verdicts that lead nowhere; a jump only where it cannot be followed.
    Verdict(Verdict),
    /// On at another line of the list: where [`Placed::to`] says.
    Leave,
    /// Through a list of its own, which only packets that pass the tests see.
    List(u32),
    /// Through one of several lists.
    Dispatch(u32),
}

/// A rule, its tests and texts by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::diff::ruleset) struct Line {
    /// Ascending, each once.
    pub(in crate::diff::ruleset) tests: Vec<u32>,
    /// In order.
    pub(in crate::diff::ruleset) statements: Vec<u32>,
    /// What then.
    pub(in crate::diff::ruleset) then: Then,
    /// The rule's comment.
    pub(in crate::diff::ruleset) comment: Option<Arc<str>>,
}

/// [`Placed::to`] of what leaves the list.
pub(in crate::diff::ruleset) const END: u32 = u32::MAX;

/// The rules of a list from which a line comes: that of the list itself, of the chain that this one calls, and so on.
/// Counted from 1.
pub(in crate::diff::ruleset) type Site = [u32; 4];

/// A line at its place in a list.
#[derive(Debug, Clone)]
pub(in crate::diff::ruleset) struct Placed {
    /// The line's number.
    pub(in crate::diff::ruleset) line: u32,
    /// Whether packets go on at `to` that it returns, or that the list within it does not decide; else at the next line.
    pub(in crate::diff::ruleset) leave: bool,
    /// Whether no rule says it: it is what a goto before it does with packets that come out of its chain.
    pub(in crate::diff::ruleset) made: bool,
    /// The line where packets go on that leave; [`END`] for none of this list.
    pub(in crate::diff::ruleset) to: u32,
    /// The rule in its text.
    pub(in crate::diff::ruleset) span: Span,
    /// The rules of `site` in their text.
    pub(in crate::diff::ruleset) via: [Span; 4],
    /// Where it comes from.
    pub(in crate::diff::ruleset) site: Site,
    /// The chain or map of a dispatch.
    pub(in crate::diff::ruleset) through: Option<Arc<str>>,
}

/// A list of lines.
#[derive(Debug, Default)]
pub(in crate::diff::ruleset) struct List {
    /// Equal lists have the same, wherever their rules stand.
    pub(in crate::diff::ruleset) number: u32,
    /// In order.
    pub(in crate::diff::ruleset) lines: Vec<Placed>,
    /// Whether no packet comes out of it undecided.
    pub(in crate::diff::ruleset) ends: bool,
    /// Whether packets may come out behind its last line.
    pub(in crate::diff::ruleset) falls: bool,
    /// What it may change of a packet that tests can see.
    pub(in crate::diff::ruleset) changes: Changes,
    /// How many rules it has, those of lists within it included.
    pub(in crate::diff::ruleset) rules: usize,
}

/// What rules may change of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::diff::ruleset) enum Changes {
    /// Nothing.
    #[default]
    Nothing,
    /// Its mark, or the sets that packets fill.
    Mark,
    /// Anything.
    Anything,
}

/// One of several lists, by what is looked up.
#[derive(Debug)]
pub(in crate::diff::ruleset) struct Dispatch {
    /// What is looked up.
    pub(in crate::diff::ruleset) key: Arc<str>,
    /// Where each value leads.
    pub(in crate::diff::ruleset) entries: BTreeMap<Arc<str>, Entry>,
}

/// Where a value leads.
#[derive(Debug, Clone)]
pub(in crate::diff::ruleset) struct Entry {
    /// The list's number.
    pub(in crate::diff::ruleset) list: u32,
    /// Whether packets that it does not decide leave the list that the dispatch stands in.
    pub(in crate::diff::ruleset) leave: bool,
    /// What it was made of.
    pub(in crate::diff::ruleset) source: super::Source,
    /// The rule or map.
    pub(in crate::diff::ruleset) span: Span,
}

type Lists = (Pool<Arc<[(u32, u32)]>>, Vec<Arc<List>>);
type Entries = Arc<[(Arc<str>, u32, bool)]>;
type Dispatches = (Pool<(Arc<str>, Entries)>, Vec<Arc<Dispatch>>);

/// Everything that two rulesets are made of.
#[derive(Debug, Default)]
pub(in crate::diff::ruleset) struct Pools {
    /// Tests, named sets replaced by what is in them.
    pub(in crate::diff::ruleset) tests: Pool<Arc<Test>>,
    /// Statements.
    pub(in crate::diff::ruleset) texts: Pool<Arc<str>>,
    /// Lines.
    pub(in crate::diff::ruleset) lines: Pool<Arc<Line>>,
    lists: Lists,
    dispatches: Dispatches,
}

impl Pools {
    /// The number of a test.
    pub(in crate::diff::ruleset) fn test(&mut self, test: &Test) -> u32 {
        self.tests.number(test, || Arc::new(test.clone()))
    }

    /// The number of a text.
    pub(in crate::diff::ruleset) fn text(&mut self, text: &str) -> u32 {
        self.texts.number(text, || text.into())
    }

    /// The number of a line.
    pub(in crate::diff::ruleset) fn line(&mut self, line: Line) -> u32 {
        if let Some(number) = self.lines.numbers.get(&line) {
            return *number;
        }
        let line = Arc::new(line);
        self.lines.number(&Arc::clone(&line), || line)
    }

    /// A list of these lines.
    pub(in crate::diff::ruleset) fn list(&mut self, mut lines: Vec<Placed>) -> Arc<List> {
        let length = u32::try_from(lines.len()).unwrap_or(END);
        for (placed, next) in lines.iter_mut().zip(1..) {
            // To leave for the next line is to go on.
            let on = if next == length { placed.to == END } else { placed.to == next };
            placed.leave &= !on;
        }
        let key: Vec<(u32, u32)> =
            lines.iter().map(|placed| (placed.line, if placed.leave { placed.to } else { 0 })).collect();
        let number = self.lists.0.number(key.as_slice(), || key.as_slice().into());
        if let Some(equal) = self.lists.1.get(number as usize) {
            let List { ends, falls, changes, rules, .. } = **equal;
            Arc::new(List { number, lines, ends, falls, changes, rules })
        } else {
            let out = lines.iter().any(|placed| placed.leave && placed.to == END);
            let falls = !lines.last().is_some_and(|placed| self.decides(placed));
            let ends = !out && !falls;
            let changes = lines.iter().map(|placed| self.changes(placed)).max().unwrap_or_default();
            let rules = lines.iter().fold(0, |sum: usize, placed| sum.saturating_add(self.rules(placed)));
            let list = Arc::new(List { number, lines, ends, falls, changes, rules });
            self.lists.1.push(Arc::clone(&list));
            list
        }
    }

    /// A list by its number; its rules may stand elsewhere, even in the other ruleset.
    pub(in crate::diff::ruleset) fn list_of(&self, number: u32) -> Arc<List> {
        self.lists.1.get(number as usize).cloned().unwrap_or_default()
    }

    /// The number of a dispatch.
    pub(in crate::diff::ruleset) fn dispatch(&mut self, dispatch: &Arc<Dispatch>) -> u32 {
        let entries = dispatch.entries.iter().map(|(value, entry)| (Arc::clone(value), entry.list, entry.leave));
        let key = (Arc::clone(&dispatch.key), entries.collect());
        let known = self.dispatches.1.len();
        let number = self.dispatches.0.number(&key.clone(), || key);
        if number as usize == known {
            self.dispatches.1.push(Arc::clone(dispatch));
        }
        number
    }

    /// A dispatch by its number; where it leads may be called otherwise in the other ruleset.
    pub(in crate::diff::ruleset) fn dispatch_of(&self, number: u32) -> Option<Arc<Dispatch>> {
        self.dispatches.1.get(number as usize).cloned()
    }

    /// A line by its number.
    pub(in crate::diff::ruleset) fn line_of(&self, number: u32) -> Option<Arc<Line>> {
        self.lines.get(number).cloned()
    }

    /// Whether every packet's way ends in this line.
    fn decides(&self, placed: &Placed) -> bool {
        let Some(line) = self.lines.get(placed.line).filter(|line| line.tests.is_empty()) else { return false };
        match &line.then {
            Then::Verdict(Verdict::Accept | Verdict::Drop | Verdict::Reject(_)) => true,
            Then::List(list) => self.lists.1.get(*list as usize).is_some_and(|list| list.ends),
            Then::Verdict(
                Verdict::Continue
                | Verdict::Return
                | Verdict::Jump(_)
                | Verdict::Goto(_)
                | Verdict::Map { .. }
                | Verdict::Inline { .. }
                | Verdict::Other(_),
            )
            | Then::Leave
            | Then::Dispatch(_) => false,
        }
    }

    fn changes(&self, placed: &Placed) -> Changes {
        let Some(line) = self.lines.get(placed.line) else { return Changes::Anything };
        let texts = line.statements.iter().filter_map(|text| self.texts.get(*text));
        let own = texts.map(|text| changes(text)).max().unwrap_or_default();
        let list = |number: u32| self.lists.1.get(number as usize).map_or(Changes::Anything, |list| list.changes);
        let then = match &line.then {
            Then::Verdict(
                Verdict::Other(_) | Verdict::Jump(_) | Verdict::Goto(_) | Verdict::Map { .. } | Verdict::Inline { .. },
            ) => Changes::Anything,
            Then::Verdict(
                Verdict::Continue | Verdict::Accept | Verdict::Drop | Verdict::Return | Verdict::Reject(_),
            )
            | Then::Leave => Changes::Nothing,
            Then::List(number) => list(*number),
            Then::Dispatch(number) => self.dispatch_of(*number).map_or(Changes::Anything, |dispatch| {
                dispatch.entries.values().map(|entry| list(entry.list)).max().unwrap_or_default()
            }),
        };
        own.max(then)
    }

    fn rules(&self, placed: &Placed) -> usize {
        let list = |number: u32| self.lists.1.get(number as usize).map_or(0, |list| list.rules);
        match self.lines.get(placed.line).map(|line| &line.then) {
            Some(Then::List(number)) => 1 + list(*number),
            Some(Then::Dispatch(number)) => self.dispatch_of(*number).map_or(1, |dispatch| {
                dispatch.entries.values().fold(0, |sum: usize, entry| sum.saturating_add(1 + list(entry.list)))
            }),
            Some(Then::Verdict(_) | Then::Leave) | None => 1,
        }
    }
}

/// What a statement changes; what is not known may change anything.
fn changes(text: &str) -> Changes {
    const HARMLESS: &[&str] = &["limit", "-m limit", "log", "LOG", "NFLOG", "counter", "-m hashlimit", "quota"];
    const MARK: &[&str] = &["meta mark set", "mark set", "MARK", "--set-xmark", "--set-mark", "update", "add"];
    let text = text.trim_start_matches("-j ");
    let begins = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    match () {
        () if begins(MARK) => Changes::Mark,
        () if begins(HARMLESS) => Changes::Nothing,
        () => Changes::Anything,
    }
}
