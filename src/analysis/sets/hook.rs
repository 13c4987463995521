//! What a hook decides about every packet.

use std::ops::Range;
use std::sync::Arc;

use crate::net::{AddressSet, Family, Ranges};
use crate::policy::{
    Applied, Clause, Direction, Entry, FrameKind, Hook, HookName, Inherited, Log, LogLevel, Match, Nic, RuleInterface,
    RuleList, Stage, Verdict, ip_filter, mac_filter,
};

use super::conjunction::Kinds;
use super::field::{self, Field};
use super::store::{Id, Store};
use super::table::Memo;
use super::{Diagram, FirstMatch, Label, OverBudget, PacketSet, Sets, stand};
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

/// Something of a machine that any other may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    /// Its rules.
    Rules,
    /// The hardware address of its NIC.
    Mac,
    /// The addresses of its NIC, and of which families there are any.
    Sources { v4: bool, v6: bool },
}

impl Standing {
    /// What a stage asks of a NIC.
    fn of(stage: &Stage, nic: Option<&Nic>) -> Option<Self> {
        let nic = nic?;
        if *stage == Stage::MacFilter {
            return nic.mac.map(|_| Self::Mac);
        }
        let sources = nic.sources.as_ref().filter(|_| *stage == Stage::IpFilter)?;
        Some(Self::Sources { v4: !sources.v4().is_empty(), v6: !sources.v6().is_empty() })
    }

    /// The packets with addresses of the NIC, where conditions ask for these.
    fn sources(self, matches: &[Match]) -> Option<Vec<(Field, Ranges<u128>)>> {
        let Self::Sources { v4, v6 } = self else { return None };
        let is_own = |set: &AddressSet| set.v4().is_empty() && set.v6().is_empty();
        let frames = match matches {
            [Match::Frame(FrameKind::Ip), Match::Source(set)] if is_own(set) => {
                vec![(field::IPV4, v4), (field::IPV6, v6)]
            }
            [Match::ArpSender(set)] if is_own(set) => vec![(field::ARP, v4)],
            _ => return None,
        };
        Some(stand::sources(frames.into_iter().filter(|(_, has)| *has).map(|(frame, _)| frame)))
    }
}

/// Where rules are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    /// At no NIC.
    Host,
    /// At any, where none of them is for one.
    AnyNic,
    /// At the NIC of this number.
    Nic(u8),
}

/// Some steps of a hook in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    at: Range<usize>,
    /// Whether other hooks of the same [`Hooks`] may have the very same run.
    pub is_shared: bool,
}

