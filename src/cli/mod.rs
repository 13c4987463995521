//! The command line: arguments in, files and text out, an exit status.
//!
//! One file per command. All printing of the program happens here, and all reading and writing of
//! files in [`disk`].

mod args;
mod build;
mod check;
mod completions;
mod console;
mod diff;
pub mod disk;
mod exit;
mod failure;
mod import;
mod machine;
mod man;
mod pipeline;
pub mod report;
mod schema;
mod show;
mod sysctl;
mod test;
mod trace;
mod verify;

use std::ffi::OsString;

use clap::{Parser, ValueEnum};

pub use console::Style;
pub use exit::Exit;
pub use failure::Failure;

use args::{Arguments, Command};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

/// Runs the command line `arguments`, the program's name first.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are printed this way too. Where they cannot be, nobody is there to read.
            let _ = error.print();
            return if error.use_stderr() { Exit::Failed } else { Exit::Fine };
        }
    };
    let result = match &arguments.command {
        Command::Build(arguments) => build::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Trace(arguments) => trace::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Sysctl(arguments) => sysctl::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Schema(arguments) => schema::run(arguments),
        Command::Completions(arguments) => completions::run(arguments),
        Command::Man(arguments) => man::run(arguments),
    };
    result.unwrap_or_else(|failure| {
        if !failure.quiet {
            console::say(&report::failure(&failure, Style::stderr()));
        }
        Exit::Failed
    })
}
