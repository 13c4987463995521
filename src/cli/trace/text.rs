//! A trace for people: the verdict first, then every hook with what decides there, then remarks.

use crate::cli::Style;

use super::view::{AnswerView, EndView, PacketView, SettingView, StepView};

/// Columns of the verdicts.
const MARK: usize = 8;
/// Columns between a text and its place.
const GAP: usize = 2;

/// The answer as text.
pub(in crate::cli) fn answer(view: &AnswerView, style: Style) -> String {
    let mut head = Page::default();
    let via = view.via.as_ref().map(|host| format!(", routed by {host}")).unwrap_or_default();
    head.title(view.verdict, format!("{} → {}{via}", end(&view.from), end(&view.to)));
    head.text(packet(&view.packet));
    if view.hooks.is_empty() {
        head.blank();
        head.text("no hook is on its way".to_owned());
    }
    let mut notes = Page::default();
    if !view.notes.is_empty() {
        notes.blank();
    }
    for note in &view.notes {
        let place = note.place.as_ref().map(ToString::to_string);
        notes.lines.push(Line { mark: "note".to_owned(), text: note.text.clone(), place, kind: Kind::Plain });
    }
    head.lay_out(style) + &steps(&view.hooks, &view.unreached, style) + &notes.lay_out(style)
}

/// The hooks of a trace, each after a blank line.
pub(in crate::cli) fn steps(reached: &[StepView], unreached: &[StepView], style: Style) -> String {
    let mut page = Page::default();
    page.steps(reached, unreached);
    page.lay_out(style)
}

/// A packet in one line: `tcp 10.0.0.1:49152 → 10.0.0.2:443, syn, new`.
pub(in crate::cli) fn packet(view: &PacketView) -> String {
    let side = |address: &Option<String>, port: Option<u16>| {
        let address = address.as_deref()?;
        Some(match port {
            Some(port) if address.contains(':') => format!("[{address}]:{port}"),
            Some(port) => format!("{address}:{port}"),
            None => address.to_owned(),
        })
    };
    let what = match (view.protocol.as_deref(), view.frame.as_str()) {
        (Some(protocol), _) => protocol.to_owned(),
        (None, "stacked") => "a frame with more than one VLAN tag".to_owned(),
        (None, "ARP") => "ARP".to_owned(),
        (None, number) => format!("a frame of ethertype {number}"),
    };
    let mut text = what;
    if let (Some(source), Some(dest)) = (side(&view.source, view.sport), side(&view.dest, view.dport)) {
        text.push_str(&format!(" {source} → {dest}"));
    }
    let flags = view.tcp_flags.as_ref().map(|flags| match flags.as_slice() {
        [] => "no flags".to_owned(),
        flags => flags.join("+"),
    });
    let rest = [
        view.icmp_type.clone(),
        flags,
        view.state.map(str::to_owned),
        view.mac.as_ref().map(|mac| format!("from {mac}")),
        view.iface.as_ref().map(|name| format!("by {name}")),
    ];
    for part in rest.into_iter().flatten() {
        text.push_str(", ");
        text.push_str(&part);
    }
    text
}

fn end(view: &EndView) -> String {
    let name = view.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let on = view.host.as_ref().filter(|_| !view.end.starts_with("host/"));
    let on = on.map(|host| format!(" on {host}")).unwrap_or_default();
    format!("{}{name}{on}", view.end)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Title,
    Plain,
    Dim,
}

#[derive(Debug)]
struct Line {
    /// What stands in the first column: a verdict, `note`, or nothing.
    mark: String,
    text: String,
    place: Option<String>,
    kind: Kind,
}

#[derive(Debug, Default)]
struct Page {
    lines: Vec<Line>,
}

impl Page {
    fn title(&mut self, mark: &str, text: String) {
        self.lines.push(Line { mark: mark.to_owned(), text, place: None, kind: Kind::Title });
    }

    fn text(&mut self, text: String) {
        self.lines.push(Line { mark: String::new(), text, place: None, kind: Kind::Plain });
    }

    fn at(&mut self, text: String, place: Option<String>) {
        self.lines.push(Line { mark: String::new(), text, place, kind: Kind::Plain });
    }

    fn blank(&mut self) {
        self.text(String::new());
    }

