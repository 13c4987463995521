//! The table itself.

use super::OptionKind::{Bool, Choice, Choices, EtherTypes, Integer, Queues, RateLimit};
use super::{CONNTRACK_HELPERS, FORWARD_VERDICTS, LOG_LEVELS, OptionKind, OptionSpec, OptionZone, VERDICTS};

const fn option(name: &'static str, kind: OptionKind, default: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec { name, kind, default: Some(default), doc }
}

const fn unset(name: &'static str, kind: OptionKind, doc: &'static str) -> OptionSpec {
    OptionSpec { name, kind, default: None, doc }
}

const LEVEL: OptionKind = Choice(LOG_LEVELS);

/// Every option of a kind of zone, in the order of the documentation.
#[must_use]
pub const fn table(zone: OptionZone) -> &'static [OptionSpec] {
    match zone {
        OptionZone::Datacenter => DATACENTER,
        OptionZone::Host => HOST,
        OptionZone::Guest => GUEST,
        OptionZone::Vnet => VNET,
    }
}

const DATACENTER: &[OptionSpec] = &[
    option("enable", Bool, "true", "Whether anything is filtered; false here turns every firewall below off."),
    option("ebtables", Bool, "true", "Whether frames other than IP are filtered too (MAC and ARP filters of guests)."),
    option("policy_in", Choice(VERDICTS), "drop", "What becomes of packets to a host that no rule decides."),
    option("policy_out", Choice(VERDICTS), "accept", "What becomes of packets from a host that no rule decides."),
    option(
        "policy_forward",
        Choice(FORWARD_VERDICTS),
        "accept",
        "What becomes of packets routed through a host that no rule decides.",
    ),
    unset("log_ratelimit", RateLimit, "How many log lines are written; by default one a second after a burst of five."),
];

const HOST: &[OptionSpec] = &[
    option("enable", Bool, "true", "Whether the host, and the guests on it, are filtered."),
    unset(
        "policy_in",
        Choice(VERDICTS),
        "What becomes of packets to the host that no rule decides; by default as the datacenter says.",
    ),
    unset(
        "policy_out",
        Choice(VERDICTS),
        "What becomes of packets from the host that no rule decides; by default as the datacenter says.",
    ),
    unset(
        "policy_forward",
        Choice(FORWARD_VERDICTS),
        "What becomes of packets routed through the host that no rule decides; by default as the datacenter says.",
    ),
    option("nosmurfs", Bool, "true", "Drops packets whose source is a broadcast or multicast address."),
    option("tcpflags", Bool, "false", "Drops TCP packets with combinations of flags that only scans use."),
    option("ndp", Bool, "true", "Accepts IPv6 neighbour and router discovery."),
    option(
        "nf_conntrack_allow_invalid",
        Bool,
        "false",
        "Lets packets of guests pass that connection tracking cannot place.",
    ),
    // The kernel keeps it in an int, and Proxmox VE rounds it up to a multiple of 8192.
    option(
        "nf_conntrack_max",
        Integer { min: 32_768, max: 2_147_475_456, unit: "connections" },
        "262144",
        "How many connections are tracked at most.",
    ),
    // The kernel counts ticks in an int, a thousand a second at most.
    option(
        "nf_conntrack_tcp_timeout_established",
        Integer { min: 7875, max: 2_147_483, unit: "seconds" },
        "432000",
        "How long an idle TCP connection is remembered.",
    ),
    option(
        "nf_conntrack_tcp_timeout_syn_recv",
        Integer { min: 30, max: 60, unit: "seconds" },
        "60",
        "How long a TCP handshake may take after the answer to the first packet.",
    ),
    unset(
        "nf_conntrack_helpers",
        Choices(CONNTRACK_HELPERS),
        "Protocols whose secondary connections are recognised; none by default.",
    ),
    option("protection_synflood", Bool, "false", "Limits connection attempts per source."),
    option(
        "protection_synflood_rate",
        Integer { min: 1, max: 1_000_000, unit: "packets a second" },
        "200",
        "Connection attempts a second that one source (an IPv4 address, an IPv6 /64) may make.",
    ),
    option(
        "protection_synflood_burst",
        Integer { min: 1, max: 1_000_000, unit: "packets" },
        "1000",
        "Connection attempts that one source may make before the limit starts.",
    ),
    option("log_level_in", LEVEL, "nolog", "The log level of what the policy for incoming packets stops."),
    option("log_level_out", LEVEL, "nolog", "The log level of what the policy for outgoing packets stops."),
    option("log_level_forward", LEVEL, "nolog", "The log level of what the policy for routed packets stops."),
    option("tcp_flags_log_level", LEVEL, "nolog", "The log level of what `tcpflags` drops."),
    option("smurf_log_level", LEVEL, "nolog", "The log level of what `nosmurfs` drops."),
    option("log_nf_conntrack", Bool, "false", "Whether Proxmox VE logs connections as they come and go."),
    option("nftables", Bool, "false", "Whether the host runs Proxmox VE's nftables implementation."),
];

const GUEST: &[OptionSpec] = &[
    option("enable", Bool, "true", "Whether the guest is filtered."),
    option("policy_in", Choice(VERDICTS), "drop", "What becomes of packets to the guest that no rule decides."),
    option("policy_out", Choice(VERDICTS), "accept", "What becomes of packets from the guest that no rule decides."),
    option("macfilter", Bool, "true", "Drops frames from the guest with another source MAC than the NIC's."),
    option("dhcp", Bool, "true", "Accepts DHCP."),
    option("ndp", Bool, "true", "Accepts IPv6 neighbour and router discovery."),
    option("radv", Bool, "false", "Lets the guest send IPv6 router advertisements."),
    option("ipfilter", Bool, "false", "Drops packets from the guest with another source than the NIC's addresses."),
    option("log_level_in", LEVEL, "nolog", "The log level of what the policy for incoming packets stops."),
    option("log_level_out", LEVEL, "nolog", "The log level of what the policy for outgoing packets stops."),
    unset(
        "layer2_protocols",
        EtherTypes,
        "The ethertypes that frames from the guest may have, by name or as `0x88cc`; any by default.",
    ),
    option(
        "ips",
        Bool,
        "false",
        "Hands packets that are accepted towards the guest to an intrusion prevention system.",
    ),
    unset("ips_queues", Queues, "The queue, or the range `N:M` of queues, of that system; queue 0 by default."),
];

const VNET: &[OptionSpec] = &[
    option("enable", Bool, "true", "Whether traffic through the vnet is filtered."),
    option(
        "policy_forward",
        Choice(FORWARD_VERDICTS),
        "accept",
        "What becomes of packets through the vnet that no rule decides.",
    ),
    option("log_level_forward", LEVEL, "nolog", "The log level of what the policy stops."),
];
