//! The command line as people and scripts meet it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot do its work fails")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "cli/unproved.rs"]
mod unproved;
#[path = "cli/unreadable.rs"]
mod unreadable;

const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/spec.in/fwc.yaml");
const ERRORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/errors.in/names.yaml");

/// Transcripts beside this file; `TRYCMD=overwrite` renews them.
#[test]
fn transcripts() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd").case("README.md");
}

struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The paths that a tree's manifest lists, each file's content checked against its digest.
fn manifest(tree: &Path) -> Vec<String> {
    use sha2::{Digest, Sha256};
    let text = fs::read_to_string(tree.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    let files = manifest["sha256"].as_object().unwrap();
    for (path, digest) in files {
        let found: String =
            Sha256::digest(fs::read(tree.join(path)).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest.as_str(), Some(found.as_str()), "{path}");
    }
    files.keys().cloned().collect()
}

#[test]
fn one_file_goes_to_standard_output_as_it_would_be_written() {
    let lab = Lab::new();
    assert_eq!(status(&lab.run(&["build", SPEC, "-o", "out"])), 0);
    let listed = manifest(&lab.at("out"));
    for (target, name) in [("nft", "fwc.nft"), ("iptables", "iptables.rules"), ("ip6tables", "ip6tables.rules")] {
        let path = format!("hosts/pm1/{name}");
        assert!(listed.contains(&path), "{listed:?}");
        let printed = lab.run(&["build", SPEC, "--host", "pm1", "--target", target]);
        assert_eq!((status(&printed), stderr(&printed)), (0, ""));
        assert_eq!(stdout(&printed), fs::read_to_string(lab.at("out").join(path)).unwrap());
    }
}

#[test]
fn standard_output_does_not_take_several_files() {
    let lab = Lab::new();
    let refused = lab.run(&["build", SPEC]);
    assert_eq!((status(&refused), stdout(&refused)), (2, ""));
    assert!(stderr(&refused).contains("standard output takes one file"), "{}", stderr(&refused));
    let refused = lab.run(&["build", SPEC, "--host", "pm1", "--target", "sysctl"]);
    assert!(stderr(&refused).contains("`hosts/pm1/sysctl.d/zz-fwc.conf`"), "{}", stderr(&refused));
}

#[test]
fn with_an_error_nothing_is_written_and_nothing_printed() {
    let lab = Lab::new();
    assert_eq!(status(&lab.run(&["build", SPEC, "-o", "out"])), 0);
    let before = manifest(&lab.at("out"));
    for arguments in [
        &["build", ERRORS, "-o", "out"][..],
        &["build", ERRORS, "-o", "new"],
        &["build", ERRORS, "--host", "pm1", "--target", "nft"],
        &["build", SPEC, "-o", "new", "--host", "nobody"],
        &["build", SPEC, "-o", "new", "--templates", "nowhere"],
        &["show", ERRORS, "host/pm1"],
        &["trace", ERRORS, "--from", "vm/100", "--to", "vm/101"],
    ] {
        let failed = lab.run(arguments);
        assert_eq!((status(&failed), stdout(&failed)), (2, ""), "{arguments:?}");
        assert!(!stderr(&failed).is_empty());
    }
    assert_eq!(manifest(&lab.at("out")), before);
    assert!(!lab.at("new").exists());
}

#[test]
fn a_build_says_what_it_changed_and_leaves_an_equal_tree_alone() {
    let lab = Lab::new();
    let first = lab.run(&["build", SPEC, "-o", "out"]);
    let number = manifest(&lab.at("out")).len();
    assert_eq!(stderr(&first), format!("out: {number} files, {number} changed\n"));
    let second = lab.run(&["build", SPEC, "-o", "out"]);
    assert_eq!(stderr(&second), format!("out: {number} files, nothing changed\n"));
    // A narrowed build removes nothing, and a whole one removes what no longer belongs.
    let narrowed = lab.run(&["build", SPEC, "-o", "out", "--host", "pm2"]);
    assert_eq!(stderr(&narrowed), "out: 1 file, nothing changed\n");
    assert_eq!(manifest(&lab.at("out")).len(), number);
    lab.put("one.yaml", "version: 1\nhosts: { pm2: { addresses: 10.0.0.12/24, targets: nft } }\n");
    let shrunk = lab.run(&["build", "one.yaml", "-o", "out"]);
    assert_eq!(stderr(&shrunk), format!("out: 1 file, 1 changed, {} removed\n", number - 1));
    assert_eq!(manifest(&lab.at("out")), ["hosts/pm2/fwc.nft"]);
    assert!(!lab.at("out/hosts/pm1").exists());
}

#[test]
fn the_session_at_hand_is_held_against_the_host() {
    let lab = Lab::new();
    let host = "{ addresses: 10.0.0.1/24, rules: [ { in: accept, proto: tcp, dport: 22, source: 192.0.2.0/24 } ] }";
    lab.put("fwc.yaml", &format!("version: 1\nhosts:\n  pm1: {host}\n"));
    lab.put("two.yaml", &format!("version: 1\nhosts:\n  pm1.invalid: {host}\n  pm2.invalid: {{}}\n"));
    let check = |spec: &str, session: Option<&str>| {
        let mut command = lab.command(&["check", spec, "--live", "--deny", "warnings"]);
        match session {
            Some(session) => command.env("SSH_CONNECTION", session),
            None => command.env_remove("SSH_CONNECTION"),
        };
        command.output().unwrap()
    };
    let fine = check("fwc.yaml", Some("192.0.2.7 40000 10.0.0.1 22"));
    assert_eq!((status(&fine), stderr(&fine)), (0, "no errors, no warnings\n"));
    let locked_out = check("fwc.yaml", Some("198.51.100.7 40000 10.0.0.1 22"));
    assert_eq!(status(&locked_out), 1);
    let said = stderr(&locked_out);
    assert!(said.contains("does not accept the SSH session from 198.51.100.7 to tcp 22"), "{said}");
    let none = check("fwc.yaml", None);
    assert_eq!(status(&none), 0);
    assert!(stderr(&none).contains("names no SSH session, so none was judged"), "{}", stderr(&none));
    let broken = check("fwc.yaml", Some("who knows"));
    assert_eq!(status(&broken), 2);
    assert!(stderr(&broken).contains("`SSH_CONNECTION` is not understood"), "{}", stderr(&broken));
    // Nothing says which of two hosts this machine is.
    assert_eq!(status(&check("two.yaml", Some("192.0.2.7 40000 10.0.0.1 22"))), 2);
}

#[test]
fn what_codes_mean_can_be_asked() {
    let lab = Lab::new();
    for name in ["shadowed", "lint::shadowed"] {
        let explained = lab.run(&["check", "--explain", name]);
        assert_eq!(status(&explained), 0);
        assert!(
            stdout(&explained).starts_with("# shadowed\n\nA rule that no packet gets to.\n"),
            "{}",
            stdout(&explained)
        );
    }
    let other = lab.run(&["check", "--explain", "resolve::never-holds"]);
    assert!(stdout(&other).contains("A rule that no packet can match, because IPv4 and IPv6 exclude each other.\n"));
    let unknown = lab.run(&["check", "--explain", "shadow"]);
    assert_eq!(status(&unknown), 2);
    assert!(stderr(&unknown).contains("did you mean `shadowed`?"), "{}", stderr(&unknown));
}

#[test]
fn warnings_fail_a_check_only_where_they_are_denied() {
    let lab = Lab::new();
    let spec = |file: &str| {
        format!(
            "version: 1\nhosts:\n  pm1: {{ addresses: 10.0.0.1/24, targets: sysctl, sysctl: {{ file: {file} }} }}\n"
        )
    };
    lab.put("warns.yaml", &spec("80-fwc.conf"));
    lab.put("clean.yaml", &spec("zz-fwc.conf"));
    for (file, deny, expected) in [
        ("clean.yaml", false, 0),
        ("clean.yaml", true, 0),
        ("warns.yaml", false, 0),
        ("warns.yaml", true, 1),
        (ERRORS, true, 2),
        (ERRORS, false, 2),
    ] {
        let deny: &[&str] = if deny { &["--deny", "warnings"] } else { &[] };
        let checked = lab.run(&[&["check", file][..], deny].concat());
        assert_eq!(status(&checked), expected, "{file} {deny:?} {}", stderr(&checked));
        assert_eq!(stdout(&checked), "");
    }
    let json = lab.run(&["check", "warns.yaml", "--format", "json", "--deny", "warnings"]);
    assert_eq!((status(&json), stderr(&json)), (1, ""));
    let found: Value = serde_json::from_str(stdout(&json)).unwrap();
    assert_eq!(found["warnings"], 1);
    let first = &found["diagnostics"][0];
    assert_eq!((&first["code"], &first["line"]), (&"sysctl::file-loses".into(), &3.into()));
}

#[test]
fn templates_can_be_replaced_one_by_one() {
    let lab = Lab::new();
    lab.put("good/sysctl/modules.conf.j2", "{% for module in modules %}\n  {{ module.name }}\n;\n{% endfor %}");
    assert_eq!(status(&lab.run(&["build", SPEC, "-o", "out", "--templates", "good"])), 0);
    let text = fs::read_to_string(lab.at("out/hosts/pm1/modules-load.d/fwc.conf")).unwrap();
    assert!(text.contains("  nf_conntrack\n;\n"), "{text}");

    lab.put("typo/sysctl/module.conf.j2", "");
    lab.put("syntax/sysctl/modules.conf.j2", "one\n{% for %}\n");
    lab.put("undefined/sysctl/modules.conf.j2", "one\n\n{{ nothing }}\n");
    for (folder, expected) in [
        ("typo", "no template is named `sysctl/module.conf.j2`"),
        ("syntax", "sysctl/modules.conf.j2:2"),
        ("undefined", "sysctl/modules.conf.j2:3"),
    ] {
        let failed = lab.run(&["build", SPEC, "-o", "new", "--templates", folder]);
        assert_eq!(status(&failed), 2);
        assert!(stderr(&failed).contains(expected), "{}", stderr(&failed));
        assert!(!lab.at("new").exists());
    }
}

/// Part of a firewall is none: it would load like any other.
#[test]
fn a_template_cannot_leave_out_lines() {
    let lab = Lab::new();
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.yaml");
    let nft = fs::read_to_string("templates/nft/fwc.nft.j2").unwrap();
    let iptables = fs::read_to_string("templates/iptables/iptables.rules.j2").unwrap();
    let pve = fs::read_to_string("templates/pve/host.fw.j2").unwrap();
    let sysctl = fs::read_to_string("templates/sysctl/sysctl.conf.j2").unwrap();
    let same = [
        ("nft/fwc.nft.j2", nft.replace("\n# {{ line }}", "").replace("{{ table.body", "\n# more\n{{ table.body")),
        ("sysctl/sysctl.conf.j2", sysctl.replace(" = ", "=")),
        ("pve/host.fw.j2", pve.replace("{{ header }}", "")),
    ];
    for (name, text) in same {
        lab.put(&format!("same/{name}"), &text);
    }
    let built = lab.run(&["build", spec, "-o", "out", "--templates", "same"]);
    assert_eq!(status(&built), 0, "{}", stderr(&built));
    for (name, text, expected) in [
        ("nft/fwc.nft.j2", String::new(), "`table inet fwc {`"),
        ("nft/fwc.nft.j2", nft.replace("{{ table.body -}}", ""), "`set "),
        ("nft/fwc.nft.j2", nft.replace("for table in tables", "for table in tables | reverse"), "`table bridge fwc {`"),
        ("iptables/iptables.rules.j2", iptables.replace("{{ table.rules }}", ""), "`-A "),
        ("iptables/iptables.rules.j2", iptables.replace("{{ table.rules }}", "# {{ table.rules }}"), "`-A "),
        ("pve/host.fw.j2", pve.replace("[OPTIONS]", ""), "`[OPTIONS]`"),
        ("sysctl/sysctl.conf.j2", sysctl.replace("{{ setting.value }}", "0"), "`net."),
    ] {
        lab.put(&format!("less/{name}"), &text);
        let failed = lab.run(&["build", spec, "-o", "new", "--templates", "less"]);
        assert_eq!(status(&failed), 2, "{name}");
        let said: Vec<&str> = stderr(&failed).split_whitespace().filter(|word| *word != "│").collect();
        let said = said.join(" ");
        assert!(said.contains(&format!("the template `{name}` leaves out a line")), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!lab.at("new").exists());
        fs::remove_file(lab.at(&format!("less/{name}"))).unwrap();
    }
}

#[test]
fn a_spec_comes_from_standard_input_too() {
    let lab = Lab::new();
    let mut child = lab
        .command(&["build", "-", "--host", "pm2", "--target", "nft"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(SPEC).unwrap()).unwrap();
    let piped = child.wait_with_output().unwrap();
    assert_eq!(status(&piped), 0);
    assert_eq!(stdout(&piped), stdout(&lab.run(&["build", SPEC, "--host", "pm2", "--target", "nft"])));
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_panic() {
    let lab = Lab::new();
    for arguments in [
        &["schema"][..],
        &["man"],
        &["completions", "bash"],
        &["show", SPEC, "vm/100"],
        &["trace", SPEC, "--from", "vm/100", "--to", "vm/101"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = lab.command(arguments).stdout(writer).output().unwrap();
        assert_eq!(stderr(&ended), "", "{arguments:?}");
        assert!(status(&ended) == 2 || arguments == ["--help"], "{arguments:?}");
    }
}

#[test]
fn files_that_are_no_text_are_named() {
    let lab = Lab::new();
    lab.put("fwc/good.yaml", "version: 1\n");
    fs::write(lab.at("fwc/bad.yaml"), b"version: 1\n# \xff\n").unwrap();
    let checked = lab.run(&["check"]);
    assert_eq!(status(&checked), 2);
    assert!(stderr(&checked).contains("[fwc/bad.yaml:2:3]"), "{}", stderr(&checked));
    let device = lab.run(&["check", "/dev/null"]);
    assert!(stderr(&device).contains("`/dev/null` is not a regular file"), "{}", stderr(&device));
}

#[test]
fn thousands_of_findings_are_counted_and_shown_in_part() {
    let lab = Lab::new();
    let mut spec = String::from("version: 1\nhosts:\n  pm1:\n    addresses: 10.0.0.1/24\n    rules:\n");
    (0..20_000).for_each(|number| spec.push_str(&format!("      - {{ in: accept, source: alias_{number} }}\n")));
    lab.put("fwc.yaml", &spec);
    let start = Instant::now();
    let checked = lab.run(&["check"]);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(stderr(&checked).ends_with("… and 19900 more\n\n20000 errors\n"));
}

#[test]
fn places_that_cannot_be_written_are_named_and_nothing_is_left() {
    let lab = Lab::new();
    lab.put("file", "theirs");
    for (place, expected) in [
        ("file", "is not a folder"),
        ("file/below", "cannot write to `file/below`"),
        ("/proc/fwc-out", "cannot write"),
        (".", "run the build from outside the output folder"),
    ] {
        let failed = lab.run(&["build", SPEC, "-o", place]);
        assert_eq!(status(&failed), 2);
        assert!(stderr(&failed).contains(expected), "{place}: {}", stderr(&failed));
    }
    assert_eq!(fs::read_dir(lab.folder.path()).unwrap().count(), 1);
}

/// Two specs whose trees differ in every file; a build that is killed at any time leaves the one or the other.
#[test]
fn a_killed_build_leaves_one_whole_tree() {
    let lab = Lab::new();
    for (name, port) in [("a.yaml", 1), ("b.yaml", 2)] {
        let hosts: String = (1..21).map(|host| format!("  h{host}: {{ addresses: 10.0.0.{host}/24 }}\n")).collect();
        let rules =
            format!("datacenter:\n  targets: [nft]\n  rules:\n    - {{ in: accept, proto: tcp, dport: {port} }}\n");
        lab.put(name, &format!("version: 1\n{rules}hosts:\n{hosts}"));
    }
    assert_eq!(status(&lab.run(&["build", "a.yaml", "-o", "out"])), 0);
    lab.put("out/mine", "kept");
    let whole = Instant::now();
    assert_eq!(status(&lab.run(&["build", "b.yaml", "-o", "out"])), 0);
    let whole = whole.elapsed();
    for round in 0..24_u32 {
        let spec = if round % 2 == 0 { "a.yaml" } else { "b.yaml" };
        let mut child = lab.command(&["build", spec, "-o", "out"]).stderr(Stdio::null()).spawn().unwrap();
        sleep(whole * (round + 1) / 24);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(manifest(&lab.at("out")).len(), 20, "round {round}");
        assert_eq!(fs::read_to_string(lab.at("out/mine")).unwrap(), "kept");
    }
    assert_eq!(status(&lab.run(&["build", "a.yaml", "-o", "out"])), 0);
    let mut left: Vec<_> = fs::read_dir(lab.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.yaml", "b.yaml", "out"]);
}

#[test]
fn what_programs_read_is_well_formed() {
    let lab = Lab::new();
    let schema: Value = serde_json::from_str(stdout(&lab.run(&["schema"]))).unwrap();
    assert_eq!(schema["type"], "object");
    let shown = lab.run(&["show", SPEC, "vm/100", "--format", "json"]);
    let shown: Value = serde_json::from_str(stdout(&shown)).unwrap();
    assert_eq!(shown["machines"].as_array().unwrap().len(), 2);
    assert_eq!(shown["machines"][0]["hooks"][1]["hook"], "guest-in");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stdout(&lab.run(&["completions", shell])).contains("fwc"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let lab = Lab::new();
    assert_eq!(status(&lab.run(&["man", "-o", "pages"])), 0);
    let mut pages: Vec<_> = fs::read_dir(lab.at("pages")).unwrap().map(|page| page.unwrap().file_name()).collect();
    pages.sort();
    assert_eq!(
        pages,
        [
            "fwc-build.1",
            "fwc-check.1",
            "fwc-completions.1",
            "fwc-diff.1",
            "fwc-import.1",
            "fwc-man.1",
            "fwc-schema.1",
            "fwc-show.1",
            "fwc-sysctl.1",
            "fwc-test.1",
            "fwc-trace.1",
            "fwc-verify.1",
            "fwc.1"
        ]
    );
    let whole = lab.run(&["man"]);
    for name in ["fwc", "fwc-build", "fwc-show"] {
        assert!(stdout(&whole).contains(&format!(".TH {name} 1")), "{name}");
    }
}

#[test]
fn sysctl_says_who_wins_under_either_program() {
    let lab = Lab::new();
    lab.put("fwc.yaml", "{ version: 1, hosts: { a: { addresses: 10.0.0.1/24, targets: sysctl, sysctl: { set: { vm.swappiness: 10 } } } } }");
    let built = lab.run(&["build", "-o", "out"]);
    assert_eq!(status(&built), 0, "{}", stderr(&built));
    let own = fs::read_to_string(lab.at("out/hosts/a/sysctl.d/zz-fwc.conf")).unwrap();
    let ask = || {
        let output = lab.run(&["sysctl", "--root", "root", "--format", "json"]);
        let report: Value = serde_json::from_str(stdout(&output)).unwrap();
        (status(&output), report)
    };
    lab.put("root/etc/sysctl.d/zz-fwc.conf", &format!("# a comment more\n{own}"));
    let (code, report) = ask();
    assert_eq!((code, &report["own"]["installed"], &report["losing"]), (0, &Value::from("same"), &Value::from(0)));
    // An older file at its place is not what wins: the new one is put there.
    lab.put("root/etc/sysctl.d/zz-fwc.conf", "vm.swappiness = 99\n");
    let (code, report) = ask();
    assert_eq!((code, &report["own"]["installed"]), (0, &Value::from("differs")));
    lab.put("root/etc/sysctl.conf", "\nvm/swappiness = 60\n");
    let (code, report) = ask();
    assert_eq!((code, &report["losing"]), (1, &Value::from(1)));
    let key = report["keys"].as_array().unwrap().iter().find(|key| key["key"] == "vm.swappiness").unwrap();
    assert_eq!(key["loses"], serde_json::json!(["sysctl --system"]));
    assert_eq!(key["spec"]["line"], 1);
    let winner = &key["programs"]["sysctl --system"]["winner"];
    assert_eq!((&winner["file"], &winner["line"]), (&Value::from("/etc/sysctl.conf"), &Value::from(2)));
    assert_eq!(key["programs"]["systemd-sysctl"]["value"], "10");
    // What cannot be read may hold anything: the answer is given, and is no answer.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        lab.at("root/etc/sysctl.d/pipe.conf"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let (code, report) = ask();
    assert_eq!((code, &report["losing"]), (2, &Value::from(1)));
}
