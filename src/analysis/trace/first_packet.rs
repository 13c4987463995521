//! The packet that a question describes, completed by what an ordinary first packet has.

use std::net::{IpAddr, Ipv4Addr};

use crate::net::{Family, IcmpType, Protocol, TcpFlags};
use crate::policy::State;

use super::ends;
use super::question::{Frame, Question, Unanswerable};
use crate::analysis::{ArpPacket, Body, IpPacket, Packet, Payload, Place};

/// The source port of packets that name none: the first of the dynamic ports (RFC 6335).
pub const EPHEMERAL: u16 = 49_152;

/// The whole packet.
pub(super) fn complete(question: &Question, from: Place<'_>, to: Place<'_>) -> Result<Packet, Unanswerable> {
    let body = match question.frame {
        Frame::Ip => Body::Ip(ip(question, from, to)?),
        Frame::Arp => {
            nothing_of_ip(question, "an ARP frame")?;
            Body::Arp(arp(question, from, to)?)
        }
        // Nobody looks into it: what it carries is neither needed nor wrong.
        Frame::Stacked => Body::Stacked,
        Frame::Other(number) => {
            nothing_of_ip(question, &format!("a frame of ethertype {number:#06x}"))?;
            Body::Other(number)
        }
    };
    let interface = question.interface.clone();
    Ok(Packet { body, source_mac: question.mac, in_interface: interface.clone(), out_interface: interface })
}

fn nothing_of_ip(question: &Question, what: &str) -> Result<(), Unanswerable> {
    let given = [
        ("--proto", question.protocol.is_some()),
        ("--sport", question.sport.is_some()),
        ("--dport", question.dport.is_some()),
        ("--icmp-type", question.icmp_type.is_some()),
        ("--tcp-flags", question.tcp_flags.is_some()),
        ("--state", question.state.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Unanswerable::new(format!("{what} has no `{option}`"), "leave it out")),
        None => Ok(()),
    }
}

fn arp(question: &Question, from: Place<'_>, to: Place<'_>) -> Result<ArpPacket, Unanswerable> {
    let (_, sender, target) = addresses(question, from, to)?;
    let v4 = |address| match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    Ok(ArpPacket { sender_mac: None, sender: v4(sender), target: v4(target) })
}

fn ip(question: &Question, from: Place<'_>, to: Place<'_>) -> Result<IpPacket, Unanswerable> {
    let (family, source, dest) = addresses(question, from, to)?;
    let state = question.state.unwrap_or(State::New);
    let protocol = protocol(question, family)?;
    let payload = payload(question, family, protocol, state)?;
    Ok(IpPacket { source, dest, protocol, payload, state })
}

/// The protocol that is named, or that the other fields tell, or ICMP for a ping.
fn protocol(question: &Question, family: Family) -> Result<Protocol, Unanswerable> {
    if let Some(protocol) = question.protocol {
        return Ok(protocol);
    }
    if let Some(option) = [("--dport", question.dport), ("--sport", question.sport)]
        .into_iter()
        .find_map(|(option, port)| port.map(|_| option))
    {
        let message = format!("`{option}` without a protocol");
        return Err(Unanswerable::new(message, "add `--proto tcp`, `--proto udp` or another protocol with ports"));
    }
    Ok(match (question.tcp_flags, family) {
        (Some(_), _) => Protocol::TCP,
        (None, Family::V4) => Protocol::ICMP,
        (None, Family::V6) => Protocol::ICMPV6,
    })
}

fn payload(question: &Question, family: Family, protocol: Protocol, state: State) -> Result<Payload, Unanswerable> {
    let is_icmp = matches!(protocol, Protocol::ICMP | Protocol::ICMPV6);
    let foreign = [
        ("--dport", "ports", question.dport.is_some() && !protocol.has_ports()),
        ("--sport", "ports", question.sport.is_some() && !protocol.has_ports()),
        ("--icmp-type", "ICMP types", question.icmp_type.is_some() && !is_icmp),
        ("--tcp-flags", "TCP flags", question.tcp_flags.is_some() && protocol != Protocol::TCP),
    ];
    if let Some((option, what, _)) = foreign.into_iter().find(|(.., foreign)| *foreign) {
        let help = format!("leave `{option}` out, or name another protocol");
        return Err(Unanswerable::new(format!("`{protocol}` has no {what}"), help));
    }
    if is_icmp {
        return icmp(question.icmp_type.as_deref(), family);
    }
    if !protocol.has_ports() {
        return Ok(Payload::Other);
    }
    let source = question.sport.unwrap_or(EPHEMERAL);
    let dest = match (question.dport, state) {
        (Some(port), _) => port,
        // Of a connection that is known already, as in a reply.
        (None, State::Established | State::Related) => EPHEMERAL,
        (None, State::New | State::Invalid) => {
            let message = format!("a `{protocol}` packet needs a destination port");
            return Err(Unanswerable::new(message, "add `--dport PORT`"));
        }
    };
    if protocol != Protocol::TCP {
        return Ok(Payload::Ports { source, dest });
    }
    let usual = match state {
        State::New | State::Related => TcpFlags::SYN,
        State::Established | State::Invalid => TcpFlags::ACK,
    };
    Ok(Payload::Tcp { source, dest, flags: question.tcp_flags.unwrap_or(usual) })
}

