//! The whole spec: which targets, which zones, who inherits what, and who has which rules.

use fwc::spec::options::OptionZone;

use super::machines::{self, Guest};
use super::names::{self, Term};
use super::options::{Limits, options};
use super::random::Random;
use super::rules::{Place, Writer};
use super::tree::{Node, word, words};

/// Directions of a host's rules.
const HOST: &[&str] = &["in", "in", "in", "out", "forward"];
/// Directions of a guest's rules.
const GUEST: &[&str] = &["in", "in", "in", "out", "out"];
/// Interfaces that a host's rule names: its bridges, and one beside them.
const INTERFACES: &[&str] = &["vmbr0", "vmbr0", "vmbr1", "eno2"];

/// What is decided before the first word is written.
struct Plan {
    linux: bool,
    targets: Option<Vec<&'static str>>,
    limits: Limits,
    /// Whether the words must be those that both implementations of Proxmox VE know.
    narrow: bool,
    bridges: Vec<&'static str>,
    /// The guest zones, nearest first: each may inherit later ones.
    zones: Vec<(String, Vec<String>)>,
    /// Whether there is a zone of hosts.
    host_zone: bool,
    groups: Vec<String>,
    guests: Vec<Guest>,
    /// Options that guardrails set, and where: in the datacenter, in the last guest zone.
    guardrails: [Vec<&'static str>; 2],
}

/// A spec of one host, by its number.
pub fn random_spec(seed: u64) -> String {
    let mut random = Random::new(seed);
    let plan = plan(&mut random);
    let (aliases, alias_terms) = names::aliases(&mut random);
    let (ipsets, ipset_terms) = names::ipsets(&mut random);
    let mut terms = names::outside();
    terms.extend(alias_terms);
    terms.extend(ipset_terms);
    let addresses = machines::host_addresses(&mut random, plan.bridges.len());
    terms.extend(plan.guests.iter().filter_map(Guest::term));
    terms.extend(zone_terms(&plan));
    terms.push(Term::new("local_network", true, false));
    let host_v6 = matches!(&addresses, Node::List(list) if list.iter().any(|item| matches!(item, Node::Word(text) if text.contains(':'))));
    terms.push(Term::new("host/pm1", true, host_v6));
    let mut spec = Spec { writer: Writer::new(random, plan.limits.pve, plan.narrow), plan, terms };
    let datacenter = spec.datacenter(aliases, ipsets);
    // The host comes before parts that nobody may use: the pairs of families that are dealt first must be in force.
    let host = spec.host(addresses);
    let groups = spec.groups();
    let zones = spec.zones();
    let (vms, containers) = spec.guests();
    let vnets = spec.vnets();
    Node::map()
        .with("version", word(1))
        .with("datacenter", datacenter)
        .with("groups", groups)
        .with("zones", zones)
        .with("hosts", Node::map().with("pm1", host))
        .with("vms", vms)
        .with("containers", containers)
        .with("vnets", vnets)
        .render()
}

fn plan(random: &mut Random) -> Plan {
    let linux = random.chance(30);
    let targets = match random.below(10) {
        0..4 => None,
        4..6 => Some(vec!["iptables", "nft", "sysctl"]),
        6 => Some(vec!["pve", "iptables", "nft"]),
        7 => Some(vec!["nft", "sysctl"]),
        _ => Some(vec!["iptables", "sysctl"]),
    };
    let has = |name| targets.as_ref().is_some_and(|targets| targets.contains(&name));
    let limits = Limits {
        locked: Vec::new(),
        pve: has("pve") || (targets.is_none() && !linux),
        no_nft: targets.is_some() && !has("nft"),
        frames: !random.chance(8),
    };
    let bridges = match random.below(10) {
        0..3 => vec!["vmbr0"],
        3..6 => vec!["vmbr0", "vmbr1"],
        _ => vec!["vmbr0", "prod"],
    };
    let count = random.between(1, 3);
    let names = random.some(&["web", "mail", "database", "office-pc", "internal"].map(str::to_owned), count);
    let zones: Vec<(String, Vec<String>)> = (0..names.len())
        .map(|at| (names[at].clone(), if random.chance(40) { names[at + 1..].to_vec() } else { Vec::new() }))
        .collect();
    let count = random.between(2, 4);
    let groups = random.some(&["base", "monitoring", "webserver", "admins", "legacy"].map(str::to_owned), count);
    let count = random.below(3);
    let datacenter = random.some(&["tcpflags", "nosmurfs", "dhcp", "log_level_out"], count);
    let zone = if random.chance(25) { vec![*random.pick(&[&"macfilter", &"radv", &"ipfilter"])] } else { Vec::new() };
    let guests = machines::guests(random, &bridges, &names);
    let locked = [datacenter.as_slice(), zone.as_slice()].concat();
    let narrow = limits.pve && random.chance(50);
    let mut limits = Limits { locked, ..limits };
    if limits.pve && !narrow {
        limits.locked.push("nftables");
    }
    let host_zone = random.chance(50);
    Plan { linux, targets, limits, narrow, bridges, zones, host_zone, groups, guests, guardrails: [datacenter, zone] }
}

/// Every zone whose members have addresses.
fn zone_terms(plan: &Plan) -> Vec<Term> {
    let inherits = |guest: &Guest, zone: &str| {
        guest.inherits.iter().any(|name| {
            name == zone
                || plan.zones.iter().any(|(other, above)| other == name && above.iter().any(|name| name == zone))
        })
    };
    let term = |(zone, _): &(String, Vec<String>)| {
        let members: Vec<&Guest> = plan.guests.iter().filter(|guest| inherits(guest, zone)).collect();
        let nics = || members.iter().flat_map(|guest| &guest.nics);
        let (v4, v6) = (nics().any(|nic| nic.v4), nics().any(|nic| nic.v6));
        (v4 || v6).then(|| Term::new(format!("zone/{zone}"), v4, v6))
    };
    plan.zones.iter().filter_map(term).collect()
}

struct Spec {
    writer: Writer,
    plan: Plan,
    /// Words for addresses that are known everywhere.
    terms: Vec<Term>,
}

impl Spec {
    fn random(&mut self) -> &mut Random {
        &mut self.writer.random
    }

