//! What the proof of a build costs: `fwc build` with and without it, from the program's start to the written tree.
//!
//! `cargo bench --bench proof`. All guests are on one host. Each run with the proof follows
//! one with `--no-verify`, and the ratio of their medians holds on any machine.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "support/generator.rs"]
mod generator;
#[expect(dead_code, reason = "every benchmark takes its own part")]
#[path = "support/measure.rs"]
mod measure;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use measure::{Summary, head, row, runs, sizes};

/// Builds a spec into a folder that is not there yet; in seconds.
fn build(folder: &Path, options: &[&str]) -> f64 {
    let out = folder.join("out");
    // A folder of an earlier run would be compared with, not written; to remove it is no part of a build.
    let _ = fs::remove_dir_all(&out);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
    command.current_dir(folder).args(["build", "-o", "out"]).args(options).stdin(Stdio::null());
    let start = Instant::now();
    let output = command.output().expect("fwc runs");
    let time = start.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    time.as_secs_f64()
}

fn main() {
    // The time of a proof should not be that of a disk; where there is no memory to write to, the disk serves.
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    head("fwc build -o");
    for guests in sizes("50,1000") {
        let folder = memory.path().join(guests.to_string());
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("fwc.yaml"), generator::spec(guests)).expect("the spec");
        // In turn: what else the machine does falls upon both.
        let times = (0..runs(21)).map(|_| (build(&folder, &["--no-verify"]), build(&folder, &[])));
        let (without, with): (Vec<f64>, Vec<f64>) = times.unzip();
        let (without, with) = (Summary::of(without), Summary::of(with));
        row("without proof", guests, without, "s", "");
        row("with proof", guests, with, "s", "1.5 times");
        let (middle, least) = (with.median / without.median, with.min / without.min);
        println!("    {middle:.2} times `--no-verify`; the fastest runs: {least:.2} times");
    }
}
