//! What loaded rules ask of packets, and what they do besides their verdicts, in words that all programs share.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::sets::Field;
use crate::net::Ranges;
use crate::policy::LogLevel;

/// Values that fields of a packet must have, all of them; a field that is not named may have any. None at all: every
/// packet. The numbers are those of [`Field`]; addresses, ports and so on of packets that have them only, so whoever
/// names one names the [`Field::Frame`]s and [`Field::Protocol`]s that have it too (rules of iptables: no frames, since all
/// its packets are of one family).
///
/// Hardware addresses are never 0 here: that a packet has its NIC's own is for the context to know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Fields(pub Vec<(Field, Ranges<u128>)>);

/// A port or interface that a rule may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// `-i`, `iifname`.
    In,
    /// `-o`, `oifname`.
    Out,
    /// `--physdev-in`.
    BridgeIn,
    /// `--physdev-out`.
    BridgeOut,
    /// `meta ibrname`, `meta obrname`: in both cases the bridge itself.
    Bridge,
}

/// A name of an interface, or what many begin with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// This one.
    Is(Arc<str>),
    /// All that begin so: `tap10+`, `tap10*`.
    BeginsWith(Arc<str>),
}

impl Pattern {
    /// The name, or its beginning.
    #[must_use]
    pub const fn text(&self) -> &Arc<str> {
        match self {
            Self::Is(text) | Self::BeginsWith(text) => text,
        }
    }
}

/// One thing that a rule asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The packet's fields are as in one of these. Empty: never.
    Packet(Vec<Fields>),
    /// What `ether type` sees: the ethertype in front of any tag.
    Outer(Ranges<u128>),
    /// A port is (or, negated, is there or not but not) one of these.
    Port {
        /// Which.
        port: Port,
        /// Any of these, ascending: often those of a set, which many rules name.
        names: Arc<[Pattern]>,
        /// None of these.
        negated: bool,
    },
    /// Of `domain`, what is (negated: is not) in the fields that belong to the name of the port: `iifname . ip saddr
    /// @nic-ip`.
    Keyed {
        /// Which port.
        port: Port,
        /// The fields for each name.
        entries: Arc<BTreeMap<Arc<str>, Vec<Fields>>>,
        /// Packets that have the fields at all.
        domain: Fields,
        /// In none of them.
        negated: bool,
    },
    /// The bits of `mask` of the packet's mark are `value`.
    Mark {
        /// Which bits.
        mask: u32,
        /// Their values.
        value: u32,
        /// They are not.
        negated: bool,
    },
    /// Whether it came in by a bridge's port (`--physdev-is-in`).
    FromBridge(bool),
    /// Whether it leaves by a bridge's port (`--physdev-is-out`).
    ToBridge(bool),
    /// Whether it goes from port to port of a bridge (`--physdev-is-bridged`).
    Bridged(bool),
    /// Whether its source sent more than is allowed, in the one spelling of its rate, burst and mask: `200/second burst 1000
    /// by ipv4 source /32`.
    Above(String),
    /// Something that is not known: the rule's own words.
    Opaque(String),
}

/// What a rule does besides its verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It leaves a line in a log, as long as there are not too many (`limit`).
    Log(LogLevel),
    /// The packet's mark becomes `mark & and ^ xor`.
    Mark {
        /// Bits that stay.
        and: u32,
        /// Bits that turn.
        xor: u32,
    },
    /// The connection gets a helper, by the kind that the kernel knows: `ftp`.
    Helper(Arc<str>),
    /// Something that is not known: the rule's own words.
    Opaque(String),
}

/// A rule, understood as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Asked {
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// In their order. Counters do nothing.
    pub effects: Vec<Effect>,
}
