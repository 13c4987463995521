//! `--against` and `--state` with files alone: what was built, and what somebody captured.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{build, fwc, root};

const SPEC: &str = "examples/server.yaml";
const HOST: &str = "www.example.net";

fn built(spec: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(build(Path::new(spec), folder.path()).status.success());
    folder
}

/// Exit status and report of a comparison.
fn diff(spec: &str, arguments: &[&str]) -> (i32, Value) {
    let output = fwc().args(["diff", spec, "--format", "json"]).args(arguments).output().expect("fwc runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{said}"));
    (output.status.code().expect("an exit status"), report)
}

/// Subject, name and kind of every change.
fn changes(report: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let all = list(&report["causes"]).into_iter().flat_map(|cause| list(&cause["changes"]));
    all.map(|change| {
        let word = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", word("kind"), word("subject"), word("name"))
    })
    .collect()
}

#[test]
fn every_file_of_a_tree_counts() {
    let host = format!("hosts/{HOST}");
    /// A file, what is edited in it (nothing: it is removed), and what every change begins with.
    type Case = (&'static str, Option<(&'static str, &'static str)>, &'static str);
    let cases: &[Case] = &[
        ("sysctl.d/zz-fwc.conf", None, "added sysctl"),
        (
            "sysctl.d/zz-fwc.conf",
            Some(("net.ipv4.tcp_sack = 0", "net.ipv4.tcp_sack = 1")),
            "altered sysctl net.ipv4.tcp_sack",
        ),
        (
            "sysctl.d/zz-fwc.conf",
            Some(("net.ipv4.tcp_sack = 0", "net.ipv4.tcp_sack = 0\nvm.swappiness = 1")),
            "removed sysctl vm.swappiness",
        ),
        ("modules-load.d/fwc.conf", None, "added property modules-load.d/fwc.conf"),
        ("modprobe.d/fwc.conf", Some(("hashsize=", "hashsize=1")), "altered property modprobe.d/fwc.conf"),
        ("iptables.rules", None, "added property iptables.rules"),
        ("ip6tables.rules", None, "added property ip6tables.rules"),
        ("fwc.nft", None, "added property fwc.nft"),
        ("fwc.nft", Some(("9113", "9114")), "altered definition @ports-24a41751"),
    ];
    for (file, edit, expected) in cases {
        let out = built(SPEC);
        let (status, report) = diff(SPEC, &["--against", &out.path().to_string_lossy()]);
        assert_eq!((status, changes(&report)), (0, Vec::new()), "{report:#}");
        let path = out.path().join(&host).join(file);
        match edit {
            None => fs::remove_file(&path).expect("the file"),
            Some((from, to)) => {
                let text = fs::read_to_string(&path).expect("the file");
                assert!(text.contains(from), "{file}: {text}");
                fs::write(&path, text.replacen(from, to, 1)).expect("the file");
            }
        }
        let (status, report) = diff(SPEC, &["--against", &out.path().to_string_lossy()]);
        let told = changes(&report);
        assert_eq!(status, 1, "{file}: {report:#}");
        assert!(!told.is_empty() && told.iter().all(|change| change.starts_with(expected)), "{file}: {told:?}");
    }
}

#[test]
fn hosts_of_one_side_alone() {
    let out = built("examples/fleet");
    let folder = out.path().to_string_lossy().into_owned();
    fs::remove_dir_all(out.path().join("hosts/ams-1")).expect("the folder");
    fs::remove_dir_all(out.path().join("pve/nodes/ams-1")).expect("the folder");
    fs::create_dir_all(out.path().join("hosts/old-1")).expect("a folder");
    fs::write(out.path().join("hosts/old-1/iptables.rules"), "*filter\nCOMMIT\n").expect("a file");
    let (status, report) = diff("examples/fleet", &["--against", &folder]);
    let of = |name: &str| {
        let hosts = report["hosts"].as_array().expect("hosts");
        hosts.iter().find(|host| host["host"] == name).map(|host| host["status"].clone())
    };
    assert_eq!(status, 1);
    assert_eq!((of("ams-1"), of("old-1")), (Some("added".into()), Some("removed".into())), "{report:#}");
}

