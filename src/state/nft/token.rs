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
    pub place: (u32, u32),
}

impl Token<'_> {
    /// Whether it is this word or sign, not quoted.
    #[inline]
    pub(super) fn is(&self, text: &str) -> bool {
        self.mark == Mark::Bare && self.text == text
    }

    #[inline]
    pub(super) fn is_end(&self) -> bool {
        self.mark == Mark::End
    }

    /// Its text; empty for a quoted one.
    #[inline]
    pub(super) fn bare(&self) -> &str {
        if self.mark == Mark::Bare { &self.text } else { "" }
    }
}

/// A place in a file; no file is longer.
fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The bytes from one token to another.
pub(super) fn span(file: FileId, from: usize, to: usize) -> Span {
    Span { file, start: narrow(from), len: narrow(to.saturating_sub(from)) }
}

/// Where tokens stand; nothing where there are none.
pub(super) fn span_of(file: FileId, tokens: &[Token<'_>]) -> Span {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => {
            Span { file, start: first.place.0, len: last.place.1.saturating_sub(first.place.0) }
        }
        (_, _) => span(file, 0, 0),
    }
}

/// What a character outside of quotes begins, by its byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A word, or a part of one.
    Word,
    /// A blank, but for a line's end.
    Blank,
    /// A line's end or a semicolon.
    End,
    /// A sign, of one character or two.
    Sign,
    Comment,
    Quote,
    Backslash,
    /// A part of a character that is not ASCII.
    Other,
}

/// The class of each byte, at hand.
struct Classes([Class; 256]);

impl Classes {
    fn new() -> Self {
        Self(std::array::from_fn(|byte| u8::try_from(byte).map_or(Class::Other, class)))
    }

    #[inline]
    fn of(&self, byte: u8) -> Class {
        self.0.get(usize::from(byte)).copied().unwrap_or(Class::Other)
    }

    /// How many bytes of a text are of a class before the first of another one.
    fn run(&self, text: &str, class: Class) -> usize {
        text.as_bytes().iter().position(|byte| self.of(*byte) != class).unwrap_or(text.len())
    }
}

const fn class(byte: u8) -> Class {
    match byte {
        b'\n' | b';' => Class::End,
        b' ' | 0x09..=0x0d => Class::Blank,
        b'{' | b'}' | b'(' | b')' | b',' | b'|' | b'&' | b'^' | b'=' | b'<' | b'>' | b'!' => Class::Sign,
        b'#' => Class::Comment,
        b'"' => Class::Quote,
        b'\\' => Class::Backslash,
        0x80.. => Class::Other,
        _ => Class::Word,
    }
}

/// Splits a text; what is wrong with it goes to `unread`.
pub(super) fn tokens<'t>(file: FileId, text: &'t str, unread: &mut Vec<Unread>) -> Vec<Token<'t>> {
    let mut found: Vec<Token<'t>> = Vec::with_capacity(text.len() / 6);
    let classes = Classes::new();
    let mut start = 0;
    while let Some(first) = text.as_bytes().get(start) {
        let class = classes.of(*first);
        if class == Class::Blank {
            start += 1;
            continue;
        }
        let rest = text.get(start..).unwrap_or_default();
        let mut push = |mark: Mark, inner: &'t str, length: usize| {
            found.push(Token { mark, text: Cow::Borrowed(inner), place: (narrow(start), narrow(start + length)) });
        };
        start += match class {
            Class::Word => {
                let word = word(&classes, rest);
                push(Mark::Bare, word, word.len());
                word.len()
            }
            Class::Blank => 1,
            Class::End => {
                // One end after another says no more than one.
                if !found.last().is_some_and(Token::is_end) {
                    let place = (narrow(start), narrow(start + 1));
                    found.push(Token { mark: Mark::End, text: Cow::Borrowed(""), place });
                }
                1
            }
            Class::Sign => {
                let length = sign(rest);
                push(Mark::Bare, rest.get(..length).unwrap_or_default(), length);
                length
            }
            Class::Comment => {
                let (comment, _) = cut(rest, |c| c == '\n');
                // Old versions of nft list what they cannot translate as a comment.
                if comment.starts_with("# xt_") {
                    push(Mark::Text, comment.trim_end(), comment.len());
                }
                comment.len()
            }
            Class::Quote => {
                let (inside, after) = quoted(rest.get(1..).unwrap_or_default());
                let closed = after.starts_with('"');
                let length = 1 + inside.len() + usize::from(closed);
                if !closed {
                    let reason = "a quoted text is not closed".to_owned();
                    unread.push(Unread { span: span(file, start, start + length), reason });
                }
                push(Mark::Text, inside, length);
                length
            }
            Class::Backslash | Class::Other => {
                let joins = ["\\\n", "\\\r\n"].into_iter().find(|joins| rest.starts_with(joins));
                if let Some(joins) = joins {
                    joins.len()
                } else if rest.starts_with(char::is_whitespace) {
                    rest.chars().next().map_or(1, char::len_utf8)
                } else {
                    let word = word(&classes, rest);
                    push(Mark::Bare, word, word.len());
                    word.len()
                }
            }
        };
    }
    found
}

/// The length of the sign that a text begins with.
fn sign(text: &str) -> usize {
    match text.as_bytes() {
        [b'=' | b'!' | b'<' | b'>', b'=', ..] | [b'<', b'<', ..] | [b'>', b'>', ..] => 2,
        _ => 1,
    }
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
    // Most are short, and have no other quote.
    let bytes = text.as_bytes();
    let near = bytes.get(..LONG).unwrap_or(bytes);
    if let Some(at) = near.iter().position(|byte| matches!(byte, b'"' | b'\n'))
        && bytes.get(at) == Some(&b'"')
        && bytes.get(at + 1).is_none_or(|next| next.is_ascii_whitespace() || b",;:{}#".contains(next))
    {
        return text.split_at_checked(at).unwrap_or((text, ""));
    }
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
fn word<'t>(classes: &Classes, text: &'t str) -> &'t str {
    let ends = |c: char| match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => classes.of(byte) != Class::Word,
        Ok(_) | Err(_) => c.is_whitespace(),
    };
    let plain = classes.run(text, Class::Word);
    let end = match text.as_bytes().get(plain) {
        Some(0x80..) => text.find(ends).unwrap_or(text.len()),
        Some(_) | None => plain,
    };
    if end == 0 {
        // A backslash that continues no line.
        return text.get(..text.chars().next().map_or(0, char::len_utf8)).unwrap_or_default();
    }
    let word = text.get(..end).unwrap_or_default();
    // `22: accept`, but not `2001:db8::`.
    match word.as_bytes() {
        [before @ .., b':'] if before.last().is_some_and(|byte| *byte != b':') => {
            word.get(..before.len()).unwrap_or(word)
        }
        _ => word,
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

    #[inline]
    pub(super) const fn rest(&self) -> &'a [Token<'t>] {
        self.rest
    }

    #[inline]
    pub(super) const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<&'a Token<'t>> {
        self.rest.first()
    }

    /// The text of the token that comes `ahead` after the next; empty for a quoted one, or where there is none.
    #[inline]
    pub(super) fn bare(&self, ahead: usize) -> &'a str {
        self.rest.get(ahead).map_or("", Token::bare)
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<&'a Token<'t>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes the next token's text, quoted or not.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.next().map(|token| &*token.text)
    }

    #[inline]
    pub(super) fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Takes these words, if they come next.
    #[inline]
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
