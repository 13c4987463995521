//! Conditions that another one means already.
//!
//! `tcp dport 22` asks for TCP, `ip saddr 10.0.0.1` for IPv4: nft writes both for the kernel and leaves them out of its listings.

use super::key::Uses;
use crate::state::ruleset::{Test, Value};

/// The family whose packets alone a rule sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    V4,
    V6,
}

/// A condition with the headers that it reads.
pub(super) type Asked = (Test, Uses);

/// Transport headers, and the protocol that each means.
const TRANSPORT: &[(&str, &str)] = &[
    ("tcp", "tcp"),
    ("udp", "udp"),
    ("icmp", "icmp"),
    ("icmpv6", "icmpv6"),
    ("igmp", "igmp"),
    ("sctp", "sctp"),
    ("dccp", "dccp"),
    ("udplite", "udplite"),
    ("esp", "esp"),
    ("ah", "ah"),
    ("comp", "ipcomp"),
];

fn is(test: &Test, keys: &[&str], value: &str) -> bool {
    !test.negated && matches!(&test.value, Value::One(one) if one == value) && keys.contains(&&*test.key)
}

impl Network {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The words that ask for it, and the headers and protocols that mean it.
    const fn words(self) -> (&'static str, &'static str, &'static [&'static str], &'static str) {
        match self {
            Self::V4 => ("ipv4", "ip", &["ip", "icmp", "igmp"], "icmp"),
            Self::V6 => ("ipv6", "ip6", &["ip6", "icmpv6"], "icmpv6"),
        }
    }

    /// Whether a test asks for nothing but this family.
    fn is_asked(self, test: &Test) -> bool {
        let (family, ethertype, _, _) = self.words();
        is(test, &["meta nfproto"], family) || is(test, &["meta protocol", "ether type"], ethertype)
    }

    /// Whether some conditions let this family alone through.
    pub(super) fn is_meant(self, tests: &[Asked]) -> bool {
        let (_, _, headers, _) = self.words();
        tests.iter().any(|(test, uses)| self.is_asked(test) || headers.iter().any(|header| uses.has(header)))
    }

    /// Leaves out the question for this family.
    pub(super) fn leave_out(self, tests: &mut Vec<Asked>, left: &mut Vec<Test>) {
        retain(tests, left, |test| !self.is_asked(test));
    }
}

/// Headers that nft cannot read in a bridge before it knows the ethertype, and what it asks for then.
const BEHIND_ETHERTYPE: &[(&str, &str)] = &[("icmp", "ip"), ("igmp", "ip"), ("icmpv6", "ip6"), ("arp", "arp")];

/// What nft asks of a frame of a bridge before it reads a header, when no test before has named what the frame carries: the
/// outer ethertype, where a test by name sees through a tag.
#[derive(Debug, Default)]
pub(super) struct Carried {
    known: bool,
}

impl Carried {
    /// What is asked before a part of the rule that reads these headers.
    pub(super) fn before(&mut self, test: Option<&Test>, uses: Uses) -> Option<Test> {
        if self.known || uses == Uses::default() && !test.is_some_and(asks_for_ethertype) {
            return None;
        }
        let behind = BEHIND_ETHERTYPE.iter().find(|(header, _)| uses.has(header));
        self.known = behind.is_some() || uses.has("ip") || uses.has("ip6") || test.is_some_and(asks_for_ethertype);
        let (_, ethertype) = behind?;
        let value = Value::One((*ethertype).to_owned());
        Some(Test { key: "ether type".into(), negated: false, value })
    }
}

/// Whether a test asks for one of the ethertypes that have headers.
fn asks_for_ethertype(test: &Test) -> bool {
    ["ip", "ip6", "arp"].iter().any(|value| is(test, &["meta protocol", "ether type"], value))
}

/// Moves to `left` what is not to be kept.
fn retain(tests: &mut Vec<Asked>, left: &mut Vec<Test>, keep: impl Fn(&Test) -> bool) {
    left.extend(tests.extract_if(.., |(test, _)| !keep(test)).map(|(test, _)| test));
}

/// Leaves out the question for TCP.
pub(super) fn leave_out_tcp(tests: &mut Vec<Asked>, left: &mut Vec<Test>) {
    retain(tests, left, |test| !is(test, &["meta l4proto"], "tcp"));
}

/// Leaves out what the others mean, or what stands behind them without another statement between, which reads `next`.
/// What is left out goes to `left`.
pub(super) fn leave_out(tests: &mut Vec<Asked>, next: Uses, left: &mut Vec<Test>) {
    // All that can be left out; most rules have none of it.
    let asks =
        |(test, _): &Asked| matches!(&*test.key, "meta l4proto" | "meta nfproto" | "meta protocol" | "ether type");
    if !tests.iter().any(asks) {
        return;
    }
    let uses = tests.iter().fold(next, |uses, (_, more)| uses.and(*more));
    for network in Network::BOTH {
        let (_, _, headers, protocol) = network.words();
        // A listing (nft 1.0.6) loses the family beside the protocol ICMP; the kernel keeps it.
        let messages = tests.iter().any(|(test, _)| is(test, &["meta l4proto"], protocol));
        if messages || headers.iter().any(|header| uses.has(header)) {
            network.leave_out(tests, left);
        }
    }
    for (header, protocol) in TRANSPORT {
        if uses.has(header) {
            retain(tests, left, |test| !is(test, &["meta l4proto"], protocol));
        }
    }
    if uses.has("arp") {
        retain(tests, left, |test| !is(test, &["meta protocol", "ether type"], "arp"));
    }
    if uses.has("vlan") {
        retain(tests, left, |test| !is(test, &["ether type"], "8021q"));
    }
}
