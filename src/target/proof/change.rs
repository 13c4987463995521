//! What loading a spec's rules does to packets, where other rules are in force.
//!
//! In: where found and meant rules differ, way by way, as the proof finds it. Out: [`Changes`]: boxes of packets of which
//! something else becomes, with what became and becomes of them. Promise: every packet that is accepted on one side alone,
//! or rejected on one and dropped on the other, is in a box, or comes to what a doubt names, or the boxes are counted as
//! left out. A log line is none of a packet's fates.

use crate::analysis::Packet;
use crate::analysis::loaded::{Difference, Exit, Met, Outcome};
use crate::analysis::sets::{Diagram, Label, OverBudget, PacketSet, Region, Wish};
use crate::net::{Family, Ranges};
use crate::policy::HostPolicy;
use crate::state::ruleset::{Program, Ruleset};
use rayon::prelude::*;

use super::told::{Told, ToldIn};
use super::{Doubt, Field, Prover, Rules, Share, Translated, Way, family, share};

/// Boxes of one way and turn that are told.
const BOXES: usize = 20;
/// Changes of a program of which it is asked by which rules their packets go.
const ASKED: usize = 2_000;

/// What changes on a host.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Packets of which something else becomes.
    pub changes: Vec<Change>,
    /// What is not known, see [`Why`](super::Why); none of these is a difference.
    pub doubts: Vec<Doubt>,
    /// Programs whose limits or helpers are others.
    pub besides: Vec<&'static str>,
    /// Ways of which more boxes are not told.
    pub left_out: usize,
}

/// A box of packets of which something else becomes.
#[derive(Debug, Clone)]
pub struct Change {
    /// Whose rules: `iptables`, `ip6tables`, `nft`.
    pub program: &'static str,
    /// Their way.
    pub way: Way,
    /// What turns.
    pub turn: Turn,
    /// What becomes of them by the rules that are there: `accept`.
    pub found: Fate,
    /// What by those that are meant.
    pub meant: Fate,
    /// The hook that makes the difference in the policy, where one does: `guest-in of vm/100`.
    pub hook: Option<String>,
    /// The packets.
    pub region: Region,
    /// One of them.
    pub packet: Packet,
    /// The rules that decide about this one where it is as it is, in the order in which it comes to them; none where it goes by the
    /// end of a chain, and where there are too many changes to ask.
    pub by: Vec<Met>,
}

/// What becomes of packets that were treated otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// They are accepted.
    Accepted,
    /// They no longer are.
    Refused,
    /// They are refused in another way.
    Otherwise,
}

/// What becomes of a packet, as its sender sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It goes on.
    Accept,
    /// Nothing comes back.
    Drop,
    /// An answer comes back.
    Reject,
}

impl Fate {
    /// As it is written in a spec.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
        }
    }

    fn of(outcome: Option<&Outcome>) -> Option<Self> {
        match outcome.map_or(&Exit::Accept, |outcome| &outcome.exit) {
            Exit::Accept | Exit::Final | Exit::Return | Exit::Leave | Exit::Queue(_) => Some(Self::Accept),
            Exit::Drop => Some(Self::Drop),
            Exit::Reject | Exit::Answer(_) => Some(Self::Reject),
            Exit::Unknown(_) => None,
        }
    }
}

/// The turns, and that what is besides verdicts differs, as labels.
const TURNS: [Turn; 3] = [Turn::Accepted, Turn::Refused, Turn::Otherwise];
const BESIDES: u32 = 4;

/// What loading what a policy means changes of a host's packets.
#[must_use]
pub fn changes(host: &HostPolicy, rules: &Rules) -> Changes {
    let of = |(program, rules): (&Program, &Ruleset)| {
        let mut prover = Prover::new(host, family(*program), share::nics(host));
        prover.changes = Some(Changes::default());
        prover.rules(&Translated::new(host, rules), Share::WHOLE);
        Changes { doubts: prover.doubts, ..prover.changes.unwrap_or_default() }
    };
    let mut all = Changes::default();
    for one in rules.of.par_iter().map(of).collect::<Vec<_>>() {
        all.changes.extend(one.changes);
        all.doubts.extend(one.doubts);
        all.besides.extend(one.besides);
        all.left_out += one.left_out;
    }
    all
}

