//! Clauses in nft's words.
//!
//! In: a [`Clause`] and the place it stands in. Out: lists of conditions, each of them a rule of its own;
//! together they hold for exactly the packets that the clause matches. Where a clause names addresses,
//! each family gets its own rules, since no condition of nft speaks of both.

use std::sync::Arc;

use crate::net::{AddressSet, Family, PortSet, Protocol};
use crate::policy::{Clause, FrameKind, Match, Nic, State, States};

use super::set::{Pool, is_all};
use super::table::{Condition, Elements, Side, TableFamily};

/// Every list of conditions is a rule; the rules do the same.
pub(super) type Alternatives = Vec<Vec<Condition>>;

const STACKED: [u16; 2] = [0x8100, 0x88a8];
const KNOWN: [u16; 5] = [0x0800, 0x0806, 0x8100, 0x86dd, 0x88a8];
const IP: [u16; 2] = [0x0800, 0x86dd];

/// Where a clause stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The table.
    pub(super) family: TableFamily,
    /// Which end the loopback interface is at.
    pub(super) loopback: Side,
    /// The NIC whose MAC stands in the set that all NICs share.
    pub(super) nic: Option<&'a Nic>,
    /// The NIC's sources, where they stand in the sets that all NICs share; none to spell them out.
    pub(super) sources: Option<&'a Arc<AddressSet>>,
}

impl Place<'_> {
    /// Whether these are the sources of the NIC, rather than a set of the same content elsewhere.
    fn is_keyed(&self, set: &Arc<AddressSet>) -> bool {
        self.sources.is_some_and(|sources| Arc::ptr_eq(sources, set))
    }
}

/// The name of the set of interfaces and their MAC addresses.
pub(super) const NIC_MACS: &str = "nic-mac";

/// The name of the set of interfaces that are the NIC of a number to guests with rules for it alone.
pub(super) fn nics(index: u8) -> String {
    format!("nic-net{index}")
}

/// The name of the set of interfaces and their addresses of a family.
pub(super) const fn nic_sources(family: Family) -> &'static str {
    match family {
        Family::V4 => "nic-ip",
        Family::V6 => "nic-ip6",
    }
}

/// The set of ethertypes that are IP.
pub(super) fn ip_frames(pool: &mut Pool<'_>) -> Arc<str> {
    pool.fixed("frame-ip", Elements::EtherTypes(IP.to_vec()))
}

/// What a clause matches; empty where nothing can in this table.
pub(super) fn alternatives(pool: &mut Pool<'_>, place: Place<'_>, clause: &Clause) -> Alternatives {
    let addressed = clause.matches.iter().any(is_address);
    // A list of ethertypes with one of IP's is about all others too.
    if place.family == TableFamily::Bridge && !clause.matches.iter().any(is_of_ip) {
        return of_family(pool, place, clause, None);
    }
    match (clause.speaks_of(Family::V4), clause.speaks_of(Family::V6)) {
        (true, false) => of_family(pool, place, clause, Some(Family::V4)),
        (false, true) => of_family(pool, place, clause, Some(Family::V6)),
        (true, true) if addressed => {
            let mut rows = of_family(pool, place, clause, Some(Family::V4));
            rows.extend(of_family(pool, place, clause, Some(Family::V6)));
            rows
        }
        // Conditions on IP that contradict one another.
        (false, false) if clause.matches.iter().any(is_of_ip) => Vec::new(),
        // Every IP packet, or frames that are not IP.
        (true, true) | (false, false) => of_family(pool, place, clause, None),
    }
}

/// IPv6's extension headers (RFC 8200): hop-by-hop options, routing, fragment, destination options. nft says
/// `meta l4proto` of the header behind them. It does see 51 and 59, the others that come before a payload.
const LOOKED_THROUGH: [Protocol; 4] = [Protocol(0), Protocol(43), Protocol(44), Protocol(60)];

/// The protocol of a clause that would never match an IPv6 packet, though it should.
pub(super) fn unseen_protocol(clause: &Clause) -> Option<Protocol> {
    let asked = |protocol: &Protocol| clause.matches.contains(&Match::Protocol(*protocol));
    LOOKED_THROUGH.into_iter().find(asked).filter(|_| clause.speaks_of(Family::V6))
}

