//! Whether differences are told, once, and nothing else is.

mod golden;
mod owning;
mod shape;
mod spec;

use super::*;
use crate::diagnostic::FileId;
use crate::state::ruleset::Program;
use crate::state::{ipset, iptables, nft};

/// A ruleset of fwc's own files; `sets`: what `ipset.rules` holds.
fn read(program: Program, text: &str, sets: Option<&str>) -> Ruleset {
    let mut ruleset = match program {
        Program::Nft => nft::read(FileId(0), text),
        Program::Iptables | Program::Ip6tables | Program::Ebtables => iptables::read(FileId(0), text, program),
    };
    if let Some((sets, _)) = sets.map(|sets| ipset::read(FileId(0), sets)) {
        for table in ruleset.tables.values_mut() {
            table.sets = sets.clone();
        }
    }
    ruleset
}

/// A comparison in a few lines, for what a test says when it fails.
fn said(comparison: &Comparison) -> String {
    let mut out = String::new();
    for change in &comparison.changes {
        out += &format!("{:?} {:?}\n", change.kind, change.details);
        for rule in &change.old {
            out += &format!("  - {} ({:?})\n", rule.text, rule.comment);
        }
        for rule in &change.new {
            out += &format!("  + {} ({:?})\n", rule.text, rule.comment);
        }
        for place in change.places.iter().take(3) {
            out += &format!("  at {place}\n");
        }
        out += &format!("  at {} places\n", change.places.len());
    }
    out += &format!("missing {:?} different {:?} ", comparison.missing, comparison.different);
    out += &format!("obstacles {:?} unread {:?}", comparison.obstacles, comparison.unread);
    out
}
