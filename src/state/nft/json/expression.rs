//! Expressions of the JSON form as words of the text form.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::token::{Mark, Token};

/// Words in the making.
#[derive(Debug, Default)]
pub(super) struct Words<'v> {
    pub tokens: Vec<Token<'v>>,
}

impl<'v> Words<'v> {
    fn push(&mut self, mark: Mark, text: impl Into<Cow<'v, str>>) {
        self.tokens.push(Token { mark, text: text.into(), place: (0, 0) });
    }

    /// A word or a sign.
    pub(super) fn bare(&mut self, word: &str) {
        self.push(Mark::Bare, word.to_owned());
    }

    /// Words with blanks between.
    pub(super) fn all(&mut self, words: &str) {
        words.split_whitespace().for_each(|word| self.bare(word));
    }

    pub(super) fn quoted(&mut self, text: &str) {
        self.push(Mark::Text, text.to_owned());
    }

    /// What is not understood, as it stands.
    pub(super) fn opaque(&mut self, value: &Value) {
        self.push(Mark::Text, value.to_string());
    }

    /// Values with a sign between.
    pub(super) fn between(&mut self, values: &[Value], sign: &str, each: impl Fn(&mut Self, &Value)) {
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.bare(sign);
            }
            each(self, value);
        }
    }

    /// `{ 80, 443 }`, `{ 22 : accept }`.
    pub(super) fn set(&mut self, elements: &Value) {
        self.bare("{");
        let elements = elements.as_array().map_or(std::slice::from_ref(elements), Vec::as_slice);
        self.between(elements, ",", |words, element| match element.as_array() {
            Some(pair) => words.between(pair, ":", Self::value),
            None => words.value(element),
        });
        self.bare("}");
    }

    /// An operand of a mask: several flags stand in parentheses.
    fn operand(&mut self, value: &Value) {
        let single = match value {
            Value::Array(values) => values.len() < 2,
            Value::Object(object) => !object.keys().any(|key| ["|", "&", "^", "<<", ">>"].contains(&key.as_str())),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        };
        if single {
            return self.value(value);
        }
        self.bare("(");
        self.value(value);
        self.bare(")");
    }

    /// A word that may stand without quotes.
    fn word(&mut self, text: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._:-/@*$+".contains(c);
        if !text.is_empty() && text.chars().all(plain) { self.bare(text) } else { self.quoted(text) }
    }

    /// An expression.
    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(there) => self.bare(if *there { "exists" } else { "missing" }),
            Value::Number(number) => self.bare(&number.to_string()),
            Value::String(text) => self.word(text),
            Value::Array(values) => self.between(values, ",", Self::value),
            Value::Object(object) => match object.iter().next() {
                Some((kind, inside)) if object.len() == 1 => self.object(value, kind, inside),
                Some(_) | None => self.opaque(value),
            },
        }
    }

    fn object(&mut self, whole: &Value, kind: &str, inside: &Value) {
        match (kind, inside) {
            ("concat", Value::Array(parts)) => self.between(parts, ".", Self::value),
            ("set", elements) => self.set(elements),
            ("range", Value::Array(ends)) => match ends.as_slice() {
                [low, high] => self.range(low, high),
                _ => self.opaque(whole),
            },
            ("|" | "&" | "^" | "<<" | ">>", Value::Array(operands)) => {
                let Some((first, rest)) = operands.split_first() else { return self.opaque(whole) };
                self.value(first);
                for operand in rest {
                    self.bare(kind);
                    self.operand(operand);
                }
            }
            ("accept" | "drop" | "return" | "continue", _) => self.bare(kind),
            (_, Value::Object(inside)) if self.fields(kind, inside) => {}
            (_, _) => self.opaque(whole),
        }
    }

    fn range(&mut self, low: &Value, high: &Value) {
        match (low, high) {
            (Value::Number(low), Value::Number(high)) => self.bare(&format!("{low}-{high}")),
            (Value::String(low), Value::String(high)) if low.parse::<std::net::IpAddr>().is_ok() => {
                self.bare(&format!("{low}-{high}"));
            }
            (_, _) => {
                self.value(low);
                self.bare("-");
                self.value(high);
            }
        }
    }

    /// An expression with fields; false where it is not known, and nothing is written.
    fn fields(&mut self, kind: &str, inside: &Map<String, Value>) -> bool {
        let text = |key: &str| inside.get(key).and_then(Value::as_str);
        let known = |keys: &[&str]| inside.keys().all(|key| keys.contains(&key.as_str()));
        match kind {
            "payload" if known(&["protocol", "field"]) => {
                self.bare(text("protocol").unwrap_or_default());
                self.all(text("field").unwrap_or_default());
            }
            "payload" if known(&["base", "offset", "len"]) => {
                self.bare(&format!("@{}", text("base").unwrap_or_default()));
                for key in ["offset", "len"] {
                    self.bare(",");
                    inside.get(key).into_iter().for_each(|number| self.value(number));
                }
            }
            "prefix" if known(&["addr", "len"]) => {
                let length = inside.get("len").map(Value::to_string).unwrap_or_default();
                self.bare(&format!("{}/{length}", text("addr").unwrap_or_default()));
            }
            "meta" | "socket" if known(&["key"]) => {
                self.bare(kind);
                self.all(text("key").unwrap_or_default());
            }
            "ct" | "rt" if known(&["key", "dir", "family"]) => {
                self.bare(kind);
                ["dir", "family", "key"].iter().filter_map(|key| text(key)).for_each(|word| self.all(word));
            }
            "exthdr" if known(&["name"]) => {
                self.bare(kind);
                self.all(text("name").unwrap_or_default());
            }
            "exthdr" if known(&["name", "field"]) => {
                ["name", "field"].iter().filter_map(|key| text(key)).for_each(|word| self.all(word));
            }
            "tcp option" | "ip option" | "sctp chunk" if known(&["name", "field"]) => {
                self.all(kind);
                ["name", "field"].iter().filter_map(|key| text(key)).for_each(|word| self.all(word));
            }
            "fib" if known(&["result", "flags"]) => {
                self.bare(kind);
                match inside.get("flags") {
                    Some(Value::Array(flags)) => self.between(flags, ".", Self::value),
                    flags => flags.into_iter().for_each(|flag| self.value(flag)),
                }
                self.bare(text("result").unwrap_or_default());
            }
            "numgen" | "jhash" if known(&["mode", "mod", "offset", "expr"]) => {
                self.bare(kind);
                for key in ["mode", "expr"] {
                    inside.get(key).into_iter().for_each(|value| self.value(value));
                }
                for key in ["mod", "offset"] {
                    if let Some(value) = inside.get(key) {
                        self.bare(key);
                        self.value(value);
                    }
                }
            }
            "map" if known(&["key", "data"]) => {
                for (key, word) in [("key", "map"), ("data", "")] {
                    inside.get(key).into_iter().for_each(|value| self.value(value));
                    self.all(word);
                }
            }
            "jump" | "goto" if known(&["target"]) => {
                self.bare(kind);
                self.word(text("target").unwrap_or_default());
            }
            "elem" => self.element(inside),
            _ => return false,
        }
        true
    }

    /// An element with more than its value.
    fn element(&mut self, inside: &Map<String, Value>) {
        inside.get("val").into_iter().for_each(|value| self.value(value));
        for (key, value) in inside {
            match key.as_str() {
                // What nft counts, and what it says to people.
                "val" | "expires" | "counter" | "comment" => {}
                "timeout" => {
                    self.bare(key);
                    self.value(value);
                }
                other => {
                    self.bare(other);
                    self.opaque(value);
                }
            }
        }
    }
}
