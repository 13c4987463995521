//! The target `iptables`: iptables, ip6tables, ebtables and ipset.
//!
//! In: a fleet. Out: for every host `iptables.rules` and `ip6tables.rules`, and where they are needed
//! `ebtables.rules` and `ipset.rules`. Promise: what a rule says is enforced in full, or is an error at
//! the rule's place; each file loads on a bare machine and over any older version of itself.

mod dispatch;
mod ebtables;
mod guest;
mod header;
mod host;
mod ipset;
mod led;
mod list;
mod lower;
pub(super) mod proof;
mod raw;
mod render;
mod ruleset;
mod shape;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use serde::Serialize;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::net::Family;
use crate::policy::{Fleet, HostPolicy, Platform, TargetName};

use super::template::{self, Placed};
use super::{Compiled, OutputFile, OutputName, Selection, Target, TemplateError, Templates};
use ruleset::Chain;

/// Name (as below `templates/`) and text of this target's templates.
pub(super) const TEMPLATES: &[(&str, &str)] = &[
    ("iptables/iptables.rules.j2", include_str!("../../../templates/iptables/iptables.rules.j2")),
    ("iptables/ebtables.rules.j2", include_str!("../../../templates/iptables/ebtables.rules.j2")),
    ("iptables/ipset.rules.j2", include_str!("../../../templates/iptables/ipset.rules.j2")),
];

/// The target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Iptables;

impl Target for Iptables {
    fn name(&self) -> TargetName {
        TargetName::Iptables
    }

    fn compile(&self, fleet: &Fleet, selection: &Selection, templates: &Templates) -> Result<Compiled, TemplateError> {
        let hosts: Vec<Compiled> = fleet
            .hosts
            .par_iter()
            .filter(|host| host.targets.contains(&TargetName::Iptables) && selection.wants_host(&host.name))
            .map(|host| compile_host(fleet, host, selection, templates))
            .collect::<Result<_, _>>()?;
        let mut all = Compiled::default();
        for mut one in hosts {
            all.files.append(&mut one.files);
            all.diagnostics.append(one.diagnostics);
        }
        all.diagnostics.sort();
        if all.diagnostics.has_errors() {
            all.files.clear();
        }
        all.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }
}

/// What the templates place.
#[derive(Serialize)]
struct Page<'a> {
    host: &'a str,
    header: Vec<String>,
    tables: Vec<Table>,
}

impl Placed for Page<'_> {
    fn lines(&self) -> Vec<String> {
        let of = |table: &Table| {
            let name = std::iter::once(format!("*{}", table.name));
            name.chain(template::lines(&table.chains)).chain(template::lines(&table.rules)).collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(of).collect()
    }
}

/// One table: finished lines, each with its newline.
#[derive(Serialize)]
struct Table {
    name: &'static str,
    chains: String,
    rules: String,
}

impl Table {
    fn new(name: &'static str, chains: &[Chain], family: Family) -> Self {
        Self { name, chains: render::declarations(chains), rules: render::rules(chains, family) }
    }
}

fn compile_host(
    fleet: &Fleet,
    host: &HostPolicy,
    selection: &Selection,
    templates: &Templates,
) -> Result<Compiled, TemplateError> {
    let mut compiled = Compiled::default();
    if host.enabled {
        let error = raw::log_limit_error(host, &fleet.datacenter.options.log_ratelimit);
        error.into_iter().for_each(|error| compiled.diagnostics.push(error));
    }
    bridge_off(host).into_iter().for_each(|warning| compiled.diagnostics.push(warning));
    // Another processor takes the second of both first: the one that takes longest.
    let ((v4, frames), v6) = rayon::join(
        || {
            rayon::join(
                || family(fleet, host, Family::V4, selection, templates),
                || frames(fleet, host, selection, templates),
            )
        },
        || family(fleet, host, Family::V6, selection, templates),
    );
    let mut sets = ipset::Sets::default();
    for (output, part) in [(OutputName::Iptables, v4?), (OutputName::Ip6tables, v6?)] {
        let Some((text, part_sets, diagnostics)) = part else { continue };
        sets.append(part_sets);
        compiled.diagnostics.append(diagnostics);
        if selection.wants(host, output) {
            compiled.files.push(file(host, output, text));
        }
    }
    if host.iptables.ipset && selection.wants(host, OutputName::Ipset) {
        let page = IpsetPage { host: &host.name, header: header::ipset(host), sets: sets.lines() };
        let text = templates.render("iptables/ipset.rules.j2", &page)?;
        compiled.files.push(file(host, OutputName::Ipset, text));
    }
    let (text, diagnostics) = frames?;
    compiled.diagnostics.append(diagnostics);
    compiled.files.extend(text.map(|text| file(host, OutputName::Ebtables, text)));
    Ok(compiled)
}

