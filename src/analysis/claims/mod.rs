//! Claims decided: does every packet that a test of the spec speaks of meet the verdict that it expects?
//!
//! In: a fleet and one of its [`Claim`]s. Out: an [`Outcome`]; where the claim does not hold, with one packet that shows it.
//!
//! # What a claim means
//!
//! A claim speaks of IP packets: every combination of one endpoint of `from`, one of `to` and one service, on every
//! host that a guest may run on and through every NIC of a guest, unless it names one. Two different machines are
//! meant where a list or a wildcard names one machine at both ends.
//!
//! * `accept`: the rules accept every such packet. One that a protective stage stops does not count against it (state,
//!   blacklist, smurfs, flags, MAC and IP filter, router advertisements, ethertypes), as long as some packet is left
//!   that is accepted.
//! * `drop`: every such packet vanishes, and its sender is told nothing. A rejected packet does count against it.
//! * `reject`: every such packet is rejected.
//! * `never`: no such packet is accepted; whether it is dropped or rejected, and where, is all the same.
//!
//! A claim of `only` is a ceiling as `never` is, for packets whose source is none of the addresses that it names: no such
//! packet is accepted. Of packets from those addresses it says nothing; they need not be accepted. It is broken by any one
//! packet, so ends between which there is none are no failure, as long as there is one between some. Where it leaves `from`
//! out, it is about everyone but the receiver: outside (unless that is the receiver) and every machine of the spec.
//!
//! What the noise stage in front of a drop or reject policy answers otherwise than that policy counts neither against
//! `drop` nor against `reject`, and nor does what a protective stage drops count against `reject`; some packet must be left
//! that gets the very verdict. What these stages *accept* does count.
//!
//! # Which packets these are
//!
//! See [`ends`] for the addresses, interfaces and ways. What becomes of all of them is decided at once, by the packet sets
//! ([`exact`]). Only where these are over budget do some packets stand in for all ([`sample`]), and where those are too many
//! to be tried, [`Outcome::left_out`] says so. All claims and hooks share what a run may take ([`limit`]); a claim of which
//! nothing can be known within its share does not hold.

mod ends;
mod exact;
mod field;
mod limit;
mod sample;
mod space;
mod way;

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::net::Family;
use crate::policy::{Claim, Endpoint, Expectation, Fleet, Service, Stage, Verdict};

use super::packet::Packet;
use super::sets::OverBudget;
use super::trace::{Answer, Trace};
use ends::{HookKey, World};
use limit::{Allowance, Limits};
use sample::{Found, sample};
use space::{Ends, Space};
use way::Way;

/// What became of a claim.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// How many packets were tried one by one; 0 where the answer was found for all at once.
    pub packets: u64,
    /// How many of the packets that stand in for all were not tried, because they are too many; 0 where the answer holds
    /// for every packet.
    pub left_out: u64,
    /// Why it does not hold, if it does not.
    pub failure: Option<Failure<'a>>,
}

/// Why a claim does not hold.
#[derive(Debug)]
pub enum Failure<'a> {
    /// There is a packet that gets another verdict.
    Counterexample(Box<Answer<'a>>),
    /// Every packet between two ends is stopped before the rules; this is one of them.
    NothingLeft(Box<Answer<'a>>),
    /// No packet between these two ends fits.
    NoPacket(Endpoint, Endpoint),
    /// Nothing is known of the packets between these two ends, which are split in too many ways.
    Undecided(Endpoint, Endpoint),
}

/// Decides the claims of a fleet that are wanted, in their order.
#[must_use]
pub fn check(fleet: &Fleet, wanted: impl Fn(&Claim) -> bool + Sync) -> Vec<Outcome<'_>> {
    check_within(fleet, wanted, Limits::default())
}

fn check_within(fleet: &Fleet, wanted: impl Fn(&Claim) -> bool + Sync, limits: Limits) -> Vec<Outcome<'_>> {
    let world = World::new(fleet, limits);
    let claims: Vec<&Claim> = fleet.tests.iter().filter(|claim| wanted(claim)).collect();
    claims.par_iter().map(|claim| decide(&world, claim, world.allowance(claims.len()))).collect()
}

/// What a packet's verdict is to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It is as expected.
    Meets,
    /// It is not, and does not count.
    Excused,
    /// It is not.
    Contradicts,
}

