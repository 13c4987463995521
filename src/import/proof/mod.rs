//! The proof that files of Proxmox VE mean what a spec means: for all packets, hook by hook.
//!
//! In: a fleet, and the tree of `.fw` files as `fwc build` writes it. Out: what Proxmox VE would enforce otherwise, each
//! with one packet that shows it and what decides on either side; what could not be compared; and what was not compared for
//! a reason that has a name. Promise: where nothing but such [`Kind::Exception`]s comes out, Proxmox VE gives every packet at
//! every hook the verdict and the log line that the spec gives it.
//!
//! What the files mean is what an import makes of them, taken the whole way: read, put into the words of a spec, resolved.
//! What no `.fw` file says comes from the spec: which guests there are and where, their NICs with MAC and `firewall` flag,
//! the nodes' addresses and rings, and which addresses are broadcasts. A NIC's addresses do not: Proxmox VE's IP filter knows
//! those that the files list. Where guests' configurations are among the files, as on a running node, their NICs are what
//! these say, a container's addresses among it.
//!
//! | what | how |
//! |---|---|
//! | rules, groups, aliases, ipsets, options that hooks depend on | by what the hooks decide: `hooks` |
//! | options that no hook shows | by their values |
//! | a host's own policy, written as final rules | by what the hooks decide |
//! | forward rules and vnets without `nftables: true` | an exception, where they would do something |
//! | what Proxmox VE is known to do otherwise, with either implementation | exceptions: `known` |
//! | lines that Proxmox VE passes over | an exception for each |
//! | lines that it enforces and a spec cannot say | not compared |

mod hooks;
mod known;
mod reread;

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::analysis::Packet;
use crate::diagnostic::{Place, Span};
use crate::policy::{
    Fleet, GuestPolicy, Hook, HookName, HostPolicy, Log, Nic, Platform, Rule, Stage, TargetName, Verdict, VnetPolicy,
    ZoneRef, words,
};

use hooks::{Comparison, Side};
use reread::Reread;

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub kind: Kind,
    /// The host that it is about; none where that is all of them.
    pub host: Option<String>,
    /// The machine on it: `vm/100:net1` for a hook of that NIC.
    pub machine: Option<String>,
    /// The hook.
    pub hook: Option<HookName>,
    /// What, in words.
    pub message: String,
    /// The line of the files that it is about, where that is one; paths are as they were given.
    pub place: Option<Place>,
    /// The place of the spec that it is about, where that is one.
    pub span: Option<Span>,
    /// A packet that shows it.
    pub witness: Option<Box<Witness>>,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Proxmox VE enforces something else than the spec means.
    Differs,
    /// It is not known whether it does.
    NotCompared,
    /// Proxmox VE is known to do something else here, or to pass over it, whatever the files say.
    Exception,
}

/// A packet, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The packet.
    pub packet: Packet,
    /// What the spec means.
    pub meant: Judged,
    /// What Proxmox VE does.
    pub found: Judged,
}

/// What becomes of a packet at a hook, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Accept, drop or reject.
    pub verdict: Verdict,
    /// The log line.
    pub log: Log,
    /// The rule (`accept tcp 443`), or the name of the stage.
    pub by: String,
    /// Whose rule it is in the spec.
    pub zone: Option<ZoneRef>,
    /// Where the spec has it.
    pub span: Option<Span>,
    /// The line of the files.
    pub place: Option<Place>,
}

/// Without this file Proxmox VE's firewall is off everywhere.
const CLUSTER: &str = "pve/firewall/cluster.fw";

/// Options whose effect is in the hooks; all others are compared by their values.
const IN_HOOKS: [&str; 21] = [
    "enable",
    "policy_in",
    "policy_out",
    "policy_forward",
    "nosmurfs",
    "tcpflags",
    "ndp",
    "nf_conntrack_allow_invalid",
    "log_level_in",
    "log_level_out",
    "log_level_forward",
    "tcp_flags_log_level",
    "smurf_log_level",
    "macfilter",
    "ipfilter",
    "dhcp",
    "radv",
    "layer2_protocols",
    "ebtables",
    "local_network",
    "management",
];

/// A comparison, and what else can be asked about what differs.
#[derive(Debug, Default)]
pub struct Proof {
    /// What came out, host by host.
    pub findings: Vec<Finding>,
    /// The hooks at which a packet fares otherwise, each with one of the findings.
    pub hooks: Vec<Otherwise>,
    files: Option<Reread>,
}

/// A hook at which files are known to do something else than the spec.
#[derive(Debug)]
pub struct Otherwise {
    /// The host that it is on.
    pub host: String,
    /// The machine: `vm/100:net1` for a hook of that NIC.
    pub machine: String,
    /// As the spec has it, with the NIC that a guest's hook speaks of.
    pub meant: (Hook, Option<Nic>),
    /// As the files have it.
    pub found: (Hook, Option<Nic>),
}

impl Proof {
    /// The line of a rule of the files' hooks: where it is, and how it reads.
    #[must_use]
    pub fn line(&self, rule: &Rule) -> Option<(Place, String)> {
        self.files.as_ref()?.line(rule)
    }
}

