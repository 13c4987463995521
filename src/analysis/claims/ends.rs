//! What the ends of a claim stand for: places, and the addresses that a packet may have there.
//!
//! * **outside** has every address that no machine of the spec has.
//! * A **host** has its `addresses`; any, where the spec names none.
//! * A **guest's NIC** has the addresses that its IP filter lets it use; without one its `ip`; any, where that is
//!   unknown too (`dhcp`, or no `ip`).
//!
//! For `accept` these are the addresses that a machine can have as its own: no link-local, multicast, loopback or
//! unspecified ones. A claim that nothing passes is about every source from which a guest *could* send, so about all
//! of them: an IP filter stops the wrong ones, where there is one.
//!
//! A claim of `only` is about addresses and not about who has them: from outside every address can come. The receiver's own
//! are none of the sources, for a machine that talks to itself breaks no such claim.
//!
//! The claim's own `source` and `dest` narrow this down. Where they name only addresses that the end has not, they are
//! taken as written: such a claim is about forged addresses.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::net::{AddressSet, InterfaceAddress, Ranges};
use crate::policy::{
    Claim, Crossing, Endpoint, Expectation, Fleet, GuestKind, GuestPolicy, Hook, HostPolicy, Nic, RuleInterface,
};

use super::limit::{Allowance, Limits, Shares};
use super::way::{Way, ways};
use crate::analysis::judge::Judge;
use crate::analysis::route::Place;
use crate::analysis::sets::{EXAMPLES, Frozen, Interfaces, least};

/// A hook of a machine in memory: what it is judged by is made once.
pub(super) type HookKey = (usize, usize);

/// A fleet made ready for many claims.
#[derive(Debug)]
pub(super) struct World<'a> {
    fleet: &'a Fleet,
    hosts: BTreeMap<&'a str, &'a HostPolicy>,
    guests: BTreeMap<(GuestKind, u32), Vec<(&'a HostPolicy, &'a GuestPolicy)>>,
    /// What is outside, for claims that something passes.
    outside_plain: AddressSet,
    /// What is outside.
    outside: AddressSet,
    /// What a machine can have as its own.
    plain: AddressSet,
    all: AddressSet,
    /// Only looked up, never listed.
    judges: Mutex<HashMap<HookKey, Arc<Judge<'a>>>>,
    /// What hooks say about all packets; none where that is over budget. Only looked up, never listed.
    diagrams: Mutex<HashMap<HookKey, Option<Arc<Frozen>>>>,
    /// The names of interfaces that any hook speaks of.
    interfaces: Interfaces,
    shares: Shares,
}

/// Which end of a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Dest,
}

/// The addresses that are in all of some sets.
#[derive(Debug, Default)]
pub(super) struct Common<'s>(Vec<Cow<'s, AddressSet>>);

impl Common<'_> {
    /// The sets of one family's addresses as numbers.
    pub(super) fn v4(&self) -> Vec<&Ranges<u32>> {
        self.0.iter().map(|set| set.v4()).collect()
    }

    /// As [`Common::v4`].
    pub(super) fn v6(&self) -> Vec<&Ranges<u128>> {
        self.0.iter().map(|set| set.v6()).collect()
    }

    fn is_empty(&self) -> bool {
        least(&self.v4(), 0).is_none() && least(&self.v6(), 0).is_none()
    }
}

impl<'a> World<'a> {
    pub(super) fn new(fleet: &'a Fleet, limits: Limits) -> Self {
        let mut guests: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for host in &fleet.hosts {
            for guest in &host.guests {
                guests.entry((guest.kind, guest.id)).or_default().push((host, guest));
            }
        }
        let nics = fleet.hosts.iter().flat_map(|host| &host.guests).flat_map(|guest| &guest.nics);
        let interfaces = nics.flat_map(|nic| &nic.addresses).chain(fleet.hosts.iter().flat_map(|host| &host.addresses));
        let inside = addresses_of(interfaces);
        let (plain, all) = (plain(), everything());
        Self {
            fleet,
            hosts: fleet.hosts.iter().map(|host| (host.name.as_str(), host)).collect(),
            guests,
            outside_plain: plain.difference(&inside),
            outside: all.difference(&inside),
            plain,
            all,
            judges: Mutex::default(),
            diagrams: Mutex::default(),
            interfaces: interfaces_of(fleet),
            shares: Shares::new(fleet, limits),
        }
    }

