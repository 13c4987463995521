//! What packets ask for beside addresses: protocol, ports, ICMP types. In words, and by the name of a macro.
//!
//! In: a box of packets. Out: an [`Asked`], which displays as `tcp 80,443`. Promise: a macro is named only where it stands
//! for exactly that, in the families that the packets are of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::analysis::sets::Region;
use crate::net::{Family, IcmpType, MACROS, Macro, PortSet, Protocol, Ranges};
use crate::policy::words;

/// Macros that are named only where the rule itself uses them: their port is better known for something else, or under
/// another macro's name.
const SELDOM: [&str; 5] = ["Jetdirect", "PMG", "Rdate", "SPICEproxy", "Webcache"];

/// Protocols, and what of each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    /// None for any.
    protocols: Option<Vec<Protocol>>,
    /// None for any, here as below.
    dest_ports: Option<PortSet>,
    source_ports: Option<PortSet>,
    /// Types in the upper, codes in the lower eight bits.
    icmp: Option<Ranges<u16>>,
}

/// What is asked of one protocol: destination ports by source ports; of ICMP types and codes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Content {
    ports: Vec<(PortSet, PortSet)>,
    icmp: Ranges<u16>,
}

/// What is asked of each protocol.
type Contents = BTreeMap<Protocol, Content>;

impl Asked {
    /// By the packets of a box.
    pub(super) fn of(region: &Region) -> Self {
        // Port 0 or not is what a stage of its own asks.
        let marginal = |set: &PortSet| [[(0, 0)], [(1, u16::MAX)]].iter().any(|ranges| set.as_slice() == ranges);
        Self {
            protocols: region.protocols(),
            dest_ports: region.dest_ports().filter(|set| !set.is_all()),
            source_ports: region.source_ports().filter(|set| !set.is_all() && !marginal(set)),
            icmp: region.icmp(),
        }
    }

    fn contents(&self) -> Option<Contents> {
        let mut contents = Contents::new();
        for protocol in self.protocols.as_ref()? {
            add(&mut contents, *protocol, self.source_ports.as_ref(), self.dest_ports.as_ref(), self.icmp.as_ref());
        }
        Some(contents)
    }
}

fn add(
    contents: &mut Contents,
    protocol: Protocol,
    sources: Option<&PortSet>,
    dests: Option<&PortSet>,
    icmp: Option<&Ranges<u16>>,
) {
    let content = contents.entry(protocol).or_default();
    let all = || Ranges::all();
    if protocol.has_ports() {
        let (sources, dests) = (sources.cloned().unwrap_or_else(all), dests.cloned().unwrap_or_else(all));
        match content.ports.iter_mut().find(|(known, _)| *known == sources) {
            Some((_, known)) => *known = known.union(&dests),
            None => content.ports.push((sources, dests)),
        }
        content.ports.sort();
    } else if matches!(protocol, Protocol::ICMP | Protocol::ICMPV6) {
        content.icmp = content.icmp.union(&icmp.cloned().unwrap_or_else(all));
    }
}

/// What a macro asks for, in these families.
fn of_macro(known: &Macro, families: &BTreeSet<Family>) -> Option<Contents> {
    let mut contents = Contents::new();
    for line in known.lines {
        let service = line.service()?;
        if !families.iter().any(|family| service.protocol.speaks_of(*family)) {
            continue;
        }
        let icmp = service.icmp.map(|icmp| {
            let code = |code: u8| u16::from_be_bytes([icmp.kind, code]);
            match icmp.code {
                Some(only) => Ranges::single(code(only)),
                None => Ranges::range(code(0), code(u8::MAX)),
            }
        });
        let (sources, dests) = (service.source_ports.as_ref(), service.dest_ports.as_ref());
        add(&mut contents, service.protocol, sources, dests, icmp.as_ref());
    }
    Some(contents)
}

