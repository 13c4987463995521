//! The `fwc` command: arguments in, exit status out.

use std::process::ExitCode;

fn main() -> ExitCode {
    fwc::cli::run(std::env::args_os()).into()
}
