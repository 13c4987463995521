//! What was captured of machines, whoever captured it: a folder, files that were named, the running machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{FileId, SourceMap};
use crate::diff::report::{Note, NoteKind};
use crate::state::Unread;
use crate::state::kind::Captured;
use crate::state::ruleset::{Program, Ruleset, Set};
use crate::state::sysctl::{Running, RunningValue};
use crate::state::{ipset, iptables, nft, sysctl};

/// Sets of ipset by name.
type Sets = BTreeMap<Arc<str>, Set>;

/// Everything that was captured.
#[derive(Debug, Default)]
pub(in crate::cli) struct Captures {
    /// All texts.
    pub(in crate::cli) sources: SourceMap,
    /// By host.
    pub(in crate::cli) hosts: BTreeMap<String, HostCapture>,
    /// `.fw` files of the whole cluster, by the path that fwc would give them: `pve/firewall/100.fw`. None where
    /// nothing of Proxmox VE was captured. Of a running node also its guests' configurations.
    pub(in crate::cli) pve: Option<BTreeMap<String, FileId>>,
    /// Files of that kind that are there and cannot be read, by the same path.
    pub(in crate::cli) pve_unread: BTreeSet<String>,
    /// What went wrong, and what else there is to say.
    pub(in crate::cli) notes: Vec<Note>,
}

/// What was captured of one host.
#[derive(Debug, Default)]
pub(in crate::cli) struct HostCapture {
    /// One for each program that was asked.
    pub(in crate::cli) rules: BTreeMap<Program, Ruleset>,
    /// Programs whose rules are or may be there, and could not be had.
    pub(in crate::cli) unknown: BTreeSet<Program>,
    /// `ipset save`.
    pub(in crate::cli) sets: Option<Sets>,
    /// Kernel settings in force, and the file they are in.
    pub(in crate::cli) running: Option<(Running, Option<FileId>)>,
    /// Kernel settings that files of `sysctl.d` set, and the first of these files.
    pub(in crate::cli) settings: Option<(Running, FileId)>,
    /// Rules of the other kind of iptables, by the program that lists them: packets pass them too.
    pub(in crate::cli) others: Vec<(String, Ruleset)>,
    /// Files that are compared as they are, by the path below the host's folder: `modules-load.d/fwc.conf`.
    pub(in crate::cli) files: BTreeMap<String, FileId>,
    /// Configurations of guests.
    pub(in crate::cli) confs: Vec<(u32, FileId)>,
    /// Whether it is a running machine: what is absent was looked for, and one program enforces.
    pub(in crate::cli) is_whole: bool,
    /// Whether it is an output tree: every file should be there.
    pub(in crate::cli) is_tree: bool,
}

impl Captures {
    /// What was captured of a host, so far.
    pub(in crate::cli) fn host(&mut self, host: &str) -> &mut HostCapture {
        self.hosts.entry(host.to_owned()).or_default()
    }

    /// A note about something that could not be had.
    pub(in crate::cli) fn miss(&mut self, host: Option<&str>, message: String, help: Option<&str>) {
        self.notes.push(Note {
            kind: NoteKind::NotCompared,
            host: host.map(str::to_owned),
            message,
            help: help.map(str::to_owned),
            place: None,
        });
    }

    /// Takes in a text of a host.
    pub(in crate::cli) fn take(&mut self, host: &str, path: &Path, text: String, kind: Captured) {
        let file = self.sources.add(path, text);
        let text = self.sources.text(file).to_owned();
        let text = text.as_str();
        match kind {
            Captured::Rules(Program::Nft) => {
                let found = nft::read(file, text);
                self.rules(host, path, found);
            }
            Captured::NftJson => {
                let found = nft::read_json(file, text);
                self.rules(host, path, found);
            }
            Captured::Rules(program @ (Program::Iptables | Program::Ip6tables | Program::Ebtables)) => {
                let found = iptables::read(file, text, program);
                self.rules(host, path, found);
            }
            Captured::Ipset => {
                let (sets, unread) = ipset::read(file, text);
                self.unread("ipset", host, &unread);
                self.hosts.entry(host.to_owned()).or_default().sets = Some(sets);
            }
            Captured::Settings => {
                let running = sysctl::read_running(file, text);
                self.hosts.entry(host.to_owned()).or_default().running = Some((running, Some(file)));
            }
            Captured::Fw => {}
        }
    }

