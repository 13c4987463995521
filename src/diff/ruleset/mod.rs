//! What fwc wrote, held against the rules that are there.
//!
//! In: two rulesets of one program, the meant one (what fwc wrote) and the found one (of a machine, of an older folder).
//! Out: the rules that came, went, moved or became others ([`Change`]), each once with all the places where it is so; what
//! is missing whole; what is not fwc's, counted. Promises:
//!
//! - Shape is no difference: how chains are shared, split, numbered and named, how guests are found, what
//!   stands in a set and what in a rule. A limit that several rules share is taken for one that each of them has.
//! - Equal means equal: what cannot be followed or read is said, and [`Comparison::is_equal`] is then false.
//! - Old is what was found, new what is meant: a rule that somebody took away is [`Kind::Added`], as loading adds it.
//! - The work grows with the rules, not with their square, and the answer is the same each time.

mod alter;
mod change;
mod flat;
mod gather;
mod joined;
mod led;
mod list;
mod matching;
mod objects;
mod own;
mod place;
mod sequence;
mod table;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::diagnostic::Span;
use crate::state::Unread;
use crate::state::ruleset::{Ruleset, TableName};

pub use change::{Change, Detail, Kind, LedLate, RuleText};
pub use flat::Obstacle;
pub use own::{Foreign, Ownership, is_loaded};
pub use place::{Place, Selector, Way};

/// What differs, and what there is besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// The changes, in the order of their first places; each once.
    pub changes: Vec<Change>,
    /// Tables of which nothing is there.
    pub missing: Vec<TableName>,
    /// Tables in which something else altogether is there.
    pub different: Vec<TableName>,
    /// What is not fwc's: never a difference.
    pub foreign: Vec<Foreign>,
    /// fwc's own chains that no packet comes to: of an older version. They do no harm.
    pub left_over: Vec<Foreign>,
    /// Shared tables: rules of others stand before the one that leads to fwc's chains.
    pub led_late: Vec<LedLate>,
    /// What could not be followed, in either ruleset.
    pub obstacles: Vec<NotFollowed>,
    /// Named sets of which it is not known on both sides what is in them; only their names were compared.
    pub unseen_sets: Vec<(TableName, Arc<str>)>,
    /// What the reader of the found ruleset could not read.
    pub unread: Vec<Unread>,
}

/// A chain or map that could not be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFollowed {
    /// The table.
    pub table: TableName,
    /// The chain or map.
    pub name: Arc<str>,
    /// Why.
    pub why: Obstacle,
    /// The rule that names it.
    pub span: Span,
    /// Whether it is the meant ruleset's.
    pub meant: bool,
}

impl Comparison {
    /// Whether the found rules are known to be the meant ones, comments included (those of calls that every packet makes
    /// aside). Foreign rules, chains left over, rules before a shared table's and sets whose content nobody told do not
    /// count.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.same_meaning() && self.changes.is_empty()
    }

    /// Whether every packet is known to be treated as is meant.
    #[must_use]
    pub fn same_meaning(&self) -> bool {
        !self.changes.iter().any(Change::differs_in_meaning)
            && self.missing.is_empty()
            && self.different.is_empty()
            && self.obstacles.is_empty()
            && self.unread.is_empty()
    }
}

/// Compares what fwc wrote with what is there.
#[must_use]
pub fn compare(meant: &Ruleset, found: &Ruleset) -> Comparison {
    let mut comparison = Comparison { unread: found.unread.clone(), ..Comparison::default() };
    let ownership = Ownership::of(meant);
    let mut gather = gather::Gather::default();
    let empty = crate::state::ruleset::Table::default();
    for (name, wanted) in &meant.tables {
        let there = found.tables.get(name).unwrap_or(&empty);
        match own::state(wanted, there, &ownership) {
            own::State::Missing => comparison.missing.push(name.clone()),
            own::State::Different => comparison.different.push(name.clone()),
            own::State::Comparable => {
                let sides = table::Sides { program: meant.program, name, meant: wanted, found: there };
                table::compare(sides, &ownership, &mut gather, &mut comparison);
            }
        }
    }
    comparison.foreign = own::foreign(meant, found, &ownership);
    comparison.changes = gather.finish();
    comparison
}
