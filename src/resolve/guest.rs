//! One guest's policy on one host: options, rules, NICs, hooks.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::net::{AddressSet, Mac, Ranges, parse_prefix};
use crate::policy::{
    GuestOptions, GuestPolicy, Hook, HookName, HostPolicy, Inherited, Nic, RuleInterface, RuleList, Section,
    SectionKind, SkipReason, Skipped, Stage, TargetName, ZoneRef,
};
use crate::spec::options::OptionZone;

use super::graph::NodeId;
use super::host::{HostDraft, links, policy, protective, refuse_empty_own};
use super::identity::Identities;
use super::machines::{GuestPlan, Placement};
use super::names::{NameKind, Scope, ScopePart};
use super::option::{self, Chain, Link};
use super::rule::{Entries, ListKind, RuleReader};
use super::section::{HostSections, ReadSection, World};
use super::without::leave_out;

/// Sections with entries taken out, by the section and what was taken, so that machines go on sharing them.
type Trimmed = BTreeMap<(*const Section, Vec<usize>), Arc<Section>>;

/// Builds the policies of one host's guests.
pub(super) struct GuestBuilder<'a> {
    /// The spec and its names.
    pub world: &'a World<'a>,
    /// The host's view of zones' rules.
    pub sections: &'a HostSections<'a>,
    /// The host itself.
    pub host: &'a HostDraft,
    /// Trimmed sections so far.
    trimmed: RefCell<Trimmed>,
}

impl<'a> GuestBuilder<'a> {
    /// A builder for a host.
    pub(super) fn new(world: &'a World<'a>, sections: &'a HostSections<'a>, host: &'a HostDraft) -> Self {
        Self { world, sections, host, trimmed: RefCell::default() }
    }

    /// The guest's policy on this host.
    pub(super) fn build(&self, plan: &GuestPlan<'_>, at: &Placement, out: &mut Diagnostics) -> GuestPolicy {
        let options = self.options(plan, at, out);
        let scope = Scope::new(
            self.world.names(Some(&plan.zone), &at.ancestors),
            self.world.machines,
            self.sections.local_network(),
        );
        let host = &self.host.policy;
        let enabled = host.enabled && options.enable.value;
        if let (false, Some(origin)) = (self.host.judges_frames, &options.layer2_protocols.origin) {
            let message = "`layer2_protocols` has no effect under the datacenter's `ebtables: false`";
            let help = "drop one of them";
            out.push(Diagnostic::error(Code::FramesNotJudged, origin.span, message).help(help));
        }
        let nics = plan.nics.iter().map(|nic| self.nic(nic, plan, &options, enabled, &scope, out)).collect();
        let rules = Arc::new(self.rules(plan, at, &scope, out));
        let path = std::iter::once(plan.zone.clone())
            .chain(at.ancestors.iter().filter_map(|node| self.world.graph.zone(*node).cloned()))
            .collect();
        GuestPolicy {
            id: plan.id,
            kind: plan.kind,
            name: plan.spec.name.as_ref().map(|text| text.value.clone()),
            comment: plan.spec.comment.as_ref().map(|text| text.value.clone()),
            span: plan.span,
            path,
            enabled,
            hook_in: self.hook_in(&options, &rules),
            hook_out: self.hook_out(&options, &rules),
            options,
            rules,
            nics,
        }
    }

    fn options(&self, plan: &GuestPlan<'_>, at: &Placement, out: &mut Diagnostics) -> GuestOptions {
        let body = &plan.spec.body;
        let mut chain = vec![Link { zone: &plan.zone, options: &body.options, guardrails: &body.guardrail_options }];
        chain.extend(links(self.world, &at.ancestors, true));
        // The datacenter's guardrails are for hosts and guests alike.
        let datacenter = self.world.graph.node(&ZoneRef::Datacenter);
        chain.extend(links(self.world, datacenter.as_slice(), true));
        option::guest(&Chain::new(&chain, OptionZone::Guest), out)
    }

