//! All packets at once.
//!
//! In: what every hook on a way says about all packets, and the packets of a claim on it. Out: what these are to an
//! expectation, with one that shows it. Nothing is sampled; where the hooks or the packets are split in too many ways the
//! answer is [`OverBudget`].

use std::sync::Arc;

use crate::net::Family;
use crate::policy::{Clause, Service, Stage, Verdict};

use super::ends::World;
use super::limit::Allowance;
use super::sample::Found;
use super::space::Ends;
use super::{Claim, Guard, Weight, guard, weigh};
use crate::analysis::judge::Judge;
use crate::analysis::sets::{Budget, Diagram, Frozen, Interfaces, Label, OverBudget, Sets, Walk};

/// What a step of a walk is in comparisons of a packet with a condition.
const STEP: u64 = 10;

/// What packets pass on with.
const PASS: Label = Label::new(0);

const GUARDS: [Guard; 3] = [Guard::Rules, Guard::Protective, Guard::Noise];
const STOPS: [Verdict; 2] = [Verdict::Drop, Verdict::Reject];

/// Every label, and what it says.
fn labels() -> impl Iterator<Item = (Label, Verdict, Guard)> {
    let stops = STOPS.into_iter().flat_map(|verdict| GUARDS.into_iter().map(move |guard| (verdict, guard)));
    std::iter::once((Verdict::Accept, Guard::Rules))
        .chain(stops)
        .zip(0..)
        .map(|((verdict, guard), number)| (Label::new(number), verdict, guard))
}

fn label(stage: Option<&Stage>, verdict: Verdict) -> Label {
    let by = guard(stage);
    let fits = |known: &(Label, Verdict, Guard)| known.1 == verdict && (verdict == Verdict::Accept || known.2 == by);
    labels().find(fits).map_or(Label::NONE, |(label, ..)| label)
}

/// What hooks that have much in common say about every packet; none from the first on that is over budget.
pub(super) fn diagrams(judges: &[Judge<'_>], interfaces: &Interfaces, budget: Budget) -> Vec<Option<Frozen>> {
    let mut sets = Sets::new(interfaces.clone(), budget);
    judges.iter().map(|judge| diagram(&mut sets, judge, interfaces)).collect()
}

fn diagram(sets: &mut Sets, judge: &Judge<'_>, interfaces: &Interfaces) -> Option<Frozen> {
    let by_clause = |stage: &Stage, clause: &Clause, _| label(Some(stage), clause.verdict);
    let said = sets.hook_by(judge, by_clause).ok()?;
    // A hook without an answer drops, as the evaluator has it.
    let whole = sets.over(said, Diagram::all(label(None, Verdict::Drop))).ok()?;
    // One that speaks of more interfaces than all others know cannot be asked together with them.
    (sets.interfaces() == interfaces).then(|| sets.frozen(whole))
}

/// What the packets of a claim's service with one family are to its expectation; none where there is no such packet.
pub(super) fn all(
    world: &World<'_>,
    hooks: &[Arc<Frozen>],
    (claim, service): (&Claim, Option<&Service>),
    ends: &Ends<'_>,
    family: Family,
    allowance: &mut Allowance,
) -> Result<Option<Found>, OverBudget> {
    let Some(space) = ends.packets(claim, service, family, world.interfaces()) else { return Ok(None) };
    let steps = usize::try_from(allowance.wanted() / STEP).unwrap_or(usize::MAX);
    let walk = Walk::new(hooks, PASS, &space)?.within(steps);
    let found = answer(world, &walk, claim, ends);
    allowance.spend(walk.steps() as u64 * STEP);
    found.map(Some)
}

fn answer(world: &World<'_>, walk: &Walk<'_>, claim: &Claim, ends: &Ends<'_>) -> Result<Found, OverBudget> {
    let found = walk.labels()?;
    let of = |wanted: Weight| {
        let weighed = labels().filter(|(_, verdict, guard)| weigh(*verdict, *guard, claim.expect) == wanted);
        weighed.fold(0, |bits, (label, ..)| bits | 1_u64 << label.number())
    };
    let example = |wanted: u64| {
        let values = walk.packet(wanted, &ends.wish())?.ok_or(OverBudget)?;
        Ok(ends.packet(&values, world.interfaces()))
    };
    let (contradicts, meets) = (found & of(Weight::Contradicts), found & of(Weight::Meets));
    Ok(match (contradicts, meets) {
        (0, 0) => Found::Excused(example(found)?),
        (0, _) => Found::Met,
        (_, _) => Found::Contradiction(example(contradicts)?),
    })
}
