//! What follows a packet that got through: the answer, the next packet, an error about it, and somebody else's.
//!
//! In: a probe and where it arrived. Out: probes to send next, in order.

use std::net::IpAddr;

use fwc::net::{Mac, TcpFlags as F};

use crate::ftp;
use crate::judge::{Place, Probe};
use crate::random::Random;
use crate::stack;
use crate::topology::{Network, Station};
use crate::wire::{Arp, Body, Frame, Ip, Payload, Ports, Tcp};

/// What follows a probe that arrived at one place; empty where nothing can.
pub fn follow(network: &Network<'_>, probe: &Probe, at: Place, random: &mut Random) -> Vec<Probe> {
    let Body::Ip(ip) = &probe.frame.body else { return Vec::new() };
    let group = |address: IpAddr| stack::is_group(network, address);
    if !probe.frame.tags.is_empty() || probe.frame.dest.is_multicast() || group(ip.dest) || group(ip.source) {
        return Vec::new();
    }
    // The host's own stack takes part in connections of its own, and would end them.
    let own = network.is_own(ip.source) || network.is_own(ip.dest);
    let with_host = own || at == Place::Host || probe.from == Place::Host;
    let Some((answer, next)) = exchange(ip).filter(|_| !with_host || matches!(ip.payload, Payload::Udp(_))) else {
        return Vec::new();
    };
    let back = |ip: Ip| send(network, at, probe.from, ip);
    let forth = |ip: Ip| Probe { from: probe.from, frame: Frame { body: Body::Ip(ip), ..probe.frame.clone() } };
    let mut list = vec![back(answer.clone()), forth(next.clone())];
    let (kind, code) = if ip.source.is_ipv4() { (3, 3) } else { (1, 4) };
    let error = Payload::Error { kind, code, about: Box::new(ip.clone()) };
    list.push(back(Ip { source: ip.dest, dest: ip.source, ttl: 64, payload: error }));
    // Somebody else says the same, under the sender's MAC address or its own; and says that the sender's address is there.
    let others: Vec<usize> = (0..network.ports.len())
        .filter(|port| ![probe.from, at].contains(&Place::Port(*port)))
        .filter(|port| matches!(network.ports[*port].station, Station::Guest(..)) || random.once_in(3))
        .collect();
    if !others.is_empty() {
        let port = *random.pick(&others);
        let mut spoofed = send(network, Place::Port(port), at, next.clone());
        if random.once_in(2) {
            spoofed.frame.source = probe.frame.source;
        }
        list.push(Probe { frame: Frame { body: taken(ip, spoofed.frame.source), ..spoofed.frame.clone() }, ..spoofed });
        list.push(spoofed);
    }
    let talk = ftp::talk((&answer, &next), random).unwrap_or_default();
    list.extend(talk.into_iter().map(|(side, ip)| match side {
        ftp::Side::Client => forth(ip),
        ftp::Side::Server => back(ip),
    }));
    let sent = |probe: &Probe| matches!(&probe.frame.body, Body::Ip(ip) if stack::sends(network, ip.dest));
    list.retain(|probe| probe.from != Place::Host || sent(probe));
    list
}

/// What claims the sender's address for another MAC address: ARP, or a neighbour advertisement.
fn taken(ip: &Ip, mac: Mac) -> Body {
    match (ip.source, ip.dest) {
        (IpAddr::V4(sender), IpAddr::V4(target)) => Body::Arp(Arp { operation: 2, sender_mac: mac, sender, target }),
        (IpAddr::V6(target), _) => {
            Body::Ip(Ip { ttl: 255, payload: Payload::Neighbour { kind: 136, target }, ..ip.clone() })
        }
        (IpAddr::V4(_), IpAddr::V6(_)) => Body::Other(0x0806),
    }
}

/// A packet from a place to another, the MAC addresses as the network has them.
fn send(network: &Network<'_>, from: Place, to: Place, ip: Ip) -> Probe {
    let (source, dest) = match (from, to) {
        (Place::Host, _) => (network.segments[0].mac, network.segments[0].mac),
        (Place::Port(from), Place::Host) => {
            let port = &network.ports[from];
            (port.mac, network.segments[port.segment].mac)
        }
        (Place::Port(from), Place::Port(to)) => {
            let (from, to) = (&network.ports[from], &network.ports[to]);
            let together = from.segment == to.segment && network.segments[from.segment].bridge.is_some();
            (from.mac, if together { to.mac } else { network.segments[from.segment].mac })
        }
    };
    Probe { from, frame: Frame { dest, source, tags: Vec::new(), body: Body::Ip(ip) } }
}

/// The answer to a packet, and the sender's next one.
fn exchange(ip: &Ip) -> Option<(Ip, Ip)> {
    let back = |payload| Ip { source: ip.dest, dest: ip.source, ttl: 64, payload };
    let forth = |payload| Ip { payload, ..ip.clone() };
    let turned = |ports: Ports| Ports { source: ports.dest, dest: ports.source };
    match &ip.payload {
        Payload::Tcp(syn) if syn.flags == F::SYN => {
            let answer = Tcp {
                ports: turned(syn.ports),
                flags: F::SYN | F::ACK,
                sequence: 5000,
                acknowledges: syn.next(),
                data: Vec::new(),
            };
            let next = Tcp { flags: F::ACK, sequence: syn.next(), acknowledges: answer.next(), ..syn.clone() };
            Some((back(Payload::Tcp(answer)), forth(Payload::Tcp(next))))
        }
        Payload::Udp(ports) => Some((back(Payload::Udp(turned(*ports))), ip.clone())),
        Payload::UdpLite(ports) => Some((back(Payload::UdpLite(turned(*ports))), ip.clone())),
        Payload::Icmp { kind: 8, code: 0, rest } => {
            Some((back(Payload::Icmp { kind: 0, code: 0, rest: *rest }), ip.clone()))
        }
        Payload::Icmp { kind: 128, code: 0, rest } if ip.source.is_ipv6() => {
            Some((back(Payload::Icmp { kind: 129, code: 0, rest: *rest }), ip.clone()))
        }
        Payload::Other(number) => Some((back(Payload::Other(*number)), ip.clone())),
        Payload::Tcp(_)
        | Payload::Icmp { .. }
        | Payload::Error { .. }
        | Payload::Neighbour { .. }
        | Payload::Sctp(_)
        | Payload::Dccp(_) => None,
    }
}
