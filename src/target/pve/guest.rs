//! `<VMID>.fw`: a guest's options, definitions and rules, inherited ones included.
//!
//! In: the guest as each of its hosts enforces it. Out: the one file that Proxmox VE has for it; or, where its hosts
//! ask for different ones, an error that names both and the first difference.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::policy::{GuestKind, GuestPolicy, HostPolicy, Inherited, Nic, Section, ZoneRef};

use super::build::{Build, heading};
use super::file::{FwFile, IpsetLine, IpsetSection, RuleBlock, RuleLine};
use super::ipset::networks;
use super::names::{GuestNames, Scope, definitions};
use super::options;

/// A guest's file; none where its hosts disagree.
pub(super) fn file<'a>(build: &mut Build<'a>, places: &[(&'a HostPolicy, &'a GuestPolicy)]) -> Option<FwFile> {
    let ((host, guest), others) = places.split_first()?;
    let file = lower(build, host, guest);
    for (other_host, other) in others {
        if same(host, guest, other_host, other) {
            continue;
        }
        let second = lower(build, other_host, other);
        if let Some(difference) = first_difference(&file, &second) {
            let id = guest.id;
            let message = format!(
                "Proxmox VE has one file for guest {id}, and it would differ between `{}` and `{}`",
                host.name, other_host.name
            );
            build.diagnostics.push(
                Diagnostic::error(Code::PveGuestDiffers, guest.span, message)
                    .because(difference)
                    .label(host.span, "one of its hosts")
                    .label(other_host.span, "another one")
                    .help("let its hosts agree, or leave `pve` out of the `targets` of all but one"),
            );
            return None;
        }
    }
    Some(file)
}

fn lower<'a>(build: &mut Build<'a>, host: &'a HostPolicy, guest: &'a GuestPolicy) -> FwFile {
    let zone = guest.zone();
    let (aliases, own) = definitions(build.fleet, &build.names.kinds, &zone, &mut build.diagnostics);
    let ipsets: BTreeMap<String, IpsetSection> = own.into_iter().map(|set| (set.name.clone(), set)).collect();
    let mut names = GuestNames { zone, ipsets };
    let mut rules: Vec<RuleBlock> = Vec::with_capacity(guest.rules.sections.len());
    for inherited in &guest.rules.sections {
        rules.extend(rule_block(build, inherited, &mut names));
    }
    let enable = guest.options.enable.value && host.options.enable.value;
    let filtered: Vec<&Nic> = guest.nics.iter().filter(|nic| nic.firewall).collect();
    let ipfilter = filtered.iter().all(|nic| nic.sources.is_some());
    let ipfilter = ipfilter && (!filtered.is_empty() || guest.options.ipfilter.value);
    let mut ipsets: Vec<IpsetSection> = filtered.iter().filter_map(|nic| ipfilter_set(nic)).collect();
    ipsets.extend(names.ipsets.into_values());
    ipsets.sort_by(|left, right| left.name.cmp(&right.name));
    FwFile {
        header: header(host, guest, enable),
        options: options::guest(&guest.options, enable, ipfilter),
        aliases,
        ipsets,
        groups: Vec::new(),
        rules,
    }
}

fn rule_block<'a>(build: &mut Build<'a>, inherited: &'a Inherited, names: &mut GuestNames) -> Option<RuleBlock> {
    let section: &'a Section = &inherited.section;
    let own = section.zone == names.zone || matches!(&section.zone, ZoneRef::Nic(guest, _) if **guest == names.zone);
    if own {
        let lines = build.lines(section, &mut Scope::Guest(names));
        (!lines.is_empty()).then(|| RuleBlock { heading: heading(section), lines: lines.into() })
    } else {
        build.block(inherited)
    }
}

/// Who may send from a NIC. Networks only: exclusions are ignored there, and an alias would break it.
fn ipfilter_set(nic: &Nic) -> Option<IpsetSection> {
    let sources = nic.sources.as_ref()?;
    Some(IpsetSection {
        name: format!("ipfilter-net{}", nic.index),
        comment: None,
        notes: Vec::new(),
        entries: networks(sources).into_iter().map(|value| IpsetLine { value, comment: None }).collect(),
    })
}

