//! Aliases and ipsets of every zone, from text to addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::net::{AddressSet, Family, parse_prefix};
use crate::policy::{Alias, Hidden, Ipset, IpsetEntry, Reference, ZoneRef};
use crate::spec::Spec;
use crate::spec::model::{self, Body, Text};

use super::address::{Unresolved, term, without_host_bits};
use super::graph::{NodeId, ZoneGraph};
use super::machines::GuestPlan;
use super::names::{Definition, LocalNetwork, Machines, NameKind, Names, Scope, ScopePart};

/// Every zone's names, and what the definitions say in full.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// By the zone that defines them; zones without definitions are left out.
    pub names: BTreeMap<ZoneRef, Names>,
    /// For targets that write definitions.
    pub aliases: BTreeMap<(ZoneRef, String), Alias>,
    /// For targets that write definitions.
    pub ipsets: BTreeMap<(ZoneRef, String), Ipset>,
    /// Definitions that hide others of their name.
    pub hidden: Vec<Hidden>,
}

impl Definitions {
    /// Reads every definition of a spec.
    pub(super) fn read(
        spec: &Spec,
        graph: &ZoneGraph,
        guests: &[GuestPlan<'_>],
        machines: &Machines,
        out: &mut Diagnostics,
    ) -> Self {
        let mut definitions = Self::default();
        let zones = definers(spec, graph, guests);
        for definer in &zones {
            definitions.read_aliases(&definer.zone, definer.body, out);
        }
        let mut resolved: Vec<(ZoneRef, Ipset)> = Vec::new();
        let mut broken: Vec<(ZoneRef, &Text)> = Vec::new();
        for definer in &zones {
            let names = definitions.scope(graph, Some(&definer.zone), &definer.ancestors);
            let scope = Scope::new(names, machines, LocalNetwork::OfNoHost(Code::LocalNetworkInIpset));
            for (name, ipset) in &definer.body.ipsets {
                match read_ipset(name, ipset, &scope, out) {
                    Ok(ipset) => resolved.push((definer.zone.clone(), ipset)),
                    Err(Unresolved) => broken.push((definer.zone.clone(), name)),
                }
            }
        }
        for (zone, ipset) in resolved {
            let definition = Definition { set: Arc::clone(&ipset.set), span: ipset.span };
            definitions.names_of(&zone).ipsets.insert(ipset.name.clone(), definition);
            definitions.ipsets.insert((zone, ipset.name.clone()), ipset);
        }
        for (zone, name) in broken {
            definitions.names_of(&zone).ipsets.insert(name.value.clone(), Definition::broken(name.span));
        }
        for definer in &zones {
            definitions.find_hidden(graph, definer);
        }
        definitions
    }

    /// The names in reach of a zone with these ancestors: its own, theirs, the datacenter's.
    pub(super) fn scope(&self, graph: &ZoneGraph, own: Option<&ZoneRef>, ancestors: &[NodeId]) -> Vec<&Names> {
        let mut zones: Vec<&ZoneRef> = own.into_iter().collect();
        for zone in ancestors.iter().filter_map(|node| graph.zone(*node)) {
            let owner = match zone {
                ZoneRef::Guests(owner) => owner,
                ZoneRef::Datacenter
                | ZoneRef::Zone(_)
                | ZoneRef::Host(_)
                | ZoneRef::Vm(_)
                | ZoneRef::Container(_)
                | ZoneRef::Nic(..)
                | ZoneRef::Group(_)
                | ZoneRef::Vnet(_) => zone,
            };
            // The datacenter is the outermost scope, wherever its `guests` block stands.
            if *owner != ZoneRef::Datacenter && !zones.contains(&owner) {
                zones.push(owner);
            }
        }
        if own != Some(&ZoneRef::Datacenter) {
            zones.push(&ZoneRef::Datacenter);
        }
        zones.into_iter().filter_map(|zone| self.names.get(zone)).collect()
    }

    fn names_of(&mut self, zone: &ZoneRef) -> &mut Names {
        self.names.entry(zone.clone()).or_insert_with(|| Names::new(zone.clone()))
    }

    fn read_aliases(&mut self, zone: &ZoneRef, body: &Body, out: &mut Diagnostics) {
        for (name, alias) in &body.aliases {
            let network = match parse_prefix(&alias.value.value) {
                Ok(network) => without_host_bits(network, &alias.value.value, alias.value.span, out),
                Err(_) => {
                    let message = format!("alias `{}` is not an address or a network", name.value);
                    out.push(
                        Diagnostic::error(Code::BadAddress, alias.value.span, message)
                            .because("an alias holds one address or one network")
                            .help("for several, or for other names, define an ipset"),
                    );
                    self.names_of(zone).aliases.insert(name.value.clone(), Definition::broken(name.span));
                    continue;
                }
            };
            let set = Arc::new(AddressSet::network(network));
            self.names_of(zone).aliases.insert(name.value.clone(), Definition { set, span: name.span });
            let comment = alias.comment.as_ref().map(|text| text.value.clone());
            let alias = Alias { name: name.value.clone(), network, comment, span: name.span };
            self.aliases.insert((zone.clone(), name.value.clone()), alias);
        }
    }

    /// The definitions of a zone that hide others further out.
    fn find_hidden(&mut self, graph: &ZoneGraph, definer: &Definer<'_>) {
        let Some(own) = self.names.get(&definer.zone) else { return };
        let beyond: Vec<&Names> = self
            .scope(graph, Some(&definer.zone), &definer.ancestors)
            .into_iter()
            .filter(|names| names.zone != definer.zone)
            .collect();
        let machines = Machines::default();
        let scope = Scope::new(beyond, &machines, LocalNetwork::Sample(None));
        let aliases = own.aliases.iter().map(|(name, definition)| (NameKind::Alias, name, definition));
        let ipsets = own.ipsets.iter().map(|(name, definition)| (NameKind::Ipset, name, definition));
        let hides = |(kind, name, definition): (NameKind, &String, &Definition)| {
            let (zone, hidden) = scope.find(kind, ScopePart::Any, name)?;
            Some(Hidden {
                kind: kind.word(),
                name: name.clone(),
                zone: definer.zone.clone(),
                span: definition.span,
                hidden_zone: zone.clone(),
                hidden_span: hidden.span,
            })
        };
        let found: Vec<Hidden> = aliases.chain(ipsets).filter_map(hides).collect();
        self.hidden.extend(found);
    }
}

struct Definer<'a> {
    zone: ZoneRef,
    body: &'a Body,
    ancestors: Vec<NodeId>,
}

