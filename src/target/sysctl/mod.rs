//! The target `sysctl`: kernel settings, the modules they need, conntrack's hash size.
//!
//! In: what the spec sets for a host, and what its firewall needs of the kernel. Out: three files, in
//! which each key stands once, with the zone that set it; and chrony's options where a profile disables IPv6. What the spec sets wins over what the
//! firewall implies; where that would switch filtering off, it is an error instead.

mod chrony;
mod conflict;
mod implied;
mod modules;
mod order;
mod trap;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::net::sysctl_twin;
use crate::policy::{Fleet, HostPolicy, Platform, TargetName};

use super::template::Placed;
use super::{Compiled, OutputFile, OutputName, Selection, Target, TemplateError, Templates};

/// Name (as below `templates/`) and text of this target's templates.
pub(super) const TEMPLATES: &[(&str, &str)] = &[
    ("sysctl/chrony.j2", include_str!("../../../templates/sysctl/chrony.j2")),
    ("sysctl/modprobe.conf.j2", include_str!("../../../templates/sysctl/modprobe.conf.j2")),
    ("sysctl/modules.conf.j2", include_str!("../../../templates/sysctl/modules.conf.j2")),
    ("sysctl/sysctl.conf.j2", include_str!("../../../templates/sysctl/sysctl.conf.j2")),
];

/// The target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sysctl;

/// A key in force and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct KeyValue {
    key: String,
    value: String,
    /// One line: the zone, and the profile or option.
    #[serde(skip)]
    source: String,
}

/// Keys that one source sets, in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Group {
    comments: Vec<String>,
    settings: Vec<KeyValue>,
}

/// What the templates place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct View<'a> {
    host: &'a str,
    file: &'a str,
    wins: bool,
    sections: Vec<Group>,
    modules: Vec<modules::Module>,
    max: u64,
    hashsize: u64,
    /// chronyd's.
    options: &'static str,
}

/// A view as one of the templates places it.
#[derive(Serialize)]
struct Placing<'a> {
    #[serde(flatten)]
    view: &'a View<'a>,
    #[serde(skip)]
    lines: Vec<String>,
}

impl Placed for Placing<'_> {
    fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }
}

impl Target for Sysctl {
    fn name(&self) -> TargetName {
        TargetName::Sysctl
    }

    fn compile(&self, fleet: &Fleet, selection: &Selection, templates: &Templates) -> Result<Compiled, TemplateError> {
        let mut compiled = Compiled::default();
        let mut told = trap::Told::default();
        for host in fleet.hosts.iter().filter(|host| selection.wants(host, OutputName::Sysctl)) {
            compiled.diagnostics.append(conflict::check(host));
            let settings = effective(host);
            compiled.diagnostics.append(told.news(&trap::check(host, &settings)));
            files(host, settings, templates, &mut compiled.files)?;
        }
        if compiled.diagnostics.has_errors() {
            compiled.files.clear();
        }
        compiled.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(compiled)
    }
}

/// Whether iptables sees bridged frames of guests on this host.
fn filters_guests_by_iptables(host: &HostPolicy) -> bool {
    host.enabled && host.targets.contains(&TargetName::Iptables) && host.judges_bridged()
}

/// Whether a switch's value is a number other than 0.
fn is_on(value: &str) -> bool {
    value.trim().parse::<u32>().is_ok_and(|value| value != 0)
}

/// Every key in force: the spec's, and those implied that the spec does not set.
fn effective(host: &HostPolicy) -> BTreeMap<String, KeyValue> {
    let mut settings: BTreeMap<String, KeyValue> =
        implied::settings(host).into_iter().map(|setting| (setting.key.clone(), setting)).collect();
    for explicit in &host.sysctl {
        if let Some(twin) = sysctl_twin(&explicit.key).filter(|twin| host.sysctl.iter().all(|set| set.key != **twin)) {
            settings.remove(twin);
        }
        let source = match explicit.profile {
            Some(profile) => format!("{}, profile {profile}", explicit.origin.zone),
            None => explicit.origin.zone.to_string(),
        };
        let setting = KeyValue { key: explicit.key.clone(), value: explicit.value.trim().to_owned(), source };
        settings.insert(explicit.key.clone(), setting);
    }
    settings
}

fn files(
    host: &HostPolicy,
    settings: BTreeMap<String, KeyValue>,
    templates: &Templates,
    files: &mut Vec<OutputFile>,
) -> Result<(), TemplateError> {
    let needs_chrony = chrony::is_needed(host, &settings);
    let modules = modules::needed(host, settings.keys().map(String::as_str));
    let max = implied::CONNTRACK_MAX
        .iter()
        .filter_map(|key| settings.get(*key))
        .find_map(|setting| setting.value.parse::<u64>().ok())
        .unwrap_or(0);
    let name = host.sysctl_file.value.as_str();
    let view = View {
        host: &host.name,
        file: name,
        wins: host.platform == Platform::Proxmox && !order::loses_to_proxmox(name),
        sections: order::grouped(settings.into_values()),
        modules,
        max,
        hashsize: max / 4,
        options: chrony::OPTIONS,
    };
    let mut file = |path: String, template: &str, lines: Vec<String>| -> Result<(), TemplateError> {
        files.push(OutputFile {
            path: format!("hosts/{}/{path}", host.name),
            host: Some(host.name.clone()),
            output: OutputName::Sysctl,
            content: templates.render(template, &Placing { view: &view, lines })?,
        });
        Ok(())
    };
    if !view.sections.is_empty() {
        let settings = view.sections.iter().flat_map(|section| &section.settings);
        let lines = settings.map(|setting| format!("{} = {}", setting.key, setting.value)).collect();
        file(format!("sysctl.d/{name}"), "sysctl/sysctl.conf.j2", lines)?;
    }
    if !view.modules.is_empty() {
        let lines = view.modules.iter().map(|module| module.name.to_owned()).collect();
        file("modules-load.d/fwc.conf".to_owned(), "sysctl/modules.conf.j2", lines)?;
    }
    if view.hashsize > 0 {
        let lines = vec![format!("options nf_conntrack hashsize={}", view.hashsize)];
        file("modprobe.d/fwc.conf".to_owned(), "sysctl/modprobe.conf.j2", lines)?;
    }
    if needs_chrony {
        file("default/chrony".to_owned(), "sysctl/chrony.j2", vec![chrony::OPTIONS.to_owned()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
