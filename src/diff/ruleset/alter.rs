//! What parts of a rule are other ones.

use std::sync::Arc;

use super::change::Detail;
use super::flat::{Flat, Line, Then};
use super::list::unlike;
use super::words;
use crate::state::ruleset::{Test, Value};

/// What parts of a rule are other ones; comments, lists within and dispatches aside.
pub(super) fn alterations(flat: &Flat<'_>, old: &Line, new: &Line) -> Vec<Detail> {
    let mut details = Vec::new();
    let missing = |one: &Line, other: &Line| -> Vec<Arc<Test>> {
        let numbers = one.tests.iter().filter(|test| !other.tests.contains(test));
        let mut tests: Vec<_> = numbers.filter_map(|test| flat.pools.tests.get(*test).cloned()).collect();
        tests.sort();
        tests
    };
    let (gone, mut come) = (missing(old, new), missing(new, old));
    for test in gone {
        let other = come.iter().position(|other| other.key == test.key && other.negated == test.negated);
        match other.map(|at| come.remove(at)) {
            Some(other) => details.push(values(&test, &other)),
            None => details.push(Detail::Test { old: Some(words::test(&test)), new: None }),
        }
    }
    details.extend(come.into_iter().map(|test| Detail::Test { old: None, new: Some(words::test(&test)) }));
    if old.statements != new.statements {
        let texts = |line: &Line| words::statements(flat, line);
        details.push(Detail::Statements { old: texts(old), new: texts(new) });
    }
    let replaced = match (&old.then, &new.then) {
        (Then::List(old), Then::List(new)) => old != new && unlike(flat, *old, *new),
        _ => !same_then(&old.then, &new.then),
    };
    if replaced {
        details.push(Detail::Verdict { old: words::then(flat, &old.then), new: words::then(flat, &new.then) });
    }
    details
}

/// How a test that asks for the same thing asks for other values.
fn values(old: &Test, new: &Test) -> Detail {
    let all = |value: &Value| match value {
        Value::Any(values) => Some(values.clone()),
        Value::One(value) => Some([value.clone()].into()),
        Value::Set(_) => None,
    };
    let several = matches!(old.value, Value::Any(_)) || matches!(new.value, Value::Any(_));
    match (all(&old.value), all(&new.value)) {
        (Some(a), Some(b)) if several => Detail::Elements {
            of: words::key(new),
            removed: a.difference(&b).cloned().collect(),
            added: b.difference(&a).cloned().collect(),
        },
        _ => Detail::Test { old: Some(words::test(old)), new: Some(words::test(new)) },
    }
}

/// The change of a named set, where that is all.
pub(super) fn set_change(flat: &Flat<'_>, old: &Line, new: &Line, details: &[Detail]) -> Option<Detail> {
    let [_] = details else { return None };
    let only = |one: &Line, other: &Line| {
        let mut tests = one.tests.iter().filter(|test| !other.tests.contains(test));
        let first = tests.next().copied();
        first.filter(|_| tests.next().is_none())
    };
    let (a, b) = (only(old, new)?, only(new, old)?);
    let name = flat.same_set(a, b)?;
    let (a, b) = (flat.pools.tests.get(a)?, flat.pools.tests.get(b)?);
    let all = |test: &Test| -> Vec<String> {
        match &test.value {
            Value::Any(values) => values.iter().cloned().collect(),
            Value::One(value) => vec![value.clone()],
            Value::Set(_) => Vec::new(),
        }
    };
    let (a, b) = (all(a), all(b));
    let less = |a: &[String], b: &[String]| a.iter().filter(|value| !b.contains(value)).cloned().collect();
    Some(Detail::Elements { of: format!("@{name}"), removed: less(&a, &b), added: less(&b, &a) })
}

/// Whether two lines do the same, as far as can be seen without looking into lists.
pub(super) fn same_then(old: &Then, new: &Then) -> bool {
    match (old, new) {
        (Then::List(_), Then::List(_)) | (Then::Dispatch(_), Then::Dispatch(_)) => true,
        _ => old == new,
    }
}
