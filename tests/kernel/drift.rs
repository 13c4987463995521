//! A machine as `fwc diff --live` sees it: what was loaded is no difference, and each change of it is one.
//!
//! The machine is a network namespace with what an example compiles to, a folder of kernel settings in place of
//! `/proc/sys` (many of them are the whole kernel's, and this is only a test), and where it is asked for a copy
//! of `/etc` with a `pve` in it.

mod cases;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::common::{Example, built, examples, root};
use super::gaps;
use cases::{CASES, DOCKER, SERVER, SERVER_NFT};

/// How rules come into the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Legacy,
    Nftables,
    Nft,
}

impl Backend {
    pub const ALL: [Self; 3] = [Self::Legacy, Self::Nftables, Self::Nft];

    /// A script that loads a host's files as their headers say.
    pub fn load(self, folder: &Path) -> String {
        let has = |file: &str| folder.join(file).is_file();
        let shared = has("iptables.rules")
            && fs::read_to_string(folder.join("iptables.rules")).expect("it is there").contains("--noflush");
        let mut script = String::new();
        let kind = match self {
            Self::Legacy => "legacy",
            Self::Nftables => "nft",
            Self::Nft => return "nft -f fwc.nft\n".to_owned(),
        };
        if has("ipset.rules") {
            script += "ipset restore < ipset.rules\n";
        }
        for program in ["iptables", "ip6tables"] {
            let flag = if shared { "--noflush" } else { "" };
            script += &format!("{program}-{kind}-restore {flag} < {program}.rules\n");
            if shared {
                let header = fs::read_to_string(folder.join(format!("{program}.rules"))).expect("it is there");
                for line in
                    header.lines().filter_map(|line| line.strip_prefix("#   ")).filter(|line| line.contains(" -C "))
                {
                    script += &line.replace(&format!("{program} "), &format!("{program}-{kind} "));
                    script.push('\n');
                }
            }
        }
        if has("ebtables.rules") {
            script += "ebtables-nft-restore < ebtables.rules\n";
        }
        script
    }

    /// Whether this kernel can load all that a host has for it.
    pub fn can_load(self, folder: &Path) -> bool {
        let file = if self == Self::Nft { "fwc.nft" } else { "iptables.rules" };
        let Ok(text) = fs::read_to_string(folder.join(file)) else { return false };
        self != Self::Nft || gaps::strip(&text).1 == 0
    }
}

/// What fwc said.
pub struct Answer {
    pub status: i32,
    pub report: Value,
    pub errors: String,
}

impl Answer {
    /// Every change, with its cause's path.
    fn changes(&self) -> Vec<(String, Value)> {
        let causes = self.report["causes"].as_array().cloned().unwrap_or_default();
        let all = causes.iter().flat_map(|cause| {
            let path = cause["path"].as_str().unwrap_or_default().to_owned();
            cause["changes"]
                .as_array()
                .cloned()
                .unwrap_or_default()
                .into_iter()
                .map(move |change| (path.clone(), change))
        });
        all.collect()
    }
}

/// The folder of a host in an example's output, with a folder `sys` that stands for `/proc/sys`.
fn prepare(folder: &Path) {
    let Ok(settings) = fs::read_dir(folder.join("sysctl.d")) else { return };
    for file in settings {
        let text = fs::read_to_string(file.expect("it is there").path()).expect("it is there");
        for (key, value) in text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')) {
            let path = folder.join("sys").join(key.trim().replace('.', "/"));
            fs::create_dir_all(path.parent().expect("it is there")).expect("it is there");
            fs::write(path, format!("{}\n", value.trim())).expect("it is there");
        }
    }
}

/// Loads, edits, and asks.
fn live(spec: &Path, host: &str, folder: &Path, load: &str, edit: &str) -> Answer {
    asked("diff", spec, (host, folder), load, edit)
}

/// As [`live`], by a command of fwc's that has `--live`.
pub fn asked(command: &str, spec: &Path, (host, folder): (&str, &Path), load: &str, edit: &str) -> Answer {
    fs::create_dir_all(folder.join("sys")).expect("it is there");
    let script = format!(
        "set -e\n{load}\n{edit}\nmount --bind sys /proc/sys\nset +e\n'{}' {command} '{}' --live --host '{host}' --format json",
        env!("CARGO_BIN_EXE_fwc"),
        root().join(spec).display()
    );
    let output = Command::new("unshare")
        .args(["-n", "-m", "sh", "-uc", &script])
        .current_dir(folder)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}\n{script}"));
    Answer { status: output.status.code().unwrap_or(-1), report, errors }
}

