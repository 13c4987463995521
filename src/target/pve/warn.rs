//! What Proxmox VE accepts in a file and then ignores.
//!
//! In: the hosts that want this target. Out: a warning at each place that one of its implementations ignores, with
//! the hosts that run it. What the nftables implementation does otherwise is told by `differ`.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::policy::{Direction, Fleet, HostPolicy, Origin, RuleList, Setting, TargetName, Verdict, ZoneRef};

/// Warnings by place and words, so that a rule of many hosts is named once.
type Found<'a> = BTreeMap<(Span, Code, &'static str, &'static str), BTreeSet<&'a str>>;

const FORWARD: &str = "Proxmox VE ignores forward rules";
const FORWARD_POLICY: &str = "Proxmox VE ignores forward policies";
const FORWARD_HELP: &str = "set `nftables: true` for these hosts, or enforce them with another target";
const NFTABLES_HELP: &str = "take `nftables: true` away, or enforce it with another target";

/// All warnings.
pub(super) fn ignored<'a>(fleet: &'a Fleet, hosts: &[&'a HostPolicy], diagnostics: &mut Diagnostics) {
    let mut found = Found::new();
    for host in hosts {
        if host.options.nftables.value {
            nftables(fleet, host, &mut found);
        } else {
            iptables(host, &mut found);
        }
    }
    for ((span, code, message, help), hosts) in found {
        let message = format!("{message} on {}", list(&hosts));
        diagnostics.push(Diagnostic::warning(code, span, message).help(help));
    }
}

/// The first hosts by name, and how many more.
pub(super) fn list(hosts: &BTreeSet<&str>) -> String {
    let names: Vec<String> = hosts.iter().take(3).map(|host| format!("`{host}`")).collect();
    let more = hosts.len().saturating_sub(names.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", names.join(", "))
}

/// What the iptables implementation ignores.
fn iptables<'a>(host: &'a HostPolicy, found: &mut Found<'a>) {
    let mut forward = |rules: &RuleList| {
        for (entry, _) in rules.entries() {
            if entry.rules(Direction::Forward).next().is_some() {
                note(found, entry.origin().span, Code::PveForwardIgnored, FORWARD, FORWARD_HELP, host);
            }
        }
    };
    forward(&host.rules);
    host.vnets.iter().for_each(|vnet| forward(&vnet.rules));
    let policies = host.vnets.iter().map(|vnet| &vnet.options.policy_forward);
    for policy in policies.chain([&host.options.policy_forward]) {
        if let (Verdict::Drop | Verdict::Reject, Some(origin)) = (policy.value, &policy.origin) {
            note(found, origin.span, Code::PveForwardIgnored, FORWARD_POLICY, FORWARD_HELP, host);
        }
    }
    if !host.targets.contains(&TargetName::Sysctl) {
        let help = "add `sysctl` to the host's `targets`, or set the kernel's own key";
        let timeout = &host.options.nf_conntrack_tcp_timeout_syn_recv;
        let words = "Proxmox VE never applies `nf_conntrack_tcp_timeout_syn_recv`";
        option(found, timeout, true, words, help, host);
        let maximum = &host.options.nf_conntrack_max;
        let words = "Proxmox VE ignores an `nf_conntrack_max` below 262144";
        option(found, maximum, maximum.value < 262_144, words, help, host);
    }
}

/// What the nftables implementation ignores.
fn nftables<'a>(fleet: &Fleet, host: &'a HostPolicy, found: &mut Found<'a>) {
    let options = &host.options;
    let words = "Proxmox VE's nftables implementation applies `tcpflags` to the host, not to its guests,";
    option(found, &options.tcpflags, options.tcpflags.value, words, NFTABLES_HELP, host);
    let words = "Proxmox VE's nftables implementation has no accepts for cluster traffic under this policy";
    let help = "add rules that accept it, or take `nftables: true` away";
    option(found, &options.policy_out, options.policy_out.value != Verdict::Accept, words, help, host);
    if let Some(blacklist) = fleet.ipsets.get(&(ZoneRef::Datacenter, "blacklist".to_owned())) {
        let words = "Proxmox VE's nftables implementation ignores the ipset `blacklist`";
        note(found, blacklist.span, Code::PveOptionIgnored, words, NFTABLES_HELP, host);
    }
    for guest in &host.guests {
        let words = "Proxmox VE's nftables implementation ignores `ips`";
        option(found, &guest.options.ips, guest.options.ips.value, words, NFTABLES_HELP, host);
        let protocols = &guest.options.layer2_protocols;
        let words = "Proxmox VE's nftables implementation ignores `layer2_protocols`";
        option(found, protocols, protocols.value.is_some(), words, NFTABLES_HELP, host);
    }
}

fn option<'a, T>(
    found: &mut Found<'a>,
    setting: &Setting<T>,
    counts: bool,
    words: &'static str,
    help: &'static str,
    host: &'a HostPolicy,
) {
    if let (true, Some(Origin { span, .. })) = (counts, &setting.origin) {
        note(found, *span, Code::PveOptionIgnored, words, help, host);
    }
}

fn note<'a>(
    found: &mut Found<'a>,
    span: Span,
    code: Code,
    words: &'static str,
    help: &'static str,
    host: &'a HostPolicy,
) {
    found.entry((span, code, words, help)).or_default().insert(&host.name);
}
