//! Spaces of packets: what a claim speaks of on one way, split so that family and protocol are fixed.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::{Family, PortSet, Protocol, Ranges, TcpFlags};
use crate::policy::{Claim, Match, Service};

use super::ends::{Common, Side, World};
use super::field::{self, Field, Value};
use super::way::Way;
use crate::analysis::judge::Judge;
use crate::analysis::packet::{Body, IpPacket, Packet, Payload};
use crate::analysis::route::Place;
use crate::analysis::sets::{self, Allowed, Interfaces, Wish, least};

/// Ports of a packet that nothing else decides about.
const SOURCE_PORT: u16 = 49152;
const DEST_PORT: u16 = 54321;

/// What a claim says of both ends of a way, and of the interfaces on it.
#[derive(Debug)]
pub(super) struct Ends<'s> {
    source: Common<'s>,
    dest: Common<'s>,
    /// Addresses that are easy to read, best first.
    source_first: Vec<IpAddr>,
    dest_first: Vec<IpAddr>,
    in_interface: Interface<'s>,
    out_interface: Interface<'s>,
}

/// By which interface of a host a packet comes or goes.
#[derive(Debug, Clone)]
enum Interface<'s> {
    /// The one that the way tells.
    Known(String),
    /// The one that the claim says.
    Written(&'s str),
    /// Any but loopback: what comes by that is the host's own, and then the way tells.
    Any,
}

/// All packets of a claim on one way with one family and one protocol.
#[derive(Debug)]
pub(super) struct Space<'s> {
    ends: &'s Ends<'s>,
    family: Family,
    service: Option<&'s Service>,
    sources: Cow<'s, PortSet>,
    dests: Cow<'s, PortSet>,
    /// One of them.
    template: Packet,
}

impl<'s> Ends<'s> {
    pub(super) fn new<'a: 's>(world: &'s World<'a>, claim: &'s Claim, way: &Way<'a>) -> Self {
        let (in_interface, out_interface) = interfaces(claim, way);
        Self {
            source: world.addresses(claim, way, Side::Source),
            dest: world.addresses(claim, way, Side::Dest),
            source_first: World::readable(way.from),
            // Two examples may not be the same address.
            dest_first: World::readable(way.to).into_iter().rev().collect(),
            in_interface,
            out_interface,
        }
    }

    fn has(&self, family: Family) -> bool {
        [&self.source, &self.dest].iter().all(|common| match family {
            Family::V4 => least(&common.v4(), 0).is_some(),
            Family::V6 => least(&common.v6(), 0).is_some(),
        })
    }
}

