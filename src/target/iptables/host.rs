//! The built-in chains: which packets meet which hooks, in which order.
//!
//! In: a host. Out: its filter table of one family.
//!
//! INPUT: guest-out for what a guest sent, vnet-forward for what came through a vnet, host-in.
//! OUTPUT: host-out; for a guest's address vnet-forward and guest-in.
//! FORWARD: guest-out for what a guest sent; then, between two ports of a bridge, vnet-forward and
//! guest-in; else host-forward, and guest-in for a guest's address.
//!
//! What the host sends or routes has no bridge port yet: the destination address tells whose it is. So
//! guest-in judges there what goes to the addresses in `ip` and to the EUI-64 link-local one. It does not
//! judge what goes to another address that a guest took (an IP filter keeps it from answering there; a
//! warning says so), nor the host's own broadcasts and multicasts.

use std::collections::{BTreeMap, HashMap};

use crate::diagnostic::{Code, Diagnostics};
use crate::net::{AddressSet, Family};
use crate::policy::{
    Datacenter, GuestPolicy, Hook, HostPolicy, IptablesMode, Nic, Platform, Stage, Verdict, VnetPolicy, ZoneRef,
};

use super::dispatch::{self, Address};
use super::guest::NicChains;
use super::ipset::Sets;
use super::list::{Own, Owner};
use super::lower::{Accept, Lowering, Site};
use super::ruleset::{Chain, Chains, Jump, Name, Rule, Side, Test};

/// A filter table of one family, the sets it names, and what there is to say.
pub(super) struct Filter {
    /// Its chains.
    pub(super) chains: Vec<Chain>,
    /// Its sets.
    pub(super) sets: Sets,
    /// Errors and warnings.
    pub(super) diagnostics: Diagnostics,
}

/// What comes before the names of own chains, and before those that stand for built-in ones.
pub(super) fn prefix(host: &HostPolicy) -> String {
    match &host.iptables.mode {
        IptablesMode::Exclusive => String::new(),
        IptablesMode::Shared { prefix } => format!("{prefix}-"),
    }
}

/// Whether fwc owns the whole tables.
pub(super) const fn exclusive(host: &HostPolicy) -> bool {
    match host.iptables.mode {
        IptablesMode::Exclusive => true,
        IptablesMode::Shared { .. } => false,
    }
}

/// The filter table of a host for one family.
pub(super) fn filter(host: &HostPolicy, datacenter: &Datacenter, family: Family) -> Filter {
    let mut lowering = Lowering {
        host,
        limit: datacenter.options.log_ratelimit.value,
        family,
        chains: Chains::new(prefix(host)),
        sets: host.iptables.ipset.then(Sets::default),
        made: HashMap::new(),
        runs: Vec::new(),
        established_leaves: established_leaves(host),
        own: Own::default(),
        diagnostics: Diagnostics::new(),
    };
    if host.enabled {
        lowering.tables();
    } else {
        for name in ["INPUT", "FORWARD", "OUTPUT"] {
            lowering.built_in_chain(name, true, Vec::new());
        }
    }
    let Lowering { chains, sets, diagnostics, .. } = lowering;
    Filter { chains: chains.finish(), sets: sets.unwrap_or_default(), diagnostics }
}

/// Whether every hook that may follow another one lets established connections pass before all else.
fn established_leaves(host: &HostPolicy) -> bool {
    let first = |hook: &Hook| {
        let judging =
            |stage: &&Stage| !matches!(stage, Stage::OtherFrames | Stage::StackedVlan | Stage::Loopback | Stage::Arp);
        matches!(hook.stages.iter().find(judging), Some(Stage::Conntrack { .. }))
    };
    let filtered = |guest: &&GuestPolicy| guest.filtered_nics().next().is_some();
    exclusive(host)
        && first(&host.hook_in)
        && first(&host.hook_forward)
        && host.vnets.iter().filter(|vnet| vnet.enabled).all(|vnet| first(&vnet.hook))
        && host.guests.iter().filter(filtered).all(|guest| first(&guest.hook_in) && !guest.options.ips.value)
}

