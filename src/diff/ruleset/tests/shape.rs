//! What is shape, and what only looks like it.

use super::*;

fn iptables(rules: &str) -> Ruleset {
    let mut text = String::from("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n");
    let mut chains: Vec<&str> = rules.lines().filter_map(|line| line.trim().split(' ').nth(1)).collect();
    chains.sort_unstable();
    chains.dedup();
    for chain in chains.into_iter().filter(|chain| !own::BUILT_IN.contains(chain)) {
        text += &format!(":{chain} - [0:0]\n");
    }
    for line in rules.lines().map(str::trim).filter(|line| !line.is_empty()) {
        text += &format!("{line}\n");
    }
    read(Program::Iptables, &format!("{text}COMMIT\n"), None)
}

/// The kinds of changes.
fn kinds(meant: &str, found: &str) -> Vec<Kind> {
    let comparison = compare(&iptables(meant), &iptables(found));
    assert_eq!(comparison.unread, []);
    comparison.changes.iter().map(|change| change.kind).collect()
}

#[track_caller]
fn same(a: &str, b: &str) {
    let comparison = compare(&iptables(a), &iptables(b));
    assert!(comparison.is_equal(), "{}", said(&comparison));
    assert!(compare(&iptables(b), &iptables(a)).is_equal());
}

#[track_caller]
fn other(a: &str, b: &str) {
    for (a, b) in [(a, b), (b, a)] {
        let comparison = compare(&iptables(a), &iptables(b));
        assert!(!comparison.same_meaning() && !comparison.changes.is_empty(), "{}", said(&comparison));
    }
}

#[test]
fn chains_that_every_packet_passes_are_their_rules() {
    let flat = "-A INPUT -p tcp -j ACCEPT\n-A INPUT -p udp -j DROP\n-A INPUT -i lo -p icmp -j DROP";
    same(flat, "-A INPUT -j a\n-A a -p tcp -j ACCEPT\n-A a -j b\n-A b -p udp -j DROP\n-A b -i lo -p icmp -j DROP");
    same(flat, "-A INPUT -p tcp -j ACCEPT\n-A INPUT -g b\n-A b -p udp -j DROP\n-A b -i lo -p icmp -j DROP");
    // What returns from a called chain goes on behind the call, and nowhere else.
    let called = "-A INPUT -j a\n-A INPUT -p udp -j DROP\n-A a -p tcp -j RETURN\n-A a -s 10.0.0.1 -j DROP";
    other(called, "-A INPUT -p tcp -j RETURN\n-A INPUT -s 10.0.0.1 -j DROP\n-A INPUT -p udp -j DROP");
    other(called, &called.replace("INPUT -j a", "INPUT -g a"));
    other(called, "-A INPUT -j a\n-A a -p tcp -j RETURN\n-A a -s 10.0.0.1 -j DROP\n-A a -p udp -j DROP");
    same(called, &called.replace(" a ", " other ").replace("-j a", "-j other"));
}

#[test]
fn a_goto_does_not_come_back() {
    let goto = "-A INPUT -s 10.0.0.0/8 -g a\n-A INPUT -p udp -j DROP\n-A a -p tcp -j ACCEPT";
    other(goto, &goto.replace("-g a", "-j a"));
    // Where nothing follows, or nothing is undecided, it is the same.
    let last = "-A INPUT -p udp -j DROP\n-A INPUT -s 10.0.0.0/8 -g a\n-A a -p tcp -j ACCEPT";
    same(last, &last.replace("-g a", "-j a"));
    let ends = format!("{goto}\n-A a -j DROP");
    same(&ends, &ends.replace("-g a", "-j a"));
}

