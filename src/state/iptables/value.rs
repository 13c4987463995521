//! Values of options in their one spelling.
//!
//! What is not of the form that its option asks for stays as it was written.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::net::{
    Family, IcmpType, Mac, PortSet, Protocol, TcpFlags, ethertype_name, is_decimal, parse_ethertype, parse_ports,
    read_v4, spell_v6, spelled_v6,
};

use super::super::ruleset::Value;
use super::options::Kind;
use super::words::{self, Word};

/// The value of an option; none where every packet passes, and programs list it as no test at all.
pub(super) fn spell(kind: Kind, values: &[Word<'_>]) -> Option<Value> {
    let (first, second) = (values.first().map_or("", AsRef::as_ref), values.get(1).map_or("", AsRef::as_ref));
    let one = |text: Option<String>| Some(Value::One(text.unwrap_or_else(|| first.to_owned())));
    match kind {
        Kind::Flag => one(Some(String::new())),
        Kind::Text => one(None),
        Kind::Interface => {
            if first == "+" {
                None
            } else {
                one(None)
            }
        }
        Kind::Network => match network(first) {
            Some((_, 0)) => None,
            Some((text, _)) => one(Some(text)),
            None => one(None),
        },
        Kind::Protocol => {
            if first.eq_ignore_ascii_case("all") {
                None
            } else {
                one(Some(protocol(first)))
            }
        }
        // A single one that is written as it is shown.
        Kind::Port | Kind::Ports if is_decimal(first) && first.parse::<u16>().is_ok() => one(None),
        Kind::Port | Kind::Ports => match ports(first) {
            Some(set) if set.is_all() && kind == Kind::Port => None,
            Some(set) => Some(any_port(&set)),
            None => one(None),
        },
        Kind::Syn => one(Some("FIN,SYN,RST,ACK SYN".into())),
        Kind::Flags => one(Some(
            flags(first)
                .zip(flags(second))
                .map_or_else(|| format!("{first} {second}"), |(mask, set)| format!("{mask} {set}")),
        )),
        Kind::Words => Some(any(first.split(',').map(str::to_ascii_uppercase).collect())),
        Kind::Mac => one(mac(first)),
        Kind::MaskedMac => one(masked_mac(first)),
        Kind::Span => one(span(first)),
        Kind::Icmp(family) => one(icmp(family, first)),
        Kind::Mark => one(mark(first)),
        Kind::Set | Kind::Pair => one(Some(format!("{first} {second}"))),
        Kind::Ethertype => one(ethertype(first)),
        Kind::Encapsulated => one(encapsulated(first)),
    }
}

/// One of these; all that a list can say.
fn any(mut values: BTreeSet<String>) -> Value {
    match values.len() {
        0 | 1 => Value::One(values.pop_first().unwrap_or_default()),
        _ => Value::Any(values),
    }
}

/// Words of a rule as one text, which reads back.
pub(super) fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for word in words {
        words::push(&mut text, word);
    }
    text
}

/// A network and its prefix length. A whole address stands without one.
fn network(text: &str) -> Option<(String, u8)> {
    let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
    if let Some(parsed) = read_v4(address) {
        let prefix = match mask {
            None => 32,
            Some(mask) => match number(mask) {
                Some(prefix) => prefix,
                None => ipnet::ipv4_mask_to_prefix(mask.parse().ok()?).ok()?,
            },
        };
        return match prefix {
            // Read without a fault, it is in its one spelling.
            32 => Some((address.to_owned(), 32)),
            _ => {
                let first = Ipv4Net::new(parsed, prefix).ok()?.network();
                let as_written = first == parsed && mask.is_some_and(is_decimal);
                Some((if as_written { text.to_owned() } else { format!("{first}/{prefix}") }, prefix))
            }
        };
    }
    let spelled = spelled_v6(address);
    let parsed = match spelled {
        Some(parsed) => parsed,
        None => address.parse::<Ipv6Addr>().ok()?,
    };
    let prefix = match mask {
        None => 128,
        Some(mask) => match number(mask) {
            Some(prefix) => prefix,
            None => ipnet::ipv6_mask_to_prefix(mask.parse().ok()?).ok()?,
        },
    };
    match prefix {
        128 => Some((if spelled.is_some() { address.to_owned() } else { spell_v6(parsed) }, 128)),
        _ => {
            let first = Ipv6Net::new(parsed, prefix).ok()?.network();
            let as_written = spelled == Some(first) && mask.is_some_and(is_decimal);
            Some((if as_written { text.to_owned() } else { format!("{}/{prefix}", spell_v6(first)) }, prefix))
        }
    }
}

