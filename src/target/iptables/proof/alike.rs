//! NICs of which the rules tell nothing apart but their guests' rules and their addresses: see [`Kind`].

use std::sync::Arc;

use crate::analysis::loaded::{By, Context, Ground, Loaded, Looked, Port, PortValue, Towards};
use crate::analysis::sets::OverBudget;
use crate::policy::{GuestPolicy, Nic};
use crate::target::proof::{Kind, Side, of_family};

use super::Proof;

impl<'a> Proof<'_, 'a, '_> {
    /// Whether all that comes from or to a NIC is proved by what is known of those alike, or comes to be so here. Nothing is
    /// told where it is not.
    pub(super) fn is_alike(
        &mut self,
        side: Side,
        (guest, nic): (&'a GuestPolicy, &'a Nic),
        destinations: &[Arc<Towards>],
        elsewhere: Option<&Arc<Towards>>,
    ) -> Result<bool, OverBudget> {
        let Some(standing) = &self.standing else { return Ok(false) };
        let chains = standing.chains();
        // What stands for an own address must be in no rule by itself, and what a program judges last is another thing.
        let asks_mac = side == Side::From && nic.mac.is_some() && chains.asks_mac();
        if asks_mac || self.queued.iter().any(|queued| std::ptr::eq(*queued, guest)) {
            return Ok(false);
        }
        let port = PortValue::Is(nic.device.as_str().into());
        // What the views look at is the same for all that comes by a port or goes to a destination, whatever else is so.
        let any = || Context {
            in_interface: PortValue::Any,
            out_interface: PortValue::Any,
            bridge_in: PortValue::Any,
            bridge_out: PortValue::Any,
            bridge: PortValue::Any,
            ..Context::default()
        };
        let looked: Option<Vec<Looked<'_>>> = match side {
            Side::From => {
                let (own_mac, own_sources) = (nic.mac, nic.sources.clone());
                let context = Context { bridge_in: port, own_mac, own_sources, ..any() };
                chains.look(By::Port(Port::BridgeIn), context).map(|looked| vec![looked])
            }
            Side::To => {
                let by_dest = |to| chains.look(By::Dest, Context { towards: Some(Arc::clone(to)), ..any() });
                let by_port = chains.look(By::Port(Port::BridgeOut), Context { bridge_out: port, ..any() });
                std::iter::once(by_port).chain(destinations.iter().map(by_dest)).collect()
            }
        };
        let Some(looked) = looked else { return Ok(false) };
        let mut own = looked.iter().map(|looked| chains.own_chain(looked));
        let Some(chain) = own.next().flatten().filter(|chain| own.all(|other| other == Some(*chain))) else {
            return Ok(false);
        };
        let Some((hooks, crossing)) = self.prover.around(side, (guest, nic))? else { return Ok(false) };
        let mut stands = chains.stands(chain);
        let stand = loop {
            let Some(stand) = stands.next() else { return Ok(false) };
            let Some(standing) = &mut self.standing else { return Ok(false) };
            let rules = (standing, stand, &Context::default());
            let family = self.family;
            let of_family = |ground: &mut Ground, meant| Ok(of_family(ground, family, meant));
            if self.prover.has_rules(&crossing, rules, of_family)? {
                break stand;
            }
        };
        let Some(views) = chains.views(&looked, stand) else { return Ok(false) };
        let out = destinations.first().and_then(|to| to.out_interface.name()).map(Arc::clone);
        let kind = Kind { side, views, bridge: (nic.bridge.as_deref().map(Arc::from), out), hooks };
        if let Some(known) = self.kinds.get(&kind) {
            return Ok(*known);
        }
        let Some(standing) = &mut self.standing else { return Ok(false) };
        if !standing.stand(&looked, stand) {
            return Ok(false);
        }
        let cases = match side {
            Side::From => self.ways_from((guest, nic), elsewhere),
            Side::To => self.ways_to((guest, nic), destinations),
        };
        let prover = &mut self.prover;
        let before = (std::mem::take(&mut prover.doubts), std::mem::take(&mut prover.unknown));
        (self.stands, self.is_for_all) = (true, true);
        let done = self.each(cases);
        self.stands = false;
        let is_in_view = self.standing.as_ref().is_some_and(Loaded::stood_in_view);
        let is_proved = done.is_ok() && is_in_view && self.is_for_all && self.prover.doubts.is_empty();
        // Whoever looks at it with the rules that are there tells what is wrong.
        (self.prover.doubts, self.prover.unknown) = before;
        self.kinds.insert(kind, is_proved);
        Ok(is_proved)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Proof;
    use crate::analysis::loaded::Loaded;
    use crate::net::Family;
    use crate::state::ruleset::Program;
    use crate::target::Iptables;
    use crate::target::proof::tests::{FILTER, IN_VALUES, compiled, guest, three_alike, with};
    use crate::target::proof::{Prover, Share, Translated};

