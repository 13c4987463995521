//! `fwc verify`: a proof, for every packet, that files or a machine mean what a spec means.
//!
//! The work is done in [`target::prove`](crate::target::prove) and [`import::proof`](crate::import::proof); here it is asked for, and told.

mod human;
mod live;
mod places;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use rayon::prelude::*;

use crate::diagnostic::SourceMap;
use crate::import::proof;
use crate::policy::{Fleet, HostPolicy, TargetName};
use crate::state::ruleset::{Program, Ruleset};
use crate::target::{self, Rules};

use super::diff::capture::HostCapture;
use super::diff::tree;
use super::pipeline::Pipeline;
use super::{Exit, Failure, Format, Style, console, disk, machine};
use view::{HostView, Report};

pub(super) use human::doubts;
pub(super) use places::{Listed, Texts};

const EXAMPLES: &str = "Examples:
  fwc verify --against out/                 what was built, committed or shipped
  fwc verify --live                         what this machine has loaded, and its /etc/pve
  fwc verify --against out/ --host pm1 --format json

Each hook of each machine is compared for all packets, not for samples: verdict, answer
and log line. A difference comes with a packet that shows it. Rules that fwc does not
understand are named; nothing is said of packets that come to them. What a machine does
besides (NAT, tables of other software) is listed, and not looked at.

Of Proxmox VE the files in /etc/pve are proved, by what its firewall makes of them, with
the NICs of the guests' configurations; not the rules that it has made of them.

Exit status: 0 proved, 1 a packet is treated otherwise, 2 something could not be proved.";

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, group = ArgGroup::new("other").required(true))]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    spec: Option<PathBuf>,
    /// An output tree that `fwc build -o DIR` wrote: rules of iptables and nft, and files of Proxmox VE
    #[arg(long, value_name = "DIR", group = "other")]
    against: Option<PathBuf>,
    /// What this machine has loaded, as its programs list it, and what `/etc/pve` says where Proxmox VE's firewall is on
    #[arg(long, group = "other")]
    live: bool,
    /// Only this host; with `--live` the one that this machine is
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// How it is written
    #[arg(long, default_value = "human", value_name = "FORMAT")]
    format: Format,
}

/// Runs it.
///
/// # Errors
/// Where there is no spec, or nothing can be read that could be compared.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut pipeline = Pipeline::run(arguments.spec.as_deref())?;
    if !pipeline.report() {
        return Ok(Exit::Failed);
    }
    let Some(fleet) = &pipeline.fleet else { return Ok(Exit::Failed) };
    let report = match &arguments.against {
        Some(folder) => against((fleet, &pipeline.sources), folder, arguments.host.as_deref())?,
        None => live::running((fleet, &pipeline.sources), arguments.host.as_deref())?,
    };
    console::data(&match arguments.format {
        Format::Human => human::render(&report, Style::stdout()),
        Format::Json => format!("{:#}\n", view::json(&report)),
    })?;
    std::mem::forget(pipeline);
    Ok(report.exit())
}

/// What a tree says.
fn against((fleet, spec): (&Fleet, &SourceMap), folder: &Path, wanted: Option<&str>) -> Result<Report, Failure> {
    if fleet.hosts.is_empty() {
        return Err(Failure::new("the spec has no hosts"));
    }
    let only = wanted.map(|name| machine::host(fleet, Some(name), Path::new("/"))).transpose()?;
    let files = disk::read_tree(folder, &fleet.hosts)?;
    let captures = tree::capture(folder, &files);
    let hosts: Vec<&HostPolicy> =
        fleet.hosts.iter().filter(|host| only.is_none_or(|only| only.name == host.name)).collect();
    let nothing = HostCapture::default();
    let texts = Texts { fleet, spec, rules: Listed::There(&captures.sources) };
    let mut views: Vec<HostView> = hosts
        .par_iter()
        .map(|host| {
            let capture = captures.hosts.get(&host.name).unwrap_or(&nothing);
            proved(host, &rules(host, capture), (&programs(host), &capture.unknown), texts)
        })
        .collect();
    let texts: BTreeMap<String, String> = files
        .iter()
        .filter(|(path, _)| path.starts_with("pve/"))
        .map(|(path, captured)| (path.clone(), captured.text.clone()))
        .collect();
    let mut findings = Vec::new();
    if hosts.iter().any(|host| proof::is_node(host)) {
        findings = proof::pve(fleet, &texts);
        for view in &mut views {
            if hosts.iter().filter(|host| proof::is_node(host)).any(|host| host.name == view.host) {
                view.files(&findings);
            }
        }
    }
    let mut report = Report { hosts: views, ..Report::default() };
    report.exceptions(&findings);
    report.notes(&captures);
    let strangers: BTreeSet<String> = tree::hosts(&files);
    for stranger in
        strangers.iter().filter(|name| wanted.is_none() && !fleet.hosts.iter().any(|host| host.name == **name))
    {
        report.notes.push(format!("the spec has no host `{stranger}`, of which the folder has files"));
    }
    Ok(report)
}

/// The programs whose rules the host's targets come to.
fn programs(host: &HostPolicy) -> Vec<Program> {
    let mut found = Vec::new();
    if host.targets.contains(&TargetName::Iptables) {
        found.extend([Program::Iptables, Program::Ip6tables]);
    }
    if host.targets.contains(&TargetName::Nft) {
        found.push(Program::Nft);
    }
    found
}

/// The rules of a host, the ipsets that they name among them.
fn rules(host: &HostPolicy, capture: &HostCapture) -> Rules {
    let mut rules = Rules::default();
    for (program, found) in &capture.rules {
        if programs(host).contains(program) {
            rules.of.insert(*program, with_sets(found.clone(), capture));
        }
    }
    rules
}

fn with_sets(mut rules: Ruleset, capture: &HostCapture) -> Ruleset {
    if let (Program::Iptables | Program::Ip6tables, Some(sets)) = (rules.program, &capture.sets) {
        for table in rules.tables.values_mut() {
            table.sets.extend(sets.iter().map(|(name, set)| (std::sync::Arc::clone(name), set.clone())));
        }
    }
    rules
}

/// The proof of one host; `unknown`: the programs whose rules could not be had.
fn proved(
    host: &HostPolicy,
    rules: &Rules,
    (wanted, unknown): (&[Program], &BTreeSet<Program>),
    texts: Texts<'_>,
) -> HostView {
    let there = Rules {
        of: rules.of.iter().filter(|(program, _)| wanted.contains(program)).map(|(a, b)| (*a, b.clone())).collect(),
    };
    let mut view = HostView::new(&host.name, wanted, &target::prove(host, &there), Some(texts));
    for program in wanted.iter().filter(|program| !there.of.contains_key(program)) {
        if unknown.contains(program) {
            view.not_had(*program);
        } else {
            view.missing(*program);
        }
    }
    for (program, rules) in &there.of {
        view.unread(*program, rules);
    }
    view
}
