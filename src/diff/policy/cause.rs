//! Whose edit it is: zones, names and edges of inheritance of two specs.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Located, Span};
use crate::diff::report::Status;
use crate::policy::{Fleet, GuestPolicy, Reference, ZoneRef};
use crate::spec::Spec;
use crate::spec::model::Text;

use super::Side;
use super::written::Said;
use crate::diff::collect::CauseRef;

/// A named thing of the zone graph in one spec.
#[derive(Debug, Clone)]
struct Node {
    span: Option<Span>,
    /// Zones in `inherits`, and a guest's `host`: text and place.
    inherits: Vec<(ZoneRef, Span)>,
    hosts: Vec<(String, Span)>,
}

impl Node {
    /// Where a guest may run; the order of the names means nothing.
    fn runs_on(&self) -> BTreeSet<&str> {
        self.hosts.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Both specs, by what can be edited in them.
#[derive(Debug)]
pub(super) struct Origins<'a> {
    pub(super) old: Side<'a>,
    pub(super) new: Side<'a>,
    before: BTreeMap<ZoneRef, Node>,
    after: BTreeMap<ZoneRef, Node>,
}

/// The path of a zone in a spec: `groups.webserver`. A NIC's is its guest's.
pub(in crate::diff) fn path(zone: &ZoneRef) -> String {
    match zone {
        ZoneRef::Datacenter => "datacenter".to_owned(),
        ZoneRef::Guests(owner) => format!("{}.guests", path(owner)),
        ZoneRef::Zone(name) => format!("zones.{name}"),
        ZoneRef::Host(name) => format!("hosts.{name}"),
        ZoneRef::Vm(id) => format!("vms.{id}"),
        ZoneRef::Container(id) => format!("containers.{id}"),
        ZoneRef::Nic(guest, _) => path(guest),
        ZoneRef::Group(name) => format!("groups.{name}"),
        ZoneRef::Vnet(name) => format!("vnets.{name}"),
    }
}

impl<'a> Origins<'a> {
    pub(super) fn new(old: Side<'a>, new: Side<'a>) -> Self {
        Self { old, new, before: nodes(old.spec), after: nodes(new.spec) }
    }

    /// Whether a zone is in both specs, or in which.
    pub(super) fn status(&self, zone: &ZoneRef) -> Status {
        match (self.before.contains_key(zone), self.after.contains_key(zone)) {
            (true, false) => Status::Removed,
            (false, true) => Status::Added,
            (true, true) | (false, false) => Status::Changed,
        }
    }

    /// Every zone of either spec.
    pub(super) fn zones(&self) -> BTreeSet<ZoneRef> {
        self.before.keys().chain(self.after.keys()).cloned().collect()
    }

    /// An edit in a zone.
    pub(super) fn zone(&self, zone: &ZoneRef) -> CauseRef {
        let zone = match zone {
            ZoneRef::Nic(guest, _) => guest,
            ZoneRef::Datacenter
            | ZoneRef::Guests(_)
            | ZoneRef::Zone(_)
            | ZoneRef::Host(_)
            | ZoneRef::Vm(_)
            | ZoneRef::Container(_)
            | ZoneRef::Group(_)
            | ZoneRef::Vnet(_) => zone,
        };
        let span = |nodes: &BTreeMap<ZoneRef, Node>| nodes.get(zone).and_then(|node| node.span);
        CauseRef { path: path(zone), status: self.status(zone), old: span(&self.before), new: span(&self.after) }
    }

    /// Whether a guest is in both specs, and on other hosts than before.
    pub(super) fn moved(&self, zone: &ZoneRef) -> bool {
        match (self.before.get(zone), self.after.get(zone)) {
            (Some(before), Some(after)) => before.runs_on() != after.runs_on(),
            (_, _) => false,
        }
    }

    /// The edit of a machine that came to a host or left it: its `host` where it moved, or all of it.
    pub(super) fn placed(&self, zone: &ZoneRef) -> CauseRef {
        let cause = self.zone(zone);
        if !self.moved(zone) {
            return cause;
        }
        // Of several hosts the first that the other side has not.
        let line = |own: &BTreeMap<ZoneRef, Node>, other: &BTreeMap<ZoneRef, Node>| {
            let (own, other) = (own.get(zone)?, other.get(zone)?);
            let other = other.runs_on();
            let foreign = own.hosts.iter().find(|(name, _)| !other.contains(name.as_str()));
            foreign.or(own.hosts.first()).map(|(_, span)| *span)
        };
        let (old, new) = (line(&self.before, &self.after), line(&self.after, &self.before));
        // A `host` that is gone altogether has a line on the old side alone.
        if old.is_none() && new.is_none() { cause } else { CauseRef { old, new, ..cause } }
    }

