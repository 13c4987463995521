//! A report as a comment on a pull request, for GitHub and GitLab alike.
//!
//! In: a report of any size with any words in it. Out: Markdown of fewer than [`LIMIT`] bytes, from the overview down: what was
//! edited and how far it reaches, the hosts, notes; then folded, each cause with its changes, the machines, the files.
//! Promise: what does not fit is left out in whole elements, the least important first, and counted.

mod budget;
mod escape;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::cli::report::plural;
use crate::diff::report::{Cause, FileReport, HostReport, Kind, Note, NoteKind, Report, Status, Wire};

use super::lines::{self, Line, WireLine};
use budget::{LeftOut, fitting, share};
use escape::{code, fence, html_code, line, prose};

/// The first line: by it a pipeline finds the comment that it wrote before.
pub(super) const MARKER: &str = "<!-- fwc diff -->";
/// Bytes of a whole comment. GitHub takes 65,536 characters, and counts some twice.
pub(super) const LIMIT: usize = 60_000;

/// Bytes of each table of packets.
const WIRE: usize = 4_000;
/// Bytes of each table, and of the notes.
const OVERVIEW: usize = 7_000;
/// Bytes that the fold of the machines may take.
const MACHINES: usize = 7_000;
/// Bytes that are kept for files, where there are any.
const FILES: usize = 12_000;
/// Bytes that each cause may take, whatever those before it want.
const CAUSE: usize = 1_500;
/// Bytes for the closing lines.
const CLOSING: usize = 5_000;

/// The report as Markdown; `command` prints all of it.
pub(super) fn render(report: &Report, command: &str) -> String {
    let mut left = LeftOut::default();
    let mut text = head(report);
    text.push_str(&report.wire.as_ref().map_or(String::new(), |found| wire(found, report.is_partial())));
    text.push_str(&causes(report));
    text.push_str(&hosts(report, &mut left));
    text.push_str(&notes(&report.notes, &mut left));
    let machines = machines(report, &mut left);
    let wanted = report.files.iter().map(|file| file.diff.len() + 300).sum::<usize>();
    let room = (LIMIT - CLOSING).saturating_sub(text.len() + machines.len());
    text.push_str(&details(&report.causes, room.saturating_sub(wanted.min(FILES)), &mut left));
    text.push_str(&machines);
    text.push_str(&files(&report.files, (LIMIT - CLOSING).saturating_sub(text.len()), &mut left));
    text.push_str(&closing(&left, command));
    text
}

fn head(report: &Report) -> String {
    let machines: BTreeSet<&str> =
        report.hosts.iter().flat_map(|host| &host.machines).map(|machine| machine.machine.as_str()).collect();
    let hosts = report.hosts.iter().filter(|host| host.status != Status::Unchanged).count();
    let what = if report.hosts.is_empty() {
        "no machine was compared".to_owned()
    } else if hosts > 0 {
        format!("{} on {} differ{}", plural(machines.len(), "machine"), plural(hosts, "host"), verb(machines.len()))
    } else if report.is_same() {
        "no difference".to_owned()
    } else {
        "no machine differs".to_owned()
    };
    let (old, new) = (code(&report.old), code(&report.new));
    format!("{MARKER}\n### Firewall: {what}\n\n{new} against {old}. {}.\n", sentence(&lines::headline(report)))
}

const fn verb(number: usize) -> &'static str {
    if number == 1 { "s" } else { "" }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// What becomes of packets, a row each: what a reviewer wants to know first.
fn wire(wire: &Wire, partial: bool) -> String {
    if wire.is_nothing() && lines::wire(wire).is_empty() {
        return String::new();
    }
    let remark =
        lines::wire_remark(wire, partial).map_or(String::new(), |remark| format!("\n{}.\n", sentence(&remark)));
    let mut text = format!("\n**On the wire**\n{remark}");
    for (title, rows) in lines::wire(wire) {
        let row = |row: &WireLine| {
            let place = row.place.as_ref().map_or(String::new(), |place| format!(" {}", code(&place.to_string())));
            let packet = if row.packet.is_empty() { String::new() } else { code(&row.packet) };
            format!(
                "| {} | {} | {} | {} | {} | {}{place} | {packet} |\n",
                code(&row.from),
                code(&row.to),
                code(&row.service),
                row.family,
                named(&row.at),
                code(&row.by),
            )
        };
        let (rows, more) = fitting(rows.iter().map(row), WIRE);
        text.push_str(&format!(
            "\n{}:\n\n| From | To | Service | Family | At | By | Such as |\n|---|---|---|---|---|---|---|\n{rows}{}",
            sentence(title),
            others(more, "row")
        ));
    }
    text
}

