//! A report for a terminal, wide or narrow.

use crate::cli::Style;
use crate::cli::report::plural;
use crate::diff::report::{FileReport, Note, NoteKind, Report, Status, Wire};

use super::lines::{self, Line};

/// Hosts that are shown before the rest is counted.
const HOSTS: usize = 30;
/// Rows of packets of one kind that are shown.
const ROWS: usize = 20;
/// Changes of one hook that are shown.
const CHANGES: usize = 60;

/// The report as text.
pub(super) fn render(report: &Report, style: Style) -> String {
    let mut page = Page { style, text: String::new() };
    page.line(0, &style.bold(&format!("{} against {}", report.new, report.old)));
    page.line(0, &style.bold(&lines::headline(report)));
    if let Some(legend) = lines::legend(report) {
        page.wrapped(0, 2, legend, |line| style.dim(line));
    }
    if let Some(wire) = &report.wire {
        page.wire(wire, report.is_partial());
    }
    page.hosts(report);
    page.causes(report);
    page.notes(&report.notes);
    for file in &report.files {
        page.file(file);
    }
    page.text
}

struct Page {
    style: Style,
    text: String,
}

impl Page {
    fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Text broken at the page's width; its further lines stand `hang` columns further in.
    fn wrapped(&mut self, indent: usize, hang: usize, text: &str, paint: impl Fn(&str) -> String) {
        let further = " ".repeat(hang);
        let options = textwrap::Options::new(self.style.width.saturating_sub(indent).max(20))
            .subsequent_indent(&further)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        for line in textwrap::wrap(text, options) {
            self.line(indent, &paint(&line));
        }
    }

    fn wire(&mut self, wire: &Wire, partial: bool) {
        if wire.is_nothing() {
            return;
        }
        self.line(0, "");
        let style = self.style;
        let head = "on the wire";
        let remark = lines::wire_remark(wire, partial);
        match &remark {
            Some(remark) => self.wrapped(0, 2, &format!("{head}: {remark}"), |line| style.bold(line)),
            None => self.line(0, &style.bold(head)),
        }
        for (title, rows) in lines::wire(wire) {
            self.line(2, &style.paint("36", title));
            for row in rows.iter().take(ROWS) {
                let text =
                    format!("{} {} → {}, {}, {} — {}", row.sign, row.from, row.to, row.service, row.family, row.at);
                self.wrapped(4, 4, &text, |line| style.paint(color(row.sign), line));
                let place = row.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
                self.wrapped(6, 2, &format!("by {}{place}", row.by), |line| style.dim(line));
                if !row.packet.is_empty() {
                    self.wrapped(6, 2, &format!("such as {}", row.packet), |line| style.dim(line));
                }
            }
            if rows.len() > ROWS {
                self.line(4, &format!("… and {} more", plural(rows.len() - ROWS, "row")));
            }
        }
    }

    fn hosts(&mut self, report: &Report) {
        let changed: Vec<_> = report.hosts.iter().filter(|host| host.status != Status::Unchanged).collect();
        if changed.is_empty() {
            return;
        }
        self.line(0, "");
        let width = changed.iter().take(HOSTS).map(|host| host.host.chars().count()).max().unwrap_or(0);
        for host in changed.iter().take(HOSTS) {
            let unchanged = match host.unchanged {
                0 => String::new(),
                some => format!(", {} unchanged", plural(some, "machine")),
            };
            let name = format!("{:<width$}", host.host);
            let painted = self.style.paint(color(sign(host.status)), host.status.word());
            self.line(2, &format!("{name}  {painted}{unchanged}"));
            for (who, why) in lines::machines(report, host) {
                self.wrapped(4, 4, &format!("{who}: {why}"), str::to_owned);
            }
        }
        if changed.len() > HOSTS {
            self.line(2, &format!("… and {} more", plural(changed.len() - HOSTS, "host")));
        }
    }

    fn causes(&mut self, report: &Report) {
        for cause in &report.causes {
            self.line(0, "");
            let head = format!("{} {}: {}", cause.path, lines::edit(cause), lines::reach(cause));
            let style = self.style;
            self.wrapped(0, 4, &head, |line| style.bold(line));
            for block in lines::blocks(cause) {
                self.line(2, &self.style.paint("36", &block.title));
                for line in block.lines.iter().take(CHANGES) {
                    self.change(line);
                }
                if block.lines.len() > CHANGES {
                    self.line(4, &format!("… and {} more", block.lines.len() - CHANGES));
                }
            }
        }
    }

    fn change(&mut self, line: &Line) {
        let style = self.style;
        let code = color(line.sign);
        let place = line.place.as_ref().map(ToString::to_string).unwrap_or_default();
        let text = format!("{} {}", line.sign, line.text);
        let room = style.width.saturating_sub(4);
        let (long, needed) = (text.chars().count(), text.chars().count() + 2 + place.chars().count());
        if place.is_empty() || needed > room {
            self.wrapped(4, 2, &text, |line| style.paint(code, line));
            if !place.is_empty() {
                self.line(6, &style.dim(&place));
            }
        } else {
            let fill = " ".repeat(room - long - place.chars().count());
            self.line(4, &format!("{}{fill}{}", style.paint(code, &text), style.dim(&place)));
        }
    }

