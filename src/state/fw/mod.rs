//! Proxmox VE's `.fw` files, as pve-firewall reads them.
//!
//! In: a file's text and its kind. Out: its options, aliases, ipsets, groups and rules in their order, still text, each
//! with its place; and every line that pve-firewall passes over, with the reason. Names of sections and options are
//! taken in any case. What the values mean, and whether the names in them exist, is not asked here.
//!
//! A `#` at the beginning makes a line a comment. Behind something else, it begins a comment in a rule, an alias, an
//! entry of an ipset, and the header of a group or an ipset; anywhere else it makes the line unreadable. Of two
//! sections of one name the second replaces the first, where the name is a group's or an ipset's.

mod option;
mod rule;
#[cfg(test)]
mod tests;

use crate::diagnostic::{FileId, Located, Span};

use super::{Slice, Unread};

pub use rule::{Action, Direction, RuleLine, Verdict};

/// Whose file it is; that decides which sections and options there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `firewall/cluster.fw`.
    Cluster,
    /// `nodes/<node>/host.fw`.
    Host,
    /// `firewall/<VMID>.fw`.
    Guest,
    /// `sdn/firewall/<vnet>.fw`.
    Vnet,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FwText<'t> {
    /// `[OPTIONS]`: of one that stands there twice, the last counts.
    pub options: Vec<OptionLine<'t>>,
    /// `[ALIASES]`: of one that stands there twice, the last counts.
    pub aliases: Vec<AliasLine<'t>>,
    /// `[IPSET name]`.
    pub ipsets: Vec<IpsetSection<'t>>,
    /// `[group name]`.
    pub groups: Vec<GroupSection<'t>>,
    /// `[RULES]`.
    pub rules: Vec<RuleLine<'t>>,
    /// Comments before the first section.
    pub header: Vec<&'t str>,
    /// Lines that are passed over.
    pub unread: Vec<Unread>,
}

/// `name: value`. The name is known for the kind of file, the value has the form that pve-firewall takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionLine<'t> {
    /// In lower case.
    pub name: &'static str,
    /// As written, without blanks around it.
    pub value: Located<&'t str>,
    /// The line.
    pub span: Span,
}

/// `name value # comment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasLine<'t> {
    /// As written.
    pub name: Located<&'t str>,
    /// As written.
    pub value: Located<&'t str>,
    /// Behind the `#`.
    pub comment: Option<&'t str>,
    /// The line.
    pub span: Span,
}

/// `[IPSET name] # comment` and its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpsetSection<'t> {
    /// In lower case.
    pub name: String,
    /// Behind the `#` of the header.
    pub comment: Option<&'t str>,
    /// In their order.
    pub entries: Vec<EntryLine<'t>>,
    /// The header.
    pub span: Span,
}

/// An entry of an ipset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryLine<'t> {
    /// Whether a `!` stands before it.
    pub excluded: bool,
    /// As written, without the `!`.
    pub value: Located<&'t str>,
    /// Behind the `#`.
    pub comment: Option<&'t str>,
}

/// `[group name] # comment` and its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSection<'t> {
    /// In lower case.
    pub name: String,
    /// Behind the `#` of the header.
    pub comment: Option<&'t str>,
    /// In their order.
    pub rules: Vec<RuleLine<'t>>,
    /// The header.
    pub span: Span,
}

/// Which section a line stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// Before the first header, or after one that is not read: nothing counts.
    None,
    Options,
    Aliases,
    Ipset,
    Group,
    Rules,
}

/// The longest name of an alias or an ipset.
const NAME_MAX: usize = 64;
/// The longest name of a group.
const GROUP_MAX: usize = 18;

/// Reads a file.
#[must_use]
pub fn read(kind: Kind, file: FileId, text: &str) -> FwText<'_> {
    let mut reader = Reader { kind, section: Section::None, found: FwText::default() };
    // Editors of other systems write this mark before a text; it is no part of it.
    let all = Slice::new(file, text);
    let all = all.strip_prefix("\u{feff}").unwrap_or(all);
    let mut headed = false;
    for line in all.lines().map(Slice::trim) {
        if line.text.is_empty() {
            continue;
        }
        if let Some(comment) = line.text.strip_prefix('#') {
            if !headed {
                reader.found.header.push(comment.trim());
            }
            continue;
        }
        headed = true;
        if line.text.starts_with('[') {
            reader.header(line);
        } else {
            reader.line(line);
        }
    }
    reader.found
}

/// Whether a text is a name of Proxmox VE's: a letter, then letters, digits, `-` and `_`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() > 1
        && bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

struct Reader<'t> {
    kind: Kind,
    section: Section,
    found: FwText<'t>,
}

impl<'t> Reader<'t> {
    fn unread(&mut self, span: Span, reason: impl Into<String>) {
        self.found.unread.push(Unread { span, reason: reason.into() });
    }

