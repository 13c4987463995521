//! One host behind one backend: probes are sent, arrivals compared with what the model expects.
//!
//! In: a network with its rules loaded. Out: every disagreement between model and kernel, and how much was compared.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;

use fwc::analysis::Rejection;
use fwc::net::Family;

use crate::judge::{Expectation, Model, Place, Probe};
use crate::load::Backend;
use crate::probes::{Generator, Path, flow};
use crate::random::Random;
use crate::topology::Network;
use crate::wire::{self, Body, Payload, Ports, Seen};

/// Probes between two looks at what has arrived; what a port holds meanwhile stays far below its queue's length.
const BATCH: usize = 64;

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Probes sent.
    pub sent: usize,
    /// Places at which an arrival was expected or excluded.
    pub compared: usize,
    /// Arrivals among them.
    pub arrived: usize,
    /// Rejections that reached their sender.
    pub told: usize,
    /// One text for each disagreement.
    pub wrong: Vec<String>,
    /// The probes that they speak of.
    pub blamed: Vec<Probe>,
}

struct Sent<'a> {
    probe: Probe,
    bytes: Vec<u8>,
    expectation: Expectation<'a>,
}

/// Arrivals and answers of a batch, by the probe's number.
#[derive(Default)]
struct Seens {
    arrived: HashMap<u32, Vec<(Place, Vec<u8>)>>,
    told: HashMap<u32, Vec<(Place, Rejection)>>,
}

/// Sends `count` probes and what follows from them.
pub fn run(
    network: &Network<'_>,
    sockets: &mut wire::Host,
    (backend, bridged): (Backend, bool),
    seed: u64,
    count: usize,
) -> io::Result<Report> {
    let mut model = Model::new(network, backend, bridged);
    let mut generator = Generator::new(network, seed, |path| judged(network, backend, path));
    let mut random = Random::new(!seed);
    let mut queue: VecDeque<Probe> = VecDeque::new();
    let mut report = Report::default();
    let mut sent: Vec<Sent<'_>> = Vec::new();
    let mut base = 1_u32;
    while report.sent < count {
        let probe = queue.pop_front().unwrap_or_else(|| generator.probe());
        let expectation = model.expect(&probe);
        if queue.is_empty() && random.once_in(3) {
            // Of a flooded packet one place may refuse with a reset what another takes.
            if let [arrival] = expectation.arrivals.as_slice()
                && arrival.arrives
            {
                queue.extend(flow::follow(network, &probe, arrival.place, &mut random));
            }
        }
        let number = base + sent.len() as u32;
        let bytes = send(network, sockets, &probe, number)?;
        report.sent += 1;
        sent.push(Sent { probe, bytes, expectation });
        if sent.len() == BATCH || report.sent == count {
            let seen = collect(network, sockets, &sent, base)?;
            for (number, sent) in (base..).zip(&sent) {
                compare(network, number, sent, &seen, &mut report);
            }
            base += sent.len() as u32;
            sent.clear();
        }
    }
    Ok(report)
}

/// Ways that a backend has a say in. Without the bridge table nobody asks guests' or vnets' hooks.
fn judged(network: &Network<'_>, backend: Backend, path: &Path) -> bool {
    let unknown = |place: Place| match place {
        Place::Host => true,
        Place::Port(port) => matches!(network.ports[port].station, crate::topology::Station::Unknown),
    };
    backend != Backend::NftHost || (unknown(path.from) && unknown(path.to) && path.routed)
}

fn send(network: &Network<'_>, sockets: &mut wire::Host, probe: &Probe, number: u32) -> io::Result<Vec<u8>> {
    if let Body::Ip(ip) = &probe.frame.body {
        sockets.listen(ip.family(), ip.protocol())?;
    }
    match (probe.from, &probe.frame.body) {
        (Place::Port(port), _) => {
            let bytes = probe.frame.encode(number);
            network.ports[port].tap.send(&bytes)?;
            Ok(bytes)
        }
        (Place::Host, Body::Ip(ip)) => {
            match sockets.send(ip, number) {
                Ok(()) => {}
                // A packet that the output hook drops is an error for its sender.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("{probe:?}: {error}"))),
            }
            Ok(Vec::new())
        }
        (Place::Host, Body::Arp(_) | Body::Other(_)) => Ok(Vec::new()),
    }
}

