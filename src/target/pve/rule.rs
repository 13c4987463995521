//! One rule of the policy as lines of a `.fw` file.
//!
//! In: a rule and the file's scope. Out: lines whose union, first match wins, is the rule; or, at the rule's place,
//! what cannot be said. Promise: no line matches a packet that the rule does not.
//!
//! What is split, and why:
//!
//! | in the rule | in the file |
//! |---|---|
//! | several protocols, several ICMP types, mixed port lists | a line for each |
//! | more than 15 ports, a range counting two | lists of at most 15 |
//! | a macro that only one implementation knows (`HTTP/3`, `PBS`) | spelled out |
//! | a macro of both families beside addresses of one (`Ping` from 10.0.0.0/8) | spelled out for that family: one implementation would accept ICMPv6 from anyone |
//! | a list of both families | a line for each family, or an ipset |
//! | a list with ranges, aliases or ipsets in it | an ipset |
//! | one side of both families, the other of one | cut to the common family: one implementation would lose a match |
//!
//! What is refused: `tcp_flags`, `reject` in forward rules, ICMP types and protocols without a name there, port 0
//! alone (one implementation takes it for every port), interface names outside Proxmox VE's pattern.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::net::{Family, IcmpType, PortSet, Protocol};
use crate::policy::{
    AddressTerm, Addresses, Direction, GroupCall, Log, LogLevel, Origin, Reference, Rule, RuleInterface, Service,
    Verdict,
};

use super::file::{Action, RuleLine};
use super::ipset::{network_text, single_network};
use super::names::{Names, Scope};

/// The most ports in one list; a range counts two.
const PORTS_MAX: usize = 15;
/// The most addresses in a rule; more become an ipset.
const ADDRESSES_MAX: usize = 20;
/// Macros that only one implementation knows.
const MACROS_OF_ONE: &[&str] = &["HTTP/3", "PBS"];

/// What lowering a rule needs from around it.
pub(super) struct Context<'c, 'a> {
    /// The definitions of `cluster.fw`.
    pub(super) names: &'c mut Names<'a>,
    /// Where complaints go.
    pub(super) diagnostics: &'c mut Diagnostics,
    /// Whether some node runs the nftables implementation, which knows fewer ICMP types by name.
    pub(super) nftables: bool,
}

/// One way to say who speaks to whom: both families, or one.
struct Sides {
    only: Option<Family>,
    source: Option<String>,
    dest: Option<String>,
}

/// One way to say what is spoken.
#[derive(Clone, Default)]
struct Words {
    macro_name: Option<&'static str>,
    protocol: Option<&'static str>,
    dest_ports: Option<String>,
    source_ports: Option<String>,
    icmp_type: Option<&'static str>,
}

impl Context<'_, '_> {
    /// Appends the rule's lines. `interface` is the one it is restricted to here.
    pub(super) fn rule(
        &mut self,
        rule: &Rule,
        interface: &RuleInterface,
        scope: &mut Scope<'_>,
        out: &mut Vec<RuleLine>,
    ) {
        if rule.direction == Direction::Forward && rule.verdict == Verdict::Reject {
            self.refuse(rule.origin.span, "Proxmox VE has no `reject` in forward rules", "write `forward: drop`");
            return;
        }
        let Ok(interface) = self.interface(interface, rule.origin.span) else { return };
        let before = out.len();
        let mut refused = false;
        for sides in self.sides(rule, scope) {
            let Ok(words) = self.words(rule, sides.only) else {
                refused = true;
                continue;
            };
            out.extend(words.into_iter().map(|words| RuleLine {
                enabled: rule.enabled,
                action: Action::Verdict {
                    direction: rule.direction,
                    verdict: rule.verdict,
                    macro_name: words.macro_name,
                },
                interface: interface.clone(),
                source: sides.source.clone(),
                dest: sides.dest.clone(),
                protocol: words.protocol,
                dest_ports: words.dest_ports,
                source_ports: words.source_ports,
                icmp_type: words.icmp_type,
                log: level(rule.log),
                comment: Some(comment(&rule.origin, rule.comment.as_deref())),
            }));
        }
        if out.len() == before && !refused && rule.enabled {
            self.refuse(rule.origin.span, "no packet can match this rule", "check the families of its addresses");
        }
    }

    /// Appends a reference to a group.
    pub(super) fn call(&mut self, call: &GroupCall, out: &mut Vec<RuleLine>) {
        let Ok(interface) = self.interface(&call.interface, call.origin.span) else { return };
        out.push(RuleLine {
            enabled: call.enabled,
            interface,
            comment: Some(comment(&call.origin, call.comment.as_deref())),
            ..RuleLine::new(Action::Group(call.group.name.to_lowercase()))
        });
    }

