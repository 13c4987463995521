//! What was seen after a batch of probes, by the probes' numbers.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;

use fwc::analysis::Rejection;

use super::{Ears, Sent};
use crate::judge::{Place, Probe};
use crate::topology::Network;
use crate::wire::{self, Body, Payload, Ports, Seen};

/// All of a batch.
#[derive(Default)]
pub struct Seens {
    /// Where it arrived, and as what.
    pub arrived: HashMap<u32, Vec<(Place, Vec<u8>)>>,
    /// Who was told that it was rejected.
    pub told: HashMap<u32, Vec<(Place, Rejection)>>,
    /// The prefixes of its log lines.
    pub logged: HashMap<u32, Vec<String>>,
}

impl Seens {
    /// Whether something that the host sends to itself, and that should arrive, has not yet.
    pub fn lacks_loopback(&self, sent: &[Sent<'_>], base: u32) -> bool {
        (base..).zip(sent).any(|(number, sent)| {
            let expected = sent.expectation.arrivals.iter().any(|one| one.arrives && one.place == Place::Host);
            let seen =
                || self.arrived.get(&number).is_some_and(|all| all.iter().any(|(place, _)| *place == Place::Host));
            sent.probe.from == Place::Host && expected && !seen()
        })
    }

    /// Adds what was seen later.
    pub fn add(&mut self, later: Self) {
        later.arrived.into_iter().for_each(|(number, all)| self.arrived.entry(number).or_default().extend(all));
        later.told.into_iter().for_each(|(number, all)| self.told.entry(number).or_default().extend(all));
        later.logged.into_iter().for_each(|(number, all)| self.logged.entry(number).or_default().extend(all));
    }
}

/// A reset's source, destination, and their ports.
type Key = (IpAddr, IpAddr, u16, u16);

/// Reads all ports and sockets, and the log.
pub fn collect(network: &Network<'_>, ears: &Ears, sent: &[Sent<'_>], base: u32) -> io::Result<Seens> {
    let mut seen = Seens::default();
    let resets: BTreeMap<Key, u32> =
        (base..).zip(sent).filter_map(|(number, sent)| Some((reset_of(&sent.probe)?, number))).collect();
    let payload = |number: u32| match number.checked_sub(base).and_then(|at| sent.get(at as usize))?.probe.frame.body {
        Body::Ip(ref ip) => Some(&ip.payload),
        Body::Arp(_) | Body::Other(_) => None,
    };
    let is_error = |number| matches!(payload(number), Some(Payload::Error { .. }));
    let is_request = |number| matches!(payload(number), Some(Payload::Icmp { kind: 8 | 128, .. }));
    // Words of a protocol that ends in them carry no number; they arrive as they were sent.
    let plain: HashMap<&[u8], u32> = (base..).zip(sent).map(|(number, sent)| (sent.bytes.as_slice(), number)).collect();
    let mut take = |place: Place, what: Seen, bytes: Vec<u8>| match what {
        Seen::Number { number, icmp_error } if icmp_error && !is_error(number) => {
            seen.told.entry(number).or_default().push((place, rejection(place, &bytes)));
        }
        // The host answers a ping with what it was sent.
        Seen::Number { number, .. } if is_request(number) && echoed(place, &bytes) => {}
        Seen::Number { number, .. } => seen.arrived.entry(number).or_default().push((place, bytes)),
        Seen::Reset { source, dest, ports } => {
            if let Some(number) = resets.get(&(source, dest, ports.source, ports.dest)) {
                seen.told.entry(*number).or_default().push((place, Rejection::TcpReset));
            }
        }
        Seen::Noise => {
            if let Some(number) = plain.get(bytes.as_slice()) {
                seen.arrived.entry(*number).or_default().push((place, bytes));
            }
        }
    };
    for (at, port) in network.ports.iter().enumerate() {
        for frame in port.tap.drain()? {
            take(Place::Port(at), wire::read(&frame), frame);
        }
    }
    for (source, protocol, packet) in ears.sockets.drain()? {
        let what = match (source, protocol) {
            (IpAddr::V4(_), _) => wire::read_packet(&packet),
            // Without its header.
            (IpAddr::V6(_), 6) if wire::reset(&packet).is_some() => {
                // Nor does it say to which of the host's addresses.
                let fits = |(from, _, a, b): &&Key| {
                    *from == source && wire::reset(&packet) == Some(Ports { source: *a, dest: *b })
                };
                match resets.keys().find(fits) {
                    Some((_, dest, a, b)) => Seen::Reset { source, dest: *dest, ports: Ports { source: *a, dest: *b } },
                    None => Seen::Noise,
                }
            }
            (IpAddr::V6(_), _) => {
                wire::number(&packet, protocol == 58 && packet.first().is_some_and(|kind| *kind < 128))
            }
        };
        take(Place::Host, what, packet);
    }
    for line in ears.log.drain()? {
        if let Seen::Number { number, .. } = wire::number(&line.packet, false) {
            seen.logged.entry(number).or_default().push(line.prefix);
        }
    }
    Ok(seen)
}

/// Whether it is an echo reply. The host gets IPv4 with its header, and ICMPv6 without.
fn echoed(place: Place, bytes: &[u8]) -> bool {
    match place {
        Place::Port(_) => matches!(wire::icmp_of(bytes), Some((1, 0, _) | (58, 129, _))),
        Place::Host => bytes.first() == Some(&129) || (bytes.first() == Some(&0x45) && bytes.get(20) == Some(&0)),
    }
}

/// What an ICMP error that quotes a probe tells its sender.
fn rejection(place: Place, bytes: &[u8]) -> Rejection {
    let icmp = match (place, bytes) {
        (Place::Port(_), frame) => wire::icmp_of(frame),
        (Place::Host, [0x45, ..]) => bytes.get(20..22).map(|icmp| (1, icmp[0], icmp[1])),
        (Place::Host, _) => bytes.get(..2).map(|icmp| (58, icmp[0], icmp[1])),
    };
    match icmp {
        Some((1, 3, 3)) | Some((58, 1, 4)) => Rejection::PortUnreachable,
        Some((1, 3, 10)) | Some((58, 1, 1)) => Rejection::Prohibited,
        // Nothing of fwc's.
        Some(_) | None => Rejection::Silent,
    }
}

/// From, to and ports of the reset that would answer a TCP probe.
fn reset_of(probe: &Probe) -> Option<Key> {
    let Body::Ip(ip) = &probe.frame.body else { return None };
    let Payload::Tcp(tcp) = &ip.payload else { return None };
    let Ports { source, dest } = tcp.ports;
    Some((ip.dest, ip.source, dest, source))
}
