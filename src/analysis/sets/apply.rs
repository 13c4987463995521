//! Operations on diagrams, node by node, each pair of nodes once.

use super::field::Field;
use super::store::{Edges, Id, Node};
use super::table::{Memo, Sets};
use super::{Diagram, Label, OverBudget, PacketSet, second};

/// Operations whose results are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// What the left says; where that is nothing, what the right says.
    Over,
    Union,
    Intersection,
    Difference,
    /// What the right says, for packets of the left set alone.
    Within,
    /// Where both say another.
    Differs,
    /// What the left says, with what the right says behind it, see [`second`].
    Behind,
}

pub(super) const OPERATIONS: usize = 7;

const NO: Id = Id::end(Label(0));
const YES: Id = Id::end(Label(1));
const NOTHING: Id = Id::end(Label::NONE);

impl Operation {
    /// The result where no node needs to be looked at.
    fn plain(self, a: Id, b: Id) -> Option<Id> {
        match self {
            Self::Over if a == NOTHING => Some(b),
            Self::Over if a == b || b == NOTHING || a.label().is_some() => Some(a),
            Self::Union if a == b || b == NO || a == YES => Some(a),
            Self::Union if a == NO || b == YES => Some(b),
            Self::Intersection if a == b || a == NO || b == YES => Some(a),
            Self::Intersection if b == NO || a == YES => Some(b),
            Self::Difference if a == b || a == NO || b == YES => Some(NO),
            Self::Difference if b == NO => Some(a),
            Self::Within if a == NO || b == NOTHING => Some(NOTHING),
            Self::Within if a == YES => Some(b),
            Self::Differs if a == b => Some(NO),
            Self::Differs if a.label().is_some() && b.label().is_some() => Some(YES),
            Self::Behind if a == NOTHING => Some(b),
            Self::Behind if a == b || b == NOTHING => Some(a),
            Self::Behind => match (a.label(), b.label()) {
                (Some(first), Some(behind)) => Some(Id::end(second::with_behind(first, behind))),
                (Some(first), None) if second::is_whole(first) => Some(a),
                (Some(_) | None, _) => None,
            },
            Self::Over | Self::Union | Self::Intersection | Self::Difference | Self::Within | Self::Differs => None,
        }
    }

    const fn is_symmetric(self) -> bool {
        matches!(self, Self::Union | Self::Intersection | Self::Differs)
    }
}

fn pair(a: Id, b: Id) -> u64 {
    u64::from(a.raw()) << 32 | u64::from(b.raw())
}

impl Sets {
    /// What the first says; where it says nothing, what the second says.
    ///
    /// # Errors
    /// Over budget.
    pub fn over(&mut self, first: Diagram, second: Diagram) -> Result<Diagram, OverBudget> {
        self.fresh(Operation::Over, first.0, second.0).map(Diagram)
    }

    /// Packets in either.
    ///
    /// # Errors
    /// Over budget.
    pub fn union(&mut self, a: PacketSet, b: PacketSet) -> Result<PacketSet, OverBudget> {
        self.fresh(Operation::Union, a.0, b.0).map(PacketSet)
    }

    /// Packets in both.
    ///
    /// # Errors
    /// Over budget.
    pub fn intersection(&mut self, a: PacketSet, b: PacketSet) -> Result<PacketSet, OverBudget> {
        self.fresh(Operation::Intersection, a.0, b.0).map(PacketSet)
    }

    /// Packets in the first and not in the second.
    ///
    /// # Errors
    /// Over budget.
    pub fn difference(&mut self, a: PacketSet, b: PacketSet) -> Result<PacketSet, OverBudget> {
        self.fresh(Operation::Difference, a.0, b.0).map(PacketSet)
    }

    /// Packets that are not in it.
    ///
    /// # Errors
    /// Over budget.
    pub fn complement(&mut self, set: PacketSet) -> Result<PacketSet, OverBudget> {
        self.difference(PacketSet::ALL, set)
    }

    /// Whether every packet of the first is in the second.
    ///
    /// # Errors
    /// Over budget.
    pub fn is_subset(&mut self, a: PacketSet, b: PacketSet) -> Result<bool, OverBudget> {
        self.difference(a, b).map(PacketSet::is_empty)
    }

    /// The diagram for packets of the set alone: it says nothing of all others.
    ///
    /// # Errors
    /// Over budget.
    pub fn within(&mut self, set: PacketSet, diagram: Diagram) -> Result<Diagram, OverBudget> {
        self.fresh(Operation::Within, set.0, diagram.0).map(Diagram)
    }

    /// What the first says of packets of the set, and what the second says of all others.
    ///
    /// # Errors
    /// Over budget.
    pub fn choose(&mut self, set: PacketSet, inside: Diagram, outside: Diagram) -> Result<Diagram, OverBudget> {
        self.open.clear();
        self.either(set.0, inside.0, outside.0, &mut Memo::default()).map(Diagram)
    }

    /// Packets that two diagrams label differently.
    ///
    /// # Errors
    /// Over budget.
    pub fn differing(&mut self, a: Diagram, b: Diagram) -> Result<PacketSet, OverBudget> {
        self.fresh(Operation::Differs, a.0, b.0).map(PacketSet)
    }

