//! The walk of a tree along the table, which says everything that does not fit.

use super::lexis::Lexis;
use super::{Empty, Field, Fields, Shape};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::spec::options;
use crate::spec::yaml::{Key, Node, Value};

/// Collects what does not fit.
pub(super) struct Checker<'d> {
    pub found: &'d mut Diagnostics,
    /// Whether the whole spec could be read.
    pub whole: bool,
}

impl Checker<'_> {
    pub(super) fn say(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// `name` is what the value is of: a key, or the name of a thing; `at` its place.
    pub(super) fn shape(&mut self, shape: &Shape, node: &Node<'_>, name: &str, at: Span) {
        match shape {
            Shape::Text(lexis) => self.text(*lexis, node, name),
            Shape::List { of, empty } => self.list(*of, *empty, node, name),
            Shape::Rules(place) => self.rules(place, node, name),
            Shape::Options(zones) => self.options(zones, node),
            Shape::Map(fields) => self.map(fields, node, at),
            Shape::Test => self.test(node, at),
            Shape::Named(pattern, of) => self.named(pattern, of, node, name),
            Shape::Items(of) => match &node.value {
                Value::Nothing => self.no_value(node, name),
                Value::Seq(items) => items.iter().for_each(|item| self.shape(of, item, name, item.span)),
                Value::Scalar { .. } | Value::Map(_) => self.shape(of, node, name, at),
            },
            Shape::Either { short, keys_of_short, long } => {
                let is_short = keys_of_short.iter().any(|key| node.get(key).is_some());
                match node.value {
                    Value::Map(_) if !is_short => self.map(long, node, at),
                    Value::Nothing | Value::Scalar { .. } | Value::Seq(_) | Value::Map(_) => {
                        self.shape(short, node, name, at);
                    }
                }
            }
            Shape::Zone { host, guest } => {
                // A host zone has all keys, so nothing is unknown in a zone whose kind is.
                let is_guest = node.get("kind").and_then(Node::text) == Some("guest");
                self.map(if is_guest { guest } else { host }, node, at);
            }
        }
    }

    pub(super) fn no_value(&mut self, node: &Node<'_>, name: &str) {
        let error = Diagnostic::error(Code::WrongShape, node.span, format!("`{name}` has no value"));
        self.say(error.help("write a value after the colon, or remove the key; quote `null` and `~` if they are text"));
    }

    pub(super) fn text(&mut self, lexis: Lexis, node: &Node<'_>, name: &str) {
        match &node.value {
            Value::Scalar { text, plain } => {
                if let Some(error) = lexis.check(text, *plain, node.span) {
                    self.say(error);
                }
            }
            Value::Nothing => self.no_value(node, name),
            Value::Seq(_) | Value::Map(_) => {
                let message = format!("`{name}` takes a single value, found {}", node.describe());
                let error = Diagnostic::error(Code::WrongShape, node.span, message);
                self.say(error.help(takes(lexis)));
            }
        }
    }

    fn list(&mut self, lexis: Lexis, empty: Empty, node: &Node<'_>, name: &str) {
        match &node.value {
            Value::Seq(items) if items.is_empty() && empty == Empty::Error => {
                let error = Diagnostic::error(Code::WrongShape, node.span, format!("`{name}` is an empty list"));
                self.say(error.help("an empty list stands for nothing; name something, or remove the key"));
            }
            Value::Seq(items) => {
                for item in items {
                    if matches!(item.value, Value::Nothing) {
                        let error = Diagnostic::error(Code::WrongShape, item.span, "an empty entry in a list");
                        self.say(
                            error.help("write a value, or remove the entry; quote `null` and `~` if they are text"),
                        );
                    } else {
                        self.text(lexis, item, name);
                    }
                }
            }
            Value::Nothing | Value::Scalar { .. } => self.text(lexis, node, name),
            Value::Map(_) => {
                let message = format!("`{name}` takes a value or a list of values, found a map");
                self.say(Diagnostic::error(Code::WrongShape, node.span, message).help(takes(lexis)));
            }
        }
    }

    /// The entries of a map, if it is one; what is absent has none.
    pub(super) fn entries<'n, 'a>(&mut self, node: &'n Node<'a>, what: &str) -> &'n [(Key<'a>, Node<'a>)] {
        match &node.value {
            Value::Map(entries) => entries,
            Value::Nothing => &[],
            Value::Scalar { .. } | Value::Seq(_) => {
                let message = format!("expected a map for {what}, found {}", node.describe());
                let error = Diagnostic::error(Code::WrongShape, node.span, message);
                self.say(
                    error.help("write keys and values: `key: value`, each in a line of its own, or `{ key: value }`"),
                );
                &[]
            }
        }
    }

    fn named(&mut self, pattern: &super::Pattern, of: &Shape, node: &Node<'_>, name: &str) {
        for (key, value) in self.entries(node, &format!("`{name}`")) {
            if key.text == "<<" {
                self.say(merge_key(key.span));
                continue;
            }
            if let Some(error) = pattern.check(&key.text, key.span, Code::InvalidName) {
                self.say(error);
            }
            self.shape(of, value, &key.text, key.span);
        }
    }

    /// A map of fixed keys; `at` is what is underlined where a key is missing.
    pub(super) fn map(&mut self, fields: &Fields, node: &Node<'_>, at: Span) {
        let entries = self.entries(node, fields.what);
        for (key, value) in entries {
            match fields.find(&key.text) {
                Some(field) => self.shape(&field.shape, value, field.name, key.span),
                None => self.unknown_key(fields, key),
            }
        }
        let is_map = matches!(node.value, Value::Map(_) | Value::Nothing);
        if self.whole && is_map {
            for field in fields.fields.iter().filter(|field| field.required && node.get(field.name).is_none()) {
                self.say(missing(fields, field, at));
            }
        }
    }

    fn unknown_key(&mut self, fields: &Fields, key: &Key<'_>) {
        if key.text == "<<" {
            self.say(merge_key(key.span));
            return;
        }
        let is_option = fields.fields.iter().any(|field| {
            let Shape::Options(zones) = field.shape else { return false };
            zones.iter().any(|zone| options::find(*zone, &key.text).is_some())
        });
        let help = if is_option {
            format!("`{}` is an option; put it under `options`", key.text)
        } else {
            did_you_mean(&key.text, "keys", fields.fields.iter().map(|field| field.name))
        };
        let message = format!("unknown key `{}` in {}", key.text, fields.what);
        self.say(Diagnostic::error(Code::UnknownKey, key.span, message).help(help));
    }
}

