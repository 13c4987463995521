//! The ways of packets through the built-in chains, and the hooks of the policy that stand on each.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::analysis::loaded::{Context, PortValue, Towards};
use crate::analysis::sets::Field;
use crate::net::{Mac, Ranges};
use crate::policy::{Carriage, End, GuestPolicy, Nic, Platform};
use crate::target::proof::{Course, Place};

use super::super::host::exclusive;
use super::{Case, Proof};

impl<'a> Proof<'_, 'a, '_> {
    /// To the host, from what is no NIC.
    pub(super) fn input(&mut self, cases: &mut Vec<Case<'a>>) {
        if self.share.is_first() {
            cases.push(self.to_host(End::Unknown(None), PortValue::None, Place::Words("another interface"), None));
        }
        for other in self.others() {
            cases.push(self.to_host(End::Unknown(None), other, Place::Words("another port of a bridge"), None));
        }
    }

    fn to_host(&self, from: End<'a>, bridge_in: PortValue, place: Place<'a>, own_mac: Option<Mac>) -> Case<'a> {
        let context = Context { in_interface: PortValue::Any, bridge_in, own_mac, ..Context::default() };
        let hooks = self.prover.host.way(from, End::Host, Carriage::Bridged);
        let way = Course::new(place, Place::Words("the host"));
        Case { chain: "INPUT", context, hooks, way, among: Vec::new() }
    }

    /// Every way from a NIC; `elsewhere`: where packets go that go to none. What these depend on besides its port, its addresses and its
    /// guest's rules, [`around`](crate::target::proof::Prover::around) tells.
    pub(super) fn ways_from(
        &mut self,
        (guest, nic): (&'a GuestPolicy, &'a Nic),
        elsewhere: Option<&Arc<Towards>>,
    ) -> Vec<Case<'a>> {
        let (end, port) = (End::Guest(guest, nic), PortValue::Is(nic.device.as_str().into()));
        let mut cases = vec![self.to_host(end, port.clone(), Place::Nic(guest, nic), nic.mac)];
        if let Some(bridge) = nic.bridge.as_deref() {
            for name in self.prover.bridges(bridge).iter() {
                let way = Course::new(Place::Nic(guest, nic), Place::Beside(bridge.into()));
                let ends = ((end, port.clone(), nic.mac), (End::Unknown(Some(bridge)), other()));
                cases.push(self.through(ends, name, way));
            }
        }
        let elsewhere = elsewhere.cloned();
        cases.extend(elsewhere.map(|elsewhere| self.out_of(Some((guest, nic)), port, &elsewhere)));
        cases
    }

    /// Every way to a NIC, with those of its destinations that are its alone.
    pub(super) fn ways_to(
        &mut self,
        (guest, nic): (&'a GuestPolicy, &'a Nic),
        destinations: &[Arc<Towards>],
    ) -> Vec<Case<'a>> {
        let (end, port) = (End::Guest(guest, nic), PortValue::Is(nic.device.as_str().into()));
        let mut cases = Vec::new();
        // First those that name the guest's addresses: what differs is shown with the first packet that is found.
        for towards in destinations {
            cases.push(self.out_of_host(towards, Some((guest, nic))));
        }
        if let Some(bridge) = nic.bridge.as_deref() {
            for name in self.prover.bridges(bridge).iter() {
                let way = Course::new(Place::Beside(bridge.into()), Place::Nic(guest, nic));
                let ends = ((End::Unknown(Some(bridge)), other(), None), (end, port.clone()));
                cases.push(self.through(ends, name, way));
            }
        }
        for towards in destinations {
            cases.push(self.routed_to(towards, Some((guest, nic))));
        }
        cases
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

    /// From the host, to what is no NIC.
    pub(super) fn output(&mut self, destinations: &[Arc<Towards>], cases: &mut Vec<Case<'a>>) {
        for towards in destinations {
            cases.push(self.out_of_host(towards, None));
        }
    }

    fn out_of_host(&mut self, towards: &Arc<Towards>, nic: Option<(&'a GuestPolicy, &'a Nic)>) -> Case<'a> {
        let (to, place) = end(nic);
        let among = self.towards(towards);
        let towards = Some(Arc::clone(towards));
        let context = Context { out_interface: PortValue::Any, towards, ..Context::default() };
        let hooks = self.prover.host.way(End::Host, to, Carriage::Bridged);
        Case { chain: "OUTPUT", context, hooks, way: Course::new(Place::Words("the host"), place), among }
    }

    /// From port to port of a bridge, of which none is a NIC's.
    pub(super) fn bridged(&mut self, cases: &mut Vec<Case<'a>>) {
        let host = self.prover.host;
        let mut bridges: BTreeSet<&str> = host.vnets.iter().map(|vnet| vnet.name.as_str()).collect();
        bridges.extend(self.nics.iter().filter_map(|(_, nic)| nic.bridge.as_deref()));
        let others = self.others();
        for bridge in bridges.iter().copied().map(Some).chain([None]) {
            let unknown = End::Unknown(bridge);
            let names = bridge.map_or_else(|| ["another bridge".into()].into(), |bridge| self.prover.bridges(bridge));
            for name in names.iter() {
                let course = || Course::new(Place::Beside(Arc::clone(name)), Place::Beside(Arc::clone(name)));
                for port in &others {
                    let (from, to) = ((unknown, port.clone(), None), (unknown, other()));
                    cases.push(self.through((from, to), name, course()));
                    let (from, to) = ((unknown, other(), None), (unknown, port.clone()));
                    cases.push(self.through((from, to), name, course()));
                }
            }
        }
    }

    fn through(
        &self,
        ((from, bridge_in, own_mac), (to, bridge_out)): ((End<'a>, PortValue, Option<Mac>), (End<'a>, PortValue)),
        bridge: &Arc<str>,
        way: Course<'a>,
    ) -> Case<'a> {
        let name = PortValue::Is(Arc::clone(bridge));
        let context = Context {
            in_interface: name.clone(),
            out_interface: name,
            bridge_in,
            bridge_out,
            bridged: true,
            own_mac,
            ..Context::default()
        };
        let hooks = self.prover.host.way(from, to, Carriage::Bridged);
        Case { chain: "FORWARD", context, hooks, way, among: Vec::new() }
    }

    /// From interface to interface, of which none leads to a NIC.
    pub(super) fn routed(&mut self, destinations: &[Arc<Towards>], cases: &mut Vec<Case<'a>>) {
        for towards in destinations {
            cases.push(self.routed_to(towards, None));
        }
        let Some(elsewhere) = destinations.last() else { return };
        for port in self.others() {
            cases.push(self.out_of(None, port, elsewhere));
        }
    }

    fn routed_to(&mut self, towards: &Arc<Towards>, nic: Option<(&'a GuestPolicy, &'a Nic)>) -> Case<'a> {
        let (to, place) = end(nic);
        let among = self.towards(towards);
        let context = Context {
            in_interface: PortValue::Any,
            out_interface: PortValue::Any,
            towards: Some(Arc::clone(towards)),
            ..Context::default()
        };
        let hooks = self.prover.host.way(End::Unknown(None), to, Carriage::Routed);
        Case { chain: "FORWARD", context, hooks, way: Course::routed(Place::Words("another interface"), place), among }
    }

    /// Out of a bridge by one of its ports, to another interface.
    fn out_of(
        &mut self,
        nic: Option<(&'a GuestPolicy, &'a Nic)>,
        bridge_in: PortValue,
        elsewhere: &Arc<Towards>,
    ) -> Case<'a> {
        let among = self.towards(elsewhere);
        let (from, place, own_mac) = match nic {
            Some((guest, nic)) => (End::Guest(guest, nic), Place::Nic(guest, nic), nic.mac),
            None => (End::Unknown(None), Place::Words("another port of a bridge"), None),
        };
        let context = Context {
            in_interface: PortValue::Any,
            out_interface: PortValue::Any,
            bridge_in,
            own_mac,
            towards: Some(Arc::clone(elsewhere)),
            ..Context::default()
        };
        let hooks = self.prover.host.way(from, End::Unknown(None), Carriage::Routed);
        Case { chain: "FORWARD", context, hooks, way: Course::routed(place, Place::Words("another interface")), among }
    }
}

/// A port that nothing names.
fn other() -> PortValue {
    PortValue::Other("".into())
}

/// Where packets go to.
fn end<'a>(nic: Option<(&'a GuestPolicy, &'a Nic)>) -> (End<'a>, Place<'a>) {
    match nic {
        Some((guest, nic)) => (End::Guest(guest, nic), Place::Nic(guest, nic)),
        None => (End::Unknown(None), Place::Words("another interface")),
    }
}
