//! The rules of a guest held against the policy's.
//!
//! Most ask for the same values of the same fields: of these no set is made ([`super::by_values`]). What stands between them is held
//! against each other in sets, stretch by stretch: where all stretches in a row decide the same, so do all rules. Where one does not,
//! the rules as a whole still may, when their places are not what was guessed.

use std::ops::Range;

use crate::analysis::sets::{MachineRules, OverBudget, RuleAt, label_of};
use crate::policy::{Log, Verdict};

use super::super::equal::says_same;
use super::super::outcome::State;
use super::super::reads::Reads;
use super::super::ready::Ready;
use super::super::run::{BACK, Ground, Loaded};
use super::super::said::Said;
use super::super::walk::pass;
use super::super::{Context, by};
use super::Stand;
use super::by_values::{ByValues, Stretch};
use super::own::Plain;

/// The rules of a guest as the policy has them.
#[derive(Debug)]
pub struct Meant<'m, 'a> {
    /// All rules.
    pub rules: &'m mut MachineRules<'a>,
    /// Those of the guest at a hook, in order.
    pub of_guest: &'m [RuleAt],
}

impl<'t> Loaded<'t> {
    /// Whether the rules of a guest decide the same as the policy's, which `turned` has as they can be here. Nothing but to
    /// accept and to drop is decided so, and packets that go no further here count as accepted.
    ///
    /// # Errors
    /// Over budget.
    pub fn decides(
        &mut self,
        ground: &mut Ground,
        (stand, context): (Stand, &Context),
        meant: &mut Meant<'_, '_>,
        mut turned: impl FnMut(&mut Ground, Said) -> Result<Said, OverBudget>,
    ) -> Result<bool, OverBudget> {
        let Some(own) = self.chains.between(stand) else { return Ok(false) };
        self.standing.now.clear();
        self.here = self.ports.of(context);
        self.decided = Reads::decided(context);
        let known = &mut self.standing.decided;
        let stretches = ByValues::new(self.chains, known, (&own, context), meant).stretches();
        let mut are_same = true;
        for stretch in &stretches {
            are_same = are_same && self.is_same(ground, (&own, context), meant, stretch, &mut turned)?;
        }
        let whole = (0..own.iter().map(|part| part.len()).sum(), 0..meant.of_guest.len());
        Ok(are_same
            || stretches != [whole.clone()] && self.is_same(ground, (&own, context), meant, &whole, &mut turned)?)
    }

    /// Whether some rules decide the same as some of the policy's.
    fn is_same(
        &mut self,
        ground: &mut Ground,
        (own, context): (&[&[Ready<'t>]; 3], &Context),
        meant: &mut Meant<'_, '_>,
        (of_own, of_meant): &Stretch,
        turned: &mut impl FnMut(&mut Ground, Said) -> Result<Said, OverBudget>,
    ) -> Result<bool, OverBudget> {
        let of_meant = meant.of_guest.get(of_meant.clone()).unwrap_or_default();
        // Guests have groups in common.
        let jumped = self.jumped(own, of_own);
        let known = jumped.and_then(|chain| self.standing.jumped.get(&chain));
        if let Some((_, is_same)) = known.and_then(|known| known.iter().find(|(rules, _)| **rules == *of_meant)) {
            return Ok(*is_same);
        }
        let mut lists = Vec::with_capacity(of_meant.len());
        for rule in of_meant {
            let told = meant.rules.told(&mut ground.sets, *rule)?;
            lists.push(ground.of_clauses(told.iter().copied()));
        }
        let whole = ground.of_lists(lists);
        let wanted = turned(ground, whole)?;
        let found = self.of_own(ground, (own, context), of_own)?;
        let simple = [Verdict::Accept, Verdict::Drop].map(|verdict| label_of(verdict, Log::None));
        let is_simple = |said| ground.labels(said).iter().all(|label| simple.contains(label));
        let is_same = is_simple(found) && is_simple(wanted) && says_same(ground, found, wanted)?;
        if let Some(chain) = jumped {
            self.standing.jumped.entry(chain).or_default().push((of_meant.into(), is_same));
        }
        Ok(is_same)
    }

    /// The chain that the only one of some rules jumps to with all packets, where no context matters to it.
    fn jumped(&self, own: &[&[Ready<'t>]; 3], of: &Range<usize>) -> Option<usize> {
        let rule = own.iter().copied().flatten().nth(of.start).filter(|_| of.len() == 1)?;
        let is_plain = rule.plain == Plain::Jumps && rule.boxes.is_none() && rule.others.is_empty();
        rule.leads.filter(|_| is_plain && !rule.reads.is_decided(self.decided))
    }

    /// What some of a guest's rules say together, of packets without a mark; those that they accept have the label of packets
    /// that pass on.
    fn of_own(
        &mut self,
        ground: &mut Ground,
        (own, context): (&[&[Ready<'t>]; 3], &Context),
        of: &Range<usize>,
    ) -> Result<Said, OverBudget> {
        let mut lists = Vec::with_capacity(3);
        let mut first = 0;
        for part in own {
            let within = |at: usize| at.saturating_sub(first).min(part.len());
            let rules = part.get(within(of.start)..within(of.end)).unwrap_or_default();
            first += part.len();
            if !rules.is_empty() {
                lists.push(self.list(ground, rules, Vec::new(), &State::default(), context)?);
            }
        }
        let whole = ground.of_lists(lists);
        let mut accepted = Vec::new();
        for label in ground.labels(whole).iter() {
            if *label == BACK || ground.outcomes.accepted(*label) == Some(pass()) {
                accepted.push((*label, pass()));
            }
        }
        ground.renamed(whole, &by(&accepted))
    }
}