fn icmp(text: Option<&str>, family: Family) -> Result<Payload, Unanswerable> {
    let parsed = IcmpType::parse(family, text.unwrap_or("echo-request")).map_err(|message| {
        let other = match family {
            Family::V4 => Family::V6,
            Family::V6 => Family::V4,
        };
        let known_there = text.is_some_and(|text| IcmpType::parse(other, text).is_ok());
        let help = match other {
            Family::V6 if known_there => "it is a type of ICMPv6: add `-6` or `--proto icmpv6`",
            Family::V4 if known_there => "it is a type of ICMP: add `-4` or `--proto icmp`",
            Family::V4 | Family::V6 => "write a name, a number or `type/code`, as in a rule's `icmp_type`",
        };
        Unanswerable::new(message, help)
    })?;
    Ok(Payload::Icmp { kind: parsed.kind, code: parsed.code.unwrap_or(0) })
}

/// The family, the source and the destination address.
fn addresses(question: &Question, from: Place<'_>, to: Place<'_>) -> Result<(Family, IpAddr, IpAddr), Unanswerable> {
    let fixed = family(question)?;
    let source = |family| question.source.or_else(|| first_address(from, family));
    let dest = |family| question.dest.or_else(|| first_address(to, family));
    let wanted = fixed.map_or(Family::BOTH.to_vec(), |family| vec![family]);
    let complete = wanted.iter().find_map(|family| Some((*family, source(*family)?, dest(*family)?)));
    complete.ok_or_else(|| {
        let missing = |family| {
            let source = source(family).is_none().then_some((from, "--source"));
            let dest = dest(family).is_none().then_some((to, "--dest"));
            source.into_iter().chain(dest).collect::<Vec<_>>()
        };
        let family = wanted.iter().copied().min_by_key(|family| missing(*family).len()).unwrap_or(Family::V4);
        unusable(family, &missing(family))
    })
}

fn unusable(family: Family, missing: &[(Place<'_>, &str)]) -> Unanswerable {
    let names: Vec<String> = missing.iter().map(|(place, _)| format!("`{}`", ends::name(*place))).collect();
    let options: Vec<String> = missing.iter().map(|(_, option)| format!("`{option} ADDRESS`")).collect();
    let only_outside = missing.iter().all(|(place, _)| matches!(place, Place::Outside));
    let what = if only_outside { "address" } else { &format!("{} address", family.name()) };
    let other = match family {
        Family::V4 => Family::V6,
        Family::V6 => Family::V4,
    };
    let has_other = missing.iter().any(|(place, _)| first_address(*place, other).is_some());
    let help = format!("add {}", options.join(" and "));
    let help = if has_other { format!("{help}, or ask about {}", other.name()) } else { help };
    Unanswerable::new(format!("no {what} is known of {}", names.join(" and ")), help)
}

/// The family that the question fixes, if it does.
fn family(question: &Question) -> Result<Option<Family>, Unanswerable> {
    let of_protocol = question.protocol.and_then(|protocol| {
        let mut spoken = Family::BOTH.into_iter().filter(|family| protocol.speaks_of(*family));
        let only = spoken.next().filter(|_| spoken.next().is_none())?;
        Some((format!("`--proto {protocol}`"), only))
    });
    let option = |family| match family {
        Family::V4 => "`-4`".to_owned(),
        Family::V6 => "`-6`".to_owned(),
    };
    let said: Vec<(String, Family)> = [
        (question.frame == Frame::Arp).then(|| ("ARP".to_owned(), Family::V4)),
        question.family.map(|family| (option(family), family)),
        of_protocol,
        question.source.map(|address| (format!("the source `{address}`"), Family::of(address))),
        question.dest.map(|address| (format!("the destination `{address}`"), Family::of(address))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let Some((first, family)) = said.first() else { return Ok(None) };
    match said.iter().find(|(_, other)| other != family) {
        None => Ok(Some(*family)),
        Some((second, other)) => Err(Unanswerable::new(
            format!("{first} is {}, and {second} {}", family.name(), other.name()),
            "a packet is of one family: write both of the same",
        )),
    }
}

/// A place's first address of a family.
fn first_address(place: Place<'_>, family: Family) -> Option<IpAddr> {
    let known = match place {
        Place::Outside => return None,
        Place::Host(host) => &host.addresses,
        Place::Guest(_, _, nic) => &nic.addresses,
    };
    known.iter().map(|address| address.address()).find(|address| Family::of(*address) == family)
}