fn definers<'a>(spec: &'a Spec, graph: &ZoneGraph, guests: &[GuestPlan<'a>]) -> Vec<Definer<'a>> {
    let has_any = |body: &Body| !body.aliases.is_empty() || !body.ipsets.is_empty();
    let named = |zone: ZoneRef, body: &'a Body| {
        let ancestors = graph.node(&zone).map(|node| graph.linear(node).to_vec()).unwrap_or_default();
        Definer { zone, body, ancestors }
    };
    let mut found = vec![named(ZoneRef::Datacenter, &spec.datacenter.body)];
    found.extend(spec.zones.iter().map(|(name, zone)| named(ZoneRef::Zone(name.value.clone()), &zone.body)));
    found.extend(spec.hosts.iter().map(|(name, host)| named(ZoneRef::Host(name.value.clone()), &host.body)));
    for guest in guests {
        let mut ancestors = guest.placements.first().map(|placement| placement.ancestors.to_vec()).unwrap_or_default();
        // On several hosts a definition means the same on each: it sees no host's own names.
        let everywhere = |node: &NodeId| guest.placements.iter().all(|placement| placement.ancestors.contains(node));
        ancestors.retain(everywhere);
        found.push(Definer { zone: guest.zone.clone(), body: &guest.spec.body, ancestors });
    }
    found.retain(|definer| has_any(definer.body));
    found
}

fn read_ipset(
    name: &Text,
    ipset: &model::Ipset,
    scope: &Scope<'_>,
    out: &mut Diagnostics,
) -> Result<Ipset, Unresolved> {
    let mut entries: Vec<IpsetEntry> = Vec::new();
    let mut whole = Ok(());
    for entry in &ipset.entries {
        match read_entry(entry, scope, out) {
            Ok(entry) => entries.push(entry),
            Err(Unresolved) => whole = Err(Unresolved),
        }
    }
    whole?;
    contradictions(&entries, out)?;
    let set = most_specific_wins(&entries);
    if set.is_empty() {
        let why = if entries.is_empty() { "no entries" } else { "its exclusions leave nothing" };
        out.push(
            Diagnostic::error(Code::EmptyMatch, ipset.span, format!("ipset `{}` is empty", name.value))
                .because(why)
                .help("a rule with an empty set never matches: add an entry, or remove the set and its rules"),
        );
        return Err(Unresolved);
    }
    let comment = ipset.comment.as_ref().map(|text| text.value.clone());
    Ok(Ipset { name: name.value.clone(), entries, set: Arc::new(set), comment, span: name.span })
}

