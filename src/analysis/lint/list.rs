//! What becomes of every packet at a hook, rule by rule.
//!
//! In: a [`Site`]. Out: a [`List`]: its stages and rules in order, each as a diagram whose labels are [`Numbered`]. A
//! [`Table`] holds the diagrams of many sites, which have most of their rules in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::sets::{Budget, Diagram, FirstMatch, Interfaces, Label, Numbered, OverBudget, PacketSet, Sets};
use crate::diagnostic::Span;
use crate::policy::{Applied, Log, Rule, RuleInterface, Stage, Verdict};

use super::site::Site;

/// A table that took so many edges makes place for an empty one: they are 20 bytes each.
const FULL: Budget = Budget(10_000_000);

/// A verdict and a log line.
pub(super) type Decision = (Verdict, Log);

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// The rule at this place.
    Rule(Span),
    /// The stage of this name.
    Stage(&'static str),
}

/// The diagrams of sites.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) sets: Sets,
    who: Vec<Who>,
    numbers: BTreeMap<Who, u32>,
    /// Rules of which a diagram was made: by the rule, and the host's interface that it is restricted to.
    made: BTreeMap<(*const Rule, Option<String>), Diagram>,
}

/// A rule or stage of a hook.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) who: Who,
    /// The rule, where it is one.
    pub(super) rule: Option<Applied<'a>>,
    /// What it says by itself.
    pub(super) diagram: Diagram,
}

/// A hook in its order.
#[derive(Debug)]
pub(super) struct List<'a> {
    pub(super) elements: Vec<Element<'a>>,
}

impl Table {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self { sets: empty(), who: Vec::new(), numbers: BTreeMap::new(), made: BTreeMap::new() }
    }

    /// Makes ready for a site, which may take as much as it is allowed.
    pub(super) fn begin(&mut self, site: &Site<'_>) {
        if self.sets.spent() >= FULL {
            self.sets = empty();
            self.made.clear();
        }
        self.sets.grant(site.budget);
    }

    fn number(&mut self, who: Who) -> u32 {
        if let Some(number) = self.numbers.get(&who) {
            return *number;
        }
        let number = u32::try_from(self.who.len()).unwrap_or(u32::MAX);
        self.who.push(who);
        self.numbers.insert(who, number);
        number
    }

    fn label(&mut self, who: Who, verdict: Verdict, log: Log) -> Result<Label, OverBudget> {
        let label = Numbered::label(self.number(who), verdict, log);
        if label == Label::NONE { Err(OverBudget) } else { Ok(label) }
    }

    /// Who decides, and how, by a label of a diagram of this table.
    pub(super) fn decider(&self, label: Label) -> Option<(Who, Numbered)> {
        let numbered = Numbered::of(label)?;
        let who = self.who.get(numbered.number as usize)?;
        Some((*who, numbered))
    }

    /// The stages and rules of a hook.
    pub(super) fn list<'a>(&mut self, site: &Site<'a>) -> Result<List<'a>, OverBudget> {
        let direction = site.hook.name.direction();
        let mut elements = Vec::new();
        for stage in &site.hook.stages {
            let Some(rules) = stage.rules() else {
                let who = Who::Stage(stage.name());
                let diagram = self.stage(site, stage, who)?;
                elements.push(Element { who, rule: None, diagram });
                continue;
            };
            for applied in rules.applied(direction, site.nic) {
                let who = Who::Rule(applied.rule.origin.span);
                elements.push(Element { who, rule: Some(applied), diagram: self.rule(applied, who)? });
            }
        }
        Ok(List { elements })
    }

    fn stage(&mut self, site: &Site<'_>, stage: &Stage, who: Who) -> Result<Diagram, OverBudget> {
        let mut list = FirstMatch::default();
        // No label of a rule or stage: their last bits are set.
        let passed = Label::new(0);
        for clause in stage.clauses(site.hook.name, site.nic) {
            let label = match clause.verdict {
                Verdict::Skip => passed,
                Verdict::Accept | Verdict::Drop | Verdict::Reject => self.label(who, clause.verdict, clause.log)?,
            };
            list.push(self.sets.clause(&clause.matches, site.hook.name.direction(), label)?);
        }
        let stage = list.diagram(&mut self.sets)?;
        self.sets.relabel(stage, |label| if label == passed { Label::NONE } else { label })
    }

    fn rule(&mut self, applied: Applied<'_>, who: Who) -> Result<Diagram, OverBudget> {
        let interface = match applied.interface {
            RuleInterface::Host(name) => Some(name.clone()),
            RuleInterface::Any | RuleInterface::Nic(_) => None,
        };
        let key = (Arc::as_ptr(applied.rule), interface);
        if let Some(known) = self.made.get(&key) {
            return Ok(*known);
        }
        let label = self.label(who, applied.rule.verdict, applied.rule.log)?;
        let mut list = FirstMatch::default();
        for clause in applied.clauses() {
            list.push(self.sets.clause(&clause.matches, applied.rule.direction, label)?);
        }
        let made = list.diagram(&mut self.sets)?;
        self.made.insert(key, made);
        Ok(made)
    }

    /// Who decides about every packet, how, and what would become of it otherwise; without what is not wanted.
    pub(super) fn whole(&mut self, list: &List<'_>, wanted: impl Fn(Who) -> bool) -> Result<Diagram, OverBudget> {
        let mut whole = FirstMatch::default();
        for element in list.elements.iter().filter(|element| wanted(element.who)) {
            whole.push(element.diagram);
        }
        whole.with_behind(&mut self.sets)
    }

    /// The packets about which somebody decides in a diagram.
    pub(super) fn decided(&mut self, diagram: Diagram, by: impl Fn(Who) -> bool) -> Result<PacketSet, OverBudget> {
        let Self { sets, who, .. } = self;
        let is_wanted = |label: Label| {
            let number = Numbered::of(label).and_then(|numbered| who.get(numbered.number as usize));
            number.is_some_and(|who| by(*who))
        };
        sets.select(diagram, is_wanted)
    }

    /// The packets that match a rule's diagram and about which it decides in the whole of a hook. This looks at no more of the
    /// whole than these packets need.
    pub(super) fn own(&mut self, rule: Diagram, who: Who, whole: Diagram) -> Result<PacketSet, OverBudget> {
        let matched = self.decided(rule, |_| true)?;
        let within = self.sets.within(matched, whole)?;
        self.decided(within, |decider| decider == who)
    }

    /// Who decides about packets of a set in a diagram, and how.
    pub(super) fn deciders(&mut self, set: PacketSet, diagram: Diagram) -> Result<Vec<(Who, Decision)>, OverBudget> {
        let within = self.sets.within(set, diagram)?;
        let labels = self.sets.labels(within);
        let mut found: Vec<(Who, Decision)> = labels
            .into_iter()
            .filter_map(|label| self.decider(label))
            .map(|(who, numbered)| (who, numbered.decision))
            .collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

fn empty() -> Sets {
    Sets::new(Interfaces::default(), Budget(0))
}
