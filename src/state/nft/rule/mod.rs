//! One rule in its one spelling.
//!
//! In: the tokens of a rule. Out: the [`Rule`], each value in its one spelling, defaults spelled out, and without conditions that
//! another one implies. Promise: two equal rules are listed alike by nft; what is not known here stays as it is written,
//! among the statements.
//!
//! A listing (nft 1.0.6, in both its forms) does not tell all that the kernel holds: beside `reject with tcp reset` it leaves the
//! family out, and so it does beside `meta l4proto icmp`. Rules that differ in that alone are equal here.

mod implied;
mod key;
mod statement;
mod test;

use std::collections::BTreeMap;

use super::element;
use super::token::{Cursor, Mark, Token, join};
use crate::diagnostic::Span;
use crate::state::ruleset::{Rule, Test, Unlisted, Verdict};
use implied::{Asked, Carried, Network};
use key::{Keys, Uses};

/// Words that begin a part of a rule and stand in no key or value.
const STARTS: &[&str] = &[
    "accept", "drop", "return", "continue", "jump", "goto", "reject", "queue", "counter", "comment", "log", "limit",
    "quota", "notrack", "meter", "xt",
];

/// What is kept from one rule to the next.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Those that rules before asked for.
    keys: Keys,
    /// Empty between two rules.
    tests: Vec<Asked>,
}

/// A rule of a table of this family.
pub(super) fn read(family: &str, tokens: &[Token<'_>], span: Span, room: &mut Room) -> Rule {
    let mut draft = Draft::new(family, room);
    let mut cursor = Cursor::new(tokens);
    while !cursor.is_done() {
        draft.part(&mut cursor);
    }
    draft.finish(span)
}

/// A statement of a rule, and the tests behind it.
#[derive(Debug)]
struct Behind {
    text: String,
    uses: Uses,
    tests: Vec<Asked>,
}

#[derive(Debug)]
struct Draft<'k> {
    family: &'k str,
    keys: &'k mut Keys,
    /// The tests before any statement.
    tests: &'k mut Vec<Asked>,
    /// In their order.
    statements: Vec<Behind>,
    verdict: Option<Verdict>,
    /// What the verdict looks at.
    uses: Uses,
    comment: Option<std::sync::Arc<str>>,
    carried: Carried,
    /// What a listing leaves out.
    left: Vec<Test>,
}

impl<'k> Draft<'k> {
    fn new(family: &'k str, room: &'k mut Room) -> Self {
        let Room { keys, tests } = room;
        Self {
            family,
            keys,
            tests,
            statements: Vec::new(),
            verdict: None,
            uses: Uses::default(),
            comment: None,
            carried: Carried::default(),
            left: Vec::new(),
        }
    }

    /// Reads the next part, of at least one token.
    fn part(&mut self, cursor: &mut Cursor<'_, '_>) {
        if let Some(verdict) = element::simple_verdict(cursor) {
            return self.decide(verdict);
        }
        match cursor.bare(0) {
            "comment" => {
                cursor.skip(1);
                self.comment = cursor.text().map(Into::into);
            }
            "reject" => {
                let verdict = statement::reject(cursor);
                self.decide(verdict);
            }
            // Statements that end a rule, and that no other part here has a place for.
            "queue" | "snat" | "dnat" | "masquerade" | "redirect" | "fwd" => {
                let verdict = Verdict::Other(statement::written(cursor));
                self.decide(verdict);
            }
            _ => match statement::read(cursor, self.keys) {
                Some(Some((text, uses))) => self.statement(text, uses),
                Some(None) => {}
                None => self.expression(cursor),
            },
        }
    }

    /// A match, a verdict by map, or a change of what the key names.
    fn expression<'a, 't>(&mut self, cursor: &mut Cursor<'a, 't>) {
        let Some(key) = key::read(cursor, self.keys) else {
            return self.statement(statement::written(cursor), Uses::default());
        };
        match cursor.bare(0) {
            "set" => {
                cursor.skip(1);
                let text = statement::change(&key, cursor, self.keys);
                self.statement(text, key.uses);
            }
            "vmap" => {
                cursor.skip(1);
                self.uses = self.uses.and(key.uses);
                let verdict = by_map(&key, cursor);
                self.decide(verdict);
            }
            _ => {
                let test = test::read(&key, cursor);
                self.test(test, key.uses);
            }
        }
    }

    /// A verdict; one behind another keeps the first in its place.
    fn decide(&mut self, verdict: Verdict) {
        if let Some(before) = self.verdict.replace(verdict) {
            self.statement(before.to_string(), Uses::default());
        }
    }

    fn test(&mut self, test: Test, uses: Uses) {
        self.carries(Some(&test), uses);
        let group = self.statements.last_mut().map_or(&mut *self.tests, |last| &mut last.tests);
        group.push((respelled(self.family, test), uses));
    }

    fn statement(&mut self, text: String, uses: Uses) {
        self.carries(None, uses);
        self.statements.push(Behind { text, uses, tests: Vec::new() });
    }