/// Whether a guest may speak from an address of the NIC by which the NIC is not found.
fn answers_elsewhere(nic: &Nic) -> bool {
    let Some(sources) = &nic.sources else { return true };
    let addresses = nic.addresses.iter().map(|address| address.address());
    let local = nic.mac.filter(|_| nic.bridge.is_some()).map(|mac| std::net::IpAddr::V6(mac.link_local()));
    let known = addresses.chain(local).fold(AddressSet::empty(), |all, one| all.union(&AddressSet::address(one)));
    !sources.difference(&known).is_empty()
}

/// The chains that the built-in ones lead to.
struct Parts<'a> {
    nics: Vec<(&'a Nic, Option<NicChains>)>,
    vnets: BTreeMap<&'a str, Name>,
    /// What accepting means in the last hook of a way.
    last: Accept,
}

impl<'a> Lowering<'a> {
    fn tables(&mut self) {
        let last = if exclusive(self.host) { Accept::Final } else { Accept::Pass };
        let host = self.host;
        let mut parts = Parts { nics: Vec::new(), vnets: BTreeMap::new(), last };
        for vnet in host.vnets.iter().filter(|vnet| vnet.enabled) {
            let name = self.vnet(vnet);
            parts.vnets.insert(&vnet.name, name);
        }
        for guest in &host.guests {
            let filtered: Vec<(&Nic, NicChains)> = self.guest(guest, last);
            for nic in &guest.nics {
                let chains = filtered.iter().find(|(one, _)| one.index == nic.index).map(|(_, chains)| chains.clone());
                if chains.is_some() && nic.addresses.is_empty() {
                    self.address_unknown(guest, nic);
                }
                parts.nics.push((nic, chains));
            }
        }
        self.other_addresses();
        self.input(&parts);
        self.forward(&parts);
        self.output(&parts);
    }

    fn address_unknown(&mut self, guest: &GuestPolicy, nic: &Nic) {
        let place = format!("`net{}` of {}", nic.index, guest.zone());
        let message = format!("packets that the host sends or routes reach {place} unfiltered");
        let help = "give the NIC its addresses (`ip`): iptables finds the NIC by them when the host sends or routes";
        self.warn(Code::IptablesUnknownAddress, nic.span, message, help);
    }

    /// Once a host: a guest may take an address that the spec does not give it, and nothing finds it there.
    fn other_addresses(&mut self) {
        let filtered = self.host.guests.iter().flat_map(|guest| guest.filtered_nics());
        let free: Vec<&Nic> = filtered.filter(|nic| !nic.addresses.is_empty() && answers_elsewhere(nic)).collect();
        let Some(first) = free.first() else { return };
        let nics = if free.len() == 1 { "1 NIC".to_owned() } else { format!("{} NICs", free.len()) };
        let message = format!(
            "packets that `{}` sends or routes reach {nics} unfiltered at any address but those in `ip`",
            self.host.name
        );
        let help = "set `ipfilter: true` and name every address in `ip`, so that a guest answers from no other one; \
                    or enforce this host with `nft`";
        self.warn(Code::IptablesUnknownAddress, first.span, message, help);
    }

    /// Defines a built-in chain, or the own chain that stands for it where tables are shared.
    pub(super) fn built_in_chain(&mut self, name: &str, open: bool, rules: Vec<Rule>) {
        if exclusive(self.host) {
            self.chains.define(name.into(), if open { "ACCEPT" } else { "DROP" }, rules);
        } else {
            let name = self.chains.name(name);
            self.chains.define(name, "-", rules);
        }
    }

    fn site(&self, hook: &Hook, accept: Accept) -> Site {
        let direction = hook.name.direction();
        Site { accept, called: false, direction, number: 0, chain: hook.name.name().into(), after: None }
    }

    /// The rules of one of the host's hooks.
    fn host_hook(&mut self, hook: &Hook, accept: Accept) -> Vec<Rule> {
        let zone = ZoneRef::Host(self.host.name.clone());
        let owner = Owner { nic: None, zone: &zone, span: self.host.span };
        let site = self.site(hook, accept);
        self.stages(&hook.stages, hook.name, owner, &site, false)
    }

    fn vnet(&mut self, vnet: &VnetPolicy) -> Name {
        let zone = ZoneRef::Vnet(vnet.name.clone());
        let owner = Owner { nic: None, zone: &zone, span: vnet.span };
        let hint = format!("vnet-{}", vnet.name);
        let site = Site { chain: hint.as_str().into(), ..self.site(&vnet.hook, Accept::Pass) };
        let rules = self.stages(&vnet.hook.stages, vnet.hook.name, owner, &site, false);
        self.chains.share(&hint, rules)
    }

