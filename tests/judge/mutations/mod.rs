//! The judge judged: output that was broken on purpose must not pass.
//!
//! In: `spec.yaml`, which has every stage, and tables of mutations of what fwc writes for it. Out: one test for each
//! mutation and backend, which fails where the judge notices nothing; and the same hosts unbroken, which must pass.
//! Promise: every stage that a backend enforces is broken at least once behind it. [`iptables::MUTATIONS`],
//! [`nft::HOST`] and [`nft::GUESTS`] list them all; the last are tried on the stock kernel.
//!
//! What no packet of the judge's can show is not in the tables: the limits on SYNs and on log lines, which are of time;
//! and the second of two filters that stop the same frames (each is broken together with the other).

mod edit;
mod iptables;
mod nft;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use fwc::diagnostic::SourceMap;
use fwc::policy::{Fleet, Hook, HostPolicy, TargetName};
use libtest_mimic::{Failed, Trial};

use crate::load::{self, Backend};
use crate::session;
use crate::topology;
use edit::Edit;

/// Where every mutation is a mutation of what fwc writes for it.
const SPEC: &str = include_str!("spec.yaml");
/// Probes at most, and where each takes an emulated machine ten times as long; the first disagreement ends a run.
const PROBES: usize = 16_000;
const PROBES_EMULATED: usize = 6_000;

/// A stage broken.
#[derive(Debug, Clone, Copy)]
pub struct Mutation {
    /// Unique for each backend.
    pub name: &'static str,
    /// The stage that is broken, as traces name it; empty for what leads packets to the stages.
    pub stage: &'static str,
    /// Whose output.
    pub host: &'static str,
    /// All of which are made.
    pub edits: &'static [Edit],
    /// Whether loading it twice shows it, rather than packets.
    pub twice: bool,
}

const fn broken(stage: &'static str, name: &'static str, edits: &'static [Edit]) -> Mutation {
    Mutation { name, stage, host: "one", edits, twice: false }
}

const fn twice(name: &'static str, edits: &'static [Edit]) -> Mutation {
    Mutation { twice: true, ..broken("", name, edits) }
}

const fn on(host: &'static str, mutation: Mutation) -> Mutation {
    Mutation { host, ..mutation }
}

/// The mutations of what a backend loads.
pub fn of(backend: Backend) -> &'static [Mutation] {
    match backend {
        Backend::IptablesLegacy | Backend::IptablesNft => iptables::MUTATIONS,
        Backend::NftHost => nft::HOST,
        Backend::Nft => nft::GUESTS,
    }
}

fn fleet() -> Result<Fleet, String> {
    let mut sources = SourceMap::default();
    sources.add("spec.yaml", SPEC);
    load::fleet(&sources)
}

/// Judges a host of the spec in the namespace that this process is in: with this mutation, or as fwc wrote it.
pub fn judge(host: &str, backend: Backend, mutation: Option<&Mutation>) -> Result<session::Report, String> {
    let fleet = load::retargeted(fleet()?, host, backend.target());
    let policy = fleet.hosts.iter().find(|policy| policy.name == host).ok_or("no such host")?;
    let mut files = load::files(&fleet, host)?;
    for edit in mutation.into_iter().flat_map(|mutation| mutation.edits) {
        edit.apply(&mut files)?;
    }
    let network = topology::build(policy).map_err(|error| error.to_string())?;
    load::load(policy, &files, backend).map_err(|error| format!("it does not load: {error}"))?;
    let bridged = load::tracks_frames(&files, backend).map_err(|error| error.to_string())?;
    let mut ears = session::Ears::new().map_err(|error| error.to_string())?;
    let probes = if backend == Backend::Nft { PROBES_EMULATED } else { PROBES };
    session::run(&network, &mut ears, (backend, bridged), 1, (probes, 1)).map_err(|error| error.to_string())
}

