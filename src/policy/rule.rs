//! Rules as written: values resolved, order kept, each with its origin.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::net::{AddressSet, Family, IcmpType, PortSet, Protocol, TcpFlags};

use super::{Clause, Match, Verdict, ZoneRef};

/// A syslog severity, as Proxmox VE names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// 0.
    Emerg,
    /// 1.
    Alert,
    /// 2.
    Crit,
    /// 3.
    Err,
    /// 4.
    Warning,
    /// 5.
    Notice,
    /// 6.
    Info,
    /// 7.
    Debug,
}

impl LogLevel {
    /// Every level, most severe first.
    pub const ALL: [Self; 8] =
        [Self::Emerg, Self::Alert, Self::Crit, Self::Err, Self::Warning, Self::Notice, Self::Info, Self::Debug];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Err => "err",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// Its number, 0 to 7.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Emerg => 0,
            Self::Alert => 1,
            Self::Crit => 2,
            Self::Err => 3,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Info => 6,
            Self::Debug => 7,
        }
    }
}

/// Whether a match leaves a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Log {
    /// It does not (`nolog`).
    #[default]
    None,
    /// It does, at this level.
    At(LogLevel),
}

/// Which way a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Towards the machine.
    In,
    /// From the machine.
    Out,
    /// Through the host, or through the vnet.
    Forward,
}

impl Direction {
    /// As the spec writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Forward => "forward",
        }
    }
}

/// Where something was written, and what it is called in diffs and output comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The zone it was written in.
    pub zone: ZoneRef,
    /// Its `id`, or a hash of its content with a count for repeats; unique in its zone.
    pub identity: String,
    /// The rule in the source.
    pub span: Span,
}

/// What a term of an address match was written as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// An address, network or range, in its canonical form.
    Literal(String),
    /// An alias, and the zone that defines it.
    Alias(ZoneRef, String),
    /// An ipset, and the zone that defines it.
    Ipset(ZoneRef, String),
    /// `local_network` where the spec does not define it: the network of the host's first address.
    LocalNetwork,
    /// All addresses of the machines that inherit the zone.
    Zone(String),
    /// All addresses of a host.
    Host(String),
    /// All addresses of a guest.
    Guest(u32),
}

/// A term of an address match and the addresses it stands for; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressTerm {
    /// As it was written.
    pub reference: Reference,
    /// What it stands for.
    pub set: Arc<AddressSet>,
    /// Where it was written.
    pub span: Span,
}

/// A source or destination match: any of the terms; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// As written.
    pub terms: Vec<AddressTerm>,
    /// The union of the terms.
    pub set: Arc<AddressSet>,
}

/// One alternative of what a rule says of protocol, ports, ICMP type and flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// The protocol.
    pub protocol: Protocol,
    /// Source ports; none for any.
    pub source_ports: Option<PortSet>,
    /// Destination ports; none for any.
    pub dest_ports: Option<PortSet>,
    /// ICMP or ICMPv6 type, of the protocol's family; none for any.
    pub icmp: Option<IcmpType>,
    /// TCP flags; none for any.
    pub tcp_flags: Option<TcpFlags>,
}

/// The interface that a rule is restricted to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleInterface {
    /// Every one.
    Any,
    /// A host's interface: incoming for `in` and `forward`, outgoing for `out`.
    Host(String),
    /// A guest's NIC, by its number.
    Nic(u8),
}

/// A rule: its first match decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which way it looks.
    pub direction: Direction,
    /// Accept, drop or reject; never skip.
    pub verdict: Verdict,
    /// Its log line, if any.
    pub log: Log,
    /// False: it is carried, without effect.
    pub enabled: bool,
    /// The interface it is restricted to.
    pub interface: RuleInterface,
    /// Source addresses; none for any.
    pub source: Option<Addresses>,
    /// Destination addresses; none for any.
    pub dest: Option<Addresses>,
    /// Any of these; empty for every protocol. Expanded from `macro`, or `proto`, ports, type and flags.
    pub services: Vec<Service>,
    /// The macro's exact name, where one was written.
    pub macro_name: Option<&'static str>,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// Where it was written.
    pub origin: Origin,
}

