//! The options of every kind of zone: names, types, ranges, defaults, and a sentence on each.
//!
//! In: an option's name and its value as text. Out: the table's entry, a typed value, or a diagnostic
//! that says what the option takes. One table feeds the reader, the JSON Schema and `resolve`.

mod parse;
mod table;

use super::model::OptionValue;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean};

pub use parse::{
    RATE_UNITS, parse_bool, parse_choice, parse_ethertype, parse_integer, parse_log_level, parse_queues, parse_rate,
};
pub use table::table;

use super::model::Text;

/// The kinds of zones that have options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptionZone {
    /// `datacenter`.
    Datacenter,
    /// Hosts and zones of kind `host`.
    Host,
    /// Guests, `guests` blocks and zones of kind `guest`.
    Guest,
    /// Vnets.
    Vnet,
}

impl OptionZone {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Datacenter, Self::Host, Self::Guest, Self::Vnet];

    /// `a datacenter`, `a host`…
    #[must_use]
    pub const fn article(self) -> &'static str {
        match self {
            Self::Datacenter => "the datacenter",
            Self::Host => "a host",
            Self::Guest => "a guest",
            Self::Vnet => "a vnet",
        }
    }

    /// Where such an option goes.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::Datacenter => "the `options` of `datacenter`",
            Self::Host => "the `options` of a host or of a zone of kind `host`",
            Self::Guest => "the `options` of a guest, of a `guests` block or of a zone of kind `guest`",
            Self::Vnet => "the `options` of a vnet",
        }
    }
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptionKind {
    /// `true` or `false`.
    Bool,
    /// A whole number from `min` to `max`, both included.
    Integer {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
        /// What is counted, in the plural.
        unit: &'static str,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words, each once.
    Choices(&'static [&'static str]),
    /// A map of `enable`, `rate` and `burst`.
    RateLimit,
    /// A list of ethertypes: names or hexadecimal numbers.
    EtherTypes,
    /// A queue number or a range `N:M` of them.
    Queues,
}

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OptionSpec {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub kind: OptionKind,
    /// The default as it would be written; none where absence has its own meaning.
    pub default: Option<&'static str>,
    /// A sentence or two.
    pub doc: &'static str,
}

impl OptionSpec {
    /// A number in the option's range; any number where the option is not an integer.
    ///
    /// # Errors
    /// The text is not a plain decimal number, or outside the range.
    pub fn integer(&self, text: &Text) -> Result<u64, Diagnostic> {
        match self.kind {
            OptionKind::Integer { min, max, unit } => parse_integer(text, min, max, unit),
            OptionKind::Bool
            | OptionKind::Choice(_)
            | OptionKind::Choices(_)
            | OptionKind::RateLimit
            | OptionKind::EtherTypes
            | OptionKind::Queues => parse_integer(text, 0, u64::MAX, "units"),
        }
    }
}

/// The words of a log level, most severe first; `nolog` last.
pub const LOG_LEVELS: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "nolog"];

/// The words of a verdict.
pub const VERDICTS: &[&str] = &["accept", "drop", "reject"];

/// The words of what a test expects.
pub const EXPECTATIONS: &[&str] = &["accept", "drop", "reject", "never"];

/// The words of a verdict where nothing can be rejected.
pub const FORWARD_VERDICTS: &[&str] = &["accept", "drop"];

/// The conntrack helpers of the kernel.
pub const CONNTRACK_HELPERS: &[&str] = &["amanda", "ftp", "irc", "netbios-ns", "pptp", "sane", "sip", "snmp", "tftp"];

/// The most lines, or lines per unit, that a log limit takes (the kernel's `limit` match counts no further).
pub const LOG_RATE_MAX: u64 = 10_000;

/// The table's entry for an option of that kind of zone.
#[must_use]
pub fn find(zone: OptionZone, name: &str) -> Option<&'static OptionSpec> {
    table(zone).iter().find(|option| option.name == name)
}

