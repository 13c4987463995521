//! A stock kernel, for what the running one may lack: guests' tables of nft.
//!
//! In: everything that any test wants of it, as jobs. Out: a test for each kind of job. All of them share one boot of
//! an emulated machine ([`qemu`]).

mod loads;
mod packets;
mod paths;
mod qemu;

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::OnceLock;

use libtest_mimic::{Failed, Trial};

use qemu::{Job, Outcome};

type Outcomes = BTreeMap<String, Outcome>;

/// What is tested: a name, its jobs, and what is wrong with their outcomes.
type Part = (&'static str, fn() -> Vec<Job>, fn(&Outcomes) -> Vec<String>);

const PARTS: [Part; 6] = [
    ("loads", loads::jobs, loads::check),
    ("paths", paths::jobs, paths::check),
    ("packets", packets::jobs, |outcomes| packets::check(outcomes, "packets")),
    ("mutations", packets::mutations, |outcomes| packets::check(outcomes, "mutation")),
    ("random", packets::random, |outcomes| packets::check(outcomes, "random")),
    ("reload", packets::reloads, |outcomes| packets::check(outcomes, "reload")),
];

/// A test for each part.
pub fn trials() -> Vec<Trial> {
    let trial = |(name, _, check): Part| Trial::test(format!("stock-kernel::{name}"), move || judge(check));
    PARTS.into_iter().map(trial).collect()
}

/// Boots for the jobs whose names begin so, and says what each did.
pub fn alone(start: &str) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut jobs: Vec<Job> = PARTS.into_iter().flat_map(|(_, jobs, _)| jobs()).collect();
    jobs.retain(|job| job.name.starts_with(start));
    let outcomes = qemu::boot(&jobs, &program);
    let said = outcomes.iter().map(|(name, one)| format!("{name}, status {}:\n{}", one.status, one.output)).collect();
    if outcomes.values().all(|outcome| outcome.status == 0) { Ok(said) } else { Err(said) }
}

fn judge(check: fn(&Outcomes) -> Vec<String>) -> Result<(), Failed> {
    static OUTCOMES: OnceLock<Result<Outcomes, String>> = OnceLock::new();
    let outcomes = OUTCOMES.get_or_init(|| {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let booted = catch_unwind(|| {
            let jobs: Vec<Job> = PARTS.into_iter().flat_map(|(_, jobs, _)| jobs()).collect();
            qemu::boot(&jobs, &program)
        });
        booted.map_err(|_| "the machine could not be booted; the first test that waited for it says why".to_owned())
    });
    let wrong = check(outcomes.as_ref()?);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
