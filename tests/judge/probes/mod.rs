//! Which packets are sent.
//!
//! In: a network and a seed. Out: probes without end, the same for the same seed. Each is aimed at one clause of one
//! hook, by a way that passes the hook: at both ends of its ranges, inside, or just outside; then, sometimes, bent
//! in a direction that no clause speaks of. Probes that get through are answered now and then ([`flow`]).

mod aim;
mod draft;
pub mod flow;

use std::collections::HashMap;

use fwc::analysis::Judge;
use fwc::policy::{Carriage, Clause, End};

use crate::judge::{Place, Probe};
use crate::random::Random;
use crate::stack;
use crate::topology::{Network, Station};
use crate::wire::Body;

use draft::Draft;

/// From where to where, and whether the host's IP stack carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The sender.
    pub from: Place,
    /// The receiver.
    pub to: Place,
    /// By route rather than by bridge.
    pub routed: bool,
}

/// A clause of a hook, and the ways that pass it.
struct Aim {
    clause: Option<Clause>,
    paths: Vec<Path>,
}

/// Makes probes.
pub struct Generator<'a> {
    network: &'a Network<'a>,
    random: Random,
    aims: Vec<Aim>,
    next: usize,
    number: u32,
}

impl<'a> Generator<'a> {
    /// One for each seed; `only` says which ways are wanted.
    pub fn new(network: &'a Network<'a>, seed: u64, only: impl Fn(&Path) -> bool) -> Self {
        let paths: Vec<Path> = paths(network).into_iter().filter(only).collect();
        let mut random = Random::new(seed);
        let mut aims = aims(network, &paths);
        random.shuffle(&mut aims);
        Self { network, random, aims, next: 0, number: 0 }
    }

    /// The next probe.
    pub fn probe(&mut self) -> Probe {
        loop {
            let probe = self.draft();
            // What the host's sockets send needs a route; groups and links are no places with one.
            let Body::Ip(ip) = &probe.frame.body else { return probe };
            // Both directions of a flow to oneself are one to connection tracking.
            let mirrored = ip.source == ip.dest && ip.payload.ports().is_none_or(|ports| ports.source == ports.dest);
            if !mirrored && (probe.from != Place::Host || stack::sends(self.network, ip.dest)) {
                return probe;
            }
        }
    }

    fn draft(&mut self) -> Probe {
        if self.next == self.aims.len() {
            self.next = 0;
            self.random.shuffle(&mut self.aims);
        }
        let aim = &self.aims[self.next];
        self.next += 1;
        self.number += 1;
        let path = *self.random.pick(&aim.paths);
        let mut draft = Draft::new(self.network, path, self.number, &mut self.random);
        if let Some(clause) = &aim.clause {
            draft.aim(clause, &mut self.random);
        }
        draft.bend(&mut self.random);
        draft.probe()
    }
}

fn end<'a>(network: &Network<'a>, place: Place) -> End<'a> {
    match place {
        Place::Host => End::Host,
        Place::Port(port) => match network.ports[port].station {
            Station::Guest(guest, nic) => End::Guest(guest, nic),
            Station::Unknown => End::Unknown(None),
        },
    }
}

/// Every pair of places that can speak to each other.
fn paths(network: &Network<'_>) -> Vec<Path> {
    let mut found = Vec::new();
    for (from, sender) in network.ports.iter().enumerate() {
        let here = Place::Port(from);
        found.push(Path { from: here, to: Place::Host, routed: true });
        found.push(Path { from: Place::Host, to: here, routed: true });
        for (to, receiver) in network.ports.iter().enumerate().filter(|(to, _)| *to != from) {
            let together = receiver.segment == sender.segment && network.segments[sender.segment].bridge.is_some();
            let to = Place::Port(to);
            found.push(Path { from: here, to, routed: !together });
        }
    }
    found
}

/// The clauses of every hook that a path passes, each with all paths that do.
fn aims(network: &Network<'_>, paths: &[Path]) -> Vec<Aim> {
    let mut hooks: HashMap<(*const fwc::policy::Hook, Option<u8>), usize> = HashMap::new();
    let mut groups: Vec<(Vec<Clause>, Vec<Path>)> = Vec::new();
    let mut open = Vec::new();
    for path in paths {
        let carriage = if path.routed { Carriage::Routed } else { Carriage::Bridged };
        let way = network.host.way(end(network, path.from), end(network, path.to), carriage);
        if way.is_empty() {
            open.push(*path);
        }
        for crossing in way {
            let key = (std::ptr::from_ref(crossing.hook), crossing.nic.map(|nic| nic.index));
            let group = *hooks.entry(key).or_insert_with(|| {
                let judge = Judge::new(crossing.hook, crossing.nic);
                groups.push((judge.clauses().map(|(_, clause, _)| clause.clone()).collect(), Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(*path);
        }
    }
    let aimed = groups.into_iter().flat_map(|(clauses, paths)| {
        clauses.into_iter().map(move |clause| Aim { clause: Some(clause), paths: paths.clone() })
    });
    let open = (!open.is_empty()).then_some(Aim { clause: None, paths: open });
    aimed.chain(open).collect()
}
