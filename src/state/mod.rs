//! Readers of what is there now: the files that a machine has, in their own words.
//!
//! In: text. Out: what its lines say, each with its place, and the lines that say nothing to the program that they are
//! meant for, with the reason. Promise: no line is passed over in silence, and no text of any kind makes a reader fail.
//! What the words mean is for others.

pub mod corosync;
pub mod fw;
pub mod guest_conf;
pub mod ipset;
pub mod iptables;
pub mod kind;
pub mod nft;
pub mod ruleset;
pub mod sysctl;

use crate::diagnostic::{FileId, Located, Span};

/// A line that its program passes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The line, or the part of it that is wrong.
    pub span: Span,
    /// Why, in a few words.
    pub reason: String,
}

/// A part of a file's text, and where it begins.
#[derive(Debug, Clone, Copy)]
struct Slice<'t> {
    text: &'t str,
    file: FileId,
    start: usize,
}

impl<'t> Slice<'t> {
    /// The whole text of a file.
    const fn new(file: FileId, text: &'t str) -> Self {
        Self { text, file, start: 0 }
    }

    fn span(self) -> Span {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Span { file: self.file, start: narrow(self.start), len: narrow(self.text.len()) }
    }

    fn whole(self) -> Located<&'t str> {
        Located { value: self.text, span: self.span() }
    }

    /// The part of `self` that `part`, a slice of its text, is.
    fn part(self, part: &'t str) -> Self {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        Self { text: part, file: self.file, start: self.start + offset.min(self.text.len()) }
    }

    fn trim(self) -> Self {
        match self.text.as_bytes() {
            // Mostly there is nothing to do.
            [b'!'..=b'~', .., b'!'..=b'~'] => self,
            _ => self.part(self.text.trim()),
        }
    }

    /// Its lines, without their ends.
    fn lines(self) -> impl Iterator<Item = Slice<'t>> {
        let mut rest = self.text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (line, after) = match rest.find('\n') {
                Some(end) => {
                    let (line, after) = rest.split_at_checked(end)?;
                    // As `str::lines` does.
                    let bare = line.as_bytes().ends_with(b"\r").then(|| line.get(..line.len() - 1)).flatten();
                    (bare.unwrap_or(line), after.get(1..).unwrap_or_default())
                }
                None => (rest, ""),
            };
            rest = after;
            Some(self.part(line))
        })
    }

    fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(separator)?;
        Some((self.part(before), self.part(after)))
    }

    fn strip_prefix(self, prefix: &str) -> Option<Self> {
        self.text.strip_prefix(prefix).map(|rest| self.part(rest))
    }

    /// What stands before the first blank, and behind it.
    fn split_at_blank(self) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(char::is_whitespace)?;
        Some((self.part(before), self.part(after)))
    }

    /// The first word and what follows the blanks behind it.
    fn word(self) -> (Self, Self) {
        let end = self.text.find(char::is_whitespace).unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at_checked(end).unwrap_or((self.text, ""));
        (self.part(word), self.part(rest.trim_start()))
    }
}
