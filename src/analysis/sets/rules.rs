//! Rules of machines one by one: what each asks of packets, in values of their fields where that will do, and in sets.

use std::sync::Arc;

use crate::net::Family;
use crate::policy::{Applied, Clause, Direction, Hook, Log, Nic, RuleInterface, Stage, Verdict};

use super::conjunction::{Conjunction, Kinds, is_of_family};
use super::hook::{Step, say};
use super::table::Memo;
use super::{OverBudget, Sets, Valued};

/// A rule at a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleAt {
    number: usize,
    /// How many rules one entry of the spec brought from here on: more than one where it names a group.
    pub together: usize,
}

/// The rules of many hooks' machines: each is asked once, wherever it stands.
#[derive(Debug, Default)]
pub struct MachineRules<'a> {
    all: Vec<Kept<'a>>,
    /// By where they are, at the interface of a host or at none.
    numbers: Memo<(usize, Option<&'a str>), usize>,
}

/// What is known of a rule.
#[derive(Debug)]
struct Kept<'a> {
    applied: Applied<'a>,
    direction: Direction,
    values: Option<InValues>,
    /// Once it was asked for.
    told: Option<Vec<Step>>,
}

/// A rule that is for packets of IP alone, those of each family with some values of fields, and does the same with all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InValues {
    /// To accept or to drop them, and no more.
    pub verdict: Verdict,
    of_families: [Option<Arc<[Valued]>>; 2],
}

impl InValues {
    /// The values of its packets of a family, in the fields' order; none where it has none. Addresses are of the family.
    #[must_use]
    pub fn of(&self, family: Family) -> Option<&[Valued]> {
        let [v4, v6] = &self.of_families;
        match family {
            Family::V4 => v4.as_deref(),
            Family::V6 => v6.as_deref(),
        }
    }

    /// Of clauses; nothing where they are for other packets as well, or do something else.
    pub fn of_clauses(sets: &mut Sets, clauses: &[Clause], direction: Direction) -> Option<Self> {
        let verdict = clauses.first()?.verdict;
        let is_simple = |clause: &Clause| {
            let kinds = Kinds::of(&clause.matches);
            clause.verdict == verdict && clause.log == Log::None && kinds.and(Kinds::IP) == kinds
        };
        if !matches!(verdict, Verdict::Accept | Verdict::Drop) || !clauses.iter().all(is_simple) {
            return None;
        }
        let mut of = |family: Family| {
            let mut whole = None;
            for clause in clauses.iter().filter(|clause| Kinds::of(&clause.matches).has(Kinds::family(family))) {
                let kind = Kinds::family(family);
                let asked = Conjunction::of(&clause.matches, kind, direction, &mut sets.interfaces);
                if !asked.is_empty() {
                    add(&mut whole, asked.owned())?;
                }
            }
            Some(whole.map(Arc::from))
        };
        let v4 = of(Family::V4)?;
        let asks_family =
            |clause: &Clause| Kinds::of(&clause.matches) != Kinds::IP || clause.matches.iter().any(is_of_family);
        let v6 = if clauses.iter().any(asks_family) { of(Family::V6)? } else { v4.clone() };
        Some(Self { verdict, of_families: [v4, v6] })
    }
}

impl<'a> MachineRules<'a> {
    /// The rules of a hook's machine, in order, without all that stands around them.
    pub fn of(&mut self, sets: &mut Sets, hook: &'a Hook, nic: Option<&'a Nic>) -> Arc<[RuleAt]> {
        let direction = hook.name.direction();
        let applied: Vec<Applied<'a>> =
            hook.stages.iter().filter_map(Stage::rules).flat_map(|list| list.applied(direction, nic)).collect();
        let mut found: Vec<RuleAt> = Vec::with_capacity(applied.len());
        let call = |one: &Applied<'_>| one.call.map(|call| Arc::as_ptr(call) as usize);
        let mut last = None;
        for one in applied.into_iter().rev() {
            let call = call(&one);
            let before = found.last().filter(|_| call.is_some() && call == last);
            let together = before.map_or(1, |next| next.together + 1);
            last = call;
            found.push(RuleAt { number: self.number(sets, one, direction), together });
        }
        found.into_iter().rev().collect()
    }

    fn number(&mut self, sets: &mut Sets, applied: Applied<'a>, direction: Direction) -> usize {
        let interface = match applied.interface {
            RuleInterface::Host(name) => Some(name.as_str()),
            RuleInterface::Any | RuleInterface::Nic(_) => None,
        };
        let all = &mut self.all;
        *self.numbers.entry((Arc::as_ptr(applied.rule) as usize, interface)).or_insert_with(|| {
            let values = InValues::of_clauses(sets, &applied.clauses(), direction);
            all.push(Kept { applied, direction, values, told: None });
            all.len() - 1
        })
    }

    /// What a rule means in values, where it can be told so.
    #[must_use]
    pub fn values(&self, rule: RuleAt) -> Option<&InValues> {
        self.all.get(rule.number)?.values.as_ref()
    }

    /// What it means in sets, clause by clause: the first that has a packet counts, and others are not decided.
    ///
    /// # Errors
    /// Over budget.
    pub fn told(&mut self, sets: &mut Sets, rule: RuleAt) -> Result<&[Step], OverBudget> {
        let Some(kept) = self.all.get_mut(rule.number) else { return Ok(&[]) };
        let told = match kept.told.take() {
            Some(known) => known,
            None => {
                let mut steps = Vec::new();
                say(sets, (None, None), &kept.applied.clauses(), kept.direction, &mut steps)?;
                steps
            }
        };
        Ok(kept.told.insert(told))
    }
}

/// Adds packets with some values to those with others, where these differ in one field at most.
pub(in crate::analysis) fn add(whole: &mut Option<Vec<Valued>>, values: Vec<Valued>) -> Option<()> {
    let Some(whole) = whole else {
        *whole = Some(values);
        return Some(());
    };
    let is_same_field = |((one, _), (other, _)): (&Valued, &Valued)| one == other;
    if whole.len() != values.len() || !whole.iter().zip(&values).all(is_same_field) {
        return None;
    }
    let mut differing = whole.iter_mut().zip(&values).filter(|((_, known), (_, new))| known != new);
    if let Some(((_, known), (_, new))) = differing.next() {
        if differing.next().is_some() {
            return None;
        }
        *known = known.union(new);
    }
    Some(())
}
