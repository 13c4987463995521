//! Boxes of packets in the spec's own names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::analysis::sets::{Memo, Region, Wish};
use crate::net::{AddressSet, Family, Ranges};
use crate::policy::{Fleet, Hook, HookName, Nic, Stage, State, ZoneRef, words};

use super::beside::{Beside, Besides};
use super::service::Asked;
use crate::diff::report::At;

/// Networks that are written out where no name fits.
const NETWORKS: usize = 4;

/// What sets were called, beside the addresses apart.
#[derive(Debug)]
pub(super) struct Told<'b, 'n> {
    called: Memo<(AddressSet, AddressSet), Option<String>>,
    besides: &'b Besides<'n>,
}

impl<'b, 'n> Told<'b, 'n> {
    /// Nothing yet.
    pub(super) fn new(besides: &'b Besides<'n>) -> Self {
        Self { called: Memo::default(), besides }
    }
}

/// A box in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Described {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) asked: Asked,
    /// What else its packets have in common: flags, states; empty for ordinary first packets.
    pub(super) remark: String,
    /// None where it is no IP.
    pub(super) family: Option<Family>,
    /// Whether it is only about addresses that stages of their own speak of.
    is_apart: bool,
}

impl Described {
    /// Whether another box of the same rule says all that this one does, but for what stages of their own decide.
    pub(super) fn is_covered_by(&self, other: &Self) -> bool {
        let ordinary = !other.is_apart && other.remark.is_empty();
        let marginal = self.is_apart || !self.remark.is_empty();
        let same_ends = self.is_apart || (&self.from, &self.to) == (&other.from, &other.to);
        marginal && ordinary && same_ends && self.asked == other.asked && self.family == other.family
    }
}

/// Addresses that stages of a hook speak of on their own, before or after the rules: a row does not name them, for they
/// would be in every one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Apart {
    /// Sources: blacklist, smurfs.
    source: AddressSet,
    /// Destinations: broadcast and multicast.
    dest: AddressSet,
    /// The NIC's own addresses.
    own: Option<AddressSet>,
}

impl Apart {
    /// Of both sides of a hook.
    pub(super) fn of(hooks: [&Hook; 2], nic: Option<&Nic>) -> Self {
        let mut apart = Self { own: nic.and_then(|nic| nic.sources.as_deref().cloned()), ..Self::default() };
        for stage in hooks.into_iter().flat_map(|hook| &hook.stages) {
            match stage {
                Stage::Blacklist { set, .. } => apart.source = apart.source.union(set),
                Stage::Smurfs { sources, .. } => apart.source = apart.source.union(sources),
                Stage::Noise { broadcast, .. } => apart.dest = apart.dest.union(broadcast),
                Stage::OtherFrames
                | Stage::StackedVlan
                | Stage::Loopback
                | Stage::MacFilter
                | Stage::IpFilter
                | Stage::Layer2(_)
                | Stage::Arp
                | Stage::Conntrack { .. }
                | Stage::TcpFlags { .. }
                | Stage::Igmp
                | Stage::Dhcp
                | Stage::RouterAdvertisements
                | Stage::NeighbourDiscovery(_)
                | Stage::Rules(_)
                | Stage::Management { .. }
                | Stage::Corosync(_)
                | Stage::Policy { .. } => {}
            }
        }
        apart
    }
}

/// What sets of addresses are called in the new spec, or else in the old one.
#[derive(Debug)]
pub(super) struct Names {
    known: Memo<AddressSet, String>,
    /// The same, in the order of their addition: hash order never reaches an answer.
    sorted: Vec<(AddressSet, String)>,
    /// What machines of the new spec are called together.
    members: BTreeMap<BTreeSet<Member>, String>,
}

/// A host, and a machine on it.
type Member = (String, String);

/// Machines that are named one by one.
const FEW: usize = 3;

/// The end of a packet's way where the hook stands.
pub(super) const ITSELF: &str = "the machine";

impl Names {
    /// All names of both specs, the first one's before the other's; short kinds of names before long ones.
    pub(super) fn new(new: &Fleet, old: &Fleet) -> Self {
        let mut names = Self { known: Memo::default(), sorted: Vec::new(), members: members(new) };
        for fleet in [new, old] {
            names.aliases(fleet);
            names.ipsets(fleet);
            names.zones(fleet);
            names.machines(fleet);
        }
        names
    }

