//! IPv4 and IPv6 addresses, networks and sets of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

use super::Ranges;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both, IPv4 first.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// `IPv4` or `IPv6`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// An address of an interface with the prefix length of its network: `10.0.0.11/24` keeps its host bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface(pub IpNet);

impl Interface {
    /// The address itself.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0.addr()
    }

    /// The network it is in; a full-length prefix where none was written.
    #[must_use]
    pub fn network(self) -> IpNet {
        self.0.trunc()
    }
}

/// A set of addresses of both families. Equal sets have equal representations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AddressSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl AddressSet {
    /// No address.
    #[must_use]
    pub const fn empty() -> Self {
        Self { v4: Ranges::empty(), v6: Ranges::empty() }
    }

    /// From sets of each family, addresses as numbers in host order.
    #[must_use]
    pub const fn new(v4: Ranges<u32>, v6: Ranges<u128>) -> Self {
        Self { v4, v6 }
    }

    /// One address.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::span(address, address).unwrap_or_default()
    }

    /// One network; host bits are ignored.
    #[must_use]
    pub fn network(network: IpNet) -> Self {
        Self::span(network.network(), network.broadcast()).unwrap_or_default()
    }

    /// `first` to `last`, both included; none where the families differ or `first > last`.
    #[must_use]
    pub fn span(first: IpAddr, last: IpAddr) -> Option<Self> {
        let set = match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Self::new(Ranges::range(a.into(), b.into()), Ranges::empty()),
            (IpAddr::V6(a), IpAddr::V6(b)) => Self::new(Ranges::empty(), Ranges::range(a.into(), b.into())),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        };
        (!set.is_empty()).then_some(set)
    }

    /// The IPv4 part, as numbers in host order.
    #[must_use]
    pub const fn v4(&self) -> &Ranges<u32> {
        &self.v4
    }

    /// The IPv6 part, as numbers in host order.
    #[must_use]
    pub const fn v6(&self) -> &Ranges<u128> {
        &self.v6
    }

    /// Whether there is no address in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether there is an address of that family in it.
    #[must_use]
    pub fn has(&self, family: Family) -> bool {
        match family {
            Family::V4 => !self.v4.is_empty(),
            Family::V6 => !self.v6.is_empty(),
        }
    }

    /// The part of one family.
    #[must_use]
    pub fn only(&self, family: Family) -> Self {
        match family {
            Family::V4 => Self::new(self.v4.clone(), Ranges::empty()),
            Family::V6 => Self::new(Ranges::empty(), self.v6.clone()),
        }
    }

    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => self.v4.contains(a.into()),
            IpAddr::V6(a) => self.v6.contains(a.into()),
        }
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.v4.union(&other.v4), self.v6.union(&other.v6))
    }

    /// What is in any of them.
    #[must_use]
    pub fn union_of<'a>(sets: impl IntoIterator<Item = &'a Self> + Clone) -> Self {
        let v4 = sets.clone().into_iter().flat_map(|set| set.v4.iter());
        let v6 = sets.into_iter().flat_map(|set| set.v6.iter());
        Self::new(Ranges::from_ranges(v4), Ranges::from_ranges(v6))
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::new(self.v4.intersection(&other.v4), self.v6.intersection(&other.v6))
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self::new(self.v4.difference(&other.v4), self.v6.difference(&other.v6))
    }

    /// Whether all of `self` is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.v4.is_subset(&other.v4) && self.v6.is_subset(&other.v6)
    }

    /// The fewest IPv4 networks that make up the set, ascending.
    #[must_use]
    pub fn networks_v4(&self) -> Vec<Ipv4Net> {
        let subnets = |(a, b): (u32, u32)| Ipv4Subnets::new(Ipv4Addr::from(a), Ipv4Addr::from(b), 0);
        self.v4.iter().flat_map(subnets).collect()
    }

    /// The fewest IPv6 networks that make up the set, ascending.
    #[must_use]
    pub fn networks_v6(&self) -> Vec<Ipv6Net> {
        let subnets = |(a, b): (u128, u128)| Ipv6Subnets::new(Ipv6Addr::from(a), Ipv6Addr::from(b), 0);
        self.v6.iter().flat_map(subnets).collect()
    }

    /// The fewest networks of one family that make up the set, ascending.
    #[must_use]
    pub fn networks(&self, family: Family) -> Vec<IpNet> {
        match family {
            Family::V4 => self.networks_v4().into_iter().map(IpNet::V4).collect(),
            Family::V6 => self.networks_v6().into_iter().map(IpNet::V6).collect(),
        }
    }
}

/// An address or a network; an address becomes a full-length network, host bits are kept.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_prefix(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    text.parse::<IpNet>().map_err(|_| format!("`{text}` is neither an address nor a network"))
}

/// A range `a-b` of addresses of one family.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_address_range(text: &str) -> Result<AddressSet, String> {
    let Some((first, last)) = text.split_once('-') else {
        return Err(format!("`{text}` is not a range of addresses"));
    };
    let parse = |part: &str| part.trim().parse::<IpAddr>().map_err(|_| format!("`{}` is not an address", part.trim()));
    let (first, last) = (parse(first)?, parse(last)?);
    if Family::of(first) != Family::of(last) {
        return Err(format!("the range `{text}` mixes IPv4 and IPv6"));
    }
    AddressSet::span(first, last).ok_or_else(|| format!("the range `{text}` ends before it starts"))
}
