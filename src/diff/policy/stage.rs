//! Stages that no rule stands for: what differs in them, which option explains it, whose doing it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use crate::net::{AddressSet, InterfaceAddress};
use crate::policy::{Fleet, GuestPolicy, Hook, Reference, Stage, ZoneRef, words};

use super::Side;
use super::cause::Origins;
use super::machine::Here;
use super::paired;
use super::written::Said;
use crate::diff::collect::CauseRef;
use crate::diff::report::Status;

/// A stage that is not the same on both sides, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) name: &'static str,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
    /// Addresses that came and went.
    pub(super) detail: Option<String>,
}

/// The stages of two hooks that differ; rules are compared elsewhere.
pub(super) fn differences(old: &Hook, new: &Hook) -> Vec<Difference> {
    let mut found = Vec::new();
    let names: BTreeSet<&'static str> = old.stages.iter().chain(&new.stages).map(Stage::name).collect();
    for name in names {
        let find = |hook: &'_ Hook| hook.stages.iter().position(|stage| stage.name() == name);
        let stage = |hook: &'_ Hook| -> Option<Stage> { hook.stages.get(find(hook)?).cloned() };
        let (was, is) = (stage(old), stage(new));
        if matches!((&was, &is), (Some(Stage::Rules(_)), _) | (_, Some(Stage::Rules(_)))) || was == is {
            continue;
        }
        let (mut before, mut after) = (was.as_ref().map(words::stage), is.as_ref().map(words::stage));
        let mut detail = None;
        // The words name only some of the addresses: what counts is what came and went.
        if let (Some(was), Some(is)) = (&was, &is)
            && let (Some(set), Some(other)) = (addresses(was), addresses(is))
            && set != other
        {
            (before, after) = (None, None);
            detail = Some(come_and_gone(set, other));
        }
        found.push(Difference { name, old: before, new: after, detail });
    }
    found
}

/// `adds 10.0.0.0/8; removes 192.0.2.1`.
fn come_and_gone(old: &AddressSet, new: &AddressSet) -> String {
    let (come, gone) = (new.difference(old), old.difference(new));
    let mut parts = Vec::new();
    parts.extend((!come.is_empty()).then(|| format!("adds {}", words::addresses(&come))));
    parts.extend((!gone.is_empty()).then(|| format!("removes {}", words::addresses(&gone))));
    parts.join("; ")
}

/// The addresses that a stage is about.
fn addresses(stage: &Stage) -> Option<&AddressSet> {
    match stage {
        Stage::Blacklist { set, .. } => Some(set),
        Stage::Smurfs { sources, .. } => Some(sources),
        Stage::Management { peers, .. } => Some(peers),
        Stage::Noise { broadcast, .. } => Some(broadcast),
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
        | Stage::Corosync(_)
        | Stage::Policy { .. } => None,
    }
}

/// Whether an option of the machine that changed says all there is to say of it.
pub(super) fn explained(stage: &str, changed: &BTreeSet<&'static str>) -> bool {
    let options: &[&str] = match stage {
        "macfilter" => &["macfilter"],
        "ipfilter" => &["ipfilter"],
        "layer2_protocols" => &["layer2_protocols"],
        "dhcp" => &["dhcp"],
        "ndp" | "radv" => &["ndp", "radv"],
        "conntrack" => &["nf_conntrack_allow_invalid"],
        "nosmurfs" => &["nosmurfs", "smurf_log_level"],
        "tcpflags" => &["tcpflags", "tcp_flags_log_level"],
        "noise" | "policy" => {
            &["policy_in", "policy_out", "policy_forward", "log_level_in", "log_level_out", "log_level_forward"]
        }
        "blacklist" => &["log_level_in"],
        "ebtables" | "arp" | "stacked-vlan" => &["ebtables"],
        // The firewall on or off takes all stages with it.
        _ => &[],
    };
    changed.contains("enable") || options.iter().any(|option| changed.contains(option))
}

/// Whose doing it is that a stage differs where no option does.
pub(super) fn cause(origins: &Origins<'_>, here: &Here<'_>, stage: &str) -> CauseRef {
    let found = match stage {
        "blacklist" => name(origins, here, "blacklist", true),
        "ipfilter" => ip_filter(origins, here),
        "management" => platform(origins, here)
            .or_else(|| name(origins, here, "management", true))
            .or_else(|| name(origins, here, "local_network", false))
            .or_else(|| ring(origins, here)),
        "corosync" => platform(origins, here).or_else(|| ring(origins, here)),
        "nosmurfs" | "noise" => broadcast(origins, here.host),
        _ => None,
    };
    let edited = || origins.edited_addresses(|_| true);
    found.or_else(|| platform(origins, here)).or_else(edited).unwrap_or_else(|| origins.zone(here.machine))
}

