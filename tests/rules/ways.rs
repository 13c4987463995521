//! The ways of packets through a host, one by one: every pair of ports, every bridge, every kind of tag.
//!
//! Where the proof tells a way in words of its own, they stand beside it here, with what the policy says of a packet on it.

use std::collections::BTreeSet;

use fwc::analysis::loaded::{Condition, Pattern, Port, nft};
use fwc::analysis::{Body, Judge, Packet, Rejection};
use fwc::net::Family;
use fwc::policy::{Carriage, End, GuestPolicy, HookName, HostPolicy, IptablesMode, Log, LogLevel, Nic, Verdict};
use fwc::state::ruleset::Program;
use fwc::target::Way;

use crate::plain::{Exit, Plain, Route, Tags, UNNAMED};

/// One way.
#[derive(Debug)]
pub struct Line<'a> {
    /// As the proof calls it; none for one that follows from others.
    pub words: Option<Way>,
    pub route: Route,
    from: End<'a>,
    to: End<'a>,
    carriage: Carriage,
}

/// A port of a bridge: a NIC's, or another one.
type PortOf<'a> = (Option<(&'a GuestPolicy, &'a Nic)>, String);

const BRIDGED: &[&str] = &["bridge prerouting", "bridge forward", "bridge postrouting"];
const TO_HOST: &[&str] = &["bridge prerouting", "bridge input", "inet prerouting", "inet input"];
const FROM_HOST: &[&str] = &["inet output", "inet postrouting", "bridge output", "bridge postrouting"];
const ROUTED: &[&str] = &[
    "bridge prerouting",
    "bridge input",
    "inet prerouting",
    "inet forward",
    "inet postrouting",
    "bridge output",
    "bridge postrouting",
];

