//! What iptables does not see: ARP, frames of other ethertypes, stacked VLAN tags.
//!
//! In: a host. Out: its ebtables table `nat`: chains for what a NIC sends (PREROUTING) and for what it gets
//! (POSTROUTING). Promise: a frame that is not IP gets the verdict of its hooks; where ebtables
//! cannot look into it (ARP within a VLAN tag), it is dropped if it would have to be looked into. IP goes
//! on to iptables, with the NIC's own MAC.
//!
//! A vnet's hook stands at the ports of guests, on either side. Between two ports that the spec does not know no rule
//! stands: only a kernel that can ask for a port's bridge (`--logical-in`) could tell these frames from others.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostics;
use crate::net::Family;
use crate::policy::{Clause, FrameKind, GuestPolicy, Hook, HostPolicy, Match, Nic, Stage, Verdict, VnetPolicy};

use super::dispatch;
use super::host::{exclusive, prefix};
use super::ruleset::{Chain, Chains, FrameTest, Jump, Name, Rule, Side};
use super::shape;

type Line = Rule<FrameTest>;

const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;

/// The table of a host, without rules where frames are not `wanted` to be filtered; what there is to say.
pub(super) fn table(host: &HostPolicy, wanted: bool) -> (Vec<Chain<FrameTest>>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut chains: Chains<FrameTest> = Chains::new(prefix(host));
    let (mut sent, mut got) = (BTreeMap::new(), BTreeMap::new());
    for (guest, nic) in host.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic))) {
        if !host.enabled || !wanted {
            break;
        }
        let ways = ways(host, guest, nic);
        match shape::interface(&nic.device, nic.span) {
            Ok(port) => {
                for (way, keys, what) in [(&ways.sent, &mut sent, "sent"), (&ways.got, &mut got, "got")] {
                    if let Some(chain) = nic_chain(&mut chains, nic, way, what) {
                        keys.insert(Name::clone(&port), chain);
                    }
                }
            }
            Err(error) if !ways.sent.is_empty() || !ways.got.is_empty() => diagnostics.push(error),
            Err(_) => {}
        }
    }
    base(host, &mut chains, "PREROUTING", Side::Source, &sent);
    base(host, &mut chains, "POSTROUTING", Side::Dest, &got);
    let mut chains = chains.finish();
    if !exclusive(host) {
        chains.iter_mut().for_each(hand_back);
    }
    (chains, diagnostics)
}

/// Where tables are shared, a frame that passes goes back to the built-in chain, for the rules behind the hook.
/// ebtables knows no goto: one that has conditions is a call with a return behind it.
fn hand_back(chain: &mut Chain<FrameTest>) {
    let mut rules = Vec::new();
    for mut rule in std::mem::take(&mut chain.rules) {
        if rule.jump == Jump::Accept {
            rule.jump = Jump::Return;
        }
        let back = matches!(rule.jump, Jump::Goto(_)) && !rule.tests.is_empty();
        let back = back.then(|| Rule::new(rule.tests.clone(), Jump::Return));
        rules.push(rule);
        rules.extend(back);
    }
    chain.rules = rules;
}

fn base(host: &HostPolicy, chains: &mut Chains<FrameTest>, name: &str, side: Side, keys: &BTreeMap<Name, Name>) {
    let hint = match side {
        Side::Source => "from-port",
        Side::Dest => "to-port",
    };
    let rules = if keys.is_empty() {
        Vec::new()
    } else {
        vec![Rule::new(Vec::new(), Jump::Call(dispatch::ports(chains, hint, side, keys)))]
    };
    let name: Name = if exclusive(host) { name.into() } else { chains.name(name) };
    chains.define(name, if exclusive(host) { "ACCEPT" } else { "RETURN" }, rules);
}

/// The hooks that a NIC's frames pass, in order.
struct Ways<'a> {
    sent: Vec<&'a Hook>,
    got: Vec<&'a Hook>,
}

fn ways<'a>(host: &'a HostPolicy, guest: &'a GuestPolicy, nic: &Nic) -> Ways<'a> {
    let on_bridge = |vnet: &&VnetPolicy| vnet.enabled && nic.bridge.as_deref() == Some(vnet.name.as_str());
    let vnet = host.vnets.iter().map(AsRef::as_ref).find(on_bridge).map(|vnet: &VnetPolicy| &vnet.hook);
    let filtered = guest.enabled && nic.firewall;
    let sent = filtered.then_some(&guest.hook_out).into_iter().chain(vnet).collect();
    let got = vnet.into_iter().chain(filtered.then_some(&guest.hook_in)).collect();
    Ways { sent, got }
}

/// What a frame carries, as far as ebtables can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Arp {
        tagged: bool,
    },
    Stacked,
    /// An ethertype that some stage lists; none: any that no stage lists.
    Other(Option<u16>),
}

