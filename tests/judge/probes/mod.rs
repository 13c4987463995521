//! Which packets are sent.
//!
//! In: a network and a seed. Out: probes without end, the same for the same seed. Each is aimed at one clause of one
//! hook, by a way that passes the hook: at both ends of its ranges, inside, or just outside. Of many drafts one is taken
//! that would fare otherwise if the clause, or a condition of it, were not there ([`lens`]): the others show nothing.
//! Some are bent in a direction that no clause speaks of, or are what happens on every network (`special`). Probes that get through are answered now and then ([`flow`]).

mod aim;
mod draft;
pub mod flow;
mod lens;
mod special;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use fwc::policy::{Carriage, End, Hook, Log, Verdict};

use crate::judge::{Model, Place, Probe};
use crate::random::Random;
use crate::stack;
use crate::topology::{Network, Station};
use crate::wire::{Body, Ip, Payload, Ports};

use draft::Draft;
use lens::{Change, Lens};

/// Drafts for one probe.
const TRIES: usize = 12;

/// From where to where, and whether the host's IP stack carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The lens and the clause; none where nobody judges.
    at: Option<(usize, usize)>,
    paths: Vec<Path>,
    /// Probes so far.
    turn: usize,
    /// How often no draft was found that tells that the clause is there, and of each of its conditions.
    vain: Vec<u8>,
}

/// Makes probes.
pub struct Generator<'a> {
    network: &'a Network<'a>,
    random: Random,
    lenses: Vec<Lens>,
    /// By the numbers of their lenses, the hooks on each path.
    ways: HashMap<Path, Vec<usize>>,
    aims: Vec<Aim>,
    next: usize,
    number: u32,
    /// TCP connections so far: what became of one that two probes begin is more than the model follows.
    begun: HashSet<(IpAddr, IpAddr, Ports)>,
}

impl<'a> Generator<'a> {
    /// One for each seed; `only` says which ways are wanted.
    pub fn new(network: &'a Network<'a>, seed: u64, only: impl Fn(&Path) -> bool) -> Self {
        let mut lenses: Vec<Lens> = Vec::new();
        let mut known: HashMap<(*const Hook, Option<u8>), usize> = HashMap::new();
        let mut ways: HashMap<Path, Vec<usize>> = HashMap::new();
        // The clauses of every hook that a path passes, each with all paths that do.
        let mut passing: Vec<Vec<Path>> = Vec::new();
        let mut open: Vec<Path> = Vec::new();
        for path in paths(network).into_iter().filter(only) {
            let way = network.host.way(end(network, path.from), end(network, path.to), path.carriage());
            if way.is_empty() {
                open.push(path);
            }
            for crossing in way {
                let key = (std::ptr::from_ref(crossing.hook), crossing.nic.map(|nic| nic.index));
                let lens = *known.entry(key).or_insert_with(|| {
                    lenses.push(Lens::new(&crossing));
                    passing.push(Vec::new());
                    lenses.len() - 1
                });
                passing[lens].push(path);
                ways.entry(path).or_default().push(lens);
            }
        }
        let mut aims: Vec<Aim> = Vec::new();
        for (number, (lens, paths)) in lenses.iter().zip(passing).enumerate() {
            let aim = |clause| Aim::new(Some((number, clause)), lens.clause(clause).matches.len(), paths.clone());
            aims.extend((0..lens.len()).map(aim));
        }
        if !open.is_empty() {
            aims.push(Aim::new(None, 0, open));
        }
        let mut random = Random::new(seed);
        random.shuffle(&mut aims);
        Self { network, random, lenses, ways, aims, next: 0, number: 0, begun: HashSet::new() }
    }

    /// The next probe.
    pub fn probe(&mut self, model: &Model<'_>) -> Probe {
        loop {
            if self.next == self.aims.len() {
                self.next = 0;
                self.random.shuffle(&mut self.aims);
            }
            let aim = self.next;
            self.next += 1;
            self.number += 1;
            let Some(probe) = self.aimed(aim, model) else { continue };
            if let (Body::Ip(ip), Some(flow)) = (&probe.frame.body, connection(&probe)) {
                self.begun.insert((ip.source, ip.dest, flow));
            }
            return probe;
        }
    }

    /// A probe that tells whether the kernel has the clause, or one of its conditions; another where none is found.
    fn aimed(&mut self, aim: usize, model: &Model<'_>) -> Option<Probe> {
        let (turn, at) = self.aims[aim].turn();
        // What has been in vain so far is not tried for long.
        let tries = TRIES >> self.aims[aim].vain[at].min(3);
        let change = at.checked_sub(1).map_or(Change::Without, Change::Wider);
        let mut last = None;
        let special = self.random.once_in(6);
        for _ in 0..tries {
            let path = *self.random.pick(&self.aims[aim].paths);
            let mut draft = Draft::new(self.network, path, self.number, &mut self.random);
            if let Some((lens, clause)) = self.aims[aim].at {
                self.overlap(&mut draft, lens, clause);
                draft.aim(self.lenses[lens].clause(clause), change, turn, &mut self.random);
            }
            if special {
                draft.be_special(&mut self.random);
            } else {
                draft.bend(&mut self.random);
            }
            let probe = draft.probe();
            if !self.is_good(&probe) {
                continue;
            }
            let Some((lens, clause)) = self.aims[aim].at else { return Some(probe) };
            if special || turn % 8 == 7 || self.tells(&probe, path, (lens, clause, change), model) {
                return Some(probe);
            }
            last = Some(probe);
        }
        self.aims[aim].vain[at] = self.aims[aim].vain[at].saturating_add(1);
        last
    }

