//! What loaded rules are called in rows.
//!
//! In: changes, each with the rules that decide about its packet. Out: the words and the place of what decides where they are
//! as they are. Promise: the words name every rule that was found, or are those of a whole program.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Place, Places, SourceMap};
use crate::target::{Change, Does, Fate, Met};

/// Rules that are named one by one.
const FEW: usize = 3;
/// Longest text of a rule, in characters.
const LONGEST: usize = 160;

/// What decides about the same packets on several ways, by program and by what becomes of them.
#[derive(Debug, Default)]
pub(super) struct Loaded(BTreeMap<(&'static str, Fate), Rules>);

/// What of one program's decides.
#[derive(Debug, Default)]
struct Rules {
    /// The rules, each with where it is written: in the files of several hosts there may be the same one.
    named: BTreeMap<String, BTreeSet<Place>>,
    /// Whether packets come to the end of a chain.
    ends: bool,
}

impl Loaded {
    /// Takes in what decides about one more change; `there`: the text of the rules.
    pub(super) fn add(&mut self, change: &Change, there: &SourceMap) {
        let here = self.0.entry((change.program, change.found)).or_default();
        let mut decides = change.by.iter().filter(|met| !matches!(met.does, Does::Leads(_))).peekable();
        here.ends |= decides.peek().is_none();
        for met in decides {
            let places = here.named.entry(text(change.program, met, there)).or_default();
            places.insert(Places(there).of(met.span));
        }
    }

    /// What of each program decides: its words, and the place where it is one rule in one place.
    pub(super) fn by_program(self) -> impl Iterator<Item = (String, Option<Place>)> {
        self.0.into_iter().map(|(of, rules)| {
            let mut named = rules.named(of);
            match named.pop() {
                Some(only) if named.is_empty() => only,
                last => {
                    let words: Vec<String> = named.into_iter().chain(last).map(|(words, _)| words).collect();
                    (words.join(" and "), None)
                }
            }
        })
    }

    /// All that decides.
    pub(super) fn each(self) -> impl Iterator<Item = String> {
        self.0.into_iter().flat_map(|(of, rules)| rules.named(of)).map(|(words, _)| words)
    }
}

impl Rules {
    /// The rules, or what stands for them where they are many, or where a chain's end decides.
    fn named(self, (program, becomes): (&str, Fate)) -> Vec<(String, Option<Place>)> {
        if self.ends || self.named.len() > FEW {
            return vec![(format!("the rules of {program} ({})", becomes.word()), None)];
        }
        let only = |mut places: BTreeSet<Place>| places.pop_first().filter(|_| places.is_empty());
        self.named.into_iter().map(|(words, places)| (words, only(places))).collect()
    }
}

/// A rule as it is written, in one line: `iptables INPUT: -p tcp --dport 22 -j ACCEPT`.
fn text(program: &str, met: &Met, there: &SourceMap) -> String {
    let written = there.slice(met.span).trim();
    // The kernel's JSON has no line that a person would know.
    if written.is_empty() || written.starts_with('{') {
        return format!("a rule of {program} in {}", met.chain);
    }
    let counted = written.strip_prefix('[').and_then(|text| text.split_once("] "));
    let rule = counted.map_or(written, |(_, rule)| rule);
    let in_chain = rule.strip_prefix("-A ").and_then(|text| text.strip_prefix(&*met.chain));
    let rule = in_chain.unwrap_or(rule).split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = rule.chars().take(LONGEST).collect();
    let more = if shown.len() < rule.len() { "…" } else { "" };
    format!("{program} {}: {shown}{more}", met.chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(named: &[&str], ends: bool) -> (String, Vec<String>) {
        let loaded = || {
            let named = named.iter().map(|text| ((*text).to_owned(), BTreeSet::new())).collect();
            Loaded([(("nft", Fate::Drop), Rules { named, ends })].into())
        };
        (loaded().by_program().next().unwrap().0, loaded().each().collect())
    }

    #[test]
    fn a_few_rules_are_named_and_many_are_not() {
        let whole = || ("the rules of nft (drop)".to_owned(), vec!["the rules of nft (drop)".to_owned()]);
        assert_eq!(words(&["a"], false), ("a".to_owned(), vec!["a".to_owned()]));
        assert_eq!(
            words(&["a", "b", "c"], false),
            ("a and b and c".to_owned(), ["a", "b", "c"].map(str::to_owned).into())
        );
        assert_eq!(words(&["a", "b", "c", "d"], false), whole());
        assert_eq!(words(&["a"], true), whole());
    }

    #[test]
    fn a_rule_of_several_hosts_has_no_place() {
        let place = |line| Place { file: "iptables.rules".to_owned(), line };
        let at = |lines: &[u32]| {
            let named = [("a".to_owned(), lines.iter().copied().map(place).collect())].into();
            let loaded = Loaded([(("nft", Fate::Accept), Rules { named, ends: false })].into());
            loaded.by_program().next().unwrap().1
        };
        assert_eq!(at(&[3]), Some(place(3)));
        assert_eq!(at(&[3, 4]), None);
    }
}