/// The error for a name that none of `zones` has as an option.
#[must_use]
pub fn unknown(zones: &[OptionZone], name: &Text) -> Diagnostic {
    let whose = zones.first().map_or("this zone", |zone| zone.article());
    let message = format!("`{}` is not an option of {whose}", name.value);
    let elsewhere: Vec<OptionZone> =
        OptionZone::ALL.into_iter().filter(|zone| find(*zone, &name.value).is_some()).collect();
    let help = match elsewhere.first() {
        Some(owner) => format!("`{}` is an option of {}; put it into {}", name.value, owner.article(), owner.place()),
        None => {
            let known = zones.iter().flat_map(|zone| table(*zone)).map(|option| option.name);
            did_you_mean(&name.value, "options", known)
        }
    };
    Diagnostic::error(Code::UnknownOption, name.span, message).help(help)
}

/// Says everything that is wrong with the value of an option.
pub fn check(option: &OptionSpec, value: &OptionValue, found: &mut Diagnostics) {
    let mut keep = |result: Result<(), Diagnostic>| {
        if let Err(diagnostic) = result {
            found.push(diagnostic);
        }
    };
    match (option.kind, value) {
        (OptionKind::RateLimit, OptionValue::Map(map)) => {
            for (key, value) in &map.value {
                keep(parse::check_rate_key(key, value));
            }
        }
        (OptionKind::Choices(words), OptionValue::List(list)) => {
            for (at, item) in list.value.iter().enumerate() {
                keep(parse_choice(words, item).map(drop));
                if let Some(first) = list.value.iter().take(at).find(|other| other.value == item.value) {
                    let message = format!("`{}` stands in the list twice", item.value);
                    keep(Err(Diagnostic::error(Code::DuplicateEntry, item.span, message)
                        .label(first.span, "first here")
                        .help("remove one of them")));
                }
            }
        }
        (OptionKind::EtherTypes, OptionValue::List(list)) => {
            for item in &list.value {
                keep(parse_ethertype(item).map(drop));
            }
        }
        (_, OptionValue::Scalar(text)) => keep(check_scalar(option.kind, text)),
        (_, OptionValue::List(list)) => keep(Err(wrong_shape(option, list.span, "a list"))),
        (_, OptionValue::Map(map)) => keep(Err(wrong_shape(option, map.span, "a map"))),
    }
}

fn check_scalar(kind: OptionKind, text: &Text) -> Result<(), Diagnostic> {
    match kind {
        OptionKind::Bool => parse_bool(text).map(drop),
        OptionKind::Integer { min, max, unit } => parse_integer(text, min, max, unit).map(drop),
        OptionKind::Choice(words) | OptionKind::Choices(words) => parse_choice(words, text).map(drop),
        OptionKind::EtherTypes => parse_ethertype(text).map(drop),
        OptionKind::Queues => parse_queues(text).map(drop),
        OptionKind::RateLimit => {
            let message = format!("expected a map, found `{}`", text.value);
            let help = "write it as a map, such as `{ enable: true, rate: 1/second, burst: 5 }`";
            Err(Diagnostic::error(Code::WrongShape, text.span, message).help(help))
        }
    }
}

fn wrong_shape(option: &OptionSpec, span: crate::diagnostic::Span, found: &str) -> Diagnostic {
    let message = format!("`{}` takes {}, not {found}", option.name, option.kind.takes());
    Diagnostic::error(Code::WrongShape, span, message).help(option.doc)
}

impl OptionKind {
    /// What it takes, in words.
    #[must_use]
    pub fn takes(self) -> String {
        match self {
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Integer { min, max, unit } => format!("a number of {unit} from {min} to {max}"),
            Self::Choice(words) => format!("one of {}", parse::quoted(words)),
            Self::Choices(words) => format!("a list of {}", parse::quoted(words)),
            Self::RateLimit => "a map of `enable`, `rate` and `burst`".to_owned(),
            Self::EtherTypes => "a list of ethertypes".to_owned(),
            Self::Queues => "a queue number or a range `N:M`".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
