//! Sets of packets, and what becomes of every packet at a hook, as interval decision diagrams.
//!
//! In: clauses, first match first. Out: diagrams that answer for *all* packets: what is decided, which packets two
//! policies decide differently, whether one set holds another, one packet of a set, the boxes of a set. Promised: an
//! answer is right for every packet, or it is [`OverBudget`].
//!
//! A diagram is a graph of nodes. A node looks at one [`Field`] and splits its values into intervals, each of which goes
//! on to another node or ends in a [`Label`]. Fields come in one order on every way, neighbouring intervals never lead to
//! the same place, and equal nodes are one (hash-consed), so that two diagrams of one [`Sets`] mean the same exactly if
//! their roots are the same. The order of the fields is what makes them small: a rule names few protocols and ports, and
//! many sources.
//!
//! | in | is |
//! |---|---|
//! | [`Diagram`] | a label for every packet: a decision, the number of a rule, or [`Label::NONE`] |
//! | [`PacketSet`] | a diagram of two labels: in it, or not |
//!
//! # What a packet is here
//!
//! The fields are those of [`Packet`](super::Packet), under two conventions. What a packet's header holds follows from
//! its protocol: ports for those that have ports, a type and code for ICMP and ICMPv6, flags for TCP. A frame of another
//! ethertype has none of IPv4, IPv6, ARP and 802.1ad; all stacked frames count as 802.1ad, as the evaluator has it.

mod apply;
mod conjunction;
mod encode;
mod field;
mod first_match;
mod hook;
mod quantify;
mod region;
mod rules;
mod second;
pub mod stand;
mod store;
mod table;
mod walk;
mod witness;

use std::fmt;

use crate::net::Ranges;

pub use field::flag_values;
#[cfg(test)]
pub(in crate::analysis) use field::flags;
pub(in crate::analysis) use field::protocols;
pub use field::{Field, Interfaces};
pub use first_match::FirstMatch;
pub(in crate::analysis) use hook::Frozen;
pub use hook::{Hooks, Run, decision, label_of};
pub use region::{Region, Regions};
pub(in crate::analysis) use rules::add;
pub use rules::{InValues, MachineRules, RuleAt};
pub use second::Numbered;
use store::Id;
pub(crate) use table::Memo;
pub use table::Sets;
pub(in crate::analysis) use walk::{Allowed, Space, Walk, least};
pub use witness::Wish;
pub(in crate::analysis) use witness::{EXAMPLES, packet};

/// Values of a field, in numbers: see [`Field`].
pub type Valued = (Field, Ranges<u128>);

/// What a diagram says of a packet: a number that its maker gave a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(u32);

impl Label {
    /// Nothing is said: no clause matches.
    pub const NONE: Self = Self(0x7fff_ffff);

    /// The label of a number below 2^31 - 1; all greater ones are [`Label::NONE`].
    #[must_use]
    pub const fn new(number: u32) -> Self {
        if number < Self::NONE.0 { Self(number) } else { Self::NONE }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// A label for every packet. Meaningful in the [`Sets`] that made it, where equal diagrams mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Diagram(Id);

/// A set of packets, empty by default. Meaningful in the [`Sets`] that made it, where equal sets hold the same packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketSet(Id);

impl Diagram {
    /// The same label for every packet.
    #[must_use]
    pub const fn all(label: Label) -> Self {
        Self(Id::end(label))
    }

    /// The label, where it is the same for every packet.
    #[must_use]
    pub const fn label(self) -> Option<Label> {
        self.0.label()
    }

    /// A number that no other diagram of the same [`Sets`] has.
    pub(in crate::analysis) const fn number(self) -> u32 {
        self.0.raw()
    }
}

impl PacketSet {
    /// No packet.
    pub const EMPTY: Self = Self(Id::end(Label(0)));
    /// Every packet.
    pub const ALL: Self = Self(Id::end(Label(1)));

    /// Whether there is no packet in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// As a diagram: label 1 for what is in it, 0 for what is not.
    #[must_use]
    pub const fn diagram(self) -> Diagram {
        Diagram(self.0)
    }
}

impl Default for PacketSet {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The answer would take more room or time than was allowed. Nothing is said about any packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBudget;

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the packets are split in too many ways")
    }
}

impl std::error::Error for OverBudget {}

/// How much work a [`Sets`] does in its life before it answers [`OverBudget`]: edges written, those of nodes that were
/// there already included. An edge takes 20 bytes and some 50 nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget(pub usize);

impl Default for Budget {
    /// 20 million edges: at most a few seconds, and less than a gigabyte.
    fn default() -> Self {
        Self(20_000_000)
    }
}
