//! Rows: the same packets at many machines are one row, and both families of the same names are one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::{Body, Packet, Payload};
use crate::diff::report::{At, Wire, WireRow};
use crate::net::Family;

use super::compared::Group;
use super::name::{Described, ITSELF, Names};
use super::service::{self, Asked, Macros};
use super::{Decider, Kind, Pair};

/// Rows that are told of each kind before the rest is counted.
const ROWS: usize = 200;

/// Rows of the same ends by what is asked for, and by what else their packets have in common.
type Services = BTreeMap<(Asked, String), Row>;

#[derive(Debug, Default)]
pub(super) struct Rows {
    /// By what makes the difference and by the ends.
    rows: BTreeMap<(Kind, Decider, [String; 2]), Services>,
    /// How many hooks have more boxes than were told.
    pub(super) left_out: usize,
}

#[derive(Debug)]
struct Row {
    /// None for those that are no IP.
    families: BTreeSet<Option<Family>>,
    others: BTreeSet<String>,
    packet: Option<String>,
    at: BTreeSet<At>,
}

impl Row {
    fn merge(&mut self, other: Self) {
        self.families.extend(other.families);
        self.others.extend(other.others);
        self.at.extend(other.at);
    }

    /// The families; none where some of its packets are no IP.
    fn ip(&self) -> Option<BTreeSet<Family>> {
        self.families.iter().copied().collect()
    }
}

impl Rows {
    /// Adds a box at one machine. A packet of it is asked for where the row has none yet.
    ///
    /// # Errors
    /// Those of asking for a packet.
    pub(super) fn add<E>(
        &mut self,
        pair: &Pair<'_>,
        group: &Group<'_>,
        described: Described,
        packet: impl FnOnce() -> Result<Option<String>, E>,
    ) -> Result<(), E> {
        let ends = [described.from, described.to];
        let rows = self.rows.entry((group.kind, group.own.clone(), ends)).or_default();
        let row = match rows.entry((described.asked, described.remark)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let packet = packet()?;
                free.insert(Row { families: BTreeSet::new(), others: BTreeSet::new(), packet, at: BTreeSet::new() })
            }
        };
        row.families.insert(described.family);
        row.others.extend(group.others.iter().map(|other| (*other).to_owned()));
        if !row.at.contains(&pair.at) {
            row.at.insert(pair.at.clone());
        }
        Ok(())
    }

    /// Adds a box at several machines at once, whose ends are named.
    pub(super) fn put(
        &mut self,
        (kind, own, others): (Kind, Decider, BTreeSet<String>),
        described: Described,
        at: BTreeSet<At>,
        packet: Option<String>,
    ) {
        let ends = [described.from, described.to];
        let row = Row { families: [described.family].into(), others, packet, at };
        let rows = self.rows.entry((kind, own, ends)).or_default();
        match rows.entry((described.asked, described.remark)) {
            Entry::Occupied(mut known) => known.get_mut().merge(row),
            Entry::Vacant(free) => {
                free.insert(row);
            }
        }
    }

    /// Takes in the rows of other hooks.
    pub(super) fn merge(&mut self, other: Self) {
        self.left_out += other.left_out;
        for (ends, rows) in other.rows {
            let known = self.rows.entry(ends).or_default();
            for (asked, row) in rows {
                match known.get_mut(&asked) {
                    Some(known) => known.merge(row),
                    None => {
                        known.insert(asked, row);
                    }
                }
            }
        }
    }

    /// The rows in their order. An end that is the machine itself is named where its machines have a name.
    pub(super) fn into_wire(self, names: &Names, wire: &mut Wire) {
        wire.left_out += self.left_out;
        let macros = Macros::new();
        for ((kind, own, [from, to]), rows) in self.rows {
            let list = match kind {
                Kind::Accepted => &mut wire.accepted,
                Kind::Refused => &mut wire.refused,
                Kind::Otherwise => &mut wire.otherwise,
            };
            for (service, macro_name, row) in named(rows, &macros, own.macro_name) {
                let families = row.families.iter().map(|family| match family {
                    Some(Family::V4) => "IPv4",
                    Some(Family::V6) => "IPv6",
                    None => "frames",
                });
                let families: BTreeSet<&'static str> = families.collect();
                let machines = names.machines_of(&row.at);
                let end = |text: &String| machines.as_ref().filter(|_| text == ITSELF).unwrap_or(text).clone();
                list.push(WireRow {
                    from: end(&from),
                    to: end(&to),
                    service,
                    macro_name,
                    families: families.into_iter().collect(),
                    rule: own.words.clone(),
                    place: own.place.clone(),
                    instead_of: row.others.into_iter().collect(),
                    packet: row.packet,
                    at: row.at.into_iter().collect(),
                });
            }
        }
        for list in [&mut wire.accepted, &mut wire.refused, &mut wire.otherwise] {
            // What reaches most machines first.
            list.sort_by(|a, b| b.at.len().cmp(&a.at.len()).then_with(|| a.key().cmp(&b.key())));
            wire.left_out += list.len().saturating_sub(ROWS);
            list.truncate(ROWS);
        }
    }
}

/// Rows of the same ends with their service in words and as a macro; those that only together are one become one row.
fn named(mut rows: Services, macros: &Macros, own: Option<&'static str>) -> Vec<(String, Option<&'static str>, Row)> {
    let mut found = Vec::new();
    loop {
        // Only what is the same at the same machines can be told as one.
        let mut places: BTreeMap<&BTreeSet<At>, Vec<(&Asked, BTreeSet<Family>)>> = BTreeMap::new();
        for ((asked, _), row) in rows.iter().filter(|((_, remark), _)| remark.is_empty()) {
            if let Some(families) = row.ip() {
                places.entry(&row.at).or_default().push((asked, families));
            }
        }
        let together = places.into_values().find_map(|here| {
            let here: Vec<(&Asked, &BTreeSet<Family>)> = here.iter().map(|(asked, ip)| (*asked, ip)).collect();
            let (chosen, name) = macros.of_several(&here, own)?;
            let chosen = chosen.iter().filter_map(|at| here.get(*at)).map(|(asked, _)| (*asked).clone());
            Some((chosen.collect::<Vec<Asked>>(), name))
        });
        let Some((chosen, name)) = together else { break };
        let parts = chosen.iter().filter_map(|asked| rows.remove(&(asked.clone(), String::new())));
        let whole = parts.reduce(|mut whole, part| {
            whole.merge(part);
            whole
        });
        found.extend(whole.map(|row| (service::together(&chosen.iter().collect::<Vec<_>>()), Some(name), row)));
    }
    for ((asked, remark), row) in rows {
        if remark.is_empty() {
            let name = row.ip().and_then(|families| macros.of_one((&asked, &families), own));
            found.push((asked.to_string(), name, row));
        } else {
            found.push((format!("{asked} ({remark})"), None, row));
        }
    }
    found
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