    fn places(&self, endpoint: &Endpoint) -> Vec<Place<'a>> {
        match endpoint {
            Endpoint::Outside => vec![Place::Outside],
            Endpoint::Host(name) => self.hosts.get(name.as_str()).map(|host| Place::Host(host)).into_iter().collect(),
            Endpoint::Guest { kind, id, nic } => {
                let homes = self.guests.get(&(*kind, *id)).into_iter().flatten();
                let nics = homes.flat_map(|(host, guest)| guest.nics.iter().map(move |nic| (*host, *guest, nic)));
                nics.filter(|(_, _, known)| nic.is_none_or(|only| known.index == only))
                    .map(|(host, guest, nic)| Place::Guest(host, guest, nic))
                    .collect()
            }
        }
    }

    /// Every way between two endpoints.
    pub(super) fn ways(&self, claim: &Claim, from: &Endpoint, to: &Endpoint) -> Vec<Way<'a>> {
        ways(&self.places(from), &self.places(to), &self.fleet.hosts, claim.expect)
    }

    /// A name for each hook of a way.
    pub(super) fn keys(way: &Way<'a>) -> Vec<HookKey> {
        way.crossings.iter().map(key).collect()
    }

    /// The judges of a way's hooks.
    pub(super) fn judges(&self, way: &Way<'a>) -> Vec<Arc<Judge<'a>>> {
        way.crossings.iter().map(|crossing| self.judge(crossing)).collect()
    }

    fn judge(&self, crossing: &Crossing<'a>) -> Arc<Judge<'a>> {
        let known = |judges: &HashMap<HookKey, Arc<Judge<'a>>>| judges.get(&key(crossing)).map(Arc::clone);
        if let Some(judge) = known(&self.judges.lock().unwrap_or_else(PoisonError::into_inner)) {
            return judge;
        }
        let judge = Arc::new(Judge::new(crossing.hook, crossing.nic));
        self.judges.lock().unwrap_or_else(PoisonError::into_inner).insert(key(crossing), Arc::clone(&judge));
        judge
    }

    /// What the hooks of a way say about all packets, in the labels of [`exact`](super::exact); none where one of them is
    /// over budget.
    pub(super) fn diagrams(&self, way: &Way<'a>) -> Option<Vec<Arc<Frozen>>> {
        way.crossings.iter().map(|crossing| self.diagram(crossing)).collect()
    }

    fn diagram(&self, crossing: &Crossing<'a>) -> Option<Arc<Frozen>> {
        let key = key(crossing);
        if let Some(found) = self.diagrams.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return found.clone();
        }
        // A guest's hook is nearly the same for each of its NICs.
        let here =
            |guest: &&GuestPolicy| [&guest.hook_in, &guest.hook_out].iter().any(|h| std::ptr::eq(*h, crossing.hook));
        let guest = crossing.nic.and_then(|_| crossing.host.guests.iter().find(here));
        let nics: Vec<Option<&Nic>> = match guest {
            Some(guest) => guest.filtered_nics().map(Some).collect(),
            None => vec![crossing.nic],
        };
        let judges: Vec<Judge<'_>> = nics.iter().map(|nic| Judge::new(crossing.hook, *nic)).collect();
        let budget = self.shares.of(crossing.hook, nics.len());
        let made = super::exact::diagrams(&judges, &self.interfaces, budget);
        let mut known = self.diagrams.lock().unwrap_or_else(PoisonError::into_inner);
        for (nic, diagram) in nics.into_iter().zip(made) {
            known.insert(hook_key(crossing.hook, nic), diagram.map(Arc::new));
        }
        known.get(&key).cloned().flatten()
    }

    /// What one of so many claims may take.
    pub(super) fn allowance(&self, claims: usize) -> Allowance {
        self.shares.claim(claims)
    }

    /// The names of interfaces that any hook speaks of.
    pub(super) const fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// The addresses that a packet of a claim may have at one end of its way.
    pub(super) fn addresses<'s>(&'s self, claim: &'s Claim, way: &Way<'a>, side: Side) -> Common<'s> {
        match (side, &claim.only) {
            (Side::Source, Some(only)) => {
                let mut sources = self.wanted(claim, way.from, side);
                sources.0.push(Cow::Borrowed(&only.others));
                if let Some(own) = receiver(way.to) {
                    sources.0.push(Cow::Owned(self.all.difference(&own)));
                }
                sources
            }
            (Side::Source, None) => self.wanted(claim, way.from, side),
            (Side::Dest, _) => self.wanted(claim, way.to, side),
        }
    }

    /// The addresses of a place, as far as the claim's `source` or `dest` speaks of them.
    fn wanted<'s>(&'s self, claim: &'s Claim, place: Place<'a>, side: Side) -> Common<'s> {
        let wanted = match side {
            Side::Source => claim.source.as_ref(),
            Side::Dest => claim.dest.as_ref(),
        };
        let own = self.own(claim, place, side);
        let Some(wanted) = wanted.map(|addresses| &*addresses.set) else { return Common(vec![own]) };
        let both = Common(vec![own, Cow::Borrowed(wanted)]);
        if both.is_empty() && !self.others_have(claim, place, side, wanted) {
            return Common(vec![Cow::Borrowed(wanted)]);
        }
        both
    }

    /// Whether another NIC of the same guest has some of the addresses.
    fn others_have(&self, claim: &Claim, place: Place<'a>, side: Side, wanted: &AddressSet) -> bool {
        let Place::Guest(host, guest, nic) = place else { return false };
        let others = guest.nics.iter().filter(|other| other.index != nic.index);
        others
            .map(|other| self.own(claim, Place::Guest(host, guest, other), side))
            .any(|own| !Common(vec![own, Cow::Borrowed(wanted)]).is_empty())
    }

    /// The addresses of the place itself, whatever the claim's `source` and `dest` say.
    fn own<'s>(&'s self, claim: &Claim, place: Place<'a>, side: Side) -> Cow<'s, AddressSet> {
        let passes = claim.expect == Expectation::Accept;
        let any = || if passes { Cow::Borrowed(&self.plain) } else { Cow::Borrowed(&self.all) };
        match place {
            // Where addresses alone tell who sends, everybody outside can have any.
            Place::Outside if side == Side::Source && claim.only.is_some() => Cow::Borrowed(&self.all),
            Place::Outside => Cow::Borrowed(if passes { &self.outside_plain } else { &self.outside }),
            Place::Host(host) => {
                Some(addresses_of(&host.addresses)).filter(|set| !set.is_empty()).map_or_else(any, Cow::Owned)
            }
            Place::Guest(..) if side == Side::Source && !passes => any(),
            Place::Guest(host, guest, nic) => {
                let known = known(host, guest, nic);
                let usable = known.as_ref().map(|set| set.intersection(&self.plain)).filter(|set| !set.is_empty());
                match (usable, known) {
                    (Some(usable), _) if passes => Cow::Owned(usable),
                    (Some(_), Some(known)) => Cow::Owned(known.into_owned()),
                    (None, _) | (Some(_), None) => any(),
                }
            }
        }
    }

    /// Addresses that make a packet easy to read, best first: those of the machine, then those for examples.
    pub(super) fn readable(place: Place<'a>) -> Vec<IpAddr> {
        let own: Vec<IpAddr> = match place {
            Place::Outside => Vec::new(),
            Place::Host(host) => host.addresses.iter().map(|interface| interface.address()).collect(),
            Place::Guest(_, _, nic) => nic.addresses.iter().map(|interface| interface.address()).collect(),
        };
        own.into_iter().chain(EXAMPLES).collect()
    }
}

