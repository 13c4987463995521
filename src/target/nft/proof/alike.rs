//! NICs of which nft's rules tell nothing apart but their guests' rules and their addresses: see [`Kind`].

use std::sync::Arc;

use crate::analysis::loaded::{By, Context, Ground, Loaded, Port, PortValue};
use crate::analysis::sets::OverBudget;
use crate::policy::{GuestPolicy, Nic};
use crate::target::proof::{Kind, Side};

use super::Proof;

impl<'a> Proof<'_, 'a, '_> {
    /// Whether all that comes from or to a NIC is proved by what is known of those alike, or comes to be so here. Nothing is
    /// told where it is not.
    pub(super) fn is_alike(
        &mut self,
        side: Side,
        (guest, nic): (&'a GuestPolicy, &'a Nic),
    ) -> Result<bool, OverBudget> {
        let Some(standing) = &self.standing else { return Ok(false) };
        let port = PortValue::Is(nic.device.as_str().into());
        let (asked, context) = match side {
            Side::From => {
                let (own_mac, own_sources) = (nic.mac, nic.sources.clone());
                (Port::In, Context { in_interface: port, own_mac, own_sources, ..Context::default() })
            }
            Side::To => (Port::Out, Context { out_interface: port, ..Context::default() }),
        };
        // What stands for an own address must be in no rule by itself.
        let asks_mac = [&self.inet, standing].iter().any(|loaded| loaded.chains().asks_mac());
        if context.own_mac.is_some() && asks_mac {
            return Ok(false);
        }
        let chains = standing.chains();
        let Some(looked) = chains.look(By::Port(asked), context) else { return Ok(false) };
        let Some(chain) = chains.own_chain(&looked) else { return Ok(false) };
        let Some((hooks, own)) = self.prover.around(side, (guest, nic))? else { return Ok(false) };
        let mut stands = chains.stands(chain);
        let stand = loop {
            let Some(stand) = stands.next() else { return Ok(false) };
            let Some(standing) = &mut self.standing else { return Ok(false) };
            let silenced = &mut self.silenced;
            let turned = |ground: &mut Ground, meant| silenced.of(ground, own.hook.name, meant);
            if self.prover.has_rules(&own, (standing, stand, &looked.context), turned)? {
                break stand;
            }
        };
        let looked = [looked];
        let Some(views) = chains.views(&looked, stand) else { return Ok(false) };
        let kind = Kind { side, views, bridge: (nic.bridge.as_deref().map(Arc::from), None), hooks };
        if let Some(known) = self.kinds.get(&kind) {
            return Ok(*known);
        }
        if !self.standing.as_mut().is_some_and(|standing| standing.stand(&looked, stand)) {
            return Ok(false);
        }
        let prover = &mut self.prover;
        let before = (std::mem::take(&mut prover.doubts), std::mem::take(&mut prover.unknown));
        self.stands = true;
        let done = match side {
            Side::From => self.ways_from(guest, nic),
            Side::To => self.ways_to(guest, nic),
        };
        self.stands = false;
        let is_in_view = self.standing.as_ref().is_some_and(Loaded::stood_in_view);
        let is_proved = done.is_ok() && is_in_view && self.prover.doubts.is_empty();
        // Whoever looks at it with the rules that are there tells what is wrong.
        (self.prover.doubts, self.prover.unknown) = before;
        self.kinds.insert(kind, is_proved);
        Ok(is_proved)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Among, Proof};
    use crate::state::ruleset::Program;
    use crate::target::Nft;
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
        let (fleet, rules) = compiled(&Nft, "nft", guests);
        let rules = Translated::new(&fleet.hosts[0], &rules.of[&Program::Nft]);
        let table = |family: &str| rules.table(|table| &*table.family == family).map(|(_, chains)| chains);
        let mut prover = Prover::new(&fleet.hosts[0], None, 100);
        let share = Share::new(0, 1_000_000);
        let mut proof = Proof::new(&mut prover, (table("inet").unwrap(), table("bridge")), share).unwrap();
        assert!(proof.keeps_invalid().unwrap());
        proof.leaving = Among::Valid;
        for (guest, nic) in proof.nics.clone() {
            proof.nic(guest, nic).unwrap();
        }
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
        counted("vmbr0", &with("ipfilter: true, dhcp: false", RULE), (4, 4));
        counted("vmbr0", &with("policy_out: drop, ipfilter: true", RULE), (3, 3));
        // Rules that do more than to accept or to drop are looked at by themselves.
        counted("vmbr0", &with(FILTER, "{ in: accept, proto: tcp, dport: 22, log: info }"), (2, 2));
    }
    #[test]
    fn what_rules_of_guests_ask_is_mostly_no_set() {
        let with = |rules: &str| proved(&(three_alike() + &guest(103, "vmbr0", &with(FILTER, rules))));
        assert_eq!(with(IN_VALUES), with(RULE));
    }
}
