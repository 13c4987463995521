//! A Proxmox VE node as `fwc verify --live` sees it: what its firewall is told in `/etc/pve` is proved, beside what other
//! programs have loaded.
//!
//! The node is a namespace with an `/etc` that has a `pve` and what the programs of iptables and nft read there.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::common::{Example, built, examples};
use super::drift::{Answer, Backend, asked, example, hosts};

/// As `/etc/pve` is without a firewall.
pub const BARE: &str =
    "rm -rf etc; mkdir -p etc/pve/nodes; cp /etc/protocols /etc/services /etc/ethertypes etc; mount --bind etc /etc";
/// With what was built.
const FILES: &str = "cp -r ../../pve/. /etc/pve/";

/// A host of an example that is a node, and where its files were compiled to.
struct Node {
    example: Example,
    host: String,
    out: TempDir,
}

impl Node {
    fn all() -> Vec<Self> {
        let mut found = Vec::new();
        for example in examples() {
            for host in hosts(built(&example).0.path()) {
                let node = Self { example: example.clone(), host, out: built(&example).0 };
                if node.out.path().join("pve/nodes").join(&node.host).is_dir() {
                    found.push(node);
                }
            }
        }
        found
    }

    /// The host of the quickstart.
    fn small() -> Self {
        let example = example("quickstart");
        Self { out: built(&example).0, host: "pve1".to_owned(), example }
    }

    fn folder(&self) -> PathBuf {
        self.out.path().join("hosts").join(&self.host)
    }

    fn verified(&self, load: &str, edit: &str) -> Answer {
        asked("verify", &self.example.path, (&self.host, &self.folder()), load, edit)
    }
}

fn programs(report: &Value) -> Vec<&str> {
    let all = report["hosts"][0]["programs"].as_array().expect("programs");
    all.iter().map(|program| program.as_str().expect("a name")).collect()
}

#[test]
fn what_was_built_is_proved() {
    let nodes = Node::all();
    assert!(nodes.len() > 4, "{}", nodes.len());
    for node in nodes {
        let Answer { status, report, errors } = node.verified(BARE, FILES);
        let said = format!("{} {}: {report:#}\n{errors}", node.example.name, node.host);
        assert_eq!((status, programs(&report)), (0, vec!["pve"]), "{said}");
        assert_eq!(report["hosts"][0]["proved"], true, "{said}");
        assert!(!said.contains("/etc/etc"), "{said}");
    }
}

/// What is done to `/etc/pve`, the status, and what is told. `CONF` stands for a guest's configuration.
const EDITS: &[(&str, i32, &str)] = &[
    ("sed -i 's/SSH.ACCEPT./SSH(DROP)/' /etc/pve/firewall/100.fw", 1, "vm/100: a packet gets another verdict"),
    ("sed -i '/^GROUP/d' /etc/pve/firewall/100.fw", 1, "vm/100: a packet gets another verdict"),
    ("echo 'IN ACCEPT -p tcp -dport 99' >> /etc/pve/nodes/pve1/host.fw", 1, "(/etc/pve/nodes/pve1/host.fw:"),
    ("rm /etc/pve/firewall/101.fw", 1, "vm/101: it is not filtered, and the spec has it filtered"),
    ("rm /etc/pve/firewall/cluster.fw", 1, "its firewall is off, for there is no `cluster.fw`"),
    ("sed -i 's/^enable: 1/enable: 0/' /etc/pve/nodes/pve1/host.fw", 1, "its firewall is off, and the spec has it on"),
    ("echo '[OPTIONS]' > /etc/pve/firewall/999.fw", 0, "(/etc/pve/firewall/999.fw:1)"),
    // Guests' own configurations say which NICs are filtered.
    ("echo net0: virtio=BC:24:11:00:00:64,bridge=vmbr0,firewall=1 > CONF", 0, ""),
    ("echo net0: virtio=BC:24:11:00:00:64,bridge=vmbr0 > CONF", 1, "vm/100: it is not filtered, and the spec has it"),
    ("echo net0: virtio=BC:24:11:00:00:66,bridge=vmbr0,firewall=1 > CONF", 1, "vm/100: a packet gets another verdict"),
    ("printf 'net0: virtio=BC:24:11:00:00:64,firewall=1\\nnet9: virtio\\n' > CONF", 0, "vm/100:net9: the spec has no"),
    ("echo name: web > CONF", 0, "vm/100: the guest has no such NIC"),
    ("echo net0: virtio > /etc/pve/nodes/pve1/qemu-server/999.conf", 0, ""),
    // What cannot be read is neither there nor absent.
    ("rm /etc/pve/firewall/cluster.fw; mkfifo /etc/pve/firewall/cluster.fw", 2, "cluster.fw` is not a regular file"),
    ("ln -sf nowhere /etc/pve/nodes/pve1/host.fw", 2, "host.fw`: no such file or directory"),
    ("rm -r /etc/pve/*", 2, "`/etc/pve` is not what Proxmox VE has there"),
    ("rm -r /etc/pve", 2, "there is no `/etc/pve`"),
    ("rm -r /etc/pve; touch /etc/pve", 2, "there is no `/etc/pve`"),
];

