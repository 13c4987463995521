//! What a hook decides about every packet.

use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::{
    Applied, Clause, Direction, Hook, HookName, Log, LogLevel, Nic, Rule, RuleInterface, Stage, Verdict,
};

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

/// Hooks of machines that have much in common: what a stage or a rule says is asked once.
#[derive(Debug, Default)]
pub struct Hooks<'a> {
    /// Of rules at the interface of a host or at none, in order the clauses.
    rules: HashMap<(*const Rule, Option<&'a str>), Arc<[Diagram]>>,
    /// Of stages without rules that ask nothing of a NIC.
    stages: Vec<(HookName, &'a Stage, Arc<[Diagram]>)>,
}

impl<'a> Hooks<'a> {
    /// What a hook decides about every packet, as [`Sets::hook`] says it; always in the same sets.
    ///
    /// # Errors
    /// Over budget.
    pub fn hook(&mut self, sets: &mut Sets, hook: &'a Hook, nic: Option<&'a Nic>) -> Result<Diagram, OverBudget> {
        let direction = hook.name.direction();
        let mut whole = FirstMatch::default();
        for stage in &hook.stages {
            match stage.rules() {
                Some(list) => {
                    for applied in list.applied(direction, nic) {
                        for diagram in self.rule(sets, applied, direction)?.iter() {
                            whole.push(*diagram);
                        }
                    }
                }
                None => {
                    for diagram in self.stage(sets, hook.name, stage, nic)?.iter() {
                        whole.push(*diagram);
                    }
                }
            }
        }
        whole.push(Diagram::all(label_of(Verdict::Drop, Log::None)));
        whole.diagram(sets)
    }

    fn rule(
        &mut self,
        sets: &mut Sets,
        applied: Applied<'a>,
        direction: Direction,
    ) -> Result<Arc<[Diagram]>, OverBudget> {
        let interface = match applied.interface {
            RuleInterface::Host(name) => Some(name.as_str()),
            RuleInterface::Any | RuleInterface::Nic(_) => None,
        };
        let key = (Arc::as_ptr(applied.rule), interface);
        if let Some(known) = self.rules.get(&key) {
            return Ok(Arc::clone(known));
        }
        let made = said(sets, &applied.clauses(), direction)?;
        self.rules.insert(key, Arc::clone(&made));
        Ok(made)
    }

    fn stage(
        &mut self,
        sets: &mut Sets,
        hook: HookName,
        stage: &'a Stage,
        nic: Option<&Nic>,
    ) -> Result<Arc<[Diagram]>, OverBudget> {
        let of_nic = matches!(stage, Stage::MacFilter | Stage::IpFilter);
        let same = |(name, known, _): &&(HookName, &Stage, _)| *name == hook && *known == stage;
        if let Some((.., known)) = self.stages.iter().find(same).filter(|_| !of_nic) {
            return Ok(Arc::clone(known));
        }
        let made = said(sets, &stage.clauses(hook, nic), hook.direction())?;
        if !of_nic {
            self.stages.push((hook, stage, Arc::clone(&made)));
        }
        Ok(made)
    }
}

/// What clauses say, in order; where some skip the rest, in one.
fn said(sets: &mut Sets, clauses: &[Clause], direction: Direction) -> Result<Arc<[Diagram]>, OverBudget> {
    let mut list = FirstMatch::default();
    for clause in clauses {
        let label = match clause.verdict {
            Verdict::Skip => SKIP,
            Verdict::Accept | Verdict::Drop | Verdict::Reject => label_of(clause.verdict, clause.log),
        };
        list.push(sets.clause(&clause.matches, direction, label)?);
    }
    if clauses.iter().any(|clause| clause.verdict == Verdict::Skip) {
        let whole = list.diagram(sets)?;
        return Ok([sets.relabel(whole, |label| if label == SKIP { Label::NONE } else { label })?].into());
    }
    Ok(list.iter().collect())
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
