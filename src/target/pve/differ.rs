//! What Proxmox VE's nftables implementation judges otherwise than the spec says.
//!
//! In: the hosts that want this target. Out: for each difference that changes the verdict on some packet, one warning
//! at the first place that it is about, with the hosts that run that implementation. Promise: a fleet without such
//! hosts gets none, and a difference is never told twice, however many rules and guests it touches.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::net::{AddressSet, PortSet, Protocol};
use crate::policy::{Direction, GuestPolicy, HostPolicy, Nic, Rule, Setting, Stage, Verdict};

use super::warn::list;

/// A way in which that implementation differs; in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// What it does on every host, whatever the spec says.
    Always,
    AcceptsFirst,
    InvalidEverywhere,
    HostNdpDrops,
    Smurfs,
    GuestReject,
    GuestPolicyReject,
    IpfilterDrops,
    IpfilterIgnored,
    DhcpDrops,
    NdpDrops,
}

impl Difference {
    /// What it does, to be followed by the hosts.
    const fn words(self) -> &'static str {
        match self {
            Self::Always => "opens corosync's ports to everybody, but not tcp 60000-60050 to `management`,",
            Self::AcceptsFirst => "accepts management and corosync before this rule",
            Self::InvalidEverywhere => {
                "lets `nf_conntrack_allow_invalid` pass invalid packets to and from the host itself"
            }
            Self::HostNdpDrops => "drops neighbour discovery before the host's rules under `ndp: false`",
            Self::Smurfs => "applies `nosmurfs` to the host, not to its guests,",
            Self::GuestReject => "drops what this rule of a guest rejects",
            Self::GuestPolicyReject => "drops what this policy of a guest rejects",
            Self::IpfilterDrops => {
                "drops DHCP requests from 0.0.0.0 and duplicate address detection under an IP filter"
            }
            Self::IpfilterIgnored => "ignores the IP filter of a guest that has NICs without one",
            Self::DhcpDrops => "drops DHCP before the guest's rules under `dhcp: false`",
            Self::NdpDrops => "drops neighbour discovery before the guest's rules under `ndp: false`",
        }
    }

    /// What can be done.
    const fn help(self) -> &'static str {
        match self {
            Self::Always => {
                "add a rule that accepts tcp 60000-60050 where guests migrate, or take `nftables: true` away"
            }
            Self::AcceptsFirst => "take the addresses out of `management`, or take `nftables: true` away",
            Self::InvalidEverywhere => "take the option or `nftables: true` away, or enforce it with another target",
            Self::HostNdpDrops | Self::NdpDrops => "leave `ndp` on, or take `nftables: true` away",
            Self::Smurfs => "take `nftables: true` away, or enforce it with another target",
            Self::GuestReject | Self::GuestPolicyReject => {
                "write `drop`, which is what happens, or take `nftables: true` away"
            }
            Self::IpfilterDrops => "give the guest static addresses, or take its IP filter or `nftables: true` away",
            Self::IpfilterIgnored => "set `ipfilter: true` for the guest, or take `nftables: true` away",
            Self::DhcpDrops => "leave `dhcp` on, or take `nftables: true` away",
        }
    }

    /// More about it, shown at the place.
    const fn because(self) -> Option<&'static str> {
        match self {
            Self::Always => Some("it also accepts ICMP errors before a guest's MAC and IP filter"),
            Self::AcceptsFirst
            | Self::InvalidEverywhere
            | Self::HostNdpDrops
            | Self::Smurfs
            | Self::GuestReject
            | Self::GuestPolicyReject
            | Self::IpfilterDrops
            | Self::IpfilterIgnored
            | Self::DhcpDrops
            | Self::NdpDrops => None,
        }
    }
}

/// Where a difference shows, and on which hosts.
type Found<'a> = BTreeMap<Difference, (BTreeSet<Span>, BTreeSet<&'a str>)>;

/// All warnings.
pub(super) fn nftables(hosts: &[&HostPolicy], diagnostics: &mut Diagnostics) {
    let mut found = Found::new();
    for host in hosts.iter().filter(|host| host.enabled && host.options.nftables.value) {
        let mut note = |difference: Difference, span: Span| {
            let (places, names) = found.entry(difference).or_default();
            places.insert(span);
            names.insert(host.name.as_str());
        };
        of_host(host, &mut note);
        for guest in host.guests.iter().filter(|guest| guest.filtered_nics().next().is_some()) {
            of_guest(guest, &mut note);
        }
    }
    for (difference, (places, hosts)) in found {
        let Some(first) = places.first() else { continue };
        let words = difference.words();
        let message = format!("Proxmox VE's nftables implementation {words} on {}", list(&hosts));
        let warning = Diagnostic::warning(Code::PveNftablesDiffers, *first, message).help(difference.help());
        let more = (places.len() > 1).then(|| format!("the first of {} places", places.len()));
        let because = difference.because().map(str::to_owned).or(more);
        diagnostics.push(match because {
            Some(text) => warning.because(text),
            None => warning,
        });
    }
}

