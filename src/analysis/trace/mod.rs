//! One packet from end to end: what every hook on its way decides, and what becomes of it.
//!
//! In: a packet and the legs of its way, or a [`Question`] that leaves parts of them open. Out: a [`Trace`], for a question
//! in an [`Answer`] with the packet it is about and what else there is to know.

mod ends;
mod first_packet;
mod notes;
mod question;

pub use first_packet::EPHEMERAL;
pub use notes::Note;
pub use question::{Answer, Frame, Question, Unanswerable};

use crate::policy::{Crossing, Verdict};

use super::judge::{Decision, judge};
use super::packet::Packet;
use super::route::Leg;

/// A hook on a packet's way, and what it decides.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    /// Whose hook, and where.
    pub crossing: Crossing<'a>,
    /// The packet as the hook sees it: with the interfaces that are known there.
    pub packet: Packet,
    /// The verdict, with the stage or rule that decides.
    pub decision: Decision<'a>,
}

/// What becomes of a packet.
#[derive(Debug, Clone)]
pub struct Trace<'a> {
    /// Accept, drop or reject: that of the last hook that it reaches; accept where no hook is on its way.
    pub verdict: Verdict,
    /// The hooks that it reaches, in order: each accepts it but for the last.
    pub hooks: Vec<Step<'a>>,
    /// The hooks behind the one that stops it, with what they would have decided.
    pub unreached: Vec<Step<'a>>,
    /// Each host's part of its way.
    pub legs: Vec<Leg<'a>>,
}

impl<'a> Trace<'a> {
    /// Judges a packet at every hook of its way.
    #[must_use]
    pub fn new(packet: &Packet, legs: Vec<Leg<'a>>) -> Self {
        let steps = legs.iter().flat_map(|leg| {
            let seen = leg.packet(packet);
            leg.crossings().into_iter().map(move |crossing| {
                let decision = judge(&crossing, &seen);
                Step { crossing, packet: seen.clone(), decision }
            })
        });
        let mut hooks: Vec<Step<'a>> = steps.collect();
        let stop = hooks.iter().position(|step| step.decision.verdict != Verdict::Accept);
        let unreached = stop.map(|stop| hooks.split_off(stop + 1)).unwrap_or_default();
        let verdict = hooks.last().map_or(Verdict::Accept, |step| step.decision.verdict);
        Self { verdict, hooks, unreached, legs }
    }
}
