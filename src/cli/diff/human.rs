//! A report for a terminal, wide or narrow.

use crate::cli::Style;
use crate::cli::report::plural;
use crate::diff::report::{FileReport, Note, NoteKind, Report, Status};

use super::lines::{self, Line};

/// Hosts that are shown before the rest is counted.
const HOSTS: usize = 30;
/// Changes of one hook that are shown.
const CHANGES: usize = 60;

/// The report as text.
pub(super) fn render(report: &Report, style: Style) -> String {
    let mut page = Page { style, text: String::new() };
    page.line(0, &style.bold(&format!("{} against {}", report.new, report.old)));
    page.line(0, &style.bold(&lines::headline(report)));
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
