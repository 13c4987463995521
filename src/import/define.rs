//! The aliases and ipsets that a file defines.
//!
//! In: the file's lines. Out: the names, for the rules that use them, and the definitions in the words of the spec.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::diagnostic::Span;
use crate::state::fw::{FwText, IpsetSection, is_name};

use super::draft::{Body, Commented, Ipset};
use super::names::{Names, Problem, Scope, entry, network_text, set_of};
use super::review::Review;
use super::rule::plain;

/// Reads the definitions of a file into `body`. `cluster` are the names of `cluster.fw`, for a guest's file.
pub(super) fn define<'t>(text: &FwText<'t>, cluster: Option<&Names>, body: &mut Body, review: &mut Review) -> Names {
    let mut names = Names::default();
    names.groups.extend(text.groups.iter().map(|group| group.name.clone()));
    let mut places: BTreeMap<String, Span> = BTreeMap::new();
    for alias in &text.aliases {
        let network = match entry(alias.value.value) {
            Ok(network) => network,
            Err(Problem::Broken(reason) | Problem::NoWord(reason)) => {
                review.ignored(alias.value.span, reason);
                continue;
            }
        };
        let name = alias.name.value.to_ascii_lowercase();
        if let Some(earlier) = places.insert(name.clone(), alias.span) {
            review.ignored(earlier, "a later alias of the same name replaces this one");
        }
        let comment = alias.comment.and_then(plain);
        body.aliases.insert(name.clone(), Commented { value: network_text(network), comment });
        names.aliases.insert(name, network);
    }
    for section in &text.ipsets {
        let scope = match cluster {
            Some(cluster) => Scope { cluster: Some(cluster), guest: Some(&names) },
            None => Scope { cluster: Some(&names), guest: None },
        };
        let (ipset, entries) = ipset(section, scope, review);
        let set = set_of(&entries);
        if set.is_empty() {
            review.ignored(section.span, "the ipset is empty: it matches nothing, and a spec has no empty sets");
        } else {
            body.ipsets.insert(section.name.clone(), ipset);
        }
        names.ipsets.insert(section.name.clone(), set);
    }
    names
}

/// An ipset and what its entries stand for, excluded or not.
fn ipset(section: &IpsetSection<'_>, scope: Scope<'_>, review: &mut Review) -> (Ipset, Vec<(bool, IpNet)>) {
    let mut ipset = Ipset { comment: section.comment.and_then(plain), entries: Vec::new() };
    let mut seen: BTreeMap<IpNet, Span> = BTreeMap::new();
    let mut entries = Vec::with_capacity(section.entries.len());
    for line in &section.entries {
        let word = line.value.value;
        let read = match word.split('/').next_back().is_some_and(is_name) {
            true => scope.alias(word).map(|meaning| {
                let network = meaning.set.as_ref().and_then(network_of);
                (meaning.terms.concat(), network)
            }),
            false => entry(word).map(|network| (network_text(network), Some(network))),
        };
        let (text, network) = match read {
            Ok(read) => read,
            Err(Problem::Broken(reason)) => {
                review.ignored(line.value.span, reason);
                continue;
            }
            Err(Problem::NoWord(reason)) => {
                review.not_carried(line.value.span, reason);
                continue;
            }
        };
        let Some(network) = network else {
            review.not_carried(line.value.span, format!("`{text}` is not the same on every node: write its network"));
            continue;
        };
        if network.prefix_len() == 0 {
            review.ignored(line.value.span, "an ipset takes no network with prefix length 0");
            continue;
        }
        if let Some(first) = seen.get(&network) {
            review.twice(line.value.span, *first, &network_text(network));
            continue;
        }
        seen.insert(network, line.value.span);
        let value = if line.excluded { format!("!{text}") } else { text };
        ipset.entries.push(Commented { value, comment: line.comment.and_then(plain) });
        entries.push((line.excluded, network));
    }
    (ipset, entries)
}

/// The one network that a set is.
fn network_of(set: &crate::net::AddressSet) -> Option<IpNet> {
    let mut networks = crate::net::Family::BOTH.into_iter().flat_map(|family| set.networks(family));
    let first = networks.next()?;
    networks.next().is_none().then_some(first)
}
