//! One table, as found and as meant.
//!
//! In: the two tables. Out: the changes of every list that the kernel calls, and of every list that a dispatch behind it
//! leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::{Detail, Kind, RuleText};
use super::flat::{Calls, Dispatch, Entry, Flat, Known, Side, Source, Then};
use super::gather::{self, Gather};
use super::list::{self, Difference, Raw};
use super::own::{self, Foreign, Ownership};
use super::place::{Place, Selector};
use super::{Comparison, NotFollowed, objects};
use crate::diagnostic::Span;
use crate::state::ruleset::{Chain, Program, Rule, Table, TableName, Verdict};

/// The two tables.
#[derive(Clone, Copy)]
pub(super) struct Sides<'r> {
    pub(super) program: Program,
    pub(super) name: &'r TableName,
    pub(super) meant: &'r Table,
    pub(super) found: &'r Table,
}

/// Two lists to compare.
struct Work {
    found: (Source, Span),
    meant: (Source, Span),
    known: Known,
    /// Whether packets that the lists do not decide leave what leads to them.
    leaves: [bool; 2],
    place: Place,
}

/// Compares them.
pub(super) fn compare(sides: Sides<'_>, ownership: &Ownership, gather: &mut Gather, comparison: &mut Comparison) {
    let named = objects::named(sides.found, sides.meant);
    let mut driver = Driver {
        sides,
        nested: Flat::new(sides.found, sides.meant, Calls::Nested, &named),
        spread: None,
        named: &named,
        gather,
    };
    let roots = driver.roots(ownership, comparison);
    let mut told = BTreeSet::new();
    for (found, meant) in roots {
        if !again(sides, &found, &meant, &mut told) {
            driver.root(&found, &meant);
        }
    }
    driver.entered(ownership);
    driver.objects(comparison);
    let Driver { nested, .. } = driver;
    for (side, meant) in [(Side::Found, false), (Side::Meant, true)] {
        let obstacles = nested.obstacles(side).iter().map(|((name, why), span)| NotFollowed {
            table: sides.name.clone(),
            name: Arc::clone(name),
            why: *why,
            span: *span,
            meant,
        });
        comparison.obstacles.extend(obstacles);
    }
    let reached = nested.touched(Side::Found);
    let unused = |name: &Arc<str>| {
        !reached.contains(name)
            && (nested.touched(Side::Meant).contains(name) || !sides.meant.chains.contains_key(name))
    };
    let idle = sides
        .found
        .chains
        .iter()
        .filter(|(name, chain)| !own::is_root(name, chain) && ownership.owns(name) && unused(name));
    let chains: Vec<_> = idle.map(|(name, chain)| (Arc::clone(name), chain.rules.len())).collect();
    if !chains.is_empty() {
        comparison.left_over.push(Foreign { table: sides.name.clone(), chains, closed: Vec::new() });
    }
}

/// What compares them.
pub(super) struct Driver<'r, 'g> {
    pub(super) sides: Sides<'r>,
    pub(super) nested: Flat<'r>,
    spread: Option<Flat<'r>>,
    pub(super) named: &'r BTreeSet<Arc<str>>,
    pub(super) gather: &'g mut Gather,
}

type Root = Option<Arc<str>>;

