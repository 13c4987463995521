//! Rules: a verdict, a service, addresses, and the rest of what a line can say.

use fwc::net::{Family, IcmpType, MACROS, Macro, icmp_type_names, service_names};

use super::names::{self, Side, Term};
use super::random::Random;
use super::tree::{Node, word, words};

/// What a list of rules may hold.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Directions, some more often than others.
    pub heads: &'a [&'a str],
    /// Interfaces that a rule may name.
    pub interfaces: &'a [&'a str],
    /// Words for addresses that are known there.
    pub terms: &'a [Term],
}

/// Makes the rules of one spec.
#[derive(Debug)]
pub struct Writer {
    /// What decides.
    pub random: Random,
    /// Whether Proxmox VE's files must be able to say it.
    pub pve: bool,
    /// Whether ICMP types must be those that both implementations of Proxmox VE know.
    narrow: bool,
    /// Pairs of sides still to be dealt, the next one last.
    deck: Vec<(Side, Side)>,
    /// Pairs that are still to be seen in a rule.
    owed: usize,
}

impl Writer {
    /// A writer that deals the pairs that every spec must have first.
    pub fn new(mut random: Random, pve: bool, narrow: bool) -> Self {
        let mut deck = names::MANDATORY.to_vec();
        random.shuffle(&mut deck);
        Self { random, pve, narrow, owed: deck.len(), deck }
    }

    fn deal(&mut self) -> (Side, Side) {
        if let Some(pair) = self.deck.pop() {
            return pair;
        }
        // Rules without addresses are what people write most.
        let mut deck = names::pairs();
        deck.extend([(Side::Any, Side::Any); 5]);
        self.random.shuffle(&mut deck);
        self.deck = deck;
        (Side::Any, Side::Any)
    }

    /// So many rules.
    pub fn rules(&mut self, count: usize, place: Place<'_>) -> Vec<Node> {
        (0..count).map(|_| self.rule(place)).collect()
    }

    /// One rule; never one that no packet can match.
    pub fn rule(&mut self, place: Place<'_>) -> Node {
        let owed = self.owed > 0;
        self.owed = self.owed.saturating_sub(1);
        let (source, dest) = self.deal();
        let head = self.random.pick(place.heads);
        let verdict = match (head, self.random.below(20)) {
            (_, 0..11) => "accept",
            ("forward", _) | (_, 11..17) => "drop",
            (_, _) => "reject",
        };
        let mut rule = Node::map().with(head, word(verdict));
        let ((source4, source6), (dest4, dest6)) = (source.families(), dest.families());
        self.service(&mut rule, source4 && dest4, source6 && dest6);
        let random = &mut self.random;
        rule.set("source", names::side(random, place.terms, source));
        rule.set("dest", names::side(random, place.terms, dest));
        if !owed && !place.interfaces.is_empty() && random.chance(20) {
            rule.set("iface", word(random.pick(place.interfaces)));
        }
        if random.chance(25) {
            rule.set("log", word(random.pick(fwc::spec::options::LOG_LEVELS)));
        }
        if !owed && random.chance(6) {
            rule.set("enable", word(false));
        }
        if random.chance(10) {
            rule.set("comment", word(random.pick(&["asked for by accounting", "until autumn", "do not remove"])));
        }
        rule
    }

    /// Adds a service that speaks of one of the families at least.
    fn service(&mut self, rule: &mut Node, v4: bool, v6: bool) {
        match self.random.below(20) {
            0..2 => {}
            2..9 => self.ports(rule),
            9..13 => {
                let fits = |known: &&Macro| {
                    let is = |protocol| known.lines.iter().any(|line| line.proto == protocol);
                    let other = known.lines.iter().any(|line| !["icmp", "icmpv6", "ipv6-icmp"].contains(&line.proto));
                    other || (v4 && is("icmp")) || (v6 && (is("icmpv6") || is("ipv6-icmp")))
                };
                let known: Vec<&Macro> = MACROS.iter().filter(fits).collect();
                // Those of both families, and of one, more often than the many of a port or two.
                let common = ["Ping", "Trcrt", "DNS", "SSH", "NeighborDiscovery", "SMB", "IPsec"];
                let known = match self.random.chance(60) {
                    true => known.into_iter().filter(|known| common.contains(&known.name)).collect(),
                    false => known,
                };
                rule.set("macro", word(self.random.pick(&known).name));
            }
            13..17 => self.icmp(rule, v4, v6),
            17 if !self.pve => self.flags(rule),
            17 | 18 => rule.set("proto", words(&[self.random.pick(&["tcp", "udp", "gre", "esp", "ospf", "sctp"])])),
            _ => {
                let nameless = if self.pve { "ah" } else { "253" };
                // IGMP is a protocol of IPv4 alone.
                let igmp = if v4 { "igmp" } else { "89" };
                rule.set("proto", word(self.random.pick(&["47", "112", igmp, "pim", nameless])));
            }
        }
    }