fn read_entry(entry: &model::IpsetEntry, scope: &Scope<'_>, out: &mut Diagnostics) -> Result<IpsetEntry, Unresolved> {
    let written = &entry.value;
    let (exclude, word) = match written.value.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, written.value.as_str()),
    };
    if word.starts_with('+') {
        out.push(
            Diagnostic::error(Code::NestedIpset, written.span, "an ipset cannot hold another ipset")
                .help("list the other set's entries here, or list both sets in the rule"),
        );
        return Err(Unresolved);
    }
    let text = Text::new(word.to_owned(), written.span);
    let term = term(&text, scope, out)?;
    let comment = entry.comment.as_ref().map(|text| text.value.clone());
    Ok(IpsetEntry { reference: term.reference, set: term.set, exclude, comment, span: written.span })
}

/// The same addresses cannot be in and out at once; the same entry twice is merged, with a warning.
fn contradictions(entries: &[IpsetEntry], out: &mut Diagnostics) -> Result<(), Unresolved> {
    let mut seen: BTreeMap<&AddressSet, &IpsetEntry> = BTreeMap::new();
    let mut whole = Ok(());
    let mut prefixes: BTreeMap<ipnet::IpNet, &IpsetEntry> = BTreeMap::new();
    for entry in entries {
        // Two entries may share one prefix without being the same, where they are ranges or machines.
        let clash = pieces(entry).into_iter().find_map(|piece| {
            let first = prefixes.insert(piece, entry)?;
            (first.exclude != entry.exclude).then_some(first)
        });
        let same = seen.insert(&entry.set, entry);
        let Some(first) = clash.or(same) else { continue };
        if first.exclude == entry.exclude {
            out.push(
                Diagnostic::warning(
                    Code::RepeatedEntry,
                    entry.span,
                    "this entry stands for the same addresses as another",
                )
                .label(first.span, "the other one")
                .help("remove one of them; they count once"),
            );
        } else {
            out.push(
                Diagnostic::error(Code::ContradictingEntries, entry.span, "the same addresses are listed and excluded")
                    .label(first.span, "the other entry")
                    .help("remove one of them"),
            );
            whole = Err(Unresolved);
        }
    }
    whole
}

/// The prefixes of an entry: a network's own, the fewest of a range, one for each address of machines.
fn pieces(entry: &IpsetEntry) -> Vec<ipnet::IpNet> {
    match entry.reference {
        Reference::Zone(_) | Reference::Host(_) | Reference::Guest(_) => {
            let v4 = entry.set.v4().iter().flat_map(|(first, last)| first..=last);
            let v6 = entry.set.v6().iter().flat_map(|(first, last)| first..=last);
            let v4 = v4.map(|address| IpAddr::V4(Ipv4Addr::from(address)));
            v4.chain(v6.map(|address| IpAddr::V6(Ipv6Addr::from(address)))).map(ipnet::IpNet::from).collect()
        }
        Reference::Literal(_) | Reference::Alias(..) | Reference::Ipset(..) | Reference::LocalNetwork => {
            Family::BOTH.into_iter().flat_map(|family| entry.set.networks(family)).collect()
        }
    }
}

/// Adds and subtracts from the widest prefix to the narrowest, so that the most specific one decides.
fn most_specific_wins(entries: &[IpsetEntry]) -> AddressSet {
    if entries.iter().all(|entry| !entry.exclude) {
        return AddressSet::union_of(entries.iter().map(|entry| entry.set.as_ref()));
    }
    let mut pieces: Vec<(ipnet::IpNet, bool)> =
        entries.iter().flat_map(|entry| pieces(entry).into_iter().map(|network| (network, entry.exclude))).collect();
    pieces.sort_by_key(|(network, _)| network.prefix_len());
    pieces.into_iter().fold(AddressSet::empty(), |set, (network, exclude)| {
        let piece = AddressSet::network(network);
        if exclude { set.difference(&piece) } else { set.union(&piece) }
    })
}
