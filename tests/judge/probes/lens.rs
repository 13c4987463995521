//! Which packets show what a clause is there for.
//!
//! In: the clauses of a hook, a packet. Out: what the hook would decide if one clause were missing, or wanted one
//! condition less. Where that is something else, the packet tells whether the kernel has the clause, or the condition.

use fwc::analysis::{Judge, Packet, holds};
use fwc::policy::{Clause, Crossing, Direction, Log, Match, State, Verdict};

/// A change of a clause that a packet may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// There is no such clause.
    Without,
    /// The clause does not ask for this condition.
    Wider(usize),
}

/// The clauses of a hook.
#[derive(Debug)]
pub struct Lens {
    direction: Direction,
    /// Each with the number of its stage.
    clauses: Vec<(usize, Clause)>,
    /// Those that accept, and those that refuse, of their own accord: not for a connection's sake, nor as the policy.
    accepting: Vec<usize>,
    refusing: Vec<usize>,
}

impl Lens {
    /// The clauses of the hook that a way crosses.
    pub fn new(crossing: &Crossing<'_>) -> Self {
        let judge = Judge::new(crossing.hook, crossing.nic);
        let mut clauses: Vec<(usize, Clause)> = Vec::new();
        let mut before = None;
        let mut number = 0;
        for (stage, clause, _) in judge.clauses() {
            let stage = std::ptr::from_ref(stage);
            number += usize::from(before.replace(stage).is_some_and(|before| before != stage));
            clauses.push((number, clause.clone()));
        }
        let of = |fits: fn(Verdict) -> bool| {
            let numbered = clauses.iter().enumerate();
            numbered.filter(|(_, (_, clause))| fits(clause.verdict) && is_own(clause)).map(|(at, _)| at).collect()
        };
        let accepting = of(|verdict| verdict == Verdict::Accept);
        let refusing = of(|verdict| matches!(verdict, Verdict::Drop | Verdict::Reject));
        Self { direction: judge.direction(), clauses, accepting, refusing }
    }

    /// How many clauses there are.
    pub fn len(&self) -> usize {
        self.clauses.len()
    }

    /// A clause.
    pub fn clause(&self, at: usize) -> &Clause {
        &self.clauses[at].1
    }

    /// The clauses that accept of their own accord.
    pub fn accepting(&self) -> &[usize] {
        &self.accepting
    }

    /// The clauses that drop or reject of their own accord.
    pub fn refusing(&self) -> &[usize] {
        &self.refusing
    }

    /// Whether a change of a clause makes any difference to the clause for a packet.
    pub fn meets(&self, packet: &Packet, at: usize, change: Change) -> bool {
        let mut conditions = self.clause(at).matches.iter().enumerate();
        conditions
            .all(|(number, condition)| holds(condition, packet, self.direction) == (change != Change::Wider(number)))
    }

    /// What the hook decides, changed or not; none where no clause has an answer.
    pub fn decide(&self, packet: &Packet, change: Option<(usize, Change)>) -> Option<(Verdict, Log)> {
        let mut left = None;
        for (at, (stage, clause)) in self.clauses.iter().enumerate() {
            let change = change.and_then(|(other, change)| (other == at).then_some(change));
            if left == Some(*stage) || change == Some(Change::Without) {
                continue;
            }
            let wider = |condition: usize| change == Some(Change::Wider(condition));
            let mut conditions = clause.matches.iter().enumerate();
            if conditions.all(|(number, condition)| wider(number) || holds(condition, packet, self.direction)) {
                match clause.verdict {
                    Verdict::Skip => left = Some(*stage),
                    Verdict::Accept | Verdict::Drop | Verdict::Reject => return Some((clause.verdict, clause.log)),
                }
            }
        }
        None
    }
}

fn is_own(clause: &Clause) -> bool {
    let known = |condition: &Match| matches!(condition, Match::State(states) if !states.contains(State::New));
    !clause.matches.is_empty() && !clause.matches.iter().any(known)
}
