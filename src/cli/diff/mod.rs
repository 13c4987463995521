//! `fwc diff`: what would change, and why; what a machine has that the spec does not say.

mod base;
pub(super) mod capture;
mod human;
mod json;
mod lines;
pub(super) mod live;
mod machines;
mod markdown;
pub(super) mod node;
mod otherwise;
mod state;
mod text;
pub(super) mod tree;

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use crate::diff::report::Report;

use super::{Exit, Failure, Style, console};

const EXAMPLES: &str = "Examples:
  fwc diff --base origin/main               what this branch changes, and on which machines
  fwc diff --base HEAD~1 --format markdown  the same, as a comment for a pull request
  fwc diff --base v1.4 --text               with the lines of the output files
  fwc diff --against out/                   against an output tree that was committed
  fwc diff --live                           what this machine has loaded, against the spec
  fwc diff --state pm1.rules --host pm1     the same for what `iptables-save` said there
  fwc diff -q --live || echo drift          for scripts: nothing is printed

Exit status: 0 nothing differs, 1 something does, 2 the comparison (or a part of it) could not be made.";

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, group = ArgGroup::new("other").required(true))]
pub struct Arguments {
    /// A YAML file, a folder of them, or `-` for standard input [default: fwc.yaml or fwc/]
    spec: Option<PathBuf>,
    /// Against the spec at this git revision
    #[arg(long, value_name = "REV", group = "other")]
    base: Option<String>,
    /// Against an output tree that `fwc build -o DIR` wrote
    #[arg(long, value_name = "DIR", group = "other")]
    against: Option<PathBuf>,
    /// Against what was captured: iptables-save, ip6tables-save, ebtables-save, ipset save, nft list ruleset (or -j), sysctl -a, .fw files
    #[arg(long, value_name = "FILE", group = "other", num_args = 1..)]
    state: Vec<PathBuf>,
    /// Against what this machine has loaded, as its programs list it
    #[arg(long, group = "other")]
    live: bool,
    /// The host that this machine, or the captured files, are of
    #[arg(long, value_name = "HOST", conflicts_with = "base")]
    host: Option<String>,
    /// Name the chains of others, too
    #[arg(long)]
    foreign: bool,
    /// Where the spec is in that revision, if it is not found by itself
    #[arg(long, value_name = "PATH", requires = "base")]
    base_spec: Option<PathBuf>,
    /// How it is written
    #[arg(long, default_value = "human", value_name = "FORMAT")]
    format: Form,
    /// Show the output files' lines as well
    #[arg(long)]
    text: bool,
    /// Print nothing: the exit status says it
    #[arg(short, long)]
    quiet: bool,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people at a terminal
    Human,
    /// For a comment on a pull request
    Markdown,
    /// For programs
    Json,
}

/// What came of a comparison.
#[derive(Debug)]
struct Outcome {
    /// None where nothing at all could be compared.
    report: Option<Report>,
    /// Whether something failed that was said already.
    failed: bool,
}

/// Runs it.
///
/// # Errors
/// Where nothing can be compared.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let outcome = match &arguments.base {
        Some(revision) => base::compare(arguments, revision)?,
        None if arguments.live => live::compare(arguments)?,
        None => match &arguments.against {
            Some(folder) => machines::against(arguments, folder)?,
            None => state::compare(arguments, &arguments.state)?,
        },
    };
    let Some(report) = outcome.report else { return Ok(Exit::Failed) };
    if !arguments.quiet {
        console::data(&match arguments.format {
            Form::Human => human::render(&report, Style::stdout()),
            Form::Markdown => markdown::render(&report, &whole()),
            Form::Json => json::render(&report),
        })?;
    }
    Ok(match (outcome.failed || report.is_partial(), report.is_same()) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Fine,
        (false, false) => Exit::No,
    })
}

/// This command line, asking for the form that leaves nothing out.
fn whole() -> String {
    let mut words = vec!["fwc".to_owned()];
    let mut given = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = given.next() {
        if word == "--format" {
            given.next();
        } else if !word.starts_with("--format=") {
            words.push(quoted(word));
        }
    }
    words.push("--format json".to_owned());
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: String) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@^~+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
