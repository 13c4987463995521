//! What cannot be read is no answer: neither "proved" nor "otherwise".

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::{Lab, SPEC, status, stderr, stdout};

const RULES: &str = "out/hosts/pm1/iptables.rules";

/// A spec with all targets on one host.
const ALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.yaml");

/// What comes in the place of a file, and what is said of it.
type Case = (&'static str, fn(&Path), &'static str);

const CASES: &[Case] = &[
    ("a folder", |path| fs::create_dir(path).unwrap(), "is a folder, and fwc writes a file of that name"),
    ("a link to itself", |path| symlink("iptables.rules", path).unwrap(), "too many levels of symbolic links"),
    ("a link to nothing", |path| symlink("nothing", path).unwrap(), "no such file or directory"),
    ("a pipe", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()), "is not a regular file"),
    ("a large file", |path| fs::File::create(path).unwrap().set_len(10 << 30).unwrap(), "is larger than 64 MiB"),
    ("no text", |path| fs::write(path, b"\xff\xfe\0bad").unwrap(), "is no UTF-8"),
    ("another text", |path| fs::write(path, "dear diary\n").unwrap(), "is nothing that fwc writes"),
];

#[test]
fn trees_with_something_else_in_the_place_of_a_file() {
    let lab = Lab::new();
    assert_eq!(status(&lab.run(&["build", SPEC, "-o", "out"])), 0);
    let text = fs::read_to_string(lab.at(RULES)).unwrap();
    for (what, make, words) in CASES {
        fs::remove_file(lab.at(RULES)).unwrap();
        make(&lab.at(RULES));
        for command in ["verify", "diff"] {
            let output = lab.run(&[command, SPEC, "--against", "out"]);
            let said = format!("{}{}", stdout(&output), stderr(&output));
            let named = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(status(&output), 2, "{command} {what}: {said}");
            assert!(named.contains(words) && named.contains(RULES), "{command} {what}: {said}");
            assert!(!named.contains("not there"), "{command} {what}: {said}");
        }
        match *what {
            "a folder" => fs::remove_dir(lab.at(RULES)).unwrap(),
            _ => fs::remove_file(lab.at(RULES)).unwrap(),
        }
        fs::write(lab.at(RULES), &text).unwrap();
    }
    // A link to a file is as good as the file; what is nobody's is left alone.
    fs::rename(lab.at(RULES), lab.at("elsewhere")).unwrap();
    symlink("../../../elsewhere", lab.at(RULES)).unwrap();
    symlink("nowhere", lab.at("out/hosts/latest")).unwrap();
    symlink("..", lab.at("out/hosts/pm1/up")).unwrap();
    let output = lab.run(&["verify", SPEC, "--against", "out"]);
    assert_eq!(status(&output), 0, "{}{}", stdout(&output), stderr(&output));
}

/// A link to a folder is as good as the folder, where fwc has one.
#[test]
fn trees_with_links_to_folders() {
    let lab = Lab::new();
    assert_eq!(status(&lab.run(&["build", ALL, "-o", "out"])), 0);
    let asked = |command: &str| {
        let output = lab.run(&[command, ALL, "--against", "out"]);
        (status(&output), format!("{}{}", stdout(&output), stderr(&output)))
    };
    symlink("pve1", lab.at("out/hosts/latest")).unwrap();
    fs::create_dir(lab.at("elsewhere")).unwrap();
    let folders = ["out/hosts/pve1", "out/hosts/pve1/sysctl.d", "out/pve/nodes/pve1", "out/pve/firewall", "out/pve"];
    for (number, folder) in folders.iter().enumerate() {
        let moved = lab.at(&format!("elsewhere/{number}"));
        fs::rename(lab.at(folder), &moved).unwrap();
        // To the folder itself, to nothing, in a circle; and a file in its place.
        for (leads_to, words) in [
            (Some(moved.clone()), None),
            (Some(lab.at("nothing")), Some("no such file or directory")),
            (Some(lab.at(folder)), Some("too many levels of symbolic links")),
            (None, Some("is no folder, and fwc writes one of that name")),
        ] {
            match &leads_to {
                Some(other) => symlink(other, lab.at(folder)).unwrap(),
                None => fs::write(lab.at(folder), "").unwrap(),
            }
            let what = format!("to {leads_to:?}");
            for command in ["verify", "diff"] {
                let (status, said) = asked(command);
                let named = said.split_whitespace().collect::<Vec<_>>().join(" ");
                assert_eq!(status, if words.is_some() { 2 } else { 0 }, "{command} {folder} {what}: {said}");
                let is_told = words.is_none_or(|words| named.contains(words) && named.contains(folder));
                assert!(is_told, "{command} {folder} {what}: {said}");
                assert!(!named.contains("not there"), "{command} {folder} {what}: {said}");
            }
            fs::remove_file(lab.at(folder)).unwrap();
        }
        symlink(&moved, lab.at(folder)).unwrap();
    }
    // Through all of these links an edit is seen.
    let rules = "out/hosts/pve1/iptables.rules";
    let text = fs::read_to_string(lab.at(rules)).unwrap();
    fs::write(lab.at(rules), text.replace(":INPUT DROP", ":INPUT ACCEPT").replace("-A INPUT -j DROP\n", "")).unwrap();
    assert_eq!(asked("verify").0, 1, "{}", asked("verify").1);
}

