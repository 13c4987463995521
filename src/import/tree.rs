//! Which file of a copy of `/etc/pve` is what.

use crate::state::guest_conf::Machine;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `firewall/cluster.fw`.
    Cluster,
    /// `nodes/<node>/host.fw`; without a node where the folder names none.
    Host(Option<String>),
    /// `firewall/<VMID>.fw`.
    Guest(u32),
    /// `sdn/firewall/<vnet>.fw`.
    Vnet(String),
    /// `nodes/<node>/qemu-server/<VMID>.conf` and `lxc`; without a machine where the folder says neither.
    Conf {
        /// The node.
        node: Option<String>,
        /// VM or container.
        machine: Option<Machine>,
        /// The guest's number.
        id: u32,
    },
    /// `corosync.conf`.
    Corosync,
}

/// What the file at a path below the folder is; none where it is nothing of the firewall's.
#[must_use]
pub fn role(path: &str) -> Option<Role> {
    let parts: Vec<&str> = path.split('/').collect();
    let (name, folders) = parts.split_last()?;
    let conf = |node: Option<&str>, machine| {
        let id = vmid(name.strip_suffix(".conf")?)?;
        Some(Role::Conf { node: node.map(str::to_owned), machine, id })
    };
    match folders {
        ["nodes", node, ..] if !is_node(node) => None,
        ["nodes", node] if *name == "host.fw" => Some(Role::Host(Some((*node).to_owned()))),
        ["nodes", node, "qemu-server"] => conf(Some(node), Some(Machine::Vm)),
        ["nodes", node, "lxc"] => conf(Some(node), Some(Machine::Container)),
        ["qemu-server"] => conf(None, Some(Machine::Vm)),
        ["lxc"] => conf(None, Some(Machine::Container)),
        ["sdn", "firewall"] => {
            let vnet = name.strip_suffix(".fw").filter(|vnet| super::is_interface(vnet));
            vnet.map(|vnet| Role::Vnet(vnet.to_owned()))
        }
        [] | ["firewall"] => match *name {
            "cluster.fw" => Some(Role::Cluster),
            "host.fw" => Some(Role::Host(None)),
            "corosync.conf" if folders.is_empty() => Some(Role::Corosync),
            _ => match name.strip_suffix(".fw") {
                Some(stem) => vmid(stem).map(Role::Guest),
                None if folders.is_empty() => conf(None, None),
                None => None,
            },
        },
        _ => None,
    }
}

/// Whether a folder below the copy can hold files that have a role. `local`, `qemu-server` and `lxc` are links to the
/// own node's on a running system.
#[must_use]
pub fn leads_on(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        ["firewall" | "nodes" | "sdn" | "qemu-server" | "lxc"]
            | ["nodes", _]
            | ["nodes", _, "qemu-server" | "lxc"]
            | ["sdn", "firewall"]
    )
}

/// A guest's number: plain decimals from 100 to 999999999.
fn vmid(text: &str) -> Option<u32> {
    let plain = (3..=9).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Whether a text is the name of a node: letters, digits and dashes, no dash at an end.
pub(super) fn is_node(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(good)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text != "any"
}
