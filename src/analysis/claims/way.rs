//! The ways between two endpoints.
//!
//! In: two endpoints of a claim. Out: for every host that either may run on and every NIC, the hooks on the way.
//!
//! The direct way of DESIGN 4's table is always there. Between two guests on one host that are ports of different
//! bridges, or of different VLANs, the host itself may route instead of a router of the network: then host-forward
//! judges, and no vnet. Nothing in a spec tells which it is, so a claim that nothing passes (`drop`, `reject`, `never`) is
//! about both ways, and one that all passes (`accept`) about the direct one. From outside to outside there is only
//! the way through each host.

use crate::policy::{Crossing, Expectation, GuestKind, HostPolicy, Nic};

use crate::analysis::route::{Leg, NoRoute, Place, route};

/// One way from one place to another.
#[derive(Debug)]
pub(super) struct Way<'a> {
    pub(super) from: Place<'a>,
    pub(super) to: Place<'a>,
    /// The host that routes, where it is not left to a router of the network.
    pub(super) via: Option<&'a HostPolicy>,
    /// Each host's part of it.
    pub(super) legs: Vec<Leg<'a>>,
    /// The hooks, in order.
    pub(super) crossings: Vec<Crossing<'a>>,
}

/// The machine that a place belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine<'a> {
    Outside,
    Host(&'a str),
    Guest(GuestKind, u32),
}

const fn machine<'a>(place: Place<'a>) -> Machine<'a> {
    match place {
        Place::Outside => Machine::Outside,
        Place::Host(host) => Machine::Host(host.name.as_str()),
        Place::Guest(_, guest, _) => Machine::Guest(guest.kind, guest.id),
    }
}

fn host_name<'a>(place: Place<'a>) -> Option<&'a str> {
    place.host().map(|host| host.name.as_str())
}

impl<'a> Way<'a> {
    fn new(from: Place<'a>, to: Place<'a>, via: Option<&'a HostPolicy>) -> Result<Self, NoRoute> {
        let legs = route(from, to, via)?;
        let crossings = legs.iter().flat_map(|leg| leg.crossings()).collect();
        Ok(Self { from, to, via, legs, crossings })
    }

    /// Whether both ends are on the same hosts as those of another way; the router counts where all is outside.
    pub(super) fn same_placement(&self, other: &Self) -> bool {
        let outside = |way: &Self| way.via.filter(|_| way.from.host().is_none()).map(|host| host.name.as_str());
        host_name(self.from) == host_name(other.from)
            && host_name(self.to) == host_name(other.to)
            && outside(self) == outside(other)
    }
}

/// Every way between places, placement by placement. A guest is on one host at a time.
pub(super) fn ways<'a>(
    from: &[Place<'a>],
    to: &[Place<'a>],
    hosts: &'a [HostPolicy],
    expect: Expectation,
) -> Vec<Way<'a>> {
    let mut found = Vec::new();
    for (a, b) in from.iter().flat_map(|a| to.iter().map(move |b| (*a, *b))) {
        let itself = !matches!(machine(a), Machine::Outside) && machine(a) == machine(b);
        if itself && host_name(a) != host_name(b) {
            continue;
        }
        match Way::new(a, b, None) {
            Ok(way) => found.push(way),
            Err(NoRoute::OutsideOnly) => found.extend(hosts.iter().filter_map(|host| Way::new(a, b, Some(host)).ok())),
            Err(NoRoute::SamePort | NoRoute::HostIsEnd) => {}
        }
        if let (Place::Guest(host, _, near), Place::Guest(other, _, far)) = (a, b)
            && host.name == other.name
            && expect != Expectation::Accept
            && apart(near, far)
        {
            found.extend(Way::new(a, b, Some(host)));
        }
    }
    found.sort_by_key(|way| (host_name(way.from), host_name(way.to)));
    found
}

fn apart(a: &Nic, b: &Nic) -> bool {
    (a.bridge.is_some() && b.bridge.is_some() && a.bridge != b.bridge) || a.tag != b.tag
}
