//! A host that does not accept its management.
//!
//! After this spec is loaded, a new connection to a management port is stopped, and whoever administers the host by it is
//! locked out. On `proxmox` every address of the ipset `management` (where there is none, of the local network) must reach
//! every management port, tcp 22, 3128, 5900-5999, 8006 and 60000-60050, at some address of the host and by some interface,
//! for each family that both sides have. On `linux`, and where nobody is named, somebody must reach tcp 22. With
//! `fwc check --live` the SSH session that the command runs in must be able to come back, on the host that it is run on.
//!
//! ```yaml
//! datacenter:
//!   ipsets: { management: [203.0.113.0/24] }
//! hosts:
//!   pm1:
//!     rules: [ { in: drop, proto: tcp, dport: 22 } ]   # also for `management`
//! ```
//!
//! Accept the management before what stops it. Where a host is administered in another way, say so at the host:
//! `allow: { lock-out: "by the serial console" }`. A host with `enable: false` locks nobody out.

use std::net::IpAddr;
use std::sync::Arc;

use crate::analysis::judge::Judge;
use crate::analysis::packet::Packet;
use crate::analysis::sets::{Diagram, Field, Numbered, OverBudget, PacketSet, Sets, Wish};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::net::{AddressSet, Family, PortSet, Protocol, TcpFlags};
use crate::policy::{
    Direction, FrameKind, HostPolicy, Match, Platform, Stage, State, States, Verdict, ZoneRef, management_ports,
};

use super::list::Table;
use super::site::{MOST, Site};
use super::{Finding, Ground};

/// The SSH session of whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The host of the spec that it is on.
    pub host: String,
    /// Where it comes from.
    pub client: IpAddr,
    /// The host's address that it goes to.
    pub server: IpAddr,
    /// The host's port.
    pub port: u16,
}

/// Connections that must be accepted.
#[derive(Debug)]
struct Wanted {
    what: String,
    sources: Option<AddressSet>,
    dests: Option<AddressSet>,
    /// The host's addresses, where it says them.
    own: Option<AddressSet>,
    ports: PortSet,
    /// Whether one of them is enough.
    any: bool,
}

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for host in ground.fleet.hosts.iter().filter(|host| host.enabled) {
        let session = ground.session.filter(|session| session.host == host.name);
        let is_host_in = |site: &Site<'_>| std::ptr::eq(site.hook, &host.hook_in);
        let is_unjudged = |number: &usize| ground.sites.get(*number).is_some_and(is_host_in);
        let is_unjudged = ground.fates.unjudged.iter().any(is_unjudged);
        let wanted = [management(ground, host), session.and_then(of_session)];
        for wanted in wanted.into_iter().flatten() {
            let found = if is_unjudged { Err(OverBudget) } else { stopped(host, &wanted) };
            match found {
                Ok(Some(packet)) => out.push(tell(host, &wanted, &packet)),
                Ok(None) => {}
                Err(OverBudget) => {
                    let message = format!("whether `{}` accepts its management is not judged", host.name);
                    let finding = Diagnostic::warning(Code::OverBudget, host.span, message)
                        .because("its rules split the packets in too many ways")
                        .help("use ipsets in place of many rules");
                    out.push(Finding::of_zone(ZoneRef::Host(host.name.clone()), finding));
                }
            }
        }
    }
}

/// What must reach a host.
fn management(ground: &Ground<'_>, host: &HostPolicy) -> Option<Wanted> {
    let sets = &ground.fleet.ipsets;
    let mut zones = host.path.iter().chain([&ZoneRef::Datacenter]);
    let named = zones.find_map(|zone| sets.get(&(zone.clone(), "management".to_owned())));
    let accepted = host
        .hook_in
        .stages
        .iter()
        .find_map(|stage| if let Stage::Management { peers, .. } = stage { Some(peers) } else { None });
    let ports = management_ports(host.platform, Direction::In);
    let own = host.addresses.iter().map(|address| AddressSet::address(address.address()));
    let own = AddressSet::union_of(&own.collect::<Vec<_>>());
    let known = Some(own.clone()).filter(|own| !own.is_empty());
    let every = "does not accept every management port from all of";
    let (what, peers): (String, &Arc<AddressSet>) = match (host.platform, named, accepted) {
        (Platform::Proxmox, Some(ipset), _) => (format!("{every} `management`"), &ipset.set),
        (Platform::Proxmox, None, Some(peers)) => (format!("{every} the local network"), peers),
        (Platform::Proxmox, None, None) | (Platform::Linux, _, _) => {
            let what = "accepts SSH from nowhere".to_owned();
            let ports = PortSet::single(22);
            return Some(Wanted { what, sources: None, dests: None, own: known, ports, any: true });
        }
    };
    let reached: Vec<Family> = Family::BOTH.into_iter().filter(|family| own.is_empty() || own.has(*family)).collect();
    let peers = AddressSet::union_of(&reached.iter().map(|family| peers.only(*family)).collect::<Vec<_>>());
    // What the host sends itself comes by the loopback interface, and broadcast addresses are nobody's.
    let sources = peers.difference(&own).difference(&host.broadcast);
    let wanted = Wanted { what, sources: Some(sources), dests: known.clone(), own: known, ports, any: false };
    wanted.sources.as_ref().is_some_and(|sources| !sources.is_empty()).then_some(wanted)
}

