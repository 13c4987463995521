//! What a hook decides about every packet.

use std::collections::HashMap;
use std::sync::Arc;

use crate::net::Family;
use crate::policy::{
    Applied, Clause, Direction, Hook, HookName, Log, LogLevel, Nic, Rule, RuleInterface, Stage, Verdict,
};

use super::store::{Id, Store};
use super::{Diagram, FirstMatch, Label, OverBudget, PacketSet, Sets};
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

/// What one clause says: of these packets, this.
pub type Step = (PacketSet, Label);

/// Hooks of machines that have much in common: what a stage or a rule says is asked once.
#[derive(Debug)]
pub struct Hooks<'a> {
    /// The family that all packets are of; none where they are frames of any kind.
    family: Option<Family>,
    /// Of rules at the interface of a host or at none, in order the clauses.
    rules: HashMap<(*const Rule, Option<&'a str>), Arc<[Step]>>,
    /// Of stages without rules that ask nothing of a NIC.
    stages: Vec<(HookName, &'a Stage, Arc<[Step]>)>,
}

impl<'a> Hooks<'a> {
    /// Where all packets are of a family, or frames of any kind.
    #[must_use]
    pub fn new(family: Option<Family>) -> Self {
        Self { family, rules: HashMap::new(), stages: Vec::new() }
    }

    /// What a hook decides, clause by clause: the first that has a packet counts, and the last has all. Put together it is
    /// what [`Sets::hook`] says; always in the same sets.
    ///
    /// # Errors
    /// Over budget.
    pub fn steps(&mut self, sets: &mut Sets, hook: &'a Hook, nic: Option<&'a Nic>) -> Result<Vec<Step>, OverBudget> {
        let direction = hook.name.direction();
        let mut all = Vec::new();
        for stage in &hook.stages {
            match stage.rules() {
                Some(list) => {
                    for applied in list.applied(direction, nic) {
                        all.extend_from_slice(&self.rule(sets, applied, direction)?);
                    }
                }
                None => all.extend_from_slice(&self.stage(sets, hook.name, stage, nic)?),
            }
        }
        all.push((PacketSet::ALL, label_of(Verdict::Drop, Log::None)));
        Ok(all)
    }

    fn rule(&mut self, sets: &mut Sets, applied: Applied<'a>, direction: Direction) -> Result<Arc<[Step]>, OverBudget> {
        let interface = match applied.interface {
            RuleInterface::Host(name) => Some(name.as_str()),
            RuleInterface::Any | RuleInterface::Nic(_) => None,
        };
        let key = (Arc::as_ptr(applied.rule), interface);
        if let Some(known) = self.rules.get(&key) {
            return Ok(Arc::clone(known));
        }
        let made = said(sets, self.family, &applied.clauses(), direction)?;
        self.rules.insert(key, Arc::clone(&made));
        Ok(made)
    }

    fn stage(
        &mut self,
        sets: &mut Sets,
        hook: HookName,
        stage: &'a Stage,
        nic: Option<&Nic>,
    ) -> Result<Arc<[Step]>, OverBudget> {
        let of_nic = matches!(stage, Stage::MacFilter | Stage::IpFilter);
        let same = |(name, known, _): &&(HookName, &Stage, _)| *name == hook && *known == stage;
        if let Some((.., known)) = self.stages.iter().find(same).filter(|_| !of_nic) {
            return Ok(Arc::clone(known));
        }
        let made = said(sets, self.family, &stage.clauses(hook, nic), hook.direction())?;
        if !of_nic {
            self.stages.push((hook, stage, Arc::clone(&made)));
        }
        Ok(made)
    }
}

/// What clauses say, in order. Packets that one of them lets skip the others are taken out of these.
fn said(
    sets: &mut Sets,
    family: Option<Family>,
    clauses: &[Clause],
    direction: Direction,
) -> Result<Arc<[Step]>, OverBudget> {
    let mut steps = Vec::with_capacity(clauses.len());
    let mut skipping = PacketSet::EMPTY;
    for clause in clauses {
        let set = match family {
            Some(family) => sets.matching_of(family, &clause.matches, direction)?,
            None => sets.matching(&clause.matches, direction)?,
        };
        match clause.verdict {
            Verdict::Skip => skipping = sets.union(skipping, set)?,
            Verdict::Accept | Verdict::Drop | Verdict::Reject => {
                steps.push((sets.difference(set, skipping)?, label_of(clause.verdict, clause.log)));
            }
        }
    }
    Ok(steps.into())
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
