//! A probe in the making: every field has a value, and each can be changed without regard to the others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fwc::net::{Family, Mac};

use super::Path;
use crate::judge::{Place, Probe};
use crate::random::Random;
use crate::stack;
use crate::topology::{Network, Station};
use crate::wire::{Arp, Body, Frame, Ip, Payload, Ports, Tag, Tcp, group_mac};

/// What the frame is to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An IP packet.
    Ip,
    /// ARP.
    Arp,
    /// Another ethertype.
    Other(u16),
}

/// All fields.
pub struct Draft<'a> {
    pub network: &'a Network<'a>,
    pub path: Path,
    pub number: u32,
    pub kind: Kind,
    pub family: Family,
    pub source: [IpAddr; 2],
    pub dest: [IpAddr; 2],
    pub protocol: u8,
    pub ports: Ports,
    pub icmp: (u8, u8),
    pub flags: u8,
    pub source_mac: Mac,
    pub sender_mac: Option<Mac>,
    pub dest_mac: Option<Mac>,
    pub tags: Vec<Tag>,
    /// Which side of a range it leaves where it is to miss it.
    pub side: usize,
}

impl<'a> Draft<'a> {
    /// An ordinary first packet along a path, more often than not of a TCP connection.
    pub fn new(network: &'a Network<'a>, path: Path, number: u32, random: &mut Random) -> Self {
        let source_mac = match path.from {
            Place::Host => network.segments[0].mac,
            Place::Port(port) => network.ports[port].mac,
        };
        let family = *random.pick(&Family::BOTH);
        let (ping, request) = if family == Family::V4 { (1, 8) } else { (58, 128) };
        Self {
            network,
            path,
            number,
            kind: Kind::Ip,
            family,
            source: Family::BOTH.map(|family| address(network, path.from, family, random)),
            dest: Family::BOTH.map(|family| address(network, path.to, family, random)),
            protocol: *random.pick(&[6, 6, 6, 17, ping, 47]),
            // No two probes of a run are one flow by chance.
            ports: Ports { source: 1024 + (number % 60000) as u16, dest: 1 + random.below(0xffff) as u16 },
            icmp: (request, 0),
            flags: 2,
            source_mac,
            sender_mac: None,
            dest_mac: None,
            tags: Vec::new(),
            side: 0,
        }
    }

    /// Source and destination in the family that it has now.
    pub fn addresses(&self) -> (IpAddr, IpAddr) {
        let at = usize::from(self.family == Family::V6);
        (self.source[at], self.dest[at])
    }

    /// Sets the source, and the family with it.
    pub fn set_source(&mut self, address: IpAddr) {
        self.family = Family::of(address);
        self.source[usize::from(self.family == Family::V6)] = address;
    }

    /// Sets the destination, and the family with it.
    pub fn set_dest(&mut self, address: IpAddr) {
        self.family = Family::of(address);
        self.dest[usize::from(self.family == Family::V6)] = address;
    }

    /// The finished probe.
    pub fn probe(self) -> Probe {
        let (source, dest) = self.addresses();
        let body = match self.kind {
            Kind::Other(ethertype) => Body::Other(ethertype),
            Kind::Arp => {
                let v4 = |address: IpAddr| match address {
                    IpAddr::V4(address) => address,
                    IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
                };
                Body::Arp(Arp {
                    operation: 1 + (self.number % 2) as u16,
                    sender_mac: self.sender_mac.unwrap_or(self.source_mac),
                    sender: v4(self.source[0]),
                    target: v4(self.dest[0]),
                })
            }
            Kind::Ip => {
                let payload = self.payload(source, dest);
                let hops = if matches!(self.icmp.0, 133..=137) && self.protocol == 58 { 255 } else { 64 };
                Body::Ip(Ip { source, dest, ttl: hops, payload })
            }
        };
        let station = match (self.path.from, self.path.to, self.path.routed) {
            (Place::Port(from), _, true) | (Place::Port(from), Place::Host, false) => {
                self.network.segments[self.network.ports[from].segment].mac
            }
            (_, Place::Port(to), _) => self.network.ports[to].mac,
            (Place::Host, Place::Host, _) => self.source_mac,
        };
        let group = if self.kind == Kind::Ip { self.group(dest) } else { None };
        let dest = self.dest_mac.or(group).unwrap_or(station);
        Probe { from: self.path.from, frame: Frame { dest, source: self.source_mac, tags: self.tags, body } }
    }

