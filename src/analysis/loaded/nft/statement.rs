//! What rules of nft do, and what they count.

use std::sync::Arc;

use crate::analysis::sets::Field;
use crate::net::{Family, Ranges};
use crate::policy::LogLevel;
use crate::state::nft::number;
use crate::state::ruleset::{Rule, Table, Verdict};

use super::super::values::{self, Draft};
use super::super::{Condition, Effect};

/// All statements of a rule.
pub(super) fn read(table: &Table, rule: &Rule, draft: &mut Draft) {
    let mut statements = rule.statements.iter().map(String::as_str);
    while let Some(text) = statements.next() {
        if text.starts_with("limit rate ") {
            // What is limited is a line in a log, and nothing else.
            let log = statements.clone().next().and_then(level);
            let alone = rule.verdict == Verdict::Continue && statements.clone().nth(1).is_none();
            if !alone || log.is_none() || text.starts_with("limit rate over ") {
                draft.opaque(text);
            }
        } else if text.starts_with("update @") {
            match above(text) {
                Some((family, above)) => {
                    draft.field(Field::Frame, Ranges::single(values::frame(family)));
                    draft.and(Condition::Above(above));
                }
                None => unknown(text, draft),
            }
        } else if !text.starts_with("counter name ") {
            match effect(table, text) {
                Some(effect) => draft.does(effect),
                None => unknown(text, draft),
            }
        }
    }
}

/// It may ask something, and it may do something.
fn unknown(text: &str, draft: &mut Draft) {
    draft.opaque(text);
    draft.does(Effect::Opaque(text.to_owned()));
}

/// The one spelling of a limit for each source.
pub(super) fn spell_above(family: Family, rate: &str, burst: &str) -> String {
    match family {
        Family::V4 => format!("{rate} burst {burst} by ipv4 source /32"),
        Family::V6 => format!("{rate} burst {burst} by ipv6 source /64"),
    }
}

/// `update @set { ip saddr limit rate over 200/second burst 1000 packets }`.
fn above(text: &str) -> Option<(Family, String)> {
    let (_, inside) = text.strip_prefix("update @")?.split_once(' ')?;
    let inside = inside.strip_prefix("{ ")?.strip_suffix(" packets }")?;
    let (key, limit) = inside.split_once(" limit rate over ")?;
    let family = match key {
        "ip saddr" => Family::V4,
        "ip6 saddr & ffff:ffff:ffff:ffff::" => Family::V6,
        _ => return None,
    };
    let (rate, burst) = limit.split_once(" burst ")?;
    let plain = rate.contains('/') && !rate.contains(' ') && burst.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| (family, spell_above(family, rate, burst)))
}

fn effect(table: &Table, text: &str) -> Option<Effect> {
    if let Some(name) = text.strip_prefix("ct helper set ") {
        let helper = table.others.get(&format!("ct helper {name}"))?;
        let kind = helper.iter().find_map(|line| line.strip_prefix("type "))?;
        return Some(Effect::Helper(Arc::from(kind)));
    }
    if let Some(value) = text.strip_prefix("meta mark set ") {
        return mark(value);
    }
    level(text).map(Effect::Log)
}

/// `meta mark & 0xbfffffff | 0x20000000`.
fn mark(text: &str) -> Option<Effect> {
    let number = |text: &str| number("meta mark", text).and_then(|number| u32::try_from(number).ok());
    if let Some(value) = number(text) {
        return Some(Effect::Mark { and: 0, xor: value });
    }
    let mut words = text.strip_prefix("meta mark")?.split_ascii_whitespace();
    let (mut and, mut xor) = (u32::MAX, 0);
    // The tightest comes first.
    let mut last = "&";
    while let Some(operator) = words.next() {
        let value = number(words.next()?)?;
        match (operator, last) {
            ("&", "&") => and &= value,
            ("^", "&" | "^") => xor ^= value,
            ("|", _) => (and, xor) = (and & !value, xor & !value | value),
            _ => return None,
        }
        last = operator;
    }
    Some(Effect::Mark { and, xor })
}

/// The level of a line in a log.
fn level(text: &str) -> Option<LogLevel> {
    let rest = text.strip_prefix("log")?;
    let (prefix, rest) = match rest.strip_prefix(" prefix \"") {
        Some(quoted) => quoted.split_once('"')?,
        None => ("", rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let mut named = None;
    while let Some(option) = words.next() {
        match (option, words.next()?) {
            ("group", _) => return values::level_of_prefix(prefix),
            ("level", name) => named = Some(LogLevel::ALL.into_iter().find(|level| level.name() == name)?),
            (_, _) => return None,
        }
    }
    Some(named.unwrap_or(LogLevel::Warning))
}
