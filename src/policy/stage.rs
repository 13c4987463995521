//! The stages of a hook. Facts: Proxmox VE's firewall (pve-firewall(8)) and its sources' behaviour.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use crate::net::{AddressSet, Family, IcmpType, Mac, PortSet, Protocol, Ranges, TcpFlags};

use super::{Clause, Direction, EtherType, FrameKind, Log, Match, Nic, Platform, RuleList, States, Verdict, noise};

/// A place where packets are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookName {
    /// Towards the host itself.
    HostIn,
    /// From the host itself.
    HostOut,
    /// Routed through the host.
    HostForward,
    /// Towards a guest's NIC.
    GuestIn,
    /// From a guest's NIC.
    GuestOut,
    /// Frames through a vnet's bridge.
    VnetForward,
}

impl HookName {
    /// As users see it: `host-in`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostIn => "host-in",
            Self::HostOut => "host-out",
            Self::HostForward => "host-forward",
            Self::GuestIn => "guest-in",
            Self::GuestOut => "guest-out",
            Self::VnetForward => "vnet-forward",
        }
    }

    /// The direction of the rules that stand in it.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::HostIn | Self::GuestIn => Direction::In,
            Self::HostOut | Self::GuestOut => Direction::Out,
            Self::HostForward | Self::VnetForward => Direction::Forward,
        }
    }
}

/// A hook's stages, in order. The last is always [`Stage::Policy`], so every packet gets a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Which hook.
    pub name: HookName,
    /// In order.
    pub stages: Vec<Stage>,
}

/// One ring of the cluster's network, from one host's point of view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorosyncRing {
    /// The host's own addresses on it.
    pub own: Arc<AddressSet>,
    /// The other nodes' addresses on it.
    pub peers: Arc<AddressSet>,
}

/// A stage of a hook. What it does is what [`Stage::clauses`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Frames other than IP are accepted (the datacenter's `ebtables: false`).
    OtherFrames,
    /// Frames that nobody can look into (more than one VLAN tag) are dropped.
    StackedVlan,
    /// The loopback interface is accepted.
    Loopback,
    /// A source MAC other than the NIC's is dropped, on all frames.
    MacFilter,
    /// A source address that is not the NIC's is dropped, ARP senders included.
    IpFilter,
    /// Frames of ethertypes that are not listed are dropped.
    Layer2(Vec<EtherType>),
    /// ARP is accepted.
    Arp,
    /// Invalid is dropped (where set), related and established accepted.
    Conntrack {
        /// Whether packets in state invalid are dropped.
        drop_invalid: bool,
    },
    /// Sources in the set are dropped.
    Blacklist {
        /// The ipset `blacklist`.
        set: Arc<AddressSet>,
        /// At the host's `log_level_in`.
        log: Log,
    },
    /// New or invalid IPv4 packets from broadcast and multicast sources are dropped.
    Smurfs {
        /// Broadcast addresses and 224.0.0.0/4.
        sources: Arc<AddressSet>,
        /// At the host's `smurf_log_level`.
        log: Log,
    },
    /// TCP with flags that no sane sender sets is dropped.
    TcpFlags {
        /// At the host's `tcp_flags_log_level`.
        log: Log,
    },
    /// IGMP is accepted.
    Igmp,
    /// DHCP and DHCPv6 are accepted, in the direction of the hook.
    Dhcp,
    /// IPv6 router advertisements are dropped (a guest without `radv`).
    RouterAdvertisements,
    /// These ICMPv6 types of neighbour discovery are accepted.
    NeighbourDiscovery(&'static [u8]),
    /// Guardrails and rules.
    Rules(Arc<RuleList>),
    /// The ports by which a host is managed are accepted: from the set (host-in) or to it (host-out).
    Management {
        /// Who may: `management` (host-in), `local_network` (host-out).
        peers: Arc<AddressSet>,
        /// TCP ports.
        ports: PortSet,
    },
    /// Corosync between the nodes is accepted (udp 5405-5412), on the same ring.
    Corosync(Vec<CorosyncRing>),
    /// Before a drop or reject policy: noise that is not worth a log line, and ICMP errors that must pass.
    Noise {
        /// Whether Microsoft noise is rejected (a reject policy) or dropped.
        reject: bool,
        /// Broadcast and multicast addresses of both families.
        broadcast: Arc<AddressSet>,
    },
    /// Every frame gets this verdict.
    Policy {
        /// Accept, drop or reject.
        verdict: Verdict,
        /// Its log line, if any.
        log: Log,
    },
}

/// Router solicitation, router advertisement, neighbour solicitation, neighbour advertisement (RFC 4861).
pub(crate) const NDP_ALL: &[u8] = &[133, 134, 135, 136];
/// As [`NDP_ALL`], without router advertisement.
pub(crate) const NDP_NO_ADVERTISEMENT: &[u8] = &[133, 135, 136];

