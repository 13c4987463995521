//! Whether rules mean what a policy says.

use crate::analysis::sets::{Diagram, Field, Label, OverBudget, PacketSet, Sets};
use crate::net::{Family, Ranges};
use crate::policy::State as Connection;

use super::outcome::{Exit, Outcome, State};
use super::run::{Ground, Loaded};
use super::walk::pass;

/// Where rules and policy differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// For these packets.
    pub packets: PacketSet,
    /// What the rules do with each.
    pub found: Diagram,
    /// What the policy says of each.
    pub meant: Diagram,
    /// Packets that come to rules which are not understood; they are none of the others.
    pub unknown: PacketSet,
}

/// What rules do and what hooks say, both in their order.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'d> {
    /// Of the rules.
    pub found: &'d [Diagram],
    /// Of the policy.
    pub meant: &'d [Diagram],
    /// The packets that matter.
    pub among: PacketSet,
}

/// Compares; nothing where they are the same for every packet.
///
/// # Errors
/// Over budget.
pub fn difference(
    ground: &mut Ground,
    loaded: &Loaded<'_>,
    sides: Sides<'_>,
) -> Result<Option<Difference>, OverBudget> {
    if is_alike(ground, sides)? {
        return Ok(None);
    }
    let found = product(ground, sides.found)?;
    let meant = product(ground, sides.meant)?;
    let (found, meant) = (spelled_out(ground, loaded, found)?, spelled_out(ground, loaded, meant)?);
    let Ground { sets, outcomes, .. } = ground;
    let is_unknown = |label: Label| matches!(outcomes.outcome(label), Some(Outcome { exit: Exit::Unknown(_), .. }));
    let unknown = sets.select(found, is_unknown)?;
    let unknown = sets.intersection(unknown, sides.among)?;
    let differing = sets.differing(found, meant)?;
    let differing = sets.intersection(differing, sides.among)?;
    let packets = sets.difference(differing, unknown)?;
    let equal = packets.is_empty() && unknown.is_empty();
    Ok((!equal).then_some(Difference { packets, found, meant, unknown }))
}

/// Whether a hook accepts all packets of known connections, in silence.
///
/// # Errors
/// Over budget.
pub fn passes_established(sets: &mut Sets, hook: Diagram, among: PacketSet) -> Result<bool, OverBudget> {
    let established = established(sets)?;
    let established = sets.intersection(established, among)?;
    let said = sets.within(established, hook)?;
    Ok(said == sets.within(established, Diagram::all(pass()))?)
}

/// Packets of known connections.
fn established(sets: &mut Sets) -> Result<PacketSet, OverBudget> {
    let known = [Connection::Established, Connection::Related].map(Field::of_state);
    let values = Ranges::from_ranges(known.into_iter().map(|number| (number, number)));
    let one = sets.fields(Family::V4, &[(Field::State, values)], Label::new(1))?;
    sets.select(one, |label| label == Label::new(1))
}

/// Whether both are the same one by one. What rules accept for good may be what all later hooks accept anyway: packets of
/// known connections.
///
/// # Errors
/// Over budget.
pub fn is_alike(ground: &mut Ground, Sides { found, meant, among }: Sides<'_>) -> Result<bool, OverBudget> {
    let found = restricted(ground, found, among)?;
    let restricted = restricted(ground, meant, among)?;
    if found.len() != restricted.len() {
        return Ok(false);
    }
    for (at, (part, hook)) in found.iter().zip(&restricted).enumerate() {
        if part == hook {
            continue;
        }
        let (plain, for_good) = for_good(ground, *part)?;
        if plain != *hook {
            return Ok(false);
        }
        let later = restricted.get(at + 1..).unwrap_or_default();
        let known = established(&mut ground.sets)?;
        if !later.is_empty() && !ground.sets.is_subset(for_good, known)? {
            return Ok(false);
        }
        for hook in later {
            if !passes_established(&mut ground.sets, *hook, among)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Those that do something with the packets that matter, as far as it is about these.
fn restricted(ground: &mut Ground, all: &[Diagram], among: PacketSet) -> Result<Vec<Diagram>, OverBudget> {
    let everything = ground.sets.within(among, Diagram::all(pass()))?;
    let mut restricted = Vec::with_capacity(all.len());
    for one in all {
        let one = ground.sets.within(among, *one)?;
        if one != everything {
            restricted.push(one);
        }
    }
    Ok(restricted)
}

/// What is accepted for good taken for what is accepted, and which packets these are.
///
/// # Errors
/// Over budget.
pub fn for_good(ground: &mut Ground, part: Diagram) -> Result<(Diagram, PacketSet), OverBudget> {
    if let Some(known) = ground.for_good.get(&part) {
        return Ok(*known);
    }
    let Ground { sets, outcomes, for_good } = ground;
    let mut becomes = Vec::new();
    for label in sets.labels(part) {
        if let Some(Outcome { exit: Exit::Final, state }) = outcomes.outcome(label) {
            becomes.push((label, outcomes.label(Outcome { exit: Exit::Accept, state })));
        }
    }
    let found = if becomes.is_empty() {
        (part, PacketSet::EMPTY)
    } else {
        let is_final = |label: Label| becomes.iter().find(|(old, _)| *old == label).map(|(_, new)| *new);
        let set = sets.select(part, |label| is_final(label).is_some())?;
        (sets.relabel(part, |label| is_final(label).unwrap_or(label))?, set)
    };
    for_good.insert(part, found);
    Ok(found)
}

/// All in one: what each passes on is decided by the next.
fn product(ground: &mut Ground, parts: &[Diagram]) -> Result<Diagram, OverBudget> {
    let mut whole = Diagram::all(pass());
    for part in parts.iter().rev() {
        let mut result = *part;
        for label in ground.sets.labels(*part) {
            let Some(Outcome { exit: Exit::Accept, state }) = ground.outcomes.outcome(label) else { continue };
            let passed = ground.sets.select(*part, |other| other == label)?;
            let then = logged(ground, whole, &state)?;
            let then = ground.sets.within(passed, then)?;
            result = ground.sets.over(then, result)?;
        }
        whole = result;
    }
    let (whole, _) = for_good(ground, whole)?;
    Ok(whole)
}

/// What is decided behind a part that left something on packets.
fn logged(ground: &mut Ground, whole: Diagram, before: &State) -> Result<Diagram, OverBudget> {
    if *before == State::default() {
        return Ok(whole);
    }
    let Ground { sets, outcomes, .. } = ground;
    let mut becomes = Vec::new();
    for label in sets.labels(whole) {
        let Some(Outcome { exit, state }) = outcomes.outcome(label) else { continue };
        let logs = before.logs.iter().chain(&state.logs).copied().collect();
        let events = before.events.iter().chain(&state.events).cloned().collect();
        becomes.push((label, outcomes.label(Outcome { exit, state: State { logs, events, mark: state.mark } })));
    }
    sets.relabel(whole, |label| becomes.iter().find(|(old, _)| *old == label).map_or(label, |(_, new)| *new))
}

/// Rejections as all that they do.
fn spelled_out(ground: &mut Ground, loaded: &Loaded<'_>, whole: Diagram) -> Result<Diagram, OverBudget> {
    let mut result = whole;
    for label in ground.sets.labels(whole) {
        let Some(Outcome { exit: Exit::Reject, state }) = ground.outcomes.outcome(label) else { continue };
        let packets = ground.sets.select(whole, |other| other == label)?;
        let rejection = loaded.rejection(ground, &state)?;
        let rejection = ground.sets.within(packets, rejection)?;
        result = ground.sets.over(rejection, result)?;
    }
    Ok(result)
}
