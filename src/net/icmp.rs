//! ICMP and ICMPv6 types by name and number.

use super::Family;

/// A type of ICMP (IPv4) or ICMPv6 messages, with or without a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpType {
    /// IPv4 for ICMP, IPv6 for ICMPv6.
    pub family: Family,
    /// The type.
    pub kind: u8,
    /// The code; none for every code.
    pub code: Option<u8>,
}

/// Name, type, code: the names that Proxmox VE and netfilter share (RFC 792, RFC 1812).
const V4: &[(&str, u8, Option<u8>)] = &[
    ("echo-reply", 0, None),
    ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("fragmentation-needed", 3, Some(4)),
    ("source-route-failed", 3, Some(5)),
    ("network-unknown", 3, Some(6)),
    ("host-unknown", 3, Some(7)),
    ("network-prohibited", 3, Some(9)),
    ("host-prohibited", 3, Some(10)),
    ("tos-network-unreachable", 3, Some(11)),
    ("tos-host-unreachable", 3, Some(12)),
    ("communication-prohibited", 3, Some(13)),
    ("host-precedence-violation", 3, Some(14)),
    ("precedence-cutoff", 3, Some(15)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("network-redirect", 5, Some(0)),
    ("host-redirect", 5, Some(1)),
    ("tos-network-redirect", 5, Some(2)),
    ("tos-host-redirect", 5, Some(3)),
    ("echo-request", 8, None),
    ("router-advertisement", 9, None),
    ("router-solicitation", 10, None),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, None),
    ("ttl-zero-during-transit", 11, Some(0)),
    ("ttl-zero-during-reassembly", 11, Some(1)),
    ("parameter-problem", 12, None),
    ("ip-header-bad", 12, Some(0)),
    ("required-option-missing", 12, Some(1)),
    ("timestamp-request", 13, None),
    ("timestamp-reply", 14, None),
    ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

/// Name, type, code (RFC 4443, RFC 4861, RFC 2710, RFC 3810).
const V6: &[(&str, u8, Option<u8>)] = &[
    ("destination-unreachable", 1, None),
    ("no-route", 1, Some(0)),
    ("communication-prohibited", 1, Some(1)),
    ("beyond-scope", 1, Some(2)),
    ("address-unreachable", 1, Some(3)),
    ("port-unreachable", 1, Some(4)),
    ("failed-policy", 1, Some(5)),
    ("reject-route", 1, Some(6)),
    ("packet-too-big", 2, None),
    ("time-exceeded", 3, None),
    ("ttl-exceeded", 3, None),
    ("ttl-zero-during-transit", 3, Some(0)),
    ("ttl-zero-during-reassembly", 3, Some(1)),
    ("parameter-problem", 4, None),
    ("bad-header", 4, Some(0)),
    ("unknown-header-type", 4, Some(1)),
    ("unknown-option", 4, Some(2)),
    ("echo-request", 128, None),
    ("echo-reply", 129, None),
    ("mld-listener-query", 130, None),
    ("mld-listener-report", 131, None),
    ("mld-listener-done", 132, None),
    ("mld-listener-reduction", 132, None),
    ("router-solicitation", 133, None),
    ("router-advertisement", 134, None),
    ("neighbor-solicitation", 135, None),
    ("neighbour-solicitation", 135, None),
    ("neighbor-advertisement", 136, None),
    ("neighbour-advertisement", 136, None),
    ("redirect", 137, None),
    ("mld2-listener-report", 143, None),
];

const fn table(family: Family) -> &'static [(&'static str, u8, Option<u8>)] {
    match family {
        Family::V4 => V4,
        Family::V6 => V6,
    }
}

impl IcmpType {
    /// A type with every code.
    #[must_use]
    pub const fn new(family: Family, kind: u8) -> Self {
        Self { family, kind, code: None }
    }

    /// A name, a number, or `type/code` in numbers.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text.
    pub fn parse(family: Family, text: &str) -> Result<Self, String> {
        let named = !text.starts_with(|first: char| first.is_ascii_digit());
        if let Some((_, kind, code)) = table(family).iter().find(|(name, ..)| named && name.eq_ignore_ascii_case(text))
        {
            return Ok(Self { family, kind: *kind, code: *code });
        }
        let number = super::small_number;
        let parsed = match text.split_once('/') {
            Some((kind, code)) => number(kind).zip(number(code)).map(|(kind, code)| (kind, Some(code))),
            None => number(text).map(|kind| (kind, None)),
        };
        let (kind, code) = parsed.ok_or_else(|| {
            let protocol = match family {
                Family::V4 => "icmp",
                Family::V6 => "icmpv6",
            };
            format!("unknown {protocol} type `{text}`")
        })?;
        Ok(Self { family, kind, code })
    }

    /// The name, where it has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let same = |(_, kind, code): &&(&str, u8, Option<u8>)| *kind == self.kind && *code == self.code;
        table(self.family).iter().find(same).map(|(name, ..)| *name)
    }
}

/// Every name that [`IcmpType::parse`] takes for a family.
pub fn icmp_type_names(family: Family) -> impl Iterator<Item = &'static str> {
    table(family).iter().map(|(name, ..)| *name)
}
