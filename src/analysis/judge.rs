//! One packet at one hook.

use crate::policy::{Applied, Clause, Crossing, Direction, Hook, Log, Nic, Stage, Verdict};

use super::condition::holds;
use super::packet::Packet;

/// What a hook decides about a packet.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// Accept, drop or reject; never skip.
    pub verdict: Verdict,
    /// The stage that decides.
    pub stage: Option<&'a Stage>,
    /// The rule that decides, where the stage is made of rules.
    pub rule: Option<Applied<'a>>,
    /// The log line that the packet leaves here.
    pub log: Log,
}

/// A clause, and the rule it comes from where the stage is made of rules.
pub(super) type Sourced<'a> = (Clause, Option<Applied<'a>>);

/// A hook made ready to judge many packets.
#[derive(Debug)]
pub struct Judge<'a> {
    direction: Direction,
    stages: Vec<(&'a Stage, Vec<Sourced<'a>>)>,
}

impl<'a> Judge<'a> {
    /// The judge of a hook; `nic` is the NIC that a guest's hook speaks of.
    #[must_use]
    pub fn new(hook: &'a Hook, nic: Option<&Nic>) -> Self {
        let direction = hook.name.direction();
        let stages = hook.stages.iter().map(|stage| {
            let clauses = match stage.rules() {
                // The same clauses as the stage's, each with the rule that it comes from.
                Some(list) => list
                    .applied(direction, nic)
                    .flat_map(|applied| applied.clauses().into_iter().map(move |clause| (clause, Some(applied))))
                    .collect(),
                None => stage.clauses(hook.name, nic).into_iter().map(|clause| (clause, None)).collect(),
            };
            (stage, clauses)
        });
        Self { direction, stages: stages.collect() }
    }

    /// The direction of the hook.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// The stages in order, each with its clauses and the rules they come from.
    pub(super) fn stages(&self) -> impl Iterator<Item = (&'a Stage, &[Sourced<'a>])> {
        self.stages.iter().map(|(stage, clauses)| (*stage, clauses.as_slice()))
    }

    /// The clauses in the order in which they are tried, each with its stage and the rule it comes from.
    pub fn clauses(&self) -> impl Iterator<Item = (&'a Stage, &Clause, Option<Applied<'a>>)> {
        self.stages.iter().flat_map(|(stage, clauses)| clauses.iter().map(|(clause, rule)| (*stage, clause, *rule)))
    }

    /// How many clauses in front ask and answer the same as another hook's, in stages of the same name. A stage that packets
    /// may skip counts as a whole or not at all.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> usize {
        let mut count = 0;
        for ((stage, own), (same, others)) in self.asking().zip(other.asking()) {
            if stage.name() != same.name() {
                break;
            }
            let alike = own.iter().zip(others).take_while(|((own, _), (other, _))| own == other).count();
            if alike < own.len().max(others.len()) {
                let skips = |list: &[Sourced<'_>]| list.iter().any(|(clause, _)| clause.verdict == Verdict::Skip);
                return if skips(own) || skips(others) { count } else { count + alike };
            }
            count += alike;
        }
        count
    }

    /// The stages that have clauses.
    fn asking(&self) -> impl Iterator<Item = (&'a Stage, &[Sourced<'a>])> {
        self.stages().filter(|(_, clauses)| !clauses.is_empty())
    }

    /// How many clauses there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stages.iter().map(|(_, clauses)| clauses.len()).sum()
    }

    /// Whether there is no clause.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// So many clauses in front, and all behind them: what the ones leave undecided, the others decide. The number must not
    /// be within a stage that packets may skip, see [`Judge::in_common`].
    #[must_use]
    pub fn split(mut self, at: usize) -> (Self, Self) {
        let mut behind = Self { direction: self.direction, stages: Vec::new() };
        let mut left = at;
        for (stage, clauses) in &mut self.stages {
            let here = left.min(clauses.len());
            left -= here;
            behind.stages.push((stage, clauses.split_off(here)));
        }
        (self, behind)
    }

    /// What becomes of a packet: stage by stage, the first clause whose conditions all hold. A hook without an answer
    /// drops, which the policy at the end of every hook makes impossible.
    #[must_use]
    pub fn decide(&self, packet: &Packet) -> Decision<'a> {
        for (stage, clauses) in &self.stages {
            let first = clauses
                .iter()
                .find(|(clause, _)| clause.matches.iter().all(|condition| holds(condition, packet, self.direction)));
            let Some((clause, rule)) = first else { continue };
            match clause.verdict {
                Verdict::Skip => {}
                Verdict::Accept | Verdict::Drop | Verdict::Reject => {
                    return Decision { verdict: clause.verdict, stage: Some(stage), rule: *rule, log: clause.log };
                }
            }
        }
        Decision { verdict: Verdict::Drop, stage: None, rule: None, log: Log::None }
    }
}

/// What a hook on a packet's way decides about it.
#[must_use]
pub fn judge<'a>(crossing: &Crossing<'a>, packet: &Packet) -> Decision<'a> {
    Judge::new(crossing.hook, crossing.nic).decide(packet)
}
