//! What an edit of a spec does to each backend: that edit, and no word of how chains are made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::diagnostic::SourceMap;
use crate::resolve::resolve;
use crate::spec;
use crate::target::{self, OutputName, Selection, Templates};

/// All rulesets of a spec, by host and program.
fn build(files: &[(PathBuf, String)]) -> BTreeMap<(String, Program), Ruleset> {
    let mut sources = SourceMap::default();
    for (path, text) in files {
        sources.add(path, text.as_str());
    }
    let (spec, found) = spec::load(&sources);
    let (fleet, more) = resolve(&spec.unwrap_or_else(|| panic!("{found:?}")));
    let fleet = fleet.unwrap_or_else(|| panic!("{more:?}"));
    let templates = Templates::new(BTreeMap::new()).unwrap();
    let mut files = Vec::new();
    for target in target::ALL {
        files.extend(target.compile(&fleet, &Selection::default(), &templates).unwrap().files);
    }
    let mut all = BTreeMap::new();
    for file in &files {
        let program = match file.output {
            OutputName::Iptables => Program::Iptables,
            OutputName::Ip6tables => Program::Ip6tables,
            OutputName::Ebtables => Program::Ebtables,
            OutputName::Nft => Program::Nft,
            OutputName::Pve | OutputName::Ipset | OutputName::Sysctl => continue,
        };
        let sets = files.iter().find(|other| other.host == file.host && other.output == OutputName::Ipset);
        let sets = sets.filter(|_| program != Program::Nft).map(|sets| sets.content.as_str());
        all.insert((file.host.clone().unwrap(), program), read(program, &file.content, sets));
    }
    all
}

