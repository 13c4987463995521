//! Files as the fleet that they make.
//!
//! In: the files, and the nodes of the spec for what no file says. Out: a [`Fleet`] in which every rule knows the line that
//! it comes from; or nothing, where a line has no words in a spec. What was passed over on the way is said.
//!
//! A running node has the configurations of its guests beside the firewall's files: then their NICs are what these say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::diagnostic::{Code, Diagnostics, FileId, Place, Places, Severity, SourceMap, Span};
use crate::import::draft::Draft;
use crate::import::review::{Review, line_of};
use crate::import::{Input, Role, drafted, read, role, write};
use crate::policy::{Fleet, GuestKind, GuestPolicy, HostPolicy, Nic, Rule};
use crate::resolve::resolve;
use crate::spec;
use crate::state::guest_conf::{self, NicLine};

use super::{Finding, Kind};

/// What files mean.
#[derive(Debug)]
pub(super) struct Reread {
    /// Everything that Proxmox VE enforces.
    pub(super) fleet: Fleet,
    sources: SourceMap,
}

impl Reread {
    /// Reads files. With `as_nftables` what is said once for all nodes is read as that implementation does.
    pub(super) fn new(
        nodes: &[&HostPolicy],
        files: &BTreeMap<String, String>,
        as_nftables: bool,
        findings: &mut Vec<Finding>,
    ) -> Option<Self> {
        let mut sources = SourceMap::default();
        let inputs = inputs(nodes, files, &mut sources, findings);
        let mut review = Review { traced: true, ..Review::default() };
        let mut copy = read(&sources, &inputs, &mut review);
        copy.nodes.as_nftables = as_nftables;
        let mut imported = drafted(&copy, &inputs, review);
        passed_over(&imported.review, &sources, findings);
        of_the_nodes(nodes, &mut imported.draft);
        drop(copy);
        let text = write::file(&imported.draft);
        let mut made = SourceMap::default();
        made.add("files.yaml", text.as_str());
        let (loaded, mut found) = spec::load(&made);
        let fleet = loaded.filter(|_| !found.has_errors()).and_then(|spec| {
            let (fleet, more) = resolve(&spec);
            found.append(more);
            fleet
        });
        if fleet.is_none() {
            without_words(&found, &made, &sources, findings);
        }
        Some(Self { fleet: fleet?, sources })
    }

    /// A host of that name.
    pub(super) fn host(&self, name: &str) -> Option<&HostPolicy> {
        self.fleet.hosts.iter().find(|host| host.name == name)
    }

    /// The line of a rule: where it is, and how it reads.
    pub(super) fn line(&self, rule: &Rule) -> Option<(Place, String)> {
        let start = line_of(&rule.origin.identity)?;
        Some((Places(&self.sources).of(start), line(&self.sources, start).to_owned()))
    }
}

/// The text of a line from here on.
fn line(sources: &SourceMap, start: Span) -> &str {
    let rest = sources.text(start.file).get(start.start as usize..).unwrap_or_default();
    rest.lines().next().unwrap_or_default().trim()
}

/// The files with a role, and for what is no firewall's file those that a cluster like the spec's would have.
fn inputs(
    nodes: &[&HostPolicy],
    files: &BTreeMap<String, String>,
    sources: &mut SourceMap,
    findings: &mut Vec<Finding>,
) -> Vec<Input> {
    let hosts: BTreeSet<&str> = nodes.iter().map(|host| host.name.as_str()).collect();
    let guests: BTreeSet<u32> = nodes.iter().flat_map(|host| &host.guests).map(|guest| guest.id).collect();
    let mut inputs = Vec::new();
    let mut confs: BTreeMap<u32, BTreeMap<String, (&str, &str)>> = BTreeMap::new();
    for (path, text) in files {
        let Some(below) = path.strip_prefix("pve/") else { continue };
        let known = match role(below) {
            Some(Role::Conf { node: Some(node), id, .. }) if guests.contains(&id) => {
                confs.entry(id).or_default().insert(node, (path, text));
                continue;
            }
            None | Some(Role::Conf { .. } | Role::Corosync | Role::Host(None)) => None,
            Some(Role::Host(Some(name))) => hosts.contains(name.as_str()).then_some(Role::Host(Some(name))),
            Some(Role::Guest(id)) => guests.contains(&id).then_some(Role::Guest(id)),
            Some(role @ (Role::Cluster | Role::Vnet(_))) => Some(role),
        };
        match known {
            Some(role) => inputs.push(Input { role, file: sources.add(path, text.as_str()) }),
            None => {
                let message =
                    "Proxmox VE's firewall reads no such file, or reads it for a machine that the spec does not have";
                let place = Some(Place { file: path.clone(), line: 1 });
                findings.push(finding(Kind::Exception, message.to_owned(), place));
            }
        }
    }
    let nodelist = nodes.iter().fold("nodelist {\n".to_owned(), |mut text, host| {
        let _ = write!(text, "  node {{\n    name: {}\n  }}\n", host.name);
        text
    });
    inputs.push(Input { role: Role::Corosync, file: sources.add("corosync.conf", nodelist + "}\n") });
    for (host, guest) in nodes.iter().flat_map(|host| host.guests.iter().map(move |guest| (host, guest))) {
        let (folder, machine) = match guest.kind {
            GuestKind::Vm => ("qemu-server", guest_conf::Machine::Vm),
            GuestKind::Container => ("lxc", guest_conf::Machine::Container),
        };
        // A guest that runs elsewhere for now has its NICs there.
        let here = confs.get(&guest.id).and_then(|all| all.get(&host.name).or_else(|| all.values().next()));
        let (path, text): (String, String) = match here {
            Some((path, conf)) => {
                let lines = guest_conf::read(FileId(0), conf).nics;
                ((*path).to_owned(), lines.iter().map(|line| configured(guest, line)).collect())
            }
            None => {
                let path = format!("nodes/{}/{folder}/{}.conf", host.name, guest.id);
                (path, guest.nics.iter().map(nic).collect())
            }
        };
        let role = Role::Conf { node: Some(host.name.clone()), machine: Some(machine), id: guest.id };
        inputs.push(Input { role, file: sources.add(path, text) });
    }
    inputs
}

