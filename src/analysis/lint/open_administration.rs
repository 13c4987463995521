//! A rule or policy that opens an administrative port to everybody.
//!
//! An `in` rule accepts new connections to a port by which machines are administered, from the whole internet of a family:
//! without a `source`, or with one that holds all of it. `policy_in: accept` does so for all ports that no rule speaks of.
//! Rules before it count: what they take away from most of the internet is not open. A host's rule with `iface` is not told,
//! nor a policy where rules close some interface, because nothing says who is behind which.
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
//! Name who may: `source: +admins`; and let the policy be `drop`. Where everybody is meant, say why, at the rule or at the zone
//! that has the policy: `allow: { open-administration: "a jump host" }`.

use std::collections::BTreeSet;

use crate::analysis::sets::{Diagram, Field, Numbered, OverBudget, PacketSet};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::net::{AddressSet, Family, PortSet, Protocol};
use crate::policy::{Applied, Direction, Match, Origin, Platform, RuleInterface, State, States, Verdict, ZoneRef};

use super::list::{Element, List, Table, Who};
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

/// What opens ports.
#[derive(Debug, Clone, Copy)]
enum Opener<'a> {
    Rule(Applied<'a>),
    /// The option that sets it.
    Policy(&'a Origin),
}

/// Ports that are open to everybody.
#[derive(Debug)]
pub(super) struct Open<'a> {
    by: Opener<'a>,
    /// Their places in [`PORTS`].
    ports: BTreeSet<usize>,
}

impl Open<'_> {
    fn origin(&self) -> &Origin {
        match self.by {
            Opener::Rule(applied) => &applied.rule.origin,
            Opener::Policy(origin) => origin,
        }
    }

    /// Where what opens them is written.
    pub(super) fn span(&self) -> Span {
        self.origin().span
    }

    /// Takes in what the same opens elsewhere.
    pub(super) fn join(&mut self, other: &Self) {
        self.ports.extend(&other.ports);
    }
}

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for (span, open) in &ground.fates.open {
        let ports: Vec<&str> = open.ports.iter().filter_map(|port| Some(PORTS.get(*port)?.what)).collect();
        let what = if ports.len() == 1 { "an administrative port" } else { "administrative ports" };
        let zone: &ZoneRef = &open.origin().zone;
        let (who, help) = match open.by {
            Opener::Rule(_) => ("this rule", "name who may under `source`; or say why all may".to_owned()),
            Opener::Policy(_) => {
                let help = format!("let it be `drop`, and accept by rules who may; or say at `{zone}` why all may");
                ("this policy", help)
            }
        };
        let message = format!("{who} opens {what} to everybody");
        let finding = Diagnostic::warning(Code::OpenAdministration, *span, message)
            .because(ports.join(", "))
            .help(format!("{help}: `allow: {{ open-administration: REASON }}`"));
        out.push(match open.by {
            Opener::Rule(_) => Finding::of_rule(zone, *span, finding),
            Opener::Policy(_) => Finding::of_zone(zone.clone(), finding),
        });
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

/// What opens administrative ports to everybody at a hook: rules, and the policy.
pub(super) fn look<'a>(
    table: &mut Table,
    site: &Site<'a>,
    list: &List<'a>,
    whole: Diagram,
) -> Result<Vec<Open<'a>>, OverBudget> {
    let mut found = Vec::new();
    if site.hook.name.direction() != Direction::In {
        return Ok(found);
    }
    let mut known: Option<AddressSet> = None;
    for (element, by) in list.elements.iter().filter_map(|element| Some((element, opener(element, site)?))) {
        let ports = ports(by, site);
        let mut open = Open { by, ports: BTreeSet::new() };
        if ports.is_empty() || found.iter().any(|other: &Open<'_>| other.span() == open.span()) {
            continue;
        }
        let internet = known.get_or_insert_with(internet);
        let families = families(by, internet);
        if families.is_empty() {
            continue;
        }
        let mut decided = table.own(element.diagram, element.who, whole)?;
        if matches!(by, Opener::Policy(_)) {
            decided = by_all_interfaces(table, decided, whole)?;
        }
        for (number, port) in ports {
            let mut is_open = false;
            for family in &families {
                is_open |= is_open_to_most(table, decided, &port, *family, internet)?;
            }
            open.ports.extend(is_open.then_some(number));
        }
        if !open.ports.is_empty() {
            found.push(open);
        }
    }
    Ok(found)
}

/// The packets of a set that are accepted by whichever interface they come.
fn by_all_interfaces(table: &mut Table, set: PacketSet, whole: Diagram) -> Result<PacketSet, OverBudget> {
    let accepts = |label| Numbered::of(label).is_some_and(|numbered| numbered.decision.0 == Verdict::Accept);
    let stopped = table.sets.select(whole, |label| !accepts(label))?;
    let stopped = table.sets.regardless(stopped, Field::InInterface)?;
    table.sets.difference(set, stopped)
}

/// What an element accepts by, if anything that is written.
fn opener<'a>(element: &Element<'a>, site: &Site<'a>) -> Option<Opener<'a>> {
    match (element.rule, element.who) {
        (Some(rule), _) => Some(Opener::Rule(rule)),
        (None, Who::Stage("policy")) => site.open_policy().map(Opener::Policy),
        (None, Who::Stage(_) | Who::Rule(_)) => None,
    }
}

/// The ports that something accepts by its own words, for the site it is at; with their places in the list of all.
fn ports(by: Opener<'_>, site: &Site<'_>) -> Vec<(usize, Port)> {
    let is_node = site.is_host() && site.host.platform == Platform::Proxmox;
    let accepts = |port: &Port| match by {
        Opener::Policy(_) => true,
        Opener::Rule(applied) if matches!(applied.interface, RuleInterface::Host(_)) => false,
        Opener::Rule(applied) => applied.rule.verdict == Verdict::Accept && names(applied, port),
    };
    let all = PORTS.into_iter().enumerate();
    all.filter(|(_, port)| (is_node || !port.nodes_only) && accepts(port)).collect()
}

fn names(applied: Applied<'_>, port: &Port) -> bool {
    let services = &applied.rule.services;
    let listed = PortSet::range(port.first, port.last);
    let meets = |ports: &PortSet| !ports.intersection(&listed).is_empty();
    let mut of_protocol = services.iter().filter(|service| service.protocol == port.protocol);
    services.is_empty() || of_protocol.any(|service| service.dest_ports.as_ref().is_none_or(meets))
}

/// The families whose whole internet may come by it.
fn families(by: Opener<'_>, internet: &AddressSet) -> Vec<Family> {
    let holds = |family: &Family| match by {
        Opener::Policy(_) => true,
        Opener::Rule(applied) => {
            let source = applied.rule.source.as_ref();
            source.is_none_or(|source| internet.only(*family).difference(&source.set).is_empty())
        }
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
