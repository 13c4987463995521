//! Values and elements of sets and maps, named and anonymous.
//!
//! In: what stands after a key or between braces. Out: values in their one spelling: numbers for names, neighbours merged
//! to ranges, ranges that are networks as networks.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::net::spell_v6;

use super::kind::Kind;
use super::spelled::spelled;
use super::token::{Cursor, Token, join};
use crate::state::ruleset::Verdict;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// All from one number or address to another.
    Run(Class, u128, u128),
    /// As it is written.
    Text(String),
}

/// What a run counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Number,
    V4,
    V6,
}

impl Part {
    /// The value that one or more tokens say.
    pub(super) fn read(kind: Kind, tokens: &[Token<'_>]) -> Self {
        match tokens {
            [single] => Self::word(kind, &single.text),
            [low, dash, high] if dash.is("-") => {
                let text = || Self::Text(format!("{}-{}", low.text, high.text));
                Self::range(kind, &low.text, &high.text).unwrap_or_else(text)
            }
            _ => match kind {
                Kind::Flags(_) => bits(kind, tokens).map_or_else(
                    || Self::Text(join(tokens)),
                    |bits| Self::Run(Class::Number, bits.into(), bits.into()),
                ),
                Kind::Name
                | Kind::Plain
                | Kind::Decimal(_)
                | Kind::Symbol(_)
                | Kind::Protocol
                | Kind::Port
                | Kind::Ethertype
                | Kind::Mark => Self::Text(join(tokens)),
            },
        }
    }

    fn word(kind: Kind, text: &str) -> Self {
        if kind == Kind::Name {
            return Self::Text(text.to_owned());
        }
        if let Some((class, value)) = single(kind, text) {
            return Self::Run(class, value, value);
        }
        if let Some((low, high)) = text.split_once('-')
            && let Some(range) = Self::range(kind, low, high)
        {
            return range;
        }
        if let Ok(net) = text.parse::<IpNet>() {
            let ((class, low), (_, high)) = (number(net.network()), number(net.broadcast()));
            return Self::Run(class, low, high);
        }
        let mac = text.len() == 17 && text.split(':').count() == 6;
        Self::Text(if mac { text.to_ascii_lowercase() } else { text.to_owned() })
    }

    fn range(kind: Kind, low: &str, high: &str) -> Option<Self> {
        let ((class, low), (other, high)) = (single(kind, low)?, single(kind, high)?);
        (class == other && low <= high).then_some(Self::Run(class, low, high))
    }

    /// Its one spelling.
    pub(super) fn show(&self, kind: Kind) -> String {
        let (class, low, high) = match self {
            Self::Text(text) => return text.clone(),
            Self::Run(class, low, high) => (*class, *low, *high),
        };
        let one = |value: u128| match class {
            Class::Number => kind.show(value),
            Class::V4 => u32::try_from(value).map_or_else(|_| value.to_string(), |v4| Ipv4Addr::from(v4).to_string()),
            Class::V6 => spell_v6(Ipv6Addr::from(value)),
        };
        if low == high {
            return one(low);
        }
        let width = match class {
            Class::Number => None,
            Class::V4 => Some(32),
            Class::V6 => Some(128),
        };
        match width.and_then(|width| prefix(width, low, high)) {
            Some(length) => format!("{}/{length}", one(low)),
            None => format!("{}-{}", one(low), one(high)),
        }
    }
}

/// The network that an address and a mask of leading ones say.
pub(super) fn network(mask: &Part, address: &Part) -> Option<Part> {
    let (Part::Run(class, low, high), Part::Run(other, mask, _)) = (address, mask) else { return None };
    let width = match class {
        Class::Number => return None,
        Class::V4 => u128::from(u32::MAX),
        Class::V6 => u128::MAX,
    };
    let host = width & !mask;
    let fits = class == other && low == high && host & host.wrapping_add(1) == 0 && low & host == 0;
    fits.then(|| Part::Run(*class, *low, low | host))
}

/// The length of the prefix that all addresses of a range have, and no others.
fn prefix(width: u32, low: u128, high: u128) -> Option<u32> {
    let host = high ^ low;
    let is_network = host & low == 0 && host & host.wrapping_add(1) == 0;
    is_network.then(|| width.saturating_sub(u128::BITS - host.leading_zeros()))
}

fn single(kind: Kind, text: &str) -> Option<(Class, u128)> {
    if let Some(number) = kind.number(text) {
        return Some((Class::Number, number.into()));
    }
    text.parse::<IpAddr>().ok().map(number)
}

fn number(address: IpAddr) -> (Class, u128) {
    match address {
        IpAddr::V4(address) => (Class::V4, u128::from(u32::from(address))),
        IpAddr::V6(address) => (Class::V6, u128::from(address)),
    }
}

/// Flags in any spelling (`fin,syn`, `(fin | syn)`, `0x1,0x2`), together.
pub(super) fn bits(kind: Kind, tokens: &[Token<'_>]) -> Option<u64> {
    let mut names = tokens.iter().filter(|token| !["|", ",", "(", ")"].iter().any(|sign| token.is(sign))).peekable();
    names.peek()?;
    names.try_fold(0, |bits, name| Some(bits | kind.number(&name.text)?))
}

/// The values of a set without data: merged where they touch, or one by one where they have names.
pub(super) fn merged(kind: Kind, mut parts: Vec<Part>) -> BTreeSet<String> {
    if !kind.is_ordered() {
        return parts.iter().flat_map(each).map(|part| part.show(kind)).collect();
    }
    parts.sort_unstable();
    let mut found: Vec<Part> = Vec::with_capacity(parts.len());
    for next in parts {
        if let Part::Run(class, low, high) = &next
            && let Some(Part::Run(before, _, end)) = found.last_mut()
            && before == class
            && *low <= end.saturating_add(1)
        {
            *end = (*end).max(*high);
        } else {
            found.push(next);
        }
    }
    found.iter().map(|part| part.show(kind)).collect()
}

/// Each value of a short run of numbers.
fn each(part: &Part) -> Vec<Part> {
    match part {
        Part::Run(Class::Number, low, high) if high - low < 256 => {
            (*low..=*high).map(|value| Part::Run(Class::Number, value, value)).collect()
        }
        Part::Run(_, _, _) | Part::Text(_) => vec![part.clone()],
    }
}

/// What stands between commas outside of braces.
pub(super) fn split<'a, 't>(tokens: &'a [Token<'t>]) -> impl Iterator<Item = &'a [Token<'t>]> {
    let mut depth = 0_usize;
    tokens
        .split(move |token| {
            match token.bare() {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.is(",")
        })
        .filter(|element| element.iter().any(|token| !token.is_end()))
}

/// The tokens of an element without lines' ends, which mostly stand around it.
fn words<'a, 't>(element: &'a [Token<'t>]) -> Cow<'a, [Token<'t>]> {
    let first = element.iter().position(|token| !token.is_end()).unwrap_or_default();
    let end = element.iter().rposition(|token| !token.is_end()).map_or(first, |last| last + 1);
    let inside = element.get(first..end).unwrap_or_default();
    if inside.iter().any(Token::is_end) {
        return Cow::Owned(inside.iter().filter(|token| !token.is_end()).cloned().collect());
    }
    Cow::Borrowed(inside)
}

