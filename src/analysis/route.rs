//! The way of a packet through the fleet: which hosts carry it, between which of their ends.
//!
//! In: two places of the fleet. Out: the legs of the way, one for each time that a host carries the packet.

use crate::policy::{Carriage, Crossing, End, GuestPolicy, HostPolicy, Nic};

use super::packet::Packet;

/// Where a packet begins or ends.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// Anywhere that no host of the spec knows.
    Outside,
    /// A host itself.
    Host(&'a HostPolicy),
    /// A NIC of a guest, on one of the hosts it may run on.
    Guest(&'a HostPolicy, &'a GuestPolicy, &'a Nic),
}

/// One host's part of the way.
#[derive(Debug, Clone, Copy)]
pub struct Leg<'a> {
    /// The host.
    pub host: &'a HostPolicy,
    /// Where the packet comes from, as the host sees it.
    pub from: End<'a>,
    /// Where it goes.
    pub to: End<'a>,
    /// How the host carries it, if neither end is the host.
    pub carriage: Carriage,
}

/// Why two places have no way between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoRoute {
    /// Both ends are outside, and no host is named that would route between them.
    OutsideOnly,
    /// Both ends are one NIC.
    SamePort,
    /// A packet from or to a host is not routed by that host.
    HostIsEnd,
}

impl<'a> Place<'a> {
    /// The host that has it.
    #[must_use]
    pub const fn host(self) -> Option<&'a HostPolicy> {
        match self {
            Self::Outside => None,
            Self::Host(host) | Self::Guest(host, ..) => Some(host),
        }
    }

    /// As its own host sees it; `Unknown` for the outside.
    const fn end(self) -> End<'a> {
        match self {
            Self::Outside => End::Unknown(None),
            Self::Host(_) => End::Host,
            Self::Guest(_, guest, nic) => End::Guest(guest, nic),
        }
    }

    fn is_on(self, host: &HostPolicy) -> bool {
        self.host().is_some_and(|own| own.name == host.name)
    }
}

impl<'a> Leg<'a> {
    const fn new(host: &'a HostPolicy, from: End<'a>, to: End<'a>, carriage: Carriage) -> Self {
        Self { host, from, to, carriage }
    }

    /// The hooks that the packet passes on it, in order.
    #[must_use]
    pub fn crossings(&self) -> Vec<Crossing<'a>> {
        self.host.way(self.from, self.to, self.carriage)
    }

    /// The packet as this host sees it: where it names no interface, by those that the ends of the leg tell. Between a
    /// host and a guest of its own that is the guest's bridge (of a NIC without a VLAN tag), within a host loopback.
    #[must_use]
    pub fn packet(&self, packet: &Packet) -> Packet {
        let mut seen = packet.clone();
        let (from, to) = (self.interface(self.from, self.to), self.interface(self.to, self.from));
        seen.in_interface = seen.in_interface.or_else(|| from.map(str::to_owned));
        seen.out_interface = seen.out_interface.or_else(|| to.map(str::to_owned));
        seen
    }

    /// The host's interface on the side of an end.
    fn interface(&self, end: End<'a>, other: End<'a>) -> Option<&'a str> {
        let judged = self.carriage == Carriage::Routed || matches!(other, End::Host);
        match (end, other) {
            (End::Host, End::Host) => Some("lo"),
            (End::Guest(_, nic), _) if judged && nic.tag.is_none() => nic.bridge.as_deref(),
            (End::Host | End::Guest(..) | End::Unknown(_), _) => None,
        }
    }
}

/// The legs between two places, in order.
///
/// Two NICs of one host are one leg where they are ports of one bridge in one VLAN (a NIC without a bridge is taken for
/// a port of the other's); else the packet leaves the host and comes back, as it does where a router connects the
/// networks. `via` names a host that routes it instead.
///
/// # Errors
/// If there is no such way.
pub fn route<'a>(from: Place<'a>, to: Place<'a>, via: Option<&'a HostPolicy>) -> Result<Vec<Leg<'a>>, NoRoute> {
    if let (Place::Guest(_, guest, nic), Place::Guest(_, other, second)) = (from, to)
        && guest.id == other.id
        && nic.index == second.index
    {
        return Err(NoRoute::SamePort);
    }
    match via {
        Some(router) => routed(from, to, router),
        None => direct(from, to),
    }
}

fn direct<'a>(from: Place<'a>, to: Place<'a>) -> Result<Vec<Leg<'a>>, NoRoute> {
    let together = from.host().is_some_and(|host| to.is_on(host));
    let apart = matches!((from, to), (Place::Guest(_, _, a), Place::Guest(_, _, b)) if !same_segment(a, b));
    match (from.host(), to.host()) {
        (None, None) => Err(NoRoute::OutsideOnly),
        (Some(host), Some(_)) if together && !apart => {
            Ok(vec![Leg::new(host, from.end(), to.end(), Carriage::Bridged)])
        }
        (source, dest) => {
            Ok(source.map(|host| departure(host, from)).into_iter().chain(dest.map(|host| arrival(host, to))).collect())
        }
    }
}

fn routed<'a>(from: Place<'a>, to: Place<'a>, router: &'a HostPolicy) -> Result<Vec<Leg<'a>>, NoRoute> {
    if [from, to].iter().any(|place| matches!(place, Place::Host(host) if host.name == router.name)) {
        return Err(NoRoute::HostIsEnd);
    }
    let near = |place: Place<'a>| if place.is_on(router) { place.end() } else { End::Unknown(None) };
    let away = |place: Place<'a>| place.host().filter(|_| !place.is_on(router));
    let mut legs = Vec::with_capacity(3);
    legs.extend(away(from).map(|host| departure(host, from)));
    legs.push(Leg::new(router, near(from), near(to), Carriage::Routed));
    legs.extend(away(to).map(|host| arrival(host, to)));
    Ok(legs)
}

/// From a place of a host out by a port that the spec does not know.
fn departure<'a>(host: &'a HostPolicy, from: Place<'a>) -> Leg<'a> {
    Leg::new(host, from.end(), End::Unknown(from.end().bridge()), Carriage::Bridged)
}

/// From a port that the spec does not know in to a place of a host.
fn arrival<'a>(host: &'a HostPolicy, to: Place<'a>) -> Leg<'a> {
    Leg::new(host, End::Unknown(to.end().bridge()), to.end(), Carriage::Bridged)
}

fn same_segment(a: &Nic, b: &Nic) -> bool {
    let bridges = a.bridge.is_none() || b.bridge.is_none() || a.bridge == b.bridge;
    bridges && a.tag == b.tag
}
