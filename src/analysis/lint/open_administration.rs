//! A rule that opens an administrative port to everybody.
//!
//! An `in` rule accepts new connections to a port by which machines are administered, from the whole internet of a family:
//! without a `source`, or with one that holds all of it. Rules before it count: what they take away from most of the
//! internet is not open. A host's rule with `iface` is not told, because nothing says who is behind that interface.
//!
//! | port | because it gives |
//! |---|---|
//! | tcp 22 | a shell (SSH); scanned and tried all day long |
//! | tcp 23 | a shell, in plain text (Telnet) |
//! | tcp 2375 | root on the machine, without a password (Docker's API) |
//! | tcp 3389 | a desktop (RDP) |
//! | tcp 5900-5999 | consoles of guests, and desktops (VNC, SPICE) |
//! | tcp 5985-5986 | commands on Windows (WinRM) |
//! | tcp 8006 | the web interface and API of Proxmox VE |
//! | tcp 8007 | the web interface and API of Proxmox Backup Server |
//! | udp 623 | power and console of servers (IPMI) |
//! | tcp 3128, hosts on Proxmox VE | consoles of guests (SPICE's proxy) |
//! | tcp 60000-60050, hosts on Proxmox VE | the memory of guests that migrate |
//!
//! ```yaml
//! vms:
//!   100:
//!     rules: [ { in: accept, macro: SSH } ]   # from everywhere
//! ```
//!
//! Name who may: `source: +admins`. Where everybody is meant, say why: `allow: { open-administration: "a jump host" }`.

use crate::analysis::sets::{Diagram, OverBudget, PacketSet};
use crate::diagnostic::{Code, Diagnostic};
use crate::net::{AddressSet, Family, PortSet, Protocol};
use crate::policy::{Applied, Direction, Match, Platform, RuleInterface, State, States, Verdict};

use super::list::{List, Table};
use super::site::Site;
use super::{Finding, Ground};

/// An administrative port.
#[derive(Debug, Clone, Copy)]
struct Port {
    protocol: Protocol,
    first: u16,
    last: u16,
    what: &'static str,
    /// On hosts of Proxmox VE alone.
    nodes_only: bool,
}

const fn tcp(first: u16, last: u16, what: &'static str) -> Port {
    Port { protocol: Protocol::TCP, first, last, what, nodes_only: false }
}

const PORTS: [Port; 11] = [
    tcp(22, 22, "tcp 22 (SSH)"),
    tcp(23, 23, "tcp 23 (Telnet)"),
    tcp(2375, 2375, "tcp 2375 (Docker's API)"),
    tcp(3389, 3389, "tcp 3389 (RDP)"),
    tcp(5900, 5999, "tcp 5900-5999 (consoles)"),
    tcp(5985, 5986, "tcp 5985-5986 (WinRM)"),
    tcp(8006, 8006, "tcp 8006 (Proxmox VE)"),
    tcp(8007, 8007, "tcp 8007 (Proxmox Backup Server)"),
    Port { protocol: Protocol::UDP, first: 623, last: 623, what: "udp 623 (IPMI)", nodes_only: false },
    Port { nodes_only: true, ..tcp(3128, 3128, "tcp 3128 (SPICE)") },
    Port { nodes_only: true, ..tcp(60000, 60050, "tcp 60000-60050 (migration)") },
];

/// Addresses that nobody has on the internet (IANA's registries of special-purpose addresses).
const NOT_PUBLIC: [&str; 16] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
];

/// Global unicast addresses.
const PUBLIC: [&str; 2] = ["0.0.0.0/0", "2000::/3"];

/// A rule that opens ports to everybody.
#[derive(Debug)]
pub(super) struct Open<'a> {
    pub rule: Applied<'a>,
    ports: Vec<&'static str>,
}

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for (span, open) in &ground.fates.open {
        let (ports, message) = match open.ports.as_slice() {
            [only] => ((*only).to_owned(), "this rule opens an administrative port to everybody"),
            several => (several.join(", "), "this rule opens administrative ports to everybody"),
        };
        let finding = Diagnostic::warning(Code::OpenAdministration, *span, message)
            .because(ports)
            .help("name who may under `source`, or say why all may: `allow: { open-administration: REASON }`");
        out.push(Finding::of_rule(&open.rule.rule.origin.zone, *span, finding));
    }
}