impl Ends<'_> {
    /// All packets of one family that a claim's service speaks of; without a service, those of every protocol. None, where
    /// there are none.
    pub(super) fn packets<'s>(
        &'s self,
        claim: &Claim,
        service: Option<&'s Service>,
        family: Family,
        interfaces: &Interfaces,
    ) -> Option<sets::Space<'s>> {
        let protocols = match service.map(|service| service.protocol) {
            Some(protocol) if !protocol.speaks_of(family) => return None,
            Some(protocol) => Allowed::One(protocol.0.into()),
            None => Allowed::Values(sets::protocols(|protocol| protocol.speaks_of(family))),
        };
        let addresses = |common: &'s Common<'s>| match family {
            Family::V4 => Allowed::V4(common.v4()),
            Family::V6 => Allowed::V6(common.v6()),
        };
        let mut space = sets::Space::new(family)
            .with(sets::Field::State, Allowed::state(claim.state))
            .with(sets::Field::Protocol, protocols)
            .with(sets::Field::Dest, addresses(&self.dest))
            .with(sets::Field::Source, addresses(&self.source));
        let sides = [
            (sets::Field::InInterface, self.in_interface.name()),
            (sets::Field::OutInterface, self.out_interface.name()),
        ];
        for (field, name) in sides {
            space = space.with(
                field,
                match name {
                    Some(name) => Allowed::One(interfaces.number(Some(name))),
                    None => Allowed::no_loopback(interfaces),
                },
            );
        }
        if let Some(ports) = service.and_then(|service| service.dest_ports.as_ref()) {
            space = space.with(sets::Field::DestPort, Allowed::Ports(ports));
        }
        if let Some(ports) = service.and_then(|service| service.source_ports.as_ref()) {
            space = space.with(sets::Field::SourcePort, Allowed::Ports(ports));
        }
        if let Some(icmp) = service.and_then(|service| service.icmp) {
            space = space.with(sets::Field::Icmp, Allowed::icmp(icmp));
        }
        if let Some(flags) = service.and_then(|service| service.tcp_flags) {
            space = space.with(sets::Field::Flags, Allowed::Values(sets::flag_values(flags)));
        }
        (!space.is_empty()).then_some(space)
    }

    /// A packet of these values, which reads as the claim has it.
    pub(super) fn packet(&self, values: &[(sets::Field, u128)], interfaces: &Interfaces) -> Packet {
        let mut packet = sets::packet(values, interfaces);
        packet.in_interface = self.in_interface.name().map(str::to_owned).or(packet.in_interface);
        packet.out_interface = self.out_interface.name().map(str::to_owned).or(packet.out_interface);
        packet
    }

    /// Which of the packets to show.
    pub(super) fn wish(&self) -> Wish {
        Wish { sources: self.source_first.clone(), dests: self.dest_first.clone(), ..Wish::default() }
    }
}

impl Interface<'_> {
    /// The name; none for any.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Known(name) => Some(name),
            Self::Written(name) => Some(name),
            Self::Any => None,
        }
    }
}

/// What is known of the interfaces: those that the ends of a leg tell; the claim's where the packet comes from outside
/// or leaves to it.
fn interfaces<'s>(claim: &'s Claim, way: &Way<'_>) -> (Interface<'s>, Interface<'s>) {
    let blank = template(claim, Family::V4, Protocol::TCP);
    let seen: Vec<Packet> = way.legs.iter().map(|leg| leg.packet(&blank)).collect();
    let known = |side: fn(&Packet) -> &Option<String>| seen.iter().find_map(|packet| side(packet).clone());
    let written = || claim.interface.as_deref().map_or(Interface::Any, Interface::Written);
    let of = |known: Option<String>| known.map_or_else(written, Interface::Known);
    let came = of(known(|packet| &packet.in_interface));
    match (way.from, way.to) {
        (Place::Outside, Place::Outside) => (came, Interface::Any),
        (Place::Outside | Place::Host(_) | Place::Guest(..), _) => (came, of(known(|packet| &packet.out_interface))),
    }
}

