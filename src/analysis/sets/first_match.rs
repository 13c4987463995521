//! Lists of clauses in which the first match decides, by divide and conquer.
//!
//! The rules are a tree, in their order from left to right: of any in a row, the one of the highest rank is above the others,
//! and a rank is a rule's own, wherever it stands (a treap: Seidel and Aragon, 1996). So a rule that is changed, added or taken
//! away leaves all parts of the tree that it is not in as they were, and what these come to is known.

use crate::policy::{Direction, Match};

use super::apply::Operation;
use super::store::Id;
use super::table::Sets;
use super::{Diagram, Label, OverBudget};

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
        // From the root to the last rule so far: the rank of each, and what it comes to with all that is left of it.
        let mut open: Vec<(u32, Id)> = Vec::new();
        for Diagram(id) in self.0.iter().copied() {
            let rank = rank(id);
            let mut left = None;
            while let Some((_, below)) = open.pop_if(|(last, _)| *last < rank) {
                left = Some(with(sets, operation, below, left)?);
            }
            let id = left.map_or(Ok(id), |left| sets.apply(operation, left, id))?;
            open.push((rank, id));
        }
        let mut right = None;
        while let Some((_, above)) = open.pop() {
            right = Some(with(sets, operation, above, right)?);
        }
        Ok(Diagram(right.unwrap_or(Id::end(Label::NONE))))
    }
}

fn with(sets: &mut Sets, operation: Operation, left: Id, right: Option<Id>) -> Result<Id, OverBudget> {
    right.map_or(Ok(left), |right| sets.apply(operation, left, right))
}

/// A number without a pattern.
const fn rank(id: Id) -> u32 {
    let mixed = id.raw().wrapping_mul(0x9e37_79b9);
    (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b)
}
