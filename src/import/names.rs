//! The names that a file of Proxmox VE's defines, and what its words for addresses stand for.
//!
//! Alias names are the same in any case. Groups and ipsets are lower case where they are defined, and looked up as
//! written. A guest's own definition hides the cluster's, unless a scope (`dc/`, `guest/`) says which is meant.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::net::{AddressSet, Family, parse_address_range, parse_prefix};
use crate::state::fw::is_name;

/// What one file defines.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// By name in lower case.
    pub(super) aliases: BTreeMap<String, IpNet>,
    /// By name; sets without an address in them are here too.
    pub(super) ipsets: BTreeMap<String, AddressSet>,
    /// The groups; the cluster's file alone has any.
    pub(super) groups: BTreeSet<String>,
}

/// Where words are looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'n> {
    /// `cluster.fw`; none where there is no such file, and nothing is known of its names.
    pub(super) cluster: Option<&'n Names>,
    /// A guest's own file.
    pub(super) guest: Option<&'n Names>,
}

/// What a word stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    /// In the words of the spec.
    pub(super) terms: Vec<String>,
    /// Its addresses; none where they are not known here.
    pub(super) set: Option<AddressSet>,
}

impl Meaning {
    /// Whether packets of a family can match.
    pub(super) fn has(&self, family: Family) -> bool {
        self.set.as_ref().is_none_or(|set| set.has(family))
    }
}

/// Why a word stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Proxmox VE takes the line for broken.
    Broken(String),
    /// Proxmox VE knows what it means, and the spec has no word for it.
    NoWord(String),
}

fn broken<T>(reason: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Broken(reason.into()))
}

impl<'n> Scope<'n> {
    /// `-source` and `-dest`: an ipset, an alias, a range, or a list of addresses and networks.
    pub(super) fn addresses(self, text: &str) -> Result<Meaning, Problem> {
        if let Some(name) = text.strip_prefix('+') {
            return self.ipset(name);
        }
        if text.split('/').next_back().is_some_and(is_name) {
            return self.alias(text);
        }
        list(text)
    }

    /// The scopes in which a name is looked up, the nearest first, with the prefix that leads to each.
    fn reach(self, scope: Option<&str>) -> Result<Vec<(&'static str, Option<&'n Names>)>, Problem> {
        let guest = self.guest.map(|names| ("guest/", Some(names)));
        match scope {
            None => Ok(guest.into_iter().chain([("dc/", self.cluster)]).collect()),
            Some("dc") => Ok(vec![("dc/", self.cluster)]),
            Some("guest") => match guest {
                Some(guest) => Ok(vec![guest]),
                None => broken("`guest/` has a meaning in a guest's rules only"),
            },
            Some("sdn") => {
                Err(Problem::NoWord("what `sdn/` names is made from the network's configuration".to_owned()))
            }
            Some(other) => broken(format!("there is no scope `{other}/`")),
        }
    }

    fn ipset(self, word: &str) -> Result<Meaning, Problem> {
        let (scope, name) = split(word);
        let reach = self.reach(scope)?;
        if !is_name(name) {
            return broken(format!("`{name}` is not the name of an ipset"));
        }
        for (prefix_of_origin, names) in &reach {
            let set = match names {
                // Nobody knows what a file holds that is not there.
                None => None,
                Some(names) => match names.ipsets.get(name) {
                    Some(set) => Some(set.clone()),
                    None => continue,
                },
            };
            let hidden = scope.is_some() && self.is_ambiguous(|names| names.ipsets.contains_key(name));
            let prefix = if hidden { prefix_of_origin } else { "" };
            let mut terms = vec![format!("+{prefix}{name}")];
            let mut known = set;
            // Proxmox VE's own set holds the local network, also where a rule names it.
            if name == "management" && *prefix_of_origin == "dc/" && !self.holds_local_network(known.as_ref()) {
                terms.push("local_network".to_owned());
                known = known.zip(self.local_network()).map(|(set, network)| set.union(&network));
            }
            return Ok(Meaning { terms, set: known });
        }
        if self.exists_in_lower_case(&reach, name) {
            return broken(format!("there is no ipset `{name}`: where they are defined, names become lower case"));
        }
        broken(format!("there is no ipset `{name}`"))
    }

    fn exists_in_lower_case(self, reach: &[(&'static str, Option<&'n Names>)], name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        reach.iter().filter_map(|(_, names)| *names).any(|names| names.ipsets.contains_key(&lower))
    }