    const RULE: &str = "{ in: accept, proto: udp, dport: 7 }";

    /// How many kinds of ways there are, and of how many of them all is proved for any rules.
    fn kinds(guests: &str) -> (usize, usize) {
        let (kinds, _) = proved(guests);
        kinds
    }

    /// The same, and how many nodes sets of packets took.
    fn proved(guests: &str) -> ((usize, usize), usize) {
        let (fleet, rules) = compiled(&Iptables, "iptables", guests);
        let rules = Translated::new(&fleet.hosts[0], &rules.of[&Program::Iptables]);
        let (_, chains) = rules.table(|table| &*table.name == "filter").unwrap();
        let mut prover = Prover::new(&fleet.hosts[0], None, 100);
        let silent = prover.silent();
        let loaded = || Loaded::new(chains, silent.clone()).of_several_hooks();
        let whole = Share::new(0, 1);
        let proof = Proof::new(&mut prover, (Family::V4, "iptables"), (loaded(), &rules.destinations), whole);
        let mut proof = Proof { standing: Some(loaded().of_any_rules()), ..proof };
        proof.filter().unwrap();
        let found = (proof.kinds.len(), proof.kinds.values().filter(|proved| **proved).count());
        assert_eq!(prover.doubts, []);
        (found, prover.ground.sets.nodes())
    }

    #[test]
    fn guests_are_alike_but_for_their_rules_and_addresses() {
        let counted = |bridge: &str, more: &str, wanted: (usize, usize)| {
            let found = kinds(&(three_alike() + &guest(103, bridge, more)));
            assert_eq!(found, wanted, "{more}");
        };
        // What comes from a NIC, and what goes to it.
        counted("vmbr0", &with(FILTER, RULE), (2, 2));
        counted("vmbr1", &with(FILTER, RULE), (4, 4));
        // Another option is another kind, on the side that it is about.
        counted("vmbr0", &with("policy_in: reject, ipfilter: true", RULE), (3, 3));
        counted("vmbr0", &with("policy_out: drop, ipfilter: true", RULE), (3, 3));
        counted("vmbr0", &with("macfilter: false, ipfilter: true", RULE), (3, 3));
        counted("vmbr0", &with("ipfilter: false", RULE), (3, 3));
        // Rules that do more than to accept or to drop are looked at by themselves.
        counted("vmbr0", &with(FILTER, "{ in: accept, proto: tcp, dport: 22, log: info }"), (2, 2));
        counted("vmbr0", &with(FILTER, "{ out: reject, proto: tcp, dport: 22 }"), (2, 2));
        // So is one whose rules leave nothing to what stands behind them, which is not proved for any rules.
        counted("vmbr0", &with(FILTER, "{ in: accept }"), (3, 2));
    }
    #[test]
    fn what_rules_of_guests_ask_is_mostly_no_set() {
        let with = |rules: &str| proved(&(three_alike() + &guest(103, "vmbr0", &with(FILTER, rules))));
        assert_eq!(with(IN_VALUES), with(RULE));
    }
}
