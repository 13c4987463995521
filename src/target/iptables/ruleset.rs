//! The target's own data type: rules, chains and the names of chains.
//!
//! In: rules that lowering made. Out: an ordered list of chains for one table.
//! Promise: every name is at most 28 characters long, names nothing else in its table, and equal lists
//! of rules share one chain where sharing was asked for.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

use crate::net::{IcmpType, Mac, TcpFlags};
use crate::policy::{States, Synflood};

/// A chain's name.
pub(super) type Name = Arc<str>;

/// Which end of a packet a test looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Side {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Dest,
}

/// One test of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// The interface that it came in by.
    In(Name),
    /// The interface that it leaves by.
    Out(Name),
    /// It came in through a port of a bridge.
    FromPort,
    /// It goes from one port of a bridge to another one (or: not so).
    Bridged(bool),
    /// The bridge's port; a name that ends in `+` stands for all that begin so.
    Port(Side, Name),
    /// IP protocol, 1 to 255.
    Protocol(u8),
    /// In (or not in) a network.
    Network { side: Side, network: IpNet, negated: bool },
    /// Within (or not within) a range, both ends included.
    Range { side: Side, first: IpAddr, last: IpAddr, negated: bool },
    /// In (or not in) an ipset.
    Set { side: Side, name: Name, negated: bool },
    /// In any of at most 15 ports (a range counts two); `native`: the protocol whose own test can hold one.
    Ports { side: Side, ports: Vec<(u16, u16)>, native: Option<&'static str> },
    /// ICMP or ICMPv6 type.
    Icmp(IcmpType),
    /// Has an IPv6 authentication header.
    AuthenticationHeader,
    /// TCP flags.
    Flags { flags: TcpFlags, negated: bool },
    /// Conntrack state.
    State(States),
    /// The source MAC is another.
    MacNot(Mac),
    /// A called chain accepted the packet.
    Accepted,
    /// Not more often than this.
    Limit { rate: u32, unit: &'static str, burst: u32 },
    /// More SYNs than this from one source.
    Flood(Synflood),
    /// It came in by another interface than loopback.
    NotLoopback,
}

/// A kind of test that rules can have.
pub(super) trait Condition: Clone + Eq + Hash {
    /// Where it stands in a rule.
    fn rank(&self) -> u8;
    /// The test for a bridge's port.
    fn port(side: Side, name: Name) -> Self;
}

impl Condition for Test {
    /// iptables-save's order. The protocol comes before its own tests, which it loads.
    fn rank(&self) -> u8 {
        match self {
            Self::Network { side: Side::Source, .. } => 0,
            Self::Network { side: Side::Dest, .. } => 1,
            Self::In(_) | Self::NotLoopback => 2,
            Self::Out(_) => 3,
            Self::Protocol(_) => 4,
            Self::FromPort
            | Self::Bridged(_)
            | Self::Port(..)
            | Self::Range { .. }
            | Self::Set { .. }
            | Self::Ports { .. }
            | Self::Icmp(_)
            | Self::AuthenticationHeader
            | Self::Flags { .. }
            | Self::State(_)
            | Self::MacNot(_)
            | Self::Accepted
            | Self::Flood(_) => 5,
            Self::Limit { .. } => 6,
        }
    }

    fn port(side: Side, name: Name) -> Self {
        Self::Port(side, name)
    }
}

/// One test of a rule of ebtables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum FrameTest {
    /// The bridge's port; a name that ends in `+` stands for all that begin so.
    Port(Side, Name),
    /// The source MAC is another.
    MacNot(Mac),
    /// Ethertype.
    Type(u16),
    /// An 802.1Q tag, and within it this ethertype.
    Tagged(u16),
    /// ARP: the sender's hardware address is another.
    ArpMacNot(Mac),
    /// ARP: the sender's protocol address is in the network.
    ArpSender(Ipv4Net),
}

impl Condition for FrameTest {
    fn rank(&self) -> u8 {
        match self {
            Self::Port(..) | Self::MacNot(_) | Self::Type(_) | Self::Tagged(_) => 0,
            Self::ArpMacNot(_) | Self::ArpSender(_) => 1,
        }
    }

    fn port(side: Side, name: Name) -> Self {
        Self::Port(side, name)
    }
}

/// What becomes of a packet that passes the tests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Jump {
    /// It leaves the table.
    Accept,
    /// It vanishes.
    Drop,
    /// Back to the rule after the last call.
    Return,
    /// Into a chain, and back.
    Call(Name),
    /// Into a chain, and from there back to where this chain was called.
    Goto(Name),
    /// A reset or an ICMP error is sent.
    Reject(&'static str),
    /// Remember that it was accepted.
    SetMark,
    /// Forget that.
    ClearMark,
    /// To a program that listens on NFLOG group 0.
    Nflog(String),
    /// To the kernel log.
    Log { level: u8, prefix: String },
    /// To a program in user space, which decides; accepted if there is none.
    Queue(Option<(u16, u16)>),
    /// Conntrack is to use a helper.
    Helper(&'static str),
}

/// One rule of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Rule<T = Test> {
    /// All must hold.
    pub(super) tests: Vec<T>,
    /// Which rule of the spec it comes from.
    pub(super) comment: Option<Name>,
    /// What then.
    pub(super) jump: Jump,
}

impl<T: Condition> Rule<T> {
    /// A rule without a comment.
    pub(super) fn new(tests: Vec<T>, jump: Jump) -> Self {
        Self::commented(tests, None, jump)
    }

