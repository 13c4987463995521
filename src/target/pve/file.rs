//! A `.fw` file as data, and its lines as text.
//!
//! In: finished decisions. Out: the text of each section, line by line. Promise: every line is one that both of
//! Proxmox VE's implementations read: comments stand only where they are allowed, and nothing in a comment can
//! end its line.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use crate::policy::{Direction, LogLevel, Verdict};
use crate::target::template::{self, Placed};

/// Everything in one file. Sections that the file's kind does not have stay empty.
#[derive(Debug, Clone, Default)]
pub(super) struct FwFile {
    /// Comment lines at the top, without `#`.
    pub(super) header: Vec<String>,
    /// `[OPTIONS]`.
    pub(super) options: Vec<OptionLine>,
    /// `[ALIASES]`.
    pub(super) aliases: Vec<AliasLine>,
    /// `[IPSET …]`, one after the other.
    pub(super) ipsets: Vec<IpsetSection>,
    /// `[group …]`, one after the other.
    pub(super) groups: Vec<GroupSection>,
    /// `[RULES]`.
    pub(super) rules: Vec<RuleBlock>,
}

/// `name: value`. Never with a comment: that would make the line unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OptionLine {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// `name network # comment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AliasLine {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) comment: Option<String>,
}

/// A named set of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IpsetSection {
    pub(super) name: String,
    pub(super) comment: Option<String>,
    /// Comment lines under the header, without `#`: how the set was written, where that is not what follows.
    pub(super) notes: Vec<String>,
    pub(super) entries: Vec<IpsetLine>,
}

/// `network # comment`, or an alias in the network's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IpsetLine {
    pub(super) value: String,
    pub(super) comment: Option<String>,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupSection {
    pub(super) name: String,
    pub(super) comment: Option<String>,
    pub(super) rules: Vec<RuleLine>,
}

/// Rules of one origin, under a comment line that names it.
#[derive(Debug, Clone)]
pub(super) struct RuleBlock {
    pub(super) heading: String,
    pub(super) lines: Arc<Vec<RuleLine>>,
}

/// What a line does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// `IN ACCEPT`, or `IN SSH(ACCEPT)`.
    Verdict { direction: Direction, verdict: Verdict, macro_name: Option<&'static str> },
    /// `GROUP name`.
    Group(String),
}

/// One line of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuleLine {
    pub(super) enabled: bool,
    pub(super) action: Action,
    /// `net0` in a guest's file, an interface of the host in a host's.
    pub(super) interface: Option<String>,
    pub(super) source: Option<String>,
    pub(super) dest: Option<String>,
    pub(super) protocol: Option<&'static str>,
    pub(super) dest_ports: Option<String>,
    pub(super) source_ports: Option<String>,
    pub(super) icmp_type: Option<&'static str>,
    pub(super) log: Option<LogLevel>,
    pub(super) comment: Option<String>,
}

impl RuleLine {
    /// A line that matches everything.
    pub(super) const fn new(action: Action) -> Self {
        Self {
            enabled: true,
            action,
            interface: None,
            source: None,
            dest: None,
            protocol: None,
            dest_ports: None,
            source_ports: None,
            icmp_type: None,
            log: None,
            comment: None,
        }
    }

    /// Whether it means the same as another: comments aside.
    pub(super) fn means(&self, other: &Self) -> bool {
        let Self {
            enabled, action, interface, source, dest, protocol, dest_ports, source_ports, icmp_type, log, ..
        } = self;
        (enabled, action, interface, source, dest)
            == (&other.enabled, &other.action, &other.interface, &other.source, &other.dest)
            && (protocol, dest_ports, source_ports, icmp_type, log)
                == (&other.protocol, &other.dest_ports, &other.source_ports, &other.icmp_type, &other.log)
    }

    /// Appends the line's text, without its end.
    pub(super) fn write(&self, out: &mut String) {
        if !self.enabled {
            out.push('|');
        }
        match &self.action {
            Action::Group(name) => {
                out.push_str("GROUP ");
                out.push_str(name);
            }
            Action::Verdict { direction, verdict, macro_name } => {
                out.push_str(direction_word(*direction));
                out.push(' ');
                match macro_name {
                    Some(name) => {
                        out.push_str(name);
                        out.push('(');
                        out.push_str(verdict_word(*verdict));
                        out.push(')');
                    }
                    None => out.push_str(verdict_word(*verdict)),
                }
            }
        }
        let options = [
            (" -i ", self.interface.as_deref()),
            (" -source ", self.source.as_deref()),
            (" -dest ", self.dest.as_deref()),
            (" -p ", self.protocol),
            (" -dport ", self.dest_ports.as_deref()),
            (" -sport ", self.source_ports.as_deref()),
            (" -icmp-type ", self.icmp_type),
            (" -log ", self.log.map(LogLevel::name)),
        ];
        for (option, value) in options {
            if let Some(value) = value {
                out.push_str(option);
                out.push_str(value);
            }
        }
        write_comment(out, self.comment.as_deref());
    }
}