    fn options(&mut self, zone: OptionZone, percent: usize) -> Node {
        options(&mut self.writer.random, zone, percent, &self.plan.limits)
    }

    fn rules(&mut self, first: usize, last: usize, heads: &[&str], interfaces: &[&str], own: &[Term]) -> Vec<Node> {
        let terms = [self.terms.as_slice(), own].concat();
        let count = self.random().between(first, last);
        self.writer.rules(count, Place { heads, interfaces, terms: &terms })
    }

    /// A reference to one of the groups.
    fn call(&mut self, interfaces: &[&str]) -> Node {
        let names: Vec<&str> = self.plan.groups.iter().map(String::as_str).collect();
        let random = &mut self.writer.random;
        let mut call = Node::map().with("group", word(random.pick(&names)));
        if !interfaces.is_empty() && random.chance(20) {
            call.set("iface", word(random.pick(interfaces)));
        }
        if random.chance(5) {
            call.set("enable", word(false));
        }
        call
    }

    /// A guardrail's value for an option: not the default, so that it is seen.
    fn locked(&mut self, names: &[&'static str]) -> Node {
        let value = |name: &&'static str| match *name {
            "log_level_out" => word("info"),
            "nosmurfs" | "macfilter" | "dhcp" => word(false),
            _ => word(true),
        };
        names.iter().fold(Node::map(), |node, name| node.with(name, value(name)))
    }

