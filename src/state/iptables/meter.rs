//! Tests that count packets, and ebtables' logs, in their one spelling.

use super::super::ruleset::Program;
use super::draft::{Draft, Loaded, Owner, Written};
use super::lower::grouped;
use super::options::Module;
use super::rate;
use super::target::log_level;
use super::words;

/// Packets that a meter lets through before its rate counts, where none is given.
const BURST: &str = "5";

/// `limit` or `hashlimit`.
pub(super) fn read(draft: &Draft<'_>, owner: Owner, loaded: Loaded, program: Program) -> String {
    let name = loaded.name.map(|name| draft.word(name));
    let limits = loaded.module == Module::Limit;
    let known = if limits { limit(draft, owner) } else { hashlimit(draft, owner, program) };
    let Some(known) = known.filter(|_| !loaded.odd) else { return grouped(draft, owner, name) };
    let mut text = name.map(|name| format!("-m {name}")).unwrap_or_default();
    push(&mut text, &known);
    text
}

fn push(text: &mut String, settings: &[(&str, String)]) {
    for (key, value) in settings {
        words::push(text, key);
        if !value.is_empty() {
            words::push(text, value);
        }
    }
}

/// The value of an option; none where it is negated.
fn value(draft: &Draft<'_>, option: &Written) -> Option<String> {
    let text = draft.values(option).first().map_or("", AsRef::as_ref);
    (!option.negated).then(|| text.to_owned())
}

fn limit(draft: &Draft<'_>, owner: Owner) -> Option<Vec<(&'static str, String)>> {
    let (mut rate, mut burst) = (None, None);
    for option in draft.of(owner) {
        let value = value(draft, option)?;
        let place = match draft.known(option)?.key {
            "--limit" => &mut rate,
            _ => &mut burst,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    let rate = rate.unwrap_or_else(|| "3/hour".to_owned());
    let (rate, _) = rate::spell(&rate, rate::LIMIT)?;
    Some(vec![("--limit", rate), ("--limit-burst", burst.unwrap_or_else(|| BURST.to_owned()))])
}

/// Sorted by name, defaults left out where programs do so.
fn hashlimit(draft: &Draft<'_>, owner: Owner, program: Program) -> Option<Vec<(&'static str, String)>> {
    let whole = if program == Program::Ip6tables { "128" } else { "32" };
    let mut found: Vec<(&'static str, String)> = Vec::new();
    let mut expire = None;
    for option in draft.of(owner) {
        let key = draft.known(option)?.key;
        let mut text = value(draft, option)?;
        match key {
            "--hashlimit-upto" | "--hashlimit-above" => {
                if let Some((spelled, seconds)) = rate::spell(&text, rate::HASHLIMIT) {
                    // Where it is not given, an entry lives for one of the unit in which the rate was written.
                    expire = Some((seconds, rate::listed_seconds(&spelled)));
                    text = spelled;
                }
            }
            "--hashlimit-mode" => {
                let mut modes: Vec<&str> = text.split(',').collect();
                modes.sort_unstable();
                text = modes.join(",");
            }
            _ => {}
        }
        let default = match key {
            "--hashlimit-srcmask" | "--hashlimit-dstmask" => text == whole,
            "--hashlimit-htable-size" | "--hashlimit-htable-max" => text == "0",
            "--hashlimit-htable-gcinterval" => text == "1000",
            _ => false,
        };
        if !default {
            found.push((key, text));
        }
    }
    let has = |found: &[(&str, String)], key: &str| found.iter().any(|(known, _)| *known == key);
    if let Some((seconds, listed)) = expire {
        let milliseconds = |seconds: u64| (seconds * 1000).to_string();
        if !has(&found, "--hashlimit-htable-expire") {
            found.push(("--hashlimit-htable-expire", milliseconds(seconds)));
        }
        found.retain(|(key, text)| *key != "--hashlimit-htable-expire" || *text != milliseconds(listed));
        if !has(&found, "--hashlimit-burst") {
            found.push(("--hashlimit-burst", BURST.to_owned()));
        }
    }
    found.sort();
    Some(found)
}

/// ebtables' logs: to the kernel's log, and to a program.
pub(super) fn watchers(draft: &Draft<'_>, owner: Owner) -> Vec<String> {
    let mut log: Vec<(&str, String)> = Vec::new();
    let mut nflog = Vec::new();
    for option in draft.of(owner) {
        let Some(known) = draft.known(option) else { continue };
        let text = draft.values(option).first().map_or("", AsRef::as_ref);
        let name = if option.negated { draft.word(option.name) } else { known.key };
        let to = if known.key.starts_with("--nflog") { &mut nflog } else { &mut log };
        match name {
            "--log-level" => to.push((name, log_level(text))),
            _ => to.push((name, text.to_owned())),
        }
    }
    let mut found = Vec::new();
    for (mut settings, bare, default) in
        [(log, "--log", ("--log-level", "5")), (nflog, "--nflog", ("--nflog-group", "1"))]
    {
        if settings.is_empty() {
            continue;
        }
        settings.retain(|(key, _)| *key != bare);
        if !settings.iter().any(|(key, _)| *key == default.0) {
            settings.push((default.0, default.1.to_owned()));
        }
        settings.sort();
        let mut text = String::new();
        push(&mut text, &settings);
        found.push(text);
    }
    found
}
