//! What every format for people says of a report: headline, reach, one line for each change.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::report::plural;
use crate::diagnostic::Place;
use crate::diff::report::{Aside, At, Cause, Change, HostReport, Kind, Report, Status, Subject, Wire, WireRow};

/// Machines of one line that are named before the rest is counted.
const MACHINES: usize = 6;

/// One change in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// `+`, `-`, `~` (altered) or `>` (moved).
    pub(super) sign: char,
    pub(super) text: String,
    /// The same in two lines, where something was and is: how it was, and how it is with all that `text` adds.
    pub(super) sides: Option<(String, String)>,
    pub(super) place: Option<Place>,
}

/// Changes of a cause that take effect at the same hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// `guest-in`, `options`, `machines`.
    pub(super) title: String,
    pub(super) lines: Vec<Line>,
}

/// `3 of 12 hosts change: 12 guests, 1 host`, or that nothing does.
pub(super) fn headline(report: &Report) -> String {
    let total = report.hosts.len();
    if total == 0 {
        return "no machine was compared".to_owned();
    }
    let of = |status| report.hosts.iter().filter(|host| host.status == status).count();
    let (changed, added, removed) = (of(Status::Changed), of(Status::Added), of(Status::Removed));
    let mut parts = vec![format!("{} unchanged", of(Status::Unchanged))];
    let mut part = |number: usize, word: &str| {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    };
    part(changed, "changed");
    part(added, "added");
    part(removed, "removed");
    if changed + added + removed == 0 {
        let none = match (report.is_same(), report.is_partial()) {
            (true, false) => "no difference",
            (true, true) => "no difference in what could be compared",
            (false, _) => "no machine differs",
        };
        return format!("{none} ({})", plural(total, "host"));
    }
    format!("{}: {}", plural(total, "host"), parts.join(", "))
}

/// What the signs mean where a machine was compared, and not two specs.
pub(super) fn legend(report: &Report) -> Option<&'static str> {
    let mut places = report.causes.iter().flat_map(|cause| &cause.changes).flat_map(|change| &change.at);
    let of_machine = places.any(|at| at.output.is_some());
    of_machine.then_some("- is there and should not be, + should be there, ~ as it is → as the spec says")
}

/// How far a cause reaches: `12 guests on 3 hosts`.
pub(super) fn reach(cause: &Cause) -> String {
    reach_of(cause.changes.iter().flat_map(|change| &change.at))
}

fn reach_of<'a>(places: impl Iterator<Item = &'a At>) -> String {
    let mut guests: BTreeSet<&str> = BTreeSet::new();
    let mut vnets: BTreeSet<&str> = BTreeSet::new();
    let mut itself: BTreeSet<&str> = BTreeSet::new();
    let mut on: BTreeSet<&str> = BTreeSet::new();
    for at in places {
        match at.machine.split_once('/') {
            Some(("host", _)) => itself.insert(&at.machine),
            Some(("vnet", _)) => vnets.insert(&at.machine),
            Some(_) | None => guests.insert(&at.machine),
        };
        on.insert(&at.host);
    }
    let count = |set: &BTreeSet<&str>, noun: &str| match (set.len(), set.first()) {
        (0, _) => None,
        (1, Some(only)) => Some((*only).to_owned()),
        (many, _) => Some(plural(many, noun)),
    };
    let parts: Vec<String> =
        [count(&itself, "host"), count(&guests, "guest"), count(&vnets, "vnet")].into_iter().flatten().collect();
    let place = match (itself.is_empty(), on.len(), on.first()) {
        (true, 1, Some(only)) => format!(" on {only}"),
        (true, many, _) if many > 1 => format!(" on {}", plural(many, "host")),
        (_, _, _) => String::new(),
    };
    if parts.is_empty() { "no machine".to_owned() } else { format!("{}{place}", parts.join(" and ")) }
}

/// `changed`, with its line: `changed at fwc.yaml:34`.
pub(super) fn edit(cause: &Cause) -> String {
    let place = place(cause).map_or(String::new(), |place| format!(" at {place}"));
    // On a machine nobody edited the spec: something is there, and the line says otherwise.
    let of_machine = cause.changes.iter().flat_map(|change| &change.at).any(|at| at.output.is_some());
    let word = match (of_machine, cause.status) {
        (true, Status::Changed) if cause.path.starts_with("not ") => "",
        (true, Status::Changed) => "differs",
        (_, status) => status.word(),
    };
    format!("{word}{place}").trim_start().to_owned()
}

/// The line of a cause's edit.
pub(super) fn place(cause: &Cause) -> Option<Place> {
    match cause.status {
        Status::Removed => cause.old_place.clone(),
        Status::Added => cause.place.clone(),
        Status::Changed | Status::Unchanged => {
            // The line of the first change says more than the line where its zone begins; what is there still, more than
            // what is gone.
            let own = || cause.changes.iter().filter(|change| change.zone.is_none());
            let there = own().filter_map(|change| change.place.clone()).min();
            let gone = || own().filter_map(|change| change.old_place.clone()).min();
            there.or_else(gone).or_else(|| cause.place.clone())
        }
    }
}