/// Whether all that the one asks for is part of the other.
fn is_part(part: &Contents, whole: &Contents) -> bool {
    part.iter().all(|(protocol, part)| {
        let Some(whole) = whole.get(protocol) else { return false };
        let within = |(sources, dests): &(PortSet, PortSet)| {
            whole.ports.iter().any(|(known, all)| known == sources && dests.is_subset(all))
        };
        part.ports.iter().all(within) && part.icmp.is_subset(&whole.icmp)
    })
}

/// What the packets of one row ask for, and the families that they are of.
pub(super) type Part<'r> = (&'r Asked, &'r BTreeSet<Family>);

/// What every macro asks for, in every set of families: rows are many.
#[derive(Debug)]
pub(super) struct Macros(Vec<(BTreeSet<Family>, Index)>);

/// Macros in the order in which they are tried, and their places by what they ask for.
#[derive(Debug, Default)]
struct Index {
    all: Vec<Known>,
    places: BTreeMap<Contents, Vec<usize>>,
}

/// A macro, and what it asks for.
type Known = (&'static Macro, Contents);

impl Macros {
    /// All of them, those of most lines first.
    pub(super) fn new() -> Self {
        let mut sorted: Vec<&'static Macro> = MACROS.iter().collect();
        sorted.sort_by_key(|known| std::cmp::Reverse(known.lines.len()));
        let [v4, v6] = Family::BOTH.map(|family| BTreeSet::from([family]));
        let sets = [v4, v6, BTreeSet::from(Family::BOTH)].into_iter().map(|families| {
            let contents = sorted.iter().filter_map(|known| Some((*known, of_macro(known, &families)?)));
            let mut index = Index { all: contents.collect(), places: BTreeMap::new() };
            for (place, (_, contents)) in index.all.iter().enumerate() {
                index.places.entry(contents.clone()).or_default().push(place);
            }
            (families, index)
        });
        Self(sets.collect())
    }

    fn index(&self, families: &BTreeSet<Family>) -> Option<&Index> {
        self.0.iter().find(|(known, _)| known == families).map(|(_, index)| index)
    }

    fn of(&self, families: &BTreeSet<Family>) -> &[Known] {
        self.index(families).map_or(&[], |index| &index.all)
    }

    /// In the order in which they are tried: the one that the rule uses, then all that are not for rules of their own.
    fn candidates(&self, families: &BTreeSet<Family>, own: Option<&'static str>) -> impl Iterator<Item = &Known> {
        let all = self.of(families);
        let first = all.iter().filter(move |(known, _)| Some(known.name) == own);
        first.chain(all.iter().filter(|(known, _)| !SELDOM.contains(&known.name)))
    }

    /// The macro that stands for exactly one row's packets; `own` is the one that the rule uses, if it does.
    pub(super) fn of_one(&self, (asked, families): Part<'_>, own: Option<&'static str>) -> Option<&'static str> {
        let index = self.index(families)?;
        let fitting = index.places.get(&asked.contents()?)?;
        let names = || fitting.iter().filter_map(|place| index.all.get(*place)).map(|(known, _)| known.name);
        names().find(|name| Some(*name) == own).or_else(|| names().find(|name| !SELDOM.contains(name)))
    }

    /// Rows that only together are what a macro stands for: which, and its name.
    pub(super) fn of_several(
        &self,
        rows: &[Part<'_>],
        own: Option<&'static str>,
    ) -> Option<(Vec<usize>, &'static str)> {
        if rows.len() < 2 {
            return None;
        }
        let contents: Vec<Option<Contents>> = rows.iter().map(|(asked, _)| asked.contents()).collect();
        let anywhere = BTreeSet::from(Family::BOTH);
        self.candidates(&anywhere, own).find_map(|(known, anywhere)| {
            let fits =
                |at: &usize| contents.get(*at).and_then(Option::as_ref).is_some_and(|own| is_part(own, anywhere));
            let parts: Vec<usize> = (0..rows.len()).filter(fits).collect();
            if parts.len() < 2 {
                return None;
            }
            let chosen = || parts.iter().filter_map(|at| rows.get(*at));
            let families: BTreeSet<Family> = chosen().flat_map(|(_, families)| families.iter().copied()).collect();
            let mut sum = Contents::new();
            for (asked, own) in chosen() {
                for protocol in asked.protocols.iter().flatten() {
                    let (sources, dests) = (asked.source_ports.as_ref(), asked.dest_ports.as_ref());
                    add(&mut sum, *protocol, sources, dests, asked.icmp.as_ref());
                    // Each protocol must be asked for in all families that it speaks of.
                    let spoken: BTreeSet<Family> =
                        families.iter().copied().filter(|family| protocol.speaks_of(*family)).collect();
                    if spoken != **own {
                        return None;
                    }
                }
            }
            let whole = self.of(&families).iter().find(|(other, _)| other.name == known.name)?;
            (sum == whole.1).then_some((parts, known.name))
        })
    }
}

/// Several in one text: protocols of the same ports together.
pub(super) fn together(asked: &[&Asked]) -> String {
    let mut parts: Vec<Asked> = Vec::new();
    for one in asked {
        let alike = |known: &&mut Asked| {
            (&known.dest_ports, &known.source_ports, &known.icmp) == (&one.dest_ports, &one.source_ports, &one.icmp)
                && one.icmp.is_none()
        };
        match (parts.iter_mut().find(alike), &one.protocols) {
            (Some(Asked { protocols: Some(known), .. }), Some(more)) => known.extend(more),
            (_, _) => parts.push((*one).clone()),
        }
    }
    parts.iter().map(Asked::to_string).collect::<Vec<_>>().join(" and ")
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.protocols {
            None => f.write_str("any")?,
            Some(list) if list.len() > 8 => write!(f, "{} protocols", list.len())?,
            Some(list) => f.write_str(&list.iter().map(Protocol::to_string).collect::<Vec<_>>().join(","))?,
        }
        if let Some(ports) = &self.dest_ports {
            write!(f, " {}", words::ports(ports))?;
        }
        if let Some(ports) = &self.source_ports {
            write!(f, " sport {}", words::ports(ports))?;
        }
        if let Some(types) = &self.icmp {
            write!(f, " {}", icmp(types, self.protocols.as_deref()))?;
        }
        Ok(())
    }
}

