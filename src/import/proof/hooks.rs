//! Hooks of one host: what the spec means, and what the files do.
//!
//! In: both sides of a hook. Out: a finding with a packet where some packet gets another verdict or another log line; or
//! that the hook was not decided, where its packets are split in too many ways.

use std::sync::Arc;

use crate::analysis::sets::{Budget, Interfaces, OverBudget, Sets, Wish};
use crate::analysis::{Decision, Judge, Packet};
use crate::net::Family;
use crate::policy::{Hook, HookName, HostPolicy, Nic, Stage, words};

use super::reread::Reread;
use super::{Finding, Judged, Kind, Otherwise, Witness};

/// A hook, and the NIC that a guest's hook speaks of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a>(pub(super) &'a Hook, pub(super) Option<&'a Nic>);

/// The comparison of one host's hooks.
pub(super) struct Comparison<'a> {
    host: &'a HostPolicy,
    files: &'a Reread,
    sets: Sets,
    pub(super) findings: Vec<Finding>,
    pub(super) hooks: Vec<Otherwise>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(host: &'a HostPolicy, files: &'a Reread) -> Self {
        Self { host, files, sets: empty(), findings: Vec::new(), hooks: Vec::new() }
    }

    /// A finding about a machine as a whole.
    pub(super) fn finding(&self, kind: Kind, machine: &str, message: String) -> Finding {
        Finding {
            kind,
            host: Some(self.host.name.clone()),
            machine: Some(machine.to_owned()),
            hook: None,
            message,
            place: None,
            span: None,
            witness: None,
        }
    }

    /// Says one.
    pub(super) fn say(&mut self, kind: Kind, machine: &str, message: String) {
        let finding = self.finding(kind, machine, message);
        self.findings.push(finding);
    }

    /// Compares a hook; a difference is of that kind.
    pub(super) fn hook(&mut self, machine: &str, meant: Side<'_>, is: Side<'_>, kind: Kind) {
        let (meant_hook, is_hook) = (as_seen(meant.0.clone()), as_seen(as_known(self.host, meant.0, is.0)));
        let (one, other) = (Judge::new(&meant_hook, meant.1), Judge::new(&is_hook, is.1));
        if same_clauses(&one, &other) {
            return;
        }
        let wish = wish(self.host, meant);
        let packet = self.differing(&one, &other, &wish).or_else(|OverBudget| {
            // The table may be full of what others left in it.
            self.sets = empty();
            self.differing(&one, &other, &wish)
        });
        let finding = match packet {
            Ok(None) => return,
            Ok(Some(packet)) => {
                let witness = self.witness(packet, &one, &other);
                let message = match kind {
                    Kind::Exception => "Proxmox VE passes over what is forwarded unless the host has `nftables: true`",
                    Kind::Differs | Kind::NotCompared if witness.meant.verdict == witness.found.verdict => {
                        "a packet is logged otherwise than the spec says"
                    }
                    Kind::Differs | Kind::NotCompared => "a packet gets another verdict than the spec says",
                };
                let (place, span) = (witness.found.place.clone(), witness.meant.span);
                let witness = Some(Box::new(witness));
                Finding { place, span, witness, ..self.finding(kind, machine, message.to_owned()) }
            }
            Err(OverBudget) => {
                self.sets = empty();
                self.finding(Kind::NotCompared, machine, "its packets are split in too many ways".to_owned())
            }
        };
        if kind == Kind::Differs && finding.witness.is_some() {
            self.hooks.push(Otherwise {
                host: self.host.name.clone(),
                machine: machine.to_owned(),
                meant: (meant_hook, meant.1.cloned()),
                found: (is_hook, is.1.cloned()),
            });
        }
        self.findings.push(Finding { hook: Some(meant.0.name), ..finding });
    }

    /// A packet that both sides treat differently.
    fn differing(&mut self, one: &Judge<'_>, other: &Judge<'_>, wish: &Wish) -> Result<Option<Packet>, OverBudget> {
        let (before, after) = (self.sets.hook(one)?, self.sets.hook(other)?);
        let differing = self.sets.differing(before, after)?;
        Ok(self.sets.witness(differing, wish))
    }

    fn witness(&self, packet: Packet, one: &Judge<'_>, other: &Judge<'_>) -> Witness {
        let (meant, is) = (one.decide(&packet), other.decide(&packet));
        let line = is.rule.and_then(|applied| self.files.line(applied.rule));
        let mut found = judged(&is);
        (found.zone, found.span) = (None, None);
        if let Some((place, text)) = line {
            (found.by, found.place) = (text, Some(place));
        }
        Witness { meant: judged(&meant), found, packet }
    }
}

