//! One rule, in one spelling: numbers for names, defaults spelled out, dependencies that another match implies left out.

use super::{Token, elements, word};

/// A rule as words: a set in braces is one word.
pub fn canonical(family: &str, statement: &[Token]) -> String {
    let mut words = merged(statement);
    if words.first().is_some_and(|first| first == "type") {
        return hook(family, &words);
    }
    // `meta` is optional before most of its keys.
    for index in (0..words.len().saturating_sub(1)).rev() {
        let key = &words[index + 1];
        if words[index] == "meta" && META.contains(&key.as_str()) {
            words.remove(index);
        }
    }
    flags(&mut words);
    states(&mut words);
    numbers(&mut words);
    defaults(&mut words);
    implied(&mut words);
    words.join(" ")
}

const META: &[&str] =
    &["iifname", "oifname", "ibrname", "obrname", "iif", "oif", "l4proto", "nfproto", "protocol", "pkttype", "mark"];

/// Sets become one word, `{ a, b }` in canonical order; `a, b` lists lose their space.
fn merged(statement: &[Token]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = statement;
    while let Some((token, tail)) = rest.split_first() {
        rest = tail;
        match token {
            Token::Open => {
                let (inside, passed) = super::block(rest);
                rest = &rest[passed..];
                if words.len() > 1 && ["update", "add"].contains(&words[words.len() - 2].as_str()) {
                    words.push(format!("{{ {} }}", inside.iter().map(word).collect::<Vec<_>>().join(" ")));
                } else {
                    let key = key_of(&words);
                    let inside: Vec<Token> = inside
                        .iter()
                        .map(|token| match token {
                            Token::Word(text) => {
                                Token::Word(text.split(',').map(|part| named(&key, part)).collect::<Vec<_>>().join(","))
                            }
                            Token::Text(_) | Token::Open | Token::Close | Token::End => token.clone(),
                        })
                        .collect();
                    words.push(format!("{{{}}}", elements::canonical(&inside).join(", ")));
                }
            }
            Token::Text(text) if quoted(&words) => words.push(format!("\"{text}\"")),
            Token::Word(_) | Token::Text(_) | Token::Close | Token::End => words.push(word(token).to_owned()),
        }
    }
    words
}

/// Whether a text that follows is free text (a comment, a prefix) rather than a name.
fn quoted(words: &[String]) -> bool {
    words.last().is_some_and(|last| ["comment", "prefix"].contains(&last.as_str()))
}

/// What is matched: the words before the value, an operator left out.
fn key_of(words: &[String]) -> String {
    let end = words.iter().rev().take_while(|word| ["!=", "==", "vmap"].contains(&word.as_str())).count();
    let words = &words[..words.len() - end];
    let start = words.len().saturating_sub(2);
    words[start..].join(" ").trim_start_matches("meta ").to_owned()
}

fn hook(family: &str, words: &[String]) -> String {
    let Some(at) = words.iter().position(|word| word == "priority") else { return words.join(" ") };
    let base = |name: &str| -> Option<i32> {
        let bridge = family == "bridge";
        Some(match name {
            "raw" => -300,
            "mangle" => -150,
            "dstnat" if bridge => -300,
            "dstnat" => -100,
            "filter" if bridge => -200,
            "filter" => 0,
            "out" => 100,
            "security" => 50,
            "srcnat" if bridge => 300,
            "srcnat" => 100,
            number => return number.parse().ok(),
        })
    };
    let offset = |sign: i32, text: &str| text.parse::<i32>().ok().map(|number| sign * number);
    let priority = match &words[at + 1..] {
        [name] => base(name),
        [name, plus, number] if plus == "+" => base(name).zip(offset(1, number)).map(|(a, b)| a + b),
        [name, minus, number] if minus == "-" => base(name).zip(offset(-1, number)).map(|(a, b)| a + b),
        _ => None,
    };
    let priority = priority.map_or(words[at + 1..].join(" "), |number| number.to_string());
    format!("{} priority {priority}", words[..at].join(" "))
}

