//! Every file of every example, loaded for real and listed back.

use std::fs;

use super::hosts::{LOAD, SEPARATOR, compare, hosts, with};
use super::{common, gaps, namespace, script, tables};

/// Loads a file twice with `load`, lists with `list`, and compares with what the file says.
fn restores(file: &str, program: &str, list: &str) {
    let mut wrong = Vec::new();
    for host in with(file) {
        let meant = tables::parse(&host.read(file), file);
        assert!(meant.rule_count() > 0, "{file} says nothing");
        let sets =
            if host.has("ipset.rules") { "ipset restore < ipset.rules; ipset restore < ipset.rules; " } else { "" };
        let shared = host.read(file).contains("--noflush");
        let flag = if shared { "--noflush " } else { "" };
        let script = format!("{sets}{program} {flag}< {file}; {program} {flag}< {file}; {list}");
        match namespace::try_run(&host.folder, &script) {
            Ok(listing) => {
                let found = tables::differences(&meant, &tables::parse(&listing, program));
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
    let meant = tables::parse(&text, "iptables");
    let victim = text.lines().rfind(|line| line.starts_with("-A") && line.ends_with("-j ACCEPT")).expect("an accept");
    let changed = text.replacen(victim, &victim.replace("-j ACCEPT", "-j DROP"), 1);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("changed"), changed).expect("a file");
    let listing = namespace::run(folder.path(), "iptables-legacy-restore changed; iptables-legacy-save");
    assert!(!tables::differences(&meant, &tables::parse(&listing, "iptables")).is_empty());
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

/// All that nft can list a ruleset as says the same.
#[test]
fn nft_in_every_form() {
    let mut wrong = Vec::new();
    let folder = tempfile::tempdir().expect("a folder");
    for host in with("fwc.nft") {
        let (text, _) = gaps::strip(&host.read("fwc.nft"));
        fs::write(folder.path().join("fwc.nft"), &text).expect("a file");
        let meant = script::parse(&text);
        for form in ["", "-a", "-s", "-n", "-y", "-j"] {
            let listing = namespace::run(folder.path(), &format!("nft -f fwc.nft; nft {form} list ruleset"));
            let found = script::differences(&meant, &script::parse(&listing));
            wrong.extend(found.into_iter().map(|text| format!("{} nft {form}: {text}", host.name)));
        }
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
