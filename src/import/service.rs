//! What a rule speaks of: macros, protocols, ports and ICMP types, from Proxmox VE's words to the spec's.

use crate::net::{Family, IcmpType, MACROS, Macro, MacroLine, Protocol, parse_ports};
use crate::state::fw::RuleLine;

use super::names::Problem;
use super::services;

/// The most ports in a list; a range counts two.
const PORTS_MAX: usize = 15;
/// Macros that pve-firewall does not have.
const MACROS_OF_NFTABLES: &[&str] = &["HTTP/3", "PBS"];

/// Names of Debian 12's `/etc/protocols` (package netbase) that the spec language does not know; they become numbers.
#[rustfmt::skip]
const FURTHER_PROTOCOLS: &[(&str, u8)] = &[
    ("ip", 0), ("hopopt", 0), ("ggp", 3), ("st", 5), ("pup", 12), ("hmp", 20), ("xns-idp", 22), ("rdp", 27),
    ("iso-tp4", 29), ("xtp", 36), ("ddp", 37), ("idpr-cmtp", 38), ("ipv6-route", 43), ("ipv6-frag", 44), ("idrp", 45),
    ("skip", 57), ("ipv6-nonxt", 59), ("ipv6-opts", 60), ("rspf", 73), ("vmtp", 81), ("ax.25", 93), ("fc", 133),
    ("mobility-header", 135), ("manet", 138), ("shim6", 140), ("wesp", 141), ("rohc", 142), ("ethernet", 143),
];

/// What is spoken, in the words of the spec.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Service {
    /// `macro`.
    pub(super) macro_name: Option<&'static str>,
    /// `proto`.
    pub(super) proto: Option<String>,
    /// `sport`.
    pub(super) sport: Vec<String>,
    /// `dport`.
    pub(super) dport: Vec<String>,
    /// `icmp_type`.
    pub(super) icmp_type: Option<String>,
    /// The family that it is limited to.
    pub(super) family: Option<Family>,
    /// What it is in Proxmox VE besides what its words say; for the reader of the spec.
    pub(super) note: Option<&'static str>,
}

/// Everything that a rule speaks of: one service, or the lines of a macro that cannot stand as itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoken {
    /// Any of these.
    pub(super) services: Vec<Service>,
    /// The macro that was spelled out.
    pub(super) spelled_out: Option<&'static str>,
}

fn broken<T>(reason: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Broken(reason.into()))
}

/// What a rule speaks of; `nftables` where only the implementation for nftables reads it.
pub(super) fn spoken(line: &RuleLine<'_>, macro_name: Option<&str>, nftables: bool) -> Result<Spoken, Problem> {
    let plain = plain(line)?;
    let Some(name) = macro_name else {
        return Ok(Spoken { services: vec![plain], spelled_out: None });
    };
    let known = MACROS.iter().find(|known| known.name.eq_ignore_ascii_case(name));
    let Some(known) = known else { return broken(format!("there is no macro `{name}`")) };
    if MACROS_OF_NFTABLES.contains(&known.name) && !nftables {
        return broken(format!("pve-firewall has no macro `{name}`"));
    }
    if line.protocol.is_none() && line.dest_ports.is_none() && line.source_ports.is_none() && line.icmp_type.is_none() {
        let service = Service { macro_name: Some(known.name), ..Service::default() };
        return Ok(Spoken { services: vec![service], spelled_out: None });
    }
    let services = known.lines.iter().map(|macro_line| with(macro_line, line, &plain, known));
    Ok(Spoken { services: services.collect::<Result<_, _>>()?, spelled_out: Some(known.name) })
}

/// A macro's line with what the rule adds to it. What both say must be the same.
fn with(macro_line: &MacroLine, line: &RuleLine<'_>, plain: &Service, known: &Macro) -> Result<Service, Problem> {
    let agrees = |own: &str, added: Option<&str>| match added {
        None => Ok(()),
        Some(added) if own.is_empty() || own == added => Ok(()),
        Some(added) => broken(format!("the macro `{}` says `{own}` where the rule says `{added}`", known.name)),
    };
    agrees(macro_line.proto, line.protocol.map(|text| text.value))?;
    agrees(&macro_line.dport.replace('-', ":"), line.dest_ports.map(|text| text.value))?;
    agrees(&macro_line.sport.replace('-', ":"), line.source_ports.map(|text| text.value))?;
    agrees(macro_line.icmp_type, line.icmp_type.map(|text| text.value))?;
    let list = |own: &str, added: &[String]| match own {
        "" => added.to_vec(),
        own => own.split(',').map(str::to_owned).collect(),
    };
    let protocol = Protocol::parse(macro_line.proto).map_err(Problem::Broken)?;
    let icmp_type = Some(macro_line.icmp_type.to_owned()).filter(|text| !text.is_empty());
    Ok(Service {
        macro_name: None,
        proto: Some(macro_line.proto.to_owned()),
        sport: list(macro_line.sport, &plain.sport),
        dport: list(macro_line.dport, &plain.dport),
        icmp_type: icmp_type.or_else(|| plain.icmp_type.clone()),
        family: family_of(protocol),
        note: plain.note,
    })
}

