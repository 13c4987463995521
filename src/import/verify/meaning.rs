//! What a copy of `/etc/pve` means, in a form in which two can be compared.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::diagnostic::{SourceMap, Span};
use crate::import::draft::{Body, Value};
use crate::import::guest::Found;
use crate::import::names::{Meaning as Words, Names, Scope, address};
use crate::import::option::{self, Options};
use crate::import::review::Review;
use crate::import::rule::Context;
use crate::import::{Copy, Input, define, service};
use crate::net::{AddressSet, Family, IcmpType, Mac, PortSet, Protocol, parse_ports};
use crate::spec::options::table;
use crate::state::fw::{Action, Direction, FwText, Kind, RuleLine};
use crate::state::guest_conf::Machine as GuestKind;

/// Everything that is compared.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    /// The datacenter's definitions and options.
    pub(super) cluster: Machine,
    /// Groups by name, with the place of the header.
    pub(super) groups: BTreeMap<String, (Vec<Step>, Span)>,
    /// Hosts by name; the cluster's rules behind their own.
    pub(super) hosts: BTreeMap<String, Machine>,
    /// Guests by number.
    pub(super) guests: BTreeMap<u32, Machine>,
    /// Vnets by name.
    pub(super) vnets: BTreeMap<String, Machine>,
}

/// One machine, or what stands for one.
#[derive(Debug, Default)]
pub(super) struct Machine {
    /// Its file's beginning.
    pub(super) place: Span,
    /// Every option, defaults included.
    pub(super) options: BTreeMap<&'static str, String>,
    /// Its own aliases.
    pub(super) aliases: BTreeMap<String, IpNet>,
    /// Its own ipsets that are not empty.
    pub(super) ipsets: BTreeMap<String, AddressSet>,
    /// Its rules.
    pub(super) rules: Vec<Step>,
    /// A guest's NICs that are filtered, as its configuration has them.
    pub(super) nics: Vec<Nic>,
    /// The nodes that a guest is on.
    pub(super) hosts: Vec<String>,
}

/// What an IP filter looks at.
#[derive(Debug)]
pub(super) struct Nic {
    pub(super) index: u8,
    pub(super) mac: Option<Mac>,
    /// A container's addresses.
    pub(super) addresses: AddressSet,
}

/// One rule, or several neighbours that do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What it does: direction and verdict, or the group.
    pub(super) action: String,
    pub(super) enabled: bool,
    pub(super) interface: Option<String>,
    pub(super) log: Option<String>,
    /// What it matches: any of these.
    pub(super) atoms: BTreeSet<Atom>,
    /// The first line.
    pub(super) span: Span,
    /// It, as written.
    pub(super) text: String,
}

/// One way in which packets of one family match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Atom {
    family: Family,
    protocol: Option<Protocol>,
    source_ports: Option<PortSet>,
    dest_ports: Option<PortSet>,
    icmp: Option<IcmpType>,
    source: Side,
    dest: Side,
}

/// Addresses of one family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Any,
    Set(AddressSet),
    /// Not known here.
    Named(Vec<String>),
}

impl Meaning {
    /// Reads a copy. `networks` is the local network of each host, where no file defines it.
    pub(super) fn read(sources: &SourceMap, inputs: &[Input], networks: &BTreeMap<String, AddressSet>) -> Self {
        let copy = crate::import::read(sources, inputs, &mut Review::default());
        let nftables = copy.nodes.all_run_nftables();
        let (groups, by_host) = (BTreeMap::new(), BTreeMap::new());
        let mut reader = Reader { sources, groups, nftables, networks, names: None, by_host };
        reader.read(&copy)
    }
}