/// `judge mutant NAME BACKEND`: an error where nothing is noticed, or the mutation cannot be tried.
pub fn run(name: &str, backend: Backend) -> Result<String, String> {
    if let Some(host) = name.strip_prefix("unbroken ") {
        let report = judge(host, backend, None)?;
        let said = format!("{} probes, {} disagreements\n", report.sent, report.wrong.len());
        return if report.wrong.is_empty() { Ok(said) } else { Err(report.wrong.concat() + &said) };
    }
    let mutation = of(backend).iter().find(|mutation| mutation.name == name).ok_or("no such mutation\n")?;
    let report = match judge(mutation.host, backend, Some(mutation)) {
        Err(error) if mutation.twice && error.contains(load::CHANGED) => {
            return Ok(format!("{name}: noticed: {error}\n"));
        }
        report => report.map_err(|error| format!("{name}: {error}\n"))?,
    };
    match report.wrong.first() {
        Some(first) if !mutation.twice => Ok(format!("{name}: noticed after {} probes: {first}", report.sent)),
        _ => Err(format!("{name}: nothing noticed in {} probes\n", report.sent)),
    }
}

/// What [`run`] is to be asked behind a backend.
pub fn names(backend: Backend) -> Vec<String> {
    let mutations = of(backend).iter();
    let hosts: BTreeSet<&str> = mutations.clone().map(|mutation| mutation.host).collect();
    let unbroken = hosts.into_iter().map(|host| format!("unbroken {host}"));
    unbroken.chain(mutations.map(|mutation| mutation.name.to_owned())).collect()
}

/// Every mutation that the running kernel can load, and that the tables are whole.
pub fn trials() -> Vec<Trial> {
    let mut trials = vec![Trial::test("mutations::break_every_stage", every_stage)];
    for backend in Backend::ALL.into_iter().filter(|backend| *backend != Backend::Nft) {
        for name in names(backend) {
            let title = format!("mutations::{}::{}", backend.name(), name.replace(' ', "_"));
            trials.push(Trial::test(title, move || in_namespace(&name, backend)));
        }
    }
    trials
}

fn in_namespace(name: &str, backend: Backend) -> Result<(), Failed> {
    let output = Command::new("unshare")
        .arg("-n")
        .arg(std::env::current_exe()?)
        .args(["mutant", name, backend.name()])
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
}

/// A stage that fwc learns to write must be broken here too.
fn every_stage() -> Result<(), Failed> {
    let fleet = fleet()?;
    for backend in Backend::ALL {
        let mut broken: BTreeSet<&str> = BTreeSet::new();
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for mutation in of(backend) {
            broken.insert(mutation.stage);
            if !names.insert(mutation.name) {
                return Err(format!("{}: `{}` twice", backend.name(), mutation.name).into());
            }
            // Those that only a stock kernel can load must at least change something.
            let fleet = load::retargeted(fleet.clone(), mutation.host, backend.target());
            let mut files = load::files(&fleet, mutation.host)?;
            for edit in mutation.edits {
                edit.apply(&mut files)?;
            }
        }
        let hosts = fleet.hosts.iter().filter(|host| host.targets.contains(&backend.target()));
        for stage in hosts.flat_map(|host| stages(host, backend)) {
            if !broken.contains(stage) {
                return Err(format!("{}: no mutation breaks the stage `{stage}`", backend.name()).into());
            }
        }
    }
    Ok(())
}

/// The names of the stages that a backend has to enforce and the tables above have to break.
fn stages(host: &HostPolicy, backend: Backend) -> BTreeSet<&'static str> {
    let guests = host.guests.iter().flat_map(|guest| [&guest.hook_in, &guest.hook_out]);
    let own = [&host.hook_in, &host.hook_out, &host.hook_forward];
    let vnets = host.vnets.iter().map(|vnet| &vnet.hook);
    let hooks: Vec<&Hook> = match (backend, backend.target()) {
        // What the host's own table is judged for elsewhere needs no stock kernel.
        (Backend::Nft, _) => guests.chain(vnets).collect(),
        (Backend::NftHost, _) => own.into_iter().collect(),
        (_, TargetName::Iptables | TargetName::Nft | TargetName::Pve | TargetName::Sysctl) => {
            guests.chain(own).chain(vnets).collect()
        }
    };
    hooks.into_iter().flat_map(|hook| &hook.stages).map(|stage| stage.name()).collect()
}
