//! Rules that Proxmox VE's firewall has made and loaded itself.

use crate::state::ruleset::Ruleset;

/// What the names of its chains begin with, those that built-in chains lead to among them.
const PREFIX: &str = "PVEFW-";

/// Whether the rules of a program of iptables are pve-firewall's: all that stands in the built-in chains of its table leads to
/// chains of these, and something does.
#[must_use]
pub fn is_of_proxmox(rules: &Ruleset) -> bool {
    let filter = rules.tables.iter().filter(|(name, _)| &*name.name == "filter" && name.family.is_empty());
    let mut built_in = filter
        .flat_map(|(_, table)| table.chains.values())
        .filter(|chain| chain.base.is_some())
        .flat_map(|chain| &chain.rules)
        .peekable();
    built_in.peek().is_some()
        && built_in.all(|rule| rule.verdict.chain().is_some_and(|chain| chain.starts_with(PREFIX)))
}
