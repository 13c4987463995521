//! One host with its bridges, guests and outside, in the network namespace that this process runs in.
//!
//! In: a [`HostPolicy`]. Out: a [`Network`] whose ports send and receive frames. A port is a tap device, as a
//! virtual machine's is: the host's end has the name that the spec gives it, the other end is a file
//! that this process holds, so stations have no IP stack of their own.
//!
//! Promise: nothing learns. Every station's MAC, address and route is fixed before the first probe, so no
//! probe (a spoofed one least of all) changes the way of the next.

mod build;
mod plan;

use std::net::IpAddr;

use fwc::net::{Family, Mac};
use fwc::policy::{GuestPolicy, HostPolicy, Nic};

pub use build::build;

use crate::wire;

/// A host's bridges and other interfaces, and what is plugged into them.
pub struct Network<'a> {
    /// The host.
    pub host: &'a HostPolicy,
    /// Bridges and routed interfaces.
    pub segments: Vec<Segment>,
    /// Stations.
    pub ports: Vec<Port<'a>>,
}

/// A bridge, or an interface of the host's that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The host's interface.
    pub device: String,
    /// The host's address on it.
    pub mac: Mac,
    /// The bridge's name as the spec has it, without the tag; none where it is no bridge.
    pub bridge: Option<String>,
    /// The host's IP addresses on it.
    pub addresses: Vec<ipnet::IpNet>,
}

/// Who is plugged into a port.
#[derive(Debug, Clone, Copy)]
pub enum Station<'a> {
    /// A guest's NIC.
    Guest(&'a GuestPolicy, &'a Nic),
    /// Somebody whom the spec does not know.
    Unknown,
}

/// A station's place.
pub struct Port<'a> {
    /// The station's end.
    pub tap: wire::Tap,
    /// Which segment it is plugged into.
    pub segment: usize,
    /// Who is there.
    pub station: Station<'a>,
    /// The station's MAC address.
    pub mac: Mac,
    /// Addresses that the host reaches there, the spec's own first.
    pub addresses: Vec<IpAddr>,
}

impl<'a> Network<'a> {
    /// Where the host sends what is for an address; none for its own.
    pub fn route(&self, dest: IpAddr) -> Option<usize> {
        if self.is_own(dest) {
            return None;
        }
        let guest = self.ports.iter().position(|port| port.addresses.contains(&dest));
        guest.or_else(|| {
            let wanted = if plan::is_beside(dest) { plan::BESIDE } else { plan::UPLINK };
            self.ports.iter().position(|port| port.tap.device == wanted)
        })
    }

    /// Whether it is the host's own address. A host that forwards is a router of each of its networks: any router's
    /// address there (RFC 4291) is its own.
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.segments.iter().flat_map(|segment| segment.own()).any(|own| own == address)
    }

    /// The host's own addresses.
    pub fn own(&self) -> impl Iterator<Item = IpAddr> {
        self.segments.iter().flat_map(|segment| &segment.addresses).map(ipnet::IpNet::addr)
    }

    /// The host's first address of a family.
    pub fn own_of(&self, family: Family) -> Option<IpAddr> {
        self.own().find(|address| Family::of(*address) == family)
    }
}

impl Segment {
    /// The host's addresses here, any router's included.
    pub fn own(&self) -> impl Iterator<Item = IpAddr> {
        let anycast = self.addresses.iter().filter_map(|own| match own {
            ipnet::IpNet::V4(_) => None,
            ipnet::IpNet::V6(own) => (own.prefix_len() < 127).then(|| IpAddr::V6(own.network())),
        });
        self.addresses.iter().map(ipnet::IpNet::addr).chain(anycast)
    }
}

impl Port<'_> {
    /// The station's first address of a family.
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| Family::of(*address) == family)
    }
}