    fn ports(&mut self, rule: &mut Node) {
        let random = &mut self.random;
        let protocols: &[&str] = match random.below(12) {
            0..6 => &["tcp"],
            6..9 => &["udp"],
            9 => &["sctp"],
            _ => &["tcp", "udp"],
        };
        rule.set("proto", words(protocols));
        let which = random.below(10);
        if which != 0 {
            rule.set("dport", port_list(random, self.pve));
        }
        if which < 2 {
            rule.set("sport", port_list(random, self.pve));
        }
    }

    fn icmp(&mut self, rule: &mut Node, v4: bool, v6: bool) {
        let random = &mut self.random;
        if v4 && v6 && random.chance(30) {
            rule.set("proto", words(&["icmp", "icmpv6"]));
            if random.chance(70) {
                rule.set("icmp_type", word(random.pick(&["echo-request", "echo-reply", "time-exceeded"])));
            }
            return;
        }
        let family = if v4 && (!v6 || random.chance(50)) { Family::V4 } else { Family::V6 };
        rule.set("proto", word(if family == Family::V4 { "icmp" } else { "icmpv6" }));
        if random.chance(15) {
            return;
        }
        let names: Vec<&str> = match (self.narrow, family) {
            (true, Family::V4) => vec!["echo-reply", "destination-unreachable", "time-exceeded", "redirect"],
            (true, Family::V6) => vec!["echo-reply", "destination-unreachable", "packet-too-big", "time-exceeded"],
            (false, _) => icmp_type_names(family).collect(),
        };
        let numbers: &[&str] = match family {
            Family::V4 => &["8", "3/4", "3/1", "42"],
            Family::V6 => &["128", "1/4", "3/0", "200"],
        };
        let mut chosen = vec![if random.chance(40) { "echo-request" } else { random.pick(&names) }];
        if !self.pve && random.chance(35) {
            chosen.push(random.pick(numbers));
        }
        let same = |a: &str, b: &str| IcmpType::parse(family, a) == IcmpType::parse(family, b);
        chosen.dedup_by(|b, a| same(a, b));
        rule.set("icmp_type", words(&chosen));
    }

    fn flags(&mut self, rule: &mut Node) {
        let names = ["fin", "syn", "rst", "psh", "ack", "urg"];
        let count = self.random.between(1, 4);
        let mask = self.random.some(&names, count);
        let count = self.random.below(mask.len() + 1);
        let set: Vec<Node> = self.random.some(&mask, count).into_iter().map(word).collect();
        rule.set("proto", word("tcp"));
        let mask = Node::List(mask.into_iter().map(word).collect());
        // An empty list says something here, so the map is made by hand.
        rule.set("tcp_flags", Node::Map(vec![("mask".into(), mask), ("set".into(), Node::List(set))]));
        if self.random.chance(30) {
            rule.set("dport", port_list(&mut self.random, self.pve));
        }
    }
}

/// One port, a range, or a list of several. Port 0 alone is every port to Proxmox VE.
fn port_list(random: &mut Random, pve: bool) -> Node {
    let count = match random.below(8) {
        0..4 => 1,
        4..7 => random.between(2, 4),
        // More than one test of iptables or one line of Proxmox VE holds.
        _ => random.between(16, 20),
    };
    let named: Vec<&str> = service_names().filter(|name| name.len() < 8).collect();
    let mut next = 1;
    let mut list: Vec<String> = Vec::new();
    for _ in 0..count {
        let first = next + random.below(if count > 4 { 400 } else { 4000 });
        let last = first + random.between(1, 90);
        next = last + 2;
        list.push(match random.below(10) {
            0..4 => first.to_string(),
            4..7 => format!("{first}-{last}"),
            7 if count == 1 => {
                random.pick(&[if pve { "2" } else { "0" }, "1", "65535", "0-1023", "1024-65535"]).to_owned()
            }
            _ if count == 1 => random.pick(&named).to_owned(),
            _ => last.to_string(),
        });
    }
    words(&list)
}
