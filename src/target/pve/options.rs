//! `[OPTIONS]` of every kind of file.
//!
//! In: typed options. Out: the lines that say them. Written are the options that the spec sets, and besides, always,
//! those whose default differs: `enable`, and a guest's `dhcp`, of which the two implementations disagree.
//! Promise: no comment ever stands on an option's line, since that would make it unreadable.

use crate::policy::{
    ConntrackHelper, DatacenterOptions, GuestOptions, HostOptions, Log, LogRateLimit, Setting, Verdict, VnetOptions,
};

use super::file::{OptionLine, verdict_word};

/// Lines in the order in which they were added.
#[derive(Debug, Default)]
struct Lines(Vec<OptionLine>);

impl Lines {
    fn always(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push(OptionLine { name, value: value.into() });
    }

    fn set<T>(&mut self, name: &'static str, setting: &Setting<T>, text: impl Fn(&T) -> String) {
        if setting.origin.is_some() {
            self.always(name, text(&setting.value));
        }
    }
}

pub(super) fn datacenter(options: &DatacenterOptions) -> Vec<OptionLine> {
    let mut lines = Lines::default();
    lines.always("enable", switch(&options.enable.value));
    lines.set("ebtables", &options.ebtables, switch);
    lines.set("policy_in", &options.policy_in, policy);
    lines.set("policy_out", &options.policy_out, policy);
    lines.set("policy_forward", &options.policy_forward, policy);
    lines.set("log_ratelimit", &options.log_ratelimit, rate_limit);
    lines.0
}

pub(super) fn host(options: &HostOptions) -> Vec<OptionLine> {
    let mut lines = Lines::default();
    lines.always("enable", switch(&options.enable.value));
    lines.set("nosmurfs", &options.nosmurfs, switch);
    lines.set("tcpflags", &options.tcpflags, switch);
    lines.set("ndp", &options.ndp, switch);
    lines.set("nf_conntrack_allow_invalid", &options.nf_conntrack_allow_invalid, switch);
    lines.set("nf_conntrack_max", &options.nf_conntrack_max, u64::to_string);
    let established = &options.nf_conntrack_tcp_timeout_established;
    lines.set("nf_conntrack_tcp_timeout_established", established, u64::to_string);
    lines.set("nf_conntrack_tcp_timeout_syn_recv", &options.nf_conntrack_tcp_timeout_syn_recv, u64::to_string);
    if !options.nf_conntrack_helpers.value.is_empty() {
        lines.set("nf_conntrack_helpers", &options.nf_conntrack_helpers, |helpers| {
            helpers.iter().map(|helper| helper_name(*helper)).collect::<Vec<_>>().join(",")
        });
    }
    lines.set("protection_synflood", &options.protection_synflood, switch);
    lines.set("protection_synflood_rate", &options.protection_synflood_rate, u32::to_string);
    lines.set("protection_synflood_burst", &options.protection_synflood_burst, u32::to_string);
    lines.set("log_level_in", &options.log_level_in, log);
    lines.set("log_level_out", &options.log_level_out, log);
    lines.set("log_level_forward", &options.log_level_forward, log);
    lines.set("tcp_flags_log_level", &options.tcp_flags_log_level, log);
    lines.set("smurf_log_level", &options.smurf_log_level, log);
    lines.set("log_nf_conntrack", &options.log_nf_conntrack, switch);
    lines.set("nftables", &options.nftables, switch);
    lines.0
}

/// `enable` of a guest holds together with its host's, which Proxmox VE does not do by itself. `ipfilter` is on
/// where every filtered NIC has sources of its own (one implementation ignores the sets without it).
pub(super) fn guest(options: &GuestOptions, enable: bool, ipfilter: bool) -> Vec<OptionLine> {
    let mut lines = Lines::default();
    lines.always("enable", switch(&enable));
    lines.set("macfilter", &options.macfilter, switch);
    lines.always("dhcp", switch(&options.dhcp.value));
    lines.set("ndp", &options.ndp, switch);
    lines.set("radv", &options.radv, switch);
    if ipfilter || options.ipfilter.origin.is_some() {
        lines.always("ipfilter", switch(&ipfilter));
    }
    lines.set("policy_in", &options.policy_in, policy);
    lines.set("policy_out", &options.policy_out, policy);
    lines.set("log_level_in", &options.log_level_in, log);
    lines.set("log_level_out", &options.log_level_out, log);
    if let Some(protocols) = &options.layer2_protocols.value {
        let names: Vec<&str> = protocols.iter().map(|protocol| protocol.name.as_str()).collect();
        lines.always("layer2_protocols", names.join(","));
    }
    lines.set("ips", &options.ips, switch);
    if let Some((first, last)) = options.ips_queues.value {
        lines.always("ips_queues", if first == last { first.to_string() } else { format!("{first}:{last}") });
    }
    lines.0
}

pub(super) fn vnet(options: &VnetOptions) -> Vec<OptionLine> {
    let mut lines = Lines::default();
    lines.always("enable", switch(&options.enable.value));
    lines.set("policy_forward", &options.policy_forward, policy);
    lines.set("log_level_forward", &options.log_level_forward, log);
    lines.0
}

fn switch(on: &bool) -> String {
    if *on { "1" } else { "0" }.to_owned()
}

fn policy(verdict: &Verdict) -> String {
    verdict_word(*verdict).to_owned()
}

fn log(log: &Log) -> String {
    match log {
        Log::None => "nolog",
        Log::At(level) => level.name(),
    }
    .to_owned()
}

fn rate_limit(limit: &LogRateLimit) -> String {
    let LogRateLimit { enable, rate, unit, burst } = limit;
    if *enable { format!("enable=1,rate={rate}/{unit},burst={burst}") } else { "enable=0".to_owned() }
}

const fn helper_name(helper: ConntrackHelper) -> &'static str {
    match helper {
        ConntrackHelper::Amanda => "amanda",
        ConntrackHelper::Ftp => "ftp",
        ConntrackHelper::Irc => "irc",
        ConntrackHelper::NetbiosNs => "netbios-ns",
        ConntrackHelper::Pptp => "pptp",
        ConntrackHelper::Sane => "sane",
        ConntrackHelper::Sip => "sip",
        ConntrackHelper::Snmp => "snmp",
        ConntrackHelper::Tftp => "tftp",
    }
}
