//! Drafts aimed at a clause, and drafts bent where no clause looks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fwc::net::{AddressSet, Family, Mac, PortSet, TcpFlags};
use fwc::policy::{Clause, FrameKind, Match, State};

use super::draft::{Draft, Kind, solicited};
use super::lens::Change;
use crate::judge::Place;
use crate::random::Random;
use crate::wire::{BROADCAST, Tag};

impl Draft<'_> {
    /// Gives every field that the clause speaks of a value that fits; but the one that is not to be asked for, a value
    /// just outside. From turn to turn the values differ.
    pub fn aim(&mut self, clause: &Clause, change: Change, turn: usize, random: &mut Random) {
        let miss = match change {
            Change::Without => None,
            Change::Wider(condition) => Some(condition),
        };
        self.side = turn;
        if clause.matches.iter().any(is_of_ip) {
            self.kind = Kind::Ip;
        }
        let families: Vec<Family> = Family::BOTH.into_iter().filter(|family| clause.speaks_of(*family)).collect();
        if !families.is_empty() {
            self.family = *random.pick(&families);
        }
        // The family alone may be what they miss by.
        match (families.as_slice(), miss) {
            ([only], Some(_)) if random.once_in(4) => {
                self.fit_all(clause, None, random);
                self.family = if *only == Family::V4 { Family::V6 } else { Family::V4 };
            }
            _ => self.fit_all(clause, miss, random),
        }
    }

    /// Gives every field that the clause speaks of a value that fits, in the family that the draft has if that may be.
    pub fn hit(&mut self, clause: &Clause, random: &mut Random) {
        let other = Family::BOTH.into_iter().find(|family| clause.speaks_of(*family));
        if let Some(other) = other.filter(|_| !clause.speaks_of(self.family)) {
            self.family = other;
        }
        self.side = random.below(64);
        self.fit_all(clause, None, random);
    }

    fn fit_all(&mut self, clause: &Clause, miss: Option<usize>, random: &mut Random) {
        for (at, condition) in clause.matches.iter().enumerate() {
            self.fit(condition, miss == Some(at), random);
        }
        if self.protocol == 58 && self.family == Family::V6 && matches!(self.icmp.0, 133..=136) {
            self.be_neighbourly(random);
        }
    }

    fn fit(&mut self, condition: &Match, miss: bool, random: &mut Random) {
        match condition {
            Match::Frame(kind) => self.frame(*kind, miss, random),
            Match::EtherTypeNot(listed) => {
                let own = self.network.ports.len() as u16;
                let listed =
                    listed.iter().copied().filter(|number| !matches!(number, 0x0800 | 0x86dd | 0x0806 | 0x8100));
                let listed: Vec<u16> = listed.collect();
                self.kind = if miss && !listed.is_empty() {
                    Kind::Other(*random.pick(&listed))
                } else {
                    Kind::Other(0x8800 + own)
                };
            }
            Match::Family(family) => {
                let other = if *family == Family::V4 { Family::V6 } else { Family::V4 };
                self.family = if miss { other } else { *family };
            }
            Match::State(states) => {
                let invalid = states.contains(State::Invalid) && !states.contains(State::New);
                if invalid != miss {
                    // An answer to nobody's question.
                    (self.protocol, self.flags) = (6, TcpFlags::SYN | TcpFlags::ACK);
                }
            }
            Match::Source(set) => self.source_in(set, miss, random),
            Match::SourceNot(set) => self.source_in(set, !miss, random),
            Match::Dest(set) => self.dest_in(set, miss, random),
            Match::Protocol(protocol) => {
                self.protocol = if miss { *random.pick(&[6, 17, 1, 58, 47, 50, 132, 136]) } else { protocol.0 };
            }
            Match::SourcePorts(set) => self.ports.source = self.port(set, miss, random).unwrap_or(self.ports.source),
            Match::DestPorts(set) => self.ports.dest = self.port(set, miss, random).unwrap_or(self.ports.dest),
            Match::Icmp(icmp) => {
                self.protocol = if icmp.family == Family::V4 { 1 } else { 58 };
                self.family = icmp.family;
                let code = icmp.code.unwrap_or_else(|| if random.once_in(2) { 0 } else { random.below(16) as u8 });
                self.icmp = match (miss, icmp.code) {
                    (false, _) => (icmp.kind, code),
                    (true, Some(code)) if random.once_in(2) => (icmp.kind, code.wrapping_add(1)),
                    (true, _) => (icmp.kind.wrapping_add(1), code),
                };
            }
            Match::TcpFlags(wanted) => self.flags_in(*wanted, miss, random),
            // In the middle of a connection that began before anybody looked.
            Match::TcpFlagsNot(_) if !miss && random.once_in(3) => (self.protocol, self.flags) = (6, TcpFlags::ACK),
            Match::TcpFlagsNot(unwanted) => self.flags_in(*unwanted, !miss, random),
            // The path decides the interfaces.
            Match::InInterface(_) | Match::OutInterface(_) | Match::Loopback => {}
            Match::SourceMacNot(_) => {
                if !miss {
                    match random.below(4) {
                        0 => self.kind = Kind::Arp,
                        1 => self.kind = Kind::Other(0x88b5),
                        _ => {}
                    }
                    self.spoof_mac(random);
                }
            }
            Match::ArpSender(set) => {
                self.kind = Kind::Arp;
                self.source_in(&set.only(Family::V4), miss, random);
            }
        }
    }

    fn frame(&mut self, kind: FrameKind, miss: bool, random: &mut Random) {
        let wanted = if miss {
            *random.pick(&[FrameKind::Arp, FrameKind::Stacked, FrameKind::Other, FrameKind::Ip])
        } else {
            kind
        };
        match wanted {
            FrameKind::Ip => {}
            FrameKind::Arp => {
                self.kind = Kind::Arp;
                if random.once_in(2) {
                    self.dest_mac = Some(BROADCAST);
                }
            }
            FrameKind::Other => self.kind = Kind::Other(*random.pick(&[0x88cc, 0x8863, 0x88b5, 0x6558])),
            FrameKind::Stacked => self.tags = stacked(random),
        }
    }

    fn source_in(&mut self, set: &AddressSet, miss: bool, random: &mut Random) {
        if let Some(address) = self.member(set, miss, random) {
            self.set_source(address);
        }
    }

    /// The place that the packet goes to keeps its own address where that fits.
    fn dest_in(&mut self, set: &AddressSet, miss: bool, random: &mut Random) {
        let own = match self.path.to {
            Place::Host => self.network.own().find(|own| set.contains(*own) && Family::of(*own) == self.family),
            Place::Port(port) => {
                let mut addresses = self.network.ports[port].addresses.iter().copied();
                addresses.find(|own| set.contains(*own) && Family::of(*own) == self.family)
            }
        };
        let address = own.filter(|_| !miss && random.once_in(2)).or_else(|| self.member(set, miss, random));
        if let Some(address) = address {
            self.set_dest(address);
        }
    }

    fn flags_in(&mut self, wanted: TcpFlags, miss: bool, random: &mut Random) {
        self.protocol = 6;
        let others = if random.once_in(2) { 0 } else { random.below(64) as u8 & !wanted.mask };
        self.flags = wanted.set | others;
        if miss {
            let bits: Vec<u8> = (0..6).map(|bit| 1 << bit).filter(|bit| wanted.mask & bit != 0).collect();
            self.flags ^= if bits.is_empty() { 0 } else { *random.pick(&bits) };
        }
    }

    fn spoof_mac(&mut self, random: &mut Random) {
        let neighbours = &self.network.ports;
        self.source_mac = if random.once_in(2) {
            Mac([0x02, 0xba, 0xd0, 0, 0, random.below(256) as u8])
        } else {
            neighbours[random.below(neighbours.len())].mac
        };
        // In ARP either of the two addresses may be false, or both.
        let Place::Port(port) = self.path.from else { return };
        let own = self.network.ports[port].mac;
        match random.below(3) {
            _ if self.kind != Kind::Arp => {}
            0 => self.sender_mac = Some(std::mem::replace(&mut self.source_mac, own)),
            1 => self.sender_mac = Some(own),
            _ => {}
        }
    }

    /// As neighbour discovery is sent: to groups, and from `::` before an address is one's own.
    fn be_neighbourly(&mut self, random: &mut Random) {
        match self.icmp.0 {
            135 if random.once_in(3) => {
                self.source[1] = Ipv6Addr::UNSPECIFIED.into();
                self.dest[1] = solicited(self.dest[1]);
            }
            135 if random.once_in(2) => self.dest[1] = solicited(self.dest[1]),
            133 if random.once_in(2) => self.dest[1] = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2).into(),
            134 | 136 if random.once_in(2) => self.dest[1] = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into(),
            _ => {}
        }
    }

    /// Changes, now and then, what no clause has been asked for.
    pub fn bend(&mut self, random: &mut Random) {
        if self.path.from == Place::Host {
            self.kind = Kind::Ip;
            self.tags.clear();
            return;
        }
        match random.below(24) {
            0 => self.tags = vec![Tag { ethertype: 0x8100, id: 1 + random.below(4094) as u16 }],
            1 => self.tags = stacked(random),
            2 if self.is_guests() => self.spoof_mac(random),
            3 if self.is_guests() => {
                let port = &self.network.ports[random.below(self.network.ports.len())];
                if let Some(address) = port.address(self.family) {
                    self.set_source(address);
                }
            }
            4 => self.dest_mac = Some(BROADCAST),
            5 => self.dest_mac = Some(Mac([0x02, 0xab, 0xcd, 0, 0, 1])),
            6 => self.set_dest(match self.family {
                Family::V4 => Ipv4Addr::BROADCAST.into(),
                Family::V6 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into(),
            }),
            7 => self.flags = random.below(64) as u8,
            _ => {}
        }
    }

    fn port(&self, set: &PortSet, miss: bool, random: &mut Random) -> Option<u16> {
        let ranges = set.as_slice().iter().map(|(first, last)| (u128::from(*first), u128::from(*last)));
        u16::try_from(number(ranges.collect(), (miss, self.side), 0xffff, random)?).ok()
    }

    /// An address of the family that is in the set, or just outside; none where the set has none.
    fn member(&self, set: &AddressSet, miss: bool, random: &mut Random) -> Option<IpAddr> {
        fn wide<T: Copy + Into<u128>>(ranges: &[(T, T)]) -> Vec<(u128, u128)> {
            ranges.iter().map(|(first, last)| ((*first).into(), (*last).into())).collect()
        }
        let side = (miss, self.side);
        match self.family {
            Family::V4 => {
                let found = number(wide(set.v4().as_slice()), side, u32::MAX.into(), random)?;
                Some(IpAddr::V4(Ipv4Addr::from(u32::try_from(found).ok()?)))
            }
            Family::V6 => {
                let found = number(wide(set.v6().as_slice()), side, u128::MAX, random)?;
                Some(IpAddr::V6(Ipv6Addr::from(found)))
            }
        }
    }
}