/// Hooks of machines that have much in common: what a stage or a rule says is asked once.
#[derive(Debug)]
pub struct Hooks<'a> {
    /// The family that all packets are of; none where they are frames of any kind.
    family: Option<Family>,
    /// What is known, one after another.
    said: Vec<Step>,
    /// Of sections, by where they are.
    sections: Memo<(usize, Direction, At), Range<usize>>,
    /// Of rules, by where they are, at the interface of a host or at none.
    rules: Memo<(usize, Option<&'a str>), Range<usize>>,
    /// Of stages without rules that ask nothing of a NIC.
    stages: Vec<(HookName, &'a Stage, Range<usize>)>,
    /// The place behind the stage that was asked for last. Hooks are much alike, so that the next one mostly stands there.
    next: usize,
    /// What stands for others, once it was asked for.
    standing: Memo<Standing, Range<usize>>,
}

impl<'a> Hooks<'a> {
    /// Where all packets are of a family, or frames of any kind.
    #[must_use]
    pub fn new(family: Option<Family>) -> Self {
        Self {
            family,
            // What has no answer is dropped, at the end of every hook.
            said: vec![(PacketSet::ALL, label_of(Verdict::Drop, Log::None))],
            sections: Memo::default(),
            rules: Memo::default(),
            stages: Vec::new(),
            next: 0,
            standing: Memo::default(),
        }
    }

    /// What a hook decides, clause by clause: the first that has a packet counts, and the last has all. Put together it is
    /// what [`Sets::hook`] says; always in the same sets. It is told in runs, each by [`Hooks::told`]: what several machines
    /// have in common is one for all of them.
    ///
    /// # Errors
    /// Over budget.
    pub fn runs(&mut self, sets: &mut Sets, hook: &'a Hook, nic: Option<&'a Nic>) -> Result<Vec<Run>, OverBudget> {
        self.runs_with(sets, (hook, nic), false)
    }

    /// The same, with what stands for any rules of the machine, and for any addresses of the NIC: see [`stand`](super::stand).
    /// None for a hook that has no rules at one place, and where packets are of one family.
    ///
    /// # Errors
    /// Over budget.
    pub fn standing(
        &mut self,
        sets: &mut Sets,
        hook: &'a Hook,
        nic: Option<&'a Nic>,
    ) -> Result<Option<Vec<Run>>, OverBudget> {
        let rules = hook.stages.iter().filter(|stage| stage.rules().is_some()).count();
        if rules != 1 || self.family.is_some() {
            return Ok(None);
        }
        self.runs_with(sets, (hook, nic), true).map(Some)
    }

    fn stand(&mut self, sets: &mut Sets, what: Standing, direction: Direction) -> Result<Run, OverBudget> {
        if let Some(known) = self.standing.get(&what) {
            return Ok(Run { at: known.clone(), is_shared: true });
        }
        let start = self.said.len();
        let clauses = match what {
            Standing::Rules => {
                for (packets, verdict) in [(stand::accepted(), Verdict::Accept), (stand::dropped(), Verdict::Drop)] {
                    self.said.push((sets.having(Family::V4, &packets)?, label_of(verdict, Log::None)));
                }
                Vec::new()
            }
            Standing::Mac => vec![mac_filter(stand::MAC)],
            Standing::Sources { .. } => ip_filter(&Arc::new(AddressSet::default())),
        };
        say(sets, (self.family, Some(what)), &clauses, direction, &mut self.said)?;
        let at = start..self.said.len();
        self.standing.insert(what, at.clone());
        Ok(Run { at, is_shared: true })
    }

    fn sections(
        &mut self,
        sets: &mut Sets,
        list: &'a RuleList,
        (direction, nic): (Direction, Option<&Nic>),
        runs: &mut Vec<Run>,
    ) -> Result<(), OverBudget> {
        for inherited in &list.sections {
            // Other machines may have it, too, and other NICs of this one.
            runs.push(Run { at: self.section(sets, inherited, direction, nic)?, is_shared: true });
        }
        Ok(())
    }

    fn runs_with(
        &mut self,
        sets: &mut Sets,
        (hook, nic): (&'a Hook, Option<&'a Nic>),
        stands: bool,
    ) -> Result<Vec<Run>, OverBudget> {
        let direction = hook.name.direction();
        let mut runs: Vec<Run> = Vec::with_capacity(hook.stages.len());
        let mut is_after_stage = false;
        for stage in &hook.stages {
            let is_stage = stage.rules().is_none() && !matches!(stage, Stage::MacFilter | Stage::IpFilter);
            if let Some(list) = stage.rules() {
                if stands {
                    runs.push(self.stand(sets, Standing::Rules, direction)?);
                } else {
                    self.sections(sets, list, (direction, nic), &mut runs)?;
                }
            } else if is_stage {
                let known = self.stage(sets, hook.name, stage)?;
                match runs.last_mut() {
                    Some(run) if is_after_stage && run.at.end == known.start => run.at.end = known.end,
                    Some(_) | None => runs.push(Run { at: known, is_shared: true }),
                }
            } else if stands {
                if let Some(what) = Standing::of(stage, nic) {
                    runs.push(self.stand(sets, what, direction)?);
                }
            } else {
                let start = self.said.len();
                say(sets, (self.family, None), &stage.clauses(hook.name, nic), direction, &mut self.said)?;
                runs.push(Run { at: start..self.said.len(), is_shared: false });
            }
            is_after_stage = is_stage;
        }
        runs.push(Run { at: 0..1, is_shared: true });
        Ok(runs)
    }

    /// What a run says.
    #[must_use]
    pub fn told(&self, run: &Run) -> &[Step] {
        self.said.get(run.at.clone()).unwrap_or_default()
    }

    fn section(
        &mut self,
        sets: &mut Sets,
        inherited: &'a Inherited,
        direction: Direction,
        nic: Option<&Nic>,
    ) -> Result<Range<usize>, OverBudget> {
        let nic = nic.map(|nic| nic.index);
        let key = |at: At| (Arc::as_ptr(&inherited.section) as usize, direction, at);
        let places = match nic {
            None => [At::Host; 2],
            Some(number) => [At::AnyNic, At::Nic(number)],
        };
        if let Some(known) = places.into_iter().find_map(|at| self.sections.get(&key(at))) {
            return Ok(known.clone());
        }
        let is_of_nic =
            |entry: &Entry| entry.rules(direction).any(|(_, interface)| matches!(interface, RuleInterface::Nic(_)));
        let [any, one] = places;
        let at = if inherited.section.entries.iter().any(is_of_nic) { one } else { any };
        let mut all = Vec::new();
        inherited.applied(direction, nic).try_for_each(|applied| {
            let known = self.rule(sets, applied, direction)?;
            all.extend_from_slice(self.said.get(known).unwrap_or_default());
            Ok(())
        })?;
        let start = self.said.len();
        self.said.append(&mut all);
        let made = start..self.said.len();
        self.sections.insert(key(at), made.clone());
        Ok(made)
    }

    fn rule(
        &mut self,
        sets: &mut Sets,
        applied: Applied<'a>,
        direction: Direction,
    ) -> Result<Range<usize>, OverBudget> {
        let interface = match applied.interface {
            RuleInterface::Host(name) => Some(name.as_str()),
            RuleInterface::Any | RuleInterface::Nic(_) => None,
        };
        let key = (Arc::as_ptr(applied.rule) as usize, interface);
        if let Some(known) = self.rules.get(&key) {
            return Ok(known.clone());
        }
        let start = self.said.len();
        say(sets, (self.family, None), &applied.clauses(), direction, &mut self.said)?;
        let made = start..self.said.len();
        self.rules.insert(key, made.clone());
        Ok(made)
    }

    /// Of one that asks nothing of a NIC.
    fn stage(&mut self, sets: &mut Sets, hook: HookName, stage: &'a Stage) -> Result<Range<usize>, OverBudget> {
        let (before, behind) = self.stages.split_at_checked(self.next).unwrap_or((&self.stages, &[]));
        let mut from_here = (self.next..).zip(behind).chain((0..).zip(before));
        if let Some((at, (.., known))) = from_here.find(|(_, (name, known, _))| *name == hook && *known == stage) {
            self.next = at + 1;
            return Ok(known.clone());
        }
        let start = self.said.len();
        say(sets, (self.family, None), &stage.clauses(hook, None), hook.direction(), &mut self.said)?;
        let made = start..self.said.len();
        self.stages.push((hook, stage, made.clone()));
        self.next = self.stages.len();
        Ok(made)
    }
}

/// Tells what clauses say, in order. Packets that one of them lets skip the others are taken out of these.
pub(super) fn say(
    sets: &mut Sets,
    (family, standing): (Option<Family>, Option<Standing>),
    clauses: &[Clause],
    direction: Direction,
    steps: &mut Vec<Step>,
) -> Result<(), OverBudget> {
    let mut skipping = Vec::new();
    for clause in clauses {
        let own = standing.and_then(|what| what.sources(&clause.matches));
        let mut set = match (family, own) {
            (_, Some(own)) => sets.having(Family::V4, &own)?,
            (Some(family), None) => sets.matching_of(family, &clause.matches, direction)?,
            (None, None) => sets.matching(&clause.matches, direction)?,
        };
        if clause.verdict == Verdict::Skip {
            // Older sets first: those that the same clauses of others skip are taken out once for all of them.
            let mut skip = |set: PacketSet| {
                let place = skipping.partition_point(|known| *known < set);
                skipping.insert(place, set);
            };
            if family.is_none() && Kinds::of(&clause.matches) == Kinds::IP {
                // Rules mostly ask for one family.
                for family in [Family::V4, Family::V6].map(Match::Family) {
                    let frames = sets.matching(&[family], direction)?;
                    skip(sets.intersection(frames, set)?);
                }
            } else {
                skip(set);
            }
            continue;
        }
        for skips in &skipping {
            set = sets.difference(set, *skips)?;
        }
        steps.push((set, label_of(clause.verdict, clause.log)));
    }
    Ok(())
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
