//! Values whose one spelling can be told from their text.
//!
//! In: a value's tokens. Out: its one spelling, or none where only reading it tells. Promise: it is what
//! [`Part::read`](super::element::Part::read) and [`Part::show`](super::element::Part::show) give.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::kind::Kind;
use super::token::Token;
use crate::net::{Mac, is_decimal, spell_v6};

/// The one spelling of a single value that can be told from its text alone: an address or a network, a hardware address, a
/// number, a name. None where it takes more.
pub(super) fn spelled(kind: Kind, tokens: &[Token<'_>]) -> Option<String> {
    let [single] = tokens else { return None };
    let text = &*single.text;
    match kind {
        Kind::Name => Some(text.to_owned()),
        Kind::Plain | Kind::Port | Kind::Decimal(_) if is_decimal(text) && text.len() < LONGEST => {
            Some(text.to_owned())
        }
        Kind::Plain if text.bytes().any(|byte| byte == b':') => {
            if Mac::is_spelled(text) {
                Some(text.to_owned())
            } else {
                spelled_v6(text)
            }
        }
        Kind::Plain | Kind::Port | Kind::Decimal(_) if is_spelled_run(text) => Some(text.to_owned()),
        Kind::Plain => is_spelled_v4(text).then(|| text.to_owned()),
        Kind::Port
        | Kind::Decimal(_)
        | Kind::Symbol(_)
        | Kind::Flags(_)
        | Kind::Protocol
        | Kind::Ethertype
        | Kind::Mark => None,
    }
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
    let Some((address, length)) = text.split_once('/') else { return text.parse::<Ipv4Addr>().is_ok() };
    let (Ok(address), Ok(length)) =
        (address.parse::<Ipv4Addr>(), length.parse::<u32>().map(|it| (it, is_decimal(length))))
    else {
        return false;
    };
    match length {
        (length @ 0..=31, true) => u32::from(address) & (u32::MAX >> length) == 0,
        _ => false,
    }
}

/// An IPv6 address or network; none where bits behind its prefix are set.
fn spelled_v6(text: &str) -> Option<String> {
    let Some((address, length)) = text.split_once('/') else { return text.parse().ok().map(spell_v6) };
    let network: Ipv6Addr = address.parse().ok()?;
    let bits: u32 = length.parse().ok().filter(|bits| *bits < u128::BITS && is_decimal(length))?;
    if u128::from(network) & (u128::MAX >> bits) != 0 {
        return None;
    }
    let mut spelled = spell_v6(network);
    spelled.extend(["/", length]);
    Some(spelled)
}
