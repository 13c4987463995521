//! What the imported corpus does to packets, held to what Proxmox VE does to them.

use super::common::{fwc, root};

/// Asks `fwc trace` about the spec of a copy.
fn verdict(spec: &str, packet: &str) -> String {
    let output = fwc()
        .arg("trace")
        .arg(root().join("tests/import/corpus").join(format!("{spec}.yaml")))
        .args(packet.split_whitespace())
        .args(["--format", "json"])
        .output()
        .expect("fwc runs");
    if !output.status.success() {
        return String::from_utf8_lossy(&output.stderr).into_owned();
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    answer["verdict"].as_str().expect("a verdict").to_owned()
}

/// Lines of `tests/import/verdicts.txt`: a copy, a verdict, and the packet in the words of `fwc trace`.
#[test]
fn packets_meet_the_verdicts_that_proxmox_ve_gives_them() {
    let text = include_str!("verdicts.txt");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (what, packet) = line.split_once(':').expect("a copy and a verdict, a colon, a packet");
        let (copy, expected) = what.split_once(' ').expect("a copy and a verdict");
        let found = verdict(copy, packet);
        count += 1;
        if found != expected.trim() {
            wrong.push(format!("{line}\n  is {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 40, "{count} packets");
}
