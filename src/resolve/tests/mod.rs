//! Specs in, policies or diagnostics out.

mod claims;
mod errors;
mod graph;
mod hooks;
mod rules;

use crate::diagnostic::{Diagnostic, Diagnostics, SourceMap};
use crate::policy::{Direction, Fleet, GuestPolicy, HostPolicy, RuleList};

/// What a spec says of one rule, for comparisons: identity, and the zone that wrote it.
pub(super) fn rules(list: &RuleList, direction: Direction) -> Vec<String> {
    list.entries()
        .filter(|(entry, _)| entry.rules(direction).next().is_some())
        .map(|(entry, _)| format!("{} {}", entry.origin().zone, entry.origin().identity))
        .collect()
}

/// Loads and resolves; panics with the findings where that fails.
pub(super) fn fleet(yaml: &str) -> Fleet {
    let (fleet, found, sources) = resolve(yaml);
    fleet.unwrap_or_else(|| panic!("{}", listing(&found, &sources)))
}

/// The findings of a spec as `code | message | underlined text | help`.
pub(super) fn findings(yaml: &str) -> Vec<String> {
    let (_, found, sources) = resolve(yaml);
    found.iter().map(|diagnostic| line(diagnostic, &sources)).collect()
}

/// The one finding of a spec and the text under each of its labels.
pub(super) fn finding(yaml: &str) -> (Diagnostic, Vec<String>) {
    let (_, found, sources) = resolve(yaml);
    assert_eq!(found.len(), 1, "{}", listing(&found, &sources));
    let diagnostic = found.iter().next().cloned().unwrap();
    let labels = diagnostic.labels.iter().map(|label| sources.slice(label.span).to_owned()).collect();
    (diagnostic, labels)
}

pub(super) fn guest(host: &HostPolicy, id: u32) -> &GuestPolicy {
    host.guests.iter().find(|guest| guest.id == id).unwrap()
}

fn resolve(yaml: &str) -> (Option<Fleet>, Diagnostics, SourceMap) {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", yaml);
    let (spec, found) = crate::spec::load(&sources);
    let Some(spec) = spec else { return (None, found, sources) };
    let (fleet, more) = super::resolve(&spec);
    let mut all = found;
    all.append(more);
    (fleet, all, sources)
}

fn line(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let underlined = sources.slice(diagnostic.span());
    let help = diagnostic.help.as_deref().unwrap_or("");
    format!("{} | {} | {underlined} | {help}", diagnostic.code.as_str(), diagnostic.message)
}

fn listing(found: &Diagnostics, sources: &SourceMap) -> String {
    found.iter().map(|diagnostic| line(diagnostic, sources)).collect::<Vec<_>>().join("\n")
}