    fn steps(&mut self, reached: &[StepView], unreached: &[StepView]) {
        for step in reached {
            self.blank();
            self.title(step.verdict, hook(step));
            self.reason(step);
        }
        if !unreached.is_empty() {
            self.blank();
        }
        for step in unreached {
            let (why, place) = short_reason(step);
            let text = format!("{}: not reached, would {} by {why}", hook(step), step.verdict);
            self.lines.push(Line { mark: "-".to_owned(), text, place, kind: Kind::Dim });
        }
    }

    /// What decides, where it is written, how it came here, and what happens besides.
    fn reason(&mut self, step: &StepView) {
        match &step.rule {
            Some(rule) => {
                let comment = rule.comment.as_ref().map(|comment| format!("  # {comment}")).unwrap_or_default();
                self.at(format!("{}{comment}", rule.text), Some(rule.place.to_string()));
                let guardrail = if rule.guardrail { "guardrail: " } else { "" };
                let reference = rule.reference.as_ref().map(|reference| reference.place.to_string());
                self.at(format!("{guardrail}{}", rule.path.join(" ← ")), reference);
            }
            None => {
                let stage = step.stage.unwrap_or("nothing");
                if stage != "policy" {
                    self.text(format!("{stage}: {}", step.does));
                }
                if let Some(setting) = &step.setting {
                    self.at(setting_words(setting), setting.place.as_ref().map(ToString::to_string));
                }
            }
        }
        if let Some(level) = step.log {
            self.text(format!("logged at {level}"));
        }
        if let Some(answer) = step.answer {
            self.text(format!("the sender is told {answer}"));
        }
    }

    /// Places begin behind the longest text that leaves them room; longer texts push them down a line.
    fn lay_out(&self, style: Style) -> String {
        let extent = |line: &Line| MARK + line.text.chars().count();
        let place = |line: &Line| line.place.as_ref().map_or(0, |place| place.chars().count());
        let widest = self.lines.iter().map(place).max().unwrap_or(0);
        let room = style.width.saturating_sub(widest + GAP).max(style.width / 2);
        let beside = self.lines.iter().filter(|line| line.place.is_some()).map(extent);
        let column = beside.filter(|extent| *extent <= room).max().unwrap_or(MARK) + GAP;
        let mut text = String::new();
        for line in &self.lines {
            let drawn = line.drawn(style, column);
            text.push_str(drawn.trim_end());
            text.push('\n');
        }
        text
    }
}

impl Line {
    fn drawn(&self, style: Style, column: usize) -> String {
        let indent = " ".repeat(MARK);
        let options = textwrap::Options::new(style.width.saturating_sub(MARK).max(20))
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        let wrapped = textwrap::wrap(&self.text, options);
        let last = MARK + wrapped.last().map_or(0, |line| line.chars().count());
        let paint = |text: &str| match self.kind {
            Kind::Title => style.bold(text),
            Kind::Plain => text.to_owned(),
            Kind::Dim => style.dim(text),
        };
        let body: Vec<String> = wrapped.iter().map(|line| paint(line)).collect();
        let mark = mark(&self.mark, style);
        let fill = " ".repeat(MARK.saturating_sub(self.mark.chars().count()));
        let mut drawn = format!("{mark}{fill}{}", body.join(&format!("\n{indent}")));
        if let Some(place) = &self.place {
            let (start, fill) = match column.checked_sub(last) {
                Some(fill) if fill >= GAP => ("", fill),
                Some(_) | None => ("\n", column.min(style.width.saturating_sub(place.chars().count())).max(MARK)),
            };
            drawn.push_str(&format!("{start}{}{}", " ".repeat(fill), style.dim(place)));
        }
        drawn
    }
}

/// A verdict in its colour.
fn mark(word: &str, style: Style) -> String {
    match word {
        "accept" => style.paint("1;32", word),
        "drop" | "reject" => style.paint("1;31", word),
        word => style.dim(word),
    }
}

fn hook(step: &StepView) -> String {
    let nic = step.nic.as_ref().map(|nic| format!(":{nic}")).unwrap_or_default();
    let own = step.machine.strip_prefix("host/") == Some(step.host.as_str());
    let on = if own { String::new() } else { format!(" on {}", step.host) };
    format!("{} of {}{nic}{on}", step.hook, step.machine)
}

/// What decides at a hook, in a line: the rule, or the option or stage.
pub(in crate::cli) fn reason(step: &StepView) -> String {
    match (&step.rule, &step.setting) {
        (Some(rule), _) => rule.text.clone(),
        (None, Some(setting)) => setting_words(setting),
        (None, None) => step.stage.unwrap_or("nothing").to_owned(),
    }
}

