//! Diagnostics for people: the line, the span underlined, the fix, drawn by miette.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use crate::cli::{Failure, Style};
use crate::diagnostic::{Diagnostic, Diagnostics, Label, Severity, SourceMap, Span};

use super::snippet::Snippet;
use super::{SHOWN, totals};

/// Every finding (at most [`SHOWN`], errors before warnings if there are more), then the totals.
#[must_use]
pub fn findings(sources: &SourceMap, diagnostics: &Diagnostics, style: Style) -> String {
    let handler = handler(style);
    let mut shown: Vec<&Diagnostic> = diagnostics.iter().collect();
    let hidden = shown.len().saturating_sub(SHOWN);
    if hidden > 0 {
        shown.sort_by_key(|diagnostic| diagnostic.severity);
        shown.truncate(SHOWN);
    }
    let mut text = String::new();
    for diagnostic in shown {
        render(&handler, &Report::new(sources, diagnostic), &mut text);
        text.push('\n');
    }
    if hidden > 0 {
        text.push_str(&format!("… and {hidden} more\n\n"));
    }
    text.push_str(&totals(diagnostics));
    text.push('\n');
    text
}

/// Something about places of the spec that is no error in it: an answer. The first label is the main one.
#[must_use]
pub fn finding(sources: &SourceMap, message: &str, labels: &[Label], help: Option<&str>, style: Style) -> String {
    let mut text = String::new();
    render(&handler(style), &Report::at(sources, message, labels, help), &mut text);
    text
}

/// A failure of the command itself.
#[must_use]
pub fn failure(failure: &Failure, style: Style) -> String {
    let mut text = String::new();
    let report = Report {
        code: None,
        severity: Severity::Error,
        message: &failure.message,
        help: failure.help.as_deref(),
        snippet: None,
        labels: Vec::new(),
        others: Vec::new(),
        is_note: false,
    };
    render(&handler(style), &report, &mut text);
    text
}

fn handler(style: Style) -> GraphicalReportHandler {
    let theme = if style.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_break_words(false)
        // Paths, options and commands are not broken at their slashes and hyphens.
        .with_word_separator(textwrap::WordSeparator::AsciiSpace)
        .with_word_splitter(textwrap::WordSplitter::NoHyphenation)
        .with_context_lines(1)
        .with_links(false)
        .without_syntax_highlighting()
        .with_show_related_as_nested(true)
}

fn render(handler: &GraphicalReportHandler, report: &Report<'_>, text: &mut String) {
    let mut drawn = String::new();
    // Writing to a string does not fail; should miette refuse the layout, the message still stands.
    if handler.render_report(&mut drawn, report).is_err() {
        drawn = format!("{report}\n");
    }
    for line in drawn.lines() {
        text.push_str(harmless(line).trim_end());
        text.push('\n');
    }
}

/// The line without control characters, which would reach the terminal; colours pass. Those that reorder text
/// become visible.
#[must_use]
pub fn harmless(line: &str) -> String {
    let is_color = |rest: &str| {
        rest.strip_prefix('[')
            .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
    };
    let keeps = |(at, c): &(usize, char)| match c {
        '\t' => true,
        '\u{1b}' => line.get(at + 1..).is_some_and(is_color),
        _ => !c.is_control(),
    };
    let reorders =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    line.char_indices().filter(keeps).map(|(_, c)| if reorders(c) { '\u{fffd}' } else { c }).collect()
}

/// A diagnostic as miette wants it: the labels of one file, and a further report for every other file.
struct Report<'a> {
    code: Option<&'a str>,
    severity: Severity,
    message: &'a str,
    help: Option<&'a str>,
    snippet: Option<Snippet<'a>>,
    labels: Vec<LabeledSpan>,
    others: Vec<Report<'a>>,
    is_note: bool,
}

impl<'a> Report<'a> {
    fn new(sources: &'a SourceMap, diagnostic: &'a Diagnostic) -> Self {
        Self {
            code: Some(diagnostic.code.as_str()),
            severity: diagnostic.severity,
            ..Self::at(sources, &diagnostic.message, &diagnostic.labels, diagnostic.help.as_deref())
        }
    }

    /// An error without a code.
    fn at(sources: &'a SourceMap, message: &'a str, labels: &'a [Label], help: Option<&'a str>) -> Self {
        let file = labels.first().map_or(Span::default(), |label| label.span).file;
        let here = Snippet { sources, file };
        let (near, far): (Vec<&Label>, Vec<&Label>) = labels.iter().partition(|label| label.span.file == file);
        let labels = near
            .into_iter()
            .zip(0_usize..)
            .map(|(label, index)| {
                let text = Some(label.text.clone()).filter(|text| !text.is_empty());
                let range = here.underlined(label.span);
                let span = (range.start, range.len());
                if index == 0 {
                    LabeledSpan::new_primary_with_span(text, span)
                } else {
                    LabeledSpan::new_with_span(text, span)
                }
            })
            .collect();
        Self {
            code: None,
            severity: Severity::Error,
            message,
            help,
            snippet: Some(here),
            labels,
            others: far.into_iter().map(|label| Self::elsewhere(sources, label)).collect(),
            is_note: false,
        }
    }

