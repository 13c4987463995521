//! Whether two lists say the same of every packet, seen from their steps.
//!
//! A stretch of neighbouring steps with one label is a set: in whatever order and in however many rules it is told, it is the same
//! if its packets are. Rules that were made from clauses have the same stretches one by one, most of them with the very
//! same sets, and neither list is ever put together. A yes is right for every packet; a no says nothing.

use std::sync::Arc;

use crate::analysis::sets::{Label, OverBudget, PacketSet, Sets, decision};
use crate::policy::Verdict;

use super::run::Ground;
use super::said::{Said, Step};

/// Rules in front of others that are looked at one by one.
const FEW: usize = 8;

/// Sets that are taken out one by one; more are put together.
const MANY: usize = 12;

/// A list in one piece: each packet has the label of the first set that it is in.
pub(super) type Flat = Arc<[(PacketSet, Label)]>;

/// Which sets and lists are met for the first time.
#[derive(Debug, Default)]
pub(super) struct Met {
    round: u32,
    /// For each set's number, the round in which it was met last.
    last: Vec<u32>,
    /// For each list's number, whether it was met in another one.
    inside: Vec<bool>,
}

impl Met {
    /// Forgets all that were met.
    const fn clear(&mut self) {
        self.round += 1;
    }

    /// Whether a list stands in others more than once, so that it is worth while to keep what it comes to.
    fn is_met_again(&mut self, said: Said) -> bool {
        let place = said.number() as usize;
        if self.inside.len() <= place {
            self.inside.resize(place + 1, false);
        }
        self.inside.get_mut(place).is_some_and(|met| std::mem::replace(met, true))
    }

    fn is_new(&mut self, set: PacketSet) -> bool {
        // Everything and nothing have numbers of their own.
        let place = match set {
            PacketSet::EMPTY => 0,
            PacketSet::ALL => 1,
            _ => set.diagram().number() as usize + 2,
        };
        if self.last.len() <= place {
            self.last.resize(place + 1, 0);
        }
        self.last.get_mut(place).is_none_or(|last| std::mem::replace(last, self.round) != self.round)
    }
}

/// A list while it is put into one piece.
#[derive(Default)]
struct Pieces {
    all: Vec<(PacketSet, Label)>,
    /// Packets that left a list without an answer, which those behind in it must not be asked about; older sets first, as
    /// hooks take them out: what is the same for many lists is taken out once.
    gone: Vec<PacketSet>,
}

impl Pieces {
    fn leave(&mut self, sets: &mut Sets, set: PacketSet) -> Result<(), OverBudget> {
        let place = self.gone.partition_point(|known| *known < set);
        self.gone.insert(place, set);
        if self.gone.len() > MANY {
            let all = self.gone.drain(..).try_fold(PacketSet::EMPTY, |all, one| sets.union(all, one))?;
            self.gone.push(all);
        }
        Ok(())
    }
}

/// The stretches of a list, for some packets, one after the other.
struct Stretches<'f> {
    rest: &'f [(PacketSet, Label)],
    of: PacketSet,
    /// The sets of this one, those of these packets alone.
    sets: Vec<PacketSet>,
    /// And those of all before it, where they are not known to differ.
    before: Vec<PacketSet>,
}

impl<'f> Stretches<'f> {
    fn new(flat: &'f Flat, of: PacketSet) -> Self {
        Self { rest: flat, of, sets: Vec::new(), before: Vec::new() }
    }

    /// Goes on to the next, and says its label; none at the end.
    fn next(&mut self, ground: &mut Ground) -> Result<Option<Label>, OverBudget> {
        if self.of == PacketSet::ALL {
            self.sets.clear();
        }
        self.before.append(&mut self.sets);
        let mut label = None;
        while let Some(((set, said), rest)) = self.rest.split_first() {
            let set = if self.of == PacketSet::ALL { *set } else { ground.sets.intersection(*set, self.of)? };
            let said = ground.plain(*said);
            let is_known = self.of != PacketSet::ALL && (self.before.contains(&set) || self.sets.contains(&set));
            if !set.is_empty() && !is_known {
                if label.is_some_and(|label| label != said) {
                    break;
                }
                label = Some(said);
                self.sets.push(set);
            }
            // Behind one that has them all, nobody is left.
            self.rest = if set == self.of { &[] } else { rest };
        }
        Ok(label)
    }

