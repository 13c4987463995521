//! Loaded rules as sets of packets.
//!
//! In: a [`Ruleset`](crate::state::ruleset::Ruleset), as the readers of `state/` give it, and which ports a packet comes by. Out:
//! what becomes of every packet, as a diagram. Promise: what is not known is told, never guessed.

mod condition;
pub mod iptables;
pub mod nft;
mod values;

pub use condition::{Asked, Condition, Effect, Fields, Pattern, Port};

#[cfg(test)]
pub(crate) mod tests;
