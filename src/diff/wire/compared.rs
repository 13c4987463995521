//! One hook on both sides: which packets it treats otherwise, and by whom.
//!
//! In: the hook in both specs. Out: its rows. Promise: what both sides ask first, in the same order and with the same answers,
//! is asked once, and only which packets it takes: what decides about them is the same. Packets that it leaves are told by
//! what decides before and after.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::analysis::Judge;
use crate::analysis::sets::{Diagram, Label, OverBudget, Region, Sets};
use crate::policy::Verdict;

use super::name::{self, Apart, Described, Names, Told};
use super::row::{self, Rows};
use super::{Decider, Fate, Kind, Pair, Sides, Written};

/// Boxes of packets of one pair of rules that are told before the rest is counted.
const BOXES: usize = 40;

/// What both sides decide alike, whoever does.
const ALIKE: Label = Label::new(Label::NONE.number() - 2);

/// Both diagrams of a hook, joined: a label for each pair of deciders with another fate.
pub(super) struct Compared {
    joined: Diagram,
    /// What the labels stand for.
    changes: Vec<(Decider, Decider)>,
}

impl Compared {
    pub(super) fn of(sets: &mut Sets, pair: &Pair<'_>, [old, new]: Sides<'_>) -> Result<Self, OverBudget> {
        let nothing = Self { joined: Diagram::all(Label::NONE), changes: Vec::new() };
        let (was, is) = (Judge::new(pair.old.0, pair.old.1), Judge::new(pair.new.0, pair.new.1));
        let same = was.in_common(&is);
        if (was.len(), is.len()) == (same, same) {
            return Ok(nothing);
        }
        let ((front, was), (_, is)) = (was.split(same), is.split(same));
        let (before, old_deciders) = decided(sets, &was, old)?;
        let (after, new_deciders) = decided(sets, &is, new)?;
        if before == after && old_deciders.iter().map(|d| d.verdict).eq(new_deciders.iter().map(|d| d.verdict)) {
            return Ok(nothing);
        }
        let changes = RefCell::new(Vec::<(Decider, Decider)>::new());
        let joined = sets.joined(before, after, |was, is| {
            let get = |deciders: &[Decider], label: Label| -> Option<Decider> {
                deciders.get(usize::try_from(label.number()).ok()?).cloned()
            };
            let (Some(was), Some(is)) = (get(&old_deciders, was), get(&new_deciders, is)) else { return Label::NONE };
            if was.verdict == is.verdict {
                return Label::NONE;
            }
            let mut changes = changes.borrow_mut();
            let key = (was, is);
            let at = changes.iter().position(|known| *known == key).unwrap_or_else(|| {
                changes.push(key);
                changes.len() - 1
            });
            Label::new(u32::try_from(at).unwrap_or(u32::MAX))
        })?;
        let front = sets.hook_by(&front, |_, _, _| ALIKE)?;
        let joined = sets.over(front, joined)?;
        Ok(Self { joined, changes: changes.into_inner() })
    }

    pub(super) fn rows<'n>(
        self,
        sets: &mut Sets,
        pair: &Pair<'_>,
        (names, told_before): (&'n Names, &mut Told<'_, 'n>),
        rows: &mut Rows,
    ) -> Result<(), OverBudget> {
        let apart = Apart::of([pair.old.0, pair.new.0], pair.new.1);
        let wish = name::wish(pair.name, &pair.own);
        let mut left_out = 0;
        for group in self.groups(&sets.labels(self.joined)) {
            let set = sets.select(self.joined, |label| group.labels.contains(&label.number()))?;
            let mut regions = sets.regions(set);
            let boxes: Vec<Region> = regions.by_ref().take(BOXES).collect();
            left_out += usize::from(regions.next().is_some());
            let told: Vec<(Described, Region)> = boxes
                .into_iter()
                .map(|region| (names.describe(&region, pair.name, &apart, told_before), region))
                .collect();
            for (described, region) in &told {
                if told.iter().any(|(other, _)| described.is_covered_by(other)) {
                    continue;
                }
                rows.add(pair, &group, described.clone(), || {
                    let packets = sets.boxed(region)?;
                    Ok(sets.witness(packets, &wish).map(|packet| row::packet_words(&packet)))
                })?;
            }
        }
        rows.left_out += left_out;
        Ok(())
    }

    /// The packets that are told.
    #[cfg(test)]
    pub(super) fn packets(&self, sets: &mut Sets) -> Result<crate::analysis::sets::PacketSet, OverBudget> {
        sets.select(self.joined, |label| usize::try_from(label.number()).is_ok_and(|at| at < self.changes.len()))
    }

    /// The labels that some packet has, by the rule that makes the difference: what accepts now, or accepted before.
    fn groups(&self, labels: &BTreeSet<Label>) -> Vec<Group<'_>> {
        let mut found: Vec<Group<'_>> = Vec::new();
        let changes = (0_u32..).zip(&self.changes).filter(|(number, _)| labels.contains(&Label::new(*number)));
        for (number, (was, is)) in changes {
            let kind = match (was.verdict, is.verdict) {
                (_, Fate::Accepted) => Kind::Accepted,
                (Fate::Accepted, _) => Kind::Refused,
                (Fate::Dropped | Fate::Rejected, Fate::Dropped | Fate::Rejected) => Kind::Otherwise,
            };
            let (own, other) = if kind == Kind::Refused { (was, is) } else { (is, was) };
            match found.iter_mut().find(|group| group.kind == kind && group.own == own) {
                Some(group) => {
                    group.labels.insert(number);
                    group.others.insert(other.words.as_str());
                }
                None => found.push(Group {
                    kind,
                    own,
                    others: BTreeSet::from([other.words.as_str()]),
                    labels: BTreeSet::from([number]),
                }),
            }
        }
        found
    }
}

/// Packets whose fate one rule or stage makes another.
pub(super) struct Group<'c> {
    pub(super) kind: Kind,
    /// What accepts them now, or did before; of others what decides now.
    pub(super) own: &'c Decider,
    /// What decides on the other side.
    pub(super) others: BTreeSet<&'c str>,
    labels: BTreeSet<u32>,
}

/// What a hook decides, by who decides it.
fn decided(sets: &mut Sets, judge: &Judge<'_>, written: &Written<'_>) -> Result<(Diagram, Vec<Decider>), OverBudget> {
    let mut deciders: Vec<Decider> = Vec::new();
    let diagram = sets.hook_by(judge, |stage, clause, rule| {
        let verdict = match clause.verdict {
            Verdict::Accept => Fate::Accepted,
            Verdict::Drop => Fate::Dropped,
            Verdict::Reject => Fate::Rejected,
            Verdict::Skip => return Label::NONE,
        };
        let decider = match rule {
            Some(applied) => {
                let (words, place) = written(&applied);
                Decider { verdict, words, macro_name: applied.rule.macro_name, place }
            }
            None => {
                let fate = match verdict {
                    Fate::Accepted => "accept",
                    Fate::Dropped => "drop",
                    Fate::Rejected => "reject",
                };
                let words = format!("{} ({fate})", stage.name());
                Decider { verdict, words, macro_name: None, place: None }
            }
        };
        let at = deciders.iter().position(|known| *known == decider).unwrap_or_else(|| {
            deciders.push(decider);
            deciders.len() - 1
        });
        Label::new(u32::try_from(at).unwrap_or(u32::MAX))
    })?;
    Ok((diagram, deciders))
}
