//! The fields of a packet that conditions look at, and the values that stand in for all of one field.
//!
//! Every condition looks at one field. Its set of values begins and ends somewhere; between two such places no
//! condition in reach changes its answer, so one value from each place on stands for all up to the next one.

use std::net::IpAddr;

use crate::net::{AddressSet, Number, Ranges, TcpFlags};
use crate::policy::Match;

use crate::analysis::packet::{Body, Packet, Payload};
use crate::analysis::sets::least;

/// A field of a packet that may vary within one space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    DestPort,
    Icmp,
    Flags,
    InInterface,
    OutInterface,
    Dest,
    SourcePort,
    Source,
}

impl Field {
    /// Those that claims narrow down most come first, so that few conditions are left for those with many values.
    pub(super) const ALL: [Self; 8] = [
        Self::DestPort,
        Self::Icmp,
        Self::Flags,
        Self::InInterface,
        Self::OutInterface,
        Self::Dest,
        Self::SourcePort,
        Self::Source,
    ];

    /// The field that a condition looks at; none where it is the same for all packets of a space.
    pub(super) const fn of(condition: &Match) -> Option<Self> {
        match condition {
            Match::Source(_) | Match::SourceNot(_) => Some(Self::Source),
            Match::Dest(_) => Some(Self::Dest),
            Match::SourcePorts(_) => Some(Self::SourcePort),
            Match::DestPorts(_) => Some(Self::DestPort),
            Match::Icmp(_) => Some(Self::Icmp),
            Match::TcpFlags(_) | Match::TcpFlagsNot(_) => Some(Self::Flags),
            Match::InInterface(_) => Some(Self::InInterface),
            Match::OutInterface(_) => Some(Self::OutInterface),
            Match::Frame(_)
            | Match::EtherTypeNot(_)
            | Match::Family(_)
            | Match::State(_)
            | Match::Protocol(_)
            | Match::Loopback
            | Match::SourceMacNot(_)
            | Match::ArpSender(_) => None,
        }
    }

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Address(IpAddr),
    Port(u16),
    Icmp(u8, u8),
    Flags(u8),
    Interface(Option<String>),
}

impl Value {
    /// Puts the value into a packet that has such a field.
    pub(super) fn set(&self, field: Field, packet: &mut Packet) {
        match (field, self) {
            (Field::InInterface, Self::Interface(name)) => packet.in_interface.clone_from(name),
            (Field::OutInterface, Self::Interface(name)) => packet.out_interface.clone_from(name),
            _ => self.set_ip(field, packet),
        }
    }

    fn set_ip(&self, field: Field, packet: &mut Packet) {
        let Body::Ip(ip) = &mut packet.body else { return };
        match (field, self, &mut ip.payload) {
            (Field::Source, Self::Address(address), _) => ip.source = *address,
            (Field::Dest, Self::Address(address), _) => ip.dest = *address,
            (Field::SourcePort, Self::Port(port), Payload::Tcp { source, .. } | Payload::Ports { source, .. }) => {
                *source = *port;
            }
            (Field::DestPort, Self::Port(port), Payload::Tcp { dest, .. } | Payload::Ports { dest, .. }) => {
                *dest = *port;
            }
            (Field::Icmp, Self::Icmp(new_kind, new_code), Payload::Icmp { kind, code }) => {
                (*kind, *code) = (*new_kind, *new_code);
            }
            (Field::Flags, Self::Flags(bits), Payload::Tcp { flags, .. }) => *flags = *bits,
            _ => {}
        }
    }
}

