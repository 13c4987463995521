//! A guest: its configuration and its `.fw` file in one.
//!
//! In: what both say. Out: the guest in the words of the spec. Proxmox VE does not filter a guest without a `.fw` file
//! or without `enable: 1` in it, nor a NIC without `firewall=1`; the spec says so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnostic::{Located, Span};
use crate::net::Mac;
use crate::spec::options::OptionZone;
use crate::state::fw::{FwText, Kind};
use crate::state::guest_conf::{GuestConf, Machine, NicLine};

use super::compiled::Header;
use super::draft::{Body, Guest, Ipset, Nic, Value};
use super::names::{Names, Scope, address};
use super::review::Review;
use super::rule::{Context, plain};
use super::{define, option, rules};

/// What is there of a guest.
#[derive(Debug, Default)]
pub(super) struct Found<'t> {
    /// Its `.fw` file, and the file's beginning.
    pub(super) fw: Option<(FwText<'t>, Span)>,
    /// Its configuration on each node that has one: none of a flat folder.
    pub(super) confs: Vec<(Option<String>, Option<Machine>, GuestConf<'t>, Span)>,
}

/// The guest.
pub(super) fn guest(id: u32, found: &Found<'_>, cluster: Option<&Names>, nftables: bool, review: &mut Review) -> Guest {
    let header = found.fw.as_ref().and_then(|(fw, _)| Header::read(&fw.header)).unwrap_or_default();
    let mut guest = machine(id, found, &header, review);
    let Some((fw, span)) = &found.fw else {
        guest.body.options.push(("enable", Value::Text("false".to_owned())));
        addresses(&mut guest, found, false, &|_| false);
        return guest;
    };
    if found.confs.is_empty() && header.nics.is_empty() {
        let message = format!("guest {id} has no configuration here, so that neither its NICs nor its host are known");
        review.unknown(*span, message, "import its `.conf` too, or add `nics` and `host`");
    }
    review.unread(&fw.unread);
    let options = option::read(Kind::Guest, &fw.options);
    review.options(&options);
    let filters = options.is_on("ipfilter") == Some(true);
    guest.body.options = options.without_defaults(OptionZone::Guest).set;
    let names = define::define(fw, cluster, &mut guest.body, review);
    // Without a configuration nobody knows which NICs there are.
    let known: Vec<u8> = guest.nics.keys().copied().collect();
    let context = Context {
        kind: Kind::Guest,
        in_group: false,
        scope: Scope { cluster, guest: Some(&names) },
        nics: (!guest.nics.is_empty() || !found.confs.is_empty()).then_some(known.as_slice()),
        nftables,
        compiled: header.is_there,
    };
    guest.body.rules = rules::carry(&context, &fw.rules, review);
    let used = |name: &str| fw.rules.iter().any(|line| uses(line, name));
    addresses(&mut guest, found, filters, &used);
    guest
}

/// Whether a rule names an ipset.
fn uses(line: &crate::state::fw::RuleLine<'_>, name: &str) -> bool {
    [line.source, line.dest].into_iter().flatten().any(|text| text.value.ends_with(name))
}

/// What the configurations say: kind, name, hosts, NICs.
fn machine(id: u32, found: &Found<'_>, header: &Header, review: &mut Review) -> Guest {
    let first = found.confs.first();
    let kind = first.and_then(|(_, machine, conf, _)| {
        machine.or(Some(if conf.has_container_lines { Machine::Container } else { Machine::Vm }))
    });
    let mut guest = Guest {
        machine: kind.or(header.machine).unwrap_or(Machine::Vm),
        name: header.name.clone(),
        hosts: found.confs.iter().filter_map(|(node, ..)| node.clone()).collect(),
        inherits: Vec::new(),
        body: Body { comment: header.comment.clone(), ..Body::default() },
        nics: header.nics.clone(),
    };
    let Some((_, _, conf, span)) = first else { return guest };
    guest.name = conf.name.and_then(|name| plain(name.value)).or(guest.name);
    guest.nics = conf.nics.iter().map(|line| (line.index, nic(line, review))).collect();
    review.unread(&conf.unread);
    for (_, _, other, place) in found.confs.iter().skip(1) {
        let same = same_nics(conf, other);
        let help = if same {
            "if it has moved, remove its old `host`"
        } else {
            "the spec has the NICs of the first: remove the node where it does not run"
        };
        let message =
            format!("guest {id} has a configuration on several nodes, and the spec lets each of them filter it");
        review.unknown_beside(*place, (*span, "the first one"), message, help);
    }
    guest
}

/// Whether two configurations of a guest have the same NICs.
fn same_nics(one: &GuestConf<'_>, other: &GuestConf<'_>) -> bool {
    let same = |(one, other): (&NicLine<'_>, &NicLine<'_>)| {
        let text = |text: Option<Located<&str>>| text.map(|text| text.value.to_owned());
        one.index == other.index
            && one.firewall == other.firewall
            && text(one.mac) == text(other.mac)
            && text(one.bridge) == text(other.bridge)
            && text(one.tag) == text(other.tag)
    };
    one.nics.len() == other.nics.len() && one.nics.iter().zip(&other.nics).all(same)
}

fn nic(line: &NicLine<'_>, review: &mut Review) -> Nic {
    let mut nic = Nic { unfiltered: !line.firewall, ..Nic::default() };
    if let Some(text) = line.mac {
        match Mac::parse(text.value) {
            Ok(mac) => nic.mac = Some(mac.to_string().to_uppercase()),
            Err(reason) => review.not_carried(text.span, reason),
        }
    }
    if let Some(text) = line.bridge {
        if super::is_interface(text.value) {
            nic.bridge = Some(text.value.to_owned());
        } else {
            review.not_carried(text.span, "no interface can have this name");
        }
    }
    if let Some(text) = line.tag {
        match text.value.parse::<u16>() {
            Ok(tag) if (1..=4094).contains(&tag) => nic.tag = Some(tag),
            Ok(_) | Err(_) => review.not_carried(text.span, "a VLAN has a number from 1 to 4094"),
        }
    }
    nic
}

/// The addresses of the NICs, and the ipsets of IP filters that say no more than these.
///
/// Proxmox VE's IP filter knows a container's addresses and a set's entries, but nothing of what a VM is configured to
/// take; so under a filter a VM's NIC gets no address here that the set does not have.
fn addresses(guest: &mut Guest, found: &Found<'_>, filters: bool, used: &dyn Fn(&str) -> bool) {
    let conf = found.confs.first().map(|(_, _, conf, _)| conf);
    for (index, nic) in &mut guest.nics {
        let name = format!("ipfilter-net{index}");
        let own = nic.mac.as_deref().and_then(|mac| Mac::parse(mac).ok()).map(|mac| IpAddr::V6(mac.link_local()));
        let set = guest.body.ipsets.get(&name);
        let listed: Option<BTreeSet<IpAddr>> = set.and_then(single_addresses);
        let lines = conf.and_then(|conf| conf.nics.iter().find(|line| line.index == *index));
        let written = lines.map(|line| line.addresses.as_slice()).unwrap_or_default();
        for text in written {
            let Some(address) = address(text.value) else {
                if text.value == "dhcp" && !nic.ip.contains(&"dhcp".to_owned()) {
                    nic.ip.push("dhcp".to_owned());
                }
                continue;
            };
            let is_free = guest.machine == Machine::Container || (!filters && set.is_none());
            if is_free || listed.as_ref().is_some_and(|listed| listed.contains(&address)) {
                nic.ip.push(text.value.to_owned());
            }
        }
        // A set of plain addresses beside the option says what the NIC's addresses say.
        let Some(listed) = listed.filter(|_| filters && !used(&name)) else { continue };
        let known: BTreeSet<IpAddr> = nic.ip.iter().filter_map(|text| address(text)).chain(own).collect();
        nic.ip.extend(listed.difference(&known).map(IpAddr::to_string));
        if nic.ip.len() > 1 {
            nic.ip.retain(|text| text != "dhcp");
        }
        guest.body.ipsets.remove(&name);
    }
}

/// The addresses of a set that has nothing else: no networks, no exclusions, no aliases, no comments.
fn single_addresses(set: &Ipset) -> Option<BTreeSet<IpAddr>> {
    let plain = set.comment.is_none() && set.entries.iter().all(|entry| entry.comment.is_none());
    let addresses: Option<BTreeSet<IpAddr>> = set.entries.iter().map(|entry| entry.value.parse().ok()).collect();
    addresses.filter(|_| plain)
}

/// Guests by number.
pub(super) type Guests<'t> = BTreeMap<u32, Found<'t>>;