impl<'s> Space<'s> {
    /// Every space of one family of a claim's service on a way; without a service, one for every protocol that a hook on
    /// the way names, and one for a protocol that none does.
    pub(super) fn all(
        claim: &Claim,
        service: Option<&'s Service>,
        ends: &'s Ends<'s>,
        judges: &[impl AsRef<Judge<'s>>],
        family: Family,
    ) -> Vec<Self> {
        let mut spaces = Vec::new();
        if ends.has(family) {
            let protocols = service.map_or_else(|| protocols(family, judges), |service| vec![service.protocol]);
            for protocol in protocols.into_iter().filter(|protocol| protocol.speaks_of(family)) {
                let ports =
                    |chosen: Option<&'s PortSet>| chosen.map_or_else(|| Cow::Owned(Ranges::all()), Cow::Borrowed);
                let mut space = Self {
                    ends,
                    family,
                    service,
                    sources: ports(service.and_then(|service| service.source_ports.as_ref())),
                    dests: ports(service.and_then(|service| service.dest_ports.as_ref())),
                    template: template(claim, family, protocol),
                };
                if space.fill() {
                    spaces.push(space);
                }
            }
        }
        spaces
    }

    /// One of the packets.
    pub(super) const fn template(&self) -> &Packet {
        &self.template
    }

    /// Gives every field of the template a value of the space; false where there is none.
    fn fill(&mut self) -> bool {
        for field in Field::ALL {
            match self.values(field, &[]).first() {
                Some(value) => value.set(field, &mut self.template),
                None => return false,
            }
        }
        true
    }

    /// Values of a field that stand for all, as far as these conditions on it can tell them apart.
    pub(super) fn values(&self, field: Field, conditions: &[&Match]) -> Vec<Value> {
        let icmp = self.service.and_then(|service| service.icmp);
        match field {
            Field::DestPort => field::ports(&[&*self.dests], conditions, DEST_PORT),
            Field::SourcePort => field::ports(&[&*self.sources], conditions, SOURCE_PORT),
            Field::Icmp => {
                let echo = match self.family {
                    Family::V4 => 8,
                    Family::V6 => 128,
                };
                field::icmp(icmp.map(|icmp| icmp.kind), icmp.and_then(|icmp| icmp.code), conditions, echo)
            }
            Field::Flags => field::flags(self.service.and_then(|service| service.tcp_flags)),
            Field::InInterface => names(&self.ends.in_interface, conditions),
            Field::OutInterface => names(&self.ends.out_interface, conditions),
            Field::Source => self.addresses(&self.ends.source, conditions, &self.ends.source_first),
            Field::Dest => self.addresses(&self.ends.dest, conditions, &self.ends.dest_first),
        }
    }

    fn addresses(&self, base: &Common<'_>, conditions: &[&Match], first: &[IpAddr]) -> Vec<Value> {
        match self.family {
            Family::V4 => field::addresses(&base.v4(), conditions, first),
            Family::V6 => field::addresses(&base.v6(), conditions, first),
        }
    }
}

fn names(interface: &Interface<'_>, conditions: &[&Match]) -> Vec<Value> {
    let one = |name: &str| vec![Value::Interface(Some(name.to_owned()))];
    match interface {
        Interface::Known(name) => one(name),
        Interface::Written(name) => one(name),
        Interface::Any => field::interfaces(conditions),
    }
}

fn protocols<'a>(family: Family, judges: &[impl AsRef<Judge<'a>>]) -> Vec<Protocol> {
    let ping = match family {
        Family::V4 => Protocol::ICMP,
        Family::V6 => Protocol::ICMPV6,
    };
    let mut named: Vec<Protocol> = judges
        .iter()
        .flat_map(|judge| judge.as_ref().clauses())
        .flat_map(|(_, clause, _)| &clause.matches)
        .filter_map(|condition| if let Match::Protocol(protocol) = condition { Some(*protocol) } else { None })
        .filter(|protocol| protocol.speaks_of(family))
        .collect();
    let familiar = [Protocol::TCP, Protocol::UDP, ping];
    let numbers = familiar.into_iter().chain((0..=u8::MAX).rev().map(Protocol));
    named.extend(numbers.filter(|protocol| protocol.speaks_of(family)).find(|protocol| !named.contains(protocol)));
    named
        .sort_unstable_by_key(|protocol| (familiar.iter().position(|known| known == protocol).unwrap_or(3), *protocol));
    named.dedup();
    named
}

/// An ordinary first packet, but for the state.
const fn template(claim: &Claim, family: Family, protocol: Protocol) -> Packet {
    let any = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let payload = match protocol {
        Protocol::TCP => Payload::Tcp { source: SOURCE_PORT, dest: DEST_PORT, flags: TcpFlags::SYN },
        Protocol::ICMP | Protocol::ICMPV6 => Payload::Icmp { kind: 0, code: 0 },
        other if other.has_ports() => Payload::Ports { source: SOURCE_PORT, dest: DEST_PORT },
        _ => Payload::Other,
    };
    Packet::new(Body::Ip(IpPacket { source: any, dest: any, protocol, payload, state: claim.state }))
}
