//! Nodes and edges in flat arrays.

use super::field::Field;
use super::table::Memo;
use super::{Label, OverBudget};

/// A node's number, or a label at the end of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::analysis) struct Id(u32);

/// The bit that tells labels from nodes.
const END: u32 = 1 << 31;

impl Id {
    /// The end of a way.
    #[inline]
    pub(super) const fn end(label: Label) -> Self {
        Self(label.0 | END)
    }

    #[inline]
    pub(super) const fn node(number: u32) -> Self {
        Self(number)
    }

    /// The label, where it is the end of a way.
    #[inline]
    pub(in crate::analysis) const fn label(self) -> Option<Label> {
        if self.0 & END == 0 { None } else { Some(Label(self.0 & !END)) }
    }

    #[inline]
    pub(super) const fn raw(self) -> u32 {
        self.0
    }

    #[inline]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node: its edges stand from `first` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) field: Field,
    pub(super) first: u32,
    pub(super) count: u32,
}

/// All nodes. Edges are sorted by the last value that they are for; the last edge of a node is for all greater values.
#[derive(Debug, Clone, Default)]
pub(in crate::analysis) struct Store {
    pub(super) nodes: Vec<Node>,
    pub(super) lasts: Vec<u128>,
    pub(super) targets: Vec<Id>,
}

impl Store {
    /// Puts a node behind all others.
    pub(super) fn add(&mut self, field: Field, edges: &[(u128, Id)]) -> Result<u32, OverBudget> {
        let number = u32::try_from(self.nodes.len()).ok().filter(|number| number & END == 0).ok_or(OverBudget)?;
        let first = u32::try_from(self.lasts.len()).map_err(|_| OverBudget)?;
        let count = u32::try_from(edges.len()).map_err(|_| OverBudget)?;
        for (last, target) in edges {
            self.lasts.push(*last);
            self.targets.push(*target);
        }
        self.nodes.push(Node { field, first, count });
        Ok(number)
    }

    /// Whether a node is this one.
    #[inline]
    pub(super) fn is(&self, number: u32, field: Field, edges: &[(u128, Id)]) -> bool {
        let Some(node) = self.nodes.get(number as usize) else { return false };
        if node.field != field || node.count as usize != edges.len() {
            return false;
        }
        let (lasts, targets) = self.edges(*node);
        let same =
            |(at, (last, target)): (usize, &(_, _))| lasts.get(at) == Some(last) && targets.get(at) == Some(target);
        edges.iter().enumerate().all(same)
    }

    /// The node; none for the end of a way.
    #[inline]
    pub(super) fn node(&self, id: Id) -> Option<Node> {
        if id.label().is_some() { None } else { self.nodes.get(id.index()).copied() }
    }

    /// The field that a node looks at; none for the end of a way.
    pub(in crate::analysis) fn field(&self, id: Id) -> Option<Field> {
        self.node(id).map(|node| node.field)
    }

    /// The last values of a node's edges, and where these lead.
    #[inline]
    pub(super) fn edges(&self, node: Node) -> (&[u128], &[Id]) {
        let range = node.first as usize..(node.first + node.count) as usize;
        (self.lasts.get(range.clone()).unwrap_or_default(), self.targets.get(range).unwrap_or_default())
    }

    /// Every interval of a node's values, ascending, and where it leads.
    pub(super) fn intervals(&self, node: Node) -> impl Iterator<Item = ((u128, u128), Id)> + '_ {
        let (lasts, targets) = self.edges(node);
        let firsts = std::iter::once(0).chain(lasts.iter().map(|last| last.saturating_add(1)));
        firsts.zip(lasts).map(|(first, last)| (first, *last)).zip(targets.iter().copied())
    }

    /// The last value of the interval that a value is in, and where it leads; the node itself, for all values, where that
    /// looks at another field.
    pub(in crate::analysis) fn step(&self, id: Id, field: Field, value: u128) -> (u128, Id) {
        let Some(node) = self.node(id).filter(|node| node.field == field) else { return (u128::MAX, id) };
        let (lasts, targets) = self.edges(node);
        let at = lasts.partition_point(|last| *last < value);
        lasts.get(at).copied().zip(targets.get(at).copied()).unwrap_or((u128::MAX, id))
    }

    /// The nodes below one alone, and that one among them.
    pub(super) fn below(&self, root: Id) -> (Self, Id) {
        let mut copy = Self::default();
        let root = self.copy(root, &mut copy, &mut Memo::default());
        (copy, root)
    }

    fn copy(&self, id: Id, copy: &mut Self, known: &mut Memo<u32, Id>) -> Id {
        let Some(node) = self.node(id) else { return id };
        if let Some(done) = known.get(&id.0) {
            return *done;
        }
        let (lasts, targets) = self.edges(node);
        let targets: Vec<Id> = targets.iter().map(|target| self.copy(*target, copy, known)).collect();
        // Never more than there were.
        let first = u32::try_from(copy.lasts.len()).unwrap_or(u32::MAX);
        let made = Id(u32::try_from(copy.nodes.len()).unwrap_or(u32::MAX));
        copy.lasts.extend_from_slice(lasts);
        copy.targets.extend(targets);
        copy.nodes.push(Node { first, ..node });
        known.insert(id.0, made);
        made
    }
}
