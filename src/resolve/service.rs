//! What a rule says of protocol, ports, ICMP type and TCP flags, as alternatives.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::net::{
    Family, IcmpType, MACROS, Macro, PortSet, Protocol, TcpFlags, find_macro, icmp_type_names, parse_ports,
};
use crate::policy::Service;
use crate::spec::model::{self, List, Rule, Test, Text};

use super::address::Unresolved;

/// What a rule or a test says of services, as written.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServiceWords<'a> {
    macro_name: Option<&'a Text>,
    proto: Option<&'a List>,
    sport: Option<&'a List>,
    dport: Option<&'a List>,
    icmp_type: Option<&'a List>,
    tcp_flags: Option<&'a model::TcpFlags>,
}

impl ServiceWords<'_> {
    /// The macro or the protocols, if any.
    pub(super) fn span(self) -> Option<Span> {
        self.macro_name.map(|name| name.span).or(self.proto.map(|list| list.span))
    }
}

impl<'a> From<&'a Rule> for ServiceWords<'a> {
    fn from(rule: &'a Rule) -> Self {
        Self {
            macro_name: rule.macro_name.as_ref(),
            proto: rule.proto.as_ref(),
            sport: rule.sport.as_ref(),
            dport: rule.dport.as_ref(),
            icmp_type: rule.icmp_type.as_ref(),
            tcp_flags: rule.tcp_flags.as_ref(),
        }
    }
}

impl<'a> From<&'a Test> for ServiceWords<'a> {
    fn from(test: &'a Test) -> Self {
        Self {
            macro_name: test.macro_name.as_ref(),
            proto: test.proto.as_ref(),
            sport: test.sport.as_ref(),
            dport: test.dport.as_ref(),
            icmp_type: test.icmp_type.as_ref(),
            tcp_flags: test.tcp_flags.as_ref(),
        }
    }
}

/// The alternatives of a rule (empty: every protocol) and the macro they come from, if any.
pub(super) fn services(
    rule: ServiceWords<'_>,
    out: &mut Diagnostics,
) -> Result<(Vec<Service>, Option<&'static str>), Unresolved> {
    match rule.macro_name {
        Some(name) => {
            let known = of_macro(name, out)?;
            Ok((macro_services(known), Some(known.name)))
        }
        None => Ok((spelled_out(rule, out)?, None)),
    }
}

/// The macro of a name. (The reader refuses keys that do not go with one.)
fn of_macro(name: &Text, out: &mut Diagnostics) -> Result<&'static Macro, Unresolved> {
    find_macro(&name.value).ok_or_else(|| {
        let help = did_you_mean(&name.value, "macros", MACROS.iter().map(|known| known.name));
        let message = format!("unknown macro `{}`", name.value);
        out.push(Diagnostic::error(Code::UnknownMacro, name.span, message).help(help));
        Unresolved
    })
}

fn macro_services(known: &Macro) -> Vec<Service> {
    let service = |line: &crate::net::MacroLine| {
        let service = line.service()?;
        Some(Service {
            protocol: service.protocol,
            source_ports: service.source_ports,
            dest_ports: service.dest_ports,
            icmp: service.icmp,
            tcp_flags: None,
        })
    };
    known.lines.iter().filter_map(service).collect()
}

fn spelled_out(rule: ServiceWords<'_>, out: &mut Diagnostics) -> Result<Vec<Service>, Unresolved> {
    let protocols = match rule.proto {
        Some(list) => protocols(list, out),
        None => Ok(Vec::new()),
    };
    let source_ports = ports("sport", rule.sport, &protocols, rule.proto, out);
    let dest_ports = ports("dport", rule.dport, &protocols, rule.proto, out);
    let types = icmp_types(rule, &protocols, out);
    let flags = match rule.tcp_flags {
        Some(flags) => tcp_flags(flags, &protocols, out).map(Some),
        None => Ok(None),
    };
    let (protocols, source_ports, dest_ports) = (protocols?, source_ports?, dest_ports?);
    let (types, tcp_flags) = (types?, flags?);
    let mut services = Vec::with_capacity(protocols.len());
    for protocol in protocols {
        let plain = Service {
            protocol,
            source_ports: source_ports.clone(),
            dest_ports: dest_ports.clone(),
            icmp: None,
            tcp_flags,
        };
        match types.iter().filter(|icmp| icmp_protocol(icmp.family) == protocol).collect::<Vec<_>>().as_slice() {
            [] => services.push(plain),
            types => services.extend(types.iter().map(|icmp| Service { icmp: Some(**icmp), ..plain.clone() })),
        }
    }
    Ok(services)
}

