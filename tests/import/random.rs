//! Random specs: to Proxmox VE's files and back, the same policy.

use std::collections::BTreeSet;

use fwc::diagnostic::{Severity, SourceMap};
use fwc::import::{Input, factor, import, role, verify, write};
use fwc::net::{Family, IcmpType, PortSet, Protocol};
use fwc::policy::{Entry, Fleet, Hook, Nic, Rule, RuleInterface, Stage};
use fwc::target::{Pve, Selection, Target, Templates};

use super::common::difference;
use super::specs::tree::Node;
use super::specs::{random_spec, shrink};

/// How many specs; of these some speak of what Proxmox VE has no words for.
const SEEDS: u64 = 200;

/// A spec without what Proxmox VE has no words for.
fn spoken(node: Node) -> Node {
    match node {
        Node::Map(entries) => {
            let kept = entries.into_iter().filter(|(key, _)| key != "tcp_flags");
            Node::Map(kept.map(|(key, value)| (key, spoken(value))).collect())
        }
        Node::List(items) => Node::List(items.into_iter().map(spoken).collect()),
        Node::Word(word) => Node::Word(word),
    }
}

fn fleet(text: &str) -> Option<Fleet> {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = fwc::spec::load(&sources);
    let (fleet, more) = fwc::resolve::resolve(&spec?);
    let errors = found.iter().chain(more.iter()).any(|finding| finding.severity == Severity::Error);
    fleet.filter(|_| !errors)
}

/// The files of Proxmox VE, and the configurations that a cluster would have beside them.
fn copy(fleet: &Fleet) -> Option<Vec<(String, String)>> {
    let templates = Templates::new(Default::default()).expect("the embedded templates parse");
    let compiled = Pve.compile(fleet, &Selection::default(), &templates).expect("the templates render");
    if compiled.diagnostics.has_errors() || compiled.files.is_empty() {
        return None;
    }
    let mut files: Vec<(String, String)> =
        compiled.files.into_iter().map(|file| (file.path.replacen("pve/", "", 1), file.content)).collect();
    let mut corosync = String::from("nodelist {\n");
    for host in &fleet.hosts {
        corosync.push_str(&format!("  node {{\n    name: {}\n", host.name));
        for (ring, address) in host.addresses.iter().enumerate() {
            corosync.push_str(&format!("    ring{ring}_addr: {}\n", address.address()));
        }
        corosync.push_str("  }\n");
        for guest in &host.guests {
            let folder = if guest.kind == fwc::policy::GuestKind::Vm { "qemu-server" } else { "lxc" };
            let nics: String = guest.nics.iter().map(nic).collect();
            files.push((format!("nodes/{}/{folder}/{}.conf", host.name, guest.id), nics));
        }
    }
    files.push(("corosync.conf".to_owned(), corosync + "}\n"));
    Some(files)
}

fn nic(nic: &Nic) -> String {
    let mac = nic.mac.map_or_else(String::new, |mac| format!("virtio={},", mac.to_string().to_uppercase()));
    let bridge = nic.bridge.as_ref().map_or_else(String::new, |bridge| format!("bridge={bridge},"));
    let tag = nic.tag.map_or_else(String::new, |tag| format!("tag={tag},"));
    format!("net{}: {mac}{bridge}{tag}firewall={}\n", nic.index, u8::from(nic.firewall))
}

/// One way in which packets match a rule.
type Atom = (Family, Option<Protocol>, Option<(u16, u16)>, Option<(u16, u16)>, Option<IcmpType>, String, String);

