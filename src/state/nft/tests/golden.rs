//! What fwc writes: read without a rest, and no change of it passes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

/// Every `fwc.nft` of `golden/`.
fn scripts() -> Vec<String> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut found = Vec::new();
    for example in fs::read_dir(golden).expect("golden/").map(|entry| entry.expect("an entry").path()) {
        for host in fs::read_dir(example.join("hosts")).into_iter().flatten() {
            found.extend(fs::read_to_string(host.expect("an entry").path().join("fwc.nft")));
        }
    }
    assert!(found.len() > 4, "golden/ has lost its scripts");
    found
}

#[test]
fn all_is_read() {
    for text in scripts() {
        let ruleset = script(&text);
        assert_eq!(ruleset.unread, []);
        // A rule stands on a line that is neither a head, an element, nor a property.
        let others = ["type ", "flags ", "size ", "timeout ", "elements ", "ct helper ", "chain ", "set ", "map ", "}"];
        let is_rule = |line: &&str| line.starts_with("\t\t") && !line.starts_with("\t\t\t");
        let lines = text.lines().filter(is_rule).map(str::trim);
        let rules = lines.filter(|line| !others.iter().any(|other| line.starts_with(other))).count();
        assert_eq!(ruleset.rule_count(), rules);
        let all = ruleset.tables.values().flat_map(|table| table.chains.values()).flat_map(|chain| &chain.rules);
        for rule in all {
            let known = ["limit rate ", "log prefix ", "meta mark set ", "update @", "ct helper set "];
            for statement in &rule.statements {
                assert!(known.iter().any(|start| statement.starts_with(start)), "{statement}");
            }
        }
    }
}

/// The blocks of a script, each in a table of its own; what one chain has in common with others is there once.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut family = "inet";
    let mut block = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("table ").and_then(|rest| rest.strip_suffix(" fwc {")) {
            family = rest;
        } else if line.starts_with('\t') {
            block.push_str(line);
            block.push('\n');
            if line == "\t}" {
                found.push(format!("table {family} fwc {{\n{block}}}\n"));
                block.clear();
            }
        }
    }
    found
}

/// Ways to alter a line, one place at a time.
fn altered(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        let part = c.is_ascii_alphanumeric() || "_-".contains(c);
        match (start, part) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let ((before, word), after) = (line.split_at(at).0.split_at(from), line.split_at(at).1);
                let with = |word: &str| format!("{before}{word}{after}");
                match word.parse::<u64>() {
                    Ok(number) => found.push(with(&(number + 1).to_string())),
                    Err(_) => found.push(with(&format!("{word}x"))),
                }
                let other = [
                    ("accept", "drop"),
                    ("drop", "accept"),
                    ("jump", "goto"),
                    ("goto", "jump"),
                    ("tcp", "udp"),
                    ("ip", "ip6"),
                    ("saddr", "daddr"),
                    ("sport", "dport"),
                ];
                found.extend(other.iter().filter(|(from, _)| *from == word).map(|(_, to)| with(to)));
                start = None;
            }
            (_, _) => {}
        }
    }
    let changes = [("!= ", ""), ("== ", "!= "), (" @", " != @"), ("set meta mark |", "set meta mark &"), (" over", "")];
    found.extend(changes.iter().filter(|(from, _)| line.contains(from)).map(|(from, to)| line.replacen(from, to, 1)));
    found
}

/// The words of a line, networks without the bits that say nothing.
fn networks(line: &str) -> Vec<String> {
    let network = |word: &str| word.trim_matches(',').parse::<ipnet::IpNet>().map(|net| net.trunc().to_string());
    line.split_whitespace().map(|word| network(word).unwrap_or_else(|_| word.to_owned())).collect()
}

#[test]
fn every_change_of_a_line_is_seen() {
    let mut tried = BTreeSet::new();
    let mut unseen = Vec::new();
    for text in scripts() {
        for block in blocks(&text) {
            let meant = script(&block);
            let lines: Vec<&str> = block.lines().collect();
            for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
                // Elements of one kind need be tried once in each kind of block.
                let shape: String = line.chars().filter(|c| !c.is_ascii_hexdigit()).collect();
                let head = lines[1].split('-').next().unwrap_or_default();
                if !tried.insert((block.starts_with("table inet"), head.to_owned(), shape)) {
                    continue;
                }
                for other in altered(line).into_iter().filter(|other| networks(other) != networks(line)) {
                    let mut changed = lines.clone();
                    changed[index] = &other;
                    if script(&(changed.join("\n") + "\n")) == meant {
                        unseen.push(format!("{line} -> {other}"));
                    }
                }
                // Without the line.
                let mut changed = lines.clone();
                changed.remove(index);
                let harmless = ["\t\tflags interval", "", "{", "}"].iter().any(|known| line == known);
                if !harmless && script(&(changed.join("\n") + "\n")) == meant {
                    unseen.push(format!("{line} -> nothing"));
                }
            }
        }
    }
    assert!(tried.len() > 300, "only {} lines were tried", tried.len());
    assert!(unseen.is_empty(), "{} changes pass:\n{}", unseen.len(), unseen.join("\n"));
}

#[test]
fn the_head_is_read_too() {
    for text in scripts() {
        let meant = script(&text);
        for line in ["table inet fwc", "delete table inet fwc", "table bridge fwc", "delete table bridge fwc"] {
            if text.contains(&format!("\n{line}\n")) {
                assert_ne!(script(&text.replacen(&format!("\n{line}\n"), &format!("\n{line}x\n"), 1)), meant, "{line}");
            }
        }
    }
}

/// Other orders of what has none: elements of sets, and conditions of one rule.
#[test]
fn what_has_no_order_may_stand_in_any() {
    let text = scripts().into_iter().max_by_key(String::len).expect("a script");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut moved = 0;
    for from in 0..lines.len() {
        if lines[from].ends_with("elements = {") {
            let count = lines[from + 1..].iter().take_while(|line| line.starts_with("\t\t\t")).count();
            let elements = &mut lines[from + 1..from + 1 + count];
            elements.reverse();
            for (index, element) in elements.iter_mut().enumerate() {
                *element = format!("{}{}", element.trim_end_matches(','), if index + 1 < count { "," } else { "" });
            }
            moved += usize::from(count > 1);
        }
        // `ip saddr X tcp dport Y verdict`
        let words: Vec<&str> = lines[from].split(' ').collect();
        if let [network, side, address, transport, port, number, rest @ ..] = words.as_slice()
            && network.trim_start().starts_with("ip")
            && ["tcp", "udp"].contains(transport)
            && *port == "dport"
        {
            let rest = rest.join(" ");
            lines[from] = format!("{transport} {port} {number} {} {side} {address} {rest}", network.trim_start());
            moved += 1;
        }
    }
    assert!(moved > 20, "{moved}");
    assert_eq!(script(&(lines.join("\n") + "\n")), script(&text));
}
