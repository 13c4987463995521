//! Whether loaded rules are understood, and rightly.

mod foreign;
mod frames;
mod golden;
mod lead;
mod said;
pub(crate) mod samples;
mod spelling;
mod walked;
mod warmed;

use crate::net::Family;
use crate::state::ruleset::{Program, Rule, Ruleset, Table};

use super::{Asked, Condition, Effect, iptables, nft};

/// Every rule with its table's family and table.
fn each(ruleset: &Ruleset, mut visit: impl FnMut(&str, &Table, &Rule)) {
    for (name, table) in &ruleset.tables {
        for rule in table.chains.values().flat_map(|chain| &chain.rules) {
            visit(&name.family, table, rule);
        }
    }
}

/// What a rule asks, of whichever program.
fn asked(program: Program, family: &str, table: &Table, rule: &Rule) -> Asked {
    match program {
        Program::Iptables => iptables::asked(Family::V4, table, rule),
        Program::Ip6tables => iptables::asked(Family::V6, table, rule),
        Program::Nft => nft::asked(family, table, rule),
        Program::Ebtables => panic!("rules of ebtables are read elsewhere"),
    }
}

/// The words that are not understood.
fn opaque<'a>(asked: &'a Asked) -> Vec<&'a str> {
    let condition = |one: &'a Condition| if let Condition::Opaque(words) = one { Some(words.as_str()) } else { None };
    let effect = |one: &'a Effect| if let Effect::Opaque(words) = one { Some(words.as_str()) } else { None };
    asked.conditions.iter().filter_map(condition).chain(asked.effects.iter().filter_map(effect)).collect()
}
