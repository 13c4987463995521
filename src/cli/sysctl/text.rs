//! The answer for people: what loses first, then what holds, then what others set.

use crate::cli::Style;
use crate::cli::report::{harmless, plural};
use crate::state::sysctl::{Program, normal};

use super::view::{FileView, Installed, KeyView, LineView, Report};

/// Columns between a setting and its place.
const GAP: usize = 2;

/// Renders it; `all` adds keys of other files, and the order of files.
pub(super) fn render(report: &Report, all: bool, style: Style) -> String {
    let mut page = Page { style, text: String::new() };
    page.head(report);
    let (own, others) = report.parted();
    let (losing, holding): (Vec<&KeyView>, Vec<&KeyView>) = own.iter().partition(|key| !key.loses.is_empty());
    page.losing(&losing);
    page.rows(
        &format!("{} of fwc's that {}", plural(holding.len(), "key"), verb(holding.len(), "hold")),
        &holding,
        held,
    );
    if all {
        page.rows(&format!("{} of other files alone", plural(others.len(), "key")), &others, other);
        page.patterns(&report.patterns);
        page.order(report);
    }
    page.hidden(report);
    page.boot(report, &own);
    page.title(&totals(report, own.len(), losing.len()));
    if !all && !others.is_empty() {
        page.line(&format!("{} of other files alone: `--all` shows them", plural(others.len(), "key")));
    }
    page.text
}

fn verb(number: usize, word: &str) -> String {
    if number == 1 { format!("{word}s") } else { word.to_owned() }
}

