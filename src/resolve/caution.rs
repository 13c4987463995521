//! What may be meant, and mostly is not: warnings about hosts' settings.
//!
//! In: what was resolved for a host. Out: warnings at the settings.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::net::Family;
use crate::policy::{HostOptions, HostPolicy, Platform, TargetName, Verdict};

use super::machines::HostPlan;

/// Connections are logged by a daemon of Proxmox VE, which runs beside its own firewall alone.
pub(super) fn of_connection_log(
    options: &HostOptions,
    platform: Platform,
    targets: &BTreeSet<TargetName>,
    out: &mut Diagnostics,
) {
    let (true, Some(origin)) = (options.log_nf_conntrack.value, &options.log_nf_conntrack.origin) else { return };
    let wanted: Vec<String> = [TargetName::Iptables, TargetName::Nft]
        .into_iter()
        .filter(|target| targets.contains(target))
        .map(|target| format!("`{}`", target.name()))
        .collect();
    if wanted.is_empty() && platform == Platform::Proxmox {
        return;
    }
    let (why, help) = match platform {
        Platform::Proxmox => (
            format!("no connection is logged by the output of {}", wanted.join(" and ")),
            "drop it where one of these is loaded, or name under `targets` what the host wants",
        ),
        Platform::Linux => ("nothing on `platform: linux` logs connections".to_owned(), "drop it"),
    };
    out.push(
        Diagnostic::warning(Code::NotEnforced, origin.span, "Proxmox VE's own daemon alone heeds `log_nf_conntrack`")
            .because(why)
            .help(help),
    );
}

/// How long a SYN limit may remember a silent source before that deserves a word, in seconds.
const LONG: u32 = 60;

/// The kernel remembers so many sources and no more, each until its allowance is full again.
pub(super) fn of_slow_limit(options: &HostOptions, out: &mut Diagnostics) {
    let Some(limit) = options.synflood().filter(|limit| limit.seconds() > LONG) else { return };
    let (burst, rate) = (&options.protection_synflood_burst, &options.protection_synflood_rate);
    let Some(origin) = burst.origin.as_ref().or(rate.origin.as_ref()) else { return };
    let seconds = limit.seconds();
    let message = format!("the SYN limit remembers every source for {seconds} seconds");
    let most = crate::policy::Synflood::SOURCES;
    let mut warning = Diagnostic::warning(Code::SlowLimit, origin.span, message)
        .because(format!("until its {} SYNs at {} a second are full again", limit.burst, limit.rate))
        .help(format!("take a burst of at most {LONG} seconds' rate: a flood from {most} sources fills the memory"));
    if let Some(other) = rate.origin.as_ref().filter(|other| other.span != origin.span) {
        warning = warning.label(other.span, "the rate");
    }
    out.push(warning);
}

/// Rings are told apart by their order. Two nodes whose addresses agree in no place are cut off from each other, as soon
/// as one of them drops what no rule accepts. `policies` are those of `plans`, in their order.
pub(super) fn of_rings(plans: &[HostPlan<'_>], policies: &[HostPolicy], out: &mut Diagnostics) {
    let is_node = |(plan, policy): &(&HostPlan<'_>, &HostPolicy)| {
        policy.platform == Platform::Proxmox && policy.enabled && !plan.corosync.is_empty()
    };
    let nodes: Vec<_> = plans.iter().zip(policies).filter(is_node).collect();
    for (at, (plan, policy)) in nodes.iter().enumerate() {
        let closed = |policy: &HostPolicy| policy.options.policy_in.value != Verdict::Accept;
        let apart = |(other, its): &&(&HostPlan<'_>, &HostPolicy)| {
            let mut rings = plan.corosync.iter().zip(&other.corosync);
            (closed(policy) || closed(its)) && !rings.any(|(own, peer)| Family::of(*own) == Family::of(*peer))
        };
        let Some((other, _)) = nodes.iter().take(at).find(apart) else { continue };
        let message = format!("`{}` and `{}` have no corosync ring in common", other.name.value, plan.name.value);
        out.push(
            Diagnostic::warning(Code::NoCommonRing, plan.name.span, message)
                .because("the first addresses of both are the first ring, and so on; these are of different families")
                .label(other.name.span, "the other node")
                .help("write their addresses in the same order, or name those of the rings under `corosync`"),
        );
    }
}
