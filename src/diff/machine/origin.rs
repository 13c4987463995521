//! Which rule of the spec a rule of an output is: by its comment, and by the machine it stands for.

use std::collections::HashMap;

use crate::diagnostic::Span;
use crate::diff::collect::CauseRef;
use crate::diff::policy::path;
use crate::diff::report::Status;
use crate::policy::{Fleet, GuestPolicy, HostPolicy, Origin, RuleList, ZoneRef};

use super::OUTSIDE;

/// A rule of the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Who wrote it.
    pub(super) zone: ZoneRef,
    pub(super) identity: String,
    pub(super) span: Span,
}

/// All rules of a host and of its guests, by what outputs call them.
#[derive(Debug)]
pub(super) struct Origins<'a> {
    host: &'a HostPolicy,
    fleet: &'a Fleet,
    by_identity: HashMap<String, Vec<(ZoneRef, Known)>>,
    devices: HashMap<&'a str, &'a GuestPolicy>,
}

impl<'a> Origins<'a> {
    pub(super) fn new(fleet: &'a Fleet, host: &'a HostPolicy) -> Self {
        let mut found = Self { host, fleet, by_identity: HashMap::new(), devices: HashMap::new() };
        found.list(&ZoneRef::Host(host.name.clone()), &host.rules);
        for guest in &host.guests {
            found.list(&guest.zone(), &guest.rules);
            found.devices.extend(guest.nics.iter().map(|nic| (nic.device.as_str(), guest)));
        }
        for vnet in &host.vnets {
            found.list(&ZoneRef::Vnet(vnet.name.clone()), &vnet.rules);
        }
        found
    }

    fn list(&mut self, machine: &ZoneRef, list: &RuleList) {
        let mut add = |origin: &Origin| {
            let known = Known { zone: origin.zone.clone(), identity: origin.identity.clone(), span: origin.span };
            let all = self.by_identity.entry(origin.identity.clone()).or_default();
            if !all.iter().any(|(owner, other)| owner == machine && *other == known) {
                all.push((machine.clone(), known));
            }
        };
        for (entry, _) in list.entries() {
            add(entry.origin());
            if let Some(call) = entry.call() {
                call.group.rules.iter().for_each(|rule| add(&rule.origin));
            }
        }
    }

    /// The guest at a port of a bridge.
    pub(super) fn guest(&self, device: &str) -> Option<ZoneRef> {
        self.devices.get(device).map(|guest| guest.zone())
    }

    /// The guest that an address is of.
    pub(super) fn guest_of_address(&self, address: &str) -> Option<ZoneRef> {
        let address: std::net::IpAddr = address.split('/').next()?.parse().ok()?;
        let owns = |guest: &&GuestPolicy| {
            guest.nics.iter().flat_map(|nic| &nic.addresses).any(|known| known.address() == address)
        };
        self.host.guests.iter().find(owns).map(GuestPolicy::zone)
    }

    /// The rule that a comment names, on a machine: `mon`, or with its zone (`group/base 710a3214`).
    pub(super) fn rule(&self, machine: &ZoneRef, comment: &str) -> Option<&Known> {
        let (zone, identity) = comment.rsplit_once(' ').map_or((None, comment), |(zone, id)| (Some(zone), id));
        let all = self.by_identity.get(identity)?;
        let fits = |known: &&(ZoneRef, Known)| match zone {
            None => true,
            Some("guest") => known.0 == known.1.zone || matches!(known.1.zone, ZoneRef::Nic(..)),
            Some(zone) => known.1.zone.to_string() == zone,
        };
        let own = all.iter().filter(fits).find(|(owner, _)| owner == machine);
        own.or_else(|| all.iter().find(fits)).map(|(_, known)| known)
    }

    /// The machines that call a group.
    pub(super) fn callers(&self, group: &str) -> Vec<ZoneRef> {
        let calls = |list: &RuleList| list.groups().keys().any(|name| name.eq_ignore_ascii_case(group));
        let itself = ZoneRef::Host(self.host.name.clone());
        let mut found: Vec<ZoneRef> = Vec::new();
        found.extend(calls(&self.host.rules).then(|| itself.clone()));
        found.extend(self.host.guests.iter().filter(|guest| calls(&guest.rules)).map(GuestPolicy::zone));
        found
    }

    /// The edit of a zone: whatever differs in it.
    pub(super) fn zone(&self, zone: &ZoneRef) -> CauseRef {
        CauseRef { path: path(zone), status: Status::Changed, old: None, new: self.span(zone) }
    }

    /// What no line of the spec stands for.
    pub(super) fn outside() -> CauseRef {
        CauseRef { path: OUTSIDE.to_owned(), status: Status::Changed, old: None, new: None }
    }

    fn span(&self, zone: &ZoneRef) -> Option<Span> {
        match zone {
            ZoneRef::Host(name) if *name == self.host.name => Some(self.host.span),
            ZoneRef::Vm(id) | ZoneRef::Container(id) => {
                self.host.guests.iter().find(|guest| guest.id == *id).map(|guest| guest.span)
            }
            ZoneRef::Nic(guest, _) => self.span(guest),
            ZoneRef::Group(name) => self.fleet.groups.get(name).map(|group| group.span),
            ZoneRef::Vnet(name) => self.host.vnets.iter().find(|vnet| vnet.name == *name).map(|vnet| vnet.span),
            ZoneRef::Host(_) | ZoneRef::Datacenter | ZoneRef::Guests(_) | ZoneRef::Zone(_) => None,
        }
    }
}