    fn carries(&mut self, test: Option<&Test>, uses: Uses) {
        if self.family == "bridge" {
            self.left.extend(self.carried.before(test, uses));
        }
    }

    fn finish(self, span: Span) -> Rule {
        let Self { family, tests, mut statements, verdict, uses, comment, mut left, .. } = self;
        let mut verdict = verdict.unwrap_or(Verdict::Continue);
        if let Verdict::Reject(answer) = &mut verdict {
            let meant = |network: &Network| {
                network.is_meant(tests) || statements.iter().any(|behind| network.is_meant(&behind.tests))
            };
            let network = match family {
                "ip" => Some(Network::V4),
                "ip6" => Some(Network::V6),
                _ => Network::BOTH.into_iter().find(meant),
            };
            *answer = statement::answer(answer, network);
            let last = statements.last_mut().map(|last| &mut last.tests);
            leave_out_of_reject(answer, tests, last, &mut left);
        }
        implied::leave_out(tests, statements.first().map_or(uses, |next| next.uses), &mut left);
        let mut rest = statements.as_mut_slice();
        while let Some((behind, more)) = rest.split_first_mut() {
            implied::leave_out(&mut behind.tests, more.first().map_or(uses, |next| next.uses), &mut left);
            rest = more;
        }
        let tests = sorted(tests);
        // A condition behind a statement does not hold for that statement: it keeps its place.
        let mut texts = Vec::with_capacity(statements.iter().map(|behind| 1 + behind.tests.len()).sum());
        for mut behind in statements {
            texts.push(behind.text);
            texts.extend(sorted(&mut behind.tests).iter().map(Test::to_string));
        }
        Rule { tests, statements: texts, verdict, unlisted: Unlisted(left), comment, span }
    }
}

/// Takes tests out, sorted, each once.
fn sorted(asked: &mut Vec<Asked>) -> Vec<Test> {
    let mut tests: Vec<Test> = asked.drain(..).map(|(test, _)| test).collect();
    if !tests.is_sorted_by(|one, next| one < next) {
        tests.sort();
        tests.dedup();
    }
    tests
}

/// Leaves out what an answer means: nft asks for its family, or for TCP, before all else of the rule. Behind the tests that
/// the rule begins with are those behind its last statement, if it has one.
fn leave_out_of_reject(answer: &str, first: &mut Vec<Asked>, last: Option<&mut Vec<Asked>>, left: &mut Vec<Test>) {
    let network = match answer.split(' ').next() {
        Some("icmp") => Network::V4,
        Some("icmpv6") => Network::V6,
        Some("tcp") => {
            implied::leave_out_tcp(first, left);
            // This one it leaves out of a listing, though the answer does not mean it.
            let last = last.unwrap_or(first);
            Network::BOTH.into_iter().for_each(|network| network.leave_out(last, left));
            return;
        }
        _ => return,
    };
    network.leave_out(first, left);
    if let Some(last) = last {
        network.leave_out(last, left);
    }
}

/// Two keys that ask the same in a family, as one.
fn respelled(family: &str, mut test: Test) -> Test {
    let key = match (family, &*test.key, &test.value) {
        ("ip", "ip protocol", _) => "meta l4proto",
        ("inet", "meta protocol", crate::state::ruleset::Value::One(value)) => {
            let name = match value.as_str() {
                "ip" => "ipv4",
                "ip6" => "ipv6",
                _ => return test,
            };
            test.value = crate::state::ruleset::Value::One(name.into());
            "meta nfproto"
        }
        (_, _, _) => return test,
    };
    test.key = key.into();
    test
}

/// `vmap @name`, `vmap { … }`.
fn by_map(key: &key::Key<'_, '_>, cursor: &mut Cursor<'_, '_>) -> Verdict {
    if cursor.bare(0) == "{" {
        let elements: BTreeMap<String, Verdict> = element::pairs(key.kinds(), cursor.braces())
            .into_iter()
            .map(|(value, verdict)| (value, element::verdict(&verdict)))
            .collect();
        return Verdict::Inline { key: key.whole().to_string(), elements };
    }
    let map = cursor.text().unwrap_or_default();
    Verdict::Map { key: key.whole().to_string(), map: map.strip_prefix('@').unwrap_or(map).into() }
}

/// Whether a token begins another part of the rule.
fn is_start(token: &Token<'_>) -> bool {
    token.mark == Mark::Bare && STARTS.contains(&&*token.text)
}

/// Tokens as they are written, sets in the order of their elements.
fn verbatim(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    let mut cursor = Cursor::new(tokens);
    while let Some(token) = cursor.peek() {
        if !text.is_empty() {
            text.push(' ');
        }
        if token.is("{") {
            let mut elements: Vec<String> = element::split(cursor.braces()).map(join).collect();
            elements.sort();
            text.extend(["{ ", &elements.join(", "), " }"]);
        } else {
            text.push_str(&join(std::slice::from_ref(token)));
            cursor.skip(1);
        }
    }
    text
}