    /// `local_network`, where the cluster defines it.
    fn local_network(self) -> Option<AddressSet> {
        self.cluster.and_then(|names| names.aliases.get("local_network")).map(|network| AddressSet::network(*network))
    }

    /// Whether all of it is in a set.
    fn holds_local_network(self, set: Option<&AddressSet>) -> bool {
        self.local_network().zip(set).is_some_and(|(network, set)| network.difference(set).is_empty())
    }

    /// Whether a name without its scope would be found in another place.
    fn is_ambiguous(self, defines: impl Fn(&Names) -> bool) -> bool {
        self.guest.is_some_and(&defines) && self.cluster.is_some_and(&defines)
    }

    /// An alias, with or without a scope.
    pub(super) fn alias(self, word: &str) -> Result<Meaning, Problem> {
        let (scope, name) = split(word);
        let reach = self.reach(scope)?;
        let lower = name.to_ascii_lowercase();
        for (prefix, names) in reach {
            let network = match names {
                None => None,
                Some(names) => match names.aliases.get(&lower) {
                    Some(network) => Some(*network),
                    // Proxmox VE defines it itself where nobody does.
                    None if lower == "local_network" && prefix == "dc/" => None,
                    None => continue,
                },
            };
            let hidden = scope.is_some() && self.is_ambiguous(|names| names.aliases.contains_key(&lower));
            let prefix = if hidden { prefix } else { "" };
            return Ok(Meaning { terms: vec![format!("{prefix}{lower}")], set: network.map(AddressSet::network) });
        }
        broken(format!("there is no alias `{name}`"))
    }
}

fn split(word: &str) -> (Option<&str>, &str) {
    match word.split_once('/') {
        Some((scope, name)) => (Some(scope), name),
        None => (None, word),
    }
}

/// Addresses and networks of one family between commas, or one range.
fn list(text: &str) -> Result<Meaning, Problem> {
    let parts: Vec<&str> = text.split(',').collect();
    if let [range] = parts.as_slice()
        && range.contains('-')
    {
        return match parse_address_range(range) {
            Ok(set) => Ok(Meaning { terms: vec![(*range).to_owned()], set: Some(set) }),
            Err(message) => broken(message),
        };
    }
    let mut terms = Vec::with_capacity(parts.len());
    let mut sets = Vec::with_capacity(parts.len());
    let mut family = None;
    for part in parts {
        if part.is_empty() {
            return broken("an empty place in the list");
        }
        if part.contains('-') {
            return broken("a list holds no ranges");
        }
        if part.starts_with('+') || is_name(part) {
            return broken("a list holds addresses and networks only");
        }
        let network = network(part)?;
        if network.trunc() != network {
            return broken(format!("`{part}` has host bits set"));
        }
        if *family.get_or_insert(Family::of(network.addr())) != Family::of(network.addr()) {
            return broken("a list holds addresses of one family");
        }
        terms.push(network_text(network));
        sets.push(AddressSet::network(network));
    }
    Ok(Meaning { terms, set: Some(AddressSet::union_of(sets.iter())) })
}

/// An address or a network.
pub(super) fn network(text: &str) -> Result<IpNet, Problem> {
    parse_prefix(text).map_err(Problem::Broken)
}

/// In its shortest form, without the prefix of a single address.
pub(super) fn network_text(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// An address or a network without its host bits.
pub(super) fn entry(text: &str) -> Result<IpNet, Problem> {
    network(text).map(|network| network.trunc())
}

/// The addresses of entries of which the most specific one decides.
pub(super) fn set_of(entries: &[(bool, IpNet)]) -> AddressSet {
    let mut lengths: BTreeMap<u8, [Vec<AddressSet>; 2]> = BTreeMap::new();
    for (excluded, network) in entries {
        let [listed, excludes] = lengths.entry(network.prefix_len()).or_default();
        if *excluded { excludes } else { listed }.push(AddressSet::network(*network));
    }
    lengths.into_values().fold(AddressSet::empty(), |all, [listed, excluded]| {
        let all = if listed.is_empty() { all } else { all.union(&AddressSet::union_of(listed.iter())) };
        if excluded.is_empty() { all } else { all.difference(&AddressSet::union_of(excluded.iter())) }
    })
}

/// An address alone, whatever its prefix says.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    parse_prefix(text).ok().map(|network| network.addr())
}