/// A NIC as a guest's configuration has it, its addresses left out: Proxmox VE's IP filter has what the files list.
fn nic(nic: &Nic) -> String {
    let mac = nic.mac.map_or_else(String::new, |mac| format!("hwaddr={},", mac.to_string().to_uppercase()));
    let bridge = nic.bridge.as_ref().map_or_else(String::new, |bridge| format!("bridge={bridge},"));
    let tag = nic.tag.map_or_else(String::new, |tag| format!("tag={tag},"));
    format!("net{}: {mac}{bridge}{tag}firewall={}\n", nic.index, u8::from(nic.firewall))
}

/// A NIC as the guest's own configuration has it, but for a MAC that the spec leaves open. Its addresses matter where
/// Proxmox VE lets them pass an IP filter: those of a container.
fn configured(guest: &GuestPolicy, line: &NicLine<'_>) -> String {
    let filtered = guest.kind == GuestKind::Container && guest.nics.iter().any(|nic| nic.sources.is_some());
    let addresses = line.addresses.iter().filter(|text| filtered && text.value.contains('/'));
    let addresses = addresses.map(|text| {
        let key = if text.value.contains(':') { "ip6" } else { "ip" };
        (key, Some(text.value))
    });
    let is_open = guest.nics.iter().any(|nic| nic.index == line.index && nic.mac.is_none());
    let parts = [("hwaddr", line.mac.filter(|_| !is_open)), ("bridge", line.bridge), ("tag", line.tag)];
    let parts = parts.map(|(key, text)| (key, text.map(|text| text.value)));
    let parts = parts.into_iter().chain(addresses).filter_map(|(key, value)| Some(format!("{key}={},", value?)));
    format!("net{}: {}firewall={}\n", line.index, parts.collect::<String>(), u8::from(line.firewall))
}

/// Gives nodes the addresses that they have, of which no file of the firewall's speaks.
fn of_the_nodes(nodes: &[&HostPolicy], draft: &mut Draft) {
    for host in nodes {
        let known = draft.hosts.entry(host.name.clone()).or_default();
        known.addresses = host.addresses.iter().map(|address| address.0.to_string()).collect();
        known.corosync.clear();
    }
}

/// Lines that Proxmox VE passes over, and those that it enforces and a spec cannot say.
fn passed_over(review: &Diagnostics, sources: &SourceMap, findings: &mut Vec<Finding>) {
    for diagnostic in review.iter() {
        // What is worded otherwise means the same; what the files do not say, the spec says.
        let kinds = [(Code::ImportIgnored, Kind::Exception), (Code::ImportNotCarried, Kind::NotCompared)];
        let Some((_, kind)) = kinds.into_iter().find(|(code, _)| *code == diagnostic.code) else { continue };
        let span = diagnostic.span();
        let reason = diagnostic.labels.first().map(|label| label.text.as_str()).unwrap_or_default();
        let does = match kind {
            Kind::Exception => "Proxmox VE passes over it",
            Kind::Differs | Kind::NotCompared => "Proxmox VE enforces it, and a spec cannot say it",
        };
        let message = format!("`{}`: {does}: {reason}", line(sources, span));
        findings.push(finding(kind, message, Some(Places(sources).of(span))));
    }
}

/// Why the files make no fleet, by the lines that are to blame.
fn without_words(found: &Diagnostics, made: &SourceMap, sources: &SourceMap, findings: &mut Vec<Finding>) {
    for diagnostic in found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error) {
        let span = diagnostic.span();
        let before = made.text(span.file).get(..span.start as usize).unwrap_or_default();
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let text = line(made, Span { start: u32::try_from(begin).unwrap_or(0), ..span });
        let start = text.split([' ', ',', '}', '"']).find_map(line_of);
        let of = start.map_or_else(|| text.to_owned(), |start| line(sources, start).to_owned());
        let message = format!("`{of}`: it has no words in a spec: {}", diagnostic.message);
        findings.push(finding(Kind::NotCompared, message, start.map(|start| Places(sources).of(start))));
    }
}

const fn finding(kind: Kind, message: String, place: Option<Place>) -> Finding {
    Finding { kind, host: None, machine: None, hook: None, message, place, span: None, witness: None }
}