fn key(crossing: &Crossing<'_>) -> HookKey {
    hook_key(crossing.hook, crossing.nic)
}

fn hook_key(hook: &Hook, nic: Option<&Nic>) -> HookKey {
    (std::ptr::from_ref(hook).addr(), nic.map_or(0, |nic| std::ptr::from_ref(nic).addr()))
}

/// Rules of hosts and vnets alone speak of the hosts' interfaces.
fn interfaces_of(fleet: &Fleet) -> Interfaces {
    let lists = fleet.hosts.iter().map(|host| &host.rules).chain(fleet.vnets.iter().map(|vnet| &vnet.rules));
    let entries = lists.flat_map(|list| list.entries());
    Interfaces::new(entries.filter_map(|(entry, _)| match entry.interface() {
        RuleInterface::Host(name) => Some(name.as_str()),
        RuleInterface::Any | RuleInterface::Nic(_) => None,
    }))
}

/// The addresses of the machine at the end of a way; none where the spec knows none.
fn receiver(place: Place<'_>) -> Option<AddressSet> {
    let own = match place {
        Place::Outside => AddressSet::default(),
        Place::Host(host) => addresses_of(&host.addresses),
        Place::Guest(_, guest, _) => addresses_of(guest.nics.iter().flat_map(|nic| &nic.addresses)),
    };
    Some(own).filter(|own| !own.is_empty())
}

/// What a NIC is known to have: what its IP filter lets through, or its addresses and its link-local one.
fn known<'a>(host: &HostPolicy, guest: &GuestPolicy, nic: &'a Nic) -> Option<Cow<'a, AddressSet>> {
    let filtered = host.enabled && guest.enabled && nic.firewall;
    if let Some(sources) = nic.sources.as_deref().filter(|_| filtered) {
        return Some(Cow::Borrowed(sources));
    }
    if nic.dhcp || nic.addresses.is_empty() {
        return None;
    }
    let own = addresses_of(&nic.addresses);
    let link_local = nic.mac.map(|mac| AddressSet::address(mac.link_local().into())).unwrap_or_default();
    Some(Cow::Owned(own.union(&link_local)))
}

fn addresses_of<'i>(interfaces: impl IntoIterator<Item = &'i InterfaceAddress>) -> AddressSet {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for interface in interfaces {
        match interface.address() {
            IpAddr::V4(address) => v4.push((address.into(), address.into())),
            IpAddr::V6(address) => v6.push((address.into(), address.into())),
        }
    }
    AddressSet::new(Ranges::from_ranges(v4), Ranges::from_ranges(v6))
}

fn everything() -> AddressSet {
    AddressSet::new(Ranges::all(), Ranges::all())
}

/// Addresses that a machine can have as its own, and use beyond its link: not 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16,
/// 224.0.0.0/3, ::/127, fe80::/10, ff00::/8.
fn plain() -> AddressSet {
    let v4 = Ranges::from_ranges([
        (0, 0x00ff_ffff),
        (0x7f00_0000, 0x7fff_ffff),
        (0xa9fe_0000, 0xa9fe_ffff),
        (0xe000_0000, u32::MAX),
    ]);
    let v6: Ranges<u128> =
        Ranges::from_ranges([(0, 1), (0xfe80 << 112, (0xfec0 << 112) - 1), (0xff00 << 112, u128::MAX)]);
    everything().difference(&AddressSet::new(v4, v6))
}
