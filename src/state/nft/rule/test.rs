//! One condition: a key, an operator, a value.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::element::{self, Part, bits};
use super::super::kind::Kind;
use super::super::spelled::spelled;
use super::super::token::{Cursor, Token, join};
use super::key::Key;
use crate::state::ruleset::{Test, Value};

/// How a key is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// None is written: equal; of flags, any of them.
    Implicit,
    Equal,
    Other,
    /// None of these flags.
    Clear,
    /// `<`, `<=`, `>`, `>=`.
    Order(&'static str),
}

/// The test of a key whose comparison comes next.
pub(super) fn read<'a, 't>(key: &Key<'a, 't>, cursor: &mut Cursor<'a, 't>) -> Test {
    let operator = operator(cursor);
    if cursor.bare(0).starts_with('@') {
        let name = cursor.text().unwrap_or_default().trim_start_matches('@');
        return test(key.whole(), operator, Value::Set(name.into()));
    }
    if cursor.bare(0) == "{" {
        let values = element::set(key.kinds(), cursor.braces());
        return test(key.whole(), operator, any(values));
    }
    match key.kind() {
        kind @ Kind::Flags(_) => flags(key, kind, operator, cursor),
        kind @ (Kind::Name
        | Kind::Plain
        | Kind::Decimal(_)
        | Kind::Symbol(_)
        | Kind::Protocol
        | Kind::Port
        | Kind::Ethertype
        | Kind::Mark) => plain(key, kind, operator, cursor),
    }
}

fn operator(cursor: &mut Cursor<'_, '_>) -> Operator {
    let operator = match cursor.bare(0) {
        "==" | "eq" => Operator::Equal,
        "!=" | "ne" => Operator::Other,
        "!" => Operator::Clear,
        "<" | "lt" => Operator::Order("<"),
        "<=" | "le" => Operator::Order("<="),
        ">" | "gt" => Operator::Order(">"),
        ">=" | "ge" => Operator::Order(">="),
        _ => return Operator::Implicit,
    };
    cursor.skip(1);
    operator
}

/// A single value is one, more are any.
fn any(mut values: BTreeSet<String>) -> Value {
    if values.len() > 1 { Value::Any(values) } else { Value::One(values.pop_first().unwrap_or_default()) }
}

fn test(key: Arc<str>, operator: Operator, value: Value) -> Test {
    let (negated, value) = match operator {
        Operator::Implicit | Operator::Equal => (false, value),
        Operator::Other => (true, value),
        Operator::Clear => (false, Value::One(format!("! {value}"))),
        Operator::Order(sign) => (false, Value::One(format!("{sign} {value}"))),
    };
    Test { key, negated, value }
}

/// The tokens of one value: a word, a range with blanks, a concatenation.
fn value<'a, 't>(cursor: &mut Cursor<'a, 't>) -> &'a [Token<'t>] {
    let mut count = 1;
    while matches!(cursor.bare(count), "." | "-" | "," | "|" | "&" | "/") {
        count += 2;
    }
    let rest = cursor.rest();
    cursor.skip(count);
    rest.get(..count).unwrap_or(rest)
}

fn plain<'a, 't>(key: &Key<'a, 't>, kind: Kind, operator: Operator, cursor: &mut Cursor<'a, 't>) -> Test {
    let tokens = value(cursor);
    if key.kinds().len() > 1 {
        return test(key.whole(), operator, Value::One(element::concatenation(key.kinds(), tokens)));
    }
    let compared = matches!(operator, Operator::Implicit | Operator::Equal | Operator::Other);
    if key.mask.is_none()
        && compared
        && let Some(spelled) = spelled(kind, tokens)
    {
        return test(key.whole(), operator, Value::One(spelled.into_owned()));
    }
    let value = Part::read(kind, tokens);
    if let Some(mask) = key.mask {
        let mask = Part::read(kind, mask);
        return match element::network(&mask, &value) {
            Some(network) => test(Arc::clone(&key.text), operator, Value::One(network.show(kind))),
            None => masked(key, kind, &mask, &value, operator),
        };
    }
    match (kind, operator, &value) {
        (Kind::Port, Operator::Order(sign), Part::Run(class, low, high)) if low == high => {
            let range = match sign {
                "<" => (0, low.saturating_sub(1)),
                "<=" => (0, *low),
                ">" => (low.saturating_add(1), 65_535),
                _ => (*low, 65_535),
            };
            let range = Part::Run(*class, range.0, range.1);
            test(key.whole(), Operator::Equal, Value::One(range.show(kind)))
        }
        (_, Operator::Implicit | Operator::Equal | Operator::Other, Part::Run(_, low, high)) if low < high => {
            test(key.whole(), operator, any(element::merged(kind, vec![value])))
        }
        (_, _, _) => test(key.whole(), operator, Value::One(value.show(kind))),
    }
}

