//! What a change does on the wire: packets that are accepted now and were not, and those that no longer are.
//!
//! In: two specs resolved, and which machines differ. Out: rows of packets in the spec's own names, by the rules that
//! decide before and after, each with one packet to try. Promise: every packet that some hook of a compared machine treats
//! otherwise is in a row, or the hook is listed as not decided (over budget), or the rows are counted as left out. A hook is
//! compared as a whole: what established connections, filters of sources and the policy do is in it. A row may be wider
//! than its packets in one way: addresses that stages of their own stop (blacklist, smurfs, broadcast), source ports,
//! flags and states are not told where they are those of every rule.
//!
//! [`loaded`] says the same of rules that are in force, or captured; [`files`] of Proxmox VE's files.

mod beside;
mod compared;
mod files;
mod loaded;
mod name;
mod row;
mod rules;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use rayon::prelude::*;

use crate::analysis::sets::{Budget, Interfaces, Sets};
use crate::diagnostic::{Place, Places, SourceMap};
use crate::policy::{Applied, GuestPolicy, Hook, HookName, HostPolicy, Nic, ZoneRef, words};

use super::policy::Side;
use super::report::{At, HostReport, Status, Wire, WireRow};
use beside::Besides;
use compared::Compared;
pub use files::{Otherwise, files};
pub use loaded::loaded;
use name::{Names, Told};
use row::Rows;

/// Hooks that are compared in one table of packet sets.
const TOGETHER: usize = 256;

/// What decides about a packet at a hook: a rule, or a stage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Decider {
    verdict: Fate,
    /// `groups.web: accept tcp 443`, `policy drop`.
    words: String,
    /// The macro that the rule uses.
    macro_name: Option<&'static str>,
    place: Option<Place>,
}

/// What becomes of a packet, as its sender sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Accepted,
    Dropped,
    Rejected,
}

/// What a rule is called, and where it is written.
type Written<'a> = dyn Fn(&Applied<'_>) -> (String, Option<Place>) + Sync + 'a;

/// Both sides of a change, as rules are called there.
type Sides<'a> = [&'a Written<'a>; 2];

/// One hook of one machine on both sides.
struct Pair<'a> {
    at: At,
    name: HookName,
    /// The machine's own addresses.
    own: Vec<IpAddr>,
    old: (&'a Hook, Option<&'a Nic>),
    new: (&'a Hook, Option<&'a Nic>),
}

/// Compares the hooks of all machines that differ and that both specs have.
#[must_use]
pub fn compare(old: Side<'_>, new: Side<'_>, hosts: &[HostReport]) -> Wire {
    let pairs = pairs(old, new, hosts);
    let names = Names::new(new.fleet, old.fleet);
    let mut wire = Wire { hooks: pairs.len(), ..Wire::default() };
    let (before, after) = (of_spec(old.sources), of_spec(new.sources));
    of_pairs(&pairs, [&before, &after], &names, &mut wire);
    wire
}

/// Adds the rows of all hooks.
fn of_pairs(pairs: &[Pair<'_>], sides: Sides<'_>, names: &Names, wire: &mut Wire) {
    // Hooks of one machine, and of machines alike, have much in common: they share a table, up to a number that keeps
    // all processors busy.
    let besides = Besides::default();
    let parts: Vec<(Rows, Vec<At>)> =
        pairs.par_chunks(TOGETHER).map(|part| of_hooks(part, sides, (names, &besides))).collect();
    let mut rows = Rows::default();
    for (part, undecided) in parts {
        rows.merge(part);
        wire.undecided.extend(undecided);
    }
    rows.into_wire(names, wire);
}

/// Rules as a spec has them.
fn of_spec(sources: &SourceMap) -> impl Fn(&Applied<'_>) -> (String, Option<Place>) + Sync {
    move |applied| {
        let rule = applied.rule;
        let zone = super::policy::path(&rule.origin.zone);
        let text = format!("{zone}: {} {}", words::verdict(rule.verdict), words::matches(rule));
        (text, Some(Places(sources).of(rule.origin.span)))
    }
}

/// The rows of some hooks, and those that are over budget.
fn of_hooks<'n>(pairs: &[Pair<'_>], sides: Sides<'_>, (names, besides): (&'n Names, &Besides<'n>)) -> (Rows, Vec<At>) {
    let (mut rows, mut undecided, mut told) = (Rows::default(), Vec::new(), Told::new(besides));
    let mut sets = Sets::new(Interfaces::default(), Budget::default());
    for pair in pairs {
        let mut compare = |sets: &mut Sets| {
            Compared::of(sets, pair, sides)
                .and_then(|compared| compared.rows(sets, pair, (names, &mut told), &mut rows))
        };
        // The table may be full of what others left in it.
        if compare(&mut sets).is_err() {
            sets = Sets::new(Interfaces::default(), Budget::default());
            if compare(&mut sets).is_err() {
                undecided.push(pair.at.clone());
                sets = Sets::new(Interfaces::default(), Budget::default());
            }
        }
    }
    (rows, undecided)
}

