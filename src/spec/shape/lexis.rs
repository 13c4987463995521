//! What a single text can be, and the rules for names.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::spec::model::Text;
use crate::spec::options::{parse_bool, parse_choice, parse_integer, parse_log_level};
use crate::spec::yaml::{bidi_control, is_bidi_control};

/// What a single text can be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lexis {
    /// One line of anything.
    Line,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer { min: u64, max: u64, unit: &'static str },
    /// One of a few words.
    Words(&'static [&'static str]),
    /// A log level.
    LogLevel,
    /// The version of the language: 1.
    Version,
    /// A value of the kernel: one line, and not `true` or `false` without quotes.
    Sysctl,
    /// A name or another text with a form.
    Name(&'static Pattern),
}

/// A form of text.
#[derive(Debug)]
pub(super) struct Pattern {
    /// `the name of a host`…
    pub what: &'static str,
    /// For the schema; says the same as `fits` (ECMA 262).
    pub regex: &'static str,
    /// The most characters.
    pub longest: usize,
    /// What kind of number of JSON a text of the form can look like, if any.
    pub number: Option<&'static str>,
    /// Whether a text of at most `longest` characters has the form.
    pub fits: fn(&str) -> bool,
    /// What the form is, in a sentence.
    pub help: &'static str,
}

impl Pattern {
    /// What is wrong with a text, if anything is.
    pub(super) fn check(&self, text: &str, span: Span, code: Code) -> Option<Diagnostic> {
        if text.len() <= self.longest && (self.fits)(text) {
            return None;
        }
        let message = format!("`{text}` is not {}", self.what);
        Some(Diagnostic::error(code, span, message).help(self.help))
    }
}

impl Lexis {
    /// What is wrong with a text, if anything is; `plain` without quotes.
    pub(super) fn check(self, text: &str, plain: bool, span: Span) -> Option<Diagnostic> {
        let quoted = |takes: &str| {
            let message = format!("expected {takes}, found text in quotes");
            Diagnostic::error(Code::WrongValue, span, message).help("remove the quotes")
        };
        let located = || Text::new(text.to_owned(), span);
        match self {
            Self::Line => line(text, span),
            Self::Bool => match text {
                "true" | "false" if plain => None,
                "true" | "false" => Some(quoted("`true` or `false`")),
                _ => parse_bool(&located()).err(),
            },
            Self::Integer { min, max, unit } => match parse_integer(&located(), min, max, unit) {
                Ok(_) if plain => None,
                Ok(_) => Some(quoted("a number")),
                Err(error) => Some(error),
            },
            Self::Words(words) if words.contains(&text) => None,
            Self::Words(words) => parse_choice(words, &located()).err(),
            Self::Version if text == "1" && plain => None,
            Self::Version if text == "1" => Some(quoted("a number")),
            Self::Version => {
                let message = format!("this fwc reads version 1 of the language, not `{text}`");
                Some(Diagnostic::error(Code::WrongValue, span, message).help("write `version: 1`"))
            }
            Self::LogLevel => parse_log_level(&located()).err(),
            Self::Sysctl => match text {
                "true" if plain => Some(no_kernel_value(text, "1", span)),
                "false" if plain => Some(no_kernel_value(text, "0", span)),
                _ => line(text, span),
            },
            Self::Name(pattern) if plain && matches!(text, "true" | "false") => {
                let message = format!("expected {}, found `{text}`", pattern.what);
                let error = Diagnostic::error(Code::WrongValue, span, message);
                Some(error.help(format!("quote it if that is the name: `\"{text}\"`; {}", pattern.help)))
            }
            Self::Name(pattern) => pattern.check(text, span, Code::WrongValue),
        }
    }
}

fn no_kernel_value(text: &str, meant: &str, span: Span) -> Diagnostic {
    let message = format!("`{text}` is no value of a kernel parameter");
    Diagnostic::error(Code::BadSysctlValue, span, message).help(format!("the kernel takes numbers: write `{meant}`"))
}

/// Whether a character would end a line or hide in it.
fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn line(text: &str, span: Span) -> Option<Diagnostic> {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte);
    if text.is_empty() {
        let error = Diagnostic::error(Code::WrongValue, span, "an empty text");
        return Some(error.help("write a value, or remove the key"));
    }
    if text.bytes().all(plain) {
        return None;
    }
    if let Some(c) = text.chars().find(|c| is_bidi_control(*c)) {
        return Some(bidi_control(c, span));
    }
    if !text.contains(breaks_line) {
        return None;
    }
    let error = Diagnostic::error(Code::WrongValue, span, "a text of more than one line, or with control characters");
    Some(error.help("write it in one line"))
}

/// Letters, digits and dashes between dots, no dash at an end.
fn dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.split('.').all(label)
}

fn host_name(text: &str) -> bool {
    text != "any" && dns_name(text)
}

fn word(text: &str, first: fn(u8) -> bool, rest: &[u8], shortest: usize) -> bool {
    text.len() >= shortest
        && text.bytes().next().is_some_and(first)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || rest.contains(&byte))
}

fn label(text: &str) -> bool {
    word(text, |byte| byte.is_ascii_alphabetic(), b"_-", 2)
}

fn interface(text: &str) -> bool {
    word(text, |byte| byte.is_ascii_alphanumeric() || byte == b'_', b"_.-", 1)
}

