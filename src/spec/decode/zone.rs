//! Everything that has options or rules: the datacenter, hosts, zones, guests, NICs, vnets.

use super::rule::rules;
use super::{entries, items, key_text, list, named, pairs, sorted, text, texts, unread};
use crate::diagnostic::{Located, Span};
use crate::spec::model::{
    Alias, Body, Datacenter, Guest, GuestsBlock, Host, HostPart, Ipset, IpsetEntry, Iptables, Map, Nic, OptionValue,
    Vnet, Zone, ZoneKind,
};
use crate::spec::options::{self, OptionKind, OptionZone};
use crate::spec::yaml::{Key, Node, Value};

const HOST: &[OptionZone] = &[OptionZone::Host];
const GUEST: &[OptionZone] = &[OptionZone::Guest];
const DATACENTER: &[OptionZone] = &[OptionZone::Datacenter];

pub(super) fn datacenter(node: Node<'_>) -> Datacenter {
    let mut datacenter = Datacenter::default();
    for (key, value) in entries(node) {
        if &*key.text == "name" {
            datacenter.name = text(value);
        } else if let Some((key, value)) = body(&mut datacenter.body, DATACENTER, key, value)
            && let Some((key, _)) = host_part(&mut datacenter.host, key, value)
        {
            unread("the datacenter", &key.text);
        }
    }
    datacenter
}

pub(super) fn host(node: Node<'_>) -> Host {
    let mut host = Host::default();
    for (key, value) in entries(node) {
        match &*key.text {
            "comment" => host.comment = text(value),
            "inherits" => host.inherits = texts(value),
            "addresses" => host.addresses = texts(value),
            "corosync" => host.corosync = texts(value),
            _ => {
                if let Some((key, value)) = body(&mut host.body, HOST, key, value)
                    && let Some((key, _)) = host_part(&mut host.host, key, value)
                {
                    unread("a host", &key.text);
                }
            }
        }
    }
    host
}

pub(super) fn zone(node: Node<'_>) -> Option<Zone> {
    let kind = node.get("kind").and_then(|kind| match kind.text()? {
        "host" => Some(Located::new(ZoneKind::Host, kind.span)),
        "guest" => Some(Located::new(ZoneKind::Guest, kind.span)),
        _ => None,
    })?;
    let options = match kind.value {
        ZoneKind::Host => HOST,
        ZoneKind::Guest => GUEST,
    };
    let (body_, host) = (Body::default(), HostPart::default());
    let mut zone = Zone { kind, comment: None, inherits: Vec::new(), body: body_, host };
    for (key, value) in entries(node) {
        match &*key.text {
            "kind" => {}
            "comment" => zone.comment = text(value),
            "inherits" => zone.inherits = texts(value),
            _ => {
                if let Some((key, value)) = body(&mut zone.body, options, key, value)
                    && let Some((key, _)) = host_part(&mut zone.host, key, value)
                {
                    unread("a zone", &key.text);
                }
            }
        }
    }
    Some(zone)
}

pub(super) fn guest(node: Node<'_>) -> Guest {
    let mut guest = Guest::default();
    for (key, value) in entries(node) {
        match &*key.text {
            "name" => guest.name = text(value),
            "comment" => guest.comment = text(value),
            "host" => guest.host = texts(value),
            "inherits" => guest.inherits = texts(value),
            "without" => guest.without = texts(value),
            "nics" => guest.nics = nics(value),
            _ => {
                if let Some((key, _)) = body(&mut guest.body, GUEST, key, value) {
                    unread("a guest", &key.text);
                }
            }
        }
    }
    guest
}

fn nics(node: Node<'_>) -> Map<Nic> {
    super::by_number(named(node, nic))
}

fn nic(node: Node<'_>) -> Nic {
    let mut nic = Nic::default();
    for (key, value) in entries(node) {
        match &*key.text {
            "bridge" => nic.bridge = text(value),
            "mac" => nic.mac = text(value),
            "ip" => nic.ip = texts(value),
            "tag" => nic.tag = text(value),
            "firewall" => nic.firewall = text(value),
            "device" => nic.device = text(value),
            "rules" => nic.rules = rules(value),
            other => unread("a NIC", other),
        }
    }
    nic
}

pub(super) fn vnet(node: Node<'_>) -> Vnet {
    let mut vnet = Vnet::default();
    for (key, value) in entries(node) {
        match &*key.text {
            "comment" => vnet.comment = text(value),
            "allow" => vnet.allow = pairs(value),
            "options" => vnet.options = options(&[OptionZone::Vnet], value),
            "rules" => vnet.rules = rules(value),
            other => unread("a vnet", other),
        }
    }
    vnet
}

