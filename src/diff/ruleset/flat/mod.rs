//! Rulesets without their shape.
//!
//! In: a table's chains, sets and maps. Out: for each place one [`List`], the same however chains are shared, split and
//! named: calls that every packet makes are replaced by what they call, sets by what is in them, trees and maps by
//! [`Dispatch`]es. Promise: two lists with the same number mean the same; what cannot be followed (a chain
//! that is not there, one that leads to itself) stays as a line of its own and is noted.
//!
//! # How calls are replaced
//! A list is a program without ways back: the lines of a called chain stand in place of the call, and what returns
//! from it goes on at the line behind them ([`Placed::to`]). A call with conditions becomes one line with a list within
//! ([`Calls::Nested`]), or its conditions come before each line of what it calls ([`Calls::Spread`]), where nothing in
//! between changes what the conditions look at. Both mean the same; which of them shows a change in fewer words is
//! for the comparison to find out.

mod call;
mod dispatch;
mod known;
mod pool;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::state::ruleset::{Rule, Table, Test, Value, Verdict};

pub(super) use known::{Known, interface_way};
pub(super) use pool::{Dispatch, END, Entry, Line, List, Placed, Pools, Site, Then};

use call::Call;
use known::{Mentions, Outcome};

use super::own::is_root;

/// Chains within each other; more cannot be loaded anywhere.
const DEPTH: usize = 64;
/// The most lines that all lists of a table together may have: several times what the largest hosts need.
const LINES: usize = 1_000_000;

/// How calls with conditions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// As one line with a list.
    Nested,
    /// With their conditions before each line, where that means the same.
    Spread,
}

/// Which of the two rulesets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What is there.
    Found,
    /// What should be.
    Meant,
}

/// What a list is made of.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A chain that the kernel calls.
    Chain(Arc<str>),
    /// What a map or a rule of a dispatch says.
    Verdict(Verdict),
    /// Rules of a tree over addresses, without the test for the address.
    Rules(Arc<[Rule]>),
}

/// Why something could not be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// A chain or map that is not there.
    Missing,
    /// A chain that leads to itself.
    Loop,
    /// Chains that call each other more often than any ruleset of this program's can need.
    TooMuch,
}

/// One of the two tables, and what is known of it so far.
#[derive(Debug)]
struct Half<'r> {
    table: &'r Table,
    mentions: Mentions,
    made: HashMap<(Arc<str>, Known), Arc<List>>,
    /// Lists and dispatches by their numbers, as this table has them.
    lists: HashMap<u32, Arc<List>>,
    dispatches: HashMap<u32, Arc<Dispatch>>,
    /// The tests that a set's name stands in, by their numbers.
    set_names: HashMap<u32, BTreeSet<Arc<str>>>,
    open: Vec<Arc<str>>,
    touched: BTreeSet<Arc<str>>,
    obstacles: BTreeMap<(Arc<str>, Obstacle), Span>,
    lines: usize,
}

/// Two tables of the same name, side by side.
#[derive(Debug)]
pub(super) struct Flat<'r> {
    pub(super) pools: Pools,
    halves: [Half<'r>; 2],
    calls: Calls,
    /// Sets that are compared by their names, as what is in them is not known on both sides, or changes with packets.
    named: &'r BTreeSet<Arc<str>>,
}

impl<'r> Flat<'r> {
    pub(super) fn new(found: &'r Table, meant: &'r Table, calls: Calls, named: &'r BTreeSet<Arc<str>>) -> Self {
        let half = |table| Half {
            table,
            mentions: Mentions::default(),
            made: HashMap::new(),
            lists: HashMap::new(),
            dispatches: HashMap::new(),
            set_names: HashMap::new(),
            open: Vec::new(),
            touched: BTreeSet::new(),
            obstacles: BTreeMap::new(),
            lines: 0,
        };
        Self { pools: Pools::default(), halves: [half(found), half(meant)], calls, named }
    }

