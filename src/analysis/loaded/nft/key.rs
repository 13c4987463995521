//! What the keys of nft look at.

use std::sync::Arc;

use crate::analysis::sets::{Field, flag_values};
use crate::net::{Family, Protocol, Ranges, TcpFlags, is_decimal};
use crate::state::nft::number;
use crate::state::ruleset::{Rule, Test, Value, Verdict};

use super::super::values::{self, Draft};
use super::super::{Fields, Pattern, Port};
use super::Kind;

/// How the values of a key are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Address(Family),
    Mac,
    Family,
    State,
    /// A protocol; whether IPv6 packets may be asked for it.
    Protocol(bool),
    /// As nft spells values of this key.
    Number(&'static str),
    /// ICMP's type alone.
    Type(&'static str),
    /// ICMP's code alone.
    Code(&'static str),
    /// Of these flags.
    Flags(u8),
}

/// A field that a key looks at.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// Which.
    pub(super) field: Field,
    /// The packets that have it.
    pub(super) domain: Domain,
    spelling: Spelling,
}

/// Packets that have a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Domain {
    /// All.
    All,
    /// Those of IP.
    Ip,
    /// Those of a family.
    Of(Family),
    Arp,
    /// Those of a protocol, of a family or of both.
    Protocol(Protocol, Option<Family>),
}

impl Domain {
    /// By their fields.
    pub(super) fn fields(self) -> Fields {
        let of = |family| Fields::one(Field::Frame, Ranges::single(values::frame(family)));
        let ip = || Fields::one(Field::Frame, values::ip_frames().clone());
        match self {
            Self::All => Fields::default(),
            Self::Ip => ip(),
            Self::Of(family) => of(family),
            Self::Arp => Fields::one(Field::Frame, Ranges::single(values::ARP)),
            Self::Protocol(protocol, family) => {
                family.map_or_else(ip, of).and(Field::Protocol, values::protocol(protocol))
            }
        }
    }

    /// Asks for these packets.
    pub(super) fn ask(self, draft: &mut Draft) {
        let frame = |draft: &mut Draft, frame| draft.field(Field::Frame, Ranges::single(frame));
        match self {
            Self::All => {}
            Self::Ip => draft.shared(Field::Frame, values::ip_frames()),
            Self::Of(family) => frame(draft, values::frame(family)),
            Self::Arp => frame(draft, values::ARP),
            Self::Protocol(protocol, family) => {
                family.map_or(Self::Ip, Self::Of).ask(draft);
                draft.field(Field::Protocol, values::protocol(protocol));
            }
        }
    }
}

impl Look {
    /// The ethertype.
    pub(super) const fn frames() -> Self {
        Self { field: Field::Frame, domain: Domain::All, spelling: Spelling::Number("ether type") }
    }

    /// The family of the packets, where the field's values depend on it.
    pub(super) const fn family(&self) -> Family {
        match self.spelling {
            Spelling::Address(family) => family,
            Spelling::Mac
            | Spelling::Family
            | Spelling::State
            | Spelling::Protocol(_)
            | Spelling::Number(_)
            | Spelling::Type(_)
            | Spelling::Code(_)
            | Spelling::Flags(_) => Family::V4,
        }
    }

