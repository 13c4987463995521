//! `fwc schema`: the JSON Schema of the language, and of what fwc prints.

use clap::{Args, ValueEnum};

use crate::spec;

use super::{Exit, Failure, console};

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Of what
    #[arg(default_value = "spec", hide_default_value = true)]
    what: What,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// A spec, or a file of one (the default)
    Spec,
    /// What `fwc diff --format json` prints
    Diff,
}

/// Runs it.
///
/// # Errors
/// Where it cannot be printed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match arguments.what {
        What::Spec => console::data(&format!("{:#}\n", spec::schema()))?,
        What::Diff => console::data(include_str!("../../schema/diff.schema.json"))?,
    }
    Ok(Exit::Fine)
}
