//! How long it takes, by hand: `OUT=dir N=1000 cargo test --release --lib iptables -- --ignored measure`.

use std::fmt::Write as _;
use std::time::Instant;

use super::fixture::*;

/// A host with `count` guests of two NICs, ten own rules and one of fifty groups of ten rules.
fn many(count: u32) -> String {
    let mut text = String::from("version: 1\ndatacenter:\n  aliases: { office: 203.0.113.0/24 }\n");
    text.push_str("  ipsets: { admins: [203.0.113.7, 198.51.100.0/24, 192.0.2.77, 192.0.2.99] }\ngroups:\n");
    for group in 0..50 {
        let _ = writeln!(text, "  group{group}:");
        for rule in 0..10 {
            let _ =
                writeln!(text, "    - {{ in: accept, proto: tcp, dport: {}, source: 10.{group}.0.0/16 }}", 1000 + rule);
        }
    }
    text.push_str("hosts:\n  pm1: { addresses: [10.0.0.11/24], targets: iptables }\nvms:\n");
    for guest in 0..count {
        let id = 100 + guest;
        let (high, low) = (guest / 250, guest % 250 + 1);
        let _ = writeln!(text, "  {id}:\n    host: pm1\n    options: {{ ipfilter: true }}\n    nics:");
        for nic in 0..2 {
            let mac = format!("BC:24:{:02X}:{:02X}:{:02X}:0{nic}", id >> 16, (id >> 8) & 255, id & 255);
            let _ = writeln!(
                text,
                "      net{nic}: {{ bridge: vmbr{nic}, mac: \"{mac}\", ip: [10.{}.{high}.{low}/16, \"2001:db8:{nic}::{id:x}/64\"] }}",
                nic + 100
            );
        }
        let _ = writeln!(text, "    rules:\n      - {{ group: group{} }}", guest % 50);
        for rule in 0..10 {
            let _ = match rule % 5 {
                0 => {
                    writeln!(text, "      - {{ in: accept, proto: tcp, dport: {}, source: office }}", 2000 + rule + id)
                }
                1 => writeln!(text, "      - {{ in: accept, proto: tcp, dport: {}, source: +admins }}", 2000 + rule),
                2 => writeln!(text, "      - {{ in: accept, macro: {} }}", if rule == 2 { "SSH" } else { "Ping" }),
                3 => writeln!(text, "      - {{ out: drop, proto: tcp, dport: {} }}", 2000 + rule + id),
                _ => writeln!(text, "      - {{ in: accept, proto: udp, dport: [{}, {}] }}", rule + id, 9000 + rule),
            };
        }
    }
    text
}

#[test]
#[ignore = "a measurement"]
fn measure() {
    let count = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let start = Instant::now();
    let fleet = fleet(&many(count));
    println!("resolve {:?}", start.elapsed());
    for _ in 0..5 {
        let start = Instant::now();
        let (files, _) = compile(&fleet);
        println!("compile {:?}", start.elapsed());
        if let Some(folder) = std::env::var_os("OUT") {
            for (name, text) in files {
                println!("{name} {} lines", text.lines().count());
                std::fs::write(std::path::Path::new(&folder).join(name), text).unwrap();
            }
        }
    }
}

#[test]
#[ignore = "compiles the file SPEC into the folder OUT, by hand"]
fn build() {
    let spec = std::fs::read_to_string(std::env::var_os("SPEC").unwrap()).unwrap();
    let (files, diagnostics) = compile(&fleet(&spec));
    println!("{diagnostics:?}");
    for (name, text) in files {
        std::fs::write(std::path::Path::new(&std::env::var_os("OUT").unwrap()).join(name), text).unwrap();
    }
}
