//! A program's rules in the words of packets, and what is found once for all that is asked of them.

use crate::analysis::loaded::Chains;
use crate::policy::HostPolicy;
use crate::state::ruleset::{Program, Ruleset, TableName};
use crate::target::iptables::{self, proof::Destinations};
use crate::target::nft;

use super::family;

/// A program's rules, and those of its tables that are looked at in the words of packets.
#[derive(Debug)]
pub(in crate::target) struct Translated<'t> {
    pub(in crate::target) program: Program,
    tables: Vec<(&'t TableName, Chains<'t>)>,
    /// Where packets go to, in programs that see no ports of bridges where they are routed.
    pub(in crate::target) destinations: Destinations,
}

impl<'t> Translated<'t> {
    pub(in crate::target) fn new(host: &HostPolicy, rules: &'t Ruleset) -> Self {
        let program = rules.program;
        let is_asked = |name: &TableName| match program {
            Program::Nft => nft::proof::is_asked(name),
            Program::Iptables | Program::Ip6tables => iptables::proof::is_asked(name),
            Program::Ebtables => false,
        };
        let tables = rules.tables.iter().filter(|(name, _)| is_asked(name));
        let tables = tables.map(|(name, table)| (name, Chains::new(program, name, table))).collect();
        let mut all = Self { program, tables, destinations: Destinations::default() };
        if let Some(family) = family(program)
            && let Some((_, chains)) = all.table(|table| &*table.name == "filter")
        {
            all.destinations = Destinations::new(host, family, chains);
        }
        all
    }

    /// A table, by what its name is like.
    pub(in crate::target) fn table(&self, wanted: impl Fn(&TableName) -> bool) -> Option<(&'t TableName, &Chains<'t>)> {
        self.tables.iter().find(|(name, _)| wanted(name)).map(|(name, chains)| (*name, chains))
    }
}