/// The changes of a cause under their hooks.
pub(super) fn blocks(cause: &Cause) -> Vec<Block> {
    let all = reach(cause);
    let mut found: BTreeMap<(u8, String), Vec<Line>> = BTreeMap::new();
    for change in &cause.changes {
        found.entry(title(change)).or_default().push(line(cause, change, &all));
    }
    found.into_iter().map(|((_, title), lines)| Block { title, lines }).collect()
}

fn title(change: &Change) -> (u8, String) {
    let hooks: BTreeSet<&str> = change.at.iter().filter_map(|at| at.hook.as_deref()).collect();
    let hooks = hooks.into_iter().collect::<Vec<_>>().join(", ");
    match change.subject {
        Subject::Machine => (0, "machines".to_owned()),
        Subject::Definition => (1, "definition".to_owned()),
        Subject::Property => (2, "properties".to_owned()),
        Subject::Option => (3, "options".to_owned()),
        Subject::Sysctl => (4, "sysctl".to_owned()),
        Subject::Rule | Subject::Stage if hooks.is_empty() => (5, "rules".to_owned()),
        Subject::Rule | Subject::Stage => (6, hooks),
    }
}

fn line(cause: &Cause, change: &Change, all: &str) -> Line {
    let sign = match change.kind {
        Kind::Added => '+',
        Kind::Removed => '-',
        Kind::Altered => '~',
        Kind::Moved => '>',
    };
    let value = between(change);
    let named = |value: &str| match change.subject {
        Subject::Rule | Subject::Machine => value.to_owned(),
        Subject::Definition | Subject::Stage | Subject::Property | Subject::Option | Subject::Sysctl => {
            if value.is_empty() { change.name.clone() } else { format!("{}: {value}", change.name) }
        }
    };
    let tail = tail(cause, change, all, value.is_empty());
    let sides = match (&change.old, &change.new) {
        (Some(old), Some(new)) if old != new => Some((named(old), format!("{}{tail}", named(new)))),
        (_, _) => None,
    };
    let place = change.place.clone().or_else(|| change.old_place.clone());
    Line { sign, text: format!("{}{tail}", named(&value)), sides, place }
}

/// What a line says behind the values: the detail, whose rule it is, where it takes effect.
fn tail(cause: &Cause, change: &Change, all: &str, bare: bool) -> String {
    let mut text = String::new();
    if let Some(detail) = &change.detail {
        text.push_str(&if bare { format!(" {detail}") } else { format!(" ({detail})") });
    }
    if let Some(zone) = change.zone.as_ref().filter(|zone| **zone != cause.path) {
        text.push_str(&format!(" [{zone}]"));
    }
    if change.subject == Subject::Machine {
        let hosts: BTreeSet<&str> = change.at.iter().map(|at| at.host.as_str()).collect();
        text.push_str(&format!(" on {}", hosts.into_iter().collect::<Vec<_>>().join(", ")));
    }
    let own = reach_of(change.at.iter());
    let outputs: BTreeSet<&str> = change.at.iter().filter_map(|at| at.output).collect();
    // Of kernel settings there is one list, and some names begin with the program's.
    let said = change.subject == Subject::Sysctl || outputs.iter().any(|output| change.name.starts_with(*output));
    if !outputs.is_empty() && !said {
        text.push_str(&format!(" — {}", outputs.into_iter().collect::<Vec<_>>().join(", ")));
    }
    if !change.at.is_empty() && own != all && change.subject != Subject::Machine {
        text.push_str(&format!(" — {own}"));
    }
    text
}

/// `old → new`, or the one that there is.
fn between(change: &Change) -> String {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if old == new => new.clone(),
        (Some(old), Some(new)) => format!("{old} → {new}"),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => String::new(),
    }
}

/// The machines of a host that differ for the same reasons: who, and the paths of the causes.
pub(super) fn machines(report: &Report, host: &HostReport) -> Vec<(String, String)> {
    let mut found: Vec<(Vec<usize>, Status, Vec<&str>)> = Vec::new();
    for machine in &host.machines {
        match found.iter_mut().find(|(causes, status, _)| *causes == machine.causes && *status == machine.status) {
            Some((_, _, names)) => names.push(&machine.machine),
            None => found.push((machine.causes.clone(), machine.status, vec![&machine.machine])),
        }
    }
    found.into_iter().map(|(causes, status, names)| (named(&names, status), paths(report, &causes))).collect()
}

