//! How long `fwc check` takes from its start to its end, all lints included: one host with N guests, and one host with
//! 10,000 rules of its own.
//!
//! `cargo bench --bench check`. `fwc show` of a host reads and resolves the same spec and does nothing else with it.

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

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use measure::{Summary, head, row, runs, sizes};

/// Rules of the host that has many.
const RULES: usize = 10_000;

fn run(arguments: &[&str], spec: &Path) -> Option<Duration> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
    command.arg(arguments[0]).arg(spec).args(&arguments[1..]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("fwc runs").success(), "fwc {} fails on the generated spec", arguments[0]);
    None
}

/// A host with rules of both families for a few hundred networks; one in fifty of them is there twice.
fn many_rules() -> String {
    let mut text = "version: 1\nhosts:\n  pm1:\n    addresses: 10.0.0.1/24\n    targets: nft\n    rules:\n".to_owned();
    for number in 0..RULES {
        let at = if number % 50 == 49 { number - 31 } else { number };
        let (a, b) = (at / 250 % 32, at * 7 % 250);
        let port = [22, 53, 80, 443, 3306, 5432, 8080, 9100][at % 8] + at / 1000;
        let verdict = if at % 5 == 0 { "drop" } else { "accept" };
        let source = if at % 3 == 0 { format!("\"2001:db8:{a:x}:{b:x}::/64\"") } else { format!("10.{a}.{b}.0/24") };
        let proto = if at % 4 == 0 { "udp" } else { "tcp" };
        writeln!(text, "      - {{ in: {verdict}, proto: {proto}, dport: {port}, source: {source} }}")
            .expect("a String takes all");
    }
    text
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    head("fwc check");
    for guests in sizes("1000,10000") {
        let spec = folder.path().join(format!("{guests}.yaml"));
        fs::write(&spec, generator::spec(guests)).expect("the spec");
        let limit = if guests == 1000 { "1 s" } else { "" };
        row("time", guests, Summary::time(runs(10), || run(&["check"], &spec)), "s", limit);
        row(
            "  of it, reading and resolving",
            guests,
            Summary::time(runs(10), || run(&["show", "host/pm1"], &spec)),
            "s",
            "",
        );
    }
    let spec = folder.path().join("rules.yaml");
    fs::write(&spec, many_rules()).expect("the spec");
    row("a host with 10,000 rules", 0, Summary::time(runs(10), || run(&["check"], &spec)), "s", "");
    println!();
}