impl Stage {
    /// A short name for traces and comments.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OtherFrames => "ebtables",
            Self::StackedVlan => "stacked-vlan",
            Self::Loopback => "loopback",
            Self::MacFilter => "macfilter",
            Self::IpFilter => "ipfilter",
            Self::Layer2(_) => "layer2_protocols",
            Self::Arp => "arp",
            Self::Conntrack { .. } => "conntrack",
            Self::Blacklist { .. } => "blacklist",
            Self::Smurfs { .. } => "nosmurfs",
            Self::TcpFlags { .. } => "tcpflags",
            Self::Igmp => "igmp",
            Self::Dhcp => "dhcp",
            Self::RouterAdvertisements => "radv",
            Self::NeighbourDiscovery(_) => "ndp",
            Self::Rules(_) => "rules",
            Self::Management { .. } => "management",
            Self::Corosync(_) => "corosync",
            Self::Noise { .. } => "noise",
            Self::Policy { .. } => "policy",
        }
    }

    /// The rules of a stage that is made of rules.
    #[must_use]
    pub fn rules(&self) -> Option<&RuleList> {
        if let Self::Rules(list) = self { Some(list) } else { None }
    }

    /// The stage's whole meaning at a hook: first match decides, no match goes on to the next stage.
    /// `nic` is the NIC that a guest hook speaks of; stages of guests mean nothing without one.
    #[must_use]
    pub fn clauses(&self, hook: HookName, nic: Option<&Nic>) -> Vec<Clause> {
        let ip = || Match::Frame(FrameKind::Ip);
        match self {
            Self::OtherFrames => [FrameKind::Arp, FrameKind::Stacked, FrameKind::Other]
                .into_iter()
                .map(|kind| Clause::new(vec![Match::Frame(kind)], Verdict::Accept))
                .collect(),
            Self::StackedVlan => vec![Clause::new(vec![Match::Frame(FrameKind::Stacked)], Verdict::Drop)],
            Self::Loopback => vec![Clause::new(vec![Match::Loopback], Verdict::Accept)],
            Self::MacFilter => nic.and_then(|nic| nic.mac).map(mac_filter).into_iter().collect(),
            Self::IpFilter => nic.and_then(|nic| nic.sources.as_ref()).map(ip_filter).unwrap_or_default(),
            Self::Layer2(listed) => {
                let mut numbers: Vec<u16> = listed.iter().map(|protocol| protocol.number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                vec![Clause::new(vec![Match::EtherTypeNot(numbers)], Verdict::Drop)]
            }
            Self::Arp => vec![Clause::new(vec![Match::Frame(FrameKind::Arp)], Verdict::Accept)],
            Self::Conntrack { drop_invalid } => {
                let invalid = Clause::new(vec![ip(), Match::State(States::INVALID)], Verdict::Drop);
                let known = Clause::new(vec![ip(), Match::State(States::ESTABLISHED_RELATED)], Verdict::Accept);
                if *drop_invalid { vec![invalid, known] } else { vec![known] }
            }
            Self::Blacklist { set, log } => {
                vec![Clause::new(vec![ip(), Match::Source(Arc::clone(set))], Verdict::Drop).logged(*log)]
            }
            Self::Smurfs { sources, log } => {
                let matches = vec![
                    Match::Family(Family::V4),
                    Match::State(States::NEW_INVALID),
                    Match::Source(Arc::clone(sources)),
                ];
                vec![Clause::new(matches, Verdict::Drop).logged(*log)]
            }
            Self::TcpFlags { log } => tcp_flags(*log),
            Self::Igmp => {
                let matches = vec![Match::Family(Family::V4), Match::Protocol(Protocol::IGMP)];
                vec![Clause::new(matches, Verdict::Accept)]
            }
            Self::Dhcp => dhcp(hook.direction()),
            Self::RouterAdvertisements => vec![Clause::new(icmpv6(134), Verdict::Drop)],
            Self::NeighbourDiscovery(kinds) => {
                kinds.iter().map(|kind| Clause::new(icmpv6(*kind), Verdict::Accept)).collect()
            }
            Self::Rules(list) => list.applied(hook.direction(), nic).flat_map(|applied| applied.clauses()).collect(),
            Self::Management { peers, ports } => {
                let side = match hook.direction() {
                    Direction::In | Direction::Forward => Match::Source(Arc::clone(peers)),
                    Direction::Out => Match::Dest(Arc::clone(peers)),
                };
                let matches = vec![ip(), Match::Protocol(Protocol::TCP), Match::DestPorts(ports.clone()), side];
                vec![Clause::new(matches, Verdict::Accept)]
            }
            Self::Corosync(rings) => rings.iter().map(|ring| corosync(ring, hook.direction())).collect(),
            Self::Noise { reject, broadcast } => noise::clauses(*reject, broadcast),
            Self::Policy { verdict, log } => vec![Clause::new(Vec::new(), *verdict).logged(*log)],
        }
    }
}

fn icmpv6(kind: u8) -> Vec<Match> {
    vec![Match::Family(Family::V6), Match::Protocol(Protocol::ICMPV6), Match::Icmp(IcmpType::new(Family::V6, kind))]
}

