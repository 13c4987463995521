//! What a rule looks at: `tcp dport`, `iifname . ether saddr`, `meta mark & 0x1`.

use super::super::element::Part;
use super::super::kind::Kind;
use super::super::token::{Cursor, Token, join};

/// Headers that a key reads, so that what they stand for need not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Uses(u16);

/// Each header that means another condition.
pub(super) const HEADERS: &[&str] = &[
    "ip", "ip6", "arp", "vlan", "tcp", "udp", "icmp", "icmpv6", "igmp", "sctp", "dccp", "udplite", "esp", "ah", "comp",
];

impl Uses {
    pub(super) fn of(header: &str) -> Self {
        HEADERS.iter().zip(0..).find(|(known, _)| **known == header).map_or(Self(0), |(_, bit)| Self(1 << bit))
    }

    #[must_use]
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn has(self, header: &str) -> bool {
        self.0 & Self::of(header).0 != 0
    }
}

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Key<'a, 't> {
    /// In its one spelling, without the mask.
    pub text: String,
    /// Of each part's values.
    pub kinds: Vec<Kind>,
    /// The mask of a single field.
    pub mask: Option<&'a [Token<'t>]>,
    pub uses: Uses,
}

impl Key<'_, '_> {
    /// The kind of its values, where it has one part.
    pub(super) fn kind(&self) -> Kind {
        match self.kinds.as_slice() {
            [kind] => *kind,
            _ => Kind::Plain,
        }
    }

    /// With the mask.
    pub(super) fn whole(&self) -> String {
        let kind = self.kind();
        self.mask
            .map_or_else(|| self.text.clone(), |mask| format!("{} & {}", self.text, Part::read(kind, mask).show(kind)))
    }
}

/// Metadata that nft lists without `meta`.
const BARE: &[&str] = &["iif", "oif", "iifname", "oifname", "iifgroup", "oifgroup"];

/// Metadata that it takes without `meta`, and lists with it.
const SHORT: &[&str] = &[
    "mark",
    "iiftype",
    "oiftype",
    "skuid",
    "skgid",
    "nftrace",
    "rtclassid",
    "ibrname",
    "obrname",
    "pkttype",
    "cpu",
    "cgroup",
    "time",
    "day",
    "hour",
    "random",
];

/// Keys of two words.
const PAIRS: &[&str] = &[
    "ip", "ip6", "tcp", "udp", "icmp", "icmpv6", "th", "ether", "vlan", "arp", "sctp", "dccp", "udplite", "esp", "ah",
    "comp", "igmp", "ct", "rt", "socket", "exthdr", "frag", "hbh", "mh", "dst", "srh", "meta",
];

/// Fields of options of TCP and of IPv4.
const OPTION_FIELDS: &[&str] =
    &["size", "count", "left", "right", "kind", "length", "tsval", "tsecr", "type", "ptr", "addr", "value"];

/// A key, if one comes next.
pub(super) fn read<'a, 't>(cursor: &mut Cursor<'a, 't>) -> Option<Key<'a, 't>> {
    let mut ahead = *cursor;
    let mut key = Key::default();
    loop {
        let (text, header) = field(&mut ahead)?;
        key.kinds.push(Kind::of_key(&text));
        key.uses = key.uses.and(Uses::of(header));
        key.text.push_str(&text);
        operations(&mut ahead, &mut key);
        if !ahead.take(&["."]) {
            break;
        }
        key.text.push_str(" . ");
    }
    *cursor = ahead;
    Some(key)
}

/// Masks and shifts behind a field: a single mask apart, all else as a part of the key.
fn operations<'a, 't>(cursor: &mut Cursor<'a, 't>, key: &mut Key<'a, 't>) {
    const OPERATORS: &[(&str, &str)] = &[("&", "and"), ("|", "or"), ("^", "xor"), ("<<", "lshift"), (">>", "rshift")];
    let kind = key.kinds.last().copied().unwrap_or(Kind::Plain);
    let operator =
        |word: &str| OPERATORS.iter().find(|(sign, name)| word == *sign || word == *name).map(|(sign, _)| *sign);
    while let Some(sign) = operator(cursor.bare(0)) {
        cursor.skip(1);
        let operand = operand(cursor);
        if let Some(mask) = key.mask.take() {
            key.text.extend([" & ", &Part::read(kind, mask).show(kind)]);
        }
        let more = operator(cursor.bare(0)).is_some() || cursor.bare(0) == ".";
        if sign == "&" && key.kinds.len() == 1 && !more {
            key.mask = Some(operand);
        } else {
            key.text.extend([" ", sign, " ", &Part::read(kind, operand).show(kind)]);
        }
    }
}