#[test]
fn folders_that_are_no_trees() {
    let lab = Lab::new();
    assert_eq!(status(&lab.run(&["build", SPEC, "-o", "out"])), 0);
    fs::create_dir_all(lab.at("bare/hosts/pm1")).unwrap();
    lab.put("none.yaml", "version: 1\n");
    for (spec, folder, words) in [
        (SPEC, "bare", "there is no output of fwc's in `bare`"),
        (SPEC, "nosuch", "cannot read the folder `nosuch`: no such file or directory"),
        (SPEC, "none.yaml", "cannot read the folder `none.yaml`: not a directory"),
        ("none.yaml", "out", "the spec has no hosts"),
        ("nosuch.yaml", "out", "cannot read `nosuch.yaml`"),
        ("bare", "out", "no YAML file in `bare`"),
    ] {
        let output = lab.run(&["verify", spec, "--against", folder]);
        assert_eq!(status(&output), 2, "{spec} {folder}");
        assert!(stderr(&output).contains(words), "{spec} {folder}: {}", stderr(&output));
    }
}

/// Of programs that cannot be asked it is not known whether they have the rules.
#[test]
fn machines_that_do_not_answer() {
    let lab = Lab::new();
    let output =
        lab.command(&["verify", SPEC, "--live", "--host", "pm1"]).env("PATH", "/nonexistent").output().unwrap();
    assert_eq!(status(&output), 2, "{}", stdout(&output));
    assert!(stdout(&output).contains("nft: what rules it has is not known"), "{}", stdout(&output));
    assert!(!stdout(&output).contains("nothing is loaded"), "{}", stdout(&output));
}

/// Of many doubts the first are told, and the others counted; whether packets fare otherwise is known all the same.
#[test]
fn more_than_anybody_reads() {
    let lab = Lab::new();
    lab.put("one.yaml", "version: 1\nhosts: { pm1: { addresses: 10.0.0.1/24, targets: iptables } }\n");
    assert_eq!(status(&lab.run(&["build", "one.yaml", "-o", "out"])), 0);
    let text = fs::read_to_string(lab.at(RULES)).unwrap();
    let asked = |rules: &str, format: &str| {
        fs::write(lab.at(RULES), text.replacen("-A INPUT", &format!("{rules}-A INPUT"), 1)).unwrap();
        let output = lab.run(&["verify", "one.yaml", "--against", "out", "--format", format]);
        (status(&output), stdout(&output).to_owned())
    };
    // Each is on two ways, and told once; what differs, on each.
    let strange = |count: usize| -> String {
        (1..=count).map(|n| format!("-A INPUT -s 192.0.2.{n}/32 -m u32 --u32 \"{n}=1\" -j ACCEPT\n")).collect()
    };
    for (rules, expected, header, last) in [
        (strange(20), 2, "not proved, 20 doubts", None),
        (strange(25), 2, "not proved, 25 doubts", Some("  iptables: and 5 more\n")),
        (strange(25) + "-A INPUT -s 198.51.100.7/32 -j ACCEPT\n", 1, "27 doubts", Some("  iptables: and 7 more\n")),
    ] {
        let (status, said) = asked(&rules, "human");
        assert_eq!(
            (status, said.matches("  iptables: ").count()),
            (expected, 20 + usize::from(last.is_some())),
            "{said}"
        );
        assert!(said.contains(header) && last.is_none_or(|last| said.contains(last)), "{said}");
    }
    let (_, said) = asked(&strange(25), "json");
    assert!(said.contains("\"message\": \"and 5 more\"") && said.contains("\"more\": 5"), "{said}");
}
