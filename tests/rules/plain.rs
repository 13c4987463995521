//! Loaded rules, one packet at a time: every rule in its order, without any set of packets.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use fwc::analysis::loaded::{Asked, Condition, Effect, Fields, Pattern, Port, iptables, nft};
use fwc::analysis::sets::{Field, flag_values};
use fwc::analysis::{Body, Packet, Payload};
use fwc::diagnostic::Span;
use fwc::net::{Family, Mac, TcpFlags};
use fwc::policy::{LogLevel, State};
use fwc::state::ruleset::{Program, Ruleset, Verdict};

/// Chains within each other.
const DEPTH: usize = 40;

/// How a packet ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Behind all chains.
    Accept,
    Drop,
    /// Dropped with an answer.
    Answer(String),
    Queue(String),
    /// It came to something that is not understood.
    Unknown,
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    pub exit: Exit,
    pub logs: Vec<LogLevel>,
    pub events: Vec<String>,
}

/// How a frame is tagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    None,
    /// One of 802.1Q, which only `ether type` sees.
    One,
    /// One of 802.1ad, which only `ether type` sees.
    Service,
    /// Two, of which all see the second as the packet's type.
    Two,
}

/// The way of a packet, as the rules of one program see it.
#[derive(Debug, Clone)]
pub struct Route {
    /// Tables (nft: their family) and hooks, in order.
    pub hooks: Vec<(&'static str, String)>,
    /// The port of a bridge that it comes by.
    pub from: Option<String>,
    /// The port of a bridge that it leaves by.
    pub to: Option<String>,
    /// The bridge, where it stays in one.
    pub bridge: Option<String>,
    pub own_mac: Option<Mac>,
    pub tags: Tags,
}

/// A packet, with the numbers of its fields.
#[derive(Debug, Clone)]
pub struct Seen {
    pub packet: Packet,
    values: [Option<u128>; Field::ALL.len()],
}

impl Seen {
    pub fn new(packet: Packet) -> Self {
        let mut values = [None; Field::ALL.len()];
        let mut set = |field: Field, value: u128| values[field as usize] = Some(value);
        let mac = |mac: Option<Mac>| mac.map_or(0, number);
        set(Field::SourceMac, mac(packet.source_mac));
        match &packet.body {
            Body::Stacked => set(Field::Frame, 0x88a8),
            Body::Other(ethertype) => set(Field::Frame, (*ethertype).into()),
            Body::Arp(arp) => {
                set(Field::Frame, 0x0806);
                set(Field::ArpMac, mac(arp.sender_mac));
                set(Field::Source, u32::from(arp.sender).into());
                set(Field::Dest, u32::from(arp.target).into());
            }
            Body::Ip(ip) => {
                set(Field::Frame, if ip.family() == Family::V4 { 0x0800 } else { 0x86dd });
                set(Field::Source, address(ip.source));
                set(Field::Dest, address(ip.dest));
                set(Field::Protocol, ip.protocol.0.into());
                set(Field::State, State::ALL.iter().position(|state| *state == ip.state).unwrap() as u128);
                match ip.payload {
                    Payload::Icmp { kind, code } => set(Field::Icmp, u128::from(kind) << 8 | u128::from(code)),
                    Payload::Tcp { flags, .. } => set(Field::Flags, flags_number(flags)),
                    Payload::Ports { .. } | Payload::Other => {}
                }
                if let Some((source, dest)) = ip.payload.ports() {
                    set(Field::SourcePort, source.into());
                    set(Field::DestPort, dest.into());
                }
            }
        }
        Self { packet, values }
    }

    /// The number of a field; none where the packet has no such field.
    fn value(&self, field: Field, own: Option<Mac>) -> Option<u128> {
        let value = self.values[field as usize]?;
        let is_mac = matches!(field, Field::SourceMac | Field::ArpMac);
        // 0 is the NIC's own, and no other address.
        Some(if is_mac && value == 0 { own.map_or(0, number) } else { value })
    }

