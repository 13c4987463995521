//! The kernel as judge: fwc's real output, loaded for real, under real packets.
//!
//! For a host of a spec the harness builds bridges, guests and outside in a network namespace (`topology`), loads what
//! fwc wrote (`load`), sends probes (`probes`, `wire`), and compares each arrival with what the evaluator says of the policy
//! (`judge`, `session`). Model and kernel must agree on every one.
//!
//! Each run is a process of its own in a namespace of its own: the test starts this very program as
//! `judge run SPEC HOST BACKEND SEED COUNT` under `unshare -n`. By hand it is run just so; with `kinds` instead of `run` it
//! says how many probes there were of each kind, and fails if one is missing. `judge spec SEED` prints a random spec,
//! `judge random SEED HOST BACKEND SECONDS` judges one and cuts it down so long where that fails,
//! `judge mutant NAME BACKEND` breaks what fwc writes first (`mutations`), `judge reload BACKEND FLAVOUR COUNT` is for
//! reloads under traffic (`reload`), and `judge machine START` runs the jobs of the stock kernel whose names begin so.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::string_slice,
    reason = "a test fails by panicking, and a program says what it does"
)]

mod cases;
mod census;
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "every test target takes its own part")]
mod common;
mod ftp;
#[path = "../kernel/hosts.rs"]
mod hosts;
mod judge;
mod line;
mod load;
mod machine;
mod mutations;
mod probes;
mod random;
mod reload;
mod run;
#[path = "../kernel/script.rs"]
mod script;
mod session;
mod specs;
mod speed;
mod stack;
mod topology;
mod trace;
mod track;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use fwc::diagnostic::SourceMap;
use libtest_mimic::Arguments;

use load::Backend;
use reload::Flavour;

/// Disagreements that a run by hand, or a test, shows and ends with.
const SHOWN: usize = 5;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let said = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["run", spec, host, backend, seed, count] => run_one(Path::new(spec), host, backend, seed, count, false),
        ["kinds", spec, host, backend, seed, count] => run_one(Path::new(spec), host, backend, seed, count, true),
        ["random", seed, host, backend, patience] => backend_of(backend).and_then(|backend| {
            let seed = seed.parse().map_err(|error| format!("{seed}: {error}\n"))?;
            let patience = patience.parse().map_err(|error| format!("{patience}: {error}\n"))?;
            cases::random_one(seed, host, backend, patience)
        }),
        ["reload", backend, flavour, count] => reload_one(backend, flavour, count),
        ["machine", start] => machine::alone(start),
        ["mutant", name, backend] => backend_of(backend).and_then(|backend| mutations::run(name, backend)),
        ["spec", seed] => Ok(specs::random_spec(seed.parse().unwrap_or_default())),
        _ => return libtest_mimic::run(&Arguments::from_args(), cases::trials()).exit_code(),
    };
    match said {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprint!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// The files of a spec: itself, or those below it.
fn sources(spec: &Path) -> Result<SourceMap, String> {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
        if !path.is_dir() {
            found.push(path.to_owned());
            return Ok(());
        }
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), found)?;
        }
        Ok(())
    }
    let mut files = Vec::new();
    walk(spec, &mut files).map_err(|error| format!("{}: {error}\n", spec.display()))?;
    files.sort();
    let mut sources = SourceMap::default();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}\n", file.display()))?;
        sources.add(file, text);
    }
    Ok(sources)
}

fn backend_of(name: &str) -> Result<Backend, String> {
    Ok(Backend::ALL.into_iter().find(|known| known.name() == name).ok_or("no such backend\n")?)
}

/// Reloads so often under traffic, in the namespace that this process is in.
fn reload_one(backend: &str, flavour: &str, count: &str) -> Result<String, String> {
    let backend = backend_of(backend)?;
    let flavour = Flavour::ALL.into_iter().find(|known| known.name() == flavour).ok_or("no such flavour\n")?;
    let count = count.parse().map_err(|error| format!("{count}: {error}\n"))?;
    let report = reload::run(backend, flavour, count).map_err(|error| format!("{error}\n"))?;
    if report.wrong.is_empty() { Ok(format!("{report}\n")) } else { Err(format!("{report}\n")) }
}

/// Judges one host behind one backend, in the namespace that this process is in; `kinds`: and every kind of probe is sent.
fn run_one(spec: &Path, host: &str, backend: &str, seed: &str, count: &str, kinds: bool) -> Result<String, String> {
    let backend = backend_of(backend)?;
    let seed = seed.parse().map_err(|error| format!("{seed}: {error}\n"))?;
    let count = count.parse().map_err(|error| format!("{count}: {error}\n"))?;
    let fleet = load::retargeted(load::fleet(&sources(spec)?)?, host, backend.target());
    let policy = fleet.hosts.iter().find(|policy| policy.name == host).ok_or("no such host\n")?;
    let files = load::audible(load::files(&fleet, host)?);
    let problem = |error: std::io::Error| format!("{host} {}: {error}\n", backend.name());
    let start = Instant::now();
    let network = topology::build(policy).map_err(problem)?;
    load::load(policy, &files, backend).map_err(problem)?;
    let bridged = load::tracks_frames(&files, backend).map_err(problem)?;
    let built = start.elapsed();
    let mut ears = session::Ears::new().map_err(problem)?;
    let ready = Instant::now();
    let report = session::run(&network, &mut ears, (backend, bridged), seed, (count, SHOWN)).map_err(problem)?;
    let took = ready.elapsed().as_millis();
    let mut text = format!(
        "{host} {}: {} probes, {} comparisons, {} arrivals, {} rejections told, {} log lines, {} disagreements; built in {built:.2?}, {took} ms for the probes, all in {:.2?}\n",
        backend.name(),
        report.sent,
        report.compared,
        report.arrived,
        report.told,
        report.logged,
        report.wrong.len(),
        start.elapsed(),
    );
    if kinds {
        let missing = report.census.missing(&network, backend);
        text += &report.census.to_string();
        if !missing.is_empty() {
            return Err(format!("{text}never sent: {}\n", missing.join("; ")));
        }
    }
    if report.wrong.is_empty() {
        return Ok(text);
    }
    let mut said = String::new();
    for (wrong, probe) in report.wrong.iter().zip(&report.blamed) {
        let met = trace::again(&network, backend, probe).unwrap_or_else(|error| format!("  {error}\n"));
        said += &format!("{wrong}{met}\n");
    }
    Err(said + &text)
}
