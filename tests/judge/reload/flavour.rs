//! The spec of the host that is reloaded, in two versions and several flavours.

use super::OPEN;

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
}

impl Flavour {
    /// Every flavour.
    pub const ALL: [Self; 5] = [Self::Own, Self::Networks, Self::Ipset, Self::Shared, Self::Slow];

    /// As the command line takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Networks => "networks",
            Self::Ipset => "ipset",
            Self::Shared => "shared",
            Self::Slow => "slow",
        }
    }

    /// What is enough to stand for everybody who sends.
    const fn friends(self) -> &'static str {
        match self {
            Self::Own | Self::Shared | Self::Slow => {
                "10.0.0.1, 10.0.0.100, 10.0.0.105, 203.0.113.9, 64.0.0.9, \"2001:db8::1\", \"2001:db8::64\", \
                 \"2001:db8::69\", \"2001:db8:f0::9\", \"3000::9\""
            }
            Self::Networks | Self::Ipset => "10.0.0.0/8, 203.0.113.0/24, 64.0.0.0/8, \"2001:db8::/32\", \"3000::/16\"",
        }
    }

    const fn setting(self) -> &'static str {
        match self {
            Self::Own | Self::Networks | Self::Slow => "{ ipset: false }",
            Self::Ipset => "{ ipset: true }",
            Self::Shared => "{ mode: shared, prefix: FWC }",
        }
    }
}

/// A spec of one host that accepts [`OPEN`] on every way, and nothing else. The second version has more rules of every
/// kind, before and behind those that matter, and other chains.
pub(super) fn spec(flavour: Flavour, second: bool) -> String {
    let others: Vec<String> = (1..40).map(|number| format!("192.0.2.{}", number * 2)).collect();
    let friends = format!("{}, {}", flavour.friends(), others.join(", "));
    let (group, rules) = if second {
        ("{ in: drop, proto: tcp, dport: [1-9, 20-29, 40-49] }, { out: drop, macro: SMB }, ", EXTRA)
    } else {
        ("", "")
    };
    let iptables = flavour.setting();
    format!(
        "version: 1
datacenter:
  options: {{ policy_in: drop, policy_out: drop, policy_forward: drop }}
  ipsets:
    friends: [{friends}]
  guests:
    options: {{ policy_in: drop, policy_out: drop, ipfilter: true }}
    rules: [{rules}{{ group: served }}]
groups:
  served: [{group}{{ in: accept, proto: udp, dport: {OPEN}, source: +friends }}, {{ out: accept, proto: udp, dport: {OPEN} }}]
hosts:
  pm1:
    addresses: [10.0.0.1/24, \"2001:db8::1/64\"]
    iptables: {iptables}
    rules: [{rules}{{ group: served }}, {{ forward: accept, proto: udp, dport: {OPEN}, source: +friends }}]
vms:
  100:
    nics: {{ net0: {{ bridge: vmbr0, mac: \"BC:24:11:00:00:64\", ip: [10.0.0.100/24, \"2001:db8::64/64\"] }} }}
  101:
    nics: {{ net0: {{ bridge: vmbr0, mac: \"BC:24:11:00:00:65\", ip: [10.0.0.105/24, \"2001:db8::69/64\"] }} }}
"
    )
}

const EXTRA: &str = "{ in: drop, proto: tcp, dport: 25, source: 198.51.100.0/24, log: info }, \
    { in: accept, proto: sctp }, { out: reject, proto: tcp, dport: 25 }, { in: accept, macro: Ping }, ";
