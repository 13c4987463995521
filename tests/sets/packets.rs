//! Random packets near the places where clauses change their answer.

use std::net::{IpAddr, Ipv4Addr};

use fwc::analysis::{ArpPacket, Body, IpPacket, Packet, Payload};
use fwc::net::{AddressSet, Family, Mac, PortSet, Protocol};
use fwc::policy::{Match, State};

use crate::random::Random;

/// Values of each field that clauses name, with their neighbours.
#[derive(Debug, Default)]
pub struct Near {
    addresses: [Vec<IpAddr>; 2],
    ports: Vec<u16>,
    protocols: Vec<Protocol>,
    icmp: Vec<(u8, u8)>,
    interfaces: Vec<Option<String>>,
    macs: Vec<Option<Mac>>,
    ethertypes: Vec<u16>,
}

impl Near {
    /// Of some conditions.
    pub fn of<'m>(conditions: impl Iterator<Item = &'m Match>) -> Self {
        let mut near = Self {
            addresses: [
                ["0.0.0.0", "255.255.255.255", "224.0.0.1", "10.0.0.1"].map(|text| text.parse().unwrap()).to_vec(),
                ["::", "ff02::1", "fe80::1", "2001:db8::1"].map(|text| text.parse().unwrap()).to_vec(),
            ],
            ports: vec![0, 22, 80, 65535],
            protocols: [1, 2, 6, 17, 47, 58, 132, 136].map(Protocol).to_vec(),
            icmp: vec![(0, 0), (8, 0), (128, 0), (255, 255)],
            interfaces: vec![None, Some("lo".to_owned()), Some("eno77".to_owned())],
            macs: vec![None, Some(Mac([2, 0, 0, 0, 0, 1]))],
            ethertypes: vec![0x0801, 0x88cc, 0x8863, 0xffff, 0],
        };
        for condition in conditions {
            match condition {
                Match::Source(set) | Match::SourceNot(set) | Match::Dest(set) | Match::ArpSender(set) => near.set(set),
                Match::SourcePorts(set) | Match::DestPorts(set) => near.port_set(set),
                Match::Protocol(protocol) => near.protocols.push(*protocol),
                Match::Icmp(icmp) => near.icmp.push((icmp.kind, icmp.code.unwrap_or_default())),
                Match::InInterface(name) | Match::OutInterface(name) => near.interfaces.push(Some(name.clone())),
                Match::SourceMacNot(mac) => near.macs.push(Some(*mac)),
                Match::EtherTypeNot(listed) => near
                    .ethertypes
                    .extend(listed.iter().copied().filter(|number| ![0x0800, 0x0806, 0x86dd, 0x88a8].contains(number))),
                Match::Frame(_)
                | Match::Family(_)
                | Match::State(_)
                | Match::TcpFlags(_)
                | Match::TcpFlagsNot(_)
                | Match::Loopback => {}
            }
        }
        near
    }

    fn set(&mut self, set: &AddressSet) {
        for (first, last) in set.v4().iter() {
            let edges = [first, first.wrapping_sub(1), last, last.wrapping_add(1)];
            self.addresses[0].extend(edges.map(|number| IpAddr::V4(number.into())));
        }
        for (first, last) in set.v6().iter() {
            let edges = [first, first.wrapping_sub(1), last, last.wrapping_add(1)];
            self.addresses[1].extend(edges.map(|number| IpAddr::V6(number.into())));
        }
    }

    fn port_set(&mut self, set: &PortSet) {
        for (first, last) in set.iter() {
            self.ports.extend([first, first.wrapping_sub(1), last, last.wrapping_add(1)]);
        }
    }

    /// A packet; in three of four an IP packet of this family.
    pub fn packet(&self, family: Family, random: &mut Random) -> Packet {
        let mac = |random: &mut Random| if random.once_in(3) { *random.pick(&self.macs) } else { None };
        let body = match random.below(16) {
            0 => Body::Stacked,
            1 => Body::Other(*random.pick(&self.ethertypes)),
            2 | 3 => {
                let v4 = |random: &mut Random| match random.pick(&self.addresses[0]) {
                    IpAddr::V4(address) => *address,
                    IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
                };
                Body::Arp(ArpPacket { sender_mac: mac(random), sender: v4(random), target: v4(random) })
            }
            _ => Body::Ip(self.ip(family, random)),
        };
        let interface = |random: &mut Random| random.pick(&self.interfaces).clone();
        Packet { body, source_mac: mac(random), in_interface: interface(random), out_interface: interface(random) }
    }

    fn ip(&self, family: Family, random: &mut Random) -> IpPacket {
        let protocol =
            if random.once_in(8) { Protocol(random.below(256) as u8) } else { *random.pick(&self.protocols) };
        let (source, dest) = (*random.pick(&self.ports), *random.pick(&self.ports));
        let payload = match protocol {
            Protocol::TCP => {
                let flags = if random.once_in(2) { 2 } else { random.below(256) as u8 };
                Payload::Tcp { source, dest, flags }
            }
            Protocol::ICMP | Protocol::ICMPV6 => {
                let (kind, code) = *random.pick(&self.icmp);
                Payload::Icmp { kind, code: if random.once_in(4) { random.below(256) as u8 } else { code } }
            }
            other if other.has_ports() => Payload::Ports { source, dest },
            _ => Payload::Other,
        };
        let addresses = &self.addresses[usize::from(family == Family::V6)];
        let state = if random.once_in(2) { State::New } else { *random.pick(&State::ALL) };
        IpPacket { source: *random.pick(addresses), dest: *random.pick(addresses), protocol, payload, state }
    }
}
