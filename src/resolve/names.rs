//! What names stand for: aliases, ipsets, machines, and the scopes in which they are looked up.
//!
//! A name is looked up where it is *written*, and outward from there: the zone itself, what it
//! inherits (nearest first; a `guests` block has its owner's names), then the datacenter. The nearest
//! definition wins.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Span};
use crate::net::AddressSet;
use crate::policy::ZoneRef;

/// What a name stands for, and where it was defined.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    /// The addresses.
    pub set: Arc<AddressSet>,
    /// The name in its definition.
    pub span: Span,
}

impl Definition {
    /// A definition with an error of its own, which has been reported: what uses it need not be told too.
    pub(super) fn broken(span: Span) -> Self {
        Self { set: Arc::new(AddressSet::empty()), span }
    }
}

/// The names that one zone defines.
#[derive(Debug)]
pub(super) struct Names {
    /// Which zone.
    pub zone: ZoneRef,
    /// By name.
    pub aliases: BTreeMap<String, Definition>,
    /// By name.
    pub ipsets: BTreeMap<String, Definition>,
}

impl Names {
    /// A zone that defines nothing.
    pub(super) const fn new(zone: ZoneRef) -> Self {
        Self { zone, aliases: BTreeMap::new(), ipsets: BTreeMap::new() }
    }

    fn is_guest_side(&self) -> bool {
        match &self.zone {
            ZoneRef::Vm(_) | ZoneRef::Container(_) | ZoneRef::Zone(_) => true,
            ZoneRef::Datacenter
            | ZoneRef::Guests(_)
            | ZoneRef::Host(_)
            | ZoneRef::Nic(..)
            | ZoneRef::Group(_)
            | ZoneRef::Vnet(_) => false,
        }
    }
}

/// Which of a scope's zones a reference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopePart {
    /// All, nearest first.
    Any,
    /// `dc/`: the datacenter.
    Datacenter,
    /// `guest/`: the guest and the zones it inherits.
    Guest,
}

/// Addresses of machines, for `host/`, `vm/`, `ct/` and `zone/` references.
#[derive(Debug, Default)]
pub(super) struct Machines {
    /// By name; the set may be empty.
    pub hosts: BTreeMap<String, Arc<AddressSet>>,
    /// By number; the set may be empty.
    pub vms: BTreeMap<u32, Arc<AddressSet>>,
    /// By number; the set may be empty.
    pub containers: BTreeMap<u32, Arc<AddressSet>>,
    /// By name: the union over the machines that inherit the zone; the set may be empty.
    pub zones: BTreeMap<String, Arc<AddressSet>>,
    /// By name of the zone: those of its machines whose addresses are not all known, in words; zones without are left out.
    pub unknown: BTreeMap<String, String>,
}

/// `local_network` where nobody defined it: it differs from host to host.
#[derive(Debug, Clone)]
pub(super) enum LocalNetwork {
    /// No host is at hand; some host's network stands in so that all else can be checked.
    Sample(Option<Arc<AddressSet>>),
    /// The host's.
    Of(Option<Arc<AddressSet>>),
    /// What is read holds for all hosts at once, so it cannot be used; the code says what that is.
    OfNoHost(Code),
}

/// Where names are looked up.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// Nearest first.
    pub names: Vec<&'a Names>,
    /// The machines.
    pub machines: &'a Machines,
    /// What `local_network` is if it is not defined.
    pub local_network: LocalNetwork,
    /// Set once `local_network` was used that way.
    pub used_local_network: Cell<bool>,
}

/// Aliases or ipsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    /// A bare word.
    Alias,
    /// `+name`.
    Ipset,
}

impl NameKind {
    /// For messages.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Ipset => "ipset",
        }
    }
}

impl<'a> Scope<'a> {
    /// A scope over these zones, nearest first.
    pub(super) fn new(names: Vec<&'a Names>, machines: &'a Machines, local_network: LocalNetwork) -> Self {
        Self { names, machines, local_network, used_local_network: Cell::new(false) }
    }

    fn zones(&self, part: ScopePart) -> impl Iterator<Item = &'a Names> + '_ {
        self.names.iter().copied().filter(move |names| match part {
            ScopePart::Any => true,
            ScopePart::Datacenter => names.zone == ZoneRef::Datacenter,
            ScopePart::Guest => names.is_guest_side(),
        })
    }

    /// The nearest definition of a name, and the zone that has it.
    pub(super) fn find(&self, kind: NameKind, part: ScopePart, name: &str) -> Option<(&'a ZoneRef, &'a Definition)> {
        self.zones(part).find_map(|names| {
            let definition = match kind {
                NameKind::Alias => names.aliases.get(name),
                NameKind::Ipset => names.ipsets.get(name),
            };
            definition.map(|definition| (&names.zone, definition))
        })
    }

    /// Every name in reach, for suggestions.
    pub(super) fn known(&self, kind: NameKind, part: ScopePart) -> Vec<&'a str> {
        let mut all: Vec<&str> = self
            .zones(part)
            .flat_map(|names| match kind {
                NameKind::Alias => names.aliases.keys(),
                NameKind::Ipset => names.ipsets.keys(),
            })
            .map(String::as_str)
            .collect();
        let is_usable = match self.local_network {
            LocalNetwork::Sample(_) | LocalNetwork::Of(_) => true,
            LocalNetwork::OfNoHost(_) => false,
        };
        if kind == NameKind::Alias && part == ScopePart::Any && is_usable {
            all.push("local_network");
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}