/// The hooks of the kernel on the way.
fn hooks(host: &HostPolicy, program: Program, all: &[&'static str]) -> Vec<(&'static str, String)> {
    if program == Program::Nft {
        let split = |hook: &&'static str| hook.split_once(' ').unwrap();
        return all.iter().map(split).map(|(table, hook)| (table, hook.to_owned())).collect();
    }
    let prefix = match &host.iptables.mode {
        IptablesMode::Exclusive => String::new(),
        IptablesMode::Shared { prefix } => format!("{prefix}-"),
    };
    let (raw, filter) = match all {
        all if all.contains(&"inet output") => ("OUTPUT", "OUTPUT"),
        all if all.contains(&"inet input") => ("PREROUTING", "INPUT"),
        _ => ("PREROUTING", "FORWARD"),
    };
    vec![("raw", format!("{prefix}{raw}")), ("filter", format!("{prefix}{filter}"))]
}

/// The names of bridges' ports that rules tell packets apart by; of a beginning of names, one that begins so.
pub fn asked_ports(rules: &Plain<'_>) -> BTreeSet<String> {
    let is_nft = rules.program == Program::Nft;
    let wanted =
        |port: &Port| if is_nft { matches!(port, Port::In | Port::Out) } else { !matches!(port, Port::In | Port::Out) };
    let mut names = BTreeSet::new();
    for table in rules.tables.iter().filter(|table| !is_nft || table.name == "bridge") {
        for rule in table.chains.values().flat_map(|chain| &chain.rules) {
            for condition in &rule.asked.conditions {
                match condition {
                    Condition::Port { port, names: patterns, .. } if wanted(port) => {
                        names.extend(patterns.iter().map(|pattern| match pattern {
                            Pattern::Is(name) => name.to_string(),
                            Pattern::BeginsWith(start) => format!("{start}{UNNAMED}"),
                        }));
                    }
                    Condition::Keyed { port, entries, .. } if wanted(port) => {
                        names.extend(entries.keys().map(ToString::to_string));
                    }
                    Condition::Port { .. }
                    | Condition::Keyed { .. }
                    | Condition::Packet(_)
                    | Condition::Outer(_)
                    | Condition::Mark { .. }
                    | Condition::FromBridge(_)
                    | Condition::ToBridge(_)
                    | Condition::Bridged(_)
                    | Condition::Above(_)
                    | Condition::Opaque(_) => {}
                }
            }
            if let Some(nft::Cases::Port { port, entries }) = &rule.cases
                && wanted(port)
            {
                names.extend(entries.keys().cloned());
            }
        }
    }
    names
}

/// All ways through a host, for the rules of a program.
pub fn lines<'a>(host: &'a HostPolicy, program: Program, asked: &BTreeSet<String>) -> Vec<Line<'a>> {
    let is_nft = program == Program::Nft;
    let nics: Vec<(&GuestPolicy, &Nic)> =
        host.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic))).collect();
    let mut others = asked.clone();
    others.insert(UNNAMED.to_owned());
    for (_, nic) in &nics {
        others.remove(&nic.device);
    }
    let ports = |bridge: Option<&str>| -> Vec<PortOf<'a>> {
        let own = nics.iter().filter(|(_, nic)| nic.bridge.as_deref() == bridge && bridge.is_some());
        let own = own.map(|(guest, nic)| (Some((*guest, *nic)), nic.device.clone()));
        own.chain(others.iter().map(|name| (None, name.clone()))).collect()
    };
    let mut found = Vec::new();
    let line = |all: &[&'static str], (from, to): (Option<&PortOf<'a>>, Option<&PortOf<'a>>)| Route {
        hooks: hooks(host, program, all),
        from: from.map(|(_, name)| name.clone()),
        to: to.map(|(_, name)| name.clone()),
        bridge: None,
        own_mac: from.and_then(|(nic, _)| nic.as_ref()).and_then(|(_, nic)| nic.mac),
        tags: Tags::None,
    };
    let end = |port: &PortOf<'a>, bridge: Option<&'a str>| match port.0 {
        Some((guest, nic)) => End::Guest(guest, nic),
        None => End::Unknown(bridge),
    };
    let named = |port: &PortOf<'a>, other: &str| match port.0 {
        Some((guest, nic)) => format!("{}:net{}", guest.zone(), nic.index),
        None => other.to_owned(),
    };
    // From port to port.
    let mut bridges: BTreeSet<&str> = host.vnets.iter().map(|vnet| vnet.name.as_str()).collect();
    bridges.extend(nics.iter().filter_map(|(_, nic)| nic.bridge.as_deref()));
    for bridge in bridges.into_iter().map(Some).chain([None]) {
        let names = bridge.map_or_else(|| vec![UNNAMED.to_owned()], |bridge| host.bridges(bridge));
        for (name, from, to) in pairs(&names, &ports(bridge)) {
            let is_nic = |port: &PortOf<'_>| port.0.is_some();
            let spoken = if is_nft || is_nic(from) || is_nic(to) { bridge } else { bridge.map(|_| name.as_str()) };
            let elsewhere = format!("another port of {}", spoken.unwrap_or("another bridge"));
            let both = is_nic(from) && is_nic(to);
            for tags in [Tags::None, Tags::One, Tags::Service, Tags::Two] {
                if tags != Tags::None && !is_nft {
                    continue;
                }
                let tagged = matches!(tags, Tags::Service | Tags::Two);
                let words = Way { from: named(from, &elsewhere), to: named(to, &elsewhere), routed: false, tagged };
                found.push(Line {
                    words: (!both).then_some(words),
                    route: Route { bridge: Some(name.clone()), tags, ..line(BRIDGED, (Some(from), Some(to))) },
                    from: end(from, bridge),
                    to: end(to, bridge),
                    carriage: Carriage::Bridged,
                });
            }
        }
    }
    // To the host, from it, and through it.
    let inside = |hook: &&&'static str| hook.starts_with("inet");
    let without = |all: &[&'static str]| -> Vec<&'static str> { all.iter().filter(inside).copied().collect() };
    let all_ports: Vec<PortOf<'a>> =
        nics.iter().map(|(guest, nic)| (Some((*guest, *nic)), nic.device.clone())).chain(ports(None)).collect();
    let (elsewhere, port) = ("another interface", "another port of a bridge");
    let ends = |one: Option<&PortOf<'a>>| one.map_or(End::Unknown(None), |one| end(one, None));
    let spoken = |one: Option<&PortOf<'a>>| one.map_or(elsewhere.to_owned(), |one| named(one, port));
    let all = || all_ports.iter().map(Some).chain([None]);
    for one in all() {
        let to_host = if one.is_some() { TO_HOST.to_vec() } else { without(TO_HOST) };
        let from_host = if one.is_some() { FROM_HOST.to_vec() } else { without(FROM_HOST) };
        let way =
            |from: &str, to: &str| Some(Way { from: from.to_owned(), to: to.to_owned(), routed: false, tagged: false });
        found.push(Line {
            words: way(&spoken(one), "the host"),
            route: line(&to_host, (one, None)),
            from: ends(one),
            to: End::Host,
            carriage: Carriage::Bridged,
        });
        // The rules of iptables do not see by which port a packet is going to leave.
        found.push(Line {
            words: way("the host", &spoken(one)),
            route: line(&from_host, (None, one.filter(|_| is_nft))),
            from: End::Host,
            to: ends(one),
            carriage: Carriage::Bridged,
        });
        for other in all() {
            let first = usize::from(one.is_none()) * 2;
            let last = if other.is_some() { ROUTED.len() } else { ROUTED.len() - 2 };
            let words = Way { from: spoken(one), to: spoken(other), routed: true, tagged: false };
            found.push(Line {
                words: (one.is_none() || other.is_none()).then_some(words),
                route: line(&ROUTED[first..last], (one, other.filter(|_| is_nft))),
                from: ends(one),
                to: ends(other),
                carriage: Carriage::Routed,
            });
        }
    }
    found
}

