//! `--live`: what this machine has loaded, and what Proxmox VE's firewall is told in `/etc/pve`.
//!
//! A host may be enforced by any of its targets, and by more than one. Whatever has fwc's rules is proved; Proxmox VE's files
//! where they switch its firewall on. Only where nothing enforces it is asked what every target says.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::diff::capture::{Captures, HostCapture};
use crate::cli::diff::{live, node};
use crate::cli::report::plural;
use crate::cli::{Failure, machine};
use crate::diagnostic::SourceMap;
use crate::diff::report::{Note, NoteKind};
use crate::import::proof::{self, Finding};
use crate::policy::{Fleet, HostPolicy};
use crate::state::ruleset::Program;
use crate::target::{self, Rules};

use super::view::{self, HostView, Report};
use super::{Listed, Texts, programs, proved, rules};

/// Proves this machine.
///
/// # Errors
/// Where the spec does not have it.
pub(super) fn running((fleet, spec): (&Fleet, &SourceMap), wanted: Option<&str>) -> Result<Report, Failure> {
    let host = machine::host(fleet, wanted, Path::new("/"))?;
    let mut captures = Captures::default();
    captures.host(&host.name).is_whole = true;
    live::programs(&mut captures, host, |file| file == "ipset.rules" && host.iptables.ipset);
    let nothing = HostCapture::default();
    let files = proof::is_node(host).then(|| files(&mut captures, fleet, host));
    let capture = captures.hosts.get(&host.name).unwrap_or(&nothing);
    let rules = rules(host, capture);
    let is_loaded = |program: &Program| {
        let of_fwc = |rules| target::is_enforced(host, rules) && !target::is_of_proxmox(rules);
        rules.of.get(program).is_some_and(of_fwc)
    };
    let loaded: Vec<Program> = programs(host).into_iter().filter(is_loaded).collect();
    let is_on = matches!(&files, Some(Some(files)) if proof::is_on(fleet, host, files));
    let is_idle = loaded.is_empty() && !is_on;
    let is_made = rules.of.values().any(target::is_of_proxmox);
    let mut view = if is_idle && host.enabled && !is_made {
        let is_all = !matches!(&files, Some(None));
        HostView::nothing(&host.name, &programs(host), &capture.unknown, is_all)
    } else {
        // Of both families one alone would leave the other open.
        let pair = [Program::Iptables, Program::Ip6tables];
        let wanted = if loaded.iter().any(|program| pair.contains(program)) {
            programs(host).into_iter().filter(|program| pair.contains(program) || loaded.contains(program)).collect()
        } else {
            loaded
        };
        let texts = Texts { fleet, spec, rules: Listed::There(&captures.sources) };
        proved(host, &rules, (&wanted, &capture.unknown), texts)
    };
    let mut findings = Vec::new();
    match &files {
        Some(Some(files)) if is_on || is_idle => {
            findings = in_etc(proof::pve(fleet, files));
            view.files(&findings);
        }
        Some(None) if is_idle => view.files_not_had(),
        Some(Some(_)) => {
            let message = "Proxmox VE's firewall is off in `/etc/pve`: its files were not looked at".to_owned();
            captures.notes.push(Note { kind: NoteKind::Info, host: None, message, help: None, place: None });
        }
        Some(None) | None => {}
    }
    view.others(others(&rules, capture));
    let mut report = Report { hosts: vec![view], ..Report::default() };
    report.exceptions(&findings);
    report.notes(&captures);
    for (program, rules) in &rules.of {
        for (chain, count) in target::led_late(host, rules) {
            let rules = plural(count, "rule");
            let note = format!(
                "{} of others before those of fwc in {} {chain}: what they decide was not looked at",
                rules,
                view::word(*program)
            );
            report.notes.push(note);
        }
    }
    Ok(report)
}

/// What `/etc/pve` has of the spec's machines, by the paths of an output tree; nothing where it cannot all be read, which is
/// noted.
fn files(captures: &mut Captures, fleet: &Fleet, host: &HostPolicy) -> Option<BTreeMap<String, String>> {
    if !live::pve(captures, host) {
        let message = "there is no `/etc/pve`: what Proxmox VE's firewall is told is not known";
        captures.miss(Some(&host.name), message.to_owned(), None);
    }
    node::files(fleet, captures)
}

/// Findings with the paths that the machine has.
fn in_etc(mut findings: Vec<Finding>) -> Vec<Finding> {
    let places = findings.iter_mut().filter_map(|finding| finding.place.as_mut());
    for place in places.filter(|place| place.file.starts_with("pve/")) {
        place.file = format!("/etc/{}", place.file);
    }
    findings
}

/// Tables that fwc has no part in.
fn others(rules: &Rules, capture: &HostCapture) -> Vec<String> {
    let mut found = Vec::new();
    for (program, rules) in &rules.of {
        let of_proxmox = target::is_of_proxmox(rules);
        for (name, table) in &rules.tables {
            let own = match program {
                Program::Nft => &*name.name == "fwc" || table.chains.is_empty(),
                Program::Iptables | Program::Ip6tables | Program::Ebtables => {
                    !of_proxmox && ["filter", "raw"].contains(&&*name.name)
                        || table.chains.values().all(|chain| chain.rules.is_empty())
                }
            };
            if !own {
                found.push(format!("{} {name}", view::word(*program)));
            }
        }
    }
    found.extend(capture.others.iter().map(|(program, _)| format!("tables of {program}")));
    found
}
