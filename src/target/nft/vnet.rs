//! vnet-forward: frames through a vnet's bridge, and what its guests say to the host and hear from it.
//!
//! In: a host's vnets, and the NICs on them. Out: chains of both tables. Promise: a vnet judges all that its
//! guests and the host say to one another, and nothing that the host routes.
//!
//! Whether the host keeps a packet or routes it shows in `inet` alone, and the port it came by in `bridge`
//! alone. So the bridge's input hook writes the vnet of the port into the packet's mark, and `inet input` has the
//! vnet judge what the host keeps. A name would not do: above the bridge there may be a VLAN or a VRF. The other way
//! round `inet forward` marks what it routes, and the bridge's output hook lets that go by. What is not IP
//! never comes by `inet`, and is judged in the bridge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::policy::{Clause, HookName, HostPolicy, Nic, Stage, VnetPolicy};

use super::again::JUDGED;
use super::bridge::{answers, rules_of};
use super::builder::{Body, Builder, Scope};
use super::clause::ip_frames;
use super::host::{BRIDGED, ROUTED};
use super::log::Subject;
use super::table::{Action, Condition, Side, TableFamily};

/// Where bridges pass frames on; before br_netfilter (-1) hands forwarded ones to `inet`.
pub(super) const FORWARD: i32 = -200;
/// Before the host's own input chain, which judges what a vnet lets through.
const INPUT: i32 = -10;
/// The bits of the packet's mark that name the vnet a packet for the host came by are below this one.
const ABOVE: u32 = JUDGED;

/// The chain where vnets judge what the host keeps; no vnet's own may be called so.
pub(super) const IN_HOST: &str = "vnet-input";

/// The vnets that filter on a host, and who is on them.
#[derive(Debug)]
pub(super) struct Vnets<'a> {
    all: Vec<&'a Arc<VnetPolicy>>,
    /// Those that guests of the host are on.
    used: Vec<&'a Arc<VnetPolicy>>,
    /// Interfaces, and the place of their vnet among the used.
    ports: Vec<(String, usize)>,
    /// Bridges, and the place of their vnet among all.
    bridges: Vec<(String, usize)>,
}

impl<'a> Vnets<'a> {
    /// Of a host.
    pub(super) fn new(host: &'a HostPolicy) -> Self {
        let all: Vec<&Arc<VnetPolicy>> = host.vnets.iter().filter(|vnet| vnet.enabled).collect();
        let nics = || host.guests.iter().flat_map(|guest| &guest.nics);
        let bridges: BTreeSet<&str> = nics().filter_map(|nic| nic.bridge.as_deref()).collect();
        let used: Vec<&Arc<VnetPolicy>> =
            all.iter().copied().filter(|vnet| bridges.contains(vnet.name.as_str())).collect();
        let places: BTreeMap<&str, usize> = used.iter().map(|vnet| vnet.name.as_str()).zip(0..).collect();
        let port = |nic: &Nic| Some((nic.device.clone(), *places.get(nic.bridge.as_deref()?)?));
        let mut ports: Vec<(String, usize)> = nics().filter_map(port).collect();
        ports.sort();
        let of =
            |(vnet, at): (&&Arc<VnetPolicy>, usize)| host.bridges(&vnet.name).into_iter().map(move |name| (name, at));
        let bridges = all.iter().zip(0..).flat_map(of).collect();
        Self { all, used, ports, bridges }
    }

    /// Whether no guest is on one.
    pub(super) const fn has_no_ports(&self) -> bool {
        self.ports.is_empty()
    }

    /// The bits of the packet's mark that name a vnet; zero: none.
    pub(super) fn mask(&self) -> u32 {
        // 2^27 vnets are more than a spec can hold.
        let bits = usize::BITS - self.used.len().leading_zeros();
        ABOVE - ABOVE.checked_shr(bits).unwrap_or(0)
    }

    /// The bits that name the vnet at a place.
    fn mark(&self, at: usize) -> u32 {
        let lowest = self.mask() & self.mask().wrapping_neg();
        u32::try_from(at + 1).unwrap_or(u32::MAX).saturating_mul(lowest) & self.mask()
    }

