//! One machine on both sides: options, kernel settings, rules, NICs, and what follows for its stages.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::report::{At, Kind, Status, Subject};
use crate::policy::words::{self, OptionWords};
use crate::policy::{
    Direction, GuestPolicy, Hook, HookName, HostPolicy, Inherited, Nic, RuleList, SectionKind, VnetPolicy, ZoneRef,
};

use super::cause::{Origins, path};
use super::property::{host_properties, nic_fields, nic_words};
use super::rules::{Comparer, Delta};
use super::written::Said;
use super::{paired, stage};
use crate::diff::collect::{CauseRef, Collector, Draft};

/// Compares machines.
#[derive(Debug)]
pub(super) struct Machines<'a> {
    pub(super) origins: &'a Origins<'a>,
    pub(super) comparer: Comparer<'a>,
    pub(super) collector: Collector<'a>,
    /// Options of the present host that changed: guests' stages may follow from them.
    pub(super) host_options: Vec<(&'static str, CauseRef, Draft)>,
}

/// The machine that is being compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here<'a> {
    pub(super) host: &'a str,
    pub(super) machine: &'a ZoneRef,
    pub(super) old_path: &'a [ZoneRef],
    pub(super) new_path: &'a [ZoneRef],
}

impl Here<'_> {
    fn hook(&self, direction: Direction) -> HookName {
        match (self.machine, direction) {
            (ZoneRef::Host(_), Direction::In) => HookName::HostIn,
            (ZoneRef::Host(_), Direction::Out) => HookName::HostOut,
            (ZoneRef::Host(_), Direction::Forward) => HookName::HostForward,
            (ZoneRef::Vnet(_), _) => HookName::VnetForward,
            (_, Direction::In | Direction::Forward) => HookName::GuestIn,
            (_, Direction::Out) => HookName::GuestOut,
        }
    }
}