/// The rule's own words.
fn plain(line: &RuleLine<'_>) -> Result<Service, Problem> {
    let protocol = match line.protocol {
        Some(text) => Some(protocol(text.value)?),
        None => None,
    };
    let mut service = Service {
        proto: line.protocol.zip(protocol).map(|(text, protocol)| match Protocol::parse(text.value) {
            Ok(_) => text.value.to_owned(),
            Err(_) => protocol.0.to_string(),
        }),
        family: protocol.and_then(family_of),
        ..Service::default()
    };
    let icmp_family = match protocol {
        Some(Protocol::ICMP) => Some(Family::V4),
        Some(Protocol::ICMPV6) => Some(Family::V6),
        Some(_) | None => None,
    };
    if let Some(text) = line.icmp_type {
        let Some(family) = icmp_family else { return broken("`-icmp-type` goes with `-p icmp` or `-p icmpv6`") };
        service.icmp_type = icmp_type(text.value, family, false)?;
    }
    if let Some(text) = line.dest_ports {
        if let Some(family) = icmp_family {
            service.icmp_type = icmp_type(text.value, family, true)?;
        } else {
            service.dport = ports(text.value, protocol, line.is_macro(), &mut service.note)?;
        }
    }
    if let Some(text) = line.source_ports {
        if icmp_family.is_some() {
            return broken("ICMP has no source ports");
        }
        service.sport = ports(text.value, protocol, line.is_macro(), &mut service.note)?;
    }
    Ok(service)
}

/// A protocol's name in lower case, or its number.
fn protocol(text: &str) -> Result<Protocol, Problem> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return broken(format!("`{text}` is no protocol: their names are lower case"));
    }
    match FURTHER_PROTOCOLS.iter().find(|(name, _)| *name == text) {
        Some((_, number)) => Ok(Protocol(*number)),
        None => Protocol::parse(text).map_err(Problem::Broken),
    }
}

fn family_of(protocol: Protocol) -> Option<Family> {
    let speaks: Vec<Family> = Family::BOTH.into_iter().filter(|family| protocol.speaks_of(*family)).collect();
    match speaks.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// A type of ICMP by name, and, where it stands in place of a port, by number; none for every type.
fn icmp_type(text: &str, family: Family, number: bool) -> Result<Option<String>, Problem> {
    if text == "any" {
        return Ok(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if (is_number || text.contains('/')) && !number {
        return broken(format!("`{text}` is not the name of an ICMP type"));
    }
    match IcmpType::parse(family, text) {
        Ok(_) => Ok(Some(text.to_owned())),
        Err(message) => broken(message),
    }
}

/// A list of ports, in the spec's words. Port 0 alone is every port to pve-firewall.
fn ports(
    text: &str,
    protocol: Option<Protocol>,
    in_macro: bool,
    note: &mut Option<&'static str>,
) -> Result<Vec<String>, Problem> {
    match protocol {
        None if in_macro => {}
        None => return broken("ports without a protocol"),
        Some(protocol) if protocol.has_ports() => {}
        Some(protocol) => return broken(format!("`{protocol}` has no ports")),
    }
    if text == "0" {
        *note = Some("port 0 alone is every port to pve-firewall");
        return Ok(Vec::new());
    }
    let zero = |text: &str| text.len() > 1 && text.starts_with('0');
    if text.split([',', ':']).any(zero) {
        return Err(Problem::NoWord(
            "a port that begins with a zero is octal to iptables, and a spec has no such".to_owned(),
        ));
    }
    let mut words = Vec::new();
    let mut weight = 0;
    for part in text.split(',') {
        let (word, ports) = match part.split_once(':') {
            Some((first, last)) => {
                let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                if !plain(first) || !plain(last) {
                    return broken(format!("`{part}` is no range of ports"));
                }
                weight += 2;
                let word = format!("{first}-{last}");
                let ports = parse_ports(&word);
                (word, ports)
            }
            None => {
                weight += 1;
                let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                match services::port(part) {
                    _ if number => (part.to_owned(), parse_ports(part)),
                    // The name stays where the spec knows it.
                    Some(port) if parse_ports(part).is_ok_and(|ports| ports.as_slice() == [(port, port)]) => {
                        (part.to_owned(), parse_ports(part))
                    }
                    Some(port) => (port.to_string(), parse_ports(&port.to_string())),
                    None => (part.to_owned(), Err(format!("`{part}` is neither a port nor a service's name"))),
                }
            }
        };
        if let Err(message) = ports {
            return broken(if part.is_empty() { "an empty place in the list of ports".to_owned() } else { message });
        }
        words.push(word);
    }
    if weight > PORTS_MAX {
        return broken(format!("more than {PORTS_MAX} ports in a list, where a range counts two"));
    }
    Ok(words)
}
