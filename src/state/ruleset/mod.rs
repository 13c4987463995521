//! Rules that a machine has loaded, or that a file would load, whatever program they are for.
//!
//! The readers beside this module fill it: [`super::iptables`] from `iptables-save`, `ip6tables-save` and `ebtables-save`
//! (and from what fwc writes for their `-restore`), [`super::nft`] from `nft list ruleset` in both its forms. Promise: what
//! programs spell in more than one way has one spelling here, so two equal rules mean the same; what a reader does not know
//! stays as it was written, so it can only differ, never be lost; and what it cannot read at all is listed with its
//! place.
//!
//! Left out everywhere, since they are no part of what a ruleset means: counters, handles, hash seeds, references,
//! comments of files. A rule's own comment is kept apart: it tells where the rule comes from, and does not make
//! two rules different.

mod show;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::Span;

use super::Unread;

/// The program that takes the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// iptables: IPv4.
    Iptables,
    /// ip6tables: IPv6.
    Ip6tables,
    /// ebtables: frames.
    Ebtables,
    /// nft.
    Nft,
}

/// All tables of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// Whose.
    pub program: Program,
    /// By name.
    pub tables: BTreeMap<TableName, Table>,
    /// What cannot be read: the place and the reason. What stands around it is there all the same.
    pub unread: Vec<Unread>,
}

/// `inet fwc` of nft; of the other programs the name alone, without a family: `filter`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// `inet`, `ip`, `ip6`, `bridge`, `arp` or `netdev`; empty for programs that have one family.
    pub family: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// By name.
    pub chains: BTreeMap<Arc<str>, Chain>,
    /// Sets of nft, and ipsets that rules of iptables name, by name.
    pub sets: BTreeMap<Arc<str>, Set>,
    /// nft's maps to verdicts, by name.
    pub maps: BTreeMap<Arc<str>, VerdictMap>,
    /// What else is in it (helpers, quotas, flowtables, maps to values): `ct helper ftp`, with its lines in their one spelling,
    /// sorted.
    pub others: BTreeMap<String, Vec<String>>,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Where packets come into it; none for a chain that only rules lead to. In ebtables every chain has one, since those
    /// that rules lead to have a policy too.
    pub base: Option<Base>,
    /// In order.
    pub rules: Vec<Rule>,
    /// Where it begins.
    pub span: Span,
}

/// How a chain is bound to a hook of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// nft: `filter hook input priority 0`, the priority as a number. Else empty: the chain's name says it.
    pub hook: String,
    /// What becomes of packets that reach the end: accept, or drop; of an ebtables chain that rules lead to also return.
    pub policy: Verdict,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// All must hold. Sorted, each once: their order means nothing.
    pub tests: Vec<Test>,
    /// What it does besides its verdict, and what it asks that changes with each packet (limits, meters): in the order
    /// in which the kernel does it, each in its one spelling. A test behind one that counts is here as well: it is asked
    /// of counted packets alone. So is what fwc does not know, since it may count.
    pub statements: Vec<String>,
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// Tests that stand in a script and that a listing does not tell, though they mean something.
    pub unlisted: Unlisted,
    /// The rule's comment.
    pub comment: Option<Arc<str>>,
    /// The rule in its text (of `nft -j`: the object).
    pub span: Span,
}

/// Tests that `nft` (1.0.6) leaves out of its listings: those that another one implies, the family beside `meta l4proto icmp` and
/// `reject with tcp reset`, and the outer ethertype that it asks for by itself in a bridge, before `icmp type`. They are no part
/// of what is compared, so that a script equals its listing; whoever asks what a script means asks them too.
#[derive(Debug, Clone, Default)]
pub struct Unlisted(pub Vec<Test>);

impl PartialEq for Unlisted {
    /// Always: a listing has none of them.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Unlisted {}

/// One condition: `-p 6` is (`-p`, `tcp`), `ip saddr != 10.0.0.0/8` is (`ip saddr`, not, `10.0.0.0/8`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Test {
    /// What is looked at, in its one spelling.
    pub key: Arc<str>,
    /// Whether it must not be so.
    pub negated: bool,
    /// What it is compared with.
    pub value: Value,
}

