//! What rules of nft ask of packets.
//!
//! In: a rule as [`crate::state::nft`] reads it from a script, and its table, for the sets, maps and helpers that it names. Out:
//! [`Asked`], with the conditions that nft itself adds for the kernel: that `tcp dport` is of TCP, `ip saddr` of IPv4. Promise: what is
//! not surely known is opaque.
//!
//! A listing of nft 1.0.6 does not tell all that a script does (see [`Unlisted`](crate::state::ruleset::Unlisted)): where what it leaves
//! out would change the meaning, a rule without it is opaque, but for the family beside `reject with tcp reset`.

mod cases;
mod key;
mod set;
mod statement;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::sets::Field;
use crate::net::{Family, Ranges};
use crate::policy::Synflood;
use crate::state::ruleset::{Rule, Table, Test, Value, Verdict};

use super::values::{self, Draft, texts};
use super::{Asked, Condition, Fields, Pattern, Port};
pub use cases::Cases;
use key::{Context, Domain, Look};
use set::Sets;

/// What a rule of a table of a family (`inet`) asks.
#[must_use]
pub fn asked(family: &str, table: &Table, rule: &Rule) -> Asked {
    Words::new(family, table).asked(rule)
}

/// What [`Condition::Above`] says of a limit for new connections, where nft keeps it.
#[must_use]
pub fn above(family: Family, limit: Synflood) -> String {
    let Synflood { rate, burst } = limit;
    statement::spell_above(family, &format!("{rate}/second"), &burst.to_string())
}

/// The family of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inet,
    Ip(Family),
    Bridge,
    Other,
}

impl Kind {
    fn of(family: &str) -> Self {
        match family {
            "inet" => Self::Inet,
            "ip" => Self::Ip(Family::V4),
            "ip6" => Self::Ip(Family::V6),
            "bridge" => Self::Bridge,
            _ => Self::Other,
        }
    }
}

/// Understands the rules of a table, and remembers its sets.
#[derive(Debug)]
pub struct Words<'t> {
    kind: Kind,
    table: &'t Table,
    sets: Sets<'t>,
    draft: Draft,
}

impl<'t> Words<'t> {
    /// For a table of a family: `inet`, `ip`, `ip6`, `bridge`.
    #[must_use]
    pub fn new(family: &str, table: &'t Table) -> Self {
        Self { kind: Kind::of(family), table, sets: Sets::new(table), draft: Draft::default() }
    }

    /// What a rule of the table asks.
    pub fn asked(&mut self, rule: &Rule) -> Asked {
        let context = Context::new(self.kind, rule);
        let mut draft = std::mem::take(&mut self.draft);
        for test in rule.tests.iter().chain(&rule.unlisted.0) {
            if self.test(&context, test, &mut draft).is_none() {
                draft.opaque(test);
            }
        }
        match answer_is_for(self.kind, &rule.verdict) {
            Some(domain) => domain.ask(&mut draft),
            None => draft.opaque(&rule.verdict),
        }
        statement::read(self.table, rule, &mut draft);
        let asked = draft.finish();
        self.draft = draft;
        asked
    }

