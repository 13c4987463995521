//! What is shown of a machine: finished words, in the order in which they are shown.
//!
//! In: a machine of a fleet. Out: a [`Machine`], which text and JSON print alike.

use serde::Serialize;

use crate::diagnostic::{Place, Places};
use crate::policy::words;
use crate::policy::{
    Direction, Entry, Fleet, GroupCall, GuestPolicy, Hook, HostPolicy, Inherited, Nic, Origin, Platform, Rule,
    RuleInterface, RuleList, SectionKind, Stage, ZoneRef,
};

use super::options;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Machine {
    pub(super) machine: String,
    pub(super) name: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) place: Place,
    /// Hosts where it is enforced so; for a host, itself.
    pub(super) hosts: Vec<String>,
    pub(super) filtered: bool,
    /// From the machine to its farthest ancestor.
    pub(super) path: Vec<String>,
    pub(super) platform: Option<&'static str>,
    pub(super) targets: Vec<&'static str>,
    pub(super) addresses: Vec<String>,
    pub(super) guests: Vec<String>,
    pub(super) nics: Vec<NicView>,
    pub(super) options: Vec<OptionView>,
    pub(super) sysctl: Vec<OptionView>,
    pub(super) hooks: Vec<HookView>,
    pub(super) skipped: Vec<SkippedView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct NicView {
    pub(super) nic: String,
    pub(super) device: String,
    pub(super) bridge: Option<String>,
    pub(super) tag: Option<u16>,
    pub(super) mac: Option<String>,
    pub(super) addresses: Vec<String>,
    pub(super) filtered: bool,
    /// Who may speak from it, where sources are filtered.
    pub(super) sources: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct OptionView {
    pub(super) name: String,
    pub(super) value: String,
    /// Who set it; none for a default.
    pub(super) zone: Option<String>,
    pub(super) place: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct HookView {
    pub(super) hook: &'static str,
    pub(super) stages: Vec<StageView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct StageView {
    pub(super) stage: &'static str,
    pub(super) does: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sections: Option<Vec<SectionView>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SectionView {
    pub(super) zone: String,
    pub(super) guardrails: bool,
    /// From the machine to the zone that wrote them.
    pub(super) path: Vec<String>,
    pub(super) entries: Vec<EntryView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct EntryView {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    pub(super) matches: String,
    pub(super) enabled: bool,
    pub(super) comment: Option<String>,
    pub(super) place: Place,
    /// The group's rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<EntryView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SkippedView {
    pub(super) id: String,
    pub(super) zone: String,
    pub(super) reason: &'static str,
    pub(super) place: Place,
}

/// Reads a machine's policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer<'a> {
    pub(super) places: Places<'a>,
    /// Only what concerns this NIC.
    pub(super) nic: Option<u8>,
}

impl Viewer<'_> {
    /// A host.
    pub(super) fn host(&self, host: &HostPolicy) -> Machine {
        let mut hooks = vec![&host.hook_in, &host.hook_out, &host.hook_forward];
        if !host.enabled {
            hooks.clear();
        }
        Machine {
            machine: ZoneRef::Host(host.name.clone()).to_string(),
            name: None,
            comment: host.comment.clone(),
            place: self.places.of(host.span),
            hosts: vec![host.name.clone()],
            filtered: host.enabled,
            path: path(&host.path),
            platform: Some(match host.platform {
                Platform::Proxmox => "proxmox",
                Platform::Linux => "linux",
            }),
            targets: host.targets.iter().map(|target| target.name()).collect(),
            addresses: host.addresses.iter().map(|address| address.0.to_string()).collect(),
            guests: host.guests.iter().map(|guest| guest.zone().to_string()).collect(),
            nics: Vec::new(),
            options: options::placed(&self.places, words::host_options(&host.options)),
            sysctl: self.sysctl(host),
            hooks: hooks.into_iter().map(|hook| self.hook(hook, &[None])).collect(),
            skipped: self.skipped(&host.rules),
        }
    }

    /// A guest, as every host that may run it enforces it; one view for hosts that do so alike.
    pub(super) fn guest(&self, fleet: &Fleet, id: u32) -> Vec<Machine> {
        let mut views: Vec<Machine> = Vec::new();
        for host in &fleet.hosts {
            let Some(guest) = host.guests.iter().find(|guest| guest.id == id) else { continue };
            let view = self.guest_on(host, guest);
            match views.iter_mut().find(|other| other.enforces() == view.enforces()) {
                Some(other) => other.hosts.extend(view.hosts),
                None => views.push(view),
            }
        }
        views
    }

    fn guest_on(&self, host: &HostPolicy, guest: &GuestPolicy) -> Machine {
        let wanted = |nic: &&Nic| self.nic.is_none_or(|only| only == nic.index);
        let mut hooks: Vec<&Hook> = vec![&guest.hook_out, &guest.hook_in];
        let filtered: Vec<Option<&Nic>> = guest.filtered_nics().filter(wanted).map(Some).collect();
        if filtered.is_empty() {
            hooks.clear();
        }
        Machine {
            machine: guest.zone().to_string(),
            name: guest.name.clone(),
            comment: guest.comment.clone(),
            place: self.places.of(guest.span),
            hosts: vec![host.name.clone()],
            filtered: !hooks.is_empty(),
            path: path(&guest.path),
            platform: None,
            targets: Vec::new(),
            addresses: Vec::new(),
            guests: Vec::new(),
            nics: guest.nics.iter().filter(wanted).map(|nic| nic_view(guest, nic)).collect(),
            options: options::placed(&self.places, words::guest_options(&guest.options)),
            sysctl: Vec::new(),
            hooks: hooks.into_iter().map(|hook| self.hook(hook, &filtered)).collect(),
            skipped: self.skipped(&guest.rules),
        }
    }

    fn sysctl(&self, host: &HostPolicy) -> Vec<OptionView> {
        let view = |setting: &crate::policy::SysctlSetting| OptionView {
            name: setting.key.clone(),
            value: setting.value.clone(),
            zone: Some(setting.origin.zone.to_string()),
            place: Some(self.places.of(setting.origin.span)),
        };
        host.sysctl.iter().map(view).collect()
    }

    /// A hook; stages that mean nothing for any of the NICs are left out, empty lists of rules are not.
    fn hook(&self, hook: &Hook, nics: &[Option<&Nic>]) -> HookView {
        let direction = hook.name.direction();
        let acts = |stage: &&Stage| {
            matches!(stage, Stage::Rules(_)) || nics.iter().any(|nic| !stage.clauses(hook.name, *nic).is_empty())
        };
        let stages = hook.stages.iter().filter(acts).map(|stage| {
            let sections = match stage {
                Stage::Rules(list) => Some(self.sections(list, direction)),
                Stage::OtherFrames
                | Stage::StackedVlan
                | Stage::Loopback
                | Stage::MacFilter
                | Stage::IpFilter
                | Stage::Layer2(_)
                | Stage::Arp
                | Stage::Conntrack { .. }
                | Stage::Blacklist { .. }
                | Stage::Smurfs { .. }
                | Stage::TcpFlags { .. }
                | Stage::Igmp
                | Stage::Dhcp
                | Stage::RouterAdvertisements
                | Stage::NeighbourDiscovery(_)
                | Stage::Management { .. }
                | Stage::Corosync(_)
                | Stage::Noise { .. }
                | Stage::Policy { .. } => None,
            };
            let does =
                if sections.as_ref().is_some_and(Vec::is_empty) { "none".to_owned() } else { words::stage(stage) };
            StageView { stage: stage.name(), does, sections }
        });
        HookView { hook: hook.name.name(), stages: stages.collect() }
    }

    fn sections(&self, list: &RuleList, direction: Direction) -> Vec<SectionView> {
        let view = |inherited: &Inherited| SectionView {
            zone: inherited.section.zone.to_string(),
            guardrails: inherited.section.kind == SectionKind::Guardrails,
            path: path(&inherited.path),
            entries: inherited.section.entries.iter().filter_map(|entry| self.entry(entry, direction)).collect(),
        };
        list.sections.iter().map(view).filter(|section| !section.entries.is_empty()).collect()
    }

    fn entry(&self, entry: &Entry, direction: Direction) -> Option<EntryView> {
        let applies = match (entry.interface(), self.nic) {
            (RuleInterface::Nic(index), Some(only)) => *index == only,
            (RuleInterface::Nic(_), None) | (RuleInterface::Any | RuleInterface::Host(_), _) => true,
        };
        match entry {
            Entry::Rule(rule) if applies && rule.direction == direction => Some(self.rule(rule)),
            Entry::Group(call) if applies => {
                let rules: Vec<EntryView> = call
                    .group
                    .rules
                    .iter()
                    .filter(|rule| rule.direction == direction)
                    .map(|rule| self.rule(rule))
                    .collect();
                if rules.is_empty() { None } else { Some(self.group(call, rules)) }
            }
            Entry::Rule(_) | Entry::Group(_) => None,
        }
    }

    fn rule(&self, rule: &Rule) -> EntryView {
        EntryView {
            id: rule.origin.identity.clone(),
            verdict: Some(words::verdict(rule.verdict)),
            group: None,
            matches: words::matches(rule),
            enabled: rule.enabled,
            comment: rule.comment.clone(),
            place: self.places.of(rule.origin.span),
            rules: Vec::new(),
        }
    }

    fn group(&self, call: &GroupCall, rules: Vec<EntryView>) -> EntryView {
        EntryView {
            id: call.origin.identity.clone(),
            verdict: None,
            group: Some(call.group.name.clone()),
            matches: words::interface(&call.interface).unwrap_or_default(),
            enabled: call.enabled,
            comment: call.comment.clone().or_else(|| call.group.comment.clone()),
            place: self.places.of(call.origin.span),
            rules,
        }
    }

    fn skipped(&self, list: &RuleList) -> Vec<SkippedView> {
        let all = list.sections.iter().flat_map(|inherited| &inherited.skipped);
        let view = |(origin, reason): (&Origin, _)| SkippedView {
            id: origin.identity.clone(),
            zone: origin.zone.to_string(),
            reason: words::skipped(reason),
            place: self.places.of(origin.span),
        };
        all.map(|skipped| view((&skipped.origin, skipped.reason))).collect()
    }
}

impl Machine {
    /// What two hosts must have in common to be shown as one: all but the way by which it is inherited.
    fn enforces(&self) -> Self {
        let mut same = self.clone();
        same.hosts.clear();
        same.path.clear();
        let sections = same.hooks.iter_mut().flat_map(|hook| &mut hook.stages).filter_map(|s| s.sections.as_mut());
        sections.flatten().for_each(|section| section.path.clear());
        same
    }
}

fn path(path: &[ZoneRef]) -> Vec<String> {
    path.iter().map(ToString::to_string).collect()
}

fn nic_view(guest: &GuestPolicy, nic: &Nic) -> NicView {
    let mut addresses: Vec<String> = nic.addresses.iter().map(|address| address.0.to_string()).collect();
    if nic.dhcp {
        addresses.push("dhcp".to_owned());
    }
    NicView {
        nic: format!("net{}", nic.index),
        device: nic.device.clone(),
        bridge: nic.bridge.clone(),
        tag: nic.tag,
        mac: nic.mac.map(|mac| mac.to_string()),
        addresses,
        filtered: guest.enabled && nic.firewall,
        sources: nic.sources.as_deref().map(words::addresses),
    }
}
