//! Asking the running machine: programs that list what is loaded. They only read.

use std::io;
use std::process::{Command, Stdio};

/// Why a program gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    /// It is not installed.
    Missing,
    /// Who asks may not.
    NoRights,
    /// Another reason, in the program's words.
    Failed(String),
}

/// What a program prints; bytes that are no UTF-8 are replaced.
///
/// # Errors
/// Why it does not answer.
pub fn listing(program: &str, arguments: &[&str]) -> Result<String, Silence> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| unheard(&error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let refused = ["permission denied", "you must be root", "operation not permitted"];
    let is_refusal = refused.iter().any(|words| said.to_lowercase().contains(words));
    if is_refusal {
        return Err(Silence::NoRights);
    }
    if !output.status.success() {
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing").trim();
        return Err(Silence::Failed(line.to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Why a program could not be run.
fn unheard(error: &io::Error) -> Silence {
    if error.kind() == io::ErrorKind::NotFound {
        Silence::Missing
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        Silence::NoRights
    } else {
        Silence::Failed(crate::cli::failure::reason(error))
    }
}
