//! What rules of iptables and ip6tables ask of packets.
//!
//! In: a rule as [`crate::state::iptables`] reads it, and its table, for the ipsets that it names. Out: [`Asked`], whose fields name
//! no frame, for all packets of a ruleset are of its family. Promise: what is not surely known is opaque.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::sets::{Field, flag_values};
use crate::net::{Family, IcmpType, Protocol, Ranges, TcpFlags};
use crate::policy::{LogLevel, Synflood};
use crate::state::iptables::{hashlimit_rate, statement_words};
use crate::state::ruleset::{Rule, Set, Table, Test, Value, Verdict};

use super::values::{self, Draft, union, unless};
use super::{Asked, Condition, Effect, Fields, Pattern, Port};

/// What a rule of a table asks.
#[must_use]
pub fn asked(family: Family, table: &Table, rule: &Rule) -> Asked {
    Words::new(family, table).asked(rule)
}

/// What [`Condition::Above`] says of a limit for new connections, where iptables keeps it.
#[must_use]
pub fn above(family: Family, limit: Synflood) -> String {
    let Synflood { rate, burst } = limit;
    let rate = format!("{rate}/second");
    let mask = match family {
        Family::V4 => "32",
        Family::V6 => "64",
    };
    spell_above(family, &hashlimit_rate(&rate).unwrap_or(rate), &burst.to_string(), mask)
}

fn spell_above(family: Family, rate: &str, burst: &str, mask: &str) -> String {
    let family = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    format!("{rate} burst {burst} by {family} source /{mask}")
}

/// What a test asks.
enum Found {
    /// Values of a field.
    Field(Field, Ranges<u128>),
    /// Values of a field of packets of a protocol.
    Of(Protocol, Field, Ranges<u128>),
    /// Something else.
    Other(Condition),
}

/// Understands the rules of a table, and remembers its sets.
#[derive(Debug)]
pub struct Words<'t> {
    family: Family,
    table: &'t Table,
    sets: BTreeMap<&'t str, Option<Ranges<u128>>>,
    draft: Draft,
}

impl<'t> Words<'t> {
    /// For a table of a family.
    #[must_use]
    pub fn new(family: Family, table: &'t Table) -> Self {
        Self { family, table, sets: BTreeMap::new(), draft: Draft::default() }
    }

    /// What a rule of the table asks.
    pub fn asked(&mut self, rule: &Rule) -> Asked {
        let mut draft = std::mem::take(&mut self.draft);
        let transport = transport(rule);
        for test in &rule.tests {
            match self.test(test, transport) {
                Some(Found::Field(field, values)) => draft.field(field, values),
                Some(Found::Of(protocol, field, values)) => {
                    draft.field(Field::Protocol, values::protocol(protocol));
                    draft.field(field, values);
                }
                Some(Found::Other(condition)) => draft.and(condition),
                None if says_nothing(test, transport) => {}
                None => draft.opaque(test),
            }
        }
        self.statements(rule, &mut draft);
        let asked = draft.finish();
        self.draft = draft;
        asked
    }

    fn test(&mut self, test: &Test, transport: Option<Protocol>) -> Option<Found> {
        let key = &*test.key;
        let condition = match key {
            "-s" | "--src-range" => return self.addresses(test, Field::Source),
            "-d" | "--dst-range" => return self.addresses(test, Field::Dest),
            "--match-set src" => return self.ipset(test, Field::Source),
            "--match-set dst" => return self.ipset(test, Field::Dest),
            "-p" => {
                return self.numbers(test, Field::Protocol, |text| {
                    let Protocol(number) = Protocol::parse(text).ok().filter(|protocol| self.sees(*protocol))?;
                    Some((number.into(), number.into()))
                });
            }
            "--dport" => return self.ports(test, transport?, Field::DestPort),
            "--sport" => return self.ports(test, transport?, Field::SourcePort),
            "--ports" => self.either_port(test, transport?)?,
            "--icmp-type" | "--icmpv6-type" => return self.icmp(test, transport?),
            "--tcp-flags" => return self.flags(test, transport?),
            "--ctstate" => return self.numbers(test, Field::State, values::state),
            "--mac-source" => return self.numbers(test, Field::SourceMac, values::mac),
            "-m" if self.family == Family::V6 && is(test, "ah") => {
                return Some(Found::Field(Field::Protocol, Ranges::single(51)));
            }
            "-i" => interface(test, Port::In)?,
            "-o" => interface(test, Port::Out)?,
            "--physdev-in" => interface(test, Port::BridgeIn)?,
            "--physdev-out" => interface(test, Port::BridgeOut)?,
            "--physdev-is-in" => Condition::FromBridge(!test.negated),
            "--physdev-is-out" => Condition::ToBridge(!test.negated),
            "--physdev-is-bridged" => Condition::Bridged(!test.negated),
            "--mark" => mark(test)?,
            _ => return None,
        };
        Some(Found::Other(condition))
    }