fn identity(text: &str) -> bool {
    word(text, |byte| byte.is_ascii_alphanumeric(), b"_-", 1) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn guest_number(text: &str) -> bool {
    (3..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0')
}

fn nic(text: &str) -> bool {
    let number = text.strip_prefix("net").filter(|digits| {
        (1..=2).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits.len() == 1 || !digits.starts_with('0'))
    });
    number.and_then(|digits| digits.parse::<u8>().ok()).is_some_and(|number| number <= 31)
}

fn sysctl_key(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_@:+-".contains(&byte))
    };
    !text.starts_with(['-', '+', ':', '@']) && text.contains(['.', '/']) && text.split(['.', '/']).all(part)
}

fn conf_file(text: &str) -> bool {
    text.strip_suffix(".conf").is_some_and(interface)
}

fn chain_prefix(text: &str) -> bool {
    word(text, |byte| byte.is_ascii_alphabetic(), b"_-", 1)
}

fn endpoint(text: &str) -> bool {
    let guest = |rest: &str| match rest.split_once(':') {
        Some((number, name)) => guest_number(number) && nic(name),
        None => rest == "*" || guest_number(rest),
    };
    match text.split_once('/') {
        None => text == "outside",
        Some(("host", name)) => name == "*" || (name.len() <= HOST.longest && host_name(name)),
        Some(("zone", name)) => name.len() <= LABEL.longest && label(name),
        Some(("vm" | "ct", rest)) => guest(rest),
        Some(_) => false,
    }
}

/// The name of a host.
pub(super) const HOST: Pattern = Pattern {
    what: "the name of a host",
    regex: "^(?!any$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    longest: 253,
    number: Some("number"),
    fits: host_name,
    help: "hosts have DNS names: letters, digits and dashes, parts of up to 63 characters between dots, and not `any`",
};

/// The name of a group, an alias, an ipset or a zone.
pub(super) const LABEL: Pattern = Pattern {
    what: "a name",
    regex: "^[A-Za-z][A-Za-z0-9_-]+$",
    longest: 64,
    number: None,
    fits: label,
    help: "names begin with a letter and have 2 to 64 letters, digits, `_` and `-`",
};

/// The number of a guest.
pub(super) const GUEST: Pattern = Pattern {
    what: "the number of a guest",
    regex: "^[1-9][0-9]{2,8}$",
    longest: 9,
    number: Some("integer"),
    fits: guest_number,
    help: "guests have plain decimal numbers from 100 to 999999999; a name goes under the key `name`",
};

/// The name of a vnet.
pub(super) const VNET: Pattern = Pattern {
    what: "the name of a vnet",
    regex: "^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
    longest: 15,
    number: Some("number"),
    fits: interface,
    help: "a vnet is the bridge of that name: up to 15 letters, digits, `_`, `.` and `-`, the first neither `.` nor `-`",
};

/// The name of a network interface.
pub(super) const INTERFACE: Pattern = Pattern {
    what: "the name of an interface",
    regex: "^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
    longest: 15,
    number: Some("number"),
    fits: interface,
    help: "interfaces have up to 15 letters, digits, `_`, `.` and `-`, the first neither `.` nor `-`; there is no wildcard",
};

/// The name of a NIC.
pub(super) const NIC: Pattern = Pattern {
    what: "the name of a NIC",
    regex: "^net([0-9]|[12][0-9]|3[01])$",
    longest: 5,
    number: None,
    fits: nic,
    help: "NICs are called `net0` to `net31`",
};

/// An `id`.
pub(super) const IDENTITY: Pattern = Pattern {
    what: "an id",
    regex: "^[a-z0-9][a-z0-9_-]*$",
    longest: 64,
    number: Some("integer"),
    fits: identity,
    help: "ids have up to 64 lower-case letters, digits, `_` and `-`, and begin with a letter or a digit",
};

/// A sysctl key.
pub(super) const SYSCTL: Pattern = Pattern {
    what: "a sysctl key",
    regex: "^[A-Za-z0-9_][A-Za-z0-9_@:+-]*([./][A-Za-z0-9_@:+-]+)+$",
    longest: 200,
    number: Some("number"),
    fits: sysctl_key,
    help: "write it as `net.ipv4.tcp_syncookies`; a dot inside an interface's name is written as `/`",
};

/// The name of a file in `sysctl.d`.
pub(super) const CONF_FILE: Pattern = Pattern {
    what: "the name of a file that sysctl reads",
    regex: "^[A-Za-z0-9_][A-Za-z0-9_.-]*\\.conf$",
    longest: 128,
    number: None,
    fits: conf_file,
    help: "write a name without a folder that ends in `.conf`, such as `zz-fwc.conf`",
};

/// The prefix of own chains in shared tables; chains have 28 characters in all.
pub(super) const CHAIN_PREFIX: Pattern = Pattern {
    what: "a prefix for chains",
    regex: "^[A-Za-z][A-Za-z0-9_-]*$",
    longest: 8,
    number: None,
    fits: chain_prefix,
    help: "a prefix begins with a letter and has up to 8 letters, digits, `_` and `-`",
};

/// An endpoint of a test.
pub(super) const ENDPOINT: Pattern = Pattern {
    what: "an endpoint",
    regex: "^(outside|host/(\\*|(?!any$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)|zone/[A-Za-z][A-Za-z0-9_-]{1,63}|(vm|ct)/(\\*|[1-9][0-9]{2,8}(:net([0-9]|[12][0-9]|3[01]))?))$",
    longest: 258,
    number: None,
    fits: endpoint,
    help: "write `outside`, `host/NAME`, `vm/ID`, `ct/ID`, `vm/ID:net1`, `zone/NAME`, or `host/*`, `vm/*`, `ct/*` for each of them",
};
