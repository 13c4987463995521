//! The words of nft's language.
//!
//! In: text, or the words that a JSON form is translated to. Out: tokens, and a [`Cursor`] to read them by. Promise: all that
//! stands in the text is in a token, but for blanks and comments.

use std::borrow::Cow;

use crate::diagnostic::{FileId, Span};
use crate::state::Unread;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A word or a sign.
    Bare,
    /// A quoted text, without its quotes.
    Text,
    /// A line's end or a semicolon.
    End,
}

/// A word, a sign, a quoted text, or the end of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub mark: Mark,
    pub text: Cow<'t, str>,
    /// The first byte in the file, and the one behind the last.
    pub place: (usize, usize),
}

impl Token<'_> {
    /// Whether it is this word or sign, not quoted.
    pub(super) fn is(&self, text: &str) -> bool {
        self.mark == Mark::Bare && self.text == text
    }

    pub(super) fn is_end(&self) -> bool {
        self.mark == Mark::End
    }
}

/// The bytes from one token to another.
pub(super) fn span(file: FileId, from: usize, to: usize) -> Span {
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Span { file, start: narrow(from), len: narrow(to.saturating_sub(from)) }
}

/// Where tokens stand; nothing where there are none.
pub(super) fn span_of(file: FileId, tokens: &[Token<'_>]) -> Span {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => span(file, first.place.0, last.place.1),
        (_, _) => span(file, 0, 0),
    }
}

/// Signs that end a word, longest first.
const SIGNS: &[&str] =
    &["==", "!=", "<=", ">=", "<<", ">>", "{", "}", "(", ")", ",", "|", "&", "^", "=", "<", ">", "!"];

/// Splits a text; what is wrong with it goes to `unread`.
pub(super) fn tokens<'t>(file: FileId, text: &'t str, unread: &mut Vec<Unread>) -> Vec<Token<'t>> {
    let mut found = Vec::with_capacity(text.len() / 6);
    let mut rest = text;
    let at = |rest: &str| text.len().saturating_sub(rest.len());
    while let Some(first) = rest.chars().next() {
        let start = at(rest);
        let mut push = |mark: Mark, inner: &'t str, after: &str| {
            found.push(Token { mark, text: Cow::Borrowed(inner), place: (start, at(after)) });
        };
        if let Some(after) = rest.strip_prefix("\\\n").or_else(|| rest.strip_prefix("\\\r\n")) {
            rest = after;
        } else if let Some(after) = rest.strip_prefix(['\n', ';']) {
            // One end after another says no more than one.
            if !found.last().is_some_and(Token::is_end) {
                found.push(Token { mark: Mark::End, text: Cow::Borrowed(""), place: (start, at(after)) });
            }
            rest = after;
        } else if first.is_whitespace() {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
        } else if first == '#' {
            let (comment, after) = cut(rest, |c| c == '\n');
            // Old versions of nft list what they cannot translate as a comment.
            if comment.starts_with("# xt_") {
                push(Mark::Text, comment.trim_end(), after);
            }
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('"') {
            let (text, after) = quoted(inside);
            let closed = after.strip_prefix('"');
            if closed.is_none() {
                let reason = "a quoted text is not closed".to_owned();
                unread.push(Unread { span: span(file, start, at(after)), reason });
            }
            rest = closed.unwrap_or(after);
            push(Mark::Text, text, rest);
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            let (sign, after) = rest.split_at_checked(sign.len()).unwrap_or((rest, ""));
            push(Mark::Bare, sign, after);
            rest = after;
        } else {
            let (word, after) = word(rest);
            push(Mark::Bare, word, after);
            rest = after;
        }
    }
    found
}

/// What stands before the first character that ends it, and the rest.
fn cut(text: &str, ends: impl FnMut(char) -> bool) -> (&str, &str) {
    let end = text.find(ends).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// A quoted text behind its first quote, and what follows, which begins with the closing quote if there is one.
///
/// nft lists a quote inside a text as it is: the one that closes stands before a blank or a sign.
fn quoted(text: &str) -> (&str, &str) {
    // A prefix or a comment has 128 bytes at most.
    const LONG: usize = 1024;
    let mut first = None;
    let mut rest = text.char_indices().take_while(|(_, c)| *c != '\n').take(LONG).peekable();
    while let Some((at, c)) = rest.next() {
        if c == '"' {
            first.get_or_insert(at);
            if rest.peek().is_none_or(|(_, next)| next.is_whitespace() || ",;:{}#".contains(*next)) {
                return text.split_at_checked(at).unwrap_or((text, ""));
            }
        }
    }
    match first {
        Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
        None => cut(text, |c| c == '"' || c == '\n'),
    }
}

/// The word that a text begins with, of at least one character.
fn word(text: &str) -> (&str, &str) {
    let ends = |c: char| c.is_whitespace() || ";\"#{}(),|&^=<>!\\".contains(c);
    let (word, rest) = cut(text, ends);
    if word.is_empty() {
        // A backslash that continues no line.
        let first = text.chars().next().map_or(0, char::len_utf8);
        return text.split_at_checked(first).unwrap_or((text, ""));
    }
    // `22: accept`, but not `2001:db8::`.
    match word.strip_suffix(':') {
        Some(before) if !before.is_empty() && !before.ends_with(':') => {
            text.split_at_checked(before.len()).unwrap_or((word, rest))
        }
        Some(_) | None => (word, rest),
    }
}

/// Reads tokens one by one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a, 't> {
    rest: &'a [Token<'t>],
}

impl<'a, 't> Cursor<'a, 't> {
    pub(super) const fn new(tokens: &'a [Token<'t>]) -> Self {
        Self { rest: tokens }
    }

    pub(super) const fn rest(&self) -> &'a [Token<'t>] {
        self.rest
    }

    pub(super) const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<&'a Token<'t>> {
        self.rest.first()
    }

    /// The text of the token that comes `ahead` after the next; empty for a quoted one, or where there is none.
    pub(super) fn bare(&self, ahead: usize) -> &'a str {
        self.rest.get(ahead).filter(|token| token.mark == Mark::Bare).map_or("", |token| &token.text)
    }

    pub(super) fn next(&mut self) -> Option<&'a Token<'t>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes the next token's text, quoted or not.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.next().map(|token| &*token.text)
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Takes these words, if they come next.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let here = words.iter().enumerate().all(|(ahead, word)| self.bare(ahead) == *word);
        if here {
            self.skip(words.len());
        }
        here
    }

    /// Takes tokens up to the first that `ends`, which stays.
    pub(super) fn until(&mut self, ends: impl Fn(&Token<'t>) -> bool) -> &'a [Token<'t>] {
        let count = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Takes what stands between braces, the next token being the opening one; all of the rest where none closes it.
    pub(super) fn braces(&mut self) -> &'a [Token<'t>] {
        self.skip(1);
        let mut depth = 0_usize;
        let inside = |token: &Token<'t>| {
            if token.is("{") {
                depth += 1;
            } else if token.is("}") {
                if depth == 0 {
                    return true;
                }
                depth -= 1;
            }
            false
        };
        let count = self.rest.iter().position(inside).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.rest = rest.get(1..).unwrap_or_default();
        taken
    }
}

/// Tokens as they may be written, with one blank between.
pub(super) fn join(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    for token in tokens.iter().filter(|token| !token.is_end()) {
        if !text.is_empty() {
            text.push(' ');
        }
        match token.mark {
            Mark::Text => text.extend(["\"", &token.text, "\""]),
            Mark::Bare | Mark::End => text.push_str(&token.text),
        }
    }
    text
}
