//! The table of all nodes: equal nodes are one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::field::{Field, Interfaces};
use super::store::{Id, Store};
use super::{Budget, OverBudget};

/// A hash of numbers, and of names of a spec or a ruleset: nobody but who wrote that waits where many are alike, and none
/// is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mixer(u64);

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Mixer {
    #[inline]
    const fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for Mixer {
    #[inline]
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(word.try_into().map_or(0, u64::from_le_bytes));
        }
        words.remainder().iter().for_each(|byte| self.mix((*byte).into()));
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.mix(byte.into());
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.mix(word.into());
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}

/// A hash of a node.
fn hash(field: Field, edges: &[(u128, Id)]) -> u32 {
    let mut mixer = Mixer(field as u64);
    for (last, target) in edges {
        mixer.mix((*last as u64) ^ ((last >> 64) as u64).wrapping_mul(FACTOR).rotate_left(17));
        mixer.mix(target.raw().into());
    }
    // The upper bits depend on all that was mixed.
    (mixer.0 >> 32) as u32
}

/// Tables of one kind: what one of them holds is told by bits that all hashes have, and while one grows nobody waits long.
const TABLES: usize = 16;

/// Where nodes are found by what they are.
#[derive(Debug, Default)]
struct Places([Table; TABLES]);

/// A place is 0, or holds a node's number and 1 in the lower 32 bits and its hash in the upper ones. There are a power of two,
/// at most half in use.
#[derive(Debug)]
struct Table {
    places: Vec<u64>,
    used: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self { places: vec![0; 1 << 6], used: 0 }
    }
}

impl Places {
    /// The node with these edges, of which no two neighbours lead to the same place.
    fn node(&mut self, store: &mut Store, field: Field, edges: &[(u128, Id)]) -> Result<Id, OverBudget> {
        let hash = hash(field, edges);
        let table = self.0.get_mut((hash >> 28) as usize).ok_or(OverBudget)?;
        table.node(store, field, edges, hash)
    }
}

impl Table {
    fn node(&mut self, store: &mut Store, field: Field, edges: &[(u128, Id)], hash: u32) -> Result<Id, OverBudget> {
        let mask = self.places.len() - 1;
        let mut at = hash as usize & mask;
        let free = loop {
            let Some(place) = self.places.get_mut(at) else { return Err(OverBudget) };
            let Some(number) = (*place as u32).checked_sub(1) else { break place };
            if (*place >> 32) as u32 == hash && store.is(number, field, edges) {
                return Ok(Id::node(number));
            }
            at = (at + 1) & mask;
        };
        let number = store.add(field, edges)?;
        *free = u64::from(hash) << 32 | u64::from(number + 1);
        self.used += 1;
        if self.used * 2 > self.places.len() {
            self.grow();
        }
        Ok(Id::node(number))
    }

    fn grow(&mut self) {
        let mask = self.places.len() * 4 - 1;
        let mut places = vec![0; mask + 1];
        for place in self.places.iter().filter(|place| **place != 0) {
            let mut at = (place >> 32) as usize & mask;
            while places.get(at).is_some_and(|taken| *taken != 0) {
                at = (at + 1) & mask;
            }
            if let Some(free) = places.get_mut(at) {
                *free = *place;
            }
        }
        self.places = places;
    }
}

/// A map whose keys are hashed by a [`Mixer`]: numbers, names, and what is made of them.
pub(crate) type Memo<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// Results of an operation, by both sides.
#[derive(Debug, Default)]
pub(super) struct Results([Memo<u64, Id>; TABLES]);

impl Results {
    /// In which map, by bits that tell little within it.
    const fn map(key: u64) -> usize {
        (key.wrapping_mul(FACTOR) >> 46) as usize % TABLES
    }

    #[inline]
    pub(super) fn get(&self, key: u64) -> Option<Id> {
        self.0.get(Self::map(key))?.get(&key).copied()
    }

    #[inline]
    pub(super) fn insert(&mut self, key: u64, made: Id) {
        if let Some(map) = self.0.get_mut(Self::map(key)) {
            map.insert(key, made);
        }
    }
}

/// Diagrams and sets of packets, and all operations on them.
///
/// Every operation answers [`OverBudget`] once the work of all of them has reached the budget; what was made before
/// stays good.
#[derive(Debug)]
pub struct Sets {
    pub(super) store: Store,
    pub(super) interfaces: Interfaces,
    places: Places,
    /// Results of operations, by the operation and both sides.
    pub(super) done: [Results; super::apply::OPERATIONS],
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
            places: Places::default(),
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

    #[inline]
    pub(super) const fn spend(&mut self, edges: usize) -> Result<(), OverBudget> {
        self.spent = self.spent.saturating_add(edges);
        if self.spent > self.budget.0 { Err(OverBudget) } else { Ok(()) }
    }

    /// Adds an edge to the node that is being made; `start` is where that node's edges begin.
    #[inline]
    pub(super) fn push(&mut self, start: usize, last: u128, target: Id) {
        match self.open.get_mut(start..).and_then(<[_]>::last_mut) {
            Some((end, before)) if *before == target => *end = last,
            Some(_) | None => self.open.push((last, target)),
        }
    }

    /// The node with the open edges from `start` on, which are taken away.
    pub(super) fn close(&mut self, field: Field, start: usize) -> Result<Id, OverBudget> {
        self.spend(self.open.len().saturating_sub(start))?;
        let id = match self.open.get(start..).unwrap_or_default() {
            [(_, only)] => *only,
            edges => self.places.node(&mut self.store, field, edges)?,
        };
        self.open.truncate(start);
        Ok(id)
    }

    /// A node that leads from the values of one interval inside, from all others outside.
    #[inline]
    pub(super) fn interval(
        &mut self,
        field: Field,
        (first, last): (u128, u128),
        (inside, outside): (Id, Id),
    ) -> Result<Id, OverBudget> {
        if inside == outside {
            return Ok(inside);
        }
        let edges: &[(u128, Id)] = match (first.checked_sub(1), last == u128::MAX) {
            (None, true) => return Ok(inside),
            (None, false) => &[(last, inside), (u128::MAX, outside)],
            (Some(before), true) => &[(before, outside), (u128::MAX, inside)],
            (Some(before), false) => &[(before, outside), (last, inside), (u128::MAX, outside)],
        };
        self.spend(edges.len())?;
        self.places.node(&mut self.store, field, edges)
    }
}
