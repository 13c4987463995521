//! A base chain, hook by hook.
//!
//! Rules of one chain may judge for several hooks of a policy in a row. They are told apart where the context begins to
//! matter or ceases to: what a chain does for the port that a packet came by is another thing than what it does for the one
//! it leaves by. So a chain comes to several lists, each of which passes on what it accepts, and nothing is multiplied
//! out.

use std::sync::Arc;

use crate::analysis::sets::{Label, Memo, OverBudget, PacketSet};
use crate::policy::{Log, Verdict as Decision};
use crate::state::ruleset::{Table, Verdict};

use super::closed::{Key, Policy, closed};
use super::condition::Condition;
use super::context::{Context, Seen};
use super::marks::{Open, unmarked};
use super::outcome::State;
use super::passage::Passage;
use super::reads::Reads;
use super::ready::Ready;
use super::run::{Ground, Loaded, Part};
use super::said::{Said, Step};

/// A base chain.
#[derive(Debug, Clone, Copy)]
pub struct Base<'c> {
    /// Its name.
    pub chain: &'c str,
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
pub(super) struct Walk {
    pub(super) state: State,
    pub(super) open: Vec<Open>,
    parts: Vec<Said>,
    of_sender: Vec<Said>,
    /// See [`Passage::is_marked`].
    is_marked: bool,
    /// The marks that packets may have here besides that of the state.
    pub(super) others: Vec<u32>,
    /// The chain to go on in.
    next: Option<usize>,
    /// How many there were.
    gone: usize,
}

/// How the walk goes on.
pub(super) enum Next {
    /// With the rule of this place.
    At(usize),
    Into(usize),
    End,
}

/// A base chain on the way of packets, and what is known of these.
#[derive(Clone, Copy)]
pub(super) struct Course<'c> {
    base: Base<'c>,
    pub(super) context: &'c Context,
    /// What becomes of packets that come to the end.
    policy: Policy,
}

/// Neighbouring rules that ask nothing of the context: what they say together, and where the next one stands.
pub(super) type Runs = Memo<Run, (Said, usize)>;

