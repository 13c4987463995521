//! The guests' table, `bridge fwc`.
//!
//! In: a host's guests and vnets. Out: guest-out in the bridge's prerouting, guest-in in its postrouting (and
//! [`super::vnet`] between them), each found by one map on the interface; where no hook judges frames, just the
//! mark that tells bridged from routed ones. Promise: guests whose rules are
//! equal share their chains, and whatever differs by NIC alone (its MAC, its addresses) is an element of a
//! set for all of them.
//!
//! Three facts of the bridge shape it. An answer made by `reject` leaves through postrouting as `invalid`,
//! as does nothing else that was not forwarded or routed; so frames are marked while they are forwarded, and
//! while they are routed where it matters ([`super::host::ROUTED`]). Priorities
//! above -200 come after conntrack, also on a second load. And what conntrack does not track (ARP) counts
//! as invalid, so states are asked of IP alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::net::{AddressSet, Family, IcmpType, Mac, TcpFlags};
use crate::policy::{
    Entry, GuestPolicy, Hook, HookName, HostPolicy, Nic, Platform, RuleInterface, RuleList, Stage, States, ZoneRef,
};

use super::builder::{Body, Builder, Known, Scope};
use super::clause::{NIC_MACS, nic_sources, nics};
use super::host::{BRIDGED, ROUTED, helpers, marks_routed, synflood};
use super::log::Subject;
use super::set::singles;
use super::table::{Action, Condition, Elements, Side};
use super::vnet::{FORWARD, Vnets};

/// After conntrack (-200) and the helpers, before all that is IP.
const GUEST_OUT: i32 = -100;
/// Where bridges filter what leaves.
const GUEST_IN: i32 = 0;
/// A NIC with more sources than this has rules of its own in place of set elements.
const MOST_SOURCES: u128 = 64;

/// Whether the host may bridge frames. Where br_netfilter hands those to `inet`, the host's forward hook must
/// know them, also where no guest is filtered.
pub(super) fn is_wanted(host: &HostPolicy) -> bool {
    host.platform == Platform::Proxmox || !host.guests.is_empty() || !host.vnets.is_empty()
}

/// Whether any hook judges frames.
fn judges(host: &HostPolicy) -> bool {
    host.guests.iter().any(|guest| guest.filtered_nics().next().is_some()) || host.vnets.iter().any(|vnet| vnet.enabled)
}

/// Fills the table.
pub(super) fn table<'a>(builder: &mut Builder<'a>, host: &'a HostPolicy, vnets: &Vnets<'a>) {
    let mut guests = Guests::default();
    for guest in &host.guests {
        for nic in guest.filtered_nics() {
            guests.nic(builder, guest, nic);
        }
    }
    if !guests.out.is_empty() {
        guests.sets(builder);
    }
    let judges = judges(host);
    if let Some(limit) = host.options.synflood().filter(|_| judges) {
        // Forwarded frames alone: what goes to the host is counted there.
        let mut body = Body::default();
        synflood(builder, limit, &[], &mut body);
        body.push(Vec::new(), Action::Accept);
        builder.base("synflood", "forward", FORWARD - 100, body);
    }
    if judges {
        helpers(builder, &host.options.nf_conntrack_helpers.value);
    }
    if !guests.out.is_empty() {
        let mut prerouting = Body::default();
        let map = builder.map("guest-out", std::mem::take(&mut guests.out));
        prerouting.push(Vec::new(), Action::Dispatch(Side::Source, map));
        prerouting.push(Vec::new(), Action::Accept);
        builder.judge("prerouting", "prerouting", GUEST_OUT, (prerouting, 0));
    }

    vnets.bridge(builder);

    let mut postrouting = Body::default();
    let forwarded = if marks_routed(host, vnets) { BRIDGED | ROUTED } else { BRIDGED };
    if guests.into.is_empty() {
        postrouting.push(Vec::new(), Action::Mark { clear: forwarded, set: 0 });
        postrouting.push(Vec::new(), Action::Accept);
        builder.base("postrouting", "postrouting", GUEST_IN, postrouting);
        return;
    }
    answers(&mut postrouting, &[Condition::Mark(forwarded, 0)]);
    let map = builder.map("guest-in", std::mem::take(&mut guests.into));
    postrouting.push(Vec::new(), Action::Dispatch(Side::Dest, map));
    postrouting.push(Vec::new(), Action::Accept);
    builder.judge("postrouting", "postrouting", GUEST_IN, (postrouting, forwarded));
}

