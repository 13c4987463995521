//! Named sets are few: beyond the budget short lists are plain rules.

use std::fmt::Write as _;

use super::*;

fn rules(count: u32) -> String {
    let mut rules = String::new();
    for n in 0..count {
        let port = 1000 + 3 * n;
        let _ = write!(rules, "{{ in: accept, proto: tcp, dport: [{port}, {}] }}, ", port + 2);
    }
    guest(&format!("rules: [ {rules} ]"))
}

#[test]
fn a_list_of_ports_is_one_named_set_and_a_single_port_none() {
    let text = file(&guest(
        "rules: [ { in: accept, proto: tcp, dport: [80, 443] }, { in: accept, proto: udp, dport: [443, 80] }, { in: accept, proto: tcp, dport: 25 } ]",
    ));
    assert_eq!(text.matches("\t\t\t80,\n\t\t\t443\n").count(), 1);
    assert!(!text.contains("{ 80"), "no anonymous set: {text}");
}

#[test]
fn beyond_the_budget_lists_are_spelled_out() {
    let text = file(&rules(1200));
    let sets = text.matches("\tset ").count();
    assert!(sets <= 1000, "{sets} sets");
    let chain = chain(&text, "bridge", "guest-100-in");
    // Every list is there, as a set or as two rules.
    let named = chain.iter().filter(|rule| rule.starts_with("tcp dport @ports-")).count();
    let plain = chain.iter().filter(|rule| rule.starts_with("tcp dport ") && !rule.contains('@')).count();
    assert_eq!(2 * named + plain, 2400);
    assert!(chain.contains(&format!("tcp dport {} accept", 1000 + 3 * 1199 + 2)));
}