impl Rule {
    /// The rule's meaning: one clause for each service. Of its interface only one of a host is a condition. Empty if disabled.
    #[must_use]
    pub fn clauses(&self) -> Vec<Clause> {
        self.clauses_at(&self.interface)
    }

    /// The same where it is restricted to another interface; one of a host alone is a condition.
    pub(super) fn clauses_at(&self, interface: &RuleInterface) -> Vec<Clause> {
        if !self.enabled {
            return Vec::new();
        }
        let mut clauses = Vec::with_capacity(self.services.len().max(1));
        let mut add = |service: Option<&Service>| {
            // Frames, a protocol and ports, a family or an interface, source, destination; few have more.
            let mut matches = Vec::with_capacity(6);
            matches.push(Match::Frame(super::FrameKind::Ip));
            if let Some(service) = service {
                service.add_to(&mut matches);
            }
            matches.extend(self.source.iter().map(|addresses| Match::Source(Arc::clone(&addresses.set))));
            matches.extend(self.dest.iter().map(|addresses| Match::Dest(Arc::clone(&addresses.set))));
            if let RuleInterface::Host(name) = interface {
                matches.push(match self.direction {
                    Direction::In | Direction::Forward => Match::InInterface(name.clone()),
                    Direction::Out => Match::OutInterface(name.clone()),
                });
            }
            let clause = Clause { matches, verdict: self.verdict, log: self.log };
            // A family-specific address beside a two-family macro leaves alternatives that nothing can match.
            if Family::BOTH.iter().any(|family| clause.speaks_of(*family)) {
                clauses.push(clause);
            }
        };
        match self.services.as_slice() {
            [] => add(None),
            services => services.iter().for_each(|service| add(Some(service))),
        }
        clauses
    }
}

impl Service {
    /// Whether packets of a family can carry it.
    #[must_use]
    pub fn speaks_of(&self, family: Family) -> bool {
        self.protocol.speaks_of(family)
    }

    /// Its conditions. ICMP and IGMP speak of IPv4 alone, ICMPv6 of IPv6 alone.
    #[must_use]
    pub fn matches(&self) -> Vec<Match> {
        let mut matches = Vec::with_capacity(4);
        self.add_to(&mut matches);
        matches
    }

    fn add_to(&self, matches: &mut Vec<Match>) {
        match Family::BOTH.map(|family| self.speaks_of(family)) {
            [true, false] => matches.push(Match::Family(Family::V4)),
            [false, true] => matches.push(Match::Family(Family::V6)),
            [true, true] | [false, false] => {}
        }
        matches.push(Match::Protocol(self.protocol));
        matches.extend(self.source_ports.clone().map(Match::SourcePorts));
        matches.extend(self.dest_ports.clone().map(Match::DestPorts));
        matches.extend(self.icmp.map(Match::Icmp));
        matches.extend(self.tcp_flags.map(Match::TcpFlags));
    }
}

/// A security group, written once and shared by all that call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// Its rules, of both directions, in order; never restricted to an interface.
    pub rules: Vec<Arc<Rule>>,
    /// Where it was written.
    pub span: Span,
}

/// A reference to a group: its rules of each direction stand here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCall {
    /// The group.
    pub group: Arc<Group>,
    /// The interface that the group's rules are restricted to here.
    pub interface: RuleInterface,
    /// False: it is carried, without effect.
    pub enabled: bool,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// Where the reference was written.
    pub origin: Origin,
}

/// One line of a list of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A rule.
    Rule(Arc<Rule>),
    /// A group.
    Group(Arc<GroupCall>),
}

