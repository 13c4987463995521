//! The ends of a packet's way: names to places, each on one host.

use crate::diagnostic::did_you_mean;
use crate::policy::{Endpoint, Fleet, GuestKind, GuestPolicy, HostPolicy, Nic};

use super::question::{Question, Unanswerable};
use crate::analysis::Place;

/// Both ends, and where else they could be.
#[derive(Debug, Clone)]
pub(super) struct Ends<'a> {
    pub from: Place<'a>,
    pub to: Place<'a>,
    /// The other hosts on which the sender may run.
    pub from_elsewhere: Vec<Place<'a>>,
    /// The other hosts on which the receiver may run.
    pub to_elsewhere: Vec<Place<'a>>,
}

impl<'a> Ends<'a> {
    /// Looks both ends up and decides on which hosts they are.
    pub(super) fn find(fleet: &'a Fleet, question: &Question) -> Result<Self, Unanswerable> {
        let (from, to) = (places(fleet, &question.from)?, places(fleet, &question.to)?);
        for name in &question.on {
            host(fleet, name)?;
        }
        let (first, second) = pins(&question.on, &from, &to)?;
        let shared = || from.iter().filter_map(|place| place.host()).find(|host| at(&to, &host.name).is_some());
        let pinned = |pin: Option<usize>, list: &[Place<'a>]| pin.and_then(|pin| list.get(pin)?.host());
        let common = pinned(first, &from).or_else(|| pinned(second, &to)).or_else(shared);
        let choose = |pin: Option<usize>, list: Vec<Place<'a>>| {
            let chosen = pin.or_else(|| common.and_then(|host| at(&list, &host.name))).unwrap_or(0);
            let mut rest = list;
            let place = if chosen < rest.len() { rest.remove(chosen) } else { Place::Outside };
            (place, rest)
        };
        let (from, from_elsewhere) = choose(first, from.clone());
        let (to, to_elsewhere) = choose(second, to.clone());
        Ok(Self { from, to, from_elsewhere, to_elsewhere })
    }
}

/// Which of the places of each end `--on` asks for.
fn pins(on: &[String], from: &[Place<'_>], to: &[Place<'_>]) -> Result<(Option<usize>, Option<usize>), Unanswerable> {
    let refuse = |name: &str, lists: &[&[Place<'_>]]| {
        let guests = lists.iter().filter(|list| matches!(list.first(), Some(Place::Guest(..))));
        let runs: Vec<String> = guests.map(|list| format!("{} runs on {}", whose(list), hosts(list))).collect();
        let help = if runs.is_empty() { "leave `--on` out: it is for guests".to_owned() } else { runs.join(", ") };
        let ends: Vec<String> = lists.iter().map(|list| whose(list)).collect();
        Err(Unanswerable::new(format!("`host/{name}` does not run {}", ends.join(" nor ")), help))
    };
    let guest =
        |list: &[Place<'_>], name: &str| at(list, name).filter(|_| matches!(list.first(), Some(Place::Guest(..))));
    match on {
        [] => Ok((None, None)),
        [name] => match (guest(from, name), guest(to, name)) {
            (None, None) => refuse(name, &[from, to]),
            pins => Ok(pins),
        },
        [first, second] => match (guest(from, first), guest(to, second)) {
            (None, _) => refuse(first, &[from]),
            (_, None) => refuse(second, &[to]),
            pins => Ok(pins),
        },
        [_, _, _, ..] => Err(Unanswerable::new(
            format!("a packet has two ends, and `--on` is given {} times", on.len()),
            "give it once, or once for `--from` and once for `--to`",
        )),
    }
}

fn at(list: &[Place<'_>], host: &str) -> Option<usize> {
    list.iter().position(|place| place.host().is_some_and(|own| own.name == host))
}

/// The host of a name.
pub(super) fn host<'a>(fleet: &'a Fleet, name: &str) -> Result<&'a HostPolicy, Unanswerable> {
    fleet.hosts.iter().find(|host| host.name == name).ok_or_else(|| {
        let known = fleet.hosts.iter().map(|host| host.name.as_str());
        Unanswerable::new(format!("the spec has no host `{name}`"), did_you_mean(name, "hosts", known))
    })
}

/// Where an end can be: on each of its hosts, by the hosts' names; never empty.
fn places<'a>(fleet: &'a Fleet, endpoint: &Endpoint) -> Result<Vec<Place<'a>>, Unanswerable> {
    match endpoint {
        Endpoint::Outside => Ok(vec![Place::Outside]),
        Endpoint::Host(name) => host(fleet, name).map(|host| vec![Place::Host(host)]),
        Endpoint::Guest { kind, id, nic } => {
            let found = fleet.hosts.iter().filter_map(|host| {
                let at = host.guests.binary_search_by_key(id, |guest| guest.id).ok()?;
                host.guests.get(at).map(|guest| (host, guest))
            });
            let found: Vec<(&HostPolicy, &GuestPolicy)> = found.collect();
            match found.first() {
                None => Err(unknown_guest(fleet, &kind.zone(*id).to_string())),
                Some((_, guest)) if guest.kind != *kind => Err(wrong_kind(*kind, guest)),
                Some(_) => found.into_iter().map(|(host, guest)| port(host, guest, *nic)).collect(),
            }
        }
    }
}

