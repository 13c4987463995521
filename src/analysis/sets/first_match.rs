//! Lists of clauses in which the first match decides, by divide and conquer.
//!
//! Neighbours are put together to groups, groups to greater ones, up to the whole. Every member has a rank of its own, without
//! a pattern, and a group ends where the rank of one is high enough, not at a place: a rule that is changed, added or taken
//! away leaves all groups but those around it as they were, and their results are known. Ranks are those of rules, never of
//! what groups of them say: of a greater group only the results change, not where it ends.

use crate::policy::{Direction, Match};

use super::apply::Operation;
use super::store::Id;
use super::table::Sets;
use super::{Diagram, Label, OverBudget};

/// A group has at most so many members, where no rank ends it before.
const GROUP: usize = 16;

/// A list of diagrams; for each packet the first that says something counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirstMatch(Vec<Diagram>);

impl FirstMatch {
    /// From clauses at a hook of a direction, each with its label.
    ///
    /// # Errors
    /// Over budget.
    pub fn of<'m>(
        sets: &mut Sets,
        direction: Direction,
        clauses: impl IntoIterator<Item = (&'m [Match], Label)>,
    ) -> Result<Self, OverBudget> {
        let made = clauses.into_iter().map(|(matches, label)| sets.clause(matches, direction, label));
        made.collect::<Result<_, _>>().map(Self)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Diagram> + '_ {
        self.0.iter().copied()
    }

    /// Adds one behind all others.
    pub fn push(&mut self, diagram: Diagram) {
        self.0.push(diagram);
    }

    /// Puts another in its place; nothing beyond the end.
    pub fn replace(&mut self, at: usize, diagram: Diagram) {
        if let Some(old) = self.0.get_mut(at) {
            *old = diagram;
        }
    }

    /// Puts one before that at a place; behind all others beyond the end.
    pub fn insert(&mut self, at: usize, diagram: Diagram) {
        self.0.insert(at.min(self.0.len()), diagram);
    }

    /// Takes one out; nothing beyond the end.
    pub fn remove(&mut self, at: usize) {
        if at < self.0.len() {
            self.0.remove(at);
        }
    }

    /// What the list says. What was made for an earlier form of it in the same [`Sets`] is not made again.
    ///
    /// # Errors
    /// Over budget.
    pub fn diagram(&self, sets: &mut Sets) -> Result<Diagram, OverBudget> {
        self.folded(sets, Operation::Over)
    }

    /// The whole by an operation for which brackets say nothing.
    pub(super) fn folded(&self, sets: &mut Sets, operation: Operation) -> Result<Diagram, OverBudget> {
        sets.open.clear();
        let mut level: Vec<(Id, u32)> = self.0.iter().map(|diagram| (diagram.0, rank(diagram.0))).collect();
        let mut bar = 0;
        while level.len() > 1 {
            let mut groups = Vec::with_capacity(level.len() / 2 + 1);
            let mut members = Vec::with_capacity(GROUP);
            let last = level.len() - 1;
            for (at, (id, rank)) in level.into_iter().enumerate() {
                members.push(id);
                if rank > bar || members.len() == GROUP || at == last {
                    groups.push((in_pairs(sets, operation, &mut members)?, rank));
                    members.clear();
                }
            }
            level = groups;
            bar += 1;
        }
        Ok(Diagram(level.first().map_or(Id::end(Label::NONE), |(id, _)| *id)))
    }
}

/// One of four is above 0, one of four of these above 1, and so on.
const fn rank(id: Id) -> u32 {
    id.raw().wrapping_mul(0x9e37_79b9).leading_zeros() / 2
}

/// All members of a group, put together two by two.
fn in_pairs(sets: &mut Sets, operation: Operation, members: &mut Vec<Id>) -> Result<Id, OverBudget> {
    while members.len() > 1 {
        let pairs = members.len().div_ceil(2);
        for at in 0..pairs {
            let (first, second) = (members.get(2 * at).copied(), members.get(2 * at + 1).copied());
            let one = match (first, second) {
                (Some(first), Some(second)) => sets.apply(operation, first, second)?,
                (one, _) => one.unwrap_or(Id::end(Label::NONE)),
            };
            if let Some(place) = members.get_mut(at) {
                *place = one;
            }
        }
        members.truncate(pairs);
    }
    Ok(members.first().copied().unwrap_or(Id::end(Label::NONE)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::FirstMatch;
    use crate::analysis::sets::{Budget, Interfaces, Label, Sets};
    use crate::net::{AddressSet, PortSet, Protocol};
    use crate::policy::{Direction, Match};

    const RULES: u32 = 2_000;

    fn rule(number: u32) -> Vec<Match> {
        let mixed = number.wrapping_mul(0x9e37_79b9);
        let (port, network) = ((mixed >> 18) as u16, format!("10.{}.{}.0/24", mixed & 31, mixed >> 8 & 255));
        vec![
            Match::Protocol(Protocol::TCP),
            Match::DestPorts(PortSet::range(port, port + 20)),
            Match::Source(Arc::new(AddressSet::network(network.parse().unwrap()))),
        ]
    }

    #[test]
    fn what_one_other_rule_alters_is_made_with_little_of_the_work_for_all() {
        let mut sets = Sets::new(Interfaces::default(), Budget::default());
        let clauses: Vec<Vec<Match>> = (0..RULES).map(rule).collect();
        let labelled = clauses.iter().zip(0..).map(|(matches, number)| (matches.as_slice(), Label::new(number % 3)));
        let list = FirstMatch::of(&mut sets, Direction::In, labelled).unwrap();
        list.diagram(&mut sets).unwrap();
        let all = sets.spent().0;
        let mut shares = Vec::new();
        for at in (0..RULES).step_by(13) {
            let mut after = list.clone();
            let mut matches = rule(at);
            matches.push(Match::DestPorts(PortSet::range(1, 8000)));
            let other = sets.clause(&matches, Direction::In, Label::new(at % 3)).unwrap();
            let mut share = |after: &FirstMatch| {
                let before = sets.spent().0;
                after.diagram(&mut sets).unwrap();
                shares.push(all / (sets.spent().0 - before).max(1));
            };
            after.replace(at as usize, other);
            share(&after);
            after.insert(at as usize / 2, other);
            share(&after);
            after.remove(at as usize / 3);
            share(&after);
        }
        shares.sort_unstable();
        assert!(shares[0] >= 7, "{shares:?}");
    }
}
