//! Programs.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// Runs a program with this input; an error is what it said.
pub fn run(program: &str, arguments: &[&str], input: &str) -> io::Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        // Debian keeps these programs where a plain user's path does not look.
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    let mut pipe = child.stdin.take();
    let text = input.to_owned();
    // A thread of its own, or a program that writes before it has read all could wait for us for ever.
    let writer = std::thread::spawn(move || pipe.as_mut().map_or(Ok(()), |pipe| pipe.write_all(text.as_bytes())));
    let output = child.wait_with_output()?;
    let written = writer.join();
    if output.status.success() {
        if let Ok(written) = written {
            written?;
        }
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {}: {said}", arguments.join(" "))))
}

/// Commands for `ip`, one a line.
pub fn batch(lines: &str) -> io::Result<()> {
    run("ip", &["-batch", "-"], lines).map(|_| ()).map_err(|error| io::Error::other(format!("{error}\n{lines}")))
}