    /// Whether some of these packets are in it.
    fn matters(&self, ground: &mut Ground, among: PacketSet) -> Result<bool, OverBudget> {
        for set in &self.sets {
            if !ground.sets.intersection(*set, among)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Ground {
    /// Whether two lists say the same of each of these packets, as far as that is seen from their steps; what is accepted for
    /// good counts as accepted.
    pub(super) fn is_same(&mut self, one: Said, other: Said, among: PacketSet) -> Result<bool, OverBudget> {
        if one == other {
            return Ok(true);
        }
        let key = (one, other, among);
        if let Some(known) = self.same.get(&key) {
            return Ok(*known);
        }
        if self.is_known_same(one, other, among)? {
            return Ok(true);
        }
        let behind = self.behind(one, among)?;
        if behind != one {
            return self.is_same(behind, other, among);
        }
        let found = match (self.flat(one)?, self.flat(other)?) {
            (Some(one), Some(other)) => {
                self.is_told_alike((&one, &other), among)?
                    || self.has_same_stretches((&one, &other), PacketSet::ALL, among)?
                    || self.has_same_stretches((&one, &other), among, among)?
            }
            (_, _) => false,
        };
        self.same.insert(key, found);
        if found {
            self.same_for.entry((one, other)).or_insert(among);
        }
        Ok(found)
    }

    /// Whether it was seen before that two lists say the same of these packets, or of more.
    pub(super) fn is_known_same(&mut self, one: Said, other: Said, among: PacketSet) -> Result<bool, OverBudget> {
        match self.same_for.get(&(one, other)) {
            Some(more) => self.sets.is_subset(among, *more),
            None => Ok(one == other),
        }
    }

    /// What a list says of some packets, without a few rules in front that are not for them.
    fn behind(&mut self, said: Said, among: PacketSet) -> Result<Said, OverBudget> {
        let steps = self.steps(said);
        let [Step::Sub(front), Step::Sub(rest)] = *steps else { return Ok(said) };
        let front = self.steps(front);
        if front.len() > FEW {
            return Ok(said);
        }
        for step in front.iter() {
            let Step::One(set, _) = *step else { return Ok(said) };
            if !self.sets.intersection(set, among)?.is_empty() {
                return Ok(said);
            }
        }
        Ok(rest)
    }

    /// A list in one piece; none where it has diagrams in it.
    pub(super) fn flat(&mut self, said: Said) -> Result<Option<Flat>, OverBudget> {
        if let Some(known) = self.flats.get(&said) {
            return Ok(known.clone());
        }
        let mut pieces = Pieces::default();
        let found = self.add_pieces(said, &mut pieces)?.then(|| {
            // Packets that those before have all of, have their label.
            self.met.clear();
            pieces.all.retain(|(set, _)| self.met.is_new(*set));
            Arc::from(pieces.all)
        });
        self.flats.insert(said, found.clone());
        Ok(found)
    }

    fn add_pieces(&mut self, said: Said, pieces: &mut Pieces) -> Result<bool, OverBudget> {
        let steps = self.steps(said);
        for (at, step) in steps.iter().enumerate() {
            match *step {
                Step::One(set, label) => {
                    let left = pieces.gone.iter().try_fold(set, |left, gone| self.sets.difference(left, *gone))?;
                    pieces.all.push((left, label));
                }
                Step::Sub(inside) if pieces.gone.is_empty() && self.met.is_met_again(inside) => {
                    let Some(flat) = self.flat(inside)? else { return Ok(false) };
                    pieces.all.extend(flat.iter());
                }
                Step::Sub(inside) => {
                    let gone = pieces.gone.clone();
                    if !self.add_pieces(inside, pieces)? {
                        return Ok(false);
                    }
                    if at + 1 != steps.len() {
                        pieces.gone = gone;
                    }
                }
                Step::Some(_) => return Ok(false),
                Step::Lead(set, inside) => {
                    let rest = steps.get(at + 1..).unwrap_or_default();
                    if pieces.gone.is_empty()
                        && let Some((label, set)) = self.all_led(set, inside, rest)?
                    {
                        let others = self.sets.complement(set)?;
                        pieces.all.push((others, label));
                        return self.add_pieces(inside, pieces);
                    }
                    let from = pieces.all.len();
                    let gone = pieces.gone.clone();
                    if !self.add_pieces(inside, pieces)? {
                        return Ok(false);
                    }
                    for (piece, _) in pieces.all.get_mut(from..).unwrap_or_default() {
                        *piece = self.sets.intersection(*piece, set)?;
                    }
                    // Where all of them have an answer, nobody behind is asked about them anyway.
                    pieces.gone = gone;
                    if !self.is_total(inside) {
                        pieces.leave(&mut self.sets, set)?;
                    }
                }
            }
        }
        Ok(true)
    }

    /// For packets that are all led to the same list, where the others have one label: that label, and who is led.
    fn all_led(
        &mut self,
        mut set: PacketSet,
        inside: Said,
        rest: &[Step],
    ) -> Result<Option<(Label, PacketSet)>, OverBudget> {
        if !self.is_total(inside) {
            return Ok(None);
        }
        let mut ahead: Vec<Step> = rest.iter().rev().copied().collect();
        while let Some(step) = ahead.pop() {
            match step {
                Step::Lead(more, said) if said == inside => set = self.sets.union(set, more)?,
                Step::Sub(said) => ahead.extend(self.steps(said).iter().rev()),
                Step::One(PacketSet::ALL, label) => return Ok(Some((label, set))),
                Step::One(..) | Step::Lead(..) | Step::Some(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether two lists have the same stretches as far as some packets matter; `of`: those that they are looked at for.
    fn has_same_stretches(
        &mut self,
        (one, other): (&Flat, &Flat),
        of: PacketSet,
        among: PacketSet,
    ) -> Result<bool, OverBudget> {
        let (mut one, mut other) = (Stretches::new(one, of), Stretches::new(other, of));
        loop {
            let (mut mine, mut theirs) = (one.next(self)?, other.next(self)?);
            while mine != theirs {
                if mine.is_some() && !one.matters(self, among)? {
                    mine = one.next(self)?;
                } else if theirs.is_some() && !other.matters(self, among)? {
                    theirs = other.next(self)?;
                } else {
                    return Ok(false);
                }
            }
            let is_end = |stretch: &Stretches<'_>| stretch.sets.contains(&of);
            if mine.is_none() || (is_end(&one) && is_end(&other)) {
                return Ok(true);
            }
            if !self.has_same_packets(&one.sets, &other.sets, among)? {
                return Ok(false);
            }
        }
    }

    /// Sets that are in both are not looked at first.
    fn has_same_packets(
        &mut self,
        one: &[PacketSet],
        other: &[PacketSet],
        among: PacketSet,
    ) -> Result<bool, OverBudget> {
        if one == other {
            return Ok(true);
        }
        let sorted = |stretch: &[PacketSet]| {
            let mut sets = stretch.to_vec();
            sets.sort_unstable();
            sets
        };
        let (one, other) = (sorted(one), sorted(other));
        if one == other {
            return Ok(true);
        }
        let without = |sets: &[PacketSet], others: &[PacketSet]| {
            sets.iter().filter(|set| others.binary_search(set).is_err()).copied().collect::<Vec<_>>()
        };
        let (mine, theirs) = (without(&one, &other), without(&other, &one));
        if self.united(&mine, among)? == self.united(&theirs, among)? {
            return Ok(true);
        }
        Ok(self.united(&one, among)? == self.united(&other, among)?)
    }

    fn united(&mut self, sets: &[PacketSet], among: PacketSet) -> Result<PacketSet, OverBudget> {
        let mut all = PacketSet::EMPTY;
        for set in sets {
            all = self.sets.union(all, *set)?;
        }
        self.sets.intersection(all, among)
    }

    /// What is accepted for good as accepted.
    pub(super) fn plain(&self, label: Label) -> Label {
        self.outcomes.accepted(label).unwrap_or(label)
    }

    /// The packets that a list accepts for good, or more than these; none where its steps do not tell.
    pub(super) fn accepted_for_good(&mut self, said: Said) -> Result<Option<PacketSet>, OverBudget> {
        let is_final = |ground: &Self, label: Label| ground.outcomes.accepted(label).is_some();
        if !self.labels(said).iter().any(|label| is_final(self, *label)) {
            return Ok(Some(PacketSet::EMPTY));
        }
        if let Some(known) = self.finals.get(&said) {
            return Ok(*known);
        }
        let found = match self.flat(said)? {
            None => None,
            Some(flat) => {
                let mut all = PacketSet::EMPTY;
                for (set, label) in flat.iter() {
                    if is_final(self, *label) {
                        all = self.sets.union(all, *set)?;
                    }
                }
                Some(all)
            }
        };
        self.finals.insert(said, found);
        Ok(found)
    }

    /// The packets that a list accepts; none where its steps do not tell.
    pub(super) fn passed(&mut self, said: Said) -> Result<Option<PacketSet>, OverBudget> {
        if let Some(known) = self.passed.get(&said) {
            return Ok(*known);
        }
        let found = match self.flat(said)? {
            None => None,
            Some(flat) => {
                let mut passed = PacketSet::EMPTY;
                for (set, label) in flat.iter().rev() {
                    let accepts = matches!(decision(*label), Some((Verdict::Accept, _)));
                    passed =
                        if accepts { self.sets.union(passed, *set)? } else { self.sets.difference(passed, *set)? };
                }
                Some(passed)
            }
        };
        self.passed.insert(said, found);
        Ok(found)
    }

    /// Whether a list accepts all of these packets without a word; none where its steps do not tell.
    pub(super) fn passes_all(&mut self, said: Said, packets: PacketSet) -> Result<Option<bool>, OverBudget> {
        let Some(flat) = self.flat(said)? else { return Ok(None) };
        let mut left = packets;
        for (set, label) in flat.iter() {
            if left.is_empty() {
                break;
            }
            if *label == super::walk::pass() {
                left = self.sets.difference(left, *set)?;
            } else if !self.sets.intersection(left, *set)?.is_empty() {
                return Ok(Some(false));
            }
        }
        Ok(Some(left.is_empty()))
    }
}