    /// The NIC with the sources that its IP filter lets pass.
    fn nic(
        &self,
        (nic, written): &(Nic, &crate::spec::model::Nic),
        plan: &GuestPlan<'_>,
        options: &GuestOptions,
        enabled: bool,
        scope: &Scope<'_>,
        out: &mut Diagnostics,
    ) -> Nic {
        let mut nic = nic.clone();
        if !enabled || !nic.firewall {
            return nic;
        }
        let targets = &self.host.policy.targets;
        let packets = targets.contains(&TargetName::Iptables) || targets.contains(&TargetName::Nft);
        if packets && options.macfilter.value && written.mac.is_none() {
            let message = format!("`net{}` of `{}` has no `mac`", nic.index, plan.zone);
            out.push(
                Diagnostic::error(Code::NoMac, nic.span, message)
                    .because("its MAC filter needs one")
                    .help("add `mac`, or set the guest's option `macfilter: false`"),
            );
        }
        let name = format!("ipfilter-net{}", nic.index);
        let found = scope.find(NameKind::Ipset, ScopePart::Guest, &name).map(|(_, definition)| definition);
        let set = found.map(|definition| &definition.set);
        if !options.ipfilter.value && set.is_none() {
            return nic;
        }
        if set.is_none() && nic.addresses.is_empty() {
            let message = format!("the IP filter of `net{}` lets no address pass", nic.index);
            out.push(
                Diagnostic::warning(Code::EmptyIpFilter, nic.span, message)
                    .because("it has neither `ip` nor an ipset")
                    .help(format!("add `ip`, define the ipset `{name}`, or set `ipfilter: false`")),
            );
        }
        let passed = sources(&nic, set.map(AsRef::as_ref));
        let own = written.ip.iter().filter_map(|text| Some((parse_prefix(&text.value).ok()?.addr(), text.span)));
        let own = own.map(|(address, span)| (AddressSet::address(address), span));
        let listed = found.map(|definition| (definition.set.as_ref().clone(), definition.span));
        for (addresses, span) in own.chain(listed) {
            out_of_link_local(&addresses, &passed, nic.mac, span, out);
        }
        nic.sources = Some(Arc::new(passed));
        nic
    }

    fn rules(&self, plan: &GuestPlan<'_>, at: &Placement, scope: &Scope<'_>, out: &mut Diagnostics) -> RuleList {
        let nodes: &[NodeId] = &at.ancestors;
        let mut list = Vec::new();
        // Guardrails: the datacenter's, then from the farthest zone to the nearest; nobody leaves one out.
        let datacenter = self.world.graph.node(&ZoneRef::Datacenter);
        for node in datacenter.iter().chain(nodes.iter().rev()) {
            if let Some(read) = self.sections.get(*node, SectionKind::Guardrails) {
                let path = self.path(plan, at, *node);
                list.push(self.inherit(read, path, plan, &BTreeSet::new()));
            }
        }
        list.extend(self.own_rules(plan, scope, out));
        for node in nodes {
            if let Some(read) = self.sections.get(*node, SectionKind::Rules) {
                let leave_out = leave_out(self.world, plan, &read.section);
                let path = self.path(plan, at, *node);
                list.push(self.inherit(read, path, plan, &leave_out));
            }
        }
        let list = RuleList { sections: list };
        refuse_empty_own(&list, &plan.zone, out);
        list
    }

    fn path(&self, plan: &GuestPlan<'_>, at: &Placement, node: NodeId) -> Arc<[ZoneRef]> {
        self.world.graph.path(&plan.zone, &at.edges, node).into()
    }

    /// The rules of its NICs, each for that NIC alone, then the guest's own.
    fn own_rules(&self, plan: &GuestPlan<'_>, scope: &Scope<'_>, out: &mut Diagnostics) -> Vec<Inherited> {
        let mut identities = Identities::default();
        let mut lists = Vec::new();
        let mut read = |zone: ZoneRef, kind: ListKind, rules: &[crate::spec::model::Rule]| {
            if rules.is_empty() {
                return;
            }
            let mut entries = Entries::default();
            let mut reader = RuleReader {
                zone: zone.clone(),
                kind,
                scope,
                groups: Some(self.sections.groups()),
                identities: &mut identities,
            };
            reader.read(rules, &mut entries, out);
            let section = Section { zone: zone.clone(), kind: SectionKind::Rules, entries: entries.entries };
            let path: Arc<[ZoneRef]> = Arc::from([zone]);
            lists.push(Inherited { section: Arc::new(section), path, skipped: entries.skipped });
        };
        for (nic, spec) in &plan.nics {
            read(ZoneRef::Nic(Box::new(plan.zone.clone()), nic.index), ListKind::Nic(nic.index), &spec.rules);
        }
        read(plan.zone.clone(), ListKind::Guest, &plan.spec.body.rules);
        for entry in lists.iter().flat_map(|list| &list.section.entries) {
            if let RuleInterface::Nic(index) = entry.interface()
                && !plan.nics.iter().any(|(nic, _)| nic.index == *index)
            {
                let message = format!("`{}` has no NIC `net{index}`", plan.zone);
                let names: Vec<String> = plan.nics.iter().map(|(nic, _)| format!("net{}", nic.index)).collect();
                let help = did_you_mean(&format!("net{index}"), "NICs", names.iter().map(String::as_str));
                out.push(Diagnostic::error(Code::UnknownNic, entry.origin().span, message).help(help));
            }
        }
        lists
    }

