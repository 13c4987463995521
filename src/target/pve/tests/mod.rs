use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Severity, SourceMap};
use crate::target::{Selection, Target, Templates};

use super::{Pve, check};

mod differ;
mod hosts;
mod names;
mod rules;
mod table;

/// The files of a spec, and its findings as `severity code: message` (those of this target only).
fn compile_map(sources: &SourceMap) -> (BTreeMap<String, String>, Vec<String>) {
    let (spec, found) = crate::spec::load(sources);
    assert!(!found.has_errors(), "{found:#?}");
    let (fleet, found) = crate::resolve::resolve(&spec.unwrap());
    assert!(!found.has_errors(), "{found:#?}");
    let templates = Templates::new(BTreeMap::new()).unwrap();
    let compiled = Pve.compile(&fleet.unwrap(), &Selection::default(), &templates).unwrap();
    let files: BTreeMap<String, String> = compiled.files.into_iter().map(|file| (file.path, file.content)).collect();
    if !compiled.diagnostics.has_errors() && !files.is_empty() {
        check::tree(&files.clone().into_iter().collect::<Vec<_>>());
    }
    let findings = compiled.diagnostics.iter().map(|finding| {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!("{severity} {} `{}`: {}", finding.code.as_str(), sources.slice(finding.span()), finding.message)
    });
    (files, findings.collect())
}

fn compile(yaml: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", yaml);
    compile_map(&sources)
}

fn yaml_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(path).unwrap().flat_map(|entry| yaml_files(&entry.unwrap().path())).collect();
    all.sort();
    all
}

#[test]
fn every_line_of_every_example_is_one_that_both_implementations_read() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let mut sources = SourceMap::default();
        for file in yaml_files(&path) {
            sources.add(file.clone(), std::fs::read_to_string(&file).unwrap());
        }
        let (files, findings) = compile_map(&sources);
        drop(files);
        assert!(findings.iter().all(|finding| finding.starts_with("warning ")), "{}: {findings:#?}", path.display());
    }
}

/// The lines of a file's section that are neither blank nor comments.
fn section<'t>(text: &'t str, header: &str) -> Vec<&'t str> {
    let lines = text.lines().skip_while(|line| !line.starts_with(&format!("[{header}]"))).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn plain_rules_stand_where_proxmox_ve_looks_for_them() {
    let (files, findings) = compile(
        "
version: 1
datacenter:
  rules: [ { id: web, in: accept, macro: HTTPS } ]
  guardrails: { rules: [ { id: rdp, in: drop, proto: tcp, dport: 3389 } ] }
hosts:
  pm1: { addresses: 10.0.0.1/24, rules: [ { id: up, in: accept, proto: udp, sport: 1024-65535, dport: [53, 123], iface: vmbr0, log: info } ] }
vms:
  100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } }, rules: [ { id: off, out: reject, dest: 192.0.2.1-192.0.2.9, enable: false, comment: not yet } ] }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
    assert_eq!(section(&files["pve/firewall/cluster.fw"], "OPTIONS"), ["enable: 1"]);
    assert_eq!(section(&files["pve/firewall/cluster.fw"], "RULES"), ["IN HTTPS(ACCEPT) # [web]"]);
    assert_eq!(
        section(&files["pve/nodes/pm1/host.fw"], "RULES"),
        [
            "IN DROP -p tcp -dport 3389 # [rdp]",
            "IN ACCEPT -i vmbr0 -p udp -dport 53,123 -sport 1024:65535 -log info # [up]",
        ]
    );
    assert_eq!(section(&files["pve/firewall/100.fw"], "OPTIONS"), ["enable: 1", "dhcp: 1"]);
    assert_eq!(
        section(&files["pve/firewall/100.fw"], "RULES"),
        ["IN DROP -p tcp -dport 3389 # [rdp]", "|OUT REJECT -dest 192.0.2.1-192.0.2.9 # [off] not yet"]
    );
}

/// A fleet of one node and one VM, with these rules in the VM's list.
fn guest_rules(rules: &str) -> (Vec<String>, Vec<String>) {
    let (files, findings) = compile(&format!(
        "
version: 1
hosts: {{ pm1: {{ addresses: 10.0.0.1/24 }} }}
vms:
  100:
    host: pm1
    nics: {{ net0: {{ bridge: vmbr0, mac: 'BC:24:11:00:00:64', ip: 10.0.0.100/24 }} }}
    rules: {rules}
"
    ));
    let text = files.get("pve/firewall/100.fw").cloned().unwrap_or_default();
    let lines = section(&text, "RULES").into_iter().map(|line| line.split(" # ").next().unwrap().to_owned());
    (lines.collect(), findings)
}
