//! The marks of packets on their way through a base chain.
//!
//! Most rules neither ask for marks nor change them, and say the same of packets of every mark. Such a rule is asked once, and its
//! labels say no mark; which one its packets keep stands beside it.

use crate::analysis::sets::{Label, OverBudget, PacketSet};

use super::back::by;
use super::outcome::{Exit, Outcome, State};
use super::ready::Ready;
use super::run::{BACK, Ground, Loaded, Part};
use super::said::Step;
use super::walk::{Course, Next, Walk};

/// A step of a part that is not closed yet.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) step: Step,
    /// The mark that its packets keep, where it asks for none: its labels do not say it, so that it is the same for every mark.
    pub(super) keeps: Option<u32>,
}

impl From<Step> for Open {
    fn from(step: Step) -> Self {
        Self { step, keeps: None }
    }
}

impl<'t> Loaded<'t> {
    /// A rule that neither asks for marks nor changes them says the same of packets of every mark: it is asked once. Nothing where
    /// it does more than to decide.
    pub(super) fn markless(
        &mut self,
        ground: &mut Ground,
        (chain, at, rule): (usize, usize, &Ready<'t>),
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<Option<Next>, OverBudget> {
        let mark = walk.state.mark;
        if self.splits || mark == 0 || rule.reads.has_mark() {
            return Ok(None);
        }
        let unmarked = State { mark: 0, ..walk.state.clone() };
        let step = match self.asked(ground, (chain, at, rule), &unmarked, course.context)? {
            Part::Nothing => return Ok(Some(Next::At(at + 1))),
            Part::Says(step) => step,
            Part::Ends(said) => Step::Sub(said),
            Part::Comes(_) | Part::Leads(..) | Part::Becomes(..) => return Ok(None),
        };
        walk.open.push(Open { step, keeps: Some(mark) });
        Ok(Some(if ground.says_all(step) { Next::End } else { Next::At(at + 1) }))
    }

    /// A rule that looks at marks or changes them, where packets may have several: it may change those of all.
    pub(super) fn of_marks(
        &mut self,
        ground: &mut Ground,
        (chain, at): (usize, usize),
        rule: &Ready<'t>,
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<Next, OverBudget> {
        let mut marks = Vec::new();
        for mark in std::iter::once(walk.state.mark).chain(walk.others.iter().copied()) {
            let state = State { mark, ..walk.state.clone() };
            match self.part(ground, rule, &state, course.context)? {
                Part::Nothing => marks.push(mark),
                Part::Becomes(None, next) if next.past == state.past => {
                    marks.push(next.mark);
                }
                Part::Says(_) | Part::Comes(_) | Part::Leads(..) | Part::Ends(_) | Part::Becomes(..) => {
                    return Ok(self.lost_mark(ground, chain, walk));
                }
            }
        }
        self.settle_marks(ground, walk, course)?;
        walk.marked(&marks);
        Ok(Next::At(at + 1))
    }

    /// Before packets get another mark: those that are gone by then keep the one they had.
    pub(super) fn settle_marks(
        &mut self,
        ground: &mut Ground,
        walk: &mut Walk,
        course: Course<'_>,
    ) -> Result<(), OverBudget> {
        if self.splits { self.flush(ground, walk, course, false) } else { leave_as_they_are(ground, walk) }
    }

    /// A rule whose answer depends on a mark that only some packets have.
    pub(super) fn lost_mark(&mut self, ground: &mut Ground, chain: usize, walk: &mut Walk) -> Next {
        let words = "a mark that only some of the packets have which come here".to_owned();
        let exit = Exit::Unknown(self.lost(chain, words));
        let label = ground.outcomes.label(Outcome { exit, state: walk.state.clone() });
        walk.open.push(Step::One(PacketSet::ALL, label).into());
        Next::End
    }
}

/// Packets that went back are gone: what they have on them is what they had then.
fn leave_as_they_are(ground: &mut Ground, walk: &mut Walk) -> Result<(), OverBudget> {
    for one in &mut walk.open {
        let said = ground.said([one.step]);
        if !ground.labels(said).contains(&BACK) {
            continue;
        }
        let mark = if one.keeps.is_some() { 0 } else { walk.state.mark };
        let gone = ground.outcomes.label(Outcome { exit: Exit::Leave, state: State { mark, ..walk.state.clone() } });
        one.step = Step::Sub(ground.renamed(said, &by(&[(BACK, gone)]))?);
    }
    Ok(())
}

/// Open steps as a list, and the mark that all packets keep which it lets on, where none of its labels says it; `last` is that of
/// packets behind them.
pub(super) fn unmarked(
    ground: &mut Ground,
    open: Vec<Open>,
    last: u32,
) -> Result<(Vec<Step>, Option<u32>), OverBudget> {
    let Some(mark) = open.iter().find_map(|one| one.keeps) else {
        return Ok((open.into_iter().map(|one| one.step).collect(), None));
    };
    let mut list = Vec::with_capacity(open.len());
    for one in open.iter().filter(|_| last == mark) {
        match one.keeps {
            Some(keeps) if keeps == mark => list.push(one.step),
            Some(_) => break,
            None => match keeping(ground, one.step, mark)? {
                Some(step) => list.push(step),
                None => break,
            },
        }
    }
    if list.len() == open.len() {
        return Ok((list, Some(mark)));
    }
    let marked = open.into_iter().map(|one| match one.keeps {
        Some(keeps) => marked(ground, one.step, (0, keeps)),
        None => Ok(one.step),
    });
    Ok((marked.collect::<Result<_, _>>()?, None))
}

/// A step whose labels do not say a mark, where that is the mark of all packets that it lets on.
fn keeping(ground: &mut Ground, step: Step, mark: u32) -> Result<Option<Step>, OverBudget> {
    let said = ground.said([step]);
    let keeps = |label: &Label| match ground.outcomes.outcome(*label) {
        Some(Outcome { exit: Exit::Drop | Exit::Reject | Exit::Answer(_) | Exit::Queue(_), .. }) => true,
        Some(Outcome { state, .. }) => state.mark == mark,
        None => true,
    };
    if !ground.labels(said).iter().all(keeps) {
        return Ok(None);
    }
    marked(ground, step, (mark, 0)).map(Some)
}

/// A step for packets of another mark.
fn marked(ground: &mut Ground, step: Step, (from, to): (u32, u32)) -> Result<Step, OverBudget> {
    let said = ground.said([step]);
    let mut becomes = Vec::new();
    for label in ground.labels(said).iter().copied() {
        if let Some(Outcome { exit, state }) = ground.outcomes.outcome(label)
            && state.mark == from
        {
            let state = State { mark: to, ..state };
            becomes.push((label, ground.outcomes.label(Outcome { exit, state })));
        }
    }
    Ok(Step::Sub(ground.renamed(said, &by(&becomes))?))
}