/// A warning where guests are filtered, and no file of the host has its bridges show their frames to iptables.
fn bridge_off(host: &HostPolicy) -> Option<Diagnostic> {
    if host.targets.contains(&TargetName::Sysctl) || !host.enabled || !host.judges_bridged() {
        return None;
    }
    let message = format!("nothing has the bridges of `{}` show guests' frames to iptables", host.name);
    let warning = Diagnostic::warning(Code::IptablesBridgeOff, host.span, message)
        .because("without `net.bridge.bridge-nf-call-iptables` guests are not filtered")
        .help("add `sysctl` to its `targets`, or see to the keys of `net.bridge` by other means");
    Some(warning)
}

/// The file of layer 2 rules; none where it is not wanted, or no guest ever was. Where nothing is to be
/// filtered any more it has no rules, so that those of an older version do not stay.
fn frames(
    fleet: &Fleet,
    host: &HostPolicy,
    selection: &Selection,
    templates: &Templates,
) -> Result<(Option<String>, Diagnostics), TemplateError> {
    let bridges = host.platform == Platform::Proxmox || !host.guests.is_empty() || !host.vnets.is_empty();
    if !bridges || !selection.wants(host, OutputName::Ebtables) {
        return Ok((None, Diagnostics::new()));
    }
    let (chains, diagnostics) = ebtables::table(host, fleet.datacenter.options.ebtables.value);
    let own = if host::exclusive(host) { "ACCEPT" } else { "RETURN" };
    let (chains, rules) = (render::frame_declarations(&chains, own), render::frame_rules(&chains));
    let tables = vec![Table { name: "nat", chains, rules }];
    let page = Page { host: &host.name, header: header::ebtables(host), tables };
    Ok((Some(templates.render("iptables/ebtables.rules.j2", &page)?), diagnostics))
}

/// What the template of ipsets places.
#[derive(Serialize)]
struct IpsetPage<'a> {
    host: &'a str,
    header: Vec<String>,
    sets: String,
}

impl Placed for IpsetPage<'_> {
    fn lines(&self) -> Vec<String> {
        template::lines(&self.sets).collect()
    }
}

fn file(host: &HostPolicy, output: OutputName, content: String) -> OutputFile {
    let path = format!("hosts/{}/{}.rules", host.name, output.name());
    OutputFile { path, host: Some(host.name.clone()), output, content }
}

type Part = Option<(String, ipset::Sets, Diagnostics)>;

/// The file of one family; none where neither it nor its sets are wanted.
fn family(
    fleet: &Fleet,
    host: &HostPolicy,
    family: Family,
    selection: &Selection,
    templates: &Templates,
) -> Result<Part, TemplateError> {
    let output = match family {
        Family::V4 => OutputName::Iptables,
        Family::V6 => OutputName::Ip6tables,
    };
    let ipset = host.iptables.ipset && selection.wants_output(OutputName::Ipset);
    if !selection.wants_output(output) && !ipset {
        return Ok(None);
    }
    let filter = host::filter(host, &fleet.datacenter, family);
    let raw = raw::raw(host, family);
    let tables = vec![Table::new("raw", &raw, family), Table::new("filter", &filter.chains, family)];
    let page = Page { host: &host.name, header: header::filter(host, family), tables };
    let text = templates.render("iptables/iptables.rules.j2", &page)?;
    Ok(Some((text, filter.sets, filter.diagnostics)))
}
