//! How long `fwc trace` takes from its start to its end, the spec read and resolved.
//!
//! `cargo bench --bench trace`. One host and N guests; the packet goes from the first guest to the last.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "support/generator.rs"]
mod generator;
#[path = "support/measure.rs"]
mod measure;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use measure::{Summary, head, row, runs, sizes};

/// Time of one answer.
fn trace(spec: &Path, to: &str, format: &str) -> Duration {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
    command.arg("trace").arg(spec).args(["--from", "vm/100", "--to", to, "--proto", "tcp", "--dport", "8080"]);
    command.args(["--format", format]).stdin(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let output = command.output().expect("fwc runs");
    let elapsed = start.elapsed();
    assert!(output.status.success() && !output.stdout.is_empty(), "fwc trace fails on the generated spec");
    elapsed
}

fn main() {
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    head("fwc trace, guest to guest");
    for guests in sizes("1000,10000") {
        let spec = memory.path().join(format!("{guests}.yaml"));
        fs::write(&spec, generator::spec(guests)).expect("the spec");
        let last = format!("vm/{}", 99 + guests);
        let runs = runs(if guests > 2000 { 5 } else { 15 });
        let limit = if guests == 1000 { "0.3 s" } else { "" };
        for format in ["human", "json"] {
            let time = Summary::time(runs, || Some(trace(&spec, &last, format)));
            row(&format!("time, {format}"), guests, time, "s", limit);
        }
    }
}
