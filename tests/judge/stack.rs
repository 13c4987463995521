//! What Linux does with a packet before and beside every firewall: which it takes for its own, which it forwards.
//!
//! None of this is fwc's doing; the model has to know it to say where a packet can arrive at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::topology::Network;
use crate::wire::{Ip, Tag};

/// Whether what stands behind these tags is looked into: one 802.1Q tag at most.
pub fn looks_into(tags: &[Tag]) -> bool {
    match tags {
        [] => true,
        [tag] => tag.ethertype == 0x8100,
        [_, ..] => false,
    }
}

/// Whether the host is among those that an address speaks of on a segment.
pub fn is_local(network: &Network<'_>, segment: usize, dest: IpAddr) -> bool {
    if network.is_own(dest) {
        return true;
    }
    match dest {
        IpAddr::V4(dest) => {
            let own = network.segments.iter().flat_map(|segment| &segment.addresses);
            let mut broadcasts = own.filter_map(|address| match address {
                IpNet::V4(network) if network.prefix_len() < 31 => Some(network.broadcast()),
                IpNet::V4(_) | IpNet::V6(_) => None,
            });
            dest.is_broadcast() || dest == Ipv4Addr::new(224, 0, 0, 1) || broadcasts.any(|address| address == dest)
        }
        IpAddr::V6(dest) => {
            let solicited = network.segments[segment].own().any(|own| match own {
                IpAddr::V4(_) => false,
                IpAddr::V6(own) => solicited_node(own) == dest,
            });
            solicited || matches!(dest.segments(), [0xff02, 0, 0, 0, 0, 0, 0, 1 | 2])
        }
    }
}

/// Whether an address is that of many.
pub fn is_group(network: &Network<'_>, address: IpAddr) -> bool {
    address.is_multicast() || (address.is_ipv4() && is_local(network, 0, address) && !network.is_own(address))
}

/// The group in which neighbours ask for an address (RFC 4291).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b] = address.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | (a & 0xff), b)
}

/// Whether the host takes a packet for itself from this source.
pub fn takes(ip: &Ip) -> bool {
    match ip.source {
        IpAddr::V4(source) => {
            let nobody = source.is_multicast() || source.is_broadcast() || source.is_loopback();
            let zero = source.octets()[0] == 0;
            !nobody && (!zero || (ip.dest == IpAddr::V4(Ipv4Addr::BROADCAST)))
        }
        IpAddr::V6(source) => !source.is_multicast() && !source.is_loopback() && source.to_ipv4_mapped().is_none(),
    }
}

/// Whether the host forwards a packet between these addresses; `back`: by the interface that it came by, where
/// Linux looks at IPv6 sources less closely.
pub fn forwards(ip: &Ip, back: bool) -> bool {
    let dest = match ip.dest {
        IpAddr::V4(dest) => {
            !(dest.is_multicast() || dest.is_broadcast() || dest.is_loopback() || dest.octets()[0] == 0)
        }
        IpAddr::V6(dest) => {
            !(dest.is_multicast() || dest.is_loopback() || dest.is_unicast_link_local())
                && dest.to_ipv4_mapped().is_none()
        }
    };
    let source = match ip.source {
        IpAddr::V4(source) => source.octets()[0] != 0,
        IpAddr::V6(source) => back || (!source.is_unspecified() && !source.is_unicast_link_local()),
    };
    dest && source && takes(ip) && ip.ttl > 1
}

/// Whether the host has a route by which its sockets reach an address; its own are reached by the loopback interface.
pub fn sends(network: &Network<'_>, dest: IpAddr) -> bool {
    if network.own().any(|own| own == dest) {
        return true;
    }
    let ordinary = match dest {
        IpAddr::V4(dest) => !dest.is_loopback() && dest.octets()[0] != 0,
        IpAddr::V6(dest) => {
            !dest.is_loopback()
                && !dest.is_unspecified()
                && !dest.is_unicast_link_local()
                && dest.to_ipv4_mapped().is_none()
        }
    };
    ordinary && (network.own().any(|own| own == dest) || (!dest.is_multicast() && !is_local(network, 0, dest)))
}