    /// Takes in what a program of the running machine listed. Both kinds of iptables may have rules: the one that has
    /// more is taken for the one in use, and the other is told of.
    pub(in crate::cli) fn take_live(&mut self, host: &str, program: &str, text: String, kind: Captured) {
        if kind == Captured::Rules(Program::Nft) {
            // The words alone do not tell all that a rule asks.
            let (instructions, words) = nft::bytecode::split(&text);
            let file = self.sources.add(program, words);
            let found = nft::bytecode::read_completed(file, instructions, words);
            return self.rules(host, Path::new(program), found);
        }
        let Captured::Rules(of @ (Program::Iptables | Program::Ip6tables)) = kind else {
            return self.take(host, Path::new(program), text, kind);
        };
        let file = self.sources.add(program, text);
        let found = iptables::read(file, self.sources.text(file), of);
        let host = self.host(host);
        let label = |program: &str| program.trim_end_matches("-save").to_owned();
        match host.rules.remove(&of) {
            // Of both kinds the one with more rules is taken for the one in use.
            Some(known) if known.rule_count() >= found.rule_count() => {
                host.rules.insert(of, known);
                host.others.push((label(program), found));
            }
            Some(known) => {
                host.rules.insert(of, found);
                host.others.push((label(&program.replace("legacy", "nft")), known));
            }
            None => {
                host.rules.insert(of, found);
            }
        }
    }

    /// Takes in a file of `sysctl.d`; of several the later one wins, as the programs have it that read them.
    pub(in crate::cli) fn take_settings(&mut self, host: &str, path: &Path, text: &str) {
        let file = self.sources.add(path, text);
        let read = as_running(file, text);
        let known = self.host(host).settings.get_or_insert_with(|| (Running::default(), file));
        known.0.values.extend(read.values);
        known.0.unread.extend(read.unread);
    }

    fn rules(&mut self, host: &str, path: &Path, found: Ruleset) {
        let known = self.hosts.entry(host.to_owned()).or_default();
        match known.rules.get_mut(&found.program) {
            None => {
                known.rules.insert(found.program, found);
            }
            // Several texts of one program each hold some tables.
            Some(before) => {
                let twice = found.tables.keys().find(|name| before.tables.contains_key(*name)).cloned();
                before.unread.extend(found.unread);
                for (name, table) in found.tables {
                    before.tables.entry(name).or_insert(table);
                }
                if let Some(table) = twice {
                    let message =
                        format!("`{}`: the table {table} was given already; this one is left out", path.display());
                    self.miss(Some(host), message, None);
                }
            }
        }
    }

    /// Notes of lines that cannot be read.
    pub(in crate::cli) fn unread(&mut self, what: &str, host: &str, unread: &[Unread]) {
        for unread in unread {
            let place = crate::diagnostic::Places(&self.sources).of(unread.span);
            self.notes.push(Note {
                kind: NoteKind::NotCompared,
                host: Some(host.to_owned()),
                message: format!("{what}: {}", unread.reason),
                help: None,
                place: Some(place),
            });
        }
    }
}

/// A file of `sysctl.d` as values in force.
fn as_running(file: FileId, text: &str) -> Running {
    let read = sysctl::read(file, text);
    let mut running = Running { unread: read.unread, ..Running::default() };
    for line in read.lines {
        if let Some(value) = line.value {
            running.insert(&line.key, RunningValue::Text(value.value.to_owned()));
        }
    }
    running
}
