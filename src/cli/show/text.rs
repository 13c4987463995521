//! A machine for people: two columns, what is enforced and where it is written.

use crate::cli::Style;

use super::view::{EntryView, HookView, Machine, NicView, OptionView, SectionView};

/// Columns between the two.
const GAP: usize = 2;
/// Guests of a host that are named.
const GUESTS: usize = 40;

/// The machine as text.
pub(super) fn render(machine: &Machine, style: Style) -> String {
    let mut page = Page::default();
    page.head(machine);
    page.options("options", &machine.options);
    page.options("sysctl", &machine.sysctl);
    for hook in &machine.hooks {
        page.hook(hook);
    }
    if !machine.skipped.is_empty() {
        page.title("left out here");
        for skipped in &machine.skipped {
            let left = format!("{} of {}: {}", skipped.id, skipped.zone, skipped.reason);
            page.line(1, left, skipped.place.to_string());
        }
    }
    page.lay_out(style)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Title,
    Section,
    Plain,
}

#[derive(Debug)]
struct Line {
    kind: Kind,
    indent: usize,
    left: String,
    right: String,
    /// Columns by which further lines of a wrapped left text stand in.
    hang: usize,
}

impl Line {
    /// The left text, broken at the page's width where nothing stands beside it.
    fn wrapped(&self, width: usize) -> String {
        let indent = self.indent * 2;
        if !self.right.is_empty() || indent + self.left.chars().count() <= width {
            return self.left.clone();
        }
        let hang = " ".repeat(self.hang);
        let options = textwrap::Options::new(width.saturating_sub(indent).max(20))
            .subsequent_indent(&hang)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        textwrap::wrap(&self.left, options).join(&format!("\n{}", " ".repeat(indent)))
    }
}

#[derive(Debug, Default)]
struct Page {
    lines: Vec<Line>,
}

/// Words in two columns, the first of a fixed width.
fn pair(first: &str, width: usize, second: &str) -> String {
    if second.is_empty() { first.to_owned() } else { format!("{first:<width$}  {second}") }
}

impl Page {
    fn line(&mut self, indent: usize, left: String, right: String) {
        self.lines.push(Line { kind: Kind::Plain, indent, left, right, hang: 2 });
    }

    /// A name and what there is to say of it, wrapped beside the name.
    fn fact(&mut self, name: &str, width: usize, value: &str) {
        let left = pair(name, width, value);
        self.lines.push(Line { kind: Kind::Plain, indent: 1, left, right: String::new(), hang: width + 2 });
    }

    fn title(&mut self, text: &str) {
        self.line(0, String::new(), String::new());
        self.lines.push(Line { kind: Kind::Title, indent: 0, left: text.to_owned(), right: String::new(), hang: 2 });
    }

    fn head(&mut self, machine: &Machine) {
        let name = machine.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let on = if machine.platform.is_some() { String::new() } else { format!(" on {}", machine.hosts.join(", ")) };
        let left = format!("{}{name}{on}", machine.machine);
        self.lines.push(Line { kind: Kind::Title, indent: 0, left, right: machine.place.to_string(), hang: 2 });
        let mut fact = |name: &str, value: String| {
            if !value.is_empty() {
                self.fact(name, 9, &value);
            }
        };
        fact("comment", machine.comment.clone().unwrap_or_default());
        fact("path", machine.path.join(" ← "));
        fact("platform", machine.platform.unwrap_or_default().to_owned());
        fact("targets", machine.targets.join(", "));
        fact("addresses", machine.addresses.join(", "));
        fact("guests", guests(&machine.guests));
        for nic in &machine.nics {
            fact(&nic.nic, nic_words(nic));
        }
        if !machine.filtered {
            fact("firewall", "off: every packet passes".to_owned());
        }
    }