    /// The rules that ask a hook and go on if it accepts. No chain leaves its mark behind, and none is
    /// taken in by one that was there before.
    fn ask(&self, tests: &[Test], chain: Name) -> Vec<Rule> {
        let marks = self.chains.marks(&chain);
        let call = Rule::new(tests.to_vec(), Jump::Call(chain));
        let clear = Rule::new(tests.to_vec(), Jump::ClearMark);
        if marks { vec![clear.clone(), call, clear] } else { vec![call] }
    }

    /// guest-out for what came through a guest's port; none where no guest is filtered.
    fn what_guests_sent(&mut self, parts: &Parts<'_>) -> Option<Rule> {
        let keys = self.port_keys(parts, |nic| nic.1.as_ref().map(|chains| Name::clone(&chains.out)));
        if keys.is_empty() {
            return None;
        }
        let tree = dispatch::ports(&mut self.chains, "from-port", Side::Source, &keys);
        let asked = self.ask(&[], tree);
        let chain = self.chains.share("from-guests", asked);
        Some(Rule::new(vec![Test::FromPort], Jump::Call(chain)))
    }

    fn port_keys(
        &mut self,
        parts: &Parts<'_>,
        chain: impl Fn(&(&Nic, Option<NicChains>)) -> Option<Name>,
    ) -> BTreeMap<Name, Name> {
        let mut keys = BTreeMap::new();
        for part in &parts.nics {
            if let Some(chain) = chain(part)
                && let Some(port) = self.interface(&part.0.device, part.0.span)
            {
                keys.insert(port, chain);
            }
        }
        keys
    }

    fn input(&mut self, parts: &Parts<'_>) {
        let mut rules: Vec<Rule> = self.what_guests_sent(parts).into_iter().collect();
        let vnet_of = |nic: &Nic| nic.bridge.as_deref().and_then(|bridge| parts.vnets.get(bridge)).cloned();
        let keys = self.port_keys(parts, |(nic, _)| vnet_of(nic));
        if !keys.is_empty() {
            let tree = dispatch::ports(&mut self.chains, "from-vnet", Side::Source, &keys);
            let asked = self.ask(&[], tree);
            let chain = self.chains.share("from-vnets", asked);
            rules.push(Rule::new(vec![Test::FromPort], Jump::Call(chain)));
        }
        let host = self.host;
        let hook = self.host_hook(&host.hook_in, parts.last);
        match parts.last {
            Accept::Final | Accept::Queue(_) => rules.extend(hook),
            Accept::Pass => {
                let chain = self.chains.share("host-in", hook);
                rules.extend(self.ask(&[], chain));
            }
        }
        self.built_in_chain("INPUT", false, rules);
    }

    fn forward(&mut self, parts: &Parts<'_>) {
        let host = self.host;
        // A server that has its tables for itself has no bridges, and is spared the module that this test loads.
        let bridges =
            host.platform == Platform::Proxmox || !exclusive(host) || !parts.nics.is_empty() || !parts.vnets.is_empty();
        let mut rules: Vec<Rule> = self.what_guests_sent(parts).into_iter().collect();
        if bridges {
            let bridged = self.bridged(parts);
            rules.push(Rule::new(vec![Test::Bridged(true)], Jump::Goto(bridged)));
        }
        let guests = self.addresses(parts, "to-guest", false);
        let accept = if guests.is_some() { Accept::Pass } else { parts.last };
        let hook = self.host_hook(&host.hook_forward, accept);
        match accept {
            Accept::Final | Accept::Queue(_) => rules.extend(hook),
            Accept::Pass => {
                let chain = self.chains.share("host-forward", hook);
                rules.extend(self.ask(&[], chain));
            }
        }
        self.finish(&mut rules, guests, parts);
        self.built_in_chain("FORWARD", false, rules);
    }

