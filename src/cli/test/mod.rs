//! `fwc test`: the spec's own tests, decided over what the spec means.

mod human;
mod junit;
mod view;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::analysis::claims;

use super::pipeline::Pipeline;
use super::trace::view::Viewer;
use super::{Exit, Failure, Style, console};
use crate::diagnostic::Places;
use view::Report;

const EXAMPLES: &str = "Examples:
  fwc test                                  the tests of the spec in the current folder
  fwc test fleet/ --filter telnet           only those whose name holds `telnet`
  fwc test --format junit > report.xml      for a CI server
  fwc test --format json | jq '.tests[] | select(.result == \"failed\")'

A test says what becomes of every packet that fits it:

  tests:
    - { name: web is public, from: outside, to: vm/100, proto: tcp, dport: 443, expect: accept }
    - { name: only the staff manages hosts, only: +staff, to: host/*, proto: tcp, dport: 8006 }

What fails is shown with a packet that proves it, the hooks on its way and the rule that decides.

Exit status: 0 all passed, 1 a test failed, 2 errors.";

/// Arguments of `test`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    spec: Option<PathBuf>,
    /// Only tests whose name holds this text (one without a name is called `FROM to TO`)
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How the results are written
    #[arg(long, default_value = "human")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// For programs
    Json,
    /// JUnit XML, for CI servers
    Junit,
}

/// Runs it.
///
/// # Errors
/// Where there is no spec, no test of that name, or the answer cannot be printed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut pipeline = Pipeline::run(arguments.spec.as_deref())?;
    if !pipeline.report() {
        return Ok(Exit::Failed);
    }
    let Some(fleet) = &pipeline.fleet else { return Ok(Exit::Failed) };
    let wanted = |title: &str| arguments.filter.as_deref().is_none_or(|text| title.contains(text));
    let outcomes = claims::check(fleet, |claim| wanted(&claim.title()));
    if let Some(text) = &arguments.filter
        && outcomes.is_empty()
        && !fleet.tests.is_empty()
    {
        return Err(Failure::new(format!("no test's name holds `{text}`"))
            .help("names are compared letter by letter; without `--filter` all tests run"));
    }
    let report = Report::new(Viewer { fleet, places: Places(&pipeline.sources) }, &outcomes);
    let answer = match arguments.format {
        Format::Human => human::render(&pipeline.sources, &report, Style::stdout()),
        Format::Json => format!("{:#}\n", serde_json::json!(report)),
        Format::Junit => junit::render(&pipeline.sources, &report)?,
    };
    console::data(&answer)?;
    if report.tests.is_empty() {
        console::say("the spec has no tests: `fwc test --help` shows how to write one\n");
    }
    let exit = if report.failed == 0 { Exit::Fine } else { Exit::No };
    // A large fleet takes a while to free; nobody has to wait for that.
    drop(outcomes);
    std::mem::forget(pipeline);
    Ok(exit)
}
