//! iptables, ip6tables, ebtables and ipset files as data, in one canonical spelling.
//!
//! In: what fwc wrote, or what a `-save` program lists. Out: tables of chains of rules, of which two are equal
//! exactly when they mean the same. A rule's conditions hold together, so their order means nothing;
//! the order of rules does. What is not known here stays as it was written, so it can only differ, never be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

/// Tables by name.
pub type Tables = BTreeMap<String, BTreeMap<String, Chain>>;

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// `ACCEPT`, `DROP` or `-`.
    pub policy: String,
    /// Canonical rules, in order.
    pub rules: Vec<String>,
}

/// Reads `*-restore` input or `*-save` output.
pub fn parse(text: &str) -> Tables {
    let mut tables = Tables::new();
    let mut current = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('*') {
            current = name.to_owned();
            tables.entry(current.clone()).or_default();
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split_whitespace();
            let name = words.next().expect("a chain's name").to_owned();
            let policy = words.next().unwrap_or("-").to_owned();
            tables.get_mut(&current).expect("a table").entry(name).or_default().policy = policy;
        } else if line == "COMMIT" {
            current.clear();
        } else {
            let words = words(line);
            assert_eq!(words.first().map(String::as_str), Some("-A"), "only appended rules are understood: {line}");
            let chains = tables.get_mut(&current).expect("a table");
            chains.entry(words[1].clone()).or_default().rules.push(rule(&words[2..]));
        }
    }
    tables
}

/// Splits as a shell would: double quotes, backslashes.
fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            c if c.is_whitespace() && !quoted => found.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word);
    found
}

/// Options of a rule in their canonical spelling, sorted; the action stands last.
fn rule(words: &[String]) -> String {
    let mut options: Vec<(bool, String, Vec<String>)> = Vec::new();
    let mut negated = false;
    for word in words {
        let is_option = word.starts_with('-') && word.len() > 1 && !word[1..].starts_with(|c: char| c.is_ascii_digit());
        // A comment or prefix may begin with a dash; it is the one value of its option.
        let takes_text = options.last().is_some_and(|(_, name, values)| {
            ["--comment", "--nflog-prefix", "--log-prefix"].contains(&name.as_str()) && values.is_empty()
        });
        if word == "!" && !takes_text {
            // Before the option, or (ebtables) between the option and its value.
            match options.last_mut() {
                Some((old, name, values)) if values.is_empty() && !flag(name) => *old = true,
                _ => negated = true,
            }
        } else if is_option && !takes_text {
            options.push((std::mem::take(&mut negated), long(word).to_owned(), Vec::new()));
        } else {
            options.last_mut().expect("a value follows an option").2.push(word.clone());
        }
    }
    // The module's name says nothing that its options do not.
    options.retain(|(_, name, _)| name != "-m");
    let target = value(&options, "-j");
    let protocol = value(&options, "-p");
    if target.as_deref() == Some("REJECT") && value(&options, "--reject-with").is_none() {
        options.push((false, "--reject-with".into(), vec!["port-unreachable".into()]));
    }
    if target.as_deref() == Some("LOG") && value(&options, "--log-level").is_none() {
        options.push((false, "--log-level".into(), vec!["4".into()]));
    }
    let mut conditions = Vec::new();
    let mut action = Vec::new();
    for (negated, name, values) in options {
        let (name, values) = canonical(name, values, protocol.as_deref());
        let default = (name == "--limit-burst" && values == ["5"]) || (name == "--nflog-group" && values == ["0"]);
        // The mask of a whole address, which the program leaves out.
        let whole = name == "--hashlimit-srcmask" && (values == ["32"] || values == ["128"]);
        let any = matches!(name.as_str(), "-s" | "-d") && !negated && values.iter().all(|net| net.ends_with("/0"));
        if default || whole || any {
            continue;
        }
        let text = format!("{}{name} {}", if negated { "! " } else { "" }, values.join(" ")).trim_end().to_owned();
        if ACTION.iter().any(|prefix| name.starts_with(prefix)) { action.push(text) } else { conditions.push(text) }
    }
    conditions.sort();
    action.sort();
    conditions.extend(action);
    conditions.join(" ")
}

/// Options of what becomes of the packet.
const ACTION: &[&str] = &[
    "-j",
    "-g",
    "--reject-with",
    "--nflog",
    "--log",
    "--set-xmark",
    "--helper",
    "--queue",
    "--notrack",
    "--mark-target",
];

/// Options without a value.
fn flag(name: &str) -> bool {
    name.starts_with("--physdev-is") || ["--notrack", "--queue-bypass", "--syn"].contains(&name)
}

fn value(options: &[(bool, String, Vec<String>)], name: &str) -> Option<String> {
    options.iter().find(|(_, known, _)| known == name).and_then(|(_, _, values)| values.first().cloned())
}