    /// The bridge's hooks between: forward, input and output.
    pub(super) fn bridge(&self, builder: &mut Builder<'a>) {
        let chains: BTreeMap<&str, Arc<str>> =
            self.all.iter().map(|vnet| (vnet.name.as_str(), chain(builder, vnet))).collect();
        let of = |vnet: &VnetPolicy| chains.get(vnet.name.as_str()).map_or_else(|| "vnet".into(), Arc::clone);
        let mut forward = Body::default();
        forward.push(Vec::new(), Action::Mark { clear: 0, set: BRIDGED });
        if !chains.is_empty() {
            let to = |(bridge, at): &(String, usize)| Some((bridge.clone(), of(self.all.get(*at)?)));
            let map = builder.map("vnet-forward", self.bridges.iter().filter_map(to).collect());
            forward.push(Vec::new(), Action::DispatchBridge(Side::Source, map));
        }
        forward.push(Vec::new(), Action::Accept);
        builder.judge("forward", "forward", FORWARD, (forward, 0));
        if self.has_no_ports() {
            return;
        }

        let judges: Vec<Arc<str>> = self.used.iter().map(|vnet| of(vnet)).collect();
        let entries: Vec<Arc<str>> = (0..)
            .zip(self.used.iter().zip(&judges))
            .map(|(at, (vnet, judge))| self.entry(builder, vnet, at, judge))
            .collect();
        let map = |builder: &mut Builder<'a>, name: &str, chains: &[Arc<str>]| {
            let to = |(device, at): &(String, usize)| Some((device.clone(), Arc::clone(chains.get(*at)?)));
            builder.map(name, self.ports.iter().filter_map(to).collect())
        };
        let from = map(builder, "from-vnet", &entries);
        let to = map(builder, "to-vnet", &judges);
        let mut input = Body::default();
        input.push(Vec::new(), Action::Dispatch(Side::Source, from));
        input.push(Vec::new(), Action::Accept);
        builder.judge("input", "input", FORWARD, (input, 0));
        let mut output = Body::default();
        output.push(vec![Condition::Mark(ROUTED, ROUTED)], Action::Accept);
        answers(&mut output, &[]);
        output.push(Vec::new(), Action::Dispatch(Side::Dest, to));
        output.push(Vec::new(), Action::Accept);
        builder.judge("output", "output", FORWARD, (output, 0));
    }

    /// Where a vnet's frames for the host go in the bridge: IP gets its mark, the rest is judged.
    fn entry(&self, builder: &mut Builder<'a>, vnet: &VnetPolicy, at: usize, judge: &Arc<str>) -> Arc<str> {
        let mut body = Body::default();
        // Behind a service tag nft would see IP; to the rules it is no IP.
        body.push(vec![Condition::ServiceTag], Action::Goto(Arc::clone(judge)));
        let ip = ip_frames(&mut builder.pool);
        body.push(vec![Condition::Carries(ip, true)], Action::Goto(Arc::clone(judge)));
        let set = self.mark(at);
        body.push(Vec::new(), Action::Mark { clear: self.mask() & !set, set });
        body.push(Vec::new(), Action::Accept);
        named(builder, &["from-vnet", &vnet.name], body)
    }

    /// The hook of the host's table where vnets judge what the host keeps.
    pub(super) fn host(&self, builder: &mut Builder<'a>) {
        if self.has_no_ports() {
            return;
        }
        let mut input = Body::default();
        for (at, vnet) in self.used.iter().enumerate() {
            let judge = chain(builder, vnet);
            let mut entry = Body::default();
            entry.push(Vec::new(), Action::Mark { clear: self.mask(), set: 0 });
            entry.push(Vec::new(), Action::Goto(judge));
            let entry = named(builder, &["from-vnet", &vnet.name], entry);
            input.push(vec![Condition::Mark(self.mask(), self.mark(at))], Action::Goto(entry));
        }
        input.push(Vec::new(), Action::Accept);
        builder.judge(IN_HOST, "input", INPUT, (input, 0));
    }
}

/// A chain that is not empty.
fn named(builder: &mut Builder<'_>, words: &[&str], body: Body) -> Arc<str> {
    builder.chain(words, body).map_or_else(|| "vnet".into(), |(name, _)| name)
}

/// The chain of a vnet, which decides.
fn chain<'a>(builder: &mut Builder<'a>, vnet: &'a VnetPolicy) -> Arc<str> {
    let scope =
        Scope { hook: HookName::VnetForward, subject: Subject::Vnet(vnet.name.clone()), nic: None, sources: None };
    let mut body = Body::default();
    // Behind a service tag nft would see IP; to the rules it is no IP. Where a stage says what becomes of it, that holds.
    let said = vnet.hook.stages.iter().any(|stage| matches!(stage, Stage::StackedVlan | Stage::OtherFrames));
    if builder.family() == TableFamily::Bridge && !said {
        for clause in vnet.hook.stages.last().map(|stage| stage.clauses(scope.hook, None)).unwrap_or_default() {
            builder.shortcut(&scope, &Clause { matches: Vec::new(), ..clause }, vec![Condition::ServiceTag], &mut body);
        }
    }
    for stage in &vnet.hook.stages {
        match rules_of(stage) {
            Some(list) => builder.list(&scope, list, |_| true, &mut body),
            None => builder.stage(&scope, stage, &mut body),
        }
    }
    named(builder, &["vnet", &vnet.name], body)
}