/// Whether only IP packets have what the condition looks at.
const fn is_of_ip(condition: &Match) -> bool {
    match condition {
        Match::Frame(FrameKind::Ip)
        | Match::Family(_)
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
        Match::Frame(FrameKind::Arp | FrameKind::Stacked | FrameKind::Other)
        | Match::EtherTypeNot(_)
        | Match::InInterface(_)
        | Match::OutInterface(_)
        | Match::Loopback
        | Match::SourceMacNot(_)
        | Match::ArpSender(_) => false,
    }
}

const fn is_address(condition: &Match) -> bool {
    match condition {
        Match::Source(_) | Match::SourceNot(_) | Match::Dest(_) => true,
        Match::Frame(_)
        | Match::EtherTypeNot(_)
        | Match::Family(_)
        | Match::State(_)
        | Match::Protocol(_)
        | Match::SourcePorts(_)
        | Match::DestPorts(_)
        | Match::Icmp(_)
        | Match::TcpFlags(_)
        | Match::TcpFlagsNot(_)
        | Match::InInterface(_)
        | Match::OutInterface(_)
        | Match::Loopback
        | Match::SourceMacNot(_)
        | Match::ArpSender(_) => false,
    }
}

/// The clause for packets of one family; none: for both, or for frames that are not IP.
fn of_family(pool: &mut Pool<'_>, place: Place<'_>, clause: &Clause, family: Option<Family>) -> Alternatives {
    let mut lowering = Lowering { pool, place, clause, family, rows: vec![Vec::with_capacity(4)] };
    for condition in &clause.matches {
        lowering.condition(condition);
    }
    lowering.name_family();
    let mut rows = lowering.rows;
    for row in &mut rows {
        row.sort();
        row.dedup();
    }
    rows
}

struct Lowering<'p, 'i, 'a> {
    pool: &'p mut Pool<'i>,
    place: Place<'a>,
    clause: &'a Clause,
    family: Option<Family>,
    rows: Alternatives,
}

