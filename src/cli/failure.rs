//! Why a command could not do its work, where that is no finding about the spec.

use std::fmt;
use std::io;
use std::path::Path;

/// A message in lower case without a full stop, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// The fix.
    pub help: Option<String>,
    /// Nobody is left to read it: whoever read our output has closed it.
    pub quiet: bool,
}

impl Failure {
    /// A failure without a fix.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, quiet: false }
    }

    /// Sets the fix.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// `doing` (such as "cannot read") failed at `path`.
    #[must_use]
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(format!("{doing} `{}`: {}", path.display(), reason(error)))
    }

    /// Writing to standard output failed.
    #[must_use]
    pub fn stdout(error: &io::Error) -> Self {
        let quiet = error.kind() == io::ErrorKind::BrokenPipe;
        Self { quiet, ..Self::new(format!("cannot write to standard output: {}", reason(error))) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The system's words for an error, in our style: lower case, no number.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut characters = text.chars();
    match characters.next() {
        // "I/O error" and the like keep their capitals.
        Some(first) if characters.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(characters).collect()
        }
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_lose_their_number() {
        assert_eq!(reason(&io::Error::from_raw_os_error(13)), "permission denied");
        assert_eq!(reason(&io::Error::other("I/O gone")), "I/O gone");
        assert_eq!(reason(&io::Error::other("")), "");
    }
}
