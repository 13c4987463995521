//! Lines in words.

use super::change::RuleText;
use super::flat::{Flat, Line, Placed, Then};
use crate::state::ruleset::{Test, Value};

/// Values of a test that are written out.
const VALUES: usize = 12;
/// Rules of a list that are written out.
const RULES: usize = 3;

/// A rule.
pub(super) fn rule(flat: &Flat<'_>, placed: &Placed) -> RuleText {
    let Some(line) = flat.pools.line_of(placed.line) else {
        return RuleText { text: String::new(), comment: None, span: placed.span };
    };
    RuleText { text: text(flat, &line), comment: line.comment.clone(), span: placed.span }
}

fn text(flat: &Flat<'_>, line: &Line) -> String {
    let mut tests: Vec<_> = line.tests.iter().filter_map(|number| flat.pools.tests.get(*number)).collect();
    tests.sort();
    let mut parts: Vec<String> = tests.into_iter().map(|one| test(one)).collect();
    parts.extend(statements(flat, line));
    let then = then(flat, &line.then);
    parts.extend((!then.is_empty()).then_some(then));
    parts.join(" ")
}

/// A line's statements.
pub(super) fn statements(flat: &Flat<'_>, line: &Line) -> Vec<String> {
    line.statements.iter().filter_map(|number| flat.pools.texts.get(*number)).map(|text| text.to_string()).collect()
}

/// What a line does in the end.
pub(super) fn then(flat: &Flat<'_>, then: &Then) -> String {
    match then {
        Then::Verdict(verdict) => verdict.to_string(),
        Then::Leave => "return".to_owned(),
        Then::Dispatch(number) => match flat.pools.dispatch_of(*number) {
            Some(dispatch) => format!("by {}, {} entries", dispatch.key, dispatch.entries.len()),
            None => String::new(),
        },
        Then::List(list) => {
            let list = flat.pools.list_of(*list);
            if list.lines.len() > RULES {
                return format!("{{ {} rules }}", list.rules);
            }
            let lines = list.lines.iter().filter_map(|placed| flat.pools.line_of(placed.line));
            let texts: Vec<String> = lines.map(|line| text(flat, &line)).collect();
            format!("{{ {} }}", texts.join("; "))
        }
    }
}

/// What a test looks at.
pub(super) fn key(test: &Test) -> String {
    if test.negated { format!("not {}", test.key) } else { test.key.to_string() }
}

/// A test; long lists of values are cut.
pub(super) fn test(test: &Test) -> String {
    match &test.value {
        Value::Any(values) if values.is_empty() => format!("{} (none)", key(test)),
        Value::Any(values) if values.len() > VALUES => {
            let first = values.iter().take(VALUES).cloned().collect();
            let short = Test { value: Value::Any(first), ..test.clone() };
            format!("{short} and {} more", values.len() - VALUES)
        }
        Value::One(_) | Value::Any(_) | Value::Set(_) => test.to_string(),
    }
}
