//! One file of `sysctl.d`, as sysctl.d(5) and sysctl.conf(5) have it.
//!
//! In: a file's text. Out: its assignments and exclusions, each with its place, and the lines that neither program takes.

use crate::diagnostic::{FileId, Located, Span};
use crate::net::sysctl_key;
use crate::state::{Slice, Unread};

use super::glob;

/// What both programs pass over at either end of a line, a key and a value; the last one as a part of the line's end.
/// Other scripts' blanks are letters to them.
const BLANKS: [char; 3] = [' ', '\t', '\r'];

/// What the lines of a file say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File<'t> {
    /// In their order.
    pub lines: Vec<Line<'t>>,
    /// Lines that no program takes.
    pub unread: Vec<Unread>,
}

/// `key = value`, or `-key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'t> {
    /// In its one spelling ([`sysctl_key`]).
    pub key: String,
    /// Whether the key is a pattern.
    pub is_pattern: bool,
    /// As written, without the space around it; none where the line excludes its key from patterns.
    pub value: Option<Located<&'t str>>,
    /// Whether a failure to set it is passed over in silence (`-key = value`).
    pub ignore_failure: bool,
    /// Whether procps takes it: not with a blank behind the dash, which is to it the first letter of the key.
    pub procps_takes_it: bool,
    /// Where parts of the key are empty (`/net/ipv4`, `net..ipv4`): its separators, with `x` for each part. procps
    /// compares such a spelling letter by letter when it looks whether a key keeps patterns away.
    pub odd_spelling: Option<String>,
    /// The line's number, from 1.
    pub number: u32,
    /// The line, without the space around it.
    pub span: Span,
}

/// Reads a file.
#[must_use]
pub fn read(file: FileId, text: &str) -> File<'_> {
    let mut found = File::default();
    for (line, number) in Slice::new(file, text).lines().map(trim).zip(1_u32..) {
        if line.text.is_empty() || line.text.starts_with(['#', ';']) {
            continue;
        }
        match assignment(line, number) {
            Ok(line) => found.lines.push(line),
            Err(reason) => found.unread.push(Unread { span: line.span(), reason: reason.to_owned() }),
        }
    }
    found
}

fn trim(text: Slice<'_>) -> Slice<'_> {
    text.part(text.text.trim_matches(BLANKS))
}

fn assignment(line: Slice<'_>, number: u32) -> Result<Line<'_>, &'static str> {
    // One program ends the line there, or takes it for a blank, and the other does not.
    if line.text.contains(['\r', '\0', '\x0b', '\x0c']) {
        return Err("a control character inside the line");
    }
    let (before, value) = match line.split_once('=') {
        Some((before, value)) => (before, Some(trim(value).whole())),
        None => (line, None),
    };
    let (dash, name) = match before.strip_prefix("-") {
        Some(name) => (true, name),
        None => (false, before),
    };
    if value.is_none() && !dash {
        return Err("no assignment: a line is `key = value`");
    }
    let bare = trim(name).text;
    let key = sysctl_key(bare);
    if key.is_empty() {
        return Err("there is no key");
    }
    if key.contains(char::is_whitespace) {
        return Err("no key has a blank in it");
    }
    Ok(Line {
        is_pattern: glob::is_pattern(&key),
        key,
        value,
        ignore_failure: dash && value.is_some(),
        procps_takes_it: !dash || !name.text.starts_with(BLANKS),
        odd_spelling: odd_spelling(bare),
        number,
        span: line.span(),
    })
}

fn odd_spelling(key: &str) -> Option<String> {
    let separator = key.chars().find(|c| matches!(c, '.' | '/'))?;
    let mut parts = key.split(separator);
    if !parts.any(str::is_empty) {
        return None;
    }
    let shape = key.split(separator).map(|part| if part.is_empty() { "" } else { "x" });
    Some(shape.collect::<Vec<_>>().join("/"))
}