/// One clause on a way.
struct Step {
    hook: usize,
    stage: usize,
    clause: Clause,
}

/// The steps of a way, and the ethertypes that its stages list.
fn steps(hooks: &[&Hook], nic: &Nic) -> (Vec<Step>, BTreeSet<u16>) {
    let mut steps = Vec::new();
    let mut listed = BTreeSet::new();
    for (hook_at, hook) in hooks.iter().enumerate() {
        for (stage_at, stage) in hook.stages.iter().enumerate() {
            if speaks_of_ip_alone(stage) {
                continue;
            }
            for clause in stage.clauses(hook.name, Some(nic)) {
                for condition in &clause.matches {
                    if let Match::EtherTypeNot(numbers) = condition {
                        listed.extend(numbers);
                    }
                }
                steps.push(Step { hook: hook_at, stage: stage_at, clause });
            }
        }
    }
    for known in [0x0800, 0x86dd, ARP, VLAN, SERVICE_VLAN] {
        listed.remove(&known);
    }
    (steps, listed)
}

/// Whether a stage says nothing of frames other than IP.
const fn speaks_of_ip_alone(stage: &Stage) -> bool {
    match stage {
        Stage::OtherFrames
        | Stage::StackedVlan
        | Stage::MacFilter
        | Stage::IpFilter
        | Stage::Layer2(_)
        | Stage::Arp
        | Stage::Loopback
        | Stage::Policy { .. } => false,
        Stage::Conntrack { .. }
        | Stage::Blacklist { .. }
        | Stage::Smurfs { .. }
        | Stage::TcpFlags { .. }
        | Stage::Igmp
        | Stage::Dhcp
        | Stage::RouterAdvertisements
        | Stage::NeighbourDiscovery(_)
        | Stage::Rules(_)
        | Stage::Management { .. }
        | Stage::Corosync(_)
        | Stage::Noise { .. } => true,
    }
}

/// The chain that judges what a NIC sends or gets; none where everything passes.
fn nic_chain(chains: &mut Chains<FrameTest>, nic: &Nic, hooks: &[&Hook], what: &str) -> Option<Name> {
    if hooks.is_empty() {
        return None;
    }
    let (steps, listed) = steps(hooks, nic);
    let mut front = Vec::new();
    for step in steps.iter().take_while(|step| step.clause.verdict == Verdict::Drop) {
        if let [Match::SourceMacNot(mac)] = step.clause.matches.as_slice() {
            front.push(Rule::new(vec![FrameTest::MacNot(*mac)], Jump::Drop));
        }
    }
    let mut rest: Vec<Line> = Vec::new();
    for family in Family::BOTH {
        let ethertype = shape::ethertype(family);
        rest.push(Rule::new(vec![FrameTest::Type(ethertype)], Jump::Accept));
        rest.push(Rule::new(vec![FrameTest::Tagged(ethertype)], Jump::Accept));
    }
    let arp = walk(chains, &steps, 0, Kind::Arp { tagged: false });
    let place = if arp.len() > 1 { &mut front } else { &mut rest };
    place.extend(prefixed(arp, &FrameTest::Type(ARP)));
    rest.extend(prefixed(walk(chains, &steps, 0, Kind::Arp { tagged: true }), &FrameTest::Tagged(ARP)));
    for test in [FrameTest::Type(SERVICE_VLAN), FrameTest::Tagged(VLAN), FrameTest::Tagged(SERVICE_VLAN)] {
        rest.extend(prefixed(walk(chains, &steps, 0, Kind::Stacked), &test));
    }
    for ethertype in listed {
        for test in [FrameTest::Type(ethertype), FrameTest::Tagged(ethertype)] {
            rest.extend(prefixed(walk(chains, &steps, 0, Kind::Other(Some(ethertype))), &test));
        }
    }
    let last = walk(chains, &steps, 0, Kind::Other(None));
    if let [only] = last.as_slice() {
        // What would get the same verdict anyway need not be named.
        while rest.last().is_some_and(|line| line.jump == only.jump) {
            rest.pop();
        }
    }
    rest.extend(last);
    if front.is_empty() && rest.iter().all(|line| line.jump == Jump::Accept) {
        return None;
    }
    let policy = if rest.last().is_some_and(|line| line.jump == Jump::Accept) { "accept" } else { "drop" };
    let rest = chains.share(&format!("frames-{what}-{policy}"), rest);
    if front.is_empty() {
        return Some(rest);
    }
    front.push(Rule::new(Vec::new(), Jump::Goto(rest)));
    Some(chains.share(&format!("{}-{what}", nic.device), front))
}