#[test]
fn an_edit_is_told() {
    let node = Node::small();
    let mut wrong = Vec::new();
    for (edit, status, words) in EDITS {
        let conf = "/etc/pve/nodes/pve1/qemu-server/100.conf";
        let edit = format!("{FILES}; mkdir -p /etc/pve/nodes/pve1/qemu-server; {}", edit.replace("CONF", conf));
        let answer = node.verified(BARE, &edit);
        let said = answer.report.to_string();
        let known = match status {
            0 => answer.report["hosts"][0]["proved"] == true && !said.contains("999.conf"),
            1 => answer.report["hosts"][0]["doubts"].to_string().contains(words),
            _ => said.contains("pve") && said.contains("is not known") && !said.contains("is off"),
        };
        if answer.status != *status || !said.contains(words) || !known {
            wrong.push(format!("{edit}: {}\n{:#}\n{}", answer.status, answer.report, answer.errors));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Rules of fwc's and Proxmox VE's firewall may both be there; whichever is not says nothing about packets.
#[test]
fn a_node_may_be_enforced_by_another_program() {
    let node = Node::small();
    let load = Backend::Legacy.load(&node.folder());
    let made = "for p in iptables ip6tables; do $p-legacy -N PVEFW-INPUT; $p-legacy -A INPUT -j PVEFW-INPUT; done";
    let (both, pve) = (vec!["iptables", "ip6tables", "pve"], vec!["pve"]);
    let iptables = vec!["iptables", "ip6tables"];
    let off = "sed -i 's/^enable: 1/enable: 0/' /etc/pve/firewall/cluster.fw";
    for (edit, status, wanted, words) in [
        (format!("{BARE}; {FILES}; {load}"), 0, &both, ""),
        (format!("{BARE}; {FILES}; {load} sed -i /SSH/d /etc/pve/firewall/100.fw"), 1, &both, "vm/100"),
        (format!("{BARE}; {load}"), 0, &iptables, "Proxmox VE's firewall is off in `/etc/pve`"),
        (format!("{BARE}; {FILES}; {load} {off}"), 0, &iptables, "Proxmox VE's firewall is off in `/etc/pve`"),
        (load.clone(), 2, &iptables, "there is no `/etc/pve`"),
        // What pve-firewall makes of its files is not fwc's.
        (format!("{BARE}; {FILES}; {made}"), 0, &pve, "iptables filter"),
        (format!("{BARE}; {made}; rmdir /etc/pve/nodes"), 2, &pve, "what its files say is not known"),
        // But for rules of somebody else beside it.
        (format!("{BARE}; {FILES}; {made}; iptables-legacy -A INPUT -j DROP"), 1, &both, "treated otherwise"),
        (BARE.to_owned(), 1, &["iptables", "ip6tables", "nft", "pve"].to_vec(), "nothing is loaded that filters"),
    ] {
        let Answer { status: is, report, errors } = node.verified("", &edit);
        let said = format!("{edit}: {is} {report:#}\n{errors}");
        assert_eq!((is, &programs(&report)), (status, wanted), "{said}");
        assert!(report.to_string().contains(words), "{said}");
    }
    let _ = fs::remove_dir_all(node.folder().join("etc"));
}

/// `fwc diff --live` tells edits of the files, and by all of them what packets notice.
#[test]
fn what_packets_notice_of_an_edit_is_told() {
    let node = Node::small();
    for (edit, rows, words) in [
        ("echo 'IN Ping(ACCEPT) -log nolog' >> /etc/pve/firewall/100.fw", 0, ""),
        ("echo 'IN ACCEPT -p tcp -dport 99' >> /etc/pve/firewall/100.fw", 1, "/etc/pve/firewall/100.fw"),
        ("echo x >> /etc/pve/firewall/100.fw; ln -sf nowhere /etc/pve/firewall/101.fw", 0, "by `fwc verify`"),
    ] {
        let edit = format!("{FILES}; {edit}");
        let answer = asked("diff", &node.example.path, (&node.host, &node.folder()), BARE, &edit);
        let said = format!("{edit}: {:#}\n{}", answer.report, answer.errors);
        let wire = &answer.report["wire"];
        let refused = wire["refused"].as_array().expect("rows");
        assert!(refused.len() == rows && wire.to_string().contains(words), "{said}");
        let is_aside = wire["not_compared"].to_string().contains("\"output\":\"pve\"");
        assert_eq!(is_aside, words.starts_with("by"), "{said}");
        assert!(!answer.report["causes"].to_string().contains("pve/firewall/101.fw"), "{said}");
    }
}

/// What `fwc diff --live` says of rules, and which programs' rules it says are not loaded.
fn compared(node: &Node, edit: &str) -> (Answer, Vec<String>) {
    let answer = asked("diff", &node.example.path, (&node.host, &node.folder()), BARE, edit);
    let notes = answer.report["notes"].as_array().expect("notes");
    let words = notes.iter().filter_map(|note| note["message"].as_str());
    let named = words.filter_map(|words| {
        let (before, names) = words.split_once("rules of fwc's are not loaded (")?;
        before.contains("Proxmox VE filters here").then(|| names.trim_end_matches(')').split(", ").map(str::to_owned))
    });
    let named = named.flatten().collect();
    (answer, named)
}

/// On a node that Proxmox VE filters for, rules of fwc's are not there by design; where they are, they are compared.
#[test]
fn rules_that_proxmox_has_no_need_of_are_no_difference() {
    let node = Node::small();
    let made = "for p in iptables ip6tables; do $p-legacy -N PVEFW-INPUT; $p-legacy -A INPUT -j PVEFW-INPUT; \
                $p-legacy -A PVEFW-INPUT -m conntrack --ctstate INVALID -j DROP; done";
    let load = Backend::Legacy.load(&node.folder());
    let (all, nft) = (["iptables", "ip6tables", "ebtables", "nft"].as_slice(), ["nft"].as_slice());
    let drops = "sed -i 's/SSH.ACCEPT./SSH(DROP)/' /etc/pve/firewall/100.fw";
    let off = "sed -i 's/^enable: 1/enable: 0/' /etc/pve/firewall/cluster.fw";
    for (edit, named, is_missing, has_rows) in [
        (FILES.to_owned(), all, false, false),
        (format!("{FILES}; {made}"), all, false, false),
        (format!("{FILES}; {drops}"), all, false, true),
        (format!("{FILES}; {load}"), nft, false, false),
        // By its files alone nothing filters.
        (format!("{FILES}; {off}"), &[], true, false),
        ("true".to_owned(), &[], true, false),
    ] {
        let (Answer { report, errors, .. }, found) = compared(&node, &edit);
        let said = format!("{edit}: {report:#}\n{errors}");
        assert_eq!(found, named, "{said}");
        assert_eq!(report["causes"].to_string().contains("nothing of it is there"), is_missing, "{said}");
        let wire = &report["wire"];
        let rows = ["accepted", "refused", "otherwise", "not_compared", "undecided", "unknown"];
        let is_told = rows.iter().any(|rows| wire[rows].as_array().is_some_and(|rows| !rows.is_empty()));
        assert!(is_missing || is_told == has_rows, "{said}");
    }
    let _ = fs::remove_dir_all(node.folder().join("etc"));
}
