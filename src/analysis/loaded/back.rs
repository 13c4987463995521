//! Packets that come back from chains, and the state in which they do.

use crate::analysis::sets::{Diagram, Label, OverBudget};

use super::outcome::{Exit, Outcome, State};
use super::run::{BACK, Ground, Loaded};

impl Loaded<'_> {
    /// What a chain from which packets come back as they went in says to a list that they leave then.
    pub(super) fn total(&mut self, ground: &mut Ground, called: Diagram) -> Result<Diagram, OverBudget> {
        self.backs = true;
        if let Some(known) = self.totals.get(&called) {
            return Ok(*known);
        }
        let made = ground.sets.relabel(called, |label| if label == Label::NONE { BACK } else { label })?;
        self.totals.insert(called, made);
        Ok(made)
    }

    /// What a chain's list says to who calls the chain.
    pub(super) fn came_back(&mut self, ground: &mut Ground, whole: Diagram) -> Result<Diagram, OverBudget> {
        if !self.split && !self.backs {
            return Ok(whole);
        }
        let Ground { sets, outcomes, .. } = ground;
        let mut becomes = vec![(BACK, Label::NONE)];
        let mut changes = false;
        for label in sets.labels(whole) {
            match outcomes.outcome(label) {
                Some(Outcome { exit: Exit::Leave, state }) => {
                    changes = true;
                    becomes.push((label, outcomes.label(Outcome { exit: Exit::Return, state })));
                }
                Some(Outcome { exit: Exit::Return, .. }) => changes = true,
                Some(_) | None => {}
            }
        }
        let renamed = |label| becomes.iter().find(|(old, _)| *old == label).map_or(label, |(_, new)| *new);
        let whole = sets.relabel(whole, renamed)?;
        if changes {
            self.changing.insert(whole.number());
        }
        Ok(whole)
    }
}

/// What a called chain says to the list that calls it with packets in state `next`, which came in `state`.
pub(super) fn back(ground: &mut Ground, called: Diagram, next: &State, state: &State) -> Result<Diagram, OverBudget> {
    if next == state {
        return Ok(called);
    }
    let Ground { sets, outcomes, .. } = ground;
    let changed = outcomes.label(Outcome { exit: Exit::Return, state: next.clone() });
    let unchanged = outcomes.label(Outcome { exit: Exit::Return, state: state.clone() });
    sets.relabel(called, |label| match label {
        Label::NONE => changed,
        label if label == unchanged => Label::NONE,
        label => label,
    })
}

/// The same for packets that leave the list too where they come back.
pub(super) fn left(ground: &mut Ground, then: Diagram, next: &State, state: &State) -> Result<Diagram, OverBudget> {
    let Ground { sets, outcomes, .. } = ground;
    let mut leave = |next: &State| {
        if next == state { BACK } else { outcomes.label(Outcome { exit: Exit::Leave, state: next.clone() }) }
    };
    let mut becomes = vec![(Label::NONE, leave(next)), (BACK, leave(next))];
    let labels = sets.labels(then);
    for label in labels {
        if let Some(Outcome { exit: Exit::Return | Exit::Leave, state: other }) = outcomes.outcome(label) {
            let leave =
                if other == *state { BACK } else { outcomes.label(Outcome { exit: Exit::Leave, state: other }) };
            becomes.push((label, leave));
        }
    }
    sets.relabel(then, |label| becomes.iter().find(|(old, _)| *old == label).map_or(label, |(_, new)| *new))
}
