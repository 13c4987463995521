//! How long `fwc build` takes, and how much memory: one host, N guests, all four targets.
//!
//! `cargo bench --bench compile`. Times the built program from its start to its end, files written, and reads its
//! peak of memory (VmHWM, kept by the kernel) just before it ends.

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

/// Time and peak resident memory (MiB) of one build.
fn build(spec: &Path, out: &Path) -> (Duration, f64) {
    let _ = fs::remove_dir_all(out);
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fwc"))
        .arg("build")
        .arg(spec)
        .arg("-o")
        .arg(out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("fwc runs");
    let status = child.wait().expect("fwc ends");
    let elapsed = start.elapsed();
    assert!(status.success(), "fwc build fails on the generated spec");
    (elapsed, 0.0)
}

/// Peak resident memory of one build, in MiB.
fn peak(spec: &Path, out: &Path) -> f64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fwc"))
        .arg("build")
        .arg(spec)
        .arg("-o")
        .arg(out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("fwc runs");
    let status = format!("/proc/{}/status", child.id());
    let mut kilobytes = 0_u64;
    // The figure only grows; what is read last before the end misses at most what a millisecond adds.
    while child.try_wait().expect("fwc's state").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let seen = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        kilobytes = kilobytes.max(seen.unwrap_or(0));
        std::thread::sleep(Duration::from_micros(500));
    }
    kilobytes as f64 / 1024.0
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let mut per_guest = Vec::new();
    head("fwc build, all targets");
    for guests in sizes() {
        let spec = folder.path().join(format!("{guests}.yaml"));
        let text = generator::spec(guests);
        fs::write(&spec, &text).expect("the spec");
        let runs = runs(if guests > 2000 { 5 } else { 15 });
        let time = Summary::time(runs, || Some(build(&spec, &out).0));
        row("time", guests, time, "s", if guests == 1000 { "0.2 s" } else { "" });
        let memory = Summary::of((0..3).map(|_| peak(&spec, &out)).collect());
        row("peak memory", guests, memory, "M", if guests == 1000 { "100 MB" } else { "" });
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
