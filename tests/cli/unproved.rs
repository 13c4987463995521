//! What is not proved is not written.

use std::fs;

use super::{Lab, manifest, status, stderr, stdout};

/// A host whose rules name ipsets, and one rule.
fn with_ipsets(rule: &str) -> String {
    let host = "pm1: { addresses: 10.0.0.11/24, targets: iptables, iptables: { ipset: true } }";
    format!("version: 1\nhosts: {{ {host} }}\ndatacenter: {{ rules: [ {rule} ] }}\n")
}

/// Rules that name ipsets are proved with these. The other family's belong to the same file, and cannot say some rules.
#[test]
fn rules_whose_ipsets_cannot_be_made_are_not_written_unproved() {
    let lab = Lab::new();
    for (target, rule) in
        [("iptables", "{ in: accept, proto: 44 }"), ("ip6tables", "{ in: accept, proto: icmp, icmp_type: 255 }")]
    {
        lab.put("fwc.yaml", &with_ipsets(rule));
        let narrow = ["build", "--target", target];
        let refused = lab.run(&narrow);
        assert_eq!((status(&refused), stdout(&refused)), (2, ""), "{target}");
        assert!(stderr(&refused).contains("fwc.yaml:3"), "{}", stderr(&refused));
        let to_folder = lab.run(&[&narrow[..], &["-o", "out"]].concat());
        assert_eq!(status(&to_folder), 2, "{target}");
        assert!(!lab.at("out").exists());
        let unproved = lab.run(&[&narrow[..], &["--no-verify"]].concat());
        assert_eq!(status(&unproved), 0, "{}", stderr(&unproved));
    }
}

/// The ipsets that a proof takes are no part of what is wanted.
#[test]
fn rules_are_proved_with_their_ipsets_and_written_without() {
    let lab = Lab::new();
    let sources: Vec<String> = (0..40).map(|third| format!("192.0.{third}.0/25")).collect();
    lab.put(
        "fwc.yaml",
        &with_ipsets(&format!("{{ in: accept, source: [{}], proto: tcp, dport: 22 }}", sources.join(", "))),
    );
    let printed = lab.run(&["build", "--target", "iptables"]);
    assert_eq!((status(&printed), stderr(&printed)), (0, ""));
    assert!(stdout(&printed).contains("--match-set"), "{}", stdout(&printed));
    assert_eq!(status(&lab.run(&["build", "--target", "iptables", "-o", "out"])), 0);
    assert_eq!(manifest(&lab.at("out")), ["hosts/pm1/iptables.rules"]);
}

/// A template that adds a rule: nobody finds a trace of the build, in a folder of its own or beside it.
#[test]
fn what_is_not_proved_leaves_nothing_behind() {
    let lab = Lab::new();
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.yaml");
    let rules = fs::read_to_string("templates/iptables/iptables.rules.j2").unwrap();
    let added = "{% if table.name == \"filter\" %}-A INPUT -p tcp -m tcp --dport 8443 -j ACCEPT\n{% endif %}";
    lab.put(
        "more/iptables/iptables.rules.j2",
        &rules.replace("{{ table.rules }}", &format!("{added}{{{{ table.rules }}}}")),
    );
    assert_eq!(status(&lab.run(&["build", spec, "-o", "there"])), 0);
    let before = manifest(&lab.at("there"));
    let all = || {
        let mut names: Vec<_> = fs::read_dir(lab.at("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let beside = all();
    for folder in ["there", "new", "no/such/folder"] {
        let failed = lab.run(&["build", spec, "-o", folder, "--templates", "more"]);
        assert_eq!((status(&failed), stdout(&failed)), (2, ""), "{folder}");
        assert!(stderr(&failed).contains("nothing is written"), "{}", stderr(&failed));
        assert_eq!(all(), beside, "{folder}");
    }
    assert_eq!(manifest(&lab.at("there")), before);
    for folder in ["there", "new"] {
        let written = lab.run(&["build", spec, "-o", folder, "--templates", "more", "--no-verify"]);
        assert_eq!(status(&written), 0, "{}", stderr(&written));
    }
}