    /// What several texts say together; none if one of them is not understood.
    pub(super) fn values<'v>(&self, texts: impl Iterator<Item = &'v str>) -> Option<Ranges<u128>> {
        match self.spelling {
            Spelling::Code(_) => {
                let codes = values::union(texts, |text| self.one(text))?;
                let of = |kind: u128| codes.iter().map(move |(first, last)| (kind << 8 | first, kind << 8 | last));
                Some(Ranges::from_ranges((0..=0xff).flat_map(of)))
            }
            Spelling::Flags(mask) => {
                let found = texts.map(|text| Some(flag_values(TcpFlags { mask, set: flags(text)? })));
                let found = found.collect::<Option<Vec<_>>>()?;
                Some(Ranges::from_ranges(found.iter().flat_map(Ranges::iter)))
            }
            Spelling::Address(_)
            | Spelling::Mac
            | Spelling::Family
            | Spelling::State
            | Spelling::Protocol(_)
            | Spelling::Number(_)
            | Spelling::Type(_) => values::union(texts, |text| self.one(text)),
        }
    }

    /// What a text says by itself.
    pub(super) fn value(&self, text: &str) -> Option<Ranges<u128>> {
        match self.spelling {
            Spelling::Code(_) | Spelling::Flags(_) => self.values(std::iter::once(text)),
            Spelling::Address(_)
            | Spelling::Mac
            | Spelling::Family
            | Spelling::State
            | Spelling::Protocol(_)
            | Spelling::Number(_)
            | Spelling::Type(_) => self.one(text).map(|(first, last)| Ranges::range(first, last)),
        }
    }

    /// One value or range.
    fn one(&self, text: &str) -> Option<(u128, u128)> {
        match self.spelling {
            Spelling::Address(family) => values::addresses(family, text),
            Spelling::Mac => values::mac(text),
            Spelling::Family => {
                let family = match text {
                    "ipv4" => Family::V4,
                    "ipv6" => Family::V6,
                    _ => return None,
                };
                Some((values::frame(family), values::frame(family)))
            }
            Spelling::State => values::state(text),
            Spelling::Protocol(v6) => run("meta l4proto", text, 0xff).filter(|(first, last)| {
                // Of IPv6 packets nft sees what is behind these headers (RFC 8200).
                !v6 || ![0, 43, 44, 60].iter().any(|header| (first..=last).contains(&header))
            }),
            Spelling::Number(key) => run(key, text, self.field.greatest(Family::V4)),
            Spelling::Type(key) => run(key, text, 0xff).map(|(first, last)| (first << 8, last << 8 | 0xff)),
            Spelling::Code(key) => run(key, text, 0xff),
            Spelling::Flags(_) => None,
        }
    }
}

/// A number or a range of numbers.
fn run(key: &str, text: &str, greatest: u128) -> Option<(u128, u128)> {
    // What is no name says the same of all keys.
    let plain = |text: &str| if is_decimal(text) { text.parse().ok() } else { number(key, text) };
    let one = |text: &str| plain(text).map(u128::from).filter(|number| *number <= greatest);
    if let Some(number) = one(text) {
        return Some((number, number));
    }
    let (first, last) = text.split_once('-')?;
    Some((one(first)?, one(last)?)).filter(|(first, last)| first <= last)
}

/// `fin|syn`.
pub(super) fn flags(text: &str) -> Option<u8> {
    let bits = text.split('|').try_fold(0, |bits, name| Some(bits | number("tcp flags", name)?))?;
    u8::try_from(bits).ok()
}

/// A key that asks for a port or an interface.
pub(super) fn port(key: &str) -> Option<Port> {
    match key {
        "iifname" => Some(Port::In),
        "oifname" => Some(Port::Out),
        "meta ibrname" | "meta obrname" => Some(Port::Bridge),
        _ => None,
    }
}

/// Whether a text is the name of one port, and not of many.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('\\') && !text.ends_with('*')
}

/// A name, or what it begins with; none for what may stand for other characters.
pub(super) fn pattern(text: &str) -> Option<Pattern> {
    if text.is_empty() || text == "*" || text.contains('\\') {
        return None;
    }
    Some(match text.strip_suffix('*') {
        Some(start) => Pattern::BeginsWith(Arc::from(start)),
        None => Pattern::Is(Arc::from(text)),
    })
}

pub(super) fn patterns<'v>(texts: impl Iterator<Item = &'v str>) -> Option<Arc<[Pattern]>> {
    let mut all = texts.map(pattern).collect::<Option<Vec<_>>>()?;
    all.sort_unstable();
    Some(all.into())
}

