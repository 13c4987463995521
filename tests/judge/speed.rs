//! How long it takes to send 2,000 probes and to compare what becomes of them.
//!
//! In: a host of ten guests, behind each backend. Out: a test for each, which prints its figures (`cargo test --release
//! --test judge -- speed` for those of an optimised build) and fails if the fastest of five runs takes longer than two seconds.

use std::fmt::Write as _;
use std::fs;

use libtest_mimic::{Failed, Trial};

use crate::cases::{figure, in_namespace, said};
use crate::load::Backend;

/// Runs for each backend.
const RUNS: usize = 5;
/// Milliseconds for the fastest.
const LIMIT: f64 = 2000.0;

/// A test for each backend that the running kernel has.
pub fn trials() -> Vec<Trial> {
    let trial = |backend: Backend| Trial::test(format!("speed::{}", backend.name()), move || measure(backend));
    [Backend::IptablesLegacy, Backend::IptablesNft, Backend::NftHost].into_iter().map(trial).collect()
}

fn measure(backend: Backend) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("fwc.yaml");
    fs::write(&path, spec())?;
    let mut took = Vec::new();
    for seed in 1..=RUNS {
        let words = ["run", &path.to_string_lossy(), "pm1", backend.name(), &seed.to_string(), "2000"];
        let output = in_namespace(&words)?;
        if !output.status.success() {
            return Err(said(&output).into());
        }
        took.push(figure(&output, " ms for the probes").ok_or("no figure")?);
    }
    took.sort_by(f64::total_cmp);
    let text = format!("2000 probes, ten guests, {}: {took:?} ms", backend.name());
    println!("{text}");
    if took[0] <= LIMIT { Ok(()) } else { Err(text.into()) }
}

/// Ten guests on two bridges, each with rules of its own and those of a group.
fn spec() -> String {
    let mut text = String::from(
        "version: 1
datacenter: { options: { policy_in: drop, policy_out: accept }, ipsets: { admins: [10.0.0.0/28, \"2001:db8::/124\"] } }
groups:
  web: [ { in: accept, proto: tcp, dport: [80, 443, 8000-8099] }, { in: reject, macro: SMB, log: info } ]
hosts:
  pm1:
    addresses: [10.0.0.1/24, \"2001:db8::1/64\", 10.0.1.1/24, \"2001:db8:1::1/64\"]
    options: { log_level_in: info, tcpflags: true }
    rules: [ { in: accept, macro: SSH, source: +admins }, { forward: drop, proto: tcp, dport: 25 } ]
vms:
",
    );
    for guest in 0..10 {
        let (net, number) = (guest % 2, 10 + guest);
        let v6 = if net == 0 { format!("2001:db8::{number}/64") } else { format!("2001:db8:1::{number}/64") };
        let _ = write!(
            text,
            "  1{guest:02}:
    host: pm1
    options: {{ ipfilter: true, log_level_out: info }}
    nics: {{ net0: {{ bridge: vmbr{net}, mac: \"BC:24:11:00:00:{number}\", ip: [10.0.{net}.{number}/24, \"{v6}\"] }} }}
    rules:
      - group: web
      - {{ in: accept, proto: tcp, dport: 22, source: +admins, log: info }}
      - {{ in: accept, proto: udp, dport: {} }}
      - {{ out: drop, proto: tcp, dport: 25 }}
",
            5000 + guest
        );
    }
    text
}
