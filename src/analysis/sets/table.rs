//! The table of all nodes: equal nodes are one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::field::{Field, Interfaces};
use super::store::{Id, Node, Store};
use super::{Budget, OverBudget};

/// A hash of numbers, and of names of a spec or a ruleset: nobody but who wrote that waits where many are alike, and none
/// is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::analysis) struct Mixer(u64);

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Mixer {
    const fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(word.try_into().map_or(0, u64::from_le_bytes));
        }
        words.remainder().iter().for_each(|byte| self.mix((*byte).into()));
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(byte.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}

fn hash(field: Field, edges: impl Iterator<Item = (u128, Id)>) -> usize {
    let mut mixer = Mixer(field as u64);
    for (last, target) in edges {
        mixer.mix((last as u64) ^ ((last >> 64) as u64).wrapping_mul(FACTOR).rotate_left(17));
        mixer.mix(target.raw().into());
    }
    mixer.finish() as usize
}

/// A map with keys of numbers.
pub(in crate::analysis) type Memo<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// Diagrams and sets of packets, and all operations on them.
///
/// Every operation answers [`OverBudget`] once the work of all of them has reached the budget; what was made before
/// stays good.
#[derive(Debug)]
pub struct Sets {
    pub(super) store: Store,
    pub(super) interfaces: Interfaces,
    /// Places in the table hold a node's number and 1, or 0. A power of two of them, at most half in use.
    places: Vec<u32>,
    /// Results of operations, by the operation and both sides.
    pub(super) done: [Memo<u64, Id>; super::apply::OPERATIONS],
    /// Edges of nodes that are being made.
    pub(super) open: Vec<(u128, Id)>,
    budget: Budget,
    spent: usize,
}

impl Sets {
    /// An empty table for clauses that name these interfaces.
    #[must_use]
    pub fn new(interfaces: Interfaces, budget: Budget) -> Self {
        Self {
            store: Store::default(),
            interfaces,
            places: vec![0; 1 << 10],
            done: Default::default(),
            open: Vec::new(),
            budget,
            spent: 0,
        }
    }

    /// The names of interfaces that it knows.
    #[must_use]
    pub const fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// The value of [`Field::InInterface`] and [`Field::OutInterface`] for a name, which is put behind the others if it is new.
    pub fn interface(&mut self, name: &str) -> u128 {
        self.interfaces.add(name)
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.store.nodes.len()
    }

    /// How much of the budget is used up.
    #[must_use]
    pub const fn spent(&self) -> Budget {
        Budget(self.spent)
    }

    /// Lets it take so much more than it has taken so far, whatever it was allowed before.
    pub const fn grant(&mut self, more: Budget) {
        self.budget = Budget(self.spent.saturating_add(more.0));
    }

    pub(super) const fn spend(&mut self, edges: usize) -> Result<(), OverBudget> {
        self.spent = self.spent.saturating_add(edges);
        if self.spent > self.budget.0 { Err(OverBudget) } else { Ok(()) }
    }

    /// Adds an edge to the node that is being made; `start` is where that node's edges begin.
    pub(super) fn push(&mut self, start: usize, last: u128, target: Id) {
        let same = self.open.get_mut(start..).and_then(<[_]>::last_mut).filter(|(_, before)| *before == target);
        match same {
            Some(edge) => edge.0 = last,
            None => self.open.push((last, target)),
        }
    }

    /// The node with the open edges from `start` on, which are taken away.
    pub(super) fn close(&mut self, field: Field, start: usize) -> Result<Id, OverBudget> {
        let count = self.open.len().saturating_sub(start);
        self.spend(count)?;
        let edges = self.open.get(start..).unwrap_or_default();
        if let [(_, only)] = edges {
            let only = *only;
            self.open.truncate(start);
            return Ok(only);
        }
        let mask = self.places.len() - 1;
        let mut place = hash(field, edges.iter().copied()) & mask;
        let id = loop {
            let found = self.places.get(place).copied().unwrap_or_default();
            let Some(number) = found.checked_sub(1) else { break self.add(field, start, place)? };
            if self.is_open(number, field, start) {
                break Id::node(number);
            }
            place = (place + 1) & mask;
        };
        self.open.truncate(start);
        Ok(id)
    }

    /// Whether a node has exactly the open edges.
    fn is_open(&self, number: u32, field: Field, start: usize) -> bool {
        let Some(node) = self.store.nodes.get(number as usize) else { return false };
        let open = self.open.get(start..).unwrap_or_default();
        if node.field != field || node.count as usize != open.len() {
            return false;
        }
        let (lasts, targets) = self.store.edges(*node);
        open.iter().zip(lasts.iter().zip(targets)).all(|((last, target), known)| (last, target) == known)
    }

    fn add(&mut self, field: Field, start: usize, place: usize) -> Result<Id, OverBudget> {
        let number = u32::try_from(self.store.nodes.len()).map_err(|_| OverBudget)?;
        let first = u32::try_from(self.store.lasts.len()).map_err(|_| OverBudget)?;
        let open = self.open.get(start..).unwrap_or_default();
        let count = u32::try_from(open.len()).map_err(|_| OverBudget)?;
        self.store.lasts.extend(open.iter().map(|(last, _)| *last));
        self.store.targets.extend(open.iter().map(|(_, target)| *target));
        self.store.nodes.push(Node { field, first, count });
        if let Some(free) = self.places.get_mut(place) {
            *free = number + 1;
        }
        if self.store.nodes.len() * 2 > self.places.len() {
            self.grow();
        }
        Ok(Id::node(number))
    }

    fn grow(&mut self) {
        let mask = self.places.len() * 4 - 1;
        let mut places = vec![0; mask + 1];
        for (node, number) in self.store.nodes.iter().zip(1..) {
            let (lasts, targets) = self.store.edges(*node);
            let mut place = hash(node.field, lasts.iter().copied().zip(targets.iter().copied())) & mask;
            while places.get(place).is_some_and(|taken| *taken != 0) {
                place = (place + 1) & mask;
            }
            if let Some(free) = places.get_mut(place) {
                *free = number;
            }
        }
        self.places = places;
    }
}