fn header(host: &HostPolicy, guest: &GuestPolicy, enable: bool) -> Vec<String> {
    let name = guest.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let zone = guest.zone();
    let mut header = vec![format!("Compiled by fwc from {zone}{name}. Changes made here are lost.")];
    header.extend(guest.comment.clone());
    if guest.options.enable.value && !host.options.enable.value {
        header.push("Not filtered: the firewall of its host is off.".to_owned());
    }
    if enable {
        guest.nics.iter().for_each(|nic| nic_notes(guest, nic, &mut header));
    }
    header
}

/// What must stand in the guest's configuration, which fwc does not write, and the command for it.
fn nic_notes(guest: &GuestPolicy, nic: &Nic, header: &mut Vec<String>) {
    let id = guest.id;
    let net = nic.index;
    let tool = match guest.kind {
        GuestKind::Vm => "qm",
        GuestKind::Container => "pct",
    };
    let facts: Vec<String> = [
        nic.mac.map(|mac| mac.to_string().to_uppercase()),
        nic.bridge.as_ref().map(|bridge| format!("bridge {bridge}")),
        nic.tag.map(|tag| format!("tag {tag}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    let flag = u8::from(nic.firewall);
    let keep = format!("$({tool} config {id} | sed -n 's/^net{net}: //p' | sed 's/,firewall=[01]//')");
    header.push(format!("net{net}{facts} needs firewall={flag} in the guest's configuration:"));
    header.push(format!("  {tool} set {id} --net{net} \"{keep},firewall={flag}\""));
}

/// Whether two hosts plainly ask for the same file; where not, the files themselves are compared.
fn same(host: &HostPolicy, guest: &GuestPolicy, other_host: &HostPolicy, other: &GuestPolicy) -> bool {
    let sections = guest.rules.sections.len() == other.rules.sections.len()
        && guest
            .rules
            .sections
            .iter()
            .zip(&other.rules.sections)
            .all(|(left, right)| std::sync::Arc::ptr_eq(&left.section, &right.section));
    sections
        && host.options.enable.value == other_host.options.enable.value
        && guest.options == other.options
        && guest.nics == other.nics
}

/// Where two files first mean something different, in a few words.
fn first_difference(left: &FwFile, right: &FwFile) -> Option<String> {
    for (a, b) in pairs(&left.options, &right.options) {
        if a != b {
            let text = |line: Option<&super::file::OptionLine>| {
                line.map_or_else(|| "nothing".to_owned(), |line| format!("`{}: {}`", line.name, line.value))
            };
            return Some(format!("{} on one, {} on the other", text(a), text(b)));
        }
    }
    let sets = pairs(&left.ipsets, &right.ipsets);
    for (a, b) in sets {
        let key = |set: Option<&IpsetSection>| set.map(|set| (set.name.clone(), set.entries.clone()));
        if key(a) != key(b) {
            let name = a.or(b).map_or("", |set| set.name.as_str());
            return Some(format!("the ipset `{name}` differs"));
        }
    }
    let rules = |file: &FwFile| file.rules.iter().flat_map(|block| block.lines.iter().cloned()).collect::<Vec<_>>();
    for (a, b) in pairs(&rules(left), &rules(right)) {
        let equal = match (a, b) {
            (Some(a), Some(b)) => a.means(b),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !equal {
            return Some(format!("{} on one, {} on the other", rule_text(a), rule_text(b)));
        }
    }
    None
}

fn rule_text(line: Option<&RuleLine>) -> String {
    let Some(line) = line else { return "no further rule".to_owned() };
    let mut text = String::new();
    line.write(&mut text);
    format!("`{text}`")
}

/// Two lists side by side, to the end of the longer one.
fn pairs<'l, T>(left: &'l [T], right: &'l [T]) -> Vec<(Option<&'l T>, Option<&'l T>)> {
    let length = left.len().max(right.len());
    (0..length).map(|at| (left.get(at), right.get(at))).collect()
}