    /// The machines of a row, where they have a name together or are few.
    pub(super) fn machines_of(&self, at: &BTreeSet<At>) -> Option<String> {
        let machine = |at: &At| at.machine.split(':').next().unwrap_or_default().to_owned();
        let here: BTreeSet<Member> = at.iter().map(|at| (at.host.clone(), machine(at))).collect();
        let few: BTreeSet<&str> = here.iter().map(|(_, machine)| machine.as_str()).collect();
        let list = || few.iter().copied().collect::<Vec<_>>().join(", ");
        match few.len() {
            1 => Some(list()),
            many => self.members.get(&here).cloned().or_else(|| (many <= FEW).then(list)),
        }
    }

    fn add(&mut self, set: &AddressSet, name: &str) {
        for family in Family::BOTH {
            let part = set.only(family);
            if !part.is_empty() && !self.known.contains_key(&part) {
                self.sorted.push((part.clone(), name.to_owned()));
                self.known.insert(part, name.to_owned());
            }
        }
    }

    fn aliases(&mut self, fleet: &Fleet) {
        for ((_, name), alias) in &fleet.aliases {
            self.add(&AddressSet::network(alias.network), name);
        }
    }

    fn ipsets(&mut self, fleet: &Fleet) {
        for ((_, name), ipset) in &fleet.ipsets {
            self.add(&ipset.set, &format!("+{name}"));
        }
    }

    fn zones(&mut self, fleet: &Fleet) {
        let mut members: BTreeMap<String, AddressSet> = BTreeMap::new();
        let mut add = |path: &[ZoneRef], set: &AddressSet| {
            for zone in path {
                if let ZoneRef::Zone(name) = zone {
                    let known = members.entry(name.clone()).or_default();
                    *known = known.union(set);
                }
            }
        };
        for host in &fleet.hosts {
            let own = host
                .addresses
                .iter()
                .fold(AddressSet::default(), |set, address| set.union(&AddressSet::address(address.address())));
            add(&host.path, &own);
            for guest in &host.guests {
                let addresses = guest.nics.iter().flat_map(|nic| &nic.addresses);
                let set = addresses
                    .fold(AddressSet::default(), |set, address| set.union(&AddressSet::address(address.address())));
                add(&guest.path, &set);
            }
        }
        for (name, set) in members {
            self.add(&set, &format!("zone/{name}"));
        }
    }

    fn machines(&mut self, fleet: &Fleet) {
        for host in &fleet.hosts {
            for address in &host.addresses {
                self.add(&AddressSet::address(address.address()), &format!("host/{}", host.name));
            }
            for guest in &host.guests {
                for address in guest.nics.iter().flat_map(|nic| &nic.addresses) {
                    self.add(&AddressSet::address(address.address()), &guest.zone().to_string());
                }
            }
        }
    }