/// Accepts what `reject` answers, which conntrack calls invalid.
pub(super) fn answers(body: &mut Body, before: &[Condition]) {
    let reset = TcpFlags { mask: TcpFlags::RST, set: TcpFlags::RST };
    let invalid = Condition::State(States::INVALID);
    let mut accept = |conditions: Vec<Condition>| {
        let mut all: Vec<Condition> = before.to_vec();
        all.extend(conditions);
        all.push(invalid.clone());
        all.sort();
        body.push(all, Action::Accept);
    };
    accept(vec![Condition::TcpFlags(reset, false)]);
    for (family, kind) in [(Family::V4, 3), (Family::V6, 1)] {
        accept(vec![Condition::Family(family), Condition::Icmp(IcmpType::new(family, kind))]);
    }
}

/// The rules, if the stage is of them.
pub(super) const fn rules_of(stage: &Stage) -> Option<&Arc<RuleList>> {
    match stage {
        Stage::Rules(list) => Some(list),
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
    }
}

/// What of a NIC a run of stages depends on, where its MAC and sources stand in shared sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Shape {
    mac: bool,
    sources: bool,
    v4: bool,
    v6: bool,
}

/// Stages that are the same for many NICs, and the chain they became.
#[derive(Debug)]
struct Run<'a> {
    hook: HookName,
    stages: &'a [Stage],
    shape: Shape,
    chain: Option<Known>,
}

/// All NICs of a host so far.
#[derive(Debug, Default)]
struct Guests<'a> {
    runs: Vec<Run<'a>>,
    /// The chains of the guest in hand that do not depend on the NIC, for its other NICs.
    shared: Vec<(u32, HookName, Shape, Known)>,
    /// NICs with rules for them alone, by their numbers.
    single: BTreeMap<u8, Vec<String>>,
    macs: Vec<(String, Mac)>,
    v4: Vec<(String, u128)>,
    v6: Vec<(String, u128)>,
    out: Vec<(String, Arc<str>)>,
    into: Vec<(String, Arc<str>)>,
}

impl<'a> Guests<'a> {
    /// Both hooks of a NIC.
    fn nic(&mut self, builder: &mut Builder<'a>, guest: &'a GuestPolicy, nic: &'a Nic) {
        if guest.hook_out.stages.contains(&Stage::MacFilter) {
            self.macs.extend(nic.mac.map(|mac| (nic.device.clone(), mac)));
        }
        let rules_for: BTreeSet<u8> = guest.rules.entries().filter_map(|(entry, _)| only(entry)).collect();
        for index in rules_for {
            // A rule names the set also where that NIC is none of the filtered ones.
            let devices = self.single.entry(index).or_default();
            devices.extend((index == nic.index).then(|| nic.device.clone()));
        }
        let sources = nic.sources.as_ref().filter(|sources| self.share(nic, sources));
        for hook in [&guest.hook_in, &guest.hook_out] {
            let (name, messages) = self.hook(builder, guest, hook, nic, sources);
            builder.use_messages(guest.id, &nic.device, messages.iter());
            let map = if hook.name == HookName::GuestOut { &mut self.out } else { &mut self.into };
            map.push((nic.device.clone(), name));
        }
    }

    /// Puts the sources of a NIC among those of all, where they are few.
    fn share(&mut self, nic: &Nic, sources: &AddressSet) -> bool {
        let (v4, v6) = (singles(sources.v4(), MOST_SOURCES), singles(sources.v6(), MOST_SOURCES));
        let (Some(v4), Some(v6)) = (v4, v6) else { return false };
        let of_nic = |address| (nic.device.clone(), address);
        self.v4.extend(v4.into_iter().map(of_nic));
        self.v6.extend(v6.into_iter().map(of_nic));
        true
    }