/// What was edited, a row each; those without a row are counted under the table.
fn causes(report: &Report) -> String {
    if report.causes.is_empty() {
        return String::new();
    }
    let row = |cause: &Cause| {
        let place = lines::place(cause).map_or(String::new(), |place| code(&place.to_string()));
        let reach = named(&lines::reach(cause));
        format!("| {} {} | {reach} | {} | {place} |\n", code(&cause.path), cause.status.word(), tally(cause))
    };
    let (rows, more) = fitting(report.causes.iter().map(row), OVERVIEW);
    format!("\n| What | Reaches | Changes | Where |\n|---|---|---|---|\n{rows}{}", others(more, "cause"))
}

fn others(more: usize, noun: &str) -> String {
    if more == 0 { String::new() } else { format!("\n… and {} more\n", plural(more, noun)) }
}

/// `1 added, 2 altered`.
fn tally(cause: &Cause) -> String {
    let count = |kind| cause.changes.iter().filter(|change| change.kind == kind).count();
    let kinds =
        [(Kind::Added, "added"), (Kind::Removed, "removed"), (Kind::Altered, "altered"), (Kind::Moved, "moved")];
    let parts = kinds.into_iter().map(|(kind, word)| (count(kind), word)).filter(|(number, _)| *number > 0);
    parts.map(|(number, word)| format!("{number} {word}")).collect::<Vec<_>>().join(", ")
}

/// Text of ours with names of machines and zones in it: those as code.
fn named(text: &str) -> String {
    words(text, code)
}

/// Paths of causes, and perhaps how many more there are.
fn paths(text: &str) -> String {
    let (shown, more) = match text.rsplit_once(" and ") {
        Some((shown, more)) if more.ends_with(" more") => (shown, format!(" and {more}")),
        Some(_) | None => (text, String::new()),
    };
    format!("{}{more}", shown.split(", ").map(code).collect::<Vec<_>>().join(", "))
}

fn words(text: &str, code: fn(&str) -> String) -> String {
    let word = |word: &str| {
        let (word, comma) = word.strip_suffix(',').map_or((word, ""), |word| (word, ","));
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric());
        if plain { format!("{word}{comma}") } else { format!("{}{comma}", code(word)) }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Hosts that differ, a row each.
fn hosts(report: &Report, left: &mut LeftOut) -> String {
    let changed: Vec<&HostReport> = report.hosts.iter().filter(|host| host.status != Status::Unchanged).collect();
    if changed.is_empty() {
        return String::new();
    }
    let row = |host: &&HostReport| {
        let of = |status| host.machines.iter().filter(|machine| machine.status == status).count();
        let cell = |number: usize| if number == 0 { String::new() } else { number.to_string() };
        let [changed, added, removed] = [Status::Changed, Status::Added, Status::Removed].map(of).map(cell);
        let (name, status) = (code(&host.host), host.status.word());
        format!("| {name} | {status} | {changed} | {added} | {removed} | {} |\n", cell(host.unchanged))
    };
    let (rows, more) = fitting(changed.iter().map(row), OVERVIEW);
    left.add("host", more);
    let head = "| Host | | Machines changed | added | removed | unchanged |\n|---|---|--:|--:|--:|--:|\n";
    format!("\n{head}{rows}{}", others(more, "host"))
}

/// What else a reader must know; what was not compared first.
fn notes(notes: &[Note], left: &mut LeftOut) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Note> = notes.iter().collect();
    sorted.sort_by_key(|note| note.kind);
    let item = |note: &&Note| {
        let word = match note.kind {
            NoteKind::NotCompared => "**not compared**",
            NoteKind::Attention => "**look**",
            NoteKind::Foreign => "not fwc's",
            NoteKind::Info => "note",
        };
        let host = note.host.as_ref().map_or(String::new(), |host| format!("{}: ", code(host)));
        let place = note.place.as_ref().map_or(String::new(), |place| format!(" ({})", code(&place.to_string())));
        let help = note.help.as_ref().map_or(String::new(), |help| format!("; {}", prose(help)));
        format!("- {word}: {host}{}{place}{help}\n", prose(&note.message))
    };
    let (items, more) = fitting(sorted.iter().map(item), OVERVIEW);
    left.add("note", more);
    format!("\n{items}{}", others(more, "note"))
}

/// A fold for each cause.
fn details(causes: &[Cause], room: usize, left: &mut LeftOut) -> String {
    let all: Vec<Fold> = causes.iter().map(Fold::of).collect();
    let wanted: Vec<usize> = all.iter().map(Fold::wants).collect();
    let mut text = String::new();
    for (at, fold) in all.iter().enumerate() {
        let (shown, changes) = fold.within(share(&wanted, at, room.saturating_sub(text.len()), CAUSE));
        left.add("cause", usize::from(shown.is_empty()));
        left.add("change", changes);
        text.push_str(&shown);
    }
    text
}

/// Something folded that holds fenced blocks under titles.
struct Fold {
    /// HTML.
    summary: String,
    /// The title as Markdown; the elements of the block, of one or two lines each.
    blocks: Vec<(String, Vec<String>)>,
}

