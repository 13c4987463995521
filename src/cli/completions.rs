//! `fwc completions`: a script that completes fwc's arguments in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Exit, Failure, args, console};

const EXAMPLES: &str = "Examples:
  fwc completions bash > /etc/bash_completion.d/fwc
  fwc completions zsh > \"${fpath[1]}/_fwc\"
  fwc completions fish > ~/.config/fish/completions/fwc.fish";

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

/// Runs it.
///
/// # Errors
/// Where it cannot be printed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut args::Arguments::command(), "fwc", &mut script);
    console::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Fine)
}