    /// Other labels for the same packets.
    ///
    /// # Errors
    /// Over budget.
    pub fn relabel(&mut self, diagram: Diagram, label: impl Fn(Label) -> Label) -> Result<Diagram, OverBudget> {
        self.open.clear();
        self.renamed(diagram.0, &label, &mut Memo::default()).map(Diagram)
    }

    /// Packets whose label is one of those wanted.
    ///
    /// # Errors
    /// Over budget.
    pub fn select(&mut self, diagram: Diagram, wanted: impl Fn(Label) -> bool) -> Result<PacketSet, OverBudget> {
        self.relabel(diagram, |label| Label(wanted(label).into())).map(|set| PacketSet(set.0))
    }

    /// A label for what two diagrams say together: `becomes(before, after)` for a change.
    ///
    /// # Errors
    /// Over budget.
    pub fn joined(
        &mut self,
        a: Diagram,
        b: Diagram,
        label: impl Fn(Label, Label) -> Label,
    ) -> Result<Diagram, OverBudget> {
        self.open.clear();
        self.both(a.0, b.0, &label, &mut Memo::default()).map(Diagram)
    }

    fn either(&mut self, set: Id, inside: Id, outside: Id, done: &mut Memo<(u64, u32), Id>) -> Result<Id, OverBudget> {
        if set == YES || inside == outside {
            return Ok(inside);
        }
        if set == NO {
            return Ok(outside);
        }
        let key = (pair(set, inside), outside.raw());
        if let Some(known) = done.get(&key) {
            return Ok(*known);
        }
        let start = self.open.len();
        let field =
            [set, inside, outside].into_iter().filter_map(|id| self.store.field(id)).min().unwrap_or(Field::Frame);
        let mut value = 0;
        let made = loop {
            let (a, b, c) = (
                self.store.step(set, field, value),
                self.store.step(inside, field, value),
                self.store.step(outside, field, value),
            );
            let last = a.0.min(b.0).min(c.0);
            let target = self.either(a.1, b.1, c.1, done)?;
            self.push(start, last, target);
            match last.checked_add(1) {
                Some(next) => value = next,
                None => break self.close(field, start)?,
            }
        };
        done.insert(key, made);
        Ok(made)
    }

    fn fresh(&mut self, operation: Operation, a: Id, b: Id) -> Result<Id, OverBudget> {
        self.open.clear();
        self.apply(operation, a, b)
    }

    /// An operation within another: what is open stays so.
    pub(super) fn apply(&mut self, operation: Operation, a: Id, b: Id) -> Result<Id, OverBudget> {
        if let Some(plain) = operation.plain(a, b) {
            return Ok(plain);
        }
        let key = if operation.is_symmetric() && b < a { pair(b, a) } else { pair(a, b) };
        if let Some(known) = self.done.get(operation as usize).and_then(|done| done.get(key)) {
            return Ok(known);
        }
        let made = self.merge(a, b, |sets, a, b| sets.apply(operation, a, b))?;
        if let Some(done) = self.done.get_mut(operation as usize) {
            done.insert(key, made);
        }
        Ok(made)
    }

    /// The node that both nodes' values divide, each part made by `part`. One of them is a node.
    pub(super) fn merge(
        &mut self,
        a: Id,
        b: Id,
        mut part: impl FnMut(&mut Self, Id, Id) -> Result<Id, OverBudget>,
    ) -> Result<Id, OverBudget> {
        let (left, right) = (self.store.node(a), self.store.node(b));
        let field = match (&left, &right) {
            (Some(left), Some(right)) => left.field.min(right.field),
            (Some(one), None) | (None, Some(one)) => one.field,
            (None, None) => Field::Frame,
        };
        let start = self.open.len();
        let of_field =
            |node: Option<Node>| node.filter(|node| node.field == field).map_or(Edges::NONE, |node| node.edges);
        let (mut left, mut right) = (of_field(left), of_field(right));
        loop {
            let (last_a, to_a) = self.store.next(left, a);
            let (last_b, to_b) = self.store.next(right, b);
            let last = last_a.min(last_b);
            let target = part(self, to_a, to_b)?;
            self.push(start, last, target);
            if last == u128::MAX {
                return self.close(field, start);
            }
            if last_a == last {
                left = left.behind();
            }
            if last_b == last {
                right = right.behind();
            }
        }
    }

    fn renamed(&mut self, id: Id, label: &impl Fn(Label) -> Label, done: &mut Memo<u64, Id>) -> Result<Id, OverBudget> {
        if let Some(old) = id.label() {
            return Ok(Id::end(label(old)));
        }
        if let Some(known) = done.get(&id.raw().into()) {
            return Ok(*known);
        }
        let made = self.merge(id, NOTHING, |sets, part, _| sets.renamed(part, label, done))?;
        done.insert(id.raw().into(), made);
        Ok(made)
    }

    fn both(
        &mut self,
        a: Id,
        b: Id,
        label: &impl Fn(Label, Label) -> Label,
        done: &mut Memo<u64, Id>,
    ) -> Result<Id, OverBudget> {
        if let (Some(a), Some(b)) = (a.label(), b.label()) {
            return Ok(Id::end(label(a, b)));
        }
        if let Some(known) = done.get(&pair(a, b)) {
            return Ok(*known);
        }
        let made = self.merge(a, b, |sets, a, b| sets.both(a, b, label, done))?;
        done.insert(pair(a, b), made);
        Ok(made)
    }
}