#[test]
fn conditions_of_a_call_may_stand_in_its_chain() {
    let call = "-A INPUT -p tcp -j a\n-A a -s 10.0.0.1 -j ACCEPT\n-A a -s 10.0.0.2 -j ACCEPT";
    same(call, "-A INPUT -s 10.0.0.1 -p tcp -j ACCEPT\n-A INPUT -s 10.0.0.2 -p tcp -j ACCEPT");
    // But not where a rule in between changes what they ask for.
    let mark = "-A INPUT -m mark --mark 0x1 -j a\n-A a -j MARK --set-xmark 0x0/0x1\n-A a -p tcp -j ACCEPT";
    let spread =
        "-A INPUT -m mark --mark 0x1 -j MARK --set-xmark 0x0/0x1\n-A INPUT -p tcp -m mark --mark 0x1 -j ACCEPT";
    other(mark, spread);
}

#[test]
fn dispatch_is_by_name_in_whatever_order_and_tree() {
    let chains = "-A a -p tcp -j DROP\n-A b -p udp -j DROP\n-A c -p icmp -j DROP";
    let plain = format!("{chains}\n-A FORWARD -j t\n-A t -i tap1 -g a\n-A t -i tap2 -g b\n-A t -i veth3 -g c");
    let turned = format!("{chains}\n-A FORWARD -j t\n-A t -i veth3 -g c\n-A t -i tap2 -g b\n-A t -i tap1 -g a");
    let tree = format!(
        "{chains}\n-A FORWARD -j t\n-A t -i tap+ -g u\n-A t -i veth3 -g c\n-A u -i tap1 -g a\n-A u -i tap2 -g b"
    );
    same(&plain, &turned);
    same(&plain, &tree);
    // A name that an earlier branch takes is never asked for.
    let taken = format!(
        "{chains}\n-A FORWARD -j t\n-A t -i tap+ -g u\n-A t -i tap2 -g b\n-A t -i veth3 -g c\n-A u -i tap1 -g a"
    );
    other(&plain, &taken);
    assert_eq!(kinds(&plain, &plain.replace("-A t -i tap2 -g b", "")), [Kind::PlaceAdded]);
    assert_eq!(kinds(&plain, &plain.replace("-i tap2", "-i tap9")), [Kind::PlaceAltered]);
    // Rules behind a dispatch are reached by what no entry ends.
    let behind = format!("{plain}\n-A FORWARD -p 47 -j DROP");
    other(&behind, &behind.replace("-i tap1 -g a", "-i tap1 -j a\n-A t -i tap1 -p esp -j DROP"));
}

/// A rule against packets that come while sets are not filled yet: later it is none.
#[test]
fn a_rule_for_no_ethertype_at_all_is_shape() {
    let table = |set: &str, guard: &str| {
        let text = format!(
            "table inet fwc {{\n {set}\n chain input {{\n type filter hook input priority 0; policy accept;\n\
             tcp dport 22 accept\n{guard}\nip saddr 10.0.0.0/8 drop\n accept\n}}\n}}\n"
        );
        read(Program::Nft, &text, None)
    };
    let set =
        |elements: &str| format!("set filled {{ type ether_type; flags interval; elements = {{ {elements} }}; }}");
    let guard = "meta protocol != @filled drop";
    let (plain, guarded) = (table("", ""), table(&set("0x0000-0xffff"), guard));
    for (a, b) in [(&plain, &guarded), (&guarded, &plain)] {
        assert!(compare(a, b).is_equal(), "{}", said(&compare(a, b)));
    }
    // One that leaves out a single ethertype is told, in its own words.
    let narrowed = table(&set("0x0000-0xfffe"), guard);
    let changes = compare(&guarded, &narrowed).changes;
    assert_eq!(changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [Kind::Removed]);
}

#[test]
fn the_beginning_of_a_name_is_no_name() {
    let all = "table bridge fwc {\n chain a {\n iifname \"tap1\" tcp dport 22 drop\n udp dport 53 drop\n}\n chain p {\n\
        type filter hook prerouting priority 0; policy accept;\n iifname vmap { \"tap*\" : jump a }\n accept\n}\n}\n";
    let (all, less) = (
        read(Program::Nft, all, None),
        read(Program::Nft, &all.replace("iifname \"tap1\" tcp dport 22 drop\n", ""), None),
    );
    assert_eq!(compare(&all, &less).changes.len(), 1, "{}", said(&compare(&all, &less)));
}

