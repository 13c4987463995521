//! One host behind one backend: probes are sent, arrivals compared with what the model expects.
//!
//! In: a network with its rules loaded. Out: every disagreement between model and kernel, and how much was compared.

mod compare;
mod seen;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crate::judge::{Expectation, Model, Place, Probe};
use crate::load::Backend;
use crate::probes::{Generator, Path, flow};
use crate::random::Random;
use crate::topology::Network;
use crate::wire::{self, Body};

pub use compare::Report;

/// Probes between two looks at what has arrived; what a port holds meanwhile stays far below its queue's length.
const BATCH: usize = 64;

/// A probe that was sent.
struct Sent<'a> {
    probe: Probe,
    bytes: Vec<u8>,
    expectation: Expectation<'a>,
}

/// How often the loopback device is asked again, every 5 ms: the kernel takes its packets in later, unlike those of
/// other ports, and a busy machine may let that wait.
const LOOPBACK_PATIENCE: usize = 100;

/// The host's own ends: sockets, and its log.
pub struct Ears {
    /// For packets to and from the host itself.
    pub sockets: wire::Host,
    /// For log lines.
    pub log: wire::Log,
}

impl Ears {
    /// Those of the namespace that this process is in.
    pub fn new() -> io::Result<Self> {
        let log = wire::Log::new()?;
        Ok(Self { sockets: wire::Host::new()?, log })
    }
}

/// Sends `count` probes and what follows from them, or fewer: so many disagreements are `enough`.
pub fn run(
    network: &Network<'_>,
    ears: &mut Ears,
    (backend, bridged): (Backend, bool),
    seed: u64,
    (count, enough): (usize, usize),
) -> io::Result<Report> {
    let mut model = Model::new(network, backend, bridged);
    let mut generator = Generator::new(network, seed, |path| judged(network, backend, path));
    let mut random = Random::new(!seed);
    let mut queue: VecDeque<Probe> = VecDeque::new();
    let mut report = Report::default();
    let mut sent: Vec<Sent<'_>> = Vec::new();
    let mut base = 1_u32;
    while report.sent < count && report.wrong.len() < enough {
        let probe = queue.pop_front().unwrap_or_else(|| generator.probe(&model));
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
        let bytes = send(network, &mut ears.sockets, &probe, number)?;
        report.sent += 1;
        report.census.count(network, &probe, &expectation);
        sent.push(Sent { probe, bytes, expectation });
        if sent.len() == BATCH || report.sent == count {
            let mut seen = seen::collect(network, ears, &sent, base)?;
            for _ in 0..LOOPBACK_PATIENCE {
                if !seen.lacks_loopback(&sent, base) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
                seen.add(seen::collect(network, ears, &sent, base)?);
            }
            for (number, sent) in (base..).zip(&sent) {
                compare::compare(network, number, sent, &seen, &mut report);
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