fn setting_words(setting: &SettingView) -> String {
    let value = if setting.value.is_empty() { String::new() } else { format!(" {}", setting.value) };
    match &setting.zone {
        Some(zone) => format!("{}{value} of {zone}", setting.name),
        None => format!("{}{value}, the default", setting.name),
    }
}

/// The reason in a few words, and its place.
fn short_reason(step: &StepView) -> (String, Option<String>) {
    match (&step.rule, &step.setting) {
        (Some(rule), _) => (format!("`{}`", rule.text), Some(rule.place.to_string())),
        (None, Some(setting)) if step.stage == Some("policy") => {
            (setting.name.clone(), setting.place.as_ref().map(ToString::to_string))
        }
        (None, _) => (step.stage.unwrap_or("nothing").to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::trace::view::{ReferenceView, RuleView};
    use crate::diagnostic::Place;

    fn place(line: u32) -> Place {
        Place { file: "fleet/guests.yaml".to_owned(), line }
    }

    fn step(verdict: &'static str) -> StepView {
        let rule = RuleView {
            zone: "group/web".to_owned(),
            id: "web".to_owned(),
            place: place(7),
            text: format!("{verdict} tcp 80,443 from office"),
            comment: Some("the shop".to_owned()),
            guardrail: true,
            path: vec!["vm/100".to_owned(), "zone/web-tier".to_owned(), "group/web".to_owned()],
            reference: Some(ReferenceView { zone: "zone/web-tier".to_owned(), id: "r".to_owned(), place: place(9) }),
        };
        StepView {
            hook: "guest-in",
            verdict,
            rule: Some(rule),
            log: Some("info"),
            host: "pm1".to_owned(),
            machine: "vm/100".to_owned(),
            nic: Some("net0".to_owned()),
            stage: Some("rules"),
            does: String::new(),
            setting: None,
            answer: Some("a TCP reset"),
        }
    }

    #[test]
    fn a_hook_says_what_decides_and_where_it_is_written() {
        let text = steps(&[step("reject")], &[step("accept")], Style::PLAIN);
        let expected = "
reject  guest-in of vm/100:net0 on pm1
        reject tcp 80,443 from office  # the shop      fleet/guests.yaml:7
        guardrail: vm/100 ← zone/web-tier ← group/web  fleet/guests.yaml:9
        logged at info
        the sender is told a TCP reset

-       guest-in of vm/100:net0 on pm1: not reached, would accept by `accept tcp 80,443 from office`
                                                       fleet/guests.yaml:7
";
        assert_eq!(text, expected);
    }

    #[test]
    fn narrow_terminals_lose_nothing() {
        for width in [40, 60, 100, 160] {
            let style = Style { color: false, width };
            let text = steps(&[step("reject")], &[step("accept")], style);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            assert_eq!(text.matches("fleet/guests.yaml:7").count(), 2, "{text}");
            assert_eq!(text.matches("fleet/guests.yaml:9").count(), 1, "{text}");
        }
    }

    #[test]
    fn colour_changes_no_text() {
        let plain = steps(&[step("drop")], &[step("accept")], Style::PLAIN);
        let colored = steps(&[step("drop")], &[step("accept")], Style { color: true, ..Style::PLAIN });
        assert!(colored.contains("\u{1b}[1;31mdrop\u{1b}[0m"), "{colored:?}");
        let mut stripped = String::new();
        let mut rest = colored.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            stripped.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        stripped.push_str(rest);
        assert_eq!(stripped, plain);
    }

    #[test]
    fn packets_are_one_line() {
        let view = PacketView {
            frame: "IPv6".to_owned(),
            protocol: Some("tcp".to_owned()),
            source: Some("2001:db8::1".to_owned()),
            sport: Some(1),
            dest: Some("2001:db8::2".to_owned()),
            dport: Some(2),
            tcp_flags: Some(Vec::new()),
            state: Some("new"),
            ..PacketView::default()
        };
        assert_eq!(packet(&view), "tcp [2001:db8::1]:1 → [2001:db8::2]:2, no flags, new");
        let stacked = PacketView { frame: "stacked".to_owned(), mac: Some("02::".to_owned()), ..PacketView::default() };
        assert_eq!(packet(&stacked), "a frame with more than one VLAN tag, from 02::");
    }
}
