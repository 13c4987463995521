//! A private network stack: programs that change a firewall change that of nobody else.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a shell script in a fresh network namespace, in a folder. Gives its standard output.
///
/// Panics with all that was said where the script fails, and where root or a program is missing.
pub fn run(folder: &Path, script: &str) -> String {
    try_run(folder, script).unwrap_or_else(|said| panic!("this fails in {}:\n{script}\n{said}", folder.display()))
}

/// As [`run`]; an error is what the script said.
pub fn try_run(folder: &Path, script: &str) -> Result<String, String> {
    let output = Command::new("unshare")
        .args(["-n", "sh", "-euc", script])
        .current_dir(folder)
        // Debian keeps these programs where a plain user's path does not look.
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}\n{}", text(&output.stdout), text(&output.stderr)))
    }
}
