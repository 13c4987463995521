//! The spec of the host that is reloaded, in two versions and several flavours.

use super::{OPEN, SHUT};

/// How a host has its tables, and what its rules are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// They are fwc's own, and rules name addresses.
    Own,
    /// Rules name networks, which nft keeps in sets of intervals.
    Networks,
    /// Networks are in sets of ipset.
    Ipset,
    /// They are shared with other software.
    Shared,
    /// As [`Self::Own`], of nft, where rules take their time ([`super::slow`]).
    Slow,
    /// Rules drop by networks what later ones accept, of nft, beside many rules that no packet meets: a transaction takes its
    /// time then until its sets are filled.
    Banned,
}

impl Flavour {
    /// Every flavour.
    pub const ALL: [Self; 6] = [Self::Own, Self::Networks, Self::Ipset, Self::Shared, Self::Slow, Self::Banned];

    /// As the command line takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Networks => "networks",
            Self::Ipset => "ipset",
            Self::Shared => "shared",
            Self::Slow => "slow",
            Self::Banned => "banned",
        }
    }

    /// Whether a rule that drops by a set of intervals stands before one that accepts, so that fwc guards that one for nft.
    pub(super) const fn is_guarded(self) -> bool {
        self.young().is_some()
    }

    /// Of how many first packets one may meet a set of intervals that is empty for a moment. Beside many rules the moment is long.
    pub(super) const fn young(self) -> Option<u64> {
        match self {
            Self::Networks | Self::Ipset => Some(100),
            Self::Banned => Some(10),
            Self::Own | Self::Shared | Self::Slow => None,
        }
    }

    /// What is enough to stand for everybody who sends.
    const fn friends(self) -> &'static str {
        match self {
            Self::Own | Self::Shared | Self::Slow | Self::Banned => {
                "10.0.0.1, 10.0.0.100, 10.0.0.105, 203.0.113.9, 64.0.0.9, \"2001:db8::1\", \"2001:db8::64\", \
                 \"2001:db8::69\", \"2001:db8:f0::9\", \"3000::9\""
            }
            Self::Networks | Self::Ipset => "10.0.0.0/8, 203.0.113.0/24, 64.0.0.0/8, \"2001:db8::/32\", \"3000::/16\"",
        }
    }

    const fn setting(self) -> &'static str {
        match self {
            Self::Own | Self::Networks | Self::Slow | Self::Banned => "{ ipset: false }",
            Self::Ipset => "{ ipset: true }",
            Self::Shared => "{ mode: shared, prefix: FWC }",
        }
    }
}

/// A spec of one host that accepts [`OPEN`] on every way, and nothing else. The second version has more rules of every
/// kind, before and behind those that matter, and other chains.
///
/// In a flavour that is [guarded](Flavour::is_guarded) those drop by ranges, else by single values.
pub(super) fn spec(flavour: Flavour, second: bool) -> String {
    let others: Vec<String> = (1..40).map(|number| format!("192.0.2.{}", number * 2)).collect();
    let guarded = flavour.is_guarded();
    let friends = format!("{}, {}", flavour.friends(), others.join(", "));
    let (group, rules) = if second { (if guarded { RANGES } else { SINGLES }, EXTRA) } else { ("", "") };
    // What would come to the closed port on every way, but for a rule before.
    let (banned, forward) = match flavour {
        Flavour::Banned => (
            format!(
                "{{ in: drop, proto: udp, dport: {SHUT}, source: +banned }}, {{ in: accept, proto: udp, dport: {SHUT} }}, \
                 {{ out: drop, proto: udp, dport: {SHUT}, dest: +banned }}, {{ out: accept, proto: udp, dport: {SHUT} }}, "
            ),
            format!(
                "{{ forward: drop, proto: udp, dport: {SHUT}, source: +banned }}, {{ forward: accept, proto: udp, dport: {SHUT} }}, "
            ),
        ),
        Flavour::Own | Flavour::Networks | Flavour::Ipset | Flavour::Shared | Flavour::Slow => Default::default(),
    };
    let iptables = flavour.setting();
    format!(
        "version: 1
datacenter:
  options: {{ policy_in: drop, policy_out: drop, policy_forward: drop }}
  ipsets:
    friends: [{friends}]
    banned: [10.0.0.0/8, 203.0.113.0/24, 64.0.0.0/8, \"2001:db8::/32\", \"3000::/16\"]
  guests:
    options: {{ policy_in: drop, policy_out: drop, ipfilter: true }}
    rules: [{rules}{{ group: served }}]
groups:
  served: [{group}{banned}{{ in: accept, proto: udp, dport: {OPEN}, source: +friends }}, {{ out: accept, proto: udp, dport: {OPEN} }}]
hosts:
  pm1:
    addresses: [10.0.0.1/24, \"2001:db8::1/64\"]
    iptables: {iptables}
    options: {{ nosmurfs: {guarded} }}
    rules: [{rules}{{ group: served }}, {forward}{{ forward: accept, proto: udp, dport: {OPEN}, source: +friends }}]
vms:
  100:
    nics: {{ net0: {{ bridge: vmbr0, mac: \"BC:24:11:00:00:64\", ip: [10.0.0.100/24, \"2001:db8::64/64\"] }} }}
  101:
    nics: {{ net0: {{ bridge: vmbr0, mac: \"BC:24:11:00:00:65\", ip: [10.0.0.105/24, \"2001:db8::69/64\"] }} }}
"
    )
}

const RANGES: &str = "{ in: drop, proto: tcp, dport: [1-9, 20-29, 40-49] }, { out: drop, macro: SMB }, ";
const SINGLES: &str = "{ in: drop, proto: tcp, dport: [1, 20, 40] }, { out: drop, proto: tcp, dport: 445 }, ";

const EXTRA: &str = "{ in: drop, proto: tcp, dport: 25, source: 198.51.100.0/24, log: info }, \
    { in: accept, proto: sctp }, { out: reject, proto: tcp, dport: 25 }, { in: accept, macro: Ping }, ";
