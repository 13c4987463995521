//! What machines have besides rules and options, in words.

use crate::policy::{HostPolicy, IptablesMode, Nic, Platform, TargetName};

/// What a NIC has, field by field.
pub(super) fn nic_fields(nic: &Nic) -> [(&'static str, Option<String>); 6] {
    let mut addresses: Vec<String> = Vec::with_capacity(nic.addresses.len());
    for address in nic.addresses.iter().map(|address| address.0.to_string()) {
        // Twice is as good as once.
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    // Nor does their order mean anything.
    addresses.sort_unstable();
    addresses.extend(nic.dhcp.then(|| "dhcp".to_owned()));
    [
        ("device", Some(nic.device.clone())),
        ("bridge", nic.bridge.clone()),
        ("tag", nic.tag.map(|tag| tag.to_string())),
        ("mac", nic.mac.map(|mac| mac.to_string())),
        ("ip", (!addresses.is_empty()).then(|| addresses.join(", "))),
        ("firewall", Some(nic.firewall.to_string())),
    ]
}

/// All of it in one line.
pub(super) fn nic_words(nic: &Nic) -> String {
    let fields = nic_fields(nic).into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    fields.collect::<Vec<_>>().join(", ")
}

/// Name, and the values of both sides.
type Property = (&'static str, Option<String>, Option<String>);

/// What a host has besides rules, options and settings, on both sides.
pub(super) fn host_properties(old: &HostPolicy, new: &HostPolicy) -> Vec<Property> {
    let addresses = |host: &HostPolicy| {
        let list: Vec<String> = host.addresses.iter().map(|address| address.0.to_string()).collect();
        Some(list.join(", ")).filter(|text| !text.is_empty())
    };
    let targets =
        |host: &HostPolicy| Some(host.targets.iter().map(|target| target.name()).collect::<Vec<_>>().join(", "));
    let platform = |host: &HostPolicy| {
        Some(match host.platform {
            Platform::Proxmox => "proxmox".to_owned(),
            Platform::Linux => "linux".to_owned(),
        })
    };
    let iptables = |host: &HostPolicy| {
        if ![old, new].iter().all(|side| side.targets.contains(&TargetName::Iptables)) {
            return None;
        }
        let mode = match &host.iptables.mode {
            IptablesMode::Exclusive => "exclusive".to_owned(),
            IptablesMode::Shared { prefix } => format!("shared, prefix {prefix}"),
        };
        Some(if host.iptables.ipset { format!("{mode}, ipset") } else { mode })
    };
    let file = |host: &HostPolicy| Some(host.sysctl_file.value.clone());
    vec![
        ("addresses", addresses(old), addresses(new)),
        ("targets", targets(old), targets(new)),
        ("platform", platform(old), platform(new)),
        ("iptables", iptables(old), iptables(new)),
        ("sysctl file", file(old), file(new)),
        ("comment", old.comment.clone(), new.comment.clone()),
    ]
}
