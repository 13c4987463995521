//! The proof that `.fw` files mean what a spec means: what fwc writes does, and what somebody edited does not, or no packet
//! can tell.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "every test target takes its own part")]
mod common;
mod edits;
#[path = "../sets/packets.rs"]
mod packets;
#[path = "../judge/random.rs"]
#[expect(dead_code, reason = "the judge takes the rest")]
mod random;
#[path = "../judge/specs/mod.rs"]
#[expect(clippy::allow_attributes, reason = "an `expect` of dead code is not kept within a module")]
#[allow(dead_code, unused_imports, reason = "the judge takes the rest")]
mod specs;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use fwc::diagnostic::{Severity, SourceMap};
use fwc::import::proof::{Finding, Judged, Kind, pve};
use fwc::policy::{Fleet, Verdict};
use fwc::target::{Pve, Selection, Target, Templates};

use common::{examples, root, tree};
use specs::random_spec;
use specs::tree::Node;

/// Specs of which the files are proved.
const SEEDS: u64 = 120;

type Tree = BTreeMap<String, String>;

/// A spec without what Proxmox VE has no words for.
fn spoken(node: Node) -> Node {
    match node {
        Node::Map(entries) => {
            let kept = entries.into_iter().filter(|(key, _)| key != "tcp_flags");
            Node::Map(kept.map(|(key, value)| (key, spoken(value))).collect())
        }
        Node::List(items) => Node::List(items.into_iter().map(spoken).collect()),
        Node::Word(word) => Node::Word(word),
    }
}

fn resolved(sources: &SourceMap) -> Option<Fleet> {
    let (spec, found) = fwc::spec::load(sources);
    let (fleet, more) = fwc::resolve::resolve(&spec?);
    let errors = found.iter().chain(more.iter()).any(|finding| finding.severity == Severity::Error);
    fleet.filter(|_| !errors)
}

/// The fleet of an example, and the tree that is kept of it.
fn kept(name: &str) -> Option<(Fleet, Tree)> {
    let example = examples().into_iter().find(|example| example.name == name)?;
    let golden = root().join("golden").join(name);
    if !golden.join("pve").is_dir() {
        return None;
    }
    let mut sources = SourceMap::default();
    let path = root().join(&example.path);
    if path.is_dir() {
        for (file, bytes) in tree(&path) {
            sources.add(file, String::from_utf8(bytes).expect("a text"));
        }
    } else {
        sources.add(&example.path, fs::read_to_string(&path).expect("a text"));
    }
    let files = tree(&golden).into_iter().filter(|(path, _)| path.starts_with("pve/"));
    let files = files.map(|(path, bytes)| (path, String::from_utf8(bytes).expect("a text"))).collect();
    Some((resolved(&sources).expect("an example resolves"), files))
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let hook = finding.hook.map_or("", |hook| hook.name());
        let (host, machine) = (finding.host.as_deref().unwrap_or("-"), finding.machine.as_deref().unwrap_or("-"));
        writeln!(text, "{:?} {host} {machine} {hook}: {}", finding.kind, finding.message).expect("a string");
        if let Some(witness) = &finding.witness {
            let (meant, found) = (&witness.meant, &witness.found);
            writeln!(text, "    {:?}", witness.packet).expect("a string");
            writeln!(text, "    meant {:?} {:?} by {}", meant.verdict, meant.log, meant.by).expect("a string");
            writeln!(text, "    found {:?} {:?} by {} {:?}", found.verdict, found.log, found.by, found.place)
                .expect("a string");
        }
    }
    text
}

/// What stands against the files.
fn against(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().filter(|finding| finding.kind != Kind::Exception).cloned().collect()
}

