//! Guests' tables of nft under real packets, and reloaded under traffic.
//!
//! Jobs start this very program as the tests in namespaces do; what it says is what is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fwc::policy::HostPolicy;

use super::qemu::{Job, Outcome};
use crate::cases::{KINDS, KINDS_SPEC, PATIENCE, RANDOM, random_hosts};
use crate::common::{self, examples, tree};
use crate::load::{self, Backend};
use crate::mutations::names;
use crate::reload::Flavour;
use crate::sources;

/// How many probes are sent at each host.
const PROBES: usize = 2000;
/// How often which tables are loaded under traffic.
const RELOADS: [(Flavour, usize); 4] =
    [(Flavour::Own, 100), (Flavour::Networks, 20), (Flavour::Slow, 20), (Flavour::Banned, 20)];

/// Every host of every example that has guests' tables of nft, and the host of the judge's own.
pub fn jobs() -> Vec<Job> {
    let mut jobs = Vec::new();
    for example in examples() {
        let path = common::root().join(&example.path);
        let fleet = sources(&path).and_then(|sources| load::fleet(&sources)).expect("an example without errors");
        for host in fleet.hosts.iter().filter(|host| host.targets.contains(&Backend::Nft.target())) {
            let words = format!("run spec {} {} 1 {PROBES}", host.name, Backend::Nft.name());
            jobs.push(job(&format!("packets-{}-{}", example.name, host.name), &words, spec(&path)));
        }
    }
    let words = format!("kinds spec pm1 {} 1 {KINDS}", Backend::Nft.name());
    jobs.push(job("packets-kinds", &words, spec(&common::root().join(KINDS_SPEC))));
    jobs
}

/// The first random specs that want nft. Of those that fail the first is cut down; the machine is slow.
pub fn random() -> Vec<Job> {
    let mut jobs = Vec::new();
    let wants = |host: &HostPolicy| host.targets.contains(&Backend::Nft.target());
    for (seed, hosts) in random_hosts().filter(|(_, hosts)| hosts.iter().any(wants)).take(RANDOM) {
        for host in hosts.iter().filter(|host| wants(host)) {
            let patience = format!("$([ -e /tmp/failed ] && echo 0 || echo {PATIENCE})");
            let words = format!("random {seed} {} {} {patience}", host.name, Backend::Nft.name());
            let job = job(&format!("random-{seed:02}"), &words, Vec::new());
            jobs.push(Job {
                script: format!("{} || {{ touch /tmp/failed; exit 1; }}\n", job.script.trim_end()),
                ..job
            });
        }
    }
    jobs
}

/// The guests' table broken on purpose, which must be noticed; and whole.
pub fn mutations() -> Vec<Job> {
    let job = |(number, name): (usize, String)| {
        let words = format!("mutant \"$(cat name)\" {}", Backend::Nft.name());
        job(&format!("mutation-{number:02}"), &words, vec![("name".into(), name.into_bytes())])
    };
    names(Backend::Nft).into_iter().enumerate().map(job).collect()
}

/// The files of a spec, below `spec/`.
fn spec(path: &Path) -> Vec<(String, Vec<u8>)> {
    if path.is_dir() {
        return tree(path).into_iter().map(|(name, content)| (format!("spec/{name}"), content)).collect();
    }
    vec![("spec/fwc.yaml".into(), fs::read(path).expect("an example"))]
}

/// Both tables, loaded again and again.
pub fn reloads() -> Vec<Job> {
    let reload = |(flavour, count): (Flavour, usize)| {
        let words = format!("reload {} {} {count}", Backend::Nft.name(), flavour.name());
        job(&format!("reload-{}", flavour.name()), &words, Vec::new())
    };
    RELOADS.into_iter().map(reload).collect()
}

fn job(name: &str, words: &str, files: Vec<(String, Vec<u8>)>) -> Job {
    let program = std::env::current_exe().expect("this program");
    Job { name: name.to_owned(), private: true, script: format!("{} {words}\n", program.display()), files }
}

/// What jobs of a kind say against the tables.
pub fn check(outcomes: &BTreeMap<String, Outcome>, kind: &str) -> Vec<String> {
    let mine: Vec<(&String, &Outcome)> = outcomes.iter().filter(|(name, _)| name.starts_with(kind)).collect();
    assert!(!mine.is_empty(), "no job {kind}");
    let wrong = mine.into_iter().filter(|(_, outcome)| outcome.status != 0);
    wrong.map(|(name, outcome)| format!("{name}: {}", outcome.output)).collect()
}
