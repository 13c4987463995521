//! The conditions of a clause as tests.
//!
//! In: a clause and a family. Out: its [`Shape`]: tests that hold together, and what needs alternatives
//! (many ports, many addresses). Promise: the shape matches exactly the packets that the clause matches,
//! or there is an error; never more, never fewer.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::net::{AddressSet, Family, PortSet, Protocol};
use crate::policy::{Clause, Direction, FrameKind, Match};

use super::ruleset::{Name, Side, Test};

/// Addresses of one side: in (or in none of) these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    /// Which side.
    pub(super) side: Side,
    /// In none of them.
    pub(super) negated: bool,
    /// Disjoint, ascending; never empty.
    pub(super) parts: Vec<Part>,
}

/// A part of a set of addresses that one test can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A network.
    Network(IpNet),
    /// A range, both ends included.
    Range(IpAddr, IpAddr),
}

impl Part {
    /// The test for it.
    pub(super) const fn test(self, side: Side, negated: bool) -> Test {
        match self {
            Self::Network(network) => Test::Network { side, network, negated },
            Self::Range(first, last) => Test::Range { side, first, last, negated },
        }
    }
}

/// A clause, ready to be written as rules.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Tests that every rule of it has.
    pub(super) tests: Vec<Test>,
    /// For each of these, one of the alternatives.
    pub(super) ports: Vec<Vec<Test>>,
    /// Each of these must hold.
    pub(super) addresses: Vec<Addresses>,
}

/// The protocol's own test for ports, where it has one that every kernel knows.
fn native(condition: &Match) -> Option<&'static str> {
    [(Protocol::TCP, "tcp"), (Protocol::UDP, "udp")]
        .into_iter()
        .find_map(|(protocol, name)| (*condition == Match::Protocol(protocol)).then_some(name))
}

/// What a condition comes to.
enum Outcome {
    /// It always holds.
    Always,
    /// It never holds.
    Never,
    /// One test.
    Test(Test),
    /// One of these.
    Ports(Vec<Test>),
    /// Addresses.
    Addresses(Addresses),
}

/// The shape of a clause for one family; none where no packet of the family fits.
///
/// # Errors
/// What iptables cannot express, at `span`.
pub(super) fn shape(
    clause: &Clause,
    family: Family,
    direction: Direction,
    span: Span,
) -> Result<Option<Shape>, Diagnostic> {
    if !clause.speaks_of(family) {
        return Ok(None);
    }
    let native = clause.matches.iter().find_map(native);
    let mut shape = Shape::default();
    for condition in &clause.matches {
        match outcome(condition, family, direction, native, span)? {
            Outcome::Always => {}
            Outcome::Never => return Ok(None),
            Outcome::Test(test) => shape.tests.push(test),
            Outcome::Ports(choices) => shape.ports.push(choices),
            Outcome::Addresses(addresses) => shape.addresses.push(addresses),
        }
    }
    Ok(Some(shape))
}

fn outcome(
    condition: &Match,
    family: Family,
    direction: Direction,
    native: Option<&'static str>,
    span: Span,
) -> Result<Outcome, Diagnostic> {
    let when = |holds: bool| if holds { Outcome::Always } else { Outcome::Never };
    Ok(match condition {
        Match::Frame(kind) => when(*kind == FrameKind::Ip),
        Match::Family(only) => when(*only == family),
        Match::EtherTypeNot(listed) => when(!listed.contains(&ethertype(family))),
        Match::ArpSender(_) => Outcome::Never,
        Match::State(states) => Outcome::Test(Test::State(*states)),
        Match::Source(set) => addresses(set, family, Side::Source, false),
        Match::SourceNot(set) => addresses(set, family, Side::Source, true),
        Match::Dest(set) => addresses(set, family, Side::Dest, false),
        Match::Protocol(protocol) => Outcome::Test(protocol_test(*protocol, family, span)?),
        Match::SourcePorts(ports) => port_tests(ports, Side::Source, native),
        Match::DestPorts(ports) => port_tests(ports, Side::Dest, native),
        Match::Icmp(icmp) => {
            if family == Family::V4 && icmp.kind == 255 {
                let message = "iptables cannot tell ICMP type 255 from any type";
                return Err(Diagnostic::error(Code::IptablesIcmpType, span, message)
                    .help("name another type, or leave `icmp_type` out"));
            }
            Outcome::Test(Test::Icmp(*icmp))
        }
        Match::TcpFlags(flags) => Outcome::Test(Test::Flags { flags: *flags, negated: false }),
        Match::TcpFlagsNot(flags) => Outcome::Test(Test::Flags { flags: *flags, negated: true }),
        Match::InInterface(name) => Outcome::Test(Test::In(interface(name, span)?)),
        Match::OutInterface(name) => Outcome::Test(Test::Out(interface(name, span)?)),
        Match::Loopback => Outcome::Test(match direction {
            Direction::In | Direction::Forward => Test::In("lo".into()),
            Direction::Out => Test::Out("lo".into()),
        }),
        Match::SourceMacNot(mac) => Outcome::Test(Test::MacNot(*mac)),
    })
}