    fn fits(&self, fields: &Fields, own: Option<Mac>) -> bool {
        fields.0.iter().all(|(field, values)| self.value(*field, own).is_some_and(|value| values.contains(value)))
    }
}

fn number(Mac(octets): Mac) -> u128 {
    octets.iter().fold(0, |number, octet| number << 8 | u128::from(*octet)) + 1
}

pub fn address(address: std::net::IpAddr) -> u128 {
    match address {
        std::net::IpAddr::V4(address) => u32::from(address).into(),
        std::net::IpAddr::V6(address) => address.into(),
    }
}

/// The number that stands for the flags of a header.
pub fn flags_number(flags: u8) -> u128 {
    flag_values(TcpFlags { mask: u8::MAX, set: flags }).iter().next().unwrap().0
}

/// A rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule<'t> {
    pub asked: Asked,
    pub verdict: &'t Verdict,
    pub cases: Option<nft::Cases<'t>>,
}

/// A chain.
#[derive(Debug)]
pub struct Chain<'t> {
    /// Where packets come into it: the hook, and its place among those there.
    base: Option<(String, i64)>,
    pub policy: Option<&'t Verdict>,
    pub rules: Vec<Rule<'t>>,
    /// Where these are written.
    pub spans: Vec<Span>,
    /// Whether packets that come here are looked for.
    pub watched: bool,
}

/// A table.
#[derive(Debug)]
pub struct Table<'t> {
    /// Of nft the family, else the name.
    pub name: &'t str,
    pub chains: BTreeMap<&'t str, Chain<'t>>,
}

/// The rules of a program.
#[derive(Debug)]
pub struct Plain<'t> {
    pub program: Program,
    pub tables: Vec<Table<'t>>,
    /// Whether a packet came to a watched chain since this was last reset.
    pub reached: Cell<bool>,
    /// The rules that the last packet met, in order; whether each takes it out of its chain without stopping it.
    pub met: RefCell<Vec<(Span, bool)>>,
    /// Whether the end of a chain stopped it.
    pub by_end: Cell<bool>,
}

impl<'t> Plain<'t> {
    pub fn new(rules: &'t Ruleset) -> Self {
        let is_nft = rules.program == Program::Nft;
        let mut tables = Vec::new();
        for (name, table) in &rules.tables {
            let mut words = nft::Words::new(&name.family, table);
            let family = if rules.program == Program::Ip6tables { Family::V6 } else { Family::V4 };
            let mut other = iptables::Words::new(family, table);
            let mut chains = BTreeMap::new();
            for (name, chain) in &table.chains {
                let mut rules = Vec::new();
                for rule in &chain.rules {
                    let (asked, cases) =
                        if is_nft { (words.asked(rule), words.cases(rule)) } else { (other.asked(rule), None) };
                    rules.push(Rule { asked, verdict: &rule.verdict, cases });
                }
                let base = chain.base.as_ref().and_then(|base| {
                    let words: Vec<&str> = base.hook.split(' ').collect();
                    let after = |word: &str| words.iter().skip_while(|one| **one != word).nth(1);
                    Some(((*after("hook")?).to_owned(), after("priority")?.parse().unwrap()))
                });
                let policy = chain.base.as_ref().map(|base| &base.policy);
                let spans = chain.rules.iter().map(|rule| rule.span).collect();
                chains.insert(&**name, Chain { base, policy, rules, spans, watched: false });
            }
            tables.push(Table { name: if is_nft { &name.family } else { &name.name }, chains });
        }
        Self {
            program: rules.program,
            tables,
            reached: Cell::new(false),
            met: RefCell::default(),
            by_end: Cell::new(false),
        }
    }

    /// Whether a kernel takes it: no chain leads to itself, none to one that packets come into.
    pub fn loads(&self) -> bool {
        self.tables.iter().all(|table| table.chains.keys().all(|name| self.ends(table, name, 0)))
    }

    fn ends(&self, table: &Table<'t>, name: &str, depth: usize) -> bool {
        let Some(chain) = table.chains.get(name) else { return false };
        let ends = |verdict: &Verdict| match verdict {
            Verdict::Jump(to) | Verdict::Goto(to) => self.ends(table, to, depth + 1),
            Verdict::Continue
            | Verdict::Accept
            | Verdict::Drop
            | Verdict::Return
            | Verdict::Reject(_)
            | Verdict::Map { .. }
            | Verdict::Inline { .. }
            | Verdict::Other(_) => true,
        };
        let is_called = depth > 0;
        depth < DEPTH
            && !(is_called && chain.policy.is_some())
            && chain.rules.iter().all(|rule| match &rule.cases {
                Some(nft::Cases::Port { entries, .. }) => entries.values().all(ends),
                Some(nft::Cases::Packet(_) | nft::Cases::Opaque) | None => ends(rule.verdict),
            })
    }