    fn hook(
        &mut self,
        builder: &mut Builder<'a>,
        guest: &'a GuestPolicy,
        hook: &'a Hook,
        nic: &'a Nic,
        sources: Option<&'a Arc<AddressSet>>,
    ) -> Known {
        let scope = Scope { hook: hook.name, subject: Subject::Guest(hook.name), nic: Some(nic), sources };
        // Towards the guest nothing looks at them.
        let looks = |stage: &Stage| matches!(stage, Stage::MacFilter | Stage::IpFilter);
        let shape = hook.stages.iter().any(looks).then(|| Shape {
            mac: nic.mac.is_some(),
            sources: sources.is_some(),
            v4: nic.sources.as_ref().is_some_and(|set| set.has(Family::V4)),
            v6: nic.sources.as_ref().is_some_and(|set| set.has(Family::V6)),
        });
        let shape = shape.unwrap_or_default();
        let by_nic = sources.is_none() && nic.sources.is_some() && hook.stages.contains(&Stage::IpFilter);
        self.shared.retain(|(id, ..)| *id == guest.id);
        let same = |(_, name, of, _): &&(u32, HookName, Shape, Known)| (*name, *of) == (hook.name, shape);
        if let Some((.., known)) = self.shared.iter().find(same).filter(|_| !by_nic) {
            return known.clone();
        }
        let mut body = Body::default();
        for (at, stages) in hook.stages.chunk_by(|a, b| rules_of(a).is_none() && rules_of(b).is_none()).enumerate() {
            if let [stage] = stages
                && let Some(list) = rules_of(stage)
            {
                builder.list(&scope, list, is_of_guest, &mut body);
                continue;
            }
            let known = self.run(builder, &scope, stages, shape, at);
            if let Some(known) = known {
                Builder::call(known, Vec::new(), None, &mut body);
            }
        }
        // The last stage decides every packet, and so nothing comes back.
        if let Some(rule) = body.rules.last_mut()
            && let Action::Jump(chain) = &rule.action
        {
            rule.action = Action::Goto(Arc::clone(chain));
        }
        let id = guest.id.to_string();
        let direction = hook.name.direction().name();
        let words = ["guest", &id, direction];
        let known = builder.chain(&words, body).unwrap_or_else(|| ("guest".into(), Arc::default()));
        if !by_nic {
            self.shared.push((guest.id, hook.name, shape, known.clone()));
        }
        known
    }

    /// A run of stages without rules, as a chain for all that have it.
    fn run(
        &mut self,
        builder: &mut Builder<'a>,
        scope: &Scope<'a>,
        stages: &'a [Stage],
        shape: Shape,
        at: usize,
    ) -> Option<Known> {
        let own_sources = scope.nic.is_some_and(|nic| nic.sources.is_some()) && scope.sources.is_none();
        let by_nic = own_sources && stages.contains(&Stage::IpFilter);
        let same = |run: &&Run<'_>| run.hook == scope.hook && run.shape == shape && run.stages == stages;
        if !by_nic && let Some(run) = self.runs.iter().find(same) {
            return run.chain.clone();
        }
        let mut body = Body::default();
        for stage in stages {
            builder.stage(scope, stage, &mut body);
        }
        let place = if at == 0 { "before" } else { "after" };
        let chain = builder.chain(&["guests", scope.hook.direction().name(), place], body);
        if !by_nic {
            self.runs.push(Run { hook: scope.hook, stages, shape, chain: chain.clone() });
        }
        chain
    }

    /// The shared sets, where a rule may name them.
    fn sets(&mut self, builder: &mut Builder<'_>) {
        for elements in [&mut self.v4, &mut self.v6] {
            elements.sort();
        }
        self.macs.sort();
        for (index, mut devices) in std::mem::take(&mut self.single) {
            devices.sort();
            builder.pool.fixed(&nics(index), Elements::Interfaces(devices));
        }
        builder.pool.fixed(NIC_MACS, Elements::NicMacs(std::mem::take(&mut self.macs)));
        for (family, elements) in [(Family::V4, &mut self.v4), (Family::V6, &mut self.v6)] {
            builder.pool.fixed(nic_sources(family), Elements::NicAddresses(family, std::mem::take(elements)));
        }
        self.out.sort();
        self.into.sort();
    }
}

/// Whether a list of the zone is one guest's alone.
const fn is_of_guest(zone: &ZoneRef) -> bool {
    match zone {
        ZoneRef::Vm(_) | ZoneRef::Container(_) | ZoneRef::Nic(..) => true,
        ZoneRef::Datacenter
        | ZoneRef::Guests(_)
        | ZoneRef::Zone(_)
        | ZoneRef::Host(_)
        | ZoneRef::Group(_)
        | ZoneRef::Vnet(_) => false,
    }
}

/// The number of the NIC that a rule is for, if it is for one alone.
fn only(entry: &Entry) -> Option<u8> {
    match entry.interface() {
        RuleInterface::Nic(index) => Some(*index),
        RuleInterface::Any | RuleInterface::Host(_) => None,
    }
}
