//! Kernel modules that must be there before keys can be set and rules work.
//!
//! Matches and targets of rules load their modules by themselves; only those are listed that nothing
//! else loads in time.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::policy::{ConntrackHelper, Direction, Entry, Hook, HostPolicy, Log, Platform, RuleList, Stage, TargetName};

use super::filters_guests_by_iptables;

/// A module and why it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Module {
    pub(super) name: &'static str,
    reason: String,
}

/// Keys with this prefix exist only with this module.
const OF_KEYS: &[(&str, &str)] = &[
    ("net.bridge.", "br_netfilter"),
    ("net.ipv4.vs.", "ip_vs"),
    ("net.netfilter.nf_conntrack_", "nf_conntrack"),
    ("net.netfilter.nf_flowtable_", "nf_conntrack"),
    ("net.netfilter.nf_hooks_lwtunnel", "nf_conntrack"),
    ("net.nf_conntrack_max", "nf_conntrack"),
];

/// The module that brings a key.
pub(super) fn of_key(key: &str) -> Option<&'static str> {
    OF_KEYS.iter().find(|(prefix, _)| key.starts_with(prefix)).map(|(_, module)| *module)
}

/// The modules that a host with these keys needs, sorted by name, each once.
pub(super) fn needed<'a>(host: &HostPolicy, keys: impl Iterator<Item = &'a str>) -> Vec<Module> {
    let mut modules: BTreeMap<&'static str, String> = BTreeMap::new();
    if host.enabled {
        modules.insert("nf_conntrack", "connection tracking, and its keys".to_owned());
        for helper in &host.options.nf_conntrack_helpers.value {
            let (module, name) = of_helper(*helper);
            modules.insert(module, format!("the conntrack helper {name}"));
        }
        if filters_guests_by_iptables(host) {
            modules.insert("br_netfilter", "shows guests' frames to iptables".to_owned());
        }
        if host.targets.contains(&TargetName::Nft) && host.judges_bridged() {
            modules.insert("nf_conntrack_bridge", "connection tracking in the table of guests".to_owned());
        }
        if host.platform == Platform::Proxmox && logs(host) {
            modules.insert("nfnetlink_log", "hands log lines to Proxmox VE's logger".to_owned());
        }
    }
    for key in keys {
        if let Some(module) = of_key(key) {
            modules.entry(module).or_insert_with(|| format!("the key {key}"));
        }
    }
    modules.into_iter().map(|(name, reason)| Module { name, reason }).collect()
}

const fn of_helper(helper: ConntrackHelper) -> (&'static str, &'static str) {
    match helper {
        ConntrackHelper::Amanda => ("nf_conntrack_amanda", "amanda"),
        ConntrackHelper::Ftp => ("nf_conntrack_ftp", "ftp"),
        ConntrackHelper::Irc => ("nf_conntrack_irc", "irc"),
        ConntrackHelper::NetbiosNs => ("nf_conntrack_netbios_ns", "netbios-ns"),
        ConntrackHelper::Pptp => ("nf_conntrack_pptp", "pptp"),
        ConntrackHelper::Sane => ("nf_conntrack_sane", "sane"),
        ConntrackHelper::Sip => ("nf_conntrack_sip", "sip"),
        ConntrackHelper::Snmp => ("nf_conntrack_snmp", "snmp"),
        ConntrackHelper::Tftp => ("nf_conntrack_tftp", "tftp"),
    }
}

/// Whether anything on the host leaves a log line.
fn logs(host: &HostPolicy) -> bool {
    let own = [&host.hook_in, &host.hook_out, &host.hook_forward];
    let guests = host.guests.iter().flat_map(|guest| [&guest.hook_in, &guest.hook_out]);
    let vnets = host.vnets.iter().map(|vnet| &vnet.hook);
    own.into_iter().chain(guests).chain(vnets).any(hook_logs)
}

fn hook_logs(hook: &Hook) -> bool {
    let direction = hook.name.direction();
    hook.stages.iter().any(|stage| match stage {
        Stage::Blacklist { log, .. }
        | Stage::Smurfs { log, .. }
        | Stage::TcpFlags { log }
        | Stage::Policy { log, .. } => *log != Log::None,
        Stage::Rules(list) => rules_log(list, direction),
        Stage::OtherFrames
        | Stage::StackedVlan
        | Stage::Loopback
        | Stage::MacFilter
        | Stage::IpFilter
        | Stage::Layer2(_)
        | Stage::Arp
        | Stage::Conntrack { .. }
        | Stage::Igmp
        | Stage::Dhcp
        | Stage::RouterAdvertisements
        | Stage::NeighbourDiscovery(_)
        | Stage::Management { .. }
        | Stage::Corosync(_)
        | Stage::Noise { .. } => false,
    })
}

fn rules_log(list: &RuleList, direction: Direction) -> bool {
    list.entries()
        .map(|(entry, _): (&Entry, _)| entry)
        .any(|entry| entry.rules(direction).any(|(rule, _)| rule.log != Log::None))
}
