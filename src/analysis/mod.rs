//! What a spec means for packets: the reference for everything that targets, tests and diffs say.
//!
//! In: a [`Fleet`](crate::policy::Fleet) and packets. Out: the hooks on a packet's way, and at each the verdict with
//! the rule or stage that decides. Written over the policy and over no target's output, in the plainest way there is:
//! every stage in order, every clause in order, every condition on its own.

pub mod claims;
mod condition;
mod judge;
pub mod lint;
pub mod loaded;
mod packet;
mod route;
pub mod sets;
mod trace;

pub use condition::holds;
pub use judge::{Decision, Judge, judge};
pub use packet::{ArpPacket, Body, IpPacket, Packet, Payload, Rejection};
pub use route::{Leg, NoRoute, Place, route};
pub use trace::{Answer, EPHEMERAL, Frame, Note, Question, Step, Trace, Unanswerable};

#[cfg(test)]
mod tests;
