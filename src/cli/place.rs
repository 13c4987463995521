//! Places in the spec, as answers show them.

use std::fmt;

use serde::Serialize;

use crate::diagnostic::{SourceMap, Span};

/// A line of the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: u32,
}

/// Gives spans their lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a>(pub(super) &'a SourceMap);

impl Places<'_> {
    pub(super) fn of(&self, span: Span) -> Place {
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
