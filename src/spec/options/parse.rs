//! Text to the typed value of an option, or a diagnostic at the text.

use super::{LOG_LEVELS, LOG_RATE_MAX};
use crate::diagnostic::{Code, Diagnostic, closest, did_you_mean};
use crate::spec::model::Text;

/// The units of a rate limit.
pub const RATE_UNITS: &[&str] = &["second", "minute", "hour", "day"];

fn wrong(text: &Text, message: String) -> Diagnostic {
    Diagnostic::error(Code::WrongValue, text.span, message)
}

/// Words in backticks with commas.
pub(super) fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// `true` or `false`, and nothing else.
///
/// # Errors
/// The text is another word.
pub fn parse_bool(text: &Text) -> Result<bool, Diagnostic> {
    match text.value.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            let error = wrong(text, format!("expected `true` or `false`, found `{other}`"));
            Err(match other.to_ascii_lowercase().as_str() {
                "yes" | "on" | "1" | "true" | "y" => error.help("write `true`"),
                "no" | "off" | "0" | "false" | "n" => error.help("write `false`"),
                _ => error.help("only `true` and `false` are booleans"),
            })
        }
    }
}

/// A whole number in plain decimals from `min` to `max`, both included; `unit` names what is counted
/// (empty where nothing is).
///
/// # Errors
/// The text is not a plain decimal number, or outside the range.
pub fn parse_integer(text: &Text, min: u64, max: u64, unit: &str) -> Result<u64, Diagnostic> {
    let of = if unit.is_empty() { "" } else { " of " };
    let range = format!("a whole number{of}{unit} from {min} to {max}");
    let plain = !text.value.is_empty() && text.value.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (text.value.len() > 1 && text.value.starts_with('0')) {
        let message = format!("expected {range}, found `{}`", text.value);
        return Err(wrong(text, message).help("write it in plain decimal digits, without a unit or separators"));
    }
    match text.value.parse::<u64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        Ok(_) | Err(_) => {
            let message = format!("`{}` is out of range", text.value);
            Err(wrong(text, message).help(format!("this takes {range}")))
        }
    }
}

/// One of a few words.
///
/// # Errors
/// The text is not among them.
pub fn parse_choice(words: &'static [&'static str], text: &Text) -> Result<&'static str, Diagnostic> {
    if let Some(word) = words.iter().find(|word| **word == text.value) {
        return Ok(word);
    }
    let message = format!("expected one of {}, found `{}`", quoted(words), text.value);
    let error = wrong(text, message);
    // Other programs' words for a verdict come first.
    let meant = match text.value.to_ascii_lowercase().as_str() {
        "allow" | "permit" | "pass" => "accept",
        "deny" | "block" | "discard" => "drop",
        "refuse" => "reject",
        _ => "",
    };
    let meant = words.iter().copied().find(|word| *word == meant);
    Err(match meant.or_else(|| closest(&text.value, words.iter().copied())) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("write one of these words"),
    })
}

/// A log level; `nolog` for none.
///
/// # Errors
/// The text is not the name of a level.
pub fn parse_log_level(text: &Text) -> Result<&'static str, Diagnostic> {
    LOG_LEVELS.iter().find(|level| **level == text.value).copied().ok_or_else(|| {
        let help = match text.value.to_ascii_lowercase().as_str() {
            "none" | "off" | "false" | "no" => "did you mean `nolog`?".to_owned(),
            "error" => "did you mean `err`?".to_owned(),
            "warn" => "did you mean `warning`?".to_owned(),
            "panic" => "did you mean `emerg`?".to_owned(),
            _ => did_you_mean(&text.value, "log levels", LOG_LEVELS.iter().copied()),
        };
        wrong(text, format!("`{}` is not a log level", text.value)).help(help)
    })
}

/// `N/second` and so on: lines, and the unit of time (one of [`RATE_UNITS`]).
///
/// # Errors
/// The text has another form, or the number is not between 1 and [`LOG_RATE_MAX`].
pub fn parse_rate(text: &Text) -> Result<(u32, &'static str), Diagnostic> {
    let error = || {
        wrong(text, format!("`{}` is not a rate", text.value))
            .help(format!("write it as `1/second`: 1 to {LOG_RATE_MAX}, a slash, and one of {}", quoted(RATE_UNITS)))
    };
    let (count, unit) = text.value.split_once('/').ok_or_else(error)?;
    let unit = RATE_UNITS.iter().find(|name| **name == unit).ok_or_else(error)?;
    let plain = count.bytes().all(|byte| byte.is_ascii_digit()) && !count.starts_with('0');
    let count = if plain { count.parse::<u32>().ok() } else { None };
    match count {
        Some(count) if u64::from(count) <= LOG_RATE_MAX => Ok((count, unit)),
        Some(_) | None => Err(error()),
    }
}

/// A key of a rate limit and its value.
pub(super) fn check_rate_key(key: &Text, value: &Text) -> Result<(), Diagnostic> {
    match key.value.as_str() {
        "enable" => parse_bool(value).map(drop),
        "rate" => parse_rate(value).map(drop),
        "burst" => parse_integer(value, 1, LOG_RATE_MAX, "lines").map(drop),
        other => {
            let message = format!("unknown key `{other}` in a rate limit");
            let help = did_you_mean(other, "keys", ["enable", "rate", "burst"]);
            Err(Diagnostic::error(Code::UnknownKey, key.span, message).help(help))
        }
    }
}

/// Queue numbers, `N` or `N:M`, the first not above the last; 0 to 65535.
///
/// # Errors
/// The text has another form.
pub fn parse_queues(text: &Text) -> Result<(u16, u16), Diagnostic> {
    let number = |part: &str| -> Option<u16> {
        let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if plain { part.parse().ok() } else { None }
    };
    let parts = match text.value.split_once(':') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(&text.value).map(|queue| (queue, queue)),
    };
    match parts {
        Some((first, last)) if first <= last => Ok((first, last)),
        Some(_) | None => {
            let message = format!("`{}` is neither a queue number nor a range of them", text.value);
            Err(wrong(text, message).help("write `0`, or `0:3` for queues 0 to 3; numbers go up to 65535"))
        }
    }
}

/// An ethertype's name, or its number as `0x` and one to four hexadecimal digits. Whether the name is
/// known is for `resolve` to say.
///
/// # Errors
/// The text can be neither.
pub fn parse_ethertype(text: &Text) -> Result<&str, Diagnostic> {
    let value = text.value.as_str();
    let well_formed = match value.strip_prefix("0x") {
        Some(digits) => (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => {
            value.starts_with(|first: char| first.is_ascii_alphanumeric())
                // Without `0x` nobody knows whether it is hexadecimal.
                && value.bytes().any(|byte| !byte.is_ascii_digit())
                && value.len() <= 32
                && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        }
    };
    if well_formed {
        return Ok(value);
    }
    let message = format!("`{value}` is not an ethertype");
    Err(wrong(text, message).help("write a name such as `ARP`, or a number such as `0x88cc`"))
}