    /// A zone's rules as this guest has them: without what it leaves out, and what is for NICs it lacks.
    fn inherit(
        &self,
        read: ReadSection,
        path: Arc<[ZoneRef]>,
        plan: &GuestPlan<'_>,
        leave_out: &BTreeSet<usize>,
    ) -> Inherited {
        let ReadSection { section, mut skipped, .. } = read;
        let mut taken: Vec<usize> = Vec::new();
        for (at, entry) in section.entries.iter().enumerate() {
            let reason = match entry.interface() {
                _ if leave_out.contains(&at) => SkipReason::Without,
                _ if entry.is_for_hosts_only() => SkipReason::HostsOnly,
                RuleInterface::Nic(index) if !plan.nics.iter().any(|(nic, _)| nic.index == *index) => {
                    SkipReason::NoSuchNic
                }
                RuleInterface::Any | RuleInterface::Nic(_) | RuleInterface::Host(_) => continue,
            };
            taken.push(at);
            skipped.push(Skipped { origin: entry.origin().clone(), reason });
        }
        if taken.is_empty() {
            return Inherited { section, path, skipped };
        }
        let key = (Arc::as_ptr(&section), taken);
        let mut cache = self.trimmed.borrow_mut();
        let trimmed = cache.entry(key).or_insert_with_key(|(_, taken)| {
            let kept = section.entries.iter().enumerate().filter(|(at, _)| !taken.contains(at));
            let entries = kept.map(|(_, entry)| entry.clone()).collect();
            Arc::new(Section { zone: section.zone.clone(), kind: section.kind, entries })
        });
        Inherited { section: Arc::clone(trimmed), path, skipped }
    }

    fn hook_in(&self, options: &GuestOptions, rules: &Arc<RuleList>) -> Hook {
        let host = &self.host.policy;
        let mut stages = match self.host.judges_frames {
            true => vec![Stage::StackedVlan, Stage::Arp],
            false => vec![Stage::OtherFrames],
        };
        stages.push(conntrack(host));
        stages.extend(protective(&host.options, self.host.blacklist.as_ref(), &host.broadcast));
        if options.dhcp.value {
            stages.push(Stage::Dhcp);
        }
        if options.ndp.value {
            stages.push(Stage::NeighbourDiscovery(crate::policy::NDP_ALL));
        }
        stages.push(Stage::Rules(Arc::clone(rules)));
        stages.extend(policy(options.policy_in.value, options.log_level_in.value, Some(&host.broadcast)));
        Hook { name: HookName::GuestIn, stages }
    }

    fn hook_out(&self, options: &GuestOptions, rules: &Arc<RuleList>) -> Hook {
        let host = &self.host.policy;
        let frames = self.host.judges_frames;
        let mut stages = vec![if frames { Stage::StackedVlan } else { Stage::OtherFrames }];
        if options.macfilter.value {
            stages.push(Stage::MacFilter);
        }
        // Without sources on a NIC the stage lets everything on.
        stages.push(Stage::IpFilter);
        if let (true, Some(listed)) = (frames, &options.layer2_protocols.value) {
            stages.push(Stage::Layer2(listed.clone()));
        }
        if frames {
            stages.push(Stage::Arp);
        }
        stages.push(conntrack(host));
        if options.dhcp.value {
            stages.push(Stage::Dhcp);
        }
        if !options.radv.value {
            stages.push(Stage::RouterAdvertisements);
        }
        if options.ndp.value {
            let kinds = if options.radv.value { crate::policy::NDP_ALL } else { crate::policy::NDP_NO_ADVERTISEMENT };
            stages.push(Stage::NeighbourDiscovery(kinds));
        }
        stages.push(Stage::Rules(Arc::clone(rules)));
        stages.extend(policy(options.policy_out.value, options.log_level_out.value, Some(&host.broadcast)));
        Hook { name: HookName::GuestOut, stages }
    }
}

fn conntrack(host: &HostPolicy) -> Stage {
    Stage::Conntrack { drop_invalid: !host.options.nf_conntrack_allow_invalid.value }
}

/// fe80::/10.
fn link_local() -> AddressSet {
    AddressSet::new(Ranges::empty(), Ranges::range(0xfe80 << 112, (0xfec0 << 112) - 1))
}

/// A word where the spec lists a link-local address that the filter does not let pass.
fn out_of_link_local(listed: &AddressSet, passed: &AddressSet, mac: Option<Mac>, span: Span, out: &mut Diagnostics) {
    let refused = listed.intersection(&link_local()).difference(passed);
    if refused.is_empty() {
        return;
    }
    let why = match mac {
        Some(mac) => format!("of fe80::/10 it lets `{}` alone pass, which belongs to `{mac}`", mac.link_local()),
        None => "of fe80::/10 it lets none pass: the NIC has no `mac`".to_owned(),
    };
    out.push(
        Diagnostic::warning(Code::ForeignLinkLocal, span, "the IP filter does not let these link-local addresses pass")
            .because(why)
            .help(
                "have the guest form its link-local address from its MAC address (EUI-64), and leave others out here",
            ),
    );
}

/// The NIC's addresses and the ipset, of fe80::/10 only the NIC's own EUI-64 address.
fn sources(nic: &Nic, set: Option<&AddressSet>) -> AddressSet {
    let own = nic.addresses.iter().map(|address| AddressSet::address(address.address()));
    let all = own.fold(set.cloned().unwrap_or_default(), |all, address| all.union(&address));
    let eui = nic.mac.map(|mac| AddressSet::address(IpAddr::V6(mac.link_local() as Ipv6Addr))).unwrap_or_default();
    all.difference(&link_local()).union(&eui)
}