fn empty() -> Sets {
    Sets::new(Interfaces::default(), Budget::default())
}

fn judged(decision: &Decision<'_>) -> Judged {
    let by = match decision.rule {
        Some(applied) => format!("{} {}", words::verdict(applied.rule.verdict), words::matches(applied.rule)),
        None => decision.stage.map_or("no stage", Stage::name).to_owned(),
    };
    Judged {
        verdict: decision.verdict,
        log: decision.log,
        by,
        zone: decision.rule.map(|applied| applied.rule.origin.zone.clone()),
        span: decision.rule.map(|applied| applied.rule.origin.span),
        place: None,
    }
}

/// A packet from or to the machine's own address, where that does.
fn wish(host: &HostPolicy, Side(hook, nic): Side<'_>) -> Wish {
    let own = nic.map_or(&host.addresses, |nic| &nic.addresses).iter().map(|address| address.address());
    let mut wish = Wish::default();
    match hook.name {
        HookName::HostIn | HookName::GuestIn => wish.dests.splice(0..0, own).for_each(drop),
        HookName::HostOut | HookName::GuestOut => wish.sources.splice(0..0, own).for_each(drop),
        HookName::HostForward | HookName::VnetForward => {}
    }
    wish
}

/// Whether both sides ask and answer the same, in the same order: then nothing needs to be proved.
fn same_clauses(one: &Judge<'_>, other: &Judge<'_>) -> bool {
    let clauses = |(stage, clause, _): (&Stage, _, _)| (stage.name(), clause);
    one.clauses().map(clauses).eq(other.clauses().map(clauses))
}

/// The hook with nothing but what comes to it: a host's hooks see IP packets alone, so nobody can tell what they do to
/// other frames.
fn as_seen(mut hook: Hook) -> Hook {
    match hook.name {
        HookName::HostIn | HookName::HostOut | HookName::HostForward => hook.stages.insert(0, Stage::OtherFrames),
        HookName::GuestIn | HookName::GuestOut | HookName::VnetForward => {}
    }
    hook
}

/// The hook of the files, with what no file of the firewall's says as the spec has it: the rings of the cluster, and which
/// addresses are broadcasts (Proxmox VE asks the kernel; the spec's sets are what it answers on such machines).
fn as_known(host: &HostPolicy, meant: &Hook, is: &Hook) -> Hook {
    let is_rings = |stage: &&Stage| matches!(stage, Stage::Corosync(_));
    let mut stages: Vec<Stage> = is.stages.iter().filter(|stage| !is_rings(stage)).cloned().collect();
    for stage in &mut stages {
        if let Stage::Smurfs { sources, .. } = stage {
            *sources = Arc::new(host.broadcast.only(Family::V4));
        }
        if let Stage::Noise { broadcast, .. } = stage {
            *broadcast = Arc::clone(&host.broadcast);
        }
    }
    let is_end = |stage: &Stage| matches!(stage, Stage::Noise { .. } | Stage::Policy { .. });
    let end = stages.iter().position(is_end).unwrap_or(stages.len());
    stages.splice(end..end, meant.stages.iter().find(is_rings).cloned());
    Hook { name: is.name, stages }
}
