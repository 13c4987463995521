//! A host's own policy, which Proxmox VE does not have: final rules of its `host.fw`.
//!
//! In: a host. Out: for each direction in which its policy is not the datacenter's, the rules that say it. Promise: a
//! packet that reaches them gets the verdict of the stages after the rules and of the host's policy.
//!
//! Proxmox VE tries the datacenter's rules, its accepts for management and corosync and its noise stage *after*
//! `host.fw`, and a final `IN DROP` would hide them all. So the datacenter's rules stand before it once more (what
//! `cluster.fw` repeats later is out of reach then), and the stages are written out as rules, clause by clause.
//! One clause has no words: a drop of TCP that is neither established nor a bare SYN. Under a drop policy such packets
//! are dropped all the same (and logged, where the policy logs: a warning); a `reject` policy would answer them,
//! so a host's own `reject` is refused.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::net::{AddressSet, Family, IcmpType, PortSet, Protocol};
use crate::policy::{Clause, FrameKind, Hook, HostPolicy, Log, Match, Setting, Stage, Verdict};

use super::build::Build;
use super::file::{Action, RuleBlock, RuleLine};
use super::ipset::network_text;
use super::names::Scope;
use super::rule::{is_common, level, port_lists};

/// The most networks in a rule; more become an ipset.
const NETWORKS_MAX: usize = 20;

/// Whether a host has a policy of its own in some direction.
pub(super) fn has_own_policy(build: &Build<'_>, host: &HostPolicy) -> bool {
    directions(build, host).iter().any(|(_, own, cluster)| own.value != *cluster)
}

/// The final rules, a block for each direction.
pub(super) fn blocks(build: &mut Build<'_>, host: &HostPolicy) -> Vec<RuleBlock> {
    let mut blocks = Vec::new();
    for (hook, own, cluster) in directions(build, host) {
        if own.value == cluster {
            continue;
        }
        let span = own.origin.as_ref().map_or(host.span, |origin| origin.span);
        if own.value == Verdict::Reject {
            let message = "Proxmox VE has one policy for all hosts, and no rules say what a `reject` of one host does";
            let error = Diagnostic::error(Code::PvePolicy, span, message);
            build.diagnostics.push(error.help("write `drop`, or set it for the datacenter"));
            continue;
        }
        let lines = tail(build, host, hook, own.value, span);
        blocks.push(RuleBlock {
            heading: format!("policy of host/{} in {}", host.name, hook.name.name()),
            lines: lines.into(),
        });
    }
    blocks
}

fn directions<'h>(build: &Build<'_>, host: &'h HostPolicy) -> [(&'h Hook, &'h Setting<Verdict>, Verdict); 3] {
    let cluster = &build.fleet.datacenter.options;
    [
        (&host.hook_in, &host.options.policy_in, cluster.policy_in.value),
        (&host.hook_out, &host.options.policy_out, cluster.policy_out.value),
        (&host.hook_forward, &host.options.policy_forward, cluster.policy_forward.value),
    ]
}

/// The stages after the rules as lines.
fn tail(build: &mut Build<'_>, host: &HostPolicy, hook: &Hook, last: Verdict, span: Span) -> Vec<RuleLine> {
    let after_rules = hook.stages.iter().skip_while(|stage| !matches!(stage, Stage::Rules(_))).skip(1);
    let clauses: Vec<(&'static str, Clause)> = after_rules
        .flat_map(|stage| stage.clauses(hook.name, None).into_iter().map(|clause| (stage.name(), clause)))
        .collect();
    let mut lines = Vec::new();
    let mut logs = Log::None;
    let mut silent = false;
    for (at, (stage, clause)) in clauses.iter().enumerate() {
        // What only the last verdict can follow needs no line of its own, but for its log line.
        let settled = clauses.iter().skip(at).all(|(_, later)| later.verdict == last);
        let is_last = at + 1 == clauses.len();
        if settled && !is_last && last == Verdict::Accept {
            continue;
        }
        logs = clause.log;
        match words(build, clause, host.options.nftables.value) {
            Said::Lines(matches) => lines.extend(matches.into_iter().map(|line| RuleLine {
                action: Action::Verdict { direction: hook.name.direction(), verdict: clause.verdict, macro_name: None },
                log: level(clause.log),
                comment: Some((*stage).to_owned()),
                ..line
            })),
            Said::Elsewhere => {}
            Said::Not if settled => silent = true,
            Said::Not => {
                let message = format!("no rule says what the stage `{stage}` does before this policy");
                let error = Diagnostic::error(Code::PvePolicy, span, message);
                build.diagnostics.push(error.help("set the policy for the datacenter"));
            }
        }
    }
    if silent && logs != Log::None {
        let message = "Proxmox VE also logs stray TCP segments under a policy of one host";
        build.diagnostics.push(Diagnostic::warning(Code::PvePolicy, span, message).help("set it for the datacenter"));
    }
    lines
}

/// How a clause can be said.
enum Said {
    /// In these lines, verdict and log aside.
    Lines(Vec<RuleLine>),
    /// It need not be: the implementation does it before all rules.
    Elsewhere,
    /// It cannot be.
    Not,
}

/// What a clause matches, as far as rules have words for it.
#[derive(Default)]
struct Wanted<'c> {
    family: Option<Family>,
    source: Option<&'c AddressSet>,
    dest: Option<&'c AddressSet>,
    protocol: Option<Protocol>,
    source_ports: Option<&'c PortSet>,
    dest_ports: Option<&'c PortSet>,
    icmp: Option<IcmpType>,
}