struct Page {
    style: Style,
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(harmless(line).trim_end());
        self.text.push('\n');
    }

    fn title(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let title = self.style.bold(text);
        self.line(&title);
    }

    fn paragraph(&mut self, text: &str) {
        let options = textwrap::Options::new(self.style.width).initial_indent("  ").subsequent_indent("  ");
        for line in textwrap::wrap(text, options) {
            self.line(&line);
        }
    }

    /// Two columns; what does not fit goes below.
    fn columns(&mut self, indent: usize, rows: &[(String, String)]) {
        let extent = |text: &String| text.chars().count();
        let right = rows.iter().map(|(_, right)| extent(right)).max().unwrap_or(0);
        let room = self.style.width.saturating_sub(indent + right + GAP).max(self.style.width / 2);
        let width = rows.iter().map(|(left, _)| extent(left)).filter(|width| *width <= room).max().unwrap_or(0);
        for (left, right) in rows {
            let margin = " ".repeat(indent);
            let fill = (width + GAP).checked_sub(extent(left)).filter(|fill| *fill >= GAP);
            let dim = self.style.dim(right);
            match fill {
                _ if right.is_empty() => self.line(&format!("{margin}{left}")),
                Some(fill) => self.line(&format!("{margin}{left}{}{dim}", " ".repeat(fill))),
                None => {
                    self.line(&format!("{margin}{left}"));
                    self.line(&format!("{margin}    {dim}"));
                }
            }
        }
    }

    fn head(&mut self, report: &Report) {
        self.title(&format!("host/{}, with the files below {}", report.host, report.root));
        let Some(own) = &report.own else {
            let why = if report.is_wanted { "the spec sets none" } else { "its `targets` leave `sysctl` out" };
            return self.line(&format!("  fwc writes no settings for it: {why}"));
        };
        let state = match own.installed {
            Installed::Same => "as the spec would build it, and as it is there",
            Installed::Differs => "as the spec would build it; the one that is there is out of date",
            Installed::Missing => "as the spec would build it; there is none yet",
        };
        self.columns(2, &[(own.file.clone(), state.to_owned())]);
    }

    fn losing(&mut self, losing: &[&KeyView]) {
        if losing.is_empty() {
            return;
        }
        let title = self
            .style
            .paint("1;31", &format!("{} of fwc's that {}", plural(losing.len(), "key"), verb(losing.len(), "lose")));
        self.text.push('\n');
        self.line(&title);
        for key in losing {
            let spec = key.spec.as_ref().map_or_else(|| "implied by the firewall".to_owned(), ToString::to_string);
            let value = key.own.as_ref().and_then(|own| own.value.clone()).unwrap_or_default();
            self.columns(2, &[(format!("{} = {value}", key.key), spec)]);
            let rows: Vec<(String, String)> = Program::ALL.iter().filter_map(|program| side(key, *program)).collect();
            self.columns(4, &rows);
        }
        self.paragraph(
            "Take these keys out of those files. A name that sorts later (`sysctl: {file: NAME}`) wins over files of \
             sysctl.d too, but never over /etc/sysctl.conf under `sysctl --system`.",
        );
    }

    fn rows(&mut self, title: &str, keys: &[&KeyView], row: fn(&KeyView) -> Vec<(String, String)>) {
        if keys.is_empty() {
            return;
        }
        self.title(title);
        let rows: Vec<(String, String)> = keys.iter().flat_map(|key| row(key)).collect();
        self.columns(2, &rows);
    }

    fn patterns(&mut self, patterns: &[LineView]) {
        if patterns.is_empty() {
            return;
        }
        self.title(&format!("{}, for keys that nobody sets by name", plural(patterns.len(), "pattern")));
        let rows: Vec<_> =
            patterns.iter().map(|line| (setting(&line.key, line.value.as_deref()), place(line))).collect();
        self.columns(2, &rows);
    }

    fn order(&mut self, report: &Report) {
        for (program, files) in &report.order {
            self.title(&format!("{program} reads, in this order"));
            let rows: Vec<(String, String)> = files.iter().map(|file| (file.file.clone(), facts(file))).collect();
            self.columns(2, &rows);
        }
    }

    fn hidden(&mut self, report: &Report) {
        if !report.hidden.is_empty() {
            self.title("not read: hidden by a file of the same name");
            let rows: Vec<_> =
                report.hidden.iter().map(|file| (file.file.clone(), format!("by {}", file.by))).collect();
            self.columns(2, &rows);
        }
        if !report.unread.is_empty() {
            self.title("lines that neither program takes");
            let rows: Vec<_> = report.unread.iter().map(|line| (line.place.to_string(), line.reason.clone())).collect();
            self.columns(2, &rows);
        }
    }

    /// What is another value at boot than later, and what is not there yet.
    fn boot(&mut self, report: &Report, own: &[&KeyView]) {
        let differing: Vec<&KeyView> = report.keys.iter().filter(|key| !key.programs_agree()).collect();
        if !differing.is_empty() {
            self.title("at boot another value than after `sysctl --system`");
            let value = |key: &KeyView, program: Program| {
                let outcome = key.programs.get(program.name());
                outcome.and_then(|outcome| outcome.value.clone()).unwrap_or_else(|| "not set".to_owned())
            };
            let row = |key: &&KeyView| {
                let [later, boot] = Program::ALL.map(|program| value(key, program));
                (key.key.clone(), format!("{boot} at boot, then {later}"))
            };
            let rows: Vec<(String, String)> = differing.iter().map(row).collect();
            self.columns(2, &rows);
        }
        let late = own.iter().filter(|key| key.needs_module).count();
        if late > 0 && !report.missing_modules.is_empty() {
            let modules = report.missing_modules.join(", ");
            self.title("not loaded at boot");
            self.line(&format!("  {modules}: no file of modules-load.d names {}", them(report.missing_modules.len())));
            self.paragraph(
                "Keys of net.netfilter and net.bridge are not there before their module is, and `systemd-sysctl` then \
                 passes over them. Install modules-load.d/fwc.conf.",
            );
        }
    }
}

fn them(number: usize) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

/// `net.ipv4.ip_forward = 1`, `-net.ipv4.ip_forward`.
fn setting(key: &str, value: Option<&str>) -> String {
    value.map_or_else(|| format!("-{key}"), |value| format!("{key} = {}", normal(value)))
}

/// `/etc/sysctl.d/99-sysctl.conf:3, a link to /etc/sysctl.conf`.
fn place(line: &LineView) -> String {
    let link = line.leads_to.as_ref().map(|path| format!(", a link to {path}")).unwrap_or_default();
    format!("{}:{}{link}", line.file, line.line)
}

/// What a program sets in place of fwc's value, where it does.
fn side(key: &KeyView, program: Program) -> Option<(String, String)> {
    if !key.loses.contains(&program.name()) {
        return Some((format!("{:<16}  holds", program.name()), String::new()));
    }
    let winner = key.programs.get(program.name())?.winner.as_ref()?;
    let value = match &winner.value {
        Some(value) => format!("sets {}", normal(value)),
        None => "leaves it as it is".to_owned(),
    };
    let other = if winner.key == key.key {
        String::new()
    } else {
        format!(" ({})", setting(&winner.key, None).trim_start_matches('-'))
    };
    Some((format!("{:<16}  {value}{other}", program.name()), place(winner)))
}