impl<'r> Driver<'r, '_> {
    pub(super) fn place(&self, hook: &Arc<str>) -> Place {
        Place {
            program: self.sides.program,
            table: self.sides.name.clone(),
            hook: Arc::clone(hook),
            selectors: Vec::new(),
        }
    }

    /// The chains that packets come in by, as found and as meant.
    fn roots(&mut self, ownership: &Ownership, comparison: &mut Comparison) -> Vec<(Root, Root)> {
        let (found, meant) = (self.sides.found, self.sides.meant);
        match ownership {
            Ownership::Chains { prefix } => {
                let all = own::stand_ins(meant, prefix);
                for (own, built_in) in &all {
                    self.led(own, built_in, comparison);
                }
                let there = |name: &Arc<str>| found.chains.contains_key(name).then(|| Arc::clone(name));
                all.into_iter().map(|(name, _)| (there(&name), Some(name))).collect()
            }
            Ownership::Tables => {
                let bases = |table: &'r Table| -> BTreeMap<&'r Arc<str>, &'r Chain> {
                    table.chains.iter().filter(|(name, chain)| own::is_root(name, chain)).collect()
                };
                let (mut old, new) = (bases(found), bases(meant));
                let hook =
                    |chain: &Chain| chain.base.as_ref().map(|base| base.hook.clone()).filter(|hook| !hook.is_empty());
                let mut roots = Vec::new();
                for (name, chain) in &new {
                    let same = old.remove_entry(*name).or_else(|| {
                        let renamed = |(other, candidate): (&&'r Arc<str>, &&'r Chain)| {
                            (hook(chain).is_some() && hook(candidate) == hook(chain) && !new.contains_key(*other))
                                .then_some(*other)
                        };
                        let name = old.iter().find_map(renamed)?;
                        old.remove_entry(name)
                    });
                    roots.push((same.map(|(name, _)| Arc::clone(name)), Some(Arc::clone(name))));
                }
                roots.extend(old.into_keys().map(|name| (Some(Arc::clone(name)), None)));
                roots
            }
        }
    }

    fn root(&mut self, found: &Root, meant: &Root) {
        let chain = |table: &'r Table, name: &Root| name.as_ref().and_then(|name| table.chains.get(name));
        let (old, new) = (chain(self.sides.found, found), chain(self.sides.meant, meant));
        let Some(name) = meant.as_ref().or(found.as_ref()) else { return };
        let place = self.place(name);
        let words = |chain: Option<&Chain>| {
            let chain = chain?;
            let Some(base) = &chain.base else { return Some("called".to_owned()) };
            let hook = if base.hook.is_empty() { String::new() } else { format!("{}, ", base.hook) };
            Some(format!("{hook}policy {}", base.policy))
        };
        let text = |chain: Option<&Chain>, whole: bool| -> Vec<RuleText> {
            let Some((chain, mut text)) = chain.zip(words(chain)) else { return Vec::new() };
            if whole {
                text = format!("chain {name}: {text}, {} rules", chain.rules.len());
            }
            vec![RuleText { text, comment: None, span: chain.span }]
        };
        let idle = |chain: Option<&Chain>| {
            chain.is_none_or(|chain| {
                chain.rules.is_empty() && chain.base.as_ref().is_none_or(|base| base.policy != Verdict::Drop)
            })
        };
        let (Some(old_chain), Some(new_chain)) = (old, new) else {
            if !(idle(old) && idle(new)) {
                let old = words(old).map(|how| self.added_chain(name, &how)).unwrap_or_default();
                let raw = Raw::new(Kind::Chain, old, text(new, true), Vec::new());
                self.gather.add(raw, place, name);
            }
            return;
        };
        if words(old) != words(new) {
            let raw = Raw::new(Kind::Chain, text(old, false), text(new, false), Vec::new());
            self.gather.add(raw, place.clone(), name);
        }
        let source = |name: &Root, chain: &Chain| {
            (name.clone().map_or_else(|| Source::Rules(Arc::new([])), Source::Chain), chain.span)
        };
        let work = Work {
            found: source(found, old_chain),
            meant: source(meant, new_chain),
            known: Known::default(),
            leaves: [false; 2],
            place,
        };
        let mut open = vec![work];
        while let Some(work) = open.pop() {
            self.lists(work, &mut open);
        }
    }

    /// Compares two lists, in the way that takes fewer words.
    fn lists(&mut self, work: Work, open: &mut Vec<Work>) {
        let Some(nested) = differ(&mut self.nested, &work) else { return };
        let mut best = (nested, false);
        if !best.0.raw.is_empty() {
            let (sides, named) = (self.sides, self.named);
            let spread = self.spread.get_or_insert_with(|| Flat::new(sides.found, sides.meant, Calls::Spread, named));
            match differ(spread, &work) {
                // Spread, a rule that leads on has no comment of its own; as long as it stands there it has.
                None if best.0.raw.iter().all(|raw| raw.kind == Kind::CommentOnly) => {}
                None => return,
                Some(other) if other.size() < best.0.size() => best = (other, true),
                Some(_) => {}
            }
        }
        let (difference, spread) = best;
        if difference.raw.len() > 1
            && let Some(raw) = self.led_elsewhere(&work)
        {
            let apart = work.place.to_string();
            return self.gather.add(raw, work.place, &apart);
        }
        let flat = match &self.spread {
            Some(flat) if spread => flat,
            Some(_) | None => &self.nested,
        };
        let mut found = Vec::new();
        for (old, new, through) in &difference.dispatches {
            if let (Some(old), Some(new)) = (flat.dispatch_of(Side::Found, *old), flat.dispatch_of(Side::Meant, *new)) {
                found.push((old, new, Arc::clone(through)));
            }
        }
        for raw in difference.raw.into_iter().filter(|raw| !found.iter().any(|(old, new, _)| says(old, new, raw))) {
            let apart = if raw.kind == Kind::Unexplained {
                work.place.to_string()
            } else if raw.kind == Kind::Set {
                work.place.table.to_string()
            } else {
                String::new()
            };
            self.gather.add(raw, work.place.clone(), &apart);
        }
        for (old, new, through) in found {
            self.dispatch(&old, &new, &through, &work, open, spread);
        }
    }

    /// An entry that leads to rules which are there on both sides, as are the ones that it should lead to.
    fn led_elsewhere(&mut self, work: &Work) -> Option<Raw> {
        let to = |source: &Source| match source {
            Source::Verdict(Verdict::Jump(name) | Verdict::Goto(name)) => Some(Arc::clone(name)),
            Source::Verdict(_) | Source::Chain(_) | Source::Rules(_) => None,
        };
        let (old, new) = (to(&work.found.0)?, to(&work.meant.0)?);
        if old == new {
            return None;
        }
        for name in [&old, &new] {
            let there = self.sides.found.chains.contains_key(name) && self.sides.meant.chains.contains_key(name);
            let source = Source::Chain(Arc::clone(name));
            let (a, _) = self.nested.list(Side::Found, &source, &work.known, work.found.1);
            let (b, _) = self.nested.list(Side::Meant, &source, &work.known, work.meant.1);
            if !there || a.number != b.number {
                return None;
            }
        }
        let text = |name: &Arc<str>, span| vec![RuleText { text: format!("to {name}"), comment: None, span }];
        let details = vec![Detail::Verdict { old: format!("to {old}"), new: format!("to {new}") }];
        Some(Raw::new(Kind::PlaceAltered, text(&old, work.found.1), text(&new, work.meant.1), details))
    }

    fn dispatch(
        &mut self,
        old: &Dispatch,
        new: &Dispatch,
        through: &Arc<str>,
        work: &Work,
        open: &mut Vec<Work>,
        spread: bool,
    ) {
        let place = |key: &Arc<str>, value: &Arc<str>| {
            let selector = Selector { key: Arc::clone(key), value: Arc::clone(value), through: Arc::clone(through) };
            let mut place = work.place.clone();
            place.selectors.push(selector);
            place
        };
        let gone: Vec<_> =
            old.entries.iter().filter(|(value, _)| old.key != new.key || !new.entries.contains_key(*value)).collect();
        let come: Vec<_> =
            new.entries.iter().filter(|(value, _)| old.key != new.key || !old.entries.contains_key(*value)).collect();
        if let ([(from, a)], [(to, b)]) = (gone.as_slice(), come.as_slice())
            && (a.list, a.leave) == (b.list, b.leave)
        {
            let text = |key: &Arc<str>, value: &Arc<str>, span| {
                vec![RuleText { text: format!("{key} {value}"), comment: None, span }]
            };
            let details =
                vec![Detail::Test { old: Some(format!("{} {from}", old.key)), new: Some(format!("{} {to}", new.key)) }];
            let raw = Raw::new(Kind::PlaceAltered, text(&old.key, from, a.span), text(&new.key, to, b.span), details);
            self.gather.add(raw, place(&new.key, to), "");
        } else {
            for (value, entry) in gone {
                self.whole(Kind::PlaceRemoved, place(&old.key, value), entry, spread);
            }
            for (value, entry) in come {
                self.whole(Kind::PlaceAdded, place(&new.key, value), entry, spread);
            }
        }
        if old.key != new.key {
            return;
        }
        for (value, a) in old.entries.iter().rev() {
            let Some(b) = new.entries.get(value) else { continue };
            if (a.list, a.leave) == (b.list, b.leave) {
                continue;
            }
            open.push(Work {
                found: (a.source.clone(), a.span),
                meant: (b.source.clone(), b.span),
                known: work.known.with(&old.key, value),
                leaves: [a.leave, b.leave],
                place: place(&old.key, value),
            });
        }
    }

    /// A place that came or went whole.
    fn whole(&mut self, kind: Kind, place: Place, entry: &Entry, spread: bool) {
        let flat = match &self.spread {
            Some(flat) if spread => flat,
            Some(_) | None => &self.nested,
        };
        let list = flat.pools.list_of(entry.list);
        let mut lists = BTreeSet::from([entry.list]);
        for placed in &list.lines {
            if let Some(Then::List(list)) = flat.pools.line_of(placed.line).map(|line| line.then.clone())
                && list_is_all(&entry.source)
            {
                lists.insert(list);
            }
        }
        let text = place.selectors.last().map_or_else(String::new, |last| format!("{} {}", last.key, last.value));
        let text = RuleText { text, comment: None, span: entry.span };
        self.gather.entry(gather::Entry { kind, place, lists, rules: list.rules, text });
    }
}

