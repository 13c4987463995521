//! What is known of the packets that come to a list.
//!
//! In: the interfaces that dispatches looked up on the way. Out: for a test, whether it holds of all of these packets or of
//! none, or what is left to ask: `iifname . ip saddr @nic-ip` behind a dispatch on `iifname` asks for the addresses of
//! this interface alone. So sets that all guests share are compared for each guest by what concerns it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::super::place::Way;
use super::dispatch::unquoted;
use crate::state::nft;
use crate::state::ruleset::{Table, Test, Value, Verdict};

/// What can be known: interfaces, in the programs' words.
const KEYS: [(&str, Way); 8] = [
    ("-i", Way::From),
    ("-o", Way::To),
    ("--physdev-in", Way::From),
    ("--physdev-out", Way::To),
    ("iifname", Way::From),
    ("oifname", Way::To),
    ("meta ibrname", Way::From),
    ("meta obrname", Way::To),
];

/// Which way packets pass the interface that a test looks at; none where it looks at something else.
pub(in crate::diff::ruleset) fn interface_way(key: &str) -> Option<Way> {
    KEYS.iter().find(|(known, _)| *known == key).map(|(_, way)| *way)
}

fn index(key: &str) -> Option<u8> {
    KEYS.iter().zip(0..).find(|((known, _), _)| *known == key).map(|(_, index)| index)
}

/// The parts of `iifname . ip saddr`.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(" . ")
}

/// The interfaces of packets, by what looked them up; sorted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(in crate::diff::ruleset) struct Known(Vec<(u8, Arc<str>)>);

/// What becomes of a test.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It holds of all packets.
    Always,
    /// It holds of none.
    Never,
    /// It is not about what is known.
    Open,
    /// This is left of it.
    Less(Test),
}

impl Known {
    /// And this one.
    pub(in crate::diff::ruleset) fn with(&self, key: &str, value: &Arc<str>) -> Self {
        let mut all = self.clone();
        // The beginning of names is not a name.
        if let Some(key) = index(key).filter(|_| !value.ends_with(['+', '*'])) {
            all.0.retain(|(known, _)| *known != key);
            all.0.push((key, Arc::clone(value)));
            all.0.sort();
        }
        all
    }

    /// What of it these keys ask for.
    pub(super) fn only(&self, mentioned: u8) -> Self {
        Self(self.0.iter().filter(|(key, _)| mentioned & (1 << key) != 0).cloned().collect())
    }

    /// The interface that a key looks up.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| Some(*known) == index(key)).map(|(_, value)| &**value)
    }

    /// What becomes of a test.
    pub(super) fn judge(&self, test: &Test) -> Outcome {
        if is_never(test) {
            return Outcome::Never;
        }
        if self.0.is_empty() {
            return Outcome::Open;
        }
        if let Some(name) = self.get(&test.key) {
            let holds = match &test.value {
                Value::One(pattern) => fits(pattern, name),
                Value::Any(patterns) => patterns.iter().any(|pattern| fits(pattern, name)),
                Value::Set(_) => return Outcome::Open,
            };
            return if holds == test.negated { Outcome::Never } else { Outcome::Always };
        }
        let mut left = None;
        for (at, part) in parts(&test.key).enumerate() {
            if let Some(name) = self.get(part) {
                left = less(left.as_ref().unwrap_or(test), at, name);
                // One interface is all that fwc's own sets have in them.
                break;
            }
        }
        // Where nothing is left, the test stays and asks for nothing: a set that lost an element is still that set.
        left.map_or(Outcome::Open, Outcome::Less)
    }
}

/// Whether a test holds of no packet at all, as each has one of all ethertypes. fwc's rules for nft have such tests, against packets
/// that come while sets are not filled yet.
fn is_never(test: &Test) -> bool {
    let number = |text: &str| nft::number("meta protocol", text);
    let every = |text: &String| {
        let ends = text.split_once('-').map(|(first, last)| (number(first), number(last)));
        ends == Some((Some(0), Some(u16::MAX.into())))
    };
    test.negated
        && &*test.key == "meta protocol"
        && match &test.value {
            Value::One(text) => every(text),
            Value::Any(texts) => texts.iter().any(every),
            Value::Set(_) => false,
        }
}

/// A test of several things together, without the one at `at`, which is `name`.
fn less(test: &Test, at: usize, name: &str) -> Option<Test> {
    let without = |text: &str| -> String {
        let kept: Vec<&str> = parts(text).enumerate().filter(|(index, _)| *index != at).map(|(_, part)| part).collect();
        kept.join(" . ")
    };
    let wanted = |value: &&String| parts(value).nth(at).is_some_and(|part| unquoted(part) == name);
    let values: BTreeSet<String> = match &test.value {
        Value::One(value) => Some(value).into_iter().filter(wanted).map(|value| without(value)).collect(),
        Value::Any(values) => values.iter().filter(wanted).map(|value| without(value)).collect(),
        Value::Set(_) => return None,
    };
    let value = match values.first() {
        Some(only) if values.len() == 1 => Value::One(only.clone()),
        Some(_) | None => Value::Any(values),
    };
    Some(Test { key: without(&test.key).into(), negated: test.negated, value })
}

