//! The smallest unit of meaning: a conjunction of matches and what becomes of the packets that fit.

use std::sync::Arc;

use crate::net::{AddressSet, Family, IcmpType, Mac, PortSet, Protocol, TcpFlags};

use super::Log;

/// What becomes of a packet at a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It passes this hook; hooks that follow on its way still judge it.
    Accept,
    /// It vanishes.
    Drop,
    /// It vanishes, and the sender is told: broadcast and multicast destinations, multicast sources and
    /// ICMP are dropped silently; TCP gets a reset, UDP port-unreachable, all else host-prohibited
    /// (IPv6: adm-prohibited).
    Reject,
    /// It leaves this stage undecided; the next stage goes on.
    Skip,
}

/// A state of connection tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// First packet of a connection.
    New,
    /// Of a connection seen in both directions.
    Established,
    /// First packet of a connection that another one announced, or an ICMP error about one.
    Related,
    /// Not understood.
    Invalid,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::New, Self::Established, Self::Related, Self::Invalid];

    /// As the spec writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "established",
            Self::Related => "related",
            Self::Invalid => "invalid",
        }
    }
}

/// A set of conntrack states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct States(u8);

impl States {
    /// Related or established.
    pub const ESTABLISHED_RELATED: Self = Self::of(&[State::Established, State::Related]);
    /// Invalid.
    pub const INVALID: Self = Self::of(&[State::Invalid]);
    /// New or invalid.
    pub const NEW_INVALID: Self = Self::of(&[State::New, State::Invalid]);

    const fn bit(state: State) -> u8 {
        match state {
            State::New => 1,
            State::Established => 2,
            State::Related => 4,
            State::Invalid => 8,
        }
    }

    /// The set of these states.
    #[must_use]
    pub const fn of(states: &[State]) -> Self {
        let mut bits = 0;
        let mut rest = states;
        while let [first, tail @ ..] = rest {
            bits |= Self::bit(*first);
            rest = tail;
        }
        Self(bits)
    }

    /// Whether `state` is in it.
    #[must_use]
    pub const fn contains(self, state: State) -> bool {
        self.0 & Self::bit(state) != 0
    }

    /// The states in it: new, established, related, invalid.
    pub fn iter(self) -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(move |state| self.contains(*state))
    }
}

/// What a frame carries, its VLAN tag (one at most) looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameKind {
    /// IPv4 or IPv6.
    Ip,
    /// ARP.
    Arp,
    /// More than one VLAN tag (QinQ), or an 802.1ad one: its content cannot be judged.
    Stacked,
    /// Any other ethertype.
    Other,
}

/// One condition. A clause matches where all of its conditions hold.
///
/// A condition on addresses, ports or ICMP types holds for packets that have such a field only: an
/// address set without IPv6 addresses never matches an IPv6 packet, nor an ARP frame. Negated
/// conditions too speak of packets that have the field: `SourceNot` of an IPv4-only set matches every
/// IPv6 packet, and no ARP frame.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// The frame is of this kind. Clauses without it and without any IP field match every frame.
    Frame(FrameKind),
    /// A frame whose ethertype is none of these (`layer2_protocols`); ethertypes ascending.
    EtherTypeNot(Vec<u16>),
    /// An IP packet of this family.
    Family(Family),
    /// The packet's conntrack state is one of these.
    State(States),
    /// The source address is in the set.
    Source(Arc<AddressSet>),
    /// An IP packet whose source address is not in the set.
    SourceNot(Arc<AddressSet>),
    /// The destination address is in the set.
    Dest(Arc<AddressSet>),
    /// The IP protocol.
    Protocol(Protocol),
    /// The source port is in the set; only besides a protocol with ports.
    SourcePorts(PortSet),
    /// The destination port is in the set; only besides a protocol with ports.
    DestPorts(PortSet),
    /// The ICMP or ICMPv6 type; only besides that protocol.
    Icmp(IcmpType),
    /// The TCP flags; only besides TCP.
    TcpFlags(TcpFlags),
    /// The TCP flags are not so; only besides TCP.
    TcpFlagsNot(TcpFlags),
    /// The host's interface that the packet came in by.
    InInterface(String),
    /// The host's interface that the packet leaves by.
    OutInterface(String),
    /// The loopback interface, incoming or outgoing as the hook has it.
    Loopback,
    /// A frame whose Ethernet source is not this address (ARP: nor its sender hardware address).
    SourceMacNot(Mac),
    /// An ARP frame whose sender protocol address is in the set.
    ArpSender(Arc<AddressSet>),
}

/// Matches, a verdict, a log line or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clause {
    /// All must hold; empty: every frame.
    pub matches: Vec<Match>,
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// The log line, if any.
    pub log: Log,
}

impl Clause {
    /// A clause that logs nothing.
    #[must_use]
    pub const fn new(matches: Vec<Match>, verdict: Verdict) -> Self {
        Self { matches, verdict, log: Log::None }
    }

    /// The same clause with a log line.
    #[must_use]
    pub fn logged(mut self, log: Log) -> Self {
        self.log = log;
        self
    }

    /// The clauses of one rule, those that differ in destination ports alone made one. They all do the same, so their
    /// order says nothing.
    #[must_use]
    pub fn merged(clauses: Vec<Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::with_capacity(clauses.len());
        for clause in clauses {
            if !merged.iter_mut().any(|other| other.takes_ports(&clause)) {
                merged.push(clause);
            }
        }
        merged
    }

    /// Adds another clause's destination ports, if these are all that tells the two apart.
    fn takes_ports(&mut self, other: &Self) -> bool {
        let ports = |condition: &Match| matches!(condition, Match::DestPorts(_));
        let alike = (self.verdict, self.log, self.matches.len()) == (other.verdict, other.log, other.matches.len())
            && self.matches.iter().any(ports)
            && self.matches.iter().zip(&other.matches).all(|(a, b)| a == b || (ports(a) && ports(b)));
        if alike {
            for (mine, theirs) in self.matches.iter_mut().zip(&other.matches) {
                if let (Match::DestPorts(mine), Match::DestPorts(theirs)) = (mine, theirs) {
                    *mine = mine.union(theirs);
                }
            }
        }
        alike
    }

    /// Whether an IP packet of `family` could match: no condition speaks of the other family alone.
    #[must_use]
    pub fn speaks_of(&self, family: Family) -> bool {
        self.matches.iter().all(|condition| match condition {
            Match::Frame(kind) => *kind == FrameKind::Ip,
            Match::Family(only) => *only == family,
            Match::Source(set) | Match::Dest(set) => set.has(family),
            Match::Icmp(icmp) => icmp.family == family,
            Match::Protocol(protocol) => protocol.speaks_of(family),
            Match::ArpSender(_) => false,
            Match::EtherTypeNot(listed) => !listed.contains(&match family {
                Family::V4 => 0x0800,
                Family::V6 => 0x86dd,
            }),
            Match::State(_)
            | Match::SourceNot(_)
            | Match::SourcePorts(_)
            | Match::DestPorts(_)
            | Match::TcpFlags(_)
            | Match::TcpFlagsNot(_)
            | Match::InInterface(_)
            | Match::OutInterface(_)
            | Match::Loopback
            | Match::SourceMacNot(_) => true,
        })
    }
}
