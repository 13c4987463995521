//! The spec against what was captured: `--against`, `--state` and `--live` come together here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::pipeline::Pipeline;
use crate::cli::{Failure, disk, machine};
use crate::diagnostic::{FileId, SourceMap};
use crate::diff::machine::{FwFile, Host, Likeness, Machines};
use crate::diff::report::{NoteKind, Report, Status};
use crate::diff::ruleset;
use crate::policy::{HostPolicy, TargetName, ZoneRef};
use crate::state::fw;
use crate::state::ruleset::{Program, Ruleset, Verdict};
use crate::state::{guest_conf, ipset, iptables, nft};
use crate::target::{self, OutputFile, Selection, Templates};

use super::capture::{Captures, HostCapture};
use super::otherwise::Otherwise;
use super::{Arguments, Outcome, node, text, tree};

/// What the spec compiles to.
pub(super) struct Meant {
    pub(super) pipeline: Pipeline,
    /// Where the spec is.
    label: String,
    /// The compiled files, by path.
    files: BTreeMap<String, FileId>,
    texts: SourceMap,
}

/// Programs with the file that is theirs below a host's folder.
const FILES: [(Program, &str, &str); 4] = [
    (Program::Iptables, "iptables", "iptables.rules"),
    (Program::Ip6tables, "ip6tables", "ip6tables.rules"),
    (Program::Ebtables, "ebtables", "ebtables.rules"),
    (Program::Nft, "nft", "fwc.nft"),
];

impl Meant {
    /// Compiles the spec. None where it has errors, which were printed.
    ///
    /// # Errors
    /// Where there is no spec.
    pub(super) fn compile(arguments: &Arguments) -> Result<Option<Self>, Failure> {
        let templates = Templates::new(Default::default()).map_err(|error| Failure::new(error.to_string()))?;
        let path = disk::spec_path(arguments.spec.as_deref())?;
        let mut pipeline = Pipeline::run(Some(&path))?;
        let compiled = pipeline.compile(&Selection::default(), &templates)?;
        if pipeline.diagnostics.has_errors() {
            pipeline.report();
            return Ok(None);
        }
        let mut texts = SourceMap::default();
        let mut add = |file: OutputFile| (file.path.clone(), texts.add(file.path, file.content));
        let files = compiled.into_iter().map(&mut add).collect();
        Ok(Some(Self { pipeline, label: path.display().to_string(), files, texts }))
    }

    /// A host of the spec.
    pub(super) fn hosts(&self) -> &[HostPolicy] {
        self.pipeline.fleet.as_ref().map_or(&[], |fleet| &fleet.hosts)
    }

    /// A compiled file of a host.
    fn file(&self, host: &str, path: &str) -> Option<(FileId, &str)> {
        let file = *self.files.get(&format!("hosts/{host}/{path}"))?;
        Some((file, self.texts.text(file)))
    }

    fn rules(&self, host: &str, program: Program, path: &str) -> Option<Ruleset> {
        let (file, text) = self.file(host, path)?;
        Some(match program {
            Program::Nft => nft::read(file, text),
            Program::Iptables | Program::Ip6tables | Program::Ebtables => iptables::read(file, text, program),
        })
    }

    /// Kernel settings that the spec sets or implies, key and value.
    pub(super) fn settings(&self, host: &HostPolicy) -> Vec<(String, String)> {
        let path = format!("sysctl.d/{}", host.sysctl_file.value);
        let Some((file, text)) = self.file(&host.name, &path) else { return Vec::new() };
        let read = crate::state::sysctl::read(file, text);
        read.lines.into_iter().filter_map(|line| Some((line.key, line.value?.value.to_owned()))).collect()
    }

    /// fwc's own file of kernel settings: its name and its text.
    pub(super) fn setting_file(&self, host: &HostPolicy) -> Option<(String, String)> {
        let name = host.sysctl_file.value.clone();
        let (_, text) = self.file(&host.name, &format!("sysctl.d/{name}"))?;
        Some((name, text.to_owned()))
    }

    /// The text of a compiled file of a host.
    pub(super) fn text(&self, host: &str, path: &str) -> Option<&str> {
        self.file(host, path).map(|(_, text)| text)
    }

    /// Whether a file is compiled for a host.
    pub(super) fn has(&self, host: &str, path: &str) -> bool {
        self.file(host, path).is_some()
    }

    /// Every compiled file by its path.
    fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, file)| (path.as_str(), self.texts.text(*file)))
    }
}

/// Hosts that one side alone has.
#[derive(Debug, Clone, Copy, Default)]
struct Lonely<'a> {
    added: &'a [&'a String],
    removed: &'a [&'a String],
}

