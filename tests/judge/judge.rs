//! What the model expects of a probe: where it arrives, and whether its sender is told.
//!
//! In: a network and probes in the order in which they are sent. Out: for every place where the network alone would
//! let a probe arrive, the decisions of the hooks on the way there. The expectation knows the README's exceptions by
//! name ([`Exception`]) and no others.

mod reach;
mod sight;
mod tag;

use std::collections::HashMap;
use std::net::IpAddr;

use fwc::analysis::{self, Decision, Judge, Packet, Rejection};
use fwc::policy::{Carriage, ConntrackHelper, Crossing, End, HookName, Log, Match, Stage, State, TargetName, Verdict};

use crate::line::Line;
use crate::load::Backend;
use crate::stack;
use crate::topology::{Network, Station};
use crate::track::Tracker;
use crate::wire::{self, Frame};

/// Where a probe comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The host's own sockets.
    Host,
    /// A port, by its number.
    Port(usize),
}

/// A packet to send.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Who sends it.
    pub from: Place,
    /// What is sent; of the host's own packets only the IP packet counts.
    pub frame: Frame,
}

/// What the model says of one place where a probe could arrive.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The place.
    pub place: Place,
    /// Whether it arrives there.
    pub arrives: bool,
    /// Whether the host's IP stack has it in hand on the way, rather than a bridge alone.
    pub by_stack: bool,
    /// Whether it is stopped before connection tracking has seen it.
    pub stopped_early: bool,
    /// What each hook decides, up to the first that does not accept.
    pub decisions: Vec<(Crossing<'a>, Decision<'a>)>,
    /// The log lines that it leaves on its way there.
    pub lines: Vec<Line>,
}

/// What the model says of a probe.
#[derive(Debug)]
pub struct Expectation<'a> {
    /// The packet as the hooks see it.
    pub packet: Packet,
    /// Every place where it could arrive.
    pub arrivals: Vec<Arrival<'a>>,
    /// Whether the sender is told that it was rejected; none where that cannot be seen.
    pub told: Option<Rejection>,
}

/// What a backend does otherwise than the model, as the README says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exception {
    /// Through iptables, what the host sends or routes to a guest has no port yet: at an address that
    /// the spec does not give the NIC it meets none of the guest's rules, nor of its vnet's.
    UnlistedAddress,
    /// Through nft, a `reject` towards a guest drops.
    SilentTowardsGuest,
    /// Through iptables, a NIC with a MAC or IP filter sends no ARP within a VLAN tag: ebtables cannot look into it.
    TaggedArp,
    /// Through iptables, no vnet judges what is not IP between two ports that are no guest's.
    BetweenStrangers,
}

/// The model of one host behind one backend.
pub struct Model<'a> {
    network: &'a Network<'a>,
    backend: Backend,
    bridged: bool,
    judges: HashMap<(HookName, *const fwc::policy::Hook, Option<u8>), Judge<'a>>,
    /// What connection tracking knows.
    pub tracker: Tracker,
}

impl<'a> Model<'a> {
    /// A model that has seen no packet.
    ///
    /// `bridged`: whether connection tracking sees bridged frames.
    pub fn new(network: &'a Network<'a>, backend: Backend, bridged: bool) -> Self {
        Self { network, backend, bridged, judges: HashMap::new(), tracker: Tracker::default() }
    }