/// Rules in order: what each does, and what it matches; neighbours that do the same are one.
fn rules(hook: &Hook, interface: &RuleInterface) -> Vec<(String, BTreeSet<Atom>)> {
    let mut all: Vec<(String, BTreeSet<Atom>)> = Vec::new();
    let lists = hook.stages.iter().filter_map(|stage| if let Stage::Rules(list) = stage { Some(list) } else { None });
    let direction = hook.name.direction();
    for entry in lists.flat_map(|list| &list.sections).flat_map(|inherited| &inherited.section.entries) {
        let mut add = |rule: &Rule, own: &RuleInterface, enabled: bool| {
            let applies = *own == RuleInterface::Any || own == interface || matches!(own, RuleInterface::Host(_));
            if rule.direction != direction || !enabled || !applies {
                return;
            }
            let place = if let RuleInterface::Host(name) = own { name.as_str() } else { "" };
            let does = format!("{:?} {:?} {place}", rule.verdict, rule.log);
            let matched = atoms(rule);
            match all.last_mut() {
                Some((last, atoms)) if *last == does => atoms.extend(matched),
                _ => all.push((does, matched)),
            }
        };
        match entry {
            Entry::Rule(rule) => add(rule, &rule.interface, rule.enabled),
            Entry::Group(call) => {
                for rule in &call.group.rules {
                    add(rule, &call.interface, rule.enabled && call.enabled);
                }
            }
        }
    }
    all
}

fn atoms(rule: &Rule) -> BTreeSet<Atom> {
    let mut atoms = BTreeSet::new();
    let any = [None];
    let services: Vec<Option<&fwc::policy::Service>> =
        if rule.services.is_empty() { any.to_vec() } else { rule.services.iter().map(Some).collect() };
    for service in services {
        for family in Family::BOTH {
            let speaks = service.is_none_or(|service| service.protocol.speaks_of(family));
            let side = |side: &Option<fwc::policy::Addresses>| match side {
                None => Some("any".to_owned()),
                Some(addresses) => {
                    let set = addresses.set.only(family);
                    let all = if family == Family::V4 { set.v4().is_all() } else { set.v6().is_all() };
                    (!set.is_empty()).then(|| if all { "any".to_owned() } else { format!("{set:?}") })
                }
            };
            let (Some(source), Some(dest)) = (side(&rule.source), side(&rule.dest)) else { continue };
            if speaks {
                // Proxmox VE takes 15 ports in a line, so each range stands for itself.
                let ranges = |ports: Option<&PortSet>| match ports {
                    Some(ports) => ports.iter().map(Some).collect(),
                    None => vec![None],
                };
                let (protocol, icmp) =
                    (service.map(|service| service.protocol), service.and_then(|service| service.icmp));
                for from in ranges(service.and_then(|service| service.source_ports.as_ref())) {
                    for to in ranges(service.and_then(|service| service.dest_ports.as_ref())) {
                        atoms.insert((family, protocol, from, to, icmp, source.clone(), dest.clone()));
                    }
                }
            }
        }
    }
    atoms
}

fn lines(rules: Vec<(String, BTreeSet<Atom>)>) -> String {
    let one = |(does, atoms): (String, BTreeSet<Atom>)| {
        let atoms: String = atoms.into_iter().map(|atom| format!("  {atom:?}\n")).collect();
        format!("{does}\n{atoms}")
    };
    rules.into_iter().map(one).collect()
}

/// What a hook does besides its rules, but for what depends on the length of prefixes, which no file of Proxmox VE's says.
fn stages(hook: &Hook, nic: Option<&Nic>) -> Vec<String> {
    let rest = hook.stages.iter().filter(|stage| !matches!(stage, Stage::Rules(_)));
    let clauses = rest.flat_map(|stage| {
        let name = stage.name();
        let told = !["nosmurfs", "noise"].contains(&name);
        let clauses = if told { stage.clauses(hook.name, nic) } else { Vec::new() };
        std::iter::once(name.to_owned()).chain(clauses.into_iter().map(|clause| format!("{clause:?}")))
    });
    clauses.collect()
}

