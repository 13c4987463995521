//! How long `fwc test` takes from its start to its end, the spec read and resolved: one host, N guests, 10,000 tests.
//!
//! `cargo bench --bench test`. Every test holds, so that each is decided about all of its packets.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "support/claims.rs"]
mod claims;
#[path = "support/generator.rs"]
mod generator;
#[path = "support/measure.rs"]
mod measure;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use measure::{Summary, head, row, runs, sizes};

/// Tests over each spec.
const TESTS: usize = 10_000;

/// Runs a command over a spec, which must say that all is well.
fn run(command: &str, spec: &Path) -> Option<Duration> {
    let mut command_line = Command::new(env!("CARGO_BIN_EXE_fwc"));
    command_line.arg(command).arg(spec).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let output = command_line.output().expect("fwc runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAILED")).take(10).collect();
    assert!(output.status.success(), "fwc {command} fails on the generated spec: {failed:#?}");
    None
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    head("fwc test, 10,000 tests");
    for guests in sizes("1000,10000") {
        let spec = folder.path().join(format!("{guests}.yaml"));
        fs::write(&spec, generator::spec(guests) + "tests: []\n").expect("the spec");
        let alone = Summary::time(runs(10), || run("test", &spec));
        fs::write(&spec, generator::spec(guests) + &claims::tests(guests, TESTS)).expect("the spec");
        let limit = if guests == 1000 { "1 s" } else { "" };
        row("time", guests, Summary::time(runs(10), || run("test", &spec)), "s", limit);
        row("  of it, a spec without tests", guests, alone, "s", "");
    }
    println!();
}