/// A number in plain decimals.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Names of Debian's `/etc/protocols` and of iptables itself that a spec has not; `-save` lists by them.
const PROTOCOLS: &[(&str, u8)] = &[
    ("hopopt", 0),
    ("ggp", 3),
    ("ip-encap", 4),
    ("st", 5),
    ("pup", 12),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("ipsec-esp", 50),
    ("ipsec-ah", 51),
    ("skip", 57),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("vmtp", 81),
    ("ospfigp", 89),
    ("ax.25", 93),
    ("fc", 133),
    ("mobility-header", 135),
    ("ipv6-mh", 135),
    ("mh", 135),
    ("manet", 138),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
    ("ethernet", 143),
];

/// By its name where it has one.
///
/// Zero stays: iptables takes it, and then lists a rule for any protocol. That is not what was written.
pub(in crate::state) fn protocol(text: &str) -> String {
    protocol_name(text).into_owned()
}

/// The same, and no new text where it is in its one spelling already.
pub(super) fn protocol_name(text: &str) -> Cow<'_, str> {
    if matches!(text, "tcp" | "udp" | "icmp" | "icmpv6") {
        return Cow::Borrowed(text);
    }
    let spelled = |known: Protocol| known.name().map_or_else(|| Cow::Owned(known.to_string()), Cow::Borrowed);
    let others = || PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    match Protocol::parse(text) {
        Ok(known) => spelled(known),
        Err(_) => others().map_or(Cow::Borrowed(text), |(_, number)| spelled(Protocol(*number))),
    }
}

/// One port, by number or name.
pub(in crate::state) fn port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A zero in front would make it octal.
        return if text.len() > 1 && text.starts_with('0') { None } else { text.parse().ok() };
    }
    match parse_ports(text).ok()?.as_slice() {
        [(first, last)] if first == last => Some(*first),
        _ => None,
    }
}

/// Ports and ranges, `a:b` with an end left out for the least or the greatest.
fn ports(text: &str) -> Option<PortSet> {
    let part = |part: &str| match part.split_once(':') {
        None => port(part).map(|port| (port, port)),
        Some((first, last)) => {
            let first = if first.is_empty() { Some(0) } else { port(first) }?;
            let last = if last.is_empty() { Some(u16::MAX) } else { port(last) }?;
            (first <= last).then_some((first, last))
        }
    };
    text.split(',').map(part).collect::<Option<Vec<_>>>().map(PortSet::from_ranges)
}

fn any_port(set: &PortSet) -> Value {
    let text = |(first, last): (u16, u16)| {
        let mut text = first.to_string();
        if first < last {
            text.extend(["-", &last.to_string()]);
        }
        text
    };
    match set.as_slice() {
        [one] => Value::One(text(*one)),
        many => any(many.iter().copied().map(text).collect()),
    }
}

/// A list of TCP's flags, in the order of their bits.
fn flags(text: &str) -> Option<String> {
    let bits = match text {
        "ALL" => 63,
        "NONE" => 0,
        _ => text.split(',').try_fold(0, |bits, name| Some(bits | TcpFlags::bit(name)?))?,
    };
    let names: Vec<String> = TcpFlags::names(bits).map(str::to_ascii_uppercase).collect();
    Some(if names.is_empty() { "NONE".to_owned() } else { names.join(",") })
}

/// A MAC in lower case; ebtables leaves out zeros at the front of an octet.
pub(in crate::state) fn mac(text: &str) -> Option<String> {
    if Mac::is_spelled(text) {
        return Some(text.to_owned());
    }
    let mut found = String::with_capacity(17);
    let mut count = 0;
    for octet in text.split(':') {
        let digits = (1..=2).contains(&octet.len()) && octet.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !digits || count == 6 {
            return None;
        }
        if count > 0 {
            found.push(':');
        }
        if octet.len() == 1 {
            found.push('0');
        }
        found.extend(octet.chars().map(|digit| digit.to_ascii_lowercase()));
        count += 1;
    }
    (count == 6).then_some(found)
}