/// The internet of both families.
fn internet() -> AddressSet {
    let set = |networks: &[&str]| {
        let networks: Vec<AddressSet> =
            networks.iter().filter_map(|text| text.parse().ok()).map(AddressSet::network).collect();
        AddressSet::union_of(&networks)
    };
    set(&PUBLIC).difference(&set(&NOT_PUBLIC))
}

/// How many addresses of a family a set has.
#[expect(clippy::cast_precision_loss, reason = "halves are told apart all the same")]
fn size(set: &AddressSet, family: Family) -> f64 {
    match family {
        Family::V4 => set.v4().iter().map(|(first, last)| f64::from(last - first) + 1.0).sum(),
        Family::V6 => set.v6().iter().map(|(first, last)| (last - first) as f64 + 1.0).sum(),
    }
}

/// The rules of a hook that open administrative ports to everybody.
pub(super) fn look<'a>(
    table: &mut Table,
    site: &Site<'_>,
    list: &List<'a>,
    whole: Diagram,
) -> Result<Vec<Open<'a>>, OverBudget> {
    let mut found = Vec::new();
    if site.hook.name.direction() != Direction::In {
        return Ok(found);
    }
    let mut known: Option<AddressSet> = None;
    for (element, rule) in list.elements.iter().filter_map(|element| Some((element, element.rule?))) {
        let ports = ports(rule, site);
        if ports.is_empty() || found.iter().any(|open: &Open<'_>| open.rule.rule.origin.span == rule.rule.origin.span) {
            continue;
        }
        let internet = known.get_or_insert_with(internet);
        let families = families(rule, internet);
        if families.is_empty() {
            continue;
        }
        let decided = table.own(element.diagram, element.who, whole)?;
        let mut open = Vec::new();
        for port in ports {
            let mut is_open = false;
            for family in &families {
                is_open |= is_open_to_most(table, decided, &port, *family, internet)?;
            }
            open.extend(is_open.then_some(port.what));
        }
        if !open.is_empty() {
            found.push(Open { rule, ports: open });
        }
    }
    Ok(found)
}

/// The ports that a rule accepts by its own words, for the site it is at.
fn ports(applied: Applied<'_>, site: &Site<'_>) -> Vec<Port> {
    let rule = applied.rule;
    if rule.verdict != Verdict::Accept || matches!(applied.interface, RuleInterface::Host(_)) {
        return Vec::new();
    }
    let is_node = site.is_host() && site.host.platform == Platform::Proxmox;
    let named = |port: &Port| {
        let listed = PortSet::range(port.first, port.last);
        let meets = |ports: &PortSet| !ports.intersection(&listed).is_empty();
        let mut services = rule.services.iter().filter(|service| service.protocol == port.protocol);
        rule.services.is_empty() || services.any(|service| service.dest_ports.as_ref().is_none_or(meets))
    };
    PORTS.into_iter().filter(|port| (is_node || !port.nodes_only) && named(port)).collect()
}

/// The families whose whole internet a rule's source holds.
fn families(applied: Applied<'_>, internet: &AddressSet) -> Vec<Family> {
    let holds = |family: &Family| match &applied.rule.source {
        None => true,
        Some(source) => internet.only(*family).difference(&source.set).is_empty(),
    };
    Family::BOTH.into_iter().filter(holds).collect()
}

/// Whether new connections to a port come to the rule from at least half of the internet, by one box of packets.
fn is_open_to_most(
    table: &mut Table,
    decided: PacketSet,
    port: &Port,
    family: Family,
    internet: &AddressSet,
) -> Result<bool, OverBudget> {
    let matches = [
        Match::Family(family),
        Match::Protocol(port.protocol),
        Match::DestPorts(PortSet::range(port.first, port.last)),
        Match::State(States::of(&[State::New])),
    ];
    let wanted = table.sets.matching(&matches, Direction::In)?;
    let reached = table.sets.intersection(decided, wanted)?;
    let Some(region) = table.sets.largest(reached) else { return Ok(false) };
    let public = internet.only(family);
    Ok(region.source().is_none_or(|source| size(&source.intersection(&public), family) * 2.0 >= size(&public, family)))
}
