//! How long the kernel takes to load fwc's output: one host, N guests.
//!
//! `cargo bench --bench load`, as root. Each load runs in a network namespace of its own, which is gone
//! afterwards. Statements that the running kernel may lack in the bridge family (`ct state`, `meta ibrname`,
//! `reject`) are taken out before `nft -f`; how many is printed.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "support/gaps.rs"]
mod gaps;
#[path = "support/generator.rs"]
mod generator;
#[path = "support/measure.rs"]
mod measure;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use measure::{Summary, head, row, runs, sizes};

/// Loads a file in a fresh namespace; the time is that of the loading program alone.
fn load(command: &str) -> Duration {
    let script = format!("start=$(date +%s%N); {command}; end=$(date +%s%N); echo $((end - start))");
    let output = Command::new("unshare")
        .args(["-n", "sh", "-euc", &script])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{command}` fails: {}", said.chars().take(2000).collect::<String>());
    let nanoseconds = String::from_utf8_lossy(&output.stdout).trim().parse().expect("nanoseconds");
    // The kernel takes the old namespace apart in the background; that is not the next load's cost.
    std::thread::sleep(Duration::from_millis(300));
    Duration::from_nanos(nanoseconds)
}

fn compile(spec: &Path, out: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_fwc"))
        .arg("build")
        .arg(spec)
        .arg("-o")
        .arg(out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("fwc runs");
    assert!(status.success(), "fwc build fails on the generated spec");
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut medians: Vec<Vec<f64>> = Vec::new();
    let loads = [
        ("nft -f (both tables)", "nft -f", "fwc-stripped.nft", "0.6 s"),
        ("iptables-legacy-restore", "iptables-legacy-restore", "iptables.rules", "0.4 s"),
        ("ip6tables-legacy-restore", "ip6tables-legacy-restore", "ip6tables.rules", "0.4 s"),
        ("iptables-nft-restore", "iptables-nft-restore", "iptables.rules", "0.8 s"),
        ("ip6tables-nft-restore", "ip6tables-nft-restore", "ip6tables.rules", "0.8 s"),
        ("ebtables-nft-restore", "ebtables-nft-restore <", "ebtables.rules", ""),
    ];
    head("load");
    for guests in sizes("1000,10000") {
        let spec = folder.path().join(format!("{guests}.yaml"));
        fs::write(&spec, generator::spec(guests)).expect("the spec");
        let out = folder.path().join(format!("out-{guests}"));
        compile(&spec, &out);
        let host = out.join("hosts/pm1");
        let (script, taken) = gaps::strip(&fs::read_to_string(host.join("fwc.nft")).expect("fwc.nft"));
        fs::write(host.join("fwc-stripped.nft"), script).expect("a file");
        let runs = runs(if guests > 2000 { 5 } else { 11 });
        let mut column = Vec::new();
        for (what, program, file, limit) in loads {
            let command = format!("{program} {}", host.join(file).display());
            let summary = Summary::time(runs, || Some(load(&command)));
            row(what, guests, summary, "s", if guests == 1000 { limit } else { "12 times 1000's" });
            column.push(summary.median);
        }
        println!("    {taken} statements taken out of the bridge table for `nft -f`");
        medians.push(column);
    }
    if let [first, .., last] = medians.as_slice() {
        for ((what, ..), (first, last)) in loads.iter().zip(first.iter().zip(last)) {
            println!("{what}: {:.1} times", last / first);
        }
    }
}
