//! What in the spec makes a stage act as it does: the option, or the ipset, and where it is written.

use crate::analysis::Step;
use crate::diagnostic::Span;
use crate::policy::words::Words;
use crate::policy::{Fleet, GuestPolicy, HookName, HostPolicy, Setting, Stage, Verdict, VnetPolicy, ZoneRef};

/// An option or ipset in force.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Cause {
    /// `policy_in`, or `+blacklist` for an ipset.
    pub name: String,
    /// Its value; empty for an ipset.
    pub value: String,
    /// Who wrote it and where; none for a default.
    pub origin: Option<(ZoneRef, Span)>,
}

/// Whose hook it is.
enum Owner<'a> {
    Host,
    Guest(&'a GuestPolicy),
    Vnet(&'a VnetPolicy),
}

/// Why the stage that decides is there; none where no option has a say, and for rules.
pub(in crate::cli) fn cause(fleet: &Fleet, step: &Step<'_>) -> Option<Cause> {
    let host = step.crossing.host;
    let owner = owner(step)?;
    let options = &host.options;
    match (step.decision.stage?, owner) {
        (Stage::OtherFrames, _) => Some(option("ebtables", &fleet.datacenter.options.ebtables)),
        (Stage::MacFilter, Owner::Guest(guest)) => Some(option("macfilter", &guest.options.macfilter)),
        (Stage::IpFilter, Owner::Guest(guest)) => Some(ip_filter(fleet, step, guest)),
        (Stage::Layer2(_), Owner::Guest(guest)) => Some(option("layer2_protocols", &guest.options.layer2_protocols)),
        (Stage::Conntrack { .. }, _) => None,
        (Stage::Blacklist { .. }, _) => ipset(fleet, host, "blacklist"),
        (Stage::Smurfs { .. }, _) => Some(option("nosmurfs", &options.nosmurfs)),
        (Stage::TcpFlags { .. }, _) => Some(option("tcpflags", &options.tcpflags)),
        (Stage::Dhcp, Owner::Guest(guest)) => Some(option("dhcp", &guest.options.dhcp)),
        (Stage::RouterAdvertisements, Owner::Guest(guest)) => Some(option("radv", &guest.options.radv)),
        (Stage::NeighbourDiscovery(_), Owner::Guest(guest)) => Some(option("ndp", &guest.options.ndp)),
        (Stage::NeighbourDiscovery(_), Owner::Host) => Some(option("ndp", &options.ndp)),
        (Stage::Management { .. }, _) => ipset(fleet, host, "management"),
        (Stage::Noise { .. } | Stage::Policy { .. }, owner) => Some(policy(step.crossing.hook.name, host, &owner)),
        (
            Stage::StackedVlan
            | Stage::Loopback
            | Stage::MacFilter
            | Stage::IpFilter
            | Stage::Layer2(_)
            | Stage::Arp
            | Stage::Igmp
            | Stage::Dhcp
            | Stage::RouterAdvertisements
            | Stage::NeighbourDiscovery(_)
            | Stage::Rules(_)
            | Stage::Corosync(_),
            _,
        ) => None,
    }
}

/// Where what decides was written: a rule, or the option or ipset behind a stage.
pub(in crate::cli) fn decided(fleet: &Fleet, step: &Step<'_>) -> Option<(Span, String)> {
    let rule = step.decision.rule.map(|applied| applied.rule.origin.span);
    let span = rule.or_else(|| cause(fleet, step)?.origin.map(|(_, span)| span))?;
    let verb = match step.decision.verdict {
        Verdict::Accept => "accepts",
        Verdict::Drop => "drops",
        Verdict::Reject => "rejects",
        Verdict::Skip => "skips",
    };
    let crossing = &step.crossing;
    let nic = crossing.nic.map(|nic| format!(":net{}", nic.index)).unwrap_or_default();
    Some((span, format!("{verb} it in {} of {}{nic}", crossing.hook.name.name(), crossing.machine)))
}

fn owner<'a>(step: &Step<'a>) -> Option<Owner<'a>> {
    let host = step.crossing.host;
    match &step.crossing.machine {
        ZoneRef::Vm(id) | ZoneRef::Container(id) => host.guests.iter().find(|guest| guest.id == *id).map(Owner::Guest),
        ZoneRef::Vnet(name) => host.vnets.iter().find(|vnet| vnet.name == *name).map(|vnet| Owner::Vnet(vnet)),
        ZoneRef::Host(_)
        | ZoneRef::Datacenter
        | ZoneRef::Guests(_)
        | ZoneRef::Zone(_)
        | ZoneRef::Nic(..)
        | ZoneRef::Group(_) => Some(Owner::Host),
    }
}

fn option<T: Words>(name: &str, setting: &Setting<T>) -> Cause {
    let origin = setting.origin.as_ref().map(|origin| (origin.zone.clone(), origin.span));
    Cause { name: name.to_owned(), value: setting.value.words(), origin }
}

fn policy(hook: HookName, host: &HostPolicy, owner: &Owner<'_>) -> Cause {
    let host = &host.options;
    match (hook, owner) {
        (HookName::GuestIn, Owner::Guest(guest)) => option("policy_in", &guest.options.policy_in),
        (HookName::GuestOut, Owner::Guest(guest)) => option("policy_out", &guest.options.policy_out),
        (_, Owner::Vnet(vnet)) => option("policy_forward", &vnet.options.policy_forward),
        (HookName::HostIn | HookName::GuestIn, _) => option("policy_in", &host.policy_in),
        (HookName::HostOut | HookName::GuestOut, _) => option("policy_out", &host.policy_out),
        (HookName::HostForward | HookName::VnetForward, _) => option("policy_forward", &host.policy_forward),
    }
}

/// The option, or the ipset of the NIC where that alone turns the filter on.
fn ip_filter(fleet: &Fleet, step: &Step<'_>, guest: &GuestPolicy) -> Cause {
    let name = step.crossing.nic.map(|nic| format!("ipfilter-net{}", nic.index)).unwrap_or_default();
    match fleet.ipsets.get(&(guest.zone(), name.clone())) {
        Some(found) if !guest.options.ipfilter.value => {
            Cause { name: format!("+{name}"), value: String::new(), origin: Some((guest.zone(), found.span)) }
        }
        Some(_) | None => option("ipfilter", &guest.options.ipfilter),
    }
}

/// The nearest ipset of a name.
fn ipset(fleet: &Fleet, host: &HostPolicy, name: &str) -> Option<Cause> {
    let found = |zone: &ZoneRef| fleet.ipsets.get(&(zone.clone(), name.to_owned())).map(|set| (zone.clone(), set.span));
    let origin = host.path.iter().find_map(found)?;
    Some(Cause { name: format!("+{name}"), value: String::new(), origin: Some(origin) })
}
