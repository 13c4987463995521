//! The noise stage: what a drop or reject policy treats apart before it decides.

use std::sync::Arc;

use crate::net::{AddressSet, Family, IcmpType, PortSet, Protocol, TcpFlags};

use super::{Clause, FrameKind, Match, States, Verdict};

/// A new clause over IP packets of one protocol.
fn of(protocol: Protocol, more: impl IntoIterator<Item = Match>, verdict: Verdict) -> Clause {
    let mut matches = vec![Match::Frame(FrameKind::Ip), Match::Protocol(protocol)];
    matches.extend(more);
    Clause::new(matches, verdict)
}

fn icmp(family: Family, kind: u8, code: Option<u8>) -> Clause {
    let protocol = match family {
        Family::V4 => Protocol::ICMP,
        Family::V6 => Protocol::ICMPV6,
    };
    let matches = vec![Match::Family(family), Match::Protocol(protocol), Match::Icmp(IcmpType { family, kind, code })];
    Clause::new(matches, Verdict::Accept)
}

fn ports(list: &[(u16, u16)]) -> PortSet {
    PortSet::from_ranges(list.iter().copied())
}

/// The stage's clauses; `reject`: Microsoft noise is rejected, not dropped.
pub(super) fn clauses(reject: bool, broadcast: &Arc<AddressSet>) -> Vec<Clause> {
    let microsoft = if reject { Verdict::Reject } else { Verdict::Drop };
    let bare_syn = TcpFlags { mask: TcpFlags::FIN | TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK, set: TcpFlags::SYN };
    let mut whois = of(Protocol::TCP, [Match::DestPorts(PortSet::single(43))], Verdict::Reject);
    whois.matches.push(Match::Family(Family::V6));
    vec![
        whois,
        Clause::new(vec![Match::Frame(FrameKind::Ip), Match::Dest(Arc::clone(broadcast))], Verdict::Drop),
        icmp(Family::V4, 3, Some(4)),
        icmp(Family::V4, 11, None),
        icmp(Family::V6, 1, None),
        icmp(Family::V6, 3, None),
        icmp(Family::V6, 2, None),
        Clause::new(vec![Match::Frame(FrameKind::Ip), Match::State(States::INVALID)], Verdict::Drop),
        of(Protocol::UDP, [Match::DestPorts(ports(&[(135, 135), (137, 139), (445, 445)]))], microsoft),
        of(
            Protocol::UDP,
            [Match::SourcePorts(PortSet::single(137)), Match::DestPorts(PortSet::range(1024, 65535))],
            microsoft,
        ),
        of(Protocol::TCP, [Match::DestPorts(ports(&[(135, 135), (139, 139), (445, 445)]))], microsoft),
        of(Protocol::UDP, [Match::DestPorts(PortSet::single(1900))], Verdict::Drop),
        of(Protocol::TCP, [Match::TcpFlagsNot(bare_syn)], Verdict::Drop),
        of(Protocol::UDP, [Match::SourcePorts(PortSet::single(53))], Verdict::Drop),
    ]
}
