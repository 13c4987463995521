//! The method: packets that stand in for all of a space.
//!
//! In: a [`Space`] and the judges of the hooks on its way. Out: what its packets are to an expectation, with one that
//! shows it.
//!
//! Every condition looks at one field, so a packet's fate depends only on which conditions hold in each field. Field
//! by field, from those that claims narrow down most: the clauses that no packet can match any more are left out, and so
//! are those behind one that every packet matches. The values of the field that the conditions left tell apart
//! (see [`field`](super::field)) are grouped, and one of each group is kept. The packets are all combinations of these
//! values: where they are tried, the answer is that for every packet.
//!
//! Where there are more than [`LIMIT`] combinations, or more than the claim's [`Allowance`] has room for, two fields at a time take all of their values while the others
//! stay at their first; then each clause in reach gets a packet that it matches, with each field in turn varied. The
//! rest is counted in [`Sampled::left_out`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::policy::{Clause, Direction, Expectation, Stage, Verdict};

use super::field::{Field, Value};
use super::limit::Allowance;
use super::space::Space;
use super::{Weight, guard, weigh};
use crate::analysis::condition::holds;
use crate::analysis::judge::Judge;
use crate::analysis::packet::Packet;

/// Combinations that are tried before a choice is made.
pub(super) const LIMIT: u64 = 1 << 16;

/// What the packets of a space are to an expectation.
#[derive(Debug)]
pub(super) enum Found {
    /// This one contradicts it.
    Contradiction(Packet),
    /// None contradicts it, and at least one meets it.
    Met,
    /// None contradicts it, and none meets it: they do not count. One of them.
    Excused(Packet),
}

/// The answer of the method.
#[derive(Debug)]
pub(super) struct Sampled {
    pub(super) result: Found,
    /// Packets that were tried.
    pub(super) packets: u64,
    /// Packets that were not.
    pub(super) left_out: u64,
}

/// A set of clauses, by their places in [`Reach::clauses`].
type Bits = Vec<u64>;

/// A clause that packets of the space may match.
#[derive(Debug)]
struct Reached<'j> {
    hook: usize,
    direction: Direction,
    stage: &'j Stage,
    clause: &'j Clause,
    /// Fields with conditions that have not been looked at yet.
    open: u8,
    /// Whether every packet has passed the conditions on the fields so far.
    always: bool,
    dead: bool,
}

/// A field whose values matter, and for each value the clauses whose conditions on the field hold.
type Dimension = (Field, Vec<(Value, Bits)>);

/// The clauses that packets of a space may match, and the values that tell the packets apart.
#[derive(Debug)]
struct Reach<'j> {
    clauses: Vec<Reached<'j>>,
    dimensions: Vec<Dimension>,
    hooks: usize,
}

/// Decides about a space; none where that is beyond the allowance.
pub(super) fn sample<'a>(
    space: &Space<'_>,
    judges: &[Arc<Judge<'a>>],
    expect: Expectation,
    allowance: &mut Allowance,
) -> Option<Sampled> {
    let mut work = 0;
    let reach = Reach::new(space, judges, allowance.needed(), &mut work);
    allowance.spend(work);
    let reach = reach?;
    // What one try takes.
    let cost = reach.clauses.len().div_ceil(64) as u64 + 4;
    let limit = (allowance.wanted() / cost).max(1);
    let mut search = Search { reach: &reach, expect, tried: 0, limit, met: false, excused: None };
    let total = reach.dimensions.iter().fold(1_u64, |total, (_, values)| total.saturating_mul(values.len() as u64));
    let whole = total <= LIMIT.min(limit);
    let found = if whole { search.all() } else { search.some() };
    allowance.spend(search.tried.saturating_mul(cost));
    let packet = |choice: &[usize]| reach.packet(space, choice);
    let result = match (found, search.met, &search.excused) {
        (Some(choice), _, _) => Found::Contradiction(packet(&choice)),
        (None, false, Some(choice)) => Found::Excused(packet(choice)),
        (None, _, _) => Found::Met,
    };
    let decided = matches!(result, Found::Contradiction(_));
    let left_out = if decided || whole { 0 } else { total.saturating_sub(search.tried).max(1) };
    Some(Sampled { result, packets: search.tried, left_out })
}

