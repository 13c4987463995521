//! Nodes in a flat array, their edges in several: one that is full stays where it is, and nobody waits until it is copied.

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

/// A node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) field: Field,
    pub(super) edges: Edges,
}

/// Where edges stand that are in a row, in one block: those of a node, or some of its last ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edges {
    block: u32,
    first: u32,
    count: u32,
}

/// Edges of many nodes.
#[derive(Debug, Clone, Default)]
struct Block {
    lasts: Vec<u128>,
    targets: Vec<Id>,
}

/// Edges that a block has room for: of the first one, and of any.
const ROOM: [usize; 2] = [1 << 8, 1 << 16];

/// All nodes. Edges are sorted by the last value that they are for; the last edge of a node is for all greater values.
#[derive(Debug, Clone, Default)]
pub(in crate::analysis) struct Store {
    pub(super) nodes: Vec<Node>,
    blocks: Vec<Block>,
}

impl Store {
    /// Puts a node behind all others.
    pub(super) fn add(&mut self, field: Field, edges: &[(u128, Id)]) -> Result<u32, OverBudget> {
        let number = u32::try_from(self.nodes.len()).ok().filter(|number| number & END == 0).ok_or(OverBudget)?;
        let place = self.place(edges.len())?;
        let block = self.blocks.last_mut().ok_or(OverBudget)?;
        for (last, target) in edges {
            block.lasts.push(*last);
            block.targets.push(*target);
        }
        self.nodes.push(Node { field, edges: place });
        Ok(number)
    }

    /// Where so many edges will stand, behind all others: in the last block, which has room for them.
    fn place(&mut self, edges: usize) -> Result<Edges, OverBudget> {
        let has_room = |block: &&Block| block.lasts.capacity() - block.lasts.len() >= edges;
        if self.blocks.last().filter(has_room).is_none() {
            let [least, most] = ROOM;
            let before = self.blocks.last().map_or(0, |block| block.lasts.capacity());
            let room = before.saturating_mul(2).clamp(least, most).max(edges);
            self.blocks.push(Block { lasts: Vec::with_capacity(room), targets: Vec::with_capacity(room) });
        }
        let first = self.blocks.last().map_or(0, |block| block.lasts.len());
        let small = |number: usize| u32::try_from(number).map_err(|_| OverBudget);
        Ok(Edges { block: small(self.blocks.len() - 1)?, first: small(first)?, count: small(edges)? })
    }

    /// Whether a node is this one.
    #[inline]
    pub(super) fn is(&self, number: u32, field: Field, edges: &[(u128, Id)]) -> bool {
        let Some(node) = self.nodes.get(number as usize) else { return false };
        if node.field != field || node.edges.count as usize != edges.len() {
            return false;
        }
        let (lasts, targets) = self.edges(*node);
        edges.iter().zip(lasts.iter().zip(targets)).all(|((last, target), known)| known == (last, target))
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
        let Edges { block, first, count } = node.edges;
        let Some(block) = self.blocks.get(block as usize) else { return (&[], &[]) };
        let range = first as usize..(first + count) as usize;
        (block.lasts.get(range.clone()).unwrap_or_default(), block.targets.get(range).unwrap_or_default())
    }

    /// The first of some edges; behind the last one all values lead where `end` says.
    #[inline]
    pub(super) fn next(&self, edges: Edges, end: Id) -> (u128, Id) {
        let at = edges.first as usize;
        let block = self.blocks.get(edges.block as usize).filter(|_| edges.count > 0);
        block.and_then(|block| Some((*block.lasts.get(at)?, *block.targets.get(at)?))).unwrap_or((u128::MAX, end))
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
        let edges: Vec<(u128, Id)> =
            lasts.iter().zip(targets).map(|(last, target)| (*last, self.copy(*target, copy, known))).collect();
        // Never more than there were.
        let made = copy.add(node.field, &edges).map_or(Id::end(Label::NONE), Id);
        known.insert(id.0, made);
        made
    }
}

impl Edges {
    /// Of a node that looks at another field.
    pub(super) const NONE: Self = Self { block: 0, first: 0, count: 0 };

    /// Those behind the first.
    #[inline]
    pub(super) const fn behind(self) -> Self {
        Self { block: self.block, first: self.first + 1, count: self.count - 1 }
    }
}