fn collect(network: &Network<'_>, sockets: &wire::Host, sent: &[Sent<'_>], base: u32) -> io::Result<Seens> {
    let mut seen = Seens::default();
    let resets: BTreeMap<(IpAddr, IpAddr, u16, u16), u32> =
        (base..).zip(sent).filter_map(|(number, sent)| Some((reset_of(&sent.probe)?, number))).collect();
    let is_error = |number: u32| {
        let probe = number.checked_sub(base).and_then(|at| sent.get(at as usize));
        probe.is_some_and(
            |sent| matches!(&sent.probe.frame.body, Body::Ip(ip) if matches!(ip.payload, Payload::Error { .. })),
        )
    };
    let is_request = |number: u32| {
        let probe = number.checked_sub(base).and_then(|at| sent.get(at as usize));
        probe.is_some_and(|sent| {
            matches!(&sent.probe.frame.body,
            Body::Ip(ip) if matches!(ip.payload, Payload::Icmp { kind: 8 | 128, .. }))
        })
    };
    let mut take = |place: Place, what: Seen, bytes: Vec<u8>| match what {
        Seen::Number { number, icmp_error } if icmp_error && !is_error(number) => {
            seen.told.entry(number).or_default().push((place, rejection(&bytes)));
        }
        // The host answers a ping with what it was sent.
        Seen::Number { number, .. } if is_request(number) && echoed(place, &bytes) => {}
        Seen::Number { number, .. } => seen.arrived.entry(number).or_default().push((place, bytes)),
        Seen::Reset { source, dest, ports } => {
            if let Some(number) = resets.get(&(source, dest, ports.source, ports.dest)) {
                seen.told.entry(*number).or_default().push((place, Rejection::TcpReset));
            }
        }
        Seen::Noise => {}
    };
    for (at, port) in network.ports.iter().enumerate() {
        for frame in port.tap.drain()? {
            take(Place::Port(at), wire::read(&frame), frame);
        }
    }
    for (family, protocol, packet) in sockets.drain()? {
        let what = match family {
            Family::V4 => wire::read_packet(&packet),
            // Without its header: only an ICMPv6 message can be an error.
            Family::V6 => wire::number(&packet, protocol == 58 && packet.first().is_some_and(|kind| *kind < 128)),
        };
        take(Place::Host, what, packet);
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
fn rejection(frame: &[u8]) -> Rejection {
    match wire::icmp_of(frame) {
        Some((1, 3, 3)) | Some((58, 1, 4)) => Rejection::PortUnreachable,
        Some((1, 3, 10)) | Some((58, 1, 1)) => Rejection::Prohibited,
        // Nothing of fwc's.
        Some(_) | None => Rejection::Silent,
    }
}

/// From, to and ports of the reset that would answer a TCP probe.
fn reset_of(probe: &Probe) -> Option<(IpAddr, IpAddr, u16, u16)> {
    let Body::Ip(ip) = &probe.frame.body else { return None };
    let Payload::Tcp(tcp) = &ip.payload else { return None };
    let Ports { source, dest } = tcp.ports;
    Some((ip.dest, ip.source, dest, source))
}

fn compare(network: &Network<'_>, number: u32, sent: &Sent<'_>, seen: &Seens, report: &mut Report) {
    let mut arrived: Vec<Place> = seen.arrived.get(&number).into_iter().flatten().map(|(place, _)| *place).collect();
    arrived.sort();
    let mut expected: Vec<Place> = Vec::new();
    for arrival in &sent.expectation.arrivals {
        report.compared += 1;
        if arrival.arrives {
            expected.push(arrival.place);
        }
    }
    expected.sort();
    report.arrived += arrived.len();
    let mut found = Vec::new();
    if arrived != expected {
        found.push(format!("expected at {}, arrived at {}", places(network, &expected), places(network, &arrived)));
    }
    for (place, bytes) in seen.arrived.get(&number).into_iter().flatten() {
        let segment = |place: Place| match place {
            Place::Host => None,
            Place::Port(port) => Some(network.ports[port].segment).filter(|at| network.segments[*at].bridge.is_some()),
        };
        let bridged = segment(*place).is_some() && segment(*place) == segment(sent.probe.from);
        if bridged
            && sent.probe.frame.dest != network.segments[segment(*place).unwrap_or(0)].mac
            && *bytes != sent.bytes
        {
            found.push(format!("changed on its way to {}", places(network, &[*place])));
        }
    }
    if let Some(wanted) = sent.expectation.told {
        let told = seen.told.get(&number).map(Vec::as_slice).unwrap_or_default();
        let good = match wanted {
            Rejection::Silent => told.is_empty(),
            Rejection::TcpReset | Rejection::PortUnreachable | Rejection::Prohibited => {
                told == [(sent.probe.from, wanted)]
            }
        };
        report.told += usize::from(good && wanted != Rejection::Silent);
        if !good {
            found.push(format!("the sender should be told {wanted:?}, and was {told:?}"));
        }
    }
    if !found.is_empty() {
        report.wrong.push(describe(network, number, sent, &found));
        report.blamed.push(sent.probe.clone());
    }
}

fn places(network: &Network<'_>, places: &[Place]) -> String {
    let names: Vec<&str> = places
        .iter()
        .map(|place| match place {
            Place::Host => "host",
            Place::Port(port) => network.ports[*port].tap.device.as_str(),
        })
        .collect();
    if names.is_empty() { "nowhere".to_owned() } else { names.join(", ") }
}

/// The packet and the model's reasons.
fn describe(network: &Network<'_>, number: u32, sent: &Sent<'_>, found: &[String]) -> String {
    let mut text = format!("probe {number} from {}: {}\n", places(network, &[sent.probe.from]), found.join("; "));
    let _ = writeln!(text, "  frame  {:?}", sent.probe.frame);
    let _ = writeln!(text, "  packet {:?}", sent.expectation.packet);
    for arrival in &sent.expectation.arrivals {
        let _ = writeln!(
            text,
            "  to {}: {}",
            places(network, &[arrival.place]),
            if arrival.arrives { "arrives" } else { "does not" }
        );
        for (crossing, decision) in &arrival.decisions {
            let rule = decision.rule.map(|rule| format!(" {:?}", rule.rule.origin)).unwrap_or_default();
            let stage = decision.stage.map_or("none", |stage| stage.name());
            let _ = writeln!(
                text,
                "    {} {}: {:?} by {stage}{rule}",
                crossing.machine,
                crossing.hook.name.name(),
                decision.verdict
            );
        }
    }
    text
}