impl<'j> Reach<'j> {
    /// None where it takes more than `limit` comparisons; `work` is how many it took.
    fn new<'a>(space: &Space<'_>, judges: &'j [Arc<Judge<'a>>], limit: u64, work: &mut u64) -> Option<Self> {
        let clauses = judges.iter().enumerate().flat_map(|(hook, judge)| reached(hook, judge, space.template()));
        let mut reach = Self { clauses: clauses.collect(), dimensions: Vec::new(), hooks: judges.len() };
        reach.cover();
        for field in Field::ALL {
            reach.divide(space, field, limit, work)?;
        }
        reach.simplify();
        Some(reach)
    }

    /// Groups the values of a field, and leaves out clauses; none where that is over the limit.
    fn divide(&mut self, space: &Space<'_>, field: Field, limit: u64, work: &mut u64) -> Option<()> {
        let asks = |reached: &&Reached<'_>| !reached.dead && reached.open & field.bit() != 0;
        if !self.clauses.iter().any(|reached| asks(&reached)) {
            return Some(());
        }
        let on_field = |reached: &Reached<'j>| {
            reached.clause.matches.iter().filter(move |condition| Field::of(condition) == Some(field))
        };
        let conditions: Vec<_> = self.clauses.iter().filter(asks).flat_map(on_field).collect();
        let mut packet = space.template().clone();
        let mut values: Vec<(Value, Bits)> = Vec::new();
        let mut seen = BTreeSet::new();
        let candidates = space.values(field, &conditions);
        *work = work.saturating_add(candidates.len() as u64 * self.clauses.len() as u64);
        if *work > limit {
            return None;
        }
        for value in candidates {
            value.set(field, &mut packet);
            let fits = |reached: &Reached<'_>| on_field_holds(reached, field, &packet);
            let bits = bits(self.clauses.iter().map(|reached| !reached.dead && (!asks(&reached) || fits(reached))));
            if seen.insert(bits.clone()) {
                values.push((value, bits));
            }
        }
        for (index, reached) in self.clauses.iter_mut().enumerate().filter(|(_, reached)| !reached.dead) {
            reached.open &= !field.bit();
            reached.dead = !values.iter().any(|(_, bits)| has(bits, index));
            reached.always &= values.iter().all(|(_, bits)| has(bits, index));
        }
        self.dimensions.push((field, values));
        self.cover();
        Some(())
    }

    /// Leaves out the clauses behind one that every packet matches: those of its hook; or of its stage, if it skips that
    /// or some packet may have skipped it.
    fn cover(&mut self) {
        let mut skippable: Option<&Stage> = None;
        let mut covered: Option<(usize, Option<&Stage>)> = None;
        for reached in self.clauses.iter_mut().filter(|reached| !reached.dead) {
            if let Some((hook, stage)) = covered
                && hook == reached.hook
                && stage.is_none_or(|stage| std::ptr::eq(stage, reached.stage))
            {
                reached.dead = true;
                continue;
            }
            if reached.clause.verdict == Verdict::Skip {
                skippable = Some(reached.stage);
            }
            if reached.always && reached.open == 0 {
                let within = skippable.is_some_and(|stage| std::ptr::eq(stage, reached.stage));
                covered = Some((reached.hook, within.then_some(reached.stage)));
            }
        }
    }

    /// Forgets what only clauses that were left out later told apart.
    fn simplify(&mut self) {
        let live = bits(self.clauses.iter().map(|reached| !reached.dead));
        for (_, values) in &mut self.dimensions {
            let mut seen = BTreeSet::new();
            values.retain_mut(|(_, bits)| {
                and(bits, &live);
                seen.insert(bits.clone())
            });
        }
    }

    /// The packet with the chosen value of each dimension.
    fn packet(&self, space: &Space<'_>, choice: &[usize]) -> Packet {
        let mut packet = space.template().clone();
        for ((field, values), index) in self.dimensions.iter().zip(choice) {
            if let Some((value, _)) = values.get(*index) {
                value.set(*field, &mut packet);
            }
        }
        packet
    }

    /// The verdict on packets that match exactly these clauses, and the stage that gives it.
    fn verdict(&self, matched: &Bits) -> (Verdict, Option<&'j Stage>) {
        let mut hooks_passed = 0;
        let mut skipped: Option<&Stage> = None;
        for index in ones(matched) {
            let Some(reached) = self.clauses.get(index) else { break };
            let over = reached.hook < hooks_passed;
            let skip = skipped.is_some_and(|stage| reached.hook == hooks_passed && std::ptr::eq(stage, reached.stage));
            if over || skip {
                continue;
            }
            match reached.clause.verdict {
                Verdict::Skip => skipped = Some(reached.stage),
                Verdict::Accept => (hooks_passed, skipped) = (reached.hook + 1, None),
                Verdict::Drop | Verdict::Reject => return (reached.clause.verdict, Some(reached.stage)),
            }
        }
        // A hook without an answer drops, as the evaluator has it.
        let verdict = if hooks_passed == self.hooks { Verdict::Accept } else { Verdict::Drop };
        (verdict, None)
    }
}

