//! What kinds of values there are, and the names that nft gives them.
//!
//! In: a key (`tcp dport`) or a datatype (`inet_service`). Out: the [`Kind`], which turns names into numbers and numbers
//! into their one spelling.

use crate::net::{Protocol, parse_ports};

/// A kind of value: which names it knows, and how its numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text, never a number: names of interfaces.
    Name,
    /// Numbers and addresses, without names.
    Plain,
    /// Names for decimal numbers.
    Decimal(Names),
    /// Names that stay names.
    Symbol(Names),
    /// Names of single bits.
    Flags(Names),
    /// IP protocols, by their names.
    Protocol,
    /// Ports.
    Port,
    /// Ethertypes: names, or four hexadecimal digits.
    Ethertype,
    /// Marks: hexadecimal.
    Mark,
}

/// Names and their numbers; the first name of a number is its spelling.
pub(super) type Names = &'static [(&'static str, u64)];

/// The datatype of each key whose values have names or a spelling of their own.
fn datatype_of_key(key: &str) -> Option<&'static str> {
    Some(match key {
        "iifname" | "oifname" | "meta ibrname" | "meta obrname" => "ifname",
        "iif" | "oif" => "iface_index",
        "meta l4proto" | "ip protocol" | "ip6 nexthdr" | "ct protocol" => "inet_proto",
        "meta nfproto" | "ct l3proto" => "nf_proto",
        "meta protocol" | "ether type" | "vlan type" | "arp ptype" => "ether_type",
        "meta pkttype" => "pkt_type",
        "meta mark" | "ct mark" => "mark",
        "ip saddr" | "ip daddr" | "arp saddr ip" | "arp daddr ip" => "ipv4_addr",
        "ip6 saddr" | "ip6 daddr" => "ipv6_addr",
        "arp saddr ether" | "arp daddr ether" | "ether saddr" | "ether daddr" => "ether_addr",
        "tcp flags" => "tcp_flag",
        "ct state" => "ct_state",
        "ct status" => "ct_status",
        "ct direction" => "ct_dir",
        "icmp type" => "icmp_type",
        "icmp code" => "icmp_code",
        "icmpv6 type" => "icmpv6_type",
        "icmpv6 code" => "icmpv6_code",
        "arp operation" => "arp_op",
        "igmp type" => "igmp_type",
        "ip dscp" | "ip6 dscp" => "dscp",
        "ip ecn" | "ip6 ecn" => "ecn",
        "ct helper" => "string",
        _ => return None,
    })
}

/// The datatype of a key, where it has one that matters here.
pub(super) fn datatype(key: &str) -> Option<&'static str> {
    if let Some(datatype) = datatype_of_key(key) {
        return Some(datatype);
    }
    let (header, field) = key.rsplit_once(' ')?;
    match field {
        "sport" | "dport" if ["tcp", "udp", "th", "sctp", "dccp", "udplite"].contains(&header) => Some("inet_service"),
        "proto-src" | "proto-dst" => Some("inet_service"),
        "type" if header.starts_with("fib ") => Some("fib_addrtype"),
        "oifname" if header.starts_with("fib ") => Some("ifname"),
        _ => None,
    }
}

impl Kind {
    /// Of the values of a key.
    pub(super) fn of_key(key: &str) -> Self {
        datatype(key).map_or(Self::Plain, Self::of_datatype)
    }

    /// Of the values of a datatype.
    pub(super) fn of_datatype(name: &str) -> Self {
        match name {
            "ifname" | "iface_index" | "string" => Self::Name,
            "inet_proto" => Self::Protocol,
            "inet_service" => Self::Port,
            "ether_type" => Self::Ethertype,
            "mark" => Self::Mark,
            "nf_proto" => Self::Symbol(FAMILIES),
            "pkt_type" => Self::Symbol(PACKETS),
            "fib_addrtype" => Self::Symbol(ROUTES),
            "ct_dir" => Self::Symbol(DIRECTIONS),
            "dscp" => Self::Symbol(DSCP),
            "ecn" => Self::Symbol(ECN),
            "arp_op" => Self::Symbol(ARP),
            "igmp_type" => Self::Symbol(IGMP),
            "tcp_flag" => Self::Flags(TCP_FLAGS),
            "ct_state" => Self::Flags(STATES),
            "ct_status" => Self::Flags(STATUS),
            "icmp_type" => Self::Symbol(ICMP),
            "icmp_code" => Self::Decimal(ICMP_CODE),
            "icmpv6_type" => Self::Symbol(ICMPV6),
            "icmpv6_code" => Self::Decimal(ICMPV6_CODE),
            _ => Self::Plain,
        }
    }

    /// The number of a value that is one, or the name of one.
    pub(super) fn number(self, text: &str) -> Option<u64> {
        let named = |names: Names| names.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
        match self {
            Self::Name => None,
            Self::Plain | Self::Mark => plain(text),
            Self::Decimal(names) | Self::Symbol(names) | Self::Flags(names) => plain(text).or_else(|| named(names)),
            Self::Protocol => plain(text).or_else(|| protocol(text)),
            Self::Port => plain(text).or_else(|| {
                let ports = parse_ports(text).ok()?;
                ports.iter().next().filter(|(first, last)| first == last).map(|(port, _)| u64::from(port))
            }),
            Self::Ethertype => plain(text).or_else(|| named(ETHERTYPES)),
        }
    }