/// Compares all that was captured. `label` says what it is.
pub(super) fn compare(arguments: &Arguments, meant: &Meant, captures: Captures, label: String) -> Report {
    compare_all(arguments, meant, captures, label, Lonely::default())
}

fn compare_all(arguments: &Arguments, meant: &Meant, captures: Captures, label: String, lonely: Lonely<'_>) -> Report {
    let mut report = Report { old: label, new: meant.label.clone(), ..Report::default() };
    let Some(fleet) = &meant.pipeline.fleet else { return report };
    let mut machines = Machines::new(fleet, &meant.pipeline.sources, &captures.sources);
    let mut otherwise = Otherwise::default();
    for host in &fleet.hosts {
        let Some(capture) = captures.hosts.get(&host.name) else { continue };
        let mut here = machines.host(host);
        let by_proxmox = node::is_enforced(fleet, host, &captures, capture);
        let in_use = rules(arguments, meant, (host, by_proxmox), capture, (&mut here, &mut otherwise));
        let loaded = in_use.is_some();
        if let Some((running, file)) = &capture.running {
            let place = file.map(|file| crate::diagnostic::Span { file, start: 0, len: 0 });
            here.running(&meant.settings(host), running, place);
        }
        if let Some((settings, file)) = &capture.settings {
            let place = crate::diagnostic::Span { file: *file, start: 0, len: 0 };
            here.settings(&meant.settings(host), settings, Some(place), capture.is_tree);
        } else if capture.is_tree {
            here.settings(&meant.settings(host), &Default::default(), None, true);
        }
        others(meant, (host, by_proxmox), capture, (&mut here, &mut otherwise));
        if !capture.is_tree {
            not_given(meant, host, capture, in_use, &mut here);
        }
        for (id, file) in &capture.confs {
            here.nics(*id, &guest_conf::read(*file, captures.sources.text(*file)));
        }
        if let Some(files) = captures.pve.as_ref().filter(|_| host.targets.contains(&TargetName::Pve)) {
            let known = loaded || files.keys().any(|path| meant.files.contains_key(path));
            if capture.is_whole && !known && captures.pve_unread.is_empty() {
                here.note(NoteKind::Info, "pve: nothing of fwc's is in `/etc/pve`", None, None);
            } else {
                if pve(meant, &captures, host, files, capture, &mut here) {
                    let is_all = (capture.is_tree || capture.is_whole) && captures.pve_unread.is_empty();
                    otherwise.files((fleet, host), is_all, (files, &captures.sources));
                }
            }
        }
        if capture.is_tree {
            plain_files(meant, &captures.sources, host, capture, &mut here);
        }
        here.done();
    }
    lonely.added.iter().for_each(|host| machines.lonely_host(host, Status::Added));
    lonely.removed.iter().for_each(|host| machines.lonely_host(host, Status::Removed));
    for note in captures.notes.clone() {
        machines.note(note);
    }
    (report.hosts, report.causes, report.notes) = machines.finish();
    report.wire = otherwise.wire(fleet, &meant.pipeline.sources, &captures.sources);
    report
}