fn long(option: &str) -> &str {
    match option {
        "--source" | "--src" => "-s",
        "--destination" | "--dst" => "-d",
        "--protocol" | "--proto" => "-p",
        "--in-interface" => "-i",
        "--out-interface" => "-o",
        "--jump" => "-j",
        "--goto" => "-g",
        "--match" => "-m",
        "--destination-port" => "--dport",
        "--source-port" => "--sport",
        "--destination-ports" => "--dports",
        "--source-ports" => "--sports",
        "--arp-ip-source" => "--arp-ip-src",
        other => other,
    }
}

fn canonical(name: String, mut values: Vec<String>, protocol: Option<&str>) -> (String, Vec<String>) {
    let each = |values: Vec<String>, f: &dyn Fn(&str) -> String| values.iter().map(|value| f(value)).collect();
    match name.as_str() {
        "-s" | "-d" if values.iter().any(|value| value.contains(':') && value.len() == 17 && mac(value)) => {
            (name, each(values, &str::to_ascii_lowercase))
        }
        "-s" | "-d" | "--arp-ip-src" | "--arp-ip-dst" | "--ip-src" | "--ip-dst" | "--ip6-src" | "--ip6-dst" => {
            (name, each(values, &network))
        }
        "-p" | "--ip-proto" | "--ip6-proto" => (name, each(values, &protocol_number)),
        "--syn" => ("--tcp-flags".into(), vec!["ACK,FIN,RST,SYN".into(), "SYN".into()]),
        "--tcp-flags" => (name, each(values, &flags)),
        "--ctstate" | "--state" => ("--ctstate".into(), each(values, &sorted)),
        "--limit" | "--hashlimit-above" | "--hashlimit-upto" => (name, each(values, &per_day)),
        "--log-level" => (name, each(values, &level)),
        "--set-mark" => ("--set-xmark".into(), each(values, &|value| format!("{value}/0xffffffff"))),
        "--mac-source" | "--arp-mac-src" | "--vlan-encap" => (name, each(values, &str::to_ascii_lowercase)),
        "--dport" | "--sport" | "--dports" | "--sports" => (name, each(values, &ports)),
        "--icmp-type" | "--icmpv6-type" => {
            let v6 = name == "--icmpv6-type" || protocol.is_some_and(|p| protocol_number(p) == "58");
            let family = if v6 { fwc::net::Family::V6 } else { fwc::net::Family::V4 };
            let number = |text: &str| match fwc::net::IcmpType::parse(family, text) {
                Ok(icmp) => icmp.code.map_or(icmp.kind.to_string(), |code| format!("{}/{code}", icmp.kind)),
                Err(_) => text.to_owned(),
            };
            ("--icmp-type".into(), each(values, &number))
        }
        "--reject-with" => {
            for value in &mut values {
                *value = value.trim_start_matches("icmp6-").trim_start_matches("icmp-").to_owned();
            }
            (name, values)
        }
        _ => (name, values),
    }
}

fn mac(text: &str) -> bool {
    text.split(':').count() == 6 && text.split(':').all(|part| part.len() == 2)
}

fn network(text: &str) -> String {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map_or(text.to_owned(), |net| net.trunc().to_string())
}

fn sorted(text: &str) -> String {
    text.split(',').collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",")
}

fn flags(text: &str) -> String {
    if text == "ALL" { sorted("FIN,SYN,RST,PSH,ACK,URG") } else { sorted(text) }
}

