//! `fwc check`: all that is wrong with a spec, and nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::target::{Selection, Templates};

use super::pipeline::Pipeline;
use super::{Exit, Failure, Format, Style, console, report};

const EXAMPLES: &str = "Examples:
  fwc check                                 the spec in the current folder
  fwc check fleet/ --deny warnings          for a pull request: warnings fail it
  fwc check --format json | jq '.diagnostics[].message'

Exit status: 0 no errors, 1 warnings under `--deny warnings`, 2 errors.";

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    spec: Option<PathBuf>,
    /// What is not tolerated
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// How findings are written: for people to standard error, as JSON to standard output
    #[arg(long, default_value = "human")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Exit with status 1 where there are warnings
    Warnings,
}

/// Runs it.
///
/// # Errors
/// Where there is no spec, or the answer cannot be printed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut pipeline = Pipeline::run(arguments.spec.as_deref())?;
    let templates = Templates::new(BTreeMap::new()).map_err(|error| Failure::new(error.to_string()))?;
    pipeline.compile(&Selection::default(), &templates)?;
    let Pipeline { sources, mut diagnostics, fleet } = pipeline;
    std::mem::forget(fleet);
    diagnostics.sort();
    match arguments.format {
        Format::Human => console::say(&report::findings(&sources, &diagnostics, Style::stderr())),
        Format::Json => console::data(&format!("{:#}\n", report::document(&sources, &diagnostics)))?,
    }
    Ok(match (diagnostics.has_errors(), diagnostics.is_empty(), arguments.deny) {
        (true, _, _) => Exit::Failed,
        (false, false, Some(Deny::Warnings)) => Exit::No,
        (false, _, _) => Exit::Fine,
    })
}