/// Frames of other senders are dropped.
#[must_use]
pub(crate) fn mac_filter(own: Mac) -> Clause {
    Clause::new(vec![Match::SourceMacNot(own)], Verdict::Drop)
}

/// The set of the address that a machine has before it has one.
fn unspecified(family: Family) -> Arc<AddressSet> {
    static BOTH: LazyLock<[Arc<AddressSet>; 2]> = LazyLock::new(|| {
        [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)]
            .map(|address| Arc::new(AddressSet::address(address)))
    });
    let [v4, v6] = &*BOTH;
    Arc::clone(match family {
        Family::V4 => v4,
        Family::V6 => v6,
    })
}

/// Own sources go on; so do DHCP from 0.0.0.0, neighbour solicitation from `::` and ARP probes.
#[must_use]
pub(crate) fn ip_filter(sources: &Arc<AddressSet>) -> Vec<Clause> {
    let udp = |from: u16, to: u16| {
        [
            Match::Protocol(Protocol::UDP),
            Match::SourcePorts(PortSet::single(from)),
            Match::DestPorts(PortSet::single(to)),
        ]
    };
    let discover = [Match::Family(Family::V4), Match::Source(unspecified(Family::V4))].into_iter().chain(udp(68, 67));
    let mut duplicate_detection = icmpv6(135);
    duplicate_detection.push(Match::Source(unspecified(Family::V6)));
    vec![
        Clause::new(vec![Match::Frame(FrameKind::Ip), Match::Source(Arc::clone(sources))], Verdict::Skip),
        Clause::new(discover.collect(), Verdict::Skip),
        Clause::new(duplicate_detection, Verdict::Skip),
        Clause::new(vec![Match::ArpSender(Arc::clone(sources))], Verdict::Skip),
        Clause::new(vec![Match::ArpSender(unspecified(Family::V4))], Verdict::Skip),
        Clause::new(vec![Match::Frame(FrameKind::Ip)], Verdict::Drop),
        Clause::new(vec![Match::Frame(FrameKind::Arp)], Verdict::Drop),
    ]
}

fn dhcp(direction: Direction) -> Vec<Clause> {
    let clause = |family, from, to| {
        let matches = vec![
            Match::Family(family),
            Match::Protocol(Protocol::UDP),
            Match::SourcePorts(PortSet::single(from)),
            Match::DestPorts(PortSet::single(to)),
        ];
        Clause::new(matches, Verdict::Accept)
    };
    match direction {
        Direction::In | Direction::Forward => vec![clause(Family::V4, 67, 68), clause(Family::V6, 547, 546)],
        Direction::Out => vec![clause(Family::V4, 68, 67), clause(Family::V6, 546, 547)],
    }
}

fn tcp_flags(log: Log) -> Vec<Clause> {
    use TcpFlags as F;
    let all = F::FIN | F::SYN | F::RST | F::PSH | F::ACK | F::URG;
    let clause = |mask, set, source_ports: Option<PortSet>| {
        let mut matches = vec![Match::Frame(FrameKind::Ip), Match::Protocol(Protocol::TCP)];
        matches.extend(source_ports.map(Match::SourcePorts));
        matches.push(Match::TcpFlags(F { mask, set }));
        Clause::new(matches, Verdict::Drop).logged(log)
    };
    vec![
        clause(all, F::FIN | F::PSH | F::URG, None),
        clause(all, 0, None),
        clause(F::SYN | F::RST, F::SYN | F::RST, None),
        clause(F::FIN | F::SYN, F::FIN | F::SYN, None),
        clause(F::FIN | F::SYN | F::RST | F::ACK, F::SYN, Some(PortSet::single(0))),
    ]
}

fn corosync(ring: &CorosyncRing, direction: Direction) -> Clause {
    let (source, dest) = match direction {
        Direction::In | Direction::Forward => (&ring.peers, &ring.own),
        Direction::Out => (&ring.own, &ring.peers),
    };
    let matches = vec![
        Match::Frame(FrameKind::Ip),
        Match::Protocol(Protocol::UDP),
        Match::DestPorts(PortSet::range(5405, 5412)),
        Match::Source(Arc::clone(source)),
        Match::Dest(Arc::clone(dest)),
    ];
    Clause::new(matches, Verdict::Accept)
}

/// The TCP ports by which a host is managed, from outside.
#[must_use]
pub(crate) fn management_ports(platform: Platform, direction: Direction) -> PortSet {
    let ports: &[(u16, u16)] = match (platform, direction) {
        (Platform::Linux, _) => &[(22, 22)],
        (Platform::Proxmox, Direction::In | Direction::Forward) => {
            &[(22, 22), (3128, 3128), (5900, 5999), (8006, 8006), (60000, 60050)]
        }
        (Platform::Proxmox, Direction::Out) => &[(22, 22), (3128, 3128), (5900, 5999), (8006, 8006)],
    };
    Ranges::from_ranges(ports.iter().copied())
}
