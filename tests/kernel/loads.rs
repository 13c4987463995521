//! Every file of every example, loaded for real and listed back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::common::{self, Example, built, examples};
use super::qemu::{self, Job};
use super::{gaps, namespace, paths, script, tables};

/// A host's folder in the output of an example.
struct Host {
    name: String,
    folder: PathBuf,
}

impl Host {
    fn has(&self, file: &str) -> bool {
        self.folder.join(file).is_file()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_else(|error| panic!("{}: {file}: {error}", self.name))
    }
}

/// Every host of every example, compiled once for all tests.
fn hosts() -> &'static [Host] {
    static HOSTS: OnceLock<(Vec<tempfile::TempDir>, Vec<Host>)> = OnceLock::new();
    let (_, hosts) = HOSTS.get_or_init(|| {
        let mut folders = Vec::new();
        let mut hosts = Vec::new();
        for example in examples() {
            let (folder, _) = built(&example);
            hosts.extend(hosts_of(&example, folder.path()));
            folders.push(folder);
        }
        (folders, hosts)
    });
    hosts
}

fn hosts_of(example: &Example, out: &Path) -> Vec<Host> {
    let folder = out.join("hosts");
    let mut found: Vec<Host> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("the example {} has no hosts: {error}", example.name))
        .map(|entry| entry.expect("an entry").path())
        .map(|folder| {
            let host = folder.file_name().expect("a name").to_string_lossy();
            Host { name: format!("{}-{host}", example.name), folder: folder.clone() }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Hosts that have a file; there must be some, or the test would judge nothing.
fn with(file: &str) -> Vec<&'static Host> {
    let found: Vec<&Host> = hosts().iter().filter(|host| host.has(file)).collect();
    assert!(!found.is_empty(), "no example has a {file}");
    found
}

/// Loads a file twice with `load`, lists with `list`, and compares with what the file says.
fn restores(file: &str, program: &str, list: &str) {
    let mut wrong = Vec::new();
    for host in with(file) {
        let meant = tables::parse(&host.read(file));
        assert!(
            meant.values().any(|chains| chains.values().any(|chain| !chain.rules.is_empty())),
            "{file} says nothing"
        );
        let sets =
            if host.has("ipset.rules") { "ipset restore < ipset.rules; ipset restore < ipset.rules; " } else { "" };
        let shared = host.read(file).contains("--noflush");
        let flag = if shared { "--noflush " } else { "" };
        let script = format!("{sets}{program} {flag}< {file}; {program} {flag}< {file}; {list}");
        match namespace::try_run(&host.folder, &script) {
            Ok(listing) => {
                let found = tables::differences(&meant, &tables::parse(&listing));
                wrong.extend(found.into_iter().map(|text| format!("{} {file}, {program}: {text}", host.name)));
            }
            Err(said) => wrong.push(format!("{} {file}: {program} fails: {said}", host.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn iptables_legacy() {
    restores("iptables.rules", "iptables-legacy-restore", "iptables-legacy-save");
}

#[test]
fn iptables_nft() {
    restores("iptables.rules", "iptables-nft-restore", "iptables-nft-save");
}

#[test]
fn ip6tables_legacy() {
    restores("ip6tables.rules", "ip6tables-legacy-restore", "ip6tables-legacy-save");
}

#[test]
fn ip6tables_nft() {
    restores("ip6tables.rules", "ip6tables-nft-restore", "ip6tables-nft-save");
}

#[test]
fn ebtables_nft() {
    restores("ebtables.rules", "ebtables-nft-restore", "ebtables-nft-save");
}

#[test]
fn ipset_sets_hold_what_the_file_says() {
    let mut count = 0;
    for host in with("ipset.rules") {
        let meant = tables::parse_sets(&host.read("ipset.rules"));
        count += meant.len();
        let listing =
            namespace::run(&host.folder, "ipset restore < ipset.rules; ipset restore < ipset.rules; ipset save");
        assert_eq!(meant, tables::parse_sets(&listing), "{}", host.name);
    }
    assert!(count > 0, "no example has an ipset");
}

/// A change of a single line must be seen, or the tests above prove nothing.
#[test]
fn a_changed_line_is_seen() {
    let host = with("iptables.rules")[0];
    let text = host.read("iptables.rules");
    let meant = tables::parse(&text);
    let victim = text.lines().rfind(|line| line.starts_with("-A") && line.ends_with("-j ACCEPT")).expect("an accept");
    let changed = text.replacen(victim, &victim.replace("-j ACCEPT", "-j DROP"), 1);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("changed"), changed).expect("a file");
    let listing = namespace::run(folder.path(), "iptables-legacy-restore changed; iptables-legacy-save");
    assert!(!tables::differences(&meant, &tables::parse(&listing)).is_empty());
}

/// The inet table whole, the bridge table without what this kernel lacks.
#[test]
fn nft() {
    let mut wrong = Vec::new();
    let folder = tempfile::tempdir().expect("a folder");
    for host in with("fwc.nft") {
        let (text, _) = gaps::strip(&host.read("fwc.nft"));
        fs::write(folder.path().join("fwc.nft"), &text).expect("a file");
        match namespace::try_run(folder.path(), &format!("{LOAD}cat sent; echo {SEPARATOR}; cat listed")) {
            Ok(output) => {
                wrong.extend(compare(&text, &output).into_iter().map(|text| format!("{} fwc.nft: {text}", host.name)));
            }
            Err(said) => wrong.push(format!("{} fwc.nft: {said}", host.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Loads twice; leaves what was sent to the kernel the second time, and what the kernel lists.
const LOAD: &str =
    "set -e\nnft -f fwc.nft\nnft --debug=netlink -f fwc.nft >sent\nnft --debug=netlink -s -y -p list ruleset >listed\n";
const SEPARATOR: &str = "@@ listing";

/// What a script means, what was sent to the kernel and what the kernel holds, against one another.
fn compare(script: &str, output: &str) -> Vec<String> {
    let (sent, listing) = output.split_once(SEPARATOR).expect("what was sent, then the listing");
    let (sent, kept) = (script::bytecode(sent), script::bytecode(listing));
    assert!(sent.values().flatten().count() > 10, "nothing was sent");
    // The kernel's own form of the rules stands before the words.
    let words = listing.find("\ntable ").map_or("", |at| &listing[at + 1..]);
    let mut found = script::differences(&sent, &kept);
    found.extend(script::differences(&script::parse(script), &script::parse(words)));
    found
}

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

fn check_sysctl(host: &Host, outcome: &qemu::Outcome) -> Option<String> {
    let settings = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let (meant, kept) = (settings(&host.read("sysctl.d/zz-fwc.conf")), settings(&outcome.output));
    let wrong = outcome.status != 0 || meant != kept || meant.is_empty();
    let difference = common::difference(&meant.join("\n"), &kept.join("\n"));
    wrong.then(|| format!("{}: sysctl: {}\n{difference}", host.name, outcome.output))
}

/// Every `fwc.nft` whole, and every sysctl key, on a stock kernel, in one boot.
#[test]
fn nft_whole_on_a_stock_kernel() {
    let with = with("fwc.nft");
    let mut jobs: Vec<Job> = with
        .iter()
        .map(|host| Job {
            name: host.name.clone(),
            private: true,
            script: format!("{LOAD}cat sent; echo '{SEPARATOR}'; cat listed\n"),
            files: vec![("fwc.nft".into(), host.read("fwc.nft").into_bytes())],
        })
        .collect();
    jobs.extend(hosts().iter().filter(|host| host.has("modules-load.d/fwc.conf")).map(sysctl_job));
    jobs.push(Job {
        name: "self-test".into(),
        private: true,
        script: format!("{LOAD}cat listed\n"),
        files: vec![("fwc.nft".into(), SELF_TEST.into())],
    });
    jobs.push(Job {
        name: "failure".into(),
        private: true,
        script: LOAD.into(),
        files: vec![("fwc.nft".into(), "nonsense\n".into())],
    });
    jobs.push(paths::job());
    let outcomes = qemu::boot(&jobs);
    assert_ne!(outcomes["failure"].status, 0, "a job that fails must be seen to");
    for statement in ["ct state invalid drop", "meta ibrname \"vmbr0\"", "reject with tcp reset"] {
        assert!(outcomes["self-test"].output.contains(statement), "{:?}", outcomes["self-test"]);
    }
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(paths::check(&outcomes["paths"]));
    for host in hosts() {
        let outcome = outcomes.get(&format!("{}-sysctl", host.name));
        wrong.extend(outcome.and_then(|outcome| check_sysctl(host, outcome)));
    }
    for host in with {
        let outcome = &outcomes[&host.name];
        if outcome.status != 0 {
            wrong.push(format!("{}: does not load: {}", host.name, outcome.output));
            continue;
        }
        let found = compare(&host.read("fwc.nft"), &outcome.output);
        wrong.extend(found.into_iter().map(|text| format!("{}: {text}", host.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `sysctl` would take every line: a key, an equals sign, a value.
#[test]
fn sysctl_files_have_the_form() {
    for host in hosts() {
        let folder = host.folder.join("sysctl.d");
        if !folder.is_dir() {
            continue;
        }
        for (name, content) in common::tree(&folder) {
            let text = String::from_utf8(content).expect("UTF-8");
            let mut keys = Vec::new();
            for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{}: {name}: {line}", host.name));
                let key = key.trim().trim_start_matches('-');
                assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || "._-/*".contains(c)), "{}: {line}", host.name);
                assert!(!value.trim().is_empty(), "{}: {line}", host.name);
                keys.push(key.to_owned());
            }
            let count = keys.len();
            keys.sort();
            keys.dedup();
            assert_eq!(count, keys.len(), "{}: {name} sets a key twice", host.name);
        }
    }
}