    /// Why a zone's rules came to (or went from) a machine by this way: the first step that the other side does not
    /// know, or else the zone that wrote them.
    pub(super) fn way(&self, way: &[ZoneRef], came: bool) -> CauseRef {
        let (other, own) = if came { (&self.before, &self.after) } else { (&self.after, &self.before) };
        for (child, parent) in way.iter().zip(way.iter().skip(1)) {
            let written = own.get(child).and_then(|node| node.inherits.iter().find(|(zone, _)| zone == parent));
            let Some((_, span)) = written else { continue };
            let known = other.get(child).is_some_and(|node| node.inherits.iter().any(|(zone, _)| zone == parent));
            if !known {
                let cause = self.zone(child);
                return if came {
                    CauseRef { new: Some(*span), ..cause }
                } else {
                    CauseRef { old: Some(*span), ..cause }
                };
            }
        }
        if let Some(moved) = way.first().filter(|machine| self.moved(machine)) {
            return self.placed(moved);
        }
        self.zone(way.last().unwrap_or(&ZoneRef::Datacenter))
    }

    /// Why a name stands for other addresses now.
    pub(super) fn reference(&self, old: &Reference, new: &Reference) -> Option<CauseRef> {
        match new {
            Reference::Literal(_) => None,
            Reference::LocalNetwork => self.edited_addresses(|way| matches!(way.first(), Some(ZoneRef::Host(_)))),
            Reference::Alias(zone, name) => Some(self.definition(zone, "aliases", name, old != new)),
            Reference::Ipset(zone, name) => {
                let key = (zone.clone(), name.clone());
                let (was, is) = (self.old.fleet.ipsets.get(&key), self.new.fleet.ipsets.get(&key));
                if let (Some(was), Some(is)) = (was, is)
                    && was.entries.len() == is.entries.len()
                {
                    let mut entries = was.entries.iter().zip(&is.entries);
                    let same = entries.clone().all(|(a, b)| a.reference == b.reference && a.exclude == b.exclude);
                    let deeper = entries.find(|(a, b)| a.set != b.set);
                    if let Some((a, b)) = deeper.filter(|_| same) {
                        return self.reference(&a.reference, &b.reference);
                    }
                }
                Some(self.definition(zone, "ipsets", name, old != new))
            }
            Reference::Zone(name) => self.members(&ZoneRef::Zone(name.clone())),
            Reference::Host(name) => Some(self.zone(&ZoneRef::Host(name.clone()))),
            Reference::Guest(id) => {
                let zone = [ZoneRef::Vm(*id), ZoneRef::Container(*id)];
                zone.iter().find(|zone| self.after.contains_key(zone)).map(|zone| self.zone(zone))
            }
        }
    }

    /// An alias or an ipset that was edited.
    pub(super) fn definition(&self, zone: &ZoneRef, list: &str, name: &str, other: bool) -> CauseRef {
        let span = |fleet: &Fleet| {
            let key = (zone.clone(), name.to_owned());
            let alias = fleet.aliases.get(&key).filter(|_| list == "aliases").map(|alias| alias.span);
            alias.or_else(|| fleet.ipsets.get(&key).filter(|_| list == "ipsets").map(|ipset| ipset.span))
        };
        let (old, new) = (span(self.old.fleet), span(self.new.fleet));
        let status = match (old, new) {
            (None, Some(_)) => Status::Added,
            (Some(_), None) => Status::Removed,
            (_, _) => Status::Changed,
        };
        debug_assert!(other || status == Status::Changed || old.is_none() || new.is_none());
        CauseRef { path: format!("{}.{list}.{name}", path(zone)), status, old, new }
    }

    /// Which machine's edit changes who a zone's members are, or their addresses.
    fn members(&self, zone: &ZoneRef) -> Option<CauseRef> {
        self.edited_addresses(|way| way.contains(zone))
    }

    /// The first machine whose addresses, or whose membership, are not what they were.
    pub(super) fn edited_addresses(&self, belongs: impl Fn(&[ZoneRef]) -> bool) -> Option<CauseRef> {
        type Found = BTreeMap<ZoneRef, (Vec<String>, Vec<ZoneRef>)>;
        let collect = |fleet: &Fleet| {
            let mut found = Found::new();
            for host in fleet.hosts.iter() {
                if belongs(&host.path) {
                    let addresses = host.addresses.iter().map(|address| address.0.to_string()).collect();
                    found.insert(ZoneRef::Host(host.name.clone()), (addresses, host.path.to_vec()));
                }
                for guest in host.guests.iter().filter(|guest| belongs(&guest.path)) {
                    found.insert(guest.zone(), (guest_addresses(guest), guest.path.to_vec()));
                }
            }
            found
        };
        let (before, after) = (collect(self.old.fleet), collect(self.new.fleet));
        let machines: BTreeSet<&ZoneRef> = before.keys().chain(after.keys()).collect();
        machines.into_iter().find_map(|machine| {
            let (was, is) = (before.get(machine), after.get(machine));
            if was.map(|was| &was.0) == is.map(|is| &is.0) {
                return None;
            }
            Some(match (was, is, self.status(machine)) {
                // It is in both specs, and a member in one alone: somebody on the way inherits otherwise.
                (None, Some((_, way)), Status::Changed) => {
                    self.stepped(way, true).unwrap_or_else(|| self.placed(machine))
                }
                (Some((_, way)), None, Status::Changed) => {
                    self.stepped(way, false).unwrap_or_else(|| self.placed(machine))
                }
                (_, _, _) => self.zone(machine),
            })
        })
    }

