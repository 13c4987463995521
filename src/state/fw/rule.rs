//! A line of rules: `[|]DIRECTION ACTION [options] [# comment]`.

use crate::diagnostic::{Located, Span};

use super::super::{Slice, Unread};
use super::comment;

/// Which way a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// `IN`.
    In,
    /// `OUT`.
    Out,
    /// `FORWARD`.
    Forward,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// `ACCEPT`.
    Accept,
    /// `DROP`.
    Drop,
    /// `REJECT`.
    Reject,
}

impl Direction {
    /// `in`, `out`, `forward`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Forward => "forward",
        }
    }
}

impl Verdict {
    /// `accept`, `drop`, `reject`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
        }
    }
}

/// The head of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'t> {
    /// `IN ACCEPT`, `IN SSH(ACCEPT)`.
    Verdict {
        /// Which way.
        direction: Direction,
        /// What becomes of the packet.
        verdict: Verdict,
        /// The macro's name as written.
        macro_name: Option<Located<&'t str>>,
    },
    /// `GROUP name`.
    Group(Located<&'t str>),
}

/// A rule, its values as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine<'t> {
    /// False behind a `|`.
    pub enabled: bool,
    /// Its head.
    pub action: Action<'t>,
    /// `-i`.
    pub interface: Option<Located<&'t str>>,
    /// `-source`.
    pub source: Option<Located<&'t str>>,
    /// `-dest`.
    pub dest: Option<Located<&'t str>>,
    /// `-p`.
    pub protocol: Option<Located<&'t str>>,
    /// `-dport`.
    pub dest_ports: Option<Located<&'t str>>,
    /// `-sport`.
    pub source_ports: Option<Located<&'t str>>,
    /// `-icmp-type`.
    pub icmp_type: Option<Located<&'t str>>,
    /// `-log`.
    pub log: Option<Located<&'t str>>,
    /// Behind the `#`.
    pub comment: Option<&'t str>,
    /// The line.
    pub span: Span,
}

/// Levels of `-log`, and `nolog`.
pub(super) const LEVELS: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "nolog"];

/// Reads a rule.
pub(super) fn read(line: Slice<'_>) -> Result<RuleLine<'_>, Unread> {
    let unread = |span: Span, reason: String| Err(Unread { span, reason });
    let (bare, comment) = comment(line);
    let (enabled, bare) = match bare.strip_prefix("|") {
        Some(rest) => (false, rest),
        None => (true, bare),
    };
    let (head, rest) = bare.word();
    let (name, rest) = rest.word();
    if head.text.is_empty() || name.text.is_empty() {
        return unread(line.span(), "a rule has a direction and an action".to_owned());
    }
    let action = action(head, name)?;
    let mut rule = RuleLine {
        enabled,
        action,
        interface: None,
        source: None,
        dest: None,
        protocol: None,
        dest_ports: None,
        source_ports: None,
        icmp_type: None,
        log: None,
        comment,
        span: line.span(),
    };
    options(&mut rule, rest)?;
    Ok(rule)
}

fn action<'t>(head: Slice<'t>, name: Slice<'t>) -> Result<Action<'t>, Unread> {
    let direction = match head.text.to_ascii_lowercase().as_str() {
        "in" => Direction::In,
        "out" => Direction::Out,
        "forward" => Direction::Forward,
        "group" => return Ok(Action::Group(name.whole())),
        _ => return Err(Unread { span: head.span(), reason: format!("`{}` is no direction", head.text) }),
    };
    let verdict = |text: &str| match text {
        "ACCEPT" => Some(Verdict::Accept),
        "DROP" => Some(Verdict::Drop),
        "REJECT" => Some(Verdict::Reject),
        _ => None,
    };
    let (macro_name, word) = match name.text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some((macro_name, word)) => (Some(name.part(macro_name).whole()), word),
        None => (None, name.text),
    };
    match verdict(word) {
        Some(verdict) => Ok(Action::Verdict { direction, verdict, macro_name }),
        None => {
            let reason = match verdict(&word.to_ascii_uppercase()) {
                Some(_) => format!("actions are upper case: `{}`", word.to_ascii_uppercase()),
                None => format!("`{}` is no action: that is `ACCEPT`, `DROP` or `REJECT`", name.text),
            };
            Err(Unread { span: name.span(), reason })
        }
    }
}

/// One option after the other, one blank between its name and its value. Of one that stands there twice the last counts.
fn options<'t>(rule: &mut RuleLine<'t>, mut rest: Slice<'t>) -> Result<(), Unread> {
    let is_group = matches!(rule.action, Action::Group(_));
    while !rest.text.is_empty() {
        let wrong = |reason: String| Unread { span: rest.span(), reason };
        let (option, _) = rest.word();
        let Some((_, value)) = rest.split_at_blank() else {
            return Err(wrong(format!("`{}` has no value", option.text)));
        };
        if value.text.is_empty() || value.text.starts_with(char::is_whitespace) {
            return Err(wrong(format!("its value follows `{}` after one blank", option.text)));
        }
        let (value, after) = value.word();
        let field = match option.text {
            "-i" => &mut rule.interface,
            _ if is_group => return Err(wrong("a group takes no option but `-i`".to_owned())),
            "-source" | "--source" => &mut rule.source,
            "-dest" | "--dest" => &mut rule.dest,
            "-p" | "-proto" | "--proto" => &mut rule.protocol,
            "-dport" | "--dport" => &mut rule.dest_ports,
            "-sport" | "--sport" => &mut rule.source_ports,
            "-icmp-type" | "--icmp-type" => &mut rule.icmp_type,
            "-log" | "--log" if LEVELS.contains(&value.text) => &mut rule.log,
            "-log" | "--log" => return Err(wrong(format!("`{}` is no log level", value.text))),
            other => return Err(wrong(format!("there is no option `{other}`"))),
        };
        *field = Some(value.whole());
        rest = after;
    }
    Ok(())
}

impl RuleLine<'_> {
    /// Whether it names a macro.
    #[must_use]
    pub const fn is_macro(&self) -> bool {
        matches!(self.action, Action::Verdict { macro_name: Some(_), .. })
    }
}
