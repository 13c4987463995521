//! `nft -j list ruleset`.
//!
//! In: its text. Out: the same ruleset that the text form gives. Promise: each object is translated to the words of the text
//! form, whose reader then reads them; an object that has no such words stays as compact JSON, and one that is no
//! JSON, or that the text ends in, is unread.
//!
//! What nft 1.0.6 writes differently here than in its text form, found by comparing both for every example:
//! - a set that packets fill lacks the flag `dynamic`: it is known by the rules that fill it;
//! - a table with the flag `dormant` has its own family as its flags;
//! - the device of a chain of `netdev` is missing, so such a chain differs from its text;
//! - with `-n`, ethertypes that have names are written with their bytes swapped: these differ too.

mod expression;
mod statement;

use serde_json::{Map, Value};

use super::block::{end, table_name};
use super::object::{Chains, Definition, finish, helper_protocol, helper_type, network_of};
use super::rule;
use super::token::{Token, span};
use crate::diagnostic::{FileId, Span};
use crate::state::Unread;
use crate::state::ruleset::{Program, Ruleset, Table};
use expression::Words;

/// Reads all objects of a text.
pub(super) fn read(file: FileId, text: &str) -> Ruleset {
    let mut ruleset = Ruleset::new(Program::Nft);
    let (objects, rest) = objects(text);
    for (start, object) in objects {
        let span = span(file, start, start + object.len());
        let reason = match serde_json::from_str(object) {
            Ok(Value::Object(object)) => add(&mut ruleset, &object, span).err(),
            Ok(_) => Some("this is no object"),
            Err(_) => Some("this is no JSON"),
        };
        ruleset.unread.extend(reason.map(|reason| Unread { span, reason: reason.into() }));
    }
    ruleset.unread.extend(rest.map(|from| end(file, text, from)));
    finish(&mut ruleset);
    ruleset
}

/// The objects of the list `nftables` with their places, and where the text goes on behind the last whole one, if it is
/// cut off there.
fn objects(text: &str) -> (Vec<(usize, &str)>, Option<usize>) {
    let mut found = Vec::new();
    let Some(list) = text.find("\"nftables\"").and_then(|at| Some(at + text.get(at..)?.find('[')? + 1)) else {
        return (found, Some(0));
    };
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut from = list;
    for (at, byte) in text.bytes().enumerate().skip(list) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                if depth == 0 {
                    from = at;
                }
                depth += 1;
            }
            b']' if depth == 0 => return (found, None),
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found.extend(text.get(from..=at).map(|object| (from, object)));
                    from = at + 1;
                }
            }
            _ => {}
        }
    }
    (found, Some(from))
}

/// A part of an object that is text; empty where it is none.
fn text<'v>(object: &'v Map<String, Value>, key: &str) -> &'v str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Puts an object into the ruleset.
fn add(ruleset: &mut Ruleset, object: &Map<String, Value>, span: Span) -> Result<(), &'static str> {
    let Some((kind, Value::Object(inside))) = object.iter().next() else { return Err("this is no object of nft") };
    match kind.as_str() {
        "metainfo" => return Ok(()),
        // A script: as if it were loaded.
        "add" | "create" => return add(ruleset, inside, span),
        "flush" if inside.contains_key("ruleset") => {
            ruleset.tables.clear();
            return Ok(());
        }
        "delete" | "flush" | "insert" | "replace" | "rename" | "reset" | "list" | "destroy" => {
            return Err("only whole tables are read");
        }
        _ => {}
    }
    let of = if kind == "table" { "name" } else { "table" };
    let (family, name) = (text(inside, "family"), text(inside, of));
    if name.is_empty() {
        return Err("this names no table");
    }
    let table = ruleset.tables.entry(table_name(family, name)).or_default();
    match kind.as_str() {
        "table" => flags(table, family, inside),
        "chain" => chain(table, inside, span),
        "rule" => {
            let Some(Value::Array(statements)) = inside.get("expr") else { return Err("this rule says nothing") };
            let comment = inside.get("comment").and_then(Value::as_str);
            let found = rule::read(family, &rule_words(statements, comment), span, &mut rule::Room::default());
            let mut chain = Chains::new(span);
            chain.rules.push(found);
            chain.add(table, text(inside, "chain").into());
        }
        "set" | "map" => set(table, kind == "map", inside, span),
        "ct helper" => {
            let mut lines = vec![helper_type(text(inside, "type")), helper_protocol(text(inside, "protocol"))];
            let network = text(inside, "l3proto");
            lines.extend((network != network_of(family) && !network.is_empty()).then(|| format!("l3proto {network}")));
            lines.sort();
            table.others.insert(format!("ct helper {}", text(inside, "name")), lines);
        }
        other => {
            table.others.insert(format!("{other} {}", text(inside, "name")), lines(other, inside));
        }
    }
    Ok(())
}

