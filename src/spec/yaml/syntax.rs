//! What the YAML parser stumbled over, in words that lead to the fix.

use saphyr_parser::ScanError;

use super::place::Places;
use crate::diagnostic::{Code, Diagnostic, Span};

/// The help for a text that begins with `!`.
pub(super) const QUOTE_EXCLAMATION: &str =
    "YAML takes `!` for a tag; put the text in quotes, as in `\"!198.51.100.7\"`";

const ALIGN: &str =
    "the keys of a map, and the dashes of a list, begin in the same column; check this line's indentation";
const QUOTE: &str = "put the text in quotes if the character belongs to it";

/// Message and help for each of the parser's complaints, found by words in it.
const KNOWN: &[(&[&str], &str, &str)] = &[
    (&["tab"], "a tab where YAML wants spaces", "indent with spaces; YAML forbids tabs there"),
    (
        &["mapping values are not allowed", "illegal placement of ':'"],
        "a `:` where no key can stand",
        "put the text in quotes if the colon belongs to it; else check this line's indentation",
    ),
    (
        &["unknown anchor", "scanning an anchor or alias"],
        "an alias of nothing",
        "YAML takes `*` and `&` for an alias and its anchor; put the text in quotes if they belong to it",
    ),
    (&["parsing a tag", "scanning a tag", "verbatim tag", "tag character", "handle"], "a tag", QUOTE_EXCLAMATION),
    (&["unexpected character"], "a character that cannot begin a value", QUOTE),
    (
        &["flow mapping, did not find expected"],
        "expected `,` or `}`",
        "close the map with `}`, or put a comma between its entries",
    ),
    (&["flow sequence, expected"], "expected `,` or `]`", "close the list with `]`, or put a comma between its values"),
    (&["expected node content"], "expected a value", "write one, or put it in quotes"),
    (&["misplaced bracket"], "a bracket that closes nothing", "remove it, or put the text in quotes"),
    (&["unexpected end of stream", "unexpected document indicator"], "a quote that is never closed", "close it"),
    (
        &["escape"],
        "an escape that YAML does not have",
        "write `\\\\` for a backslash, or use single quotes, where it means itself",
    ),
    (&["hexadecimal number"], "an escape without its digits", "write `\\\\` for a backslash"),
    (&["trailing content"], "text after the closing quote", "put all of it in quotes, or a comma between two values"),
    (&["recursion limit"], "lists or maps nested too deeply", "the language needs a dozen levels at most"),
    (&["byte order mark"], "a byte order mark inside the text", "remove it"),
    (&["directive", "version number"], "a directive that fwc does not take", "remove the line that begins with `%`"),
    (
        &["block sequence entries", "'-' must be followed", "'-' indicator", "\"-\" is only valid", "start with '-'"],
        "a `-` that does not fit here",
        ALIGN,
    ),
    (&["must be followed by a valid YAML whitespace"], "a `:` without a blank after it", "put a blank after the colon"),
    (&["comment"], "a comment that does not fit here", "put a blank before the `#`, and nothing after the comment"),
    (
        &["simple key", "expected key", "mapping keys are not allowed"],
        "expected a key and a colon",
        "write `key: value`, and begin the keys of one map in the same column",
    ),
    (&["ndent"], "a line whose indentation fits nothing above it", ALIGN),
    (&["document"], "text after the end of the document", "remove the line `---` or `...`"),
];

/// JSON writes characters beyond U+FFFF as two escapes, which YAML does not know. `quote` is where the text in
/// quotes begins.
fn surrogate(places: &Places<'_>, quote: Span) -> Option<Diagnostic> {
    let start = quote.start as usize;
    let text = places.rest(start).strip_prefix('"')?;
    let half = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..0xe000).contains(unit))
    };
    // Escapes in turn, up to the closing quote: a backslash takes the next character with it.
    let mut at = 0;
    let (first, rest) = loop {
        at += text.get(at..)?.find(['\\', '"'])?;
        let here = text.get(at..).filter(|here| here.starts_with('\\'))?;
        match half(here) {
            Some(first) => break (first, here.get(6..).unwrap_or("")),
            None => at += 1 + here.chars().nth(1)?.len_utf8(),
        }
    };
    let second = half(rest);
    let whole = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    let help = match whole {
        Some(c) => format!("write `\\U{:08X}`, or the character itself", u32::from(c)),
        None => "write the character itself, or its number as `\\U` and eight digits".to_owned(),
    };
    let start = start + 1 + at;
    let span = places.span(start, start + if whole.is_some() { 12 } else { 6 });
    Some(Diagnostic::error(Code::YamlSyntax, span, "YAML takes no half of a character as an escape").help(help))
}

/// The diagnostic for what the parser says; `open` are the brackets still open, with their places.
pub(super) fn explain(error: &ScanError, places: &Places<'_>, open: Option<Span>) -> Diagnostic {
    let known = KNOWN.iter().find(|(words, _, _)| words.iter().any(|word| error.info().contains(word)));
    let span = places.word_at(*error.marker());
    if let Some(surrogate) = error.info().contains("escape").then(|| surrogate(places, span)).flatten() {
        return surrogate;
    }
    let (message, help) = match known {
        Some((_, message, help)) => ((*message).to_owned(), *help),
        None => (format!("this is not YAML: {}", error.info()), "check brackets, quotes and indentation"),
    };
    // The parser gives up by itself where brackets nest some hundred levels.
    let code = if error.info().contains("recursion limit") { Code::TooLarge } else { Code::YamlSyntax };
    let diagnostic = Diagnostic::error(code, span, message);
    match open {
        Some(open) => {
            let bracket = places.slice(open);
            diagnostic.label(open, "opened here").help(format!("close the `{bracket}`; if it is closed, {help}"))
        }
        None => diagnostic.help(help),
    }
}
