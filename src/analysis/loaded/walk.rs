//! A base chain, hook by hook.
//!
//! Rules of one chain may judge for several hooks of a policy in a row. They are told apart where the context begins to
//! matter or ceases to: what a chain does for the port that a packet came by is another thing than what it does for the one
//! it leaves by. So a chain comes to a list of diagrams, each of which passes on what it accepts, and nothing is multiplied
//! out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::analysis::sets::{Diagram, FirstMatch, Label, OverBudget, PacketSet};
use crate::policy::{Log, Verdict as Decision};
use crate::state::ruleset::{Table, Verdict};

use super::Context;
use super::outcome::{Exit, Outcome, State};
use super::ready::Ready;
use super::run::{BACK, Ground, Loaded, Part};

/// What a base chain does, in the order in which packets come to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Each passes on what it labels as accepted; the rest is decided. Packets on which a rule left something besides a log
    /// line have labels of their own.
    pub parts: Vec<Diagram>,
    /// Those that packets have for the port by which they come in.
    pub of_sender: Vec<Diagram>,
    /// The mark that packets have behind it; none where that differs.
    pub mark: Option<u32>,
}

/// A base chain.
#[derive(Debug, Clone, Copy)]
pub struct Base<'c> {
    /// Its name.
    pub chain: &'c str,
    /// Whether it judges for several hooks, and what it accepts is accepted for good (iptables). Else it is one hook's, and
    /// what it accepts comes to the next chain (nft).
    pub splits: bool,
    /// The packets that come here at all; all others pass.
    pub sees: PacketSet,
    /// The packets whose marks count: those that go on to chains which may ask for them.
    pub counts: PacketSet,
}

/// What packets pass on with.
#[must_use]
pub fn pass() -> Label {
    crate::analysis::sets::label_of(Decision::Accept, Log::None)
}

/// Where the walk is.
struct Walk {
    state: State,
    open: FirstMatch,
    parts: Vec<Diagram>,
    of_sender: Vec<Diagram>,
    marks: Arc<[u32]>,
    /// The chain to go on in.
    next: Option<usize>,
    /// How many there were.
    gone: usize,
    /// Whether some packets returned before the end: they are not to come to later parts.
    returned: bool,
}

/// How the walk goes on.
enum Step {
    On,
    Into(usize),
    End,
}

impl<'t> Loaded<'t> {
    /// What a base chain, or one that stands for it, does with packets of a mark.
    ///
    /// # Errors
    /// Over budget.
    pub fn base(
        &mut self,
        ground: &mut Ground,
        base: Base<'_>,
        mark: u32,
        context: &Context,
    ) -> Result<Passage, OverBudget> {
        let Some(start) = self.chains.number(base.chain) else {
            return Ok(Passage { parts: Vec::new(), of_sender: Vec::new(), mark: Some(mark) });
        };
        let state = State { mark, ..State::default() };
        let mut walk = Walk {
            state,
            open: FirstMatch::default(),
            parts: Vec::new(),
            of_sender: Vec::new(),
            marks: Arc::new([]),
            next: Some(start),
            gone: 0,
            returned: false,
        };
        while let Some(chain) = walk.next.take() {
            let rules = self.chains.rules(chain);
            let mut at = 0;
            walk.gone += 1;
            while let Some(from) = rules.get(at..).filter(|from| !from.is_empty()) {
                at += 1;
                match self.step(ground, from, &mut walk, (base, context))? {
                    Step::On => {}
                    Step::Into(chain) => {
                        walk.next = Some(chain);
                        break;
                    }
                    Step::End => break,
                }
            }
        }
        let closed = self.table.chains.get(base.chain).and_then(|chain| chain.base.as_ref());
        if closed.is_some_and(|base| base.policy == Verdict::Drop) {
            let drop = Outcome { exit: Exit::Drop, state: walk.state.clone() };
            walk.open.push(Diagram::all(ground.outcomes.label(drop)));
        }
        self.flush(ground, &mut walk, base)?;
        let mark = match &*walk.marks {
            [] => Some(walk.state.mark),
            [mark] => Some(*mark),
            [_, _, ..] => None,
        };
        Ok(Passage { parts: walk.parts, of_sender: walk.of_sender, mark })
    }

