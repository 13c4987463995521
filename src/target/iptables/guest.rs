//! The chains of guests.
//!
//! In: a guest. Out: for each filtered NIC the chain that judges what it sends and the one that judges
//! what it gets. NICs with equal rules share a chain; what differs by NIC (MAC and IP filter) stands in a
//! small chain of the NIC, in front of it.

use std::ops::Range;
use std::sync::Arc;

use crate::policy::{Clause, Direction, GuestPolicy, Hook, Match, Nic, RuleInterface, Stage, Verdict};

use super::list::{Owner, cut_unreachable};
use super::lower::{Accept, Lowering, Site, Source};
use super::ruleset::{Jump, Name, Rule};

/// Rules that NICs have in common are written once from this number on.
const WORTH_A_CHAIN: usize = 4;

/// The chains of a NIC.
#[derive(Debug, Clone)]
pub(super) struct NicChains {
    /// What it sends.
    pub(super) out: Name,
    /// What it gets.
    pub(super) into: Name,
}

impl Lowering<'_> {
    /// The chains of every filtered NIC of a guest, in the order of its NICs.
    pub(super) fn guest<'g>(&mut self, guest: &'g GuestPolicy, last: Accept) -> Vec<(&'g Nic, NicChains)> {
        let into = if guest.options.ips.value { Accept::Queue(guest.options.ips_queues.value) } else { last };
        let mut chains: Vec<(&Nic, NicChains)> = Vec::new();
        let mut tails: [Option<Name>; 2] = [None, None];
        let [tail_out, tail_in] = &mut tails;
        for nic in guest.filtered_nics() {
            let out = self.nic(guest, nic, &guest.hook_out, Accept::Pass, tail_out);
            let into = self.nic(guest, nic, &guest.hook_in, into, tail_in);
            chains.push((nic, NicChains { out, into }));
        }
        chains
    }

    /// The chain of one NIC and hook; `tail` remembers the part that all NICs of the guest share.
    fn nic(&mut self, guest: &GuestPolicy, nic: &Nic, hook: &Hook, accept: Accept, tail: &mut Option<Name>) -> Name {
        let kind = guest.zone().to_string().replace('/', "");
        let direction = hook.name.direction();
        let hint = format!("{kind}-{}", direction.name());
        let zone = guest.zone();
        let owner = Owner { nic: Some(nic), zone: &zone, span: guest.span };
        let site =
            Site { accept, called: false, direction, number: guest.id, chain: hint.as_str().into(), after: None };
        let own = hook.stages.iter().rposition(|stage| matches!(stage, Stage::MacFilter | Stage::IpFilter));
        let (front, back) = hook.stages.split_at(own.map_or(0, |at| at + 1));
        let name = match tail {
            Some(name) => Name::clone(name),
            None => {
                let body = self.stages(back, hook.name, owner, &site, true);
                let own = std::mem::take(&mut self.own);
                let body = self.with_tail(body, own.end, &format!("rest-{}", direction.name()));
                let per_nic = speaks_of_nics(hook, direction);
                let several = per_nic && guest.filtered_nics().nth(1).is_some();
                let body = if several { self.common_parts(body, &own.nic, &hint, accept) } else { body };
                let hint = if per_nic { format!("{kind}-net{}-{}", nic.index, direction.name()) } else { hint.clone() };
                let name = self.chains.share(&hint, body);
                if !per_nic {
                    *tail = Some(Name::clone(&name));
                }
                name
            }
        };
        self.front(front, hook, owner, &site, name)
    }

    /// What stands behind the first rules of a chain, in a chain that all share who end so.
    fn with_tail(&mut self, mut body: Vec<Rule>, first: usize, hint: &str) -> Vec<Rule> {
        if first == 0 || body.len() < first.saturating_add(2) {
            return body;
        }
        let tail = body.split_off(first);
        body.push(Rule::new(Vec::new(), Jump::Goto(self.chains.share(hint, tail))));
        body
    }

    /// What stands between and behind the rules for one NIC (`own`), in chains that the guest's NICs share.
    fn common_parts(&mut self, body: Vec<Rule>, own: &[Range<usize>], hint: &str, accept: Accept) -> Vec<Rule> {
        let mut at = 0;
        let mut rest = body.into_iter();
        let mut rules = Vec::new();
        for range in own {
            let common: Vec<Rule> = rest.by_ref().take(range.start.saturating_sub(at)).collect();
            // A called chain cannot return for its caller.
            let calls = accept != Accept::Pass && !self.chains.may_return(&common);
            if common.len() < WORTH_A_CHAIN || !calls {
                rules.extend(common);
            } else {
                rules.push(Rule::new(Vec::new(), Jump::Call(self.chains.share(hint, common))));
            }
            rules.extend(rest.by_ref().take(range.len()));
            at = range.end;
        }
        let common: Vec<Rule> = rest.collect();
        if common.len() < WORTH_A_CHAIN {
            rules.extend(common);
        } else {
            rules.push(Rule::new(Vec::new(), Jump::Goto(self.chains.share(hint, common))));
        }
        rules
    }

    /// The stages that differ by NIC, then on to the rest.
    fn front(&mut self, stages: &[Stage], hook: &Hook, owner: Owner<'_>, site: &Site, rest: Name) -> Name {
        let Some(nic) = owner.nic else { return rest };
        let hint = format!("{}-{}", nic.device, site.direction.name());
        let mut on = rest;
        let mut body: Vec<Rule> = Vec::new();
        for stage in stages.iter().rev() {
            let clauses = stage.clauses(hook.name, Some(nic));
            if clauses.iter().any(|clause| clause.verdict == Verdict::Skip) && !body.is_empty() {
                body.push(Rule::new(Vec::new(), Jump::Goto(on)));
                on = self.chains.share(&hint, std::mem::take(&mut body));
            }
            let site = Site { after: Some(Name::clone(&on)), ..site.clone() };
            let source = Source { comment: None, span: nic.span, policy: false };
            let mut rules = Vec::new();
            let mut own = 0;
            for clause in &clauses {
                self.clause(&mut rules, clause, &site, &source);
                if names(clause, nic) {
                    own = rules.len();
                }
            }
            if rules.last().is_some_and(Rule::is_last) {
                rules = self.with_tail(rules, own, &format!("{on}-unspecified"));
            }
            rules.append(&mut body);
            body = rules;
        }
        if body.is_empty() {
            return on;
        }
        body.push(Rule::new(Vec::new(), Jump::Goto(on)));
        cut_unreachable(&mut body);
        self.chains.share(&hint, body)
    }
}

