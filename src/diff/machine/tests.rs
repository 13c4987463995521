//! `.fw` files, kernel settings and guests' NICs against a spec: one change at a time.

use std::collections::BTreeMap;

use crate::diagnostic::SourceMap;
use crate::diff::report::Cause;
use crate::policy::{Fleet, ZoneRef};
use crate::state::{fw, guest_conf, sysctl};
use crate::target::{Pve, Selection, Target, Templates};

use super::{FwFile, Machines};

const SPEC: &str = r#"version: 1
datacenter:
  options: { policy_out: drop }
  aliases: { office: 203.0.113.0/24, local_network: 10.0.0.0/24 }
  ipsets: { management: [office, 192.0.2.1] }
  rules:
    - { id: ssh, in: accept, macro: SSH, source: office }
    - { id: ping, in: accept, macro: Ping }
groups:
  web: [ { id: http, in: accept, proto: tcp, dport: [80, 443] }, { id: proxy, in: accept, proto: tcp, dport: 8080, source: office } ]
hosts:
  pm1: { addresses: [10.0.0.11/24], options: { tcpflags: true }, sysctl: { set: { vm.swappiness: 10 } } }
vms:
  100:
    host: pm1
    rules: [ { id: web, group: web }, { id: db, in: drop, proto: tcp, dport: 5432 } ]
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.100/24 } }
"#;

struct Built {
    sources: SourceMap,
    fleet: Fleet,
    files: BTreeMap<String, String>,
}

fn built() -> Built {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", SPEC);
    let (spec, found) = crate::spec::load(&sources);
    assert!(!found.has_errors(), "{found:?}");
    let (fleet, found) = crate::resolve::resolve(&spec.unwrap());
    let fleet = fleet.unwrap_or_else(|| panic!("{found:?}"));
    let templates = Templates::new(BTreeMap::new()).unwrap();
    let compiled = Pve.compile(&fleet, &Selection::default(), &templates).unwrap();
    assert!(!compiled.diagnostics.has_errors(), "{:?}", compiled.diagnostics);
    let files = compiled.files.into_iter().map(|file| (file.path, file.content)).collect();
    Built { sources, fleet, files }
}

fn told(causes: &[Cause]) -> Vec<String> {
    let changes = causes.iter().flat_map(|cause| cause.changes.iter().map(move |change| (cause, change)));
    let one = |(cause, change): (&Cause, &crate::diff::report::Change)| {
        let old = change.old.clone().unwrap_or_default();
        let new = change.new.clone().unwrap_or_default();
        let detail = change.detail.clone().unwrap_or_default();
        format!("{}: {:?} {:?} {} `{old}` `{new}` {detail}", cause.path, change.kind, change.subject, change.name)
    };
    changes.map(one).collect()
}

/// What is told where a file of Proxmox VE is not what the spec compiles to.
fn fw_told(path: &str, edit: impl Fn(&str) -> String) -> Vec<String> {
    let built = built();
    let meant = built.files.get(path).unwrap();
    let edited = edit(meant);
    assert_ne!(*meant, edited, "nothing was edited");
    let (kind, zone) = match path {
        "pve/firewall/cluster.fw" => (fw::Kind::Cluster, ZoneRef::Datacenter),
        "pve/firewall/100.fw" => (fw::Kind::Guest, ZoneRef::Vm(100)),
        _ => (fw::Kind::Host, ZoneRef::Host("pm1".into())),
    };
    let mut ours = SourceMap::default();
    let mut theirs = SourceMap::default();
    let (our_file, their_file) = (ours.add(path, meant.as_str()), theirs.add(path, edited));
    let ours = fw::read(kind, our_file, ours.text(our_file));
    let found = fw::read(kind, their_file, theirs.text(their_file));
    let mut machines = Machines::new(&built.fleet, &built.sources, &theirs);
    let mut host = machines.host(&built.fleet.hosts[0]);
    host.fw(FwFile { zone: &zone, path, meant: Some(&ours), found: Some(&found) });
    host.done();
    told(&machines.finish().1)
}

#[test]
fn spellings_of_a_fw_file_are_no_difference() {
    let same = |path: &str, from: &str, to: &str| {
        let told = fw_told(path, |text| text.replacen(from, to, 1));
        assert!(told.is_empty(), "{told:?}");
    };
    same("pve/firewall/cluster.fw", "-dport 80,443", "-dport 443,80");
    same("pve/firewall/cluster.fw", "policy_out: DROP", "policy_out: drop\npolicy_in: DROP");
    same("pve/firewall/cluster.fw", "192.0.2.1\n", "192.0.2.1/32 # a node\n");
    same("pve/firewall/cluster.fw", "-p tcp -dport 80,443", "--dport 80,443 --proto tcp");
    same("pve/firewall/100.fw", "[OPTIONS]", "# by hand\n[OPTIONS]");
}

