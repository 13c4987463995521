//! Values of loaded rules as numbers of fields, and rules in the making.

use std::sync::LazyLock;

use crate::analysis::sets::Field;
use crate::net::{Family, Mac, Protocol, Ranges, read_v4, spelled_v6};
use crate::policy::{LogLevel, State};
use crate::state::ruleset::Value;

use super::{Asked, Condition, Effect, Fields};

/// The ethertype of a family (IEEE 802).
pub(super) const fn frame(family: Family) -> u128 {
    match family {
        Family::V4 => 0x0800,
        Family::V6 => 0x86dd,
    }
}

/// The ethertypes of IP.
pub(super) fn ip_frames() -> &'static Ranges<u128> {
    static FOUND: LazyLock<Ranges<u128>> =
        LazyLock::new(|| Ranges::from_ranges(Family::BOTH.map(|family| (frame(family), frame(family)))));
    &FOUND
}

/// The ethertype of ARP (IEEE 802).
pub(super) const ARP: u128 = 0x0806;

/// All values of a field.
pub(super) fn all(field: Field, family: Family) -> Ranges<u128> {
    let least = match field {
        Field::SourceMac | Field::ArpMac => 1,
        Field::Frame
        | Field::InInterface
        | Field::OutInterface
        | Field::State
        | Field::Protocol
        | Field::DestPort
        | Field::Icmp
        | Field::Dest
        | Field::Source
        | Field::SourcePort
        | Field::Flags
        | Field::Stand => 0,
    };
    Ranges::range(least, field.greatest(family))
}

/// The values, or all others of the field.
pub(super) fn unless(negated: bool, field: Field, family: Family, values: Ranges<u128>) -> Ranges<u128> {
    if negated { all(field, family).difference(&values) } else { values }
}

/// The texts that a test compares with; none for a set.
pub(super) fn texts(value: &Value) -> Option<impl Iterator<Item = &str>> {
    let (one, any) = match value {
        Value::One(one) => (Some(one), None),
        Value::Any(any) => (None, Some(any)),
        Value::Set(_) => return None,
    };
    Some(one.into_iter().chain(any.into_iter().flatten()).map(String::as_str))
}

/// What a test compares with, as numbers; none for a set, or if one of its texts is not understood.
pub(super) fn numbers(value: &Value, read: impl Fn(&str) -> Option<(u128, u128)>) -> Option<Ranges<u128>> {
    match value {
        Value::One(text) => read(text).map(|(first, last)| Ranges::range(first, last)),
        Value::Any(texts) => union(texts.iter().map(String::as_str), read),
        Value::Set(_) => None,
    }
}

/// What several texts say together; none if one of them is not understood.
pub(super) fn union<'t>(
    texts: impl Iterator<Item = &'t str>,
    read: impl Fn(&str) -> Option<(u128, u128)>,
) -> Option<Ranges<u128>> {
    let mut known = true;
    let read = texts.map_while(|text| {
        let found = read(text);
        known &= found.is_some();
        found
    });
    let found = Ranges::from_ranges(read);
    known.then_some(found)
}

/// An address, a network or a range of a family.
pub(super) fn addresses(family: Family, text: &str) -> Option<(u128, u128)> {
    let address = |text: &str| match family {
        Family::V4 => read_v4(text).map(|address| u32::from(address).into()),
        // Readers of rules spell what they can.
        Family::V6 => spelled_v6(text).or_else(|| text.parse().ok()).map(u128::from),
    };
    if let Some((network, length)) = text.split_once('/') {
        let width: u32 = match family {
            Family::V4 => 32,
            Family::V6 => 128,
        };
        let free = width.checked_sub(length.parse().ok()?)?;
        let host = 1_u128.checked_shl(free).map_or(u128::MAX, |bit| bit - 1);
        let first = address(network)?;
        return (first & host == 0).then_some((first, first | host));
    }
    match text.split_once('-') {
        Some((first, last)) => Some((address(first)?, address(last)?)).filter(|(first, last)| first <= last),
        None => address(text).map(|address| (address, address)),
    }
}

/// A hardware address as the fields number it.
pub(super) fn mac(text: &str) -> Option<(u128, u128)> {
    let number = mac_number(Mac::parse(text).ok()?);
    Some((number, number))
}

/// The same of one that was read.
pub(super) fn mac_number(Mac(octets): Mac) -> u128 {
    octets.iter().fold(0, |number, octet| number << 8 | u128::from(*octet)) + 1
}

/// The number of a state of a connection.
pub(super) fn state(name: &str) -> Option<(u128, u128)> {
    let place = State::ALL.iter().position(|state| state.name().eq_ignore_ascii_case(name))?;
    let place = u128::try_from(place).ok()?;
    Some((place, place))
}