/// Whether a clause of the MAC or IP filter names the NIC's own addresses.
fn names(clause: &Clause, nic: &Nic) -> bool {
    clause.matches.iter().any(|one| match one {
        Match::SourceMacNot(_) => true,
        Match::Source(set) => nic.sources.as_ref().is_some_and(|sources| Arc::ptr_eq(set, sources)),
        Match::Frame(_)
        | Match::EtherTypeNot(_)
        | Match::Family(_)
        | Match::State(_)
        | Match::SourceNot(_)
        | Match::Dest(_)
        | Match::Protocol(_)
        | Match::SourcePorts(_)
        | Match::DestPorts(_)
        | Match::Icmp(_)
        | Match::TcpFlags(_)
        | Match::TcpFlagsNot(_)
        | Match::InInterface(_)
        | Match::OutInterface(_)
        | Match::Loopback
        | Match::ArpSender(_) => false,
    })
}

/// Whether a rule of the hook holds for one NIC only.
fn speaks_of_nics(hook: &Hook, direction: Direction) -> bool {
    hook.stages.iter().any(|stage| {
        let Stage::Rules(list) = stage else { return false };
        let mut entries = list.entries();
        entries.any(|(entry, _)| {
            matches!(entry.interface(), RuleInterface::Nic(_)) && entry.rules(direction).next().is_some()
        })
    })
}
