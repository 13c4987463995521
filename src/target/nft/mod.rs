//! The target `nft`: for every host one file of two tables, `inet fwc` and `bridge fwc`.
//!
//! In: a fleet. Out: `hosts/<H>/fwc.nft`, one transaction that replaces both tables, whatever they held,
//! and touches no other. Promise: each hook means what its stages say, but that a rejection towards a
//! guest is a drop (a warning says so). What nft cannot do is an error where it is asked for.

mod again;
mod bridge;
mod builder;
mod clause;
mod digest;
mod filled;
mod host;
mod log;
mod name;
pub(super) mod proof;
mod refuse;
mod set;
mod table;
mod vnet;
mod write;

use serde::Serialize;

use crate::diagnostic::Diagnostics;
use crate::policy::{Fleet, HostPolicy, TargetName};

use super::template::{self, Placed};
use super::{Compiled, OutputFile, OutputName, Selection, Target, TemplateError, Templates};

use builder::Builder;
use log::Style;
use set::IpsetNames;
use table::{Table, TableFamily};
use vnet::Vnets;

/// Name (as below `templates/`) and text of this target's templates.
pub(super) const TEMPLATES: &[(&str, &str)] = &[(TEMPLATE, include_str!("../../../templates/nft/fwc.nft.j2"))];

const TEMPLATE: &str = "nft/fwc.nft.j2";

/// The target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nft;

/// What the template places.
#[derive(Debug, Serialize)]
struct Page {
    header: Vec<String>,
    tables: Vec<PageTable>,
}

#[derive(Debug, Serialize)]
struct PageTable {
    family: &'static str,
    body: String,
}

impl Placed for Page {
    fn lines(&self) -> Vec<String> {
        let of = |table: &PageTable| {
            let open = std::iter::once(format!("table {} fwc {{", table.family));
            open.chain(template::lines(&table.body)).chain(["}".to_owned()]).collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(of).collect()
    }
}

impl Target for Nft {
    fn name(&self) -> TargetName {
        TargetName::Nft
    }

    fn compile(&self, fleet: &Fleet, selection: &Selection, templates: &Templates) -> Result<Compiled, TemplateError> {
        let mut compiled = Compiled::default();
        let ipsets = IpsetNames::new(fleet);
        for host in fleet.hosts.iter().filter(|host| selection.wants(host, OutputName::Nft)) {
            let tables = if host.enabled { lower(fleet, host, &ipsets, &mut compiled.diagnostics) } else { Vec::new() };
            let content = render(host, &tables, templates)?;
            let path = format!("hosts/{}/fwc.nft", host.name);
            let file = OutputFile { path, host: Some(host.name.clone()), output: OutputName::Nft, content };
            compiled.files.push(file);
        }
        if compiled.diagnostics.has_errors() {
            compiled.files.clear();
        }
        Ok(compiled)
    }
}

/// The tables of a host that filters.
fn lower<'a>(
    fleet: &'a Fleet,
    host: &'a HostPolicy,
    ipsets: &'a IpsetNames<'a>,
    diagnostics: &mut Diagnostics,
) -> Vec<Table> {
    let style = Style { platform: host.platform, limit: fleet.datacenter.options.log_ratelimit.value };
    let mut inet = Builder::new(TableFamily::Inet, style, ipsets, &host.broadcast);
    let with_bridge = bridge::is_wanted(host);
    let vnets = Vnets::new(host);
    host::table(&mut inet, host, with_bridge.then_some(&vnets));
    let bridge = with_bridge.then(|| {
        refuse::guests(host, diagnostics);
        let mut bridge = Builder::new(TableFamily::Bridge, style, ipsets, &host.broadcast);
        bridge::table(&mut bridge, host, &vnets);
        bridge
    });
    diagnostics.append(inet.diagnostics(bridge.as_ref()));
    std::iter::once(inet).chain(bridge).map(Builder::finish).collect()
}

fn render(host: &HostPolicy, tables: &[Table], templates: &Templates) -> Result<String, TemplateError> {
    let state = if host.enabled { "The firewall" } else { "The firewall is off: this removes the tables" };
    let header = vec![
        format!("{state} of {}. Made by fwc; changes here are lost.", host.name),
        "Load it with `nft -f`: one transaction, which replaces the tables `inet fwc` and `bridge fwc`.".to_owned(),
    ];
    let page = |table: &Table| PageTable {
        family: match table.family {
            TableFamily::Inet => "inet",
            TableFamily::Bridge => "bridge",
        },
        body: write::table(table),
    };
    templates.render(TEMPLATE, &Page { header, tables: tables.iter().map(page).collect() })
}

#[cfg(test)]
mod tests;
