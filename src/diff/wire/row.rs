//! Rows: the same packets at many machines are one row, and both families of the same names are one.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::{Body, Packet, Payload};
use crate::diff::report::{At, Wire, WireRow};
use crate::net::Family;

use super::name::Described;
use super::{Decider, Group, Kind, Pair};

/// Rows that are told of each kind before the rest is counted.
const ROWS: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Rows {
    /// By what makes the difference, and by the packets without their family.
    rows: BTreeMap<(Kind, Decider, [String; 3]), Row>,
    /// How many hooks have more boxes than were told.
    pub(super) left_out: usize,
}

#[derive(Debug)]
struct Row {
    families: BTreeSet<&'static str>,
    others: BTreeSet<String>,
    packet: Option<String>,
    at: BTreeSet<At>,
}

impl Rows {
    /// Adds a box at one machine.
    pub(super) fn add(&mut self, pair: &Pair<'_>, group: &Group<'_>, described: Described, packet: Option<String>) {
        let family = match described.family {
            Some(Family::V4) => "IPv4",
            Some(Family::V6) => "IPv6",
            None => "frames",
        };
        let service = if described.remark.is_empty() {
            described.service
        } else {
            format!("{} ({})", described.service, described.remark)
        };
        let key = (group.kind, group.own.clone(), [described.from, described.to, service]);
        let row = self.rows.entry(key).or_insert_with(|| Row {
            families: BTreeSet::new(),
            others: BTreeSet::new(),
            packet,
            at: BTreeSet::new(),
        });
        row.families.insert(family);
        row.others.extend(group.others.iter().map(|other| (*other).to_owned()));
        if !row.at.contains(&pair.at) {
            row.at.insert(pair.at.clone());
        }
    }

    /// Takes in the rows of other hooks.
    pub(super) fn merge(&mut self, other: Self) {
        self.left_out += other.left_out;
        for (key, row) in other.rows {
            match self.rows.get_mut(&key) {
                Some(known) => {
                    known.families.extend(row.families);
                    known.others.extend(row.others);
                    known.at.extend(row.at);
                }
                None => {
                    self.rows.insert(key, row);
                }
            }
        }
    }

    pub(super) fn into_wire(self, wire: &mut Wire) {
        wire.left_out += self.left_out;
        for ((kind, own, [from, to, service]), row) in self.rows {
            let list = match kind {
                Kind::Accepted => &mut wire.accepted,
                Kind::Refused => &mut wire.refused,
                Kind::Otherwise => &mut wire.otherwise,
            };
            list.push(WireRow {
                from,
                to,
                service,
                families: row.families.into_iter().collect(),
                rule: own.words,
                place: own.place,
                instead_of: row.others.into_iter().collect(),
                packet: row.packet,
                at: row.at.into_iter().collect(),
            });
        }
        for list in [&mut wire.accepted, &mut wire.refused, &mut wire.otherwise] {
            // What reaches most machines first.
            list.sort_by(|a, b| b.at.len().cmp(&a.at.len()).then_with(|| a.key().cmp(&b.key())));
            wire.left_out += list.len().saturating_sub(ROWS);
            list.truncate(ROWS);
        }
    }
}

/// `tcp 203.0.113.77:49152 → 10.0.1.100:443`.
pub(super) fn packet_words(packet: &Packet) -> String {
    let ip = match &packet.body {
        Body::Ip(ip) => ip,
        Body::Arp(arp) => return format!("ARP from {} for {}", arp.sender, arp.target),
        Body::Stacked => return "a frame in two VLAN tags".to_owned(),
        Body::Other(number) => return format!("a frame of ethertype {number:#06x}"),
    };
    let with = |address: std::net::IpAddr, port: u16| std::net::SocketAddr::new(address, port).to_string();
    match ip.payload {
        Payload::Tcp { source, dest, .. } | Payload::Ports { source, dest } => {
            format!("{} {} → {}", ip.protocol, with(ip.source, source), with(ip.dest, dest))
        }
        Payload::Icmp { kind, code } => format!("{} type {kind}/{code} {} → {}", ip.protocol, ip.source, ip.dest),
        Payload::Other => format!("{} {} → {}", ip.protocol, ip.source, ip.dest),
    }
}
