//! Whether one condition holds for one packet.

use crate::net::TcpFlags;
use crate::policy::{Direction, FrameKind, Match};

use super::packet::{Body, Packet, Payload};

/// The ethertypes of what can be looked into (IEEE 802 numbers), and of a stacked tag.
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const SERVICE_TAG: u16 = 0x88a8;
/// The loopback interface.
const LOOPBACK: &str = "lo";

/// Whether a condition of a hook of this direction holds for a packet. A condition on a field that the packet has not
/// does not hold.
pub fn holds(condition: &Match, packet: &Packet, direction: Direction) -> bool {
    let ip = packet.ip();
    match condition {
        Match::Frame(kind) => *kind == frame_kind(&packet.body),
        Match::EtherTypeNot(listed) => !listed.contains(&ethertype(&packet.body)),
        Match::Family(family) => ip.is_some_and(|ip| ip.family() == *family),
        Match::State(states) => ip.is_some_and(|ip| states.contains(ip.state)),
        Match::Source(set) => ip.is_some_and(|ip| set.contains(ip.source)),
        Match::SourceNot(set) => ip.is_some_and(|ip| !set.contains(ip.source)),
        Match::Dest(set) => ip.is_some_and(|ip| set.contains(ip.dest)),
        Match::Protocol(protocol) => ip.is_some_and(|ip| ip.protocol == *protocol),
        Match::SourcePorts(set) => ports(packet).is_some_and(|(source, _)| set.contains(source)),
        Match::DestPorts(set) => ports(packet).is_some_and(|(_, dest)| set.contains(dest)),
        Match::Icmp(wanted) => ip.is_some_and(|ip| {
            let Payload::Icmp { kind, code } = ip.payload else { return false };
            wanted.family == ip.family() && wanted.kind == kind && wanted.code.is_none_or(|only| only == code)
        }),
        Match::TcpFlags(wanted) => tcp_flags(packet).is_some_and(|flags| fits(*wanted, flags)),
        Match::TcpFlagsNot(unwanted) => tcp_flags(packet).is_some_and(|flags| !fits(*unwanted, flags)),
        Match::InInterface(name) => packet.in_interface.as_ref() == Some(name),
        Match::OutInterface(name) => packet.out_interface.as_ref() == Some(name),
        Match::Loopback => match direction {
            Direction::In | Direction::Forward => packet.in_interface.as_deref() == Some(LOOPBACK),
            Direction::Out => packet.out_interface.as_deref() == Some(LOOPBACK),
        },
        Match::SourceMacNot(mac) => {
            let sender = match &packet.body {
                Body::Arp(arp) => arp.sender_mac,
                Body::Ip(_) | Body::Stacked | Body::Other(_) => None,
            };
            [packet.source_mac, sender].into_iter().flatten().any(|seen| seen != *mac)
        }
        Match::ArpSender(set) => match &packet.body {
            Body::Arp(arp) => set.contains(arp.sender.into()),
            Body::Ip(_) | Body::Stacked | Body::Other(_) => false,
        },
    }
}

const fn frame_kind(body: &Body) -> FrameKind {
    match body {
        Body::Ip(_) => FrameKind::Ip,
        Body::Arp(_) => FrameKind::Arp,
        Body::Stacked => FrameKind::Stacked,
        Body::Other(_) => FrameKind::Other,
    }
}

const fn ethertype(body: &Body) -> u16 {
    match body {
        Body::Ip(ip) if ip.source.is_ipv4() => IPV4,
        Body::Ip(_) => IPV6,
        Body::Arp(_) => ARP,
        Body::Stacked => SERVICE_TAG,
        Body::Other(number) => *number,
    }
}

fn ports(packet: &Packet) -> Option<(u16, u16)> {
    packet.ip().and_then(|ip| ip.payload.ports())
}

fn tcp_flags(packet: &Packet) -> Option<u8> {
    match packet.ip()?.payload {
        Payload::Tcp { flags, .. } => Some(flags),
        Payload::Ports { .. } | Payload::Icmp { .. } | Payload::Other => None,
    }
}

const fn fits(wanted: TcpFlags, flags: u8) -> bool {
    flags & wanted.mask == wanted.set
}