struct Reader<'r, 't> {
    sources: &'r SourceMap,
    /// The rules of each group.
    groups: BTreeMap<&'r str, &'r [RuleLine<'t>]>,
    nftables: bool,
    networks: &'r BTreeMap<String, AddressSet>,
    names: Option<Names>,
    /// The cluster's names with `local_network` as a host has it.
    by_host: BTreeMap<String, Names>,
}

impl<'r, 't> Reader<'r, 't> {
    fn read(&mut self, copy: &'r Copy<'t>) -> Meaning {
        let mut meaning = Meaning::default();
        let mut shared: &[RuleLine<'_>] = &[];
        if let Some((text, place)) = &copy.cluster {
            let names = define::define(text, None, &mut Body::default(), &mut Review::default());
            meaning.cluster = machine(Kind::Cluster, text, *place, &names);
            if !self.nftables {
                meaning.cluster.options.remove("policy_forward");
            }
            self.by_host = self.networks.iter().map(|(host, set)| (host.clone(), on_host(&names, set))).collect();
            self.names = Some(names);
            self.groups = text.groups.iter().map(|group| (group.name.as_str(), group.rules.as_slice())).collect();
            shared = &text.rules;
            for group in &text.groups {
                let steps = self.steps(Kind::Cluster, true, &group.rules, self.scope(None, None), self.nftables);
                meaning.groups.insert(group.name.clone(), (steps, group.span));
            }
        }
        for name in copy.nodes.all() {
            let file = copy.nodes.file_of(&name);
            let scope = self.scope(Some(&name), None);
            let empty = FwText::default();
            let (text, place) = file.map_or((&empty, meaning.cluster.place), |(text, place)| (text, *place));
            let mut host = machine(Kind::Host, text, place, &Names::default());
            let nftables = host.options.get("nftables").is_some_and(|value| value == "true");
            host.rules = self.steps(Kind::Host, false, &text.rules, scope, nftables);
            host.rules.extend(self.steps(Kind::Cluster, false, shared, scope, self.nftables));
            host.rules = merged(host.rules);
            meaning.hosts.insert(name, host);
        }
        for (id, found) in &copy.guests {
            meaning.guests.insert(*id, self.guest(found));
        }
        for (name, text) in &copy.vnets {
            let mut vnet = machine(Kind::Vnet, text, Span::default(), &Names::default());
            if !self.nftables {
                vnet.options.insert("enable", "false".to_owned());
            }
            vnet.rules = merged(self.steps(Kind::Vnet, false, &text.rules, self.scope(None, None), self.nftables));
            meaning.vnets.insert(name.clone(), vnet);
        }
        meaning
    }

    fn guest(&self, found: &Found<'_>) -> Machine {
        let hosts: Vec<String> = found.confs.iter().filter_map(|(node, ..)| node.clone()).collect();
        let empty = FwText::default();
        let (text, place) = match (&found.fw, found.confs.first()) {
            (Some((text, place)), _) => (text, *place),
            (None, Some((.., place))) => (&empty, *place),
            (None, None) => (&empty, Span::default()),
        };
        // A guest without a known host is rendered for every one.
        let host = hosts.first().or_else(|| self.by_host.keys().next());
        let cluster = self.scope(host, None).cluster;
        let names = define::define(text, cluster, &mut Body::default(), &mut Review::default());
        let mut guest = machine(Kind::Guest, text, place, &names);
        let scope = self.scope(host, Some(&names));
        let conf = found.confs.first().map(|(_, machine, conf, _)| (machine, conf));
        let mut lines: Vec<RuleLine<'_>> = text.rules.clone();
        if let Some((machine, conf)) = conf {
            let container = machine.map_or(conf.has_container_lines, |machine| machine == GuestKind::Container);
            let known: Vec<Option<String>> = conf.nics.iter().map(|nic| Some(format!("net{}", nic.index))).collect();
            lines.retain(|line| {
                line.interface.is_none() || known.contains(&line.interface.map(|text| text.value.to_owned()))
            });
            guest.nics = conf
                .nics
                .iter()
                .filter(|nic| nic.firewall)
                .map(|nic| Nic {
                    index: nic.index,
                    mac: nic.mac.and_then(|text| Mac::parse(text.value).ok()),
                    addresses: nic
                        .addresses
                        .iter()
                        .filter(|_| container)
                        .filter_map(|text| address(text.value))
                        .fold(AddressSet::empty(), |all, one| all.union(&AddressSet::address(one))),
                })
                .collect();
        }
        guest.rules = merged(self.steps(Kind::Guest, false, &lines, scope, self.nftables));
        guest.hosts = hosts;
        guest
    }

    fn scope<'s>(&'s self, host: Option<&String>, guest: Option<&'s Names>) -> Scope<'s> {
        let cluster = host.and_then(|host| self.by_host.get(host)).or(self.names.as_ref());
        Scope { cluster, guest }
    }

    fn steps(&self, kind: Kind, in_group: bool, lines: &[RuleLine<'_>], scope: Scope<'_>, nftables: bool) -> Vec<Step> {
        let context = Context { kind, in_group, scope, nics: None, nftables, compiled: false };
        let mut steps = Vec::with_capacity(lines.len());
        // A line that an import leaves out is left out on both sides.
        for line in lines.iter().filter(|line| context.carry(line).is_ok()) {
            match line.action {
                Action::Group(name) => match self.groups.get(name.value) {
                    Some(rules) => steps.extend(self.group(line, rules, kind, nftables)),
                    None => steps.extend(self.step(&context, line)),
                },
                Action::Verdict { .. } => steps.extend(self.step(&context, line)),
            }
        }
        steps
    }

    /// A group's rules in the place of a reference.
    fn group(&self, call: &RuleLine<'_>, rules: &[RuleLine<'_>], kind: Kind, nftables: bool) -> Vec<Step> {
        let mut steps = self.steps(Kind::Cluster, true, rules, self.scope(None, None), nftables);
        let host = matches!(kind, Kind::Cluster | Kind::Host);
        // Guests forward nothing.
        steps.retain(|step| host || !step.action.starts_with("forward"));
        for step in &mut steps {
            step.enabled &= call.enabled;
            step.interface = call.interface.map(|text| text.value.to_owned());
        }
        steps
    }

    fn step(&self, context: &Context<'_>, line: &RuleLine<'_>) -> Option<Step> {
        let mut step = Step {
            action: String::new(),
            enabled: line.enabled,
            interface: line.interface.map(|text| text.value.to_owned()),
            log: line.log.map(|text| text.value.to_owned()).filter(|level| level != "nolog"),
            atoms: BTreeSet::new(),
            span: line.span,
            text: self.sources.slice(line.span).to_owned(),
        };
        match line.action {
            Action::Group(name) => step.action = format!("group {}", name.value),
            Action::Verdict { direction, verdict, macro_name } => {
                step.action = format!("{} {}", direction.word(), verdict.word());
                if direction == Direction::Forward && !context.nftables && context.kind != Kind::Vnet {
                    step.enabled = false;
                }
                let spoken = service::spoken(line, macro_name.map(|name| name.value), context.nftables).ok()?;
                let side = |text: Option<crate::diagnostic::Located<&str>>| match text {
                    Some(text) => context.scope.addresses(text.value).map(Some),
                    None => Ok(None),
                };
                let (source, dest) = (side(line.source).ok()?, side(line.dest).ok()?);
                for service in &spoken.services {
                    atoms(service, source.as_ref(), dest.as_ref(), &mut step.atoms)?;
                }
            }
        }
        Some(step)
    }
}

/// The cluster's names with the local network of a host, unless they define it.
fn on_host(names: &Names, network: &AddressSet) -> Names {
    let mut names = names.clone();
    let networks: Vec<IpNet> = Family::BOTH.into_iter().flat_map(|family| network.networks(family)).collect();
    if let [network] = networks.as_slice() {
        names.aliases.entry("local_network".to_owned()).or_insert(*network);
    }
    names
}

fn machine(kind: Kind, text: &FwText<'_>, place: Span, names: &Names) -> Machine {
    let Options { set, .. } = option::read(kind, &text.options);
    let defaults = table(option::zone(kind)).iter().filter_map(|spec| Some((spec.name, spec.default?.to_owned())));
    let mut options: BTreeMap<&'static str, String> = defaults.collect();
    options.extend(set.into_iter().map(|(name, value)| (name, value_text(value))));
    let ipsets = names.ipsets.iter().filter(|(_, set)| !set.is_empty());
    Machine {
        place,
        options,
        aliases: names.aliases.clone(),
        ipsets: ipsets.map(|(name, set)| (name.clone(), set.clone())).collect(),
        ..Machine::default()
    }
}

fn value_text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        Value::List(words) => words.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(","),
        Value::Map(entries) => {
            let of = |key: &str, default: &str| {
                let found = entries.iter().find(|(known, _)| *known == key);
                found.map_or_else(|| default.to_owned(), |(_, value)| value.clone())
            };
            match of("enable", "true").as_str() {
                "false" => "off".to_owned(),
                _ => format!("{} after {}", of("rate", "1/second"), of("burst", "5")),
            }
        }
    }
}