#[test]
fn loops_and_missing_chains_are_told() {
    let good = "-A INPUT -j a\n-A a -p tcp -j DROP\n-A a -p udp -j DROP";
    let meant = iptables(good);
    for bad in
        ["-A INPUT -j a\n-A a -p tcp -j DROP\n-A a -j b\n-A b -j a", "-A INPUT -j a\n-A a -p tcp -j DROP\n-A a -j a"]
    {
        let comparison = compare(&meant, &iptables(bad));
        assert!(!comparison.same_meaning() && comparison.obstacles[0].why == Obstacle::Loop, "{}", said(&comparison));
        assert!(!compare(&iptables(bad), &iptables(bad)).same_meaning());
    }
    let mut found = iptables(good);
    found.tables.values_mut().next().unwrap().chains.remove("a");
    assert_eq!(compare(&meant, &found).obstacles[0].why, Obstacle::Missing);
    // Chains that double with each level are given up, not written out.
    let mut deep = String::from("-A INPUT -j c0\n");
    for level in 0..60 {
        deep += &format!("-A c{level} -p tcp -j DROP\n-A c{level} -j c{0}\n-A c{level} -j c{0}\n", level + 1);
    }
    deep += "-A c60 -p udp -j DROP\n";
    assert_eq!(compare(&meant, &iptables(&deep)).obstacles[0].why, Obstacle::TooMuch);
}

#[test]
fn changes_of_a_list_are_few() {
    let rule =
        |number: usize| format!("-A INPUT -s 10.0.0.{number} -p tcp -m comment --comment id{number} -j ACCEPT\n");
    let all: Vec<String> = (1..9).map(rule).collect();
    let meant = all.concat();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut found = all.clone();
        change(&mut found);
        kinds(&meant, &found.concat())
    };
    assert_eq!(with(&|all| all.swap(2, 3)), [Kind::Moved]);
    assert_eq!(with(&|all| all.rotate_left(1)), [Kind::Moved]);
    assert_eq!(with(&|all| all[4] = all[4].replace("ACCEPT", "DROP")), [Kind::Altered]);
    assert_eq!(with(&|all| all[4] = all[4].replace("10.0.0.5", "10.7.7.7")), [Kind::Altered]);
    assert_eq!(with(&|all| all[4] = all[4].replace("id5", "id55")), [Kind::CommentOnly]);
    assert_eq!(with(&|all| all[4] = "-A INPUT -p udp -j DROP\n".to_owned()), [Kind::Removed, Kind::Added]);
    let altered_and_moved = |all: &mut Vec<String>| {
        let rule = all.remove(1).replace("ACCEPT", "DROP");
        all.push(rule);
    };
    let comparison = compare(&iptables(&meant), &{
        let mut found = all.clone();
        altered_and_moved(&mut found);
        iptables(&found.concat())
    });
    assert_eq!(comparison.changes.len(), 1, "{}", said(&comparison));
    assert!(comparison.changes[0].details.contains(&Detail::Moved));
    // A comment is no meaning, and yet a change.
    let comparison = compare(&iptables(&meant), &iptables(&meant.replace("id5", "id55")));
    assert!(comparison.same_meaning() && !comparison.is_equal());
}

#[test]
fn a_large_ruleset_costs_what_it_is_long() {
    let rules = |from: usize| -> String {
        let rule = |number: usize| {
            format!("-A INPUT -s 10.{}.{}.{} -p tcp -j DROP\n", number >> 16 & 255, number >> 8 & 255, number & 255)
        };
        (from..from + 20_000).map(rule).collect()
    };
    let (a, b) = (iptables(&rules(0)), iptables(&format!("{}-A INPUT -s 10.0.0.1 -p tcp -j DROP\n", rules(20_001))));
    let start = std::time::Instant::now();
    assert!(compare(&a, &a).is_equal());
    let comparison = compare(&a, &b);
    assert!(comparison.changes.len() >= 19_999, "{}", comparison.changes.len());
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
