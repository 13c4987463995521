//! The words of whichever program a table is of, translated.

use crate::net::Family;
use crate::state::ruleset::{Program, Rule, Table};

use super::nft::Cases;
use super::{Asked, iptables, nft};

/// What translates the rules of one table.
#[derive(Debug)]
pub(super) enum Words<'t> {
    Iptables(iptables::Words<'t>),
    Nft(nft::Words<'t>),
}

impl<'t> Words<'t> {
    /// `family` is that of nft's table.
    pub(super) fn new(program: Program, family: &str, table: &'t Table) -> Self {
        match program {
            Program::Nft => Self::Nft(nft::Words::new(family, table)),
            Program::Ip6tables => Self::Iptables(iptables::Words::new(Family::V6, table)),
            Program::Iptables | Program::Ebtables => Self::Iptables(iptables::Words::new(Family::V4, table)),
        }
    }

    /// What a rule asks.
    pub(super) fn asked(&mut self, rule: &Rule) -> Asked {
        match self {
            Self::Iptables(words) => words.asked(rule),
            Self::Nft(words) => words.asked(rule),
        }
    }

    /// What a rule's verdict is looked up by, where it is.
    pub(super) fn cases(&self, rule: &'t Rule) -> Option<Cases<'t>> {
        match self {
            Self::Iptables(_) => None,
            Self::Nft(words) => words.cases(rule),
        }
    }
}
