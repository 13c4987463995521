//! The ways of packets through the built-in chains, and the hooks of the policy that stand on each.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::analysis::Judge;
use crate::analysis::loaded::{Context, Pattern, PortValue, Towards};
use crate::analysis::sets::Field;
use crate::net::{Family, Ranges};
use crate::policy::{Carriage, End, GuestPolicy, Match, Nic, Platform};
use crate::target::proof::{Course, Place};

use super::super::host::exclusive;
use super::{Case, Destination, Proof};

impl<'a> Proof<'_, 'a, '_> {
    /// To the host.
    pub(super) fn input(&mut self, cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        let own = self.own();
        let mut case = |from: End<'a>, bridge_in: PortValue, place: Place<'a>, mac| {
            let context = Context { in_interface: PortValue::Any, bridge_in, own_mac: mac, ..Context::default() };
            let hooks = host.way(from, End::Host, Carriage::Bridged);
            let way = Course::new(place, Place::Words("the host"));
            cases.push(Case { chain: "INPUT", context, hooks, way, among: Vec::new() });
        };
        if self.share.is_first() {
            case(End::Unknown(None), PortValue::None, Place::Words("another interface"), None);
        }
        for (guest, nic) in own {
            case(End::Guest(guest, nic), PortValue::Is(nic.device.as_str().into()), Place::Nic(guest, nic), nic.mac);
        }
        for other in self.others() {
            case(End::Unknown(None), other, Place::Words("another port of a bridge"), None);
        }
    }

    /// The NICs whose ways are looked at.
    fn own(&self) -> Vec<(&'a GuestPolicy, &'a Nic)> {
        self.nics.get(self.share.range(self.nics.len())).unwrap_or_default().to_vec()
    }

    /// Whether the host may have bridges: a server without guests that has its tables for itself has none.
    pub(super) fn has_bridges(&self) -> bool {
        let host = self.prover.host;
        host.platform == Platform::Proxmox || !exclusive(host) || !host.guests.is_empty() || !host.vnets.is_empty()
    }

    /// Ports that no NIC has, as far as rules tell them apart.
    fn others(&mut self) -> Vec<PortValue> {
        if !self.has_bridges() || !self.share.is_first() {
            return Vec::new();
        }
        if self.others.is_empty() {
            let devices: HashSet<&str> = self.nics.iter().map(|(_, nic)| nic.device.as_str()).collect();
            let (names, prefixes) = self.loaded.chains().bridge_ports(&devices);
            let names = names.into_iter().map(PortValue::Is);
            let prefixes = prefixes.into_iter().map(PortValue::Other);
            self.others = std::iter::once(PortValue::Other("".into())).chain(names).chain(prefixes).collect();
        }
        self.others.clone()
    }