impl Lowering<'_, '_, '_> {
    /// One more condition that must hold.
    fn and(&mut self, condition: Condition) {
        if let Some((last, others)) = self.rows.split_last_mut() {
            for row in others {
                row.push(condition.clone());
            }
            last.push(condition);
        }
    }

    /// One of these must hold.
    fn any(&mut self, conditions: Vec<Condition>) {
        if let [only] = conditions.as_slice() {
            self.and(only.clone());
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        let with = |row: &Vec<Condition>, condition: &Condition| row.iter().chain([condition]).cloned().collect();
        self.rows = rows.iter().flat_map(|row| conditions.iter().map(move |one| with(row, one))).collect();
    }

    fn never(&mut self) {
        self.rows.clear();
    }

    fn protocol(&self) -> Option<Protocol> {
        self.clause.matches.iter().find_map(|condition| match condition {
            Match::Protocol(protocol) => Some(*protocol),
            Match::Frame(_)
            | Match::EtherTypeNot(_)
            | Match::Family(_)
            | Match::State(_)
            | Match::Source(_)
            | Match::SourceNot(_)
            | Match::Dest(_)
            | Match::SourcePorts(_)
            | Match::DestPorts(_)
            | Match::Icmp(_)
            | Match::TcpFlags(_)
            | Match::TcpFlagsNot(_)
            | Match::InInterface(_)
            | Match::OutInterface(_)
            | Match::Loopback
            | Match::SourceMacNot(_)
            | Match::ArpSender(_) => None,
        })
    }

    fn condition(&mut self, condition: &Match) {
        match condition {
            Match::Frame(kind) => self.frame(*kind),
            Match::EtherTypeNot(listed) => self.ether_type_not(listed),
            // Named once at the end.
            Match::Family(_) => {}
            Match::State(states) => self.and(Condition::State(*states)),
            Match::Source(set) if self.place.is_keyed(set) => {
                if let Some(family) = self.family {
                    self.and(Condition::NicSourceIn(family, nic_sources(family).into()));
                }
            }
            Match::Source(set) => self.address(Side::Source, set),
            Match::SourceNot(set) => self.source_not(set),
            Match::Dest(set) => self.address(Side::Dest, set),
            Match::Protocol(protocol) => self.and(Condition::Protocol(*protocol)),
            Match::SourcePorts(ports) => self.ports(Side::Source, ports),
            Match::DestPorts(ports) => self.ports(Side::Dest, ports),
            Match::Icmp(icmp) => self.and(Condition::Icmp(*icmp)),
            Match::TcpFlags(flags) => self.and(Condition::TcpFlags(*flags, false)),
            Match::TcpFlagsNot(flags) => self.and(Condition::TcpFlags(*flags, true)),
            Match::InInterface(name) => self.and(Condition::Interface(Side::Source, name.clone(), false)),
            Match::OutInterface(name) => self.and(Condition::Interface(Side::Dest, name.clone(), false)),
            Match::Loopback => self.and(Condition::Interface(self.place.loopback, "lo".to_owned(), false)),
            Match::SourceMacNot(mac) => self.source_mac_not(*mac),
            Match::ArpSender(set) => self.arp_sender(set),
        }
    }

    fn frame(&mut self, kind: FrameKind) {
        match (self.place.family, kind) {
            // Named at the end, where nothing else says it.
            (_, FrameKind::Ip) => {}
            (TableFamily::Inet, FrameKind::Arp | FrameKind::Stacked | FrameKind::Other) => self.never(),
            (TableFamily::Bridge, FrameKind::Arp) => self.and(Condition::Arp),
            (TableFamily::Bridge, FrameKind::Stacked) => {
                let inner = self.pool.fixed("frame-tag", Elements::EtherTypes(STACKED.to_vec()));
                self.any(vec![Condition::ServiceTag, Condition::Carries(inner, false)]);
            }
            (TableFamily::Bridge, FrameKind::Other) => {
                let known = self.pool.fixed("frame-known", Elements::EtherTypes(KNOWN.to_vec()));
                self.and(Condition::Carries(known, true));
            }
        }
    }

    fn ether_type_not(&mut self, listed: &[u16]) {
        match self.place.family {
            TableFamily::Inet => {
                // All is IP here; `speaks_of` has judged both families, and each is listed or not.
                let both = Family::BOTH.iter().all(|family| self.clause.speaks_of(*family));
                if !both && self.family.is_none() {
                    self.never();
                }
            }
            TableFamily::Bridge => {
                let text: Vec<String> = listed.iter().map(|kind| format!("{kind:04x}")).collect();
                let name = format!("frame-{}", text.join("-"));
                let set = self.pool.fixed(&name, Elements::EtherTypes(listed.to_vec()));
                self.and(Condition::Carries(set, true));
            }
        }
    }

    fn address(&mut self, side: Side, set: &AddressSet) {
        let Some(family) = self.family.filter(|family| set.has(*family)) else { return self.never() };
        if is_all(family, set) {
            return;
        }
        let operands = self.pool.addresses(family, set);
        self.any(operands.iter().map(|one| Condition::Address(family, side, one.clone(), false)).collect());
    }

    fn source_not(&mut self, set: &AddressSet) {
        let Some(family) = self.family else { return self.never() };
        if is_all(family, set) {
            return self.never();
        }
        for one in self.pool.addresses(family, set).iter() {
            self.and(Condition::Address(family, Side::Source, one.clone(), true));
        }
    }

    fn ports(&mut self, side: Side, ports: &PortSet) {
        let Some(protocol) = self.protocol().filter(|protocol| protocol.has_ports()) else { return self.never() };
        if ports.is_empty() {
            return self.never();
        }
        if ports.is_all() {
            return;
        }
        let operands = self.pool.ports(ports);
        self.any(operands.iter().map(|one| Condition::Port(protocol, side, one.clone())).collect());
    }

    fn source_mac_not(&mut self, mac: crate::net::Mac) {
        let of_arp = |condition| vec![Condition::Arp, condition];
        let (any_frame, arp) = if self.place.nic.is_some_and(|nic| nic.mac == Some(mac)) {
            (Condition::NicMacNotIn(NIC_MACS.into()), Condition::NicArpMacNotIn(NIC_MACS.into()))
        } else {
            (Condition::MacNot(mac), Condition::ArpMacNot(mac))
        };
        let rows = std::mem::take(&mut self.rows);
        let with = |row: &Vec<Condition>, more: &[Condition]| row.iter().chain(more).cloned().collect();
        let both = [vec![any_frame], of_arp(arp)];
        self.rows = rows.iter().flat_map(|row| both.iter().map(move |more| with(row, more))).collect();
    }

    fn arp_sender(&mut self, set: &Arc<AddressSet>) {
        if self.place.family == TableFamily::Inet || !(set.has(Family::V4) || self.place.is_keyed(set)) {
            return self.never();
        }
        self.and(Condition::Arp);
        if self.place.is_keyed(set) {
            self.and(Condition::NicArpIn(nic_sources(Family::V4).into()));
        } else if !is_all(Family::V4, set) {
            let operands = self.pool.addresses(Family::V4, set);
            self.any(operands.iter().map(|one| Condition::ArpAddress(one.clone())).collect());
        }
    }

    /// Says which IP it is, where the conditions so far do not.
    fn name_family(&mut self) {
        let wants_ip = self.clause.matches.contains(&Match::Frame(FrameKind::Ip));
        for row in &mut self.rows {
            match self.family {
                // `icmp type` and the like would look for an untagged frame without it.
                Some(family) if !row.iter().any(names_family) => row.push(Condition::Family(family)),
                None if wants_ip && self.place.family == TableFamily::Bridge && !row.iter().any(implies_ip) => {
                    row.push(Condition::Carries(ip_frames(self.pool), false));
                }
                Some(_) | None => {}
            }
            drop_implied(row);
        }
    }
}

