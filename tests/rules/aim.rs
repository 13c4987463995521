//! Packets aimed at what differs between two rulesets: inside the conditions that lead there, and just outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use fwc::analysis::loaded::{Condition, Fields, nft};
use fwc::analysis::sets::Field;
use fwc::analysis::{ArpPacket, Body, IpPacket, Packet, Payload};
use fwc::net::{Mac, Protocol};
use fwc::policy::State;
use fwc::state::ruleset::{Program, Verdict};

use crate::plain::{Plain, flags_number};
use crate::random::Random;

/// Conditions that must hold for a packet to come to a rule, and those of the rule; in the order in which they are asked.
type Path<'r> = Vec<&'r Condition>;

/// Values near the edges of all conditions, and the rules that differ.
pub struct Aim<'r, 't> {
    /// Both rulesets.
    pub sides: [&'r Plain<'t>; 2],
    near: [Vec<u128>; Field::ALL.len()],
    names: Vec<Option<String>>,
    paths: Vec<Path<'r>>,
}

/// Calls that are followed upwards.
const CLIMB: usize = 12;
/// Paths that are kept for each rule that differs.
const PATHS: usize = 6;

impl<'r, 't> Aim<'r, 't> {
    /// At what differs between two rulesets; their chains that do become watched.
    pub fn new(sides: [&'r mut Plain<'t>; 2], random: &mut Random) -> Self {
        let [before, after] = sides;
        let mut places: [Vec<(usize, String, usize)>; 2] = [Vec::new(), Vec::new()];
        for (number, (one, two)) in before.tables.iter_mut().zip(&mut after.tables).enumerate() {
            for (name, chain) in &mut one.chains {
                let Some(other) = two.chains.get_mut(name) else { continue };
                let (old, new) = (&chain.rules, &other.rules);
                if old == new && chain.policy == other.policy {
                    continue;
                }
                let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
                let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
                for (side, rules) in [old, new].into_iter().enumerate() {
                    let end = (rules.len() + 1).saturating_sub(tail).min(rules.len());
                    places[side].extend((start.saturating_sub(1)..end).map(|at| (number, (*name).to_owned(), at)));
                }
                (chain.watched, other.watched) = (true, true);
            }
        }
        let (before, after): (&'r Plain<'t>, &'r Plain<'t>) = (before, after);
        let mut aim = Self {
            sides: [before, after],
            near: [const { Vec::new() }; Field::ALL.len()],
            names: vec![None, Some("lo".to_owned())],
            paths: Vec::new(),
        };
        for rules in [before, after] {
            for rule in rules.tables.iter().flat_map(|table| table.chains.values()).flat_map(|chain| &chain.rules) {
                rule.asked.conditions.iter().for_each(|condition| aim.learn(condition));
            }
        }
        for values in &mut aim.near {
            values.sort_unstable();
            values.dedup();
        }
        aim.names.sort();
        aim.names.dedup();
        for (rules, places) in [before, after].into_iter().zip(&places) {
            for (table, chain, at) in places {
                for _ in 0..PATHS {
                    aim.paths.push(path(rules, *table, chain, *at, random));
                }
            }
        }
        aim
    }

    fn learn(&mut self, condition: &Condition) {
        let mut edges = |fields: &Fields| {
            for (field, values) in &fields.0 {
                for (first, last) in values.iter() {
                    let all = [first, first.wrapping_sub(1), last, last.wrapping_add(1)];
                    self.near[*field as usize].extend(all);
                }
            }
        };
        match condition {
            Condition::Packet(choices) => choices.iter().for_each(edges),
            Condition::Outer(values) => edges(&Fields(vec![(Field::Frame, values.clone())])),
            Condition::Keyed { entries, domain, .. } => {
                edges(domain);
                entries.values().flatten().for_each(edges);
            }
            Condition::Port { names, .. } => {
                let named = names.iter().map(|name| match name {
                    fwc::analysis::loaded::Pattern::Is(name) | fwc::analysis::loaded::Pattern::BeginsWith(name) => {
                        Some(name.to_string())
                    }
                });
                self.names.extend(named);
            }
            Condition::Mark { .. }
            | Condition::FromBridge(_)
            | Condition::ToBridge(_)
            | Condition::Bridged(_)
            | Condition::Above(_)
            | Condition::Opaque(_) => {}
        }
    }

    /// A packet.
    pub fn packet(&self, random: &mut Random) -> Packet {
        let mut values = self.anything(random);
        if !self.paths.is_empty() && !random.once_in(10) {
            for condition in random.pick(&self.paths) {
                lead(&mut values, condition, random);
            }
        }
        for _ in 0..random.below(3) {
            let field = Field::ALL[random.below(13)];
            let near = &self.near[field as usize];
            if !near.is_empty() {
                values[field as usize] = *random.pick(near);
            }
        }
        let family = match self.sides[0].program {
            Program::Iptables => Some(0x0800),
            Program::Ip6tables => Some(0x86dd),
            Program::Nft | Program::Ebtables => None,
        };
        if let Some(frame) = family {
            values[Field::Frame as usize] = frame;
        }
        let name = |random: &mut Random| random.pick(&self.names).clone();
        let (in_interface, out_interface) = (name(random), name(random));
        let source_mac = mac(values[Field::SourceMac as usize]);
        Packet { body: body(&values), source_mac, in_interface, out_interface }
    }

