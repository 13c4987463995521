//! What the conditions of a clause leave to each field of a packet.
//!
//! In: conditions, and a kind of frames. Out: whether such a frame can fit at all, and the values of each field with which it
//! does. Nothing is copied where one condition alone asks for a field.

use std::borrow::Cow;

use crate::net::{AddressSet, Family, Mac, Number, Protocol, Ranges};
use crate::policy::{Direction, FrameKind, Match, State};

use super::Valued;
use super::field::{self, Field, Interfaces, LOOPBACK};

/// Kinds of frames, as far as conditions are about them: one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const ALL: Self = Self(31);
    pub(super) const V4: Self = Self(1);
    pub(super) const V6: Self = Self(2);
    pub(super) const ARP: Self = Self(4);
    pub(super) const STACKED: Self = Self(8);
    pub(super) const OTHER: Self = Self(16);
    pub(super) const NONE: Self = Self(0);
    pub(super) const IP: Self = Self(3);
    /// Those that conditions which are not of a family ask the same of.
    pub(super) const ALIKE: Self = Self(27);

    /// IP of a family.
    pub(super) const fn family(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4,
            Family::V6 => Self::V6,
        }
    }

    /// Those that can fit.
    pub(super) fn of(matches: &[Match]) -> Self {
        matches.iter().fold(Self::ALL, |kinds, condition| kinds.and(Self::of_one(condition)))
    }

    const fn of_one(condition: &Match) -> Self {
        match condition {
            Match::Frame(FrameKind::Ip) => Self::IP,
            Match::Frame(FrameKind::Arp) | Match::ArpSender(_) => Self::ARP,
            Match::Frame(FrameKind::Stacked) => Self::STACKED,
            Match::Frame(FrameKind::Other) => Self::OTHER,
            Match::EtherTypeNot(_)
            | Match::SourceMacNot(_)
            | Match::InInterface(_)
            | Match::OutInterface(_)
            | Match::Loopback => Self::ALL,
            Match::Family(family) => Self::family(*family),
            Match::Icmp(icmp) => Self::family(icmp.family),
            // Every other condition is one on a field of IP packets.
            Match::State(_)
            | Match::Source(_)
            | Match::SourceNot(_)
            | Match::Dest(_)
            | Match::Protocol(_)
            | Match::SourcePorts(_)
            | Match::DestPorts(_)
            | Match::TcpFlags(_)
            | Match::TcpFlagsNot(_) => Self::IP,
        }
    }

    /// Those among both.
    pub(super) const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether one of those is among them.
    pub(super) const fn has(self, some: Self) -> bool {
        self.0 & some.0 != 0
    }
}

/// Whether a condition's numbers are other addresses in the other family.
pub(super) const fn is_of_family(condition: &Match) -> bool {
    matches!(condition, Match::Source(_) | Match::SourceNot(_) | Match::Dest(_))
}

