//! Verdicts that are looked up.

use std::collections::BTreeMap;

use crate::state::ruleset::{Rule, Table, Verdict};

use super::super::{Condition, Port};
use super::key::{self, Context};
use super::{Kind, condition};

/// What becomes of packets by a verdict that is looked up. A packet that is in none of them goes on to the next rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cases<'t> {
    /// By the name of a port, of which no one is but the beginning of one.
    Port {
        /// Which.
        port: Port,
        /// For each name.
        entries: &'t BTreeMap<String, Verdict>,
    },
    /// By fields of the packet: all of the conditions must hold. No packet is in two of them.
    Packet(Vec<(Vec<Condition>, Verdict)>),
    /// By something that is not known.
    Opaque,
}

/// The cases of a rule's verdict; none if it is not looked up.
pub(super) fn read<'r>(kind: Kind, table: &'r Table, rule: &'r Rule) -> Option<Cases<'r>> {
    let (key, entries) = match &rule.verdict {
        Verdict::Map { key, map } => match table.maps.get(map) {
            // What is said of a map besides may be that packets fill it.
            Some(known) if !table.others.contains_key(&format!("map {map}")) => (key, &known.elements),
            Some(_) | None => return Some(Cases::Opaque),
        },
        Verdict::Inline { key, elements } => (key, elements),
        Verdict::Continue
        | Verdict::Accept
        | Verdict::Drop
        | Verdict::Return
        | Verdict::Reject(_)
        | Verdict::Jump(_)
        | Verdict::Goto(_)
        | Verdict::Other(_) => return None,
    };
    Some(of_key(kind, rule, key, entries).unwrap_or(Cases::Opaque))
}

fn of_key<'r>(kind: Kind, rule: &Rule, key: &str, entries: &'r BTreeMap<String, Verdict>) -> Option<Cases<'r>> {
    if let Some(port) = key::port(key) {
        let whole = entries.keys().all(|name| !name.is_empty() && !name.contains(['*', '\\', ' ']));
        return whole.then_some(Cases::Port { port, entries });
    }
    let look = Context::new(kind, rule).look(key)?;
    let case = |(value, verdict): (&String, &Verdict)| {
        let values = look.values(std::iter::once(value.as_str()))?;
        Some((vec![condition(kind, &look, values)], verdict.clone()))
    };
    entries.iter().map(case).collect::<Option<Vec<_>>>().map(Cases::Packet)
}