    fn datacenter(&mut self, aliases: Node, ipsets: Node) -> Node {
        let mut options = self.options(OptionZone::Datacenter, 35);
        if !self.plan.limits.frames {
            let Node::Map(entries) = &mut options else { return options };
            entries.retain(|(key, _)| key != "ebtables");
            options.set("ebtables", word(false));
        } else if let Node::Map(entries) = &mut options {
            entries.retain(|(key, _)| key != "ebtables");
        }
        let locked = self.plan.guardrails[0].clone();
        let mut guardrails = Node::map();
        if self.random().chance(60) {
            guardrails.set("rules", Node::List(self.rules(1, 2, HOST, &[], &[])));
        }
        guardrails.set("options", self.locked(&locked));
        let rules = self.rules(3, 5, HOST, INTERFACES, &[]);
        let guests = self.guests_block(true);
        let mut node = Node::map().with("name", word("ams1")).with("options", options).with("aliases", aliases);
        node.set("ipsets", ipsets);
        node.set("guardrails", guardrails);
        node.set("rules", Node::List(rules));
        node.set("guests", guests);
        if self.random().chance(20) {
            node.set("sysctl", Node::map().with("set", Node::map().with("net.core.somaxconn", word(4096))));
        }
        node
    }

    /// `guests`: in the datacenter it calls a group by the id `base`, which guests may leave out.
    fn guests_block(&mut self, datacenter: bool) -> Node {
        let mut node = Node::map();
        if datacenter {
            node.set("inherits", word("everyone"));
        }
        node.set("options", self.options(OptionZone::Guest, 12));
        if self.random().chance(30) {
            let rules = self.rules(1, 1, GUEST, &[], &[]);
            node.set("guardrails", Node::map().with("rules", Node::List(rules)));
        }
        let mut rules = self.rules(0, 2, GUEST, &["net0", "net1"], &[]);
        if datacenter {
            let Node::Map(mut call) = self.call(&[]) else { return node };
            call.insert(0, ("id".into(), word("base")));
            rules.push(Node::Map(call));
        }
        node.with("rules", Node::List(rules))
    }

    fn groups(&mut self) -> Node {
        let mut node = Node::map();
        for name in self.plan.groups.clone() {
            let heads = *self.random().pick(&[&["in"][..], &["in", "out"], HOST].each_ref());
            let rules = Node::List(self.rules(1, 4, heads, &[], &[]));
            let said = self.random().chance(30);
            let group = Node::map().with("comment", word("used in many places"));
            node.set(&name, if said { group.with("rules", rules) } else { rules });
        }
        node
    }

    fn zones(&mut self) -> Node {
        let mut node = Node::map();
        let everyone = Node::map().with("kind", word("guest")).with("options", self.options(OptionZone::Guest, 12));
        node.set("everyone", everyone);
        let zones = self.plan.zones.clone();
        for (at, (name, above)) in zones.iter().enumerate() {
            let mut zone = Node::map().with("kind", word("guest")).with("inherits", words(above));
            zone.set("options", self.options(OptionZone::Guest, 12));
            let mut own = Vec::new();
            if self.random().chance(30) {
                zone.set("aliases", Node::map().with("upstream", word("203.0.113.7")));
                own.push(Term::new("upstream", true, false));
            }
            let mut guardrails = Node::map();
            if self.random().chance(25) {
                guardrails.set("rules", Node::List(self.rules(1, 1, GUEST, &["net1"], &own)));
            }
            if at + 1 == zones.len() {
                let locked = self.plan.guardrails[1].clone();
                guardrails.set("options", self.locked(&locked));
            }
            zone.set("guardrails", guardrails);
            let mut rules = self.rules(1, 3, GUEST, &["net0", "net1"], &own);
            if self.random().chance(60) {
                let call = self.call(&["net0", "net1"]);
                let place = self.random().below(rules.len() + 1);
                rules.insert(place, call);
            }
            node.set(name, zone.with("rules", Node::List(rules)));
        }
        if self.plan.host_zone {
            let options = self.options(OptionZone::Host, 15);
            let rules = self.rules(1, 2, HOST, INTERFACES, &[]);
            let zone = Node::map().with("kind", word("host")).with("options", options);
            node.set("hypervisor", zone.with("rules", Node::List(rules)));
        }
        node
    }

