//! A line of `[OPTIONS]`: `name: value`.

use super::super::{Slice, Unread};
use super::{Kind, OptionLine};

/// What an option's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `0` or `1`.
    Switch,
    /// Decimal digits.
    Number,
    /// `ACCEPT`, `DROP` or `REJECT`, in any case.
    Policy,
    /// A log level, in any case, or nothing.
    Level,
    /// One word.
    Word,
    /// `N` or `N:M`.
    Queues,
}

use Form::{Level, Number, Policy, Queues, Switch, Word};

const CLUSTER: &[(&str, Form)] = &[
    // A number above 1 is a time, see `pve-firewall`'s manual.
    ("enable", Number),
    ("ebtables", Switch),
    ("policy_in", Policy),
    ("policy_out", Policy),
    ("policy_forward", Policy),
    ("log_ratelimit", Word),
];

const HOST: &[(&str, Form)] = &[
    ("enable", Switch),
    ("nosmurfs", Switch),
    ("tcpflags", Switch),
    ("ndp", Switch),
    ("nf_conntrack_allow_invalid", Switch),
    ("nf_conntrack_max", Number),
    ("nf_conntrack_tcp_timeout_established", Number),
    ("nf_conntrack_tcp_timeout_syn_recv", Number),
    ("nf_conntrack_helpers", Word),
    ("protection_synflood", Switch),
    ("protection_synflood_rate", Number),
    ("protection_synflood_burst", Number),
    ("log_level_in", Level),
    ("log_level_out", Level),
    ("log_level_forward", Level),
    ("tcp_flags_log_level", Level),
    ("smurf_log_level", Level),
    ("log_nf_conntrack", Switch),
    ("nftables", Switch),
];

const GUEST: &[(&str, Form)] = &[
    ("enable", Switch),
    ("macfilter", Switch),
    ("dhcp", Switch),
    ("ndp", Switch),
    ("radv", Switch),
    ("ipfilter", Switch),
    ("policy_in", Policy),
    ("policy_out", Policy),
    ("log_level_in", Level),
    ("log_level_out", Level),
    ("layer2_protocols", Word),
    ("ips", Switch),
    ("ips_queues", Queues),
];

const VNET: &[(&str, Form)] = &[("enable", Switch), ("policy_forward", Policy), ("log_level_forward", Level)];

/// Reads an option.
pub(super) fn read(kind: Kind, line: Slice<'_>) -> Result<OptionLine<'_>, Unread> {
    let wrong = |slice: Slice<'_>, reason: String| Unread { span: slice.span(), reason };
    let Some((name, value)) = line.split_once(':') else {
        return Err(wrong(line, "an option is `name: value`".to_owned()));
    };
    let table = match kind {
        Kind::Cluster => CLUSTER,
        Kind::Host => HOST,
        Kind::Guest => GUEST,
        Kind::Vnet => VNET,
    };
    let value = value.trim();
    let Some((known, form)) = table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.text)) else {
        return Err(wrong(name, format!("there is no option `{}` here", name.text.trim())));
    };
    if !fits(*form, value.text) {
        let reason = match form {
            _ if value.text.contains('#') => "no comment may follow an option".to_owned(),
            Switch => format!("`{}` is neither 0 nor 1", value.text),
            Number => format!("`{}` is no number", value.text),
            Policy => format!("`{}` is no policy", value.text),
            Level => format!("`{}` is no log level", value.text),
            Word => format!("`{}` is not one word", value.text),
            Queues => format!("`{}` is neither a queue nor a range of them", value.text),
        };
        return Err(wrong(value, reason));
    }
    Ok(OptionLine { name: known, value: value.whole(), span: line.span() })
}

fn fits(form: Form, text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match form {
        Switch => matches!(text, "0" | "1"),
        Number => number(text),
        Policy => one_of(&["accept", "drop", "reject"]),
        Level => text.is_empty() || one_of(super::rule::LEVELS),
        Word => !text.is_empty() && !text.contains(char::is_whitespace),
        Queues => match text.split_once(':') {
            Some((first, last)) => number(first) && number(last),
            None => number(text),
        },
    }
}