    fn anything(&self, random: &mut Random) -> [u128; Field::ALL.len()] {
        let mut values = [0; Field::ALL.len()];
        for field in Field::ALL {
            let near = &self.near[field as usize];
            let common = match field {
                Field::Frame => Some(*random.pick(&[0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8100, 0x88cc])),
                Field::SourceMac | Field::ArpMac | Field::Stand => Some(0),
                Field::State if random.once_in(3) => Some(random.below(4) as u128),
                Field::State => Some(0),
                Field::Flags => Some(flags_number(2)).filter(|_| random.once_in(2)),
                Field::Protocol => Some(*random.pick(&[6, 17, 1, 58])).filter(|_| random.once_in(2)),
                Field::InInterface
                | Field::OutInterface
                | Field::DestPort
                | Field::Icmp
                | Field::Dest
                | Field::Source
                | Field::SourcePort => None,
            };
            values[field as usize] = common.unwrap_or_else(|| {
                if near.is_empty() || random.once_in(4) { random.between(0, u128::MAX) } else { *random.pick(near) }
            });
        }
        values
    }
}

/// A way from where packets come in to a rule, and its conditions.
fn path<'r>(rules: &'r Plain<'_>, table: usize, chain: &str, at: usize, random: &mut Random) -> Path<'r> {
    let table = &rules.tables[table];
    let mut found: Vec<&Condition> = Vec::new();
    if let Some(rule) = table.chains[chain].rules.get(at) {
        found.extend(rule.asked.conditions.iter().rev());
    }
    let mut chain = chain.to_owned();
    for _ in 0..CLIMB {
        let leads = |verdict: &Verdict| matches!(verdict, Verdict::Jump(to) | Verdict::Goto(to) if **to == *chain);
        let mut calls = Vec::new();
        for (name, caller) in &table.chains {
            for rule in &caller.rules {
                let by_case =
                    matches!(&rule.cases, Some(nft::Cases::Port { entries, .. }) if entries.values().any(leads));
                if by_case || leads(rule.verdict) {
                    calls.push((*name, rule));
                }
            }
        }
        if calls.is_empty() {
            break;
        }
        let (name, rule) = random.pick(&calls);
        found.extend(rule.asked.conditions.iter().rev());
        chain = (*name).to_owned();
    }
    found.reverse();
    found
}

/// Makes a condition hold, as far as fields can.
fn lead(values: &mut [u128; Field::ALL.len()], condition: &Condition, random: &mut Random) {
    let mut take = |fields: &Fields, random: &mut Random| {
        for (field, wanted) in &fields.0 {
            let all: Vec<(u128, u128)> = wanted.iter().collect();
            let holds = wanted.contains(values[*field as usize]);
            if all.is_empty() || holds && !random.once_in(4) {
                continue;
            }
            let (first, last) = *random.pick(&all);
            let inside = random.between(first, last);
            values[*field as usize] = *random.pick(&[first, last, inside]);
        }
    };
    match condition {
        Condition::Packet(choices) if !choices.is_empty() => take(random.pick(choices), random),
        Condition::Keyed { entries, domain, .. } => {
            take(domain, random);
            let all: Vec<&Fields> = entries.values().flatten().collect();
            if !all.is_empty() {
                let fields = random.pick::<&Fields>(&all);
                take(fields, random);
            }
        }
        Condition::Packet(_)
        | Condition::Outer(_)
        | Condition::Port { .. }
        | Condition::Mark { .. }
        | Condition::FromBridge(_)
        | Condition::ToBridge(_)
        | Condition::Bridged(_)
        | Condition::Above(_)
        | Condition::Opaque(_) => {}
    }
}

/// The flags of each number.
static FLAGS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut all: Vec<u8> = (0..=u8::MAX).collect();
    all.sort_by_key(|flags| flags_number(*flags));
    all
});

fn mac(value: u128) -> Option<Mac> {
    let [.., a, b, c, d, e, f] = value.checked_sub(1)?.to_be_bytes();
    Some(Mac([a, b, c, d, e, f]))
}

fn body(values: &[u128; Field::ALL.len()]) -> Body {
    let of = |field: Field| values[field as usize];
    let v4 = |field: Field| Ipv4Addr::from(of(field) as u32);
    let frame = of(Field::Frame) as u16;
    let (source, dest) = match frame {
        0x0800 => (IpAddr::V4(v4(Field::Source)), IpAddr::V4(v4(Field::Dest))),
        0x86dd => (Ipv6Addr::from(of(Field::Source)).into(), Ipv6Addr::from(of(Field::Dest)).into()),
        0x0806 => {
            let sender_mac = mac(of(Field::ArpMac));
            return Body::Arp(ArpPacket { sender_mac, sender: v4(Field::Source), target: v4(Field::Dest) });
        }
        0x88a8 => return Body::Stacked,
        other => return Body::Other(other),
    };
    let protocol = Protocol(of(Field::Protocol) as u8);
    let (sport, dport) = (of(Field::SourcePort) as u16, of(Field::DestPort) as u16);
    let icmp = of(Field::Icmp);
    let payload = match protocol {
        Protocol::TCP => Payload::Tcp { source: sport, dest: dport, flags: FLAGS[(of(Field::Flags) & 0xff) as usize] },
        Protocol::ICMP | Protocol::ICMPV6 => Payload::Icmp { kind: (icmp >> 8) as u8, code: icmp as u8 },
        other if other.has_ports() => Payload::Ports { source: sport, dest: dport },
        _ => Payload::Other,
    };
    let state = State::ALL[(of(Field::State) & 3) as usize];
    Body::Ip(IpPacket { source, dest, protocol, payload, state })
}
