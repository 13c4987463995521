//! Random clauses, packets near what they ask, and whether what a rule asks holds for one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::analysis::sets::Field;
use crate::analysis::{ArpPacket, Body, IpPacket, Packet, Payload};
use crate::net::{AddressSet, Family, IcmpType, Mac, PortSet, Protocol, TcpFlags};
use crate::policy::{FrameKind, Match, State, States};

use super::super::{Asked, Condition, Fields, Pattern, Port};

/// Numbers that look random, the same in every run (xorshift64).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const V4: [&str; 7] =
    ["10.0.0.0/8", "10.0.0.1", "10.0.0.7-10.0.0.9", "192.0.2.0/24", "0.0.0.0/1", "0.0.0.0/0", "255.255.255.255"];
const V6: [&str; 6] = ["2001:db8::/32", "2001:db8::5", "2001:db8::7-2001:db8::a", "fe80::/10", "::/0", "::"];
const PROTOCOLS: [Protocol; 9] = [
    Protocol::TCP,
    Protocol::TCP,
    Protocol::UDP,
    Protocol::SCTP,
    Protocol::DCCP,
    Protocol::UDPLITE,
    Protocol::ICMP,
    Protocol::ICMPV6,
    Protocol(47),
];
const NAMES: [&str; 3] = ["lo", "eno1", "tap1i0"];
const MACS: [Mac; 3] = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]), Mac([0; 6])];
const LISTED: [u16; 4] = [0x0800, 0x0806, 0x86dd, 0x88cc];

fn addresses(text: &str) -> AddressSet {
    crate::net::parse_prefix(text)
        .map(AddressSet::network)
        .unwrap_or_else(|_| crate::net::parse_address_range(text).unwrap())
}

fn set(random: &mut Random) -> Arc<AddressSet> {
    let mut found = AddressSet::empty();
    for _ in 0..=random.below(3) {
        let text = if random.once_in(2) { random.pick(&V4) } else { random.pick(&V6) };
        found = found.union(&addresses(text));
    }
    Arc::new(found)
}

fn ports(random: &mut Random) -> PortSet {
    let starts = [0_u16, 22, 23, 80, 1024, 60_000, 65_535];
    let one = |random: &mut Random| {
        let first = *random.pick(&starts);
        (first, if random.once_in(3) { first.saturating_add(5) } else { first })
    };
    let count = 1 + random.below(4);
    PortSet::from_ranges((0..count).map(|_| one(random)).collect::<Vec<_>>())
}

/// What a clause may ask of IP packets.
fn of_ip(random: &mut Random) -> Vec<Match> {
    let mut found = vec![Match::Frame(FrameKind::Ip)];
    if random.once_in(3) {
        let all: Vec<State> = State::ALL.into_iter().filter(|_| random.once_in(2)).collect();
        if !all.is_empty() {
            found.push(Match::State(States::of(&all)));
        }
    }
    if random.once_in(2) {
        let set = set(random);
        found.push(if random.once_in(3) { Match::SourceNot(set) } else { Match::Source(set) });
    }
    if random.once_in(3) {
        found.push(Match::Dest(set(random)));
    }
    if random.once_in(3) {
        return found;
    }
    let protocol = *random.pick(&PROTOCOLS);
    if let [only] = Family::BOTH.into_iter().filter(|family| protocol.speaks_of(*family)).collect::<Vec<_>>()[..] {
        found.push(Match::Family(only));
        if random.once_in(2) {
            let code = random.once_in(2).then(|| u8::try_from(random.below(3)).unwrap());
            let kind = *random.pick(&[0, 3, 8, 128, 135, 254]);
            found.extend([Match::Protocol(protocol), Match::Icmp(IcmpType { family: only, kind, code })]);
            return found;
        }
    }
    found.push(Match::Protocol(protocol));
    if protocol.has_ports() {
        if random.once_in(2) {
            found.push(Match::DestPorts(ports(random)));
        }
        if random.once_in(4) {
            found.push(Match::SourcePorts(ports(random)));
        }
    }
    if protocol == Protocol::TCP && random.once_in(2) {
        let mask = u8::try_from(1 + random.below(63)).unwrap();
        let flags = TcpFlags { mask, set: u8::try_from(random.below(64)).unwrap() & mask };
        found.push(if random.once_in(2) { Match::TcpFlags(flags) } else { Match::TcpFlagsNot(flags) });
    }
    found
}

