//! Diagnostics as text and as JSON.
//!
//! In: findings and the sources they speak of. Out: a string; nothing is printed here. The time is
//! linear in the number of findings and does not depend on the size of the files.

mod human;
mod json;
mod snippet;

use crate::diagnostic::{Diagnostics, Severity};

pub use human::{failure, finding, findings, harmless};
pub use json::document;

/// How many findings the text form shows before it only counts them.
pub const SHOWN: usize = 100;

/// Numbers of errors and of warnings.
#[must_use]
pub fn count(diagnostics: &Diagnostics) -> (usize, usize) {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    (errors, diagnostics.len() - errors)
}

/// "3 errors, 1 warning"; "no errors, no warnings".
#[must_use]
pub fn totals(diagnostics: &Diagnostics) -> String {
    let (errors, warnings) = count(diagnostics);
    match (errors, warnings) {
        (0, 0) => "no errors, no warnings".to_owned(),
        (0, _) => plural(warnings, "warning"),
        (_, 0) => plural(errors, "error"),
        (_, _) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

/// "1 error", "2 errors".
#[must_use]
pub fn plural(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}