pub(super) fn merge_key(span: Span) -> Diagnostic {
    Diagnostic::error(Code::YamlUnsupported, span, "a merge key of YAML")
        .help("fwc does not take `<<`; share what is common in a zone, and name it under `inherits`")
}

pub(super) fn missing(fields: &Fields, field: &Field, at: Span) -> Diagnostic {
    // Until a zone says its kind it is of none.
    let what = if field.name == "kind" { "a zone" } else { fields.what };
    let message = format!("{what} without `{}`", field.name);
    let help = match field.name {
        "version" => "begin the spec with `version: 1`".to_owned(),
        "kind" => "add `kind: host` or `kind: guest`".to_owned(),
        name => format!("add `{name}`: {}", lower_first(field.doc)),
    };
    Diagnostic::error(Code::MissingKey, at, message).help(help)
}

/// A sentence as the end of another: no capital, no full stop.
fn lower_first(doc: &str) -> String {
    let doc = doc.trim_end_matches('.');
    let mut chars = doc.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// What a text can be, as a help.
pub(super) fn takes(lexis: Lexis) -> String {
    match lexis {
        Lexis::Line => "write one line of text".to_owned(),
        Lexis::Sysctl => "write one value, such as `1` or `4096 87380 6291456`".to_owned(),
        Lexis::Bool => "write `true` or `false`".to_owned(),
        Lexis::Integer { min, max, .. } => format!("write a whole number from {min} to {max}"),
        Lexis::Version => "write `version: 1`".to_owned(),
        Lexis::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("write one of {}", words.join(", "))
        }
        Lexis::LogLevel => "write a log level, such as `info`".to_owned(),
        Lexis::Name(pattern) => pattern.help.to_owned(),
    }
}