/// A folder of captures, files of `sysctl.d` in it, and what was not given is said.
#[test]
fn a_folder_of_captures() {
    let out = built(SPEC);
    let folder = out.path().join("hosts").join(HOST);
    let rules = folder.join("iptables.rules").to_string_lossy().into_owned();
    let (status, report) = diff(SPEC, &["--state", &rules]);
    assert_eq!(status, 0, "{report:#}");
    assert!(report["notes"].to_string().contains("nothing was given of ip6tables, sysctl"), "{report:#}");
    let (status, report) = diff(SPEC, &["--state", &folder.join("sysctl.d").to_string_lossy()]);
    assert_eq!(status, 0, "{report:#}");
    fs::write(folder.join("sysctl.d/zzz-late.conf"), "net.ipv4.tcp_sack = 1\n").expect("a file");
    let (status, report) = diff(SPEC, &["--state", &folder.join("sysctl.d").to_string_lossy()]);
    assert_eq!((status, changes(&report)), (1, vec!["altered sysctl net.ipv4.tcp_sack".to_owned()]), "{report:#}");
}

/// Where iptables is loaded, tables of nft that are not fwc's say nothing about fwc's.
#[test]
fn what_is_not_in_use_is_no_difference() {
    let out = built(SPEC);
    let folder = out.path().join("hosts").join(HOST);
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    fs::write(folder.join("listing.nft"), "table ip filter {\n\tchain INPUT {\n\t}\n}\n").expect("a file");
    let (status, report) =
        diff(SPEC, &["--state", &file("listing.nft"), &file("iptables.rules"), &file("ip6tables.rules")]);
    assert_eq!((status, changes(&report)), (0, Vec::new()), "{report:#}");
}

/// Lines that Proxmox VE passes over are there and are nothing that fwc wrote.
#[test]
fn unreadable_lines_of_fw_files_are_a_difference() {
    let out = built("examples/design.yaml");
    let path = out.path().join("pve/firewall/100.fw");
    let text = fs::read_to_string(&path).expect("the file");
    fs::write(&path, format!("{text}IN ACCEPT -p tcp -dport 22 -bogus\n")).expect("the file");
    let (status, report) = diff("examples/design.yaml", &["--state", &path.to_string_lossy()]);
    assert_eq!((status, changes(&report)), (1, vec!["removed property firewall/100.fw".to_owned()]), "{report:#}");
    fs::write(&path, text.replace("-dport 22", "-dport ssh")).expect("the file");
    let (status, report) = diff("examples/design.yaml", &["--state", &path.to_string_lossy()]);
    assert_eq!((status, changes(&report)), (0, Vec::new()), "{report:#}");
}

/// Bad input is named, and the rest is compared.
#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_compared() {
    let out = built(SPEC);
    let folder = out.path().join("hosts").join(HOST);
    let rules = folder.join("iptables.rules").to_string_lossy().into_owned();
    let text = fs::read(&rules).expect("the file");
    let cut = folder.join("cut.ip6tables.rules");
    fs::write(&cut, &text[..text.len() / 2]).expect("a file");
    let noise = folder.join("noise");
    fs::write(&noise, [0_u8, 159, 146, 150, 255, 10]).expect("a file");
    let missing = folder.join("missing").to_string_lossy().into_owned();
    for other in [cut.to_string_lossy().into_owned(), noise.to_string_lossy().into_owned(), missing] {
        let (status, report) = diff(SPEC, &["--state", &rules, &other]);
        assert_eq!(status, 2, "{other}: {report:#}");
        assert_eq!(report["partial"], true, "{other}: {report:#}");
        assert!(report["notes"].to_string().contains("not-compared"), "{other}: {report:#}");
    }
    assert!(root().join(SPEC).exists());
}

/// A shared host's listing: nothing leads to fwc's chain for what the host receives, and a rule is not understood.
pub fn of_docker(format: &str) -> std::process::Output {
    let spec = "examples/docker.yaml";
    let out = built(spec);
    let path = out.path().join("hosts/build1/iptables.rules");
    let text = fs::read_to_string(&path).expect("the file");
    let first = "-A FWC-host-in -i lo -j RETURN\n";
    assert!(text.contains(first), "{text}");
    let text = text
        .replacen("*filter\n", "*filter\n:INPUT ACCEPT [0:0]\n", 1)
        .replacen(first, &format!("{first}-A FWC-host-in -m u32 --u32 \"0=1\" -j DROP\n-A FWC-host-in -d 198.51.100.7 -p tcp -m tcp --dport 8080 -j RETURN\n"), 1);
    let file = out.path().join("build1.rules");
    fs::write(&file, text).expect("the file");
    let file = file.to_string_lossy();
    let arguments = ["diff", spec, "--format", format, "--host", "build1", "--state", &*file];
    fwc().args(arguments).output().expect("fwc runs")
}