/// What the rest of a rule says about the packets that a key sees.
#[derive(Debug)]
pub(super) struct Context {
    kind: Kind,
    /// The only family whose packets the rule can hold for, if it is known.
    pub(super) family: Option<Family>,
    /// The family that a test names, so that nft asks for none.
    named: Option<Family>,
    /// Whether it asks for the protocol of ICMP by its number.
    messages: bool,
    /// Whether it asks for ARP, and for frames with any tags.
    arp: bool,
    /// Whether all its protocols have ports.
    ported: bool,
}

/// The single value of a test that is not negated.
fn only<'r>(test: &'r Test, keys: &[&str]) -> Option<&'r str> {
    match &test.value {
        Value::One(one) if !test.negated && keys.contains(&&*test.key) => Some(one),
        Value::One(_) | Value::Any(_) | Value::Set(_) => None,
    }
}

/// The header that a key of one part begins with.
fn header(key: &str) -> &str {
    let end = key.bytes().position(|byte| byte == b' ').unwrap_or(key.len());
    key.get(..end).unwrap_or_default()
}

/// The family that a test names by its value or by a header that it reads.
fn named(test: &Test) -> Option<Family> {
    match only(test, &["meta nfproto", "meta protocol"]) {
        Some("ipv4" | "ip") => return Some(Family::V4),
        Some("ipv6" | "ip6") => return Some(Family::V6),
        Some(_) | None => {}
    }
    // Which is seldom, and slow to look for.
    let many = test.key.as_bytes().contains(&b'.');
    let reads = |name: &str| match many {
        true => test.key.split(" . ").any(|part| header(part) == name),
        false => header(&test.key) == name,
    };
    if reads("ip") {
        return Some(Family::V4);
    }
    reads("ip6").then_some(Family::V6)
}

impl Context {
    pub(super) fn new(kind: Kind, rule: &Rule) -> Self {
        let mut context = Self { kind, family: None, named: None, messages: false, arp: false, ported: false };
        let mut by_header = None;
        for test in rule.tests.iter().chain(&rule.unlisted.0) {
            context.named = context.named.or_else(|| named(test));
            by_header = by_header.or_else(|| match (kind, header(&test.key)) {
                (Kind::Inet, "icmp") => Some(Family::V4),
                (Kind::Inet, "icmpv6") => Some(Family::V6),
                (_, _) => None,
            });
            match &*test.key {
                "meta l4proto" if !test.negated => {
                    context.messages |= matches!(only(test, &["meta l4proto"]), Some("icmp" | "icmpv6"));
                    context.ported |= values::texts(&test.value)
                        .is_some_and(|mut all| all.all(|text| Protocol::parse(text).is_ok_and(Protocol::has_ports)));
                }
                "meta protocol" => context.arp |= only(test, &["meta protocol"]) == Some("arp"),
                _ => {}
            }
        }
        let answer = || {
            let Verdict::Reject(answer) = &rule.verdict else { return None };
            match answer.split(' ').next() {
                Some("icmp") => Some(Family::V4),
                Some("icmpv6") => Some(Family::V6),
                _ => None,
            }
        };
        let family = if let Kind::Ip(family) = kind { Some(family) } else { None };
        let by_header = by_header.filter(|_| !context.messages);
        context.family = family.or(context.named).or_else(answer).or(by_header);
        context
    }

    /// Whether a listing may have lost the family beside this test.
    pub(super) fn lacks_family(&self, test: &Test) -> bool {
        self.family.is_none() && matches!(only(test, &["meta l4proto"]), Some("icmp" | "icmpv6"))
    }

    /// What a key of one field looks at.
    pub(super) fn look(&self, key: &str) -> Option<Look> {
        let (field, domain, spelling) = self.find(key).filter(|_| self.kind != Kind::Other)?;
        Some(Look { field, domain, spelling })
    }

