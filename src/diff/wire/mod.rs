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
mod files;
mod loaded;
mod name;
mod row;
mod service;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use rayon::prelude::*;

use crate::analysis::Judge;
use crate::analysis::sets::{Budget, Diagram, Interfaces, Label, OverBudget, Region, Sets};
use crate::diagnostic::{Place, Places, SourceMap};
use crate::policy::{Applied, Hook, HookName, HostPolicy, Nic, Verdict, ZoneRef, words};

use super::policy::Side;
use super::report::{At, HostReport, Status, Wire, WireRow};
pub use files::{Otherwise, files};
pub use loaded::loaded;
use name::{Apart, Described, Names, Told};
use row::Rows;

/// Hooks that are compared in one table of packet sets.
const TOGETHER: usize = 256;
/// Boxes of packets of one pair of rules that are told before the rest is counted.
const BOXES: usize = 40;

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
    let parts: Vec<(Rows, Vec<At>)> = pairs.par_chunks(TOGETHER).map(|part| of_hooks(part, sides, names)).collect();
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
fn of_hooks(pairs: &[Pair<'_>], sides: Sides<'_>, names: &Names) -> (Rows, Vec<At>) {
    let (mut rows, mut undecided, mut told) = (Rows::default(), Vec::new(), Told::default());
    let mut sets = Sets::new(Interfaces::default(), Budget::default());
    for pair in pairs {
        let mut compare = |sets: &mut Sets| {
            Compared::of(sets, pair, sides).and_then(|compared| compared.rows(sets, pair, names, &mut told, &mut rows))
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
        for machine in report.machines.iter().filter(|machine| machine.status == Status::Changed) {
            of_machine(was, is, &machine.machine, &mut found);
        }
    }
    found
}

fn of_machine<'a>(old: &'a HostPolicy, new: &'a HostPolicy, machine: &str, found: &mut Vec<Pair<'a>>) {
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
    let guest = |host: &'a HostPolicy| host.guests.iter().find(|guest| guest.zone().to_string() == machine);
    if let (Some(was), Some(is)) = (guest(old), guest(new)) {
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

/// Both diagrams of a hook, joined: a label for each pair of deciders with another fate.
struct Compared {
    joined: Diagram,
    /// What the labels stand for.
    changes: Vec<(Decider, Decider)>,
}

impl Compared {
    fn of(sets: &mut Sets, pair: &Pair<'_>, [old, new]: Sides<'_>) -> Result<Self, OverBudget> {
        if same_clauses(pair) {
            return Ok(Self { joined: Diagram::all(Label::NONE), changes: Vec::new() });
        }
        let (before, old_deciders) = decided(sets, pair.old, old)?;
        let (after, new_deciders) = decided(sets, pair.new, new)?;
        if before == after && old_deciders.iter().map(|d| d.verdict).eq(new_deciders.iter().map(|d| d.verdict)) {
            return Ok(Self { joined: Diagram::all(Label::NONE), changes: Vec::new() });
        }
        let changes = std::cell::RefCell::new(Vec::<(Decider, Decider)>::new());
        let joined = sets.joined(before, after, |was, is| {
            let get = |deciders: &[Decider], label: Label| -> Option<Decider> {
                deciders.get(usize::try_from(label.number()).ok()?).cloned()
            };
            let (Some(was), Some(is)) = (get(&old_deciders, was), get(&new_deciders, is)) else { return Label::NONE };
            if was.verdict == is.verdict {
                return Label::NONE;
            }
            let mut changes = changes.borrow_mut();
            let key = (was, is);
            let at = changes.iter().position(|known| *known == key).unwrap_or_else(|| {
                changes.push(key);
                changes.len() - 1
            });
            Label::new(u32::try_from(at).unwrap_or(u32::MAX))
        })?;
        Ok(Self { joined, changes: changes.into_inner() })
    }

    fn rows<'n>(
        self,
        sets: &mut Sets,
        pair: &Pair<'_>,
        names: &'n Names,
        told_before: &mut Told<'n>,
        rows: &mut Rows,
    ) -> Result<(), OverBudget> {
        let apart = Apart::of([pair.old.0, pair.new.0], pair.new.1);
        let wish = name::wish(pair.name, &pair.own);
        for group in self.groups() {
            let set = sets.select(self.joined, |label| group.labels.contains(&label.number()))?;
            let mut regions = sets.regions(set);
            let boxes: Vec<Region> = regions.by_ref().take(BOXES).collect();
            if regions.next().is_some() {
                rows.left_out += 1;
            }
            let told: Vec<(Described, Region)> = boxes
                .into_iter()
                .map(|region| (names.describe(&region, pair.name, &apart, told_before), region))
                .collect();
            for (described, region) in &told {
                if told.iter().any(|(other, _)| described.is_covered_by(other)) {
                    continue;
                }
                let packets = sets.boxed(region)?;
                let packet = sets.witness(packets, &wish).map(|packet| row::packet_words(&packet));
                rows.add(pair, &group, described.clone(), packet);
            }
        }
        Ok(())
    }

    /// The labels by the rule that makes the difference: what accepts now, or accepted before.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut found: Vec<Group<'_>> = Vec::new();
        for (number, (was, is)) in (0_u32..).zip(&self.changes) {
            let kind = match (was.verdict, is.verdict) {
                (_, Fate::Accepted) => Kind::Accepted,
                (Fate::Accepted, _) => Kind::Refused,
                (Fate::Dropped | Fate::Rejected, Fate::Dropped | Fate::Rejected) => Kind::Otherwise,
            };
            let (own, other) = if kind == Kind::Refused { (was, is) } else { (is, was) };
            match found.iter_mut().find(|group| group.kind == kind && group.own == own) {
                Some(group) => {
                    group.labels.insert(number);
                    group.others.insert(other.words.as_str());
                }
                None => found.push(Group {
                    kind,
                    own,
                    others: BTreeSet::from([other.words.as_str()]),
                    labels: BTreeSet::from([number]),
                }),
            }
        }
        found
    }
}

/// Whether both sides of a hook ask the same and answer the same, in the same order.
fn same_clauses(pair: &Pair<'_>) -> bool {
    let (old, new) = (Judge::new(pair.old.0, pair.old.1), Judge::new(pair.new.0, pair.new.1));
    let stages = old.clauses().map(|(stage, clause, _)| (stage.name(), clause));
    stages.eq(new.clauses().map(|(stage, clause, _)| (stage.name(), clause)))
}

/// What became of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Accepted,
    Refused,
    Otherwise,
}

