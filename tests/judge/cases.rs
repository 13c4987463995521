//! Which hosts are judged: those of every example, one of the judge's own, and those of random specs; behind every backend
//! that they want.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use fwc::diagnostic::SourceMap;
use fwc::policy::HostPolicy;
use libtest_mimic::{Failed, Trial};

use crate::common;
use crate::load::{self, Backend};
use crate::machine;
use crate::mutations;
use crate::reload::Flavour;
use crate::specs::{random_spec, shrink};
use crate::speed;

/// Probes for each host and backend.
const PROBES: usize = 2000;
/// Probes for the host through which every kind is sent.
pub const KINDS: &str = "10000";
/// That host's spec.
pub const KINDS_SPEC: &str = "tests/judge/kinds.yaml";
/// Random specs for each kind of kernel.
pub const RANDOM: usize = 50;
/// How long a failure may be cut down, in seconds.
pub const PATIENCE: u64 = 60;

/// Every case. The first boots a stock kernel; the others that need it come last, so that none waits meanwhile.
pub fn trials() -> Vec<Trial> {
    let mut machine = machine::trials().into_iter();
    let boot = machine.next();
    boot.into_iter()
        .chain(examples())
        .chain(kinds())
        .chain([Trial::test("coverage", coverage)])
        .chain(speed::trials())
        .chain(random())
        .chain(reloads())
        .chain(mutations::trials())
        .chain(machine)
        .collect()
}

fn backends(host: &HostPolicy) -> impl Iterator<Item = Backend> {
    Backend::ALL.into_iter().filter(|backend| *backend != Backend::Nft && host.targets.contains(&backend.target()))
}

fn examples() -> Vec<Trial> {
    let mut trials = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut specs: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    specs.sort();
    for spec in specs {
        let example = spec.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let fleet = crate::sources(&spec).and_then(|sources| load::fleet(&sources));
        for host in fleet.map(|fleet| fleet.hosts).unwrap_or_default() {
            for backend in backends(&host) {
                let (spec, name) = (spec.clone(), host.name.clone());
                let title = format!("{example}::{name}::{}", backend.name());
                let trial = Trial::test(title, move || {
                    let output = judged(&spec, &name, backend, 1)?;
                    if output.status.success() { Ok(()) } else { Err(said(&output).into()) }
                });
                trials.push(trial.with_kind("2000 probes"));
            }
        }
    }
    trials
}

/// Whether every example is judged, and so many random specs: one that cannot be loaded has no hosts, and no tests.
fn coverage() -> Result<(), Failed> {
    let all: Vec<String> = examples().iter().chain(&random()).map(|trial| trial.name().to_owned()).collect();
    let examples = common::examples().into_iter().map(|example| example.name);
    let specs = examples.chain((0..RANDOM).map(|seed| format!("random-{seed:02}")));
    let without: Vec<String> =
        specs.filter(|spec| !all.iter().any(|title| title.starts_with(&format!("{spec}::")))).collect();
    if without.is_empty() { Ok(()) } else { Err(format!("nobody judges {}", without.join(", ")).into()) }
}

/// A host of the judge's own, through which every kind of probe is sent.
fn kinds() -> Vec<Trial> {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join(KINDS_SPEC);
    let trial = |backend: Backend| {
        let spec = spec.to_string_lossy().into_owned();
        Trial::test(format!("kinds::{}", backend.name()), move || {
            let output = in_namespace(&["kinds", &spec, "pm1", backend.name(), "1", KINDS])?;
            if output.status.success() { Ok(()) } else { Err(said(&output).into()) }
        })
    };
    [Backend::IptablesLegacy, Backend::IptablesNft, Backend::NftHost].into_iter().map(trial).collect()
}

fn random() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (seed, hosts) in random_hosts().take(RANDOM) {
        for host in hosts {
            for backend in backends(&host) {
                let name = host.name.clone();
                let title = format!("random-{seed:02}::{}", backend.name());
                let trial = Trial::test(title, move || {
                    random_one(seed, &name, backend, PATIENCE).map(drop).map_err(Failed::from)
                });
                trials.push(trial.with_kind("2000 probes"));
            }
        }
    }
    trials
}