impl Fold {
    fn of(cause: &Cause) -> Self {
        let summary =
            format!("{} {}: {}", html_code(&cause.path), cause.status.word(), words(&lines::reach(cause), html_code));
        let block =
            |block: lines::Block| (format!("**{}**\n", prose(&block.title)), block.lines.iter().map(changed).collect());
        Self { summary, blocks: lines::blocks(cause).into_iter().map(block).collect() }
    }

    /// Bytes of the whole, or a few more.
    fn wants(&self) -> usize {
        let block = |(title, elements): &(String, Vec<String>)| {
            title.len() + overhead(elements) + elements.iter().map(String::len).sum::<usize>()
        };
        self.frame() + self.blocks.iter().map(block).sum::<usize>()
    }

    fn frame(&self) -> usize {
        self.summary.len() + 80
    }

    /// As much as goes into some bytes, and how many elements do not; nothing, where not even one does.
    fn within(&self, room: usize) -> (String, usize) {
        let mut body = String::new();
        let mut missing = 0;
        for (title, elements) in &self.blocks {
            let used = self.frame() + body.len() + title.len() + overhead(elements);
            let (shown, more) = fitting(elements.iter().cloned(), room.saturating_sub(used));
            missing += more;
            if !shown.is_empty() {
                let fence = fence(&shown);
                body.push_str(&format!("\n{title}\n{fence}diff\n{shown}{fence}\n"));
            }
        }
        if body.is_empty() && missing > 0 {
            return (String::new(), missing);
        }
        if missing > 0 {
            body.push_str(&format!("\n… and {missing} more\n"));
        }
        (format!("\n<details><summary>{}</summary>\n{body}\n</details>\n", self.summary), missing)
    }
}

/// Bytes of the fences and what stands around them.
fn overhead(elements: &[String]) -> usize {
    let longest = elements.iter().map(|element| fence(element).len()).max().unwrap_or(3);
    2 * longest + 12
}

/// A change as one or two lines of a diff.
fn changed(change: &Line) -> String {
    let place = change.place.as_ref().map_or(String::new(), |place| format!("  # {}", line(&place.to_string())));
    let text = line(change.text.trim_start());
    match (&change.sides, change.sign) {
        (Some((old, new)), '~') => format!("- {}\n+ {}{place}\n", line(old), line(new)),
        (_, '+') => format!("+ {text}{place}\n"),
        (_, '-') => format!("- {text}{place}\n"),
        (_, '>') => format!("! moved: {text}{place}\n"),
        (_, _) => format!("! {text}{place}\n"),
    }
}

/// Which machines of each host differ, and why.
fn machines(report: &Report, left: &mut LeftOut) -> String {
    let mut items = Vec::new();
    for host in report.hosts.iter().filter(|host| host.status != Status::Unchanged) {
        for (at, (who, why)) in lines::machines(report, host).into_iter().enumerate() {
            let name = if at == 0 { format!("- {}\n", code(&host.host)) } else { String::new() };
            let why = if why.is_empty() { String::new() } else { format!(": {}", paths(&why)) };
            items.push(format!("{name}  - {}{why}\n", named(&who)));
        }
    }
    if items.is_empty() {
        return String::new();
    }
    let (shown, more) = fitting(items.into_iter(), MACHINES);
    left.add("line of machines", more);
    format!("\n<details><summary>Machines of each host</summary>\n\n{shown}{}\n</details>\n", others(more, "line"))
}

/// A fold for each output file.
fn files(files: &[FileReport], room: usize, left: &mut LeftOut) -> String {
    let fold = |file: &FileReport| Fold {
        summary: format!("{} {}", html_code(&file.path), file.status.word()),
        blocks: vec![(String::new(), file.diff.lines().map(|text| format!("{}\n", line(text))).collect())],
    };
    let all: Vec<Fold> = files.iter().map(fold).collect();
    let wanted: Vec<usize> = all.iter().map(Fold::wants).collect();
    let mut text = String::new();
    for (at, fold) in all.iter().enumerate() {
        let (shown, lines) = fold.within(share(&wanted, at, room.saturating_sub(text.len()), CAUSE));
        left.add("file", usize::from(shown.is_empty()));
        left.add("line of files", lines);
        text.push_str(&shown);
    }
    text
}

/// What was left out, and how to see it.
fn closing(left: &LeftOut, command: &str) -> String {
    if left.all().is_empty() {
        return String::new();
    }
    let several = |(noun, number): &(&'static str, usize)| match noun.split_once(' ') {
        Some((first, rest)) => format!("{} {rest}", plural(*number, first)),
        None => plural(*number, noun),
    };
    let parts: Vec<String> = left.all().iter().map(several).collect();
    format!("\nLeft out for length: {}. All of it: {}\n", parts.join(", "), code(command))
}
