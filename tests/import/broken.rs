//! What is no copy of `/etc/pve`, or a bad one: a clear word, and never a part of a spec.

use std::fs::{self, File};
use std::path::Path;

use super::common::{fwc, tree};
use super::corpus::import;

fn copy(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, bytes) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

/// What an import that must fail says; nothing is on standard output.
fn refused(folder: &Path) -> String {
    let output = import(folder, &[]);
    let said = String::from_utf8_lossy(&output.stderr).replace(&*folder.to_string_lossy(), "copy");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "something is on standard output");
    said
}

#[test]
fn a_folder_without_a_firewall_is_refused() {
    assert!(refused(copy(&[("notes.txt", b"")]).path()).contains("nothing of Proxmox VE's firewall is in `copy`"));
    assert!(refused(Path::new("/nonexistent")).contains("cannot read the folder `copy`"));
    let file = copy(&[("cluster.fw", b"")]);
    assert!(refused(&file.path().join("cluster.fw")).contains("cannot read the folder"));
}

#[test]
fn what_is_no_text_is_refused() {
    let folder = copy(&[("firewall/cluster.fw", b"\x7fELF\0\0\0"), ("firewall/100.fw", b"")]);
    assert!(refused(folder.path()).contains("`copy/firewall/cluster.fw` is no text"));
}

#[test]
fn a_large_file_is_refused_without_being_read() {
    let folder = copy(&[("firewall/cluster.fw", b"")]);
    File::create(folder.path().join("firewall/100.fw")).and_then(|file| file.set_len(100 << 20)).expect("a large file");
    assert!(refused(folder.path()).contains("`copy/firewall/100.fw` is larger than 64 MiB"));
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = copy(&[("firewall/cluster.fw", b"")]);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("firewall/100.fw")).status();
    assert!(made.expect("mkfifo runs").success());
    assert!(refused(folder.path()).contains("`copy/firewall/100.fw` is not a regular file"));
    fs::remove_file(folder.path().join("firewall/100.fw")).expect("removed");
    std::os::unix::fs::symlink("gone", folder.path().join("firewall/101.fw")).expect("a link");
    assert!(refused(folder.path()).contains("cannot read `copy/firewall/101.fw`"));
}

