//! Shares of a host's ways, and when they make the whole.
//!
//! A host's ways are shared out by its NICs: each share looks at some of them for all programs, and what a hook means is found
//! once for these. That is enough to see that all is right.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::policy::HostPolicy;
use crate::state::ruleset::Program;

use super::Prover;

/// Some of a host's ways: those of every NIC of a range. The first share has those that are of no NIC, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::target) struct Share {
    at: usize,
    of: usize,
}

impl Share {
    /// All of them.
    pub(super) const WHOLE: Self = Self { at: 0, of: 1 };

    /// The one at a place of so many.
    pub(in crate::target) const fn new(at: usize, of: usize) -> Self {
        Self { at, of }
    }

    /// Whether it is all of them.
    pub(in crate::target) const fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Whether it has the ways that are of no NIC.
    pub(in crate::target) const fn is_first(self) -> bool {
        self.at == 0
    }

    /// Of so many NICs, which.
    pub(in crate::target) const fn range(self, nics: usize) -> Range<usize> {
        nics * self.at / self.of..nics * (self.at + 1) / self.of
    }
}

/// What every pair of ports of a program depends on.
#[derive(Debug, Clone, Default)]
pub(in crate::target) struct Pairs {
    /// Whether some hook accepts known connections for good.
    pub(in crate::target) for_good: bool,
    /// A hook that does not let them pass.
    pub(in crate::target) stops_known: Option<String>,
}

/// What was seen of a share, or of a program.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) is_right: bool,
    pub(super) pairs: Vec<(Program, Pairs)>,
}

impl Seen {
    /// What was found with a prover.
    pub(super) fn of(prover: &Prover<'_>) -> Self {
        Self { is_right: prover.doubts.is_empty(), pairs: prover.pairs.clone() }
    }
}

/// Whether nothing was found in any share, nor in two of them together.
pub(super) fn is_proved(seen: impl IntoIterator<Item = Seen>) -> bool {
    let mut pairs: BTreeMap<Program, (bool, bool)> = BTreeMap::new();
    for Seen { is_right, pairs: more } in seen {
        if !is_right {
            return false;
        }
        for (program, more) in more {
            let (for_good, stops_known) = pairs.entry(program).or_default();
            *for_good |= more.for_good;
            *stops_known |= more.stops_known.is_some();
        }
    }
    !pairs.values().any(|(for_good, stops_known)| *for_good && *stops_known)
}

/// How many NICs a host has.
pub(super) fn nics(host: &HostPolicy) -> usize {
    host.guests.iter().map(|guest| guest.nics.len()).sum()
}