/// The session, if it is one with another machine.
fn of_session(session: &Session) -> Option<Wanted> {
    let address = |address: IpAddr| AddressSet::address(address.to_canonical());
    (!session.client.to_canonical().is_loopback()).then(|| Wanted {
        what: format!("does not accept the SSH session from {} to tcp {}", session.client.to_canonical(), session.port),
        sources: Some(address(session.client)),
        dests: Some(address(session.server)),
        own: None,
        ports: PortSet::single(session.port),
        any: false,
    })
}

/// One of the packets that open a wanted connection and are stopped, wherever they arrive.
fn stopped(host: &HostPolicy, wanted: &Wanted) -> Result<Option<Packet>, OverBudget> {
    let machine = ZoneRef::Host(host.name.clone());
    let site = Site { host, machine, span: host.span, hook: &host.hook_in, nic: None, policy: None, budget: MOST };
    let mut table = Table::new();
    table.begin(&site);
    let list = table.list(&site)?;
    let whole = table.whole(&list, |_| true)?;
    let sets = &mut table.sets;
    let accepted = accepted(sets, whole)?;
    let opening = opening(sets, wanted)?;
    let passed = sets.intersection(opening, accepted)?;
    if wanted.any {
        return Ok(if passed.is_empty() { sets.witness(opening, &wish(wanted)) } else { None });
    }
    // Any address of the host will do, and any way to it.
    let passed = sets.regardless(passed, Field::Dest)?;
    let passed = sets.regardless(passed, Field::InInterface)?;
    let lost = sets.difference(opening, passed)?;
    Ok(sets.witness(lost, &wish(wanted)))
}

fn accepted(sets: &mut Sets, whole: Diagram) -> Result<PacketSet, OverBudget> {
    sets.select(whole, |label| Numbered::of(label).is_some_and(|numbered| numbered.decision.0 == Verdict::Accept))
}

/// The first packets of the connections.
fn opening(sets: &mut Sets, wanted: &Wanted) -> Result<PacketSet, OverBudget> {
    let mut matches = vec![
        Match::Frame(FrameKind::Ip),
        Match::Protocol(Protocol::TCP),
        Match::DestPorts(wanted.ports.clone()),
        Match::SourcePorts(PortSet::range(1024, u16::MAX)),
        Match::State(States::of(&[State::New])),
        Match::TcpFlags(TcpFlags { mask: u8::MAX, set: TcpFlags::SYN }),
    ];
    matches.extend(wanted.sources.clone().map(|set| Match::Source(Arc::new(set))));
    matches.extend(wanted.dests.clone().map(|set| Match::Dest(Arc::new(set))));
    let opening = sets.matching(&matches, Direction::In)?;
    let loopback = sets.matching(&[Match::Loopback], Direction::In)?;
    sets.difference(opening, loopback)
}

/// A packet between addresses of the spec, to a port that everybody knows.
fn wish(wanted: &Wanted) -> Wish {
    let some = |set: Option<&AddressSet>| -> Option<Vec<IpAddr>> {
        let set = set?;
        let networks = Family::BOTH.into_iter().flat_map(|family| set.networks(family));
        Some(networks.filter_map(|network| network.hosts().next()).collect())
    };
    let plain = Wish::default();
    Wish {
        sources: some(wanted.sources.as_ref()).unwrap_or(plain.sources),
        dests: some(wanted.dests.as_ref().or(wanted.own.as_ref())).unwrap_or(plain.dests),
        source_ports: plain.source_ports,
        dest_ports: vec![22, 8006],
    }
}

/// The finding, with what stops the packet.
fn tell(host: &HostPolicy, wanted: &Wanted, packet: &Packet) -> Finding {
    let judge = Judge::new(&host.hook_in, None);
    let decision = judge.decide(packet);
    let (by, place, help): (String, Option<Span>, String) = match (decision.rule, decision.stage) {
        (Some(applied), _) => {
            ("a rule".to_owned(), Some(applied.rule.origin.span), "accept it before what stops it".to_owned())
        }
        (None, Some(Stage::Policy { .. })) => {
            let place = host.options.policy_in.origin.as_ref().map(|origin| origin.span);
            ("the policy".to_owned(), place, "accept it by a rule".to_owned())
        }
        // It stands before all rules.
        (None, Some(stage)) => (format!("`{}`", stage.name()), None, format!("let `{}` pass it", stage.name())),
        (None, None) => ("no rule".to_owned(), None, "accept it by a rule".to_owned()),
    };
    let word = match decision.verdict {
        Verdict::Reject => "rejects",
        Verdict::Accept | Verdict::Drop | Verdict::Skip => "drops",
    };
    let message = format!("`{}` {}", host.name, wanted.what);
    let mut finding = Diagnostic::warning(Code::LockOut, host.span, message)
        .because(format!("{by} {word} {}", shown(packet)))
        .help(format!("{help}; or say at the host how else it is managed: `allow: {{ lock-out: REASON }}`"));
    if let Some(place) = place {
        finding = finding.label(place, format!("{word} it"));
    }
    Finding::of_zone(ZoneRef::Host(host.name.clone()), finding)
}

/// `tcp 22 from 203.0.113.1 to 192.0.2.10`.
fn shown(packet: &Packet) -> String {
    let Some(ip) = packet.ip() else { return "it".to_owned() };
    let port = ip.payload.ports().map_or(0, |(_, dest)| dest);
    format!("tcp {port} from {} to {}", ip.source, ip.dest)
}