/// One of fwc's keys, with the other values that it wins over.
fn held(key: &KeyView) -> Vec<(String, String)> {
    let value = key.own.as_ref().and_then(|own| own.value.as_deref());
    let over = key.programs.values().flat_map(|outcome| outcome.losers.iter().chain(&outcome.winner));
    let differs = |line: &&LineView| line.value.as_deref().map(normal) != value.map(normal);
    let mut over: Vec<&LineView> = over.filter(differs).collect();
    over.sort();
    over.dedup();
    let words: Vec<String> = over
        .iter()
        .map(|line| {
            format!("{} of {}:{}", line.value.as_deref().map_or_else(|| "-".to_owned(), normal), line.file, line.line)
        })
        .collect();
    let over = if words.is_empty() { String::new() } else { format!("over {}", words.join(", ")) };
    vec![(setting(&key.key, value), over)]
}

/// A key of another file: once, or for each program where they differ.
fn other(key: &KeyView) -> Vec<(String, String)> {
    let row = |program: &Program| {
        let outcome = key.programs.get(program.name())?;
        let place = outcome.winner.as_ref().map(place).unwrap_or_default();
        let value = outcome.value.as_deref().map_or_else(|| "not set".to_owned(), normal);
        Some((format!("{} = {value}", key.key), place))
    };
    if key.programs_agree() {
        return row(&Program::Systemd).into_iter().collect();
    }
    let mut rows: Vec<(String, String)> = Program::ALL.iter().filter_map(row).collect();
    for (program, (_, place)) in Program::ALL.iter().zip(&mut rows) {
        // Nothing stands before it where the program takes no line about the key.
        *place = format!("{place} ({})", program.name()).trim_start().to_owned();
    }
    rows
}

fn facts(file: &FileView) -> String {
    let mut facts = vec![plural(file.lines, "setting")];
    facts.extend(file.leads_to.as_ref().map(|path| format!("a link to {path}")));
    facts.extend(file.unreadable.as_ref().map(|reason| format!("cannot be read: {reason}")));
    facts.join(", ")
}

fn totals(report: &Report, own: usize, losing: usize) -> String {
    match (own, losing) {
        (0, _) => format!("{} set, none by fwc", plural(report.keys.len(), "key")),
        (_, 0) => format!("all {} of fwc's hold", plural(own, "key")),
        _ => format!("{losing} of fwc's {} {}", plural(own, "key"), verb(losing, "lose")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::OutcomeView;
    use super::*;

    #[test]
    fn what_does_not_fit_beside_a_setting_stands_below_it() {
        let rows = [("short = 1".to_owned(), "/etc/a.conf:1".to_owned()), ("k".repeat(40), "/etc/b.conf:2".to_owned())];
        let drawn = |width| {
            let mut page = Page { style: Style { color: false, width }, text: String::new() };
            page.columns(2, &rows);
            page.text
        };
        let long = "k".repeat(40);
        assert_eq!(drawn(60), format!("  short = 1{}/etc/a.conf:1\n  {long}  /etc/b.conf:2\n", " ".repeat(33)));
        assert_eq!(drawn(50), format!("  short = 1  /etc/a.conf:1\n  {long}\n      /etc/b.conf:2\n"));
    }

    #[test]
    fn a_key_of_one_program_alone_has_no_place_under_the_other() {
        let line = LineView {
            key: "k".to_owned(),
            value: Some("1".to_owned()),
            file: "/a".to_owned(),
            line: 3,
            leads_to: None,
        };
        let nothing = OutcomeView { value: None, winner: None, losers: Vec::new() };
        let set = OutcomeView { value: Some("1".to_owned()), winner: Some(line), losers: Vec::new() };
        let key = KeyView {
            key: "k".to_owned(),
            own: None,
            spec: None,
            loses: Vec::new(),
            programs: [(Program::Procps.name(), nothing), (Program::Systemd.name(), set)].into(),
            needs_module: false,
        };
        let rows = [("k = not set", "(sysctl --system)"), ("k = 1", "/a:3 (systemd-sysctl)")];
        assert_eq!(other(&key), rows.map(|(left, right)| (left.to_owned(), right.to_owned())));
    }
}