/// What a test compares with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A value in its one spelling; empty for a test that takes none.
    One(String),
    /// Any of these: in their one spelling, neighbours merged (`80-81`), sorted. Never empty, never a single one.
    Any(BTreeSet<String>),
    /// Any element of the table's set of this name.
    Set(Arc<str>),
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The next rule.
    Continue,
    /// Accepted.
    Accept,
    /// Dropped.
    Drop,
    /// Back to the caller; from a base chain: its policy.
    Return,
    /// Rejected, with this answer: `tcp-reset`, `icmp-port-unreachable` (in the program's own words, the default spelled
    /// out).
    Reject(String),
    /// Into a chain, and back.
    Jump(Arc<str>),
    /// Into a chain, and from there back to where this chain was called.
    Goto(Arc<str>),
    /// nft's `KEY vmap @NAME`: by the table's map.
    Map {
        /// What is looked up: `iifname`, or `iifname . ether saddr`.
        key: String,
        /// The map.
        map: Arc<str>,
    },
    /// nft's `KEY vmap { … }`.
    Inline {
        /// What is looked up.
        key: String,
        /// What becomes of each.
        elements: BTreeMap<String, Verdict>,
    },
    /// Another one, as written: `queue …`, a target of iptables that ends nothing fwc knows (`-j DNAT …`).
    Other(String),
}

impl Verdict {
    /// The chain that it leads to, back from there or not; none where it is looked up.
    #[must_use]
    pub const fn chain(&self) -> Option<&Arc<str>> {
        match self {
            Self::Jump(chain) | Self::Goto(chain) => Some(chain),
            Self::Continue
            | Self::Accept
            | Self::Drop
            | Self::Return
            | Self::Reject(_)
            | Self::Map { .. }
            | Self::Inline { .. }
            | Self::Other(_) => None,
        }
    }
}

/// A set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set {
    /// `ipv4_addr`, `ifname . ether_addr`; of an ipset `hash:net inet`.
    pub kind: String,
    /// In their one spelling, neighbours merged where that means the same, sorted. Of a dynamic set: none, for packets
    /// fill it.
    pub elements: BTreeSet<String>,
    /// What else holds for it and means something: `dynamic`, `timeout 5s`, `size 786432` of a dynamic one. Not: `auto-merge`,
    /// `interval`, sizes of hash tables.
    pub attributes: BTreeSet<String>,
    /// Where it begins.
    pub span: Span,
}

/// A map from values to verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerdictMap {
    /// `ifname`, as for a set.
    pub kind: String,
    /// What becomes of each.
    pub elements: BTreeMap<String, Verdict>,
    /// Where it begins.
    pub span: Span,
}

impl Test {
    /// Where it stands in a rule of iptables: addresses, interfaces, the protocol, what modules look at.
    fn rank(&self) -> u8 {
        match self.key.as_bytes() {
            [b'-', b's'] => 0,
            [b'-', b'd'] => 1,
            [b'-', b'i'] => 2,
            [b'-', b'o'] => 3,
            [b'-', b'p'] => 4,
            _ => 5,
        }
    }
}

impl Ord for Test {
    /// The order in which programs list tests, so that people find what they know.
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank()
            .cmp(&other.rank())
            .then_with(|| self.key.cmp(&other.key))
            .then_with(|| self.negated.cmp(&other.negated))
            .then_with(|| self.value.cmp(&other.value))
    }
}

impl PartialOrd for Test {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ruleset {
    /// No tables.
    #[must_use]
    pub const fn new(program: Program) -> Self {
        Self { program, tables: BTreeMap::new(), unread: Vec::new() }
    }

    /// How many rules there are, those of all tables.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.tables.values().flat_map(|table| table.chains.values()).map(|chain| chain.rules.len()).sum()
    }
}
