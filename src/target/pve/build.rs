//! From a fleet to every file as data.
//!
//! In: a fleet. Out: drafts of all files of all nodes that want this target. Promise: sections of rules that machines
//! share are lowered once, and everything is visited in the fleet's order, so that the same fleet gives the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::policy::{
    Direction, Entry, Fleet, Group, GroupCall, GuestPolicy, HostPolicy, Inherited, Rule, RuleInterface, Section,
    SectionKind, TargetName, VnetPolicy, ZoneRef,
};

use super::file::{FwFile, GroupSection, Page, RuleBlock, RuleLine};
use super::names::{Names, Scope};
use super::rule::Context;
use super::{differ, guest, host, options, warn};

/// The longest name of a group.
const GROUP_MAX: usize = 18;

/// A file and where it goes.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) path: String,
    /// The hosts that it is for; none for files of the whole cluster.
    pub(super) hosts: Vec<&'a str>,
    pub(super) template: &'static str,
    /// Text already: lines are many, and their parts need not outlive them.
    pub(super) page: Page,
}

/// What is shared between the files while they are built.
pub(super) struct Build<'a> {
    pub(super) fleet: &'a Fleet,
    /// The hosts that want this target.
    pub(super) hosts: Vec<&'a HostPolicy>,
    pub(super) names: Names<'a>,
    pub(super) diagnostics: Diagnostics,
    /// Whether any of the hosts runs the nftables implementation.
    pub(super) nftables: bool,
    /// The datacenter's rules, where all hosts take them whole and last.
    pub(super) common: Option<&'a Section>,
    /// Sections that were lowered already; only looked up, never walked through.
    lowered: BTreeMap<*const Section, Arc<Vec<RuleLine>>>,
}

/// Every file.
pub(super) fn all(fleet: &Fleet) -> (Vec<Draft<'_>>, Diagnostics) {
    let mut build = Build::new(fleet);
    host::check_scopes(&mut build);
    warn::ignored(fleet, &build.hosts, &mut build.diagnostics);
    differ::nftables(&build.hosts, &mut build.diagnostics);
    let mut drafts = Vec::new();
    for policy in build.hosts.clone() {
        let file = host::file(&mut build, policy);
        let path = format!("pve/nodes/{}/host.fw", policy.name);
        drafts.push(Draft { path, hosts: vec![&policy.name], template: "pve/host.fw.j2", page: file.page() });
    }
    let mut guests: BTreeMap<u32, Vec<(&HostPolicy, &GuestPolicy)>> = BTreeMap::new();
    for policy in &build.hosts {
        for guest in &policy.guests {
            guests.entry(guest.id).or_default().push((policy, guest));
        }
    }
    for (id, places) in guests {
        if let Some(file) = guest::file(&mut build, &places) {
            let hosts = places.iter().map(|(host, _)| host.name.as_str()).collect();
            drafts.push(Draft {
                path: format!("pve/firewall/{id}.fw"),
                hosts,
                template: "pve/guest.fw.j2",
                page: file.page(),
            });
        }
    }
    for vnet in &fleet.vnets {
        let file = build.vnet(vnet);
        let path = format!("pve/sdn/firewall/{}.fw", vnet.name);
        drafts.push(Draft { path, hosts: Vec::new(), template: "pve/vnet.fw.j2", page: file.page() });
    }
    let (file, diagnostics) = build.cluster();
    let path = "pve/firewall/cluster.fw".to_owned();
    drafts.push(Draft { path, hosts: Vec::new(), template: "pve/cluster.fw.j2", page: file.page() });
    (drafts, diagnostics)
}

impl<'a> Build<'a> {
    fn new(fleet: &'a Fleet) -> Self {
        let mut diagnostics = Diagnostics::new();
        let hosts: Vec<&HostPolicy> =
            fleet.hosts.iter().filter(|host| host.targets.contains(&TargetName::Pve)).collect();
        let mut names = Names::new(fleet, &mut diagnostics);
        if let Some(network) = hosts.first().and_then(|host| host.local_network.as_ref())
            && hosts.iter().all(|host| host.local_network.as_ref() == Some(network))
        {
            names.define_local_network(network);
        }
        let nftables = hosts.iter().any(|host| host.options.nftables.value);
        let common = common_section(&hosts);
        Self { fleet, hosts, names, diagnostics, nftables, common, lowered: BTreeMap::new() }
    }