/// The rulesets of a host; `by_proxmox`: whether Proxmox VE filters there. Says by which target fwc's rules are loaded, if they are.
fn rules<'f>(
    arguments: &Arguments,
    meant: &Meant,
    (host, by_proxmox): (&'f HostPolicy, bool),
    capture: &HostCapture,
    (here, otherwise): (&mut Host<'_, '_>, &mut Otherwise<'f>),
) -> Option<TargetName> {
    let mut both: Vec<(&'static str, Ruleset, &Ruleset)> = Vec::new();
    for (program, output, path) in FILES {
        let Some(mut wanted) = meant.rules(&host.name, program, path) else { continue };
        let Some(found) = capture.rules.get(&program) else {
            if capture.unknown.contains(&program) {
                otherwise.unknown(host, output, "its rules cannot be read".to_owned());
            } else if capture.is_tree {
                here.missing_file(output, path);
                otherwise.unknown(host, output, "its rules are not there".to_owned());
            }
            continue;
        };
        if let Some((file, text)) = meant.file(&host.name, "ipset.rules") {
            with_sets(&mut wanted, &ipset::read(file, text).0);
        }
        both.push((output, wanted, found));
    }
    let family = |output: &str| if output == "nft" { TargetName::Nft } else { TargetName::Iptables };
    let loaded: BTreeSet<TargetName> = both
        .iter()
        .filter(|(_, wanted, found)| match by_proxmox {
            true => node::is_filtering(host, wanted, found),
            false => ruleset::is_loaded(wanted, found),
        })
        .map(|(output, ..)| family(output))
        .collect();
    if by_proxmox {
        let (there, not): (Vec<_>, Vec<_>) =
            both.into_iter().partition(|(output, ..)| loaded.contains(&family(output)));
        both = there;
        let names: Vec<&str> = not.iter().map(|(output, ..)| *output).collect();
        if !names.is_empty() {
            let message = format!(
                "Proxmox VE filters here by its files in `/etc/pve`, which are compared; rules of fwc's are not loaded ({})",
                names.join(", ")
            );
            here.note(NoteKind::Info, message, None, None);
        }
    }
    for (output, wanted, found) in &both {
        // A host enforces by one program; the others' files lie ready, and not being loaded is no difference.
        if !capture.is_tree && !loaded.is_empty() && !loaded.contains(&family(output)) {
            let message = format!("{output} is not in use here: fwc's rules are loaded by another program");
            here.note(NoteKind::Info, message, None, None);
            continue;
        }
        let mut found = (*found).clone();
        if let Some(sets) = &capture.sets {
            with_sets(&mut found, sets);
        }
        match here.rules(output, wanted, &found, arguments.foreign) {
            Likeness::Words => {}
            Likeness::Meaning => otherwise.same(),
            Likeness::NotKnown => otherwise.take(host, output, capture, found),
        }
    }
    loaded.first().copied()
}

/// Rules of the other kind of iptables, in the tables that fwc's rules are in.
fn others(
    meant: &Meant,
    (host, by_proxmox): (&HostPolicy, bool),
    capture: &HostCapture,
    (here, otherwise): (&mut Host<'_, '_>, &mut Otherwise<'_>),
) {
    for (program, found) in &capture.others {
        if by_proxmox && target::is_of_proxmox(found) {
            continue;
        }
        let Some((of, output, path)) = FILES.iter().find(|(of, ..)| *of == found.program) else { continue };
        let Some(wanted) = meant.rules(&host.name, *of, path) else { continue };
        let own = |name| wanted.tables.contains_key(name);
        for (name, table) in found.tables.iter().filter(|(name, _)| own(name)) {
            let closed = table.chains.values().filter_map(|chain| chain.base.as_ref());
            let closed = closed.filter(|base| base.policy == Verdict::Drop).count();
            let rules: usize = table.chains.values().map(|chain| chain.rules.len()).sum();
            if rules + closed > 0 {
                here.other_kind(program, &name.to_string(), rules);
                otherwise.unknown(host, output, format!("what {program} does in table {name} is not looked at"));
            }
        }
    }
}

/// What the host wants and nobody gave: a reader must know what "no difference" is about.
fn not_given(
    meant: &Meant,
    host: &HostPolicy,
    capture: &HostCapture,
    in_use: Option<TargetName>,
    here: &mut Host<'_, '_>,
) {
    let family = |program: Program| if program == Program::Nft { TargetName::Nft } else { TargetName::Iptables };
    let mut missing: Vec<&str> = FILES
        .iter()
        .filter(|(program, _, path)| meant.has(&host.name, path) && !capture.rules.contains_key(program))
        .filter(|(program, ..)| in_use.is_none_or(|target| target == family(*program)))
        .map(|(_, output, _)| *output)
        .collect();
    let settings = capture.running.is_some() || capture.settings.is_some();
    missing.extend((!settings && !meant.settings(host).is_empty()).then_some("sysctl"));
    if !missing.is_empty() && !capture.is_whole {
        here.note(NoteKind::Info, format!("nothing was given of {}", missing.join(", ")), None, None);
    }
}

/// Puts ipsets beside the rules that name them.
fn with_sets(rules: &mut Ruleset, sets: &BTreeMap<std::sync::Arc<str>, crate::state::ruleset::Set>) {
    if matches!(rules.program, Program::Iptables | Program::Ip6tables) {
        for table in rules.tables.values_mut() {
            table.sets.extend(sets.iter().map(|(name, set)| (std::sync::Arc::clone(name), set.clone())));
        }
    }
}

/// `.fw` files that concern a host: the cluster's, its own, its guests', the vnets'. Says whether any of them differs.
fn pve(
    meant: &Meant,
    captures: &Captures,
    host: &HostPolicy,
    files: &BTreeMap<String, FileId>,
    capture: &HostCapture,
    here: &mut Host<'_, '_>,
) -> bool {
    let mut differ = false;
    let mut wanted: Vec<(String, ZoneRef, fw::Kind)> = vec![
        ("pve/firewall/cluster.fw".to_owned(), ZoneRef::Datacenter, fw::Kind::Cluster),
        (format!("pve/nodes/{}/host.fw", host.name), ZoneRef::Host(host.name.clone()), fw::Kind::Host),
    ];
    wanted.extend(
        host.guests.iter().map(|guest| (format!("pve/firewall/{}.fw", guest.id), guest.zone(), fw::Kind::Guest)),
    );
    wanted.extend(
        host.vnets.iter().map(|vnet| {
            (format!("pve/sdn/firewall/{}.fw", vnet.name), ZoneRef::Vnet(vnet.name.clone()), fw::Kind::Vnet)
        }),
    );
    for (path, zone, kind) in wanted {
        let (ours, theirs) = (meant.files.get(&path), files.get(&path));
        let ours = ours.map(|file| (*file, meant.texts.text(*file)));
        let theirs = theirs.map(|file| (*file, captures.sources.text(*file)));
        if captures.pve_unread.contains(&path) {
            continue;
        }
        if ours.map(|(_, text)| text) == theirs.map(|(_, text)| text) {
            continue;
        }
        // Of files that were named one by one, the others are simply not known.
        if theirs.is_none() && !capture.is_whole && !capture.is_tree {
            continue;
        }
        let meant_text = ours.map(|(file, text)| fw::read(kind, file, text));
        let found_text = theirs.map(|(file, text)| fw::read(kind, file, text));
        differ |= here.fw(FwFile { zone: &zone, path: &path, meant: meant_text.as_ref(), found: found_text.as_ref() });
    }
    differ
}

/// Files that are neither rules nor settings, compared as they are but for comments.
fn plain_files(meant: &Meant, sources: &SourceMap, host: &HostPolicy, capture: &HostCapture, here: &mut Host<'_, '_>) {
    let prefix = format!("hosts/{}/", host.name);
    let rules = |path: &str| FILES.iter().any(|(_, _, file)| *file == path) || path.starts_with("sysctl.d/");
    let ours: BTreeMap<&str, &str> = meant
        .texts()
        .filter_map(|(path, text)| Some((path.strip_prefix(&prefix)?, text)))
        .filter(|(path, _)| !rules(path))
        .collect();
    let theirs: BTreeMap<&str, &str> =
        capture.files.iter().map(|(path, file)| (path.as_str(), sources.text(*file))).collect();
    for path in ours.keys().chain(theirs.keys()).copied().collect::<BTreeSet<_>>() {
        let lines = |text: &str| -> Vec<String> {
            text.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned)
                .collect()
        };
        let (old, new) = (theirs.get(path).map(|text| lines(text)), ours.get(path).map(|text| lines(text)));
        if old != new {
            here.plain_file(path, old.map(|lines| lines.join("; ")), new.map(|lines| lines.join("; ")));
        }
    }
}

/// The host that the command line names, which the spec must have.
///
/// # Errors
/// Where it does not.
pub(super) fn wanted_host(arguments: &Arguments, meant: &Meant) -> Result<Option<String>, Failure> {
    let (Some(name), Some(fleet)) = (&arguments.host, &meant.pipeline.fleet) else { return Ok(None) };
    machine::host(fleet, Some(name), Path::new("/")).map(|host| Some(host.name.clone()))
}

/// `--against DIR`.
///
/// # Errors
/// Where there is no spec or no such folder.
pub(super) fn against(arguments: &Arguments, folder: &Path) -> Result<Outcome, Failure> {
    let Some(meant) = Meant::compile(arguments)? else { return Ok(Outcome { report: None, failed: true }) };
    let wanted = wanted_host(arguments, &meant)?;
    let tree = disk::read_tree(folder, meant.hosts())?;
    let mut captures = tree::capture(folder, &tree);
    let there: BTreeSet<String> = tree::hosts(&tree);
    let known: BTreeSet<String> = meant.hosts().iter().map(|host| host.name.clone()).collect();
    let is_wanted = |host: &String| wanted.as_ref().is_none_or(|wanted| wanted == host);
    for host in known.intersection(&there) {
        captures.host(host).is_tree = true;
    }
    captures.hosts.retain(|host, _| is_wanted(host));
    let only_ours: Vec<&String> = known.difference(&there).filter(|host| is_wanted(host)).collect();
    let only_theirs: Vec<&String> = there.difference(&known).filter(|host| is_wanted(host)).collect();
    let lonely = Lonely { added: &only_ours, removed: &only_theirs };
    let mut report = compare_all(arguments, &meant, captures, folder.display().to_string(), lonely);
    if arguments.text {
        let ours = meant.texts().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        let theirs = tree.into_iter().map(|(path, captured)| (path, captured.text)).collect();
        report.files = text::compare(&theirs, &ours);
    }
    Ok(Outcome { report: Some(report), failed: false })
}