/// What kind of stage decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// One that protects whatever the rules say.
    Protective,
    /// The noise in front of a drop or reject policy.
    Noise,
    /// Rules, the policy, and whatever accepts; and a hook without an answer.
    Rules,
}

/// What the verdict of a kind of stage is to an expectation.
const fn weigh(verdict: Verdict, guard: Guard, expect: Expectation) -> Weight {
    let excused = match (verdict, guard) {
        (Verdict::Drop | Verdict::Reject, Guard::Protective) => true,
        (Verdict::Drop | Verdict::Reject, Guard::Noise) => !matches!(expect, Expectation::Accept),
        (Verdict::Drop | Verdict::Reject, Guard::Rules) | (Verdict::Accept | Verdict::Skip, _) => false,
    };
    match (verdict, expect) {
        (Verdict::Accept, Expectation::Accept)
        | (Verdict::Drop, Expectation::Drop | Expectation::Never)
        | (Verdict::Reject, Expectation::Reject | Expectation::Never) => Weight::Meets,
        _ if excused => Weight::Excused,
        _ => Weight::Contradicts,
    }
}

const fn guard(stage: Option<&Stage>) -> Guard {
    let Some(stage) = stage else { return Guard::Rules };
    match stage {
        Stage::StackedVlan
        | Stage::MacFilter
        | Stage::IpFilter
        | Stage::Layer2(_)
        | Stage::Conntrack { .. }
        | Stage::Blacklist { .. }
        | Stage::Smurfs { .. }
        | Stage::TcpFlags { .. }
        | Stage::RouterAdvertisements => Guard::Protective,
        Stage::Noise { .. } => Guard::Noise,
        Stage::OtherFrames
        | Stage::Loopback
        | Stage::Arp
        | Stage::Igmp
        | Stage::Dhcp
        | Stage::NeighbourDiscovery(_)
        | Stage::Rules(_)
        | Stage::Management { .. }
        | Stage::Corosync(_)
        | Stage::Policy { .. } => Guard::Rules,
    }
}

/// What is known so far of a claim.
#[derive(Debug)]
struct Tally {
    allowance: Allowance,
    packets: u64,
    left_out: u64,
    /// Whether some packet fits.
    fits: bool,
    /// Hooks that decide alone that everyone's packets keep to a claim of `only`.
    kept: BTreeSet<Vec<HookKey>>,
}

impl Tally {
    /// Whether the last of these hooks are known to let nothing pass that breaks the claim.
    fn keeps(&self, hooks: &[HookKey]) -> bool {
        (0..hooks.len()).any(|from| hooks.get(from..).is_some_and(|last| self.kept.contains(last)))
    }
}

fn decide<'a>(world: &World<'a>, claim: &'a Claim, allowance: Allowance) -> Outcome<'a> {
    let mut tally = Tally { allowance, packets: 0, left_out: 0, fits: false, kept: BTreeSet::new() };
    let mut failure = None;
    let pairs = claim.from.iter().flat_map(|from| {
        claim.to.iter().flat_map(move |to| {
            let alone = from.endpoints.len() == 1 && to.endpoints.len() == 1;
            let pairs = from.endpoints.iter().flat_map(|a| to.endpoints.iter().map(move |b| (a, b)));
            pairs.filter(move |(a, b)| speaks_of(claim, alone, a, b))
        })
    });
    let mut any = false;
    for (from, to) in pairs {
        any = true;
        failure = between(world, claim, from, to, &mut tally);
        if failure.is_some() {
            break;
        }
    }
    let nothing = if claim.only.is_some() { failure.is_none() && !tally.fits } else { !any };
    if nothing && let (Some(from), Some(to)) = (first(&claim.from), first(&claim.to)) {
        failure = Some(Failure::NoPacket(from, to));
    }
    Outcome { claim, packets: tally.packets, left_out: tally.left_out, failure }
}

fn first(ends: &[crate::policy::ClaimEnd]) -> Option<Endpoint> {
    ends.first().and_then(|end| end.endpoints.first()).cloned()
}

/// Whether a claim is about packets from the one to the other; `alone` where it names no more than these two.
fn speaks_of(claim: &Claim, alone: bool, from: &Endpoint, to: &Endpoint) -> bool {
    match &claim.only {
        None => alone || !same_machine(from, to),
        Some(only) => !(same_machine(from, to) || only.everyone && from == to),
    }
}

