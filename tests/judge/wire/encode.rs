//! Frames to bytes, and numbers back from bytes.

use std::net::{IpAddr, Ipv4Addr};

use fwc::net::Family;

use super::{Arp, Body, Frame, Ip, Payload, Ports, Tcp, sum};

/// What the bytes before a probe's number are.
const MAGIC: [u8; 8] = *b"\x07fwcjudg";
pub const TRAILER: usize = MAGIC.len() + 4;

impl Frame {
    /// The frame as sent.
    pub fn encode(&self, number: u32) -> Vec<u8> {
        let mut bytes = [self.dest.0, self.source.0].concat();
        for tag in &self.tags {
            bytes.extend(tag.ethertype.to_be_bytes());
            bytes.extend(tag.id.to_be_bytes());
        }
        let (ethertype, body) = match &self.body {
            Body::Ip(ip) => (if ip.family() == Family::V4 { 0x0800 } else { 0x86dd }, packet(ip, number)),
            Body::Arp(arp) => (0x0806, [encode_arp(arp), trailer(number)].concat()),
            Body::Other(ethertype) => (*ethertype, [vec![0; 34], trailer(number)].concat()),
        };
        bytes.extend(u16::to_be_bytes(ethertype));
        bytes.extend(body);
        bytes
    }
}

fn trailer(number: u32) -> Vec<u8> {
    [&MAGIC[..], &number.to_be_bytes()].concat()
}

fn encode_arp(arp: &Arp) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0x08, 0x00, 6, 4];
    bytes.extend(arp.operation.to_be_bytes());
    bytes.extend(arp.sender_mac.0);
    bytes.extend(arp.sender.octets());
    bytes.extend([0; 6]);
    bytes.extend(arp.target.octets());
    bytes
}

/// An IP packet from its header on.
pub fn packet(ip: &Ip, number: u32) -> Vec<u8> {
    let segment = segment(ip, number);
    let protocol = ip.protocol();
    let (source, dest) = (sum::octets(ip.source), sum::octets(ip.dest));
    let mut header = Vec::with_capacity(40);
    match ip.family() {
        Family::V4 => {
            header.extend([0x45, 0]);
            header.extend((20 + segment.len() as u16).to_be_bytes());
            // Not fragmented; the identification is of no use then (RFC 6864).
            header.extend([0, 0, 0x40, 0, ip.ttl, protocol, 0, 0]);
            header.extend(source);
            header.extend(dest);
            let sum = sum::internet(&[&header]).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
        }
        Family::V6 => {
            header.extend([0x60, 0, 0, 0]);
            header.extend((segment.len() as u16).to_be_bytes());
            header.extend([protocol, ip.ttl]);
            header.extend(source);
            header.extend(dest);
        }
    }
    [header, segment].concat()
}