/// What [`compare`] finds.
#[must_use]
pub fn pve(fleet: &Fleet, files: &BTreeMap<String, String>) -> Vec<Finding> {
    compare(fleet, files).findings
}

/// Compares what a fleet means with what Proxmox VE makes of files, by their path (`pve/firewall/cluster.fw`); what lies
/// elsewhere than below `pve/` is left alone.
#[must_use]
pub fn compare(fleet: &Fleet, files: &BTreeMap<String, String>) -> Proof {
    let nodes: Vec<&HostPolicy> = fleet.hosts.iter().filter(|host| is_node(host)).collect();
    let mut findings = Vec::new();
    if !files.contains_key(CLUSTER) {
        let off = |host: &HostPolicy| Finding {
            kind: Kind::Differs,
            host: Some(host.name.clone()),
            machine: Some(ZoneRef::Host(host.name.clone()).to_string()),
            hook: None,
            message: "its firewall is off, for there is no `cluster.fw`, and the spec has it on".to_owned(),
            place: None,
            span: None,
            witness: None,
        };
        findings.extend(nodes.into_iter().filter(|host| host.enabled).map(off));
        return Proof { findings, ..Proof::default() };
    }
    let Some(found) = Reread::new(&nodes, files, false, &mut findings) else {
        return Proof { findings, ..Proof::default() };
    };
    // Where some nodes run one implementation and some the other, what is said once is read in both ways.
    let runs_nftables = |host: &HostPolicy| host.options.nftables.value;
    let mixed = found.fleet.hosts.iter().any(runs_nftables) && !found.fleet.hosts.iter().all(runs_nftables);
    let forwarding = if mixed { Reread::new(&nodes, files, true, &mut Vec::new()) } else { None };
    let about_all = datacenter(fleet, &found);
    let of_hosts: Vec<(Vec<Finding>, Vec<Otherwise>)> =
        nodes.par_iter().map(|host| of_host(host, &found, forwarding.as_ref().unwrap_or(&found))).collect();
    findings.extend(known::differences(fleet, &nodes));
    findings.extend(about_all);
    let mut hooks = Vec::new();
    for (of_host, otherwise) in of_hosts {
        findings.extend(of_host);
        hooks.extend(otherwise);
    }
    Proof { findings, hooks, files: Some(found) }
}

/// Whether files switch Proxmox VE's firewall on at a host of the fleet. Where that cannot be told they are taken to do it.
#[must_use]
pub fn is_on(fleet: &Fleet, host: &HostPolicy, files: &BTreeMap<String, String>) -> bool {
    let nodes: Vec<&HostPolicy> = fleet.hosts.iter().filter(|host| is_node(host)).collect();
    let read = || Reread::new(&nodes, files, false, &mut Vec::new());
    files.contains_key(CLUSTER) && read().is_none_or(|found| found.host(&host.name).is_none_or(|host| host.enabled))
}

/// Whether Proxmox VE's files are for a host.
#[must_use]
pub fn is_node(host: &HostPolicy) -> bool {
    host.platform == Platform::Proxmox && host.targets.contains(&TargetName::Pve)
}

fn datacenter(fleet: &Fleet, found: &Reread) -> Vec<Finding> {
    let (meant, is) = (&fleet.datacenter.options, &found.fleet.datacenter.options);
    options(words::datacenter_options(meant), words::datacenter_options(is), |message| Finding {
        kind: Kind::Differs,
        host: None,
        machine: None,
        hook: None,
        message: format!("the cluster: {message}"),
        place: None,
        span: None,
        witness: None,
    })
}

/// Options that no hook shows, as far as they differ.
fn options(
    meant: Vec<words::OptionWords<'_>>,
    is: Vec<words::OptionWords<'_>>,
    finding: impl Fn(String) -> Finding,
) -> Vec<Finding> {
    let value = |list: &[words::OptionWords<'_>], name: &str| {
        list.iter().find(|option| option.name == name).map(|option| option.value.clone())
    };
    // Without a limit its rate and burst are nobody's.
    let unused = |name: &str| {
        let off = |list| value(list, "protection_synflood").as_deref() == Some("false");
        name.starts_with("protection_synflood_") && off(&meant) && off(&is)
    };
    let compared = meant.iter().filter(|option| !IN_HOOKS.contains(&option.name) && !unused(option.name));
    compared
        .filter_map(|option| {
            let other = value(&is, option.name).unwrap_or_default();
            let message = format!("`{}` is {other}, and the spec says {}", option.name, option.value);
            (other != option.value).then(|| finding(message))
        })
        .collect()
}

