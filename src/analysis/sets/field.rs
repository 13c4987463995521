//! The fields of a packet as numbers, in the order in which diagrams look at them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use crate::net::{Family, IcmpType, Mac, Protocol, Ranges, TcpFlags};
use crate::policy::State;

/// A field. Diagrams look at them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The ethertype (IEEE 802); 802.1ad stands for every stacked frame.
    Frame,
    /// The Ethernet source: 0 for the sending NIC's own, else the address and 1.
    SourceMac,
    /// The sender hardware address of an ARP frame, as [`Field::SourceMac`].
    ArpMac,
    /// The host's interface that the packet came in by: its place in [`Interfaces`], 0 for one that no rule names.
    InInterface,
    /// The host's interface that it leaves by.
    OutInterface,
    /// The state of its connection: its place in [`State::ALL`].
    State,
    /// The IP protocol.
    Protocol,
    /// The destination port.
    DestPort,
    /// The ICMP type in the upper, the code in the lower eight bits.
    Icmp,
    /// The destination address.
    Dest,
    /// The source address; an ARP frame's sender protocol address.
    Source,
    /// The source port.
    SourcePort,
    /// The TCP flags, see [`flags`].
    Flags,
    /// What rules say that stand for any others, and whose addresses those are that stand for any: no packet has it, see
    /// [`stand`](super::stand).
    Stand,
}

pub(super) const IPV4: u128 = 0x0800;
pub(super) const ARP: u128 = 0x0806;
pub(super) const IPV6: u128 = 0x86dd;
pub(super) const STACKED: u128 = 0x88a8;

impl Field {
    /// Every field.
    pub const ALL: [Self; 14] = [
        Self::Frame,
        Self::SourceMac,
        Self::ArpMac,
        Self::InInterface,
        Self::OutInterface,
        Self::State,
        Self::Protocol,
        Self::DestPort,
        Self::Icmp,
        Self::Dest,
        Self::Source,
        Self::SourcePort,
        Self::Flags,
        Self::Stand,
    ];

    /// The value of [`Field::State`].
    #[must_use]
    pub const fn of_state(value: State) -> u128 {
        state(value)
    }

    /// The interval of one value; the greatest stands for all beyond it too.
    pub(super) const fn single(self, value: u128) -> (u128, u128) {
        (value, if value >= self.greatest(Family::V6) { u128::MAX } else { value })
    }

    /// Whether its values are addresses of one of two families.
    pub(in crate::analysis) const fn is_address(self) -> bool {
        match self {
            Self::Dest | Self::Source => true,
            Self::Frame
            | Self::SourceMac
            | Self::ArpMac
            | Self::InInterface
            | Self::OutInterface
            | Self::State
            | Self::Protocol
            | Self::DestPort
            | Self::Icmp
            | Self::SourcePort
            | Self::Flags
            | Self::Stand => false,
        }
    }

    /// Whether its values are hardware addresses.
    pub(in crate::analysis) const fn is_mac(self) -> bool {
        matches!(self, Self::SourceMac | Self::ArpMac)
    }

    /// The greatest value, in packets of a family where that matters.
    pub(in crate::analysis) const fn greatest(self, family: Family) -> u128 {
        match self {
            Self::Frame | Self::DestPort | Self::SourcePort | Self::Icmp => 0xffff,
            Self::SourceMac | Self::ArpMac => 1 << 48,
            Self::InInterface | Self::OutInterface => u32::MAX as u128,
            Self::State => State::ALL.len() as u128 - 1,
            Self::Protocol | Self::Flags | Self::Stand => 0xff,
            Self::Dest | Self::Source => match family {
                Family::V4 => u32::MAX as u128,
                Family::V6 => u128::MAX,
            },
        }
    }
}

/// The names of the hosts' interfaces that clauses speak of, numbered from 1 on. Whatever another name stands for is the
/// same as what no name does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interfaces {
    names: Vec<String>,
    numbers: BTreeMap<String, u32>,
}

/// The loopback interface.
pub(super) const LOOPBACK: &str = "lo";

impl Interfaces {
    /// These names and the loopback interface, in alphabetical order. Those that clauses bring later stand behind them.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: BTreeSet<&str> = names.into_iter().chain([LOOPBACK]).collect();
        let mut interfaces = Self::default();
        for name in names {
            interfaces.add(name);
        }
        interfaces
    }

    /// The number of a name, which is put behind the others if it is new.
    pub(super) fn add(&mut self, name: &str) -> u128 {
        if let Some(number) = self.numbers.get(name) {
            return (*number).into();
        }
        self.names.push(name.to_owned());
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        number.into()
    }

    /// The number of a name; 0 for one that is not in the list, and for none.
    #[must_use]
    pub fn number(&self, name: Option<&str>) -> u128 {
        name.and_then(|name| self.numbers.get(name)).map_or(0, |number| (*number).into())
    }

    /// The name of a number; none for 0 and for those behind the last.
    #[must_use]
    pub fn name(&self, number: u128) -> Option<&str> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        self.names.get(place).map(String::as_str)
    }
}

