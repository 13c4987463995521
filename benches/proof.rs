//! What the proof of a build costs: `fwc build` with and without it, from the program's start to the written tree.
//!
//! `cargo bench --bench proof`. All guests are on one host. The ratio to `--no-verify` in
//! the same run holds on any machine.

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

use measure::{Summary, head, row, runs, sizes};

/// Builds a spec into a folder that is not there yet.
fn build(folder: &Path, options: &[&str]) {
    let out = folder.join("out");
    // A folder of an earlier run would be compared with, not written.
    let _ = fs::remove_dir_all(&out);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
    command.current_dir(folder).args(["build", "-o", "out"]).args(options).stdin(Stdio::null());
    let output = command.output().expect("fwc runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn main() {
    // The time of a proof should not be that of a disk; where there is no memory to write to, the disk serves.
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    head("fwc build -o");
    for guests in sizes("50,1000") {
        let folder = memory.path().join(guests.to_string());
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("fwc.yaml"), generator::spec(guests)).expect("the spec");
        let runs = runs(11);
        let time = |options: &[&str]| {
            Summary::time(runs, || {
                build(&folder, options);
                None
            })
        };
        let (without, with) = (time(&["--no-verify"]), time(&[]));
        row("without proof", guests, without, "s", "");
        row("with proof", guests, with, "s", "1.5 times");
        println!("    {:.2} times `--no-verify`", with.median / without.median);
    }
}