/// Where neighbouring rules begin, the state in which packets come there, what the context decides, and whether packets may
/// have other marks.
type Run = (usize, usize, State, Reads, bool);

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
    ) -> Result<Arc<Passage>, OverBudget> {
        let Some(start) = self.chains.number(base.chain) else {
            return Ok(Arc::new(Passage::nothing(mark)));
        };
        self.here = self.ports.of(context);
        self.decided = Reads::decided(context);
        let key = (start, mark, self.decided, (base.sees, base.counts));
        // Of a chain for several hooks, each way is asked for once.
        let known = if self.splits { None } else { self.passages.get(key, context, self.here) };
        if let Some(known) = known {
            return Ok(Arc::clone(known));
        }
        self.consulted = Reads::default();
        let policy = self.chains.policy(start);
        let found = Arc::new(self.walked(ground, (start, mark), Course { base, context, policy })?);
        if !self.splits {
            let seen = Seen::new(self.consulted, context, self.here);
            self.passages.insert(key, self.consulted, seen, Arc::clone(&found));
        }
        Ok(found)
    }

    fn walked(
        &mut self,
        ground: &mut Ground,
        (start, mark): (usize, u32),
        course: Course<'_>,
    ) -> Result<Passage, OverBudget> {
        let mut walk = Walk {
            state: State { mark, ..State::default() },
            open: Vec::new(),
            parts: Vec::new(),
            of_sender: Vec::new(),
            is_marked: false,
            others: Vec::new(),
            next: Some(start),
            gone: 0,
        };
        while let Some(chain) = walk.next.take() {
            let rules = self.rules(chain);
            self.comes_to(chain, true);
            self.goes_within(chain);
            let mut at = 0;
            walk.gone += 1;
            while let Some(from) = rules.get(at..).filter(|from| !from.is_empty()) {
                match self.step(ground, (chain, at), from, &mut walk, course)? {
                    Next::At(next) => at = next,
                    Next::Into(chain) => {
                        walk.next = Some(chain);
                        break;
                    }
                    Next::End => break,
                }
            }
        }
        self.standing.within = false;
        self.flush(ground, &mut walk, course, true)?;
        let mark = walk.others.is_empty().then_some(walk.state.mark);
        Ok(Passage { parts: walk.parts, of_sender: walk.of_sender, mark, is_marked: walk.is_marked })
    }

    fn step(
        &mut self,
        ground: &mut Ground,
        (chain, at): (usize, usize),
        from: &[Ready<'t>],
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<Next, OverBudget> {
        let Some(rule) = from.first() else { return Ok(Next::End) };
        let reads = rule.reads;
        let on = Ok(Next::At(at + 1));
        let is_marked = reads.has_mark() && (walk.state.mark != 0 || !walk.others.is_empty());
        walk.is_marked |= is_marked && self.asks_other_end(reads, course.context);
        if reads.has_mark() && !walk.others.is_empty() {
            self.consulted = self.consulted.and(reads);
            return self.of_marks(ground, (chain, at), rule, walk, course);
        }
        if !reads.is_decided(self.decided) {
            return self.run(ground, (chain, at), from, walk, course);
        }
        if reads.has_mark() && is_of_other_mark(rule, walk.state.mark) {
            return on;
        }
        self.consulted = self.consulted.and(reads);
        // What is asked of the sender is told for all its packets, wherever they go.
        let of_sender = reads.has_source(self.chains.program);
        let everywhere = (course.context.towards.is_some() && of_sender)
            .then(|| Context { towards: None, ..course.context.clone() });
        let here = Course { context: everywhere.as_ref().unwrap_or(course.context), ..course };
        let decided = self.decided;
        if everywhere.is_some() {
            self.decided = decided.everywhere();
        }
        let led = match self.led(ground, rule, walk, here)? {
            Some(next) => Some(next),
            None => self.markless(ground, (chain, at, rule), walk, here)?,
        };
        let part = if led.is_some() {
            Part::Nothing
        } else {
            self.asked(ground, (chain, at, rule), &walk.state, here.context)?
        };
        self.decided = decided;
        if let Some(step) = led {
            return Ok(step);
        }
        match part {
            Part::Nothing => on,
            Part::Says(step) if self.splits => self.apart(ground, step, of_sender, walk, course).and(on),
            Part::Comes(said) if self.splits => self.apart(ground, Step::Sub(said), of_sender, walk, course).and(on),
            part @ (Part::Says(_) | Part::Comes(_) | Part::Leads(..) | Part::Ends(_) | Part::Becomes(..)) => {
                self.after(ground, part, (chain, at, from), walk, course)
            }
        }
    }

    /// What a rule says as a part of its own.
    fn apart(
        &mut self,
        ground: &mut Ground,
        step: Step,
        of_sender: bool,
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<(), OverBudget> {
        self.flush(ground, walk, course, false)?;
        walk.open.push(step.into());
        let before = walk.parts.len();
        self.flush(ground, walk, course, false)?;
        if of_sender {
            walk.of_sender.extend(walk.parts.get(before..).unwrap_or_default().iter().copied());
        }
        Ok(())
    }

    /// The same answer for all packets of which the rule asks the same.
    pub(super) fn asked(
        &mut self,
        ground: &mut Ground,
        (chain, at, rule): (usize, usize, &Ready<'t>),
        state: &State,
        context: &Context,
    ) -> Result<Part, OverBudget> {
        let reads = rule.reads;
        let key = (chain, at, state.clone(), Seen::new(reads, context, self.here));
        if let Some(known) = self.asked.get(&key) {
            return Ok(known.clone());
        }
        let part = self.part(ground, rule, state, context)?;
        let part = self.told(ground, part)?;
        self.asked.insert(key, part.clone());
        Ok(part)
    }

    /// Rules from here on that ask nothing of the context, in one.
    fn run(
        &mut self,
        ground: &mut Ground,
        (chain, at): (usize, usize),
        from: &[Ready<'t>],
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<Next, OverBudget> {
        let has_marks = !walk.others.is_empty();
        let key = (chain, at, walk.state.clone(), self.decided, has_marks);
        if let Some((said, next)) = self.runs.get(&key) {
            walk.open.push(Step::Sub(*said).into());
            return Ok(Next::At(*next));
        }
        let mut list: Vec<Step> = Vec::new();
        for (rule, next) in from.iter().zip(at..) {
            let reads = rule.reads;
            let part = if reads.is_decided(self.decided) || (has_marks && reads.has_mark()) {
                None
            } else {
                let part = self.part(ground, rule, &walk.state, course.context)?;
                Some(self.told(ground, part)?)
            };
            match part {
                Some(Part::Nothing) => {}
                Some(Part::Says(step)) => list.push(step),
                Some(part) if list.is_empty() && next == at => {
                    return self.after(ground, part, (chain, at, from), walk, course);
                }
                Some(Part::Comes(_) | Part::Leads(..) | Part::Ends(_) | Part::Becomes(..)) | None => {
                    return Ok(self.ran(ground, list, (key, next), walk));
                }
            }
        }
        Ok(self.ran(ground, list, (key, at + from.len()), walk))
    }

    fn ran(&mut self, ground: &mut Ground, list: Vec<Step>, (key, next): (Run, usize), walk: &mut Walk) -> Next {
        let said = ground.said(list);
        self.runs.insert(key, (said, next));
        walk.open.push(Step::Sub(said).into());
        Next::At(next)
    }

    /// What a rule says that is not told apart from those around it.
    fn after(
        &mut self,
        ground: &mut Ground,
        part: Part,
        (chain, at, from): (usize, usize, &[Ready<'t>]),
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<Next, OverBudget> {
        match part {
            Part::Nothing => Ok(Next::At(at + 1)),
            Part::Says(step) => {
                walk.open.push(step.into());
                Ok(if ground.says_all(step) { Next::End } else { Next::At(at + 1) })
            }
            Part::Ends(said) => {
                walk.open.push(Step::Sub(said).into());
                Ok(Next::End)
            }
            part @ Part::Leads(..) => {
                let part = self.told(ground, part)?;
                self.after(ground, part, (chain, at, from), walk, course)
            }
            Part::Becomes(None, next) if next.past == walk.state.past => {
                self.settle_marks(ground, walk, course)?;
                walk.state = next;
                Ok(Next::At(at + 1))
            }
            Part::Comes(_) | Part::Becomes(..)
                if !walk.others.is_empty() && from.iter().any(|rule| rule.reads.has_mark()) =>
            {
                Ok(self.lost_mark(ground, chain, walk))
            }
            Part::Comes(_) | Part::Becomes(..) => {
                self.consulted = from.iter().fold(self.consulted, |all, rule| all.and(rule.reads));
                // What is left on packets by one rule may be what the next one asks for.
                let state = walk.state.clone();
                let whole = self.list(ground, from, Vec::new(), &state, course.context)?;
                walk.open.push(Step::Sub(whole).into());
                Ok(Next::End)
            }
        }
    }

    /// Into a chain, where the context says that all packets go there.
    fn led(
        &mut self,
        ground: &mut Ground,
        rule: &Ready<'t>,
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<Option<Next>, OverBudget> {
        let (Verdict::Goto(_), Some(number)) = (rule.verdict, rule.leads) else { return Ok(None) };
        let plain = rule.effects.is_empty() && rule.unknown.is_none() && walk.gone < 64;
        if !plain || !self.is_for_all(ground, rule, &walk.state, course.context)? {
            return Ok(None);
        }
        if self.splits {
            self.flush(ground, walk, course, false)?;
        }
        Ok(Some(Next::Into(number)))
    }

    /// Closes what is open: a part of its own.
    pub(super) fn flush(
        &mut self,
        ground: &mut Ground,
        walk: &mut Walk,
        course: Course<'_>,
        last: bool,
    ) -> Result<(), OverBudget> {
        let Course { base, policy, .. } = course;
        let open = std::mem::take(&mut walk.open);
        if open.is_empty() && !(last && policy == Policy::Drop) {
            return Ok(());
        }
        let (whole, kept) = match *open {
            [Open { step: Step::Sub(said), keeps }] if keeps.is_none_or(|keeps| keeps == walk.state.mark) => {
                (said, keeps)
            }
            _ => {
                let (list, kept) = unmarked(ground, open, walk.state.mark)?;
                (ground.said(list), kept)
            }
        };
        let key = Key {
            whole,
            mark: if kept.is_some() { 0 } else { walk.state.mark },
            packets: (base.sees, base.counts),
            splits: self.splits,
            last: last.then_some(policy),
            policy,
        };
        let (part, marks) = match self.closed.get(&key) {
            Some(known) => known.clone(),
            None => {
                let made = closed(ground, &key)?;
                self.closed.insert(key, made.clone());
                made
            }
        };
        let marks = match kept {
            Some(mark) if !marks.is_empty() => [mark].into(),
            Some(_) | None => marks,
        };
        if !marks.is_empty() && !walk.is_marked(&marks) {
            let all: Vec<u32> = marks.iter().chain(&walk.others).copied().collect();
            walk.marked(&all);
        }
        if !ground.is_all(part, pass()) {
            walk.parts.push(part);
        }
        Ok(())
    }
}

/// Whether a rule is for no packet of a mark, whatever else it asks.
fn is_of_other_mark(rule: &Ready<'_>, mark: u32) -> bool {
    let misses = |condition: &Condition| match condition {
        Condition::Mark { mask, value, negated } => (mark & mask == *value) == *negated,
        Condition::Packet(_)
        | Condition::Outer(_)
        | Condition::Port { .. }
        | Condition::Keyed { .. }
        | Condition::FromBridge(_)
        | Condition::ToBridge(_)
        | Condition::Bridged(_)
        | Condition::Above(_)
        | Condition::Opaque(_) => false,
    };
    rule.others.iter().any(misses)
}

impl Walk {
    /// Whether packets have one of these marks already, and nothing else.
    fn is_marked(&self, marks: &[u32]) -> bool {
        marks == [self.state.mark] && self.others.is_empty() && self.state.past.is_none()
    }

    /// Packets have one of these marks from here on.
    pub(super) fn marked(&mut self, marks: &[u32]) {
        let mut marks: Vec<u32> = marks.to_vec();
        marks.sort_unstable();
        marks.dedup();
        let mut marks = marks.into_iter();
        self.state = State { mark: marks.next().unwrap_or_default(), ..State::default() };
        self.others = marks.collect();
    }
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
