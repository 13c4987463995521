//! Lists of rules in which each packet gets the rule that decides it, and what would become of it without that rule.
//!
//! A [`Numbered`] label is a rule's number with its decision, and the decision of the next rule behind it that is
//! another one. Two lists in a row are one list again, whatever way they are put together, so that divide and conquer
//! finds all rules that nothing is left for, and all that could go, at once.

use crate::policy::{Log, LogLevel, Verdict};

use super::apply::Operation;
use super::{Diagram, FirstMatch, Label, OverBudget, Sets};

/// What a numbered label says of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Numbered {
    /// The number of the rule that decides, below 2^20.
    pub number: u32,
    /// Its decision.
    pub decision: (Verdict, Log),
    /// The decision of the first rule of another number behind it; none where there is none.
    pub behind: Option<(Verdict, Log)>,
}

const BITS: u32 = 5;
const MASK: u32 = (1 << BITS) - 1;
/// Nothing behind.
const OPEN: u32 = MASK;
const NUMBERS: u32 = 1 << 20;
const LEVELS: u32 = 9;

const fn code((verdict, log): (Verdict, Log)) -> u32 {
    let log = match log {
        Log::None => 0,
        Log::At(level) => level.number() as u32 + 1,
    };
    let verdict = match verdict {
        Verdict::Accept => 0,
        Verdict::Drop => 1,
        Verdict::Reject => 2,
        Verdict::Skip => return OPEN,
    };
    verdict * LEVELS + log
}

fn decision(code: u32) -> Option<(Verdict, Log)> {
    let verdict = match code / LEVELS {
        0 => Verdict::Accept,
        1 => Verdict::Drop,
        2 => Verdict::Reject,
        _ => return None,
    };
    let log = match (code % LEVELS).checked_sub(1) {
        None => Log::None,
        Some(number) => Log::At(LogLevel::ALL.into_iter().find(|level| u32::from(level.number()) == number)?),
    };
    Some((verdict, log))
}

impl Numbered {
    /// The label of a rule by itself; [`Label::NONE`] for numbers that are too great, and for a rule that skips.
    #[must_use]
    pub const fn label(number: u32, verdict: Verdict, log: Log) -> Label {
        let code = code((verdict, log));
        if number >= NUMBERS || code == OPEN { Label::NONE } else { Label((number << BITS | code) << BITS | OPEN) }
    }

    /// What a label says; nothing for one that is not of this kind.
    #[must_use]
    pub fn of(label: Label) -> Option<Self> {
        let number = label.0 >> (2 * BITS);
        let own = decision(label.0 >> BITS & MASK).filter(|_| number < NUMBERS)?;
        Some(Self { number, decision: own, behind: decision(label.0 & MASK) })
    }
}

/// A label with another one behind it.
pub(super) const fn with_behind(first: Label, second: Label) -> Label {
    if first.0 & MASK != OPEN {
        return first;
    }
    let same = first.0 >> (2 * BITS) == second.0 >> (2 * BITS);
    let behind = if same { second.0 & MASK } else { second.0 >> BITS & MASK };
    Label(first.0 & !MASK | behind)
}

/// Whether nothing behind a label alters it.
pub(super) const fn is_whole(label: Label) -> bool {
    label.0 & MASK != OPEN
}

impl FirstMatch {
    /// What a list of numbered labels says, with what it says behind the rule that decides.
    ///
    /// # Errors
    /// Over budget.
    pub fn with_behind(&self, sets: &mut Sets) -> Result<Diagram, OverBudget> {
        self.folded(sets, Operation::Behind)
    }
}