/// Whether nft sees the family from it.
fn names_family(condition: &Condition) -> bool {
    matches!(condition, Condition::Address(..) | Condition::NicSourceIn(..) | Condition::Family(_))
}

/// Whether it holds for IP packets alone. A frame that conntrack does not know counts as invalid.
fn implies_ip(condition: &Condition) -> bool {
    match condition {
        Condition::Protocol(_) | Condition::Port(..) | Condition::Icmp(_) | Condition::TcpFlags(..) => true,
        Condition::Address(..) | Condition::NicSourceIn(..) | Condition::Family(_) | Condition::Above(..) => true,
        Condition::State(states) => !states.contains(State::Invalid) && *states != States::of(&[]),
        Condition::Interface(..)
        | Condition::InterfaceIn(..)
        | Condition::BridgeIn(..)
        | Condition::ServiceTag
        | Condition::Carries(..)
        | Condition::Arp
        | Condition::MacNot(_)
        | Condition::ArpMacNot(_)
        | Condition::NicMacNotIn(_)
        | Condition::NicArpMacNotIn(_)
        | Condition::ArpAddress(_)
        | Condition::NicArpIn(_)
        | Condition::Mark(..) => false,
    }
}

/// Leaves out the protocol where nft has it from the header that a condition looks at.
fn drop_implied(row: &mut Vec<Condition>) {
    let looks = |protocol: Protocol, condition: &Condition| match condition {
        Condition::Port(of, ..) => *of == protocol && protocol.has_ports(),
        Condition::TcpFlags(..) => protocol == Protocol::TCP,
        Condition::Icmp(icmp) => match icmp.family {
            Family::V4 => protocol == Protocol::ICMP,
            Family::V6 => protocol == Protocol::ICMPV6,
        },
        Condition::Interface(..)
        | Condition::InterfaceIn(..)
        | Condition::BridgeIn(..)
        | Condition::ServiceTag
        | Condition::Carries(..)
        | Condition::Arp
        | Condition::Family(_)
        | Condition::MacNot(_)
        | Condition::ArpMacNot(_)
        | Condition::NicMacNotIn(_)
        | Condition::NicArpMacNotIn(_)
        | Condition::ArpAddress(_)
        | Condition::NicArpIn(_)
        | Condition::NicSourceIn(..)
        | Condition::Address(..)
        | Condition::Protocol(_)
        | Condition::State(_)
        | Condition::Mark(..)
        | Condition::Above(..) => false,
    };
    let of = |condition: &Condition| if let Condition::Protocol(protocol) = condition { Some(*protocol) } else { None };
    let implied = row.iter().position(|condition| {
        of(condition).is_some_and(|protocol| row.iter().any(|condition| looks(protocol, condition)))
    });
    if let Some(at) = implied {
        row.remove(at);
    }
}