/// Values of `base` that stand for all of it, as far as `conditions` can tell them apart; ascending.
fn numbers<T: Number>(base: &[&Ranges<T>], conditions: &[&Ranges<T>]) -> Vec<T> {
    let Some(smallest) = least(base, T::MIN) else { return Vec::new() };
    let mut edges = vec![smallest];
    if smallest.next().and_then(|after| least(base, after)).is_none() {
        return edges;
    }
    for (start, end) in conditions.iter().flat_map(|set| set.iter()) {
        edges.extend(least(base, start));
        edges.extend(end.next().and_then(|after| least(base, after)));
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

fn is_in<T: Number>(base: &[&Ranges<T>], value: T) -> bool {
    base.iter().all(|set| set.contains(value))
}

/// The next number, where it is in the same group: the first address of a network is nobody's.
fn inner<T: Number>(base: &[&Ranges<T>], edges: &[T]) -> Vec<T> {
    let next = |edge: &T| edge.next().filter(|next| edges.binary_search(next).is_err() && is_in(base, *next));
    edges.iter().map(|edge| next(edge).unwrap_or(*edge)).collect()
}

/// A set as numbers of one family.
pub(super) trait AddressNumber: Number {
    fn part(set: &AddressSet) -> &Ranges<Self>;
    fn address(self) -> IpAddr;
    fn number(address: IpAddr) -> Option<Self>;
}

impl AddressNumber for u32 {
    fn part(set: &AddressSet) -> &Ranges<Self> {
        set.v4()
    }
    fn address(self) -> IpAddr {
        IpAddr::V4(self.into())
    }
    fn number(address: IpAddr) -> Option<Self> {
        if let IpAddr::V4(address) = address { Some(address.into()) } else { None }
    }
}

impl AddressNumber for u128 {
    fn part(set: &AddressSet) -> &Ranges<Self> {
        set.v6()
    }
    fn address(self) -> IpAddr {
        IpAddr::V6(self.into())
    }
    fn number(address: IpAddr) -> Option<Self> {
        if let IpAddr::V6(address) = address { Some(address.into()) } else { None }
    }
}

/// Addresses that stand for all of `base`.
pub(super) fn addresses<'c, T: AddressNumber>(
    base: &[&Ranges<T>],
    conditions: &[&'c Match],
    first: &[IpAddr],
) -> Vec<Value> {
    let set = |condition: &&'c Match| {
        if let Match::Source(set) | Match::SourceNot(set) | Match::Dest(set) = condition {
            Some(T::part(set))
        } else {
            None
        }
    };
    let sets: Vec<_> = conditions.iter().filter_map(set).collect();
    let first = first.iter().filter_map(|address| T::number(*address)).filter(|number| is_in(base, *number));
    let all = first.chain(inner(base, &numbers(base, &sets)));
    all.map(|number| Value::Address(number.address())).collect()
}

/// Ports that stand for all of `base`.
pub(super) fn ports<'c>(base: &[&Ranges<u16>], conditions: &[&'c Match], first: u16) -> Vec<Value> {
    let set = |condition: &&'c Match| {
        if let Match::SourcePorts(set) | Match::DestPorts(set) = condition { Some(set) } else { None }
    };
    let sets: Vec<_> = conditions.iter().filter_map(set).collect();
    let first = Some(first).filter(|port| is_in(base, *port));
    first.into_iter().chain(numbers(base, &sets)).map(Value::Port).collect()
}

/// ICMP types and codes: each that a condition names, with a code beside the named ones, and a type beside the named
/// ones; only those of the claim.
pub(super) fn icmp(kind: Option<u8>, code: Option<u8>, conditions: &[&Match], first: u8) -> Vec<Value> {
    let named: Vec<(u8, Option<u8>)> = conditions
        .iter()
        .filter_map(|condition| if let Match::Icmp(icmp) = condition { Some((icmp.kind, icmp.code)) } else { None })
        .collect();
    let kinds = unnamed(kind, first, named.iter().map(|(kind, _)| *kind));
    let pairs = kinds.into_iter().flat_map(|kind| {
        let codes = named.iter().filter(|(other, _)| *other == kind).filter_map(|(_, code)| *code);
        unnamed(code, 0, codes).into_iter().map(move |code| Value::Icmp(kind, code))
    });
    pairs.collect()
}

/// `only`, or else the first choice, what is named, and one that is not.
fn unnamed(only: Option<u8>, first: u8, named: impl Iterator<Item = u8>) -> Vec<u8> {
    if let Some(only) = only {
        return vec![only];
    }
    let mut values = vec![first];
    values.extend(named);
    values.extend((0..=u8::MAX).find(|value| !values.contains(value)));
    let mut seen = Vec::with_capacity(values.len());
    values.retain(|value| {
        !seen.contains(value) && {
            seen.push(*value);
            true
        }
    });
    values
}

/// Every combination of TCP flags that the claim allows; a bare SYN first.
pub(super) fn flags(only: Option<TcpFlags>) -> Vec<Value> {
    let all = std::iter::once(TcpFlags::SYN).chain((0..64).filter(|bits| *bits != TcpFlags::SYN));
    all.filter(|bits| only.is_none_or(|only| bits & only.mask == only.set)).map(Value::Flags).collect()
}

/// Interfaces that conditions name, and one that nobody names, which comes first.
pub(super) fn interfaces<'c>(conditions: &[&'c Match]) -> Vec<Value> {
    let name = |condition: &&'c Match| {
        if let Match::InInterface(name) | Match::OutInterface(name) = condition { Some(name.as_str()) } else { None }
    };
    let named = conditions.iter().filter_map(name);
    let mut names: Vec<Option<&str>> = std::iter::once(None).chain(named.map(Some)).collect();
    let mut seen = Vec::with_capacity(names.len());
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    names.into_iter().map(|name| Value::Interface(name.map(str::to_owned))).collect()
}