#[test]
fn what_is_kept_of_every_example_means_what_the_example_means() {
    let mut exceptions = String::new();
    for example in examples() {
        let Some((fleet, files)) = kept(&example.name) else { continue };
        let findings = pve(&fleet, &files);
        let wrong = against(&findings);
        assert!(wrong.is_empty(), "{}:\n{}", example.name, text(&wrong));
        for finding in &findings {
            let hook = finding.hook.map_or("", |hook| hook.name());
            let machine = finding.machine.as_deref().unwrap_or("-");
            writeln!(exceptions, "{} {machine} {hook}: {}", example.name, finding.message).expect("a string");
        }
    }
    let path = root().join("tests/proof/exceptions.txt");
    if common::updating() {
        fs::write(&path, &exceptions).expect("the text is written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == exceptions, "{}", common::difference(&expected, &exceptions));
}

/// A spec, and the files that it compiles to; none where Proxmox VE has no words for it.
fn compiled(spec: &str) -> Option<(Fleet, Tree)> {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", spec);
    let fleet = resolved(&sources)?;
    let templates = Templates::new(BTreeMap::default()).expect("the embedded templates parse");
    let compiled = Pve.compile(&fleet, &Selection::default(), &templates).expect("the templates render");
    let files: Tree = compiled.files.into_iter().map(|file| (file.path, file.content)).collect();
    (!compiled.diagnostics.has_errors() && !files.is_empty()).then_some((fleet, files))
}

#[test]
fn what_goes_to_proxmox_ve_is_proved() {
    let mut count = 0;
    for seed in 0..SEEDS {
        let spec = spoken(Node::parse(&random_spec(seed)).expect("a tree")).render();
        let Some((fleet, files)) = compiled(&spec) else { continue };
        count += 1;
        let wrong = against(&pve(&fleet, &files));
        assert!(wrong.is_empty(), "seed {seed}:\n{spec}\n{}", text(&wrong));
    }
    assert!(count > 30, "{count} specs compile for Proxmox VE");
}

const SMALL: &str = r#"version: 1
datacenter: { aliases: { office: 203.0.113.0/24, local_network: 10.0.0.0/24 } }
groups:
  web: [ { id: public, in: accept, proto: tcp, dport: [80, 443] } ]
hosts:
  pm1: { addresses: 10.0.0.11/24, rules: [ { in: accept, proto: tcp, dport: 9100, source: office } ] }
vms:
  100:
    host: pm1
    options: { ipfilter: true }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.100/24 } }
    rules: [ { group: web } ]
vnets:
  prod: { rules: [ { forward: drop, proto: tcp, dport: 25 } ] }
"#;

/// What is found after an edit of one file, and of what the spec was compiled for.
fn after(path: &str, from: &str, to: &str) -> (Vec<Finding>, String) {
    let (fleet, mut files) = compiled(SMALL).expect("files");
    let file = files.get_mut(path).expect("the file");
    assert_eq!(file.matches(from).count(), 1, "{path} has `{from}` not once:\n{file}");
    *file = file.replace(from, to);
    let findings = pve(&fleet, &files);
    let said = text(&findings);
    (findings, said)
}

#[test]
fn what_differs_is_shown_with_a_packet_and_what_decides() {
    let (findings, said) = after("pve/firewall/cluster.fw", "-dport 80,443", "-dport 80,444");
    let [differs] = against(&findings).try_into().unwrap_or_else(|_| panic!("{said}"));
    assert_eq!((differs.host.as_deref(), differs.machine.as_deref()), (Some("pm1"), Some("vm/100")), "{said}");
    assert_eq!(differs.message, "a packet gets another verdict than the spec says");
    let witness = differs.witness.expect("a packet");
    let ip = witness.packet.ip().expect("an IP packet");
    let port = ip.payload.ports().expect("ports").1;
    assert_eq!(ip.dest.to_string(), "10.0.1.100");
    let (accepted, other) = match port {
        443 => (&witness.meant, &witness.found),
        444 => (&witness.found, &witness.meant),
        _ => panic!("{said}"),
    };
    assert_eq!((accepted.verdict, other.verdict), (Verdict::Accept, Verdict::Drop));
    assert_eq!(other.by, "policy");
    let place = |judged: &Judged| judged.place.as_ref().map(|place| (place.file.clone(), place.line));
    if port == 443 {
        assert_eq!(accepted.by, "accept tcp 80,443");
        assert!(accepted.zone.is_some() && accepted.span.is_some() && place(accepted).is_none());
    } else {
        assert!(accepted.by.starts_with("IN ACCEPT -p tcp -dport 80,444"), "{said}");
        assert_eq!(place(accepted), Some(("pve/firewall/cluster.fw".to_owned(), 20)), "{said}");
    }
}

