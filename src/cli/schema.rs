//! `fwc schema`: the JSON Schema of the language.

use crate::spec;

use super::{Exit, Failure, console};

/// Runs it.
///
/// # Errors
/// Where it cannot be printed.
pub fn run() -> Result<Exit, Failure> {
    console::data(&format!("{:#}\n", spec::schema()))?;
    Ok(Exit::Fine)
}