fn differences(before: &Fleet, after: &Fleet) -> Vec<String> {
    let mut found = Vec::new();
    let mut same = |what: String, one: String, other: String| {
        if one != other {
            found.push(format!("{what} {}", difference(&one, &other)));
        }
    };
    let any = RuleInterface::Any;
    // On another platform nothing is implicit, which no file of Proxmox VE's can say.
    let is_node = |host: &&fwc::policy::HostPolicy| {
        host.platform == fwc::policy::Platform::Proxmox && host.targets.contains(&fwc::policy::TargetName::Pve)
    };
    for host in before.hosts.iter().filter(is_node) {
        let Some(other) = after.hosts.iter().find(|other| other.name == host.name) else {
            same(host.name.clone(), "there".into(), "missing".into());
            continue;
        };
        let mut pairs = vec![(&host.hook_in, &other.hook_in), (&host.hook_out, &other.hook_out)];
        // pve-firewall ignores forward rules, and so does the spec that comes back.
        if host.options.nftables.value {
            pairs.push((&host.hook_forward, &other.hook_forward));
        }
        for (one, two) in pairs {
            let what = format!("{} of {}", one.name.name(), host.name);
            same(format!("rules of {what}"), lines(rules(one, &any)), lines(rules(two, &any)));
            same(what, stages(one, None).join("\n"), stages(two, None).join("\n"));
        }
        for guest in &host.guests {
            let Some(twin) = other.guests.iter().find(|twin| twin.id == guest.id) else {
                same(format!("guest {}", guest.id), "there".into(), "missing".into());
                continue;
            };
            let on = |policy: &fwc::policy::GuestPolicy| policy.enabled.to_string();
            same(format!("guest {}", guest.id), on(guest), on(twin));
            if !guest.enabled {
                continue;
            }
            for nic in guest.nics.iter().filter(|nic| nic.firewall) {
                let Some(other) = twin.nics.iter().find(|other| other.index == nic.index) else {
                    same(format!("net{} of {}", nic.index, guest.id), "there".into(), "missing".into());
                    continue;
                };
                let interface = RuleInterface::Nic(nic.index);
                for (one, two) in [(&guest.hook_in, &twin.hook_in), (&guest.hook_out, &twin.hook_out)] {
                    let what = format!("{} of net{} of {}", one.name.name(), nic.index, guest.id);
                    let (first, second) = (rules(one, &interface), rules(two, &interface));
                    same(format!("rules of {what}"), lines(first), lines(second));
                    same(what, stages(one, Some(nic)).join("\n"), stages(two, Some(other)).join("\n"));
                }
            }
        }
    }
    found
}

/// What a spec loses on its way to Proxmox VE and back; none where Proxmox VE has no words for it.
fn lost(text: &str) -> Option<Vec<String>> {
    let before = fleet(text)?;
    let files = copy(&before)?;
    let mut sources = SourceMap::default();
    let inputs: Vec<Input> = files
        .into_iter()
        .filter_map(|(path, text)| Some(Input { role: role(&path)?, file: sources.add(path, text) }))
        .collect();
    let mut imported = import(&sources, &inputs);
    let mut wrong = Vec::new();
    for factored in [false, true] {
        if factored {
            factor(&mut imported.draft);
        }
        let text = write::file(&imported.draft);
        match verify::verify(&sources, &inputs, &[("fwc.yaml".to_owned(), text.clone())]) {
            verify::Verified::Compared(found) => wrong.extend(found.iter().map(|found| format!("{found:?}"))),
            verify::Verified::DoesNotCompile(_, found) => {
                let first = found.iter().find(|finding| finding.severity == Severity::Error);
                wrong.push(format!("does not compile: {first:?}"));
            }
        }
        match fleet(&text) {
            Some(after) => wrong.extend(differences(&before, &after)),
            None => wrong.push("the spec does not resolve".to_owned()),
        }
    }
    Some(wrong)
}

#[test]
fn what_goes_to_proxmox_ve_comes_back_as_the_same_policy() {
    let mut count = 0;
    for seed in 0..SEEDS {
        let text = spoken(Node::parse(&random_spec(seed)).expect("a tree")).render();
        let Some(wrong) = lost(&text) else { continue };
        count += 1;
        if !wrong.is_empty() {
            let small = shrink(&text, |text| lost(text).is_some_and(|wrong| !wrong.is_empty()));
            panic!("seed {seed}:\n{small}\n{}", lost(&small).unwrap_or_default().join("\n"));
        }
    }
    assert!(count > 50, "{count} specs compile for Proxmox VE");
}
