//! Stretches of base chains in the labels of hooks.
//!
//! What a chain says of packets that go on, come back or are accepted becomes what a hook says of them; the marks that they
//! have then are told apart from that.

use std::collections::HashMap;
use std::sync::Arc;

use crate::analysis::sets::{Diagram, Label, OverBudget, PacketSet};

use super::outcome::{Exit, Outcome, State};
use super::run::{BACK, Ground};
use super::walk::pass;

/// What becomes of packets at the end of a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Policy {
    Accept,
    Drop,
    /// It is a chain that stands for one: they go back to its caller.
    Back,
}

/// What a list of rules comes to in the labels of hooks, and the marks that packets pass on with.
pub(super) type Closed = (Diagram, Arc<[u32]>);

/// What closed parts are known by: the list, the mark before it, the packets it is for, whether it is the last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) whole: Diagram,
    pub(super) mark: u32,
    pub(super) packets: (PacketSet, PacketSet),
    pub(super) splits: bool,
    pub(super) last: Option<Policy>,
    pub(super) policy: Policy,
}

/// Closed parts.
pub(super) type Known = HashMap<Key, Closed>;

/// How packets leave a part, in the words of hooks.
fn leaves(key: &Key, outcome: Option<Outcome>, returned: bool) -> Outcome {
    let Some(Outcome { exit, state }) = outcome else {
        let state = State { mark: key.mark, ..State::default() };
        return match (returned || key.last.is_some(), key.policy) {
            (true, Policy::Drop) => Outcome { exit: Exit::Drop, state },
            (true, Policy::Accept | Policy::Back) if key.splits && key.last.is_none() => {
                Outcome { exit: Exit::Final, state }
            }
            (_, _) => Outcome { exit: Exit::Accept, state },
        };
    };
    let at_end = matches!(exit, Exit::Leave) || (key.last.is_some() && exit == Exit::Return);
    let exit = match exit {
        Exit::Return | Exit::Leave if at_end => match key.policy {
            Policy::Drop => Exit::Drop,
            Policy::Accept | Policy::Back if key.splits && key.last.is_none() => Exit::Final,
            Policy::Accept | Policy::Back => Exit::Accept,
        },
        Exit::Return | Exit::Leave => Exit::Accept,
        // Nobody behind an own chain is asked any more.
        Exit::Accept if key.splits && key.policy == Policy::Back => Exit::Queue("no rules of others".into()),
        Exit::Accept if key.splits => Exit::Final,
        Exit::Accept
        | Exit::Final
        | Exit::Drop
        | Exit::Reject
        | Exit::Answer(_)
        | Exit::Queue(_)
        | Exit::Unknown(_) => exit,
    };
    Outcome { exit, state }
}

/// What a stretch comes to.
pub(super) fn closed(ground: &mut Ground, key: &Key) -> Result<Closed, OverBudget> {
    let (sees, counts) = key.packets;
    let Ground { sets, outcomes, .. } = ground;
    let mut becomes = Vec::new();
    for label in sets.labels(key.whole).into_iter().chain([Label::NONE]) {
        let outcome = if label == BACK { None } else { outcomes.outcome(label) };
        becomes.push((label, outcomes.label(leaves(key, outcome, label == BACK))));
    }
    let whole = sets.relabel(key.whole, renamed(&becomes))?;
    let counted = if counts == PacketSet::ALL { whole } else { sets.within(counts, whole)? };
    let mut marks: Vec<u32> = Vec::new();
    for label in sets.labels(counted) {
        if let Some(Outcome { exit: Exit::Accept, state }) = outcomes.outcome(label)
            && !marks.contains(&state.mark)
        {
            marks.push(state.mark);
        }
    }
    let mut plain = Vec::new();
    for label in sets.labels(whole) {
        if let Some(Outcome { exit, state }) = outcomes.outcome(label)
            && state.mark != 0
        {
            plain.push((label, outcomes.label(Outcome { exit, state: State { mark: 0, ..state } })));
        }
    }
    let whole = if plain.is_empty() { whole } else { sets.relabel(whole, renamed(&plain))? };
    if sees == PacketSet::ALL {
        return Ok((whole, marks.into()));
    }
    let seen = sets.within(sees, whole)?;
    Ok((sets.over(seen, Diagram::all(pass()))?, marks.into()))
}

/// A label's new one, of a list; without one the same.
fn renamed(becomes: &[(Label, Label)]) -> impl Fn(Label) -> Label + '_ {
    |label| becomes.iter().find(|(old, _)| *old == label).map_or(label, |(_, new)| *new)
}
