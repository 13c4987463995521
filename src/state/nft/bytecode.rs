//! What the kernel itself says of rules, which `nft --debug=netlink list ruleset` puts before its words.
//!
//! In: that text. Out: the ruleset of the words, with the family and ethertype that each rule asks for in
//! [`Unlisted`](crate::state::ruleset::Unlisted). The words alone (nft 1.0.6) leave out the family beside `meta l4proto icmp`, and whether a rule of a
//! bridge asks for the outer ethertype or for the one behind a tag. Promise: only what an instruction says is taken over;
//! where the instructions do not fit the words, the rules stay as the words have them.

use std::collections::BTreeMap;

use super::read;
use crate::diagnostic::FileId;
use crate::state::ruleset::{Ruleset, Test, Value};

/// Values as registers show them, and in words.
type Values = &'static [(&'static [u32], &'static str)];

/// What is loaded, how a test of it is spelled, and the values: as the kernel of a machine of either order of bytes shows
/// them, and in words.
const ASKED: [(&str, &str, Values); 3] = [
    ("meta load nfproto", "meta nfproto", &[(&[0x2, 0x0200_0000], "ipv4"), (&[0xa, 0x0a00_0000], "ipv6")]),
    ("meta load protocol", "meta protocol", ETHERTYPES),
    ("payload load 2b @ link header + 12", "ether type", ETHERTYPES),
];
const ETHERTYPES: Values = &[
    (&[0x0008, 0x0800, 0x0800_0000], "ip"),
    (&[0xdd86, 0x86dd, 0x86dd_0000], "ip6"),
    (&[0x0608, 0x0806, 0x0806_0000], "arp"),
];

/// Instructions that only look, so that one behind them is asked of the same packets.
const LOOKS: &[&str] =
    &["meta load", "payload load", "ct load", "exthdr load", "cmp", "lookup", "bitwise", "byteorder", "range"];

/// What stands before the words, and the words.
#[must_use]
pub fn split(text: &str) -> (&str, &str) {
    let is_words = |at: &usize| text.get(*at..).is_some_and(|rest| rest.starts_with("table "));
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    match starts.into_iter().find(is_words) {
        Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
        // Without a table there is nothing to tell.
        None if text.lines().any(|line| line.starts_with("  [ ")) => (text, ""),
        None => ("", text),
    }
}

/// Reads the words of a listing, and completes them by what stood before them.
#[must_use]
pub fn read_completed(file: FileId, instructions: &str, words: &str) -> Ruleset {
    let mut rules = read(file, words);
    let known = asked(instructions);
    for (name, table) in &mut rules.tables {
        for (chain, of_chain) in &mut table.chains {
            let Some(known) = known.get(&[&*name.family, &*name.name, &**chain]) else { continue };
            if known.len() != of_chain.rules.len() {
                continue;
            }
            for (rule, known) in of_chain.rules.iter_mut().zip(known) {
                let is_network = |test: &Test| ASKED.iter().any(|(_, key, _)| *key == &*test.key);
                rule.unlisted.0.retain(|test| !is_network(test));
                let is_new = |test: &&Test| !rule.tests.contains(test) && !is_meant(test, &rule.tests);
                rule.unlisted.0.extend(known.iter().filter(is_new).cloned());
            }
        }
    }
    rules
}

/// Whether a test looks into the header of the very family that is asked for, behind tags as the question does.
fn is_meant(network: &Test, tests: &[Test]) -> bool {
    let header = match &network.value {
        Value::One(one) if &*network.key != "ether type" => match one.as_str() {
            "ip" | "ipv4" => "ip",
            "ip6" | "ipv6" => "ip6",
            _ => return false,
        },
        Value::One(_) | Value::Any(_) | Value::Set(_) => return false,
    };
    tests.iter().any(|test| test.key.split(" . ").any(|part| part.split(' ').next() == Some(header)))
}

/// The tests of family and ethertype of each rule, by chain.
fn asked(instructions: &str) -> BTreeMap<[&str; 3], Vec<Vec<Test>>> {
    let mut found: BTreeMap<[&str; 3], Vec<Vec<Test>>> = BTreeMap::new();
    let mut chain = None;
    let (mut looks, mut loaded) = (false, None);
    for line in instructions.lines() {
        let Some(instruction) = line.strip_prefix("  [ ").and_then(|line| line.strip_suffix(" ]")) else {
            if let Some(head) = head(line) {
                found.entry(head).or_default().push(Vec::new());
                (chain, looks, loaded) = (Some(head), true, None);
            }
            continue;
        };
        looks &= LOOKS.iter().any(|look| instruction.starts_with(look));
        let rule = chain.and_then(|chain| found.get_mut(&chain)?.last_mut()).filter(|_| looks);
        let test = loaded.and_then(|(key, register, values)| compared(instruction, key, register, values));
        if let (Some(rule), Some(test)) = (rule, test) {
            rule.push(test);
        }
        loaded = ASKED.iter().find_map(|(load, key, values)| {
            let register = instruction.strip_prefix(load)?.strip_prefix(" => reg ")?;
            Some((*key, register, *values))
        });
    }
    found
}

/// `inet fwc input 12 11`: the chain of a rule with its handle and the one before.
fn head(line: &str) -> Option<[&str; 3]> {
    let mut words = line.split(' ');
    let head = [words.next()?, words.next()?, words.next()?];
    let numbers: Vec<&str> = words.collect();
    let is_rule = !numbers.is_empty() && numbers.iter().all(|word| word.parse::<u64>().is_ok());
    (is_rule && !line.starts_with([' ', '\t'])).then_some(head)
}

/// The test that a comparison makes of what was loaded just before it.
fn compared(instruction: &str, key: &str, register: &str, values: Values) -> Option<Test> {
    let value = instruction.strip_prefix("cmp eq reg ")?.strip_prefix(register)?.trim();
    let number = u32::from_str_radix(value.strip_prefix("0x")?, 16).ok()?;
    let (_, word) = values.iter().find(|(numbers, _)| numbers.contains(&number))?;
    Some(Test { key: key.into(), negated: false, value: Value::One((*word).to_owned()) })
}
