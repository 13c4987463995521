//! How a command ends.

use std::process::ExitCode;

/// The exit status of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: all is well.
    Fine,
    /// 1: the answer is "no": a difference, a failed test, a kernel setting that loses, warnings under `--deny warnings`.
    No,
    /// 2: the command could not do its work; a spec with errors included.
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::No => Self::from(1),
            Exit::Failed => Self::from(2),
        }
    }
}