fn same_machine(a: &Endpoint, b: &Endpoint) -> bool {
    match (a, b) {
        (Endpoint::Host(a), Endpoint::Host(b)) => a == b,
        (Endpoint::Guest { id: a, .. }, Endpoint::Guest { id: b, .. }) => a == b,
        (Endpoint::Outside | Endpoint::Host(_) | Endpoint::Guest { .. }, _) => false,
    }
}

/// All packets from one endpoint to another. Every service, wherever the two run, must leave a packet that meets the
/// expectation.
fn between<'a>(
    world: &World<'a>,
    claim: &'a Claim,
    from: &Endpoint,
    to: &Endpoint,
    tally: &mut Tally,
) -> Option<Failure<'a>> {
    let mut ways = world.ways(claim, from, to);
    if !tally.kept.is_empty() {
        ways.retain(|way| !tally.keeps(&World::keys(way)));
    }
    let services: Vec<Option<&Service>> = match claim.services.as_slice() {
        [] => vec![None],
        services => services.iter().map(Some).collect(),
    };
    let mut fits = false;
    let sampled = (tally.packets, tally.left_out);
    for placement in ways.chunk_by(Way::same_placement) {
        let ready: Vec<_> =
            placement.iter().map(|way| (way, world.diagrams(way), Ends::new(world, claim, way))).collect();
        for service in &services {
            let (mut met, mut excused) = (false, None);
            for (way, hooks, ends) in &ready {
                for family in Family::BOTH {
                    let hooks = hooks.as_deref();
                    let allowance = &mut tally.allowance;
                    let exact = hooks.map(|hooks| exact::all(world, hooks, (claim, *service), ends, family, allowance));
                    let found = match exact {
                        Some(Ok(found)) => Some(found.into_iter().collect()),
                        Some(Err(OverBudget)) | None => some(world, (claim, *service), (way, ends), family, tally),
                    };
                    let Some(found) = found else { return Some(Failure::Undecided(from.clone(), to.clone())) };
                    for found in found {
                        match found {
                            Found::Contradiction(packet) => return Some(Failure::Counterexample(example(way, packet))),
                            Found::Met => met = true,
                            Found::Excused(packet) => {
                                excused.get_or_insert_with(|| example(way, packet));
                            }
                        }
                    }
                }
            }
            fits |= met;
            match excused {
                Some(example) if !met => return Some(Failure::NothingLeft(example)),
                Some(_) | None => {}
            }
        }
    }
    tally.fits |= fits;
    if sampled == (tally.packets, tally.left_out) && stands_for_all(claim, from) {
        tally.kept.extend(ways.iter().map(World::keys).filter(|hooks| !hooks.is_empty()));
    }
    // What nobody can send keeps to a ceiling.
    (!fits && claim.only.is_none()).then(|| Failure::NoPacket(from.clone(), to.clone()))
}

/// Whether packets from here are all that anybody can send: from outside every address can come, by every interface. Whatever
/// others send passes the same last hooks, and more before them.
fn stands_for_all(claim: &Claim, from: &Endpoint) -> bool {
    let everyone = claim.only.as_ref().is_some_and(|only| only.everyone);
    everyone && claim.interface.is_none() && *from == Endpoint::Outside
}

/// Packets that stand in for all of one family, where these are split in too many ways; protocol by protocol, up to the
/// first that contradicts. None where not even that can be done with what the claim may take.
fn some<'a>(
    world: &World<'a>,
    (claim, service): (&Claim, Option<&Service>),
    (way, ends): (&Way<'a>, &Ends<'_>),
    family: Family,
    tally: &mut Tally,
) -> Option<Vec<Found>> {
    let judges = world.judges(way);
    let mut found = Vec::new();
    for space in Space::all(claim, service, ends, &judges, family) {
        let sampled = sample(&space, &judges, claim.expect, &mut tally.allowance)?;
        tally.packets += sampled.packets;
        tally.left_out = tally.left_out.saturating_add(sampled.left_out);
        let last = matches!(sampled.result, Found::Contradiction(_));
        found.push(sampled.result);
        if last {
            break;
        }
    }
    Some(found)
}

/// The packet's way once more, by the evaluator itself.
fn example<'a>(way: &Way<'a>, packet: Packet) -> Box<Answer<'a>> {
    let trace = Trace::new(&packet, way.legs.clone());
    Box::new(Answer { from: way.from, to: way.to, via: way.via, packet, trace, notes: Vec::new() })
}

#[cfg(test)]
mod tests;
