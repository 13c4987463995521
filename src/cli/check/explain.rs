//! `fwc check --explain`: what lints, and other codes of findings, are about.

use std::fmt::Write;

use crate::analysis::lint;
use crate::diagnostic::{Code, did_you_mean};

use crate::cli::{Exit, Failure, console};

/// Prints one lint's documentation, or the list of all where the name is empty.
pub(super) fn run(name: &str) -> Result<Exit, Failure> {
    if name.is_empty() {
        console::data(&list())?;
        return Ok(Exit::Fine);
    }
    let names = || lint::documented().filter_map(Code::lint_name);
    let plain = name.strip_prefix("lint::").unwrap_or(name);
    if let Some(code) = Code::ALL.iter().find(|code| code.as_str() == name && code.lint_name().is_none()) {
        console::data(&format!("# {name}\n\n{}", unindented(code.meaning())))?;
        return Ok(Exit::Fine);
    }
    let Some(text) = Code::lint(plain).and_then(lint::documentation) else {
        return Err(Failure::new(format!("no lint is named `{name}`")).help(did_you_mean(plain, "lints", names())));
    };
    console::data(&format!("# {plain}\n\n{text}"))?;
    Ok(Exit::Fine)
}

/// The sentences of a code that is no lint's, each of their lines without the space before it.
fn unindented(meaning: &str) -> String {
    meaning.lines().map(|line| format!("{}\n", line.trim_start())).collect()
}

/// Every lint with the first line of its documentation.
fn list() -> String {
    let mut text = String::new();
    for code in lint::documented() {
        let documentation = lint::documentation(code).unwrap_or_default();
        let first = documentation.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:<28} {first}", code.lint_name().unwrap_or_default());
    }
    text
}