pub(super) const fn frame(family: Family) -> u128 {
    match family {
        Family::V4 => IPV4,
        Family::V6 => IPV6,
    }
}

pub(super) const fn state(state: State) -> u128 {
    match state {
        State::New => 0,
        State::Established => 1,
        State::Related => 2,
        State::Invalid => 3,
    }
}

pub(super) fn address(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The address of a number; numbers too great for IPv4 are its greatest.
pub(super) fn to_address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

pub(super) fn mac(mac: Option<Mac>) -> u128 {
    mac.map_or(0, |Mac(octets)| octets.iter().fold(0, |number, octet| number << 8 | u128::from(*octet)) + 1)
}

pub(super) fn to_mac(number: u128) -> Option<Mac> {
    let [.., a, b, c, d, e, f] = number.checked_sub(1)?.to_be_bytes();
    Some(Mac([a, b, c, d, e, f]))
}

/// The flags in the order that rules ask for them most, so that what they ask is one interval: SYN, FIN, RST, ACK, URG,
/// PSH from the top, then the two of ECN.
const FLAGS: [u8; 8] =
    [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST, TcpFlags::ACK, TcpFlags::URG, TcpFlags::PSH, 64, 128];

/// The flags of a header as a number.
pub(in crate::analysis) fn flags(bits: u8) -> u128 {
    FLAGS.iter().fold(0, |number, flag| number << 1 | u128::from(bits & flag != 0))
}

pub(super) fn to_flags(number: u128) -> u8 {
    FLAGS.iter().rev().zip(0..).fold(0, |bits, (flag, place)| if number >> place & 1 == 1 { bits | flag } else { bits })
}

/// The flags that a condition asks for: the bits that it leaves open below its lowest are one interval, and so is each
/// choice of those above.
#[must_use]
pub fn flag_values(wanted: TcpFlags) -> Ranges<u128> {
    if wanted.set & !wanted.mask != 0 {
        return Ranges::empty();
    }
    let (mask, set) = (flags(wanted.mask), flags(wanted.set));
    let low = (1_u128 << mask.trailing_zeros().min(8)) - 1;
    let open = 0xff & !mask & !low;
    let mut choice = 0;
    let mut found = Vec::new();
    loop {
        found.push((set | choice, set | choice | low));
        // The next choice of the open bits, in ascending order.
        choice = choice.wrapping_sub(open) & open;
        if choice == 0 {
            return Ranges::from_ranges(found);
        }
    }
}

/// The types and codes that a condition asks for.
pub(super) fn icmp_values(wanted: IcmpType) -> Ranges<u128> {
    let kind = u128::from(wanted.kind) << 8;
    let (first, last) = wanted.code.map_or((0, 0xff), |code| (code.into(), code.into()));
    Ranges::range(kind | first, kind | last)
}

/// The protocols that a predicate holds for.
pub(in crate::analysis) fn protocols(fits: impl Fn(Protocol) -> bool) -> Ranges<u128> {
    let numbers = (0..=u8::MAX).filter(|number| fits(Protocol(*number)));
    Ranges::from_ranges(numbers.map(|number| (number.into(), number.into())))
}

/// The protocols whose header begins with ports.
pub(super) fn with_ports() -> &'static Ranges<u128> {
    static FOUND: LazyLock<Ranges<u128>> = LazyLock::new(|| protocols(Protocol::has_ports));
    &FOUND
}

/// The protocols whose header is ICMP's.
pub(super) fn with_icmp() -> &'static Ranges<u128> {
    static FOUND: LazyLock<Ranges<u128>> = LazyLock::new(|| protocols(has_icmp));
    &FOUND
}

/// Whether a protocol's header is ICMP's.
pub(super) const fn has_icmp(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::ICMP | Protocol::ICMPV6)
}

#[cfg(test)]
mod tests {
    use super::{flag_values, flags, to_flags};
    use crate::net::TcpFlags;

    #[test]
    fn flags_are_numbers_and_conditions_are_few_intervals() {
        assert!((0..=u8::MAX).all(|bits| to_flags(flags(bits)) == bits));
        for (mask, set) in (0..=u8::MAX).flat_map(|mask| (0..64).map(move |set| (mask, set))) {
            let found = flag_values(TcpFlags { mask, set });
            assert!((0..=u8::MAX).all(|bits| found.contains(flags(bits)) == (bits & mask == set)), "{mask} {set}");
        }
        let bare_syn = TcpFlags::FIN | TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK;
        assert_eq!(flag_values(TcpFlags { mask: bare_syn, set: TcpFlags::SYN }).as_slice().len(), 1);
    }
}
