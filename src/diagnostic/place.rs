//! Places in a file, as answers show them.

use std::fmt;

use serde::Serialize;

use super::{SourceMap, Span};

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Its path, as messages show it.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// Gives spans their lines.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a>(
    /// All files that a span may be in.
    pub &'a SourceMap,
);

impl Places<'_> {
    /// The line that a span begins in.
    #[must_use]
    pub fn of(&self, span: Span) -> Place {
        let (line, _) = self.0.line_column(span);
        Place { file: self.0.path(span.file).display().to_string(), line }
    }
}

impl fmt::Display for Place {
    /// `fwc.yaml:12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
