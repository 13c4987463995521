//! A line to words, as `iptables-restore` splits it.
//!
//! Blanks separate. A double quote begins a part in which blanks are text and a backslash stands before a character that
//! is meant as such; the closing quote ends the word. Outside of quotes a backslash is a character like others.

use std::borrow::Cow;

/// A word of a line: a part of the text where nothing had to be undone.
pub(in crate::state) type Word<'t> = Cow<'t, str>;

/// Replaces what is in `found` by the words of `line`. Without `escapes`, as ipset reads, a backslash is a character anywhere.
///
/// # Errors
/// A quote that nothing closes.
pub(in crate::state) fn split<'t>(line: &'t str, escapes: bool, found: &mut Vec<Word<'t>>) -> Result<(), &'static str> {
    found.clear();
    let mut rest = line;
    loop {
        let bytes = rest.as_bytes();
        // All that ends a word is below what words are made of, but for a few signs.
        let end = match bytes.iter().position(|byte| *byte <= b'"') {
            Some(end) if bytes.get(end).is_some_and(ends) => end,
            Some(_) => bytes.iter().position(ends).unwrap_or(bytes.len()),
            None => bytes.len(),
        };
        let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if behind.as_bytes().first() == Some(&b'"') {
            let (word, behind) = quoted(word, behind, escapes)?;
            found.push(word);
            rest = behind;
            continue;
        }
        if !word.is_empty() {
            found.push(Cow::Borrowed(word));
        }
        match behind.get(1..) {
            Some(behind) => rest = behind,
            None => return Ok(()),
        }
    }
}

/// Whether a byte ends a word, or the part of it before a quote.
#[inline]
const fn ends(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'"')
}

/// A word that a quote is in: what stands before the quote, and all from it on. Gives the word and what follows it.
fn quoted<'t>(before: &'t str, from: &'t str, escapes: bool) -> Result<(Word<'t>, &'t str), &'static str> {
    let unclosed = "a quote is not closed";
    let inner = from.strip_prefix('"').unwrap_or(from);
    let special = inner.find(|c| c == '"' || escapes && c == '\\').ok_or(unclosed)?;
    if let Some((text, behind)) = inner.split_at_checked(special)
        && let Some(behind) = behind.strip_prefix('"')
        && before.is_empty()
    {
        return Ok((Cow::Borrowed(text), behind));
    }
    let mut word = before.to_owned();
    let mut characters = inner.chars();
    loop {
        match characters.next().ok_or(unclosed)? {
            '"' => return Ok((Cow::Owned(word), characters.as_str())),
            '\\' if escapes => word.push(characters.next().ok_or(unclosed)?),
            plain => word.push(plain),
        }
    }
}

/// Adds a word to a text so that it can be read back: in quotes where it has to be.
pub(super) fn push(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    if !word.is_empty() && !word.contains([' ', '\t', '"', '\\']) {
        text.push_str(word);
        return;
    }
    text.push('"');
    for character in word.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, &'static str> {
        let mut found = Vec::new();
        split(line, true, &mut found)?;
        Ok(found.into_iter().map(Cow::into_owned).collect())
    }

    #[test]
    fn words_are_those_of_the_program() {
        assert_eq!(words("-A  c\t-j x ").unwrap(), ["-A", "c", "-j", "x"]);
        assert_eq!(words(r#"--comment "a \"b\" \\ c" -j x"#).unwrap(), ["--comment", r#"a "b" \ c"#, "-j", "x"]);
        assert_eq!(words(r#"a"b c"d"#).unwrap(), ["ab c", "d"]);
        assert_eq!(words(r#"--comment """#).unwrap(), ["--comment", ""]);
        assert_eq!(words(r"a\b 'c d'").unwrap(), [r"a\b", "'c", "d'"]);
        assert_eq!(words("\"für üns\"").unwrap(), ["für üns"]);
        // Signs and bytes below those of words that end none.
        assert_eq!(words("a!b\u{b}c !\t! d\"e!f\"g\u{1c}").unwrap(), ["a!b\u{b}c", "!", "!", "de!f", "g\u{1c}"]);
    }

    #[test]
    fn a_quote_must_be_closed() {
        assert!(words("--comment \"a").is_err());
        assert!(words("--comment \"a\\").is_err());
        assert!(words("\"a\\\"").is_err());
    }

    #[test]
    fn what_is_pushed_reads_back() {
        for word in ["a", "", "a b", r#"a"b\c"#, "ü ö"] {
            let mut text = String::from("x");
            push(&mut text, word);
            assert_eq!(words(&text).unwrap(), ["x", word]);
        }
    }
}
