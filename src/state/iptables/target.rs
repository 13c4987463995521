//! What becomes of a packet: verdicts, jumps, and targets of extensions in their one spelling.

use std::sync::Arc;

use super::super::ruleset::{Program, Verdict};
use super::draft::{Draft, Owner, Target};
use super::value::{c_number, masked};
use super::words;

/// Targets after which the packet goes on to the next rule.
const PASSING: &[&str] = &[
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNMARK",
    "CONNSECMARK",
    "CT",
    "DSCP",
    "ECN",
    "HL",
    "HMARK",
    "IDLETIMER",
    "LED",
    "LOG",
    "MARK",
    "NFLOG",
    "NOTRACK",
    "RATEEST",
    "SECMARK",
    "SET",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TRACE",
    "TTL",
    "ULOG",
];

/// Targets that end a packet's way through the table, or send it on altered.
const ENDING: &[&str] = &[
    "CLUSTERIP",
    "DNAT",
    "DNPT",
    "MASQUERADE",
    "NETMAP",
    "NFQUEUE",
    "QUEUE",
    "REDIRECT",
    "REJECT",
    "SNAT",
    "SNPT",
    "SYNPROXY",
    "TPROXY",
];

/// ebtables' targets.
const FRAME_TARGETS: &[&str] = &["arpreply", "dnat", "mark", "redirect", "snat"];

/// Whether a target's name is that of an extension, with options of its own.
pub(super) fn is_extension(program: Program, name: &str, is_chain: impl Fn(&str) -> bool) -> bool {
    if matches!(name, "ACCEPT" | "DROP" | "RETURN" | "CONTINUE") {
        return false;
    }
    known_extension(program, name) || !is_chain(name)
}

fn known_extension(program: Program, name: &str) -> bool {
    match program {
        Program::Ebtables => FRAME_TARGETS.contains(&name),
        // Chains mostly have other names.
        Program::Iptables | Program::Ip6tables | Program::Nft => {
            name.bytes().all(|byte| byte.is_ascii_uppercase()) && (PASSING.contains(&name) || ENDING.contains(&name))
        }
    }
}

/// An option of a target: its name and its values, each as it is read back.
struct Setting {
    name: String,
    values: Vec<String>,
}

impl Setting {
    fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), values: vec![value.into()] }
    }

    fn value(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }
}

/// What is done beside the verdict, and the verdict. `chain` gives a chain's shared name.
pub(super) fn read(draft: &Draft<'_>, program: Program, chain: impl Fn(&str) -> Arc<str>) -> (Option<String>, Verdict) {
    let Some(Target { name, goto }) = draft.target else { return (None, Verdict::Continue) };
    let name = draft.word(name);
    let plain = draft.of(Owner::Target).next().is_none();
    if goto {
        return (None, Verdict::Goto(chain(name)));
    }
    match name {
        "ACCEPT" if plain => return (None, Verdict::Accept),
        "DROP" if plain => return (None, Verdict::Drop),
        "RETURN" if plain => return (None, Verdict::Return),
        "CONTINUE" if plain && program == Program::Ebtables => return (None, Verdict::Continue),
        _ => {}
    }
    if plain && !known_extension(program, name) {
        return (None, Verdict::Jump(chain(name)));
    }
    let mut settings: Vec<Setting> = draft
        .of(Owner::Target)
        .map(|option| {
            let name = draft.word(option.name);
            let name = if option.negated { format!("! {name}") } else { name.to_owned() };
            Setting { name, values: draft.values(option).iter().map(|word| word.as_ref().to_owned()).collect() }
        })
        .collect();
    if name == "REJECT" && program != Program::Ebtables {
        let default = if program == Program::Ip6tables { "icmp6-port-unreachable" } else { "icmp-port-unreachable" };
        match settings.as_slice() {
            [] => return (None, Verdict::Reject(default.to_owned())),
            [one] if one.name == "--reject-with" => return (None, Verdict::Reject(reject_with(program, one.value()))),
            _ => {}
        }
    }
    let text = text(canonical(program, name, &mut settings), &settings);
    if program != Program::Ebtables && PASSING.contains(&name) {
        (Some(text), Verdict::Continue)
    } else {
        (None, Verdict::Other(text))
    }
}

fn text(name: &str, settings: &[Setting]) -> String {
    let mut text = format!("-j {name}");
    for setting in settings {
        text.push(' ');
        text.push_str(&setting.name);
        for value in &setting.values {
            words::push(&mut text, value);
        }
    }
    text
}