fn stacked(random: &mut Random) -> Vec<Tag> {
    let tag = |ethertype, id| Tag { ethertype, id };
    match random.below(4) {
        0 => vec![tag(0x88a8, 5)],
        1 => vec![tag(0x88a8, 5), tag(0x8100, 6)],
        2 => vec![tag(0x8100, 5), tag(0x88a8, 6)],
        _ => vec![tag(0x8100, 5), tag(0x8100, 6)],
    }
}

/// Whether no other frame can meet the condition.
fn is_of_ip(condition: &Match) -> bool {
    match condition {
        Match::Family(_)
        | Match::State(_)
        | Match::Source(_)
        | Match::SourceNot(_)
        | Match::Dest(_)
        | Match::Protocol(_)
        | Match::SourcePorts(_)
        | Match::DestPorts(_)
        | Match::Icmp(_)
        | Match::TcpFlags(_)
        | Match::TcpFlagsNot(_) => true,
        Match::Frame(kind) => *kind == FrameKind::Ip,
        Match::EtherTypeNot(_)
        | Match::InInterface(_)
        | Match::OutInterface(_)
        | Match::Loopback
        | Match::SourceMacNot(_)
        | Match::ArpSender(_) => false,
    }
}

/// One end of a range after the other, or a number within; or the neighbour of an end that is in no range.
fn number(ranges: Vec<(u128, u128)>, (miss, turn): (bool, usize), max: u128, random: &mut Random) -> Option<u128> {
    if ranges.is_empty() {
        return None;
    }
    if miss {
        let inside = |number: &u128| ranges.iter().any(|(first, last)| (first..=last).contains(&number));
        let below = ranges.iter().filter_map(|(first, _)| first.checked_sub(1));
        let above = ranges.iter().filter_map(|(_, last)| last.checked_add(1).filter(|number| *number <= max));
        let outside: Vec<u128> = below.chain(above).filter(|number| !inside(number)).collect();
        return outside.get(turn % outside.len().max(1)).copied();
    }
    if random.once_in(3) {
        let (first, last) = *random.pick(&ranges);
        return Some(random.between(first, last));
    }
    let (first, last) = ranges[turn / 2 % ranges.len()];
    Some(if turn % 2 == 0 { last } else { first })
}