    /// Of the zones of a machine the first that says `inherits` otherwise on the other side.
    fn stepped(&self, zones: &[ZoneRef], came: bool) -> Option<CauseRef> {
        let (other, own) = if came { (&self.before, &self.after) } else { (&self.after, &self.before) };
        let parents = |nodes: &BTreeMap<ZoneRef, Node>, zone: &ZoneRef| -> Vec<(ZoneRef, Span)> {
            nodes.get(zone).map_or(Vec::new(), |node| node.inherits.clone())
        };
        let names = |edges: &[(ZoneRef, Span)]| edges.iter().map(|(zone, _)| zone.clone()).collect::<Vec<_>>();
        zones.iter().find_map(|zone| {
            let (here, there) = (parents(own, zone), parents(other, zone));
            if names(&here) == names(&there) {
                return None;
            }
            // The first parent that the other side has not.
            let line = |edges: &[(ZoneRef, Span)], others: &[(ZoneRef, Span)]| {
                let foreign = edges.iter().find(|(parent, _)| !others.iter().any(|(known, _)| known == parent));
                foreign.or(edges.first()).map(|(_, span)| *span)
            };
            let (here, there) = (line(&here, &there), line(&there, &here));
            let (old, new) = if came { (there, here) } else { (here, there) };
            Some(CauseRef { old, new, ..self.zone(zone) })
        })
    }

    /// Whether a zone has other parents than it had.
    pub(super) fn inherits_otherwise(&self, zone: &ZoneRef) -> bool {
        self.stepped(std::slice::from_ref(zone), true).is_some()
    }

    /// Whether any zone of a machine's lists inherits otherwise than before; whose edit that is.
    pub(super) fn reordered(&self, zones: &[ZoneRef]) -> CauseRef {
        let last = || self.zone(zones.first().unwrap_or(&ZoneRef::Datacenter));
        self.stepped(zones, true).or_else(|| self.stepped(zones, false)).unwrap_or_else(last)
    }
}

fn guest_addresses(guest: &GuestPolicy) -> Vec<String> {
    guest.nics.iter().flat_map(|nic| &nic.addresses).map(|address| address.0.to_string()).collect()
}

fn nodes(spec: &Spec) -> BTreeMap<ZoneRef, Node> {
    let mut found = BTreeMap::new();
    let named = |names: &[Text]| -> Vec<(ZoneRef, Span)> {
        names.iter().map(|name| (ZoneRef::Zone(name.value.clone()), name.span)).collect()
    };
    let mut add = |zone: ZoneRef, span: Option<Span>, inherits: Vec<(ZoneRef, Span)>, hosts: &[Located<String>]| {
        let hosts = hosts.iter().map(|host| (host.value.clone(), host.span)).collect();
        found.insert(zone, Node { span, inherits, hosts });
    };
    add(ZoneRef::Datacenter, None, Vec::new(), &[]);
    let blocks = std::iter::once((ZoneRef::Datacenter, &spec.datacenter.host))
        .chain(spec.hosts.iter().map(|(name, host)| (ZoneRef::Host(name.value.clone()), &host.host)))
        .chain(spec.zones.iter().map(|(name, zone)| (ZoneRef::Zone(name.value.clone()), &zone.host)));
    for (owner, part) in blocks {
        if let Some(block) = &part.guests {
            add(ZoneRef::Guests(Box::new(owner)), Some(block.span), named(&block.inherits), &[]);
        }
    }
    for (name, _) in &spec.groups {
        add(ZoneRef::Group(name.value.clone()), Some(name.span), Vec::new(), &[]);
    }
    for (name, zone) in &spec.zones {
        add(ZoneRef::Zone(name.value.clone()), Some(name.span), named(&zone.inherits), &[]);
    }
    for (name, host) in &spec.hosts {
        add(ZoneRef::Host(name.value.clone()), Some(name.span), named(&host.inherits), &[]);
    }
    for (name, _) in &spec.vnets {
        add(ZoneRef::Vnet(name.value.clone()), Some(name.span), Vec::new(), &[]);
    }
    for (guests, kind) in [(&spec.vms, ZoneRef::Vm as fn(u32) -> ZoneRef), (&spec.containers, ZoneRef::Container)] {
        for (id, guest) in guests {
            let Ok(number) = id.value.parse() else { continue };
            add(kind(number), Some(id.span), named(&guest.inherits), &guest.host);
        }
    }
    found
}

impl Origins<'_> {
    /// Of a host's zones the nearest that says something else of `platform`, `targets`, `iptables` or the sysctl file
    /// than it did.
    pub(super) fn setter(&self, zones: &[ZoneRef], name: &str) -> Option<ZoneRef> {
        zones.iter().find(|zone| self.edited(zone, Said::Property(name))).cloned()
    }

    /// An edit of one thing that a zone says, with its lines.
    pub(super) fn property(&self, zone: &ZoneRef, name: &str) -> CauseRef {
        let cause = self.zone(zone);
        let (old, new) = self.lines(zone, Said::Property(name));
        if old.is_none() && new.is_none() { cause } else { CauseRef { old, new, ..cause } }
    }
}
