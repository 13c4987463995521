use std::collections::BTreeMap;

use crate::diagnostic::{Severity, SourceMap};

use super::*;

/// Compiles a spec for all its hosts.
fn compile(yaml: &str) -> Compiled {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", yaml);
    let (spec, found) = crate::spec::load(&sources);
    assert!(!found.has_errors(), "{found:#?}");
    let (fleet, found) = crate::resolve::resolve(&spec.unwrap());
    assert!(!found.has_errors(), "{found:#?}");
    let templates = Templates::new(BTreeMap::new()).unwrap();
    Nft.compile(&fleet.unwrap(), &Selection::default(), &templates).unwrap()
}

/// The one file of a spec with one host, that compiles without a word.
fn file(yaml: &str) -> String {
    let compiled = compile(yaml);
    assert!(compiled.diagnostics.is_empty(), "{:#?}", compiled.diagnostics);
    let [file] = compiled.files.as_slice() else { panic!("{:#?}", compiled.files) };
    assert_eq!(file.path, "hosts/pm1/fwc.nft");
    file.content.clone()
}

/// The rules of a chain of a table.
fn chain(text: &str, family: &str, name: &str) -> Vec<String> {
    let table = text.split(&format!("\ntable {family} fwc {{\n")).nth(1).expect("the table");
    let table = table.split("\n}\n").next().unwrap();
    let head = format!("\tchain {name} {{\n");
    let body = table.split(&head).nth(1).unwrap_or_else(|| panic!("no chain {name} in\n{table}"));
    let lines = body.lines().take_while(|line| *line != "\t}").map(str::trim);
    // Comments are for people.
    lines.map(|line| line.split(" comment \"").next().unwrap().to_owned()).collect()
}

const HOST: &str = "version: 1\nhosts: { pm1: { addresses: 10.0.0.11/24, targets: nft } }\n";

#[test]
fn a_host_without_guests_gets_its_own_table_and_loses_an_older_one_of_guests() {
    let text = file(HOST);
    let start =
        "\ntable inet fwc\ndelete table inet fwc\ntable bridge fwc\ndelete table bridge fwc\n\ntable inet fwc {\n";
    assert!(text.contains(start), "{text}");
    assert!(!text.contains("table bridge fwc {"), "{text}");
    let input = chain(&text, "inet", "input");
    assert_eq!(input[0], "type filter hook input priority 0; policy accept;");
    assert_eq!(input[1], "iifname \"lo\" accept");
    assert_eq!(input.last().unwrap(), "drop");
    assert_eq!(chain(&text, "inet", "output").last().unwrap(), "accept");
    assert_eq!(chain(&text, "inet", "forward").last().unwrap(), "accept");
}

#[test]
fn a_host_that_is_off_gets_a_file_that_removes_both_tables() {
    let text = file(&HOST.replace("targets", "options: { enable: false }, targets"));
    assert!(text.contains("delete table inet fwc\ntable bridge fwc\ndelete table bridge fwc\n"), "{text}");
    assert!(!text.contains('{'), "{text}");
}

#[test]
fn reject_towards_a_guest_is_a_drop_with_a_warning_and_real_elsewhere() {
    let spec = HOST.to_owned()
        + "groups: { gg: [ { in: reject, proto: tcp, dport: 25 } ] }\n\
           datacenter: { rules: [ { group: gg } ] }\n\
           vms: { 100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } }, rules: \
           [ { group: gg }, { out: reject, proto: tcp, dport: 26 } ] } }\n";
    let compiled = compile(&spec);
    let found: Vec<_> = compiled.diagnostics.iter().collect();
    let [warning] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(warning.severity, Severity::Warning);
    assert_eq!(warning.code.as_str(), "nft::reject-becomes-drop");
    let text = &compiled.files[0].content;
    assert_eq!(chain(text, "bridge", "group-gg-in"), ["tcp dport 25 drop"]);
    assert_eq!(chain(text, "inet", "group-gg-in"), ["tcp dport 25 goto reject-packet"]);
    assert!(chain(text, "bridge", "guest-100-out").contains(&"tcp dport 26 goto reject-packet".to_owned()));
}