/// Whether a chain of nft is the same on both sides, and leads only where one before it at its hook leads all packets: then
/// what differs there is told already.
fn again(sides: Sides<'_>, found: &Root, meant: &Root, told: &mut BTreeSet<(String, Arc<str>)>) -> bool {
    fn chain<'t>(table: &'t Table, name: &Root) -> Option<&'t Chain> {
        table.chains.get(name.as_ref()?)
    }
    let (Some(old), Some(new)) = (chain(sides.found, found), chain(sides.meant, meant)) else { return false };
    let Some(hook) = own::hook(new).filter(|hook| own::hook(old).as_ref() == Some(hook)) else { return false };
    let leads = |chain: &Chain| -> BTreeSet<(String, Arc<str>)> {
        chain.rules.iter().filter_map(|rule| Some((hook.clone(), Arc::clone(rule.verdict.chain()?)))).collect()
    };
    let to = leads(new);
    let same = |(old, new): (&Rule, &Rule)| own::content(old) == own::content(new) && old.comment == new.comment;
    let same = old.base == new.base && old.rules.len() == new.rules.len() && old.rules.iter().zip(&new.rules).all(same);
    if same && !to.is_empty() && to.is_subset(told) {
        return true;
    }
    let all = |chain: &Chain| chain.rules.first().is_some_and(|rule| rule.tests.is_empty());
    if to.len() == 1 && leads(old) == to && all(old) && all(new) {
        told.extend(to);
    }
    false
}

