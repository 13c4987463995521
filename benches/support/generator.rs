//! Specs of any size for benchmarks and load tests.
//!
//! In: a number of guests. Out: YAML of one host and its guests, each with 2 NICs, 1 of 50 groups of 10 rules,
//! 10 rules of its own with aliases, ipsets and macros, and the IP filter on. The same number gives the same text.

use std::fmt::Write;

/// Security groups in a spec.
pub const GROUPS: usize = 50;

/// Macros that the generated rules take in turn.
const MACROS: [&str; 12] =
    ["Web", "SSH", "DNS", "Mail", "PostgreSQL", "Ping", "NTP", "SNMP", "LDAP", "MySQL", "Syslog", "IMAPS"];

/// A whole spec with `guests` guests.
pub fn spec(guests: usize) -> String {
    let mut text = String::with_capacity(guests * 1400 + 40_000);
    head(&mut text);
    groups(&mut text);
    text.push_str("vms:\n");
    for index in 0..guests {
        guest(&mut text, index);
    }
    text
}

fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    text.write_fmt(args).expect("a String takes all");
    text.push('\n');
}

fn head(text: &mut String) {
    text.push_str("version: 1\ndatacenter:\n  options: { policy_in: drop, policy_out: accept }\n  aliases:\n");
    text.push_str("    local_network: 10.0.0.0/24\n");
    for index in 0..20 {
        line(text, format_args!("    office{index}: 203.0.{index}.0/24"));
        line(text, format_args!("    office6_{index}: \"2001:db8:{index:x}::/48\""));
    }
    text.push_str(
        "  ipsets:\n    management: [office0, office6_0]\n    blacklist: [198.51.100.0/24, \"!198.51.100.7\"]\n",
    );
    for index in 0..20 {
        line(
            text,
            format_args!(
                "    partners{index}: [office{index}, office6_{index}, 192.0.2.{index}, 198.18.{index}.0/25, \"!198.18.{index}.7\", \"2001:db8:ffff:{index:x}::/64\"]"
            ),
        );
    }
    text.push_str("  guests:\n    options: { ipfilter: true }\n");
    text.push_str("    rules:\n      - { id: ping, in: accept, macro: Ping }\n");
    text.push_str("hosts:\n  pm1:\n    addresses: [10.0.0.11/24, \"2001:db8::11/64\"]\n");
    text.push_str("    rules:\n      - { in: accept, macro: Ceph, source: local_network }\n");
}

fn groups(text: &mut String) {
    text.push_str("groups:\n");
    for group in 0..GROUPS {
        line(text, format_args!("  g{group:02}:"));
        for rule in 0..10 {
            match rule % 5 {
                0 => line(
                    text,
                    format_args!(
                        "    - {{ in: accept, macro: {}, source: +partners{} }}",
                        pick(group + rule),
                        (group + rule) % 20
                    ),
                ),
                1 => line(
                    text,
                    format_args!(
                        "    - {{ in: accept, proto: tcp, dport: [{}, {}] }}",
                        8000 + group,
                        9000 + group * 10 + rule
                    ),
                ),
                2 => line(
                    text,
                    format_args!(
                        "    - {{ in: accept, proto: udp, dport: {}-{}, source: office{} }}",
                        20_000 + group * 100,
                        20_000 + group * 100 + rule,
                        group % 20
                    ),
                ),
                3 => line(
                    text,
                    format_args!("    - {{ out: drop, proto: tcp, dport: {}, dest: 10.200.{group}.0/24 }}", 100 + rule),
                ),
                _ => line(
                    text,
                    format_args!(
                        "    - {{ in: drop, proto: tcp, dport: {}, source: \"2001:db8:dead:{group:x}::/64\" }}",
                        400 + rule
                    ),
                ),
            }
        }
    }
}

fn pick(index: usize) -> &'static str {
    MACROS[index % MACROS.len()]
}

fn guest(text: &mut String, index: usize) {
    let id = 100 + index;
    let (high, low) = (index / 250, index % 250 + 1);
    line(text, format_args!("  {id}:"));
    line(text, format_args!("    name: guest{index}"));
    text.push_str("    host: pm1\n    nics:\n");
    for nic in 0..2 {
        line(
            text,
            format_args!(
                "      net{nic}: {{ bridge: vmbr{nic}, mac: \"BC:24:11:{nic:02X}:{:02X}:{:02X}\", ip: [10.{}.{high}.{low}/16, \"2001:db8:{}::{:x}/64\"] }}",
                index >> 8,
                index & 255,
                10 + nic,
                10 + nic,
                index + 1
            ),
        );
    }
    text.push_str("    rules:\n");
    line(text, format_args!("      - group: g{:02}", index % GROUPS));
    line(text, format_args!("      - {{ in: accept, macro: {}, source: +partners{} }}", pick(index), index % 20));
    line(text, format_args!("      - {{ in: accept, macro: {}, source: office{} }}", pick(index / 3), index / 5 % 20));
    line(
        text,
        format_args!(
            "      - {{ in: accept, proto: tcp, dport: {}, source: 172.16.{}.{low} }}",
            1024 + index % 40_000,
            high
        ),
    );
    line(
        text,
        format_args!("      - {{ in: accept, proto: tcp, dport: [80, 443, 8080], source: office6_{} }}", index % 20),
    );
    line(
        text,
        format_args!(
            "      - {{ in: accept, proto: udp, dport: {}-{} }}",
            30_000 + index % 1000,
            31_000 + index % 1000
        ),
    );
    line(text, format_args!("      - {{ in: drop, source: 198.19.{}.0/24 }}", index % 250));
    line(
        text,
        format_args!(
            "      - {{ in: accept, proto: tcp, dport: 22, source: \"2001:db8:aaaa:{:x}::/64\", iface: net0 }}",
            index
        ),
    );
    line(
        text,
        format_args!(
            "      - {{ in: accept, proto: icmp, icmp_type: echo-request, source: 10.{}.0.0/16 }}",
            index % 250
        ),
    );
    line(text, format_args!("      - {{ out: drop, proto: tcp, dport: 25 }}"));
    line(text, format_args!("      - {{ out: drop, proto: udp, dport: 53, dest: +partners{} }}", (index + 7) % 20));
}