/// Settings in their one spelling; gives the target's.
fn canonical<'n>(program: Program, name: &'n str, settings: &mut Vec<Setting>) -> &'n str {
    if program == Program::Ebtables {
        frame_target(name, settings);
        return name;
    }
    match name {
        "LOG" => {
            for level in settings.iter_mut().filter(|setting| setting.name == "--log-level") {
                level.values = vec![log_level(level.value())];
            }
            settings.retain(|setting| setting.name != "--log-level" || setting.value() != "4");
            sort(settings);
        }
        "NFLOG" => {
            settings.retain(|setting| setting.name != "--nflog-group" || setting.value() != "0");
            sort(settings);
        }
        "NFQUEUE" => {
            if !settings.iter().any(|one| matches!(one.name.as_str(), "--queue-num" | "--queue-balance")) {
                settings.push(Setting::new("--queue-num", "0"));
            }
            sort(settings);
        }
        "MARK" => settings.iter_mut().for_each(mark),
        "CONNMARK" => {
            settings.iter_mut().for_each(mark);
            connmark(settings);
        }
        "CT" => sort(settings),
        "NOTRACK" => {
            settings.push(Setting { name: "--notrack".to_owned(), values: Vec::new() });
            return "CT";
        }
        _ => {}
    }
    name
}

/// What ebtables' targets do afterwards is spelled out; by default the frame is accepted.
fn frame_target(name: &str, settings: &mut Vec<Setting>) {
    for setting in settings.iter_mut() {
        match setting.name.as_str() {
            "--to-source" => setting.name = "--to-src".to_owned(),
            "--to-destination" => setting.name = "--to-dst".to_owned(),
            _ => {}
        }
    }
    let after = format!("--{name}-target");
    if settings.iter().all(|setting| setting.name != after) {
        settings.push(Setting { name: after, values: vec!["ACCEPT".to_owned()] });
    }
    sort(settings);
}

fn sort(settings: &mut [Setting]) {
    settings.sort_by(|a, b| a.name.cmp(&b.name));
}

/// All ways to alter a mark are one: clear the bits of a mask, then flip those of a value.
fn mark(setting: &mut Setting) {
    let value = setting.value();
    let all = u32::MAX;
    let xmark = match setting.name.as_str() {
        "--set-xmark" => masked(value),
        "--set-mark" => masked(value).map(|(value, mask)| (value, value | mask)),
        "--and-mark" => c_number(value).map(|bits| (0, all & !bits)),
        "--or-mark" => c_number(value).map(|bits| (bits, bits)),
        "--xor-mark" => c_number(value).map(|bits| (bits, 0)),
        _ => None,
    };
    if let Some((value, mask)) = xmark {
        *setting = Setting::new("--set-xmark", format!("{value:#x}/{mask:#x}"));
    }
}

/// Marks are copied whole, unless masks say otherwise.
fn connmark(settings: &mut Vec<Setting>) {
    if settings.iter().any(|one| matches!(one.name.as_str(), "--save-mark" | "--restore-mark")) {
        let both = settings.iter().find(|one| one.name == "--mask").map(|one| one.value().to_owned());
        settings.retain(|one| one.name != "--mask");
        for name in ["--nfmask", "--ctmask"] {
            if !settings.iter().any(|one| one.name == name) {
                settings.push(Setting::new(name, both.clone().unwrap_or_else(|| "0xffffffff".to_owned())));
            }
        }
        for one in settings.iter_mut().filter(|one| matches!(one.name.as_str(), "--nfmask" | "--ctmask")) {
            if let Some(mask) = c_number(one.value()) {
                one.values = vec![format!("{mask:#x}")];
            }
        }
    }
    sort(settings);
}

/// A level of the system log as a number.
pub(super) fn log_level(text: &str) -> String {
    let names = [
        ("emerg", 0),
        ("panic", 0),
        ("alert", 1),
        ("crit", 2),
        ("error", 3),
        ("warning", 4),
        ("notice", 5),
        ("info", 6),
        ("debug", 7),
    ];
    let number = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, number)| number);
    number.map_or_else(|| text.to_owned(), i32::to_string)
}

/// The long name of an answer.
fn reject_with(program: Program, text: &str) -> String {
    let short = text.trim_start_matches("icmp6-").trim_start_matches("icmp-");
    let long = match (program, short) {
        (_, "tcp-rst" | "tcp-reset") => "tcp-reset",
        (Program::Ip6tables, "no-route") => "icmp6-no-route",
        (Program::Ip6tables, "adm-prohibited") => "icmp6-adm-prohibited",
        (Program::Ip6tables, "addr-unreach" | "addr-unreachable") => "icmp6-addr-unreachable",
        (Program::Ip6tables, "port-unreach" | "port-unreachable") => "icmp6-port-unreachable",
        (Program::Ip6tables, "policy-fail") => "icmp6-policy-fail",
        (Program::Ip6tables, "reject-route") => "icmp6-reject-route",
        (Program::Iptables, "net-unreach" | "net-unreachable") => "icmp-net-unreachable",
        (Program::Iptables, "host-unreach" | "host-unreachable") => "icmp-host-unreachable",
        (Program::Iptables, "proto-unreach" | "proto-unreachable") => "icmp-proto-unreachable",
        (Program::Iptables, "port-unreach" | "port-unreachable") => "icmp-port-unreachable",
        (Program::Iptables, "net-prohib" | "net-prohibited") => "icmp-net-prohibited",
        (Program::Iptables, "host-prohib" | "host-prohibited") => "icmp-host-prohibited",
        (Program::Iptables, "admin-prohib" | "admin-prohibited") => "icmp-admin-prohibited",
        _ => text,
    };
    long.to_owned()
}