fn masked_mac(text: &str) -> Option<String> {
    let Some((address, mask)) = text.split_once('/') else { return mac(text) };
    let (address, mask) = (mac(address)?, mac(mask)?);
    if mask == "ff:ff:ff:ff:ff:ff" {
        return Some(address);
    }
    let octet = |text: &str| u8::from_str_radix(text, 16).unwrap_or_default();
    let both = address.split(':').zip(mask.split(':'));
    let masked: Vec<String> = both.map(|(one, mask)| format!("{:02x}", octet(one) & octet(mask))).collect();
    Some(format!("{}/{mask}", masked.join(":")))
}

/// A range of addresses; one address is a range of itself.
fn span(text: &str) -> Option<String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse::<IpAddr>().ok()?, last.parse::<IpAddr>().ok()?);
    Some(format!("{first}-{last}"))
}

/// `type` or `type/code` in numbers.
fn icmp(family: Family, text: &str) -> Option<String> {
    let text = match text {
        "ping" => "echo-request",
        "pong" => "echo-reply",
        // Of ICMP for IPv4 that stands for all of them.
        "255" if family == Family::V4 => return Some("any".to_owned()),
        other => other,
    };
    let IcmpType { kind, code, .. } = IcmpType::parse(family, text).ok()?;
    Some(code.map_or_else(|| kind.to_string(), |code| format!("{kind}/{code}")))
}

/// A number as C reads it: hexadecimal after `0x`, octal after a zero.
pub(in crate::state) fn c_number(text: &str) -> Option<u32> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(hexadecimal) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return digits(hexadecimal).then(|| u32::from_str_radix(hexadecimal, 16).ok()).flatten();
    }
    let radix = if text.len() > 1 && text.starts_with('0') { 8 } else { 10 };
    digits(text).then(|| u32::from_str_radix(text, radix).ok()).flatten()
}

/// A number and a mask of all bits, unless another one is given.
pub(super) fn masked(text: &str) -> Option<(u32, u32)> {
    match text.split_once('/') {
        Some((value, mask)) => c_number(value).zip(c_number(mask)),
        None => c_number(text).map(|value| (value, u32::MAX)),
    }
}

fn mark(text: &str) -> Option<String> {
    let (value, mask) = masked(text)?;
    Some(if mask == u32::MAX { format!("{value:#x}") } else { format!("{value:#x}/{mask:#x}") })
}

/// Names of Debian's `/etc/ethertypes` that a spec has not.
const ETHERTYPES: &[(&str, u16)] = &[
    ("ip", 0x0800),
    ("ip4", 0x0800),
    ("ether-arp", 0x0806),
    ("TRILL", 0x22f3),
    ("L2-IS-IS", 0x22f4),
    ("8021q", 0x8100),
    ("1q", 0x8100),
    ("802.1q", 0x8100),
    ("dot1q", 0x8100),
    ("ip6", 0x86dd),
    ("S-TAG", 0x88a8),
    ("EAP_PREAUTH", 0x88c7),
    ("MACSEC", 0x88e5),
    ("PBB", 0x88e7),
    ("macinmac", 0x88e7),
    ("MVRP", 0x88f5),
    ("PTP", 0x88f7),
    ("FCOE", 0x8906),
    ("FIP", 0x8914),
    ("ROCE", 0x8915),
    ("LoWPAN", 0xa0ed),
];

fn ethertype(text: &str) -> Option<String> {
    if text.eq_ignore_ascii_case("length") {
        return Some("LENGTH".to_owned());
    }
    let name = |number: u16| ethertype_name(number).map_or_else(|| format!("{number:#06x}"), str::to_owned);
    let other = || ETHERTYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, number)| *number);
    let number = || {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
        u16::from_str_radix(digits, 16).ok()
    };
    parse_ethertype(text).ok().or_else(other).or_else(number).map(name)
}

fn encapsulated(text: &str) -> Option<String> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { ethertype(&format!("0x{text}")) } else { ethertype(text) }
}
