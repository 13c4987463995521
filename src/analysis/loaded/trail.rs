//! By which rules loaded chains decide about one packet.
//!
//! In: rules that were asked about all packets, and one of these. Out: the same rules for that packet alone, and those of them
//! that it met. Promise: they are what the rules do with the packet as the proof has it, since it is the same walk: a rule
//! that is not for the packet does nothing, and one that is for it leaves its number on the way out, as other rules leave log
//! lines.

use std::sync::Arc;

use crate::analysis::Packet;
use crate::analysis::sets::OverBudget;
use crate::diagnostic::Span;
use crate::state::ruleset::Verdict;

use super::Effect;
use super::fit::Fit;
use super::outcome::{Exit, State};
use super::ready::{Chains, Ready};
use super::run::{Ground, Loaded};
use super::said::Said;

/// A rule that did something with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The chain it stands in.
    pub chain: Arc<str>,
    /// Its text.
    pub span: Span,
    /// What it did.
    pub does: Does,
    /// Whether it asks anything of packets.
    asks: bool,
    /// Whether it leaves something on them: a line in the log, a helper, a limit.
    leaves: bool,
}

/// What a rule does with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// It stops it.
    Stops,
    /// It lets it go, or takes it out of its chain.
    Lets,
    /// It leads it to a chain, from which it does not come back.
    Leads(Arc<str>),
    /// It lets it come to the next rule.
    Passes,
}

/// How a packet comes to the end of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It is let go.
    Through,
    /// It is stopped, by a rule or by the end of a chain.
    Stopped,
    /// A rule gives it away, so that rules which should have been asked are not: those of a program, or of others.
    Away,
}

/// What is common to all numbers of rules.
const RULE: &str = "rule ";

impl<'t> Loaded<'t> {
    /// The same rules for one packet; nothing is known of them yet.
    #[must_use]
    pub fn alone(&self, packet: &Packet) -> Self {
        let mut alone = Self::new(self.chains, self.silent.clone());
        alone.only = Some(packet.clone());
        alone
    }

    /// Which packets a rule is for: where there is only one, it or none.
    pub(super) fn of_one<'r>(&self, ground: &mut Ground, fit: Fit<'r>) -> Result<Option<Fit<'r>>, OverBudget> {
        let Some(packet) = &self.only else { return Ok(Some(fit)) };
        let set = self.set(ground, &fit)?;
        Ok(ground.sets.contains(set, packet).then(Fit::default))
    }

    /// What a rule leaves on packets; on a single one its number, too.
    pub(super) fn numbered(&self, rule: &Ready<'_>, mut next: State) -> State {
        let wanted = || leaves(rule) || !matches!(rule.verdict, Verdict::Jump(_) | Verdict::Continue);
        if self.only.is_some() && wanted() {
            next.event(format!("{RULE}{}", rule.number));
        }
        next
    }

    /// The rules that the packet met which these rules are for, in order: up to one that stops it, or lets it go for good.
    /// `parts`: what they say of it.
    ///
    /// # Errors
    /// Over budget.
    pub fn met(&self, ground: &mut Ground, parts: &[Said]) -> Result<(Vec<Met>, Ends), OverBudget> {
        let mut met = Vec::new();
        for part in parts {
            let Some(packet) = &self.only else { break };
            let diagram = ground.whole(*part)?;
            let Some(outcome) = ground.outcomes.outcome(ground.sets.label(diagram, packet)) else { continue };
            let numbers = outcome.state.events().iter().filter_map(|event| event.strip_prefix(RULE)?.parse().ok());
            met.extend(numbers.filter_map(|number| self.chains.rule(number)));
            match outcome.exit {
                Exit::Accept | Exit::Return | Exit::Leave => {}
                Exit::Final => return Ok((met, Ends::Through)),
                Exit::Queue(_) => return Ok((met, Ends::Away)),
                Exit::Drop | Exit::Reject | Exit::Answer(_) | Exit::Unknown(_) => {
                    return Ok((met, Ends::Stopped));
                }
            }
        }
        Ok((met, Ends::Through))
    }
}

impl Chains<'_> {
    /// A rule by its number.
    fn rule(&self, number: usize) -> Option<Met> {
        let mut before = 0;
        for (at, (name, chain)) in self.table().chains.iter().enumerate() {
            if let Some(place) = number.checked_sub(before).filter(|place| *place < chain.rules.len()) {
                let rule = self.rules(at).get(place)?;
                let does = match rule.verdict {
                    Verdict::Goto(to) => Does::Leads(Arc::clone(to)),
                    Verdict::Continue | Verdict::Jump(_) => Does::Passes,
                    Verdict::Accept | Verdict::Return => Does::Lets,
                    // Where what is looked up leads to a chain, what is told is the rule there.
                    Verdict::Drop
                    | Verdict::Reject(_)
                    | Verdict::Map { .. }
                    | Verdict::Inline { .. }
                    | Verdict::Other(_) => Does::Stops,
                };
                let asks = rule.boxes.is_some() || !rule.others.is_empty() || rule.cases.is_some();
                let span = chain.rules.get(place)?.span;
                return Some(Met { chain: Arc::clone(name), span, does, asks, leaves: leaves(rule) });
            }
            before += chain.rules.len();
        }
        None
    }
}

fn leaves(rule: &Ready<'_>) -> bool {
    let effect = |one: &Effect| match one {
        Effect::Log(_) | Effect::Helper(_) => true,
        Effect::Mark { .. } | Effect::Opaque(_) => false,
    };
    rule.effects.iter().any(effect) || rule.is_limited()
}

/// Of the rules that a packet met, those to look at where something else should become of it: the one that stops it; where
/// it is let go, all that let it, but for those that let go whatever comes to them if there are others; each behind the one that
/// led to its chain. None where the end of a chain decides. `is_fate`: whether it is about that, and not about what is left on
/// packets besides.
#[must_use]
pub fn deciding(met: &[Met], ends: Ends, is_fate: bool) -> Vec<Met> {
    let leaves: Vec<Met> = met.iter().filter(|one| !is_fate && one.leaves).cloned().collect();
    if !leaves.is_empty() {
        return leaves;
    }
    let mut chosen: Vec<(&Met, usize)> = met.iter().zip(0..).collect();
    let last = chosen.last().copied();
    match ends {
        Ends::Through => {
            chosen.retain(|(one, _)| one.does == Does::Lets);
            if chosen.iter().any(|(one, _)| one.asks) {
                chosen.retain(|(one, _)| one.asks);
            } else {
                chosen = chosen.last().copied().into_iter().collect();
            }
        }
        Ends::Stopped => chosen = last.filter(|(one, _)| one.does == Does::Stops).into_iter().collect(),
        Ends::Away => chosen = last.into_iter().collect(),
    }
    let mut found = Vec::new();
    for (one, at) in chosen {
        let before = met.get(..at).unwrap_or_default();
        let leads = |led: &&Met| matches!(&led.does, Does::Leads(to) if *to == one.chain);
        found.extend(before.iter().rfind(leads).cloned());
        found.push(one.clone());
    }
    found
}