#[test]
fn what_is_no_rule_is_found_too() {
    for (path, from, to, expected) in [
        (
            "pve/nodes/pm1/host.fw",
            "enable: 1",
            "enable: 1\nnf_conntrack_max: 65536",
            "Differs pm1 host/pm1 : `nf_conntrack_max` is 65536, and the spec says 262144",
        ),
        (
            "pve/nodes/pm1/host.fw",
            "enable: 1",
            "enable: 0",
            "Differs pm1 host/pm1 : its firewall is off, and the spec has it on",
        ),
        (
            "pve/firewall/cluster.fw",
            "enable: 1",
            "enable: 1\nlog_ratelimit: enable=0",
            "Differs - - : the cluster: `log_ratelimit` is",
        ),
        (
            "pve/firewall/100.fw",
            "enable: 1",
            "enable: 0",
            "Differs pm1 vm/100 : it is not filtered, and the spec has it filtered",
        ),
        (
            "pve/firewall/100.fw",
            "10.0.1.100",
            "10.0.1.101",
            "Differs pm1 vm/100 guest-out: a packet gets another verdict",
        ),
        (
            "pve/nodes/pm1/host.fw",
            "-dport 9100",
            "-dport 9100 -log info",
            "Differs pm1 host/pm1 host-in: a packet is logged otherwise",
        ),
        // What stops packets and cannot be read for sure is not taken for nothing.
        (
            "pve/nodes/pm1/host.fw",
            "IN ACCEPT",
            "IN DROP -source +sdn/none\nIN ACCEPT",
            "NotCompared - - : `IN DROP -source +sdn/none`: it has no words in a spec",
        ),
        // What Proxmox VE passes over is said, and what that does is found.
        (
            "pve/nodes/pm1/host.fw",
            "IN ACCEPT",
            "IN DROP -dport 1\nIN ACCEPT",
            "Exception - - : `IN DROP -dport 1`: Proxmox VE passes over it: ",
        ),
        (
            "pve/nodes/pm1/host.fw",
            "-p tcp -dport 9100",
            "-dport 9100",
            "Exception - - : `IN ACCEPT -source dc/office -dport 9100",
        ),
        (
            "pve/nodes/pm1/host.fw",
            "-p tcp -dport 9100",
            "-dport 9100",
            "Differs pm1 host/pm1 host-in: a packet gets another verdict",
        ),
        (
            "pve/sdn/firewall/prod.fw",
            "-dport 25",
            "-dport 26",
            "Exception pm1 vnet/prod vnet-forward: Proxmox VE passes over",
        ),
    ] {
        let (_, said) = after(path, from, to);
        assert!(said.lines().any(|line| line.starts_with(expected)), "{path} `{to}`: {expected}\n{said}");
    }
}

#[test]
fn files_that_are_missing_or_too_many_are_found() {
    let (fleet, files) = compiled(SMALL).expect("files");
    for (path, expected) in [
        ("pve/firewall/100.fw", "Differs pm1 vm/100 : it is not filtered, and the spec has it filtered"),
        ("pve/nodes/pm1/host.fw", "Differs pm1 host/pm1 host-in: a packet gets another verdict"),
        ("pve/firewall/cluster.fw", "Differs pm1 host/pm1 : its firewall is off, for there is no"),
    ] {
        let mut fewer = files.clone();
        fewer.remove(path).expect("the file");
        let said = text(&pve(&fleet, &fewer));
        assert!(said.lines().any(|line| line.starts_with(expected)), "{path}: {expected}\n{said}");
    }
    let mut more = files;
    more.insert("pve/firewall/999.fw".to_owned(), "[OPTIONS]\nenable: 1\n".to_owned());
    more.insert("hosts/pm1/fwc.nft".to_owned(), "not for Proxmox VE".to_owned());
    let findings = pve(&fleet, &more);
    assert!(against(&findings).is_empty(), "{}", text(&findings));
    assert!(
        text(&findings).contains("Exception - - : Proxmox VE's firewall reads no such file"),
        "{}",
        text(&findings)
    );
}

