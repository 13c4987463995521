//! What `cluster.fw` defines by name: the datacenter's own aliases and ipsets, and what is hoisted into it.
//!
//! In: references as the rules write them. Out: their names in `.fw` files, always with an explicit scope, so that
//! no definition of a guest can stand in the way. Promise: a name stands for exactly the addresses that the reference
//! stands for; names are lower case (one implementation lowercases definitions, the other compares by case), unique,
//! at most 64 characters, and depend on content alone.
//!
//! Hoisted are: aliases and ipsets of hosts and zones (`zone-web-tier-office`), the addresses of machines (`zone-…`,
//! `host-…`, `vm-…`, `ct-…`), and lists that a rule cannot hold (`list-…`, named by a hash of their content).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::net::AddressSet;
use crate::policy::{AddressTerm, Fleet, Reference, TargetName, ZoneRef};

use super::file::{AliasLine, IpsetLine, IpsetSection};
use super::ipset::{Kinds, ipset_section, machines, network_text, networks, single_network};

/// The longest name of an alias or an ipset.
const NAME_MAX: usize = 64;

/// Where a rule's names are looked up, and where its lists may be defined.
pub(super) enum Scope<'s> {
    /// Rules of the cluster, of hosts, groups, vnets and zones: `cluster.fw` alone.
    Cluster,
    /// A guest's own rules: its own definitions too.
    Guest(&'s mut GuestNames),
}

/// What a guest's file defines by name.
#[derive(Debug)]
pub(super) struct GuestNames {
    /// The guest.
    pub(super) zone: ZoneRef,
    /// Its own sets and the lists that its rules need, by name.
    pub(super) ipsets: BTreeMap<String, IpsetSection>,
}

/// The definitions of `cluster.fw`.
pub(super) struct Names<'a> {
    fleet: &'a Fleet,
    pub(super) kinds: Kinds,
    aliases: BTreeMap<String, AliasLine>,
    ipsets: BTreeMap<String, IpsetSection>,
    hoisted: BTreeMap<Reference, Vec<(Arc<AddressSet>, String)>>,
    /// What the alias `local_network` of `cluster.fw` stands for, where fwc adds it.
    local_network: Option<Arc<AddressSet>>,
}

impl<'a> Names<'a> {
    /// The datacenter's own definitions; complains of names that differ in case alone.
    pub(super) fn new(fleet: &'a Fleet, diagnostics: &mut Diagnostics) -> Self {
        let guests = fleet.hosts.iter().flat_map(|host| &host.guests);
        let mut names = Self {
            fleet,
            kinds: Kinds(guests.map(|guest| (guest.id, guest.kind)).collect()),
            aliases: BTreeMap::new(),
            ipsets: BTreeMap::new(),
            hoisted: BTreeMap::new(),
            local_network: None,
        };
        let (aliases, ipsets) = definitions(fleet, &names.kinds, &ZoneRef::Datacenter, diagnostics);
        names.aliases = aliases.into_iter().map(|line| (line.name.clone(), line)).collect();
        names.ipsets = ipsets.into_iter().map(|set| (set.name.clone(), set)).collect();
        names
    }

    /// Defines `local_network`, which Proxmox VE would guess otherwise; without effect if the datacenter defines it.
    pub(super) fn define_local_network(&mut self, set: &Arc<AddressSet>) {
        let networks = networks(set);
        if let [network] = networks.as_slice()
            && !self.aliases.contains_key("local_network")
        {
            let comment = Some("the network of the hosts' first addresses".to_owned());
            let line = AliasLine { name: "local_network".to_owned(), value: network.clone(), comment };
            self.aliases.insert(line.name.clone(), line);
            self.local_network = Some(Arc::clone(set));
        }
    }

    /// The definitions, ordered by name.
    pub(super) fn into_sections(self) -> (Vec<AliasLine>, Vec<IpsetSection>) {
        (self.aliases.into_values().collect(), self.ipsets.into_values().collect())
    }

