//! Names of the places in a spec where rules and options are written.

use std::fmt;

/// A place that holds rules or options. Displays as users write it: `host/pm1`, `vm/100:net1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneRef {
    /// The datacenter.
    Datacenter,
    /// The `guests` block of another zone (the datacenter, a host or a host zone).
    Guests(Box<ZoneRef>),
    /// A named zone.
    Zone(String),
    /// A host.
    Host(String),
    /// A virtual machine.
    Vm(u32),
    /// A container.
    Container(u32),
    /// A NIC of a guest.
    Nic(Box<ZoneRef>, u8),
    /// A security group.
    Group(String),
    /// A vnet.
    Vnet(String),
}

impl fmt::Display for ZoneRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datacenter => f.write_str("datacenter"),
            Self::Guests(owner) => write!(f, "{owner}/guests"),
            Self::Zone(name) => write!(f, "zone/{name}"),
            Self::Host(name) => write!(f, "host/{name}"),
            Self::Vm(id) => write!(f, "vm/{id}"),
            Self::Container(id) => write!(f, "ct/{id}"),
            Self::Nic(guest, index) => write!(f, "{guest}:net{index}"),
            Self::Group(name) => write!(f, "group/{name}"),
            Self::Vnet(name) => write!(f, "vnet/{name}"),
        }
    }
}
