//! `--live`: this machine, as its own programs list it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::disk::{self, Silence};
use crate::cli::{Failure, machine};
use crate::diagnostic::{FileId, Severity, SourceMap};
use crate::diff::report::{Note, NoteKind, Report};
use crate::import::Role;
use crate::policy::{Fleet, HostPolicy, TargetName};
use crate::state::kind::Captured;
use crate::state::ruleset::Program;
use crate::state::sysctl::{Resolved, Survey};

use super::capture::Captures;
use super::machines::{self, Meant};
use super::{Arguments, Outcome};

/// A program that lists rules, what its answer is, and whose target it serves.
type Asked = (&'static str, &'static [&'static str], Captured, TargetName);

/// Both kinds of iptables are asked where they are there: packets pass the tables of both.
const ASKED: [Asked; 7] = [
    ("iptables-nft-save", &[], Captured::Rules(Program::Iptables), TargetName::Iptables),
    ("iptables-legacy-save", &[], Captured::Rules(Program::Iptables), TargetName::Iptables),
    ("ip6tables-nft-save", &[], Captured::Rules(Program::Ip6tables), TargetName::Iptables),
    ("ip6tables-legacy-save", &[], Captured::Rules(Program::Ip6tables), TargetName::Iptables),
    ("ebtables-nft-save", &[], Captured::Rules(Program::Ebtables), TargetName::Iptables),
    ("ipset", &["save"], Captured::Ipset, TargetName::Iptables),
    ("nft", &["--debug=netlink", "-s", "-y", "-n", "list", "ruleset"], Captured::Rules(Program::Nft), TargetName::Nft),
];

/// Compares this machine.
///
/// # Errors
/// Where there is no spec, or it does not have this machine.
pub(super) fn compare(arguments: &Arguments) -> Result<Outcome, Failure> {
    let Some(meant) = Meant::compile(arguments)? else { return Ok(Outcome { report: None, failed: true }) };
    let Some(fleet) = &meant.pipeline.fleet else { return Ok(Outcome { report: None, failed: true }) };
    let host = machine::host(fleet, arguments.host.as_deref(), Path::new("/"))?;
    let mut captures = Captures::default();
    captures.host(&host.name).is_whole = true;
    programs(&mut captures, host, |file| meant.has(&host.name, file));
    kernel(&mut captures, host, &meant);
    if host.targets.contains(&TargetName::Pve) {
        pve(&mut captures, host);
    }
    let strangers = strangers(&captures, fleet);
    let mut report = machines::compare(arguments, &meant, captures, format!("this machine ({})", host.name));
    settings(&meant, host, &mut report);
    companions(&meant, host, &mut report);
    report.notes.extend(strangers);
    Ok(Outcome { report: Some(report), failed: false })
}

/// Asks every program whose target the host wants; `has`: whether the spec comes to a file of that name there.
pub(in crate::cli) fn programs(captures: &mut Captures, host: &HostPolicy, has: impl Fn(&str) -> bool) {
    let mut silent: BTreeMap<Silence, Vec<&'static str>> = BTreeMap::new();
    let mut heard: BTreeSet<Program> = BTreeSet::new();
    let needed = |kind: Captured| match kind {
        Captured::Rules(Program::Ebtables) => has("ebtables.rules"),
        Captured::Ipset => has("ipset.rules"),
        Captured::Rules(Program::Iptables | Program::Ip6tables | Program::Nft)
        | Captured::NftJson
        | Captured::Settings
        | Captured::Fw => true,
    };
    let asked = ASKED.iter().filter(|(_, _, kind, target)| host.targets.contains(target) && needed(*kind));
    for (program, options, kind, _) in asked {
        // One that was built without its debugging lists the rules all the same.
        let listing = disk::listing(program, options).or_else(|why| match (&why, options.split_first()) {
            (Silence::Failed(_), Some((&"--debug=netlink", plain))) => disk::listing(program, plain),
            (_, _) => Err(why),
        });
        match listing {
            Ok(text) => {
                if let Captured::Rules(of) = kind {
                    heard.insert(*of);
                }
                captures.take_live(&host.name, program, text, *kind);
            }
            Err(why) => silent.entry(why).or_default().push(program),
        }
    }
    for program in silent.values().flatten() {
        let of = ASKED.iter().find(|(name, ..)| name == program).map(|(_, _, kind, _)| *kind);
        if let Some(Captured::Rules(of)) = of.filter(|kind| !matches!(kind, Captured::Rules(of) if heard.contains(of)))
        {
            captures.host(&host.name).unknown.insert(of);
        }
    }
    for (why, programs) in silent {
        // One kind of iptables is enough to know what is loaded, if the other is not installed.
        let missing: Vec<&str> = programs
            .into_iter()
            .filter(|program| {
                let of = ASKED.iter().find(|(name, ..)| name == program).map(|(_, _, kind, _)| *kind);
                let other = matches!(of, Some(Captured::Rules(of)) if heard.contains(&of));
                !(why == Silence::Missing && other)
            })
            .collect();
        if missing.is_empty() {
            continue;
        }
        let names = missing.join(", ");
        let (message, help) = match why {
            Silence::Missing => (format!("not installed: {names}"), Some("what these list is not compared")),
            Silence::NoRights => (format!("no right to ask {names}"), Some("run it as root")),
            Silence::Failed(said) => (format!("{names}: {said}"), None),
        };
        captures.miss(Some(&host.name), message, help);
    }
}

/// Kernel settings in force.
fn kernel(captures: &mut Captures, host: &HostPolicy, meant: &Meant) {
    if host.targets.contains(&TargetName::Sysctl) {
        let wanted = meant.settings(host);
        let running = disk::read_kernel_values(Path::new("/"), wanted.iter().map(|(key, _)| key.as_str()));
        captures.host(&host.name).running = Some((running, None));
    }
}

/// `/etc/pve`, where there is one. Says whether there is.
pub(in crate::cli) fn pve(captures: &mut Captures, host: &HostPolicy) -> bool {
    let folder = Path::new("/etc/pve");
    if !folder.is_dir() {
        return false;
    }
    let (sources, inputs, found) = match disk::read_running(folder) {
        Ok(read) => read,
        Err(failure) => {
            captures.miss(Some(&host.name), failure.message, failure.help.as_deref());
            return true;
        }
    };
    let mut files = BTreeMap::new();
    for input in inputs {
        let path = match &input.role {
            Role::Cluster => "pve/firewall/cluster.fw".to_owned(),
            Role::Host(Some(node)) => format!("pve/nodes/{node}/host.fw"),
            Role::Guest(id) => format!("pve/firewall/{id}.fw"),
            Role::Vnet(name) => format!("pve/sdn/firewall/{name}.fw"),
            Role::Conf { .. } => below_etc(&sources, input.file),
            Role::Host(None) | Role::Corosync => continue,
        };
        let file = captures.sources.add(sources.path(input.file), sources.text(input.file));
        if let Role::Conf { id, node, .. } = input.role
            && node.is_none_or(|node| node == host.name)
        {
            captures.host(&host.name).confs.push((id, file));
        }
        files.insert(path, file);
    }
    for finding in found.iter() {
        if finding.severity == Severity::Error {
            captures.pve_unread.insert(below_etc(&sources, finding.span().file));
        }
        captures.miss(Some(&host.name), finding.message.clone(), finding.help.as_deref());
    }
    captures.pve = Some(files);
    true
}

/// `pve/firewall/100.fw` of `/etc/pve/firewall/100.fw`.
fn below_etc(sources: &SourceMap, file: FileId) -> String {
    let path = sources.path(file);
    path.strip_prefix("/etc").unwrap_or(path).display().to_string()
}

/// Guests that Proxmox VE knows and the spec does not: nothing of theirs is compared.
fn strangers(captures: &Captures, fleet: &Fleet) -> Vec<Note> {
    let known: BTreeSet<u32> = fleet.hosts.iter().flat_map(|host| &host.guests).map(|guest| guest.id).collect();
    let files = captures
        .pve
        .iter()
        .flatten()
        .filter_map(|(path, _)| path.strip_prefix("pve/firewall/")?.strip_suffix(".fw")?.parse().ok());
    let confs = captures.hosts.values().flat_map(|host| &host.confs).map(|(id, _)| *id);
    let strange: BTreeSet<u32> = files.chain(confs).filter(|id| !known.contains(id)).collect();
    let note = |id: u32| Note {
        kind: NoteKind::Attention,
        host: None,
        message: format!("guest {id} is in `/etc/pve` and not in the spec: its firewall is not fwc's"),
        help: None,
        place: None,
    };
    strange.into_iter().map(note).collect()
}

/// Files that fwc writes beside its rules and settings, where this machine has them in force.
fn companions(meant: &Meant, host: &HostPolicy, report: &mut Report) {
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    for path in ["modules-load.d/fwc.conf", "modprobe.d/fwc.conf", "default/chrony"] {
        let Some(wanted) = meant.text(&host.name, path) else { continue };
        let there = disk::read_root_file(Path::new("/"), &format!("etc/{path}"));
        let stale = match there {
            Ok(Some(text)) if lines(&text) == lines(wanted) => continue,
            Ok(Some(_)) => "says something else".to_owned(),
            Ok(None) => "is not there".to_owned(),
            Err(failure) => failure.message,
        };
        report.notes.push(Note {
            kind: NoteKind::Attention,
            host: Some(host.name.clone()),
            message: format!("`/etc/{path}` {stale}"),
            help: Some("install what `fwc build --host … --target sysctl` writes".to_owned()),
            place: None,
        });
    }
}

/// Where fwc's own file of kernel settings loses to another one at the next boot.
fn settings(meant: &Meant, host: &HostPolicy, report: &mut Report) {
    if !host.targets.contains(&TargetName::Sysctl) {
        return;
    }
    let mut sources = SourceMap::default();
    let (files, _) = match disk::read_setting_files(Path::new("/"), &mut sources) {
        Ok(read) => read,
        Err(failure) => {
            report.notes.push(Note {
                kind: NoteKind::NotCompared,
                host: Some(host.name.clone()),
                message: failure.message,
                help: failure.help,
                place: None,
            });
            return;
        }
    };
    let Some((name, text)) = meant.setting_file(host) else { return };
    let path = format!("etc/sysctl.d/{name}");
    let own = sources.add(&path, text);
    let mut tree = files.tree(&sources);
    let settings = |file, text| {
        let lines = crate::state::sysctl::read(file, text).lines.into_iter();
        lines.map(|line| (line.key, line.value.map(|value| value.value.to_owned()))).collect::<BTreeMap<_, _>>()
    };
    let stale = match tree.resolve(&path) {
        Some(Resolved::Text(_, file, there)) if settings(file, there) == settings(own, sources.text(own)) => None,
        Some(Resolved::Text(..) | Resolved::Nothing | Resolved::Unreadable(_)) => Some("says something else"),
        None => Some("is not there"),
    };
    if let Some(stale) = stale {
        report.notes.push(Note {
            kind: NoteKind::Attention,
            host: Some(host.name.clone()),
            message: format!("`/{path}` {stale}: the next boot brings other kernel settings than the spec's"),
            help: Some("install what `fwc build --host … --target sysctl` writes".to_owned()),
            place: None,
        });
    }
    tree.put(&path, crate::state::sysctl::Node::Text(own, sources.text(own)));
    let survey = Survey::of(&tree, Some(&path));
    report.notes.extend(crate::diff::machine::losses(&host.name, survey.losses()));
}