/// What a clause may ask of frames of a bridge.
fn of_frames(random: &mut Random) -> Vec<Match> {
    match random.below(6) {
        0 => vec![Match::SourceMacNot(*random.pick(&MACS))],
        1 => vec![Match::Frame(FrameKind::Arp), Match::ArpSender(set(random))],
        2 => vec![Match::Frame(*random.pick(&[FrameKind::Arp, FrameKind::Stacked, FrameKind::Other]))],
        3 => vec![Match::EtherTypeNot(LISTED.into_iter().filter(|_| random.once_in(2)).collect())],
        4 => vec![Match::SourceMacNot(*random.pick(&MACS)), Match::Frame(FrameKind::Arp)],
        _ => vec![],
    }
}

/// The conditions of a clause.
pub(crate) fn clause(bridge: bool, random: &mut Random) -> Vec<Match> {
    let mut found = if bridge && random.once_in(4) { of_frames(random) } else { of_ip(random) };
    if random.once_in(4) {
        let name = (*random.pick(&NAMES)).to_owned();
        found.push(match random.below(3) {
            0 => Match::InInterface(name),
            1 => Match::OutInterface(name),
            _ => Match::Loopback,
        });
    }
    found
}

fn address(family: Family, random: &mut Random) -> IpAddr {
    let texts: &[&str] = match family {
        Family::V4 => &V4,
        Family::V6 => &V6,
    };
    let set = addresses(texts[random.below(texts.len())]);
    let step = *random.pick(&[0, 1, u128::MAX]);
    match family {
        Family::V4 => {
            let (first, last) = set.v4().as_slice()[0];
            let number = u128::from(if random.once_in(2) { first } else { last }).wrapping_add(step);
            IpAddr::V4(Ipv4Addr::from(u32::try_from(number & 0xffff_ffff).unwrap()))
        }
        Family::V6 => {
            let (first, last) = set.v6().as_slice()[0];
            IpAddr::V6(Ipv6Addr::from((if random.once_in(2) { first } else { last }).wrapping_add(step)))
        }
    }
}

fn ip(family: Family, random: &mut Random) -> Body {
    let protocol =
        if random.once_in(8) { Protocol(u8::try_from(random.below(256)).unwrap()) } else { *random.pick(&PROTOCOLS) };
    let port = |random: &mut Random| {
        random.pick(&[0_u16, 22, 23, 80, 1024, 60_000, 65_535]).wrapping_add(*random.pick(&[0, 0, 1, 5, 65_535]))
    };
    let (source, dest) = (port(random), port(random));
    let payload = match protocol {
        Protocol::TCP => {
            let flags = if random.once_in(2) { TcpFlags::SYN } else { u8::try_from(random.below(256)).unwrap() };
            Payload::Tcp { source, dest, flags }
        }
        Protocol::ICMP | Protocol::ICMPV6 => {
            Payload::Icmp { kind: *random.pick(&[0, 3, 8, 128, 135, 254, 255]), code: *random.pick(&[0, 1, 2, 9]) }
        }
        other if other.has_ports() => Payload::Ports { source, dest },
        _ => Payload::Other,
    };
    let (source, dest) = (address(family, random), address(family, random));
    Body::Ip(IpPacket { source, dest, protocol, payload, state: *random.pick(&State::ALL) })
}

/// A packet; of a bridge any frame, else IP. It has other hardware addresses than its NIC's.
pub(crate) fn packet(bridge: bool, family: Family, random: &mut Random) -> Packet {
    let body = match random.below(if bridge { 8 } else { 1 }) {
        1 => Body::Stacked,
        2 => Body::Other(*random.pick(&[0x88cc, 0x88cd, 0])),
        3 => {
            let v4 = |random: &mut Random| match address(Family::V4, random) {
                IpAddr::V4(address) => address,
                IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
            };
            let (sender, target) = (v4(random), v4(random));
            Body::Arp(ArpPacket { sender_mac: Some(*random.pick(&MACS)), sender, target })
        }
        _ => ip(family, random),
    };
    let name = |random: &mut Random| Some(*random.pick(&NAMES)).filter(|_| !random.once_in(3)).map(str::to_owned);
    Packet { body, source_mac: Some(*random.pick(&MACS)), in_interface: name(random), out_interface: name(random) }
}