/// Why a name that stages use stands for other addresses on this machine: it, or what it names, was edited.
fn name(origins: &Origins<'_>, here: &Here<'_>, name: &str, ipset: bool) -> Option<CauseRef> {
    let nearest = |fleet: &Fleet, zones: &[ZoneRef]| -> Option<(Reference, Arc<AddressSet>)> {
        zones.iter().chain([&ZoneRef::Datacenter]).find_map(|zone| {
            let key = (zone.clone(), name.to_owned());
            if ipset {
                let found = fleet.ipsets.get(&key)?;
                Some((Reference::Ipset(key.0, key.1), Arc::clone(&found.set)))
            } else {
                let found = fleet.aliases.get(&key)?;
                Some((Reference::Alias(key.0, key.1), Arc::new(AddressSet::network(found.network))))
            }
        })
    };
    let was = nearest(origins.old.fleet, here.old_path);
    let is = nearest(origins.new.fleet, here.new_path);
    if was.as_ref().map(|was| &was.1) == is.as_ref().map(|is| &is.1) {
        return None;
    }
    match (was, is) {
        (Some((was, _)), Some((is, _))) => origins.reference(&was, &is),
        (Some((only, _)), None) | (None, Some((only, _))) => origins.reference(&only, &only),
        (None, None) => None,
    }
}

/// Why a guest's NICs may speak from other addresses, where the NICs themselves are as they were.
pub(super) fn ip_filter(origins: &Origins<'_>, here: &Here<'_>) -> Option<CauseRef> {
    (0..=31).find_map(|index| name(origins, here, &format!("ipfilter-net{index}"), true))
}

/// The edit that makes a host another platform.
fn platform(origins: &Origins<'_>, here: &Here<'_>) -> Option<CauseRef> {
    let of = |fleet: &Fleet, name: &str| fleet.hosts.iter().find(|host| host.name == name).map(|host| host.platform);
    // Of a cluster the others matter as well: they are peers no more. A host's own platform comes first.
    let others = origins.new.fleet.hosts.iter().filter(|host| host.name != here.host);
    let own = origins.new.fleet.hosts.iter().filter(|host| host.name == here.host);
    let other = own
        .chain(others)
        .find(|host| of(origins.old.fleet, &host.name).is_some_and(|platform| platform != host.platform))?;
    let zone = origins.setter(&other.path, "platform").unwrap_or_else(|| ZoneRef::Host(other.name.clone()));
    Some(origins.property(&zone, "platform"))
}

/// The host whose addresses are not what they were: this one, or one of its peers.
fn ring(origins: &Origins<'_>, here: &Here<'_>) -> Option<CauseRef> {
    let names = |side: &Side<'_>| side.fleet.hosts.iter().map(|host| host.name.clone()).collect::<BTreeSet<_>>();
    let others = names(&origins.old).into_iter().chain(names(&origins.new));
    let mut hosts = std::iter::once(here.host.to_owned()).chain(others).map(ZoneRef::Host);
    hosts.find_map(|host| {
        let of = |name| origins.edited(&host, Said::Property(name)).then(|| origins.property(&host, name));
        if origins.status(&host) != Status::Changed {
            return Some(origins.zone(&host));
        }
        of("addresses").or_else(|| of("corosync"))
    })
}

/// Whose edit gives a host other broadcast addresses: its own networks, or those of a guest that is on it.
fn broadcast(origins: &Origins<'_>, host: &str) -> Option<CauseRef> {
    let find = |fleet: &'_ Fleet| fleet.hosts.iter().position(|known| known.name == host);
    let before = origins.old.fleet.hosts.get(find(origins.old.fleet)?)?;
    let after = origins.new.fleet.hosts.get(find(origins.new.fleet)?)?;
    let (come, gone) = (after.broadcast.difference(&before.broadcast), before.broadcast.difference(&after.broadcast));
    // A network of one side alone, whose broadcast address is one of those that came or went.
    let explains = |old: &BTreeSet<IpNet>, new: &BTreeSet<IpNet>| {
        let mut other = old.symmetric_difference(new);
        other.any(|network| come.contains(network.broadcast()) || gone.contains(network.broadcast()))
    };
    let networks = |addresses: &[InterfaceAddress]| addresses.iter().map(|address| address.network()).collect();
    if explains(&networks(&before.addresses), &networks(&after.addresses)) {
        return Some(origins.property(&ZoneRef::Host(host.to_owned()), "addresses"));
    }
    let of_guest = |guest: Option<&GuestPolicy>| -> BTreeSet<IpNet> {
        let nics = guest.into_iter().flat_map(|guest| &guest.nics);
        nics.flat_map(|nic| &nic.addresses).map(|address| address.network()).collect()
    };
    let mut guests = paired(&before.guests, &after.guests, |guest| guest.id).into_iter();
    let (old, new) = guests.find(|(old, new)| explains(&of_guest(*old), &of_guest(*new)))?;
    Some(origins.placed(&new.or(old)?.zone()))
}