fn prefixed(lines: Vec<Line>, test: &FrameTest) -> impl Iterator<Item = Line> {
    lines.into_iter().map(move |line| {
        let tests = std::iter::once(test.clone()).chain(line.tests).collect();
        Rule::new(tests, line.jump)
    })
}

/// What becomes of frames of a kind from a step on; the last line has no tests.
fn walk(chains: &mut Chains<FrameTest>, steps: &[Step], from: usize, kind: Kind) -> Vec<Line> {
    let mut lines = Vec::new();
    for (at, step) in steps.iter().enumerate().skip(from) {
        let alternatives = holds(&step.clause, kind);
        if alternatives.is_empty() {
            continue;
        }
        let next = |after: &dyn Fn(&Step) -> bool| {
            steps.iter().enumerate().skip(at).find(|(_, other)| after(other)).map(|(at, _)| at)
        };
        let jump = match step.clause.verdict {
            Verdict::Drop | Verdict::Reject => Jump::Drop,
            Verdict::Accept => go_on(chains, steps, next(&|other| other.hook > step.hook), kind),
            Verdict::Skip => {
                go_on(chains, steps, next(&|other| (other.hook, other.stage) > (step.hook, step.stage)), kind)
            }
        };
        let ends = alternatives.iter().any(Vec::is_empty);
        lines.extend(alternatives.into_iter().map(|tests| Rule::new(tests, jump.clone())));
        if ends {
            return lines;
        }
    }
    lines.push(Rule::new(Vec::new(), Jump::Accept));
    lines
}

/// The verdict from a step on, or a chain that gives it.
fn go_on(chains: &mut Chains<FrameTest>, steps: &[Step], from: Option<usize>, kind: Kind) -> Jump {
    let Some(from) = from else { return Jump::Accept };
    let lines = walk(chains, steps, from, kind);
    match lines.as_slice() {
        [only] => only.jump.clone(),
        _ => Jump::Goto(chains.share("frames", lines)),
    }
}

/// When a clause holds for frames of a kind: any of these; an empty one: always; none: never.
fn holds(clause: &Clause, kind: Kind) -> Vec<Vec<FrameTest>> {
    let blocks = matches!(clause.verdict, Verdict::Drop | Verdict::Reject);
    let mut all = vec![Vec::new()];
    for condition in &clause.matches {
        let Some(tests) = condition_tests(condition, kind, blocks) else { return Vec::new() };
        if !tests.is_empty() {
            let with = |line: &Vec<FrameTest>, test: &FrameTest| line.iter().chain([test]).cloned().collect();
            all = all.iter().flat_map(|line| tests.iter().map(move |test| with(line, test))).collect();
        }
    }
    all
}

/// One condition: none where it never holds, no test where it always does, else any of these.
/// What cannot be looked into holds if it `blocks`.
fn condition_tests(condition: &Match, kind: Kind, blocks: bool) -> Option<Vec<FrameTest>> {
    let when = |holds: bool| holds.then(Vec::new);
    match condition {
        Match::Frame(frame) => when(match (frame, kind) {
            (FrameKind::Arp, Kind::Arp { .. })
            | (FrameKind::Stacked, Kind::Stacked)
            | (FrameKind::Other, Kind::Other(_)) => true,
            (FrameKind::Ip | FrameKind::Arp | FrameKind::Stacked | FrameKind::Other, _) => false,
        }),
        Match::EtherTypeNot(listed) => when(match kind {
            Kind::Arp { .. } => !listed.contains(&ARP),
            Kind::Stacked | Kind::Other(None) => true,
            Kind::Other(Some(number)) => !listed.contains(&number),
        }),
        Match::SourceMacNot(mac) => match kind {
            Kind::Arp { tagged: false } => Some(vec![FrameTest::ArpMacNot(*mac)]),
            Kind::Arp { tagged: true } => when(blocks),
            // Another source MAC was stopped before.
            Kind::Stacked | Kind::Other(_) => None,
        },
        Match::ArpSender(set) => match kind {
            Kind::Arp { tagged: false } => {
                let tests: Vec<FrameTest> = set.networks_v4().into_iter().map(FrameTest::ArpSender).collect();
                (!tests.is_empty()).then_some(tests)
            }
            Kind::Arp { tagged: true } => when(blocks),
            Kind::Stacked | Kind::Other(_) => None,
        },
        Match::Family(_)
        | Match::State(_)
        | Match::Source(_)
        | Match::SourceNot(_)
        | Match::Dest(_)
        | Match::Protocol(_)
        | Match::SourcePorts(_)
        | Match::DestPorts(_)
        | Match::Icmp(_)
        | Match::TcpFlags(_)
        | Match::TcpFlagsNot(_)
        | Match::InInterface(_)
        | Match::OutInterface(_)
        | Match::Loopback => None,
    }
}