#[test]
fn what_packets_notice_of_a_capture() {
    for (format, words) in [
        ("human", &["on the wire", "nothing is said of packets", "-m u32", "not decided: iptables on build1"][..]),
        ("markdown", &["**On the wire**", "Nothing is said of packets", "-m u32", "Not decided: iptables on build1"]),
    ] {
        let text = String::from_utf8_lossy(&of_docker(format).stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        for words in words {
            assert!(text.to_lowercase().contains(&words.to_lowercase()), "{words}: {text}");
        }
    }
    let report: Value = serde_json::from_slice(&of_docker("json").stdout).expect("JSON");
    let wire = &report["wire"];
    assert_eq!((&wire["rulesets"], &wire["hooks"]), (&1.into(), &0.into()), "{wire:#}");
    assert!(wire["unknown"][0]["message"].as_str().is_some_and(|text| text.contains("u32")), "{wire:#}");
    assert!(wire["unknown"][0]["place"].is_object(), "{wire:#}");
    let missing = "the rule that leads all packets of INPUT to FWC-INPUT is not there";
    assert_eq!(wire["not_compared"][0]["message"], missing, "{wire:#}");
}

/// A group's rule edited at every guest is a row, not one for each way.
#[test]
fn the_same_turn_on_many_ways_is_one_row() {
    let spec = "examples/design.yaml";
    let out = built(spec);
    let path = out.path().join("hosts/pm4-1/iptables.rules");
    let text = fs::read_to_string(&path).expect("the file");
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("--icmp-type 8")).collect();
    assert!(kept.len() < text.lines().count(), "{text}");
    fs::write(&path, kept.join("\n") + "\n").expect("the file");
    let (status, report) = diff(spec, &["--against", &out.path().to_string_lossy()]);
    let wire = &report["wire"];
    assert_eq!(status, 1, "{report:#}");
    let rows = wire["accepted"].as_array().expect("rows");
    assert_eq!(rows.len(), 1, "{wire:#}");
    assert_eq!(
        (&rows[0]["from"], &rows[0]["to"], &rows[0]["macro"]),
        (&"anyone".into(), &"every guest".into(), &"Ping".into())
    );
    assert_eq!(rows[0]["at"].as_array().map(Vec::len), Some(4), "{wire:#}");
    // What drops them at all guests is a rule in three chains.
    let drops = ["ct200-in", "rest-in", "rest-in~2"].map(|chain| format!("iptables {chain}: -j DROP"));
    assert_eq!(rows[0]["instead_of"], Value::from(drops.to_vec()), "{wire:#}");
    assert!(wire["refused"].as_array().is_some_and(Vec::is_empty), "{wire:#}");
}

/// What a rule of others accepts is told by that rule, of each program at its own line.
#[test]
fn a_rule_of_others_is_named_where_it_is_written() {
    let spec = "examples/design.yaml";
    let out = built(spec);
    for (file, chain, rule) in [
        ("iptables.rules", "-A INPUT ", "-s 198.51.100.9/32 -p tcp -m tcp --dport 2222 -j ACCEPT"),
        ("fwc.nft", "chain input {", "ip saddr 198.51.100.9 tcp dport 2222 accept"),
    ] {
        let path = out.path().join("hosts/pm4-1").join(file);
        let text = fs::read_to_string(&path).expect("the file");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = lines.iter().position(|line| line.contains(chain)).expect("the chain");
        let at = if file == "fwc.nft" { at + 2 } else { at };
        let rule = if file == "fwc.nft" { format!("\t\t{rule}") } else { format!("{chain}{rule}") };
        lines.insert(at, rule);
        fs::write(&path, lines.join("\n") + "\n").expect("the file");
        let (_, report) = diff(spec, &["--against", &out.path().to_string_lossy()]);
        fs::write(&path, text).expect("the file");
        let refused = report["wire"]["refused"].as_array().expect("rows");
        let [row] = refused.as_slice() else { panic!("{file}: {:#}", report["wire"]) };
        let words = if file == "fwc.nft" { "nft input: ip saddr" } else { "iptables INPUT: -s 198.51.100.9/32" };
        assert!(row["rule"].as_str().is_some_and(|rule| rule.starts_with(words)), "{row:#}");
        assert_eq!((&row["place"]["line"], &row["service"]), (&(at + 1).into(), &"tcp 2222".into()), "{row:#}");
        assert_eq!(row["place"]["file"], *path.to_string_lossy(), "{row:#}");
    }
}

