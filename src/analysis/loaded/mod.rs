//! Loaded rules as sets of packets.
//!
//! In: a [`Ruleset`](crate::state::ruleset::Ruleset)'s tables, as the readers of `state/` give them, and a [`Context`]: by which
//! ports packets come and go. Out: what becomes of every packet, as diagrams, and whether that is what the hooks of a policy say. Promise:
//! what is not understood is told, never guessed.
//!
//! Ports are known before rules are looked at, and all else is symbolic: a host with a thousand guests is asked once for each
//! of their ports, and rules that do not ask for ports are looked at once.

mod alike;
mod back;
mod closed;
mod condition;
mod context;
mod equal;
mod fit;
pub mod iptables;
mod lead;
mod list;
mod marks;
pub mod nft;
mod outcome;
mod passage;
mod reads;
mod ready;
mod reject;
mod run;
mod said;
mod stand;
mod told;
mod trail;
mod values;
mod walk;
mod words;

pub use back::by;
pub use condition::{Asked, Condition, Effect, Fields, Pattern, Port};
pub use context::{Context, PortValue, Tagging, Towards};
pub use equal::{Difference, Sides, accepts_for_good, difference, is_seen_alike, passes_established, says_same};
pub use outcome::{Exit, Outcome, Outcomes, State};
pub use passage::Passage;
pub use ready::{Chains, Unknown};
pub use run::{Ground, Loaded};
pub use said::Said;
pub use stand::{By, Looked, Meant, Stand, View};
pub use trail::{Does, Ends, Met, deciding};
pub use walk::{Base, bases, pass};

#[cfg(test)]
pub(crate) mod tests;