/// The NIC that was named, or the first.
fn port<'a>(host: &'a HostPolicy, guest: &'a GuestPolicy, nic: Option<u8>) -> Result<Place<'a>, Unanswerable> {
    let found = match nic {
        Some(index) => guest.nics.iter().find(|nic| nic.index == index),
        None => guest.nics.first(),
    };
    found.map(|nic| Place::Guest(host, guest, nic)).ok_or_else(|| {
        let zone = guest.zone();
        let known: Vec<String> = guest.nics.iter().map(|nic| format!("`{zone}:net{}`", nic.index)).collect();
        match nic {
            Some(_) if known.is_empty() => {
                Unanswerable::new(format!("`{zone}` has no NICs"), "add `nics` to the guest")
            }
            Some(index) => {
                Unanswerable::new(format!("`{zone}` has no NIC `net{index}`"), format!("it has {}", known.join(", ")))
            }
            None => Unanswerable::new(format!("`{zone}` has no NIC to send or receive by"), "add `nics` to the guest"),
        }
    })
}

fn unknown_guest(fleet: &Fleet, wanted: &str) -> Unanswerable {
    let known: std::collections::BTreeSet<String> =
        fleet.hosts.iter().flat_map(|host| &host.guests).map(|guest| guest.zone().to_string()).collect();
    let help = did_you_mean(wanted, "guests", known.iter().map(String::as_str));
    Unanswerable::new(format!("the spec has no guest `{wanted}` on a host"), help)
}

fn wrong_kind(kind: GuestKind, guest: &GuestPolicy) -> Unanswerable {
    let help = format!("did you mean `{}`?", guest.zone());
    Unanswerable::new(format!("the spec has no guest `{}`", kind.zone(guest.id)), help)
}

/// A place as users name it: `vm/100:net0`.
pub(super) fn name(place: Place<'_>) -> String {
    match place {
        Place::Outside => "outside".to_owned(),
        Place::Host(host) => format!("host/{}", host.name),
        Place::Guest(_, guest, nic) => port_name(guest, nic),
    }
}

/// `vm/100:net0`.
fn port_name(guest: &GuestPolicy, nic: &Nic) -> String {
    format!("{}:net{}", guest.zone(), nic.index)
}

/// Whose places these are.
fn whose(list: &[Place<'_>]) -> String {
    let text = match list.first() {
        Some(Place::Guest(_, guest, _)) => guest.zone().to_string(),
        Some(place @ (Place::Outside | Place::Host(_))) => name(*place),
        None => String::new(),
    };
    format!("`{text}`")
}

fn hosts(list: &[Place<'_>]) -> String {
    let names: Vec<String> =
        list.iter().filter_map(|place| place.host()).map(|host| format!("`{}`", host.name)).collect();
    names.join(", ")
}