/// What no packet notices is said first, in every format; where nothing differs, nothing is.
#[test]
fn files_that_mean_the_same() {
    let spec = "examples/design.yaml";
    let said = |out: &Path, format: &str| {
        let arguments = ["diff", spec, "--format", format, "--against", &*out.to_string_lossy()];
        let output = fwc().args(arguments).output().expect("fwc runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let out = built(spec);
    assert!(diff(spec, &["--against", &out.path().to_string_lossy()]).1["wire"].is_null());
    let edit = |path: &str, from: &str, to: &str| {
        let path = out.path().join(path);
        let text = fs::read_to_string(&path).expect("the file");
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).expect("the file");
    };
    // A comment, and rules of `.fw` files in another order that means the same.
    edit("hosts/pm4-1/iptables.rules", "--comment 75b9f6a4", "--comment 12345678");
    let (http, ranged) = ("IN ACCEPT -p tcp -dport 80,443 # [ad17d5dc]\n", "IN ACCEPT -source +dc/");
    let cluster = fs::read_to_string(out.path().join("pve/firewall/cluster.fw")).expect("the file");
    let next = cluster.split_once(http).and_then(|(_, rest)| rest.lines().next()).expect("rules");
    assert!(next.starts_with(ranged), "{next}");
    edit("pve/firewall/cluster.fw", &format!("{http}{next}\n"), &format!("{next}\n{http}"));
    let (status, report) = diff(spec, &["--against", &out.path().to_string_lossy()]);
    assert_eq!((status, changes(&report).len()), (1, 2), "{report:#}");
    let wire = &report["wire"];
    assert_eq!((&wire["rulesets"], &wire["accepted"]), (&2.into(), &Value::Array(Vec::new())), "{report:#}");
    assert!(wire["not_compared"].is_null(), "{report:#}");
    for (format, line, words) in [
        ("human", 4, "on the wire: no packet changes (2 rulesets compared for all packets)"),
        ("markdown", 5, "**On the wire**"),
        ("markdown", 7, "No packet changes (2 rulesets compared for all packets)."),
    ] {
        let text = said(out.path(), format);
        assert_eq!(text.lines().nth(line), Some(words), "{text}");
    }
    // What cannot be read is no part of that.
    edit("hosts/pm4-1/sysctl.d/zz-fwc.conf", "net.", "=net.");
    let text = said(out.path(), "human");
    assert!(text.contains("no packet changes, apart from what could not be compared"), "{text}");
    // Where packets do notice, they are told, by the line of the files and the rule of the spec.
    edit("pve/firewall/100.fw", "-dport 22", "-dport 23");
    let (_, report) = diff(spec, &["--against", &out.path().to_string_lossy()]);
    let wire = &report["wire"];
    assert!(wire["not_compared"].is_null() && wire["rulesets"] == 2, "{wire:#}");
    let row = |kind: &str| {
        let [row] = wire[kind].as_array().map(Vec::as_slice).unwrap_or_default() else { panic!("{wire:#}") };
        assert_eq!((&row["from"], &row["to"]), (&"office".into(), &"vm/100".into()), "{row:#}");
        assert_eq!(row["at"][0]["output"], "pve", "{row:#}");
        row.clone()
    };
    let (accepted, refused) = (row("accepted"), row("refused"));
    assert_eq!((&accepted["service"], &refused["service"]), (&"tcp 22".into(), &"tcp 23".into()));
    assert_eq!(accepted["rule"], "vms.100: accept tcp 22 from office");
    assert_eq!(refused["rule"], "IN ACCEPT -source dc/office -p tcp -dport 23");
    assert_eq!(refused["place"]["file"], *out.path().join("pve/firewall/100.fw").to_string_lossy());
    assert!(refused["packet"].as_str().is_some_and(|packet| packet.ends_with(":23")), "{refused:#}");
    // What no row can tell is named.
    edit("pve/firewall/101.fw", "enable: 1", "enable: 0");
    let text = said(out.path(), "human").split_whitespace().collect::<Vec<_>>().join(" ");
    let told =
        "not decided: pve on pm4-1: vm/101: it is not filtered, and the spec has it filtered (`fwc verify` tells";
    assert!(!text.contains("no packet changes") && text.contains(told), "{text}");
}