/// The elements of a set, each of as many values as there are kinds.
pub(super) fn set(kinds: &[Kind], tokens: &[Token<'_>]) -> BTreeSet<String> {
    let mut parts = Vec::new();
    let mut texts = Vec::new();
    let kind = kinds.first().copied().unwrap_or(Kind::Plain);
    for element in split(tokens) {
        let words = words(element);
        let (value, more) = options(&words);
        if more.is_empty() && !value.iter().any(|token| token.is(".")) {
            parts.push(Part::read(kind, value));
        } else {
            let mut text = concatenation(kinds, value);
            text.push_str(&more);
            texts.push(text);
        }
    }
    let mut found: BTreeSet<String> = texts.into_iter().collect();
    found.append(&mut merged(kind, parts));
    found
}

/// The keys of a map's elements, with the tokens of what each maps to.
pub(super) fn pairs<'a, 't>(kinds: &[Kind], tokens: &'a [Token<'t>]) -> Vec<(String, Cow<'a, [Token<'t>]>)> {
    let of = |words: &[Token<'t>]| {
        let mut cursor = Cursor::new(words);
        let key = cursor.until(|token| token.is(":"));
        let (value, more) = options(key);
        let mut text = concatenation(kinds, value);
        text.push_str(&more);
        (text, key.len() + 1)
    };
    split(tokens)
        .map(|element| match words(element) {
            Cow::Borrowed(words) => {
                let (key, from) = of(words);
                (key, Cow::Borrowed(words.get(from..).unwrap_or_default()))
            }
            Cow::Owned(words) => {
                let (key, from) = of(&words);
                (key, Cow::Owned(words.get(from..).unwrap_or_default().to_vec()))
            }
        })
        .collect()
}

