//! The most memory that a program takes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Peak resident memory of one run, in MiB.
pub fn of(mut command: Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program runs");
    let status = format!("/proc/{}/status", child.id());
    let mut kilobytes = 0_u64;
    // The figure only grows; what is read last before the end misses at most what a millisecond adds.
    while child.try_wait().expect("the program's state").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let seen = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        kilobytes = kilobytes.max(seen.unwrap_or(0));
        std::thread::sleep(Duration::from_micros(500));
    }
    kilobytes as f64 / 1024.0
}