/// Hooks that may differ: those of machines that are reported as changed.
fn pairs<'a>(old: Side<'a>, new: Side<'a>, hosts: &[HostReport]) -> Vec<Pair<'a>> {
    let find = |side: Side<'a>| -> BTreeMap<&'a str, &'a HostPolicy> {
        side.fleet.hosts.iter().map(|host| (host.name.as_str(), host)).collect()
    };
    let (before, after) = (find(old), find(new));
    let mut found = Vec::new();
    for report in hosts {
        let (Some(was), Some(is)) = (before.get(report.host.as_str()), after.get(report.host.as_str())) else {
            continue;
        };
        let guests = [was, is].map(|host| host.guests.iter().map(|guest| (guest.zone().to_string(), guest)).collect());
        for machine in report.machines.iter().filter(|machine| machine.status == Status::Changed) {
            of_machine((was, is), &guests, &machine.machine, &mut found);
        }
    }
    found
}

/// Guests of a host by what they are called.
type Guests<'a> = BTreeMap<String, &'a GuestPolicy>;

fn of_machine<'a>(
    (old, new): (&'a HostPolicy, &'a HostPolicy),
    [before, after]: &[Guests<'a>; 2],
    machine: &str,
    found: &mut Vec<Pair<'a>>,
) {
    let mut push = |was: (&'a Hook, Option<&'a Nic>), is: (&'a Hook, Option<&'a Nic>)| {
        let machine = match is.1 {
            Some(nic) if nic.index > 0 => format!("{machine}:net{}", nic.index),
            Some(_) | None => machine.to_owned(),
        };
        let own = match is.1 {
            Some(nic) => nic.addresses.iter().map(|address| address.address()).collect(),
            None => new.addresses.iter().map(|address| address.address()).collect(),
        };
        let hook = Some(is.0.name.name().to_owned());
        let at = At { host: new.name.clone(), machine, hook, output: None };
        found.push(Pair { at, name: is.0.name, own, old: was, new: is });
    };
    if machine == ZoneRef::Host(new.name.clone()).to_string() {
        if old.enabled && new.enabled {
            push((&old.hook_in, None), (&new.hook_in, None));
            push((&old.hook_out, None), (&new.hook_out, None));
            push((&old.hook_forward, None), (&new.hook_forward, None));
        }
        return;
    }
    if let (Some(was), Some(is)) = (before.get(machine), after.get(machine)) {
        for nic in is.filtered_nics() {
            let Some(before) = was.filtered_nics().find(|other| other.index == nic.index) else { continue };
            push((&was.hook_in, Some(before)), (&is.hook_in, Some(nic)));
            push((&was.hook_out, Some(before)), (&is.hook_out, Some(nic)));
        }
    }
    let vnet = |host: &'a HostPolicy| {
        host.vnets.iter().find(|vnet| ZoneRef::Vnet(vnet.name.clone()).to_string() == machine && vnet.enabled)
    };
    if let (Some(was), Some(is)) = (vnet(old), vnet(new)) {
        push((&was.hook, None), (&is.hook, None));
    }
}

/// What became of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Accepted,
    Refused,
    Otherwise,
}

impl WireRow {
    /// What rows are ordered by.
    fn key(&self) -> (&str, &str, &str, &str) {
        (&self.rule, &self.from, &self.to, &self.service)
    }
}