/// One value, or what stands between parentheses.
pub(super) fn operand<'a, 't>(cursor: &mut Cursor<'a, 't>) -> &'a [Token<'t>] {
    if cursor.take(&["("]) {
        let inside = cursor.until(|token| token.is(")"));
        cursor.skip(1);
        return inside;
    }
    let rest = cursor.rest();
    cursor.skip(1);
    rest.get(..1).unwrap_or_default()
}

/// One field, with its header.
fn field<'a>(cursor: &mut Cursor<'a, '_>) -> Option<(String, &'a str)> {
    let first = cursor.bare(0);
    if BARE.contains(&first) {
        cursor.skip(1);
        return Some((first.to_owned(), ""));
    }
    if SHORT.contains(&first) {
        cursor.skip(1);
        return Some((format!("meta {first}"), ""));
    }
    if first.starts_with('@') {
        return raw(cursor);
    }
    let second = cursor.bare(1);
    if !second.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    match (first, second) {
        ("meta", name) if BARE.contains(&name) => {
            cursor.skip(2);
            Some((name.to_owned(), ""))
        }
        ("tcp" | "ip", "option") | ("sctp", "chunk") => {
            let count = if OPTION_FIELDS.contains(&cursor.bare(3)) { 4 } else { 3 };
            Some((words(cursor, count), first))
        }
        ("arp", "saddr" | "daddr") => Some((words(cursor, 3), first)),
        ("ct", "original" | "reply") if ["ip", "ip6"].contains(&cursor.bare(2)) => Some((words(cursor, 4), "")),
        ("ct", "original" | "reply") => Some((words(cursor, 3), "")),
        ("ct" | "rt", "ip" | "ip6") => Some((words(cursor, 3), "")),
        ("osf", "ttl") => Some((words(cursor, 4), "")),
        ("osf", _) => Some((words(cursor, 2), "")),
        ("socket", "cgroupv2") => Some((words(cursor, 4), "")),
        ("fib", _) => up_to(cursor, &["type", "oif", "oifname"]),
        ("numgen" | "jhash" | "symhash", _) => {
            let (mut text, _) = up_to(cursor, &["mod"])?;
            text.extend([" ", cursor.text()?]);
            for option in ["seed", "offset"] {
                if cursor.take(&[option]) {
                    let number = cursor.text()?;
                    if number != "0" {
                        text.extend([" ", option, " ", number]);
                    }
                }
            }
            Some((text, ""))
        }
        (header, _) if PAIRS.contains(&header) => Some((words(cursor, 2), header)),
        (_, _) => None,
    }
}

/// Some words, with a blank between.
fn words(cursor: &mut Cursor<'_, '_>, count: usize) -> String {
    let text = join(cursor.rest().get(..count).unwrap_or(cursor.rest()));
    cursor.skip(count);
    text
}

/// How many words such a key has at most.
const FAR: usize = 32;

/// Words up to one of these, which belongs to them.
fn up_to<'a>(cursor: &mut Cursor<'a, '_>, last: &[&str]) -> Option<(String, &'a str)> {
    let at = cursor.rest().iter().take(FAR).position(|token| last.iter().any(|word| token.is(word)))?;
    Some((words(cursor, at + 1), ""))
}

/// `@th,16,16`.
fn raw<'a>(cursor: &mut Cursor<'a, '_>) -> Option<(String, &'a str)> {
    let (base, offset, length) = (cursor.bare(0), cursor.bare(2), cursor.bare(4));
    let is_raw = cursor.bare(1) == "," && cursor.bare(3) == "," && !length.is_empty();
    is_raw.then(|| {
        cursor.skip(5);
        (format!("{base},{offset},{length}"), "")
    })
}
