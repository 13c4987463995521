//! From a spec to files, and files into the kernel.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::diagnostic::{Diagnostics, SourceMap};
use crate::policy::Fleet;
use crate::target::{Iptables, Selection, Target, Templates};

/// What a spec resolves to.
pub fn fleet(yaml: &str) -> Fleet {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", yaml);
    let (spec, diagnostics) = crate::spec::load(&sources);
    let Some(spec) = spec.filter(|_| !diagnostics.has_errors()) else { panic!("{diagnostics:?}") };
    let (fleet, diagnostics) = crate::resolve::resolve(&spec);
    fleet.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// The files of a spec's only host; no error.
pub fn files(yaml: &str) -> BTreeMap<String, String> {
    let (files, diagnostics) = compile(&fleet(yaml));
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    if std::env::var_os("SHOW").is_some() {
        for text in files.values() {
            println!("{text}");
        }
    }
    files
}

/// The position of a rule that begins with `start`.
pub fn position(rules: &[&str], start: &str) -> usize {
    rules.iter().position(|rule| rule.starts_with(start)).unwrap_or_else(|| panic!("no `{start}` in {rules:#?}"))
}

/// The rules of a chain, without `-A name `.
pub fn chain<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("-A {name} ");
    text.lines().filter_map(|line| line.strip_prefix(start.as_str())).collect()
}

/// All files by name, and what there is to say.
pub fn compile(fleet: &Fleet) -> (BTreeMap<String, String>, Diagnostics) {
    let templates = Templates::new(BTreeMap::new()).unwrap();
    // One host: files are told apart by their names alone.
    let selection = Selection { hosts: fleet.hosts.first().map(|host| [host.name.clone()].into()), outputs: None };
    let compiled = Iptables.compile(fleet, &selection, &templates).unwrap();
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    (compiled.files.into_iter().map(|file| (name(&file.path), file.content)).collect(), compiled.diagnostics)
}

/// Whether private network namespaces and netfilter are to be had here.
pub fn kernel() -> bool {
    Command::new("unshare").args(["-n", "iptables-legacy", "-S"]).output().is_ok_and(|done| done.status.success())
}

/// Runs a shell script in a private network namespace, its files in the current folder.
pub fn in_namespace(files: &BTreeMap<String, String>, script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::File::create(folder.path().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }
    let output = Command::new("unshare")
        .args(["-n", "-m", "bash", "-euc", script])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{out}\n{err}");
    out.into_owned()
}

/// Loads every file twice in a row, by both implementations.
pub fn loads(files: &BTreeMap<String, String>) {
    if !kernel() {
        return;
    }
    for kind in ["legacy", "nft"] {
        let mut script = String::new();
        for _ in 0..2 {
            if files.contains_key("ipset.rules") {
                script.push_str("ipset restore < ipset.rules; ");
            }
            script.push_str(&format!(
                "iptables-{kind}-restore < iptables.rules; ip6tables-{kind}-restore < ip6tables.rules; "
            ));
        }
        in_namespace(files, &script);
    }
    if files.contains_key("ebtables.rules") {
        in_namespace(files, "ebtables-nft-restore < ebtables.rules; ebtables-nft-restore < ebtables.rules");
    }
}