/// Whether an interface's name fits a pattern: `tap1+` of iptables, `tap1*` of nft.
fn fits(pattern: &str, name: &str) -> bool {
    let pattern = unquoted(pattern);
    match pattern.strip_suffix(['+', '*']) {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// Whether no packet passes both tests, as far as that is easy to tell.
pub(super) fn apart(a: &Test, b: &Test) -> bool {
    if a.key != b.key || a.negated || b.negated {
        return false;
    }
    let (Value::One(a), Value::One(b)) = (&a.value, &b.value) else { return false };
    match (range(a), range(b)) {
        (Some((first, last)), Some((from, to))) => last < from || to < first,
        _ => false,
    }
}

/// The first and the last address of `10.0.0.0/24` or `10.0.0.1-10.0.0.9`.
fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((first, last)) = text.split_once('-') {
        return Some((first.parse().ok()?, last.parse().ok()?));
    }
    let network: IpNet = match text.parse() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    Some((network.network(), network.broadcast()))
}

/// Which of [`KEYS`] the rules of a chain ask for, and those of all chains that it leads to.
#[derive(Debug, Default)]
pub(super) struct Mentions(HashMap<Arc<str>, u8>);

impl Mentions {
    /// As a bit for each.
    pub(super) fn of(&mut self, table: &Table, name: &Arc<str>) -> u8 {
        if let Some(found) = self.0.get(name) {
            return *found;
        }
        // All chains that can be reached, so that loops are no trouble; each answer is for one chain alone.
        let mut seen: BTreeSet<&str> = BTreeSet::from([&**name]);
        let mut open: Vec<&str> = vec![name];
        let mut bits = 0;
        while let Some(name) = open.pop() {
            if let Some(found) = self.0.get(name) {
                bits |= found;
                continue;
            }
            for rule in table.chains.get(name).into_iter().flat_map(|chain| &chain.rules) {
                let keys = rule.tests.iter().flat_map(|test| parts(&test.key));
                bits |= keys.filter_map(index).fold(0, |bits, key| bits | 1 << key);
                targets(table, &rule.verdict, &mut bits, &mut |target| {
                    if seen.insert(target) {
                        open.push(target);
                    }
                });
            }
        }
        self.0.insert(Arc::clone(name), bits);
        bits
    }
}

/// The chains that a verdict leads to, and the keys that it looks up.
fn targets<'t>(table: &'t Table, verdict: &'t Verdict, bits: &mut u8, found: &mut impl FnMut(&'t str)) {
    let mut look = |key: &str| *bits |= parts(key).filter_map(index).fold(0, |bits, key| bits | 1 << key);
    let elements = match verdict {
        Verdict::Jump(name) | Verdict::Goto(name) => return found(name),
        Verdict::Map { key, map } => {
            look(key);
            table.maps.get(map).map(|map| &map.elements)
        }
        Verdict::Inline { key, elements } => {
            look(key);
            Some(elements)
        }
        Verdict::Continue
        | Verdict::Accept
        | Verdict::Drop
        | Verdict::Return
        | Verdict::Reject(_)
        | Verdict::Other(_) => None,
    };
    for verdict in elements.into_iter().flat_map(|elements| elements.values()) {
        if let Some(name) = verdict.chain() {
            found(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(key: &str, negated: bool, values: &[&str]) -> Test {
        let value = match values {
            [one] => Value::One((*one).to_owned()),
            _ => Value::Any(values.iter().map(|&value| value.to_owned()).collect()),
        };
        Test { key: key.into(), negated, value }
    }

    #[test]
    fn tests_of_a_known_interface_are_decided() {
        let known = Known::default().with("iifname", &"tap1".into()).with("ip daddr", &"10.0.0.1".into());
        assert_eq!(known.judge(&test("iifname", false, &["\"tap1\""])), Outcome::Always);
        assert_eq!(known.judge(&test("iifname", true, &["tap*"])), Outcome::Never);
        assert_eq!(known.judge(&test("iifname", false, &["lo", "eth0"])), Outcome::Never);
        assert_eq!(known.judge(&test("oifname", false, &["lo"])), Outcome::Open);
        let pairs = ["\"tap1\" . 10.0.0.1", "\"tap2\" . 10.0.0.2"];
        let left = test("ip saddr", false, &["10.0.0.1"]);
        assert_eq!(known.judge(&test("iifname . ip saddr", false, &pairs)), Outcome::Less(left));
        let nothing = test("ip saddr", true, &[]);
        assert_eq!(known.judge(&test("iifname . ip saddr", true, &["\"tap2\" . 10.0.0.2"])), Outcome::Less(nothing));
    }

    #[test]
    fn no_packet_is_without_an_ethertype() {
        let judge = |negated, values: &[&str]| Known::default().judge(&test("meta protocol", negated, values));
        assert_eq!(judge(true, &["0x0000-0xffff"]), Outcome::Never);
        assert_eq!(judge(true, &["ip", "0x0000-0xffff"]), Outcome::Never);
        for less in [&["0x0000-0xfffe"][..], &["0x0001-0xffff"], &["ip"], &["0x0000-0x7fff", "0x8000-0xffff"], &[]] {
            assert_eq!(judge(true, less), Outcome::Open, "{less:?}");
        }
        assert_eq!(judge(false, &["0x0000-0xffff"]), Outcome::Open);
        assert_eq!(Known::default().judge(&test("meta mark", true, &["0x0000-0xffff"])), Outcome::Open);
    }

    #[test]
    fn only_what_cannot_overlap_is_apart() {
        let one = |key: &str, value: &str| test(key, false, &[value]);
        assert!(apart(&one("-s", "10.0.0.0/24"), &one("-s", "10.0.1.1-10.0.1.9")));
        assert!(!apart(&one("-s", "10.0.0.0/24"), &one("-s", "10.0.0.1")));
        assert!(!apart(&one("-s", "10.0.0.0/24"), &one("-d", "10.0.1.0/24")));
        assert!(!apart(&one("-s", "10.0.0.0/24"), &one("-s", "@set")));
    }
}
