//! What a list of rules says together: the first that decides a packet counts, and what one leaves on packets is known to those
//! behind it.

use crate::analysis::sets::{Diagram, FirstMatch, Label, OverBudget, PacketSet};
use crate::state::ruleset::Verdict;

use super::Context;
use super::back::left;
use super::outcome::{Exit, Outcome, State};
use super::ready::Ready;
use super::run::{BACK, Ground, Loaded, Part};

impl<'t> Loaded<'t> {
    /// How packets leave a list of rules.
    pub(super) fn list(
        &mut self,
        ground: &mut Ground,
        rules: &[Ready<'t>],
        state: &State,
        context: &Context,
    ) -> Result<Diagram, OverBudget> {
        self.some(ground, rules, state, context, PacketSet::ALL)
    }

    /// The same for some packets; what is said of others means nothing. A rule that logs stands before one that decides
    /// the same packets: those behind are not asked about them.
    fn some(
        &mut self,
        ground: &mut Ground,
        rules: &[Ready<'t>],
        state: &State,
        context: &Context,
        mut among: PacketSet,
    ) -> Result<Diagram, OverBudget> {
        let counts = among != PacketSet::ALL;
        let mut list = FirstMatch::default();
        for (at, rule) in rules.iter().enumerate() {
            let rest = rules.get(at + 1..).unwrap_or_default();
            match self.part(ground, rule, state, context)? {
                Part::Nothing => {}
                Part::Comes(diagram) => {
                    let Some(settled) = self.settled(ground, diagram, (state, context), rest)? else {
                        let parts = self.changed(ground, diagram, (state, context), rest, among)?;
                        parts.into_iter().for_each(|part| list.push(part));
                        break;
                    };
                    list.push(settled);
                    if counts {
                        let decided = ground.sets.select(settled, |label| label != Label::NONE)?;
                        among = ground.sets.difference(among, decided)?;
                    }
                }
                Part::Says(diagram) => {
                    list.push(diagram);
                    if diagram.label().is_some_and(|label| label != Label::NONE) {
                        break;
                    }
                    if counts {
                        let decided = ground.sets.select(diagram, |label| label != Label::NONE)?;
                        among = ground.sets.difference(among, decided)?;
                    }
                }
                Part::Ends(diagram) => {
                    list.push(diagram);
                    break;
                }
                // Two ways part here: told as such, nothing of what is led elsewhere is made twice.
                Part::Leads(set, diagram) if leading(rest) < FEW => {
                    let others = if counts { ground.sets.difference(among, set)? } else { among };
                    let then = self.some(ground, rest, state, context, others)?;
                    list.push(ground.sets.choose(set, diagram, then)?);
                    break;
                }
                part @ Part::Leads(..) => {
                    let Part::Says(diagram) = self.told(ground, part)? else { continue };
                    list.push(diagram);
                    if counts {
                        let decided = ground.sets.select(diagram, |label| label != Label::NONE)?;
                        among = ground.sets.difference(among, decided)?;
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
                        list.push(then);
                        break;
                    };
                    list.push(ground.sets.within(set, then)?);
                    among = ground.sets.difference(among, set)?;
                }
            }
            if among.is_empty() {
                break;
            }
        }
        list.diagram(&mut ground.sets)
    }

    /// What is led elsewhere as what is said.
    pub(super) fn told(&mut self, ground: &mut Ground, part: Part) -> Result<Part, OverBudget> {
        let Part::Leads(set, diagram) = part else { return Ok(part) };
        let whole = self.total(ground, diagram)?;
        ground.sets.within(set, whole).map(Part::Says)
    }

    /// For a rule from which packets come back in other states, where the very next rule ends it: all that came back so leave
    /// the list, or they are again as all others.
    fn settled(
        &mut self,
        ground: &mut Ground,
        diagram: Diagram,
        (state, context): (&State, &Context),
        rest: &[Ready<'t>],
    ) -> Result<Option<Diagram>, OverBudget> {
        let mut becomes = Vec::new();
        for label in ground.sets.labels(diagram) {
            let Some(Outcome { exit: Exit::Return, state: next }) = ground.outcomes.outcome(label) else { continue };
            let then = match rest.first() {
                Some(rule) => self.part(ground, rule, &next, context)?,
                None => Part::Says(Diagram::all(BACK)),
            };
            let to = match then {
                Part::Says(all) => match all.label() {
                    Some(BACK) => ground.outcomes.label(Outcome { exit: Exit::Leave, state: next }),
                    Some(label) if label != Label::NONE => label,
                    Some(_) | None => return Ok(None),
                },
                Part::Becomes(None, again) if again == *state && self.is_idle(ground, rest, state, context)? => {
                    Label::NONE
                }
                Part::Nothing | Part::Comes(_) | Part::Leads(..) | Part::Ends(_) | Part::Becomes(..) => {
                    return Ok(None);
                }
            };
            becomes.push((label, to));
        }
        self.split = true;
        let key = (diagram, becomes);
        if let Some(known) = self.settled.get(&key) {
            return Ok(Some(*known));
        }
        let renamed = |label| key.1.iter().find(|(old, _)| *old == label).map_or(label, |(_, new)| *new);
        let made = ground.sets.relabel(diagram, renamed)?;
        self.settled.insert(key, made);
        Ok(Some(made))
    }

    /// Whether the first of some rules does nothing with packets of a state.
    fn is_idle(
        &mut self,
        ground: &mut Ground,
        rules: &[Ready<'t>],
        state: &State,
        context: &Context,
    ) -> Result<bool, OverBudget> {
        let Some(rule) = rules.first() else { return Ok(true) };
        Ok(matches!(self.part(ground, rule, state, context)?, Part::Nothing))
    }

    /// For a rule from which packets come back in other states: what it says, and what becomes of those, by the rules behind
    /// it.
    fn changed(
        &mut self,
        ground: &mut Ground,
        diagram: Diagram,
        (state, context): (&State, &Context),
        rest: &[Ready<'t>],
        among: PacketSet,
    ) -> Result<Vec<Diagram>, OverBudget> {
        let mut states = Vec::new();
        for label in ground.sets.labels(diagram) {
            let outcome = ground.outcomes.outcome(label);
            if let Some(Outcome { exit: Exit::Return, state }) = outcome {
                states.push((label, state));
            }
        }
        self.split = true;
        let is_return = |wanted: Label| states.iter().any(|(label, _)| *label == wanted);
        let mut parts = vec![ground.sets.relabel(diagram, |label| if is_return(label) { Label::NONE } else { label })?];
        for (label, next) in &states {
            let set = ground.sets.select(diagram, |other| other == *label)?;
            let these = ground.sets.intersection(among, set)?;
            let then = self.some(ground, rest, next, context, these)?;
            let then = left(ground, then, next, state)?;
            parts.push(ground.sets.within(set, then)?);
        }
        let undecided = ground.sets.select(diagram, |label| label == Label::NONE)?;
        let these = ground.sets.intersection(among, undecided)?;
        parts.push(self.some(ground, rest, state, context, these)?);
        Ok(parts)
    }
}

/// Rules of one list that lead elsewhere, up to which they are told as ways that part.
const FEW: usize = 4;

/// How many rules lead elsewhere, as far as that matters.
fn leading(rules: &[Ready<'_>]) -> usize {
    rules.iter().filter(|rule| matches!(rule.verdict, Verdict::Goto(_))).take(FEW).count()
}
