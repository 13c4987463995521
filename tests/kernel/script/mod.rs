//! nftables scripts as data, in one canonical spelling.
//!
//! In: what fwc wrote, or what `nft -s -y -p list ruleset` lists. Out: every object by its place
//! (`inet fwc chain host-in`) with its canonical lines; two are equal exactly when they mean the same.
//! `script::rule` knows the spellings of one rule. What is not known here stays as it was written, so it can only differ,
//! never be lost.

mod elements;
mod rule;

use std::collections::{BTreeMap, BTreeSet};

/// Every object of a ruleset with its lines: rules in order, attributes sorted.
pub type Objects = BTreeMap<String, Vec<String>>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    /// A line's end or a semicolon.
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '#' => while characters.next_if(|c| *c != '\n').is_some() {},
            '\\' if characters.peek() == Some(&'\n') => {
                characters.next();
            }
            '\n' | ';' => found.push(Token::End),
            '{' => found.push(Token::Open),
            '}' => found.push(Token::Close),
            '"' => {
                let mut text = String::new();
                while let Some(c) = characters.next().filter(|c| *c != '"') {
                    text.push(c);
                }
                found.push(Token::Text(text));
            }
            c if c.is_whitespace() => {}
            c => {
                let mut word = String::from(c);
                while let Some(c) = characters.next_if(|c| !c.is_whitespace() && !"{};\"#".contains(*c)) {
                    word.push(c);
                }
                found.push(Token::Word(word));
            }
        }
    }
    found
}

/// The tokens up to the brace that closes the one before `tokens`, and the number of tokens passed.
fn block(tokens: &[Token]) -> (&[Token], usize) {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth == 0 => return (&tokens[..index], index + 1),
            Token::Close => depth -= 1,
            Token::Word(_) | Token::Text(_) | Token::End => {}
        }
    }
    panic!("a block is not closed");
}

/// Statements, split at line ends and semicolons outside of braces.
fn statements(tokens: &[Token]) -> Vec<Vec<Token>> {
    let mut found = Vec::new();
    let mut current = Vec::new();
    let mut depth = 0;
    for token in tokens {
        match token {
            Token::End if depth == 0 => found.push(std::mem::take(&mut current)),
            Token::End => continue,
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            Token::Word(_) | Token::Text(_) => {}
        }
        if *token != Token::End {
            current.push(token.clone());
        }
    }
    found.push(current);
    found.retain(|statement| !statement.is_empty());
    found
}

fn word(token: &Token) -> &str {
    match token {
        Token::Word(word) | Token::Text(word) => word,
        Token::Open => "{",
        Token::Close => "}",
        Token::End => ";",
    }
}

/// Reads a script or a listing.
pub fn parse(text: &str) -> Objects {
    let tokens = tokens(text);
    let mut objects = Objects::new();
    let mut rest = tokens.as_slice();
    while let Some((first, tail)) = rest.split_first() {
        match word(first) {
            ";" => rest = tail,
            // The replacement of what was there before.
            "add" | "delete" | "flush" | "destroy" => {
                let end = rest.iter().position(|token| *token == Token::End).unwrap_or(rest.len());
                rest = &rest[end..];
            }
            "table" => {
                let name = format!("{} {}", word(&tail[0]), word(&tail[1]));
                if tail.get(2) == Some(&Token::Open) {
                    let (inside, passed) = block(&tail[3..]);
                    table(&name, inside, &mut objects);
                    rest = &tail[3 + passed..];
                } else {
                    rest = &tail[2..];
                }
            }
            other => panic!("not understood in an nft script: {other}"),
        }
    }
    objects
}

fn table(name: &str, tokens: &[Token], objects: &mut Objects) {
    let family = name.split_whitespace().next().unwrap_or_default();
    objects.entry(name.to_owned()).or_default();
    let mut rest = tokens;
    while let Some(start) = rest.iter().position(|token| *token != Token::End) {
        rest = &rest[start..];
        let Some(open) = rest.iter().position(|token| *token == Token::Open) else {
            objects.entry(name.to_owned()).or_default().push(rest.iter().map(word).collect::<Vec<_>>().join(" "));
            return;
        };
        let head: Vec<&str> = rest[..open].iter().map(word).collect();
        let (inside, passed) = block(&rest[open + 1..]);
        let lines = if head[0] == "chain" { chain(family, inside) } else { attributes(inside) };
        let old = objects.insert(format!("{name} {}", head.join(" ")), lines);
        assert!(old.is_none(), "{head:?} stands twice in {name}");
        rest = &rest[open + 1 + passed..];
    }
}