/// ICMP types in words; of those of which only some codes are meant, these.
fn icmp(types: &Ranges<u16>, protocols: Option<&[Protocol]>) -> String {
    let family = if protocols == Some(&[Protocol::ICMPV6]) { Family::V6 } else { Family::V4 };
    let name = |kind: u8| IcmpType { family, kind, code: None }.name().map(str::to_owned);
    let mut parts = Vec::new();
    for (first, last) in types.iter() {
        let ([mut kind, code], [mut other, end]) = (first.to_be_bytes(), last.to_be_bytes());
        let some = |kind: u8, code: u8, end: u8| match code == end {
            true => format!("type {kind}/{code}"),
            false => format!("type {kind}/{code}-{end}"),
        };
        if kind == other && (code, end) != (0, u8::MAX) {
            parts.push(some(kind, code, end));
            continue;
        }
        if code != 0 {
            parts.push(some(kind, code, u8::MAX));
            kind = kind.saturating_add(1);
        }
        let tail = (end != u8::MAX).then(|| some(other, 0, end));
        if tail.is_some() {
            other = other.saturating_sub(1);
        }
        match kind.cmp(&other) {
            std::cmp::Ordering::Less => parts.push(format!("types {kind}-{other}")),
            std::cmp::Ordering::Equal => parts.push(name(kind).unwrap_or_else(|| format!("type {kind}"))),
            std::cmp::Ordering::Greater => {}
        }
        parts.extend(tail);
    }
    let more = parts.len().saturating_sub(6);
    parts.truncate(6);
    let more = if more > 0 { format!(",and {more} more") } else { String::new() };
    format!("{}{more}", parts.join(","))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Asked, Macros, SELDOM, together};
    use crate::net::{Family, MACROS, Macro, MacroLine, PortSet, Ranges};

    /// What a line of a macro asks for, as a box of packets has it.
    fn asked(line: &MacroLine) -> Asked {
        let service = line.service().unwrap();
        let icmp = service.icmp.map(|icmp| {
            let first = u16::from(icmp.kind) << 8;
            Ranges::range(first, first | 255)
        });
        Asked {
            protocols: Some(vec![service.protocol]),
            dest_ports: service.dest_ports,
            source_ports: service.source_ports,
            icmp,
        }
    }

    /// What rows of a macro's lines are called; lines of the same protocol and source ports are one.
    fn called(macros: &Macros, known: &Macro, own: Option<&'static str>, families: &[Family]) -> Option<&'static str> {
        let mut rows: Vec<Asked> = Vec::new();
        for line in known.lines.iter().map(asked) {
            let ports = line.dest_ports.is_some();
            match rows
                .iter_mut()
                .find(|row| (&row.protocols, &row.source_ports) == (&line.protocols, &line.source_ports))
            {
                Some(row) if ports => {
                    row.dest_ports = row.dest_ports.take().zip(line.dest_ports).map(|(a, b): (PortSet, _)| a.union(&b));
                }
                Some(row) => row.icmp = row.icmp.take().zip(line.icmp).map(|(a, b)| a.union(&b)),
                None => rows.push(line),
            }
        }
        let spoken = |row: &Asked| -> BTreeSet<Family> {
            families.iter().copied().filter(|family| row.protocols.as_ref().unwrap()[0].speaks_of(*family)).collect()
        };
        let rows: Vec<(Asked, BTreeSet<Family>)> =
            rows.into_iter().map(|row| (spoken(&row), row)).map(|(f, r)| (r, f)).collect();
        let rows: Vec<(&Asked, &BTreeSet<Family>)> =
            rows.iter().filter(|(_, families)| !families.is_empty()).map(|(row, families)| (row, families)).collect();
        match rows.as_slice() {
            [one] => macros.of_one(*one, own),
            several => macros
                .of_several(several, own)
                .filter(|(chosen, _)| chosen.len() == several.len())
                .map(|(_, name)| name),
        }
    }

    #[test]
    fn what_a_macro_stands_for_has_its_name() {
        let macros = Macros::new();
        for known in MACROS {
            assert_eq!(called(&macros, known, Some(known.name), &Family::BOTH), Some(known.name));
            let other = match known.name {
                "Rdate" => Some("Time"),
                "SPICEproxy" => Some("Squid"),
                name => Some(name).filter(|name| !SELDOM.contains(name)),
            };
            assert_eq!(called(&macros, known, None, &Family::BOTH), other, "{}", known.name);
        }
    }

    #[test]
    fn of_one_family_alone_the_other_is_not_missed() {
        let macros = Macros::new();
        let ping = MACROS.iter().find(|known| known.name == "Ping").unwrap();
        assert_eq!(called(&macros, ping, None, &[Family::V4]), Some("Ping"));
        assert_eq!(called(&macros, ping, None, &[Family::V6]), Some("Ping"));
    }

    #[test]
    fn more_or_less_than_a_macro_has_no_name() {
        let macros = Macros::new();
        let both = BTreeSet::from(Family::BOTH);
        let v4 = BTreeSet::from([Family::V4]);
        let dns = MACROS.iter().find(|known| known.name == "DNS").unwrap();
        let [udp, tcp] = [0, 1].map(|at| asked(&dns.lines[at]));
        assert_eq!(macros.of_one((&udp, &both), None), None);
        assert_eq!(macros.of_several(&[(&udp, &both), (&tcp, &v4)], None), None);
        assert_eq!(macros.of_several(&[(&udp, &both), (&tcp, &both)], None), Some((vec![0, 1], "DNS")));
        assert_eq!(together(&[&udp, &tcp]), "udp,tcp 53");
        let odd = Asked { source_ports: Some(PortSet::single(53)), ..tcp.clone() };
        assert_eq!(macros.of_several(&[(&udp, &both), (&odd, &both)], None), None);
        let wider = Asked { dest_ports: Some(PortSet::range(53, 54)), ..tcp };
        assert_eq!(macros.of_several(&[(&udp, &both), (&wider, &both)], None), None);
    }
}
