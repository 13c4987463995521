//! Packets as values of fields, and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::{Family, Protocol, TcpFlags};
use crate::policy::State;

use super::field::{self, Field, Interfaces};
use super::store::Id;
use super::table::Sets;
use super::{Diagram, Label, PacketSet, Region};
use crate::analysis::packet::{ArpPacket, Body, IpPacket, Packet, Payload};

/// Values that make a packet easy to read, best first. Where none of them will do, the least is taken that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Source addresses of both families.
    pub sources: Vec<IpAddr>,
    /// Destination addresses of both families.
    pub dests: Vec<IpAddr>,
    /// Source ports.
    pub source_ports: Vec<u16>,
    /// Destination ports.
    pub dest_ports: Vec<u16>,
}

/// From the networks for documentation (RFC 5737, RFC 3849).
pub(in crate::analysis) const EXAMPLES: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77)),
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 77)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x77)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xeeee, 0, 0, 0, 0, 0x77)),
];

impl Default for Wish {
    /// An ordinary first packet between addresses for documentation, to a port that means nothing.
    fn default() -> Self {
        let reversed = EXAMPLES.into_iter().rev().collect();
        Self { sources: EXAMPLES.to_vec(), dests: reversed, source_ports: vec![49152], dest_ports: vec![54321] }
    }
}

impl Wish {
    pub(super) fn values(&self, field: Field, family: Family) -> Vec<u128> {
        let addresses = |list: &[IpAddr]| {
            let fitting = list.iter().filter(|address| Family::of(**address) == family);
            fitting.map(|address| field::address(*address)).collect()
        };
        let ports = |list: &[u16]| list.iter().map(|port| u128::from(*port)).collect();
        let (ping, echo) = match family {
            Family::V4 => (Protocol::ICMP, 8 << 8),
            Family::V6 => (Protocol::ICMPV6, 128 << 8),
        };
        match field {
            Field::Frame => vec![field::IPV4, field::IPV6, field::ARP],
            Field::SourceMac | Field::ArpMac | Field::InInterface | Field::OutInterface | Field::Stand => vec![0],
            Field::State => vec![field::state(State::New)],
            Field::Protocol => [Protocol::TCP, Protocol::UDP, ping].map(|protocol| protocol.0.into()).to_vec(),
            Field::DestPort => ports(&self.dest_ports),
            Field::Icmp => vec![echo],
            Field::Dest => addresses(&self.dests),
            Field::Source => addresses(&self.sources),
            Field::SourcePort => ports(&self.source_ports),
            Field::Flags => [TcpFlags::SYN, TcpFlags::ACK, TcpFlags::SYN | TcpFlags::ACK].map(field::flags).to_vec(),
        }
    }
}

/// The packet with these values of its fields; a field without one has 0.
pub(in crate::analysis) fn packet(values: &[(Field, u128)], interfaces: &Interfaces) -> Packet {
    let value = |field: Field| values.iter().find(|(known, _)| *known == field).map_or(0, |(_, value)| *value);
    let small = |field: Field| u16::try_from(value(field)).unwrap_or(u16::MAX);
    let family = if value(Field::Frame) == field::IPV6 { Family::V6 } else { Family::V4 };
    let address = |field: Field| field::to_address(family, value(field));
    let v4 = |field: Field| if let IpAddr::V4(address) = address(field) { address } else { Ipv4Addr::UNSPECIFIED };
    let body = match value(Field::Frame) {
        field::IPV4 | field::IPV6 => {
            let protocol = Protocol(u8::try_from(value(Field::Protocol)).unwrap_or(u8::MAX));
            let (source, dest) = (small(Field::SourcePort), small(Field::DestPort));
            let payload = match protocol {
                Protocol::TCP => Payload::Tcp { source, dest, flags: field::to_flags(value(Field::Flags)) },
                other if field::has_icmp(other) => {
                    let [kind, code] = small(Field::Icmp).to_be_bytes();
                    Payload::Icmp { kind, code }
                }
                other if other.has_ports() => Payload::Ports { source, dest },
                _ => Payload::Other,
            };
            let known = State::ALL.into_iter().find(|state| field::state(*state) == value(Field::State));
            let state = known.unwrap_or(State::Invalid);
            Body::Ip(IpPacket { source: address(Field::Source), dest: address(Field::Dest), protocol, payload, state })
        }
        field::ARP => Body::Arp(ArpPacket {
            sender_mac: field::to_mac(value(Field::ArpMac)),
            sender: v4(Field::Source),
            target: v4(Field::Dest),
        }),
        field::STACKED => Body::Stacked,
        other => Body::Other(u16::try_from(other).unwrap_or(u16::MAX)),
    };
    Packet {
        body,
        source_mac: field::to_mac(value(Field::SourceMac)),
        in_interface: interfaces.name(value(Field::InInterface)).map(str::to_owned),
        out_interface: interfaces.name(value(Field::OutInterface)).map(str::to_owned),
    }
}