impl Prover<'_> {
    /// Takes in where a way's rules differ. Out: the packets that are told.
    pub(super) fn turns(
        &mut self,
        program: &'static str,
        difference: &Difference,
        (found, meant): (&[Diagram], &[(Diagram, String)]),
        (way, family): (&Way, Option<Family>),
    ) -> Result<Vec<Told>, OverBudget> {
        let mut told = Vec::new();
        let outcomes = &self.ground.outcomes;
        let joined = self.ground.sets.joined(difference.found, difference.meant, |found, meant| {
            let (found, meant) = (outcomes.outcome(found), outcomes.outcome(meant));
            let number = match (Fate::of(found.as_ref()), Fate::of(meant.as_ref())) {
                (Some(a), Some(b)) if a == b => {
                    let events = |outcome: &Option<Outcome>| outcome.as_ref().map(|one| one.state.events().to_vec());
                    if events(&found).unwrap_or_default() == events(&meant).unwrap_or_default() { 0 } else { BESIDES }
                }
                (Some(_), Some(Fate::Accept)) => 1,
                (Some(Fate::Accept), Some(_)) => 2,
                (Some(_), Some(_)) => 3,
                (None, _) | (_, None) => 0,
            };
            Label::new(number)
        })?;
        let among = self.of_family(difference.packets, family)?;
        for (number, turn) in (1..).zip(TURNS) {
            let set = self.ground.sets.select(joined, |label| label == Label::new(number))?;
            let set = self.ground.sets.intersection(set, among)?;
            told.extend(self.boxes(program, difference, (found, meant), (way, turn, set))?);
        }
        let set = self.ground.sets.select(joined, |label| label == Label::new(BESIDES))?;
        let besides = self.ground.sets.intersection(set, among)?;
        if let Some(changes) =
            self.changes.as_mut().filter(|all| !besides.is_empty() && !all.besides.contains(&program))
        {
            changes.besides.push(program);
        }
        Ok(told)
    }

    fn of_family(&mut self, set: PacketSet, family: Option<Family>) -> Result<PacketSet, OverBudget> {
        let Some(family) = family else { return Ok(set) };
        let frame = match family {
            Family::V4 => 0x0800,
            Family::V6 => 0x86dd,
        };
        let frames = self.packets(family, &[(Field::Frame, Ranges::single(frame))])?;
        self.ground.sets.intersection(frames, set)
    }

    fn boxes(
        &mut self,
        program: &'static str,
        difference: &Difference,
        (found, meant): (&[Diagram], &[(Diagram, String)]),
        (way, turn, set): (&Way, Turn, PacketSet),
    ) -> Result<Vec<Told>, OverBudget> {
        let mut told = Vec::new();
        let mut regions = self.ground.sets.regions(set);
        let boxes: Vec<Region> = regions.by_ref().take(BOXES).collect();
        let more = regions.next().is_some();
        for region in boxes {
            let packets = self.ground.sets.boxed(&region)?;
            let Some(packet) = self.ground.sets.witness(packets, &Wish::default()) else { continue };
            let fate =
                |diagram| Fate::of(self.ground.outcomes.outcome(self.ground.sets.label(diagram, &packet)).as_ref());
            let (Some(was), Some(is)) = (fate(difference.found), fate(difference.meant)) else { continue };
            // Where rules and hooks go in step, the first that part; else the one that stops it.
            let steps = || found.iter().zip(meant).filter(|_| found.len() == meant.len());
            let parting = steps().find(|(part, (hook, _))| fate(**part) != fate(*hook)).map(|(_, hook)| hook);
            let stops = || meant.iter().find(|(hook, _)| fate(*hook) != Some(Fate::Accept));
            let hook = parting.or_else(stops).or(meant.last()).map(|(_, words)| words.clone());
            let Some(Changes { changes, .. }) = &mut self.changes else { break };
            if changes.len() < ASKED {
                told.push(Told { packet: packet.clone(), is_fate: true, place: ToldIn::Change(changes.len()) });
            }
            let (way, by) = (way.clone(), Vec::new());
            changes.push(Change { program, way, turn, found: was, meant: is, hook, region, packet, by });
        }
        if let Some(changes) = self.changes.as_mut().filter(|_| more) {
            changes.left_out += 1;
        }
        Ok(told)
    }
}