    pub(super) fn context(&mut self) -> Context<'_, 'a> {
        Context { names: &mut self.names, diagnostics: &mut self.diagnostics, nftables: self.nftables }
    }

    /// A section as every machine has it; none where it says nothing.
    pub(super) fn block(&mut self, inherited: &'a Inherited) -> Option<RuleBlock> {
        let section: &'a Section = &inherited.section;
        let known = self.lowered.get(&std::ptr::from_ref(section)).map(Arc::clone);
        let lines = known.unwrap_or_else(|| {
            let lines = Arc::new(self.lines(section, &mut Scope::Cluster));
            self.lowered.insert(section, Arc::clone(&lines));
            lines
        });
        (!lines.is_empty()).then(|| RuleBlock { heading: heading(section), lines })
    }

    /// A section's lines.
    pub(super) fn lines(&mut self, section: &Section, scope: &mut Scope<'_>) -> Vec<RuleLine> {
        let mut lines = Vec::with_capacity(section.entries.len());
        for entry in &section.entries {
            match entry {
                Entry::Rule(rule) => self.context().rule(rule, &rule.interface, scope, &mut lines),
                Entry::Group(call) => self.call(call, scope, &mut lines),
            }
        }
        lines
    }

    /// A reference to a group, or its rules where this machine has others than `cluster.fw` says.
    fn call(&mut self, call: &GroupCall, scope: &mut Scope<'_>, lines: &mut Vec<RuleLine>) {
        let defined = self.fleet.groups.get(&call.group.name);
        if defined.is_some_and(|group| Arc::ptr_eq(group, &call.group) || *group == call.group) {
            self.context().call(call, lines);
            return;
        }
        for rule in &call.group.rules {
            let mut rule = Rule::clone(rule);
            rule.enabled &= call.enabled;
            self.context().rule(&rule, &call.interface, scope, lines);
        }
    }

    /// A vnet's file takes no groups: their forward rules stand in it themselves.
    fn vnet_block(&mut self, inherited: &'a Inherited) -> Option<RuleBlock> {
        let mut lines = Vec::new();
        for entry in &inherited.section.entries {
            match entry {
                Entry::Rule(rule) => {
                    self.context().rule(rule, &rule.interface, &mut Scope::Cluster, &mut lines);
                }
                Entry::Group(_) => {
                    for (rule, _) in entry.rules(Direction::Forward) {
                        self.context().rule(rule, &RuleInterface::Any, &mut Scope::Cluster, &mut lines);
                    }
                }
            }
        }
        (!lines.is_empty()).then(|| RuleBlock { heading: heading(&inherited.section), lines: lines.into() })
    }

    fn vnet(&mut self, vnet: &'a VnetPolicy) -> FwFile {
        let mut header = vec![format!("Compiled by fwc from vnet/{}. Changes made here are lost.", vnet.name)];
        header.extend(vnet.comment.clone());
        for (entry, _) in vnet.rules.entries() {
            if *entry.interface() != RuleInterface::Any {
                let span = entry.origin().span;
                self.context().refuse(span, "Proxmox VE takes no interface in a vnet's rules", "leave it out");
            }
        }
        let rules = vnet.rules.sections.iter().filter_map(|inherited| self.vnet_block(inherited)).collect();
        FwFile { header, options: options::vnet(&vnet.options), rules, ..FwFile::default() }
    }

    /// The cluster's file; the last to be built, since the others define names in it.
    fn cluster(mut self) -> (FwFile, Diagnostics) {
        let name = self.fleet.datacenter.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let mut header = vec![format!("Compiled by fwc from the datacenter{name}. Changes made here are lost.")];
        let groups = self.groups(&mut header);
        let rules = match self.common {
            Some(section) => {
                let lines = self.lowered.get(&std::ptr::from_ref(section)).map(Arc::clone);
                let lines = lines.unwrap_or_else(|| Arc::new(self.lines(section, &mut Scope::Cluster)));
                vec![RuleBlock { heading: heading(section), lines }]
            }
            None => Vec::new(),
        };
        let options = options::datacenter(&self.fleet.datacenter.options);
        let (aliases, ipsets) = self.names.into_sections();
        (FwFile { header, options, aliases, ipsets, groups, rules }, self.diagnostics)
    }

