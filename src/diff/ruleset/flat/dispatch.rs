//! Finding one of many, seen in rules.
//!
//! In: rules. Out: what a run of them looks up, and where each value leads, where that is all they do: rules that ask for
//! one interface each, trees of chains over the beginnings of interface names, trees over addresses. Promise: a packet
//! goes the same way; where that is not certain (a name behind a branch that takes it and comes back), the rules stay
//! rules. A rule that no packet comes to, as an earlier branch keeps all that fit, is nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::Source;
use super::known::{Known, interface_way};
use crate::diagnostic::Span;
use crate::state::ruleset::{Rule, Table, Test, Value, Verdict};

/// Levels of a tree.
const LEVELS: usize = 16;
/// Rules of a chain that may be the root of a tree: more than any tree has in one chain.
const ROOT: usize = 1_024;
/// How often a name is asked for in one run.
const AGAIN: usize = 8;

/// Entries: where each leads, the rule, and whether nothing follows it.
pub(super) type Entries = BTreeMap<Arc<str>, (Source, Span, bool)>;

/// A run of rules that look up one thing.
pub(super) struct Run {
    /// What.
    pub(super) key: Arc<str>,
    /// Where each value leads.
    pub(super) of: Entries,
    /// How many rules it takes.
    pub(super) length: usize,
    /// The first one.
    pub(super) span: Span,
}

/// A name without nft's quotes.
pub(super) fn unquoted(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

/// The rule's only test, if it asks for one value of something, and the rule only calls.
fn lookup(rule: &Rule) -> Option<(&Test, &str)> {
    let [test] = rule.tests.as_slice() else { return None };
    let Value::One(value) = &test.value else { return None };
    let calls = matches!(rule.verdict, Verdict::Jump(_) | Verdict::Goto(_));
    (calls && !test.negated && rule.statements.is_empty()).then_some((test, unquoted(value)))
}

/// The longest run of lookups of one interface that these rules begin with; none where they do not.
pub(super) fn ports(table: &Table, rules: &[Rule], known: &Known) -> Option<Run> {
    let (first, _) = lookup(rules.first()?)?;
    let key = Arc::clone(&first.key);
    if interface_way(&key).is_none() || known.get(&key).is_some() {
        return None;
    }
    let mut run = Run { key, of: Entries::new(), length: 0, span: rules.first()?.span };
    let mut taken: Vec<(&str, bool)> = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let Some((test, name)) = lookup(rule).filter(|(test, _)| test.key == run.key) else { break };
        match earlier(&taken, name) {
            Some(Earlier::All) => {
                run.length = at + 1;
                continue;
            }
            Some(Earlier::Some) => break,
            None => {}
        }
        let Some(start) = name.strip_suffix(['+', '*']) else {
            match run.of.get(name) {
                None => {
                    run.of.insert(name.into(), (Source::Verdict(rule.verdict.clone()), rule.span, false));
                }
                Some((earlier, span, _)) => {
                    let Some(both) = again(earlier, rule) else { break };
                    let span = *span;
                    run.of.insert(name.into(), (both, span, false));
                }
            }
            run.length = at + 1;
            continue;
        };
        if rules.len() > ROOT {
            break;
        }
        let Some(below) = tree(table, rule, &test.key, start, LEVELS) else { break };
        // Names that fit and are not there come back from a jump, but not from a goto.
        let goto = matches!(rule.verdict, Verdict::Goto(_));
        let whole = at + 1 == rules.len()
            || rules.iter().skip(at + 1).all(|rule| lookup(rule).is_some_and(|(test, _)| test.key == run.key));
        if goto && !whole || below.keys().any(|name| run.of.contains_key(name)) {
            break;
        }
        run.of.extend(below);
        taken.push((start, goto));
        run.length = at + 1;
    }
    // A goto whose tree does not hold a name leaves the list: only where nothing else follows is that the same.
    let cut = run.length < rules.len();
    let trees =
        rules.iter().take(run.length).filter(|rule| lookup(rule).is_some_and(|(_, name)| name.ends_with(['+', '*'])));
    let gotos = trees.filter(|rule| matches!(rule.verdict, Verdict::Goto(_))).count();
    (run.length > 0 && !(cut && gotos > 0)).then_some(run)
}

/// A name that is asked for again: what its rules do one after the other, where they come back (or not) alike.
fn again(earlier: &Source, rule: &Rule) -> Option<Source> {
    let plain = |verdict: &Verdict| Rule { tests: Vec::new(), verdict: verdict.clone(), ..rule.clone() };
    let mut rules = match earlier {
        Source::Verdict(verdict) => vec![plain(verdict)],
        Source::Rules(rules) => rules.to_vec(),
        Source::Chain(_) => return None,
    };
    let goto = |rule: &Rule| matches!(rule.verdict, Verdict::Goto(_));
    let alike = rules.len() < AGAIN && rules.iter().all(|one| goto(one) == goto(rule));
    rules.push(plain(&rule.verdict));
    alike.then(|| Source::Rules(rules.into()))
}

