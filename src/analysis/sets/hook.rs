//! What a hook decides about every packet.

use crate::policy::{Applied, Clause, Log, LogLevel, Stage, Verdict};

use super::store::{Id, Store};
use super::{Diagram, FirstMatch, Label, OverBudget, Sets};
use crate::analysis::judge::Judge;

/// A stage is left undecided.
const SKIP: Label = Label(Label::NONE.0 - 1);

/// The label of a decision; nothing for [`Verdict::Skip`].
#[must_use]
pub fn label_of(verdict: Verdict, log: Log) -> Label {
    let log = match log {
        Log::None => 0,
        Log::At(level) => u32::from(level.number()) + 1,
    };
    match verdict {
        Verdict::Accept => Label(log),
        Verdict::Drop => Label(16 + log),
        Verdict::Reject => Label(32 + log),
        Verdict::Skip => Label::NONE,
    }
}

/// The decision that a label made by [`label_of`] stands for.
#[must_use]
pub fn decision(label: Label) -> Option<(Verdict, Log)> {
    let verdict = match label.0 / 16 {
        0 => Verdict::Accept,
        1 => Verdict::Drop,
        2 => Verdict::Reject,
        _ => return None,
    };
    let log = match (label.0 % 16).checked_sub(1) {
        None => Log::None,
        Some(number) => Log::At(LogLevel::ALL.into_iter().find(|level| u32::from(level.number()) == number)?),
    };
    Some((verdict, log))
}

impl Sets {
    /// What a hook decides about every packet: the labels are [`label_of`]'s. As the evaluator has it, a hook without an
    /// answer drops.
    ///
    /// # Errors
    /// Over budget.
    pub fn hook(&mut self, judge: &Judge<'_>) -> Result<Diagram, OverBudget> {
        let decided = self.hook_by(judge, |_, clause, _| label_of(clause.verdict, clause.log))?;
        self.over(decided, Diagram::all(label_of(Verdict::Drop, Log::None)))
    }

    /// What a hook says about every packet, in labels that the caller chooses for its clauses, called in order. Clauses that
    /// skip their stage have none of their own, and what no clause decides stays without.
    ///
    /// # Errors
    /// Over budget.
    pub fn hook_by<'a>(
        &mut self,
        judge: &Judge<'a>,
        mut label: impl FnMut(&'a Stage, &Clause, Option<Applied<'a>>) -> Label,
    ) -> Result<Diagram, OverBudget> {
        let mut whole = FirstMatch::default();
        for (stage, clauses) in judge.stages() {
            let skips = clauses.iter().any(|(clause, _)| clause.verdict == Verdict::Skip);
            let mut list = FirstMatch::default();
            for (clause, rule) in clauses {
                let chosen = match clause.verdict {
                    Verdict::Skip => SKIP,
                    Verdict::Accept | Verdict::Drop | Verdict::Reject => label(stage, clause, *rule),
                };
                list.push(self.clause(&clause.matches, judge.direction(), chosen)?);
            }
            if skips {
                let stage = list.diagram(self)?;
                whole.push(self.relabel(stage, |label| if label == SKIP { Label::NONE } else { label })?);
            } else {
                list.iter().for_each(|diagram| whole.push(diagram));
            }
        }
        whole.diagram(self)
    }
}

/// One diagram for itself, which any number of threads may ask.
#[derive(Debug)]
pub(in crate::analysis) struct Frozen {
    pub(in crate::analysis) store: Store,
    pub(in crate::analysis) root: Id,
}

impl Sets {
    /// A diagram apart from all else.
    pub(in crate::analysis) fn frozen(&self, diagram: Diagram) -> Frozen {
        let (store, root) = self.store.below(diagram.0);
        Frozen { store, root }
    }
}
