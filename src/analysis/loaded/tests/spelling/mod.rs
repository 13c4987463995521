//! What each kind of rule asks, in short: fields with their values in hexadecimal, the choices between `|`, conditions
//! between `;`, and behind `>` what the rule does.

mod of_iptables;
mod of_nft;

use std::fmt::Write;

use crate::analysis::sets::Field;
use crate::diagnostic::FileId;
use crate::state::ruleset::Verdict;

use super::super::nft::{Cases, Words};
use super::super::{Fields, Pattern, Port};
use super::*;
use of_iptables::iptables;
use of_nft::nft;

fn values(ranges: &crate::net::Ranges<u128>) -> String {
    let one = |(first, last)| if first == last { format!("{first:x}") } else { format!("{first:x}-{last:x}") };
    ranges.iter().map(one).collect::<Vec<_>>().join(",")
}

fn fields(all: &Fields) -> String {
    let name = |field: Field| match field {
        Field::Frame => "frame",
        Field::SourceMac => "mac",
        Field::ArpMac => "arp-mac",
        Field::State => "state",
        Field::Protocol => "proto",
        Field::DestPort => "dport",
        Field::Icmp => "icmp",
        Field::Dest => "dst",
        Field::Source => "src",
        Field::SourcePort => "sport",
        Field::Flags => "flags",
        Field::InInterface | Field::OutInterface => panic!("loaded rules name ports"),
        Field::Stand => panic!("loaded rules say what they say"),
    };
    all.0.iter().map(|(field, ranges)| format!("{} {}", name(*field), values(ranges))).collect::<Vec<_>>().join(" ")
}

fn choices(all: &[Fields]) -> String {
    if all.is_empty() { "never".into() } else { all.iter().map(fields).collect::<Vec<_>>().join(" | ") }
}

fn condition(one: &Condition) -> String {
    let not = |negated: bool| if negated { "not " } else { "" };
    let port = |port: Port| match port {
        Port::In => "in",
        Port::Out => "out",
        Port::BridgeIn => "bridge-in",
        Port::BridgeOut => "bridge-out",
        Port::Bridge => "bridge",
    };
    match one {
        Condition::Packet(all) => choices(all),
        Condition::Outer(outer) => format!("outer {}", values(outer)),
        Condition::Port { port: which, names, negated } => {
            let name = |pattern: &Pattern| match pattern {
                Pattern::Is(name) => name.to_string(),
                Pattern::BeginsWith(start) => format!("{start}*"),
            };
            let names: Vec<String> = names.iter().map(name).collect();
            format!("{} {}{}", port(*which), not(*negated), names.join(","))
        }
        Condition::Keyed { port: which, entries, domain, negated } => {
            let entries: Vec<String> = entries.iter().map(|(name, all)| format!("{name}: {}", choices(all))).collect();
            format!("{} {}[{}] of [{}]", port(*which), not(*negated), entries.join(", "), fields(domain))
        }
        Condition::Mark { mask, value, negated } => format!("mark {}{value:x}/{mask:x}", not(*negated)),
        Condition::FromBridge(yes) => format!("{}from bridge", not(!yes)),
        Condition::ToBridge(yes) => format!("{}to bridge", not(!yes)),
        Condition::Bridged(yes) => format!("{}bridged", not(!yes)),
        Condition::Above(limit) => format!("above {limit}"),
        Condition::Opaque(words) => format!("? {words}"),
    }
}

fn show(asked: &Asked) -> String {
    let mut text = asked.conditions.iter().map(condition).collect::<Vec<_>>().join("; ");
    for effect in &asked.effects {
        let words = match effect {
            Effect::Log(level) => format!("log {}", level.name()),
            Effect::Mark { and, xor } => format!("mark & {and:x} ^ {xor:x}"),
            Effect::Helper(kind) => format!("helper {kind}"),
            Effect::Opaque(words) => format!("? {words}"),
        };
        write!(text, " > {words}").unwrap();
    }
    text.trim().to_owned()
}

fn check(cases: &[(&str, &str)], of: impl Fn(&str) -> String) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(rule, expected)| (rule, expected, of(rule)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(rule, expected, found)| format!("`{rule}`\n  is      {found}\n  and not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rates of both programs are spelled as those of the policy.
#[test]
fn limits_are_those_of_the_policy() {
    use crate::analysis::loaded::{iptables as packets, nft as both};
    for (rate, counted) in [(1, 1), (200, 200), (3000, 3003), (30_000, 30_303), (700_000, 1_000_000)] {
        let limit = crate::policy::Synflood { rate, burst: 7 };
        let written = format!(
            "-m hashlimit --hashlimit-above {rate}/second --hashlimit-burst 7 --hashlimit-mode srcip \
             --hashlimit-srcmask 64 --hashlimit-name x"
        );
        let above = |text: String| format!("above {text}");
        assert_eq!(iptables(Program::Ip6tables, &written), above(packets::above(Family::V6, limit)));
        assert!(
            iptables::above(Family::V4, limit).starts_with(&format!("{counted}/second burst 7 by ipv4 source /32"))
        );
        let written = format!("update @s {{ ip saddr limit rate over {rate}/second burst 7 packets }}");
        assert_eq!(nft("ip", &written), format!("frame 800; {}", above(both::above(Family::V4, limit))));
    }
}