fn named(names: &[&str], status: Status) -> String {
    let shown: Vec<&str> = names.iter().take(MACHINES).copied().collect();
    let more = names.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let word = if status == Status::Changed { String::new() } else { format!(" {}", status.word()) };
    format!("{}{more}{word}", shown.join(", "))
}

fn paths(report: &Report, causes: &[usize]) -> String {
    let names: Vec<&str> =
        causes.iter().filter_map(|at| report.causes.get(*at)).map(|cause| cause.path.as_str()).collect();
    let shown = names.iter().take(MACHINES).copied().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(MACHINES);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// What becomes of packets, as sections of rows: title and rows. Empty where no packets were compared.
pub(super) fn wire(wire: &Wire) -> Vec<(&'static str, Vec<WireLine>)> {
    [
        ("newly accepted", '+', &wire.accepted),
        ("no longer accepted", '-', &wire.refused),
        ("refused otherwise", '~', &wire.otherwise),
    ]
    .into_iter()
    .filter(|(_, _, rows)| !rows.is_empty())
    .map(|(title, sign, rows)| (title, rows.iter().map(|row| wire_line(sign, row)).collect()))
    .collect()
}

/// A row of packets in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireLine {
    /// `+`, `-` or `~`.
    pub(super) sign: char,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) service: String,
    pub(super) family: String,
    /// Machines, with the hook: `31 guests on 3 hosts, guest-in`.
    pub(super) at: String,
    /// `groups.web: accept tcp 443; before: policy (drop)`.
    pub(super) by: String,
    pub(super) place: Option<Place>,
    pub(super) packet: String,
}

fn wire_line(sign: char, row: &WireRow) -> WireLine {
    let machines = row
        .at
        .iter()
        .map(|at| At { machine: at.machine.split(':').next().unwrap_or_default().to_owned(), ..at.clone() });
    let machines: Vec<At> = machines.collect();
    let hooks: BTreeSet<&str> = row.at.iter().filter_map(|at| at.hook.as_deref()).collect();
    WireLine {
        sign,
        from: row.from.clone(),
        to: row.to.clone(),
        service: match row.macro_name {
            Some(name) => format!("{name} ({})", row.service),
            None => row.service.clone(),
        },
        family: row.families.join(", "),
        at: format!("{}, {}", reach_of(machines.iter()), hooks.into_iter().collect::<Vec<_>>().join(", ")),
        by: {
            let word = if sign == '-' { "now" } else { "before" };
            let shown: Vec<&str> = row.instead_of.iter().take(3).map(String::as_str).collect();
            let dots = if row.instead_of.len() > shown.len() { ", …" } else { "" };
            format!("{}; {word}: {}{dots}", row.rule, shown.join(", "))
        },
        place: row.place.clone(),
        packet: row.packet.clone().unwrap_or_default(),
    }
}

/// What there is to say where the answer is not whole, or there is nothing in it.
/// `partial`: something could not be compared, which notes tell.
pub(super) fn wire_remark(wire: &Wire, partial: bool) -> Option<String> {
    let mut parts = Vec::new();
    let unknown = asides(&wire.unknown);
    if wire.is_same() && wire.hooks + wire.rulesets > 0 {
        let what = if wire.hooks > 0 { plural(wire.hooks, "hook") } else { plural(wire.rulesets, "ruleset") };
        let apart = match unknown {
            Some(rules) => format!(", apart from those that come to {NOT_UNDERSTOOD}: {rules}"),
            None if partial => ", apart from what could not be compared".to_owned(),
            None => String::new(),
        };
        parts.push(format!("no packet changes{apart} ({what} compared for all packets)"));
    } else if let Some(rules) = unknown {
        parts.push(format!("nothing is said of packets that come to {NOT_UNDERSTOOD}: {rules}"));
    }
    parts.extend(asides(&wire.not_compared).map(|what| format!("not decided: {what}")));
    let (rulesets, hooks): (Vec<&At>, Vec<&At>) = wire.undecided.iter().partition(|at| at.hook.is_none());
    for (number, noun) in [(hooks.len(), "hook"), (rulesets.len(), "ruleset")] {
        if number > 0 {
            parts.push(format!("not decided: {} with too many different packets", plural(number, noun)));
        }
    }
    if wire.left_out > 0 {
        parts.push(format!("{} of packets not told", plural(wire.left_out, "more row")));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

const NOT_UNDERSTOOD: &str = "rules which are not understood";

/// Asides that are told before the rest is counted.
const ASIDES: usize = 3;

/// `iptables on pm1: -m u32 … in INPUT (pm1.rules:12)`.
fn asides(all: &[Aside]) -> Option<String> {
    let one = |aside: &Aside| {
        let place = aside.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        format!("{} on {}: {}{place}", aside.output, aside.host, aside.message)
    };
    let shown: Vec<String> = all.iter().take(ASIDES).map(one).collect();
    let more = all.len().saturating_sub(ASIDES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!all.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}