fn ports(text: &str) -> String {
    text.split(',')
        .map(|part| match part.split_once(':') {
            Some((from, to)) if from == to => from.to_owned(),
            _ => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

/// A rate as so many a day.
fn per_day(text: &str) -> String {
    let (count, unit) = text.split_once('/').unwrap_or((text, "second"));
    let seconds = match unit.chars().next() {
        Some('s') => 86_400,
        Some('m') => 1_440,
        Some('h') => 24,
        Some('d') => 1,
        _ => return text.to_owned(),
    };
    count.parse::<u64>().map_or(text.to_owned(), |count| format!("{}/day", count * seconds))
}

fn level(text: &str) -> String {
    let names = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];
    names.iter().position(|name| *name == text).map_or(text.to_owned(), |number| number.to_string())
}

/// Protocols and ethertypes as numbers. A zero stays: programs list it as no condition at all, which is a defect.
fn protocol_number(text: &str) -> String {
    let ethertype = match text.to_ascii_lowercase().as_str() {
        "ipv4" => Some("0x0800"),
        "arp" => Some("0x0806"),
        "802_1q" => Some("0x8100"),
        "s-tag" => Some("0x88a8"),
        "lldp" => Some("0x88cc"),
        _ => None,
    };
    if let Some(number) = ethertype {
        return number.into();
    }
    // ebtables calls the ethertype IPv6; as an IP protocol the name is in lower case.
    if text == "IPv6" {
        return "0x86dd".into();
    }
    if text.starts_with("0x") || text == "LENGTH" || text == "Length" {
        return text.to_ascii_lowercase();
    }
    fwc::net::Protocol::parse(text).map_or(text.to_owned(), |protocol| protocol.0.to_string())
}

/// What two rulesets disagree on, line by line; empty where they mean the same.
/// Chains that hold nothing and end nothing are created by the programs themselves and count as absent.
pub fn differences(meant: &Tables, listed: &Tables) -> Vec<String> {
    let trivial = |chain: &Chain| chain.rules.is_empty() && chain.policy == "ACCEPT";
    let mut found = Vec::new();
    for table in meant.keys().chain(listed.keys()).collect::<BTreeSet<_>>() {
        let empty = BTreeMap::new();
        let (left, right) = (meant.get(table).unwrap_or(&empty), listed.get(table).unwrap_or(&empty));
        for name in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
            match (left.get(name), right.get(name)) {
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => {
                    if a.policy != b.policy {
                        found.push(format!("{table} {name}: policy {} became {}", a.policy, b.policy));
                    }
                    let text = |chain: &Chain| chain.rules.join("\n");
                    found.push(format!("{table} {name}: {}", super::common::difference(&text(a), &text(b))));
                }
                (Some(chain), None) if !trivial(chain) => found.push(format!("{table} {name} is missing")),
                (None, Some(chain)) if !trivial(chain) => found.push(format!("{table} {name} is not meant")),
                (_, _) => {}
            }
        }
    }
    found
}

/// ipset's `restore` input or `save` output: each set's type with its entries.
pub fn parse_sets(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut sets: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with('-')).collect();
        match words.as_slice() {
            ["create", name, kind, options @ ..] => {
                let family = options.windows(2).find(|pair| pair[0] == "family").map_or("inet", |pair| pair[1]);
                sets.entry((*name).to_owned()).or_default().0 = format!("{kind} {family}");
            }
            ["add", name, entry, options @ ..] => {
                let entry = format!("{} {}", network(entry), options.join(" "));
                sets.entry((*name).to_owned()).or_default().1.insert(entry.trim_end().to_owned());
            }
            ["flush", name] => sets.entry((*name).to_owned()).or_default().1.clear(),
            ["swap", a, b] => {
                let (first, second) = (sets.remove(*a).unwrap_or_default(), sets.remove(*b).unwrap_or_default());
                sets.insert((*a).to_owned(), second);
                sets.insert((*b).to_owned(), first);
            }
            ["destroy", name] => {
                sets.remove(*name);
            }
            ["COMMIT"] => {}
            _ => panic!("not understood in an ipset file: {line}"),
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let table = |rule: &str| parse(&format!("*filter\n:c - [0:0]\n-A c {rule}\nCOMMIT\n"));
        differences(&table(a), &table(b)).is_empty()
    }

    #[test]
    fn spellings_of_one_rule_are_one() {
        assert!(same("-p tcp --dport 22 -s 10.0.0.1 -j ACCEPT", "-s 10.0.0.1/32 -p tcp -m tcp --dport 22 -j ACCEPT"));
        assert!(same("-p tcp --syn -j DROP", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"));
        assert!(same(
            "-m limit --limit 1/second --limit-burst 5 -j NFLOG",
            "-m limit --limit 1/sec -j NFLOG --nflog-group 0"
        ));
        assert!(same("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"));
        assert!(same("-s ! bc:24:11:00:00:64 -j DROP", "-s ! BC:24:11:00:00:64 -j DROP"));
        assert!(same("-p icmp --icmp-type echo-request -j DROP", "-p 1 -m icmp --icmp-type 8 -j DROP"));
    }

    #[test]
    fn other_rules_are_others() {
        assert!(!same("-p tcp --dport 22 -j ACCEPT", "-p tcp --dport 23 -j ACCEPT"));
        assert!(!same("-s 10.0.0.1 -j ACCEPT", "-j ACCEPT"));
        assert!(!same("! -s 10.0.0.1 -j ACCEPT", "-s 10.0.0.1 -j ACCEPT"));
        assert!(!same("-s ! bc:24:11:00:00:64 -j DROP", "-s bc:24:11:00:00:64 -j DROP"));
        assert!(!same("-p 0 -j ACCEPT", "-j ACCEPT"));
        assert!(!same("-m limit --limit 1/sec -j NFLOG", "-m limit --limit 1/min -j NFLOG"));
        assert!(!same("-m physdev --physdev-is-in -j c", "-j c"));
        assert!(!same("-j c", "-g c"));
    }
}
