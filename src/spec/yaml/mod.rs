//! One YAML file to a tree in which every value knows its bytes.
//!
//! In: the text of a file. Out: a [`Node`], always (empty where nothing could be read), and diagnostics.
//! Promises: no panic and no unbounded memory on any text; spans are exact to the byte; scalars stay text
//! as written, so `no`, `010` and `1e3` are what they look like; a key twice in a map, a tag, a second
//! document, an alias that refers to itself or multiplies without end, and characters that reorder what
//! people see are errors.
//!
//! The tree is built from the events of `saphyr-parser`, not with serde: measured on 1.2 MB, events take 50 ms
//! and a serde reader on top of them 220 ms; and a serde reader stops at the first error of shape.

mod bidi;
mod build;
mod place;
mod syntax;

use std::borrow::Cow;

use crate::diagnostic::{Diagnostics, FileId, Span};

pub(super) use bidi::{bidi_control, is_bidi_control};

/// How deep lists and maps may nest; the language itself needs a dozen levels.
pub(super) const DEPTH_LIMIT: usize = 64;

/// How many values aliases may add to a file.
pub(super) const ALIAS_BUDGET: usize = 1_000_000;

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node<'a> {
    /// From its first to its last byte; quotes and brackets included. For an absent value the key's.
    pub span: Span,
    /// What it is.
    pub value: Value<'a>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A key without a value, `~`, or `null`.
    Nothing,
    /// Text; `plain` without quotes.
    Scalar {
        /// The text, escapes resolved.
        text: Cow<'a, str>,
        /// Whether it was written without quotes.
        plain: bool,
    },
    /// A list.
    Seq(Vec<Node<'a>>),
    /// A map, in the order of the source.
    Map(Vec<(Key<'a>, Node<'a>)>),
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Its place.
    pub span: Span,
}

impl<'a> Node<'a> {
    /// A map without entries at the start of a file.
    pub(super) fn empty(file: FileId) -> Self {
        Self { span: Span { file, start: 0, len: 0 }, value: Value::Map(Vec::new()) }
    }

    /// The value of a key, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value),
            Value::Nothing | Value::Scalar { .. } | Value::Seq(_) => None,
        }
    }

    /// The keys, if this is a map.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key<'a>> {
        let entries: &[(Key<'a>, Self)] = match &self.value {
            Value::Map(entries) => entries,
            Value::Nothing | Value::Scalar { .. } | Value::Seq(_) => &[],
        };
        entries.iter().map(|(key, _)| key)
    }

    /// The text, if this is a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Nothing | Value::Seq(_) | Value::Map(_) => None,
        }
    }

    /// What it is, for a message: `a list`, `a map`, the text in backticks, `nothing`.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Nothing => "nothing".to_owned(),
            Value::Scalar { text, .. } => format!("`{text}`"),
            Value::Seq(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

/// Reads one file. The flag says whether all of it could be read.
pub(super) fn parse<'a>(file: FileId, text: &'a str, found: &mut Diagnostics) -> (Node<'a>, bool) {
    let before = found.len();
    let node = build::build(file, text, found);
    (node, found.len() == before)
}

#[cfg(test)]
mod tests;