    /// What becomes of packets by a verdict that is looked up; none for one that is not.
    #[must_use]
    pub fn cases<'r>(&self, rule: &'r Rule) -> Option<Cases<'r>>
    where
        't: 'r,
    {
        cases::read(self.kind, self.table, rule)
    }

    /// Adds what a test asks; none where that is not understood.
    fn test(&mut self, context: &Context, test: &Test, draft: &mut Draft) -> Option<()> {
        let key = &*test.key;
        if let Some(port) = key::port(key) {
            let names = match &test.value {
                Value::Set(name) => self.sets.names(name)?,
                value @ (Value::One(_) | Value::Any(_)) => key::patterns(texts(value)?)?,
            };
            draft.and(Condition::Port { port, names, negated: test.negated });
            return Some(());
        }
        let look = match context.look(key) {
            Some(look) if key != "ether type" && !context.lacks_family(test) => look,
            Some(_) | None => {
                draft.and(self.other(context, test)?);
                return Some(());
            }
        };
        let values = self.values(context, test, &look)?;
        let values = values::unless(test.negated, look.field, look.family(), values);
        if is_untracked(self.kind, &look, &values) {
            draft.and(condition(self.kind, &look, values));
        } else {
            look.domain.ask(draft);
            draft.field(look.field, values);
        }
        Some(())
    }

    /// What a test asks that looks at no field, or at several.
    fn other(&mut self, context: &Context, test: &Test) -> Option<Condition> {
        let key = &*test.key;
        if let ("iif" | "oif", false, Value::One(name)) = (key, test.negated, &test.value) {
            // Of other interfaces the numbers may have changed since.
            let port = if key == "iif" { Port::In } else { Port::Out };
            let names = [Pattern::Is(Arc::from(name.as_str()))].into();
            return (name == "lo").then_some(Condition::Port { port, names, negated: false });
        }
        if key == "meta mark" || key.starts_with("meta mark & ") {
            return mark(test);
        }
        if key == "ether type" {
            return self.outer(context, test);
        }
        if context.lacks_family(test) || !key.contains(" . ") {
            return None;
        }
        self.sets.concatenation(context, test)
    }

    /// The values that a test of one key compares with.
    fn values(&mut self, context: &Context, test: &Test, look: &Look) -> Option<Ranges<u128>> {
        match &test.value {
            Value::Set(name) => self.sets.values(context, name, &test.key, look),
            Value::One(text) => look.value(text),
            value @ Value::Any(_) => look.values(texts(value)?),
        }
    }

    fn outer(&mut self, context: &Context, test: &Test) -> Option<Condition> {
        let values = self.values(context, test, &Look::frames())?;
        let bridge = self.kind == Kind::Bridge;
        bridge.then(|| Condition::Outer(values::unless(test.negated, Field::Frame, Family::V4, values)))
    }
}

/// Packets whose field has some values.
fn condition(kind: Kind, look: &Look, values: Ranges<u128>) -> Condition {
    let untracked = is_untracked(kind, look, &values);
    let mut choices = vec![look.domain.fields().and(look.field, values)];
    if untracked {
        let others = values::unless(true, Field::Frame, Family::V4, values::ip_frames().clone());
        choices.push(Fields::one(Field::Frame, others));
    }
    Condition::Packet(choices)
}

/// Whether frames fit that connections are not tracked of: such a one has no state, and so an invalid one.
fn is_untracked(kind: Kind, look: &Look, values: &Ranges<u128>) -> bool {
    kind == Kind::Bridge && look.field == Field::State && values.contains(INVALID)
}

/// The number of the state.
const INVALID: u128 = 3;

/// The packets that an answer can be given to, which nft asks for; none where that is not known.
fn answer_is_for(kind: Kind, verdict: &Verdict) -> Option<Domain> {
    let Verdict::Reject(answer) = verdict else { return Some(Domain::All) };
    match (answer.split(' ').next()?, kind) {
        ("icmp", _) => Some(Domain::Of(Family::V4)),
        ("icmpv6", _) => Some(Domain::Of(Family::V6)),
        ("tcp", _) => Some(Domain::Protocol(crate::net::Protocol::TCP, None)),
        ("icmpx", Kind::Inet | Kind::Bridge) => Some(Domain::All),
        _ => None,
    }
}

fn mark(test: &Test) -> Option<Condition> {
    let number =
        |text: &str| crate::state::nft::number("meta mark", text).and_then(|number| u32::try_from(number).ok());
    let Value::One(text) = &test.value else { return None };
    let mask = match test.key.strip_prefix("meta mark & ") {
        Some(mask) => number(mask)?,
        None => u32::MAX,
    };
    Some(values::mark(mask, number(text)?, test.negated))
}

/// Names and what belongs to each, which rules share.
type Entries = Arc<BTreeMap<Arc<str>, Vec<Fields>>>;
