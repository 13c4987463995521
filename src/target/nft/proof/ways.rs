//! The ways of packets through a bridge: from and to each NIC, and between ports that are no NIC's.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::analysis::loaded::{Loaded, PortValue, bases};
use crate::analysis::sets::OverBudget;
use crate::policy::{Carriage, Crossing, End, GuestPolicy, Nic};
use crate::target::proof::{Course, Place, Side, Why};

use super::{Among, BRIDGED, FROM_HOST, PROGRAM, Ports, Proof, ROUTED_FROM, ROUTED_TO, TO_HOST};

impl<'a> Proof<'_, 'a, '_> {
    /// Every way from and to a NIC, with a port that nothing names at the other end.
    pub(super) fn nic(&mut self, guest: &'a GuestPolicy, nic: &'a Nic) -> Result<(), OverBudget> {
        if !self.is_alike(Side::From, (guest, nic))? {
            self.ways_from(guest, nic)?;
        }
        if self.is_alike(Side::To, (guest, nic))? { Ok(()) } else { self.ways_to(guest, nic) }
    }

    /// Every way from a NIC. What these depend on besides its port, its addresses and its guest's rules, [`around`](super::Prover::around)
    /// tells.
    pub(super) fn ways_from(&mut self, guest: &'a GuestPolicy, nic: &'a Nic) -> Result<(), OverBudget> {
        let host = self.prover.host;
        let end = End::Guest(guest, nic);
        let name = || Place::Nic(guest, nic);
        let own = self.port(PortValue::Is(nic.device.as_str().into()));
        let other = self.port(PortValue::Other("".into()));
        let from =
            Ports { from: own, own_mac: nic.mac, own_sources: nic.sources.clone(), bridge: other.clone(), to: other };
        if let Some(bridge) = nic.bridge.as_deref() {
            let way = Course::new(name(), Place::Beside(bridge.into()));
            let crossings = host.way(end, End::Unknown(nic.bridge.as_deref()), Carriage::Bridged);
            self.bridged(bridge, &from, &crossings, &way)?;
        }
        let to_host = host.way(end, End::Host, Carriage::Bridged);
        for among in [Among::Ip, Among::Other] {
            self.way(TO_HOST, &from, &to_host, (Course::new(name(), Place::Words("the host")), among))?;
        }
        let crossings = host.way(end, End::Unknown(None), Carriage::Routed);
        let way = Course::routed(name(), Place::Words("another interface"));
        self.way(ROUTED_FROM, &from, &crossings, (way, Among::Ip))
    }

    /// Every way to a NIC, as above.
    pub(super) fn ways_to(&mut self, guest: &'a GuestPolicy, nic: &'a Nic) -> Result<(), OverBudget> {
        let host = self.prover.host;
        let end = End::Guest(guest, nic);
        let name = || Place::Nic(guest, nic);
        let own = self.port(PortValue::Is(nic.device.as_str().into()));
        let other = self.port(PortValue::Other("".into()));
        let to = Ports { from: other.clone(), bridge: other, to: own, ..Ports::default() };
        if let Some(bridge) = nic.bridge.as_deref() {
            let way = Course::new(Place::Beside(bridge.into()), name());
            let crossings = host.way(End::Unknown(nic.bridge.as_deref()), end, Carriage::Bridged);
            self.bridged(bridge, &to, &crossings, &way)?;
        }
        let from_host = host.way(End::Host, end, Carriage::Bridged);
        // What leaves by the loopback interface comes to no port.
        for among in [self.leaving, Among::Other] {
            self.way(FROM_HOST, &to, &from_host, (Course::new(Place::Words("the host"), name()), among))?;
        }
        let crossings = host.way(End::Unknown(None), end, Carriage::Routed);
        let way = Course::routed(Place::Words("another interface"), name());
        self.way(ROUTED_TO, &to, &crossings, (way, Among::Ip))
    }

    /// The ways through a bridge.
    fn bridged(
        &mut self,
        bridge: &'a str,
        ports: &Ports,
        crossings: &[Crossing<'a>],
        way: &Course<'a>,
    ) -> Result<(), OverBudget> {
        for interface in self.prover.bridges(bridge).iter() {
            let ports = Ports { bridge: self.port(PortValue::Is(Arc::clone(interface))), ..ports.clone() };
            for among in [Among::Plain, Among::Service, Among::Double] {
                self.way(BRIDGED, &ports, crossings, (way.clone(), among))?;
            }
        }
        Ok(())
    }

    /// The ways between ports that are no NIC's.
    pub(super) fn others(&mut self) -> Result<(), OverBudget> {
        let host = self.prover.host;
        let known: HashSet<&str> = self.nics.iter().map(|(_, nic)| nic.device.as_str()).collect();
        let (names, starts) = match &self.frames {
            Some(loaded) => loaded.chains().bridge_ports(&known),
            None => return Ok(()),
        };
        let names = names.into_iter().map(PortValue::Is);
        let others: Vec<PortValue> = std::iter::once(PortValue::Other("".into()))
            .chain(names)
            .chain(starts.into_iter().map(PortValue::Other))
            .collect();
        let mut bridges: BTreeSet<&str> = host.vnets.iter().map(|vnet| vnet.name.as_str()).collect();
        bridges.extend(self.nics.iter().filter_map(|(_, nic)| nic.bridge.as_deref()));
        let nowhere = self.port(PortValue::Other("".into()));
        for port in others {
            let port = self.port(port);
            let ports = Ports { from: port.clone(), to: port, bridge: nowhere.clone(), ..Ports::default() };
            for bridge in bridges.iter().copied().map(Some).chain([None]) {
                let words: Arc<str> = bridge.unwrap_or("another bridge").into();
                let place = || Place::Beside(Arc::clone(&words));
                let end = End::Unknown(bridge);
                let names = match bridge {
                    Some(bridge) => {
                        self.prover.bridges(bridge).iter().map(|name| PortValue::Is(Arc::clone(name))).collect()
                    }
                    None => vec![PortValue::Other("".into())],
                };
                for name in names {
                    let ports = Ports { bridge: self.port(name), ..ports.clone() };
                    let crossings = host.way(end, end, Carriage::Bridged);
                    for among in [Among::Plain, Among::Service, Among::Double] {
                        self.way(BRIDGED, &ports, &crossings, (Course::new(place(), place()), among))?;
                    }
                }
            }
            let words = "another port of a bridge";
            for (hooks, (from, to), way) in [
                (TO_HOST, (End::Unknown(None), End::Host), Course::of(words, "the host")),
                (FROM_HOST, (End::Host, End::Unknown(None)), Course::of("the host", words)),
            ] {
                let crossings = host.way(from, to, Carriage::Bridged);
                self.way(hooks, &ports, &crossings, (way, Among::Ip))?;
            }
        }
        Ok(())
    }

    /// That chains look at one end of a way alone.
    pub(super) fn pairs(&mut self) {
        let Some(chains) = self.frames.as_ref().map(Loaded::chains) else { return };
        for hook in ["prerouting", "input", "forward", "output", "postrouting"] {
            for chain in bases(chains.table(), hook) {
                let (source, dest) = chains.ends(chain);
                // Of the bridge itself only those that forward are told.
                let bridge = hook != "forward" && chains.asks_bridge(chain);
                let wrong = match hook {
                    "prerouting" | "input" => dest || bridge,
                    "forward" => source || dest,
                    _ => source || bridge,
                };
                if wrong {
                    let why = Why::Pairs(format!("chain `{chain}`"));
                    self.prover.doubt(PROGRAM, Course::of("a guest", "another one").way(), why);
                }
            }
        }
    }
}