    /// A number in the one spelling of its kind.
    pub(super) fn show(self, number: u128) -> String {
        let known = |names: Names| names.iter().find(|(_, one)| u128::from(*one) == number).map(|(name, _)| *name);
        match self {
            // Shown faster where it is no address.
            Self::Name | Self::Plain | Self::Decimal(_) | Self::Port => {
                u64::try_from(number).map_or_else(|_| number.to_string(), |number| number.to_string())
            }
            Self::Symbol(names) => known(names).map_or_else(|| number.to_string(), str::to_owned),
            Self::Flags(names) => flags(names, number),
            Self::Protocol => u8::try_from(number).map_or_else(|_| number.to_string(), |it| Protocol(it).to_string()),
            Self::Ethertype => known(ETHERTYPES).map_or_else(|| format!("0x{number:04x}"), str::to_owned),
            Self::Mark if number == 0 => "0".into(),
            Self::Mark => format!("0x{number:x}"),
        }
    }

    /// Whether its values count on, so that neighbours make a range; else each stands for itself.
    pub(super) const fn is_ordered(self) -> bool {
        match self {
            Self::Name | Self::Symbol(_) | Self::Flags(_) | Self::Protocol | Self::Ethertype => false,
            Self::Plain | Self::Decimal(_) | Self::Port | Self::Mark => true,
        }
    }
}

/// Decimal digits, or hexadecimal ones behind `0x`.
fn plain(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

/// `fin|syn`, in the order of bits; what has no name as a number.
fn flags(names: Names, number: u128) -> String {
    let mut left = number;
    let mut parts = Vec::new();
    for (name, bit) in names {
        let bit = u128::from(*bit);
        if left & bit != 0 {
            left &= !bit;
            parts.push((*name).to_owned());
        }
    }
    if left != 0 || parts.is_empty() {
        parts.push(left.to_string());
    }
    parts.join("|")
}

fn protocol(text: &str) -> Option<u64> {
    let more = || PROTOCOLS.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    Protocol::parse(text).ok().map(|protocol| u64::from(protocol.0)).or_else(more)
}

/// Protocols that a listing names (the file `protocols` of the machine) and specs do not.
const PROTOCOLS: Names = &[
    ("ip", 0),
    ("hopopt", 0),
    ("ggp", 3),
    ("st", 5),
    ("pup", 12),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("skip", 57),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("vmtp", 81),
    ("ax.25", 93),
    ("fc", 133),
    ("mobility-header", 135),
    ("manet", 138),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
    ("ethernet", 143),
    ("comp", 108),
];

const ETHERTYPES: Names =
    &[("ip", 0x0800), ("arp", 0x0806), ("8021q", 0x8100), ("vlan", 0x8100), ("ip6", 0x86dd), ("8021ad", 0x88a8)];

const FAMILIES: Names = &[("ipv4", 2), ("ipv6", 10), ("ip", 2), ("ip6", 10)];

const PACKETS: Names = &[("host", 0), ("broadcast", 1), ("multicast", 2), ("other", 3), ("unicast", 0)];

const ROUTES: Names = &[
    ("unspec", 0),
    ("unicast", 1),
    ("local", 2),
    ("broadcast", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
];

const DIRECTIONS: Names = &[("original", 0), ("reply", 1)];

const STATES: Names = &[("invalid", 1), ("established", 2), ("related", 4), ("new", 8), ("untracked", 64)];

const STATUS: Names =
    &[("expected", 1), ("seen-reply", 2), ("assured", 4), ("confirmed", 8), ("snat", 16), ("dnat", 32), ("dying", 512)];

const TCP_FLAGS: Names =
    &[("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32), ("ecn", 64), ("cwr", 128)];

const ARP: Names =
    &[("request", 1), ("reply", 2), ("rrequest", 3), ("rreply", 4), ("inrequest", 8), ("inreply", 9), ("nak", 10)];

const IGMP: Names = &[
    ("membership-query", 0x11),
    ("membership-report-v1", 0x12),
    ("membership-report-v2", 0x16),
    ("leave-group", 0x17),
    ("membership-report-v3", 0x22),
];

const DSCP: Names = &[
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("df", 0),
    ("be", 0),
    ("lephb", 1),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("va", 44),
    ("ef", 46),
];

const ECN: Names = &[("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)];

const ICMP: Names = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];

const ICMPV6: Names = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("mld-listener-reduction", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("router-renumbering", 138),
    ("ind-neighbor-solicit", 141),
    ("ind-neighbor-advert", 142),
    ("mld2-listener-report", 143),
];

/// Codes of ICMP's "destination unreachable".
pub(super) const ICMP_CODE: Names = &[
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("frag-needed", 4),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
];

/// Codes of ICMPv6's "destination unreachable".
pub(super) const ICMPV6_CODE: Names = &[
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];