/// The value of a field of a packet; 0 where it has no such field.
pub(in crate::analysis) fn value(packet: &Packet, field: Field, interfaces: &Interfaces) -> u128 {
    let arp = if let Body::Arp(arp) = &packet.body { Some(arp) } else { None };
    let ip = packet.ip();
    let ports = || ip.and_then(|ip| ip.payload.ports());
    match field {
        Field::Frame => match &packet.body {
            Body::Ip(ip) => field::frame(ip.family()),
            Body::Arp(_) => field::ARP,
            Body::Stacked => field::STACKED,
            Body::Other(number) => (*number).into(),
        },
        Field::SourceMac => field::mac(packet.source_mac),
        Field::ArpMac => field::mac(arp.and_then(|arp| arp.sender_mac)),
        Field::Stand => 0,
        Field::InInterface => interfaces.number(packet.in_interface.as_deref()),
        Field::OutInterface => interfaces.number(packet.out_interface.as_deref()),
        Field::State => ip.map_or(0, |ip| field::state(ip.state)),
        Field::Protocol => ip.map_or(0, |ip| ip.protocol.0.into()),
        Field::DestPort => ports().map_or(0, |(_, dest)| dest.into()),
        Field::SourcePort => ports().map_or(0, |(source, _)| source.into()),
        Field::Icmp => match ip.map(|ip| ip.payload) {
            Some(Payload::Icmp { kind, code }) => u16::from_be_bytes([kind, code]).into(),
            Some(Payload::Tcp { .. } | Payload::Ports { .. } | Payload::Other) | None => 0,
        },
        Field::Flags => match ip.map(|ip| ip.payload) {
            Some(Payload::Tcp { flags, .. }) => field::flags(flags),
            Some(Payload::Icmp { .. } | Payload::Ports { .. } | Payload::Other) | None => 0,
        },
        Field::Dest => match (ip, arp) {
            (Some(ip), _) => field::address(ip.dest),
            (None, Some(arp)) => field::address(arp.target.into()),
            (None, None) => 0,
        },
        Field::Source => match (ip, arp) {
            (Some(ip), _) => field::address(ip.source),
            (None, Some(arp)) => field::address(arp.sender.into()),
            (None, None) => 0,
        },
    }
}

impl Sets {
    /// What a diagram says of a packet.
    #[must_use]
    pub fn label(&self, diagram: Diagram, packet: &Packet) -> Label {
        let mut id = diagram.0;
        loop {
            if let Some(label) = id.label() {
                return label;
            }
            let Some(field) = self.store.field(id) else { return Label::NONE };
            id = self.store.step(id, field, value(packet, field, &self.interfaces)).1;
        }
    }

    /// Whether a packet is in a set.
    #[must_use]
    pub fn contains(&self, set: PacketSet, packet: &Packet) -> bool {
        self.label(set.diagram(), packet) == Label(1)
    }

    /// Whether a packet is in a box.
    #[must_use]
    pub fn is_in(&self, region: &Region, packet: &Packet) -> bool {
        let fits = |field: Field| match region.values(field) {
            Some(values) => values.contains(value(packet, field, &self.interfaces)),
            None => true,
        };
        Field::ALL.into_iter().all(fits)
    }

    /// A packet of a set, one that is easy to read if there is one; none of an empty set.
    #[must_use]
    pub fn witness(&self, set: PacketSet, wish: &Wish) -> Option<Packet> {
        let mut id = set.0;
        let mut family = Family::V4;
        let mut values = Vec::with_capacity(Field::ALL.len());
        for field in Field::ALL {
            let wishes = wish.values(field, family);
            // Nothing else leads to label 0 than that label itself, so that every other way has a packet.
            let leads = |value: u128| {
                Some((value, self.store.step(id, field, value).1)).filter(|(_, to)| *to != Id::end(Label(0)))
            };
            let other = || match self.store.node(id).filter(|node| node.field == field) {
                Some(node) => {
                    let mut parts = self.store.intervals(node).filter(|(_, to)| *to != Id::end(Label(0)));
                    parts.next().map(|((first, last), to)| (readable(field, first, last, family), to))
                }
                None => leads(0),
            };
            let (value, next) = wishes.into_iter().find_map(leads).or_else(other)?;
            if field == Field::Frame && value == field::IPV6 {
                family = Family::V6;
            }
            values.push((field, value));
            id = next;
        }
        (id == Id::end(Label(1))).then(|| packet(&values, &self.interfaces))
    }
}

/// The second address of a network rather than its first, which is nobody's.
fn readable(field: Field, first: u128, last: u128, family: Family) -> u128 {
    let address = matches!(field, Field::Source | Field::Dest);
    if address && first < last.min(field.greatest(family)) { first + 1 } else { first }
}