/// `"tap1i0" . 10.0.0.1` in its one spelling.
pub(super) fn concatenation(kinds: &[Kind], tokens: &[Token<'_>]) -> String {
    let mut kinds = kinds.iter().copied();
    // A part that is shown as it is written takes this room, and its dot a byte and two blanks.
    let room = tokens.iter().map(|token| token.text.len() + 1).sum::<usize>();
    let mut text = String::with_capacity(room.saturating_sub(1));
    for (place, part) in tokens.split(|token| token.is(".")).enumerate() {
        let kind = kinds.next().unwrap_or(Kind::Plain);
        if place > 0 {
            text.push_str(" . ");
        }
        match part {
            [single] if kind == Kind::Name => text.push_str(&single.text),
            _ => text.push_str(&spelled(kind, part).unwrap_or_else(|| Part::read(kind, part).show(kind).into())),
        }
    }
    text
}

/// An element's value, and what else is said of it in the one spelling: not its counter, nor when it ends.
fn options<'a, 't>(tokens: &'a [Token<'t>]) -> (&'a [Token<'t>], String) {
    let begins = |token: &Token<'_>| {
        matches!(token.bare(), "timeout" | "expires" | "counter" | "comment" | "limit" | "ct" | "quota" | "last")
    };
    let end = tokens.iter().skip(1).position(begins).map_or(tokens.len(), |at| at + 1);
    let (value, rest) = tokens.split_at_checked(end).unwrap_or((tokens, &[]));
    let mut cursor = Cursor::new(rest);
    let mut more = String::new();
    while let Some(token) = cursor.peek() {
        if cursor.take(&["counter"]) {
            if cursor.take(&["packets"]) {
                cursor.skip(3);
            }
        } else if cursor.take(&["expires"]) || cursor.take(&["comment"]) {
            cursor.skip(1);
        } else if cursor.take(&["timeout"]) {
            more.extend([" timeout ", &time(cursor.text().unwrap_or_default())]);
        } else {
            more.extend([" ", &join(std::slice::from_ref(token))]);
            cursor.skip(1);
        }
    }
    (value, more)
}

/// `1m30s` as `90s`; what is no time as it is written.
pub(super) fn time(text: &str) -> String {
    milliseconds(text).map_or_else(
        || text.to_owned(),
        |time| if time % 1000 == 0 { format!("{}s", time / 1000) } else { format!("{time}ms") },
    )
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u64 = rest.strip_suffix(digits)?.parse().ok()?;
        let after = digits.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match digits.strip_suffix(after)? {
            "w" => 604_800_000,
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" | "" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// The verdict that some tokens say, and no more than it.
pub(super) fn verdict(tokens: &[Token<'_>]) -> Verdict {
    let mut cursor = Cursor::new(tokens);
    let found = simple_verdict(&mut cursor);
    found.filter(|_| cursor.is_done()).unwrap_or_else(|| Verdict::Other(join(tokens)))
}

/// A verdict of one or two words, if it comes next.
pub(super) fn simple_verdict(cursor: &mut Cursor<'_, '_>) -> Option<Verdict> {
    let verdict = match cursor.bare(0) {
        "accept" => Verdict::Accept,
        "drop" => Verdict::Drop,
        "return" => Verdict::Return,
        "continue" => Verdict::Continue,
        word @ ("jump" | "goto") => {
            cursor.skip(1);
            let chain = cursor.text()?.into();
            return Some(if word == "jump" { Verdict::Jump(chain) } else { Verdict::Goto(chain) });
        }
        _ => return None,
    };
    cursor.skip(1);
    Some(verdict)
}
