use std::collections::BTreeMap;

use crate::diagnostic::SourceMap;

use super::*;

mod budget;
mod filled;
mod host;
mod load;
mod meaning;
mod rows;

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

/// A spec with one host and more.
fn with(more: &str) -> String {
    format!("{HOST}{more}")
}

/// A spec with the guest 100 on one NIC, with more keys of its own.
fn guest(more: &str) -> String {
    let nic = "nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64', ip: 10.0.1.100/24 } }";
    with(&format!("vms: {{ 100: {{ host: pm1, {nic}, {more} }} }}\n"))
}

/// The first place of a rule in a chain.
fn place(rules: &[String], rule: &str) -> usize {
    rules.iter().position(|one| one == rule).unwrap_or_else(|| panic!("no `{rule}` in {rules:#?}"))
}

/// What stands before and after the rules of guest 100 towards it, or from it.
fn around(text: &str, direction: &str) -> (Vec<String>, Vec<String>) {
    let end = |place| chain(text, "bridge", &format!("guests-{direction}-{place}"));
    (end("before"), end("after"))
}
