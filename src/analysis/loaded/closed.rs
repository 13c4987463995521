//! Stretches of base chains in the labels of hooks.
//!
//! What a chain says of packets that go on, come back or are accepted becomes what a hook says of them; the marks that they
//! have then are told apart from that.

use std::sync::Arc;

use crate::analysis::sets::{Label, Memo, OverBudget, PacketSet};

use crate::state::ruleset::{Chain, Verdict};

use super::back::by;
use super::outcome::{Exit, Outcome, State};
use super::run::{BACK, Ground};
use super::said::{Said, Step};
use super::walk::pass;

/// What becomes of packets at the end of a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Policy {
    Accept,
    Drop,
    /// It is a chain that stands for one: they go back to its caller.
    Back,
}

impl Policy {
    pub(super) fn of(chain: &Chain) -> Self {
        match &chain.base {
            Some(base) if base.policy == Verdict::Drop => Self::Drop,
            Some(_) => Self::Accept,
            None => Self::Back,
        }
    }
}

/// What a list of rules comes to in the labels of hooks, and the marks that packets pass on with.
pub(super) type Closed = (Said, Arc<[u32]>);

/// What closed parts are known by: the list, the mark before it, the packets it is for, whether it is the last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) whole: Said,
    pub(super) mark: u32,
    pub(super) packets: (PacketSet, PacketSet),
    /// See [`Loaded::of_several_hooks`](super::Loaded::of_several_hooks).
    pub(super) splits: bool,
    pub(super) last: Option<Policy>,
    pub(super) policy: Policy,
}

/// Closed parts.
pub(super) type Known = Memo<Key, Closed>;

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
        Exit::Final if key.policy == Policy::Back => Exit::Queue("no rules of others".into()),
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
    let none = if ground.is_total(key.whole) { None } else { Some(Label::NONE) };
    let mut becomes = Vec::new();
    for label in ground.labels(key.whole).iter().copied().chain(none) {
        let outcome = if label == BACK { None } else { ground.outcomes.outcome(label) };
        becomes.push((label, ground.outcomes.label(leaves(key, outcome, label == BACK))));
    }
    let new: Vec<Label> = becomes.iter().map(|(_, new)| *new).collect();
    let mut marks = marks(ground, &new);
    let whole = if marks.len() > 1 && !key.splits {
        // Of labels that no packet has, none counts.
        let renamed = ground.renamed(key.whole, &by(&becomes))?;
        let exact = ground.whole(renamed)?;
        let counted = ground.sets.within(counts, exact)?;
        let labels: Vec<Label> = ground.sets.labels(counted).into_iter().collect();
        marks = self::marks(ground, &labels);
        let exact = ground.of_diagram(exact);
        let labels = ground.labels(exact);
        let plain: Vec<_> = labels.iter().map(|label| (*label, without_mark(ground, *label))).collect();
        ground.renamed(exact, &by(&plain))?
    } else {
        for (_, new) in &mut becomes {
            *new = without_mark(ground, *new);
        }
        ground.renamed(key.whole, &by(&becomes))?
    };
    if sees == PacketSet::ALL {
        return Ok((whole, marks.into()));
    }
    let seen = ground.said([Step::Lead(sees, whole), Step::One(PacketSet::ALL, pass())]);
    Ok((seen, marks.into()))
}

/// The same outcome, where marks do not matter.
fn without_mark(ground: &mut Ground, label: Label) -> Label {
    match ground.outcomes.outcome(label) {
        Some(Outcome { exit, state }) if state.mark != 0 => {
            ground.outcomes.label(Outcome { exit, state: State { mark: 0, ..state } })
        }
        Some(_) | None => label,
    }
}

/// The marks of accepted packets.
fn marks(ground: &Ground, labels: &[Label]) -> Vec<u32> {
    let mut marks = Vec::new();
    for label in labels {
        if let Some(Outcome { exit: Exit::Accept, state }) = ground.outcomes.outcome(*label)
            && !marks.contains(&state.mark)
        {
            marks.push(state.mark);
        }
    }
    marks
}
