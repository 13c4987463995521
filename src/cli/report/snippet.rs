//! The lines of a file around a span, for miette.
//!
//! miette's own reader walks a file from its start for every label; this one finds lines by the
//! source map's index, and bounds what it shows of very long lines and of spans over many lines.

use std::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::diagnostic::{FileId, SourceMap, Span};

/// Lines of a span that are underlined; a longer span is shown by its first line.
const LINES: usize = 6;
/// Bytes of one line that are shown on each side of a span's first byte.
const WINDOW: usize = 240;

/// One file of a source map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snippet<'a> {
    pub(super) sources: &'a SourceMap,
    pub(super) file: FileId,
}

impl Snippet<'_> {
    /// The bytes that are underlined for `span`: within the file, on character boundaries, not too many.
    pub(super) fn underlined(&self, span: Span) -> Range<usize> {
        let text = self.sources.text(self.file);
        let start = floor(text, span.start as usize);
        let end = ceil(text, start.max(start.saturating_add(span.len as usize)));
        let inside = text.get(start..end).unwrap_or("").trim_end();
        let first = inside.lines().next().unwrap_or("");
        let whole = if inside.lines().nth(LINES).is_some() { first } else { inside };
        let shown = if whole.lines().any(|line| line.len() > WINDOW) {
            floor(text, start + first.len().min(WINDOW / 2)) - start
        } else {
            whole.len()
        };
        start..start + shown
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0)
}

/// The nearest character boundary at or after `at`.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|index| text.is_char_boundary(*index)).unwrap_or(text.len())
}

/// Where the line of `at` begins, `more` lines further up; never more than a window away.
fn begin(text: &str, at: usize, more: usize) -> usize {
    let before = text.get(..at).unwrap_or("");
    let start = before.rmatch_indices('\n').nth(more).map_or(0, |(index, _)| index + 1);
    if at - start > WINDOW * (more + 1) { floor(text, at - WINDOW) } else { start }
}

/// Where the line of `at` ends (its newline included), `more` lines further down; bounded likewise.
fn end(text: &str, at: usize, more: usize) -> usize {
    let after = text.get(at..).unwrap_or("");
    let end = after.match_indices('\n').nth(more).map_or(text.len(), |(index, _)| at + index + 1);
    if end - at > WINDOW * (more + 1) { ceil(text, at + WINDOW) } else { end }
}

impl SourceCode for Snippet<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = self.sources.text(self.file);
        let stop = span.offset() + span.len();
        let last = floor(text, if span.is_empty() { stop } else { stop - 1 });
        let first = floor(text, span.offset());
        // Without context miette wants the span itself: it asks for its line and column so.
        let from = if context_lines_before == 0 { first } else { begin(text, first, context_lines_before) };
        let to = end(text, last, context_lines_after);
        let shown = text.get(from..to).ok_or(MietteError::OutOfBounds)?;
        let place = Span { file: self.file, start: u32::try_from(from).unwrap_or(u32::MAX), len: 0 };
        let (line, column) = self.sources.line_column(place);
        Ok(Box::new(MietteSpanContents::new_named(
            self.sources.path(self.file).display().to_string(),
            shown.as_bytes(),
            (from, to - from).into(),
            line as usize - 1,
            column as usize - 1,
            shown.lines().count(),
        )))
    }
}
