//! What users read of lints: the opening comment of each one's file.

use crate::diagnostic::Code;

macro_rules! files {
    ($($code:ident => $file:literal,)+) => {
        const FILES: &[(Code, &str)] = &[$((Code::$code, include_str!($file)),)+];
    };
}

files! {
    ContradictedByGuardrail => "contradicted_by_guardrail.rs",
    HiddenDefinition => "hidden_definition.rs",
    LockOut => "lock_out.rs",
    NeverMatching => "never_matching.rs",
    OpenAdministration => "open_administration.rs",
    OverBudget => "over_budget.rs",
    Redundant => "redundant.rs",
    Shadowed => "shadowed.rs",
    UnusedAlias => "unused_alias.rs",
    UnusedAllow => "unused_allow.rs",
    UnusedGroup => "unused_group.rs",
    UnusedIpset => "unused_ipset.rs",
    UnusedZone => "unused_zone.rs",
}

/// The lints, by name.
pub fn documented() -> impl Iterator<Item = Code> {
    FILES.iter().map(|(code, _)| *code)
}

/// What a lint finds, why that is bad, an example and what to do, in Markdown; none for a code that is no lint's.
#[must_use]
pub fn documentation(lint: Code) -> Option<String> {
    let (_, source) = FILES.iter().find(|(code, _)| *code == lint)?;
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    Some(lines.join("\n") + "\n")
}
