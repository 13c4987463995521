//! Two specs, machine by machine: what each of them enforces, and which edit makes the difference.
//!
//! In: two specs, resolved. Out: the hosts, and the causes with all that follows from each. Promise: where the two fleets
//! enforce different things there is a change; what is merely written elsewhere or in another order of files is
//! none. Sections and groups are shared by pointer between machines, and each pair is compared once.

mod cause;
mod definition;
#[cfg(test)]
mod edits;
mod likeness;
mod locks;
mod machine;
mod property;
mod rules;
mod stage;
#[cfg(test)]
mod tests;
mod value;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::SourceMap;
use crate::policy::{Fleet, GuestPolicy, HostPolicy, VnetPolicy, ZoneRef};
use crate::spec::Spec;

use super::collect::{Collector, Draft};
use super::report::{Cause, HostReport, Kind, Status, Subject};

use cause::Origins;
pub(in crate::diff) use cause::path;
pub(in crate::diff) use definition::come_and_gone;
use machine::Machines;
use rules::Comparer;

/// A spec with all that was made of it.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// As it is written.
    pub spec: &'a Spec,
    /// What it means.
    pub fleet: &'a Fleet,
    /// Its text.
    pub sources: &'a SourceMap,
}

/// Compares two specs: every host of either, and what was edited, widest first.
#[must_use]
pub fn compare(old: Side<'_>, new: Side<'_>) -> (Vec<HostReport>, Vec<Cause>) {
    let origins = Origins::new(old, new);
    let mut machines = Machines {
        origins: &origins,
        comparer: Comparer::new(&origins),
        collector: Collector::new(old.sources, new.sources),
        host_options: Vec::new(),
    };
    definition::compare(&mut machines);
    let names: BTreeSet<&str> = old.fleet.hosts.iter().chain(&new.fleet.hosts).map(|host| host.name.as_str()).collect();
    let by_name = |fleet: &'_ Fleet| -> BTreeMap<String, usize> {
        fleet.hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), at)).collect()
    };
    let (old_hosts, new_hosts) = (by_name(old.fleet), by_name(new.fleet));
    for name in names {
        let find = |fleet, index: &BTreeMap<String, usize>| -> Option<&HostPolicy> {
            let fleet: &Fleet = fleet;
            fleet.hosts.get(*index.get(name)?)
        };
        match (find(old.fleet, &old_hosts), find(new.fleet, &new_hosts)) {
            (Some(before), Some(after)) => both(&mut machines, before, after),
            (None, Some(after)) => one(&mut machines, after, Status::Added),
            (Some(before), None) => one(&mut machines, before, Status::Removed),
            (None, None) => {}
        }
    }
    locks::compare(&mut machines);
    machines.collector.finish()
}

/// A host that only one side has, with its guests.
fn one(machines: &mut Machines<'_>, host: &HostPolicy, status: Status) {
    let zone = ZoneRef::Host(host.name.clone());
    machines.presence(&host.name, &zone, &zone, status);
    for guest in &host.guests {
        machines.presence(&host.name, &guest.zone(), &zone, status);
    }
    for vnet in &host.vnets {
        machines.collector.machine(&host.name, &ZoneRef::Vnet(vnet.name.clone()), status);
    }
}

fn both(machines: &mut Machines<'_>, old: &HostPolicy, new: &HostPolicy) {
    machines.host(old, new);
    for pair in paired(&old.guests, &new.guests, |guest| guest.id) {
        match pair {
            (Some(before), Some(after)) if before.kind == after.kind => machines.guest(&new.name, before, after),
            (before, after) => {
                let gone = before.map(|guest: &GuestPolicy| (guest.zone(), Status::Removed));
                let come = after.map(|guest: &GuestPolicy| (guest.zone(), Status::Added));
                for (zone, status) in gone.into_iter().chain(come) {
                    machines.presence(&new.name, &zone, &zone, status);
                }
            }
        }
    }
    for pair in paired(&old.vnets, &new.vnets, |vnet| vnet.name.clone()) {
        match pair {
            (Some(before), Some(after)) => machines.vnet(&new.name, before, after),
            (before, after) => {
                let gone = before.map(|vnet: &std::sync::Arc<VnetPolicy>| (vnet, Status::Removed));
                for (vnet, status) in gone.into_iter().chain(after.map(|vnet| (vnet, Status::Added))) {
                    let zone = ZoneRef::Vnet(vnet.name.clone());
                    machines.presence(&new.name, &zone, &zone, status);
                }
            }
        }
    }
}

/// The elements of two lists by their keys, in the order of the keys.
fn paired<'a, T, K: Ord>(old: &'a [T], new: &'a [T], key: impl Fn(&T) -> K) -> Vec<(Option<&'a T>, Option<&'a T>)> {
    let mut found: BTreeMap<K, (Option<&T>, Option<&T>)> = BTreeMap::new();
    for item in old {
        found.entry(key(item)).or_default().0 = Some(item);
    }
    for item in new {
        found.entry(key(item)).or_default().1 = Some(item);
    }
    found.into_values().collect()
}

impl Machines<'_> {
    /// A machine that only one side has on a host; `owner` is who decides that.
    fn presence(&mut self, host: &str, machine: &ZoneRef, owner: &ZoneRef, status: Status) {
        self.collector.machine(host, machine, status);
        let moved = self.origins.moved(machine);
        let owner = if moved || self.origins.status(machine) != Status::Changed { owner } else { machine };
        let words = machine.to_string();
        let (kind, old, new) = match status {
            Status::Removed => (Kind::Removed, Some(words), None),
            Status::Added | Status::Changed | Status::Unchanged => (Kind::Added, None, Some(words)),
        };
        let cause = if owner == machine { self.origins.placed(machine) } else { self.origins.zone(owner) };
        let draft = Draft {
            kind,
            subject: Subject::Machine,
            name: machine.to_string(),
            zone: None,
            old,
            new,
            detail: moved.then(|| "it changes hosts".to_owned()),
            spans: (cause.old, cause.new),
        };
        let at = self.collector.at(host, machine, None);
        self.collector.add(&cause, draft, Some(at));
    }
}