/// As Proxmox VE writes it.
pub(super) const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "IN",
        Direction::Out => "OUT",
        Direction::Forward => "FORWARD",
    }
}

/// As Proxmox VE writes it. A rule never skips; a stage's clause that does is not written as a rule.
pub(super) const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "ACCEPT",
        Verdict::Drop | Verdict::Skip => "DROP",
        Verdict::Reject => "REJECT",
    }
}

/// Appends ` # comment`, where there is something to say.
fn write_comment(out: &mut String, comment: Option<&str>) {
    if let Some(comment) = comment {
        let start = out.len();
        out.push_str(" # ");
        let before = out.len();
        push_plain(out, comment.trim(), true);
        if out.len() == before {
            out.truncate(start);
        }
    }
}

/// Appends text that cannot end its line: control characters and line separators become spaces. Behind something
/// else on its line it may hold no second `#` either, since one implementation takes the last one for the comment's
/// beginning: `U+FF03`, which looks like it, stands in its place.
fn push_plain(out: &mut String, text: &str, behind: bool) {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !(behind && byte == b'#')) {
        out.push_str(text);
        return;
    }
    out.extend(text.chars().map(|c| match c {
        '#' if behind => '\u{ff03}',
        '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    }));
}

/// Appends a comment line.
fn write_note(out: &mut String, note: &str) {
    if note.is_empty() {
        out.push_str("#\n");
    } else {
        out.push_str("# ");
        push_plain(out, note.trim_end(), false);
        out.push('\n');
    }
}

/// What a template places: finished text. Each piece ends in a line's end, or is empty; blocks of rules end without one.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    header: String,
    options: String,
    aliases: String,
    ipsets: Vec<String>,
    groups: Vec<String>,
    rules: Vec<String>,
}

impl Placed for Page {
    fn lines(&self) -> Vec<String> {
        // A section without lines may go without its name.
        let section = |name: &str, texts: &[&str]| {
            let lines: Vec<String> = texts.iter().flat_map(|text| template::lines(text)).collect();
            let name = Some(name.to_owned()).filter(|_| !lines.is_empty());
            name.into_iter().chain(lines).collect::<Vec<_>>()
        };
        let rules: Vec<&str> = self.rules.iter().map(String::as_str).collect();
        let all = section("[OPTIONS]", &[&self.options]).into_iter().chain(section("[ALIASES]", &[&self.aliases]));
        let all = all.chain(self.ipsets.iter().chain(&self.groups).flat_map(|text| template::lines(text)));
        all.chain(section("[RULES]", &rules)).filter(|line| !line.starts_with('#')).collect()
    }
}

impl FwFile {
    /// The text of every section.
    pub(super) fn page(&self) -> Page {
        let mut header = String::with_capacity(256);
        for note in &self.header {
            write_note(&mut header, note);
        }
        let mut options = String::with_capacity(128);
        for option in &self.options {
            let _ = writeln!(options, "{}: {}", option.name, option.value);
        }
        let mut aliases = String::new();
        for alias in &self.aliases {
            aliases.push_str(&alias.name);
            aliases.push(' ');
            aliases.push_str(&alias.value);
            write_comment(&mut aliases, alias.comment.as_deref());
            aliases.push('\n');
        }
        let rules = self.rules.iter().map(RuleBlock::text).collect();
        let ipsets = self.ipsets.iter().map(IpsetSection::text).collect();
        let groups = self.groups.iter().map(GroupSection::text).collect();
        Page { header, options, aliases, ipsets, groups, rules }
    }
}

impl RuleBlock {
    fn text(&self) -> String {
        let mut out = String::with_capacity(40 + self.lines.len() * 80);
        write_note(&mut out, &self.heading);
        write_rules(&mut out, &self.lines);
        out.truncate(out.trim_end().len());
        out
    }
}

fn write_rules(out: &mut String, lines: &[RuleLine]) {
    for line in lines {
        line.write(out);
        out.push('\n');
    }
}

impl IpsetSection {
    fn text(&self) -> String {
        let mut out = format!("[IPSET {}]", self.name);
        write_comment(&mut out, self.comment.as_deref());
        out.push_str("\n\n");
        for note in &self.notes {
            write_note(&mut out, note);
        }
        for entry in &self.entries {
            out.push_str(&entry.value);
            write_comment(&mut out, entry.comment.as_deref());
            out.push('\n');
        }
        out
    }
}

impl GroupSection {
    fn text(&self) -> String {
        let mut out = format!("[group {}]", self.name);
        write_comment(&mut out, self.comment.as_deref());
        out.push_str("\n\n");
        write_rules(&mut out, &self.rules);
        out
    }
}