/// The ethertype of a family.
pub(super) const fn ethertype(family: Family) -> u16 {
    match family {
        Family::V4 => 0x0800,
        Family::V6 => 0x86dd,
    }
}

/// An interface's name that can stand in a rule and means that interface alone.
///
/// # Errors
/// A name that iptables would read as something else, at `span`.
pub(super) fn interface(name: &str, span: Span) -> Result<Name, Diagnostic> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '/' | '#');
    let right = (1..=15).contains(&name.len())
        && name.chars().all(plain)
        && !name.ends_with('+')
        && !name.starts_with(['!', '-']);
    if right {
        return Ok(name.into());
    }
    let message = format!("iptables cannot match the interface name `{}`", name.escape_debug());
    Err(Diagnostic::error(Code::IptablesInterfaceName, span, message).help(
        "use up to 15 ASCII characters, without spaces, quotes, `#`, `/`, `\\`, `!` or `-` at the start, `+` at the end",
    ))
}

fn protocol_test(protocol: Protocol, family: Family, span: Span) -> Result<Test, Diagnostic> {
    let refuse = |why: &str| {
        let message = format!("{} cannot match protocol {}", program(family), protocol.0);
        Err(Diagnostic::error(Code::IptablesProtocol, span, message).because(why.to_owned()))
    };
    match (protocol.0, family) {
        (0, _) => refuse("it reads 0 as every protocol"),
        (43 | 44 | 59 | 60, Family::V6) => refuse("it looks through IPv6 extension headers"),
        (51, Family::V6) => Ok(Test::AuthenticationHeader),
        (number, _) => Ok(Test::Protocol(number)),
    }
}

/// `iptables` or `ip6tables`.
pub(super) const fn program(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    }
}

/// What one multiport test holds; a range counts two.
const MULTIPORT: usize = 15;

fn port_tests(ports: &PortSet, side: Side, native: Option<&'static str>) -> Outcome {
    let mut chunks: Vec<Vec<(u16, u16)>> = Vec::new();
    let mut room = 0;
    for (first, last) in ports.iter() {
        let size = if first == last { 1 } else { 2 };
        if room < size {
            chunks.push(Vec::new());
            room = MULTIPORT;
        }
        room -= size;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push((first, last));
        }
    }
    let mut tests = chunks.into_iter().map(|ports| Test::Ports { side, ports, native });
    match (tests.next(), tests.len()) {
        (None, _) => Outcome::Never,
        (Some(only), 0) => Outcome::Test(only),
        (Some(first), _) => Outcome::Ports(std::iter::once(first).chain(tests).collect()),
    }
}

fn addresses(set: &AddressSet, family: Family, side: Side, negated: bool) -> Outcome {
    let parts = parts(set, family);
    if parts.is_empty() {
        return if negated { Outcome::Always } else { Outcome::Never };
    }
    Outcome::Addresses(Addresses { side, negated, parts })
}

/// The fewest parts that make up a set: a range where it takes more than one network.
fn parts(set: &AddressSet, family: Family) -> Vec<Part> {
    match family {
        Family::V4 => set
            .v4()
            .iter()
            .map(|(first, last)| {
                let bits = prefix(first.into(), last.into(), 32);
                part(IpAddr::V4(first.into()), IpAddr::V4(last.into()), bits)
            })
            .collect(),
        Family::V6 => set
            .v6()
            .iter()
            .map(|(first, last)| {
                let bits = prefix(first, last, 128);
                part(IpAddr::V6(first.into()), IpAddr::V6(last.into()), bits)
            })
            .collect(),
    }
}

/// The prefix length of the network from `first` to `last`, if it is one.
fn prefix(first: u128, last: u128, width: u32) -> Option<u8> {
    let host = first ^ last;
    let bits = u128::BITS - host.leading_zeros();
    let aligned = host.count_ones() == bits && first & host == 0;
    aligned.then(|| u8::try_from(width - bits).ok()).flatten()
}

fn part(first: IpAddr, last: IpAddr, prefix: Option<u8>) -> Part {
    match prefix.and_then(|prefix| IpNet::new(first, prefix).ok()) {
        Some(network) => Part::Network(network),
        None => Part::Range(first, last),
    }
}