    /// Notes that something cannot be said in a `.fw` file.
    pub(super) fn refuse(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let error = Diagnostic::error(Code::PveInexpressible, span, message);
        self.diagnostics.push(error.help(format!("{}, or leave `pve` out of the `targets`", help.into())));
    }

    fn interface(&mut self, interface: &RuleInterface, span: Span) -> Result<Option<String>, ()> {
        match interface {
            RuleInterface::Any => Ok(None),
            RuleInterface::Nic(index) => Ok(Some(format!("net{index}"))),
            RuleInterface::Host(name) if is_interface(name) => Ok(Some(name.clone())),
            RuleInterface::Host(name) => {
                let message = format!("Proxmox VE takes no interface of the name `{name}`");
                self.refuse(
                    span,
                    message,
                    "it takes a letter, then letters, digits and `_`, then `.` or `:` and a number",
                );
                Err(())
            }
        }
    }

    /// Who speaks to whom, in one line for both families or a line for each.
    fn sides(&mut self, rule: &Rule, scope: &mut Scope<'_>) -> Vec<Sides> {
        let (source, dest) = (rule.source.as_ref(), rule.dest.as_ref());
        if source.is_none() && dest.is_none() {
            return vec![Sides { only: None, source: None, dest: None }];
        }
        let speaks = |family: Family| {
            let has = |side: Option<&Addresses>| side.is_none_or(|addresses| addresses.set.has(family));
            has(source) && has(dest)
        };
        let apart = [source, dest].into_iter().flatten().any(is_plain);
        let ways: Vec<Option<Family>> = match (speaks(Family::V4), speaks(Family::V6)) {
            (true, true) if apart => vec![Some(Family::V4), Some(Family::V6)],
            (true, true) => vec![None],
            (true, false) => vec![Some(Family::V4)],
            (false, true) => vec![Some(Family::V6)],
            (false, false) => Vec::new(),
        };
        ways.into_iter()
            .map(|only| Sides {
                only,
                source: source.map(|side| self.side(side, only, scope)),
                dest: dest.map(|side| self.side(side, only, scope)),
            })
            .collect()
    }

    /// One side's addresses of one family or of both.
    fn side(&mut self, side: &Addresses, only: Option<Family>, scope: &mut Scope<'_>) -> String {
        let cut = only.filter(|family| {
            let other = Family::BOTH.iter().find(|other| *other != family);
            other.is_some_and(|other| side.set.has(*other))
        });
        if let ([term], None) = (side.terms.as_slice(), cut) {
            return self.names.term(term, scope);
        }
        if cut.is_none() && self.names.is_management(&side.terms) {
            return "+dc/management".to_owned();
        }
        if is_plain(side) {
            let mut texts: Vec<String> = Vec::with_capacity(side.terms.len());
            let families = Family::BOTH.into_iter().filter(|family| only.is_none_or(|only| only == *family));
            for network in families.flat_map(|family| side.terms.iter().flat_map(move |term| term.set.networks(family)))
            {
                let text = network_text(network);
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
            return texts.join(",");
        }
        let written: Vec<String> = side.terms.iter().map(|term| self.names.kinds.text(&term.reference)).collect();
        match cut {
            None => self.names.list(&side.set, scope, &written.join(", ")),
            Some(family) => {
                let written = format!("{} of {}", family.name(), written.join(", "));
                self.names.list(&side.set.only(family), scope, &written)
            }
        }
    }

    /// What is spoken; `only` where the addresses speak of one family. Every problem is noted.
    fn words(&mut self, rule: &Rule, only: Option<Family>) -> Result<Vec<Words>, ()> {
        let fits = |service: &&Service| only.is_none_or(|only| family_of(service).is_none_or(|family| family == only));
        let services: Vec<&Service> = rule.services.iter().filter(fits).collect();
        if rule.services.is_empty() {
            return Ok(vec![Words::default()]);
        }
        if let Some(name) = rule.macro_name
            && services.len() == rule.services.len()
            && !MACROS_OF_ONE.contains(&name)
        {
            return Ok(vec![Words { macro_name: Some(name), ..Words::default() }]);
        }
        let mut all = Vec::new();
        let mut good = true;
        for service in services {
            match self.service(service, rule.origin.span) {
                Ok(words) => all.extend(words),
                Err(()) => good = false,
            }
        }
        if good { Ok(all) } else { Err(()) }
    }

    fn service(&mut self, service: &Service, span: Span) -> Result<Vec<Words>, ()> {
        if service.tcp_flags.is_some() {
            self.refuse(span, "Proxmox VE cannot match `tcp_flags`", "leave them out");
            return Err(());
        }
        let protocol = self.protocol(service.protocol, span)?;
        let icmp_type = service.icmp.map(|icmp| self.icmp_type(icmp, span)).transpose()?;
        let source_ports = self.ports(service.source_ports.as_ref(), span)?;
        let dest_ports = self.ports(service.dest_ports.as_ref(), span)?;
        let words = |(dest_ports, source_ports): (&Option<String>, &Option<String>)| Words {
            macro_name: None,
            protocol: Some(protocol),
            dest_ports: dest_ports.clone(),
            source_ports: source_ports.clone(),
            icmp_type,
        };
        let pairs = dest_ports.iter().flat_map(|dest| source_ports.iter().map(move |source| (dest, source)));
        Ok(pairs.map(words).collect())
    }

    fn protocol(&mut self, protocol: Protocol, span: Span) -> Result<&'static str, ()> {
        protocol.name().ok_or_else(|| {
            let message = format!("Proxmox VE takes no protocol without a name such as {protocol}");
            self.refuse(span, message, "name another protocol");
        })
    }