const fn icmp_protocol(family: Family) -> Protocol {
    match family {
        Family::V4 => Protocol::ICMP,
        Family::V6 => Protocol::ICMPV6,
    }
}

fn empty_list(key: &str, span: Span, out: &mut Diagnostics) -> Unresolved {
    out.push(
        Diagnostic::error(Code::EmptyMatch, span, "an empty list matches nothing")
            .help(format!("name at least one value, or leave `{key}` out to match any")),
    );
    Unresolved
}

fn protocols(list: &List, out: &mut Diagnostics) -> Result<Vec<Protocol>, Unresolved> {
    if list.value.is_empty() {
        return Err(empty_list("proto", list.span, out));
    }
    let mut found = Ok(Vec::new());
    for text in &list.value {
        match Protocol::parse(&text.value) {
            Ok(protocol) => {
                if let Ok(all) = &mut found
                    && !all.contains(&protocol)
                {
                    all.push(protocol);
                }
            }
            Err(message) => {
                let is_number = text.value.starts_with(|first: char| first.is_ascii_digit());
                let help = if is_number {
                    "protocols have numbers from 0 to 255, without zeros before them, and most have names".to_owned()
                } else {
                    did_you_mean(&text.value, "protocols", Protocol::names())
                };
                out.push(Diagnostic::error(Code::UnknownProtocol, text.span, message).help(help));
                found = Err(Unresolved);
            }
        }
    }
    found
}

fn ports(
    key: &str,
    list: Option<&List>,
    protocols: &Result<Vec<Protocol>, Unresolved>,
    proto: Option<&List>,
    out: &mut Diagnostics,
) -> Result<Option<PortSet>, Unresolved> {
    let Some(list) = list else { return Ok(None) };
    if list.value.is_empty() {
        return Err(empty_list(key, list.span, out));
    }
    let mut good = true;
    let mut all = Vec::with_capacity(list.value.len());
    for text in &list.value {
        match parse_ports(&text.value) {
            Ok(ports) => all.extend(ports.iter()),
            Err(message) => {
                let is_number = text.value.starts_with(|first: char| first.is_ascii_digit());
                let help = if is_number {
                    "ports go from 0 to 65535; write one, or a range from the lower to the higher, such as `8000-8099`"
                        .to_owned()
                } else {
                    let near = did_you_mean(&text.value, "service names", crate::net::service_names());
                    format!("{near}; write a port, a service name, or a range such as `8000-8099`")
                };
                out.push(Diagnostic::error(Code::BadPort, text.span, message).help(help));
                good = false;
            }
        }
    }
    match (protocols, proto) {
        (_, None) => {
            let message = format!("`{key}` without a protocol");
            let why = "a port means nothing without a protocol, and no target would hold the rule to it";
            out.push(
                Diagnostic::error(Code::PortWithoutProtocol, list.span, message)
                    .because(why)
                    .help("add `proto: tcp`, `proto: udp`, or both as a list"),
            );
            good = false;
        }
        (Ok(protocols), Some(proto)) => {
            for protocol in protocols.iter().filter(|protocol| !protocol.has_ports()) {
                let message = format!("protocol `{protocol}` has no ports");
                out.push(
                    Diagnostic::error(Code::PortWithoutProtocol, list.span, message)
                        .label(proto.span, "the protocol")
                        .help("write a rule of its own for it, without ports"),
                );
                good = false;
            }
        }
        (Err(Unresolved), Some(_)) => good = false,
    }
    if good { Ok(Some(PortSet::from_ranges(all))) } else { Err(Unresolved) }
}