/// The clauses of a hook that packets with the template's family, protocol and state may match.
fn reached<'j>(hook: usize, judge: &'j Judge<'_>, template: &Packet) -> Vec<Reached<'j>> {
    let direction = judge.direction();
    let mut found = Vec::new();
    for (stage, clause, _) in judge.clauses() {
        let mut open = 0;
        let fits = clause.matches.iter().all(|condition| match Field::of(condition) {
            Some(field) => {
                open |= field.bit();
                true
            }
            None => holds(condition, template, direction),
        });
        if fits {
            found.push(Reached { hook, direction, stage, clause, open, always: true, dead: false });
        }
    }
    found
}

fn on_field_holds(reached: &Reached<'_>, field: Field, packet: &Packet) -> bool {
    let conditions = reached.clause.matches.iter().filter(|condition| Field::of(condition) == Some(field));
    conditions.into_iter().all(|condition| holds(condition, packet, reached.direction))
}

/// A walk over combinations of values.
struct Search<'r, 'j> {
    reach: &'r Reach<'j>,
    expect: Expectation,
    tried: u64,
    /// No more are tried.
    limit: u64,
    met: bool,
    excused: Option<Vec<usize>>,
}

impl Search<'_, '_> {
    /// Every combination; the first that contradicts.
    fn all(&mut self) -> Option<Vec<usize>> {
        let every = vec![u64::MAX; self.reach.clauses.len().div_ceil(64)];
        let mut choice = Vec::with_capacity(self.reach.dimensions.len());
        self.below(&every, &mut choice)
    }