    /// What becomes of a packet on a way.
    pub fn fate(&self, packet: &Seen, route: &Route) -> Fate {
        let (logs, events) = (Vec::new(), Vec::new());
        self.met.take();
        self.by_end.set(false);
        let mut passing = Passing { packet, route, hook: "", in_bridge: false, mark: 0, logs, events };
        let mut exit = Exit::Accept;
        // The host itself takes IP alone.
        let is_ip = packet.packet.ip().is_some();
        for (table, hook) in route.hooks.iter().filter(|(table, _)| is_ip || *table != "inet") {
            let Some(table) = self.tables.iter().find(|known| known.name == *table) else { continue };
            let mut chains: Vec<(i64, &str, &Chain<'t>)> = Vec::new();
            for (name, chain) in &table.chains {
                match &chain.base {
                    Some((at, priority)) if at == hook => chains.push((*priority, name, chain)),
                    // Of iptables and ebtables the name says it.
                    None if name == hook && !matches!(table.name, "inet" | "bridge") => chains.push((0, name, chain)),
                    Some(_) | None => {}
                }
            }
            chains.sort_by_key(|(priority, name, _)| (*priority, *name));
            (passing.hook, passing.in_bridge) = (hook, table.name == "bridge");
            for (_, name, chain) in chains {
                let left = match self.chain(table, name, &mut passing, 0) {
                    Left::Back if chain.policy == Some(&Verdict::Drop) => {
                        self.by_end.set(true);
                        Exit::Drop
                    }
                    Left::Back => Exit::Accept,
                    // In a chain that stands for a built-in one, rules of others are passed by.
                    Left::For(Exit::Accept) if chain.policy.is_none() => Exit::Queue("no rules of others".to_owned()),
                    Left::For(exit) => exit,
                };
                if left != Exit::Accept {
                    exit = left;
                    break;
                }
            }
            if exit != Exit::Accept {
                break;
            }
        }
        Fate { exit, logs: passing.logs, events: passing.events }
    }

    fn chain(&self, table: &Table<'t>, name: &str, passing: &mut Passing<'_>, depth: usize) -> Left {
        let Some(chain) = table.chains.get(name).filter(|_| depth < DEPTH) else { return Left::For(Exit::Unknown) };
        if chain.watched {
            self.reached.set(true);
        }
        for (rule, span) in chain.rules.iter().zip(&chain.spans) {
            match rule.asked.conditions.iter().try_fold(true, |all, one| Some(passing.holds(one)? && all)) {
                None if rule.asked.conditions.iter().any(|one| passing.holds(one) == Some(false)) => continue,
                None => return Left::For(Exit::Unknown),
                Some(false) => continue,
                Some(true) => {}
            }
            let lets = matches!(rule.verdict, Verdict::Accept | Verdict::Return);
            self.met.borrow_mut().push((*span, lets));
            if !passing.does(rule) {
                return Left::For(Exit::Unknown);
            }
            let verdict = match &rule.cases {
                // What a limit lets through goes on.
                _ if rule.asked.conditions.iter().any(|one| matches!(one, Condition::Above(_))) => continue,
                None => rule.verdict,
                Some(nft::Cases::Port { port, entries }) => {
                    match passing.port(*port).and_then(|name| entries.get(name)) {
                        Some(verdict) => verdict,
                        None => continue,
                    }
                }
                Some(nft::Cases::Packet(_) | nft::Cases::Opaque) => return Left::For(Exit::Unknown),
            };
            return match verdict {
                Verdict::Continue => continue,
                Verdict::Accept => Left::For(Exit::Accept),
                Verdict::Drop => Left::For(Exit::Drop),
                Verdict::Reject(answer) => Left::For(Exit::Answer(answer.clone())),
                Verdict::Return => Left::Back,
                Verdict::Jump(to) => match self.chain(table, to, passing, depth + 1) {
                    Left::Back => continue,
                    left @ Left::For(_) => left,
                },
                Verdict::Goto(to) => self.chain(table, to, passing, depth + 1),
                Verdict::Other(words) if words.starts_with("-j NFQUEUE") => Left::For(Exit::Queue(words.clone())),
                Verdict::Map { .. } | Verdict::Inline { .. } | Verdict::Other(_) => Left::For(Exit::Unknown),
            };
        }
        Left::Back
    }
}

/// How a packet leaves a chain.
enum Left {
    Back,
    For(Exit),
}

/// A packet on its way.
struct Passing<'p> {
    packet: &'p Seen,
    route: &'p Route,
    hook: &'p str,
    in_bridge: bool,
    mark: u32,
    logs: Vec<LogLevel>,
    events: Vec<String>,
}