fn of_host(host: &HostPolicy, note: &mut impl FnMut(Difference, Span)) {
    let options = &host.options;
    let here = place(&options.nftables, host.span);
    note(Difference::Always, here);
    for (rule, _) in host.rules.rules(Direction::In) {
        let hidden = match rule.verdict {
            Verdict::Drop | Verdict::Reject => host.hook_in.stages.iter().any(|stage| overlaps(rule, stage)),
            Verdict::Accept | Verdict::Skip => false,
        };
        if hidden {
            note(Difference::AcceptsFirst, rule.origin.span);
        }
    }
    if options.nf_conntrack_allow_invalid.value {
        note(Difference::InvalidEverywhere, place(&options.nf_conntrack_allow_invalid, here));
    }
    if !options.ndp.value {
        note(Difference::HostNdpDrops, place(&options.ndp, here));
    }
    let judges_guests = host.guests.iter().any(|guest| guest.filtered_nics().next().is_some());
    if options.nosmurfs.value && (judges_guests || options.nosmurfs.origin.is_some()) {
        note(Difference::Smurfs, place(&options.nosmurfs, here));
    }
}

fn of_guest(guest: &GuestPolicy, note: &mut impl FnMut(Difference, Span)) {
    let options = &guest.options;
    let rules = [Direction::In, Direction::Out].into_iter().flat_map(|direction| guest.rules.rules(direction));
    for (rule, _) in rules.filter(|(rule, _)| rule.verdict == Verdict::Reject) {
        note(Difference::GuestReject, rule.origin.span);
    }
    for policy in [&options.policy_in, &options.policy_out] {
        if policy.value == Verdict::Reject {
            note(Difference::GuestPolicyReject, place(policy, guest.span));
        }
    }
    // The file says `ipfilter: 1` only where it holds for every filtered NIC.
    let whole = guest.filtered_nics().all(|nic| nic.sources.is_some());
    for nic in guest.filtered_nics().filter(|nic| nic.sources.is_some()) {
        let difference = if whole { Difference::IpfilterDrops } else { Difference::IpfilterIgnored };
        note(difference, filter_place(guest, nic));
    }
    if !options.dhcp.value {
        note(Difference::DhcpDrops, place(&options.dhcp, guest.span));
    }
    if !options.ndp.value {
        note(Difference::NdpDrops, place(&options.ndp, guest.span));
    }
}

/// The option that switches a NIC's IP filter on, or the NIC where an ipset of its own does.
fn filter_place(guest: &GuestPolicy, nic: &Nic) -> Span {
    if guest.options.ipfilter.value { place(&guest.options.ipfilter, nic.span) } else { nic.span }
}

fn place<T>(setting: &Setting<T>, otherwise: Span) -> Span {
    setting.origin.as_ref().map_or(otherwise, |origin| origin.span)
}

/// Whether a rule decides on packets that a stage after the rules accepts, and that implementation accepts first.
fn overlaps(rule: &Rule, stage: &Stage) -> bool {
    match stage {
        // The ports from 60000 on it does not accept at all.
        Stage::Management { peers, ports } => {
            let ports = ports.intersection(&PortSet::range(0, 59_999));
            meets(rule, Protocol::TCP, &ports, peers, None)
        }
        Stage::Corosync(rings) => {
            let ports = PortSet::range(5405, 5412);
            rings.iter().any(|ring| meets(rule, Protocol::UDP, &ports, &ring.peers, Some(&ring.own)))
        }
        Stage::OtherFrames
        | Stage::StackedVlan
        | Stage::Loopback
        | Stage::MacFilter
        | Stage::IpFilter
        | Stage::Layer2(_)
        | Stage::Arp
        | Stage::Conntrack { .. }
        | Stage::Blacklist { .. }
        | Stage::Smurfs { .. }
        | Stage::TcpFlags { .. }
        | Stage::Igmp
        | Stage::Dhcp
        | Stage::RouterAdvertisements
        | Stage::NeighbourDiscovery(_)
        | Stage::Rules(_)
        | Stage::Noise { .. }
        | Stage::Policy { .. } => false,
    }
}

/// Whether some packet of the protocol, to the ports, from the source and to the destination matches the rule.
fn meets(rule: &Rule, protocol: Protocol, ports: &PortSet, source: &AddressSet, dest: Option<&AddressSet>) -> bool {
    let service = rule.services.is_empty()
        || rule.services.iter().any(|service| {
            let wanted = service.dest_ports.as_ref();
            service.protocol == protocol && wanted.is_none_or(|wanted| !wanted.intersection(ports).is_empty())
        });
    let from = rule.source.as_ref().is_none_or(|wanted| !wanted.set.intersection(source).is_empty());
    let to = match (&rule.dest, dest) {
        (Some(wanted), Some(dest)) => !wanted.set.intersection(dest).is_empty(),
        (None, _) | (_, None) => true,
    };
    service && from && to
}
