//! What the base chains of a hook do with packets, each asked once.

use std::sync::Arc;

use crate::analysis::loaded::{Base, Context, Passage, PortValue, Tagging};
use crate::analysis::sets::{OverBudget, PacketSet};
use crate::net::{AddressSet, Mac};

use super::{Among, Bridge, Hook, Inet, Proof};

/// A port or a bridge, and the number of its value: equal ones have the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Port {
    value: PortValue,
    number: u32,
}

/// Where a packet comes from and goes to in the bridge.
#[derive(Debug, Clone, Default)]
pub(super) struct Ports {
    pub(super) from: Port,
    pub(super) own_mac: Option<Mac>,
    pub(super) own_sources: Option<Arc<AddressSet>>,
    pub(super) bridge: Port,
    pub(super) to: Port,
}

/// A base chain by its place among those of a hook; the mark that packets come with; which packets; and the number of the port
/// that the hook's rules see, with the hardware address behind it; and whether any rules stand for the
/// guests'. No two NICs of a host have one port, so that it tells the addresses behind it as well.
pub(super) type Entry = (Hook, usize, u32, Among, (u32, Option<Mac>), bool);

impl Proof<'_, '_, '_> {
    /// A port with its number.
    pub(super) fn port(&mut self, value: PortValue) -> Port {
        let next = u32::try_from(self.ports.len() + 1).unwrap_or(u32::MAX);
        let number = *self.ports.entry(value.clone()).or_insert(next);
        Port { value, number }
    }

    /// What a base chain does, at its place among those of a hook; one that was asked the same before is not asked again. Where
    /// all packets that rules see so leave it with one mark, that is so for some of them, too.
    pub(super) fn passage(
        &mut self,
        chain: (Hook, usize, &str),
        mark: u32,
        ports: &Ports,
        among: Among,
    ) -> Result<Arc<Passage>, OverBudget> {
        let widest = self.entered(chain, mark, ports, among.widest())?;
        if widest.mark.is_some() || among == among.widest() {
            return Ok(widest);
        }
        self.entered(chain, mark, ports, among)
    }

    fn entered(
        &mut self,
        (hook, place, chain): (Hook, usize, &str),
        mark: u32,
        ports: &Ports,
        among: Among,
    ) -> Result<Arc<Passage>, OverBudget> {
        let port = match hook {
            Inet(_) => (0, None),
            Bridge("prerouting" | "input") => (ports.from.number, ports.own_mac),
            Bridge("forward") => (ports.bridge.number, None),
            Bridge(_) => (ports.to.number, None),
        };
        let key = (hook, place, mark, among, port, self.stands);
        if let Some(known) = self.passages.get(&key) {
            return Ok(Arc::clone(known));
        }
        let made = self.base(hook, chain, mark, ports, among)?;
        self.passages.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// What one base chain does.
    pub(super) fn base(
        &mut self,
        hook: Hook,
        chain: &str,
        mark: u32,
        ports: &Ports,
        among: Among,
    ) -> Result<Arc<Passage>, OverBudget> {
        let ip = self.set(Among::Ip);
        let tagging = among.tagging();
        let context = match hook {
            Inet(_) => Context { in_interface: PortValue::Any, out_interface: PortValue::Any, ..Context::default() },
            Bridge("prerouting" | "input") => Context {
                in_interface: ports.from.value.clone(),
                own_mac: ports.own_mac,
                own_sources: ports.own_sources.clone(),
                tagging,
                ..Context::default()
            },
            Bridge("forward") => Context { bridge: ports.bridge.value.clone(), tagging, ..Context::default() },
            Bridge(_) => Context { out_interface: ports.to.value.clone(), tagging, ..Context::default() },
        };
        let (sees, plain) = match hook {
            Inet(_) => (ip, ip),
            Bridge(_) => (PacketSet::ALL, self.set(among)),
        };
        let counts = if tagging == Tagging::Plain { plain } else { PacketSet::ALL };
        let base = Base { chain, sees, counts };
        let Some((prover, loaded)) = self.loaded(hook) else { return Ok(Arc::new(Passage::nothing(mark))) };
        loaded.base(&mut prover.ground, base, mark, &context)
    }
}
