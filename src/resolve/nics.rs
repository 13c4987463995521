//! What is odd about guests' NICs: ports and addresses that two of them share, IP filters for NICs that are none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::net::Mac;
use crate::policy::Nic;
use crate::spec::Spec;
use crate::spec::model::{Text, ZoneKind};

use super::machines::GuestPlan;
use super::rule::nic_index;

/// How the ipset of a NIC's IP filter begins.
const IPFILTER: &str = "ipfilter-net";

/// Two NICs of one host cannot have one port.
pub(super) fn check_devices(plans: &[GuestPlan<'_>], out: &mut Diagnostics) {
    let mut ports: BTreeMap<(usize, &str), Span> = BTreeMap::new();
    let placed = plans.iter().flat_map(|plan| {
        let nics = move |host| plan.nics.iter().map(move |(nic, _)| (host, nic));
        plan.placements.iter().flat_map(move |placement| nics(placement.host))
    });
    for (host, nic) in placed {
        if let Some(first) = ports.insert((host, &nic.device), nic.span) {
            let message = format!("two NICs have the port `{}` on one host", nic.device);
            out.push(
                Diagnostic::error(Code::DuplicateDevice, nic.span, message)
                    .label(first, "the other one")
                    .help("give one of them another `device`"),
            );
        }
    }
}

/// A bridge that knows VLANs keeps a tagged NIC; for one that does not, the host makes a bridge beside it, named for
/// both. Where a vnet has that very name, no one can say which bridge, and so whose rules, the NIC is on.
pub(super) fn check_tagged_bridges(spec: &Spec, plans: &[GuestPlan<'_>], out: &mut Diagnostics) {
    let vnets: BTreeMap<&str, Span> = spec.vnets.iter().map(|(name, _)| (name.as_str(), name.span)).collect();
    for (nic, plan) in plans.iter().flat_map(|plan| plan.nics.iter().map(move |(nic, _)| (nic, plan))) {
        let Some((bridge, tag)) = nic.bridge.as_ref().zip(nic.tag) else { continue };
        let name = format!("{bridge}v{tag}");
        let Some(vnet) = vnets.get(name.as_str()) else { continue };
        let message = format!("`{}:net{}` is on the bridge `{bridge}` or on the vnet `{name}`", plan.zone, nic.index);
        out.push(
            Diagnostic::error(Code::AmbiguousVnet, nic.span, message)
                .because(format!("a host whose `{bridge}` knows no VLANs makes a bridge `{name}` for tag {tag}"))
                .label(*vnet, "the vnet of that name")
                .help(format!("say `bridge: {name}` without `tag` if the vnet is meant, or rename the vnet")),
        );
    }
}

/// What tells NICs of one bridge and tag apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    Mac(Mac),
    Address(IpAddr),
}

/// Two NICs on one bridge, in one VLAN, with the same MAC or IP address. Legitimate where one takes over from the
/// other, so it is a warning, once for two NICs.
pub(super) fn warn_of_shared_addresses(plans: &[GuestPlan<'_>], out: &mut Diagnostics) {
    // Without a bridge nobody knows that they are on different ones.
    type Place<'p> = (Option<&'p str>, Option<u16>);
    let mut holders: BTreeMap<(Identity, Place<'_>), Vec<(&GuestPlan<'_>, &Nic)>> = BTreeMap::new();
    let mut said: BTreeSet<[(u32, u8); 2]> = BTreeSet::new();
    for (plan, nic) in plans.iter().flat_map(|plan| plan.nics.iter().map(move |(nic, _)| (plan, nic))) {
        let place: Place<'_> = (nic.bridge.as_deref(), nic.tag);
        let addresses = nic.addresses.iter().map(|address| Identity::Address(address.address()));
        for identity in nic.mac.map(Identity::Mac).into_iter().chain(addresses) {
            let holders = holders.entry((identity, place)).or_default();
            let first = holders.iter().find(|(other, _)| can_meet(other, plan)).copied();
            holders.push((plan, nic));
            let Some((other, holder)) = first else { continue };
            // By number: YAML's aliases may write two guests' NICs in one place.
            let pair = [(other.id, holder.index), (plan.id, nic.index)];
            let [one, two] = pair;
            if one == two || !said.insert(pair) {
                continue;
            }
            let (word, text) = match identity {
                Identity::Mac(mac) => ("MAC", mac.to_string()),
                Identity::Address(address) => ("IP", address.to_string()),
            };
            let why = match nic.bridge {
                Some(_) => "on one bridge and VLAN, on a host where both may run",
                None => "neither says its `bridge`, and both may run on one host",
            };
            let message = format!("`{}:net{}` has the {word} address `{text}` of another NIC", plan.zone, nic.index);
            out.push(
                Diagnostic::warning(Code::SharedAddress, nic.span, message)
                    .because(why)
                    .label(holder.span, format!("`{}:net{}` has it too", other.zone, holder.index))
                    .help("give one of them another; where they hold it by turns, their rules should agree"),
            );
        }
    }
}

/// Whether two guests may run on one host.
fn can_meet(one: &GuestPlan<'_>, other: &GuestPlan<'_>) -> bool {
    one.placements.iter().any(|here| other.placements.iter().any(|there| there.host == here.host))
}

/// An ipset is the IP filter of a NIC by its name alone; a name that fits no NIC filters nothing.
pub(super) fn warn_of_unused_ipfilters(spec: &Spec, plans: &[GuestPlan<'_>], out: &mut Diagnostics) {
    for plan in plans {
        for (name, _) in &plan.spec.body.ipsets {
            let Some(nic) = ipfilter(name) else { continue };
            if nic.is_some_and(|index| plan.nics.iter().any(|(known, _)| known.index == index)) {
                continue;
            }
            let message = format!("`{}` is the IP filter of a NIC that `{}` does not have", name.value, plan.zone);
            let known: Vec<String> = plan.nics.iter().map(|(nic, _)| format!("{IPFILTER}{}", nic.index)).collect();
            let help = did_you_mean(&name.value, "NICs' filters", known.iter().map(String::as_str));
            out.push(Diagnostic::warning(Code::UnknownNic, name.span, message).help(help));
        }
    }
    // Of a zone it is enough that some guest can have the NIC.
    for (_, zone) in spec.zones.iter().filter(|(_, zone)| zone.kind.value == ZoneKind::Guest) {
        for (name, _) in zone.body.ipsets.iter().filter(|(name, _)| ipfilter(name) == Some(None)) {
            let message = format!("`{}` is the IP filter of a NIC that no guest can have", name.value);
            let help = "NICs are called `net0` to `net31`, and their filters `ipfilter-net0` to `ipfilter-net31`";
            out.push(Diagnostic::warning(Code::UnknownNic, name.span, message).help(help));
        }
    }
}

/// Whether a name is an IP filter's, and the number of its NIC, if that is one.
fn ipfilter(name: &Text) -> Option<Option<u8>> {
    name.value.strip_prefix(IPFILTER).map(|number| nic_index(&format!("net{number}")))
}
