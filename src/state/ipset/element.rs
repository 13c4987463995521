//! Elements of ipsets in their one spelling.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::net::{AddressSet, Family, IcmpType, PortSet, parse_prefix};

use super::super::iptables::{c_number, mac, port, protocol};

/// The type of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Type {
    /// `hash:net,port`.
    name: String,
    /// `inet` or `inet6`; empty where it has none.
    family: String,
    /// Addresses stand for the network of this length that they are in.
    pub(super) netmask: Option<u8>,
    /// An element of which nothing else is said is there for a time only.
    pub(super) temporary: bool,
}

impl Type {
    /// Of IPv4, where it is of a family.
    pub(super) fn new(name: &str) -> Self {
        let mut of = Self { name: name.to_ascii_lowercase(), family: String::new(), netmask: None, temporary: false };
        of.set_family("inet");
        of
    }

    pub(super) fn set_family(&mut self, family: &str) {
        if self.name.starts_with("hash:") && self.name != "hash:mac" {
            family.clone_into(&mut self.family);
        }
    }

    /// What its elements are made of.
    fn dimensions(&self) -> Vec<&str> {
        self.name.split_once(':').map_or(Vec::new(), |(_, dimensions)| dimensions.split(',').collect())
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.family.is_empty() { Ok(()) } else { write!(f, " {}", self.family) }
    }
}

/// What an element says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Content {
    /// All addresses from one to another, both included.
    Addresses(IpAddr, IpAddr),
    /// All ports from one to another, both included.
    Ports(u16, u16),
    /// Another one.
    Text(String),
}

/// An element of a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Element {
    content: Content,
    /// ` nomatch`, ` timeout`, and what else is said of it.
    suffix: String,
}

/// The elements that a line adds: more than one, but at most `most`, for ranges in an element of several parts; where they are
/// more, the one that is written.
///
/// # Errors
/// What is wrong, in a few words.
pub(super) fn read(of: &Type, value: &str, options: &[&str], most: usize) -> Result<Vec<Element>, String> {
    let suffix = suffix(of, options)?;
    let dimensions = of.dimensions();
    let contents = match dimensions.as_slice() {
        [one] => vec![single(of, one, value)],
        several => product(several, value, most).into_iter().map(Content::Text).collect(),
    };
    Ok(contents.into_iter().map(|content| Element { content, suffix: suffix.clone() }).collect())
}

