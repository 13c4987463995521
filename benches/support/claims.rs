//! Tests for the generated specs.
//!
//! In: numbers of guests and of tests. Out: the YAML of a `tests` list that holds in the spec of that many guests, ten
//! kinds in turn over all guests. The same numbers give the same text.

use std::fmt::Write;

use super::generator::GROUPS;

/// A `tests` list to be put behind the spec.
pub fn tests(guests: usize, number: usize) -> String {
    let mut text = String::with_capacity(number * 100);
    text.push_str("tests:\n");
    for index in 0..number {
        let guest = index / 10 % guests;
        let test = one(index % 10, guest, (guest + 1 + index % 7) % guests);
        writeln!(text, "  - {{ name: test {index}, {test} }}").expect("a String takes all");
    }
    text
}

fn one(kind: usize, guest: usize, other: usize) -> String {
    let (id, other, group) = (100 + guest, 100 + other, guest % GROUPS);
    match kind {
        0 => format!("from: outside, to: vm/{id}, proto: tcp, dport: {}, expect: accept", 8000 + group),
        1 => format!("from: outside, to: vm/{id}, proto: tcp, dport: 23, expect: drop"),
        2 => format!("from: vm/{id}, to: outside, proto: tcp, dport: 25, expect: drop"),
        3 => format!("from: vm/{id}, to: vm/{other}, proto: tcp, dport: 2222, expect: drop"),
        4 => format!("from: vm/{id}, to: host/pm1, proto: tcp, dport: [22, 8006], expect: drop"),
        5 => format!(
            "from: outside, source: office{}, to: vm/{id}, proto: udp, dport: {}, expect: accept",
            group % 20,
            20_000 + group * 100
        ),
        6 => format!("from: outside, source: 203.0.113.0/24, to: vm/{id}, macro: Ping, expect: accept"),
        7 => format!("from: vm/{id}, to: outside, dest: 9.9.9.9, proto: udp, dport: 53, expect: accept"),
        8 => format!(
            "from: outside, source: \"2001:db8:aaaa:{guest:x}::/64\", to: \"vm/{id}:net1\", proto: tcp, dport: 2200-2299, expect: drop"
        ),
        _ => format!("from: outside, source: 192.0.2.200, to: vm/{id}, proto: tcp, dport: 1-1000, expect: drop"),
    }
}