    fn find(&self, key: &str) -> Option<(Field, Domain, Spelling)> {
        let address = |family, field| Some((field, Domain::Of(family), Spelling::Address(family)));
        match key {
            "meta nfproto" if self.kind != Kind::Bridge => Some((Field::Frame, Domain::Ip, Spelling::Family)),
            "meta protocol" => Some((Field::Frame, Domain::All, Spelling::Number("meta protocol"))),
            "ip saddr" => address(Family::V4, Field::Source),
            "ip daddr" => address(Family::V4, Field::Dest),
            "ip6 saddr" => address(Family::V6, Field::Source),
            "ip6 daddr" => address(Family::V6, Field::Dest),
            "arp saddr ip" | "arp saddr ether" if self.arp && self.kind == Kind::Bridge => Some(match key {
                "arp saddr ip" => (Field::Source, Domain::Arp, Spelling::Address(Family::V4)),
                _ => (Field::ArpMac, Domain::Arp, Spelling::Mac),
            }),
            "ether saddr" if self.kind == Kind::Bridge => Some((Field::SourceMac, Domain::All, Spelling::Mac)),
            "meta l4proto" => Some((Field::Protocol, Domain::Ip, Spelling::Protocol(self.family != Some(Family::V4)))),
            "ip protocol" => Some((Field::Protocol, Domain::Of(Family::V4), Spelling::Protocol(false))),
            "icmp type" | "icmp code" | "icmpv6 type" | "icmpv6 code" => self.icmp(key),
            "ct state" => Some((Field::State, Domain::Ip, Spelling::State)),
            _ => self.transport(key),
        }
    }

    fn icmp(&self, key: &str) -> Option<(Field, Domain, Spelling)> {
        let (own, protocol) = match key.starts_with("icmpv6") {
            true => (Family::V6, Protocol::ICMPV6),
            false => (Family::V4, Protocol::ICMP),
        };
        // Where no family is named, nft asks for one, unless the protocol was asked for before: in a bridge by the outer
        // ethertype.
        let family = match self.kind {
            Kind::Inet if self.named.is_none() && !self.messages => own,
            Kind::Inet | Kind::Bridge => self.named.filter(|named| *named == own)?,
            Kind::Ip(family) => family,
            Kind::Other => return None,
        };
        let spelling = match key {
            "icmp type" => Spelling::Type("icmp type"),
            "icmp code" => Spelling::Code("icmp code"),
            "icmpv6 type" => Spelling::Type("icmpv6 type"),
            _ => Spelling::Code("icmpv6 code"),
        };
        Some((Field::Icmp, Domain::Protocol(protocol, Some(family)), spelling))
    }

    fn transport(&self, key: &str) -> Option<(Field, Domain, Spelling)> {
        let (header, name) = key.split_once(' ')?;
        let protocol = match header {
            "tcp" => Some(Protocol::TCP),
            "udp" => Some(Protocol::UDP),
            "sctp" => Some(Protocol::SCTP),
            "dccp" => Some(Protocol::DCCP),
            "udplite" => Some(Protocol::UDPLITE),
            // Of other protocols it looks at what is no port.
            "th" if self.ported => None,
            _ => return None,
        };
        let domain = protocol.map_or(Domain::Ip, |protocol| Domain::Protocol(protocol, None));
        match (protocol, name) {
            (_, "sport") => Some((Field::SourcePort, domain, Spelling::Number("th sport"))),
            (_, "dport") => Some((Field::DestPort, domain, Spelling::Number("th dport"))),
            (Some(Protocol::TCP), "flags") => Some((Field::Flags, domain, Spelling::Flags(u8::MAX))),
            (Some(Protocol::TCP), masked) => {
                let mask = flags(masked.strip_prefix("flags & ")?)?;
                Some((Field::Flags, domain, Spelling::Flags(mask)))
            }
            (_, _) => None,
        }
    }
}
