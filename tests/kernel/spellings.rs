//! Of nftables scripts: what is the same in other words, and what is not.

use super::script::{differences, parse};

fn same(a: &str, b: &str) -> bool {
    let script = |rule: &str| parse(&format!("table inet t {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n"));
    differences(&script(a), &script(b)).is_empty()
}

#[test]
fn spellings_of_one_rule_are_one() {
    assert!(same("meta l4proto tcp tcp dport 22 accept", "tcp dport 22 accept"));
    assert!(same("tcp flags & (fin|syn|rst|ack) != syn drop", "tcp flags != syn / fin,syn,rst,ack drop"));
    assert!(same("tcp flags & (fin|syn) == 0x0 drop", "tcp flags ! fin,syn drop"));
    assert!(same("ct state { established, related } accept", "ct state related,established accept"));
    assert!(same("ip daddr { 10.1.0.0/16, 10.2.0.0-10.2.0.5 } drop", "ip daddr { 10.1.0.0-10.2.0.5 } drop"));
    assert!(same("icmpv6 type { 133, nd-router-advert } accept", "icmpv6 type { nd-router-solicit, 134 } accept"));
    assert!(same("reject", "reject with icmpx type port-unreachable"));
    assert!(same("reject with tcp reset", "meta l4proto 6 reject with tcp reset"));
    assert!(same("log prefix \"a b\" level warn", "log prefix \"a b\""));
    assert!(same("tcp dport { 80, 443 } accept", "tcp dport { 443, 80 } accept"));
    assert!(same("iifname lo accept", "meta iifname \"lo\" accept"));
}

#[test]
fn other_rules_are_others() {
    assert!(!same("tcp dport 22 accept", "tcp dport 23 accept"));
    assert!(!same("tcp dport 22 accept", "udp dport 22 accept"));
    assert!(!same("meta l4proto tcp accept", "accept"));
    assert!(!same("meta nfproto ipv4 accept", "accept"));
    assert!(!same("meta nfproto ipv4 udp dport 67 accept", "udp dport 67 accept"));
    assert!(!same("tcp flags & (fin|syn) == syn drop", "tcp flags & (fin|syn) != syn drop"));
    assert!(!same("ip saddr != @a drop", "ip saddr @a drop"));
    assert!(!same("tcp dport { 80, 443 } accept", "tcp dport { 80 } accept"));
    assert!(!same("accept\ndrop", "drop\naccept"));
    assert!(!same("jump a", "goto a"));
    assert!(!same("reject", "reject with icmpx admin-prohibited"));
}

#[test]
fn sets_are_compared_by_what_they_hold() {
    let set = |elements: &str| {
        parse(&format!(
            "table inet t {{\n set s {{\n type ipv4_addr; flags interval; elements = {{ {elements} }}\n }}\n}}\n"
        ))
    };
    assert_eq!(set("10.0.0.0/25, 10.0.0.128/25"), set("10.0.0.0/24"));
    assert_eq!(set("10.0.0.1, 10.0.0.2"), set("10.0.0.1-10.0.0.2"));
    assert_ne!(set("10.0.0.1"), set("10.0.0.2"));
    assert_ne!(set("10.0.0.0/24"), set("10.0.0.0/23"));
}