/// Packets whose fate one rule or stage makes another.
struct Group<'c> {
    kind: Kind,
    /// What accepts them now, or did before; of others what decides now.
    own: &'c Decider,
    /// What decides on the other side.
    others: BTreeSet<&'c str>,
    labels: BTreeSet<u32>,
}

/// What a hook decides, by who decides it.
fn decided(
    sets: &mut Sets,
    (hook, nic): (&Hook, Option<&Nic>),
    written: &Written<'_>,
) -> Result<(Diagram, Vec<Decider>), OverBudget> {
    let judge = Judge::new(hook, nic);
    let mut deciders: Vec<Decider> = Vec::new();
    let diagram = sets.hook_by(&judge, |stage, clause, rule| {
        let verdict = match clause.verdict {
            Verdict::Accept => Fate::Accepted,
            Verdict::Drop => Fate::Dropped,
            Verdict::Reject => Fate::Rejected,
            Verdict::Skip => return Label::NONE,
        };
        let decider = match rule {
            Some(applied) => {
                let (words, place) = written(&applied);
                Decider { verdict, words, macro_name: applied.rule.macro_name, place }
            }
            None => {
                let fate = match verdict {
                    Fate::Accepted => "accept",
                    Fate::Dropped => "drop",
                    Fate::Rejected => "reject",
                };
                let words = format!("{} ({fate})", stage.name());
                Decider { verdict, words, macro_name: None, place: None }
            }
        };
        let at = deciders.iter().position(|known| *known == decider).unwrap_or_else(|| {
            deciders.push(decider);
            deciders.len() - 1
        });
        Label::new(u32::try_from(at).unwrap_or(u32::MAX))
    })?;
    Ok((diagram, deciders))
}

impl WireRow {
    /// What rows are ordered by.
    fn key(&self) -> (&str, &str, &str, &str) {
        (&self.rule, &self.from, &self.to, &self.service)
    }
}
