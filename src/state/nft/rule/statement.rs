//! What a rule does, and what it asks that changes with each packet.

use super::super::element::{Part, time};
use super::super::kind::{ICMP_CODE, ICMPV6_CODE, Kind};
use super::super::token::{Cursor, join};
use super::implied::Network;
use super::key::{self, Key, Keys, Uses, operand};
use super::{is_start, verbatim};
use crate::state::ruleset::Verdict;

/// A statement in its one spelling with what it reads, if one comes next; a counter is none.
pub(super) fn read(cursor: &mut Cursor<'_, '_>, keys: &mut Keys) -> Option<Option<(String, Uses)>> {
    let text = match (cursor.bare(0), cursor.bare(1)) {
        ("counter", "name") => named(cursor),
        ("counter", _) => {
            cursor.skip(1);
            if cursor.take(&["packets"]) {
                cursor.skip(1);
                cursor.take(&["bytes"]);
                cursor.skip(1);
            }
            return Some(None);
        }
        ("limit" | "quota", "name") => named(cursor),
        ("limit", "rate") => limit(cursor),
        ("quota", _) => quota(cursor),
        ("log", _) => log(cursor),
        ("notrack", _) => {
            cursor.skip(1);
            "notrack".into()
        }
        ("ct", "count") => count(cursor),
        ("update" | "add" | "delete", set) if set.starts_with('@') => return Some(Some(fill(cursor, keys))),
        ("meter", _) => return Some(Some(meter(cursor, keys))),
        ("xt", _) => {
            let text = join(cursor.rest().get(..3).unwrap_or(cursor.rest()));
            cursor.skip(3);
            text
        }
        (_, _) => return None,
    };
    Some(Some((text, Uses::default())))
}

/// All up to the next part that is known, as it is written.
pub(super) fn written(cursor: &mut Cursor<'_, '_>) -> String {
    let rest = cursor.rest();
    cursor.skip(1);
    let more = cursor.until(is_start).len();
    verbatim(rest.get(..=more).unwrap_or(rest))
}

/// `limit name "x"`.
fn named(cursor: &mut Cursor<'_, '_>) -> String {
    let what = cursor.bare(0);
    cursor.skip(2);
    format!("{what} name {}", cursor.text().unwrap_or_default())
}

/// `limit rate over 5/second burst 5 packets`.
fn limit(cursor: &mut Cursor<'_, '_>) -> String {
    cursor.skip(2);
    let mut text = String::from("limit rate ");
    if cursor.take(&["over"]) {
        text.push_str("over ");
    }
    let rate = cursor.text().unwrap_or_default();
    text.push_str(rate);
    let bytes = !rate.contains('/');
    if bytes {
        text.extend([" ", cursor.text().unwrap_or_default()]);
    }
    let (burst, unit) = if cursor.take(&["burst"]) {
        (cursor.text().unwrap_or_default(), cursor.text().unwrap_or_default())
    } else {
        ("5", if bytes { "bytes" } else { "packets" })
    };
    text.extend([" burst ", burst, " ", unit]);
    text
}

/// `quota over 25 mbytes`, without what is used of it.
fn quota(cursor: &mut Cursor<'_, '_>) -> String {
    cursor.skip(1);
    let over = cursor.take(&["over"]);
    cursor.take(&["until"]);
    let text = join(cursor.rest().get(..2).unwrap_or(cursor.rest()));
    cursor.skip(2);
    if cursor.take(&["used"]) {
        cursor.skip(2);
    }
    format!("quota {}{text}", if over { "over " } else { "" })
}

fn count(cursor: &mut Cursor<'_, '_>) -> String {
    cursor.skip(2);
    let over = if cursor.take(&["over"]) { "over " } else { "" };
    format!("ct count {over}{}", cursor.text().unwrap_or_default())
}

/// `log prefix "x" group 0`: the options in one order, without the level that is the default.
fn log(cursor: &mut Cursor<'_, '_>) -> String {
    const OPTIONS: &[&str] = &["prefix", "group", "snaplen", "queue-threshold", "level"];
    cursor.skip(1);
    let mut values: Vec<(&str, String)> = Vec::new();
    let mut flags: Vec<String> = Vec::new();
    while let Some(option) = OPTIONS.iter().find(|option| cursor.bare(0) == **option) {
        cursor.skip(1);
        let value = cursor.text().unwrap_or_default();
        match (*option, value) {
            ("level", "warn" | "warning") | ("snaplen" | "queue-threshold", "0") => {}
            ("level", "error") => values.push(("level", "err".into())),
            ("prefix", _) => values.push(("prefix", format!("\"{value}\""))),
            (_, _) => values.push((option, value.to_owned())),
        }
        log_flags(cursor, &mut flags);
    }
    log_flags(cursor, &mut flags);
    let mut text = String::from("log");
    for option in OPTIONS {
        for (_, value) in values.iter().filter(|(name, _)| name == option) {
            text.extend([" ", option, " ", value]);
        }
    }
    flags.sort();
    flags.dedup();
    for flag in flags {
        text.extend([" flags ", &flag]);
    }
    text
}

/// `flags tcp sequence,options flags skuid`, each flag apart.
fn log_flags(cursor: &mut Cursor<'_, '_>, flags: &mut Vec<String>) {
    while cursor.take(&["flags"]) {
        let first = cursor.text().unwrap_or_default();
        if ["tcp", "ip"].contains(&first) {
            loop {
                flags.push(format!("{first} {}", cursor.text().unwrap_or_default()));
                if !cursor.take(&[","]) {
                    break;
                }
            }
        } else {
            flags.push(first.to_owned());
        }
    }
}