#[test]
fn every_change_of_a_fw_file_is_told_once() {
    let cluster = "pve/firewall/cluster.fw";
    let cases: &[(&str, &str, &str, &str)] = &[
        (cluster, "-dport 80,443", "-dport 80", "groups.web: Altered Rule http"),
        (cluster, "IN ACCEPT -p tcp -dport 80,443 # [http]\n", "", "groups.web: Added Rule http"),
        (cluster, "policy_out: DROP", "policy_out: REJECT", "datacenter: Altered Option policy_out `reject` `drop`"),
        (cluster, "office 203.0.113.0/24", "office 203.0.113.0/25", "datacenter: Altered Definition office"),
        (cluster, "192.0.2.1\n", "192.0.2.1\n192.0.2.66\n", "removes 192.0.2.66/32"),
        (cluster, "[RULES]\n", "[RULES]\nIN ACCEPT -p tcp -dport 4444\n", "not in the spec: Removed Rule"),
        (cluster, "IN Ping(ACCEPT)", "|IN Ping(ACCEPT)", "datacenter: Altered Rule ping"),
        ("pve/nodes/pm1/host.fw", "tcpflags: 1", "tcpflags: 0", "hosts.pm1: Altered Option tcpflags `0` `1`"),
        (
            "pve/nodes/pm1/host.fw",
            "tcpflags: 1\n",
            "tcpflags: 1\nnosmurfs: 0\n",
            "not in the spec: Removed Option nosmurfs",
        ),
        (
            "pve/firewall/100.fw",
            "IN DROP -p tcp -dport 5432",
            "IN ACCEPT -p tcp -dport 5432",
            "vms.100: Altered Rule db",
        ),
        ("pve/firewall/100.fw", "GROUP web # [web]", "GROUP other # [web]", "vms.100: Altered Rule web"),
    ];
    for (path, from, to, expected) in cases {
        let told = fw_told(path, |text| {
            assert!(text.contains(from), "`{from}` is not in {path}:\n{text}");
            text.replacen(from, to, 1)
        });
        assert_eq!(told.len(), 1, "{from}: {told:?}");
        assert!(told[0].contains(expected), "{from}: {told:?}");
    }
    let swapped = fw_told(cluster, |text| {
        let ssh = text.lines().find(|line| line.contains("[ssh]")).unwrap().to_owned();
        let ping = text.lines().find(|line| line.contains("[ping]")).unwrap().to_owned();
        text.replace(&ssh, "@").replace(&ping, &ssh).replace('@', &ping)
    });
    assert_eq!(swapped.len(), 1, "{swapped:?}");
    assert!(swapped[0].contains("Moved Rule"), "{swapped:?}");
}

#[test]
fn kernel_settings_and_nics() {
    let built = built();
    let mut found = SourceMap::default();
    let listing = found.add("sysctl", "vm.swappiness = 60\nnet.core.somaxconn = 4096\n");
    let conf = found
        .add("100.conf", "net0: virtio=BC:24:11:00:00:64,bridge=vmbr0\nnet1: virtio=BC:24:11:00:00:65,bridge=vmbr1\n");
    let running = sysctl::read_running(listing, found.text(listing));
    let conf = guest_conf::read(conf, found.text(conf));
    let mut machines = Machines::new(&built.fleet, &built.sources, &found);
    let mut host = machines.host(&built.fleet.hosts[0]);
    let wanted = [("vm.swappiness", "10"), ("net.core.somaxconn", "4096"), ("net.netfilter.nf_conntrack_max", "1")];
    host.running(&wanted.map(|(key, value)| (key.to_owned(), value.to_owned())), &running, None);
    host.nics(100, &conf);
    host.done();
    let told = told(&machines.finish().1);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("hosts.pm1: Altered Sysctl vm.swappiness `60` `10`")), "{told:?}");
    assert!(
        told.iter().any(|line| line.contains("nf_conntrack_max") && line.contains("module is not loaded")),
        "{told:?}"
    );
    assert!(told.iter().any(|line| line.contains("net0") && line.contains("qm set 100 --net0")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("net1") && line.contains("the spec does not have it")), "{told:?}");
}