    /// A rule, its tests put in order.
    pub(super) fn commented(mut tests: Vec<T>, comment: Option<Name>, jump: Jump) -> Self {
        tests.sort_by_key(T::rank);
        Self { tests, comment, jump }
    }

    /// Whether nothing that stands behind it in its chain is ever reached.
    pub(super) fn is_last(&self) -> bool {
        self.tests.is_empty()
            && match self.jump {
                Jump::Accept | Jump::Drop | Jump::Return | Jump::Goto(_) | Jump::Reject(_) | Jump::Queue(_) => true,
                Jump::Call(_)
                | Jump::SetMark
                | Jump::ClearMark
                | Jump::Nflog(_)
                | Jump::Log { .. }
                | Jump::Helper(_) => false,
            }
    }
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain<T = Test> {
    /// Its name.
    pub(super) name: Name,
    /// `ACCEPT` or `DROP` for a built-in chain, `-` for an own one.
    pub(super) policy: &'static str,
    /// In order.
    pub(super) rules: Vec<Rule<T>>,
}

/// The longest name of a chain that iptables takes.
const NAME_MAX: usize = 28;

/// The chains of a table, in the order in which they were defined.
#[derive(Debug)]
pub(super) struct Chains<T = Test> {
    prefix: String,
    list: Vec<Chain<T>>,
    taken: HashSet<Name>,
    marking: HashSet<Name>,
    ending: HashSet<Name>,
    by_content: HashMap<u64, Vec<usize>>,
}

impl<T: Condition> Chains<T> {
    /// No chains; the name of each own one will begin with `prefix`.
    pub(super) fn new(prefix: String) -> Self {
        Self {
            prefix,
            list: Vec::new(),
            taken: HashSet::new(),
            marking: HashSet::new(),
            ending: HashSet::new(),
            by_content: HashMap::new(),
        }
    }

    /// An own chain's name that resembles `hint` and that no other chain has.
    pub(super) fn name(&mut self, hint: &str) -> Name {
        let plain: String = self
            .prefix
            .chars()
            .chain(hint.chars())
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' })
            .collect();
        let mut name = shorten(&plain, NAME_MAX);
        let mut count = 2_u32;
        while self.taken.contains(name.as_str()) {
            name = shorten(&format!("{plain}~{count}"), NAME_MAX);
            count += 1;
        }
        let name: Name = name.into();
        self.taken.insert(Arc::clone(&name));
        name
    }

    /// Defines a chain of that exact name; the chains that it leads to are defined already.
    pub(super) fn define(&mut self, name: Name, policy: &'static str, rules: Vec<Rule<T>>) {
        let marks = |rule: &Rule<T>| match &rule.jump {
            Jump::SetMark => true,
            Jump::Call(name) | Jump::Goto(name) => self.marks(name),
            Jump::Accept
            | Jump::Drop
            | Jump::Return
            | Jump::Reject(_)
            | Jump::ClearMark
            | Jump::Nflog(_)
            | Jump::Log { .. }
            | Jump::Queue(_)
            | Jump::Helper(_) => false,
        };
        if rules.iter().any(marks) {
            self.marking.insert(Arc::clone(&name));
        }
        if rules.last().is_some_and(Rule::is_last) && !self.may_return(&rules) {
            self.ending.insert(Arc::clone(&name));
        }
        self.list.push(Chain { name, policy, rules });
    }

    /// Whether a packet may leave these rules for the caller of their chain by another way than their end.
    pub(super) fn may_return(&self, rules: &[Rule<T>]) -> bool {
        rules.iter().any(|rule| match &rule.jump {
            Jump::Return => true,
            Jump::Goto(name) => !self.ending.contains(name),
            Jump::Accept
            | Jump::Drop
            | Jump::Call(_)
            | Jump::Reject(_)
            | Jump::SetMark
            | Jump::ClearMark
            | Jump::Nflog(_)
            | Jump::Log { .. }
            | Jump::Queue(_)
            | Jump::Helper(_) => false,
        })
    }

    /// Whether a chain may mark a packet as accepted, by itself or by what it leads to.
    pub(super) fn marks(&self, name: &Name) -> bool {
        self.marking.contains(name)
    }

    /// A chain with just these rules: an equal one that is there already, or a new one.
    pub(super) fn share(&mut self, hint: &str, rules: Vec<Rule<T>>) -> Name {
        let mut hasher = Quick::default();
        rules.hash(&mut hasher);
        let key = hasher.finish();
        let known = self.by_content.get(&key).into_iter().flatten().filter_map(|at| self.list.get(*at));
        if let Some(chain) = known.into_iter().find(|chain| chain.rules == rules) {
            return Arc::clone(&chain.name);
        }
        let name = self.name(hint);
        self.by_content.entry(key).or_default().push(self.list.len());
        self.define(Arc::clone(&name), "-", rules);
        name
    }

    /// The chains, in order.
    pub(super) fn finish(self) -> Vec<Chain<T>> {
        self.list
    }
}

/// A fast hash for finding equal lists; never part of an output.
#[derive(Default)]
struct Quick(u64);

impl Quick {
    const fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

/// At most `max` characters (ASCII): the name itself, or its beginning and a hash of it all.
pub(super) fn shorten(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    let kept: String = name.chars().take(max.saturating_sub(9)).collect();
    format!("{kept}-{}", digest(name))
}

/// Eight hexadecimal digits that are the same on every machine (FNV-1a, 64 bits, folded).
pub(super) fn digest(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
}
