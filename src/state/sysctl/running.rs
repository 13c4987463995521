//! Values in force: what `sysctl -a` printed, or what `/proc/sys` holds.
//!
//! In: the text of `sysctl -a`, also cut off, or values by key. Out: a value for each key, and where a wanted value is
//! another one. Promise: a value that may be incomplete is never compared.

use std::collections::BTreeMap;

use crate::diagnostic::FileId;
use crate::net::{sysctl_key, sysctl_twin};
use crate::state::{Slice, Unread};

use super::normal;

/// Values by key in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Running {
    /// Sorted by key.
    pub values: BTreeMap<String, RunningValue>,
    /// Lines that say nothing.
    pub unread: Vec<Unread>,
    /// Whether the text ends where a line does not: keys that are absent may just have been cut off.
    pub is_cut: bool,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunningValue {
    /// As the kernel gives it, lines of one value apart.
    Text(String),
    /// It is there and cannot be read, and why.
    Unreadable(String),
}

/// A key that does not hold what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It holds another value, this one.
    Value(String),
    /// It is not there: its module is not loaded, or the kernel does not have it.
    Absent,
    /// It cannot be compared, and why.
    Unknown(String),
}

impl Running {
    /// Takes a value in; `key` in any spelling.
    pub fn insert(&mut self, key: &str, value: RunningValue) {
        self.values.insert(sysctl_key(key), value);
    }

    /// The value of a key in its one spelling, or of its twin.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&RunningValue> {
        self.values.get(key).or_else(|| self.values.get(sysctl_twin(key)?))
    }

    /// Whether a key holds the wanted value, blanks and tabs aside; none where it does.
    #[must_use]
    pub fn difference(&self, key: &str, wanted: &str) -> Option<Difference> {
        match self.get(key) {
            Some(RunningValue::Text(value)) if normal(value) == normal(wanted) => None,
            Some(RunningValue::Text(value)) => Some(Difference::Value(normal(value))),
            Some(RunningValue::Unreadable(reason)) => Some(Difference::Unknown(reason.clone())),
            None if self.is_cut => Some(Difference::Unknown("the listing is cut off".to_owned())),
            None => Some(Difference::Absent),
        }
    }

    /// Those of the wanted values that do not hold, in the order given.
    pub fn differences<'a>(
        &'a self,
        wanted: impl IntoIterator<Item = (&'a str, &'a str)> + 'a,
    ) -> impl Iterator<Item = (&'a str, Difference)> + 'a {
        wanted.into_iter().filter_map(|(key, value)| Some((key, self.difference(key, value)?)))
    }
}

/// Reads what `sysctl -a` printed, its complaints included. A key of several lines is printed once for each.
#[must_use]
pub fn read_running(file: FileId, text: &str) -> Running {
    let mut running = Running { is_cut: !text.is_empty() && !text.ends_with('\n'), ..Running::default() };
    let mut lines = Slice::new(file, text).lines().peekable();
    while let Some(line) = lines.next() {
        let is_cut = running.is_cut && lines.peek().is_none();
        if line.text.trim().is_empty() {
            continue;
        }
        match one(line, is_cut) {
            Ok((key, RunningValue::Text(value))) => match running.values.get_mut(&key) {
                Some(RunningValue::Text(known)) => {
                    known.push('\n');
                    known.push_str(&value);
                }
                Some(RunningValue::Unreadable(_)) => {}
                None => {
                    running.values.insert(key, RunningValue::Text(value));
                }
            },
            Ok((key, unreadable)) => {
                running.values.insert(key, unreadable);
            }
            Err(reason) => running.unread.push(Unread { span: line.trim().span(), reason }),
        }
    }
    running
}

fn one(line: Slice<'_>, is_cut: bool) -> Result<(String, RunningValue), String> {
    if let Some(complaint) = line.trim().text.strip_prefix("sysctl: ") {
        return complained(complaint).ok_or_else(|| format!("sysctl complains: {complaint}"));
    }
    let Some((key, value)) = line.split_once('=') else {
        let reason = if is_cut { "the text is cut off here" } else { "no setting: a line is `key = value`" };
        return Err(reason.to_owned());
    };
    let key = key.trim().text;
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err("there is no key".to_owned());
    }
    let value = match is_cut {
        true => RunningValue::Unreadable("the text is cut off here".to_owned()),
        false => RunningValue::Text(value.trim().text.to_owned()),
    };
    Ok((sysctl_key(key), value))
}

/// `permission denied on key 'x'`, `reading key "x": Input/output error`: the key, and why it has no value.
fn complained(text: &str) -> Option<(String, RunningValue)> {
    let (before, rest) = text.split_once(['\'', '"'])?;
    let (key, after) = rest.split_once(['\'', '"'])?;
    if !before.trim_end().ends_with("key") || key.is_empty() || key.contains(char::is_whitespace) {
        return None;
    }
    let reason = match after.trim_start_matches([':', ' ']).trim() {
        "" => before.trim_end().trim_end_matches("key").trim_end().trim_end_matches(" on"),
        reason => reason,
    };
    Some((sysctl_key(key), RunningValue::Unreadable(reason.to_lowercase())))
}
