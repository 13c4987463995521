//! The arguments of `trace` as a question: words to values.

use std::net::IpAddr;

use crate::analysis::{Frame, Question};
use crate::cli::Failure;
use crate::diagnostic::did_you_mean;
use crate::net::{Family, Mac, Protocol, TcpFlags, ethertype_names, parse_ethertype, parse_ports, service_names};
use crate::policy::{Endpoint, Selector, State};

use super::Arguments;

/// The ethertypes that are no content of their own: IP, and VLAN tags.
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const TAG: u16 = 0x8100;
const IPV6: u16 = 0x86dd;
const SERVICE_TAG: u16 = 0x88a8;

/// Reads the arguments.
pub(super) fn question(arguments: &Arguments) -> Result<Question, Failure> {
    let mut question = Question::between(end("--from", &arguments.from)?, end("--to", &arguments.to)?);
    question.via = arguments.via.as_deref().map(host);
    question.on = arguments.on.iter().map(|text| host(text)).collect();
    (question.frame, question.family) = frame(arguments)?;
    question.source = arguments.source.as_deref().map(|text| address("--source", text)).transpose()?;
    question.dest = arguments.dest.as_deref().map(|text| address("--dest", text)).transpose()?;
    question.protocol = arguments.proto.as_deref().filter(|text| !is_arp(text)).map(protocol).transpose()?;
    question.sport = arguments.sport.as_deref().map(|text| port("--sport", text)).transpose()?;
    question.dport = arguments.dport.as_deref().map(|text| port("--dport", text)).transpose()?;
    question.icmp_type.clone_from(&arguments.icmp_type);
    question.tcp_flags = arguments.tcp_flags.as_deref().map(tcp_flags).transpose()?;
    question.state =
        arguments.state.as_ref().and_then(|text| State::ALL.into_iter().find(|state| state.name() == text.as_str()));
    question.interface = arguments.iface.clone().map(|name| interface(name, &question)).transpose()?;
    question.mac = arguments.mac.as_deref().map(|text| Mac::parse(text).map_err(bad("--mac", None))).transpose()?;
    Ok(question)
}

/// A failure that names the option.
fn bad(option: &'static str, help: Option<String>) -> impl FnOnce(String) -> Failure {
    move |message| {
        let failure = Failure::new(format!("`{option}`: {message}"));
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

fn end(option: &str, text: &str) -> Result<Endpoint, Failure> {
    let several = |what: &str| {
        Failure::new(format!("`{option}`: `{text}` is {what}, and a packet has one sender and one receiver"))
            .help("write `outside`, `host/NAME`, `vm/ID` or `ct/ID`; claims about many machines are the spec's `tests`")
    };
    match Selector::parse(text) {
        Some(Selector::Outside) => Ok(Endpoint::Outside),
        Some(Selector::Host(name)) => Ok(Endpoint::Host(name)),
        Some(Selector::Guest(kind, id, nic)) => Ok(Endpoint::Guest { kind, id, nic }),
        Some(Selector::EveryHost) => Err(several("every host")),
        Some(Selector::EveryGuest(_)) => Err(several("every guest of a kind")),
        Some(Selector::Zone(_)) => Err(several("a zone")),
        None => Err(Failure::new(format!("`{option}`: `{text}` is not an end of a packet's way"))
            .help("write `outside`, `host/NAME`, `vm/ID` or `ct/ID`, and `vm/ID:net1` for another NIC than the first")),
    }
}

/// `host/NAME`, or the name alone where nothing else can be meant.
fn host(text: &str) -> String {
    text.strip_prefix("host/").unwrap_or(text).to_owned()
}

fn address(option: &'static str, text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_| {
        let network = text.parse::<ipnet::IpNet>().is_ok();
        let message = format!("`{text}` is {}", if network { "a network" } else { "not an address" });
        bad(option, Some("write one IPv4 or IPv6 address".to_owned()))(message)
    })
}

fn is_arp(text: &str) -> bool {
    text.eq_ignore_ascii_case("arp")
}

fn protocol(text: &str) -> Result<Protocol, Failure> {
    let help = did_you_mean(text, "protocols", Protocol::names().chain(["arp"]));
    Protocol::parse(text).map_err(bad("--proto", Some(help)))
}

fn port(option: &'static str, text: &str) -> Result<u16, Failure> {
    let help =
        text.starts_with(|first: char| first.is_alphabetic()).then(|| did_you_mean(text, "services", service_names()));
    let ports = parse_ports(text).map_err(bad(option, help))?;
    match ports.iter().collect::<Vec<_>>().as_slice() {
        [(first, last)] if first == last => Ok(*first),
        _ => Err(bad(option, Some("write one port".to_owned()))(format!(
            "`{text}` is a range, and a packet has one port"
        ))),
    }
}

fn tcp_flags(text: &str) -> Result<u8, Failure> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(0);
    }
    text.split(',').map(str::trim).try_fold(0, |bits, name| {
        let known = || TcpFlags::NAMES.iter().map(|(name, _)| *name).chain(["none"]);
        let help = format!("write some of {}, with commas", known().collect::<Vec<_>>().join(", "));
        let bit = TcpFlags::bit(name).ok_or_else(|| format!("unknown TCP flag `{name}`"));
        bit.map(|bit| bits | bit).map_err(bad("--tcp-flags", Some(help)))
    })
}

/// A host's interface: a guest's NIC is part of the end.
fn interface(name: String, question: &Question) -> Result<String, Failure> {
    let is_guest = |end: &Endpoint| match end {
        Endpoint::Guest { .. } => true,
        Endpoint::Outside | Endpoint::Host(_) => false,
    };
    let number = name.strip_prefix("net").and_then(|number| number.parse::<u8>().ok());
    match number {
        Some(number) if number < 32 && (is_guest(&question.from) || is_guest(&question.to)) => {
            let message = format!("`--iface` is an interface of the host, and `{name}` one of a guest");
            Err(Failure::new(message).help(format!("the guest's NIC is part of the end, as in `vm/100:{name}`")))
        }
        Some(_) | None => Ok(name),
    }
}

/// What the frame carries, and the family where that is fixed by it.
fn frame(arguments: &Arguments) -> Result<(Frame, Option<Family>), Failure> {
    let family = match (arguments.ipv4, arguments.ipv6) {
        (true, _) => Some(Family::V4),
        (false, true) => Some(Family::V6),
        (false, false) => None,
    };
    if arguments.vlan.len() > 1 {
        return Ok((Frame::Stacked, family));
    }
    if arguments.proto.as_deref().is_some_and(is_arp) {
        return Ok((Frame::Arp, family));
    }
    let Some(text) = &arguments.ethertype else { return Ok((Frame::Ip, family)) };
    let help = did_you_mean(text, "ethertypes", ethertype_names());
    match parse_ethertype(text).map_err(bad("--ethertype", Some(help)))? {
        IPV4 => Ok((Frame::Ip, Some(Family::V4))),
        IPV6 => Ok((Frame::Ip, Some(Family::V6))),
        ARP => Ok((Frame::Arp, family)),
        SERVICE_TAG => Ok((Frame::Stacked, family)),
        TAG => Err(bad("--ethertype", Some("add `--vlan TAG`, twice for a tag within a tag".to_owned()))(format!(
            "`{text}` is a VLAN tag"
        ))),
        number => Ok((Frame::Other(number), family)),
    }
}