    /// A term as a rule writes it. It stands for all of the term's addresses and no others.
    pub(super) fn term(&mut self, term: &AddressTerm, scope: &mut Scope<'_>) -> String {
        match &term.reference {
            Reference::Literal(_) => self.literal(&term.set, &term.reference, scope),
            Reference::LocalNetwork if self.local_network.as_ref() == Some(&term.set) => "dc/local_network".to_owned(),
            Reference::LocalNetwork => self.literal(&term.set, &term.reference, scope),
            Reference::Alias(zone, name) => {
                let defined = self.fleet.aliases.get(&(zone.clone(), name.clone()));
                let exact = defined.is_some_and(|alias| AddressSet::network(alias.network) == *term.set);
                match (own_prefix(zone, scope), exact) {
                    (Some(prefix), true) => format!("{prefix}{}", name.to_lowercase()),
                    (None, true) => self.hoist_alias(zone, name, term),
                    (Some(_) | None, false) => self.list(&term.set, scope, &self.kinds.text(&term.reference)),
                }
            }
            Reference::Ipset(zone, name) => {
                let defined = self.fleet.ipsets.get(&(zone.clone(), name.clone()));
                let exact = defined.is_some_and(|ipset| Arc::ptr_eq(&ipset.set, &term.set) || ipset.set == term.set);
                let reserved = match zone {
                    // Proxmox VE adds `local_network` to it, for rules too.
                    ZoneRef::Datacenter => name.to_lowercase() == "management" && !self.holds_local_networks(&term.set),
                    // Such a set of a guest is written with all that its NIC may send from.
                    ZoneRef::Guests(_)
                    | ZoneRef::Zone(_)
                    | ZoneRef::Host(_)
                    | ZoneRef::Vm(_)
                    | ZoneRef::Container(_)
                    | ZoneRef::Nic(..)
                    | ZoneRef::Group(_)
                    | ZoneRef::Vnet(_) => is_ipfilter(name),
                };
                match (own_prefix(zone, scope), exact && !reserved) {
                    (Some(prefix), true) => format!("+{prefix}{}", name.to_lowercase()),
                    (Some(_) | None, _) => self.hoist_ipset(&term.reference, &term.set),
                }
            }
            Reference::Zone(_) | Reference::Host(_) | Reference::Guest(_) => {
                self.hoist_ipset(&term.reference, &term.set)
            }
        }
    }

    /// Whether a list is what Proxmox VE's own set `management` holds: the author's entries and `local_network`.
    pub(super) fn is_management(&self, terms: &[AddressTerm]) -> bool {
        let set = Reference::Ipset(ZoneRef::Datacenter, "management".to_owned());
        let alias = Reference::Alias(ZoneRef::Datacenter, "local_network".to_owned());
        // Where `cluster.fw` does not define it, Proxmox VE guesses.
        let is_defined = |term: &AddressTerm| {
            term.reference == Reference::LocalNetwork && self.local_network.as_ref() == Some(&term.set)
        };
        let is_set = |term: &AddressTerm| term.reference == set;
        let is_local = |term: &AddressTerm| term.reference == alias || is_defined(term);
        match terms {
            [one, other] => (is_set(one) && is_local(other)) || (is_set(other) && is_local(one)),
            _ => false,
        }
    }

    /// Whether every node's `local_network` is known, and all of it in the set.
    fn holds_local_networks(&self, set: &AddressSet) -> bool {
        let hosts = self.fleet.hosts.iter().filter(|host| host.targets.contains(&TargetName::Pve));
        let mut networks = hosts.map(|host| host.local_network.as_deref());
        networks.all(|network| network.is_some_and(|network| network.difference(set).is_empty()))
    }

    /// One network or one range as it is; anything else becomes a list.
    fn literal(&mut self, set: &Arc<AddressSet>, reference: &Reference, scope: &mut Scope<'_>) -> String {
        if let Some(network) = single_network(set) {
            return network_text(network);
        }
        match (set.v4().as_slice(), set.v6().as_slice()) {
            ([(first, last)], []) => format!("{}-{}", Ipv4Addr::from(*first), Ipv4Addr::from(*last)),
            ([], [(first, last)]) => format!("{}-{}", Ipv6Addr::from(*first), Ipv6Addr::from(*last)),
            _ => self.list(set, scope, &self.kinds.text(reference)),
        }
    }

