//! What is fwc's.
//!
//! In: what fwc wrote and what is there. Out: which tables and chains are fwc's own; how much there is of others'.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::state::ruleset::{Chain, Rule, Ruleset, Table, TableName, Test, Verdict};

/// The chains that the kernel calls in tables of iptables and ebtables.
pub(super) const BUILT_IN: [&str; 6] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING", "BROUTING"];

/// Whether the kernel calls a chain.
pub(super) fn is_root(name: &str, chain: &Chain) -> bool {
    // In ebtables every chain has a policy.
    chain.base.as_ref().is_some_and(|base| !base.hook.is_empty() || BUILT_IN.contains(&name))
}

/// What fwc owns on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// The tables that it wrote, whole.
    Tables,
    /// In these tables the chains whose names begin so; other chains lead packets to them.
    Chains {
        /// With the dash: `FWC-`.
        prefix: String,
    },
}

impl Ownership {
    /// What a file of fwc's claims: where all of its chains have a prefix, and none is the kernel's, it shares its tables.
    #[must_use]
    pub fn of(meant: &Ruleset) -> Self {
        let chains = || meant.tables.values().flat_map(|table| &table.chains);
        let built_in = |name: &str| BUILT_IN.iter().find_map(|known| name.strip_suffix(known)).map(str::to_owned);
        let prefix = chains().find_map(|(name, _)| built_in(name).filter(|prefix| prefix.ends_with('-')));
        match prefix {
            Some(prefix) if chains().all(|(name, _)| name.starts_with(&prefix)) => Self::Chains { prefix },
            Some(_) | None => Self::Tables,
        }
    }

    /// Whether a chain of a table that fwc wrote to is its own.
    #[must_use]
    pub fn owns(&self, chain: &str) -> bool {
        match self {
            Self::Tables => true,
            Self::Chains { prefix } => chain.starts_with(prefix.as_str()),
        }
    }
}

/// Chains of one table that are set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The table.
    pub table: TableName,
    /// Each with the number of its rules.
    pub chains: Vec<(Arc<str>, usize)>,
    /// Those among them that the kernel calls and that drop what comes to their end, each with nft's hook (of other
    /// programs none: the chain's name says it).
    pub closed: Vec<(Arc<str>, Option<String>)>,
}

impl Foreign {
    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.chains.iter().map(|(_, rules)| rules).sum()
    }
}

/// How far a table is there.
pub(super) enum State {
    Missing,
    Different,
    Comparable,
}

type Content<'r> = (&'r [Test], &'r [String], &'r Verdict);

pub(super) fn content(rule: &Rule) -> Content<'_> {
    (&rule.tests, &rule.statements, &rule.verdict)
}

fn own_rules<'t>(table: &'t Table, ownership: &'t Ownership) -> impl Iterator<Item = &'t Rule> {
    let own = table.chains.iter().filter(|(name, _)| ownership.owns(name));
    own.flat_map(|(_, chain)| &chain.rules)
}

/// Whether a table is there at all.
pub(super) fn state(meant: &Table, found: &Table, ownership: &Ownership) -> State {
    /// Fewer rules than these are told one by one.
    const FEW: usize = 4;
    let wanted = own_rules(meant, ownership).count();
    let closed = |table: &Table| {
        let roots = table.chains.iter().filter(|(name, chain)| is_root(name, chain));
        roots.filter_map(|(_, chain)| chain.base.as_ref()).any(|base| base.policy != Verdict::Accept)
    };
    if own_rules(found, ownership).next().is_none() {
        // A chain that lets all packets pass is as good as none.
        let nothing = wanted == 0 && !closed(meant);
        let rest = closed(found) && !matches!(ownership, Ownership::Chains { .. });
        return if nothing || rest || wanted < FEW && !found.chains.is_empty() {
            State::Comparable
        } else {
            State::Missing
        };
    }
    if wanted < FEW {
        return State::Comparable;
    }
    let there: HashSet<Content<'_>> = own_rules(found, ownership).map(content).collect();
    let known = |rule: &Rule| !rule.tests.is_empty() && there.contains(&content(rule));
    if own_rules(meant, ownership).any(known) { State::Comparable } else { State::Different }
}

/// Whether anything of what fwc wrote is loaded: whether the program enforces fwc's rules on a machine at all.
#[must_use]
pub fn is_loaded(meant: &Ruleset, found: &Ruleset) -> bool {
    let ownership = Ownership::of(meant);
    meant.tables.iter().any(|(name, wanted)| {
        let Some(there) = found.tables.get(name) else { return false };
        if !name.family.is_empty() {
            return !there.chains.is_empty();
        }
        let own = |name: &&Arc<str>| !BUILT_IN.contains(&&***name) && there.chains.contains_key(*name);
        if wanted.chains.keys().any(|name| own(&name)) {
            return true;
        }
        let contents: HashSet<Content<'_>> = own_rules(there, &ownership).map(content).collect();
        wanted
            .chains
            .values()
            .flat_map(|chain| &chain.rules)
            .any(|rule| !rule.tests.is_empty() && contents.contains(&content(rule)))
    })
}

/// Where the kernel calls a chain that drops what comes to its end: nft's hook. None for other chains.
fn closed(name: &str, chain: &Chain) -> Option<Option<String>> {
    chain.base.as_ref().filter(|base| is_root(name, chain) && base.policy == Verdict::Drop)?;
    Some(hook(chain))
}

/// The hook of the kernel that a chain of nft hangs at.
pub(super) fn hook(chain: &Chain) -> Option<String> {
    chain.base.as_ref()?.hook.split(' ').skip_while(|word| *word != "hook").nth(1).map(str::to_owned)
}

/// What is not fwc's; tables and chains without rules are nothing, where they do not drop by policy.
pub(super) fn foreign(meant: &Ruleset, found: &Ruleset, ownership: &Ownership) -> Vec<Foreign> {
    let mut all = Vec::new();
    for (name, table) in &found.tables {
        let ours = meant.tables.contains_key(name);
        let theirs = table.chains.iter().filter(|(chain, _)| !ours || !ownership.owns(chain));
        // Rules that lead to own chains are told of elsewhere, save those that lead to chains which others of fwc's call.
        let leads = |chain: &str, rule: &Rule| {
            rule.verdict.chain().filter(|to| ours && ownership.owns(to)).is_some_and(|to| {
                to.ends_with(chain) || !meant.tables.get(name).is_some_and(|table| table.chains.contains_key(to))
            })
        };
        let drops = |name: &Arc<str>| table.chains.get(name).and_then(|chain| closed(name, chain));
        let chains: Vec<_> = theirs
            .map(|(chain, content)| {
                (Arc::clone(chain), content.rules.iter().filter(|rule| !leads(chain, rule)).count())
            })
            .filter(|(name, rules)| *rules > 0 || drops(name).is_some())
            .collect();
        let closed = chains.iter().filter_map(|(name, _)| Some((Arc::clone(name), drops(name)?))).collect();
        if !chains.is_empty() {
            all.push(Foreign { table: name.clone(), chains, closed });
        }
    }
    all
}

/// The own chains of a table that stand for the kernel's, and the names of these.
pub(super) fn stand_ins(table: &Table, prefix: &str) -> Vec<(Arc<str>, &'static str)> {
    let all: BTreeSet<&Arc<str>> = table.chains.keys().collect();
    let of = |name: &Arc<str>| BUILT_IN.iter().find(|known| name.strip_prefix(prefix) == Some(known)).copied();
    all.into_iter().filter_map(|name| Some((Arc::clone(name), of(name)?))).collect()
}