    fn header(&mut self, line: Slice<'t>) {
        // What follows a header that is not read still belongs to the section before it; that is what pve-firewall does.
        let Some((inside, rest)) = line.split_once(']') else {
            self.unread(line.span(), "the header has no `]`");
            return;
        };
        let inside = inside.strip_prefix("[").unwrap_or(inside);
        let (word, name) = inside.word();
        let comment = match rest.trim() {
            rest if rest.text.is_empty() => None,
            rest => match rest.strip_prefix("#") {
                Some(comment) => Some(comment.text.trim()),
                None => return self.unread(rest.span(), "something other than a comment follows the header"),
            },
        };
        let plain = match word.text.to_ascii_lowercase().as_str() {
            "options" => Section::Options,
            "rules" => Section::Rules,
            "aliases" if matches!(self.kind, Kind::Cluster | Kind::Guest) => Section::Aliases,
            "ipset" if matches!(self.kind, Kind::Cluster | Kind::Guest) => {
                return self.named(line, name, comment, Section::Ipset);
            }
            "group" if self.kind == Kind::Cluster => return self.named(line, name, comment, Section::Group),
            "aliases" | "ipset" | "group" => {
                self.section = Section::None;
                return self.unread(line.span(), "there is no such section in this file");
            }
            _ => return self.unread(line.span(), "there is no such section"),
        };
        if !name.text.is_empty() || inside.text != word.text {
            self.unread(line.span(), "this section has no name");
        } else if comment.is_some() || line.text.len() != inside.text.len() + 2 {
            self.unread(line.span(), "no comment may follow this header");
        } else {
            self.section = plain;
        }
    }

    /// `[IPSET name]` and `[group name]`.
    fn named(&mut self, line: Slice<'t>, name: Slice<'t>, comment: Option<&'t str>, section: Section) {
        // Behind a header with a bad name no entry counts.
        self.section = Section::None;
        let longest = if section == Section::Group { GROUP_MAX } else { NAME_MAX };
        let lower = name.text.to_ascii_lowercase();
        if !is_name(&lower) {
            return self.unread(line.span(), format!("`{}` is not a name", name.text));
        }
        if lower.len() > longest {
            return self.unread(line.span(), format!("the name is longer than {longest} characters"));
        }
        self.section = section;
        let comment = comment.filter(|comment| !comment.is_empty());
        let span = line.span();
        let earlier = if section == Section::Group {
            let at = self.found.groups.iter().position(|group| group.name == lower);
            let earlier = at.map(|at| self.found.groups.remove(at).span);
            self.found.groups.push(GroupSection { name: lower, comment, rules: Vec::new(), span });
            earlier
        } else {
            let at = self.found.ipsets.iter().position(|ipset| ipset.name == lower);
            let earlier = at.map(|at| self.found.ipsets.remove(at).span);
            self.found.ipsets.push(IpsetSection { name: lower, comment, entries: Vec::new(), span });
            earlier
        };
        if let Some(earlier) = earlier {
            self.unread(earlier, "a later section of the same name replaces this one");
        }
    }

    fn line(&mut self, line: Slice<'t>) {
        match self.section {
            Section::None => self.unread(line.span(), "it stands in no section"),
            Section::Options => match option::read(self.kind, line) {
                Ok(option) => self.found.options.push(option),
                Err(unread) => self.found.unread.push(unread),
            },
            Section::Aliases => match alias(line) {
                Ok(alias) => self.found.aliases.push(alias),
                Err(unread) => self.found.unread.push(unread),
            },
            Section::Ipset => match entry(line) {
                Ok(entry) => {
                    if let Some(ipset) = self.found.ipsets.last_mut() {
                        ipset.entries.push(entry);
                    }
                }
                Err(unread) => self.found.unread.push(unread),
            },
            Section::Group => match rule::read(line) {
                Ok(rule) => {
                    if let Some(group) = self.found.groups.last_mut() {
                        group.rules.push(rule);
                    }
                }
                Err(unread) => self.found.unread.push(unread),
            },
            Section::Rules => match rule::read(line) {
                Ok(rule) => self.found.rules.push(rule),
                Err(unread) => self.found.unread.push(unread),
            },
        }
    }
}

/// A line without its comment, and the comment.
fn comment(line: Slice<'_>) -> (Slice<'_>, Option<&str>) {
    match line.split_once('#') {
        Some((before, after)) => (before.trim(), Some(after.text.trim()).filter(|text| !text.is_empty())),
        None => (line, None),
    }
}

fn alias(line: Slice<'_>) -> Result<AliasLine<'_>, Unread> {
    let (bare, comment) = comment(line);
    let wrong = |reason: &str| Unread { span: line.span(), reason: reason.to_owned() };
    let (name, value) = bare.split_at_blank().ok_or_else(|| wrong("an alias is a name and a value"))?;
    if value.text.is_empty() || value.text.contains(char::is_whitespace) {
        return Err(wrong("an alias is a name, one blank and a value"));
    }
    if !is_name(name.text) {
        return Err(wrong("its name can be used nowhere: names are a letter, then letters, digits, `-` and `_`"));
    }
    if name.text.len() > NAME_MAX {
        return Err(wrong("its name is longer than 64 characters"));
    }
    Ok(AliasLine { name: name.whole(), value: value.whole(), comment, span: line.span() })
}

fn entry(line: Slice<'_>) -> Result<EntryLine<'_>, Unread> {
    let (bare, comment) = comment(line);
    let (excluded, value) = match bare.strip_prefix("!") {
        Some(rest) => (true, rest.trim()),
        None => (false, bare),
    };
    if value.text.is_empty() || value.text.contains(char::is_whitespace) {
        return Err(Unread { span: line.span(), reason: "an entry is one address, network or alias".to_owned() });
    }
    Ok(EntryLine { excluded, value: value.whole(), comment })
}