    /// Whether `-p` asks for a protocol: 0 stands for any, and ip6tables looks through IPv6's extension headers (RFC 8200).
    const fn sees(&self, protocol: Protocol) -> bool {
        match self.family {
            Family::V4 => protocol.0 != 0,
            Family::V6 => !matches!(protocol.0, 0 | 43 | 44 | 51 | 59 | 60),
        }
    }

    /// A field whose values are each understood by themselves.
    fn numbers(&self, test: &Test, field: Field, read: impl Fn(&str) -> Option<(u128, u128)>) -> Option<Found> {
        let found = values::numbers(&test.value, read)?;
        Some(Found::Field(field, unless(test.negated, field, self.family, found)))
    }

    fn addresses(&self, test: &Test, field: Field) -> Option<Found> {
        self.numbers(test, field, |text| values::addresses(self.family, text))
    }

    fn ipset(&mut self, test: &Test, field: Field) -> Option<Found> {
        let Value::Set(name) = &test.value else { return None };
        let (family, table) = (self.family, self.table);
        let (name, set) = table.sets.get_key_value(name)?;
        let found = self.sets.entry(name).or_insert_with(|| ipset(family, set)).as_ref()?;
        Some(Found::Field(field, unless(test.negated, field, family, found.clone())))
    }

    fn ports(&self, test: &Test, transport: Protocol, field: Field) -> Option<Found> {
        let found = self.port_numbers(test, transport)?;
        Some(Found::Of(transport, field, unless(test.negated, field, self.family, found)))
    }

    fn port_numbers(&self, test: &Test, transport: Protocol) -> Option<Ranges<u128>> {
        transport.has_ports().then(|| values::numbers(&test.value, ports)).flatten()
    }

    /// One of both ports, or neither.
    fn either_port(&self, test: &Test, transport: Protocol) -> Option<Condition> {
        let found = self.port_numbers(test, transport)?;
        let protocol = || values::protocol(transport);
        let fields = [Field::SourcePort, Field::DestPort];
        if test.negated {
            let neither = fields.into_iter().fold(Fields::one(Field::Protocol, protocol()), |all, field| {
                all.and(field, unless(true, field, self.family, found.clone()))
            });
            return Some(Condition::Packet(vec![neither]));
        }
        Some(Condition::Packet(
            fields.map(|field| values::of_protocol(protocol(), field, found.clone())).into_iter().collect(),
        ))
    }

    fn icmp(&self, test: &Test, transport: Protocol) -> Option<Found> {
        let (key, own) = match self.family {
            Family::V4 => ("--icmp-type", Protocol::ICMP),
            Family::V6 => ("--icmpv6-type", Protocol::ICMPV6),
        };
        let fits = &*test.key == key && transport == own;
        let read = |text: &str| {
            if text == "any" && self.family == Family::V4 {
                return Some((0, 0xffff));
            }
            let IcmpType { kind, code, .. } = IcmpType::parse(self.family, text).ok()?;
            let (first, last) = code.map_or((0, 0xff), |code| (code, code));
            let of = |code: u8| u128::from(kind) << 8 | u128::from(code);
            Some((of(first), of(last)))
        };
        let found = values::numbers(&test.value, read).filter(|_| fits)?;
        Some(Found::Of(own, Field::Icmp, unless(test.negated, Field::Icmp, self.family, found)))
    }

    fn flags(&self, test: &Test, transport: Protocol) -> Option<Found> {
        let Value::One(text) = &test.value else { return None };
        let (mask, set) = text.split_once(' ')?;
        let wanted = TcpFlags { mask: flag_bits(mask)?, set: flag_bits(set)? };
        let values = unless(test.negated, Field::Flags, self.family, flag_values(wanted));
        let tcp = transport == Protocol::TCP;
        tcp.then_some(Found::Of(transport, Field::Flags, values))
    }

    /// What it counts and does.
    fn statements(&self, rule: &Rule, draft: &mut Draft) {
        let mut statements = rule.statements.iter().map(String::as_str);
        while let Some(text) = statements.next() {
            if text.starts_with("-m hashlimit ") {
                match self.above(text) {
                    Some(above) => draft.and(Condition::Above(above)),
                    None => draft.opaque(text),
                }
            } else if is_limit(text) {
                // What is limited is a line in a log, and nothing else.
                let behind = effect(statements.clone().next().unwrap_or_default());
                let alone = rule.verdict == Verdict::Continue && statements.clone().nth(1).is_none();
                if !alone || !matches!(behind, Effect::Log(_)) {
                    draft.opaque(text);
                }
            } else if text.starts_with("-j ") {
                draft.does(effect(text));
            } else {
                draft.opaque(text);
            }
        }
    }

