//! Sets of addresses as the lines of an `[IPSET …]`.
//!
//! In: sets, and ipsets as their authors wrote them. Out: networks, in the words of `.fw` files. Promise: the lines make
//! up exactly the set, no two of them overlap, none is a `/0`, and none excludes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::net::{AddressSet, Family};
use crate::policy::{GuestKind, Ipset, IpsetEntry, Reference, ZoneRef};

use super::file::{IpsetLine, IpsetSection};

/// Which guests are VMs and which are containers.
#[derive(Debug, Default)]
pub(super) struct Kinds(pub(super) BTreeMap<u32, GuestKind>);

impl Kinds {
    pub(super) fn word(&self, id: u32) -> &'static str {
        match self.0.get(&id) {
            Some(GuestKind::Container) => "ct",
            Some(GuestKind::Vm) | None => "vm",
        }
    }

    /// A reference as its author wrote it, for comments.
    pub(super) fn text(&self, reference: &Reference) -> String {
        match reference {
            Reference::Literal(text) => text.clone(),
            Reference::Alias(_, name) => name.clone(),
            Reference::Ipset(_, name) => format!("+{name}"),
            Reference::LocalNetwork => "local_network".to_owned(),
            Reference::Zone(name) => format!("zone/{name}"),
            Reference::Host(name) => format!("host/{name}"),
            Reference::Guest(id) => format!("{}/{id}", self.word(*id)),
        }
    }
}

/// A network as `.fw` files have it: an address without its full-length prefix.
pub(super) fn network_text(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// The set's one network, if it is one.
pub(super) fn single_network(set: &AddressSet) -> Option<IpNet> {
    match (set.v4().as_slice(), set.v6().as_slice()) {
        ([(first, last)], []) => {
            let length = (first ^ last).leading_zeros();
            let whole = u32::MAX.checked_shr(length).unwrap_or(0);
            let network = Ipv4Net::new(Ipv4Addr::from(*first), u8::try_from(length).ok()?).ok()?;
            (first & whole == 0 && last & whole == whole).then_some(IpNet::V4(network))
        }
        ([], [(first, last)]) => {
            let length = (first ^ last).leading_zeros();
            let whole = u128::MAX.checked_shr(length).unwrap_or(0);
            let network = Ipv6Net::new(Ipv6Addr::from(*first), u8::try_from(length).ok()?).ok()?;
            (first & whole == 0 && last & whole == whole).then_some(IpNet::V6(network))
        }
        _ => None,
    }
}

/// The networks of a set as an ipset can hold them: IPv4 first, ascending, and no `/0`.
pub(super) fn networks(set: &AddressSet) -> Vec<String> {
    let split = |network: IpNet| match (network.prefix_len(), network) {
        (0, IpNet::V4(_)) => vec!["0.0.0.0/1".to_owned(), "128.0.0.0/1".to_owned()],
        (0, IpNet::V6(_)) => vec!["::/1".to_owned(), "8000::/1".to_owned()],
        _ => vec![network_text(network)],
    };
    Family::BOTH.iter().flat_map(|family| set.networks(*family)).flat_map(split).collect()
}

/// The addresses of machines, one by one, so that a new machine is one new line; as networks where they are many.
pub(super) fn machines(set: &AddressSet) -> Vec<String> {
    const MANY: u128 = 4096;
    let size = |first: u128, last: u128| (last - first).saturating_add(1);
    let v4 = set.v4().iter().map(|(first, last)| size(first.into(), last.into()));
    let v6 = set.v6().iter().map(|(first, last)| size(first, last));
    if v4.chain(v6).fold(0, u128::saturating_add) > MANY {
        return networks(set);
    }
    let v4 = set.v4().iter().flat_map(|(first, last)| first..=last).map(|number| Ipv4Addr::from(number).to_string());
    let v6 = set.v6().iter().flat_map(|(first, last)| first..=last).map(|number| Ipv6Addr::from(number).to_string());
    v4.chain(v6).collect()
}

/// An ipset of the spec under a name. `home` is the zone whose aliases the file defines too.
///
/// Written as its author wrote it where that means the same to both implementations: no exclusions (the most
/// specific prefix wins in one, the exclusion in the other) and no overlaps (two entries that make up the same network
/// keep one of them from loading). Otherwise as the networks that remain, under comments with the original.
pub(super) fn ipset_section(name: String, ipset: &Ipset, home: &ZoneRef, kinds: &Kinds) -> IpsetSection {
    let comment = ipset.comment.clone();
    if ipset.entries.iter().all(|entry| !entry.exclude) && disjoint(&ipset.entries) {
        let entries = ipset.entries.iter().flat_map(|entry| entry_lines(entry, home, kinds)).collect();
        return IpsetSection { name, comment, notes: Vec::new(), entries };
    }
    let written = |entry: &IpsetEntry| {
        let mark = if entry.exclude { "! " } else { "" };
        let note = entry.comment.as_ref().map(|comment| format!(" ({comment})")).unwrap_or_default();
        format!("written: {mark}{}{note}", kinds.text(&entry.reference))
    };
    let entries = networks(&ipset.set).into_iter().map(|value| IpsetLine { value, comment: None }).collect();
    IpsetSection { name, comment, notes: ipset.entries.iter().map(written).collect(), entries }
}

fn entry_lines(entry: &IpsetEntry, home: &ZoneRef, kinds: &Kinds) -> Vec<IpsetLine> {
    if let Reference::Alias(zone, name) = &entry.reference
        && zone == home
        && !networks(&entry.set).iter().any(|network| network.ends_with("/1"))
    {
        return vec![IpsetLine { value: name.to_lowercase(), comment: entry.comment.clone() }];
    }
    let named = match &entry.reference {
        Reference::Literal(text) if !text.contains('-') => None,
        Reference::Literal(_)
        | Reference::Alias(..)
        | Reference::Ipset(..)
        | Reference::LocalNetwork
        | Reference::Zone(_)
        | Reference::Host(_)
        | Reference::Guest(_) => Some(kinds.text(&entry.reference)),
    };
    let comment = match (named, entry.comment.clone()) {
        (Some(named), Some(comment)) => Some(format!("{named}: {comment}")),
        (named, comment) => named.or(comment),
    };
    networks(&entry.set).into_iter().map(|value| IpsetLine { value, comment: comment.clone() }).collect()
}

/// Whether no two entries share an address.
fn disjoint(entries: &[IpsetEntry]) -> bool {
    fn apart<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> bool {
        ranges.sort_unstable();
        ranges.iter().zip(ranges.iter().skip(1)).all(|(left, right)| left.1 < right.0)
    }
    apart(entries.iter().flat_map(|entry| entry.set.v4().iter()).collect())
        && apart(entries.iter().flat_map(|entry| entry.set.v6().iter()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{parse_address_range, parse_prefix};

    #[test]
    fn one_network_is_told_from_a_range() {
        for text in
            ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.2/31", "192.0.2.1/32", "::/0", "2001:db8::/32", "2001:db8::1/128"]
        {
            let network = parse_prefix(text).unwrap();
            assert_eq!(single_network(&AddressSet::network(network)), Some(network));
        }
        for text in ["10.0.0.1-10.0.0.2", "10.0.0.0-10.0.0.2", "10.0.0.0-10.0.1.254", "2001:db8::1-2001:db8::2"] {
            assert_eq!(single_network(&parse_address_range(text).unwrap()), None, "{text}");
        }
        assert_eq!(single_network(&AddressSet::empty()), None);
    }
}
