//! What a host's firewall needs of the kernel, whether the spec says so or not.
//!
//! Facts: pve-firewall sets the conntrack table's size (a multiple of 8192), two timeouts, SYN cookies
//! and the bridge switches when it starts, and ships `rp_filter`; see the kernel's `nf_conntrack-sysctl`
//! and `ip-sysctl` pages for the keys.

use crate::policy;
use crate::policy::{HostPolicy, Platform, TargetName};

use super::{KeyValue, filters_guests_by_iptables};

/// Both names of the conntrack table's size, the usual one first.
pub(super) const CONNTRACK_MAX: [&str; 2] = ["net.netfilter.nf_conntrack_max", "net.nf_conntrack_max"];

/// Frames with one VLAN tag are filtered too.
pub(super) const FILTER_VLAN_TAGGED: &str = "net.bridge.bridge-nf-filter-vlan-tagged";

/// What must be 1 for iptables to see guests' frames.
pub(super) const BRIDGE_SWITCHES: [&str; 3] =
    [FILTER_VLAN_TAGGED, "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"];

/// The kernel rounds nothing; Proxmox VE sizes the table in steps of this.
const STEP: u64 = 8192;

/// The keys that the firewall implies; none where the host does not filter.
pub(super) fn settings(host: &HostPolicy) -> Vec<KeyValue> {
    if !host.enabled {
        return Vec::new();
    }
    let options = &host.options;
    let [max, _] = CONNTRACK_MAX;
    let rounded = options.nf_conntrack_max.value.div_ceil(STEP).saturating_mul(STEP);
    let mut settings = vec![
        option(max, rounded, "nf_conntrack_max", &options.nf_conntrack_max),
        option(
            "net.netfilter.nf_conntrack_tcp_timeout_established",
            options.nf_conntrack_tcp_timeout_established.value,
            "nf_conntrack_tcp_timeout_established",
            &options.nf_conntrack_tcp_timeout_established,
        ),
        option(
            "net.netfilter.nf_conntrack_tcp_timeout_syn_recv",
            options.nf_conntrack_tcp_timeout_syn_recv.value,
            "nf_conntrack_tcp_timeout_syn_recv",
            &options.nf_conntrack_tcp_timeout_syn_recv,
        ),
        constant("net.ipv4.tcp_syncookies", "1", "the firewall: connections are accepted under a flood of SYNs"),
    ];
    // On other hosts it could loosen a strict interface: the larger value of `all` and the interface wins.
    if host.platform == Platform::Proxmox {
        settings.push(constant(
            "net.ipv4.conf.all.rp_filter",
            "2",
            "the firewall: IPv4 sources that no route leads back to are dropped, as Proxmox VE sets it",
        ));
    }
    if filters_guests_by_iptables(host) {
        let source = if host.targets.contains(&TargetName::Nft) {
            "guests are filtered by iptables (not needed where fwc.nft is loaded in place of iptables.rules)"
        } else {
            "guests are filtered by iptables, which sees their frames by these switches alone"
        };
        settings.extend(BRIDGE_SWITCHES.iter().map(|key| constant(key, "1", source)));
    }
    settings
}

fn constant(key: &str, value: &str, source: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value.to_owned(), source: source.to_owned() }
}

fn option(key: &str, value: u64, name: &str, setting: &policy::Setting<u64>) -> KeyValue {
    let source = match &setting.origin {
        Some(origin) => format!("{}, option {name}", origin.zone),
        None => format!("default of the option {name}"),
    };
    KeyValue { key: key.to_owned(), value: value.to_string(), source }
}
