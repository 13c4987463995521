//! Options of every kind of machine, typed, each with the place that set it.

use crate::net::Protocol;

use super::{Log, Origin, Verdict};

/// A value and where it was set; no origin for a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value in force.
    pub value: T,
    /// Who set it (`identity` is the option's name); none where it is the default.
    pub origin: Option<Origin>,
}

impl<T> Setting<T> {
    /// A value that nobody set.
    pub const fn default_value(value: T) -> Self {
        Self { value, origin: None }
    }
}

/// How many log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogRateLimit {
    /// False: no limit.
    pub enable: bool,
    /// Lines per `unit`.
    pub rate: u32,
    /// `second`, `minute`, `hour` or `day`.
    pub unit: &'static str,
    /// Lines before the limit starts.
    pub burst: u32,
}

/// Options of the datacenter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatacenterOptions {
    /// Whether anything is filtered at all; default true.
    pub enable: Setting<bool>,
    /// Whether layer 2 rules are made; default true.
    pub ebtables: Setting<bool>,
    /// Default drop.
    pub policy_in: Setting<Verdict>,
    /// Default accept.
    pub policy_out: Setting<Verdict>,
    /// Default accept; never reject.
    pub policy_forward: Setting<Verdict>,
    /// Default 1 a second, burst 5.
    pub log_ratelimit: Setting<LogRateLimit>,
}

/// A conntrack helper of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConntrackHelper {
    /// udp 10080.
    Amanda,
    /// tcp 21.
    Ftp,
    /// tcp 6667, IPv4 only.
    Irc,
    /// udp 137, IPv4 only.
    NetbiosNs,
    /// tcp 1723, IPv4 only.
    Pptp,
    /// tcp 6566.
    Sane,
    /// udp 5060.
    Sip,
    /// udp 161, IPv4 only.
    Snmp,
    /// udp 69.
    Tftp,
}

/// What a helper follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelperService {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The destination port.
    pub port: u16,
    /// Whether the kernel's helper knows IPv4 alone.
    pub only_v4: bool,
}

impl ConntrackHelper {
    /// Every helper.
    pub const ALL: [Self; 9] = [
        Self::Amanda,
        Self::Ftp,
        Self::Irc,
        Self::NetbiosNs,
        Self::Pptp,
        Self::Sane,
        Self::Sip,
        Self::Snmp,
        Self::Tftp,
    ];

    /// The service it follows.
    #[must_use]
    pub const fn service(self) -> HelperService {
        let (protocol, port, only_v4) = match self {
            Self::Amanda => (Protocol::UDP, 10080, false),
            Self::Ftp => (Protocol::TCP, 21, false),
            Self::Irc => (Protocol::TCP, 6667, true),
            Self::NetbiosNs => (Protocol::UDP, 137, true),
            Self::Pptp => (Protocol::TCP, 1723, true),
            Self::Sane => (Protocol::TCP, 6566, false),
            Self::Sip => (Protocol::UDP, 5060, false),
            Self::Snmp => (Protocol::UDP, 161, true),
            Self::Tftp => (Protocol::UDP, 69, false),
        };
        HelperService { protocol, port, only_v4 }
    }

    /// As the kernel and the spec name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amanda => "amanda",
            Self::Ftp => "ftp",
            Self::Irc => "irc",
            Self::NetbiosNs => "netbios-ns",
            Self::Pptp => "pptp",
            Self::Sane => "sane",
            Self::Sip => "sip",
            Self::Snmp => "snmp",
            Self::Tftp => "tftp",
        }
    }
}

/// A limit on bare SYNs per source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Synflood {
    /// SYNs per second and source (/32, IPv6 /64).
    pub rate: u32,
    /// SYNs before the limit starts.
    pub burst: u32,
}

impl Synflood {
    /// How many sources of a family are remembered at once. The hash table that nft makes room for at once has
    /// four buckets for three of them, rounded up to a power of two: 8 MiB, where a million would cost 16.
    pub const SOURCES: u32 = 786_432;

    /// How long a silent source is remembered, in seconds: until its allowance is full again. Forgotten sooner, it
    /// would have the whole burst back; later, a flood would find the memory full of others.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.burst.div_ceil(self.rate.max(1)).saturating_add(1)
    }
}

