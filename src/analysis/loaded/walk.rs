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

use super::closed::{Key, Policy, closed};
use super::context::{Context, Seen};
use super::outcome::State;
use super::ready::{Reads, Ready};
use super::run::{Ground, Loaded, Part};

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

impl Passage {
    /// Of packets that nothing is done with.
    #[must_use]
    pub const fn nothing(mark: u32) -> Self {
        Self { parts: Vec::new(), of_sender: Vec::new(), mark: Some(mark) }
    }
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
}

/// How the walk goes on.
enum Step {
    /// With the rule of this place.
    At(usize),
    Into(usize),
    End,
}

/// A base chain on the way of packets, and what is known of these.
#[derive(Clone, Copy)]
struct Course<'c> {
    base: Base<'c>,
    context: &'c Context,
    /// What becomes of packets that come to the end.
    policy: Policy,
}

/// Neighbouring rules that ask nothing of the context: what they say together, and where the next one stands.
pub(super) type Runs = HashMap<Run, (Diagram, usize)>;

/// Where neighbouring rules begin, the state in which packets come there, and what the context decides.
type Run = (usize, usize, State, Reads);

/// Passages through base chains.
pub(super) type Passages = HashMap<(usize, u32, Seen, (PacketSet, PacketSet), bool), Arc<Passage>>;

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
        let seen = Seen::new(self.chains.reads(start), context);
        let key = (start, mark, seen, (base.sees, base.counts), base.splits);
        if let Some(known) = self.passages.get(&key) {
            return Ok(Arc::clone(known));
        }
        self.decided = Reads::decided(context);
        let policy = match self.table.chains.get(base.chain).and_then(|chain| chain.base.as_ref()) {
            Some(chain) if chain.policy == Verdict::Drop => Policy::Drop,
            Some(_) => Policy::Accept,
            None => Policy::Back,
        };
        let found = Arc::new(self.walked(ground, (start, mark), Course { base, context, policy })?);
        self.passages.insert(key, Arc::clone(&found));
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
            open: FirstMatch::default(),
            parts: Vec::new(),
            of_sender: Vec::new(),
            marks: Arc::new([]),
            next: Some(start),
            gone: 0,
        };
        while let Some(chain) = walk.next.take() {
            let rules = self.chains.rules(chain);
            let mut at = 0;
            walk.gone += 1;
            while let Some(from) = rules.get(at..).filter(|from| !from.is_empty()) {
                match self.step(ground, (chain, at), from, &mut walk, course)? {
                    Step::At(next) => at = next,
                    Step::Into(chain) => {
                        walk.next = Some(chain);
                        break;
                    }
                    Step::End => break,
                }
            }
        }
        self.flush(ground, &mut walk, course, true)?;
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
        (chain, at): (usize, usize),
        from: &[Ready<'t>],
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<Step, OverBudget> {
        let Some(rule) = from.first() else { return Ok(Step::End) };
        let reads = self.chains.rule_reads(rule);
        let on = Ok(Step::At(at + 1));
        if !reads.is_decided(self.decided) {
            return self.run(ground, (chain, at), from, walk, course);
        }
        // What is asked of the sender is told for all its packets, wherever they go.
        let of_sender = reads.has_source(self.chains.program);
        let everywhere = (course.context.towards.is_some() && of_sender)
            .then(|| Context { towards: None, ..course.context.clone() });
        let here = Course { context: everywhere.as_ref().unwrap_or(course.context), ..course };
        let decided = self.decided;
        if everywhere.is_some() {
            self.decided = decided.everywhere();
        }
        let led = if course.base.splits { self.led(ground, rule, walk, here)? } else { None };
        let part =
            if led.is_some() { Part::Nothing } else { self.asked(ground, (chain, at), rule, walk, here.context)? };
        self.decided = decided;
        if let Some(step) = led {
            return Ok(step);
        }
        match part {
            Part::Nothing => on,
            Part::Says(diagram) | Part::Comes(diagram) if course.base.splits => {
                self.flush(ground, walk, course, false)?;
                walk.open.push(diagram);
                let before = walk.parts.len();
                self.flush(ground, walk, course, false)?;
                if of_sender {
                    walk.of_sender.extend(walk.parts.get(before..).unwrap_or_default().iter().copied());
                }
                on
            }
            part @ (Part::Says(_) | Part::Comes(_) | Part::Leads(..) | Part::Ends(_) | Part::Becomes(..)) => {
                self.after(ground, part, (from, at), walk, course)
            }
        }
    }

    /// The same answer for all packets of which the rule asks the same.
    fn asked(
        &mut self,
        ground: &mut Ground,
        (chain, at): (usize, usize),
        rule: &Ready<'t>,
        walk: &Walk,
        context: &Context,
    ) -> Result<Part, OverBudget> {
        let reads = self.chains.rule_reads(rule);
        let key = (chain, at, walk.state.clone(), Seen::new(reads, context));
        if let Some(known) = self.asked.get(&key) {
            return Ok(known.clone());
        }
        let part = self.part(ground, rule, &walk.state, context)?;
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
    ) -> Result<Step, OverBudget> {
        let key = (chain, at, walk.state.clone(), self.decided);
        if let Some((diagram, next)) = self.runs.get(&key) {
            walk.open.push(*diagram);
            return Ok(Step::At(*next));
        }
        let mut list = FirstMatch::default();
        for (rule, next) in from.iter().zip(at..) {
            let reads = self.chains.rule_reads(rule);
            let part = if reads.is_decided(self.decided) {
                None
            } else {
                let part = self.part(ground, rule, &walk.state, course.context)?;
                Some(self.told(ground, part)?)
            };
            match part {
                Some(Part::Nothing) => {}
                Some(Part::Says(diagram)) => list.push(diagram),
                Some(part) if list.is_empty() && next == at => {
                    return self.after(ground, part, (from, at), walk, course);
                }
                Some(Part::Comes(_) | Part::Leads(..) | Part::Ends(_) | Part::Becomes(..)) | None => {
                    return self.ran(ground, list, (key, next), walk);
                }
            }
        }
        self.ran(ground, list, (key, at + from.len()), walk)
    }

    fn ran(
        &mut self,
        ground: &mut Ground,
        list: FirstMatch,
        (key, next): (Run, usize),
        walk: &mut Walk,
    ) -> Result<Step, OverBudget> {
        let diagram = list.diagram(&mut ground.sets)?;
        self.runs.insert(key, (diagram, next));
        walk.open.push(diagram);
        Ok(Step::At(next))
    }

    /// What a rule says that is not told apart from those around it.
    fn after(
        &mut self,
        ground: &mut Ground,
        part: Part,
        (from, at): (&[Ready<'t>], usize),
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<Step, OverBudget> {
        match part {
            Part::Nothing => Ok(Step::At(at + 1)),
            Part::Says(diagram) => {
                walk.open.push(diagram);
                Ok(match diagram.label() {
                    Some(Label::NONE) | None => Step::At(at + 1),
                    Some(_) => Step::End,
                })
            }
            Part::Ends(diagram) => {
                walk.open.push(diagram);
                Ok(Step::End)
            }
            part @ Part::Leads(..) => {
                let part = self.told(ground, part)?;
                self.after(ground, part, (from, at), walk, course)
            }
            Part::Becomes(None, next) if next.logs == walk.state.logs && next.events == walk.state.events => {
                if course.base.splits {
                    self.flush(ground, walk, course, false)?;
                }
                walk.state = next;
                Ok(Step::At(at + 1))
            }
            Part::Comes(_) | Part::Becomes(..) => {
                // What is left on packets by one rule may be what the next one asks for.
                let state = walk.state.clone();
                let whole = self.list(ground, from, &state, course.context)?;
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
        course: Course<'_>,
    ) -> Result<Option<Step>, OverBudget> {
        let Verdict::Goto(name) = rule.verdict else { return Ok(None) };
        let Some(number) = self.chains.number(name) else { return Ok(None) };
        let plain = rule.effects.is_empty() && rule.unknown.is_none() && walk.gone < 64;
        if !plain || !self.is_for_all(ground, rule, &walk.state, course.context)? {
            return Ok(None);
        }
        self.flush(ground, walk, course, false)?;
        Ok(Some(Step::Into(number)))
    }

    /// Closes what is open: a part of its own.
    fn flush(
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
        let whole = open.diagram(&mut ground.sets)?;
        let key = Key {
            whole,
            mark: walk.state.mark,
            packets: (base.sees, base.counts),
            splits: base.splits,
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
