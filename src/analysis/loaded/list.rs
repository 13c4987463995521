//! What a list of rules says together: the first that decides a packet counts, and what one leaves on packets is known to those
//! behind it.

use crate::analysis::sets::{Label, OverBudget, PacketSet};

use super::Context;
use super::back::{by, left};
use super::outcome::{Exit, Outcome, State};
use super::ready::Ready;
use super::run::{BACK, Ground, Loaded, Part};
use super::said::{Said, Step};

impl<'t> Loaded<'t> {
    /// How packets leave a list of rules; `parts`: what is known already of rules from the first on.
    pub(super) fn list(
        &mut self,
        ground: &mut Ground,
        rules: &[Ready<'t>],
        parts: Vec<Option<Part>>,
        state: &State,
        context: &Context,
    ) -> Result<Said, OverBudget> {
        self.listed(ground, (rules, parts), state, context, PacketSet::ALL)
    }

    /// The same for some packets; what is said of others means nothing. A rule that logs stands before one that decides
    /// the same packets: those behind are not asked about them.
    fn some(
        &mut self,
        ground: &mut Ground,
        rules: &[Ready<'t>],
        state: &State,
        context: &Context,
        among: PacketSet,
    ) -> Result<Said, OverBudget> {
        self.listed(ground, (rules, Vec::new()), state, context, among)
    }

    fn listed(
        &mut self,
        ground: &mut Ground,
        (rules, mut parts): (&[Ready<'t>], Vec<Option<Part>>),
        state: &State,
        context: &Context,
        mut among: PacketSet,
    ) -> Result<Said, OverBudget> {
        let counts = among != PacketSet::ALL;
        let mut list: Vec<Step> = Vec::with_capacity(rules.len());
        for (at, rule) in rules.iter().enumerate() {
            let rest = rules.get(at + 1..).unwrap_or_default();
            let part = match parts.get_mut(at).and_then(Option::take) {
                Some(known) => known,
                None => self.part(ground, rule, state, context)?,
            };
            match part {
                Part::Nothing => {}
                Part::Comes(said) => {
                    let Some(settled) = self.settled(ground, said, (state, context), rest)? else {
                        list.extend(self.changed(ground, said, (state, context), rest, among)?);
                        break;
                    };
                    list.push(Step::Sub(settled));
                    if counts {
                        let decided = ground.members(settled)?;
                        among = ground.sets.difference(among, decided)?;
                    }
                }
                Part::Says(step) => {
                    list.push(step);
                    if ground.says_all(step) {
                        break;
                    }
                    if counts {
                        let decided = ground.said([step]);
                        let decided = ground.members(decided)?;
                        among = ground.sets.difference(among, decided)?;
                    }
                }
                Part::Ends(said) => {
                    list.push(Step::Sub(said));
                    break;
                }
                Part::Leads(set, said) => {
                    list.push(Step::Lead(set, said));
                    if counts {
                        among = ground.sets.difference(among, set)?;
                    }
                }
                Part::Becomes(set, next) => {
                    self.split = true;
                    let these = match set {
                        Some(set) => ground.sets.intersection(among, set)?,
                        None => among,
                    };
                    let then = self.some(ground, rest, &next, context, these)?;
                    let then = left(ground, then, &next, state)?;
                    let Some(set) = set else {
                        list.push(Step::Sub(then));
                        break;
                    };
                    list.push(Step::Sub(ground.within(set, then)?));
                    among = ground.sets.difference(among, set)?;
                }
            }
            if among.is_empty() {
                // Nobody is asked about the others: that they are without an answer is not to be looked at either.
                let last = list.last().copied();
                let said = ground.said(last);
                list.extend(ground.labels(said).first().map(|label| Step::One(PacketSet::ALL, *label)));
                break;
            }
        }
        Ok(ground.said(list))
    }

    /// What is led elsewhere as what is said.
    pub(super) fn told(&mut self, ground: &mut Ground, part: Part) -> Result<Part, OverBudget> {
        let Part::Leads(set, said) = part else { return Ok(part) };
        let whole = self.total(ground, said)?;
        Ok(Part::Says(Step::Sub(ground.within(set, whole)?)))
    }

    /// For a rule from which packets come back in other states, where the rules behind it do the same with all that are in such a
    /// state: they leave the list, or they are again as all others.
    fn settled(
        &mut self,
        ground: &mut Ground,
        said: Said,
        (state, context): (&State, &Context),
        rest: &[Ready<'t>],
    ) -> Result<Option<Said>, OverBudget> {
        let mut becomes = Vec::new();
        for label in ground.labels(said).iter().copied() {
            let Some(Outcome { exit: Exit::Return, state: next }) = ground.outcomes.outcome(label) else { continue };
            match self.settles(ground, (state, next), context, rest)? {
                Some(to) => becomes.push((label, to)),
                None => return Ok(None),
            }
        }
        self.split = true;
        ground.renamed(said, &by(&becomes)).map(Some)
    }

    /// What becomes of all packets that came back in state `now` where they came in `state`, by the rules behind.
    fn settles(
        &mut self,
        ground: &mut Ground,
        (state, mut now): (&State, State),
        context: &Context,
        rest: &[Ready<'t>],
    ) -> Result<Option<Label>, OverBudget> {
        for rule in rest {
            match self.part(ground, rule, &now, context)? {
                Part::Nothing => {}
                Part::Becomes(None, next) => now = next,
                Part::Says(step) => {
                    let said = ground.said([step]);
                    match ground.label(said) {
                        Some(BACK) => break,
                        Some(label) if label != Label::NONE => return Ok(Some(label)),
                        Some(_) | None => return Ok(None),
                    }
                }
                Part::Comes(_) | Part::Leads(..) | Part::Ends(_) | Part::Becomes(Some(_), _) => return Ok(None),
            }
        }
        if now != *state {
            return Ok(Some(ground.outcomes.label(Outcome { exit: Exit::Leave, state: now })));
        }
        // They would be through the rest again.
        for rule in rest {
            if !matches!(self.part(ground, rule, state, context)?, Part::Nothing) {
                return Ok(Some(BACK));
            }
        }
        Ok(Some(Label::NONE))
    }

    /// For a rule from which packets come back in other states: what it says, and what becomes of those, by the rules behind
    /// it.
    fn changed(
        &mut self,
        ground: &mut Ground,
        said: Said,
        (state, context): (&State, &Context),
        rest: &[Ready<'t>],
        among: PacketSet,
    ) -> Result<Vec<Step>, OverBudget> {
        let mut states = Vec::new();
        let diagram = ground.whole(said)?;
        for label in ground.sets.labels(diagram) {
            let outcome = ground.outcomes.outcome(label);
            if let Some(Outcome { exit: Exit::Return, state }) = outcome {
                states.push((label, state));
            }
        }
        self.split = true;
        let is_return = |wanted: Label| states.iter().any(|(label, _)| *label == wanted);
        let others = ground.sets.relabel(diagram, |label| if is_return(label) { Label::NONE } else { label })?;
        let mut parts = vec![Step::Some(others)];
        for (label, next) in &states {
            let set = ground.sets.select(diagram, |other| other == *label)?;
            let these = ground.sets.intersection(among, set)?;
            let then = self.some(ground, rest, next, context, these)?;
            let then = left(ground, then, next, state)?;
            parts.push(Step::Sub(ground.within(set, then)?));
        }
        let undecided = ground.sets.select(diagram, |label| label == Label::NONE)?;
        let these = ground.sets.intersection(among, undecided)?;
        parts.push(Step::Sub(self.some(ground, rest, state, context, these)?));
        Ok(parts)
    }
}
