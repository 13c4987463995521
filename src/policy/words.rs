//! Values of the policy in the spec's own words.

use super::{
    Addresses, ConntrackHelper, CorosyncRing, DatacenterOptions, EtherType, GuestOptions, HostOptions, Log,
    LogRateLimit, Origin, Reference, Rule, RuleInterface, Service, SkipReason, Stage, Verdict, VnetOptions,
};
use crate::net::{AddressSet, PortSet, TcpFlags};

/// Networks of a set that are written out before the rest is only counted.
const NETWORKS: usize = 4;

/// `accept`.
#[must_use]
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accept",
        Verdict::Drop => "drop",
        Verdict::Reject => "reject",
        Verdict::Skip => "skip",
    }
}

/// A level's name, or `nolog`.
#[must_use]
pub const fn log(log: Log) -> &'static str {
    match log {
        Log::None => "nolog",
        Log::At(level) => level.name(),
    }
}

/// Why a rule is without effect here.
#[must_use]
pub const fn skipped(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Without => "listed in `without`",
        SkipReason::HostsOnly => "it is for hosts alone",
        SkipReason::NoSuchNic => "the guest has no such NIC",
        SkipReason::NoAddress => "a reference in it stands for no address here",
    }
}

/// An option: its name, its value in words, and who set it (none for a default).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionWords<'a> {
    /// As the spec writes it.
    pub name: &'static str,
    /// The value in force.
    pub value: String,
    /// Who set it.
    pub origin: Option<&'a Origin>,
}

macro_rules! list {
    ($options:expr, $($name:ident)+) => {
        vec![$(OptionWords {
            name: stringify!($name),
            value: $options.$name.value.words(),
            origin: $options.$name.origin.as_ref(),
        }),+]
    };
}

/// Every option of a host.
#[must_use]
pub fn host_options(options: &HostOptions) -> Vec<OptionWords<'_>> {
    list!(options,
        enable policy_in policy_out policy_forward nosmurfs tcpflags ndp nf_conntrack_allow_invalid nf_conntrack_max
        nf_conntrack_tcp_timeout_established nf_conntrack_tcp_timeout_syn_recv nf_conntrack_helpers
        protection_synflood protection_synflood_rate protection_synflood_burst log_level_in log_level_out
        log_level_forward tcp_flags_log_level smurf_log_level log_nf_conntrack nftables)
}

/// Every option of a guest.
#[must_use]
pub fn guest_options(options: &GuestOptions) -> Vec<OptionWords<'_>> {
    list!(options,
        enable policy_in policy_out macfilter ipfilter dhcp ndp radv log_level_in log_level_out layer2_protocols
        ips ips_queues)
}

/// Every option of a vnet.
#[must_use]
pub fn vnet_options(options: &VnetOptions) -> Vec<OptionWords<'_>> {
    list!(options, enable policy_forward log_level_forward)
}

/// Every option that holds for the whole datacenter.
#[must_use]
pub fn datacenter_options(options: &DatacenterOptions) -> Vec<OptionWords<'_>> {
    list!(options, enable ebtables policy_in policy_out policy_forward log_ratelimit)
}

/// A value of an option, as the spec writes it.
pub trait Words {
    /// The words.
    fn words(&self) -> String;
}

impl Words for bool {
    fn words(&self) -> String {
        self.to_string()
    }
}

impl Words for u32 {
    fn words(&self) -> String {
        self.to_string()
    }
}

impl Words for u64 {
    fn words(&self) -> String {
        self.to_string()
    }
}

impl Words for Verdict {
    fn words(&self) -> String {
        verdict(*self).to_owned()
    }
}

impl Words for Log {
    fn words(&self) -> String {
        log(*self).to_owned()
    }
}

impl Words for LogRateLimit {
    fn words(&self) -> String {
        if self.enable { format!("{}/{}, burst {}", self.rate, self.unit, self.burst) } else { "no limit".to_owned() }
    }
}

impl Words for Vec<ConntrackHelper> {
    fn words(&self) -> String {
        if self.is_empty() {
            return "none".to_owned();
        }
        self.iter().map(|helper| helper.name()).collect::<Vec<_>>().join(", ")
    }
}

impl Words for Option<Vec<EtherType>> {
    fn words(&self) -> String {
        self.as_ref().map_or_else(|| "any".to_owned(), |types| ethertypes(types))
    }
}

impl Words for Option<(u16, u16)> {
    fn words(&self) -> String {
        match self {
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}:{last}"),
            None => "0".to_owned(),
        }
    }
}