/// All ordered pairs of ports in each of some bridges; no NIC sends to itself.
fn pairs<'p, 'a>(
    names: &'p [String],
    ports: &'p [PortOf<'a>],
) -> impl Iterator<Item = (&'p String, &'p PortOf<'a>, &'p PortOf<'a>)> {
    names.iter().flat_map(move |name| {
        let each = ports.iter().flat_map(move |from| ports.iter().map(move |to| (name, from, to)));
        each.filter(|(_, from, to)| from.0.is_none() || from.1 != to.1)
    })
}

impl Line<'_> {
    /// Whether a packet can be on it.
    pub fn takes(&self, program: Program, packet: &Packet) -> bool {
        let family = packet.ip().map(|ip| ip.family());
        match program {
            Program::Iptables => return family == Some(Family::V4),
            Program::Ip6tables => return family == Some(Family::V6),
            Program::Nft | Program::Ebtables => {}
        }
        // What leaves by the loopback interface comes to no port.
        let is_lo = packet.out_interface.as_deref() == Some("lo");
        if is_lo && matches!(self.from, End::Host) && self.route.to.is_some() {
            return false;
        }
        match self.route.tags {
            Tags::None | Tags::One | Tags::Service => {
                let tagged = matches!(packet.body, Body::Stacked | Body::Other(0x8100 | 0x88a8));
                !tagged && (family.is_some() || self.route.hooks.iter().any(|(table, _)| *table == "bridge"))
            }
            Tags::Two => packet.body == Body::Other(0x8100),
        }
    }

    /// What the policy says of a packet: how it ends, and its lines in the log.
    pub fn meant(&self, host: &HostPolicy, program: Program, packet: &Packet) -> (Exit, Vec<LogLevel>) {
        let mut packet = packet.clone();
        if matches!(self.route.tags, Tags::Service | Tags::Two) {
            packet.body = Body::Stacked;
        }
        let mut logs = Vec::new();
        let mut queued = false;
        for crossing in host.way(self.from, self.to, self.carriage) {
            let name = crossing.hook.name;
            let is_host = matches!(name, HookName::HostIn | HookName::HostOut | HookName::HostForward);
            if is_host && packet.ip().is_none() {
                continue;
            }
            let decision = Judge::new(crossing.hook, crossing.nic).decide(&packet);
            if let Log::At(level) = decision.log {
                logs.push(level);
            }
            let silent = program == Program::Nft && matches!(name, HookName::GuestIn | HookName::VnetForward);
            match decision.verdict {
                Verdict::Accept => {}
                Verdict::Reject if !silent => return (answer(packet.rejection(&host.broadcast)), logs),
                Verdict::Drop | Verdict::Reject | Verdict::Skip => return (Exit::Drop, logs),
            }
            if let (HookName::GuestIn, End::Guest(guest, _)) = (name, self.to) {
                queued = guest.options.ips.value && program != Program::Nft;
            }
        }
        (if queued { Exit::Queue(String::new()) } else { Exit::Accept }, logs)
    }
}

fn answer(rejection: Rejection) -> Exit {
    let words = match rejection {
        Rejection::Silent => return Exit::Drop,
        Rejection::TcpReset => "tcp",
        Rejection::PortUnreachable => "port",
        Rejection::Prohibited => "prohibited",
    };
    Exit::Answer(words.to_owned())
}

/// How rules let a packet end, in the words of a policy.
pub fn spoken(exit: &Exit) -> Exit {
    match exit {
        Exit::Answer(words) => {
            let kinds = [("tcp", "tcp"), ("port-unreachable", "port"), ("prohibited", "prohibited")];
            let kind = kinds.into_iter().find(|(has, _)| words.contains(has));
            Exit::Answer(kind.map_or(words.as_str(), |(_, kind)| kind).to_owned())
        }
        Exit::Queue(_) => Exit::Queue(String::new()),
        other @ (Exit::Accept | Exit::Drop | Exit::Unknown) => other.clone(),
    }
}