    /// The ways that lead to guests where only the destination tells which one, and the one that leads to none.
    pub(super) fn destinations(&mut self) -> Vec<Destination<'a>> {
        let host = self.prover.host;
        let mut by_address: Vec<(u128, Option<&str>)> = Vec::new();
        let mut of_nics = Vec::new();
        let own = self.share.range(self.nics.len());
        for (place, (guest, nic)) in self.nics.iter().enumerate() {
            if host.way(End::Unknown(None), End::Guest(guest, nic), Carriage::Routed).is_empty() {
                continue;
            }
            let out = if nic.tag.is_none() { nic.bridge.as_deref() } else { None };
            let local = nic.mac.filter(|_| nic.bridge.is_some()).map(|mac| IpAddr::V6(mac.link_local()));
            let known = nic.addresses.iter().map(|address| address.address()).chain(local);
            let mut known: Vec<u128> = known.filter(|one| Family::of(*one) == self.family).map(number).collect();
            known.sort_unstable();
            known.dedup();
            by_address.extend(known.iter().map(|address| (*address, out)));
            of_nics.push(((*guest, *nic), out, known, own.contains(&place)));
        }
        by_address.sort_unstable();
        // An address that several NICs have belongs to whichever answers.
        let alone = |address: u128, out: Option<&str>| {
            let from = by_address.partition_point(|(other, _)| *other < address);
            let all = by_address.get(from..).into_iter().flatten().take_while(|(other, _)| *other == address);
            all.filter(|(_, by)| out.is_none() || by.is_none() || *by == out).count() == 1
        };
        let mut found = Vec::new();
        let ranges = |addresses: &[u128]| Ranges::from_ranges(addresses.iter().map(|one| (*one, *one)));
        for ((guest, nic), out, known, _) in of_nics.iter().filter(|(.., is_own)| *is_own) {
            // Of one address the rules that lead to it say which NIC it is; of two they would have to be put together.
            for dest in known.iter().filter(|address| alone(**address, *out)) {
                let out_interface = out.map_or(PortValue::Any, |out| PortValue::Is(out.into()));
                let towards = Towards { dest: Ranges::single(*dest), out_interface };
                found.push((Arc::new(towards), Some((*guest, *nic))));
            }
        }
        // By each interface that anything names, and by one that nothing does, all other destinations.
        let mut outs = self.outs();
        outs.extend(of_nics.iter().filter_map(|(_, out, ..)| *out).map(|out| PortValue::Is(out.into())));
        for out_interface in outs {
            let by = out_interface.name();
            let is_taken = |out: &Option<&str>| out.is_none_or(|out| by.is_some_and(|by| **by == *out));
            let taken = of_nics.iter().filter(|(_, out, ..)| is_taken(out));
            let taken: Vec<u128> = taken.flat_map(|(_, _, known, _)| known.iter().copied()).collect();
            found.push((Arc::new(Towards { dest: ranges(&taken).complement(), out_interface }), None));
        }
        found
    }

    /// The interfaces that packets leave by, as far as the rules or the host's policy tell them apart.
    fn outs(&mut self) -> BTreeSet<PortValue> {
        let host = self.prover.host;
        let mut outs: BTreeSet<PortValue> = [PortValue::Other("".into()), PortValue::Is("lo".into())].into();
        outs.extend(self.loaded.chains().out_interfaces().into_iter().map(|name| match name {
            Pattern::Is(name) => PortValue::Is(name),
            Pattern::BeginsWith(start) => PortValue::Other(start),
        }));
        for hook in [&host.hook_out, &host.hook_forward] {
            let judge = Judge::new(hook, None);
            for condition in judge.clauses().flat_map(|(_, clause, _)| &clause.matches) {
                if let Match::OutInterface(name) = condition {
                    outs.insert(PortValue::Is(name.as_str().into()));
                }
            }
        }
        outs
    }

    /// Those whose ways are looked at.
    fn shared(&self, destinations: &[Destination<'a>]) -> Vec<Destination<'a>> {
        let is_first = self.share.is_first();
        destinations.iter().filter(|(_, nic)| is_first || nic.is_some()).cloned().collect()
    }

    fn towards(&mut self, towards: &Towards) -> Vec<(Field, Ranges<u128>)> {
        let out = match &towards.out_interface {
            PortValue::Is(name) => {
                let number = self.prover.ground.sets.interface(name);
                Some(Ranges::single(number))
            }
            PortValue::Other(_) => Some(Ranges::single(0)),
            PortValue::None | PortValue::Any => None,
        };
        let dest = (Field::Dest, towards.dest.clone());
        out.map(|out| (Field::OutInterface, out)).into_iter().chain([dest]).collect()
    }

    /// From the host.
    pub(super) fn output(&mut self, destinations: &[Destination<'a>], cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        for (towards, nic) in self.shared(destinations) {
            let (to, place) = match nic {
                Some((guest, nic)) => (End::Guest(guest, nic), Place::Nic(guest, nic)),
                None => (End::Unknown(None), Place::Words("another interface")),
            };
            let among = self.towards(&towards);
            let context = Context { out_interface: PortValue::Any, towards: Some(towards), ..Context::default() };
            let hooks = host.way(End::Host, to, Carriage::Bridged);
            cases.push(Case {
                chain: "OUTPUT",
                context,
                hooks,
                way: Course::new(Place::Words("the host"), place),
                among,
            });
        }
    }

    /// From port to port of a bridge.
    pub(super) fn bridged(&mut self, cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        let other = || PortValue::Other("".into());
        let mut case = |(from, bridge_in, mac): (End<'a>, PortValue, _),
                        (to, bridge_out): (End<'a>, PortValue),
                        bridge: &Arc<str>,
                        way| {
            let name = PortValue::Is(Arc::clone(bridge));
            let context = Context {
                in_interface: name.clone(),
                out_interface: name,
                bridge_in,
                bridge_out,
                bridged: true,
                own_mac: mac,
                ..Context::default()
            };
            let hooks = host.way(from, to, Carriage::Bridged);
            cases.push(Case { chain: "FORWARD", context, hooks, way, among: Vec::new() });
        };
        let mut bridges: BTreeSet<&str> = host.vnets.iter().map(|vnet| vnet.name.as_str()).collect();
        bridges.extend(self.nics.iter().filter_map(|(_, nic)| nic.bridge.as_deref()));
        for (guest, nic) in self.own() {
            let Some(bridge) = nic.bridge.as_deref() else { continue };
            let (end, port) = (End::Guest(guest, nic), PortValue::Is(nic.device.as_str().into()));
            let unknown = End::Unknown(Some(bridge));
            let elsewhere: Arc<str> = bridge.into();
            let elsewhere = || Place::Beside(Arc::clone(&elsewhere));
            for name in self.prover.bridges(bridge).iter() {
                let own = || Place::Nic(guest, nic);
                let (out, back) = (Course::new(own(), elsewhere()), Course::new(elsewhere(), own()));
                case((end, port.clone(), nic.mac), (unknown, other()), name, out);
                case((unknown, other(), None), (end, port.clone()), name, back);
            }
        }
        let others = self.others();
        for bridge in bridges.iter().copied().map(Some).chain([None]) {
            let unknown = End::Unknown(bridge);
            let names = bridge.map_or_else(|| ["another bridge".into()].into(), |bridge| self.prover.bridges(bridge));
            for name in names.iter() {
                let own = || Place::Beside(Arc::clone(name));
                let course = || Course::new(own(), own());
                for port in &others {
                    case((unknown, port.clone(), None), (unknown, other()), name, course());
                    case((unknown, other(), None), (unknown, port.clone()), name, course());
                }
            }
        }
    }

    /// From interface to interface.
    pub(super) fn routed(&mut self, destinations: &[Destination<'a>], cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        let elsewhere = || Place::Words("another interface");
        for (towards, nic) in self.shared(destinations) {
            let (to, place) = match nic {
                Some((guest, nic)) => (End::Guest(guest, nic), Place::Nic(guest, nic)),
                None => (End::Unknown(None), elsewhere()),
            };
            let among = self.towards(&towards);
            let context = Context {
                in_interface: PortValue::Any,
                out_interface: PortValue::Any,
                towards: Some(towards),
                ..Context::default()
            };
            let hooks = host.way(End::Unknown(None), to, Carriage::Routed);
            let way = Course::routed(elsewhere(), place);
            cases.push(Case { chain: "FORWARD", context, hooks, way, among });
        }
        let Some((towards, None)) = destinations.last() else { return };
        let among = self.towards(towards);
        let others = self.others().into_iter().map(|port| (None, port));
        let ports =
            self.own().into_iter().map(|(guest, nic)| (Some((guest, nic)), PortValue::Is(nic.device.as_str().into())));
        for (nic, bridge_in) in ports.chain(others) {
            let (from, place, own_mac) = match nic {
                Some((guest, nic)) => (End::Guest(guest, nic), Place::Nic(guest, nic), nic.mac),
                None => (End::Unknown(None), Place::Words("another port of a bridge"), None),
            };
            let context = Context {
                in_interface: PortValue::Any,
                out_interface: PortValue::Any,
                bridge_in,
                own_mac,
                towards: Some(towards.clone()),
                ..Context::default()
            };
            let hooks = host.way(from, End::Unknown(None), Carriage::Routed);
            let way = Course::routed(place, elsewhere());
            cases.push(Case { chain: "FORWARD", context, hooks, way, among: among.clone() });
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}