    fn icmp_type(&mut self, icmp: IcmpType, span: Span) -> Result<&'static str, ()> {
        let code = icmp.code.map(|code| format!("/{code}")).unwrap_or_default();
        match icmp.name() {
            Some(name) if !self.nftables || is_common(icmp) => Ok(name),
            Some(name) => {
                let message = format!("Proxmox VE's nftables implementation does not know the ICMP type `{name}`");
                self.refuse(span, message, "take `nftables: true` away");
                Err(())
            }
            None => {
                let message = format!("Proxmox VE takes ICMP types by name, and {}{code} has none", icmp.kind);
                self.refuse(span, message, "use a type that has a name");
                Err(())
            }
        }
    }

    /// The lists of a port match; one `None` where there is no match.
    fn ports(&mut self, ports: Option<&PortSet>, span: Span) -> Result<Vec<Option<String>>, ()> {
        let Some(ports) = ports else { return Ok(vec![None]) };
        if ports.as_slice() == [(0, 0)] {
            self.refuse(
                span,
                "port 0 alone means every port to Proxmox VE's iptables implementation",
                "name another port beside it",
            );
            return Err(());
        }
        Ok(port_lists(ports).into_iter().map(Some).collect())
    }
}

/// Whether a side is a list of networks of both families, short enough to stand in rules.
fn is_plain(side: &Addresses) -> bool {
    let literal =
        |term: &AddressTerm| matches!(term.reference, Reference::Literal(_)) && single_network(&term.set).is_some();
    side.terms.len() <= ADDRESSES_MAX && side.terms.iter().all(literal)
}

/// The family that a service speaks of, where it is one.
fn family_of(service: &Service) -> Option<Family> {
    match service.protocol {
        Protocol::ICMP | Protocol::IGMP => Some(Family::V4),
        Protocol::ICMPV6 => Some(Family::V6),
        _ => None,
    }
}

/// Port lists in Proxmox VE's words, none longer than it takes. Port 0 is the first, so it is never left alone.
pub(super) fn port_lists(ports: &PortSet) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    let mut weight = PORTS_MAX;
    for (first, last) in ports.iter() {
        let cost = if first == last { 1 } else { 2 };
        let item = if first == last { first.to_string() } else { format!("{first}:{last}") };
        match lists.last_mut() {
            Some(list) if weight + cost <= PORTS_MAX => {
                weight += cost;
                list.push(',');
                list.push_str(&item);
            }
            Some(_) | None => {
                weight = cost;
                lists.push(item);
            }
        }
    }
    lists
}

/// A rule's identity and its author's words: `[web] until the VPN is up`.
pub(super) fn comment(origin: &Origin, words: Option<&str>) -> String {
    match words {
        Some(words) => format!("[{}] {words}", origin.identity),
        None => format!("[{}]", origin.identity),
    }
}

pub(super) const fn level(log: Log) -> Option<LogLevel> {
    match log {
        Log::None => None,
        Log::At(level) => Some(level),
    }
}

/// Names of interfaces that Proxmox VE takes: `vmbr0`, `eno1.100`.
fn is_interface(name: &str) -> bool {
    let (stem, number) = match name.find(['.', ':']) {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    let digits = number.is_empty() || (number.len() > 1 && number.bytes().skip(1).all(|byte| byte.is_ascii_digit()));
    let mut bytes = stem.bytes();
    let letter = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    letter && digits && (2..=21).contains(&stem.len()) && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether both implementations know the type by its name.
pub(super) const fn is_common(icmp: IcmpType) -> bool {
    if icmp.code.is_some() {
        return false;
    }
    match icmp.family {
        Family::V4 => matches!(icmp.kind, 0 | 3 | 4 | 5 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 17 | 18),
        Family::V6 => matches!(icmp.kind, 1..=4 | 128..=132 | 143),
    }
}