    /// What becomes of the next probe.
    pub fn expect(&mut self, probe: &Probe) -> Expectation<'a> {
        let packet = self.packet(probe);
        let mut arrivals = Vec::new();
        for (place, carriage) in self.reachable(probe) {
            arrivals.push(self.arrival(probe, &packet, place, carriage));
        }
        let told = self.told(probe, &packet, &arrivals);
        if let wire::Body::Ip(ip) = &probe.frame.body
            && self.is_tracked(probe, arrivals.iter().any(|arrival| arrival.by_stack))
            && !arrivals.iter().any(|arrival| arrival.stopped_early)
        {
            let state = self.tracker.state(ip);
            self.tracker.seen(ip);
            // What a bridge hands to its host as well as to its ports is known from then on.
            let flooded = self.is_bridged(probe) && probe.frame.dest.is_multicast();
            let handed = self.backend.target() == TargetName::Iptables && self.bridged && flooded;
            let arrives = |arrival: &Arrival<'_>| arrival.arrives && (arrival.by_stack || self.bridged);
            if handed || arrivals.iter().any(|arrival| arrives(arrival) || self.is_stopped_late(arrival)) {
                let host = self.network.host;
                let helpers = &host.options.nf_conntrack_helpers.value;
                // Who comes from the host itself comes by no prerouting hook.
                let helped = host.enabled && helpers.contains(&ConntrackHelper::Ftp) && probe.from != Place::Host;
                self.tracker.passed(ip, state, helped);
            }
        }
        Expectation { packet, arrivals, told }
    }

    /// Whether what stops a packet comes after the host's own connection tracking has taken it in: to nft, what
    /// the host sends or routes is its own until the bridge that it leaves by.
    fn is_stopped_late(&self, arrival: &Arrival<'_>) -> bool {
        let last = arrival.decisions.last().map(|(crossing, _)| crossing.hook.name);
        let bridge = matches!(last, Some(HookName::GuestIn | HookName::VnetForward));
        self.backend == Backend::Nft && arrival.by_stack && arrival.place != Place::Host && bridge
    }

    /// Whether connection tracking sees a probe at all.
    fn is_tracked(&self, probe: &Probe, by_stack: bool) -> bool {
        // Unlike rules, it looks through a single service tag.
        if !stack::looks_into(&probe.frame.tags) && probe.frame.tags.len() > 1 {
            return false;
        }
        let seen = by_stack || (self.bridged && self.is_bridged(probe)) || self.is_looked_at(probe);
        let End::Guest(guest, nic) = self.end(probe.from) else { return seen };
        // ebtables stops a false MAC address before.
        let stages = &guest.hook_out.stages;
        let filters = !stages.contains(&Stage::OtherFrames) && stages.contains(&Stage::MacFilter);
        let filtered = self.network.host.enabled && guest.enabled && nic.firewall && filters;
        let ebtables = self.backend.target() == TargetName::Iptables && filtered;
        seen && (!ebtables || nic.mac.is_none_or(|mac| mac == probe.frame.source))
    }

    fn is_bridged(&self, probe: &Probe) -> bool {
        matches!(probe.from, Place::Port(port) if self.network.segments[self.network.ports[port].segment].bridge.is_some())
    }

    /// Whether the host's IP stack looks at a probe, be it only to find that it has nowhere to go.
    fn is_looked_at(&self, probe: &Probe) -> bool {
        let (Place::Port(port), wire::Body::Ip(ip)) = (probe.from, &probe.frame.body) else { return false };
        let dest = probe.frame.dest;
        let here = dest.is_multicast() || dest == self.network.segments[self.network.ports[port].segment].mac;
        // Of IPv4 the sources are looked at with the route, which is after connection tracking.
        here && probe.frame.tags.is_empty() && (ip.source.is_ipv4() || stack::takes(ip))
    }

    fn is_guests(&self, place: Place) -> bool {
        matches!(self.end(place), End::Guest(..))
    }

    fn segment_device(&self, port: usize) -> &'a str {
        &self.network.segments[self.network.ports[port].segment].device
    }

    fn end(&self, place: Place) -> End<'a> {
        let Place::Port(port) = place else { return End::Host };
        match self.network.ports[port].station {
            Station::Guest(guest, nic) => End::Guest(guest, nic),
            Station::Unknown => {
                let segment = &self.network.segments[self.network.ports[port].segment];
                End::Unknown(segment.bridge.as_deref())
            }
        }
    }

    fn arrival(&mut self, probe: &Probe, packet: &Packet, place: Place, carriage: Carriage) -> Arrival<'a> {
        let by_stack = probe.from == Place::Host || carriage == Carriage::Routed;
        let packet = self.on_its_way(probe, packet, place, carriage);
        let way = self.network.host.way(self.end(probe.from), self.end(place), carriage);
        let way: Vec<Crossing<'a>> = way.into_iter().filter(|crossing| self.backend.has(crossing.hook.name)).collect();
        let (decisions, lines, stopped_early) = if self.looks_through(probe) {
            self.behind_tag(way, probe, &packet, place)
        } else {
            let (decisions, lines) = self.walk(way, probe, &packet, (place, by_stack));
            (decisions, lines, false)
        };
        let arrives = decisions.last().is_none_or(|(_, decision)| decision.verdict == Verdict::Accept);
        Arrival { place, arrives, by_stack, stopped_early, decisions, lines }
    }

    fn walk(
        &mut self,
        way: Vec<Crossing<'a>>,
        probe: &Probe,
        packet: &Packet,
        to: (Place, bool),
    ) -> (Vec<(Crossing<'a>, Decision<'a>)>, Vec<Line>) {
        let (mut decisions, mut lines) = (Vec::new(), Vec::new());
        for crossing in way {
            let mut decision = self.decide(&crossing, packet);
            // The exception of log lines: ebtables, which judges frames other than IP in iptables' place, writes none.
            if self.backend.target() == TargetName::Iptables && packet.ip().is_none() {
                decision.log = Log::None;
            }
            match self.exception(&crossing, packet, probe, to) {
                Some(Exception::UnlistedAddress | Exception::BetweenStrangers) => continue,
                Some(Exception::TaggedArp) => decision.verdict = Verdict::Drop,
                Some(Exception::SilentTowardsGuest) | None => {}
            }
            lines.extend(Line::of(&crossing, &decision));
            let verdict = decision.verdict;
            decisions.push((crossing, decision));
            if verdict != Verdict::Accept {
                break;
            }
        }
        (decisions, lines)
    }

    fn decide(&mut self, crossing: &Crossing<'a>, packet: &Packet) -> Decision<'a> {
        let key = (crossing.hook.name, std::ptr::from_ref(crossing.hook), crossing.nic.map(|nic| nic.index));
        self.judges.entry(key).or_insert_with(|| Judge::new(crossing.hook, crossing.nic)).decide(packet)
    }

    fn exception(
        &self,
        crossing: &Crossing<'_>,
        packet: &Packet,
        probe: &Probe,
        (place, by_stack): (Place, bool),
    ) -> Option<Exception> {
        let tags = probe.frame.tags.as_slice();
        let to = match self.end(place) {
            End::Guest(_, nic) => Some(nic),
            End::Host | End::Unknown(_) => None,
        };
        match (self.backend.target(), crossing.hook.name) {
            (TargetName::Iptables, HookName::GuestIn | HookName::VnetForward) if to.is_some() && by_stack => {
                let (nic, dest) = (to?, packet.ip()?.dest);
                let link_local = nic.mac.map(|mac| IpAddr::V6(mac.link_local()));
                let listed = nic.addresses.iter().any(|address| address.address() == dest) || link_local == Some(dest);
                (!listed).then_some(Exception::UnlistedAddress)
            }
            (TargetName::Iptables, HookName::GuestOut)
                if matches!(packet.body, analysis::Body::Arp(_)) && !tags.is_empty() =>
            {
                let stages = crossing.hook.stages.iter().take_while(|stage| **stage != Stage::OtherFrames);
                let mut clauses = stages.flat_map(|stage| stage.clauses(crossing.hook.name, crossing.nic));
                let looks = |condition: &Match| matches!(condition, Match::SourceMacNot(_) | Match::ArpSender(_));
                let filtered = clauses.any(|clause| clause.matches.iter().any(looks));
                filtered.then_some(Exception::TaggedArp)
            }
            (TargetName::Iptables, _)
                if self.is_between_strangers(crossing, probe, place) && !is_seen_by_iptables(&probe.frame) =>
            {
                Some(Exception::BetweenStrangers)
            }
            (TargetName::Nft, HookName::GuestIn) => Some(Exception::SilentTowardsGuest),
            (TargetName::Iptables | TargetName::Nft | TargetName::Pve | TargetName::Sysctl, _) => None,
        }
    }

    /// Whether a vnet judges what neither of its guests sends nor gets: ebtables has no say.
    fn is_between_strangers(&self, crossing: &Crossing<'_>, probe: &Probe, place: Place) -> bool {
        crossing.hook.name == HookName::VnetForward && !self.is_guests(place) && !self.is_guests(probe.from)
    }

    /// What the sender should be told, where it can be seen: one place to arrive, a sender that can be told.
    fn told(&self, probe: &Probe, packet: &Packet, arrivals: &[Arrival<'_>]) -> Option<Rejection> {
        let [arrival] = arrivals else { return None };
        if !self.can_be_told(probe, packet) || (arrival.arrives && arrival.place == Place::Host) {
            return None;
        }
        let Some((crossing, decision)) = arrival.decisions.last() else { return Some(Rejection::Silent) };
        match decision.verdict {
            Verdict::Accept | Verdict::Drop | Verdict::Skip => Some(Rejection::Silent),
            Verdict::Reject
                if self.exception(crossing, packet, probe, (arrival.place, false))
                    == Some(Exception::SilentTowardsGuest) =>
            {
                Some(Rejection::Silent)
            }
            Verdict::Reject => Some(packet.rejection(&self.network.host.broadcast)),
        }
    }

    /// Whether a sender is the host, or where the host sends what is for it, and asks in a way that Linux answers: it
    /// answers no frame that was sent to all.
    pub fn can_be_told(&self, probe: &Probe, packet: &Packet) -> bool {
        let Some(ip) = packet.ip().filter(|ip| ip.state != State::Invalid) else { return false };
        let Place::Port(from) = probe.from else {
            return self.network.own().any(|own| own == ip.source) && !self.network.is_own(ip.dest);
        };
        let one = !probe.frame.dest.is_multicast() && !stack::is_group(self.network, ip.source);
        let own = self.network.route(ip.source) == Some(from) && probe.frame.source == self.network.ports[from].mac;
        own && one && probe.frame.tags.is_empty()
    }
}

/// Whether the bridge shows a frame to iptables: IP, behind one tag at most.
fn is_seen_by_iptables(frame: &Frame) -> bool {
    matches!(frame.body, wire::Body::Ip(_)) && frame.tags.len() < 2
}