/// `tcp flags` in each of its spellings: mask, operator, value.
fn flags(words: &mut Vec<String>) {
    let Some(at) = words.windows(2).position(|pair| pair[0] == "tcp" && pair[1] == "flags") else { return };
    let set = |text: &str| -> String {
        let text = text.trim_matches(['(', ')']);
        let mut names: Vec<&str> = text.split(['|', ',']).map(str::trim).filter(|name| !name.is_empty()).collect();
        names.retain(|name| *name != "0x0");
        names.sort_unstable();
        names.join("|")
    };
    // The value may be spread over words: `( fin | syn )`.
    let mut rest: Vec<String> = Vec::new();
    let mut end = at + 2;
    while let Some(word) = words.get(end) {
        let belongs = word.chars().all(|c| "()|,/!=&".contains(c))
            || word.split(['|', ',', '(', ')']).all(|part| {
                part.is_empty() || ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr", "0x0"].contains(&part)
            });
        if !belongs {
            break;
        }
        match rest.last_mut() {
            Some(last) if !is_operator(last) && !is_operator(word) => last.push_str(word),
            _ => rest.push(word.clone()),
        }
        end += 1;
    }
    let parts: Vec<&str> = rest.iter().map(String::as_str).collect();
    let text = match parts.as_slice() {
        ["&", mask, "==", value] | [value, "/", mask] => format!("{}=={}", set(mask), set(value)),
        ["&", mask, "!=", value] | ["!=", value, "/", mask] => format!("{}!={}", set(mask), set(value)),
        ["!", mask] => format!("{}==", set(mask)),
        other => other.join(" "),
    };
    words.splice(at..end, ["tcp".to_owned(), "flags".to_owned(), text]);
}

fn is_operator(word: &str) -> bool {
    ["&", "==", "!=", "/", "!"].contains(&word)
}

/// `ct state` lists, sorted, with or without braces.
fn states(words: &mut Vec<String>) {
    let Some(at) = words.windows(2).position(|pair| pair[0] == "ct" && pair[1] == "state") else { return };
    let Some(value) = words.get(at + 2).filter(|word| !["vmap", "!="].contains(&word.as_str())).cloned() else {
        return;
    };
    let mut end = at + 3;
    let mut text = value;
    while text.ends_with(',') {
        let Some(next) = words.get(end) else { break };
        text.push_str(next);
        end += 1;
    }
    let text = text.trim_matches(['{', '}']).replace(' ', "");
    let mut states: Vec<&str> = text.split(',').collect();
    states.sort_unstable();
    words.splice(at + 2..end, [states.join(",")]);
}

/// Names of ICMP types, codes and protocols as numbers.
fn numbers(words: &mut [String]) {
    for index in 2..words.len() {
        let key = key_of(&words[..index]);
        let value = named(&key, &words[index]);
        words[index] = value;
    }
    for index in 1..words.len() {
        let key = words[index - 1].as_str();
        if ["l4proto", "protocol"].contains(&key) {
            // `protocol` is an ethertype's alone (`meta protocol`), or an IP header's (`ip protocol`).
            let ethertype = key == "protocol" && words[..index - 1].last().is_none_or(|word| word != "ip");
            let value = named(if ethertype { "ether type" } else { "l4proto" }, &words[index]);
            words[index] = value;
        }
    }
    for word in words.iter_mut() {
        // Marks and masks: no leading zeros.
        if let Some(digits) = word.strip_prefix("0x").filter(|digits| digits.len() > 4) {
            let digits = digits.trim_start_matches('0');
            *word = if digits.is_empty() { "0".into() } else { format!("0x{digits}") };
        }
        if word.len() == 17 && word.split(':').count() == 6 {
            *word = word.to_ascii_lowercase();
        }
    }
}

const ICMP: &[(&str, u8)] = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];
const ICMPV6: &[(&str, u8)] = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("mld-listener-reduction", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("mld2-listener-report", 143),
];
const ICMP_CODE: &[(&str, u8)] = &[
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("frag-needed", 4),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
];
const ICMPV6_CODE: &[(&str, u8)] = &[
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];