/// `dormant` is listed as the table's family.
fn flags(table: &mut Table, family: &str, inside: &Map<String, Value>) {
    let mut flags: Vec<String> = match inside.get("flags") {
        None | Some(Value::Null) => return,
        Some(Value::Array(flags)) => flags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(flag) => vec![flag.as_str().map_or_else(|| flag.to_string(), str::to_owned)],
    };
    for flag in flags.iter_mut().filter(|flag| *flag == family) {
        *flag = "dormant".into();
    }
    flags.sort();
    table.others.insert("flags".into(), flags);
}

fn chain(table: &mut Table, inside: &Map<String, Value>, span: Span) {
    const KNOWN: &[&str] = &["family", "table", "name", "handle", "comment", "type", "hook", "prio", "policy", "dev"];
    let mut chain = Chains::new(span);
    let hook = text(inside, "hook");
    let mut words = String::new();
    if !hook.is_empty() {
        words = format!("{} hook {hook} priority {}", text(inside, "type"), number(inside, "prio"));
        if let Some(device) = inside.get("dev") {
            words.extend([" device ", &device.as_str().map_or_else(|| device.to_string(), str::to_owned)]);
        }
    }
    for (key, value) in inside.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str())) {
        words.extend([" ", key, " ", &value.to_string()]);
    }
    chain.hook = (!words.is_empty()).then_some(words);
    let policy = text(inside, "policy");
    if !policy.is_empty() {
        let mut words = Words::default();
        words.bare(policy);
        chain.policy = super::element::verdict(&words.tokens);
    }
    chain.add(table, text(inside, "name").into());
}

/// A number as text; empty where there is none.
fn number(inside: &Map<String, Value>, key: &str) -> String {
    inside.get(key).map(Value::to_string).unwrap_or_default()
}

fn rule_words<'v>(statements: &[Value], comment: Option<&str>) -> Vec<Token<'v>> {
    let mut words = Words::default();
    statements.iter().for_each(|one| statement::read(&mut words, one));
    if let Some(comment) = comment {
        words.bare("comment");
        words.quoted(comment);
    }
    words.tokens
}

fn set(table: &mut Table, is_map: bool, inside: &Map<String, Value>, span: Span) {
    const KNOWN: &[&str] = &[
        "family",
        "name",
        "table",
        "handle",
        "type",
        "map",
        "flags",
        "elem",
        "timeout",
        "gc-interval",
        "size",
        "comment",
        "policy",
        "auto-merge",
        "stmt",
    ];
    let mut definition = Definition::new(is_map, span);
    let mut line = |make: &dyn Fn(&mut Words<'_>)| {
        let mut words = Words::default();
        make(&mut words);
        definition.line(&words.tokens);
    };
    // Newer versions say by which keys a set is typed.
    let types = |words: &mut Words<'_>, value: &Value| match value.get("typeof") {
        Some(keys) => words.value(keys),
        None => {
            let types = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            words.between(types, ".", Words::value);
        }
    };
    line(&|words| {
        let by_key = inside.get("type").is_some_and(|value| value.get("typeof").is_some());
        words.bare(if by_key { "typeof" } else { "type" });
        inside.get("type").into_iter().for_each(|value| types(words, value));
        if let Some(value) = inside.get("map") {
            words.bare(":");
            types(words, value);
        }
    });
    if let Some(Value::Array(flags)) = inside.get("flags") {
        line(&|words| {
            words.bare("flags");
            words.between(flags, ",", |words, flag| words.bare(flag.as_str().unwrap_or_default()));
        });
    }
    for key in ["timeout", "gc-interval", "size"] {
        if inside.contains_key(key) {
            line(&|words| {
                words.bare(key);
                words.bare(&number(inside, key));
            });
        }
    }
    for (key, value) in inside.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str())) {
        line(&|words| {
            words.bare(key);
            words.opaque(value);
        });
    }
    if let Some(elements) = inside.get("elem") {
        line(&|words| {
            words.bare("elements");
            words.set(elements);
        });
    }
    for one in inside.get("stmt").and_then(Value::as_array).into_iter().flatten() {
        line(&|words| statement::read(words, one));
    }
    definition.add(table, text(inside, "name"));
}

/// The lines of an object that has no words of its own here: what it is, without what nft counts.
fn lines(kind: &str, inside: &Map<String, Value>) -> Vec<String> {
    const PLACE: &[&str] = &["family", "name", "table", "handle", "comment", "used"];
    match kind {
        "counter" => Vec::new(),
        "quota" => {
            let over = inside.get("inv").and_then(Value::as_bool).unwrap_or_default();
            vec![format!("{}{} bytes", if over { "over " } else { "" }, number(inside, "bytes"))]
        }
        _ => inside
            .iter()
            .filter(|(key, _)| !PLACE.contains(&key.as_str()))
            .map(|(key, value)| format!("{key} {value}"))
            .collect(),
    }
}
