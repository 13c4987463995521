//! How much a run may cost, however its policies were made.
//!
//! In: a fleet, and how many claims are to be decided. Out: what each hook may take to be put into sets, and what each claim may
//! take to be answered. Promised: the sum grows with the size of the fleet and of the claims alone, not with how their packets
//! are split; and who gets how much depends on nothing else, so that every run gives the same answers.
//!
//! Each hook gets what ordinary rules take and a share of a pool, by the number of its rules and of the addresses in them; each
//! question (a service of a claim on one way) gets what ordinary ones take and what its claim's share of another pool still
//! holds. A hook over its share is sampled; a question over its own is not answered, and that is said.

use crate::policy::{Fleet, Hook, RuleList, Stage};

use crate::analysis::sets::Budget;

/// What a run may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Edges that one hook may take at most, a guest's with all of its NICs. Ten thousand ordinary rules take a third of
    /// them.
    pub most: usize,
    /// Edges that every hook may take.
    pub least: usize,
    /// Edges that a hook may take beyond that for each of its rules and for each range of addresses in them.
    pub each: usize,
    /// Edges that all hooks share: ten seconds of one processor.
    pub pool: usize,
    /// Work on one question that is not counted.
    pub question: u64,
    /// Work that all claims share, in comparisons of a packet with a condition: some ten seconds of one processor.
    pub work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { most: 5_000_000, least: 100_000, each: 200, pool: 200_000_000, question: 50_000, work: 1_000_000_000 }
    }
}

/// The hooks' shares.
#[derive(Debug)]
pub(super) struct Shares {
    limits: Limits,
    /// The weight of all hooks.
    total: usize,
}

impl Shares {
    pub(super) fn new(fleet: &Fleet, limits: Limits) -> Self {
        let hosts = fleet.hosts.iter().map(|host| {
            let own = [&host.hook_in, &host.hook_out, &host.hook_forward].map(|hook| weight(hook, 1));
            let vnets = host.vnets.iter().map(|vnet| weight(&vnet.hook, 1));
            let guests = host.guests.iter().map(|guest| {
                let nics = guest.filtered_nics().count();
                weight(&guest.hook_in, nics) + weight(&guest.hook_out, nics)
            });
            own.into_iter().chain(vnets).chain(guests).sum::<usize>()
        });
        Self { limits, total: hosts.sum::<usize>().max(1) }
    }

    /// What a hook may take, with so many NICs of its guest.
    pub(super) fn of(&self, hook: &Hook, nics: usize) -> Budget {
        let Limits { most, least, each, pool, .. } = self.limits;
        let weight = weight(hook, nics);
        let share = (pool as u128 * weight as u128 / self.total as u128) as usize;
        Budget(least.saturating_add(each.saturating_mul(weight)).saturating_add(share).min(most))
    }

    /// What a claim may take, one of so many.
    pub(super) fn claim(&self, claims: usize) -> Allowance {
        Allowance { question: self.limits.question, left: self.limits.work / (claims as u64).max(1) }
    }
}

/// The rules of a hook, and the ranges of addresses in them and in its stages.
fn weight(hook: &Hook, nics: usize) -> usize {
    let ranges = |set: &crate::net::AddressSet| set.v4().iter().len() + set.v6().iter().len();
    let list = |list: &RuleList| {
        let rules = list.rules(hook.name.direction()).map(|(rule, _)| {
            let sides = [&rule.source, &rule.dest].into_iter().flatten();
            rule.services.len().max(1) + sides.map(|addresses| ranges(&addresses.set)).sum::<usize>()
        });
        rules.sum::<usize>()
    };
    let stages = hook.stages.iter().map(|stage| match stage {
        Stage::Rules(rules) => list(rules),
        Stage::Blacklist { set, .. } => ranges(set),
        Stage::Smurfs { sources, .. } => ranges(sources),
        Stage::Management { peers, .. } => ranges(peers),
        Stage::Noise { broadcast, .. } => ranges(broadcast),
        Stage::Corosync(rings) => rings.iter().map(|ring| ranges(&ring.own) + ranges(&ring.peers)).sum(),
        Stage::OtherFrames
        | Stage::StackedVlan
        | Stage::Loopback
        | Stage::MacFilter
        | Stage::IpFilter
        | Stage::Layer2(_)
        | Stage::Arp
        | Stage::Conntrack { .. }
        | Stage::TcpFlags { .. }
        | Stage::Igmp
        | Stage::Dhcp
        | Stage::RouterAdvertisements
        | Stage::NeighbourDiscovery(_)
        | Stage::Policy { .. } => 0,
    });
    stages.sum::<usize>() * nics
}

/// What a claim may still take.
#[derive(Debug)]
pub(super) struct Allowance {
    question: u64,
    left: u64,
}

impl Allowance {
    /// For what must be done to answer a question at all.
    pub(super) const fn needed(&self) -> u64 {
        self.question.saturating_add(self.left)
    }

    /// For what makes an answer better: never so much that nothing is left for the questions to come.
    pub(super) const fn wanted(&self) -> u64 {
        self.question.saturating_add(self.left / 64)
    }

    /// So much was done for one question.
    pub(super) const fn spend(&mut self, work: u64) {
        self.left = self.left.saturating_sub(work.saturating_sub(self.question));
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Shares, weight};
    use crate::analysis::tests::fleet;

    /// A host with so many guests of so many rules each.
    fn shares(guests: usize, rules: usize) -> (Shares, Vec<(usize, usize)>) {
        let rules = "{ in: accept, proto: tcp, dport: 1-9, source: [192.0.2.1, 192.0.2.3] }, ".repeat(rules);
        let mut text = "version: 1\nhosts: { a: { addresses: 10.0.0.1/8 } }\nvms:\n".to_owned();
        for guest in 0..guests {
            text += &format!(
                "  {}: {{ host: a, options: {{ macfilter: false }}, nics: {{ net0: {{}}, net1: {{}} }}, rules: [ {rules} ] }}\n",
                100 + guest
            );
        }
        let fleet = fleet(&text);
        let shares = Shares::new(&fleet, Limits::default());
        let hooks = fleet.hosts[0].guests.iter().map(|guest| {
            let nics = guest.filtered_nics().count();
            (weight(&guest.hook_in, nics), shares.of(&guest.hook_in, nics).0)
        });
        let hooks = hooks.collect();
        (shares, hooks)
    }

    #[test]
    fn one_hook_gets_what_it_may_take_and_many_get_their_shares() {
        let limits = Limits::default();
        let (_, alone) = shares(1, 50);
        assert_eq!(alone[0].1, limits.most);
        let (shares, many) = shares(300, 50);
        let sum: usize = many.iter().map(|(_, budget)| budget).sum();
        let weights: usize = many.iter().map(|(weight, _)| weight).sum();
        assert!(sum <= limits.pool + many.len() * limits.least + weights * limits.each, "{sum}");
        assert!(weights <= shares.total);
        // Ordinary rules fit in all the same.
        assert!(many.iter().all(|(weight, budget)| *budget > weight * limits.each));
    }
}