/// A comparison behind a mask; of a single bit there are two ways to say each.
fn masked(key: &Key<'_, '_>, kind: Kind, mask: &Part, value: &Part, operator: Operator) -> Test {
    let whole: Arc<str> = format!("{} & {}", key.text, mask.show(kind)).into();
    let bit = matches!(mask, Part::Run(_, low, high) if low == high && low.is_power_of_two());
    let clear = matches!(value, Part::Run(_, 0, 0));
    match operator {
        Operator::Other if bit && clear => test(whole, Operator::Equal, Value::One(mask.show(kind))),
        Operator::Equal | Operator::Implicit if bit && clear => {
            test(whole, Operator::Other, Value::One(mask.show(kind)))
        }
        Operator::Implicit | Operator::Equal | Operator::Other | Operator::Clear | Operator::Order(_) => {
            test(whole, operator, Value::One(value.show(kind)))
        }
    }
}

/// Flags: nft asks for any of those listed, unless an operator says otherwise.
fn flags<'a, 't>(key: &Key<'a, 't>, kind: Kind, operator: Operator, cursor: &mut Cursor<'a, 't>) -> Test {
    let tokens = flag_list(cursor);
    let mask = if cursor.take(&["/"]) { Some(flag_list(cursor)) } else { key.mask };
    let written = || test(key.whole(), operator, Value::One(join(tokens)));
    let Some(value) = bits(kind, tokens) else { return written() };
    let states = &*key.text == "ct state";
    let shown = |bits: u64| kind.show(bits.into());
    let each = |bits: u64| {
        let one = |bit: u32| 1_u64.checked_shl(bit).unwrap_or_default();
        any((0..u64::BITS).map(one).filter(|bit| bits & bit != 0).map(shown).collect())
    };
    let compare = |mask: u64, value: u64, operator: Operator| {
        let part = |bits: u64| Part::Run(element::Class::Number, bits.into(), bits.into());
        // A connection has one state: any of several is a set of them.
        match operator {
            Operator::Other if states && value == 0 => test(Arc::clone(&key.text), Operator::Equal, each(mask)),
            Operator::Equal | Operator::Implicit if states && value == 0 => {
                test(Arc::clone(&key.text), Operator::Other, each(mask))
            }
            Operator::Implicit | Operator::Equal | Operator::Other | Operator::Clear | Operator::Order(_) => {
                masked(key, kind, &part(mask), &part(value), operator)
            }
        }
    };
    match (mask.map(|mask| bits(kind, mask)), operator) {
        (Some(None), _) => {
            let mask = join(mask.unwrap_or_default());
            test(format!("{} & {mask}", key.text).into(), operator, Value::One(shown(value)))
        }
        (Some(Some(mask)), _) => compare(mask, value, operator),
        (None, Operator::Implicit) => compare(value, 0, Operator::Other),
        (None, Operator::Clear) => compare(value, 0, Operator::Equal),
        (None, Operator::Equal | Operator::Other | Operator::Order(_)) => {
            test(key.whole(), operator, Value::One(shown(value)))
        }
    }
}

/// `fin,syn`, `(fin | syn)`.
fn flag_list<'a, 't>(cursor: &mut Cursor<'a, 't>) -> &'a [Token<'t>] {
    let rest = cursor.rest();
    let mut count = 0;
    loop {
        count += usize::from(cursor.bare(count) == "(");
        count += 1;
        count += usize::from(cursor.bare(count) == ")");
        if !["|", ","].contains(&cursor.bare(count)) {
            break;
        }
        count += 1;
    }
    cursor.skip(count);
    rest.get(..count).unwrap_or(rest)
}
