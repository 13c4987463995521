//! Rulesets that differ from the spec's, until it is known what that does to packets.

use std::collections::BTreeMap;

use crate::diagnostic::{FileId, SourceMap};
use crate::diff::report::{Aside, Wire};
use crate::diff::wire;
use crate::import::proof::{self, Finding, Kind, Proof};
use crate::policy::{Fleet, HostPolicy, Rule};
use crate::state::ruleset::{Program, Ruleset};
use crate::target::Rules;

use super::capture::HostCapture;

/// By host; those that are known to mean the same are only counted.
#[derive(Debug, Default)]
pub(super) struct Otherwise<'f> {
    hosts: Vec<(&'f HostPolicy, Rules)>,
    /// How many differ in what no packet notices.
    same: usize,
    not_compared: Vec<Aside>,
    /// What is known of the files of Proxmox VE, of all hosts.
    files: Option<Proof>,
    /// The hosts of which such files differ.
    nodes: Vec<&'f HostPolicy>,
    /// Where these files are, by the paths that fwc gives them.
    paths: BTreeMap<String, String>,
}

impl<'f> Otherwise<'f> {
    /// Counts one that differs, and means the same.
    pub(super) const fn same(&mut self) {
        self.same += 1;
    }

    /// Says that it is not known what something does to packets.
    pub(super) fn unknown(&mut self, host: &HostPolicy, output: &'static str, message: String) {
        self.not_compared.push(Aside { host: host.name.clone(), output, message, place: None });
    }

    /// Takes files of Proxmox VE that differ: where these are all it is known what that does to packets.
    pub(super) fn files(
        &mut self,
        (fleet, host): (&Fleet, &'f HostPolicy),
        is_all: bool,
        (files, there): (&BTreeMap<String, FileId>, &SourceMap),
    ) {
        if !is_all {
            let message = "what its files come to is told of all of them alone, by `fwc verify`";
            return self.unknown(host, "pve", message.to_owned());
        }
        let paths = |(path, file): (&String, &FileId)| (path.clone(), there.path(*file).display().to_string());
        let texts = || files.iter().map(|(path, file)| (path.clone(), there.text(*file).to_owned())).collect();
        let proof = self.files.get_or_insert_with(|| {
            self.paths = files.iter().map(paths).collect();
            proof::compare(fleet, &texts())
        });
        self.nodes.push(host);
        let here = |finding: &&Finding| finding.host.as_ref().is_none_or(|name| *name == host.name);
        // What hooks do otherwise is in the rows.
        let is_open = |finding: &&Finding| finding.kind != Kind::Exception && finding.witness.is_none();
        let mut open = proof.findings.iter().filter(here).filter(is_open);
        let Some(first) = open.next() else { return self.same() };
        let machine = first.machine.as_ref().map(|machine| format!("{machine}: ")).unwrap_or_default();
        let more = match open.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let message = format!("{machine}{}{more} (`fwc verify` tells them)", first.message);
        self.unknown(host, "pve", message);
    }

    /// Keeps one.
    pub(super) fn take(&mut self, host: &'f HostPolicy, output: &'static str, capture: &HostCapture, found: Ruleset) {
        let listed = !capture.is_tree && !capture.is_whole;
        let bridge = || found.tables.keys().any(|table| &*table.family == "bridge");
        let why = match found.program {
            Program::Ebtables => Some("what frames' rules come to is not looked at"),
            // Which ethertype is asked for, the kernel's instructions alone tell.
            Program::Nft if listed && bridge() => {
                Some("a listing does not tell all that rules of a bridge ask; `fwc diff --live` asks the kernel")
            }
            Program::Iptables | Program::Ip6tables | Program::Nft => None,
        };
        if let Some(why) = why {
            return self.unknown(host, output, why.to_owned());
        }
        match self.hosts.last_mut().filter(|(last, _)| last.name == host.name) {
            Some((_, rules)) => {
                rules.of.insert(found.program, found);
            }
            None => self.hosts.push((host, Rules { of: [(found.program, found)].into() })),
        }
    }

    /// What becomes of packets, where something differs at all.
    pub(super) fn wire(self, fleet: &Fleet, spec: &SourceMap, there: &SourceMap) -> Option<Wire> {
        if self.hosts.is_empty() && self.not_compared.is_empty() && self.same == 0 {
            return None;
        }
        let mut wire = wire::loaded(fleet, (spec, there), &self.hosts);
        if let Some(proof) = &self.files {
            let of_nodes = |hook: &&proof::Otherwise| self.nodes.iter().any(|host| host.name == hook.host);
            let hooks: Vec<wire::Otherwise<'_>> = proof.hooks.iter().filter(of_nodes).map(otherwise).collect();
            let line = |rule: &Rule| {
                let (mut place, text) = proof.line(rule)?;
                if let Some(path) = self.paths.get(&place.file) {
                    place.file.clone_from(path);
                }
                let text = text.split('#').next().unwrap_or_default().trim_end().to_owned();
                Some((place, text))
            };
            wire::files((fleet, spec), &hooks, line, &mut wire);
        }
        wire.rulesets += self.same;
        wire.not_compared.extend(self.not_compared);
        Some(wire)
    }
}

fn otherwise(hook: &proof::Otherwise) -> wire::Otherwise<'_> {
    wire::Otherwise {
        host: &hook.host,
        machine: &hook.machine,
        there: (&hook.found.0, hook.found.1.as_ref()),
        meant: (&hook.meant.0, hook.meant.1.as_ref()),
    }
}
