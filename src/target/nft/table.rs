//! nft's own words: tables of sets, chains and verdict maps, chains of rules, rules of conditions and
//! one action.
//!
//! In: nothing but values that lowering builds. Promise: all that such values can say is valid in the
//! table they stand in; [`super::write`] gives their text.

use std::sync::Arc;

use crate::net::{Family, IcmpType, Mac, PortSet, Protocol, TcpFlags};
use crate::policy::States;

/// The family of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TableFamily {
    /// IPv4 and IPv6 packets of the host.
    Inet,
    /// Frames of bridges.
    Bridge,
}

/// A table `fwc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Its family.
    pub(super) family: TableFamily,
    /// Each after all that it refers to.
    pub(super) items: Vec<Item>,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// A named set.
    Set(Set),
    /// A map from interfaces to chains.
    Map(VerdictMap),
    /// A chain.
    Chain(Chain),
    /// A conntrack helper.
    Helper(Helper),
}

/// A named set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    /// Its name.
    pub(super) name: Arc<str>,
    /// Type and elements.
    pub(super) elements: Elements,
}

/// The elements of a set, which give its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Elements {
    /// Ports.
    Ports(PortSet),
    /// Inclusive ranges of addresses of one family, as numbers in host order.
    Addresses(Family, Vec<(u128, u128)>),
    /// What a frame carries.
    EtherTypes(Vec<u16>),
    /// Whatever a frame carries, as a range.
    EveryEtherType,
    /// Interfaces.
    Interfaces(Vec<String>),
    /// Interface and Ethernet address.
    NicMacs(Vec<(String, Mac)>),
    /// Interface and address of one family, as a number in host order.
    NicAddresses(Family, Vec<(String, u128)>),
    /// Sources of one family with a rate each, filled by packets; gone after so many seconds.
    Meter(Family, u32),
}

impl Elements {
    /// Whether they are ranges (networks among them), which nft keeps in a set of another kind.
    pub(super) fn has_intervals(&self) -> bool {
        match self {
            Self::Ports(ports) => ports.iter().any(|(first, last)| first != last),
            Self::Addresses(_, ranges) => ranges.iter().any(|(first, last)| first != last),
            Self::EveryEtherType => true,
            Self::EtherTypes(_) | Self::Interfaces(_) | Self::NicMacs(_) | Self::NicAddresses(..) | Self::Meter(..) => {
                false
            }
        }
    }
}

/// A map from interfaces to chains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VerdictMap {
    /// Its name.
    pub(super) name: Arc<str>,
    /// Whether the chains are jumped to (and come back) or gone to.
    pub(super) jump: bool,
    /// Interface and chain.
    pub(super) elements: Vec<(String, Arc<str>)>,
}

/// A conntrack helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Helper {
    /// Name of the object.
    pub(super) name: String,
    /// The kernel's name for it.
    pub(super) kind: &'static str,
    /// TCP or UDP.
    pub(super) protocol: Protocol,
    /// Whether it is for IPv4 alone.
    pub(super) only_v4: bool,
}

/// Where a base chain hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    /// The hook, as nft names it.
    pub(super) hook: &'static str,
    /// Lower is earlier.
    pub(super) priority: i32,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// Its name.
    pub(super) name: Arc<str>,
    /// None for a chain that others call.
    pub(super) base: Option<Base>,
    /// In order.
    pub(super) rules: Vec<Rule>,
}

/// Conditions that must all hold, and what then happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    /// All must hold.
    pub(super) conditions: Vec<Condition>,
    /// What happens.
    pub(super) action: Action,
    /// At most 128 bytes.
    pub(super) comment: Option<Arc<str>>,
}

impl Rule {
    /// A rule without a comment.
    pub(super) const fn new(conditions: Vec<Condition>, action: Action) -> Self {
        Self { conditions, action, comment: None }
    }
}

/// The end of a packet that a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Dest,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Operand<T> {
    /// An inclusive range; one value where both ends are equal.
    Range(T, T),
    /// A named set.
    Set(Arc<str>),
}

/// A condition. The order of the variants is the order in a rule: what a later one looks at exists
/// only where an earlier one holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Condition {
    /// Incoming (source) or outgoing (dest) interface; whether it must be another one.
    Interface(Side, String, bool),
    /// Incoming (source) or outgoing (dest) interface is in the set.
    InterfaceIn(Side, Arc<str>),
    /// The bridge of the incoming (source) or outgoing (dest) port is in the set.
    BridgeIn(Side, Arc<str>),
    /// The outermost tag is of 802.1ad.
    ServiceTag,
    /// What the frame carries behind one tag is in the set of ethertypes, or (true) is not.
    Carries(Arc<str>, bool),
    /// The frame carries ARP.
    Arp,
    /// IPv4 or IPv6.
    Family(Family),
    /// The Ethernet source is not this one.
    MacNot(Mac),
    /// The ARP sender's Ethernet address is not this one.
    ArpMacNot(Mac),
    /// Incoming interface and Ethernet source are not in the set.
    NicMacNotIn(Arc<str>),
    /// Incoming interface and ARP sender's Ethernet address are not in the set.
    NicArpMacNotIn(Arc<str>),
    /// The ARP sender's IPv4 address.
    ArpAddress(Operand<u128>),
    /// Incoming interface and ARP sender's IPv4 address are in the set.
    NicArpIn(Arc<str>),
    /// Incoming interface and source address are in the set.
    NicSourceIn(Family, Arc<str>),
    /// An address; whether it must be another one.
    Address(Family, Side, Operand<u128>, bool),
    /// A protocol above IP.
    Protocol(Protocol),
    /// A port of a protocol that has them.
    Port(Protocol, Side, Operand<u16>),
    /// Type and code of ICMP or ICMPv6.
    Icmp(IcmpType),
    /// TCP flags; whether they must not be so.
    TcpFlags(TcpFlags, bool),
    /// The conntrack state.
    State(States),
    /// These bits of the packet's mark have this value.
    Mark(u32, u32),
    /// The source's rate is above the limit of this meter: rate a second, burst.
    Above(Family, Arc<str>, u32, u32),
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// Ends the hook: passes.
    Accept,
    /// Ends all: vanishes.
    Drop,
    /// Back to the chain that called.
    Return,
    /// Into a chain, and back.
    Jump(Arc<str>),
    /// Into a chain, and back to the one before this.
    Goto(Arc<str>),
    /// Into the chain that a map has for the incoming (source) or outgoing (dest) interface.
    Dispatch(Side, Arc<str>),
    /// Into the chain that a map has for the bridge of the incoming (source) or outgoing (dest) port.
    DispatchBridge(Side, Arc<str>),
    /// A line for the log.
    Log(LogLine),
    /// An answer to the sender.
    Reject(Answer),
    /// Conntrack's helper, by the name of its object.
    Helper(String),
    /// Clears and sets bits of the packet's mark.
    Mark {
        /// These are zero then.
        clear: u32,
        /// These are one then.
        set: u32,
    },
}

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LogLine {
    /// At most 127 bytes.
    pub(super) prefix: String,
    /// The kernel log's level; none: netlink group 0.
    pub(super) level: Option<&'static str>,
    /// Number of lines, unit of time, burst.
    pub(super) limit: Option<(u32, &'static str, u32)>,
}

/// An answer to the sender of a rejected packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// TCP reset.
    Reset,
    /// ICMP or ICMPv6 port-unreachable.
    Port,
    /// ICMP host-prohibited.
    HostProhibited,
    /// ICMPv6 adm-prohibited.
    AdminProhibited,
}