    const fn half(&self, side: Side) -> &Half<'r> {
        let [found, meant] = &self.halves;
        match side {
            Side::Found => found,
            Side::Meant => meant,
        }
    }

    const fn half_mut(&mut self, side: Side) -> &mut Half<'r> {
        let [found, meant] = &mut self.halves;
        match side {
            Side::Found => found,
            Side::Meant => meant,
        }
    }

    /// The chains that lists were made of, and those that they name.
    pub(super) fn touched(&self, side: Side) -> &BTreeSet<Arc<str>> {
        &self.half(side).touched
    }

    /// What could not be followed: the chain or map, why, and where it is named.
    pub(super) fn obstacles(&self, side: Side) -> &BTreeMap<(Arc<str>, Obstacle), Span> {
        &self.half(side).obstacles
    }

    /// Whether two tests with these numbers compare with a set of the same name.
    pub(super) fn same_set(&self, found: u32, meant: u32) -> Option<&Arc<str>> {
        let found = self.half(Side::Found).set_names.get(&found)?;
        let meant = self.half(Side::Meant).set_names.get(&meant)?;
        found.intersection(meant).next()
    }

    /// A list by its number, as a table has it.
    pub(super) fn list_of(&self, side: Side, number: u32) -> Arc<List> {
        self.half(side).lists.get(&number).cloned().unwrap_or_else(|| self.pools.list_of(number))
    }

    /// A dispatch by its number, as a table has it.
    pub(super) fn dispatch_of(&self, side: Side, number: u32) -> Option<Arc<Dispatch>> {
        self.half(side).dispatches.get(&number).cloned().or_else(|| self.pools.dispatch_of(number))
    }

    /// The list of what a source says, with what is known of the packets that come to it; and whether packets that
    /// it does not decide leave the list that it is called from.
    pub(super) fn list(&mut self, side: Side, source: &Source, known: &Known, span: Span) -> (Arc<List>, bool) {
        match source {
            Source::Chain(name) => {
                (self.chain(side, name, known, span).unwrap_or_else(|| self.pools.list(Vec::new())), false)
            }
            Source::Rules(rules) => {
                let list = self.rules(side, rules, known, None);
                let goto = |rule: &Rule| rule.tests.is_empty() && matches!(rule.verdict, Verdict::Goto(_));
                let leave = rules.first().is_some_and(goto) && !list.ends;
                (list, leave)
            }
            Source::Verdict(verdict) => {
                let (name, goto) = match verdict {
                    Verdict::Jump(name) => (name, false),
                    Verdict::Goto(name) => (name, true),
                    Verdict::Continue
                    | Verdict::Accept
                    | Verdict::Drop
                    | Verdict::Return
                    | Verdict::Reject(_)
                    | Verdict::Map { .. }
                    | Verdict::Inline { .. }
                    | Verdict::Other(_) => return (self.single(verdict, span), *verdict == Verdict::Return),
                };
                let Some(list) = self.chain(side, name, known, span) else { return (self.single(verdict, span), goto) };
                let leave = goto && !list.ends;
                (list, leave)
            }
        }
    }

    /// A list of one verdict. A return has nothing in it: leaving is what its entry does.
    fn single(&mut self, verdict: &Verdict, span: Span) -> Arc<List> {
        if *verdict == Verdict::Return {
            return self.pools.list(Vec::new());
        }
        let then = Then::Verdict(verdict.clone());
        let line = self.pools.line(Line { tests: Vec::new(), statements: Vec::new(), then, comment: None });
        self.pools.list(vec![placed(line, span, 1)])
    }

    /// The list of a chain; none where it cannot be followed.
    fn chain(&mut self, side: Side, name: &Arc<str>, known: &Known, span: Span) -> Option<Arc<List>> {
        let table = self.half(side).table;
        self.half_mut(side).touched.insert(Arc::clone(name));
        let mentioned = self.half_mut(side).mentions.of(table, name);
        let key = (Arc::clone(name), known.only(mentioned));
        let half = self.half_mut(side);
        if let Some(made) = half.made.get(&key) {
            return Some(Arc::clone(made));
        }
        let obstacle = match table.chains.get(name) {
            None => Obstacle::Missing,
            Some(_) if half.open.contains(name) => Obstacle::Loop,
            Some(_) if half.open.len() >= DEPTH || half.lines > LINES => Obstacle::TooMuch,
            Some(chain) => {
                half.open.push(Arc::clone(name));
                let list = self.rules(side, &chain.rules, &key.1, Some(name));
                let base = chain.base.as_ref().filter(|_| !is_root(name, chain));
                let list = match base.filter(|base| base.policy != Verdict::Return) {
                    Some(base) => self.with_policy(&list, &base.policy, chain.span),
                    None => list,
                };
                let half = self.half_mut(side);
                half.open.pop();
                half.made.insert(key, Arc::clone(&list));
                half.lists.entry(list.number).or_insert_with(|| Arc::clone(&list));
                return Some(list);
            }
        };
        half.obstacles.entry((Arc::clone(name), obstacle)).or_insert(span);
        None
    }

    /// Whether there is room for the lines of a list once more.
    fn affords(&mut self, side: Side, list: &List) -> bool {
        let half = self.half_mut(side);
        half.lines = half.lines.saturating_add(list.lines.len());
        half.lines <= LINES
    }

    /// A list behind whose last line a policy decides: that of a chain of ebtables.
    fn with_policy(&mut self, list: &List, policy: &Verdict, span: Span) -> Arc<List> {
        let then = Then::Verdict(policy.clone());
        let line = self.pools.line(Line { tests: Vec::new(), statements: Vec::new(), then, comment: None });
        let mut lines = list.lines.clone();
        let ordinal = u32::try_from(lines.len() + 1).unwrap_or(u32::MAX);
        lines.push(placed(line, span, ordinal));
        self.pools.list(lines)
    }

    /// The list of rules that stand together; `name`: of the chain that they are the whole of.
    fn rules(&mut self, side: Side, rules: &[Rule], known: &Known, name: Option<&Arc<str>>) -> Arc<List> {
        let mut out: Vec<Placed> = Vec::new();
        if let Some(name) = name
            && let Some(entries) = dispatch::addresses(self.half(side).table, rules)
        {
            let key = Arc::clone(&entries.key);
            self.dispatch(side, &mut out, (key, entries.of), known, (Vec::new(), name, entries.span, 1));
            return self.pools.list(out);
        }
        let mut at = 0;
        while let Some(rule) = rules.get(at) {
            let rest = rules.get(at..).unwrap_or_default();
            let run = name.and_then(|name| Some((name, dispatch::ports(self.half(side).table, rest, known)?)));
            let ordinal = u32::try_from(at + 1).unwrap_or(u32::MAX);
            if let Some((name, run)) = run {
                at += run.length;
                let last = at == rules.len();
                let mut entries = run.of;
                if last {
                    entries.values_mut().for_each(|entry| entry.2 = true);
                }
                self.dispatch(side, &mut out, (run.key, entries), known, (Vec::new(), name, rule.span, ordinal));
                continue;
            }
            at += 1;
            let behind = rules.get(at..).unwrap_or_default();
            self.rule(side, &mut out, rule, known, ordinal, behind);
        }
        let half = self.half_mut(side);
        half.lines = half.lines.saturating_add(rules.len());
        self.pools.list(out)
    }

    /// Adds a dispatch. `last`, of an entry: nothing follows, so that leaving means the same as coming back.
    fn dispatch(
        &mut self,
        side: Side,
        out: &mut Vec<Placed>,
        (key, of): (Arc<str>, dispatch::Entries),
        known: &Known,
        (tests, through, span, ordinal): (Vec<u32>, &Arc<str>, Span, u32),
    ) {
        let mut entries = BTreeMap::new();
        for (value, (source, span, last)) in of {
            let known = known.with(&key, &value);
            let (list, leave) = self.list(side, &source, &known, span);
            let entry = Entry { list: list.number, leave: leave && !last, source, span };
            self.half_mut(side).lists.entry(list.number).or_insert(list);
            entries.insert(value, entry);
        }
        let dispatch = Arc::new(Dispatch { key, entries });
        let number = self.pools.dispatch(&dispatch);
        self.half_mut(side).dispatches.entry(number).or_insert(dispatch);
        let line = Line { tests, statements: Vec::new(), then: Then::Dispatch(number), comment: None };
        let line = self.pools.line(line);
        let leave =
            self.pools.dispatch_of(number).is_some_and(|dispatch| dispatch.entries.values().any(|entry| entry.leave));
        out.push(Placed { leave, through: Some(Arc::clone(through)), ..placed(line, span, ordinal) });
    }

    /// Adds one rule. `behind`: the rules that follow it.
    fn rule(&mut self, side: Side, out: &mut Vec<Placed>, rule: &Rule, known: &Known, ordinal: u32, behind: &[Rule]) {
        let Some(tests) = self.tests(side, rule, known) else { return };
        let statements: Vec<u32> = rule.statements.iter().map(|text| self.pools.text(text)).collect();
        let line =
            |then| Line { tests: tests.clone(), statements: statements.clone(), then, comment: rule.comment.clone() };
        let then = match &rule.verdict {
            Verdict::Jump(name) | Verdict::Goto(name) => {
                let goto = matches!(rule.verdict, Verdict::Goto(_));
                match self.chain(side, name, known, rule.span) {
                    None => Then::Verdict(rule.verdict.clone()),
                    Some(list) if !self.affords(side, &list) => {
                        let key = (Arc::clone(name), Obstacle::TooMuch);
                        self.half_mut(side).obstacles.entry(key).or_insert(rule.span);
                        Then::Verdict(rule.verdict.clone())
                    }
                    Some(list) => {
                        let call = Call { list, goto, span: rule.span, ordinal, last: behind.is_empty() };
                        self.call(out, line(Then::Leave), call, behind);
                        return;
                    }
                }
            }
            Verdict::Return => Then::Leave,
            Verdict::Map { key, map } => {
                let Some(found) = self.half(side).table.maps.get(map) else {
                    self.half_mut(side).obstacles.entry((Arc::clone(map), Obstacle::Missing)).or_insert(rule.span);
                    let line = self.pools.line(line(Then::Verdict(rule.verdict.clone())));
                    out.push(placed(line, rule.span, ordinal));
                    return;
                };
                let elements = &found.elements;
                return self.lookup(
                    side,
                    out,
                    (rule, tests, statements),
                    (key, elements, map),
                    known,
                    (ordinal, behind),
                );
            }
            Verdict::Inline { key, elements } => {
                let through: Arc<str> = "".into();
                let lookup = (key.as_str(), elements, &through);
                return self.lookup(side, out, (rule, tests, statements), lookup, known, (ordinal, behind));
            }
            Verdict::Continue | Verdict::Accept | Verdict::Drop | Verdict::Reject(_) | Verdict::Other(_) => {
                Then::Verdict(rule.verdict.clone())
            }
        };
        let leave = then == Then::Leave;
        let line = self.pools.line(line(then));
        out.push(Placed { leave, ..placed(line, rule.span, ordinal) });
    }

    /// A rule that looks up its verdict.
    fn lookup(
        &mut self,
        side: Side,
        out: &mut Vec<Placed>,
        (rule, tests, statements): (&Rule, Vec<u32>, Vec<u32>),
        (key, elements, through): (&str, &BTreeMap<String, Verdict>, &Arc<str>),
        known: &Known,
        (ordinal, behind): (u32, &[Rule]),
    ) {
        if let Some(value) = known.get(key) {
            let verdict = elements
                .iter()
                .find_map(|(element, verdict)| (dispatch::unquoted(element) == value).then(|| verdict.clone()));
            let rule = Rule { verdict: verdict.unwrap_or(Verdict::Continue), ..rule.clone() };
            // Where nothing is found and nothing done, nothing is left.
            if rule.verdict != Verdict::Continue || !rule.statements.is_empty() {
                self.rule(side, out, &rule, known, ordinal, behind);
            }
            return;
        }
        if !statements.is_empty() {
            let then = Then::Verdict(Verdict::Continue);
            let line = self.pools.line(Line { tests: tests.clone(), statements, then, comment: rule.comment.clone() });
            out.push(placed(line, rule.span, ordinal));
        }
        let entry = |(value, verdict): (&String, &Verdict)| {
            (dispatch::unquoted(value).into(), (Source::Verdict(verdict.clone()), rule.span, behind.is_empty()))
        };
        let entries = elements.iter().map(entry).collect();
        self.dispatch(side, out, (key.into(), entries), known, (tests, through, rule.span, ordinal));
    }

    /// A rule's tests as far as they are open; none where one of them never holds.
    fn tests(&mut self, side: Side, rule: &Rule, known: &Known) -> Option<Vec<u32>> {
        let mut tests = Vec::with_capacity(rule.tests.len());
        for test in &rule.tests {
            let set = match &test.value {
                Value::Set(name) => Some(name),
                Value::One(_) | Value::Any(_) => None,
            };
            let resolved = match set.filter(|name| !self.named.contains(*name)) {
                Some(name) => self.half(side).table.sets.get(name).map(|set| Test {
                    value: match set.elements.first() {
                        Some(only) if set.elements.len() == 1 => Value::One(only.clone()),
                        Some(_) | None => Value::Any(set.elements.clone()),
                    },
                    ..test.clone()
                }),
                None => None,
            };
            let number = match known.judge(resolved.as_ref().unwrap_or(test)) {
                Outcome::Always => continue,
                Outcome::Never => return None,
                Outcome::Open => self.pools.test(resolved.as_ref().unwrap_or(test)),
                Outcome::Less(test) => self.pools.test(&test),
            };
            if let Some(name) = set {
                self.half_mut(side).set_names.entry(number).or_default().insert(Arc::clone(name));
            }
            tests.push(number);
        }
        tests.sort_unstable();
        tests.dedup();
        Some(tests)
    }
}

/// A line that goes on at the next one.
const fn placed(line: u32, span: Span, ordinal: u32) -> Placed {
    Placed { line, leave: false, made: false, to: END, span, via: [span; 4], site: [ordinal, 0, 0, 0], through: None }
}
