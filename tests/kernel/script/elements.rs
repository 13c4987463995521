//! Elements of sets and maps, named and anonymous.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Token, word};

/// An interval of values of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Interval {
    kind: u8,
    low: u128,
    high: u128,
}

/// Canonical elements, sorted. Single values, networks and ranges become intervals, and those that touch become one.
pub fn canonical(tokens: &[Token]) -> Vec<String> {
    let mut intervals: Vec<Interval> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for element in split(tokens) {
        match element.as_slice() {
            [single] if interval(single).is_some() => intervals.extend(interval(single)),
            words => others.push(words.iter().map(|word| value(word)).collect::<Vec<_>>().join(" ")),
        }
    }
    intervals.sort();
    let mut merged: Vec<Interval> = Vec::new();
    for next in intervals {
        match merged.last_mut() {
            Some(last) if last.kind == next.kind && next.low <= last.high.saturating_add(1) => {
                last.high = last.high.max(next.high);
            }
            _ => merged.push(next),
        }
    }
    others.sort();
    merged.iter().map(show).chain(others).collect()
}

/// Elements between commas; a colon or a dot stands as a word of its own.
fn split(tokens: &[Token]) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    for token in tokens {
        let text = word(token);
        let (text, ends) = match token {
            Token::Word(_) => (text.trim_end_matches(','), text.ends_with(',')),
            Token::Text(_) | Token::Open | Token::Close | Token::End => (text, false),
        };
        // `a,b` without a space between.
        let mut parts: Vec<&str> = if matches!(token, Token::Word(_)) { text.split(',').collect() } else { vec![text] };
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            push(&mut found, part);
            found.push(Vec::new());
        }
        push(&mut found, last);
        if ends {
            found.push(Vec::new());
        }
    }
    found.retain(|element| !element.is_empty());
    found
}

fn push(found: &mut [Vec<String>], text: &str) {
    if let Some(element) = found.last_mut().filter(|_| !text.is_empty()) {
        element.push(text.to_owned());
    }
}

fn interval(text: &str) -> Option<Interval> {
    if let Some((low, high)) = text.split_once('-') {
        let (low, high) = (single(low)?, single(high)?);
        return (low.kind == high.kind).then_some(Interval { kind: low.kind, low: low.low, high: high.high });
    }
    single(text)
}

fn single(text: &str) -> Option<Interval> {
    if let Ok(port) = text.parse::<u32>() {
        let value = u128::from(port);
        return Some(Interval { kind: 0, low: value, high: value });
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        let (kind, value) = number(address);
        return Some(Interval { kind, low: value, high: value });
    }
    let net = text.parse::<ipnet::IpNet>().ok()?;
    let ((kind, low), (_, high)) = (number(net.network()), number(net.broadcast()));
    Some(Interval { kind, low, high })
}

fn number(address: IpAddr) -> (u8, u128) {
    match address {
        IpAddr::V4(address) => (4, u128::from(u32::from(address))),
        IpAddr::V6(address) => (6, u128::from(address)),
    }
}

fn show(interval: &Interval) -> String {
    let one = |value: u128| match interval.kind {
        4 => Ipv4Addr::from(u32::try_from(value).expect("an IPv4 address")).to_string(),
        6 => Ipv6Addr::from(value).to_string(),
        _ => value.to_string(),
    };
    if interval.low == interval.high {
        one(interval.low)
    } else {
        format!("{}-{}", one(interval.low), one(interval.high))
    }
}

/// A word of a concatenation or mapping: an address or range in its one spelling, all else in lower case where it is a MAC.
fn value(text: &str) -> String {
    match interval(text) {
        Some(interval) => show(&interval),
        None if text.split(':').count() == 6 && text.len() == 17 => text.to_ascii_lowercase(),
        None => text.to_owned(),
    }
}