    /// The groups that nodes with this target call, and those that nobody calls, as far as they can be said: nothing
    /// depends on these, so that what of them is left out is noted, and no error.
    fn groups(&mut self, notes: &mut Vec<String>) -> Vec<GroupSection> {
        let called = |wanted: bool| -> BTreeSet<&'a str> {
            let hosts = self.fleet.hosts.iter().filter(|host| host.targets.contains(&TargetName::Pve) == wanted);
            let lists =
                hosts.flat_map(|host| std::iter::once(&host.rules).chain(host.guests.iter().map(|guest| &guest.rules)));
            let sections: BTreeMap<*const Section, &'a Section> = lists
                .flat_map(|list| &list.sections)
                .map(|inherited| (Arc::as_ptr(&inherited.section), &*inherited.section))
                .collect();
            let entries = sections.into_values().flat_map(|section| &section.entries);
            entries
                .filter_map(|entry| match entry {
                    Entry::Group(call) => Some(call.group.name.as_str()),
                    Entry::Rule(_) => None,
                })
                .collect()
        };
        let (here, elsewhere) = (called(true), called(false));
        let (called, others): (Vec<&'a Arc<Group>>, Vec<_>) = self
            .fleet
            .groups
            .values()
            .filter(|group| here.contains(group.name.as_str()) || !elsewhere.contains(group.name.as_str()))
            .partition(|group| here.contains(group.name.as_str()));
        self.check_group_names(&called);
        let mut sections: Vec<GroupSection> = called.into_iter().map(|group| self.group(group)).collect();
        for group in others {
            let mut found = std::mem::take(&mut self.diagnostics);
            let section = self.group(group);
            let name = &section.name;
            let fits = name.len() <= GROUP_MAX && sections.iter().all(|other| other.name != *name);
            if self.diagnostics.has_errors() || !fits {
                notes.push(format!(
                    "Left out: group {}, which no rule refers to and Proxmox VE cannot have.",
                    group.name
                ));
            } else {
                sections.push(section);
                found.append(std::mem::take(&mut self.diagnostics));
            }
            self.diagnostics = found;
        }
        sections.sort_by(|a, b| a.name.cmp(&b.name));
        sections
    }

    fn check_group_names(&mut self, groups: &[&'a Arc<Group>]) {
        let mut seen: BTreeMap<String, &Group> = BTreeMap::new();
        for group in groups {
            let name = &group.name;
            if name.len() > GROUP_MAX {
                let message = format!(
                    "Proxmox VE takes group names of at most {GROUP_MAX} characters, and `{name}` has {}",
                    name.len()
                );
                let error = Diagnostic::error(Code::PveName, group.span, message);
                self.diagnostics.push(error.help("give the group a shorter name"));
            }
            if let Some(other) = seen.insert(name.to_lowercase(), group) {
                let message = format!("Proxmox VE takes the groups `{}` and `{name}` for one", other.name);
                let error = Diagnostic::error(Code::PveName, group.span, message).because("the same name but for case");
                let error = error.label(other.span, format!("`{}` is defined here", other.name));
                self.diagnostics.push(error.help("give one of them another name"));
            }
        }
    }

    fn group(&mut self, group: &Group) -> GroupSection {
        let mut rules = Vec::with_capacity(group.rules.len());
        for rule in &group.rules {
            self.context().rule(rule, &RuleInterface::Any, &mut Scope::Cluster, &mut rules);
        }
        GroupSection { name: group.name.to_lowercase(), comment: group.comment.clone(), rules }
    }
}

/// The datacenter's rules, if every host takes the same ones, after all others.
fn common_section<'a>(hosts: &[&'a HostPolicy]) -> Option<&'a Section> {
    let last = |host: &'a HostPolicy| host.rules.sections.last().map(|inherited| &inherited.section);
    let (first, rest) = hosts.split_first()?;
    let section = last(first).filter(|section| is_datacenters(section))?;
    let same = |host: &&&'a HostPolicy| last(host).is_some_and(|other| Arc::ptr_eq(other, section) || other == section);
    (rest.iter().filter(same).count() == rest.len()).then_some(section)
}

/// Whether a section holds the datacenter's rules for hosts.
pub(super) fn is_datacenters(section: &Section) -> bool {
    section.zone == ZoneRef::Datacenter && section.kind == SectionKind::Rules
}

/// The comment line above a section's rules.
pub(super) fn heading(section: &Section) -> String {
    match section.kind {
        SectionKind::Guardrails => format!("guardrails of {}", section.zone),
        SectionKind::Rules => section.zone.to_string(),
    }
}
