//! Whether rules mean what a policy says.

use std::borrow::Cow;
use std::sync::Arc;

use crate::analysis::sets::{Diagram, Field, Label, OverBudget, PacketSet};
use crate::net::{Family, Ranges};
use crate::policy::State as Connection;

use super::back::by;
use super::outcome::{Exit, Outcome, State};
use super::run::{Ground, Loaded};
use super::said::Said;
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
    pub found: &'d [Said],
    /// Of the policy.
    pub meant: &'d [Said],
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
    let (found, meant) = (wholes(ground, sides.found)?, wholes(ground, sides.meant)?);
    let found = product(ground, &found)?;
    let meant = product(ground, &meant)?;
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
pub fn passes_established(ground: &mut Ground, hook: Said, among: PacketSet) -> Result<bool, OverBudget> {
    if let Some(known) = ground.established.get(&(hook, among)) {
        return Ok(*known);
    }
    let packets = established(ground)?;
    let packets = ground.sets.intersection(packets, among)?;
    let passes = match ground.passes_all(hook, packets)? {
        Some(passes) => passes,
        None => {
            let whole = ground.whole(hook)?;
            let said = ground.sets.within(packets, whole)?;
            said == ground.sets.within(packets, Diagram::all(pass()))?
        }
    };
    ground.established.insert((hook, among), passes);
    Ok(passes)
}

/// Packets of known connections.
fn established(ground: &mut Ground) -> Result<PacketSet, OverBudget> {
    if let Some(found) = ground.of_connections {
        return Ok(found);
    }
    let known = [Connection::Established, Connection::Related].map(Field::of_state);
    let values = Ranges::from_ranges(known.into_iter().map(|number| (number, number)));
    let found = ground.sets.having(Family::V4, &[(Field::State, values)])?;
    ground.of_connections = Some(found);
    Ok(found)
}

/// Whether both are the same one by one. What rules accept for good may be what all later hooks accept anyway: packets of
/// known connections.
fn is_alike(ground: &mut Ground, sides: Sides<'_>) -> Result<bool, OverBudget> {
    Ok(is_seen_alike(ground, sides)? || is_whole_alike(ground, sides)?)
}

/// Whether two lists are seen to say the same of every packet.
///
/// # Errors
/// Over budget.
pub fn says_same(ground: &mut Ground, one: Said, other: Said) -> Result<bool, OverBudget> {
    ground.is_same(one, other, PacketSet::ALL)
}

/// Whether that is seen from their steps.
///
/// # Errors
/// Over budget.
pub fn is_seen_alike(ground: &mut Ground, Sides { found, meant, among }: Sides<'_>) -> Result<bool, OverBudget> {
    let (found, meant) = (doing(ground, found), doing(ground, meant));
    if found.len() != meant.len() {
        return Ok(false);
    }
    for (at, (part, hook)) in found.iter().zip(meant.iter()).enumerate() {
        if !is_same_behind(ground, (*part, *hook), meant.get(..at).unwrap_or_default(), among)? {
            return Ok(false);
        }
        let later = meant.get(at + 1..).unwrap_or_default();
        if later.is_empty() {
            continue;
        }
        let Some(for_good) = ground.accepted_for_good(*part)? else { return Ok(false) };
        if !passes_later(ground, for_good, later, among)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Those that do something; mostly that is all of them.
fn doing<'d>(ground: &Ground, all: &'d [Said]) -> Cow<'d, [Said]> {
    let passes = |said: &Said| ground.is_all(*said, pass());
    if all.iter().any(passes) { all.iter().filter(|said| !passes(said)).copied().collect() } else { all.into() }
}

/// Whether a part and a hook say the same of what others before them pass on: what is decided before does not come here.
fn is_same_behind(
    ground: &mut Ground,
    (part, hook): (Said, Said),
    before: &[Said],
    among: PacketSet,
) -> Result<bool, OverBudget> {
    // Where it is known what comes here, nobody need be asked about more.
    if before.iter().all(|hook| ground.passed.contains_key(hook))
        && let Some(comes) = passed_on(ground, before, among)?
    {
        return ground.is_same(part, hook, comes);
    }
    if ground.is_same(part, hook, among)? {
        return Ok(true);
    }
    match passed_on(ground, before, among)? {
        Some(comes) if comes != among => ground.is_same(part, hook, comes),
        Some(_) | None => Ok(false),
    }
}

/// Of some packets, those that hooks pass on; none where their steps do not tell.
fn passed_on(ground: &mut Ground, hooks: &[Said], among: PacketSet) -> Result<Option<PacketSet>, OverBudget> {
    let mut comes = among;
    for hook in hooks {
        let Some(passed) = ground.passed(*hook)? else { return Ok(None) };
        comes = ground.sets.intersection(comes, passed)?;
    }
    Ok(Some(comes))
}

/// Whether packets that are accepted for good are those that all later hooks accept.
fn passes_later(
    ground: &mut Ground,
    for_good: PacketSet,
    later: &[Said],
    among: PacketSet,
) -> Result<bool, OverBudget> {
    let for_good = ground.sets.intersection(for_good, among)?;
    if for_good.is_empty() {
        return Ok(true);
    }
    let known = established(ground)?;
    if !ground.sets.is_subset(for_good, known)? {
        return Ok(false);
    }
    for hook in later {
        if !passes_established(ground, *hook, among)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The same, for diagrams of all steps.
fn is_whole_alike(ground: &mut Ground, Sides { found, meant, among }: Sides<'_>) -> Result<bool, OverBudget> {
    let (found, hooks) = (wholes(ground, found)?, wholes(ground, meant)?);
    let found = restricted(ground, &found, among)?;
    let restricted = restricted(ground, &hooks, among)?;
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
        if later.is_empty() {
            continue;
        }
        let later: Vec<Said> = later.iter().map(|hook| ground.of_diagram(*hook)).collect();
        if !passes_later(ground, for_good, &later, among)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn wholes(ground: &mut Ground, all: &[Said]) -> Result<Vec<Diagram>, OverBudget> {
    all.iter().map(|said| ground.whole(*said)).collect()
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

/// Whether packets are accepted for good.
///
/// # Errors
/// Over budget.
pub fn accepts_for_good(ground: &mut Ground, said: Said) -> Result<bool, OverBudget> {
    if ground.accepted_for_good(said)? == Some(PacketSet::EMPTY) {
        return Ok(false);
    }
    let whole = ground.whole(said)?;
    Ok(!for_good(ground, whole)?.1.is_empty())
}

/// What is accepted for good taken for what is accepted, and which packets these are.
fn for_good(ground: &mut Ground, part: Diagram) -> Result<(Diagram, PacketSet), OverBudget> {
    if let Some(known) = ground.for_good.get(&part) {
        return Ok(*known);
    }
    let Ground { sets, outcomes, for_good, .. } = ground;
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
        let Some(Outcome { exit, state: after }) = outcomes.outcome(label) else { continue };
        let mut state = State { mark: after.mark, ..before.clone() };
        after.logs().iter().for_each(|level| state.log(*level));
        after.events().iter().for_each(|words| state.event(Arc::clone(words)));
        becomes.push((label, outcomes.label(Outcome { exit, state })));
    }
    sets.relabel(whole, by(&becomes))
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