/// The values that conditions leave to a field.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Values<'c> {
    /// All: nothing is asked.
    #[default]
    All,
    /// Those of one interval.
    One((u128, u128)),
    Ports(&'c Ranges<u16>),
    V4(&'c Ranges<u32>),
    Wide(&'c Ranges<u128>),
    /// Those that a conjunction keeps at this place.
    Made(usize),
}

impl<'c> Values<'c> {
    const fn single(value: u128) -> Self {
        Self::One((value, value))
    }

    const fn wide(values: &'c Ranges<u128>) -> Self {
        match values.as_slice() {
            [one] => Self::One(*one),
            _ => Self::Wide(values),
        }
    }

    fn ports(values: &'c Ranges<u16>) -> Self {
        match values.as_slice() {
            [(first, last)] => Self::One(((*first).into(), (*last).into())),
            _ => Self::Ports(values),
        }
    }

    fn addresses(set: &'c AddressSet, family: Family) -> Self {
        match (family, set.v4().as_slice()) {
            (Family::V4, [(first, last)]) => Self::One(((*first).into(), (*last).into())),
            (Family::V4, _) => Self::V4(set.v4()),
            (Family::V6, _) => Self::wide(set.v6()),
        }
    }
}

fn widened<T: Number + Into<u128>>(ranges: &Ranges<T>) -> Ranges<u128> {
    Ranges::from_ranges(ranges.iter().map(|(first, last)| (first.into(), last.into())))
}

/// The hardware addresses that are no other than this one, which the sending NIC's own never is.
pub(super) fn own_macs(mac: Mac) -> Ranges<u128> {
    Ranges::from_ranges([(0, 0), Field::SourceMac.single(field::mac(Some(mac)))])
}

/// The values that all conditions leave to each field.
#[derive(Debug)]
pub(super) struct Conjunction<'c> {
    /// By field.
    values: [Values<'c>; Field::ALL.len()],
    /// The fields that something is asked of, a bit for each.
    asked: u32,
    /// Values that stand nowhere else.
    made: Vec<Ranges<u128>>,
    /// A field has none left.
    is_empty: bool,
}

impl<'c> Conjunction<'c> {
    /// Nothing is asked.
    fn new() -> Self {
        Self { values: std::array::from_fn(|_| Values::All), asked: 0, made: Vec::new(), is_empty: false }
    }

    /// What conditions ask of frames of kinds that fit all of them, and for which they ask the same: more than one only
    /// where none of them [is of a family](is_of_family).
    pub(super) fn of(matches: &'c [Match], kinds: Kinds, direction: Direction, interfaces: &mut Interfaces) -> Self {
        let mut made = Self::new();
        for condition in matches {
            made.ask(condition, kinds, direction, interfaces);
        }
        made
    }

    /// These values of these fields.
    pub(super) fn having(values: &'c [(Field, Ranges<u128>)]) -> Self {
        let mut made = Self::new();
        for (field, ranges) in values {
            made.require(*field, Values::wide(ranges));
        }
        made
    }

    /// Whether nothing fits: a field has no values left.
    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The values of each field that something is asked of, the last field first.
    pub(super) fn fields(&self) -> impl Iterator<Item = (Field, Values<'c>)> {
        let mut asked = self.asked;
        std::iter::from_fn(move || {
            let place = asked.checked_ilog2()?;
            asked ^= 1 << place;
            Field::ALL.get(place as usize).copied().zip(self.values.get(place as usize).copied())
        })
    }

    /// The same as they are, the first field first.
    pub(super) fn owned(&self) -> Vec<Valued> {
        let mut all: Vec<_> = self.fields().map(|(field, values)| (field, self.ranges(values).into_owned())).collect();
        all.reverse();
        all
    }

    /// The values of a field, where something is asked of it.
    pub(super) fn values(&self, field: Field) -> Option<Cow<'_, Ranges<u128>>> {
        let asked = self.asked >> field as usize & 1 == 1;
        self.values.get(field as usize).filter(|_| asked).map(|values| self.ranges(*values))
    }

    /// Values that it keeps.
    pub(super) fn made(&self, place: usize) -> &[(u128, u128)] {
        self.made.get(place).map_or(&[], Ranges::as_slice)
    }

    fn ranges<'s>(&'s self, values: Values<'s>) -> Cow<'s, Ranges<u128>> {
        match values {
            Values::All => Cow::Owned(Ranges::all()),
            Values::One((first, last)) => Cow::Owned(Ranges::range(first, last)),
            Values::Ports(values) => Cow::Owned(widened(values)),
            Values::V4(values) => Cow::Owned(widened(values)),
            Values::Wide(values) => Cow::Borrowed(values),
            Values::Made(place) => self.made.get(place).map_or_else(|| Cow::Owned(Ranges::empty()), Cow::Borrowed),
        }
    }

    fn keep(&mut self, values: Ranges<u128>) -> Values<'c> {
        if let [one] = values.as_slice() {
            return Values::One(*one);
        }
        self.made.push(values);
        Values::Made(self.made.len() - 1)
    }

    fn require(&mut self, field: Field, values: Values<'c>) {
        let bit = 1 << field as usize;
        if self.asked & bit == 0 {
            self.asked |= bit;
            self.set(field, values);
        } else {
            let known = self.values.get(field as usize).copied().unwrap_or_default();
            let both = self.ranges(known).intersection(&self.ranges(values));
            let both = self.keep(both);
            self.set(field, both);
        }
    }

    fn set(&mut self, field: Field, values: Values<'c>) {
        self.is_empty |= match values {
            Values::All | Values::One(_) => false,
            Values::Ports(values) => values.is_empty(),
            Values::V4(values) => values.is_empty(),
            Values::Wide(values) => values.is_empty(),
            Values::Made(place) => self.made(place).is_empty(),
        };
        if let Some(known) = self.values.get_mut(field as usize) {
            *known = values;
        }
    }

    /// A protocol whose header has a field; mostly one is named that does.
    fn require_protocol(&mut self, fitting: &'static Ranges<u128>) {
        match self.values.get(Field::Protocol as usize) {
            Some(Values::One((only, last))) if only == last && fitting.contains(*only) => {}
            Some(_) | None => self.require(Field::Protocol, Values::Wide(fitting)),
        }
    }

    fn require_made(&mut self, field: Field, values: Ranges<u128>) {
        let kept = self.keep(values);
        self.require(field, kept);
    }

    fn ask(&mut self, condition: &'c Match, kinds: Kinds, direction: Direction, interfaces: &mut Interfaces) {
        let family = if kinds.has(Kinds::V6) { Family::V6 } else { Family::V4 };
        let all = || Ranges::range(0, Field::Source.greatest(family));
        match condition {
            // Decided by the kind.
            Match::Frame(_) | Match::Family(_) => {}
            Match::EtherTypeNot(listed) => {
                let listed = listed.iter().map(|number| Field::Frame.single((*number).into()));
                self.require_made(Field::Frame, Ranges::from_ranges(listed).complement());
            }
            // There are two of them in an ARP frame.
            Match::SourceMacNot(_) if kinds == Kinds::ARP => {}
            Match::SourceMacNot(mac) => {
                self.require_made(Field::SourceMac, own_macs(*mac).complement());
            }
            Match::InInterface(name) => self.require(Field::InInterface, Values::single(interfaces.add(name))),
            Match::OutInterface(name) => self.require(Field::OutInterface, Values::single(interfaces.add(name))),
            Match::Loopback => {
                let side = match direction {
                    Direction::In | Direction::Forward => Field::InInterface,
                    Direction::Out => Field::OutInterface,
                };
                self.require(side, Values::single(interfaces.add(LOOPBACK)));
            }
            Match::ArpSender(set) => self.require(Field::Source, Values::addresses(set, Family::V4)),
            Match::State(states) => {
                let wanted = State::ALL.into_iter().filter(|state| states.contains(*state)).map(field::state);
                let wanted = Ranges::from_ranges(wanted.map(|number| (number, number)));
                self.require_made(Field::State, wanted);
            }
            Match::Source(set) => self.require(Field::Source, Values::addresses(set, family)),
            Match::SourceNot(set) => {
                let others = all().difference(&self.ranges(Values::addresses(set, family)));
                self.require_made(Field::Source, others);
            }
            Match::Dest(set) => self.require(Field::Dest, Values::addresses(set, family)),
            Match::Protocol(protocol) => self.require(Field::Protocol, Values::single(protocol.0.into())),
            Match::SourcePorts(ports) => {
                self.require_protocol(field::with_ports());
                self.require(Field::SourcePort, Values::ports(ports));
            }
            Match::DestPorts(ports) => {
                self.require_protocol(field::with_ports());
                self.require(Field::DestPort, Values::ports(ports));
            }
            Match::Icmp(wanted) => {
                self.require_protocol(field::with_icmp());
                self.require_made(Field::Icmp, field::icmp_values(*wanted));
            }
            Match::TcpFlags(wanted) => {
                self.require(Field::Protocol, Values::single(Protocol::TCP.0.into()));
                self.require_made(Field::Flags, field::flag_values(*wanted));
            }
            Match::TcpFlagsNot(unwanted) => {
                self.require(Field::Protocol, Values::single(Protocol::TCP.0.into()));
                let others = Ranges::range(0, 0xff).difference(&field::flag_values(*unwanted));
                self.require_made(Field::Flags, others);
            }
        }
    }
}
