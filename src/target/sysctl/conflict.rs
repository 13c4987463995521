//! Where what the spec sets and what its firewall needs contradict each other.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::net::sysctl_twin;
use crate::policy::{HostPolicy, Platform, SysctlSetting};

use super::{filters_guests_by_iptables, implied, is_on, order};

/// Findings of one host.
pub(super) fn check(host: &HostPolicy) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for setting in &host.sysctl {
        opens(host, setting, &mut diagnostics);
        set_twice(host, setting, &mut diagnostics);
        twins(host, setting, &mut diagnostics);
    }
    file_name(host, &mut diagnostics);
    diagnostics
}

/// A bridge switch that is off while guests are filtered by iptables: nothing would be filtered.
fn opens(host: &HostPolicy, setting: &SysctlSetting, diagnostics: &mut Diagnostics) {
    let is_switch = implied::BRIDGE_SWITCHES.contains(&setting.key.as_str());
    if !is_switch || is_on(&setting.value) || !filters_guests_by_iptables(host) {
        return;
    }
    // A zone that many hosts inherit is told once: the message names no host.
    let message = format!("`{}: {}` lets guests' frames pass by the rules of iptables", setting.key, setting.value);
    diagnostics.push(
        Diagnostic::error(Code::OpensFirewall, setting.origin.span, message)
            .because("switches filtering off")
            .help("remove the key, or leave `iptables` out of the host's `targets`"),
    );
}

/// An option and a sysctl key that both set the same, differently.
fn set_twice(host: &HostPolicy, setting: &SysctlSetting, diagnostics: &mut Diagnostics) {
    let [max, other] = implied::CONNTRACK_MAX;
    let key = if setting.key == other { max } else { setting.key.as_str() };
    let options = &host.options;
    let (option, name) = match key.strip_prefix("net.netfilter.") {
        Some("nf_conntrack_max") => (&options.nf_conntrack_max, "nf_conntrack_max"),
        Some("nf_conntrack_tcp_timeout_established") => {
            (&options.nf_conntrack_tcp_timeout_established, "nf_conntrack_tcp_timeout_established")
        }
        Some("nf_conntrack_tcp_timeout_syn_recv") => {
            (&options.nf_conntrack_tcp_timeout_syn_recv, "nf_conntrack_tcp_timeout_syn_recv")
        }
        Some(_) | None => return,
    };
    let Some(origin) = &option.origin else { return };
    if !host.enabled || setting.value.trim() == option.value.to_string() {
        return;
    }
    let message = format!("`{}` and the option `{name}` set the same to different values", setting.key);
    diagnostics.push(
        Diagnostic::warning(Code::SetTwice, setting.origin.span, message)
            .because("this wins")
            .label(origin.span, "this is without effect")
            .help("keep the option"),
    );
}

/// Two keys of one variable, with different values.
fn twins(host: &HostPolicy, setting: &SysctlSetting, diagnostics: &mut Diagnostics) {
    let Some(twin) = sysctl_twin(&setting.key) else { return };
    let other = host.sysctl.iter().find(|other| other.key == twin && other.key < setting.key);
    let Some(other) = other.filter(|other| other.value.trim() != setting.value.trim()) else { return };
    let message = format!("`{}` and `{}` are one setting, with different values", setting.key, other.key);
    diagnostics.push(
        Diagnostic::warning(Code::SetTwice, setting.origin.span, message)
            .label(other.origin.span, "the other name")
            .help("keep one of them"),
    );
}

/// A file name by which Proxmox VE's own file wins, and switches bridged frames off again.
fn file_name(host: &HostPolicy, diagnostics: &mut Diagnostics) {
    let file = &host.sysctl_file;
    let Some(origin) = &file.origin else { return };
    if host.platform != Platform::Proxmox || !host.enabled || !order::loses_to_proxmox(&file.value) {
        return;
    }
    let message = format!("`{}` is read before Proxmox VE's own `pve.conf` and `pve-firewall.conf`", file.value);
    let span: Span = origin.span;
    diagnostics.push(
        Diagnostic::warning(Code::FileLoses, span, message)
            .because("the last file that sets a key wins")
            .help("choose a name that sorts after them, such as `zz-fwc.conf`"),
    );
}