    /// A box. `told` remembers what was found: many machines have the same sets.
    pub(super) fn describe<'n>(
        &'n self,
        region: &Region,
        hook: HookName,
        apart: &Apart,
        told: &mut Told<'_, 'n>,
    ) -> Described {
        let family = region.family();
        let mut addresses = |set: Option<AddressSet>, apart: &AddressSet| match (set, family) {
            (None, _) => Some("anyone".to_owned()),
            (Some(set), Some(family)) => {
                let key = (set.only(family), apart.only(family));
                if let Some(known) = told.called.get(&key) {
                    return known.clone();
                }
                let beside = told.besides.of(family, &key.1);
                let beside = beside.get_or_init(|| self.beside(family, &key.1));
                let found = self.addresses(&key.0, &key.1, family, beside);
                told.called.insert(key, found.clone());
                found
            }
            (Some(set), None) => Some(words::addresses(&set)),
        };
        let own = |set: Option<AddressSet>| match (set, &apart.own, family) {
            (Some(set), Some(own), Some(family)) if set.only(family) == own.only(family) => None,
            (set, _, _) => set,
        };
        let mut from = addresses(own(region.source()), &apart.source);
        let mut to = addresses(region.dest(), &apart.dest);
        let itself = |text: &mut Option<String>| {
            if text.as_deref() == Some("anyone") {
                *text = Some(ITSELF.to_owned());
            }
        };
        match hook {
            HookName::HostIn | HookName::GuestIn => itself(&mut to),
            HookName::HostOut | HookName::GuestOut => itself(&mut from),
            HookName::HostForward | HookName::VnetForward => {}
        }
        let is_apart = from.is_none() || to.is_none();
        let exact = |set: Option<AddressSet>| set.map_or("anyone".to_owned(), |set| words::addresses(&set));
        Described {
            from: from.unwrap_or_else(|| exact(region.source())),
            to: to.unwrap_or_else(|| exact(region.dest())),
            asked: Asked::of(region),
            remark: remark(region),
            family,
            is_apart,
        }
    }

    /// What names mean beside addresses.
    fn beside(&self, family: Family, apart: &AddressSet) -> Beside<'_> {
        let names = self.sorted.iter().filter(|(set, _)| set.has(family));
        Beside::new(names.map(|(set, name)| (set, name.as_str())), apart)
    }

    /// What a set is called, whatever it has of the addresses apart; none where it has no others.
    fn addresses(&self, set: &AddressSet, apart: &AddressSet, family: Family, beside: &Beside<'_>) -> Option<String> {
        if let Some(name) = self.known.get(set) {
            return Some(name.clone());
        }
        let all = everything(family);
        let rest = all.difference(&set.union(apart));
        if rest.is_empty() {
            return Some("anyone".to_owned());
        }
        let core = set.difference(apart);
        if core.is_empty() {
            return None;
        }
        let alone = |set: &AddressSet| self.known.get(set).map(String::as_str).or_else(|| beside.alone(set));
        if let Some(name) = alone(&core) {
            return Some(name.to_owned());
        }
        if let Some(name) = alone(&rest) {
            return Some(format!("anyone but {name}"));
        }
        if let Some(names) = beside.together(&core) {
            return Some(names);
        }
        if let Some(names) = beside.together(&rest) {
            return Some(format!("anyone but {names}"));
        }
        let few = |set: &AddressSet| set.networks(family).len() <= NETWORKS;
        if few(&rest) && !few(&core) {
            return Some(format!("anyone but {}", words::addresses(&rest)));
        }
        Some(words::addresses(&core))
    }
}

/// All hosts, all guests, and the machines of each zone; of names alike in this order the first.
fn members(fleet: &Fleet) -> BTreeMap<BTreeSet<Member>, String> {
    let (mut zones, mut hosts, mut guests) =
        (BTreeMap::<String, BTreeSet<Member>>::new(), BTreeSet::new(), BTreeSet::new());
    let mut add = |path: &[ZoneRef], member: &Member| {
        for zone in path {
            if let ZoneRef::Zone(name) = zone {
                zones.entry(format!("zone/{name}")).or_default().insert(member.clone());
            }
        }
    };
    for host in &fleet.hosts {
        let member = (host.name.clone(), ZoneRef::Host(host.name.clone()).to_string());
        add(&host.path, &member);
        hosts.insert(member);
        for guest in &host.guests {
            let member = (host.name.clone(), guest.zone().to_string());
            add(&guest.path, &member);
            guests.insert(member);
        }
    }
    let all = [("every host".to_owned(), hosts), ("every guest".to_owned(), guests)];
    let mut found = BTreeMap::new();
    for (name, set) in all.into_iter().chain(zones).filter(|(_, set)| !set.is_empty()) {
        found.entry(set).or_insert(name);
    }
    found
}

/// A packet of the kind that operators would try: from or to the machine's own address.
pub(super) fn wish(hook: HookName, own: &[IpAddr]) -> Wish {
    let mut wish = Wish::default();
    let list = match hook {
        HookName::GuestOut | HookName::HostOut => &mut wish.sources,
        HookName::GuestIn | HookName::HostIn => &mut wish.dests,
        HookName::HostForward | HookName::VnetForward => return wish,
    };
    list.splice(0..0, own.iter().copied());
    wish
}

fn everything(family: Family) -> AddressSet {
    match family {
        Family::V4 => AddressSet::new(Ranges::all(), Ranges::empty()),
        Family::V6 => AddressSet::new(Ranges::empty(), Ranges::all()),
    }
}

/// Flags and states, where they are not those of an ordinary first packet.
fn remark(region: &Region) -> String {
    let mut parts = Vec::new();
    if !region.has_bare_syn() {
        parts.push("other flags than SYN alone".to_owned());
    }
    let states = region.states().filter(|states| !states.contains(&State::New));
    parts.extend(states.map(|states| {
        let names = states.iter().map(|state| match state {
            State::New => "new",
            State::Established => "established",
            State::Related => "related",
            State::Invalid => "invalid",
        });
        names.collect::<Vec<_>>().join(", ")
    }));
    parts.join("; ")
}