    /// A limit for each source.
    fn above(&self, text: &str) -> Option<String> {
        let words = statement_words(text)?;
        let mut words = words.iter().map(AsRef::as_ref).skip(2);
        let mut mask = match self.family {
            Family::V4 => "32",
            Family::V6 => "128",
        };
        let (mut rate, mut burst, mut mode) = (None, None, None);
        while let Some(option) = words.next() {
            let value = words.next()?;
            match option {
                "--hashlimit-above" => rate = Some(value),
                "--hashlimit-burst" => burst = Some(value),
                "--hashlimit-mode" => mode = Some(value),
                "--hashlimit-srcmask" => mask = value,
                "--hashlimit-name"
                | "--hashlimit-htable-size"
                | "--hashlimit-htable-max"
                | "--hashlimit-htable-expire"
                | "--hashlimit-htable-gcinterval" => {}
                _ => return None,
            }
        }
        let rate = rate.filter(|rate| rate.contains('/') && mode == Some("srcip"))?;
        Some(spell_above(self.family, rate, burst?, mask))
    }
}

fn is(test: &Test, value: &str) -> bool {
    !test.negated && matches!(&test.value, Value::One(one) if one == value)
}

/// The protocol that a rule is for.
fn transport(rule: &Rule) -> Option<Protocol> {
    let test = rule.tests.iter().find(|test| &*test.key == "-p" && !test.negated)?;
    match &test.value {
        Value::One(text) => Protocol::parse(text).ok(),
        Value::Any(_) | Value::Set(_) => None,
    }
}

/// Whether a test names a module that asks for the protocol alone, which the rule asks for anyway.
fn says_nothing(test: &Test, transport: Option<Protocol>) -> bool {
    let modules = ["tcp", "udp", "sctp", "dccp", "udplite", "icmp", "icmpv6"];
    &*test.key == "-m" && modules.iter().any(|module| is(test, module) && Protocol::parse(module).ok() == transport)
}

fn ipset(family: Family, set: &Set) -> Option<Ranges<u128>> {
    let inet = match family {
        Family::V4 => "inet",
        Family::V6 => "inet6",
    };
    let known = match set.kind.split_once(' ') {
        Some(("hash:net" | "hash:ip", of)) => of == inet,
        Some(_) => false,
        None => set.kind == "bitmap:ip" && family == Family::V4,
    };
    // Both are in the elements already.
    let plain = known && set.attributes.iter().all(|word| word.starts_with("netmask ") || word.starts_with("range "));
    let elements = || union(set.elements.iter().map(String::as_str), |text| values::addresses(family, text));
    plain.then(elements).flatten()
}

fn ports(text: &str) -> Option<(u128, u128)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first.into(), last.into()))
}

/// Whether it is a limit of which all is known.
fn is_limit(text: &str) -> bool {
    matches!(text.split(' ').collect::<Vec<_>>()[..], ["-m", "limit", "--limit", _, "--limit-burst", _])
}

fn flag_bits(text: &str) -> Option<u8> {
    match text {
        "NONE" => Some(0),
        "ALL" => Some(63),
        list => list.split(',').try_fold(0, |bits, name| Some(bits | TcpFlags::bit(name)?)),
    }
}

fn interface(test: &Test, port: Port) -> Option<Condition> {
    let Value::One(text) = &test.value else { return None };
    let name = match text.strip_suffix('+') {
        // Any name, even that of no interface.
        Some("") => return test.negated.then(|| Condition::Packet(Vec::new())),
        Some(start) => Pattern::BeginsWith(Arc::from(start)),
        None => Pattern::Is(Arc::from(text.as_str())),
    };
    Some(Condition::Port { port, names: [name].into(), negated: test.negated })
}

fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok())
}

fn mark(test: &Test) -> Option<Condition> {
    let Value::One(text) = &test.value else { return None };
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (number(value)?, number(mask)?),
        None => (number(text)?, u32::MAX),
    };
    Some(values::mark(mask, value, test.negated))
}

/// What a target does after which the packet goes on.
fn effect(text: &str) -> Effect {
    let known = statement_words(text).and_then(|words| {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        match words.as_slice() {
            ["-j", "MARK", "--set-xmark", mark] => {
                let (value, mask) = mark.split_once('/')?;
                Some(Effect::Mark { and: !number(mask)?, xor: number(value)? })
            }
            ["-j", "CT", "--helper", name] => Some(Effect::Helper(Arc::from(*name))),
            words => level(words).map(Effect::Log),
        }
    });
    known.unwrap_or_else(|| Effect::Opaque(text.to_owned()))
}

/// The level of a line in a log.
fn level(words: &[&str]) -> Option<LogLevel> {
    let value = |option: &str| {
        let at = words.iter().position(|word| *word == option)?;
        words.get(at + 1).copied()
    };
    match words {
        ["-j", "NFLOG", ..] => values::level_of_prefix(value("--nflog-prefix")?),
        ["-j", "LOG", ..] => value("--log-level").map_or(Some(LogLevel::Warning), values::level_of_number),
        _ => None,
    }
}
