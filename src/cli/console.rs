//! The two streams of the terminal: data to standard output, all else to standard error.
//!
//! In: finished text. Promise: a reader that goes away never makes fwc panic.

use std::io::{self, IsTerminal, Write};

use super::Failure;

/// How text for a stream is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether escape codes for colour are wanted.
    pub color: bool,
    /// Columns, at least 40.
    pub width: usize,
}

impl Style {
    /// No colour, 100 columns: what a pipe or a file gets.
    pub const PLAIN: Self = Self { color: false, width: 100 };

    /// For standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::of(&io::stdout())
    }

    /// For standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self::of(&io::stderr())
    }

    fn of<S: IsTerminal + std::os::fd::AsFd>(stream: &S) -> Self {
        if !stream.is_terminal() {
            return Self::PLAIN;
        }
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let columns = rustix::termios::tcgetwinsize(stream).map_or(0, |size| usize::from(size.ws_col));
        let width = if columns == 0 { Self::PLAIN.width } else { columns.clamp(40, 160) };
        Self { color: !set("NO_COLOR") && !dumb, width }
    }

    /// `text` in bold.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// `text` in a faint colour.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// `text` between escape codes, where colour is on.
    #[must_use]
    pub fn paint(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Writes data to standard output, all of it.
///
/// # Errors
/// Where it cannot be written; quiet, where the reader has gone.
pub fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| Failure::stdout(&error))
}

/// Writes to standard error. Where that fails there is nobody to tell.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