/// Whether a change says of a list of values what the entries of a dispatch beside it say.
fn says(old: &Dispatch, new: &Dispatch, raw: &Raw) -> bool {
    let [Detail::Elements { of, removed, added }] = raw.details.as_slice() else { return false };
    let only = |these: &Dispatch, others: &Dispatch, values: &[String]| {
        let own: BTreeSet<&str> =
            these.entries.keys().filter(|value| !others.entries.contains_key(*value)).map(|value| &**value).collect();
        own == values.iter().map(String::as_str).collect()
    };
    [old, new].iter().all(|dispatch| *dispatch.key == **of) && only(old, new, removed) && only(new, old, added)
}

/// What differs between two lists of one flattening; none for equal ones.
fn differ(flat: &mut Flat<'_>, work: &Work) -> Option<Difference> {
    let (old, _) = flat.list(Side::Found, &work.found.0, &work.known, work.found.1);
    let (new, _) = flat.list(Side::Meant, &work.meant.0, &work.known, work.meant.1);
    let [old_leaves, new_leaves] = work.leaves;
    if old.number != new.number {
        return Some(list::compare(flat, &old, &new));
    }
    let text = |leaves: bool, span| {
        vec![RuleText { text: if leaves { "goto" } else { "jump" }.to_owned(), comment: None, span }]
    };
    let raw = Raw::new(Kind::PlaceAltered, text(old_leaves, work.found.1), text(new_leaves, work.meant.1), Vec::new());
    (old_leaves != new_leaves).then(|| Difference { raw: vec![raw], dispatches: Vec::new() })
}

/// Whether an entry is one of a tree over addresses, whose rules lead on.
const fn list_is_all(source: &Source) -> bool {
    match source {
        Source::Rules(_) => true,
        Source::Chain(_) | Source::Verdict(_) => false,
    }
}
