//! How long `fwc diff --base` takes: one host, N guests, one edit, from the program's start to the printed Markdown.
//!
//! `cargo bench --bench diff`. The spec is committed in a repository of its own, then edited. `check` of the same spec
//! reads and resolves one side and compiles it: the ratio to it holds on any machine.

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

/// What is edited: a name, the text that goes and the text that comes.
const EDITS: [(&str, &str, &str); 4] = [
    ("nothing", "version: 1", "version: 1"),
    ("one group", "dport: [8007, 9071]", "dport: [8007, 9071, 10443]"),
    ("one alias", "office3: 203.0.3.0/24", "office3: 203.0.3.0/25"),
    ("one option of all guests", "options: { ipfilter: true }", "options: { ipfilter: true, policy_in: reject }"),
];

fn git(folder: &Path, arguments: &[&str]) {
    let author = ["-c", "user.name=fwc", "-c", "user.email=fwc@example.org", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    command.current_dir(folder).args(author).args(arguments).stdin(Stdio::null());
    assert!(command.output().expect("git runs").status.success(), "git {arguments:?}");
}

/// Runs fwc in a folder; it must end with this status.
fn fwc(folder: &Path, arguments: &[&str], status: i32) -> usize {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
    let output = command.current_dir(folder).args(arguments).stdin(Stdio::null()).output().expect("fwc runs");
    assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.len()
}

fn main() {
    // The time of a comparison should not be that of a disk; where there is no memory to read from, the disk serves.
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let folder = memory.path();
    head("fwc diff --base HEAD, Markdown");
    for guests in sizes("1000") {
        let repository = folder.join(guests.to_string());
        fs::create_dir(&repository).expect("a folder");
        let text = generator::spec(guests);
        let spec = repository.join("fwc.yaml");
        fs::write(&spec, &text).expect("the spec");
        git(&repository, &["init", "-q"]);
        git(&repository, &["add", "fwc.yaml"]);
        git(&repository, &["commit", "-q", "-m", "the spec"]);
        let runs = runs(15);
        let check = Summary::time(runs, || {
            fwc(&repository, &["check"], 0);
            None
        });
        row("check, for comparison", guests, check, "s", "");
        for (name, from, to) in EDITS {
            assert_eq!(text.matches(from).count(), 1, "`{from}` is there once");
            fs::write(&spec, text.replace(from, to)).expect("the spec");
            let mut printed = 0;
            let time = Summary::time(runs, || {
                let arguments = ["diff", "--base", "HEAD", "--format", "markdown"];
                printed = fwc(&repository, &arguments, i32::from(from != to));
                None
            });
            row(name, guests, time, "s", if guests == 1000 { "0.5 s" } else { "" });
            println!("    {:.2} times `check`, {printed} bytes printed", time.median / check.median);
        }
    }
}