    fn host(&mut self, addresses: Node) -> Node {
        let mut node = Node::map();
        if self.plan.host_zone {
            node.set("inherits", word("hypervisor"));
        }
        node.set("addresses", addresses);
        if self.plan.linux {
            node.set("platform", word("linux"));
        }
        if let Some(targets) = &self.plan.targets {
            node.set("targets", words(targets));
        }
        let random = self.random();
        if random.chance(25) {
            node.set("iptables", Node::map().with("ipset", word(true)));
        } else if random.chance(20) {
            node.set("iptables", Node::map().with("mode", word("shared")).with("prefix", word("FWC")));
        }
        if random.chance(20) {
            node.set("corosync", words(&["10.0.0.1", "10.99.0.1"]));
        }
        node.set("options", self.options(OptionZone::Host, 25));
        let mut own = Vec::new();
        if self.random().chance(30) {
            node.set("aliases", Node::map().with("rack", word("2001:db8:0:0:f::/80")));
            own.push(Term::new("rack", false, true));
        }
        if self.random().chance(20) {
            let rules = self.rules(1, 2, HOST, INTERFACES, &own);
            node.set("guardrails", Node::map().with("rules", Node::List(rules)));
        }
        let mut rules = self.rules(5, 7, HOST, INTERFACES, &own);
        if self.random().chance(60) {
            let call = self.call(&["vmbr0", "vmbr1"]);
            let place = self.random().below(rules.len() + 1);
            rules.insert(place, call);
        }
        node.set("rules", Node::List(rules));
        if self.random().chance(50) {
            node.set("guests", self.guests_block(false));
        }
        node
    }

    fn guests(&mut self) -> (Node, Node) {
        let (mut vms, mut containers) = (Node::map(), Node::map());
        for guest in self.plan.guests.clone() {
            let node = self.guest(&guest);
            if guest.container {
                containers.set(&guest.id.to_string(), node)
            } else {
                vms.set(&guest.id.to_string(), node)
            }
        }
        (vms, containers)
    }

    fn guest(&mut self, guest: &Guest) -> Node {
        let names = ["shop", "wiki", "ns1", "build", "chat", "files", "proxy", "lab"];
        let mut node = Node::map().with("name", word(names[guest.id % names.len()]));
        node.set("host", self.random().pick(&[&word("pm1"), &word("any"), &word("pm1")]).clone());
        node.set("inherits", words(&guest.inherits));
        if self.random().chance(15) {
            node.set("without", word("base"));
        }
        node.set("options", self.options(OptionZone::Guest, 15));
        let mut own = Vec::new();
        if self.random().chance(30) {
            let scope = *self.random().pick(&[&"", &"guest/"]);
            node.set("aliases", Node::map().with("peer", word("203.0.113.8")));
            own.push(Term::new(format!("{scope}peer"), true, false));
        }
        let mut ipsets = Node::map();
        if self.random().chance(30) {
            ipsets.set("customers", names::entries(self.random(), true, true, false));
            own.push(Term::new("+customers", true, true));
        }
        if self.random().chance(20) {
            let v4 = self.random().chance(80);
            ipsets.set("ipfilter-net0", names::entries(self.random(), v4, !v4, false));
        }
        node.set("ipsets", ipsets);
        let mut nics = Node::map();
        for (index, nic) in guest.nics.iter().enumerate() {
            let own_rules = if self.random().chance(20) { self.rules(1, 2, GUEST, &[], &own) } else { Vec::new() };
            nics.set(&format!("net{index}"), nic.node.clone().with("rules", Node::List(own_rules)));
        }
        node.set("nics", nics);
        let mut rules = self.rules(0, 4, GUEST, guest.interfaces(), &own);
        if self.random().chance(50) {
            let call = self.call(guest.interfaces());
            let place = self.random().below(rules.len() + 1);
            rules.insert(place, call);
        }
        node.with("rules", Node::List(rules))
    }

    fn vnets(&mut self) -> Node {
        if !self.plan.bridges.contains(&"prod") {
            return Node::map();
        }
        let mut rules = self.rules(1, 4, &["forward"], &[], &[]);
        if self.random().chance(30) {
            rules.push(self.call(&[]));
        }
        let vnet = Node::map().with("options", self.options(OptionZone::Vnet, 50)).with("rules", Node::List(rules));
        Node::map().with("prod", vnet)
    }
}
