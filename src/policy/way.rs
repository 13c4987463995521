//! The ways of packets through one host: which hooks judge them, in order.
//!
//! In: the two ends of a packet's way on a host, and how the host carries it. Out: the hooks that are on, in the
//! order in which they are passed. A packet passes when every one of them accepts it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Direction, GuestPolicy, Hook, HookName, HostPolicy, Nic, Platform, Verdict, VnetPolicy, ZoneRef};

/// One end of a packet's way on a host.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// The host itself.
    Host,
    /// A NIC of a guest.
    Guest(&'a GuestPolicy, &'a Nic),
    /// A port or interface that the spec does not know: an uplink, a guest that fwc does not manage.
    /// With the name of its bridge, where it is a bridge's port and that is known.
    Unknown(Option<&'a str>),
}

/// How a host carries a packet between two ends that are not the host itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carriage {
    /// As a frame, from port to port of one bridge.
    Bridged,
    /// As a packet, from one interface to another: bridges are left and entered by the host's own ports.
    Routed,
}

/// A hook that a packet passes.
#[derive(Debug, Clone)]
pub struct Crossing<'a> {
    /// The host on which it stands.
    pub host: &'a HostPolicy,
    /// Whose hook it is.
    pub machine: ZoneRef,
    /// The hook.
    pub hook: &'a Hook,
    /// The NIC that a guest's hook speaks of.
    pub nic: Option<&'a Nic>,
}

impl<'a> End<'a> {
    /// The bridge it is a port of, if that is known.
    #[must_use]
    pub fn bridge(self) -> Option<&'a str> {
        match self {
            Self::Host => None,
            Self::Guest(_, nic) => nic.bridge.as_deref(),
            Self::Unknown(bridge) => bridge,
        }
    }
}

/// No interface has a longer name, in bytes.
const LONGEST_NAME: usize = 15;

impl HostPolicy {
    /// Whether frames between guests' ports are judged: by guests' hooks, or by those of vnets that they may be in.
    #[must_use]
    pub fn judges_bridged(&self) -> bool {
        let judges = |vnet: &VnetPolicy| {
            let drops = vnet.options.policy_forward.value != Verdict::Accept;
            vnet.enabled && (drops || vnet.rules.rules(Direction::Forward).next().is_some())
        };
        let is_here = |vnet: &VnetPolicy| {
            let mut nics = self.guests.iter().flat_map(|guest| &guest.nics);
            self.platform == Platform::Proxmox || nics.any(|nic| nic.bridge.as_deref() == Some(&vnet.name))
        };
        self.guests.iter().any(|guest| guest.filtered_nics().next().is_some())
            || self.vnets.iter().any(|vnet| judges(vnet) && is_here(vnet))
    }

    /// The interfaces that are a bridge of the spec, itself first: a host makes one beside it for every tag of a NIC on it
    /// (`vmbr0v100`) where the bridge itself knows nothing of VLANs. No vnet has the name of one of those.
    #[must_use]
    pub fn bridges(&self, bridge: &str) -> Vec<String> {
        let nics = self.guests.iter().flat_map(|guest| &guest.nics);
        let on_bridge = nics.filter(|nic| nic.bridge.as_deref() == Some(bridge));
        let tags: BTreeSet<u16> = on_bridge.filter_map(|nic| nic.tag).collect();
        let beside = tags.iter().map(|tag| format!("{bridge}v{tag}")).filter(|name| name.len() <= LONGEST_NAME);
        std::iter::once(bridge.to_owned()).chain(beside).collect()
    }

    /// The hooks that a packet from one end to another passes here, in order.
    ///
    /// A host that does not filter has none; a guest or NIC whose firewall is off, and a port that the spec does not
    /// know, pass no guest's hook. A vnet judges what its bridge carries from or to one of its ports: not what the host
    /// routes, and not what the host exchanges with a port that the spec does not know.
    #[must_use]
    pub fn way<'a>(&'a self, from: End<'a>, to: End<'a>, carriage: Carriage) -> Vec<Crossing<'a>> {
        if !self.enabled {
            return Vec::new();
        }
        let mut way = Vec::with_capacity(3);
        way.extend(self.leaving(from));
        match (from, to, carriage) {
            (End::Host, End::Host | End::Unknown(_), _) | (End::Unknown(_), End::Host, _) => {}
            (End::Guest(..) | End::Unknown(_), End::Guest(..) | End::Unknown(_), Carriage::Routed) => {
                way.push(self.own(&self.hook_forward));
            }
            (End::Guest(..), _, _) | (_, End::Guest(..), _) | (End::Unknown(_), End::Unknown(_), Carriage::Bridged) => {
                way.extend(self.vnet(from.bridge().or(to.bridge())));
            }
        }
        way.extend(self.arriving(to));
        way
    }

    /// A hook of the host, of a guest's NIC (`nic`: N of `netN`) or of a vnet, as packets pass it; none where they do not.
    #[must_use]
    pub fn crossing(&self, name: HookName, machine: &ZoneRef, nic: Option<u8>) -> Option<Crossing<'_>> {
        let found = match machine {
            ZoneRef::Host(_) => {
                let hooks = [&self.hook_in, &self.hook_out, &self.hook_forward];
                hooks.into_iter().find(|hook| hook.name == name).map(|hook| self.own(hook))
            }
            ZoneRef::Vm(id) | ZoneRef::Container(id) => {
                let guest = self.guests.iter().find(|guest| guest.id == *id)?;
                let nic = guest.nics.iter().find(|known| Some(known.index) == nic)?;
                let hook = [&guest.hook_in, &guest.hook_out].into_iter().find(|hook| hook.name == name)?;
                self.guest(guest, nic, hook)
            }
            ZoneRef::Vnet(vnet) => self.vnet(Some(vnet)),
            ZoneRef::Datacenter | ZoneRef::Guests(_) | ZoneRef::Zone(_) | ZoneRef::Nic(..) | ZoneRef::Group(_) => None,
        };
        found.filter(|_| self.enabled)
    }

    fn own<'a>(&'a self, hook: &'a Hook) -> Crossing<'a> {
        Crossing { host: self, machine: ZoneRef::Host(self.name.clone()), hook, nic: None }
    }

    fn leaving<'a>(&'a self, from: End<'a>) -> Option<Crossing<'a>> {
        match from {
            End::Host => Some(self.own(&self.hook_out)),
            End::Guest(guest, nic) => self.guest(guest, nic, &guest.hook_out),
            End::Unknown(_) => None,
        }
    }

    fn arriving<'a>(&'a self, to: End<'a>) -> Option<Crossing<'a>> {
        match to {
            End::Host => Some(self.own(&self.hook_in)),
            End::Guest(guest, nic) => self.guest(guest, nic, &guest.hook_in),
            End::Unknown(_) => None,
        }
    }

    fn guest<'a>(&'a self, guest: &'a GuestPolicy, nic: &'a Nic, hook: &'a Hook) -> Option<Crossing<'a>> {
        let filtered = guest.enabled && nic.firewall;
        filtered.then(|| Crossing { host: self, machine: guest.zone(), hook, nic: Some(nic) })
    }

    fn vnet<'a>(&'a self, bridge: Option<&str>) -> Option<Crossing<'a>> {
        let vnet: &Arc<VnetPolicy> =
            self.vnets.iter().find(|vnet| vnet.enabled && Some(vnet.name.as_str()) == bridge)?;
        Some(Crossing { host: self, machine: ZoneRef::Vnet(vnet.name.clone()), hook: &vnet.hook, nic: None })
    }
}