/// The level in a prefix of fwc's own form, `:100:6:tap100i0-OUT: `.
pub(super) fn level_of_prefix(prefix: &str) -> Option<LogLevel> {
    let mut parts = prefix.strip_prefix(':')?.splitn(3, ':');
    let (guest, level) = (parts.next()?, parts.next()?);
    let digits = !guest.is_empty() && guest.bytes().all(|byte| byte.is_ascii_digit());
    parts.next().filter(|_| digits).and_then(|_| level_of_number(level))
}

/// The level of a number.
pub(super) fn level_of_number(text: &str) -> Option<LogLevel> {
    LogLevel::ALL.into_iter().find(|level| text == level.number().to_string())
}

impl Fields {
    /// One field alone.
    pub(super) fn one(field: Field, values: Ranges<u128>) -> Self {
        Self(vec![(field, values)])
    }

    /// One more that must be so as well.
    #[must_use]
    pub(super) fn and(mut self, field: Field, values: Ranges<u128>) -> Self {
        self.require(field, values);
        self
    }

    fn require(&mut self, field: Field, values: Ranges<u128>) {
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, known)) => *known = known.intersection(&values),
            None => self.0.push((field, values)),
        }
    }

    /// Whether no packet fits.
    pub(super) fn is_never(&self) -> bool {
        self.0.iter().any(|(_, values)| values.is_empty())
    }
}

/// Packets of a protocol (of these, where there are more), whose field has these values.
pub(super) fn of_protocol(protocols: Ranges<u128>, field: Field, values: Ranges<u128>) -> Fields {
    Fields(vec![(Field::Protocol, protocols), (field, values)])
}

/// The number of a protocol.
pub(super) fn protocol(protocol: Protocol) -> Ranges<u128> {
    Ranges::single(protocol.0.into())
}

/// The bits of a mask of the packet's mark are a value, or not. A value with other bits is none that they can be.
pub(super) fn mark(mask: u32, value: u32, negated: bool) -> Condition {
    match (value & !mask == 0, negated) {
        (true, _) => Condition::Mark { mask, value, negated },
        (false, true) => Condition::Packet(vec![Fields::default()]),
        (false, false) => Condition::Packet(Vec::new()),
    }
}

/// A rule in the making, and room for the next one: what is kept of a rule is no larger than it must be.
#[derive(Debug, Default)]
pub(super) struct Draft {
    fields: Fields,
    others: Vec<Condition>,
    effects: Vec<Effect>,
    never: bool,
}

impl Draft {
    /// The packet's fields are so.
    pub(super) fn fields(&mut self, fields: Fields) {
        for (field, values) in fields.0 {
            self.fields.require(field, values);
        }
    }

    /// A field of the packet is so.
    pub(super) fn field(&mut self, field: Field, values: Ranges<u128>) {
        self.fields.require(field, values);
    }

    /// A field of the packet is as it is for many rules.
    pub(super) fn shared(&mut self, field: Field, values: &Ranges<u128>) {
        match self.fields.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, known)) => *known = known.intersection(values),
            None => self.fields.0.push((field, values.clone())),
        }
    }

    /// One more condition. What is of the fields alone becomes one with the others of its kind.
    pub(super) fn and(&mut self, condition: Condition) {
        match condition {
            Condition::Packet(mut choices) => {
                choices.retain(|one| !one.is_never());
                match (choices.pop(), choices.is_empty()) {
                    (None, _) => self.never = true,
                    (Some(only), true) => self.fields(only),
                    (Some(last), false) => {
                        choices.push(last);
                        self.others.push(Condition::Packet(choices));
                    }
                }
            }
            other @ (Condition::Outer(_)
            | Condition::Port { .. }
            | Condition::Keyed { .. }
            | Condition::Mark { .. }
            | Condition::FromBridge(_)
            | Condition::ToBridge(_)
            | Condition::Bridged(_)
            | Condition::Above(_)
            | Condition::Opaque(_)) => self.others.push(other),
        }
    }

    /// A condition that is not known.
    pub(super) fn opaque(&mut self, words: impl ToString) {
        self.others.push(Condition::Opaque(words.to_string()));
    }

    /// One more effect.
    pub(super) fn does(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// The rule. Of one that no packet fits nothing else matters.
    pub(super) fn finish(&mut self) -> Asked {
        let never = std::mem::take(&mut self.never) || self.fields.is_never();
        let fields = &mut self.fields.0;
        fields.sort_unstable_by_key(|(field, _)| *field);
        let effects = taken(&mut self.effects);
        if never {
            fields.clear();
            self.others.clear();
            return Asked { conditions: vec![Condition::Packet(Vec::new())], effects };
        }
        let mut conditions = Vec::with_capacity(self.others.len() + usize::from(!fields.is_empty()));
        if !fields.is_empty() {
            conditions.push(Condition::Packet(vec![Fields(taken(fields))]));
        }
        conditions.append(&mut self.others);
        Asked { conditions, effects }
    }
}

/// All of it, with no room to spare; that stays for the next ones.
fn taken<T>(from: &mut Vec<T>) -> Vec<T> {
    let mut all = Vec::with_capacity(from.len());
    all.append(from);
    all
}
