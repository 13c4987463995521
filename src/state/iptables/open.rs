//! A table while it is read: its chains by name, and the rules that have yet to go into one.

use std::cell::Cell;
use std::collections::{HashMap, hash_map};
use std::sync::Arc;

use crate::diagnostic::Span;

use super::super::ruleset::{Chain, Rule};

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) name: Arc<str>,
    /// The line that begins it.
    pub(super) span: Span,
    /// Whether a line names it.
    pub(super) named: bool,
    pub(super) chains: Vec<Entry>,
    /// Places in `chains`.
    index: HashMap<Arc<str>, usize>,
    /// The chain of the last rule: the next one is mostly of the same.
    pub(super) last: usize,
    /// The rules of that chain which are not in it yet: it takes them all at once.
    pub(super) pending: Vec<Rule>,
    /// The chain that the last rule leads to, which is asked for more than once.
    target: Cell<usize>,
}

/// A chain of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) chain: Chain,
    /// Whether a line declares it.
    pub(super) declared: bool,
    /// Whether a line deletes it.
    pub(super) deleted: bool,
}

impl Open {
    pub(super) fn new(name: &str, span: Span, named: bool) -> Self {
        Self {
            name: Arc::from(name),
            span,
            named,
            chains: Vec::new(),
            index: HashMap::new(),
            last: 0,
            pending: Vec::new(),
            target: Cell::new(0),
        }
    }

    /// The place of a chain that a line is about.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.near(self.last, name).or_else(|| self.index.get(name).copied())
    }

    /// The place of a chain, if it is this one or the next: lines mostly name chains in the order in which they were declared.
    fn near(&self, place: usize, name: &str) -> Option<usize> {
        (place..place + 2).find(|place| self.chains.get(*place).is_some_and(|entry| &*entry.name == name))
    }

    /// The place of a chain that a rule leads to.
    pub(super) fn find_target(&self, name: &str) -> Option<usize> {
        let place = self.near(self.target.get(), name).or_else(|| self.index.get(name).copied())?;
        self.target.set(place);
        Some(place)
    }

    /// The place of a chain, which is made where there is none.
    pub(super) fn place(&mut self, name: &str, span: Span) -> usize {
        if let Some(place) = self.near(self.last, name) {
            return place;
        }
        // Looked up once: mostly it is a new one.
        match self.index.entry(Arc::from(name)) {
            hash_map::Entry::Occupied(known) => *known.get(),
            hash_map::Entry::Vacant(free) => {
                let name = Arc::clone(free.key());
                let place = *free.insert(self.chains.len());
                let chain = Chain { base: None, rules: Vec::new(), span };
                self.chains.push(Entry { name, chain, declared: false, deleted: false });
                place
            }
        }
    }

    /// Puts the rules that are pending into their chain.
    pub(super) fn settle(&mut self) {
        let Some(entry) = self.chains.get_mut(self.last) else { return };
        if entry.chain.rules.is_empty() {
            entry.chain.rules.reserve_exact(self.pending.len());
        }
        entry.chain.rules.append(&mut self.pending);
    }

    /// A chain's name, shared with the chain.
    pub(super) fn shared(&self, name: &str) -> Arc<str> {
        let entry = self.find_target(name).and_then(|place| self.chains.get(place));
        entry.map_or_else(|| Arc::from(name), |entry| Arc::clone(&entry.name))
    }
}