    /// A label in another file than the first.
    fn elsewhere(sources: &'a SourceMap, label: &'a Label) -> Self {
        let snippet = Snippet { sources, file: label.span.file };
        let range = snippet.underlined(label.span);
        Self {
            code: None,
            severity: Severity::Warning,
            message: if label.text.is_empty() { "the other place" } else { &label.text },
            help: None,
            snippet: Some(snippet),
            labels: vec![LabeledSpan::new_with_span(None, (range.start, range.len()))],
            others: Vec::new(),
            is_note: true,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match (self.is_note, self.severity) {
            (true, _) => miette::Severity::Advice,
            (false, Severity::Error) => miette::Severity::Error,
            (false, Severity::Warning) => miette::Severity::Warning,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.snippet.as_ref().map(|snippet| snippet as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'b>(&'b self) -> Option<Box<dyn Iterator<Item = &'b dyn miette::Diagnostic> + 'b>> {
        if self.others.is_empty() {
            return None;
        }
        Some(Box::new(self.others.iter().map(|other| other as &dyn miette::Diagnostic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, FileId};

    fn span(sources: &SourceMap, file: FileId, word: &str) -> Span {
        let start = sources.text(file).find(word).unwrap();
        Span { file, start: start as u32, len: word.len() as u32 }
    }

    fn two_files() -> (SourceMap, FileId, FileId) {
        let mut sources = SourceMap::default();
        let a = sources.add("fwc/a.yaml", "version: 1\nhosts:\n  pm1: {}\n  pm2: { inherit: x }\n");
        let b = sources.add("fwc/b.yaml", "# ümläut\nhosts:\n  pm1: { comment: again }\n");
        (sources, a, b)
    }

    #[test]
    fn a_finding_in_two_files_shows_both() {
        let (sources, a, b) = two_files();
        let mut found = Diagnostics::new();
        found.push(
            Diagnostic::error(Code::UnknownName, span(&sources, b, "pm1"), "`hosts.pm1` is given twice")
                .because("again here")
                .label(span(&sources, a, "pm1"), "first here")
                .label(span(&sources, b, "again"), "and this stands beside it")
                .help("keep one"),
        );
        found.push(
            Diagnostic::warning(Code::UnknownKey, span(&sources, a, "inherit"), "unknown key `inherit`")
                .help("did you mean `inherits`?"),
        );
        insta::assert_snapshot!(findings(&sources, &found, Style::PLAIN));
    }

    #[test]
    fn spans_of_any_kind_are_drawn_and_bounded() {
        let mut sources = SourceMap::default();
        let long = format!("key: [{}]\n", "ä, ".repeat(100_000));
        let lines = "rule:\n".repeat(50);
        let file = sources.add("long.yaml", format!("{long}{lines}"));
        let empty = sources.add("empty.yaml", "");
        let length = sources.text(file).len() as u32;
        let mut found = Diagnostics::new();
        let spans = [
            (file, 0, length),
            (file, 150_001, 3),
            (file, length, 0),
            (file, length, 9),
            (empty, 0, 0),
            (file, u32::MAX, u32::MAX),
            (FileId(7), 3, 3),
        ];
        for (file, start, len) in spans {
            found.push(Diagnostic::error(Code::UnknownKey, Span { file, start, len }, "odd span"));
        }
        let text = findings(&sources, &found, Style::PLAIN);
        assert!(text.ends_with("7 errors\n"), "{text}");
        assert!(text.len() < 20_000, "{}", text.len());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn beyond_the_limit_errors_are_shown_before_warnings() {
        let (sources, a, _) = two_files();
        let mut found = Diagnostics::new();
        for number in 0..SHOWN {
            found.push(Diagnostic::warning(Code::UnknownKey, span(&sources, a, "pm2"), format!("warning {number}")));
        }
        found.push(Diagnostic::error(Code::UnknownKey, span(&sources, a, "pm2"), "the error"));
        let text = findings(&sources, &found, Style::PLAIN);
        assert!(text.contains("the error"));
        assert!(text.contains("warning 98\n") && !text.contains("warning 99\n"));
        assert!(text.ends_with("… and 1 more\n\n1 error, 100 warnings\n"), "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut sources = SourceMap::default();
        let file = sources.add("x\u{7}.yaml", "a: \u{1b}]0;title\u{7}\u{9b}2J\r\n");
        let mut found = Diagnostics::new();
        let place = Span { file, start: 0, len: 1 };
        found.push(Diagnostic::error(Code::UnknownKey, place, "see \u{1b}[2J`\u{8}`").help("\u{1b}c"));
        let text = findings(&sources, &found, Style { color: true, width: 80 });
        let odd: Vec<char> = text.chars().filter(|c| c.is_control() && !"\n\t\u{1b}".contains(*c)).collect();
        assert!(odd.is_empty(), "{odd:?}");
        assert!(text.split('\u{1b}').skip(1).all(|rest| rest.starts_with('[') && !rest.starts_with("[2J")), "{text:?}");
        assert!(text.contains("\u{1b}[31"), "{text:?}");
    }

    #[test]
    fn nothing_reorders_the_report() {
        let mut sources = SourceMap::default();
        let file = sources.add("x.yaml", "a: \u{202e}\u{2067}b\n");
        let mut found = Diagnostics::new();
        found.push(Diagnostic::error(Code::BidiControl, Span { file, start: 3, len: 3 }, "see `\u{200f}`"));
        let text = findings(&sources, &found, Style::PLAIN);
        assert!(text.contains("a: \u{fffd}\u{fffd}b") && text.contains("see `\u{fffd}`"), "{text:?}");
        assert!(!text.contains(['\u{202e}', '\u{2067}', '\u{200f}']), "{text:?}");
    }

    #[test]
    fn a_failure_has_no_place() {
        let text = failure(&Failure::new("no spec here").help("name one"), Style::PLAIN);
        assert_eq!(text, "  × no spec here\n  help: name one\n");
    }
}