fn chain(family: &str, tokens: &[Token]) -> Vec<String> {
    let mut lines: Vec<String> =
        statements(tokens).iter().map(|statement| rule::canonical(family, statement)).collect();
    // Accept is the policy of a base chain that names none.
    lines.retain(|line| line != "policy accept");
    lines
}

/// Sets, maps, conntrack helpers: one line each, sorted, with what nft adds by itself.
fn attributes(tokens: &[Token]) -> Vec<String> {
    let mut lines = BTreeSet::new();
    let statements = statements(tokens);
    let ethertypes = statements.iter().any(|statement| statement.iter().map(word).eq(["type", "ether_type"]));
    for statement in statements {
        let words: Vec<&str> = statement.iter().map(word).collect();
        match words.as_slice() {
            ["elements", "=", "{", ..] => {
                let inside = &statement[3..statement.len() - 1];
                for element in elements::canonical(inside) {
                    let element = if ethertypes { rule::ethertype(&element) } else { element };
                    lines.insert(format!("element {element}"));
                }
            }
            ["flags", flags @ ..] => {
                let flags = flags.concat();
                lines.extend(flags.split(',').map(|flag| format!("flag {}", flag.trim())));
            }
            ["timeout", time] => {
                lines.insert(format!("timeout {}", seconds(time)));
                lines.insert("flag timeout".into());
            }
            ["l3proto", "inet"] | ["auto-merge"] => {}
            words => {
                lines.insert(words.join(" "));
            }
        }
    }
    if lines.contains("flag dynamic") && !lines.iter().any(|line| line.starts_with("size ")) {
        lines.insert("size 65535".into());
    }
    lines.into_iter().collect()
}

/// `1m30s` in seconds.
fn seconds(text: &str) -> u64 {
    let mut total = 0;
    let mut number = 0;
    for c in text.chars() {
        match (c, c.to_digit(10)) {
            (_, Some(digit)) => number = number * 10 + u64::from(digit),
            (unit, None) => {
                total += std::mem::take(&mut number)
                    * match unit {
                        'd' => 86_400,
                        'h' => 3_600,
                        'm' => 60,
                        _ => 1,
                    };
            }
        }
    }
    total
}

/// The kernel's own form of every rule, as `nft --debug=netlink` shows it, by chain and in order.
///
/// A listing in words may leave out what nft takes for implied; this leaves out nothing.
pub fn bytecode(text: &str) -> Objects {
    let mut objects = Objects::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        let mut words = line.split(' ');
        let head: Vec<&str> = words.by_ref().take(3).collect();
        if line.starts_with("  [") || line.starts_with("  userdata") {
            if let Some(rules) = current.as_ref().and_then(|name| objects.get_mut(name)) {
                let instruction = line.trim().replace(" 0x0 ]", " ]").replace(" timeout 0ms", "");
                let instruction = instruction.split("__set").collect::<Vec<_>>();
                let text = match instruction.as_slice() {
                    [before, after] => format!("{before}__set{}", after.trim_start_matches(|c: char| c != ' ')),
                    other => other.concat(),
                };
                if let Some(rule) = rules.last_mut() {
                    rule.push_str(&text);
                    rule.push(' ');
                }
            }
        } else if matches!(head[..], ["inet" | "bridge", _, chain] if !chain.starts_with('@'))
            && head.len() == 3
            && words.all(|word| word.parse::<u32>().is_ok())
        {
            let name = head.join(" ");
            objects.entry(name.clone()).or_default().push(String::new());
            current = Some(name);
        } else {
            current = None;
        }
    }
    objects
}

/// What two rulesets disagree on; empty where they mean the same.
pub fn differences(meant: &Objects, listed: &Objects) -> Vec<String> {
    let mut found = Vec::new();
    for name in meant.keys().chain(listed.keys()).collect::<BTreeSet<_>>() {
        match (meant.get(name), listed.get(name)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                found.push(format!("{name}: {}", super::common::difference(&a.join("\n"), &b.join("\n"))));
            }
            (Some(_), None) => found.push(format!("{name} is missing")),
            (None, _) => found.push(format!("{name} is not meant")),
        }
    }
    found
}