fn of_host(host: &HostPolicy, found: &Reread, forwarding: &Reread) -> (Vec<Finding>, Vec<Otherwise>) {
    let machine = ZoneRef::Host(host.name.clone()).to_string();
    let about = |kind, message: String| Finding {
        kind,
        host: Some(host.name.clone()),
        machine: Some(machine.clone()),
        hook: None,
        message,
        place: None,
        span: None,
        witness: None,
    };
    let Some(other) = found.host(&host.name) else {
        return (vec![about(Kind::NotCompared, "the files say nothing of it".to_owned())], Vec::new());
    };
    if host.enabled != other.enabled {
        let state = |on: bool| if on { "on" } else { "off" };
        let message = format!("its firewall is {}, and the spec has it {}", state(other.enabled), state(host.enabled));
        return (vec![about(Kind::Differs, message)], Vec::new());
    }
    if !host.enabled {
        return Default::default();
    }
    let mut findings = options(words::host_options(&host.options), words::host_options(&other.options), |message| {
        about(Kind::Differs, message)
    });
    let mut comparison = Comparison::new(host, found);
    comparison.hook(&machine, Side(&host.hook_in, None), Side(&other.hook_in, None), Kind::Differs);
    comparison.hook(&machine, Side(&host.hook_out, None), Side(&other.hook_out, None), Kind::Differs);
    of_guests(&mut comparison, host, other);
    findings.append(&mut comparison.findings);
    let mut hooks = comparison.hooks;
    // The implementation for iptables passes over what is forwarded.
    let (kind, forwarding) =
        if other.options.nftables.value { (Kind::Differs, forwarding) } else { (Kind::Exception, found) };
    if let Some(other) = forwarding.host(&host.name) {
        let mut comparison = Comparison::new(host, forwarding);
        comparison.hook(&machine, Side(&host.hook_forward, None), Side(&other.hook_forward, None), kind);
        of_vnets(&mut comparison, host, other, kind);
        findings.append(&mut comparison.findings);
        hooks.append(&mut comparison.hooks);
    }
    (findings, hooks)
}

fn of_guests(comparison: &mut Comparison<'_>, host: &HostPolicy, other: &HostPolicy) {
    for guest in &host.guests {
        let machine = guest.zone().to_string();
        let is_it = |twin: &&GuestPolicy| twin.id == guest.id && twin.kind == guest.kind;
        let twin = other.guests.iter().find(is_it);
        let enabled = twin.is_some_and(|twin| twin.enabled);
        let Some(twin) = twin.filter(|_| enabled == guest.enabled) else {
            let word = |on: bool| if on { "filtered" } else { "not filtered" };
            let message = format!("it is {}, and the spec has it {}", word(enabled), word(guest.enabled));
            comparison.say(Kind::Differs, &machine, message);
            continue;
        };
        if !guest.enabled {
            continue;
        }
        let differing = options(words::guest_options(&guest.options), words::guest_options(&twin.options), |message| {
            comparison.finding(Kind::Differs, &machine, message)
        });
        comparison.findings.extend(differing);
        of_nics(comparison, guest, twin);
    }
}

fn of_nics(comparison: &mut Comparison<'_>, guest: &GuestPolicy, twin: &GuestPolicy) {
    let machine = guest.zone().to_string();
    let name = |nic: &Nic| if nic.index == 0 { machine.clone() } else { format!("{machine}:net{}", nic.index) };
    for nic in &guest.nics {
        let name = name(nic);
        let Some(same) = twin.nics.iter().find(|same| same.index == nic.index) else {
            comparison.say(Kind::Exception, &name, "the guest has no such NIC".to_owned());
            continue;
        };
        if nic.firewall != same.firewall {
            let word = |on: bool| if on { "filtered" } else { "not filtered" };
            let message = format!("it is {}, and the spec has it {}", word(same.firewall), word(nic.firewall));
            comparison.say(Kind::Differs, &name, message);
        } else if nic.firewall {
            for (meant, is) in [(&guest.hook_in, &twin.hook_in), (&guest.hook_out, &twin.hook_out)] {
                comparison.hook(&name, Side(meant, Some(nic)), Side(is, Some(same)), Kind::Differs);
            }
        }
    }
    for nic in twin.nics.iter().filter(|nic| guest.nics.iter().all(|same| same.index != nic.index)) {
        comparison.say(Kind::Exception, &name(nic), "the spec has no such NIC".to_owned());
    }
}

fn of_vnets(comparison: &mut Comparison<'_>, host: &HostPolicy, other: &HostPolicy, kind: Kind) {
    // A vnet that is off, or not there, lets everything pass.
    let open = |name| Hook { name, stages: vec![Stage::Policy { verdict: Verdict::Accept, log: Log::None }] };
    let on = |vnet: &&std::sync::Arc<VnetPolicy>| vnet.enabled;
    let meant = host.vnets.iter().filter(on);
    let names: std::collections::BTreeSet<&str> =
        meant.chain(other.vnets.iter().filter(on)).map(|vnet| vnet.name.as_str()).collect();
    for name in names {
        let hook = |host: &HostPolicy| {
            let vnet = host.vnets.iter().filter(on).find(|vnet| vnet.name == name);
            vnet.map_or_else(|| open(HookName::VnetForward), |vnet| vnet.hook.clone())
        };
        let (meant, is) = (hook(host), hook(other));
        let machine = ZoneRef::Vnet(name.to_owned()).to_string();
        comparison.hook(&machine, Side(&meant, None), Side(&is, None), kind);
    }
}