/// The example's files.
fn example(name: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut paths = Vec::new();
    if root.is_dir() {
        walk(&root, &mut paths)
    } else {
        paths.push(root)
    }
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// What an edit of an example comes to, where it comes to anything.
fn edited(name: &str, from: &str, to: &str) -> BTreeMap<(String, Program), Comparison> {
    let before = example(name);
    let mut after = before.clone();
    let mut places = after.iter_mut().filter(|(_, text)| text.contains(from));
    let (_, text) = places.next().unwrap_or_else(|| panic!("{from}"));
    assert!(places.next().is_none() && text.matches(from).count() == 1, "{from} stands more than once");
    *text = text.replace(from, to);
    let (old, new) = (build(&before), build(&after));
    let mut all = BTreeMap::new();
    for (key, meant) in &new {
        let comparison = compare(meant, &old[key]);
        let back = compare(&old[key], meant);
        assert_eq!(comparison.changes.len(), back.changes.len(), "{key:?}\n{}\n\n{}", said(&comparison), said(&back));
        if !comparison.is_equal() {
            all.insert(key.clone(), comparison);
        }
    }
    all
}

/// The changes of each backend of one example's hosts: `host program kind…`.
fn told(all: &BTreeMap<(String, Program), Comparison>) -> Vec<String> {
    let kinds = |comparison: &Comparison| {
        let kinds: Vec<_> = comparison.changes.iter().map(|change| format!("{:?}", change.kind)).collect();
        kinds.join(" ")
    };
    all.iter().map(|((host, program), comparison)| format!("{host} {program:?} {}", kinds(comparison))).collect()
}

/// Everything, for what a test says when it fails.
fn all_said(all: &BTreeMap<(String, Program), Comparison>) -> String {
    all.iter().map(|(key, comparison)| format!("{key:?}\n{}\n", said(comparison))).collect()
}

fn assert_told(name: &str, from: &str, to: &str, expected: &[&str]) -> BTreeMap<(String, Program), Comparison> {
    let all = edited(name, from, to);
    assert_eq!(told(&all), expected, "{}", all_said(&all));
    all
}

#[test]
fn a_rule_of_a_group_is_one_change() {
    let rule = "      - { in: accept, macro: HTTP/3 }\n";
    let more = format!("{rule}      - {{ in: accept, proto: udp, dport: 4433, id: quic }}\n");
    let hosts = [
        "ams-1 Iptables Added",
        "ams-1 Ip6tables Added",
        "ams-1 Nft Added",
        "ams-2 Iptables Added",
        "ams-2 Ip6tables Added",
        "ams-2 Nft Added",
        "ams-3 Iptables Added",
        "ams-3 Ip6tables Added",
    ];
    let all = assert_told("fleet", rule, &more, &hosts);
    let change = &all[&("ams-1".to_owned(), Program::Nft)].changes[0];
    assert_eq!(change.comment().map(|comment| &**comment), Some("group/webserver quic"));
    assert_eq!(change.new[0].text, "udp dport 4433 accept");
    let interfaces: Vec<_> = change.places.iter().filter_map(Place::interface).map(|(name, _)| name).collect();
    assert_eq!(interfaces.len(), 9, "{interfaces:?}");
    assert!(change.places.iter().all(|place| place.hook_name() == Some(crate::policy::HookName::GuestIn)));
}

#[test]
fn a_group_that_becomes_a_chain_is_no_other_change() {
    let rule = "    - { in: accept, proto: tcp, dport: 853 }\n    - { in: accept, proto: tcp, dport: 854 }\n";
    let all = edited("fleet", "  resolver:\n", &format!("  resolver:\n{rule}"));
    assert_eq!(all.len(), 6, "{}", all_said(&all));
    for comparison in all.values() {
        let added = comparison.changes.iter().all(|change| change.kind == Kind::Added);
        assert!(added && comparison.changes.len() == 2, "{}", all_said(&all));
    }
    let out = "      - { out: accept, macro: NTP, dest: 10.10.0.1 }\n";
    let more = format!("{out}      - {{ out: accept, proto: tcp, dport: 853, dest: 10.10.0.1 }}\n");
    for (key, comparison) in edited("fleet", out, &more) {
        assert_eq!(comparison.changes.len(), 1, "{key:?}\n{}", said(&comparison));
    }
}

#[test]
fn a_guest_or_a_nic_is_one_change() {
    let nic = "nics: { net0: { bridge: vmbr0, tag: 20, mac: \"BC:24:11:00:13:99\", ip: 10.20.0.99/24 } }";
    let guest = format!("vms:\n  5006:\n    host: ams-1\n    inherits: linux\n    {nic}\n  5001:\n");
    let added = [
        "ams-1 Iptables PlaceAdded",
        "ams-1 Ip6tables PlaceAdded",
        "ams-1 Ebtables PlaceAdded",
        "ams-1 Nft PlaceAdded",
    ];
    assert_told("fleet", "vms:\n  5001:\n", &guest, &added);
    let first = "ip: [10.20.0.50/24, \"2001:db8:20::32/64\"] }";
    let second = format!("{first}, net1: {{ bridge: vmbr0, tag: 20, mac: \"BC:24:11:00:13:9A\", ip: 10.20.0.98/24 }}");
    let added = added.map(|line| line.replace("ams-1", "ams-2"));
    assert_told("fleet", first, &second, &added.each_ref().map(String::as_str));
}

#[test]
fn a_guest_that_moves_goes_here_and_comes_there() {
    let all = edited("fleet", "    name: customer4\n    host: ams-1\n", "    name: customer4\n    host: ams-3\n");
    for ((host, program), comparison) in &all {
        let kind = if host == "ams-1" { Kind::PlaceRemoved } else { Kind::PlaceAdded };
        assert_eq!(comparison.changes.len(), 1, "{host} {program:?}\n{}", said(comparison));
        assert_eq!(comparison.changes[0].kind, kind, "{host} {program:?}\n{}", said(comparison));
    }
    assert_eq!(all.len(), 7);
}

#[test]
fn an_alias_is_one_change_of_each_rule_that_names_it() {
    let all = edited("fleet", "    backup_server: 10.10.0.50\n", "    backup_server: 10.10.0.51\n");
    assert_eq!(all.len(), 4, "{}", all_said(&all));
    for comparison in all.values() {
        // One rule of the group, one of the zone.
        assert_eq!(comparison.changes.len(), 2, "{}", all_said(&all));
        let altered = |change: &Change| change.kind == Kind::Altered && change.comment().is_some();
        assert!(comparison.changes.iter().all(altered), "{}", all_said(&all));
    }
}

#[test]
fn an_option_is_one_change_for_each_way() {
    let all = edited("fleet", "    name: customer4\n", "    name: customer4\n    options: { dhcp: true }\n");
    assert_eq!(all.len(), 3, "{}", all_said(&all));
    for comparison in all.values() {
        assert_eq!(comparison.changes.len(), 2, "{}", all_said(&all));
        assert!(comparison.changes.iter().all(|change| change.kind == Kind::Added), "{}", all_said(&all));
    }
}
