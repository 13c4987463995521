//! What becomes of packets in loaded rules, as labels of diagrams.
//!
//! What a hook of a policy can decide has the label that [`label_of`] gives it, so that a diagram of loaded rules which
//! mean the same as a hook has the same root.

use std::sync::Arc;

use crate::analysis::sets::{Label, Memo, label_of};
use crate::policy::{Log, LogLevel, Verdict};

/// What rules left on a packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct State {
    /// Its mark, which is 0 for one that nothing has touched yet.
    pub mark: u32,
    /// All else; none where there is nothing, as mostly: states are copied often.
    pub(super) past: Option<Arc<Past>>,
}

/// What happened to a packet besides its mark.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Past {
    logs: Vec<LogLevel>,
    events: Vec<Arc<str>>,
}

impl State {
    /// The lines in the log, in their order.
    #[must_use]
    pub fn logs(&self) -> &[LogLevel] {
        self.past.as_deref().map_or(&[], |past| &past.logs)
    }

    /// What else happened to it, in order: a helper given, a limit above which its likes are dropped.
    #[must_use]
    pub fn events(&self) -> &[Arc<str>] {
        self.past.as_deref().map_or(&[], |past| &past.events)
    }

    /// Leaves a line in the log.
    pub fn log(&mut self, level: LogLevel) {
        self.past().logs.push(level);
    }

    /// Something else happens to it.
    pub fn event(&mut self, words: impl Into<Arc<str>>) {
        self.past().events.push(words.into());
    }

    fn past(&mut self) -> &mut Past {
        Arc::make_mut(self.past.get_or_insert_default())
    }
}

/// How a packet leaves a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Back to where the chain was called; from a base chain: on to what follows.
    Return,
    /// The same, out of a list within a chain; no chain's caller sees it.
    Leave,
    /// Accepted, past all that stands behind it on the packet's way.
    Final,
    /// Accepted: no further rule of this hook of the kernel is asked.
    Accept,
    /// Dropped.
    Drop,
    /// As [`Verdict::Reject`]: silence or an answer, whichever belongs to the packet.
    Reject,
    /// Dropped with an answer, in the program's own words.
    Answer(Arc<str>),
    /// Given to a program, in the rule's own words.
    Queue(Arc<str>),
    /// It came to a rule that is not understood: the number of it.
    Unknown(u32),
}

/// An exit, and what the packet has on it then.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// How it leaves.
    pub exit: Exit,
    /// What it has on it.
    pub state: State,
}

/// Above all labels of hooks.
const OWN: u32 = 64;

/// Outcomes by their labels.
#[derive(Debug, Default)]
pub struct Outcomes {
    known: Vec<Outcome>,
    numbers: Memo<Outcome, u32>,
    /// Labels of [`Exit::Final`], and those of the same with [`Exit::Accept`].
    for_good: Vec<(Label, Label)>,
}

impl Outcome {
    /// The verdict of a hook's label, where it is one.
    fn plain(&self) -> Option<Label> {
        if self.state.mark != 0 || !self.state.events().is_empty() {
            return None;
        }
        let log = match self.state.logs() {
            [] => Log::None,
            [level] => Log::At(*level),
            [_, _, ..] => return None,
        };
        let verdict = match &self.exit {
            Exit::Accept => Verdict::Accept,
            Exit::Drop => Verdict::Drop,
            Exit::Reject => Verdict::Reject,
            Exit::Return | Exit::Leave | Exit::Final | Exit::Answer(_) | Exit::Queue(_) | Exit::Unknown(_) => {
                return None;
            }
        };
        Some(label_of(verdict, log))
    }
}

impl Outcomes {
    /// The label of an outcome. A packet that is gone has no mark.
    pub fn label(&mut self, mut outcome: Outcome) -> Label {
        match outcome.exit {
            Exit::Drop | Exit::Reject | Exit::Answer(_) | Exit::Queue(_) => outcome.state.mark = 0,
            Exit::Return | Exit::Leave | Exit::Final | Exit::Accept | Exit::Unknown(_) => {}
        }
        if let Some(plain) = outcome.plain() {
            return plain;
        }
        if let Some(number) = self.numbers.get(&outcome) {
            return Label::new(*number);
        }
        let number = u32::try_from(self.known.len()).unwrap_or(u32::MAX).saturating_add(OWN);
        self.known.push(outcome.clone());
        self.numbers.insert(outcome.clone(), number);
        let label = Label::new(number);
        if outcome.exit == Exit::Final {
            let accepted = self.label(Outcome { exit: Exit::Accept, state: outcome.state });
            self.for_good.push((label, accepted));
        }
        label
    }

    /// For what is accepted for good, the label of the same that is accepted.
    #[must_use]
    pub fn accepted(&self, label: Label) -> Option<Label> {
        if label.number() < OWN {
            return None;
        }
        self.for_good.iter().find(|(known, _)| *known == label).map(|(_, accepted)| *accepted)
    }

    /// Whether it is an answer in a program's own words.
    #[must_use]
    pub fn is_answer(&self, label: Label) -> bool {
        self.own(label).is_some_and(|outcome| matches!(outcome.exit, Exit::Answer(_)))
    }

    /// Whether packets come back with it.
    #[must_use]
    pub fn is_return(&self, label: Label) -> bool {
        self.own(label).is_some_and(|outcome| outcome.exit == Exit::Return)
    }

    /// The outcome of a label that is none of a hook's.
    fn own(&self, label: Label) -> Option<&Outcome> {
        label.number().checked_sub(OWN).and_then(|place| self.known.get(usize::try_from(place).ok()?))
    }

    /// The outcome of a label; none for [`Label::NONE`] and for one that was never given.
    #[must_use]
    pub fn outcome(&self, label: Label) -> Option<Outcome> {
        if let Some((verdict, log)) = crate::analysis::sets::decision(label) {
            let exit = match verdict {
                Verdict::Accept => Exit::Accept,
                Verdict::Drop => Exit::Drop,
                Verdict::Reject => Exit::Reject,
                Verdict::Skip => return None,
            };
            let mut state = State::default();
            if let Log::At(level) = log {
                state.log(level);
            }
            return Some(Outcome { exit, state });
        }
        self.own(label).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_for_outcomes() {
        let mut outcomes = Outcomes::default();
        let log = |level| {
            let mut state = State::default();
            state.log(level);
            state
        };
        let marked = State { mark: 4, ..State::default() };
        let all = [
            Outcome { exit: Exit::Accept, state: State::default() },
            Outcome { exit: Exit::Reject, state: log(LogLevel::Debug) },
            Outcome { exit: Exit::Accept, state: marked.clone() },
            Outcome { exit: Exit::Return, state: marked },
            Outcome { exit: Exit::Answer("tcp-reset".into()), state: log(LogLevel::Emerg) },
        ];
        let labels: Vec<Label> = all.iter().map(|outcome| outcomes.label(outcome.clone())).collect();
        for (outcome, label) in all.iter().zip(&labels) {
            assert_eq!(outcomes.outcome(*label).as_ref(), Some(outcome));
        }
        assert_eq!(labels.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        assert_eq!(labels.first(), Some(&label_of(Verdict::Accept, Log::None)));
        assert_eq!(outcomes.outcome(Label::NONE), None);
    }
}