/// The value of a field; none where the packet has no such field.
fn value(packet: &Packet, field: Field) -> Option<u128> {
    let mac = |mac: Option<Mac>| {
        mac.map(|Mac([a, b, c, d, e, f])| u128::from(u64::from_be_bytes([0, 0, a, b, c, d, e, f])) + 1)
    };
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let arp = if let Body::Arp(arp) = &packet.body { Some(arp) } else { None };
    let payload = packet.ip().map(|ip| ip.payload);
    match field {
        Field::Frame => Some(frame(packet)),
        Field::SourceMac => mac(packet.source_mac),
        Field::ArpMac => mac(arp?.sender_mac),
        Field::InInterface | Field::OutInterface => panic!("loaded rules name ports"),
        Field::Stand => panic!("loaded rules say what they say"),
        Field::State => {
            let state = packet.ip()?.state;
            State::ALL.iter().position(|known| *known == state).map(|place| place as u128)
        }
        Field::Protocol => packet.ip().map(|ip| ip.protocol.0.into()),
        Field::DestPort => payload?.ports().map(|(_, dest)| dest.into()),
        Field::SourcePort => payload?.ports().map(|(source, _)| source.into()),
        Field::Icmp => {
            let Payload::Icmp { kind, code } = payload? else { return None };
            Some(u128::from(kind) << 8 | u128::from(code))
        }
        Field::Flags => {
            let Payload::Tcp { flags, .. } = payload? else { return None };
            Some(crate::analysis::sets::flags(flags))
        }
        Field::Dest => packet.ip().map(|ip| number(ip.dest)).or(arp.map(|arp| number(arp.target.into()))),
        Field::Source => packet.ip().map(|ip| number(ip.source)).or(arp.map(|arp| number(arp.sender.into()))),
    }
}

fn frame(packet: &Packet) -> u128 {
    match &packet.body {
        Body::Ip(ip) if ip.source.is_ipv4() => 0x0800,
        Body::Ip(_) => 0x86dd,
        Body::Arp(_) => 0x0806,
        Body::Stacked => 0x88a8,
        Body::Other(number) => (*number).into(),
    }
}

/// Whether a packet has such fields. A field that it has not is taken for one that fits: rules must say which packets have it.
fn has(packet: &Packet, fields: &Fields) -> bool {
    fields.0.iter().all(|(field, values)| value(packet, *field).is_none_or(|value| values.contains(value)))
}

fn is_named(name: Option<&str>, patterns: &[Pattern]) -> bool {
    name.is_some_and(|name| {
        patterns.iter().any(|pattern| match pattern {
            Pattern::Is(known) => name == &**known,
            Pattern::BeginsWith(start) => name.starts_with(&**start),
        })
    })
}

/// Whether what a rule asks holds for a packet that is not tagged.
pub(crate) fn holds(asked: &Asked, packet: &Packet) -> bool {
    let port = |port: Port| match port {
        Port::In => packet.in_interface.as_deref(),
        Port::Out => packet.out_interface.as_deref(),
        Port::BridgeIn | Port::BridgeOut | Port::Bridge => panic!("no packet here has a port of a bridge"),
    };
    asked.conditions.iter().all(|condition| match condition {
        Condition::Packet(choices) => choices.iter().any(|fields| has(packet, fields)),
        Condition::Outer(values) => values.contains(frame(packet)),
        Condition::Port { port: which, names, negated } => is_named(port(*which), names) != *negated,
        Condition::Keyed { port: which, entries, domain, negated } => {
            let choices = port(*which).and_then(|name| entries.get(name));
            let inside = choices.is_some_and(|choices| choices.iter().any(|fields| has(packet, fields)));
            has(packet, domain) && inside != *negated
        }
        Condition::Mark { .. }
        | Condition::FromBridge(_)
        | Condition::ToBridge(_)
        | Condition::Bridged(_)
        | Condition::Above(_)
        | Condition::Opaque(_) => panic!("no clause asks for this: {condition:?}"),
    })
}
