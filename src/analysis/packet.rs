//! One packet, as a hook sees it.

use std::net::{IpAddr, Ipv4Addr};

use crate::net::{AddressSet, Family, Mac, Protocol};
use crate::policy::State;

/// A frame or packet at a hook. One VLAN tag is looked through: what it carries is the body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packet {
    /// What it carries.
    pub body: Body,
    /// The Ethernet source; none for the sending NIC's own.
    pub source_mac: Option<Mac>,
    /// The host's interface by which it came in; none for one that no rule names.
    pub in_interface: Option<String>,
    /// The host's interface by which it leaves; none for one that no rule names.
    pub out_interface: Option<String>,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Body {
    /// IPv4 or IPv6.
    Ip(IpPacket),
    /// ARP for IPv4 over Ethernet.
    Arp(ArpPacket),
    /// More than one VLAN tag, or an 802.1ad one.
    Stacked,
    /// Any other ethertype.
    Other(u16),
}

/// An IP packet; its family is its addresses'.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPacket {
    /// The source address.
    pub source: IpAddr,
    /// The destination address, of the same family.
    pub dest: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// What the protocol's header says.
    pub payload: Payload,
    /// What connection tracking says.
    pub state: State,
}

/// The fields of a transport header that rules speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payload {
    /// TCP.
    Tcp {
        /// The source port.
        source: u16,
        /// The destination port.
        dest: u16,
        /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32 (RFC 9293).
        flags: u8,
    },
    /// Another protocol with ports: UDP, UDP-Lite, SCTP, DCCP.
    Ports {
        /// The source port.
        source: u16,
        /// The destination port.
        dest: u16,
    },
    /// ICMP or ICMPv6.
    Icmp {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
    },
    /// Nothing that rules can look at.
    Other,
}

/// An ARP frame for IPv4 over Ethernet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArpPacket {
    /// The sender's hardware address; none for the sending NIC's own.
    pub sender_mac: Option<Mac>,
    /// The sender's protocol address; 0.0.0.0 in a probe.
    pub sender: Ipv4Addr,
    /// The target's protocol address.
    pub target: Ipv4Addr,
}

/// What a `reject` tells the sender of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// Nothing.
    Silent,
    /// A TCP reset.
    TcpReset,
    /// ICMP or ICMPv6 port-unreachable.
    PortUnreachable,
    /// ICMP host-prohibited, ICMPv6 adm-prohibited.
    Prohibited,
}

impl Packet {
    /// A packet of the sending NIC's own address, by interfaces that no rule names.
    #[must_use]
    pub const fn new(body: Body) -> Self {
        Self { body, source_mac: None, in_interface: None, out_interface: None }
    }

    /// The IP packet in it.
    #[must_use]
    pub const fn ip(&self) -> Option<&IpPacket> {
        match &self.body {
            Body::Ip(ip) => Some(ip),
            Body::Arp(_) | Body::Stacked | Body::Other(_) => None,
        }
    }

    /// What a `reject` answers to it, on a machine that knows these broadcast and multicast addresses.
    #[must_use]
    pub fn rejection(&self, broadcast: &AddressSet) -> Rejection {
        let Some(ip) = self.ip() else { return Rejection::Silent };
        if broadcast.contains(ip.dest) || ip.source.is_multicast() {
            return Rejection::Silent;
        }
        match ip.protocol {
            Protocol::ICMP | Protocol::ICMPV6 => Rejection::Silent,
            Protocol::TCP => Rejection::TcpReset,
            Protocol::UDP => Rejection::PortUnreachable,
            _ => Rejection::Prohibited,
        }
    }
}

impl IpPacket {
    /// IPv4 or IPv6.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.source)
    }
}

impl Payload {
    /// Source and destination port, of protocols that have them.
    #[must_use]
    pub const fn ports(self) -> Option<(u16, u16)> {
        match self {
            Self::Tcp { source, dest, .. } | Self::Ports { source, dest } => Some((source, dest)),
            Self::Icmp { .. } | Self::Other => None,
        }
    }
}