fn words(build: &mut Build<'_>, clause: &Clause, nftables: bool) -> Said {
    let mut wanted = Wanted::default();
    for condition in &clause.matches {
        match condition {
            Match::Frame(FrameKind::Ip) => {}
            Match::Family(family) => wanted.family = Some(*family),
            Match::Source(set) => wanted.source = Some(set),
            Match::Dest(set) => wanted.dest = Some(set),
            Match::Protocol(protocol) => wanted.protocol = Some(*protocol),
            Match::SourcePorts(ports) => wanted.source_ports = Some(ports),
            Match::DestPorts(ports) => wanted.dest_ports = Some(ports),
            Match::Icmp(icmp) => wanted.icmp = Some(*icmp),
            Match::Frame(FrameKind::Arp | FrameKind::Stacked | FrameKind::Other)
            | Match::EtherTypeNot(_)
            | Match::State(_)
            | Match::SourceNot(_)
            | Match::TcpFlags(_)
            | Match::TcpFlagsNot(_)
            | Match::InInterface(_)
            | Match::OutInterface(_)
            | Match::Loopback
            | Match::SourceMacNot(_)
            | Match::ArpSender(_) => return Said::Not,
        }
    }
    let icmp_type = match wanted.icmp {
        // The nftables implementation accepts ICMP errors before all rules.
        Some(icmp) if nftables && !is_common(icmp) => return Said::Elsewhere,
        Some(icmp) => match icmp.name() {
            Some(name) => Some(name),
            None => return Said::Not,
        },
        None => None,
    };
    let protocol = match wanted.protocol.map(Protocol::name) {
        Some(None) => return Said::Not,
        Some(name) => name,
        None => None,
    };
    let lists = |ports: Option<&PortSet>| match ports {
        Some(ports) => port_lists(ports).into_iter().map(Some).collect(),
        None => vec![None],
    };
    let mut lines = Vec::new();
    for (source, dest) in sides(build, &wanted) {
        for dest_ports in lists(wanted.dest_ports) {
            for source_ports in lists(wanted.source_ports) {
                lines.push(RuleLine {
                    source: source.clone(),
                    dest: dest.clone(),
                    protocol,
                    dest_ports: dest_ports.clone(),
                    source_ports,
                    icmp_type,
                    ..RuleLine::new(Action::Group(String::new()))
                });
            }
        }
    }
    Said::Lines(lines)
}

/// Source and destination, for both families at once or for each.
fn sides(build: &mut Build<'_>, wanted: &Wanted<'_>) -> Vec<(Option<String>, Option<String>)> {
    let speaks_of_one = matches!(wanted.protocol, Some(Protocol::ICMP | Protocol::ICMPV6));
    if wanted.source.is_none() && wanted.dest.is_none() {
        let dest = match wanted.family {
            Some(Family::V4) if !speaks_of_one => Some("0.0.0.0/0".to_owned()),
            Some(Family::V6) if !speaks_of_one => Some("::/0".to_owned()),
            Some(Family::V4 | Family::V6) | None => None,
        };
        return vec![(None, dest)];
    }
    let mut both = Vec::new();
    for family in Family::BOTH {
        let has = |set: Option<&AddressSet>| set.is_none_or(|set| set.has(family));
        if wanted.family.is_none_or(|only| only == family) && has(wanted.source) && has(wanted.dest) {
            let mut text = |set: Option<&AddressSet>| set.map(|set| addresses(build, set, family));
            both.push((text(wanted.source), text(wanted.dest)));
        }
    }
    both
}

fn addresses(build: &mut Build<'_>, set: &AddressSet, family: Family) -> String {
    let networks = set.networks(family);
    if networks.len() > NETWORKS_MAX {
        return build.names.list(&set.only(family), &mut Scope::Cluster, "");
    }
    networks.into_iter().map(network_text).collect::<Vec<_>>().join(",")
}
