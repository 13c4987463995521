//! Characters that reorder the text around them, so that people read something else than is there.
//!
//! Comments of a spec reach the output files, and all of it is reviewed: none of these may stand anywhere in
//! it. The set is Unicode's property Bidi_Control.

use crate::diagnostic::{Code, Diagnostic, Span};

/// Whether a character is there for the order of other characters alone.
pub(in crate::spec) const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is to be said of one.
pub(in crate::spec) fn bidi_control(c: char, span: Span) -> Diagnostic {
    let message = format!("the invisible character U+{:04X} changes the order in which text is shown", u32::from(c));
    Diagnostic::error(Code::BidiControl, span, message)
        .help("remove it; right-to-left text is shown as such without it")
}

/// Each of them in a text, with its offset in bytes.
pub(super) fn controls(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    // Bytes first: 0xD8 begins U+061C, and 0xE2 begins the others.
    let suspect = text.bytes().any(|byte| matches!(byte, 0xd8 | 0xe2));
    let text = if suspect { text } else { "" };
    text.char_indices().filter(|(_, c)| is_bidi_control(*c))
}