/// Takes a key of every zone that enforces something; gives back what is none.
fn body<'a>(body: &mut Body, zones: &[OptionZone], key: Key<'a>, value: Node<'a>) -> Option<(Key<'a>, Node<'a>)> {
    match &*key.text {
        "options" => body.options = options(zones, value),
        "aliases" => body.aliases = sorted(named(value, alias).into_iter().filter_map(super::present).collect()),
        "ipsets" => body.ipsets = sorted(named(value, ipset)),
        "rules" => body.rules = rules(value),
        "allow" => body.allow = pairs(value),
        "guardrails" => {
            for (key, value) in entries(value) {
                match &*key.text {
                    "rules" => body.guardrail_rules = rules(value),
                    "options" => body.guardrail_options = options(crate::spec::shape::guardrail_zones(zones), value),
                    other => unread("`guardrails`", other),
                }
            }
        }
        _ => return Some((key, value)),
    }
    None
}

/// Takes a key that only hosts, host zones and the datacenter have; gives back what is none.
fn host_part<'a>(part: &mut HostPart, key: Key<'a>, value: Node<'a>) -> Option<(Key<'a>, Node<'a>)> {
    match &*key.text {
        "platform" => part.platform = text(value),
        "targets" => part.targets = Some(list(value)),
        "iptables" => part.iptables = Some(iptables(value)),
        "guests" => part.guests = Some(guests(key.span, value)),
        "sysctl" => {
            for (key, value) in entries(value) {
                match &*key.text {
                    "profiles" => part.sysctl_profiles = texts(value),
                    "set" => part.sysctl_set = pairs(value),
                    "file" => part.sysctl_file = text(value),
                    other => unread("`sysctl`", other),
                }
            }
        }
        _ => return Some((key, value)),
    }
    None
}

fn iptables(node: Node<'_>) -> Iptables {
    let mut block = Iptables { span: node.span, mode: None, prefix: None, ipset: None };
    for (key, value) in entries(node) {
        match &*key.text {
            "mode" => block.mode = text(value),
            "prefix" => block.prefix = text(value),
            "ipset" => block.ipset = text(value),
            other => unread("`iptables`", other),
        }
    }
    block
}

fn guests(span: Span, node: Node<'_>) -> GuestsBlock {
    let mut block = GuestsBlock { span, inherits: Vec::new(), body: Body::default() };
    for (key, value) in entries(node) {
        if &*key.text == "inherits" {
            block.inherits = texts(value);
        } else if let Some((key, _)) = body(&mut block.body, GUEST, key, value) {
            unread("`guests`", &key.text);
        }
    }
    block
}

fn alias(node: Node<'_>) -> Option<Alias> {
    let entry = entry(node)?;
    Some(Alias { value: entry.value, comment: entry.comment })
}

/// Text, or a map with `value` and `comment`.
fn entry(node: Node<'_>) -> Option<IpsetEntry> {
    if !matches!(node.value, Value::Map(_)) {
        return text(node).map(|value| IpsetEntry { value, comment: None });
    }
    let (mut written, mut comment) = (None, None);
    for (key, value) in entries(node) {
        match &*key.text {
            "value" => written = text(value),
            "comment" => comment = text(value),
            other => unread("an alias or an entry", other),
        }
    }
    written.map(|value| IpsetEntry { value, comment })
}

fn ipset(node: Node<'_>) -> Ipset {
    let mut set = Ipset { entries: Vec::new(), comment: None, span: node.span };
    let read = |node| items(node).into_iter().filter_map(entry).collect();
    if !matches!(node.value, Value::Map(_)) || node.get("value").is_some() {
        set.entries = read(node);
        return set;
    }
    for (key, value) in entries(node) {
        match &*key.text {
            "comment" => set.comment = text(value),
            "entries" => {
                set.span = value.span;
                set.entries = read(value);
            }
            other => unread("an ipset", other),
        }
    }
    set
}

fn options(zones: &[OptionZone], node: Node<'_>) -> Map<OptionValue> {
    let read = |(key, value): (Key<'_>, Node<'_>)| {
        let spec = zones.iter().find_map(|zone| options::find(*zone, &key.text))?;
        let value = option_value(spec.kind, value)?;
        Some((key_text(key), value))
    };
    sorted(entries(node).into_iter().filter_map(read).collect())
}

/// The value of an option: a list exactly where the option takes one, a map where it is one.
pub(in crate::spec) fn option_value(kind: OptionKind, node: Node<'_>) -> Option<OptionValue> {
    let span = node.span;
    match (kind, &node.value) {
        (_, Value::Map(_)) => Some(OptionValue::Map(Located::new(pairs(node), span))),
        (_, Value::Seq(_)) | (OptionKind::Choices(_) | OptionKind::EtherTypes, _) => {
            Some(OptionValue::List(list(node)))
        }
        (_, Value::Nothing | Value::Scalar { .. }) => text(node).map(OptionValue::Scalar),
    }
}