/// `update @set { ip saddr limit rate over 5/second }`.
fn fill(cursor: &mut Cursor<'_, '_>, keys: &mut Keys) -> (String, Uses) {
    let head = join(cursor.rest().get(..2).unwrap_or(cursor.rest()));
    cursor.skip(2);
    let (inside, uses) = element(cursor, keys);
    (format!("{head} {inside}"), uses)
}

/// `meter name size 65535 { … }`.
fn meter(cursor: &mut Cursor<'_, '_>, keys: &mut Keys) -> (String, Uses) {
    cursor.skip(1);
    let name = cursor.text().unwrap_or_default();
    let size = if cursor.take(&["size"]) { cursor.text().unwrap_or_default() } else { "65535" };
    let (inside, uses) = element(cursor, keys);
    (format!("meter {name} size {size} {inside}"), uses)
}

/// What is put into a set: a key, its timeout, what counts for it.
fn element(cursor: &mut Cursor<'_, '_>, keys: &mut Keys) -> (String, Uses) {
    if cursor.bare(0) != "{" {
        return (String::new(), Uses::default());
    }
    let mut inside = Cursor::new(cursor.braces());
    let mut text = String::from("{");
    let mut uses = Uses::default();
    if let Some(key) = key::read(&mut inside, keys) {
        uses = key.uses;
        text.extend([" ", &key.whole()]);
    }
    while let Some(token) = inside.peek() {
        if inside.take(&["timeout"]) {
            text.extend([" timeout ", &time(inside.text().unwrap_or_default())]);
        } else if inside.bare(0) == "limit" && inside.bare(1) == "rate" {
            text.extend([" ", &limit(&mut inside)]);
        } else if inside.bare(0) == "quota" {
            text.extend([" ", &quota(&mut inside)]);
        } else if inside.take(&["counter"]) {
            if inside.take(&["packets"]) {
                inside.skip(3);
            }
        } else {
            text.extend([" ", &join(std::slice::from_ref(token))]);
            inside.skip(1);
        }
    }
    text.push_str(" }");
    (text, uses)
}

/// `meta mark set meta mark & 0xf`: what stands behind `set` is a value of the key's kind, or computed from other keys.
pub(super) fn change<'a, 't>(key: &Key<'a, 't>, cursor: &mut Cursor<'a, 't>, keys: &mut Keys) -> String {
    let kind = key.kind();
    let mut text = format!("{} set", key.whole());
    loop {
        if let Some(from) = key::read(cursor, keys) {
            text.extend([" ", &from.whole()]);
        } else {
            let value = operand(cursor);
            if value.is_empty() {
                break;
            }
            text.extend([" ", &Part::read(kind, value).show(kind)]);
        }
        let next = cursor.bare(0);
        if next == "map" {
            cursor.skip(1);
            let data = if cursor.bare(0) == "{" {
                let pairs = super::super::element::pairs(&[Kind::Plain], cursor.braces());
                let mut pairs: Vec<String> =
                    pairs.iter().map(|(from, to)| format!("{from} : {}", Part::read(kind, to).show(kind))).collect();
                pairs.sort();
                format!("{{ {} }}", pairs.join(", "))
            } else {
                cursor.text().unwrap_or_default().to_owned()
            };
            text.extend([" map ", &data]);
        }
        let next = cursor.bare(0);
        if !["|", "&", "^", "<<", ">>", "or", "and", "xor", ","].contains(&next) {
            break;
        }
        text.extend([" ", next]);
        cursor.skip(1);
    }
    text
}

/// `reject with icmpx port-unreachable`; nothing where no answer is named.
pub(super) fn reject(cursor: &mut Cursor<'_, '_>) -> Verdict {
    cursor.skip(1);
    if !cursor.take(&["with"]) {
        return Verdict::Reject(String::new());
    }
    let protocol = cursor.text().unwrap_or_default();
    if protocol != "tcp" {
        cursor.take(&["type"]);
    }
    Verdict::Reject(format!("{protocol} {}", cursor.text().unwrap_or_default()))
}

/// Codes of answers that mean the same in both families, and what they are in each.
const BOTH: &[(&str, u64, &str, &str)] = &[
    ("no-route", 0, "net-unreachable", "no-route"),
    ("port-unreachable", 1, "port-unreachable", "port-unreachable"),
    ("host-unreachable", 2, "host-unreachable", "addr-unreachable"),
    ("admin-prohibited", 3, "admin-prohibited", "admin-prohibited"),
];

/// The one spelling of an answer, where packets of one family alone come to it: that family's.
pub(super) fn answer(text: &str, network: Option<Network>) -> String {
    let (protocol, code) = text.split_once(' ').unwrap_or(("icmpx", "port-unreachable"));
    let named = |kind: Kind| kind.number(code).map_or_else(|| code.to_owned(), |number| kind.show(number.into()));
    let code = match protocol {
        "icmp" => named(Kind::Symbol(ICMP_CODE)),
        "icmpv6" => named(Kind::Symbol(ICMPV6_CODE)),
        "icmpx" => {
            let known = BOTH.iter().find(|(name, number, _, _)| code == *name || code == number.to_string());
            return match (known, network) {
                (Some((_, _, v4, _)), Some(Network::V4)) => format!("icmp {v4}"),
                (Some((_, _, _, v6)), Some(Network::V6)) => format!("icmpv6 {v6}"),
                (Some((name, _, _, _)), None) => format!("icmpx {name}"),
                (None, _) => format!("icmpx {code}"),
            };
        }
        _ => code.to_owned(),
    };
    format!("{protocol} {code}")
}
