//! Machines: the datacenter's definitions, hosts, guests with their NICs, vnets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::net::{AddressSet, InterfaceAddress, Mac};

use super::{
    Claim, DatacenterOptions, Group, GuestOptions, Hook, HostOptions, IptablesOptions, Origin, Reference, RuleList,
    Setting, VnetOptions, Written, ZoneRef,
};

/// Everything that a spec enforces. Lists are sorted by name (guests by number).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// What holds for all.
    pub datacenter: Datacenter,
    /// The hosts.
    pub hosts: Vec<HostPolicy>,
    /// The security groups, called or not.
    pub groups: BTreeMap<String, Arc<Group>>,
    /// The vnets.
    pub vnets: Vec<Arc<VnetPolicy>>,
    /// Every alias, by the zone that defines it and its name.
    pub aliases: BTreeMap<(ZoneRef, String), Alias>,
    /// Every ipset, by the zone that defines it and its name.
    pub ipsets: BTreeMap<(ZoneRef, String), Ipset>,
    /// What the spec claims of packets, in the order of files and lines.
    pub tests: Vec<Claim>,
    /// What was written besides.
    pub written: Written,
}

/// What holds for all machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datacenter {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its options.
    pub options: DatacenterOptions,
}

/// A name for one address or network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// One address or network, host bits cut off.
    pub network: ipnet::IpNet,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// Where it was defined.
    pub span: Span,
}

/// An entry of an ipset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpsetEntry {
    /// As it was written.
    pub reference: Reference,
    /// What it stands for.
    pub set: Arc<AddressSet>,
    /// Whether it excludes.
    pub exclude: bool,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// Where it was written.
    pub span: Span,
}

/// A named set of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipset {
    /// The name.
    pub name: String,
    /// As written.
    pub entries: Vec<IpsetEntry>,
    /// What it stands for: exclusions subtracted, the most specific prefix wins.
    pub set: Arc<AddressSet>,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// Where it was defined.
    pub span: Span,
}

/// What runs on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// A Proxmox VE node.
    Proxmox,
    /// Any other Linux.
    Linux,
}

/// A kind of output that a host may want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetName {
    /// Proxmox VE's `.fw` files.
    Pve,
    /// iptables, ip6tables, ipset and ebtables.
    Iptables,
    /// nftables.
    Nft,
    /// sysctl, modules.
    Sysctl,
}

impl TargetName {
    /// Every target.
    pub const ALL: [Self; 4] = [Self::Pve, Self::Iptables, Self::Nft, Self::Sysctl];

    /// As the spec writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pve => "pve",
            Self::Iptables => "iptables",
            Self::Nft => "nft",
            Self::Sysctl => "sysctl",
        }
    }
}

/// A sysctl key that the spec sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlSetting {
    /// In dotted form, as written (`net.ipv4.conf.eth0/1.rp_filter` keeps a slash for a dot in an interface's name).
    pub key: String,
    /// One line.
    pub value: String,
    /// Who set it; `identity` is the profile's name, or the key.
    pub origin: Origin,
    /// The profile it comes from, if any.
    pub profile: Option<&'static str>,
}

/// One host: what it enforces for itself and for the guests that may run on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPolicy {
    /// A DNS name.
    pub name: String,
    /// Where it was defined.
    pub span: Span,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// What runs on it.
    pub platform: Platform,
    /// The outputs it wants.
    pub targets: BTreeSet<TargetName>,
    /// Its linearisation: itself first.
    pub path: Arc<[ZoneRef]>,
    /// Whether it filters: the datacenter's and its own `enable`. Where not, its hooks and its guests' are unused.
    pub enabled: bool,
    /// In the order written.
    pub addresses: Vec<InterfaceAddress>,
    /// The network it trusts: an alias `local_network`, or the network of its first address; none on linux unless defined.
    pub local_network: Option<Arc<AddressSet>>,
    /// Broadcast addresses of every network known here, 255.255.255.255, 224.0.0.0/4 and ff00::/8.
    pub broadcast: Arc<AddressSet>,
    /// Its options.
    pub options: HostOptions,
    /// Who owns its iptables.
    pub iptables: IptablesOptions,
    /// Its rules of all directions.
    pub rules: Arc<RuleList>,
    /// Towards the host.
    pub hook_in: Hook,
    /// From the host.
    pub hook_out: Hook,
    /// Routed through the host.
    pub hook_forward: Hook,
    /// By number.
    pub guests: Vec<GuestPolicy>,
    /// The vnets whose bridges may be on this host.
    pub vnets: Vec<Arc<VnetPolicy>>,
    /// Sorted by key.
    pub sysctl: Vec<SysctlSetting>,
    /// The name of the file in `sysctl.d`.
    pub sysctl_file: Setting<String>,
}

/// Which kind of guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuestKind {
    /// A virtual machine (QEMU).
    Vm,
    /// A container (LXC).
    Container,
}

/// One guest as one host enforces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestPolicy {
    /// Its number.
    pub id: u32,
    /// VM or container.
    pub kind: GuestKind,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// Where it was defined.
    pub span: Span,
    /// Its linearisation on this host: itself first.
    pub path: Arc<[ZoneRef]>,
    /// Whether it is filtered: the datacenter's, the host's and its own `enable`.
    pub enabled: bool,
    /// Its options.
    pub options: GuestOptions,
    /// Its rules of both directions, NICs' own rules included.
    pub rules: Arc<RuleList>,
    /// Towards the guest; the same stages for every NIC.
    pub hook_in: Hook,
    /// From the guest; the same stages for every NIC.
    pub hook_out: Hook,
    /// By number.
    pub nics: Vec<Nic>,
}

impl GuestPolicy {
    /// The guest's place in the spec.
    #[must_use]
    pub const fn zone(&self) -> ZoneRef {
        self.kind.zone(self.id)
    }

    /// The NICs that are filtered: those with `firewall`, if the guest is enabled.
    pub fn filtered_nics(&self) -> impl Iterator<Item = &Nic> {
        self.nics.iter().filter(|nic| self.enabled && nic.firewall)
    }
}

/// A NIC of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// N of `netN`.
    pub index: u8,
    /// The port's name on the host, 15 characters at most.
    pub device: String,
    /// The bridge, if the spec says.
    pub bridge: Option<String>,
    /// The MAC address, if the spec says; always there where `macfilter` is on and an output needs it.
    pub mac: Option<Mac>,
    /// The VLAN tag, if any: 1 to 4094.
    pub tag: Option<u16>,
    /// Its static addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// Whether it gets an address by DHCP (`ip: dhcp`).
    pub dhcp: bool,
    /// Whether it is filtered.
    pub firewall: bool,
    /// Who may speak from it, where the IP filter is on (`ipfilter` or an ipset `ipfilter-net<N>`):
    /// its addresses, that ipset, its EUI-64 link-local address and no other of fe80::/10.
    pub sources: Option<Arc<AddressSet>>,
    /// Where it was defined.
    pub span: Span,
}

/// One vnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetPolicy {
    /// Its name, which is its bridge's.
    pub name: String,
    /// One line of the author's, if any.
    pub comment: Option<String>,
    /// Where it was defined.
    pub span: Span,
    /// Whether it is filtered: the datacenter's and its own `enable`.
    pub enabled: bool,
    /// Its options.
    pub options: VnetOptions,
    /// Its rules: forward only.
    pub rules: Arc<RuleList>,
    /// Frames through its bridge.
    pub hook: Hook,
}