/// What is said of an element and means something.
fn suffix(of: &Type, options: &[&str]) -> Result<String, String> {
    let (mut temporary, mut exception, mut others) = (of.temporary, false, String::new());
    let mut words = options.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` has no value"));
        match word {
            "timeout" => temporary = value()? != "0",
            "nomatch" => exception = true,
            "packets" | "bytes" | "comment" | "before" | "after" => {
                value()?;
            }
            other => {
                others.push(' ');
                others.push_str(other);
            }
        }
    }
    let said = [(exception, " nomatch"), (temporary, " timeout")];
    let said: String = said.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    Ok(said + &others)
}

fn single(of: &Type, dimension: &str, value: &str) -> Content {
    let text = || Content::Text(value.to_owned());
    match dimension {
        "ip" | "net" => addresses(value).map_or_else(text, |(first, last)| {
            let within = |address: IpAddr| IpNet::new(address, of.netmask?).ok();
            let first = within(first).map_or(first, |network| network.network());
            let last = within(last).map_or(last, |network| network.broadcast());
            Content::Addresses(first, last)
        }),
        "port" => match ports(value) {
            Some((protocol, first, last)) if protocol.is_empty() => Content::Ports(first, last),
            Some(_) | None => text(),
        },
        _ => part(dimension, value, 1).and_then(|mut parts| parts.pop()).map_or_else(text, Content::Text),
    }
}

/// An address, a network, or a range.
fn addresses(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Ok(network) = parse_prefix(text) {
        return Some((network.network(), network.broadcast()));
    }
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.parse::<IpAddr>().ok()?, last.parse::<IpAddr>().ok()?);
    (Family::of(first) == Family::of(last) && first <= last).then_some((first, last))
}

/// Protocol (empty where none is given), first and last port.
fn ports(text: &str) -> Option<(String, u16, u16)> {
    let (protocol, ports) = match text.split_once(':') {
        Some((name, ports)) => (protocol(name), ports),
        None => (String::new(), text),
    };
    // Names of services may hold a dash.
    if let Some(single) = port(ports) {
        return Some((protocol, single, single));
    }
    let (first, last) = ports.split_once('-')?;
    Some((protocol, port(first)?, port(last)?)).filter(|(_, first, last)| first <= last)
}

/// All combinations of an element's parts; the element as written where they are too many.
fn product(dimensions: &[&str], value: &str, most: usize) -> Vec<String> {
    let mut found = vec![String::new()];
    for (number, text) in value.split(',').enumerate() {
        let parts = part(dimensions.get(number).copied().unwrap_or_default(), text, most);
        let Some(parts) = parts.filter(|parts| found.len().saturating_mul(parts.len()) <= most.max(1)) else {
            return vec![value.to_owned()];
        };
        let comma = if number == 0 { "" } else { "," };
        found = found.iter().flat_map(|head| parts.iter().map(move |part| format!("{head}{comma}{part}"))).collect();
    }
    found
}

/// All that a part of an element stands for; none where they are too many.
fn part(dimension: &str, text: &str, most: usize) -> Option<Vec<String>> {
    let one = |spelled: Option<String>| Some(vec![spelled.unwrap_or_else(|| text.to_owned())]);
    match dimension {
        "ip" | "net" => match addresses(text) {
            Some((first, last)) => networks(first, last, dimension == "ip", most),
            None => one(None),
        },
        "port" => match ports(text) {
            Some((protocol, first, last)) => {
                // A bare port is one of TCP.
                let protocol = if protocol.is_empty() { "tcp" } else { &protocol };
                let few = usize::from(last - first) < most.max(1);
                few.then(|| (first..=last).map(|port| format!("{protocol}:{port}")).collect())
            }
            None => one(icmp(text)),
        },
        "mac" => one(mac(text)),
        "mark" => one(c_number(text).map(|mark| format!("{mark:#x}"))),
        _ => one(None),
    }
}

/// The addresses of a range, each, where they are no more than `most`, or the networks that make it up.
fn networks(first: IpAddr, last: IpAddr, each: bool, most: usize) -> Option<Vec<String>> {
    if !each {
        let networks = AddressSet::span(first, last)?.networks(Family::of(first));
        return Some(networks.iter().map(spelled).collect());
    }
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = (u32::from(first), u32::from(last));
            let few = usize::try_from(last.checked_sub(first)?).is_ok_and(|more| more < most.max(1));
            few.then(|| (first..=last).map(|number| Ipv4Addr::from(number).to_string()).collect())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let (first, last) = (u128::from(first), u128::from(last));
            let few = usize::try_from(last.checked_sub(first)?).is_ok_and(|more| more < most.max(1));
            few.then(|| (first..=last).map(|number| Ipv6Addr::from(number).to_string()).collect())
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

/// `icmp:TYPE` and `icmpv6:TYPE` with type and code in numbers.
fn icmp(text: &str) -> Option<String> {
    let (name, kind) = text.split_once(':')?;
    let name = protocol(name);
    let family = match name.as_str() {
        "icmp" => Family::V4,
        "icmpv6" => Family::V6,
        _ => return None,
    };
    let kind = match kind {
        "ping" => "echo-request",
        "pong" => "echo-reply",
        other => other,
    };
    let icmp = IcmpType::parse(family, kind).ok()?;
    Some(format!("{name}:{}/{}", icmp.kind, icmp.code.unwrap_or(0)))
}

/// A network; a whole address without its length.
fn spelled(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// A range of addresses: a network where it is one.
fn interval(first: IpAddr, last: IpAddr) -> String {
    let networks = AddressSet::span(first, last).unwrap_or_default().networks(Family::of(first));
    match networks.as_slice() {
        [one] => spelled(one),
        _ => format!("{first}-{last}"),
    }
}

/// The range of a bitmap, both ends.
pub(super) fn range(text: &str) -> String {
    addresses(text).map_or_else(|| text.to_owned(), |(first, last)| format!("{first}-{last}"))
}

/// Elements of a set, neighbours merged where nothing is said of them: a set with exceptions asks for the closest network, so
/// there they stay apart.
pub(super) fn finish(elements: BTreeSet<Element>) -> BTreeSet<String> {
    let exceptions = elements.iter().any(|element| element.suffix.contains(" nomatch"));
    let mut found = BTreeSet::new();
    let (mut addresses, mut ports) = (Vec::new(), Vec::new());
    for Element { content, suffix } in elements {
        match content {
            Content::Addresses(first, last) if exceptions => {
                let networks = AddressSet::span(first, last).unwrap_or_default().networks(Family::of(first));
                found.extend(networks.iter().map(|network| format!("{}{suffix}", spelled(network))));
            }
            Content::Addresses(first, last) if suffix.is_empty() => {
                addresses.extend(AddressSet::span(first, last));
            }
            Content::Addresses(first, last) => {
                found.insert(format!("{}{suffix}", interval(first, last)));
            }
            Content::Ports(first, last) if suffix.is_empty() => ports.push((first, last)),
            Content::Ports(first, last) => {
                found.extend((first..=last).map(|port| format!("{port}{suffix}")));
            }
            Content::Text(text) => {
                found.insert(text + &suffix);
            }
        }
    }
    let all = AddressSet::union_of(&addresses);
    found.extend(all.v4().iter().map(|(first, last)| interval(IpAddr::V4(first.into()), IpAddr::V4(last.into()))));
    found.extend(all.v6().iter().map(|(first, last)| interval(IpAddr::V6(first.into()), IpAddr::V6(last.into()))));
    let ports = PortSet::from_ranges(ports);
    found.extend(ports.iter().map(
        |(first, last)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        },
    ));
    found
}