fn ethertypes(types: &[EtherType]) -> String {
    types.iter().map(|kind| kind.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// `80,8000-8099`.
#[must_use]
pub fn ports(ports: &PortSet) -> String {
    let one = |(first, last): (u16, u16)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ports.iter().map(one).collect::<Vec<_>>().join(",")
}

/// Some networks of a set, and how many more there are.
#[must_use]
pub fn addresses(set: &AddressSet) -> String {
    let mut networks = crate::net::Family::BOTH.into_iter().flat_map(|family| set.networks(family));
    let spelled = |network: ipnet::IpNet| {
        if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
    };
    let mut shown: Vec<String> = networks.by_ref().take(NETWORKS).map(spelled).collect();
    let rest = networks.count();
    if rest > 0 {
        shown.push(format!("and {rest} more"));
    }
    if shown.is_empty() { "nobody".to_owned() } else { shown.join(", ") }
}

/// A name or an address, as a rule writes it.
#[must_use]
pub fn reference(reference: &Reference) -> String {
    match reference {
        Reference::Literal(text) => text.clone(),
        Reference::Alias(_, name) => name.clone(),
        Reference::Ipset(_, name) => format!("+{name}"),
        Reference::LocalNetwork => "local_network".to_owned(),
        Reference::Zone(name) => format!("zone/{name}"),
        Reference::Host(name) => format!("host/{name}"),
        Reference::Guest(id) => format!("guest {id}"),
    }
}

fn terms(addresses: &Addresses) -> String {
    addresses.terms.iter().map(|term| reference(&term.reference)).collect::<Vec<_>>().join(", ")
}

fn flags(flags: TcpFlags) -> String {
    let names = |bits| TcpFlags::names(bits).collect::<Vec<_>>().join(",");
    let set = names(flags.set);
    format!("flags {}/{}", if set.is_empty() { "none" } else { &set }, names(flags.mask))
}

fn service(service: &Service) -> String {
    let mut parts = vec![service.protocol.to_string()];
    parts.extend(service.dest_ports.as_ref().map(ports));
    parts.extend(service.source_ports.as_ref().map(|set| format!("sport {}", ports(set))));
    parts.extend(service.icmp.map(|icmp| match (icmp.name(), icmp.code) {
        (Some(name), _) => name.to_owned(),
        (None, Some(code)) => format!("type {}/{code}", icmp.kind),
        (None, None) => format!("type {}", icmp.kind),
    }));
    parts.extend(service.tcp_flags.map(flags));
    parts.join(" ")
}

/// The interface, if there is a restriction.
#[must_use]
pub fn interface(interface: &RuleInterface) -> Option<String> {
    match interface {
        RuleInterface::Any => None,
        RuleInterface::Host(name) => Some(format!("iface {name}")),
        RuleInterface::Nic(index) => Some(format!("iface net{index}")),
    }
}

/// What a rule matches and what it logs; the verdict and the comment stand elsewhere.
#[must_use]
pub fn matches(rule: &Rule) -> String {
    let services = match (rule.macro_name, rule.services.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, []) => "any".to_owned(),
        (None, services) => services.iter().map(service).collect::<Vec<_>>().join(" or "),
    };
    let mut parts = vec![services];
    parts.extend(rule.source.as_ref().map(|source| format!("from {}", terms(source))));
    parts.extend(rule.dest.as_ref().map(|dest| format!("to {}", terms(dest))));
    parts.extend(interface(&rule.interface));
    if let Log::At(level) = rule.log {
        parts.push(format!("log {}", level.name()));
    }
    parts.join(" ")
}

/// What a stage does, in a few words.
#[must_use]
pub fn stage(stage: &Stage) -> String {
    let (text, logged) = match stage {
        Stage::OtherFrames => ("accept frames other than IP".to_owned(), Log::None),
        Stage::StackedVlan => ("drop frames with more than one VLAN tag".to_owned(), Log::None),
        Stage::Loopback | Stage::Arp | Stage::Igmp | Stage::Dhcp => ("accept".to_owned(), Log::None),
        Stage::MacFilter => ("drop frames from other MAC addresses than the NIC's".to_owned(), Log::None),
        Stage::IpFilter => ("drop packets and ARP from other addresses than the NIC's".to_owned(), Log::None),
        Stage::Layer2(listed) => (format!("drop ethertypes other than {}", ethertypes(listed)), Log::None),
        Stage::Conntrack { drop_invalid: true } => {
            ("drop invalid, accept established and related".to_owned(), Log::None)
        }
        Stage::Conntrack { drop_invalid: false } => ("accept established and related".to_owned(), Log::None),
        Stage::Blacklist { set, log } => (format!("drop from {}", addresses(set)), *log),
        Stage::Smurfs { log, .. } => ("drop new IPv4 from broadcast and multicast sources".to_owned(), *log),
        Stage::TcpFlags { log } => ("drop TCP with flags that no sane sender sets".to_owned(), *log),
        Stage::RouterAdvertisements => ("drop IPv6 router advertisements".to_owned(), Log::None),
        Stage::NeighbourDiscovery(kinds) => (format!("accept {}", neighbour_discovery(kinds)), Log::None),
        Stage::Rules(_) => ("the first that matches decides".to_owned(), Log::None),
        Stage::Management { peers, ports: set } => {
            (format!("accept tcp {}, peers {}", ports(set), addresses(peers)), Log::None)
        }
        Stage::Corosync(rings) => (format!("accept udp 5405-5412 {}", corosync(rings)), Log::None),
        Stage::Noise { reject: true, .. } => ("drop or reject noise, pass ICMP errors".to_owned(), Log::None),
        Stage::Noise { reject: false, .. } => ("drop noise, pass ICMP errors".to_owned(), Log::None),
        Stage::Policy { verdict: last, log } => (verdict(*last).to_owned(), *log),
    };
    match logged {
        Log::None => text,
        Log::At(level) => format!("{text}, log {}", level.name()),
    }
}

fn neighbour_discovery(kinds: &[u8]) -> String {
    let name = |kind: &u8| match kind {
        133 => "router-solicitation".to_owned(),
        134 => "router-advertisement".to_owned(),
        135 => "neighbour-solicitation".to_owned(),
        136 => "neighbour-advertisement".to_owned(),
        other => format!("icmpv6 {other}"),
    };
    kinds.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn corosync(rings: &[CorosyncRing]) -> String {
    let ring = |ring: &CorosyncRing| format!("between {} and {}", addresses(&ring.own), addresses(&ring.peers));
    rings.iter().map(ring).collect::<Vec<_>>().join("; ")
}