/// The name of a port that no rule names.
pub const UNNAMED: &str = "?";

impl<'p> Passing<'p> {
    /// The name of what a rule may ask for at this hook.
    fn port(&self, port: Port) -> Option<&'p str> {
        let Route { from, to, bridge, .. } = self.route;
        let packet = &self.packet.packet;
        let named = |name: &'p Option<String>| Some(name.as_deref().unwrap_or(UNNAMED));
        match port {
            Port::In if self.in_bridge => from.as_deref().filter(|_| !matches!(self.hook, "output" | "postrouting")),
            Port::Out if self.in_bridge => to.as_deref().filter(|_| !matches!(self.hook, "prerouting" | "input")),
            Port::In if self.hook.ends_with("OUTPUT") => None,
            Port::Out if self.hook.ends_with("INPUT") || self.hook.ends_with("PREROUTING") => None,
            // From port to port, the bridge itself is both.
            Port::In => bridge.as_deref().or_else(|| named(&packet.in_interface)),
            Port::Out => bridge.as_deref().or_else(|| named(&packet.out_interface)),
            Port::BridgeIn => from.as_deref(),
            Port::BridgeOut => to.as_deref(),
            Port::Bridge => bridge.as_deref(),
        }
    }

    /// Whether a condition holds; none where it is not understood.
    fn holds(&self, condition: &Condition) -> Option<bool> {
        let own = self.route.own_mac;
        let fits = |fields: &Fields| self.packet.fits(fields, own);
        Some(match condition {
            Condition::Packet(choices) => choices.iter().any(fits),
            Condition::Outer(values) => {
                let frame = self.packet.value(Field::Frame, own)?;
                values.contains(match self.route.tags {
                    Tags::None => frame,
                    Tags::One | Tags::Two => 0x8100,
                    Tags::Service => 0x88a8,
                })
            }
            Condition::Port { port, names, negated } => {
                let value = self.port(*port);
                let is = |name: &Pattern| match name {
                    Pattern::Is(name) => value == Some(&**name),
                    Pattern::BeginsWith(start) => value.is_some_and(|value| value.starts_with(&**start)),
                };
                names.iter().any(is) != *negated
            }
            Condition::Keyed { port, entries, domain, negated } => {
                let own = self.port(*port).and_then(|name| entries.get(name));
                fits(domain) && own.is_some_and(|own| own.iter().any(fits)) != *negated
            }
            Condition::Mark { mask, value, negated } => (self.mark & mask == *value) != *negated,
            Condition::FromBridge(wanted) => self.route.from.is_some() == *wanted,
            Condition::ToBridge(wanted) => self.route.to.is_some() == *wanted,
            Condition::Bridged(wanted) => self.route.bridge.is_some() == *wanted,
            // How many packets there were is no packet's own.
            Condition::Above(_) => true,
            Condition::Opaque(_) => return None,
        })
    }

    /// What a rule does besides its verdict; whether that is understood.
    fn does(&mut self, rule: &Rule<'_>) -> bool {
        for condition in &rule.asked.conditions {
            if let Condition::Above(words) = condition {
                self.events.push(format!("{words}: {}", rule.verdict));
            }
        }
        for effect in &rule.asked.effects {
            match effect {
                Effect::Log(level) => self.logs.push(*level),
                Effect::Mark { and, xor } => self.mark = self.mark & and ^ xor,
                Effect::Helper(name) => self.events.push(format!("helper {name}")),
                Effect::Opaque(_) => return false,
            }
        }
        true
    }
}
