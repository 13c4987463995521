//! `fwc check`: all that is wrong with a spec, and what it can hardly mean.

mod explain;
mod session;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::analysis::lint;
use crate::target::{Selection, Templates};

use super::pipeline::Pipeline;
use super::{Exit, Failure, Format, Style, console, report};

const EXAMPLES: &str = "Examples:
  fwc check                                 the spec in the current folder
  fwc check fleet/ --deny warnings          for a pull request: warnings fail it
  fwc check --live                          on a host, over SSH: would this session come back?
  fwc check --format json | jq '.diagnostics[].message'
  fwc check --explain                       the lints
  fwc check --explain shadowed              what one of them finds, and why that is bad

Besides what is wrong with a spec, lints look for what it says in vain or can hardly mean: rules
that no packet gets to, names that nothing refers to, a host that locks its administrators out.
What they say holds for all packets and machines. Where it is meant, `allow` at the rule, or at
the zone that holds it, says why:

  rules:
    - { in: accept, macro: SSH, allow: { open-administration: the jump host } }

Exit status: 0 no errors, 1 warnings under `--deny warnings`, 2 errors.";

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    #[arg(conflicts_with = "explain")]
    spec: Option<PathBuf>,
    /// What is not tolerated
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Also ask whether this host of the spec would accept the SSH session that the command runs in
    ///
    /// The session is what SSH says in the environment variable SSH_CONNECTION, which `sudo` takes away unless it is told not
    /// to: `sudo --preserve-env=SSH_CONNECTION fwc check --live`. The host is the spec's only one, or the one with this
    /// machine's name.
    #[arg(long)]
    live: bool,
    /// How findings are written: for people to standard error, as JSON to standard output
    #[arg(long, default_value = "human")]
    format: Format,
    /// Print what a lint finds, why that is bad, and what to do; without a name list all lints
    #[arg(long, value_name = "LINT", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["deny", "live", "format"])]
    explain: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Exit with status 1 where there are warnings
    Warnings,
}

/// Runs it.
///
/// # Errors
/// Where there is no spec, no host that `--live` could mean, no lint of a name, or the answer cannot be printed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    if let Some(name) = &arguments.explain {
        return explain::run(name);
    }
    let mut pipeline = Pipeline::run(arguments.spec.as_deref())?;
    let templates = Templates::new(BTreeMap::new()).map_err(|error| Failure::new(error.to_string()))?;
    pipeline.compile(&Selection::default(), &templates)?;
    let Pipeline { sources, mut diagnostics, fleet } = pipeline;
    if let Some(fleet) = fleet.as_ref().filter(|_| !diagnostics.has_errors()) {
        let session = if arguments.live { session::own(fleet)? } else { None };
        diagnostics.append(lint::check(fleet, session.as_ref()));
    }
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
