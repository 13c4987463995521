//! Statements of the JSON form as words of the text form.

use serde_json::{Map, Value};

use super::expression::Words;

/// Adds a statement; one that is not known as compact JSON.
pub(super) fn read(words: &mut Words<'_>, statement: &Value) {
    let single = statement.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
    let Some((kind, inside)) = single else { return words.opaque(statement) };
    let known = match inside {
        Value::Object(inside) => with_fields(words, kind, inside),
        Value::String(name) => with_name(words, kind, name),
        Value::Null => alone(words, kind),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    };
    if !known {
        words.opaque(statement);
    }
}

fn alone(words: &mut Words<'_>, kind: &str) -> bool {
    let known =
        ["accept", "drop", "return", "continue", "counter", "log", "notrack", "reject", "masquerade", "redirect"];
    if known.contains(&kind) {
        words.bare(kind);
    }
    known.contains(&kind)
}

/// `counter name "c"`, `ct helper set "ftp"`.
fn with_name(words: &mut Words<'_>, kind: &str, name: &str) -> bool {
    match kind {
        "counter" | "quota" | "limit" => words.all(&format!("{kind} name")),
        "ct helper" | "ct timeout" | "ct expectation" => words.all(&format!("{kind} set")),
        _ => return false,
    }
    words.quoted(name);
    true
}

/// A statement with fields; false where it is not known, and nothing is written.
fn with_fields(words: &mut Words<'_>, kind: &str, inside: &Map<String, Value>) -> bool {
    let known = |keys: &[&str]| inside.keys().all(|key| keys.contains(&key.as_str()));
    let text = |key: &str| inside.get(key).and_then(Value::as_str);
    match kind {
        "match" if known(&["op", "left", "right"]) => {
            inside.get("left").into_iter().for_each(|left| words.value(left));
            match text("op") {
                None | Some("in") => {}
                Some(operator) => words.bare(operator),
            }
            inside.get("right").into_iter().for_each(|right| words.value(right));
        }
        "jump" | "goto" if known(&["target"]) => {
            words.bare(kind);
            words.quoted(text("target").unwrap_or_default());
        }
        "counter" if known(&["packets", "bytes"]) => words.bare(kind),
        "limit" => return limit(words, inside),
        "log" if known(&["prefix", "group", "snaplen", "queue-threshold", "level", "flags"]) => log(words, inside),
        "reject" if known(&["type", "expr"]) => {
            words.all("reject with");
            words.all(text("type").unwrap_or_default());
            inside.get("expr").into_iter().for_each(|code| words.value(code));
        }
        "mangle" if known(&["key", "value"]) => {
            inside.get("key").into_iter().for_each(|key| words.value(key));
            words.bare("set");
            inside.get("value").into_iter().for_each(|value| words.value(value));
        }
        "vmap" if known(&["key", "data"]) => {
            inside.get("key").into_iter().for_each(|key| words.value(key));
            words.bare("vmap");
            inside.get("data").into_iter().for_each(|data| words.value(data));
        }
        "set" if known(&["op", "elem", "set", "stmt"]) => {
            words.bare(text("op").unwrap_or("add"));
            words.bare(text("set").unwrap_or_default());
            fill(words, inside.get("elem"), inside.get("stmt"));
        }
        "meter" if known(&["key", "stmt", "size", "name"]) => {
            words.bare(kind);
            words.quoted(text("name").unwrap_or_default());
            if let Some(size) = inside.get("size") {
                words.bare("size");
                words.value(size);
            }
            fill(words, inside.get("key"), inside.get("stmt"));
        }
        "quota" if known(&["val", "val_unit", "used", "used_unit", "inv"]) => {
            words.bare(kind);
            over(words, inside);
            inside.get("val").into_iter().for_each(|value| words.value(value));
            words.bare(text("val_unit").unwrap_or("bytes"));
        }
        "ct count" if known(&["val", "inv"]) => {
            words.all(kind);
            over(words, inside);
            inside.get("val").into_iter().for_each(|value| words.value(value));
        }
        "xt" if known(&["type", "name"]) => {
            words.bare(kind);
            words.bare(text("type").unwrap_or_default());
            words.bare(text("name").unwrap_or_default());
        }
        _ => return false,
    }
    true
}

fn over(words: &mut Words<'_>, inside: &Map<String, Value>) {
    if inside.get("inv").and_then(Value::as_bool) == Some(true) {
        words.bare("over");
    }
}

/// `{ ip saddr limit rate 5/second }`.
fn fill(words: &mut Words<'_>, element: Option<&Value>, statements: Option<&Value>) {
    words.bare("{");
    element.into_iter().for_each(|element| words.value(element));
    match statements {
        Some(Value::Array(statements)) => statements.iter().for_each(|one| read(words, one)),
        one => one.into_iter().for_each(|one| read(words, one)),
    }
    words.bare("}");
}

/// `limit rate over 10 mbytes/second burst 5 kbytes`.
fn limit(words: &mut Words<'_>, inside: &Map<String, Value>) -> bool {
    const KEYS: &[&str] = &["rate", "burst", "per", "inv", "rate_unit", "burst_unit"];
    let (Some(rate), true) = (inside.get("rate"), inside.keys().all(|key| KEYS.contains(&key.as_str()))) else {
        return false;
    };
    let text = |key: &str| inside.get(key).and_then(Value::as_str);
    let per = text("per").unwrap_or("second");
    words.all("limit rate");
    over(words, inside);
    let bytes = text("rate_unit").filter(|unit| *unit != "packets");
    match bytes {
        Some(unit) => {
            words.value(rate);
            words.bare(&format!("{unit}/{per}"));
        }
        None => words.bare(&format!("{rate}/{per}")),
    }
    if let Some(burst) = inside.get("burst") {
        words.bare("burst");
        words.value(burst);
        words.bare(if bytes.is_some() { text("burst_unit").unwrap_or("bytes") } else { "packets" });
    }
    true
}

fn log(words: &mut Words<'_>, inside: &Map<String, Value>) {
    words.bare("log");
    for (key, value) in inside {
        match (key.as_str(), value) {
            ("prefix", Value::String(prefix)) => {
                words.bare(key);
                words.quoted(prefix);
            }
            ("flags", Value::Array(flags)) => {
                for flag in flags {
                    words.bare("flags");
                    words.all(flag.as_str().unwrap_or_default());
                }
            }
            ("flags", flag) => {
                words.bare("flags");
                words.all(flag.as_str().unwrap_or_default());
            }
            (_, value) => {
                words.bare(key);
                words.value(value);
            }
        }
    }
}