impl Entry {
    /// Where it was written.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Rule(rule) => &rule.origin,
            Self::Group(call) => &call.origin,
        }
    }

    /// The reference, where it is one.
    #[must_use]
    pub const fn call(&self) -> Option<&Arc<GroupCall>> {
        match self {
            Self::Rule(_) => None,
            Self::Group(call) => Some(call),
        }
    }

    /// The interface it is restricted to.
    #[must_use]
    pub fn interface(&self) -> &RuleInterface {
        match self {
            Self::Rule(rule) => &rule.interface,
            Self::Group(call) => &call.interface,
        }
    }

    /// Whether it can hold for hosts alone: a forward rule, or one for a host's interface.
    #[must_use]
    pub fn is_for_hosts_only(&self) -> bool {
        let forwards = match self {
            Self::Rule(rule) => rule.direction == Direction::Forward,
            Self::Group(_) => false,
        };
        forwards || matches!(self.interface(), RuleInterface::Host(_))
    }

    /// The enabled rules of a direction that it stands for, each with the interface it holds for here.
    pub fn rules(&self, direction: Direction) -> impl Iterator<Item = (&Arc<Rule>, &RuleInterface)> {
        let (rules, interface, enabled): (&[Arc<Rule>], _, _) = match self {
            Self::Rule(rule) => (std::slice::from_ref(rule), &rule.interface, rule.enabled),
            Self::Group(call) => (&call.group.rules, &call.interface, call.enabled),
        };
        rules
            .iter()
            .filter(move |rule| enabled && rule.enabled && rule.direction == direction)
            .map(move |rule| (rule, interface))
    }
}

/// Whether rules stand before everybody's own or among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionKind {
    /// `guardrails.rules`.
    Guardrails,
    /// `rules`.
    Rules,
}

/// The rules that one zone writes, in order. Shared (by pointer) between all machines that take it whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Who wrote them.
    pub zone: ZoneRef,
    /// Guardrails or rules.
    pub kind: SectionKind,
    /// In order.
    pub entries: Vec<Entry>,
}

/// Why a rule of a section is without effect on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The machine lists it in `without`.
    Without,
    /// It is for hosts alone: a guest forwards nothing and has no host's interface.
    HostsOnly,
    /// The machine has no such NIC.
    NoSuchNic,
    /// A reference in it stands for no address on this machine (`local_network` of a host without addresses).
    NoAddress,
}

/// An entry left out on one machine, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// What was left out.
    pub origin: Origin,
    /// Why.
    pub reason: SkipReason,
}

/// A section as one machine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inherited {
    /// The rules.
    pub section: Arc<Section>,
    /// From the machine (first) to the zone that wrote them (last).
    pub path: Arc<[ZoneRef]>,
    /// What the zone wrote and this machine has not.
    pub skipped: Vec<Skipped>,
}

/// All rules of one machine, of every direction, in the order in which they are tried:
/// guardrails (farthest ancestor first), own rules, each ancestor's (nearest first).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleList {
    /// In order.
    pub sections: Vec<Inherited>,
}

impl RuleList {
    /// Every entry, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&Entry, &Inherited)> {
        self.sections.iter().flat_map(|inherited| inherited.section.entries.iter().map(move |entry| (entry, inherited)))
    }

    /// The enabled rules of a direction, groups flattened, each with the interface it holds for.
    pub fn rules(&self, direction: Direction) -> impl Iterator<Item = (&Arc<Rule>, &RuleInterface)> {
        self.entries().flat_map(move |(entry, _)| entry.rules(direction))
    }

    /// The groups that are called, by name.
    #[must_use]
    pub fn groups(&self) -> BTreeMap<&str, &Arc<Group>> {
        self.entries()
            .filter_map(|(entry, _)| match entry {
                Entry::Group(call) => Some((call.group.name.as_str(), &call.group)),
                Entry::Rule(_) => None,
            })
            .collect()
    }
}