    /// Makes a draft one that the other hooks on its way may accept, and that others of the clauses of this hook decide.
    fn overlap(&mut self, draft: &mut Draft<'_>, lens: usize, clause: usize) {
        // Many a clause decides against what the policy at the hook's end would.
        let aimed = self.random.once_in(2);
        for number in self.ways.get(&draft.path).into_iter().flatten() {
            let here = &self.lenses[*number];
            let clauses = match (*number == lens, aimed) {
                (false, _) => here.accepting(),
                (true, true) if here.clause(clause).verdict == Verdict::Accept => here.refusing(),
                (true, true) => here.accepting(),
                (true, false) => continue,
            };
            if !clauses.is_empty() {
                draft.hit(here.clause(*self.random.pick(clauses)), &mut self.random);
            }
        }
    }

    /// Whether a probe can be sent, and is followed by the model.
    fn is_good(&self, probe: &Probe) -> bool {
        // What the host's sockets send needs a route; groups and links are no places with one.
        let Body::Ip(ip) = &probe.frame.body else { return true };
        // Both directions of a flow to oneself are one to connection tracking.
        let mirrored = ip.source == ip.dest && ip.payload.ports().is_none_or(|ports| ports.source == ports.dest);
        let begun = connection(probe).is_some_and(|ports| {
            let turned = Ports { source: ports.dest, dest: ports.source };
            self.begun.contains(&(ip.source, ip.dest, ports)) || self.begun.contains(&(ip.dest, ip.source, turned))
        });
        !mirrored && !begun && (probe.from != Place::Host || stack::sends(self.network, ip.dest))
    }

    /// Whether what arrives, or what the sender is told, would be something else with a clause changed so.
    fn tells(
        &self,
        probe: &Probe,
        path: Path,
        (lens, clause, change): (usize, usize, Change),
        model: &Model<'_>,
    ) -> bool {
        let packet = model.on_its_way(probe, &model.packet(probe), path.to, path.carriage());
        let meets = self.lenses[lens].meets(&packet, clause, change);
        if !meets || !model.reachable(probe).contains(&(path.to, path.carriage())) {
            return false;
        }
        let passes = |decision: Option<(Verdict, Log)>| decision.is_some_and(|(verdict, _)| verdict == Verdict::Accept);
        let mut others = self.ways.get(&path).into_iter().flatten().filter(|other| **other != lens);
        if !others.all(|other| passes(self.lenses[*other].decide(&packet, None))) {
            return false;
        }
        let lens = &self.lenses[lens];
        let (now, then) = (lens.decide(&packet, None), lens.decide(&packet, Some((clause, change))));
        let log = |decision: Option<(Verdict, Log)>| decision.map_or(Log::None, |(_, log)| log);
        let refused = now.map(|(verdict, _)| verdict) != then.map(|(verdict, _)| verdict);
        passes(now) != passes(then) || log(now) != log(then) || (refused && model.can_be_told(probe, &packet))
    }
}

impl Aim {
    fn new(at: Option<(usize, usize)>, conditions: usize, paths: Vec<Path>) -> Self {
        Self { at, paths, turn: 0, vain: vec![0; 1 + conditions] }
    }

    /// A number for the turn, and what is to be told: 0 for the clause, which is every other time, or 1 and more for its
    /// conditions, one after the other but for those that nothing could tell so far.
    fn turn(&mut self) -> (usize, usize) {
        let turn = self.turn;
        self.turn += 1;
        let hopeful: Vec<usize> = (1..self.vain.len()).filter(|at| self.vain[*at] < 3).collect();
        match (turn % 2, hopeful.len()) {
            (0, _) | (_, 0) => (turn / 2, 0),
            (_, count) => (turn / 2 / count, hopeful[turn / 2 % count]),
        }
    }
}

impl Path {
    fn carriage(self) -> Carriage {
        if self.routed { Carriage::Routed } else { Carriage::Bridged }
    }
}

/// The ports of a TCP connection.
fn connection(probe: &Probe) -> Option<Ports> {
    match &probe.frame.body {
        Body::Ip(Ip { payload: Payload::Tcp(tcp), .. }) => Some(tcp.ports),
        Body::Ip(_) | Body::Arp(_) | Body::Other(_) => None,
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
    let mut found = vec![Path { from: Place::Host, to: Place::Host, routed: true }];
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
