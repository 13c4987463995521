//! In which order keys stand in the file, and files are read.

use super::{Group, KeyValue};

/// Files that a Proxmox VE node has and that set keys of fwc's.
const PROXMOX_FILES: [&str; 2] = ["pve.conf", "pve-firewall.conf"];

/// Whether a file of this name is read before one of Proxmox VE's own, which then wins.
pub(super) fn loses_to_proxmox(file: &str) -> bool {
    PROXMOX_FILES.iter().any(|own| file < *own)
}

/// Some keys change others when they are written: `ip_forward` resets redirects, `conf.all` reaches
/// every interface. So those come first; the switches that start filtering come last.
fn rank(key: &str) -> u8 {
    if key == "net.ipv4.ip_forward" || key.ends_with(".conf.all.forwarding") {
        0
    } else if key.contains(".conf.all.") {
        1
    } else if key.contains(".conf.default.") {
        2
    } else if key.starts_with("net.bridge.bridge-nf-call-") {
        4
    } else {
        3
    }
}

/// The settings in the order of the file: by rank, then the keys of one source together, under its comment.
pub(super) fn grouped(settings: impl Iterator<Item = KeyValue>) -> Vec<Group> {
    let mut settings: Vec<KeyValue> = settings.collect();
    settings.sort_by(|a, b| {
        let order = |setting: &KeyValue| rank(&setting.key);
        order(a).cmp(&order(b)).then_with(|| (&a.source, &a.key).cmp(&(&b.source, &b.key)))
    });
    let mut groups: Vec<Group> = Vec::new();
    for setting in settings {
        match groups.last_mut() {
            Some(group) if group.settings.last().is_some_and(|last| last.source == setting.source) => {
                group.settings.push(setting);
            }
            Some(_) | None => {
                groups.push(Group { comments: vec![setting.source.clone()], settings: vec![setting] });
            }
        }
    }
    groups
}
