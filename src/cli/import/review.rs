//! The list of what to review, for people: by what is to be done about it, then by file and line.

use std::fmt::Write as _;

use crate::cli::Style;
use crate::cli::report;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceMap, Span};
use crate::import::verify::{Difference, Verified};

/// The kinds, the most urgent first.
const KINDS: [(Code, &str); 4] = [
    (Code::ImportUnknown, "To decide: the files do not say it"),
    (Code::ImportNotCarried, "Enforced today, and not in the spec"),
    (Code::ImportChanged, "In the spec, but not as it stands in the files"),
    (Code::ImportIgnored, "Ignored by Proxmox VE, and not in the spec"),
];

/// How many differences are shown before they are only counted.
const SHOWN: usize = 100;

/// The list.
pub(super) fn list(sources: &SourceMap, found: &Diagnostics, style: Style) -> String {
    let mut out = String::new();
    for (code, title) in KINDS {
        let of_kind: Vec<&Diagnostic> = found.iter().filter(|diagnostic| diagnostic.code == code).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}\n", style.bold(title));
        for diagnostic in of_kind {
            one(&mut out, sources, diagnostic, style);
        }
    }
    out
}

/// Place, line, and what is to be said of it.
fn one(out: &mut String, sources: &SourceMap, diagnostic: &Diagnostic, style: Style) {
    let reason = diagnostic.labels.first().map(|label| label.text.as_str()).filter(|text| !text.is_empty());
    // What every entry of a kind says stands above them.
    let message = match (diagnostic.code, reason) {
        (Code::ImportIgnored | Code::ImportChanged | Code::ImportNotCarried, Some(reason)) => reason,
        _ => diagnostic.message.as_str(),
    };
    let line = line(sources, diagnostic.span());
    let _ = write!(out, "  {}", style.dim(&place(sources, diagnostic.span())));
    let _ = if line.is_empty() { writeln!(out) } else { writeln!(out, "  {line}") };
    let _ = writeln!(out, "    {message}");
    for label in diagnostic.labels.iter().skip(1) {
        let _ = writeln!(out, "    {}: {}", label.text, place(sources, label.span));
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "    {}", style.dim(help));
    }
    out.push('\n');
}

fn place(sources: &SourceMap, span: Span) -> String {
    let (line, _) = sources.line_column(span);
    format!("{}:{line}", sources.path(span.file).display())
}

/// The line that a span begins in, up to what fits.
fn line(sources: &SourceMap, span: Span) -> String {
    if span.len == 0 {
        return String::new();
    }
    let text = sources.text(span.file);
    let start = usize::try_from(span.start).unwrap_or(usize::MAX);
    let before = text.get(..start).unwrap_or_default();
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(begin..).unwrap_or_default().lines().next().unwrap_or_default().trim();
    let plain: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.chars().count() <= 100 { plain } else { plain.chars().take(99).chain(['…']).collect() }
}

/// What a comparison found, and whether that is nothing.
pub(super) fn verified(sources: &SourceMap, verified: &Verified, style: Style) -> (String, bool) {
    match verified {
        Verified::Compared(differences) if differences.is_empty() => {
            ("verified: nothing differs between the files and what the spec compiles to\n".to_owned(), true)
        }
        Verified::Compared(differences) => {
            let mut out = format!("{}\n\n", style.bold("What the spec compiles to differs from the files"));
            for difference in differences.iter().take(SHOWN) {
                self::difference(&mut out, sources, difference, style);
            }
            if let Some(more) = differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                let _ = writeln!(out, "  and {more} more\n");
            }
            let _ = writeln!(out, "not verified: {}", report::plural(differences.len(), "difference"));
            (out, false)
        }
        Verified::DoesNotCompile(spec, found) => {
            let mut out = report::findings(spec, found, style);
            out.push_str("not verified: the spec does not compile for Proxmox VE\n");
            (out, false)
        }
    }
}

fn difference(out: &mut String, sources: &SourceMap, difference: &Difference, style: Style) {
    let _ = writeln!(out, "  {}  {}", style.dim(&place(sources, difference.place)), difference.message);
    let _ = writeln!(out, "    today     {}", difference.before);
    let _ = writeln!(out, "    compiled  {}\n", difference.after);
}