pub fn hosts(folder: &Path) -> Vec<String> {
    let names =
        fs::read_dir(folder.join("hosts")).expect("it is there").map(|entry| entry.expect("it is there").file_name());
    let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.into_iter().collect()
}

pub fn example(name: &str) -> Example {
    examples().into_iter().find(|example| example.name == name).expect("the example")
}

#[test]
fn what_was_loaded_is_no_difference() {
    let mut seen = BTreeSet::new();
    for example in examples() {
        let (out, _) = built(&example);
        for host in hosts(out.path()) {
            let folder = out.path().join("hosts").join(&host);
            prepare(&folder);
            for backend in Backend::ALL.into_iter().filter(|backend| backend.can_load(&folder)) {
                let answer = live(&example.path, &host, &folder, &backend.load(&folder), "");
                let said = format!("{} {host} {backend:?}: {:#}\n{}", example.name, answer.report, answer.errors);
                assert_eq!(answer.status, 0, "{said}");
                assert_eq!(answer.report["same"], true, "{said}");
                assert_eq!(answer.report["partial"], false, "{said}");
                seen.insert(format!("{backend:?}"));
            }
        }
    }
    assert_eq!(seen.len(), Backend::ALL.len(), "{seen:?}");
}

#[test]
fn every_change_is_told_once() {
    let mut wrong = Vec::new();
    for (name, number) in [("server", 0), ("design", 0), ("docker", 0), ("fleet", 1)] {
        let example = example(name);
        let (out, _) = built(&example);
        let host = hosts(out.path())[number].clone();
        let folder = out.path().join("hosts").join(&host);
        for case in CASES.iter().filter(|case| case.example == name) {
            let _ = fs::remove_dir_all(folder.join("sys"));
            prepare(&folder);
            let answer = live(&example.path, &host, &folder, &case.backend.load(&folder), case.edit);
            let changes = answer.changes();
            let right = match changes.as_slice() {
                [(cause, change)] => {
                    let hosts = change["at"].as_array().into_iter().flatten();
                    // What is told at a guest's hook is told of the guest.
                    let mut guests = hosts.filter(|at| at["hook"] == "guest-in" || at["hook"] == "guest-out");
                    guests.all(|at| !at["machine"].as_str().is_some_and(|name| name.starts_with("host/")))
                        && change["kind"] == case.kind
                        && change["subject"] == case.subject
                        && cause == case.cause
                        && change.to_string().contains(case.words)
                        && answer.status == 1
                }
                _ => false,
            };
            if !right {
                let told: Vec<String> = changes
                    .iter()
                    .map(|(cause, change)| {
                        format!(
                            "{cause}: {} {} {} {} → {} ({})",
                            change["kind"],
                            change["subject"],
                            change["name"],
                            change["old"],
                            change["new"],
                            change["detail"]
                        )
                    })
                    .collect();
                wrong.push(format!("{}: {}\n{}\n{}", case.name, answer.status, told.join("\n"), answer.errors));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Whatever others have beside fwc's tables is counted and never a difference.
#[test]
fn rules_of_others_are_counted() {
    let others = [
        (
            SERVER,
            "iptables-legacy -t nat -A POSTROUTING -o eth0 -j MASQUERADE; iptables-legacy -t mangle -A FORWARD -j ACCEPT",
            2,
        ),
        (
            SERVER_NFT,
            "nft 'table ip docker { chain x { type nat hook postrouting priority 100; masquerade; }; chain y { drop; }; }'",
            1,
        ),
        (
            SERVER_NFT,
            "nft 'table inet evil { chain c { type filter hook input priority -300; policy drop; }; }; table ip fwc { chain d { type filter hook forward priority 0; policy drop; }; }'",
            2,
        ),
        (
            DOCKER,
            "iptables-legacy -N DOCKER; iptables-legacy -A FORWARD -j DOCKER; iptables-legacy -A DOCKER -d 172.17.0.2 -j ACCEPT",
            1,
        ),
    ];
    for ((name, backend), edit, tables) in others {
        let example = example(name);
        let (out, _) = built(&example);
        let host = hosts(out.path())[0].clone();
        let folder = out.path().join("hosts").join(&host);
        prepare(&folder);
        let answer = live(&example.path, &host, &folder, &backend.load(&folder), edit);
        let said = format!("{name} {backend:?}: {:#}\n{}", answer.report, answer.errors);
        assert_eq!(answer.status, 0, "{said}");
        let foreign = answer.report["notes"]
            .as_array()
            .expect("it is there")
            .iter()
            .filter(|note| note["kind"] == "foreign")
            .count();
        assert_eq!(foreign, tables, "{said}");
    }
}

/// The same by files: every program's listing, of nft in both its forms.
#[test]
fn captured_listings_are_no_difference() {
    let mut count = 0;
    for example in examples() {
        let (out, _) = built(&example);
        for host in hosts(out.path()) {
            let folder = out.path().join("hosts").join(&host);
            let mut captures = vec![];
            if Backend::Legacy.can_load(&folder) {
                let save = "iptables-legacy-save -c > iptables.save; ip6tables-legacy-save > ip6tables.save; ipset save > ipset.save; ebtables-nft-save > ebtables.save";
                captures.push((Backend::Legacy, save, vec!["iptables.save", "ip6tables.save", "ipset.save"]));
                let save = "iptables-nft-save > iptables.save; ip6tables-nft-save -c > ip6tables.save; ipset save > ipset.save; ebtables-nft-save > ebtables.save";
                let bridged = folder.join("ebtables.rules").is_file();
                let files = if bridged {
                    vec!["iptables.save", "ip6tables.save", "ipset.save", "ebtables.save"]
                } else {
                    vec!["iptables.save", "ip6tables.save", "ipset.save"]
                };
                captures.push((Backend::Nftables, save, files));
            }
            if Backend::Nft.can_load(&folder) {
                captures.push((Backend::Nft, "nft -j list ruleset > nft.list", vec!["nft.list"]));
                captures.push((Backend::Nft, "nft -a list ruleset > nft.list", vec!["nft.list"]));
            }
            for (backend, save, mut files) in captures {
                let sets = folder.join("ipset.rules").is_file();
                files.retain(|file| *file != "ipset.save" || sets);
                let script = format!(
                    "{}{save}\n'{}' diff '{}' --host '{host}' --state {}",
                    backend.load(&folder),
                    env!("CARGO_BIN_EXE_fwc"),
                    root().join(&example.path).display(),
                    files.join(" ")
                );
                let said = super::namespace::try_run(&folder, &script);
                let said = said.unwrap_or_else(|said| panic!("{} {host} {backend:?}: {said}", example.name));
                assert!(said.contains("no difference (1 host)"), "{} {host} {backend:?}: {said}", example.name);
                count += 1;
            }
        }
    }
    assert!(count > 10, "{count}");
}

/// What an edit does to packets: the kind of row, where, and a part of it.
const ON_THE_WIRE: &[(&str, Backend, &str, &str, &str)] = &[
    (
        "server",
        Backend::Legacy,
        "iptables-legacy -D INPUT -p udp --dport 443 -m comment --comment quic -j ACCEPT",
        "accepted",
        "udp 443",
    ),
    ("server", Backend::Legacy, "iptables-legacy -I INPUT 7 -s 192.0.2.53 -j ACCEPT", "refused", "192.0.2.53"),
    ("server", Backend::Nft, "nft insert rule inet fwc input ip saddr 192.0.2.66 accept", "refused", "192.0.2.66"),
    // The blacklist stands before it.
    ("server", Backend::Legacy, "iptables-legacy -I INPUT 7 -s 192.0.2.66 -j ACCEPT", "", ""),
    (
        "design",
        Backend::Nftables,
        "iptables-nft -I group-monitoring-in -p udp --dport 161 -j ACCEPT",
        "refused",
        "udp 161",
    ),
    (
        "server",
        Backend::Legacy,
        "iptables-legacy -I INPUT -m u32 --u32 '0>>22&0x3C@4=0x29' -j ACCEPT",
        "unknown",
        "u32",
    ),
    ("docker", Backend::Legacy, "iptables-legacy -D INPUT -j FWC-INPUT", "not_compared", "FWC-INPUT"),
];

#[test]
fn what_packets_notice_is_told() {
    let mut wrong = Vec::new();
    for (name, backend, edit, kind, words) in ON_THE_WIRE {
        let example = example(name);
        let (out, _) = built(&example);
        let host = hosts(out.path())[0].clone();
        let folder = out.path().join("hosts").join(&host);
        prepare(&folder);
        let answer = live(&example.path, &host, &folder, &backend.load(&folder), edit);
        let wire = &answer.report["wire"];
        let kinds = ["accepted", "refused", "otherwise", "unknown", "not_compared"];
        let right = kinds.iter().all(|one| match wire[one].as_array().map(Vec::as_slice) {
            None | Some([]) => one != kind,
            // One rule may be of several services; never a row for each way.
            Some(rows) => one == kind && rows.len() <= 10 && rows.iter().any(|row| row.to_string().contains(words)),
        });
        if !right || wire.is_null() {
            wrong.push(format!("{edit}: {wire:#}\n{}", answer.errors));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