/// The entries of a chain of a tree; all their names begin with `start`. None where the chain does anything else.
fn tree(table: &Table, rule: &Rule, key: &str, start: &str, levels: usize) -> Option<Entries> {
    let name = rule.verdict.chain()?;
    let rules = &table.chains.get(name).filter(|_| levels > 0)?.rules;
    let mut entries = Entries::new();
    let mut taken: Vec<(&str, bool)> = Vec::new();
    for rule in rules {
        let (_, name) = lookup(rule).filter(|(test, name)| &*test.key == key && name.starts_with(start))?;
        match earlier(&taken, name) {
            Some(Earlier::All) => continue,
            Some(Earlier::Some) => return None,
            None => {}
        }
        let below = match name.strip_suffix(['+', '*']) {
            None => Entries::from([(name.into(), (Source::Verdict(rule.verdict.clone()), rule.span, true))]),
            Some(start) => {
                taken.push((start, matches!(rule.verdict, Verdict::Goto(_))));
                tree(table, rule, key, start, levels - 1)?
            }
        };
        for (name, entry) in below {
            let both = match entries.get(&name) {
                None => entry,
                Some((earlier, span, last)) => (again(earlier, rule)?, *span, *last),
            };
            entries.insert(name, both);
        }
    }
    Some(entries)
}

/// What an earlier rule for a beginning leaves of a name.
enum Earlier {
    /// Packets come back and are asked again.
    Some,
    /// Nothing: no packet comes this far.
    All,
}

/// Whether an earlier rule takes a name; with each beginning whether packets do not come back.
fn earlier(taken: &[(&str, bool)], name: &str) -> Option<Earlier> {
    let (_, goto) = taken.iter().find(|(start, _)| name.starts_with(start))?;
    Some(if *goto { Earlier::All } else { Earlier::Some })
}

/// The keys of a tree over addresses.
const ADDRESSES: [&str; 3] = ["-d", "ip daddr", "ip6 daddr"];

/// A packet's way by its destination, where that is all that these rules, a whole chain, look at (besides the interface
/// that leads there).
pub(super) fn addresses(table: &Table, rules: &[Rule]) -> Option<Run> {
    let first = rules.first()?;
    let key = first.tests.iter().map(|test| &test.key).find(|key| ADDRESSES.contains(&&***key))?;
    let mut found: BTreeMap<Arc<str>, Vec<(IpNet, &Rule)>> = BTreeMap::new();
    leaves(table, rules, key, None, LEVELS, &mut found)?;
    let of = found.into_iter().map(|(address, rules)| {
        let span = rules.first().map_or(first.span, |(_, rule)| rule.span);
        let without = |rule: &Rule| Rule {
            tests: rule.tests.iter().filter(|test| test.key != *key).cloned().collect(),
            ..rule.clone()
        };
        let rules: Arc<[Rule]> = rules.into_iter().map(|(_, rule)| without(rule)).collect();
        (address, (Source::Rules(rules), span, true))
    });
    Some(Run { key: Arc::clone(key), of: of.collect(), length: rules.len(), span: first.span })
}

/// Adds the addresses of a tree. None where rules do anything but to lead on by one address.
fn leaves<'t>(
    table: &'t Table,
    rules: &'t [Rule],
    key: &str,
    within: Option<IpNet>,
    levels: usize,
    found: &mut BTreeMap<Arc<str>, Vec<(IpNet, &'t Rule)>>,
) -> Option<()> {
    let mut taken: Vec<(IpNet, bool)> = Vec::new();
    for rule in rules {
        let name = rule.verdict.chain()?;
        let test = rule.tests.iter().find(|test| &*test.key == key && !test.negated)?;
        let Value::One(text) = &test.value else { return None };
        let network = network(text)?;
        let earlier = taken.iter().find(|(taken, _)| taken.contains(&network));
        if !rule.statements.is_empty() || earlier.is_some_and(|(_, goto)| !goto) {
            return None;
        }
        // No packet comes here: the tree above asks for other addresses, or an earlier branch has taken it.
        let apart = |within: IpNet| !within.contains(&network) && !network.contains(&within);
        if earlier.is_some() || within.is_some_and(apart) {
            continue;
        }
        if within.is_some_and(|within| !within.contains(&network)) {
            return None;
        }
        if network.prefix_len() == network.max_prefix_len() {
            let plain = rule.tests.iter().all(|test| &*test.key == key || interface_way(&test.key).is_some());
            found.entry(text.as_str().into()).or_default().push((network, rule));
            plain.then_some(())?;
            continue;
        }
        let below = &table.chains.get(name).filter(|_| levels > 0 && rule.tests.len() == 1)?.rules;
        // What was found before must not be asked for again in here.
        let overlaps = found.values().flatten().any(|(address, _)| network.contains(address));
        if overlaps || below.is_empty() {
            return None;
        }
        leaves(table, below, key, Some(network), levels - 1, found)?;
        taken.push((network, matches!(rule.verdict, Verdict::Goto(_))));
    }
    Some(())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
