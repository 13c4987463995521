//! What a host's network looks like, before anything is made.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fwc::net::{Family, Mac};
use fwc::policy::{GuestPolicy, Hook, HostPolicy, Match, Nic};
use ipnet::IpNet;

use super::{Segment, Station};

/// The port by which the host reaches most of the world, on its first segment.
pub const UPLINK: &str = "uplink0";
/// The port by which it reaches the rest: a routed interface beside the bridges.
pub const BESIDE: &str = "beside0";

/// All of it.
pub struct Plan<'a> {
    /// Bridges first.
    pub segments: Vec<Segment>,
    /// In the order of their segments.
    pub ports: Vec<PortPlan<'a>>,
}

/// A port before it is made.
pub struct PortPlan<'a> {
    /// The device's name on the host.
    pub device: String,
    /// Which segment it is plugged into.
    pub segment: usize,
    /// Who is there.
    pub station: Station<'a>,
    /// The station's MAC address.
    pub mac: Mac,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// Whether the host routes an address to [`BESIDE`] rather than to [`UPLINK`].
pub fn is_beside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] < 128,
        IpAddr::V6(address) => address.segments()[0] != 0x2001 && !address.is_unicast_link_local(),
    }
}

/// The plan of a host. Every tag of a bridge is a bridge of its own (`vmbr0v20`), as Proxmox VE
/// makes them where a bridge knows no VLANs.
pub fn plan(host: &HostPolicy) -> Plan<'_> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut ports = Vec::new();
    for (guest, nic) in host.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic))) {
        let device = segment_of(nic);
        let segment = segments.iter().position(|segment| segment.device == device).unwrap_or_else(|| {
            let bridge = Some(nic.bridge.clone().unwrap_or_else(|| device.clone()));
            segments.push(Segment { device, mac: host_mac(segments.len()), bridge, addresses: Vec::new() });
            segments.len() - 1
        });
        ports.push(guest_port(guest, nic, segment, ports.len()));
    }
    // The host's addresses are on an untagged bridge if there is one; a host without bridges has a card.
    let bridges = segments.len();
    let tagged: BTreeSet<String> =
        host.guests.iter().flat_map(|guest| &guest.nics).filter(|nic| nic.tag.is_some()).map(segment_of).collect();
    let first = segments.iter().position(|segment| !tagged.contains(&segment.device)).unwrap_or(0);
    if bridges > 0 {
        segments.swap(0, first);
        for port in &mut ports {
            port.segment = if port.segment == first {
                0
            } else if port.segment == 0 {
                first
            } else {
                port.segment
            };
        }
    } else {
        segments.push(Segment { device: UPLINK.into(), mac: host_mac(0), bridge: None, addresses: Vec::new() });
        ports.push(unknown(UPLINK.to_owned(), 0, 0));
    }
    segments[0].addresses = host.addresses.iter().map(|address| address.0).collect();
    for segment in 0..bridges {
        ports.push(unknown(format!("uplink{segment}"), segment, segment * 2));
        ports.push(unknown(format!("other{segment}"), segment, segment * 2 + 1));
    }
    let mut names = interfaces(host);
    names.insert(BESIDE.to_owned());
    for name in names {
        if !segments.iter().any(|segment| segment.device == name) {
            let number = segments.len();
            ports.push(unknown(name.clone(), number, 100 + number));
            segments.push(Segment { device: name, mac: host_mac(number), bridge: None, addresses: Vec::new() });
        }
    }
    Plan { segments, ports }
}

fn segment_of(nic: &Nic) -> String {
    let bridge = nic.bridge.as_deref().unwrap_or("vmbr0");
    nic.tag.map_or_else(|| bridge.to_owned(), |tag| format!("{bridge}v{tag}"))
}

/// Interfaces that the host's rules speak of.
fn interfaces(host: &HostPolicy) -> BTreeSet<String> {
    let hooks = [&host.hook_in, &host.hook_out, &host.hook_forward];
    let clauses = hooks.into_iter().flat_map(|hook: &Hook| {
        hook.stages.iter().flat_map(|stage| stage.clauses(hook.name, None)).collect::<Vec<_>>()
    });
    let mut names = BTreeSet::new();
    for condition in clauses.flat_map(|clause| clause.matches) {
        if let Match::InInterface(name) | Match::OutInterface(name) = condition
            && name != "lo"
        {
            names.insert(name);
        }
    }
    names
}

/// Locally administered, and nobody else's.
fn host_mac(number: usize) -> Mac {
    Mac([0x02, 0xf0, 0, 0, 0, number as u8])
}

fn unknown<'a>(device: String, segment: usize, number: usize) -> PortPlan<'a> {
    let mac = Mac([0x02, 0xee, 0, 0, 0, number as u8]);
    PortPlan { device, segment, station: Station::Unknown, mac, addresses: Vec::new() }
}

/// The spec's addresses of the NIC; in a family where it has none, one that only its holder knows.
fn guest_port<'a>(guest: &'a GuestPolicy, nic: &'a Nic, segment: usize, number: usize) -> PortPlan<'a> {
    let mut addresses: Vec<IpAddr> = nic.addresses.iter().map(|address| address.address()).collect();
    let (high, low) = (number as u8 / 200, number as u8 % 200 + 1);
    for family in Family::BOTH {
        if !addresses.iter().any(|address| Family::of(*address) == family) {
            addresses.push(match family {
                Family::V4 => Ipv4Addr::new(198, 19, high, low).into(),
                Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xfffe, 0, 0, 0, high.into(), low.into()).into(),
            });
        }
    }
    let mac = nic.mac.unwrap_or(Mac([0x02, 0xdd, 0, 0, high, low]));
    PortPlan { device: nic.device.clone(), segment, station: Station::Guest(guest, nic), mac, addresses }
}

/// A network that holds one address.
pub fn single(address: IpAddr) -> IpNet {
    IpNet::from(address)
}