    fn group(&self, dest: IpAddr) -> Option<Mac> {
        let broadcast = dest.is_ipv4() && self.network.host.broadcast.contains(dest) && !dest.is_multicast();
        group_mac(dest).or(broadcast.then_some(crate::wire::BROADCAST))
    }

    fn payload(&self, source: IpAddr, dest: IpAddr) -> Payload {
        let ports = self.ports;
        let (kind, code) = self.icmp;
        let id = (self.number as u16).to_be_bytes();
        match (self.protocol, self.family) {
            (6, _) => {
                let acknowledges = if self.flags & 16 == 0 { 0 } else { 1 };
                Payload::Tcp(Tcp { ports, flags: self.flags, sequence: 1000, acknowledges, data: Vec::new() })
            }
            (17, _) => Payload::Udp(ports),
            (33, _) => Payload::Dccp(ports),
            (132, _) => Payload::Sctp(ports),
            (136, _) => Payload::UdpLite(ports),
            (1, Family::V4) if matches!(kind, 3 | 4 | 5 | 11 | 12) => self.error(kind, code, source, dest),
            (58, Family::V6) if kind < 128 => self.error(kind, code, source, dest),
            (58, Family::V6) if matches!(kind, 135 | 136) => {
                let target = match self.dest[1] {
                    IpAddr::V6(target) if !target.is_multicast() => target,
                    IpAddr::V6(_) | IpAddr::V4(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77),
                };
                Payload::Neighbour { kind, target }
            }
            (1, Family::V4) | (58, Family::V6) => Payload::Icmp { kind, code, rest: [id[0], id[1], 0, 1] },
            (number, _) => Payload::Other(number),
        }
    }

    /// An error about a packet that nobody sent.
    fn error(&self, kind: u8, code: u8, source: IpAddr, dest: IpAddr) -> Payload {
        let about = Ip { source: dest, dest: source, ttl: 63, payload: Payload::Udp(self.ports) };
        Payload::Error { kind, code, about: Box::new(about) }
    }

    /// Whether the sender is a guest.
    pub fn is_guests(&self) -> bool {
        match self.path.from {
            Place::Host => false,
            Place::Port(port) => matches!(self.network.ports[port].station, Station::Guest(..)),
        }
    }
}

/// An address of a place; somebody behind it where the spec knows nobody there.
pub fn address(network: &Network<'_>, place: Place, family: Family, random: &mut Random) -> IpAddr {
    let nobody: IpAddr = match family {
        Family::V4 => Ipv4Addr::new(203, 0, 113, 250).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, 0x250).into(),
    };
    let Place::Port(port) = place else { return network.own_of(family).unwrap_or(nobody) };
    let station = &network.ports[port];
    let own: Vec<IpAddr> = station.addresses.iter().copied().filter(|own| Family::of(*own) == family).collect();
    if !own.is_empty() {
        return *random.pick(&own);
    }
    let (high, low) = (random.below(200) as u8, 1 + random.below(250) as u8);
    // The host's routes tell the two apart; ports that are on neither's way may have either's.
    let beside = network.segments[station.segment].bridge.is_none() && station.tap.device != "uplink0";
    match (family, beside) {
        (Family::V4, false) => Ipv4Addr::new(203, 0, high, low).into(),
        (Family::V4, true) => Ipv4Addr::new(44, 0, high, low).into(),
        (Family::V6, false) => Ipv6Addr::new(0x2001, 0xdb8, 0x99, high.into(), 0, 0, 0, low.into()).into(),
        (Family::V6, true) => Ipv6Addr::new(0x2a00, 0x99, 0, high.into(), 0, 0, 0, low.into()).into(),
    }
}

/// The solicited-node group of an address, or the address itself where it has none.
pub fn solicited(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => stack::solicited_node(address).into(),
    }
}
