//! Places of the parser, counted in characters, to spans in bytes.

use saphyr_parser::Marker;

use crate::diagnostic::{FileId, Span};

/// How many characters lie between two remembered offsets.
const STEP: usize = 64;

/// The byte offsets of a text's characters.
pub(super) struct Places<'a> {
    file: FileId,
    text: &'a str,
    /// The offset of every [`STEP`]th character; none where every character is one byte.
    steps: Option<Vec<usize>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(file: FileId, text: &'a str) -> Self {
        let steps = || text.char_indices().step_by(STEP).map(|(offset, _)| offset).collect();
        Self { file, text, steps: if text.is_ascii() { None } else { Some(steps()) } }
    }

    /// The offset in bytes of a marker; the length of the text for one past its end.
    pub(super) fn byte(&self, marker: Marker) -> usize {
        let index = marker.index();
        let Some(steps) = &self.steps else { return index.min(self.text.len()) };
        let Some(start) = steps.get(index / STEP) else { return self.text.len() };
        let rest = self.text.get(*start..).unwrap_or("");
        rest.char_indices().nth(index % STEP).map_or(self.text.len(), |(offset, _)| start + offset)
    }

    /// The span from `start` to `end`, in bytes.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Span { file: self.file, start: narrow(start), len: narrow(end.saturating_sub(start)) }
    }

    /// The span of a parser's span, without blanks at its end.
    pub(super) fn trimmed(&self, span: saphyr_parser::Span) -> Span {
        let (start, end) = (self.byte(span.start), self.byte(span.end));
        let length = self.text.get(start..end).map_or(0, |text| text.trim_end().len());
        self.span(start, start + length)
    }

    /// What a person would point at when something goes wrong at `marker`: the word there, or else
    /// what stands before it.
    pub(super) fn word_at(&self, marker: Marker) -> Span {
        let at = self.byte(marker);
        let (before, after) = (self.text.get(..at).unwrap_or(""), self.text.get(at..).unwrap_or(""));
        let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
        let word = after.find(blank).unwrap_or(after.len());
        if word > 0 {
            return self.span(at, at + word);
        }
        let before = before.trim_end();
        let start = before.rfind(blank).map_or(0, |blank| {
            let rest = before.get(blank..).unwrap_or("");
            blank + rest.chars().next().map_or(0, char::len_utf8)
        });
        self.span(start, before.len())
    }

    /// Where a list of dashes begins that the parser says begins at `start`: for a list as far left as the
    /// key before it, the parser points behind the dash.
    pub(super) fn dash_before(&self, start: usize) -> usize {
        let at_dash = self.text.get(start..).and_then(|text| text.strip_prefix('-'));
        if at_dash.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            return start;
        }
        let before = self.text.get(..start).unwrap_or("").trim_end();
        before.strip_suffix('-').map_or(start, str::len)
    }

    /// The text from a byte on.
    pub(super) fn rest(&self, start: usize) -> &'a str {
        self.text.get(start..).unwrap_or("")
    }

    /// The text of a span.
    pub(super) fn slice(&self, span: Span) -> &'a str {
        let start = span.start as usize;
        self.text.get(start..start + span.len as usize).unwrap_or("")
    }
}
