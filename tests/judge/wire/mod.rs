//! Frames: what a probe is made of, its bytes, and what is read off frames that arrive.
//!
//! In: frames as data. Out: bytes with right lengths and checksums that end in a trailer with the
//! probe's number, and from bytes the number back. Everything here is plain data; ports are in `port`.

mod encode;
mod log;
mod port;
mod sum;

pub use encode::{Seen, icmp_of, number, read, read_packet, reset};
pub use log::Log;
pub use port::{Host, Tap};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fwc::net::{Family, Mac};

/// A frame on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Destination.
    pub dest: Mac,
    /// Source.
    pub source: Mac,
    /// VLAN tags, outermost first.
    pub tags: Vec<Tag>,
    /// What it carries.
    pub body: Body,
}

/// A VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// 0x8100 or 0x88a8.
    pub ethertype: u16,
    /// 1 to 4094.
    pub id: u16,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// IPv4 or IPv6.
    Ip(Ip),
    /// ARP.
    Arp(Arp),
    /// Some bytes under this ethertype.
    Other(u16),
}

/// An IP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ip {
    /// Source.
    pub source: IpAddr,
    /// Destination, of the same family.
    pub dest: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// What it carries.
    pub payload: Payload,
}

/// What an IP packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp(Ports),
    /// ICMP or ICMPv6, by the family; the four bytes after the checksum.
    Icmp { kind: u8, code: u8, rest: [u8; 4] },
    /// An ICMP or ICMPv6 error about a packet.
    Error { kind: u8, code: u8, about: Box<Ip> },
    /// A neighbour solicitation or advertisement for an address.
    Neighbour { kind: u8, target: Ipv6Addr },
    /// An SCTP INIT.
    Sctp(Ports),
    /// UDP-Lite.
    UdpLite(Ports),
    /// A DCCP request.
    Dccp(Ports),
    /// Eight zero bytes under this protocol number.
    Other(u8),
}

/// Source and destination port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports {
    /// Source.
    pub source: u16,
    /// Destination.
    pub dest: u16,
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Ports.
    pub ports: Ports,
    /// The six classic flags.
    pub flags: u8,
    /// Sequence number of the first byte (or of the SYN).
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledges: u32,
    /// Data before the trailer. Where it ends in a carriage return, a line feed follows the trailer.
    pub data: Vec<u8>,
}

impl Tcp {
    /// Whether its data are a line of a protocol that speaks in lines.
    pub fn is_line(&self) -> bool {
        self.data.ends_with(b"\r")
    }

    /// The sequence number of what follows it.
    pub fn next(&self) -> u32 {
        let data = self.data.len() + encode::TRAILER + usize::from(self.is_line());
        self.sequence + data as u32 + u32::from(self.flags & 2 != 0)
    }
}

/// An ARP request or reply over Ethernet and IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Sender hardware address.
    pub sender_mac: Mac,
    /// Sender protocol address.
    pub sender: Ipv4Addr,
    /// Target protocol address.
    pub target: Ipv4Addr,
}

impl Ip {
    /// The family of both addresses.
    pub fn family(&self) -> Family {
        Family::of(self.source)
    }

    /// The protocol number.
    pub fn protocol(&self) -> u8 {
        match (&self.payload, self.family()) {
            (Payload::Tcp(_), _) => 6,
            (Payload::Udp(_), _) => 17,
            (Payload::Icmp { .. } | Payload::Error { .. }, Family::V4) => 1,
            (Payload::Icmp { .. } | Payload::Error { .. }, Family::V6) | (Payload::Neighbour { .. }, _) => 58,
            (Payload::Sctp(_), _) => 132,
            (Payload::UdpLite(_), _) => 136,
            (Payload::Dccp(_), _) => 33,
            (Payload::Other(number), _) => *number,
        }
    }
}

impl Payload {
    /// Its ports, where it has any.
    pub fn ports(&self) -> Option<Ports> {
        match self {
            Self::Tcp(tcp) => Some(tcp.ports),
            Self::Udp(ports) | Self::Sctp(ports) | Self::UdpLite(ports) | Self::Dccp(ports) => Some(*ports),
            Self::Icmp { .. } | Self::Error { .. } | Self::Neighbour { .. } | Self::Other(_) => None,
        }
    }
}

/// The Ethernet destination that an IP packet to a group goes to; none for an address of one station.
pub fn group_mac(dest: IpAddr) -> Option<Mac> {
    match dest {
        IpAddr::V4(address) if address.is_broadcast() => Some(BROADCAST),
        IpAddr::V4(address) if address.is_multicast() => {
            let [_, b, c, d] = address.octets();
            Some(Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(address) if address.is_multicast() => {
            let octets = address.octets();
            Some(Mac([0x33, 0x33, octets[12], octets[13], octets[14], octets[15]]))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// Every station.
pub const BROADCAST: Mac = Mac([0xff; 6]);
