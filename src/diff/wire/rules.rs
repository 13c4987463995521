//! What loaded rules are called in rows.
//!
//! In: changes, each with the rules that decide about its packet. Out: the words and the place of what decides where they are
//! as they are. Promise: the words name every rule that was found, or are those of a whole program.

use std::collections::BTreeMap;

use crate::diagnostic::{Place, Places, SourceMap};
use crate::target::{Change, Does, Met};

/// Rules that are named one by one.
const FEW: usize = 3;
/// Longest text of a rule, in characters.
const LONGEST: usize = 160;

/// What decides about the same packets on several ways, by program.
#[derive(Debug, Default)]
pub(super) struct Loaded(BTreeMap<&'static str, Rules>);

/// What of one program's decides.
#[derive(Debug)]
struct Rules {
    /// The rules, each with where it is written.
    named: BTreeMap<String, Option<Place>>,
    /// What stands for them where they are many, or where packets come to the end of a chain.
    whole: String,
    /// Whether they do.
    ends: bool,
}

impl Loaded {
    /// Takes in what decides about one more change; `there`: the text of the rules.
    pub(super) fn add(&mut self, change: &Change, there: &SourceMap) {
        let whole = || format!("the rules of {} ({})", change.program, change.found.word());
        let nothing = || Rules { named: BTreeMap::new(), whole: whole(), ends: false };
        let here = self.0.entry(change.program).or_insert_with(nothing);
        let mut decides = change.by.iter().filter(|met| !matches!(met.does, Does::Leads(_))).peekable();
        here.ends |= decides.peek().is_none();
        for met in decides {
            here.named.insert(text(change.program, met, there), Some(Places(there).of(met.span)));
        }
    }

    /// What of each program decides: its words, and the place where it is one rule.
    pub(super) fn by_program(self) -> impl Iterator<Item = (String, Option<Place>)> {
        self.0.into_values().map(|rules| {
            let mut named = rules.named();
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
        self.0.into_values().flat_map(Rules::named).map(|(words, _)| words)
    }
}

impl Rules {
    fn named(self) -> Vec<(String, Option<Place>)> {
        if self.ends || self.named.len() > FEW {
            return vec![(self.whole, None)];
        }
        self.named.into_iter().collect()
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
            let named = named.iter().map(|text| ((*text).to_owned(), None)).collect();
            Loaded([("nft", Rules { named, whole: "the rules of nft (drop)".to_owned(), ends })].into())
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
}
