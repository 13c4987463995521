//! Options of Proxmox VE's in the words of the spec.
//!
//! In: the lines of an `[OPTIONS]` section. Out: the options that say something else than the spec would have it
//! anyway. Proxmox VE's default where it differs from the spec's is written out.

use crate::diagnostic::{Diagnostics, Located, Span};
use crate::spec::model::OptionValue;
use crate::spec::options::{OptionKind, OptionZone, check, find, parse_ethertype, table};
use crate::state::fw::{Kind, OptionLine};

use super::draft::Value;

/// What a section's options come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Options {
    /// In the order of the file; of one that stands there twice, the last.
    pub(super) set: Vec<(&'static str, Value)>,
    /// Lines that are without effect, and why.
    pub(super) ignored: Vec<(Span, String)>,
    /// Lines that the spec has otherwise, and why.
    pub(super) changed: Vec<(Span, String)>,
}

impl Options {
    /// The value of a switch that is written.
    pub(super) fn is_on(&self, name: &str) -> Option<bool> {
        let (_, value) = self.set.iter().find(|(known, _)| *known == name)?;
        Some(*value == Value::Text("true".to_owned()))
    }

    fn push(&mut self, name: &'static str, value: Value) {
        self.set.retain(|(known, _)| *known != name);
        self.set.push((name, value));
    }

    /// Takes away what the spec has by default, and puts the rest in the order of the language's documentation.
    pub(super) fn without_defaults(mut self, zone: OptionZone) -> Self {
        let place = |name: &str| table(zone).iter().position(|spec| spec.name == name);
        self.set.sort_by_key(|(name, _)| place(name));
        self.set.retain(|(name, value)| match find(zone, name).and_then(|spec| spec.default) {
            Some(default) => *value != Value::Text(default.to_owned()),
            None => true,
        });
        self
    }
}

/// The kind of zone that a file's options are of.
pub(super) const fn zone(kind: Kind) -> OptionZone {
    match kind {
        Kind::Cluster => OptionZone::Datacenter,
        Kind::Host => OptionZone::Host,
        Kind::Guest => OptionZone::Guest,
        Kind::Vnet => OptionZone::Vnet,
    }
}

/// Reads a section. Defaults are still in what comes out.
pub(super) fn read(kind: Kind, lines: &[OptionLine<'_>]) -> Options {
    let mut options = Options::default();
    for line in lines {
        match value(kind, line) {
            Ok(Some(value)) => options.push(line.name, value),
            Ok(None) => options.set.retain(|(known, _)| *known != line.name),
            Err(reason) => options.ignored.push((line.span, reason)),
        }
        match (line.name, line.value.value.parse::<u64>()) {
            ("enable", Ok(time)) if time > 1 => {
                let reason = "a time: the firewall is on for a minute after it, and off by now";
                options.changed.push((line.span, reason.to_owned()));
            }
            ("nf_conntrack_max", Ok(number)) if number < 262_144 => {
                let reason = "pve-firewall ignores less than 262144; the spec's own outputs set it";
                options.changed.push((line.span, reason.to_owned()));
            }
            ("nf_conntrack_tcp_timeout_syn_recv", Ok(_)) => {
                let reason = "pve-firewall never sets it; the spec's own outputs do";
                options.changed.push((line.span, reason.to_owned()));
            }
            _ => {}
        }
    }
    if matches!(kind, Kind::Cluster | Kind::Guest | Kind::Vnet) && options.is_on("enable").is_none() {
        options.set.insert(0, ("enable", Value::Text("false".to_owned())));
    }
    options
}

/// A line's value; none for a log level that is empty, which is the default.
fn value(kind: Kind, line: &OptionLine<'_>) -> Result<Option<Value>, String> {
    let read = words(kind, line)?;
    let Some((spec, value)) = find(zone(kind), line.name).zip(read.as_ref()) else { return Ok(read) };
    let mut found = Diagnostics::new();
    check(spec, &as_spec(value, line.span), &mut found);
    match found.iter().next() {
        Some(wrong) => Err(wrong.message.clone()),
        None => Ok(read),
    }
}

/// A value as the reader of specs has it.
fn as_spec(value: &Value, span: Span) -> OptionValue {
    let text = |word: &String| Located::new(word.clone(), span);
    match value {
        Value::Text(word) => OptionValue::Scalar(text(word)),
        Value::List(words) => OptionValue::List(Located::new(words.iter().map(text).collect(), span)),
        Value::Map(entries) => {
            let entry = |(key, word): &(&str, String)| (text(&(*key).to_owned()), text(word));
            OptionValue::Map(Located::new(entries.iter().map(entry).collect(), span))
        }
    }
}

/// A line's value in the spec's words, whether the spec takes it or not.
fn words(kind: Kind, line: &OptionLine<'_>) -> Result<Option<Value>, String> {
    let text = line.value.value;
    let Some(spec) = find(zone(kind), line.name) else { return Err(format!("a spec has no option `{}`", line.name)) };
    let word = |word: &str| Ok(Some(Value::Text(word.to_owned())));
    let list = || {
        let mut words: Vec<String> = Vec::new();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        words
    };
    match spec.kind {
        OptionKind::Bool => match text.trim_start_matches('0') {
            "" => word("false"),
            "1" => word("true"),
            _ => word("false"),
        },
        OptionKind::Choice(_) if text.is_empty() => Ok(None),
        OptionKind::Choice(words) => {
            let lower = text.to_ascii_lowercase();
            if words.contains(&lower.as_str()) {
                word(&lower)
            } else {
                Err(format!("`{}` does not take `{text}`", line.name))
            }
        }
        OptionKind::Integer { min, max, .. } => match text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => word(&number.to_string()),
            Ok(_) | Err(_) => Err(format!("`{}` takes {min} to {max}", line.name)),
        },
        OptionKind::Choices(words) => {
            let list = list();
            match list.iter().find(|word| !words.contains(&word.as_str())) {
                Some(unknown) => Err(format!("`{}` does not know `{unknown}`", line.name)),
                None => Ok(Some(Value::List(list))),
            }
        }
        OptionKind::EtherTypes => {
            // What has not the form of an ethertype lets nothing pass; an unknown name is an error of the spec.
            let mut words = list();
            words.retain(|word| parse_ethertype(&Located::new(word.clone(), line.span)).is_ok());
            Ok(Some(Value::List(words)))
        }
        OptionKind::Queues => word(text),
        OptionKind::RateLimit => rate_limit(text).map(|map| Some(Value::Map(map))),
    }
}

/// `enable=1,rate=1/second,burst=5`, or `1` for its first key alone.
fn rate_limit(text: &str) -> Result<Vec<(&'static str, String)>, String> {
    let mut map = Vec::new();
    for part in text.split(',') {
        let (key, value) = part.split_once('=').unwrap_or(("enable", part));
        let number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if map.iter().any(|(known, _)| *known == key) {
            return Err(format!("`{key}` twice in a rate limit"));
        }
        match key {
            "enable" if value == "1" => map.push(("enable", "true".to_owned())),
            "enable" if value == "0" => map.push(("enable", "false".to_owned())),
            "rate" if value.contains('/') => map.push(("rate", value.to_owned())),
            "burst" if number => map.push(("burst", value.to_owned())),
            _ => return Err(format!("`{part}` is no part of a rate limit")),
        }
    }
    Ok(map)
}