    /// What somebody set, one to a line; the defaults after it, in one paragraph.
    fn options(&mut self, title: &str, options: &[OptionView]) {
        if options.is_empty() {
            return;
        }
        self.title(title);
        let (set, defaults): (Vec<_>, Vec<_>) = options.iter().partition(|option| option.zone.is_some());
        let width = set.iter().map(|option| option.name.chars().count()).max().unwrap_or(0).max(9);
        for option in set {
            let zone = option.zone.as_deref().unwrap_or_default();
            let right = option.place.as_ref().map_or(String::new(), |at| format!("{zone}  {at}"));
            self.line(1, pair(&option.name, width, &option.value), right);
        }
        let words: Vec<String> = defaults.iter().map(|option| format!("{} {}", option.name, option.value)).collect();
        if !words.is_empty() {
            self.fact("(default)", width, &words.join(", "));
        }
    }

    fn hook(&mut self, hook: &HookView) {
        self.title(hook.hook);
        for stage in &hook.stages {
            self.fact(stage.stage, 12, &stage.does);
            for section in stage.sections.iter().flatten() {
                self.section(section);
            }
        }
    }

    fn section(&mut self, section: &SectionView) {
        let kind = if section.guardrails { "guardrails of " } else { "" };
        let left = format!("{kind}{}", section.path.join(" ← "));
        self.lines.push(Line { kind: Kind::Section, indent: 2, left, right: String::new(), hang: 2 });
        for entry in &section.entries {
            self.entry(3, entry);
        }
    }

    fn entry(&mut self, indent: usize, entry: &EntryView) {
        let mut left = match (&entry.group, entry.verdict) {
            (Some(group), _) => pair("group", 6, group) + &prefixed(&entry.matches),
            (None, verdict) => pair(verdict.unwrap_or_default(), 6, &entry.matches),
        };
        if !entry.enabled {
            left.push_str(" (disabled)");
        }
        if let Some(comment) = &entry.comment {
            left.push_str(&format!("  # {comment}"));
        }
        self.line(indent, left, entry.place.to_string());
        for rule in &entry.rules {
            self.entry(indent + 1, rule);
        }
    }

    /// The right column begins behind the longest left text that leaves it room; longer ones push it down a line.
    fn lay_out(&self, style: Style) -> String {
        let right = self.lines.iter().map(|line| line.right.chars().count()).max().unwrap_or(0);
        let room = style.width.saturating_sub(right + GAP).max(style.width / 2);
        let extent = |line: &Line| line.indent * 2 + line.left.chars().count();
        let beside = self.lines.iter().filter(|line| !line.right.is_empty()).map(extent);
        let column = beside.filter(|extent| *extent <= room).max().unwrap_or(0) + GAP;
        let mut text = String::new();
        for line in &self.lines {
            let wrapped = line.wrapped(style.width);
            let left = match line.kind {
                Kind::Title => style.bold(&wrapped),
                Kind::Section => style.paint("36", &wrapped),
                Kind::Plain => wrapped,
            };
            let mut drawn = format!("{}{left}", "  ".repeat(line.indent));
            if !line.right.is_empty() {
                let (start, fill) = match column.checked_sub(extent(line)) {
                    Some(fill) if fill >= GAP => ("", fill),
                    Some(_) | None => ("\n", column),
                };
                drawn.push_str(&format!("{start}{}{}", " ".repeat(fill), style.dim(&line.right)));
            }
            text.push_str(&drawn);
            text.push('\n');
        }
        text
    }
}

/// The first guests by name, the rest by number.
fn guests(all: &[String]) -> String {
    let shown: Vec<&str> = all.iter().take(GUESTS).map(String::as_str).collect();
    let more = all.len().saturating_sub(GUESTS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

fn prefixed(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {text}") }
}

fn nic_words(nic: &NicView) -> String {
    let mut parts = vec![nic.device.clone()];
    parts.extend(nic.bridge.clone());
    parts.extend(nic.tag.map(|tag| format!("tag {tag}")));
    parts.extend(nic.mac.clone());
    parts.extend(nic.addresses.iter().cloned());
    if let Some(sources) = &nic.sources {
        parts.push(format!("(may send from {sources})"));
    }
    if !nic.filtered {
        parts.push("(not filtered)".to_owned());
    }
    parts.join(" ")
}
