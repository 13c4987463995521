//! Packets that come back from chains, and the state in which they do.

use crate::analysis::sets::{Label, OverBudget};

use super::outcome::{Exit, Outcome, Outcomes, State};
use super::run::{BACK, Ground, Loaded};
use super::said::Said;

impl Loaded<'_> {
    /// What a chain from which packets come back as they went in says to a list that they leave then.
    pub(super) fn total(&mut self, ground: &mut Ground, called: Said) -> Result<Said, OverBudget> {
        self.backs = true;
        ground.renamed(called, &|label| if label == Label::NONE { BACK } else { label })
    }

    /// What a chain's list says to who calls the chain.
    pub(super) fn came_back(&mut self, ground: &mut Ground, whole: Said) -> Result<Said, OverBudget> {
        if !self.split && !self.backs {
            return Ok(whole);
        }
        let mut becomes = vec![(BACK, Label::NONE)];
        for label in ground.labels(whole).iter() {
            if let Some(Outcome { exit: Exit::Leave, state }) = ground.outcomes.outcome(*label) {
                becomes.push((*label, ground.outcomes.label(Outcome { exit: Exit::Return, state })));
            }
        }
        ground.renamed(whole, &by(&becomes))
    }
}

/// What a called chain says to the list that calls it with packets in state `next`, which came in `state`.
pub(super) fn back(ground: &mut Ground, called: Said, next: &State, state: &State) -> Result<Said, OverBudget> {
    if next == state {
        return Ok(called);
    }
    let changed = ground.outcomes.label(Outcome { exit: Exit::Return, state: next.clone() });
    let unchanged = ground.outcomes.label(Outcome { exit: Exit::Return, state: state.clone() });
    ground.renamed(called, &by(&[(Label::NONE, changed), (unchanged, Label::NONE)]))
}

/// The same for packets that leave the list too where they come back.
pub(super) fn left(ground: &mut Ground, then: Said, next: &State, state: &State) -> Result<Said, OverBudget> {
    let leave = |outcomes: &mut Outcomes, next: &State| {
        if next == state { BACK } else { outcomes.label(Outcome { exit: Exit::Leave, state: next.clone() }) }
    };
    let whole = leave(&mut ground.outcomes, next);
    let mut becomes = vec![(Label::NONE, whole), (BACK, whole)];
    for label in ground.labels(then).iter() {
        if let Some(Outcome { exit: Exit::Return | Exit::Leave, state: other }) = ground.outcomes.outcome(*label) {
            becomes.push((*label, leave(&mut ground.outcomes, &other)));
        }
    }
    ground.renamed(then, &by(&becomes))
}

/// A label's new one, of a list; without one the same.
pub fn by(becomes: &[(Label, Label)]) -> impl Fn(Label) -> Label + '_ {
    |label| becomes.iter().find(|(old, _)| *old == label).map_or(label, |(_, new)| *new)
}
