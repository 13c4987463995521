//! Every `fwc.nft` whole, and every sysctl key, on a stock kernel.

use std::collections::BTreeMap;

use super::qemu::{Job, Outcome};
use crate::common;
use crate::hosts::{Host, LOAD, SEPARATOR, compare, hosts, with};

const SELF_TEST: &str = "table bridge t {\n\tchain p {\n\t\ttype filter hook prerouting priority -100; policy accept;\n\t\tct state invalid drop\n\t\tmeta ibrname \"vmbr0\" tcp dport 22 reject with tcp reset\n\t}\n}\n";

/// Every line of `modules-load.d` loads a module; every key of `sysctl.d` takes its value, and keeps it.
fn sysctl_job(host: &Host) -> Job {
    let script = "set -e\n\
        sed '/^#/d; /^$/d' modules | while read -r module; do modprobe \"$module\"; done\n\
        sysctl -p values >/dev/null\n\
        sysctl $(sed '/^#/d; /^$/d; s/ *=.*//' values)\n";
    let files = vec![
        ("modules".to_owned(), host.read("modules-load.d/fwc.conf").into_bytes()),
        ("values".to_owned(), host.read("sysctl.d/zz-fwc.conf").into_bytes()),
    ];
    // Some keys are the whole machine's, not a namespace's.
    Job { name: format!("{}-sysctl", host.name), private: false, script: script.into(), files }
}

fn check_sysctl(host: &Host, outcome: &Outcome) -> Option<String> {
    let settings = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let (meant, kept) = (settings(&host.read("sysctl.d/zz-fwc.conf")), settings(&outcome.output));
    let wrong = outcome.status != 0 || meant != kept || meant.is_empty();
    let difference = common::difference(&meant.join("\n"), &kept.join("\n"));
    wrong.then(|| format!("{}: sysctl: {}\n{difference}", host.name, outcome.output))
}

/// A load of every host's script and settings, one that must succeed, and one that must fail.
pub fn jobs() -> Vec<Job> {
    let script = |host: &&Host| Job {
        name: host.name.clone(),
        private: true,
        script: format!("{LOAD}cat sent; echo '{SEPARATOR}'; cat listed\n"),
        files: vec![("fwc.nft".into(), host.read("fwc.nft").into_bytes())],
    };
    let mut jobs: Vec<Job> = with("fwc.nft").iter().map(script).collect();
    jobs.extend(hosts().iter().filter(|host| host.has("modules-load.d/fwc.conf")).map(sysctl_job));
    let small = |name: &str, script: String, text: &str| Job {
        name: name.into(),
        private: true,
        script,
        files: vec![("fwc.nft".into(), text.into())],
    };
    jobs.push(small("self-test", format!("{LOAD}cat listed\n"), SELF_TEST));
    jobs.push(small("failure", LOAD.into(), "nonsense\n"));
    jobs
}

/// What does not load, or reads back otherwise.
pub fn check(outcomes: &BTreeMap<String, Outcome>) -> Vec<String> {
    let mut wrong: Vec<String> = Vec::new();
    if outcomes["failure"].status == 0 {
        wrong.push("a job that fails must be seen to".into());
    }
    for statement in ["ct state invalid drop", "meta ibrname \"vmbr0\"", "reject with tcp reset"] {
        if !outcomes["self-test"].output.contains(statement) {
            wrong.push(format!("{:?}", outcomes["self-test"]));
        }
    }
    for host in hosts() {
        let outcome = outcomes.get(&format!("{}-sysctl", host.name));
        wrong.extend(outcome.and_then(|outcome| check_sysctl(host, outcome)));
    }
    for host in with("fwc.nft") {
        let outcome = &outcomes[&host.name];
        if outcome.status != 0 {
            wrong.push(format!("{}: does not load: {}", host.name, outcome.output));
            continue;
        }
        let found = compare(&host.read("fwc.nft"), &outcome.output);
        wrong.extend(found.into_iter().map(|text| format!("{}: {text}", host.name)));
    }
    wrong
}
