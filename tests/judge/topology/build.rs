//! From the plan to devices, addresses and routes.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use fwc::net::Family;
use fwc::policy::HostPolicy;

use super::plan::{self, BESIDE, Plan, UPLINK};
use super::{Network, Port};
use crate::run;
use crate::wire::Tap;

/// Settings before the first device, so that it and all others have them. The host forwards, answers as
/// often as it is asked, and says nothing by itself.
const SETTINGS: &[(&str, &str)] = &[
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    ("net/ipv4/conf/all/accept_local", "1"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    ("net/ipv4/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/default/accept_redirects", "0"),
    ("net/ipv4/icmp_ratelimit", "0"),
    ("net/ipv4/icmp_msgs_per_sec", "1000000"),
    ("net/ipv4/icmp_msgs_burst", "1000000"),
    ("net/ipv6/conf/all/disable_ipv6", "0"),
    ("net/ipv6/conf/default/disable_ipv6", "0"),
    ("net/ipv6/conf/default/addr_gen_mode", "1"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv6/conf/default/accept_redirects", "0"),
    ("net/ipv6/conf/default/accept_dad", "0"),
    ("net/ipv6/conf/all/forwarding", "1"),
    ("net/ipv6/icmp/ratelimit", "0"),
    // A flow is known for as long as a run takes, on slow machines too.
    ("net/netfilter/nf_conntrack_udp_timeout", "3600"),
    ("net/netfilter/nf_conntrack_udp_timeout_stream", "3600"),
    ("net/netfilter/nf_conntrack_icmp_timeout", "3600"),
    ("net/netfilter/nf_conntrack_icmpv6_timeout", "3600"),
    ("net/netfilter/nf_conntrack_generic_timeout", "3600"),
    // The kernel takes the checksum of every UDP-Lite packet for wrong: it adds up UDP's number for it.
    ("net/netfilter/nf_conntrack_checksum", "0"),
];

/// Makes a host's network in the namespace that this process runs in.
pub fn build(host: &HostPolicy) -> io::Result<Network<'_>> {
    let Plan { segments, ports } = plan::plan(host);
    for (key, value) in SETTINGS {
        // Which of the limits on ICMP a namespace has depends on the kernel.
        let path = Path::new("/proc/sys").join(key);
        if let Err(error) = fs::write(&path, value)
            && !key.contains("icmp")
        {
            return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
        }
    }
    let taps = ports.iter().map(|port| Tap::new(&port.device)).collect::<io::Result<Vec<Tap>>>()?;
    let made = ports.into_iter().zip(taps);
    let ports = made.map(|(port, tap)| Port {
        tap,
        segment: port.segment,
        station: port.station,
        mac: port.mac,
        addresses: port.addresses,
    });
    let network = Network { host, segments, ports: ports.collect() };
    run::batch(&links(&network))?;
    teach(&network)?;
    run::batch(&addresses(&network))?;
    for port in &network.ports {
        port.tap.drain()?;
    }
    Ok(network)
}

/// Devices, up.
fn links(network: &Network<'_>) -> String {
    let mut lines = String::from("link set lo up\n");
    for segment in network.segments.iter().filter(|segment| segment.bridge.is_some()) {
        let _ = writeln!(
            lines,
            "link add {} address {} type bridge stp_state 0 forward_delay 0 mcast_snooping 0 ageing_time 4000000",
            segment.device, segment.mac
        );
        let _ = writeln!(lines, "link set {} up", segment.device);
    }
    for (number, port) in network.ports.iter().enumerate() {
        let segment = &network.segments[port.segment];
        let device = &port.tap.device;
        let (address, master) = if segment.bridge.is_some() {
            (format!("02:cc:00:00:{:02x}:{:02x}", number / 256, number % 256), format!("master {}", segment.device))
        } else {
            (segment.mac.to_string(), String::new())
        };
        let _ = writeln!(lines, "link set {device} address {address} txqueuelen 4096 {master} up");
    }
    lines
}

/// Each bridge learns where its stations are, once and for all.
fn teach(network: &Network<'_>) -> io::Result<()> {
    let bridged = || network.ports.iter().filter(|port| network.segments[port.segment].bridge.is_some());
    for port in bridged() {
        let frame = [&[0xff; 6][..], &port.mac.0, &[0x88, 0xb5], &[0; 46]].concat();
        port.tap.send(&frame)?;
    }
    let mut lines = String::new();
    for port in bridged() {
        let _ = writeln!(lines, "link set {} type bridge_slave learning off", port.tap.device);
    }
    run::batch(&lines)
}

/// The host's addresses, neighbours and routes. No network is on a link: what is no guest's goes to
/// the uplink or beside it, so that the host never asks who has an address.
fn addresses(network: &Network<'_>) -> String {
    let mut lines = String::new();
    for segment in &network.segments {
        for address in &segment.addresses {
            let broadcast = if address.addr().is_ipv4() && address.prefix_len() < 31 { "broadcast +" } else { "nodad" };
            let broadcast = if address.addr().is_ipv4() && address.prefix_len() >= 31 { "" } else { broadcast };
            let _ = writeln!(lines, "addr add {address} {broadcast} dev {} noprefixroute", segment.device);
        }
    }
    let mut routed: Vec<IpAddr> = Vec::new();
    for port in &network.ports {
        let device = &network.segments[port.segment].device;
        for address in port.addresses.iter().filter(|address| !network.is_own(**address)) {
            // Of two NICs with the same address the first is reached.
            if !routed.contains(address) {
                routed.push(*address);
                let _ = writeln!(lines, "neigh add {address} lladdr {} dev {device} nud permanent", port.mac);
                let _ = writeln!(lines, "route add {} dev {device}", plan::single(*address));
            }
        }
    }
    for (name, networks) in [(UPLINK, ["128.0.0.0/1", "2001::/16"]), (BESIDE, ["0.0.0.0/1", "::/0"])] {
        let Some(port) = network.ports.iter().find(|port| port.tap.device == name) else { continue };
        let device = &network.segments[port.segment].device;
        for (family, dest) in Family::BOTH.into_iter().zip(networks) {
            let gateway = match family {
                Family::V4 => "169.254.254.254",
                Family::V6 => "fe80::fefe",
            };
            let _ = writeln!(lines, "neigh add {gateway} lladdr {} dev {device} nud permanent", port.mac);
            let _ = writeln!(lines, "route add {dest} via {gateway} dev {device} onlink");
        }
    }
    lines
}
