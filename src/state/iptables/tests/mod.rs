//! What is the same in other words, what is not, and that nothing is swallowed.

#![expect(clippy::string_slice, reason = "a test fails by panicking")]

mod golden;
mod spellings;
mod structure;

use super::*;
use crate::state::ruleset::{Rule, Test, Value};

/// A text without what tells only where things stand.
fn ruleset(text: &str, program: Program) -> Ruleset {
    let mut found = read(FileId(0), text, program);
    for chain in found.tables.values_mut().flat_map(|table| table.chains.values_mut()) {
        chain.span = Span::default();
        for rule in &mut chain.rules {
            rule.span = Span::default();
        }
    }
    found
}

/// The rules of one line, which must be read.
fn rules(program: Program, rule: &str) -> Vec<Rule> {
    let found = ruleset(&format!("*filter\n:c - [0:0]\n-A c {rule}\nCOMMIT\n"), program);
    assert_eq!(found.unread, [], "{rule}");
    found.tables.into_values().flat_map(|mut table| table.chains.remove("c").unwrap().rules).collect()
}

fn rule(program: Program, text: &str) -> Rule {
    rules(program, text).remove(0)
}

/// The reasons for what cannot be read, each with its line.
fn unread(text: &str, program: Program) -> Vec<(String, String)> {
    let found = read(FileId(0), text, program);
    let line = |span: Span| text[span.start as usize..][..span.len as usize].to_owned();
    found.unread.iter().map(|unread| (line(unread.span), unread.reason.clone())).collect()
}
