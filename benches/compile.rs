//! How long `fwc build` takes, and how much memory: one host, N guests, all four targets.
//!
//! `cargo bench --bench compile`. Times the built program from its start to its end, files written, into memory
//! (tmpfs) and onto a disk, and reads its peak of memory (VmHWM, kept by the kernel) just before it ends.

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
#[path = "support/peak.rs"]
mod peak;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use measure::{Summary, head, row, runs, sizes};

/// Time of one build into a folder that does not exist yet.
fn build(spec: &Path, out: &Path) -> Duration {
    let _ = fs::remove_dir_all(out);
    let start = Instant::now();
    let status = command(spec, out).status().expect("fwc runs");
    let elapsed = start.elapsed();
    assert!(status.success(), "fwc build fails on the generated spec");
    elapsed
}

fn command(spec: &Path, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
    command.arg("build").arg(spec).arg("-o").arg(out).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Time that the file system alone needs for files of the same names and sizes.
fn files_alone(tree: &Path, copy: &Path) -> Duration {
    let _ = fs::remove_dir_all(copy);
    let mut files = Vec::new();
    collect(tree, copy, &mut files);
    let start = Instant::now();
    for (path, content) in &files {
        fs::write(path, content).expect("a file");
    }
    start.elapsed()
}

fn collect(tree: &Path, copy: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    fs::create_dir_all(copy).expect("a folder");
    for entry in fs::read_dir(tree).expect("the output") {
        let entry = entry.expect("an entry");
        let to = copy.join(entry.file_name());
        if entry.path().is_dir() {
            collect(&entry.path(), &to, files);
        } else {
            files.push((to, fs::read(entry.path()).expect("a file")));
        }
    }
}

/// Peak resident memory of one build, in MiB.
fn peak(spec: &Path, out: &Path) -> f64 {
    let _ = fs::remove_dir_all(out);
    peak::of(command(spec, out))
}

fn main() {
    let disk = tempfile::tempdir().expect("a folder");
    // The time of a build should not be that of a disk; where there is no memory to write to, the disk serves.
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let (out, on_disk, copy) = (memory.path().join("out"), disk.path().join("out"), disk.path().join("copy"));
    let mut per_guest = Vec::new();
    head("fwc build, all targets");
    for guests in sizes("1000,10000") {
        let spec = memory.path().join(format!("{guests}.yaml"));
        let text = generator::spec(guests);
        fs::write(&spec, &text).expect("the spec");
        let runs = runs(if guests > 2000 { 5 } else { 15 });
        let time = Summary::time(runs, || Some(build(&spec, &out)));
        row("time, to memory", guests, time, "s", if guests == 1000 { "0.2 s" } else { "" });
        row("time, to disk", guests, Summary::time(runs, || Some(build(&spec, &on_disk))), "s", "");
        let alone = Summary::time(runs, || Some(files_alone(&on_disk, &copy)));
        row("  of it, the files alone", guests, alone, "s", "");
        let peak = Summary::of((0..3).map(|_| peak(&spec, &out)).collect());
        row("peak memory", guests, peak, "M", if guests == 1000 { "100 MB" } else { "" });
        per_guest.push((guests, time.median / guests as f64));
        let written: u64 = bytes(&out);
        println!("    {} kB of YAML in, {} kB of files out", text.len() / 1000, written / 1000);
    }
    if let [(_, first), .., (guests, last)] = per_guest[..] {
        println!("cost per guest at {guests}: {:.2} times (limit 1.2)", last / first);
    }
}

fn bytes(folder: &Path) -> u64 {
    fs::read_dir(folder)
        .expect("the output")
        .map(|entry| {
            let entry = entry.expect("an entry");
            if entry.path().is_dir() { bytes(&entry.path()) } else { entry.metadata().expect("its size").len() }
        })
        .sum()
}
