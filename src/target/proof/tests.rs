//! Guests that are much alike, for tests of their proofs.

use std::collections::BTreeMap;

use crate::diagnostic::SourceMap;
use crate::policy::Fleet;
use crate::target::{OutputFile, Rules, Selection, Target, Templates};

/// The files of one host that a target makes for guests.
pub fn files(target: &dyn Target, name: &str, guests: &str) -> (Fleet, Vec<OutputFile>) {
    let mut sources = SourceMap::default();
    let head = format!("version: 1\nhosts: {{ pm1: {{ addresses: 10.0.0.11/24, targets: {name} }} }}\n");
    sources.add("fwc.yaml", format!("{head}vms:\n{guests}"));
    let (spec, found) = crate::spec::load(&sources);
    assert!(!found.has_errors(), "{found:#?}");
    let (fleet, found) = crate::resolve::resolve(&spec.unwrap());
    assert!(!found.has_errors(), "{found:#?}");
    let fleet = fleet.unwrap();
    let templates = Templates::new(BTreeMap::new()).unwrap();
    let files = target.compile(&fleet, &Selection::default(), &templates).unwrap().files;
    (fleet, files)
}

/// The rules of these.
pub fn compiled(target: &dyn Target, name: &str, guests: &str) -> (Fleet, Rules) {
    let (fleet, files) = files(target, name, guests);
    let rules = Rules::read(files.iter().map(|file| (file.path.rsplit('/').next().unwrap(), &*file.content)));
    (fleet, rules)
}

/// A guest with one NIC.
pub fn guest(id: usize, bridge: &str, more: &str) -> String {
    let nic = format!("bridge: {bridge}, mac: 'BC:24:11:00:00:{id:X}', ip: 10.0.1.{id}/24");
    format!("  {id}: {{ host: pm1, nics: {{ net0: {{ {nic} }} }}, {more} }}\n")
}

/// Guests that nothing tells apart but their rules and addresses.
pub fn three_alike() -> String {
    let rules = [
        "{ in: accept, proto: tcp, dport: 22, source: 10.7.0.0/16 }",
        "{ in: drop, source: 10.8.0.9 }, { out: drop, proto: udp }, { in: accept, proto: udp }",
        "{ in: accept, proto: udp, dport: 53 }",
    ];
    (100..).zip(rules).map(|(id, rules)| guest(id, "vmbr0", &with(FILTER, rules))).collect()
}

/// The options of these.
pub const FILTER: &str = "ipfilter: true";

/// Options and rules of a guest, with one of both directions.
pub fn with(options: &str, rules: &str) -> String {
    let always = "{ in: accept, proto: tcp, dport: 80 }, { out: drop, proto: tcp, dport: 445 }";
    format!("options: {{ {options} }}, rules: [ {always}, {rules} ]")
}

/// Rules that are held against what was made from them without a set of packets: of one family or both, with several services, with
/// several addresses.
pub const IN_VALUES: &str = "{ in: accept, proto: tcp, dport: 2001, source: 10.1.0.0/16 }, { in: accept, macro: Web }, \
    { in: drop, proto: udp, dport: 1-5, source: [10.0.0.0/8, 172.16.0.7, '2001:db8:7::/48', '2001:db8:9::1'] }, \
    { in: accept, macro: DNS, source: '2001:db8::/32' }, { in: accept, macro: Ping }, { out: drop, dest: 10.2.0.0/16 }, \
    { out: drop, macro: SMTP }, { in: accept, proto: tcp, dport: 2002, iface: net0 }";