impl Machines<'_> {
    /// A host that both sides have.
    pub(super) fn host(&mut self, old: &HostPolicy, new: &HostPolicy) {
        let machine = ZoneRef::Host(new.name.clone());
        self.collector.machine(&new.name, &machine, Status::Unchanged);
        let here = Here { host: &new.name, machine: &machine, old_path: &old.path, new_path: &new.path };
        let mut changed = self.options(&here, words::host_options(&old.options), words::host_options(&new.options));
        let (before, after) = (&self.origins.old.fleet.datacenter, &self.origins.new.fleet.datacenter);
        // `enable` and the policies are options of the hosts too.
        let own = |option: &OptionWords<'_>| matches!(option.name, "ebtables" | "log_ratelimit");
        let of_all = |options| words::datacenter_options(options).into_iter().filter(own).collect();
        changed.append(&mut self.options(&here, of_all(&before.options), of_all(&after.options)));
        if before.name != after.name {
            self.property(&here, &ZoneRef::Datacenter, "name", before.name.clone(), after.name.clone());
        }
        let enabled = |host: &HostPolicy| Some(if host.enabled { "on" } else { "off" }.to_owned());
        if old.enabled != new.enabled && !changed.iter().any(|(name, ..)| *name == "enable") {
            self.property(&here, &ZoneRef::Datacenter, "firewall", enabled(old), enabled(new));
        }
        self.host_options = changed.clone();
        let changed: BTreeSet<&'static str> = changed.into_iter().map(|(name, ..)| name).collect();
        self.sysctl(&here, old, new);
        self.rules(&here, &old.rules, &new.rules);
        for (name, before, after) in host_properties(old, new) {
            if before != after {
                let zone = self.setter(&here, name);
                self.property(&here, &zone, name, before, after);
            }
        }
        for (before, after) in
            [(&old.hook_in, &new.hook_in), (&old.hook_out, &new.hook_out), (&old.hook_forward, &new.hook_forward)]
        {
            self.stages(&here, before, after, &changed);
        }
    }

    /// A guest that both sides have on this host.
    pub(super) fn guest(&mut self, host: &str, old: &GuestPolicy, new: &GuestPolicy) {
        let machine = new.zone();
        self.collector.machine(host, &machine, Status::Unchanged);
        let here = Here { host, machine: &machine, old_path: &old.path, new_path: &new.path };
        let changed = self.options(&here, words::guest_options(&old.options), words::guest_options(&new.options));
        let changed: BTreeSet<&'static str> = changed.into_iter().map(|(name, ..)| name).collect();
        self.rules(&here, &old.rules, &new.rules);
        let text = |text: &Option<String>| text.clone();
        for (name, before, after) in
            [("name", text(&old.name), text(&new.name)), ("comment", text(&old.comment), text(&new.comment))]
        {
            if before != after {
                self.property(&here, &machine, name, before, after);
            }
        }
        let mut changed = changed;
        if old.enabled != new.enabled && changed.insert("enable") {
            self.follows(&here, None, "enable");
        }
        for pair in paired(&old.nics, &new.nics, |nic| nic.index) {
            self.nic(&here, pair.0, pair.1, &changed);
        }
        for (before, after) in [(&old.hook_in, &new.hook_in), (&old.hook_out, &new.hook_out)] {
            self.stages(&here, before, after, &changed);
        }
    }

    /// A vnet that both sides have on this host.
    pub(super) fn vnet(&mut self, host: &str, old: &VnetPolicy, new: &VnetPolicy) {
        let machine = ZoneRef::Vnet(new.name.clone());
        self.collector.machine(host, &machine, Status::Unchanged);
        let own = [machine.clone()];
        let here = Here { host, machine: &machine, old_path: &own, new_path: &own };
        let changed = self.options(&here, words::vnet_options(&old.options), words::vnet_options(&new.options));
        let changed: BTreeSet<&'static str> = changed.into_iter().map(|(name, ..)| name).collect();
        self.rules(&here, &old.rules, &new.rules);
        if old.comment != new.comment {
            self.property(&here, &machine, "comment", old.comment.clone(), new.comment.clone());
        }
        self.stages(&here, &old.hook, &new.hook, &changed);
    }

    fn at(&self, here: &Here<'_>, hook: Option<HookName>) -> At {
        self.collector.at(here.host, here.machine, hook)
    }

    /// A difference of rules, at a place or at none.
    pub(super) fn delta(&mut self, delta: &Delta, cause: &CauseRef, here: Option<&Here<'_>>) {
        let hook = here.and_then(|here| delta.direction.map(|direction| here.hook(direction)));
        let at = here.map(|here| self.at(here, hook));
        let cause = delta.because.as_ref().unwrap_or(cause);
        let zone = path(&delta.zone);
        let draft = Draft {
            kind: delta.kind,
            subject: Subject::Rule,
            name: delta.identity.clone(),
            zone: Some(zone).filter(|zone| *zone != cause.path),
            old: delta.old.clone(),
            new: delta.new.clone(),
            detail: delta.detail.clone(),
            spans: delta.spans,
        };
        self.collector.add(cause, draft, at);
    }

    fn rules(&mut self, here: &Here<'_>, old: &RuleList, new: &RuleList) {
        let key = |inherited: &Inherited| (inherited.section.zone.clone(), inherited.section.kind);
        let before: BTreeMap<(ZoneRef, SectionKind), &Inherited> =
            old.sections.iter().map(|inherited| (key(inherited), inherited)).collect();
        let after: BTreeMap<(ZoneRef, SectionKind), &Inherited> =
            new.sections.iter().map(|inherited| (key(inherited), inherited)).collect();
        for key in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (before.get(key).copied(), after.get(key).copied());
            let deltas =
                self.comparer.sections(was.map(|inherited| &inherited.section), is.map(|inherited| &inherited.section));
            for delta in deltas.iter() {
                let cause = self.written(here, delta, was, is);
                self.delta(delta, &cause, Some(here));
            }
        }
        self.order(here, old, new);
    }

    /// Whose edit made a rule come, go or change.
    fn written(&self, here: &Here<'_>, delta: &Delta, was: Option<&Inherited>, is: Option<&Inherited>) -> CauseRef {
        let skipped = |inherited: Option<&Inherited>| {
            inherited.is_some_and(|inherited| inherited.skipped.iter().any(|s| s.origin.identity == delta.identity))
        };
        match (was, is) {
            (None, Some(is)) => self.origins.way(&is.path, true),
            (Some(was), None) => self.origins.way(&was.path, false),
            (_, _) if skipped(was) || skipped(is) => self.origins.zone(here.machine),
            (_, _) => self.origins.zone(&delta.zone),
        }
    }

    /// Sections that both sides have, in another order.
    fn order(&mut self, here: &Here<'_>, old: &RuleList, new: &RuleList) {
        let key = |inherited: &Inherited| (inherited.section.zone.clone(), inherited.section.kind);
        let after: Vec<_> = new.sections.iter().map(key).collect();
        let common: Vec<(ZoneRef, usize)> = old
            .sections
            .iter()
            .filter_map(|inherited| {
                let key = key(inherited);
                Some((key.0.clone(), after.iter().position(|other| *other == key)?))
            })
            .collect();
        let positions: Vec<usize> = common.iter().map(|(_, position)| *position).collect();
        for at in crate::diff::pairing::moved(&positions) {
            let Some((zone, position)) = common.get(at) else { continue };
            let behind = position.checked_sub(1).and_then(|before| after.get(before));
            let detail = behind.map_or("now the first".to_owned(), |(zone, _)| format!("now behind those of {zone}"));
            let cause = self.origins.reordered(here.new_path);
            let draft = Draft {
                kind: Kind::Moved,
                subject: Subject::Rule,
                name: zone.to_string(),
                zone: Some(path(zone)),
                old: None,
                new: Some(format!("the rules of {zone}")),
                detail: Some(detail),
                spans: (cause.old, cause.new),
            };
            let at = self.at(here, None);
            self.collector.add(&cause, draft, Some(at));
        }
    }

    /// Options that differ; their names, with what else they explain.
    fn options(
        &mut self,
        here: &Here<'_>,
        old: Vec<OptionWords<'_>>,
        new: Vec<OptionWords<'_>>,
    ) -> Vec<(&'static str, CauseRef, Draft)> {
        let mut changed = Vec::new();
        for (was, is) in old.into_iter().zip(new) {
            if was.value == is.value {
                continue;
            }
            let zones = [is.origin, was.origin].map(|origin| origin.map(|origin| origin.zone.clone()));
            let said = Said::Option(is.name);
            let (cause, owner) = self.set_by(here, &zones, said);
            let spans = (was.origin.map(|origin| origin.span), is.origin.map(|origin| origin.span));
            let (zone, spans, hint) = self.setting(&zones, &cause, owner, said, spans);
            let draft = Draft {
                kind: Kind::Altered,
                subject: Subject::Option,
                name: is.name.to_owned(),
                zone,
                old: Some(was.value),
                new: Some(is.value),
                detail: if is.origin.is_none() { Some("the default".to_owned()) } else { hint },
                spans,
            };
            let at = self.at(here, None);
            self.collector.add(&cause, draft.clone(), Some(at));
            changed.push((is.name, cause, draft));
        }
        changed
    }

    fn sysctl(&mut self, here: &Here<'_>, old: &HostPolicy, new: &HostPolicy) {
        for (was, is) in paired(&old.sysctl, &new.sysctl, |setting| setting.key.clone()) {
            if was.map(|setting| &setting.value) == is.map(|setting| &setting.value) {
                continue;
            }
            let zones = [is, was].map(|setting| setting.map(|setting| setting.origin.zone.clone()));
            let key = is.or(was).map(|setting| setting.key.clone()).unwrap_or_default();
            let said = Said::Sysctl(&key);
            let (cause, owner) = self.set_by(here, &zones, said);
            let spans = (was.map(|setting| setting.origin.span), is.map(|setting| setting.origin.span));
            let (zone, spans, from) = self.setting(&zones, &cause, owner, said, spans);
            let kind = match (was, is) {
                (None, _) => Kind::Added,
                (_, None) => Kind::Removed,
                (_, _) => Kind::Altered,
            };
            let profile = is.or(was).and_then(|setting| setting.profile).map(|name| format!("profile {name}"));
            let draft = Draft {
                kind,
                subject: Subject::Sysctl,
                name: key.clone(),
                zone,
                old: was.map(|setting| setting.value.clone()),
                new: is.map(|setting| setting.value.clone()),
                detail: profile.or(from),
                spans,
            };
            let at = self.at(here, None);
            self.collector.add(&cause, draft, Some(at));
        }
    }

    /// The zone that a property of a host is set in: the host's own, as far as one can tell.
    fn setter(&self, here: &Here<'_>, name: &str) -> ZoneRef {
        let inherited = matches!(name, "platform" | "targets" | "iptables" | "sysctl file");
        let edited = |name| if inherited { self.origins.setter(here.new_path, name) } else { None };
        // What a host's outputs are may follow from what it is.
        edited(name).or_else(|| edited("platform")).unwrap_or_else(|| here.machine.clone())
    }

    fn property(&mut self, here: &Here<'_>, zone: &ZoneRef, name: &str, old: Option<String>, new: Option<String>) {
        let mut cause = self.origins.property(zone, name);
        if cause.new == self.origins.zone(zone).new && name == "targets" {
            cause = self.origins.property(zone, "platform");
        }
        self.property_of(here, &cause, name, old, new);
    }

    /// A property whose cause is known.
    fn property_of(&mut self, here: &Here<'_>, cause: &CauseRef, name: &str, old: Option<String>, new: Option<String>) {
        let kind = match (&old, &new) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            (_, _) => Kind::Altered,
        };
        let spans = (cause.old, cause.new);
        let draft = Draft {
            kind,
            subject: Subject::Property,
            name: name.to_owned(),
            zone: None,
            old,
            new,
            detail: None,
            spans,
        };
        let at = self.at(here, None);
        self.collector.add(cause, draft, Some(at));
    }

    fn nic(&mut self, here: &Here<'_>, old: Option<&Nic>, new: Option<&Nic>, changed: &BTreeSet<&'static str>) {
        let name = new.or(old).map_or(String::new(), |nic| format!("net{}", nic.index));
        let (Some(before), Some(after)) = (old, new) else {
            self.property(here, here.machine, &name, old.map(nic_words), new.map(nic_words));
            return;
        };
        let mut same_fields = true;
        for ((field, was), (_, is)) in nic_fields(before).into_iter().zip(nic_fields(after)) {
            if was != is {
                same_fields = false;
                self.property(here, here.machine, &format!("{name} {field}"), was, is);
            }
        }
        if !same_fields {
            return;
        }
        let sources = |nic: Option<&Nic>| nic.and_then(|nic| nic.sources.as_deref().map(words::addresses));
        let same = old.and_then(|nic| nic.sources.as_ref()) == new.and_then(|nic| nic.sources.as_ref());
        if !same && !changed.contains("ipfilter") && !changed.contains("enable") {
            let name = format!("{name} may send from");
            let cause = stage::ip_filter(self.origins, here).unwrap_or_else(|| self.origins.zone(here.machine));
            self.property_of(here, &cause, &name, sources(old), sources(new));
        }
    }

    /// An option of the host that this machine follows. Says whether there is one.
    fn follows(&mut self, here: &Here<'_>, hook: Option<HookName>, stage: &str) -> bool {
        let explains = |name: &'static str| stage == name || stage::explained(stage, &BTreeSet::from([name]));
        let found: Vec<(CauseRef, Draft)> = self
            .host_options
            .iter()
            .filter(|(name, ..)| explains(name))
            .map(|(_, cause, draft)| (cause.clone(), draft.clone()))
            .collect();
        let at = self.at(here, hook);
        for (cause, draft) in &found {
            self.collector.add(cause, draft.clone(), Some(at.clone()));
        }
        !found.is_empty()
    }

    fn stages(&mut self, here: &Here<'_>, old: &Hook, new: &Hook, changed: &BTreeSet<&'static str>) {
        for difference in stage::differences(old, new) {
            let explained = stage::explained(difference.name, changed);
            if explained || !matches!(here.machine, ZoneRef::Host(_)) && self.follows(here, None, difference.name) {
                continue;
            }
            let cause = stage::cause(self.origins, here, difference.name);
            let kind = match (&difference.old, &difference.new) {
                (None, Some(_)) => Kind::Added,
                (Some(_), None) => Kind::Removed,
                (_, _) => Kind::Altered,
            };
            let draft = Draft {
                kind,
                subject: Subject::Stage,
                name: difference.name.to_owned(),
                zone: None,
                old: difference.old,
                new: difference.new,
                detail: difference.detail,
                spans: (cause.old, cause.new),
            };
            let at = self.at(here, Some(new.name));
            self.collector.add(&cause, draft, Some(at));
        }
    }
}
