//! Words of a spec as Markdown that shows them and does nothing else.
//!
//! In: any text. Out: one line of Markdown or HTML. Promise: on GitHub and on GitLab it ends no table cell, fence or fold,
//! makes no markup, mentions nobody and refers to nothing.

/// Characters of one name or line before it is cut.
const LONGEST: usize = 600;

/// One line of bounded length: control characters and those that turn the direction of writing are replaced.
pub(super) fn line(text: &str) -> String {
    let shown = |c: char| {
        let unseen =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        match c {
            '\n' | '\r' => ' ',
            '\t' => c,
            _ if c.is_control() || unseen => '\u{fffd}',
            _ => c,
        }
    };
    let mut line: String = text.chars().take(LONGEST).map(shown).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line.truncate(line.trim_end().len());
    line
}

/// As code in a line of Markdown, table cells included.
pub(super) fn code(text: &str) -> String {
    let line = line(text);
    // A code span takes everything else as it is; HTML takes these too, once they are escaped.
    if line.is_empty() || line.contains(['`', '|', '\\']) || line.starts_with([' ', '\t']) {
        return html_code(&line);
    }
    format!("`{line}`")
}

/// As code where HTML is read: in a summary.
pub(super) fn html_code(text: &str) -> String {
    let mut escaped = String::new();
    for c in line(text).chars() {
        if c.is_ascii_alphanumeric() || !c.is_ascii() || " ./:-,+=".contains(c) {
            escaped.push(c);
        } else {
            escaped.push_str(&format!("&#{};", u32::from(c)));
        }
    }
    format!("<code>{escaped}</code>")
}

/// Text for people in which words between backticks are code, for a line of Markdown that it does not begin.
pub(super) fn prose(text: &str) -> String {
    let line = line(text);
    let parts: Vec<&str> = line.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return plain(&line);
    }
    let piece = |(at, part): (usize, &&str)| match (at % 2, part.is_empty()) {
        (0, _) => plain(part),
        (_, true) => plain("``"),
        (_, false) => code(part),
    };
    parts.iter().enumerate().map(piece).collect()
}

/// Text without any markup; what both sites take for references after rendering is broken by a character that is not seen.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() && !".,:;/-()'".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
        if "@#!$%~&".contains(c) {
            escaped.push('\u{200b}');
        }
    }
    escaped
}

/// Lines as a fenced block that none of them can end.
pub(super) fn fence(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat((longest + 1).max(3))
}
