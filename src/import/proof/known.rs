//! What Proxmox VE is known to do otherwise than the spec means, whatever its files say.
//!
//! In: the fleet and its nodes. Out: each such difference that touches one of them, with the nodes. Where a node runs the
//! implementation for nftables, the target tells; where it runs pve-firewall, these are the points at which fwc's own outputs
//! do on purpose what that one does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Code;
use crate::policy::{Fleet, HostPolicy, Log, Stage};
use crate::target::{Pve, Selection, Target, Templates};

use super::{Finding, Kind};

/// Hosts that are named before the rest is counted.
const NAMES: usize = 3;

/// Every known difference.
pub(super) fn differences(fleet: &Fleet, nodes: &[&HostPolicy]) -> Vec<Finding> {
    let mut found: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
    for host in nodes.iter().filter(|host| host.enabled && !host.options.nftables.value) {
        for words in of_pve_firewall(host) {
            found.entry(words).or_default().insert(&host.name);
        }
    }
    let of_all = found.into_iter().map(|(words, hosts)| finding(format!("{words}, on {}", list(&hosts)), None));
    of_all.chain(of_the_target(fleet)).collect()
}

fn of_pve_firewall(host: &HostPolicy) -> Vec<&'static str> {
    let mut found = Vec::new();
    if host.hook_in.stages.iter().any(|stage| matches!(stage, Stage::Corosync(_))) {
        found.push("pve-firewall accepts udp 5404-5405 between the nodes, and the spec means corosync's 5405-5412");
    }
    let guests = host.guests.iter().filter(|guest| guest.filtered_nics().next().is_some());
    let (mut filtered, mut by_mac, mut by_source, mut logs) = (false, false, false, false);
    for guest in guests {
        filtered = true;
        by_mac |= guest.options.macfilter.value;
        by_source |= guest.filtered_nics().any(|nic| nic.sources.is_some());
        logs |= guest.hook_in.stages.iter().any(|stage| logs_otherwise(host, stage));
    }
    logs |= host.hook_in.stages.iter().any(|stage| logs_otherwise(host, stage));
    if logs {
        found.push("pve-firewall logs what the ipset `blacklist` stops at `log_level_out`, the spec at `log_level_in`");
    }
    if filtered {
        found.push("frames that a guest sends in a VLAN tag of its own bypass pve-firewall");
    }
    if by_mac || by_source {
        found.push(
            "established connections and DHCP pass pve-firewall before MAC and IP filters, in the spec behind them",
        );
    }
    if by_source {
        found.push(
            "pve-firewall's IP filter drops ARP probes and duplicate address detection, and looks into ARP only where \
             addresses are listed",
        );
    }
    found
}

fn logs_otherwise(host: &HostPolicy, stage: &Stage) -> bool {
    let blacklist = if let Stage::Blacklist { log, .. } = stage { Some(*log) } else { None };
    blacklist.is_some_and(|log: Log| log != host.options.log_level_out.value)
}

/// What the target says of the implementation that a host runs. Of forwarding the hooks themselves tell.
fn of_the_target(fleet: &Fleet) -> Vec<Finding> {
    let compiled =
        Templates::new(BTreeMap::new()).ok().and_then(|all| Pve.compile(fleet, &Selection::default(), &all).ok());
    let Some(compiled) = compiled else { return Vec::new() };
    let told = [Code::PveNftablesDiffers, Code::PveOptionIgnored];
    let of_hosts = compiled.diagnostics.iter().filter(|diagnostic| told.contains(&diagnostic.code));
    of_hosts.map(|diagnostic| finding(diagnostic.message.clone(), Some(diagnostic.span()))).collect()
}

fn list(hosts: &BTreeSet<&str>) -> String {
    let names: Vec<String> = hosts.iter().take(NAMES).map(|host| format!("`{host}`")).collect();
    let more = hosts.len().saturating_sub(names.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", names.join(", "))
}

const fn finding(message: String, span: Option<crate::diagnostic::Span>) -> Finding {
    Finding { kind: Kind::Exception, host: None, machine: None, hook: None, message, place: None, span, witness: None }
}