fn segment(ip: &Ip, number: u32) -> Vec<u8> {
    let end = trailer(number);
    let checked = |mut bytes: Vec<u8>, at: usize| {
        let sum = sum::transport(ip.source, ip.dest, ip.protocol(), &bytes);
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    let icmp = |kind: u8, code: u8, rest: &[u8]| {
        let bytes = [&[kind, code, 0, 0], rest].concat();
        match ip.family() {
            Family::V4 => {
                let sum = sum::internet(&[&bytes]).to_be_bytes();
                [&[kind, code, sum[0], sum[1]], rest].concat()
            }
            Family::V6 => checked(bytes, 2),
        }
    };
    match &ip.payload {
        Payload::Tcp(tcp) => checked(encode_tcp(tcp, &end), 16),
        Payload::Udp(ports) => {
            let length = (8 + end.len() as u16).to_be_bytes();
            checked([&both(*ports)[..], &length, &[0, 0], &end].concat(), 6)
        }
        Payload::UdpLite(ports) => {
            // A coverage of 0: the whole datagram is checked.
            checked([&both(*ports)[..], &[0, 0, 0, 0], &end].concat(), 6)
        }
        Payload::Icmp { kind, code, rest } => icmp(*kind, *code, &[&rest[..], &end].concat()),
        Payload::Error { kind, code, about } => {
            icmp(*kind, *code, &[&[0, 0, 0, 0], &packet(about, number)[..]].concat())
        }
        Payload::Neighbour { kind, target } => {
            // An option that receivers pass over: type 253 (experiments, RFC 4727), in units of eight bytes.
            let option = [&[253, 2, 0, 0], &end[..]].concat();
            icmp(*kind, 0, &[&[0; 4], &target.octets()[..], &option].concat())
        }
        Payload::Sctp(ports) => encode_sctp(*ports, &end),
        Payload::Dccp(ports) => checked(encode_dccp(*ports, &end), 6),
        Payload::Other(51) if ip.family() == Family::V6 => {
            // A header that receivers look behind: it says how long it is, and that an experiment follows.
            let behind = Ip { payload: Payload::Other(253), ..ip.clone() };
            [&[253, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], &segment(&behind, number)[..]].concat()
        }
        Payload::Other(_) => {
            // Before it rejects, the kernel adds up what it knows nothing of: with the pseudo header in IPv6, without in IPv4.
            let mut bytes = [&[0; 8], &end[..]].concat();
            let sum = match ip.family() {
                Family::V4 => sum::internet(&[&bytes]),
                Family::V6 => sum::transport(ip.source, ip.dest, ip.protocol(), &bytes),
            };
            bytes[4..6].copy_from_slice(&sum.to_be_bytes());
            bytes
        }
    }
}

fn both(ports: Ports) -> [u8; 4] {
    let ([a, b], [c, d]) = (ports.source.to_be_bytes(), ports.dest.to_be_bytes());
    [a, b, c, d]
}

fn encode_tcp(tcp: &Tcp, end: &[u8]) -> Vec<u8> {
    let mut bytes = both(tcp.ports).to_vec();
    bytes.extend(tcp.sequence.to_be_bytes());
    bytes.extend(tcp.acknowledges.to_be_bytes());
    bytes.extend([0x50, tcp.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    bytes.extend(&tcp.data);
    bytes.extend(end);
    if tcp.is_line() {
        bytes.push(b'\n');
    }
    bytes
}

/// An INIT chunk (RFC 9260), the trailer in a parameter that receivers skip.
fn encode_sctp(ports: Ports, end: &[u8]) -> Vec<u8> {
    let parameter = [&[0x80, 0x99], &(4 + end.len() as u16).to_be_bytes()[..], end].concat();
    let mut bytes = both(ports).to_vec();
    bytes.extend([0; 8]);
    bytes.extend([1, 0]);
    bytes.extend((20 + parameter.len() as u16).to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    bytes.extend(parameter);
    let crc = sum::crc32c(&bytes).to_le_bytes();
    bytes[8..12].copy_from_slice(&crc);
    bytes
}

/// A DCCP request (RFC 4340) with a 48-bit sequence number.
fn encode_dccp(ports: Ports, end: &[u8]) -> Vec<u8> {
    let mut bytes = both(ports).to_vec();
    // Data offset 5 words, no CCVal, checksum over everything, type request with extended numbers.
    bytes.extend([5, 0, 0, 0, 1, 0]);
    bytes.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    bytes.extend(end);
    bytes
}

/// What is read off a frame or packet that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It ends in a probe's number, or is an ICMP error that quotes one.
    Number { number: u32, icmp_error: bool },
    /// A TCP reset from, to, and their ports.
    Reset { source: IpAddr, dest: IpAddr, ports: Ports },
    /// Anything else: the kernel's own neighbour discovery and the like.
    Noise,
}

/// Reads an Ethernet frame, one VLAN tag or more looked through.
pub fn read(frame: &[u8]) -> Seen {
    let mut at = 12;
    loop {
        match (frame.get(at), frame.get(at + 1)) {
            (Some(0x81), Some(0x00)) | (Some(0x88), Some(0xa8)) => at += 4,
            (Some(0x08), Some(0x00)) | (Some(0x86), Some(0xdd)) => return read_packet(&frame[at + 2..]),
            (Some(_), Some(_)) => return number(frame, false),
            (None, _) | (_, None) => return Seen::Noise,
        }
    }
}

/// Reads an IP packet from its header on.
pub fn read_packet(bytes: &[u8]) -> Seen {
    let Some((source, dest, protocol, segment)) = split(bytes) else { return Seen::Noise };
    let first = segment.first().copied().unwrap_or(0);
    match protocol {
        1 if source.is_ipv4() => number(bytes, matches!(first, 3 | 4 | 5 | 11 | 12)),
        58 if source.is_ipv6() => number(bytes, first < 128),
        6 => match reset(segment) {
            Some(ports) => Seen::Reset { source, dest, ports },
            None => number(bytes, false),
        },
        _ => number(bytes, false),
    }
}

/// The ports of a TCP segment that is a reset, and no probe.
pub fn reset(segment: &[u8]) -> Option<Ports> {
    let [a, b, c, d, .., flags] = *segment.get(..14)? else { return None };
    let (source, dest) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    (flags & 4 != 0 && number(segment, false) == Seen::Noise).then_some(Ports { source, dest })
}

fn split(bytes: &[u8]) -> Option<(IpAddr, IpAddr, u8, &[u8])> {
    match bytes.first()? >> 4 {
        4 => {
            let address = |at: usize| -> Option<IpAddr> {
                let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(four).into())
            };
            let header = usize::from(bytes.first()? & 15) * 4;
            Some((address(12)?, address(16)?, *bytes.get(9)?, bytes.get(header..)?))
        }
        6 => {
            let address = |at: usize| -> Option<IpAddr> {
                let sixteen: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
                Some(IpAddr::from(sixteen))
            };
            Some((address(8)?, address(24)?, *bytes.get(6)?, bytes.get(40..)?))
        }
        _ => None,
    }
}

/// The number in the trailer.
pub fn number(bytes: &[u8], icmp_error: bool) -> Seen {
    let read = |bytes: &[u8]| {
        let end = bytes.get(bytes.len().checked_sub(TRAILER)?..)?;
        Some(u32::from_be_bytes(end.strip_prefix(&MAGIC)?.try_into().ok()?))
    };
    match read(bytes).or_else(|| read(bytes.strip_suffix(b"\n")?)) {
        Some(number) => Seen::Number { number, icmp_error },
        None => Seen::Noise,
    }
}

/// Protocol, type and code of the ICMP message in an Ethernet frame.
pub fn icmp_of(frame: &[u8]) -> Option<(u8, u8, u8)> {
    let mut at = 12;
    while matches!(frame.get(at..at + 2)?, [0x81, 0x00] | [0x88, 0xa8]) {
        at += 4;
    }
    let (_, _, protocol, segment) = split(frame.get(at + 2..)?)?;
    matches!(protocol, 1 | 58).then_some((protocol, *segment.first()?, *segment.get(1)?))
}