    fn notes(&mut self, notes: &[Note]) {
        if notes.is_empty() {
            return;
        }
        self.line(0, "");
        for note in notes {
            let (word, code) = match note.kind {
                NoteKind::NotCompared => ("not compared", "33"),
                NoteKind::Attention => ("look", "33"),
                NoteKind::Foreign => ("not fwc's", "2"),
                NoteKind::Info => ("note", "2"),
            };
            let host = note.host.as_ref().map(|host| format!("{host}: ")).unwrap_or_default();
            let place = note.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
            let style = self.style;
            self.wrapped(0, 2, &format!("{word}: {host}{}{place}", note.message), |line| style.paint(code, line));
            if let Some(help) = &note.help {
                self.wrapped(2, 2, &format!("help: {help}"), str::to_owned);
            }
        }
    }

    fn file(&mut self, file: &FileReport) {
        self.line(0, "");
        let head = format!("{} {}", file.path, file.status.word());
        let head = self.style.bold(&head);
        self.line(0, &head);
        for line in file.diff.lines() {
            let painted = match line.chars().next() {
                Some('+') => self.style.paint("32", line),
                Some('-') => self.style.paint("31", line),
                Some('@') => self.style.paint("36", line),
                Some(_) | None => line.to_owned(),
            };
            self.line(0, &painted);
        }
    }
}

const fn sign(status: Status) -> char {
    match status {
        Status::Added => '+',
        Status::Removed => '-',
        Status::Changed => '~',
        Status::Unchanged => ' ',
    }
}

const fn color(sign: char) -> &'static str {
    match sign {
        '+' => "32",
        '-' => "31",
        '~' => "33",
        _ => "36",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;
    use crate::diff::report::{At, Cause, Change, HostReport, Kind, MachineReport, Subject};

    fn report() -> Report {
        let place = |line| Some(Place { file: "fwc/groups/web-and-proxies.yaml".to_owned(), line });
        let at = |host: &str, id: u32| At {
            host: host.to_owned(),
            machine: format!("vm/{id}"),
            hook: Some("guest-in".to_owned()),
            output: None,
        };
        let change = |kind, old: Option<&str>, new: Option<&str>, detail: Option<&str>, line| Change {
            kind,
            subject: Subject::Rule,
            name: String::new(),
            zone: None,
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            detail: detail.map(str::to_owned),
            place: place(line),
            old_place: None,
            at: (100..108).map(|id| at(if id < 104 { "pm1" } else { "pm2" }, id)).collect(),
        };
        let changes = vec![
            change(Kind::Added, None, Some("accept tcp 8443 from +staff, office log info"), None, 30),
            change(Kind::Removed, Some("drop Telnet"), None, None, 31),
            change(Kind::Altered, Some("accept udp 443"), Some("accept udp 443,8443"), None, 32),
            change(Kind::Moved, None, Some("reject SMB"), Some("now behind `accept Ping`"), 33),
        ];
        let machine = |id: u32| MachineReport { machine: format!("vm/{id}"), status: Status::Changed, causes: vec![0] };
        let host = |host: &str, ids: std::ops::Range<u32>, status| HostReport {
            host: host.to_owned(),
            status,
            machines: ids.map(machine).collect(),
            unchanged: 1,
        };
        Report {
            old: "origin/main (3f2a1c9d0)".to_owned(),
            new: "fwc".to_owned(),
            hosts: vec![
                host("pm1", 100..104, Status::Changed),
                host("pm2", 104..112, Status::Changed),
                host("pm3", 0..0, Status::Unchanged),
            ],
            causes: vec![Cause {
                path: "groups.web".to_owned(),
                status: Status::Changed,
                place: place(28),
                old_place: None,
                changes,
                machines: 8,
                hosts: 2,
            }],
            wire: None,
            notes: vec![Note {
                kind: NoteKind::NotCompared,
                host: Some("pm2".to_owned()),
                message: "`-m owner` is no match that fwc reads, and the rule that has it is left out".to_owned(),
                help: Some("look at it with `iptables-save`".to_owned()),
                place: Some(Place { file: "pm2.rules".to_owned(), line: 7 }),
            }],
            files: Vec::new(),
        }
    }

    #[test]
    fn a_narrow_terminal_gets_narrow_lines() {
        let text = render(&report(), Style { color: false, width: 60 });
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_wide_terminal_with_colour() {
        let text = render(&report(), Style { color: true, width: 120 });
        insta::assert_snapshot!(text.replace('\u{1b}', "^"));
    }
}