const GUESTS: &str = r#"version: 1
hosts: { pm1: { addresses: 10.0.0.11/24 }, pm2: { addresses: 10.0.0.12/24 } }
vms:
  100:
    host: pm1
    options: { ipfilter: true }
    nics:
      net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.100/24 }
      net1: { bridge: vmbr1, mac: "BC:24:11:00:00:65", ip: 10.0.2.100/24, firewall: false }
containers:
  200:
    host: pm1
    options: { ipfilter: true }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:C8", ip: 10.0.1.200/24 } }
"#;

/// What a running node has beside the firewall's files says which NICs there are, and whom a container may speak as.
#[test]
fn guests_configurations_are_taken_at_their_word() {
    let (fleet, files) = compiled(GUESTS).expect("files");
    let vm = "net0: virtio=BC:24:11:00:00:64,bridge=vmbr0,firewall=1\nnet1: virtio=BC:24:11:00:00:65,bridge=vmbr1\n";
    let ct = "net0: name=eth0,bridge=vmbr0,firewall=1,hwaddr=BC:24:11:00:00:C8,ip=10.0.1.200/24,type=veth\n";
    let (of_vm, of_ct) = ("pve/nodes/pm1/qemu-server/100.conf", "pve/nodes/pm1/lxc/200.conf");
    for (path, text, expected) in [
        (of_vm, vm.to_owned(), ""),
        (of_ct, ct.to_owned(), ""),
        (of_ct, ct.replace("ip=10.0.1.200/24", "ip=dhcp"), ""),
        // Proxmox VE lets a container speak as itself, whatever else its IP filter lists, and no VM.
        (of_ct, ct.replace("1.200", "1.201"), "Differs pm1 ct/200 guest-out: a packet gets another verdict"),
        (of_vm, format!("{vm}ipconfig0: ip=10.0.1.201/24\n"), ""),
        (of_vm, vm.replace("00:64", "00:66"), "Differs pm1 vm/100 guest-out: a packet gets another verdict"),
        (of_vm, vm.replace(",firewall=1", ""), "Differs pm1 vm/100 : it is not filtered, and the spec has it filtered"),
        (of_vm, vm.replace("vmbr1", "vmbr1,firewall=1"), "Differs pm1 vm/100:net1 : it is filtered, and the spec has"),
        (of_vm, format!("[PENDING]\n{vm}"), "Exception pm1 vm/100 : the guest has no such NIC"),
        (of_vm, format!("{vm}net2: virtio\n"), "Exception pm1 vm/100:net2 : the spec has no such NIC"),
        // It runs elsewhere for now.
        (
            "pve/nodes/pm2/qemu-server/100.conf",
            vm.replace(",firewall=1", ""),
            "Differs pm1 vm/100 : it is not filtered",
        ),
        (
            "pve/nodes/pm1/qemu-server/101.conf",
            vm.to_owned(),
            "Exception - - : Proxmox VE's firewall reads no such file",
        ),
    ] {
        let mut all = files.clone();
        all.insert(path.to_owned(), text.clone());
        let findings = pve(&fleet, &all);
        let said = self::text(&findings);
        assert!(said.contains(expected), "{path}:\n{text}{expected}\n{said}");
        assert_eq!(against(&findings).is_empty(), !expected.starts_with("Differs"), "{path}:\n{text}{said}");
    }
}
