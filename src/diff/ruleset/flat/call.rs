//! What a call comes to: the lines of what it calls, or one line with them within.

use std::sync::Arc;

use super::pool::{Changes, END, Line, List, Placed, Then};
use super::{Calls, Flat, known, placed};
use crate::diagnostic::Span;
use crate::state::ruleset::{Rule, Value};

/// A call of a list.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) list: Arc<List>,
    pub(super) goto: bool,
    pub(super) span: Span,
    pub(super) ordinal: u32,
    /// Nothing follows in the chain of the call.
    pub(super) last: bool,
}

impl Flat<'_> {
    /// Adds what a rule calls; `line` holds the rule's own tests and statements.
    pub(super) fn call(&mut self, out: &mut Vec<Placed>, line: Line, call: Call, behind: &[Rule]) {
        let list = Arc::clone(&call.list);
        let free = line.statements.is_empty();
        if free && line.tests.is_empty() {
            self.insert(out, &list, &call, None);
            // What comes out of a goto does not see the rules behind it.
            if call.goto && !call.last && list.falls {
                self.leave(out, line, &call);
            }
            return;
        }
        if self.calls == Calls::Spread && free && self.stable(&line.tests, list.changes) {
            self.insert(out, &list, &call, Some(&line));
            if call.goto && !call.last && list.falls && !self.apart(&line.tests, behind) {
                self.leave(out, line, &call);
            }
            return;
        }
        let line = self.pools.line(Line { then: Then::List(list.number), ..line });
        out.push(Placed { leave: call.goto && !list.ends, ..placed(line, call.span, call.ordinal) });
    }

    /// Adds the lines of a list, each behind the tests of `before`.
    fn insert(&mut self, out: &mut Vec<Placed>, list: &List, call: &Call, before: Option<&Line>) {
        let start = u32::try_from(out.len()).unwrap_or(END);
        let length = u32::try_from(list.lines.len()).unwrap_or(END);
        for placed in &list.lines {
            let line = match (before, self.pools.line_of(placed.line)) {
                (Some(before), Some(line)) => {
                    let mut tests: Vec<u32> = before.tests.iter().chain(&line.tests).copied().collect();
                    tests.sort_unstable();
                    tests.dedup();
                    let comment = line.comment.clone().or_else(|| before.comment.clone());
                    self.pools.line(Line { tests, comment, ..Line::clone(&line) })
                }
                (Some(_) | None, _) => placed.line,
            };
            let to = match placed.to {
                END if call.goto => END,
                END => start.saturating_add(length),
                to => start.saturating_add(to),
            };
            let [first, second, third, _] = placed.site;
            let site = [call.ordinal, first, second, third];
            let [outer, middle, inner, _] = placed.via;
            let via = [call.span, outer, middle, inner];
            out.push(Placed { line, to, site, via, ..placed.clone() });
        }
    }

    /// Adds a line that leaves the list.
    fn leave(&mut self, out: &mut Vec<Placed>, line: Line, call: &Call) {
        let line = self.pools.line(Line { then: Then::Leave, comment: None, ..line });
        out.push(Placed { leave: true, made: true, ..placed(line, call.span, call.ordinal) });
    }

    /// Whether these tests say the same before and after such changes.
    fn stable(&self, tests: &[u32], changes: Changes) -> bool {
        match changes {
            Changes::Nothing => true,
            Changes::Mark => tests
                .iter()
                .filter_map(|test| self.pools.tests.get(*test))
                .all(|test| !test.key.contains("mark") && !matches!(test.value, Value::Set(_))),
            Changes::Anything => false,
        }
    }

    /// Whether no packet that passes these tests fits one of the rules behind.
    fn apart(&self, tests: &[u32], behind: &[Rule]) -> bool {
        const FAR: usize = 64;
        let tests: Vec<_> = tests.iter().filter_map(|test| self.pools.tests.get(*test)).collect();
        behind.len() <= FAR
            && behind.iter().all(|rule| rule.tests.iter().any(|test| tests.iter().any(|own| known::apart(own, test))))
    }
}