/// All random specs by their seeds, with their hosts.
pub fn random_hosts() -> impl Iterator<Item = (u64, Vec<HostPolicy>)> {
    (0..).map(|seed| {
        let mut sources = SourceMap::default();
        sources.add("fwc.yaml", random_spec(seed));
        (seed, load::fleet(&sources).map(|fleet| fleet.hosts).unwrap_or_default())
    })
}

/// Judges a random spec, and says what was compared; where model and kernel disagree, what is said is of the smallest spec on which they do and
/// that is found in so many seconds.
pub fn random_one(seed: u64, host: &str, backend: Backend, patience: u64) -> Result<String, String> {
    random_judged(seed, host, backend, patience).unwrap_or_else(|error| Err(error.to_string()))
}

fn random_judged(seed: u64, host: &str, backend: Backend, patience: u64) -> io::Result<Result<String, String>> {
    let text = random_spec(seed);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("fwc.yaml");
    let judge = |text: &str| -> io::Result<Output> {
        fs::write(&path, text)?;
        judged(&path, host, backend, seed)
    };
    let disagrees = |output: &Output| said(output).contains("\nprobe ");
    let output = judge(&text)?;
    if output.status.success() {
        return Ok(Ok(said(&output)));
    }
    if patience == 0 || !disagrees(&output) {
        return Ok(Err(format!("\n`judge spec {seed}` prints the spec\n{}", said(&output))));
    }
    let end = Instant::now() + Duration::from_secs(patience);
    let small = shrink(&text, |text| Instant::now() < end && judge(text).is_ok_and(|output| disagrees(&output)));
    Ok(Err(format!("\n{small}\n{}", said(&judge(&small)?))))
}

/// What is reloaded under traffic.
const RELOADS: [(Backend, Flavour); 10] = [
    (Backend::IptablesLegacy, Flavour::Own),
    (Backend::IptablesLegacy, Flavour::Ipset),
    (Backend::IptablesLegacy, Flavour::Shared),
    (Backend::IptablesNft, Flavour::Own),
    (Backend::IptablesNft, Flavour::Ipset),
    (Backend::IptablesNft, Flavour::Shared),
    (Backend::NftHost, Flavour::Own),
    (Backend::NftHost, Flavour::Networks),
    (Backend::NftHost, Flavour::Slow),
    (Backend::NftHost, Flavour::Banned),
];

fn reloads() -> Vec<Trial> {
    let trial = |(backend, flavour): (Backend, Flavour)| {
        let title = format!("reload::{}::{}", backend.name(), flavour.name());
        Trial::test(title, move || {
            let output = in_namespace(&["reload", backend.name(), flavour.name(), "100"])?;
            if output.status.success() { Ok(()) } else { Err(said(&output).into()) }
        })
    };
    RELOADS.into_iter().map(trial).collect()
}

/// Runs this program on one host.
fn judged(spec: &Path, host: &str, backend: Backend, seed: u64) -> io::Result<Output> {
    let words = ["run", &spec.to_string_lossy(), host, backend.name(), &seed.to_string(), &PROBES.to_string()];
    let output = in_namespace(&words)?;
    let sent = figure(&output, " probes").unwrap_or(0.0);
    if output.status.success() && sent < PROBES as f64 {
        return Err(io::Error::other(format!("only {sent} probes were sent")));
    }
    Ok(output)
}

/// The number before these words in what a run says.
pub fn figure(output: &Output, words: &str) -> Option<f64> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_once(words)?.0.split_whitespace().last()?.parse().ok()
}

/// Runs this program with these words, in a namespace of its own.
pub fn in_namespace(words: &[&str]) -> io::Result<Output> {
    let program = std::env::current_exe()?;
    Command::new("unshare").arg("-n").arg(program).args(words).stdin(Stdio::null()).output()
}

pub fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