    fn below(&mut self, matched: &Bits, choice: &mut Vec<usize>) -> Option<Vec<usize>> {
        let Some((_, values)) = self.reach.dimensions.get(choice.len()) else { return self.weigh(matched, choice) };
        for (index, (_, bits)) in values.iter().enumerate() {
            let mut both = matched.clone();
            and(&mut both, bits);
            choice.push(index);
            let found = self.below(&both, choice);
            choice.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// One combination.
    fn weigh(&mut self, matched: &Bits, choice: &[usize]) -> Option<Vec<usize>> {
        self.tried += 1;
        let (verdict, stage) = self.reach.verdict(matched);
        match weigh(verdict, guard(stage), self.expect) {
            Weight::Meets => self.met = true,
            Weight::Excused => {
                self.excused.get_or_insert_with(|| choice.to_vec());
            }
            Weight::Contradicts => return Some(choice.to_vec()),
        }
        None
    }

    fn one(&mut self, choice: &[usize]) -> Option<Vec<usize>> {
        let mut matched = vec![u64::MAX; self.reach.clauses.len().div_ceil(64)];
        for ((_, values), index) in self.reach.dimensions.iter().zip(choice) {
            if let Some((_, bits)) = values.get(*index) {
                and(&mut matched, bits);
            }
        }
        self.weigh(&matched, choice)
    }

    /// A choice of combinations; the first that contradicts.
    fn some(&mut self) -> Option<Vec<usize>> {
        let sizes: Vec<usize> = self.reach.dimensions.iter().map(|(_, values)| values.len()).collect();
        let first = vec![0; sizes.len()];
        for (a, size_a) in sizes.iter().enumerate() {
            for (b, size_b) in sizes.iter().enumerate().skip(a + 1) {
                for (i, j) in (0..*size_a).flat_map(|i| (0..*size_b).map(move |j| (i, j))) {
                    if self.tried >= self.limit {
                        return None;
                    }
                    let found = self.one(&with(&with(&first, a, i), b, j));
                    if found.is_some() {
                        return found;
                    }
                }
            }
        }
        for clause in 0..self.reach.clauses.len() {
            let Some(base) = self.matching(clause) else { continue };
            for (a, size) in sizes.iter().enumerate() {
                for i in 0..*size {
                    if self.tried >= self.limit {
                        return None;
                    }
                    let found = self.one(&with(&base, a, i));
                    if found.is_some() {
                        return found;
                    }
                }
            }
        }
        None
    }

    /// A combination that a clause matches.
    fn matching(&self, clause: usize) -> Option<Vec<usize>> {
        let first = |(_, values): &Dimension| values.iter().position(|(_, bits)| has(bits, clause));
        self.reach.dimensions.iter().map(first).collect()
    }
}

fn with(choice: &[usize], at: usize, value: usize) -> Vec<usize> {
    let replaced = |(index, old): (usize, &usize)| if index == at { value } else { *old };
    choice.iter().enumerate().map(replaced).collect()
}

fn bits(flags: impl ExactSizeIterator<Item = bool>) -> Bits {
    let mut words = vec![0_u64; flags.len().div_ceil(64)];
    for (index, flag) in flags.enumerate() {
        if let Some(word) = words.get_mut(index / 64) {
            *word |= u64::from(flag) << (index % 64);
        }
    }
    words
}

fn has(bits: &Bits, index: usize) -> bool {
    bits.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
}

fn and(bits: &mut Bits, other: &Bits) {
    for (word, mask) in bits.iter_mut().zip(other) {
        *word &= mask;
    }
}

/// The places of the bits that are set, ascending.
fn ones(bits: &Bits) -> impl Iterator<Item = usize> {
    bits.iter().zip((0..).step_by(64)).flat_map(|(word, base)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            let at = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(base + at)
        })
    })
}

/// Every packet that the method builds in a space (evenly chosen, if there are more than `limit`), its verdict, and
/// the stage that stops it.
#[cfg(test)]
pub(super) fn verdicts(
    space: &Space<'_>,
    judges: &[Arc<Judge<'_>>],
    limit: usize,
    mut found: impl FnMut(&Packet, Verdict, Option<&'static str>),
) {
    let reach = Reach::new(space, judges, u64::MAX, &mut 0).expect("no limit");
    let sizes: Vec<usize> = reach.dimensions.iter().map(|(_, values)| values.len()).collect();
    let total: usize = sizes.iter().product();
    for number in (0..total).step_by(total.div_ceil(limit).max(1)) {
        let mut rest = number;
        let choice: Vec<usize> = sizes.iter().map(|size| (rest % size, rest /= size).0).collect();
        let mut matched = vec![u64::MAX; reach.clauses.len().div_ceil(64)];
        for ((_, values), index) in reach.dimensions.iter().zip(&choice) {
            and(&mut matched, &values.get(*index).map(|(_, bits)| bits.clone()).unwrap_or_default());
        }
        let (verdict, stage) = reach.verdict(&matched);
        found(&reach.packet(space, &choice), verdict, stage.map(Stage::name));
    }
}