    /// A set without a name of its own, named by its content.
    pub(super) fn list(&mut self, set: &AddressSet, scope: &mut Scope<'_>, written: &str) -> String {
        let entries: Vec<IpsetLine> =
            networks(set).into_iter().map(|value| IpsetLine { value, comment: None }).collect();
        let (defined, prefix) = match scope {
            Scope::Cluster => (&mut self.ipsets, "+dc/"),
            Scope::Guest(guest) => (&mut guest.ipsets, "+guest/"),
        };
        // A set of the author's may have taken the name; only one of the same content will do.
        let mut name = format!("list-{}", hash(set));
        while defined.get(&name).is_some_and(|other| other.entries != entries) {
            name.push_str("-x");
        }
        let text = format!("{prefix}{name}");
        defined.entry(name.clone()).or_insert_with(|| IpsetSection {
            name,
            comment: (!written.is_empty()).then(|| written.to_owned()),
            notes: Vec::new(),
            entries,
        });
        text
    }

    fn hoist_alias(&mut self, zone: &ZoneRef, name: &str, term: &AddressTerm) -> String {
        if let Some(known) = self.known(&term.reference, &term.set) {
            return format!("dc/{known}");
        }
        let base = format!("{}-{}", zone_word(zone), name);
        let unique = unique(&base, &term.set, |name| self.aliases.contains_key(name));
        let alias = self.fleet.aliases.get(&(zone.clone(), name.to_owned()));
        let value = networks(&term.set).concat();
        let comment = alias.and_then(|alias| alias.comment.clone());
        self.aliases.insert(unique.clone(), AliasLine { name: unique.clone(), value, comment });
        self.remember(term.reference.clone(), &term.set, unique.clone());
        format!("dc/{unique}")
    }

    fn hoist_ipset(&mut self, reference: &Reference, set: &Arc<AddressSet>) -> String {
        if let Some(known) = self.known(reference, set) {
            return format!("+dc/{known}");
        }
        let base = match reference {
            Reference::Zone(name) => format!("zone-{name}"),
            Reference::Host(name) => format!("host-{name}"),
            Reference::Guest(id) => format!("{}-{id}", self.kinds.word(*id)),
            Reference::Ipset(ZoneRef::Datacenter, name) => format!("{name}-as-written"),
            Reference::Ipset(zone, name) | Reference::Alias(zone, name) => format!("{}-{name}", zone_word(zone)),
            Reference::Literal(_) | Reference::LocalNetwork => "list".to_owned(),
        };
        let unique = unique(&base, set, |name| self.ipsets.contains_key(name));
        let defined = match reference {
            Reference::Ipset(zone, name) => self.fleet.ipsets.get(&(zone.clone(), name.clone())),
            Reference::Literal(_)
            | Reference::Alias(..)
            | Reference::LocalNetwork
            | Reference::Zone(_)
            | Reference::Host(_)
            | Reference::Guest(_) => None,
        };
        let section = match defined.filter(|ipset| ipset.set == *set) {
            Some(ipset) => ipset_section(unique.clone(), ipset, &ZoneRef::Datacenter, &self.kinds),
            None => IpsetSection {
                name: unique.clone(),
                comment: Some(self.kinds.text(reference)),
                notes: Vec::new(),
                entries: machines(set).into_iter().map(|value| IpsetLine { value, comment: None }).collect(),
            },
        };
        self.ipsets.insert(unique.clone(), section);
        self.remember(reference.clone(), set, unique.clone());
        format!("+dc/{unique}")
    }

    fn known(&self, reference: &Reference, set: &Arc<AddressSet>) -> Option<&str> {
        let candidates = self.hoisted.get(reference)?;
        let found = candidates.iter().find(|(known, _)| Arc::ptr_eq(known, set) || known == set);
        found.map(|(_, name)| name.as_str())
    }