#[test]
fn what_is_there_already_is_not_touched() {
    let folder =
        copy(&[("firewall/cluster.fw", b"[OPTIONS]\nenable: 1\n"), ("old.yaml", b"mine"), ("old/fwc.yaml", b"mine")]);
    let before = tree(folder.path());
    for target in ["old.yaml", "old", "missing/new.yaml", "firewall/cluster.fw"] {
        let path = folder.path().join(target);
        let output = fwc().arg("import").arg(folder.path()).arg("-o").arg(&path).output().expect("fwc runs");
        assert_eq!(output.status.code(), Some(2), "{target}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(before, tree(folder.path()));
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    let output = fwc().arg("import").arg(folder.path()).arg("-o").arg(folder.path().join("empty")).output();
    assert!(output.expect("fwc runs").status.success());
    let names: Vec<String> = tree(&folder.path().join("empty")).into_keys().collect();
    assert_eq!(names, ["datacenter.yaml"]);
}

#[test]
fn a_guest_on_two_nodes_is_a_place_to_review() {
    let conf = |mac: &str| format!("net0: virtio={mac},bridge=vmbr0,firewall=1\n");
    let (one, two) = (conf("BC:24:11:00:00:01"), conf("BC:24:11:00:00:02"));
    let folder = copy(&[
        ("firewall/cluster.fw", b"[OPTIONS]\nenable: 1\n"),
        ("nodes/a/qemu-server/100.conf", one.as_bytes()),
        ("nodes/b/qemu-server/100.conf", two.as_bytes()),
    ]);
    let output = import(folder.path(), &[]);
    let (spec, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(spec.contains("host: [a, b]") && spec.contains("BC:24:11:00:00:01"), "{spec}");
    assert!(said.contains("guest 100 has a configuration on several nodes"), "{said}");
}

#[test]
fn rules_by_the_hundred_thousand_are_read() {
    let rules: String = (0..200_000).map(|n| format!("IN ACCEPT -p tcp -dport {}\n", 1 + n % 65_535)).collect();
    let folder = copy(&[("firewall/cluster.fw", format!("[OPTIONS]\nenable: 1\n[RULES]\n{rules}").as_bytes())]);
    let output = import(folder.path(), &[]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).matches("in: accept").count(), 200_000);
}

/// Whatever is in the files, there is an answer.
#[test]
fn no_bytes_make_it_panic() {
    let words = [
        "[RULES]",
        "[IPSET x1]",
        "[group g1] #",
        "IN",
        "OUT",
        "|",
        "ACCEPT",
        "SSH(DROP)",
        "-p",
        "tcp",
        "-dport",
        "1:",
        "+x1",
        "!",
        "#",
        "\r\n",
        "\n",
        " ",
        "10.0.0.0/8",
        ",",
        "net0: ",
        "virtio=",
        "\u{feff}",
        "[",
        "]",
        "ü",
        "enable: 1",
        "GROUP g1",
    ];
    let mut seed = 1_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("fits") % below
    };
    for _ in 0..200 {
        let mut text = |length: usize| (0..length).map(|_| words[next(words.len())]).collect::<String>().into_bytes();
        let files = [text(300), text(300), text(200), text(200), text(50)];
        let mut sources = fwc::diagnostic::SourceMap::default();
        let paths =
            ["firewall/cluster.fw", "firewall/100.fw", "nodes/a/host.fw", "nodes/a/lxc/100.conf", "corosync.conf"];
        let inputs: Vec<fwc::import::Input> = paths
            .into_iter()
            .zip(files)
            .map(|(path, bytes)| fwc::import::Input {
                role: fwc::import::role(path).expect("a role"),
                file: sources.add(path, String::from_utf8(bytes).expect("text")),
            })
            .collect();
        let imported = fwc::import::import(&sources, &inputs);
        let text = fwc::import::write::file(&imported.draft);
        let mut made = fwc::diagnostic::SourceMap::default();
        made.add("fwc.yaml", text.as_str());
        let (spec, found) = fwc::spec::load(&made);
        let first = found.iter().find(|finding| finding.severity == fwc::diagnostic::Severity::Error);
        assert!(spec.is_some() && first.is_none(), "{text}\n{first:?}");
    }
}

/// Options that a spec would refuse are no part of it, whatever Proxmox VE makes of them.
#[test]
fn options_that_mean_nothing_are_left_out() {
    let text =
        b"[OPTIONS]\nenable: 1\nlog_ratelimit: enable=1,rate=5/fortnight\nlog_ratelimit: rate=1/hour,rate=2/hour\n";
    let guest = b"[OPTIONS]\nenable: 1\nips_queues: 3:1\nlayer2_protocols: ARP,ARP,=x\n";
    let host = b"[OPTIONS]\nnf_conntrack_helpers: ftp,ftp,nonsense\nnf_conntrack_helpers: tftp,tftp\n";
    let folder = copy(&[("firewall/cluster.fw", text), ("firewall/100.fw", guest), ("nodes/a/host.fw", host)]);
    let output = import(folder.path(), &[]);
    let (spec, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!spec.contains("log_ratelimit") && !spec.contains("ips_queues"), "{spec}");
    assert!(spec.contains("layer2_protocols: ARP") && spec.contains("nf_conntrack_helpers: tftp"), "{spec}");
    for reason in ["`5/fortnight` is not a rate", "`rate` twice in a rate limit", "`3:1` is neither", "`nonsense`"] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
}

/// A rule that stops packets and cannot be said is an error of the spec, not a hole in it and not a wider rule.
#[test]
fn what_cannot_be_said_and_stops_packets_does_not_compile() {
    for rule in ["IN DROP -source +sdn/vnet0-all -p tcp -dport 22:25 -i vmbr0", "IN REJECT -p tcp -dport 0022"] {
        let text = format!("[OPTIONS]\nenable: 1\n[RULES]\n{rule}\n");
        let folder = copy(&[("firewall/cluster.fw", text.as_bytes())]);
        let output = import(folder.path(), &["--verify"]);
        let (spec, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{rule}: {said}");
        assert!(said.contains("the spec does not compile for Proxmox VE"), "{said}");
        assert!(spec.contains("dport: 22-25") || spec.contains("dport: 0022"), "{spec}");
    }
}
