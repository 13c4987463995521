//! Values whose one spelling can be told from their text.
//!
//! In: a value's tokens. Out: its one spelling, or none where only reading it tells. Promise: it is what
//! [`Part::read`](super::element::Part::read) and [`Part::show`](super::element::Part::show) give.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use super::kind::Kind;
use super::token::Token;
use crate::net::{Mac, is_decimal, read_v4, spell_v6, spelled_v6};

/// The one spelling of a single value that can be told from its text alone: an address or a network, a hardware address, a
/// number, a name. None where it takes more.
pub(super) fn spelled<'a>(kind: Kind, tokens: &'a [Token<'_>]) -> Option<Cow<'a, str>> {
    let [single] = tokens else { return None };
    let text = &*single.text;
    let as_written = match kind {
        Kind::Name => true,
        Kind::Plain | Kind::Port | Kind::Decimal(_) if is_decimal(text) => text.len() < LONGEST,
        Kind::Plain if text.bytes().any(|byte| byte == b':') => {
            if !Mac::is_spelled(text) {
                return network_v6(text);
            }
            true
        }
        Kind::Plain => is_spelled_v4(text) || is_spelled_run(text),
        Kind::Port | Kind::Decimal(_) => is_spelled_run(text),
        Kind::Symbol(_) | Kind::Flags(_) | Kind::Protocol | Kind::Ethertype | Kind::Mark => false,
    };
    as_written.then_some(Cow::Borrowed(text))
}

/// Digits of the greatest numbers that are read.
const LONGEST: usize = 20;

/// Whether a text is a range of numbers as it is shown.
fn is_spelled_run(text: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| is_decimal(text) && text.len() < LONGEST);
    let ends = text.split_once('-').and_then(|(low, high)| number(low).zip(number(high)));
    ends.is_some_and(|(low, high)| low < high)
}

/// Whether a text is an IPv4 address or network as it is shown.
fn is_spelled_v4(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return read_v4(text).is_some() };
    match (read_v4(address), prefix_length(length, u32::BITS)) {
        (Some(address), Some(length)) => u32::from(address) & (u32::MAX >> length) == 0,
        (_, _) => false,
    }
}

/// An IPv6 address or network; none where bits behind its prefix are set.
fn network_v6(text: &str) -> Option<Cow<'_, str>> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let spelled = spelled_v6(address);
    let parsed: Ipv6Addr = spelled.or_else(|| address.parse().ok())?;
    if let Some(length) = length {
        let length = prefix_length(length, u128::BITS)?;
        if u128::from(parsed) & (u128::MAX >> length) != 0 {
            return None;
        }
    }
    if spelled.is_some() {
        return Some(Cow::Borrowed(text));
    }
    let mut spelled = spell_v6(parsed);
    spelled.extend(length.into_iter().flat_map(|length| ["/", length]));
    Some(Cow::Owned(spelled))
}

/// The length of a prefix as it is shown, shorter than an address.
fn prefix_length(text: &str, address: u32) -> Option<u32> {
    text.parse().ok().filter(|length| *length < address && is_decimal(text))
}
