//! Any bytes as a copy of `/etc/pve`: a zero byte ends a file, and the files take their roles in turn.
//!
//! `cargo +nightly fuzz run import -- -max_total_time=600`. Nothing may panic, and what is written must read back as a
//! spec of the right shape.

#![no_main]

use fwc::diagnostic::{Severity, SourceMap};
use fwc::import::{Input, factor, import, role, write};
use libfuzzer_sys::fuzz_target;

const PATHS: [&str; 7] = [
    "firewall/cluster.fw",
    "firewall/100.fw",
    "nodes/a/qemu-server/100.conf",
    "nodes/a/host.fw",
    "nodes/a/lxc/101.conf",
    "firewall/101.fw",
    "corosync.conf",
];

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut sources = SourceMap::default();
    let inputs: Vec<Input> = PATHS
        .into_iter()
        .zip(text.split('\0'))
        .map(|(path, text)| Input { role: role(path).expect("a role"), file: sources.add(path, text) })
        .collect();
    let mut imported = import(&sources, &inputs);
    for factored in [false, true] {
        if factored {
            factor(&mut imported.draft);
        }
        let text = write::file(&imported.draft);
        let mut made = SourceMap::default();
        made.add("fwc.yaml", text.as_str());
        let (spec, found) = fwc::spec::load(&made);
        let error = found.iter().find(|finding| finding.severity == Severity::Error);
        assert!(spec.is_some() && error.is_none(), "{text}\n{error:?}");
    }
});