fn icmp_types(
    rule: ServiceWords<'_>,
    protocols: &Result<Vec<Protocol>, Unresolved>,
    out: &mut Diagnostics,
) -> Result<Vec<IcmpType>, Unresolved> {
    let Some(list) = rule.icmp_type else { return Ok(Vec::new()) };
    if list.value.is_empty() {
        return Err(empty_list("icmp_type", list.span, out));
    }
    let protocols = protocols.as_ref().map_err(|unresolved| *unresolved)?;
    let only_icmp = protocols.iter().all(|protocol| matches!(*protocol, Protocol::ICMP | Protocol::ICMPV6));
    if protocols.is_empty() || !only_icmp {
        out.push(
            Diagnostic::error(
                Code::IcmpTypeWithoutIcmp,
                list.span,
                "`icmp_type` goes with `proto: icmp` or `icmpv6` only",
            )
            .help("add `proto: icmp` (IPv4), `proto: icmpv6` (IPv6), or both as a list"),
        );
        return Err(Unresolved);
    }
    let mut types = Ok(Vec::new());
    for text in &list.value {
        for protocol in protocols {
            let family = if *protocol == Protocol::ICMP { Family::V4 } else { Family::V6 };
            match IcmpType::parse(family, &text.value) {
                Ok(icmp) => {
                    if let Ok(all) = &mut types
                        && !all.contains(&icmp)
                    {
                        all.push(icmp);
                    }
                }
                Err(message) => {
                    let help = did_you_mean(&text.value, "types", icmp_type_names(family));
                    out.push(Diagnostic::error(Code::UnknownIcmpType, text.span, message).help(help));
                    types = Err(Unresolved);
                }
            }
        }
    }
    types
}

fn tcp_flags(
    flags: &model::TcpFlags,
    protocols: &Result<Vec<Protocol>, Unresolved>,
    out: &mut Diagnostics,
) -> Result<TcpFlags, Unresolved> {
    let mask = flag_bits(&flags.mask, out);
    let set = flag_bits(&flags.set, out);
    let (mask, set) = (mask?, set?);
    if mask == 0 {
        return Err(empty_list("tcp_flags", flags.mask.span, out));
    }
    if set & !mask != 0 {
        let names: Vec<&str> = TcpFlags::names(set & !mask).collect();
        let message = format!("flag `{}` is in `set` but not in `mask`", names.join("`, `"));
        out.push(
            Diagnostic::error(Code::TcpFlagsContradict, flags.set.span, message)
                .because("never matches")
                .label(flags.mask.span, "only these flags are looked at")
                .help("add it to `mask`"),
        );
        return Err(Unresolved);
    }
    let protocols = protocols.as_ref().map_err(|unresolved| *unresolved)?;
    if protocols.as_slice() != [Protocol::TCP] {
        out.push(
            Diagnostic::error(Code::TcpFlagsWithoutTcp, flags.span, "`tcp_flags` goes with `proto: tcp` only")
                .help("add `proto: tcp`"),
        );
        return Err(Unresolved);
    }
    Ok(TcpFlags { mask, set })
}

fn flag_bits(list: &List, out: &mut Diagnostics) -> Result<u8, Unresolved> {
    let mut bits = Ok(0);
    for text in &list.value {
        match TcpFlags::bit(&text.value) {
            Some(bit) => bits = bits.map(|all: u8| all | bit),
            None => {
                let help = did_you_mean(&text.value, "flags", TcpFlags::NAMES.iter().map(|(name, _)| *name));
                let message = format!("unknown TCP flag `{}`", text.value);
                out.push(Diagnostic::error(Code::UnknownTcpFlag, text.span, message).help(help));
                bits = Err(Unresolved);
            }
        }
    }
    bits
}