/// A value's number, where its key gives names to numbers.
fn named(key: &str, value: &str) -> String {
    let table = match key {
        "icmp type" => ICMP,
        "icmpv6 type" => ICMPV6,
        "icmp code" => ICMP_CODE,
        "icmpv6 code" => ICMPV6_CODE,
        "ether type" | "vlan type" | "protocol" => return ethertype(value),
        // A concatenation of type and code: names of types and codes differ.
        ". code" => return value.to_owned(),
        key if key.ends_with("l4proto") || ["ip protocol", "ip6 nexthdr"].contains(&key) => {
            let known = fwc::net::Protocol::parse(value).map(|protocol| protocol.0.to_string());
            return known.unwrap_or_else(|_| value.to_owned());
        }
        _ => return value.to_owned(),
    };
    table.iter().find(|(name, _)| *name == value).map_or(value.to_owned(), |(_, number)| number.to_string())
}

/// An ethertype's number.
pub fn ethertype(value: &str) -> String {
    match value {
        "ip" => "0x0800",
        "arp" => "0x0806",
        "8021q" | "vlan" => "0x8100",
        "ip6" => "0x86dd",
        "8021ad" => "0x88a8",
        other => other,
    }
    .to_owned()
}

/// Drops what nft lists or not by its own taste.
fn defaults(words: &mut Vec<String>) {
    remove(words, &["level", "warn"]);
    remove(words, &["burst", "5", "packets"]);
    // `icmpx type X` and `icmpx X` are one, also of a single family; port-unreachable is what a bare reject sends.
    if let Some(at) = words.iter().position(|word| word == "reject") {
        if words.get(at + 3).is_some_and(|word| word == "type") && words[at + 2].starts_with("icmp") {
            words.remove(at + 3);
        }
        let default = words[at..].iter().map(String::as_str).collect::<Vec<_>>();
        if default.starts_with(&["reject", "with", "icmpx", "port-unreachable"]) {
            words.drain(at + 1..at + 4);
        }
    }
}

fn remove(words: &mut Vec<String>, run: &[&str]) {
    if let Some(at) = words.windows(run.len()).position(|window| window.iter().zip(run).all(|(a, b)| a == b)) {
        words.drain(at..at + run.len());
    }
}

/// Leaves out a match that another one implies: nft adds it or leaves it out as it lists.
fn implied(words: &mut Vec<String>) {
    let header = |words: &[String], name: &str| {
        let inside = format!("{{ {name} saddr ");
        words.windows(2).any(|pair| pair[0] == name && HEADER_FIELDS.contains(&pair[1].as_str()))
            || words.iter().any(|word| word.starts_with(&inside))
    };
    let transport = [
        ("tcp", "6"),
        ("udp", "17"),
        ("icmp", "1"),
        ("icmpv6", "58"),
        ("sctp", "132"),
        ("dccp", "33"),
        ("udplite", "136"),
    ];
    for (name, number) in transport {
        let reset = name == "tcp" && words.windows(2).any(|pair| pair[0] == "tcp" && pair[1] == "reset");
        if header(words, name) || reset {
            remove(words, &["l4proto", number]);
            remove(words, &["ip", "protocol", number]);
            remove(words, &["ip6", "nexthdr", number]);
        }
    }
    let network = [
        ("ip", "ipv4", "0x0800", "icmp", "1"),
        ("ip6", "ipv6", "0x86dd", "icmpv6", "58"),
        ("arp", "arp", "0x0806", "arp", "none"),
    ];
    // A listing (nft 1.0.6) loses the family beside a reject and beside ICMP; the kernel keeps it.
    let rejects = words.iter().any(|word| word == "reject");
    for (name, family, ethertype, messages, number) in network {
        let messages =
            header(words, messages) || words.windows(2).any(|pair| pair[0] == "l4proto" && pair[1] == number);
        if header(words, name) || messages || rejects {
            remove(words, &["nfproto", family]);
            remove(words, &["protocol", ethertype]);
            remove(words, &["ether", "type", ethertype]);
        }
    }
    if header(words, "vlan") {
        remove(words, &["ether", "type", "0x8100"]);
    }
}

const HEADER_FIELDS: &[&str] = &[
    "sport",
    "dport",
    "flags",
    "type",
    "code",
    "saddr",
    "daddr",
    "protocol",
    "nexthdr",
    "id",
    "operation",
    "htype",
    "ptype",
];