/// Protocol, source ports, destination ports and ICMP type.
type Matched = (Option<Protocol>, Option<PortSet>, Option<PortSet>, Option<IcmpType>);

/// The ways in which a service matches between two sides; none where a value is no value.
fn atoms(
    service: &service::Service,
    source: Option<&Words>,
    dest: Option<&Words>,
    out: &mut BTreeSet<Atom>,
) -> Option<()> {
    let ports = |words: &[String]| -> Option<Option<PortSet>> {
        let sets: Vec<PortSet> = words.iter().map(|word| parse_ports(word).ok()).collect::<Option<_>>()?;
        let ranges = sets.iter().flat_map(|set| set.iter().collect::<Vec<_>>());
        Some((!sets.is_empty()).then(|| PortSet::from_ranges(ranges)))
    };
    let mut matches: Vec<Matched> = Vec::new();
    if let Some(name) = service.macro_name {
        for line in crate::net::find_macro(name)?.lines {
            let line = line.service()?;
            matches.push((Some(line.protocol), line.source_ports, line.dest_ports, line.icmp));
        }
    } else {
        let protocol = service.proto.as_deref().map(Protocol::parse).transpose().ok()?;
        let family = if protocol == Some(Protocol::ICMPV6) { Family::V6 } else { Family::V4 };
        let icmp = service.icmp_type.as_deref().map(|text| IcmpType::parse(family, text)).transpose().ok()?;
        matches.push((protocol, ports(&service.sport)?, ports(&service.dport)?, icmp));
    }
    for (protocol, source_ports, dest_ports, icmp) in matches {
        for family in Family::BOTH {
            let speaks = protocol.is_none_or(|protocol| protocol.speaks_of(family));
            let (Some(source), Some(dest)) = (side(source, family), side(dest, family)) else { continue };
            if speaks {
                let (source_ports, dest_ports) = (source_ports.clone(), dest_ports.clone());
                out.insert(Atom { family, protocol, source_ports, dest_ports, icmp, source, dest });
            }
        }
    }
    Some(())
}

/// One side in one family; none where it has no address of it.
fn side(words: Option<&Words>, family: Family) -> Option<Side> {
    let Some(words) = words else { return Some(Side::Any) };
    let Some(set) = &words.set else { return Some(Side::Named(words.terms.clone())) };
    let set = set.only(family);
    let all = match family {
        Family::V4 => set.v4().is_all(),
        Family::V6 => set.v6().is_all(),
    };
    match (all, set.is_empty()) {
        (true, _) => Some(Side::Any),
        (false, true) => None,
        (false, false) => Some(Side::Set(set)),
    }
}

/// Neighbours that do the same as one.
fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        match all.last_mut() {
            Some(last)
                if last.action == step.action
                    && last.enabled == step.enabled
                    && last.interface == step.interface
                    && last.log == step.log =>
            {
                last.atoms.extend(step.atoms);
            }
            Some(_) | None => all.push(step),
        }
    }
    all
}
