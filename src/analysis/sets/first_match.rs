//! Lists of clauses in which the first match decides, by divide and conquer.
//!
//! Neighbours are put together to groups, groups to greater ones, up to the whole. Where a group ends depends on what is in
//! it, not on its place: a rule that is changed, added or taken away leaves all groups but those around it as they were,
//! and their results are known.

use crate::policy::{Direction, Match};

use super::apply::Operation;
use super::store::Id;
use super::table::Sets;
use super::{Diagram, Label, OverBudget};

/// A group has at most so many members.
const GROUP: usize = 4;

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
        let mut level: Vec<Id> = self.0.iter().map(|diagram| diagram.0).collect();
        while level.len() > 1 {
            let mut groups = Vec::with_capacity(level.len() / 2 + 1);
            let mut members = 0;
            for id in level {
                match groups.last_mut().filter(|_| members > 0) {
                    Some(group) => *group = sets.apply(operation, *group, id)?,
                    None => groups.push(id),
                }
                members += 1;
                if members == GROUP || (members > 1 && ends_group(id)) {
                    members = 0;
                }
            }
            level = groups;
        }
        Ok(Diagram(level.first().copied().unwrap_or(Id::end(Label::NONE))))
    }
}

/// Every other one, without a pattern.
const fn ends_group(id: Id) -> bool {
    id.raw().wrapping_mul(0x9e37_79b9) >> 31 == 1
}