    fn step(
        &mut self,
        ground: &mut Ground,
        from: &[Ready<'t>],
        walk: &mut Walk,
        (base, context): (Base<'_>, &Context),
    ) -> Result<Step, OverBudget> {
        let Some(rule) = from.first() else { return Ok(Step::End) };
        let reads = self.chains.rule_reads(rule);
        let depends = base.splits && !walk.returned && reads.is_decided_by(context);
        // What is asked of the sender is told for all its packets, wherever they go.
        let everywhere = (context.towards.is_some() && reads.has_source(self.chains.program))
            .then(|| Context { towards: None, ..context.clone() });
        let context = everywhere.as_ref().unwrap_or(context);
        if depends && let Some(step) = self.led(ground, rule, walk, (base, context))? {
            return Ok(step);
        }
        match self.part(ground, rule, &walk.state, context)? {
            Part::Nothing => Ok(Step::On),
            Part::Says(diagram) if depends => {
                self.flush(ground, walk, base)?;
                walk.open.push(diagram);
                let before = walk.parts.len();
                self.flush(ground, walk, base)?;
                if reads.has_source(self.chains.program) {
                    walk.of_sender.extend(walk.parts.get(before..).unwrap_or_default().iter().copied());
                }
                Ok(Step::On)
            }
            Part::Says(diagram) => {
                walk.returned |= ground.sets.labels(diagram).contains(&BACK);
                walk.open.push(diagram);
                Ok(match diagram.label() {
                    Some(Label::NONE) | None => Step::On,
                    Some(_) => Step::End,
                })
            }
            Part::Ends(diagram) => {
                walk.open.push(diagram);
                Ok(Step::End)
            }
            Part::Becomes(None, next) if next.logs == walk.state.logs && next.events == walk.state.events => {
                if base.splits {
                    self.flush(ground, walk, base)?;
                }
                walk.state = next;
                Ok(Step::On)
            }
            Part::Comes(diagram) if depends => {
                self.flush(ground, walk, base)?;
                walk.open.push(diagram);
                let before = walk.parts.len();
                self.flush(ground, walk, base)?;
                if reads.has_source(self.chains.program) {
                    walk.of_sender.extend(walk.parts.get(before..).unwrap_or_default().iter().copied());
                }
                Ok(Step::On)
            }
            Part::Comes(_) | Part::Becomes(..) => {
                // What is left on packets by one rule may be what the next one asks for.
                let state = walk.state.clone();
                let whole = self.list(ground, from, &state, context)?;
                walk.open.push(whole);
                Ok(Step::End)
            }
        }
    }

    /// Into a chain, where the context says that all packets go there.
    fn led(
        &mut self,
        ground: &mut Ground,
        rule: &Ready<'t>,
        walk: &mut Walk,
        (base, context): (Base<'_>, &Context),
    ) -> Result<Option<Step>, OverBudget> {
        let Verdict::Goto(name) = rule.verdict else { return Ok(None) };
        let Some(number) = self.chains.number(name) else { return Ok(None) };
        let plain = rule.effects.is_empty() && rule.unknown.is_none() && walk.gone < 64;
        if !plain || !self.is_for_all(ground, rule, &walk.state, context)? {
            return Ok(None);
        }
        self.flush(ground, walk, base)?;
        Ok(Some(Step::Into(number)))
    }
}

/// What a list of rules comes to in the labels of hooks, and the marks that packets pass on with.
type Closed = (Diagram, Arc<[u32]>);

/// What closed parts are known by: the list, the mark before it, the packets it is for.
pub(super) type Known = HashMap<(Diagram, u32, PacketSet, PacketSet), Closed>;

impl Loaded<'_> {
    /// Closes what is open: a part of its own.
    fn flush(&mut self, ground: &mut Ground, walk: &mut Walk, base: Base<'_>) -> Result<(), OverBudget> {
        let open = std::mem::take(&mut walk.open);
        if open.is_empty() {
            return Ok(());
        }
        let whole = open.diagram(&mut ground.sets)?;
        let key = (whole, walk.state.mark, base.sees, base.counts);
        let (part, marks) = match self.closed.get(&key) {
            Some(known) => known.clone(),
            None => {
                let made = closed(ground, whole, walk.state.mark, base)?;
                self.closed.insert(key, made.clone());
                made
            }
        };
        if let [mark] = *marks {
            walk.state = State { mark, ..State::default() };
        }
        walk.marks = marks;
        if part != Diagram::all(pass()) {
            walk.parts.push(part);
        }
        Ok(())
    }
}

fn closed(ground: &mut Ground, whole: Diagram, before: u32, base: Base<'_>) -> Result<Closed, OverBudget> {
    let Ground { sets, outcomes } = ground;
    // As labels of hooks, with what marks packets have behind it.
    let mut becomes = Vec::new();
    for label in sets.labels(whole).into_iter().chain([Label::NONE]) {
        let outcome = if label == BACK { None } else { outcomes.outcome(label) };
        let (exit, state) = match outcome {
            None => (Exit::Accept, State { mark: before, ..State::default() }),
            Some(Outcome { exit: Exit::Return | Exit::Leave, state }) => (Exit::Accept, state),
            Some(Outcome { exit: Exit::Accept, state }) if base.splits => (Exit::Final, state),
            Some(Outcome { exit, state }) => (exit, state),
        };
        becomes.push((label, outcomes.label(Outcome { exit, state })));
    }
    let whole = sets.relabel(whole, renamed(&becomes))?;
    let counted = sets.within(base.counts, whole)?;
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
        if let Some(Outcome { exit, state }) = outcomes.outcome(label) {
            plain.push((label, outcomes.label(Outcome { exit, state: State { mark: 0, ..state } })));
        }
    }
    let whole = sets.relabel(whole, renamed(&plain))?;
    let seen = sets.within(base.sees, whole)?;
    Ok((sets.over(seen, Diagram::all(pass()))?, marks.into()))
}

/// A label's new one, of a list; without one the same.
fn renamed(becomes: &[(Label, Label)]) -> impl Fn(Label) -> Label + '_ {
    |label| becomes.iter().find(|(old, _)| *old == label).map_or(label, |(_, new)| *new)
}

/// The chains that a table gives to a hook of the kernel, in their order: `prerouting`.
#[must_use]
pub fn bases<'t>(table: &'t Table, hook: &str) -> Vec<&'t Arc<str>> {
    let mut found: Vec<(i64, &Arc<str>)> = Vec::new();
    for (name, chain) in &table.chains {
        let Some(base) = &chain.base else { continue };
        let words: Vec<&str> = base.hook.split_whitespace().collect();
        if let [_, "hook", at, .., "priority", priority] = words.as_slice()
            && *at == hook
        {
            found.push((priority.parse().unwrap_or(i64::MAX), name));
        }
    }
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}