/// Options of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOptions {
    /// Default true.
    pub enable: Setting<bool>,
    /// Default: the datacenter's.
    pub policy_in: Setting<Verdict>,
    /// Default: the datacenter's.
    pub policy_out: Setting<Verdict>,
    /// Default: the datacenter's; never reject.
    pub policy_forward: Setting<Verdict>,
    /// Default true.
    pub nosmurfs: Setting<bool>,
    /// Default false.
    pub tcpflags: Setting<bool>,
    /// Default true.
    pub ndp: Setting<bool>,
    /// Default false; forwarded (guest) traffic only.
    pub nf_conntrack_allow_invalid: Setting<bool>,
    /// Connections; default 262144.
    pub nf_conntrack_max: Setting<u64>,
    /// Seconds; default 432000.
    pub nf_conntrack_tcp_timeout_established: Setting<u64>,
    /// Seconds; default 60.
    pub nf_conntrack_tcp_timeout_syn_recv: Setting<u64>,
    /// Default none.
    pub nf_conntrack_helpers: Setting<Vec<ConntrackHelper>>,
    /// Default false.
    pub protection_synflood: Setting<bool>,
    /// SYNs per second and source; default 200.
    pub protection_synflood_rate: Setting<u32>,
    /// SYNs; default 1000.
    pub protection_synflood_burst: Setting<u32>,
    /// Default nolog.
    pub log_level_in: Setting<Log>,
    /// Default nolog.
    pub log_level_out: Setting<Log>,
    /// Default nolog.
    pub log_level_forward: Setting<Log>,
    /// Default nolog.
    pub tcp_flags_log_level: Setting<Log>,
    /// Default nolog.
    pub smurf_log_level: Setting<Log>,
    /// Whether Proxmox VE logs conntrack events; default false.
    pub log_nf_conntrack: Setting<bool>,
    /// Whether the host runs Proxmox VE's nftables implementation; default false.
    pub nftables: Setting<bool>,
}

impl HostOptions {
    /// The limit on bare SYNs, if it is on.
    #[must_use]
    pub fn synflood(&self) -> Option<Synflood> {
        let limit = Synflood { rate: self.protection_synflood_rate.value, burst: self.protection_synflood_burst.value };
        self.protection_synflood.value.then_some(limit)
    }
}

/// Options of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestOptions {
    /// Default true.
    pub enable: Setting<bool>,
    /// Default true.
    pub macfilter: Setting<bool>,
    /// Default true.
    pub dhcp: Setting<bool>,
    /// Default true.
    pub ndp: Setting<bool>,
    /// Default false.
    pub radv: Setting<bool>,
    /// Default false.
    pub ipfilter: Setting<bool>,
    /// Default drop.
    pub policy_in: Setting<Verdict>,
    /// Default accept.
    pub policy_out: Setting<Verdict>,
    /// Default nolog.
    pub log_level_in: Setting<Log>,
    /// Default nolog.
    pub log_level_out: Setting<Log>,
    /// Ethertypes that frames from the guest may have, as written (name or hexadecimal number); none: unset.
    pub layer2_protocols: Setting<Option<Vec<EtherType>>>,
    /// Hand accepted packets towards the guest to an intrusion prevention system by NFQUEUE; default false.
    pub ips: Setting<bool>,
    /// NFQUEUE numbers, `N` or `N:M`; none: queue 0.
    pub ips_queues: Setting<Option<(u16, u16)>>,
}

/// An ethertype as written and as a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherType {
    /// As written: `IPv4`, `ARP`, `0x88cc`.
    pub name: String,
    /// The number.
    pub number: u16,
}

/// Options of a vnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetOptions {
    /// Default true in fwc.
    pub enable: Setting<bool>,
    /// Default accept; never reject.
    pub policy_forward: Setting<Verdict>,
    /// Default nolog.
    pub log_level_forward: Setting<Log>,
}

/// Who owns the tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IptablesMode {
    /// fwc alone: whole tables.
    Exclusive,
    /// Others too: fwc owns only chains with this prefix.
    Shared {
        /// The prefix, such as `FWC`.
        prefix: String,
    },
}

/// The `iptables` key of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IptablesOptions {
    /// Default exclusive.
    pub mode: IptablesMode,
    /// Whether large sets go through `ipset`; default false.
    pub ipset: bool,
    /// Where it was set; none where it is the default.
    pub origin: Option<Origin>,
}
