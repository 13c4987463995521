//! What nft lists: `nft list ruleset` as text (also with `-s`, `-a`, `-n`, `-y`) and as JSON (`-j`), and the scripts
//! that fwc writes.
//!
//! In: a text. Out: a [`Ruleset`](super::ruleset::Ruleset) with one spelling for one meaning: numbers that have names are
//! names (but for ports, marks and codes), values that touch are ranges, conditions that others imply and defaults are
//! gone. Promise: a listing equals the script that was loaded, in both of its forms; what is not known stays as it is
//! written, so it can only differ.
//!
//! [`token`] knows the words, [`block`] tables and what is in them, [`rule`] one rule, [`element`] values, [`kind`] their names.
//! JSON is translated to the words of the text form and read as these are, so that there is one reader of rules. [`bytecode`] completes a listing by what the kernel holds.

mod block;
pub mod bytecode;
mod element;
mod json;
mod kind;
mod object;
mod rule;
mod spelled;
mod token;

#[cfg(test)]
mod tests;

use super::ruleset::Ruleset;
use crate::diagnostic::FileId;

/// Reads `nft list ruleset`, or a script of whole tables.
///
/// Of commands, those that fwc writes are followed (`table X`, `delete table X`, `flush ruleset`); others are unread.
#[must_use]
pub fn read(file: FileId, text: &str) -> Ruleset {
    let mut unread = Vec::new();
    let tokens = token::tokens(file, text, &mut unread);
    block::read(file, &tokens, unread)
}

/// Reads `nft -j list ruleset`. Of a text that is cut off, the objects that are whole are read.
#[must_use]
pub fn read_json(file: FileId, text: &str) -> Ruleset {
    json::read(file, text)
}

/// The number of a value of a key (`tcp dport`, `icmp type`) in its one spelling; none for addresses and names.
pub(crate) fn number(key: &str, text: &str) -> Option<u64> {
    kind::Kind::of_key(key).number(text)
}

/// Whether a text is the JSON form: no script begins with a brace.
#[must_use]
pub fn is_json(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
}