    /// Between two ports of a bridge: vnet-forward, then guest-in.
    fn bridged(&mut self, parts: &Parts<'_>) -> Name {
        let mut rules = Vec::new();
        for (bridge, chain) in &parts.vnets {
            for bridge in self.bridges(bridge) {
                rules.extend(self.ask(&[Test::In(bridge)], Name::clone(chain)));
            }
        }
        let keys = self.port_keys(parts, |nic| nic.1.as_ref().map(|chains| Name::clone(&chains.into)));
        let tree = (!keys.is_empty()).then(|| dispatch::ports(&mut self.chains, "to-port", Side::Dest, &keys));
        self.finish(&mut rules, tree, parts);
        self.chains.share("bridged", rules)
    }

    /// The interfaces of a vnet's bridge.
    fn bridges(&mut self, bridge: &str) -> Vec<Name> {
        let names = self.host.bridges(bridge);
        names.into_iter().filter_map(|name| self.interface(&name, self.host.span)).collect()
    }

    /// The last hook, then what it accepted or did not judge.
    fn finish(&self, rules: &mut Vec<Rule>, tree: Option<Name>, parts: &Parts<'_>) {
        match parts.last {
            Accept::Final | Accept::Queue(_) => {
                rules.extend(tree.map(|tree| Rule::new(Vec::new(), Jump::Call(tree))));
                if !rules.last().is_some_and(Rule::is_last) {
                    rules.push(Rule::new(Vec::new(), Jump::Accept));
                }
            }
            Accept::Pass => rules.extend(tree.into_iter().flat_map(|tree| self.ask(&[], tree))),
        }
    }

    fn output(&mut self, parts: &Parts<'_>) {
        let host = self.host;
        let guests = self.addresses(parts, "host-to-guest", true);
        let accept = if guests.is_some() { Accept::Pass } else { parts.last };
        let mut rules = self.host_hook(&host.hook_out, accept);
        if accept == Accept::Pass {
            let chain = self.chains.share("host-out", rules);
            rules = self.ask(&[], chain);
        }
        self.finish(&mut rules, guests, parts);
        let open = host.options.policy_out.value == Verdict::Accept;
        self.built_in_chain("OUTPUT", open, rules);
    }

    /// guest-in (with `vnets` vnet-forward before it) for the known addresses of guests; none where
    /// there are none.
    fn addresses(&mut self, parts: &Parts<'_>, hint: &str, vnets: bool) -> Option<Name> {
        let mut keys: Vec<Address> = Vec::new();
        for (nic, chains) in &parts.nics {
            let vnet = nic.bridge.as_deref().filter(|_| vnets).and_then(|bridge| parts.vnets.get(bridge)).cloned();
            let Some(chain) = self.towards(vnet, chains.as_ref().map(|chains| &chains.into), parts) else { continue };
            // What leaves within a VLAN does so by an interface of the VLAN, whose name nobody promises.
            let out = match &nic.bridge {
                Some(bridge) if nic.tag.is_none() => match self.interface(bridge, nic.span) {
                    Some(bridge) => Some(bridge),
                    None => continue,
                },
                Some(_) | None => None,
            };
            let local = nic.mac.filter(|_| nic.bridge.is_some()).map(|mac| std::net::IpAddr::V6(mac.link_local()));
            let known = nic.addresses.iter().map(|address| address.address()).chain(local);
            for address in known.filter(|address| Family::of(*address) == self.family) {
                keys.push(Address { address, any_out: out.is_none(), out: out.clone(), chain: Name::clone(&chain) });
            }
        }
        keys.sort();
        keys.dedup();
        (!keys.is_empty()).then(|| dispatch::addresses(&mut self.chains, hint, &keys))
    }

    /// The chain for packets to a NIC; none where no hook judges them.
    fn towards(&mut self, vnet: Option<Name>, guest: Option<&Name>, parts: &Parts<'_>) -> Option<Name> {
        let Some(vnet) = vnet else { return guest.cloned() };
        let hint = guest.map_or_else(|| format!("via-{vnet}"), |guest| format!("{vnet}-{guest}"));
        let mut rules = self.ask(&[], vnet);
        rules.push(match (guest, parts.last) {
            (Some(guest), _) => Rule::new(Vec::new(), Jump::Goto(Name::clone(guest))),
            (None, Accept::Final | Accept::Queue(_)) => Rule::new(Vec::new(), Jump::Accept),
            (None, Accept::Pass) => Rule::new(Vec::new(), Jump::Return),
        });
        Some(self.chains.share(&hint, rules))
    }
}