    fn remember(&mut self, reference: Reference, set: &Arc<AddressSet>, name: String) {
        self.hoisted.entry(reference).or_default().push((Arc::clone(set), name));
    }
}

/// The scope that a file's own definitions of `zone` are written with; none where they are hoisted.
fn own_prefix(zone: &ZoneRef, scope: &Scope<'_>) -> Option<&'static str> {
    match scope {
        _ if *zone == ZoneRef::Datacenter => Some("dc/"),
        Scope::Guest(guest) if guest.zone == *zone => Some("guest/"),
        Scope::Guest(_) | Scope::Cluster => None,
    }
}

/// Whether an ipset of that name is a NIC's IP filter.
pub(super) fn is_ipfilter(name: &str) -> bool {
    let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    name.to_lowercase().strip_prefix("ipfilter-net").is_some_and(digits)
}

/// `base`, or, where that is taken or too long, `base-` and a hash of the content.
fn unique(base: &str, set: &AddressSet, taken: impl Fn(&str) -> bool) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let base: String = base.to_lowercase().chars().map(plain).collect();
    if base.len() <= NAME_MAX && !taken(&base) {
        return base;
    }
    let short: String = base.chars().take(NAME_MAX - 20).collect();
    let name = format!("{short}-{}", hash(set));
    let mut free = name.clone();
    let mut count = 2_u32;
    while taken(&free) {
        free = format!("{name}-{count}");
        count += 1;
    }
    free
}

/// Eight hexadecimal digits of a set's content.
fn hash(set: &AddressSet) -> String {
    let mut digest = Sha256::new();
    for (first, last) in set.v4().iter() {
        digest.update(first.to_be_bytes());
        digest.update(last.to_be_bytes());
    }
    digest.update(b"/");
    for (first, last) in set.v6().iter() {
        digest.update(first.to_be_bytes());
        digest.update(last.to_be_bytes());
    }
    digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// A zone as part of a name.
fn zone_word(zone: &ZoneRef) -> String {
    zone.to_string().replace(['/', ':'], "-")
}

/// The aliases and ipsets that a zone defines; complains of names that are one in lower case.
pub(super) fn definitions<'a>(
    fleet: &'a Fleet,
    kinds: &Kinds,
    zone: &ZoneRef,
    diagnostics: &mut Diagnostics,
) -> (Vec<AliasLine>, Vec<IpsetSection>) {
    let from = (zone.clone(), String::new());
    let aliases = fleet.aliases.range(from.clone()..).take_while(|((owner, _), _)| owner == zone);
    let ipsets = fleet.ipsets.range(from..).take_while(|((owner, _), _)| owner == zone);
    let mut seen: BTreeMap<(&str, String), (&str, Span)> = BTreeMap::new();
    let mut claim = |what: &'static str, name: &'a str, span: Span| {
        let lower = name.to_lowercase();
        if let Some((other, place)) = seen.get(&(what, lower.clone())) {
            diagnostics.push(
                Diagnostic::error(
                    Code::PveName,
                    span,
                    format!("Proxmox VE takes the {what} `{other}` and `{name}` for one"),
                )
                .because("the same name but for case")
                .label(*place, format!("`{other}` is defined here"))
                .help("give one of them another name"),
            );
        } else {
            seen.insert((what, lower.clone()), (name, span));
        }
        lower
    };
    let aliases = aliases
        .map(|((_, name), alias)| AliasLine {
            name: claim("aliases", name, alias.span),
            value: network_text(alias.network),
            comment: alias.comment.clone(),
        })
        .collect();
    let ipsets = ipsets
        .filter(|((owner, name), _)| *owner == ZoneRef::Datacenter || !is_ipfilter(name))
        .map(|((_, name), ipset)| ipset_section(claim("ipsets", name, ipset.span), ipset, zone, kinds))
        .collect();
    (aliases, ipsets)
}
