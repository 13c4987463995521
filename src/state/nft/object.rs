//! What a table holds besides rules: the hooks of chains, sets, maps, helpers and the like.
//!
//! In: their lines. Out: their one spelling. Promise: what nft adds by itself or leaves out does not show; all else does.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::element;
use super::kind::{self, Kind};
use super::token::{Cursor, Token, join};
use crate::diagnostic::Span;
use crate::state::ruleset::{Base, Chain, Rule, Ruleset, Set, Table, Verdict};

/// A chain while it is read.
#[derive(Debug)]
pub(super) struct Chains {
    pub hook: Option<String>,
    pub policy: Verdict,
    pub rules: Vec<Rule>,
    span: Span,
}

impl Chains {
    pub(super) const fn new(span: Span) -> Self {
        Self { hook: None, policy: Verdict::Accept, rules: Vec::new(), span }
    }

    /// Takes a line that is no rule; false where it is one.
    pub(super) fn line(&mut self, family: &str, line: &[Token<'_>]) -> bool {
        match line {
            [first, _, hook, ..] if first.is("type") && hook.is("hook") => {
                let words: Vec<&str> = line.iter().skip(1).map(|token| &*token.text).collect();
                self.hook = Some(hook_of(family, &words));
            }
            [first, policy] if first.is("policy") => self.policy = element::verdict(std::slice::from_ref(policy)),
            [first, _] if first.is("comment") => {}
            _ => return false,
        }
        true
    }

    /// Puts it into its table; a chain that is there already goes on.
    pub(super) fn add(self, table: &mut Table, name: Arc<str>) {
        let Self { hook, policy, rules, span } = self;
        let chain = table.chains.entry(name).or_insert_with(|| Chain { base: None, rules: Vec::new(), span });
        if let Some(hook) = hook {
            chain.base = Some(Base { hook, policy });
        }
        if chain.rules.is_empty() {
            chain.rules = rules;
        } else {
            chain.rules.extend(rules);
        }
    }
}

/// `filter hook input priority 0`: the priority as a number.
fn hook_of(family: &str, words: &[&str]) -> String {
    let Some(at) = words.iter().position(|word| *word == "priority") else { return words.join(" ") };
    let (before, after) = words.split_at_checked(at).unwrap_or((words, &[]));
    let bridge = family == "bridge";
    let named = |name: &str| -> Option<i64> {
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
    let offset = |sign: i64, number: &str| number.parse::<i64>().ok().map(|number| sign.saturating_mul(number));
    let sum = |name: &str, offset: Option<i64>| named(name)?.checked_add(offset?);
    let priority = match after {
        [_, name, "+", number, ..] => (sum(name, offset(1, number)), 4),
        [_, name, "-", number, ..] => (sum(name, offset(-1, number)), 4),
        [_, name, ..] => (named(name), 2),
        _ => (None, after.len()),
    };
    let mut text = before.join(" ");
    let (written, rest) = after.split_at_checked(priority.1).unwrap_or((after, &[]));
    match priority.0 {
        Some(number) => text.extend([" priority ", &number.to_string()]),
        None => text.extend([" ", &written.join(" ")]),
    }
    if !rest.is_empty() {
        // `device "eth0"` may stand before the priority, or in a list.
        text.extend([" ", &rest.join(" ")]);
    }
    text
}

/// A set or a map while it is read.
#[derive(Debug, Default)]
pub(super) struct Definition {
    map: bool,
    kinds: Vec<Kind>,
    kind: String,
    /// Of a map: what its elements lead to.
    data: Option<String>,
    elements: BTreeSet<String>,
    pairs: Vec<(String, Verdict)>,
    attributes: BTreeSet<String>,
    span: Span,
}

impl Definition {
    pub(super) fn new(map: bool, span: Span) -> Self {
        Self { map, span, ..Self::default() }
    }

    /// Takes a line of its block.
    pub(super) fn line(&mut self, line: &[Token<'_>]) {
        let mut cursor = Cursor::new(line);
        match cursor.bare(0) {
            "type" | "typeof" => {
                let by_key = cursor.bare(0) == "typeof";
                cursor.skip(1);
                let types = cursor.until(|token| token.is(":"));
                cursor.skip(1);
                let data = cursor.rest();
                self.types(types, data, by_key);
            }
            "flags" => {
                for flag in line.iter().skip(1).filter(|token| !token.is(",")) {
                    self.flag(&flag.text);
                }
            }
            "timeout" | "gc-interval" => {
                let time = line.get(1).map_or_else(String::new, |time| element::time(&time.text));
                self.attributes.insert(format!("{} {time}", cursor.bare(0)));
            }
            // Neither changes which packets match.
            "auto-merge" | "comment" | "counter" => {}
            "policy" if ["memory", "performance"].contains(&cursor.bare(1)) => {}
            "elements" => {
                cursor.skip(1);
                cursor.take(&["="]);
                self.elements(cursor.braces());
            }
            _ => {
                self.attributes.insert(join(line));
            }
        }
    }

    /// What the elements are; by key where `typeof` is written, of which one datatype is the spelling.
    fn types(&mut self, types: &[Token<'_>], data: &[Token<'_>], by_key: bool) {
        let names: Vec<String> = types
            .split(|token| token.is("."))
            .map(|part| {
                let text = join(part);
                let known = by_key.then(|| kind::datatype(&text)).flatten();
                known.map_or(text, str::to_owned)
            })
            .collect();
        self.kinds = names.iter().map(|name| Kind::of_datatype(name)).collect();
        self.kind = names.join(" . ");
        self.data = (!data.is_empty()).then(|| {
            let text = join(data);
            let known = by_key.then(|| kind::datatype(&text)).flatten();
            known.map_or(text, str::to_owned)
        });
    }

    fn flag(&mut self, flag: &str) {
        if flag != "interval" {
            self.attributes.insert(if flag == "dynamic" { flag.to_owned() } else { format!("flags {flag}") });
        }
    }

    /// Takes what stands between the braces.
    fn elements(&mut self, tokens: &[Token<'_>]) {
        if !self.map {
            self.elements.append(&mut element::set(&self.kinds, tokens));
            return;
        }
        let verdicts = self.data.as_deref() == Some("verdict");
        let kinds: Vec<Kind> = self.data.iter().flat_map(|data| data.split(" . ")).map(Kind::of_datatype).collect();
        for (key, data) in element::pairs(&self.kinds, tokens) {
            if verdicts {
                self.pairs.push((key, element::verdict(&data)));
            } else {
                self.elements.insert(format!("{key} : {}", element::concatenation(&kinds, &data)));
            }
        }
    }

    /// Puts it into its table.
    pub(super) fn add(mut self, table: &mut Table, name: &str) {
        // A default timeout says that there are timeouts.
        if self.attributes.iter().any(|attribute| attribute.starts_with("timeout ")) {
            self.attributes.remove("flags timeout");
        }
        if !self.map {
            let set = table.sets.entry(name.into()).or_default();
            set.kind = self.kind;
            set.elements.append(&mut self.elements);
            set.attributes.append(&mut self.attributes);
            set.span = self.span;
            return;
        }
        let data = self.data.unwrap_or_default();
        self.attributes.retain(|attribute| !attribute.starts_with("size "));
        let mut lines: Vec<String> = self.attributes.into_iter().collect();
        if data == "verdict" {
            let map = table.maps.entry(name.into()).or_default();
            map.kind = self.kind;
            if map.elements.is_empty() {
                // At once, which is faster than one by one.
                map.elements = self.pairs.into_iter().collect();
            } else {
                map.elements.extend(self.pairs);
            }
            map.span = self.span;
        } else {
            lines.push(format!("type {} : {data}", self.kind));
            lines.extend(self.elements.into_iter().map(|element| format!("element {element}")));
        }
        if !lines.is_empty() {
            table.others.insert(format!("map {name}"), lines);
        }
    }
}

/// The network protocol that an object has where none is named: the table's family, and in a bridge both of IP, which the
/// kernel then lists (seen on Linux 6.1).
pub(super) fn network_of(family: &str) -> &str {
    if family == "bridge" { "inet" } else { family }
}

/// The lines of another object that one line of it says: what nft counts in it left out.
pub(super) fn other(family: &str, head: &[Token<'_>], line: &[Token<'_>]) -> Vec<String> {
    let first = head.first().map_or("", |token| &*token.text);
    let mut cursor = Cursor::new(line);
    match (first, cursor.bare(0)) {
        ("counter", "packets") | (_, "comment") => Vec::new(),
        ("ct", "type") if cursor.bare(2) == "protocol" => {
            let kind = line.get(1).map_or("", |kind| &*kind.text);
            vec![helper_type(kind), helper_protocol(cursor.bare(3))]
        }
        (_, "l3proto") if cursor.bare(1) == network_of(family) => Vec::new(),
        ("quota", _) => {
            let over = cursor.take(&["over"]);
            vec![format!("{}{}", if over { "over " } else { "" }, bytes(cursor.bare(0), cursor.bare(1)))]
        }
        (_, _) => vec![join(line)],
    }
}

/// `type ftp` of a conntrack helper.
pub(super) fn helper_type(kind: &str) -> String {
    format!("type {kind}")
}

/// `protocol tcp` of a conntrack helper.
pub(super) fn helper_protocol(name: &str) -> String {
    let number = Kind::Protocol.number(name);
    format!("protocol {}", number.map_or_else(|| name.to_owned(), |number| Kind::Protocol.show(number.into())))
}

/// `25 mbytes` in bytes.
pub(super) fn bytes(number: &str, unit: &str) -> String {
    let factor = match unit {
        "bytes" => Some(1),
        "kbytes" => Some(1 << 10),
        "mbytes" => Some(1 << 20),
        _ => None,
    };
    let total =
        number.parse::<u64>().ok().zip(factor).and_then(|(number, factor): (u64, u64)| number.checked_mul(factor));
    total.map_or_else(|| format!("{number} {unit}"), |total| format!("{total} bytes"))
}

/// Says of each set whether packets fill it: those that a rule fills, for not every listing says so.
///
/// What packets put there is no part of the ruleset; how many they may is. Of another set it is only a hint.
pub(super) fn finish(ruleset: &mut Ruleset) {
    for table in ruleset.tables.values_mut() {
        let filled: BTreeSet<Arc<str>> = table
            .chains
            .values()
            .flat_map(|chain| &chain.rules)
            .flat_map(|rule| &rule.statements)
            .filter_map(|statement| {
                let named = statement.strip_prefix("update @").or_else(|| statement.strip_prefix("add @"))?;
                named.split(' ').next().map(Arc::from)
            })
            .collect();
        for (name, set) in &mut table.sets {
            dynamic(set, filled.contains(name));
        }
    }
}

fn dynamic(set: &mut Set, filled: bool) {
    let size = |attribute: &String| attribute.starts_with("size ");
    if !filled && !set.attributes.contains("dynamic") {
        set.attributes.retain(|attribute| !size(attribute));
        return;
    }
    set.elements.clear();
    set.attributes.insert("dynamic".into());
    if !set.attributes.iter().any(size) {
        set.attributes.insert("size 65535".into());
    }
}
