//! Rules held against the policy's by the values that they ask for, without a set of packets.

use std::borrow::Cow;
use std::ops::Range;

use crate::analysis::sets::{Field, Memo, Valued, add};
use crate::net::{Family, Ranges};
use crate::policy::Verdict;
use crate::state::ruleset::Program;

use super::super::closed::Policy;
use super::super::fit::is_elsewhere;
use super::super::ready::{Chains, Ready, both};
use super::super::values::frame;
use super::super::{Condition, Context, Fields, PortValue};
use super::held::Meant;
use super::own::Plain;

/// Rules of a guest and of the policy's that should say the same.
pub(super) type Stretch = (Range<usize>, Range<usize>);

/// Rules of the policy in a row that may say something else, and rules of the guest: more are looked at as a whole.
const MOST: (usize, usize) = (4, 8);

/// What chains decide of all packets with some values, and of no others.
pub(super) type Decided = Memo<usize, Option<(Plain, Fields)>>;

/// The rules of a guest and the policy's, while they are held against each other.
pub(super) struct ByValues<'h, 't, 'm, 'a> {
    chains: &'h Chains<'t>,
    known: &'h mut Decided,
    context: &'h Context,
    /// The families that rules may be for.
    families: &'h [Family],
    /// Those that may say something in the context, each with its place.
    own: Vec<(usize, &'h Ready<'t>)>,
    count: usize,
    meant: &'h Meant<'m, 'a>,
}

/// What one rule decides, with the chain that it jumps to.
struct Piece<'h> {
    plain: Plain,
    values: Cow<'h, [Valued]>,
}

impl Piece<'_> {
    /// The frames that it is for, where it asks for some, and the values of other fields.
    fn parts(&self) -> (Option<&Ranges<u128>>, &[Valued]) {
        match &*self.values {
            [(Field::Frame, frames), values @ ..] => (Some(frames), values),
            values => (None, values),
        }
    }

    /// Whether it is for packets of a family; none for one that asks for addresses in frames of several.
    fn is_for(&self, family: Family) -> Option<bool> {
        let (frames, values) = self.parts();
        let is_of_one = frames.is_none_or(|frames| frames.as_slice().len() == 1);
        let is_told = is_of_one || !values.iter().any(|(field, _)| field.is_address());
        is_told.then(|| frames.is_none_or(|frames| frames.contains(frame(family))))
    }
}

impl<'h, 't, 'm, 'a> ByValues<'h, 't, 'm, 'a> {
    pub(super) fn new(
        chains: &'h Chains<'t>,
        known: &'h mut Decided,
        (own, context): (&[&'h [Ready<'t>]; 3], &'h Context),
        meant: &'h Meant<'m, 'a>,
    ) -> Self {
        let families = match chains.program {
            Program::Nft => &Family::BOTH,
            Program::Iptables | Program::Ip6tables | Program::Ebtables => std::slice::from_ref(&chains.family),
        };
        let all = own.iter().copied().flatten().enumerate();
        let is_never = |rule: &Ready<'_>| rule.boxes.as_ref().is_some_and(Vec::is_empty) || is_elsewhere(rule, context);
        let own: Vec<_> = all.clone().filter(|(_, rule)| !is_never(rule)).collect();
        Self { chains, known, context, families, own, count: all.count(), meant }
    }

    /// What is left to be held against each other in sets.
    pub(super) fn stretches(&mut self) -> Vec<Stretch> {
        let mut found = Vec::new();
        let (mut at, mut next) = (0, 0);
        while at < self.own.len() || next < self.meant.of_guest.len() {
            if let Some(taken) = self.is_said(at, next) {
                (at, next) = (at + taken, next + 1);
                continue;
            }
            let (beyond, after) = self.unlike(at, next);
            found.push((self.place(at)..self.place(beyond), next..after));
            (at, next) = (beyond, after);
        }
        found
    }

    fn place(&self, at: usize) -> usize {
        self.own.get(at).map_or(self.count, |(place, _)| *place)
    }

    /// Where rules that do not say the same in values may end.
    fn unlike(&mut self, at: usize, next: usize) -> (usize, usize) {
        let (ends, count) = ((self.own.len(), self.meant.of_guest.len()), MOST);
        let Some(rule) = self.meant.of_guest.get(next) else { return ends };
        if self.is_group(at, next) {
            return (at + 1, next + rule.together);
        }
        for after in next + rule.together..(next + rule.together + count.0).min(ends.1) {
            for beyond in at..(at + count.1).min(ends.0) {
                if self.is_said(beyond, after).is_some_and(|taken| taken > 0) {
                    return (beyond, after);
                }
            }
        }
        ends
    }

    /// Whether the rules of a group begin here, which are mostly in a chain of their own.
    fn is_group(&self, at: usize, next: usize) -> bool {
        let jumps = self.own.get(at).is_some_and(|(_, ready)| ready.plain == Plain::Jumps);
        jumps && self.meant.of_guest.get(next).is_some_and(|rule| rule.together > 1)
    }

    /// How many rules of the guest from one on say together what one of the policy's does, in the same values.
    fn is_said(&mut self, at: usize, next: usize) -> Option<usize> {
        let meant = self.meant;
        let wanted = meant.rules.values(*meant.of_guest.get(next)?)?;
        let plain = match wanted.verdict {
            Verdict::Accept => Plain::Accepts,
            Verdict::Drop => Plain::Drops,
            Verdict::Reject | Verdict::Skip => return None,
        };
        let mut found: [Option<Vec<Valued>>; 2] = [None, None];
        let mut open = [true; 2];
        for taken in 0..=MOST.1 {
            let mut is_open = false;
            for ((family, found), open) in self.families.iter().zip(&found).zip(&mut open) {
                *open = *open && wanted.of(*family) != found.as_deref();
                is_open |= *open;
            }
            if !is_open {
                return Some(taken);
            }
            let piece = self.piece(at + taken).filter(|piece| piece.plain == plain)?;
            for ((family, found), open) in self.families.iter().zip(&mut found).zip(&mut open) {
                if !piece.is_for(*family)? {
                    continue;
                }
                // Mostly one rule says all.
                let values = piece.parts().1;
                if found.is_none() && *open && wanted.of(*family) == Some(values) {
                    *open = false;
                } else if *open {
                    add(found, values.to_vec())?;
                } else {
                    return None;
                }
            }
        }
        None
    }

    fn piece(&mut self, at: usize) -> Option<Piece<'h>> {
        let (_, ready) = *self.own.get(at)?;
        // Rules for other ports are not here.
        let is_here = |one: &Condition| matches!(one, Condition::Port { port, negated: false, .. } if *self.context.port(*port) != PortValue::Any);
        if !ready.others.iter().all(is_here) {
            return None;
        }
        let own = values(ready)?;
        match (ready.plain, ready.leads) {
            (Plain::Accepts | Plain::Drops, _) => Some(Piece { plain: ready.plain, values: Cow::Borrowed(own) }),
            (Plain::Jumps, Some(chain)) => {
                let chains = self.chains;
                let known = self.known.entry(chain).or_insert_with(|| in_values(chains, chain));
                let (plain, Fields(inside)) = known.as_ref()?;
                let mut values = both(own, inside);
                values.sort_unstable_by_key(|(field, _)| *field);
                Some(Piece { plain: *plain, values: Cow::Owned(values) })
            }
            (Plain::Jumps | Plain::Not, _) => None,
        }
    }
}

/// The values that a rule asks for; none where there are several ways to fit.
fn values<'r>(ready: &'r Ready<'_>) -> Option<&'r [Valued]> {
    match ready.boxes.as_deref() {
        Some([one]) => Some(&one.0),
        Some(_) => None,
        None => Some(&[]),
    }
}

/// What a chain decides of all packets with some values, and of no others.
fn in_values(chains: &Chains<'_>, chain: usize) -> Option<(Plain, Fields)> {
    let rules = chains.rules(chain);
    let plain = rules.first()?.plain;
    let mut whole = None;
    for rule in rules {
        if rule.plain != plain || !rule.others.is_empty() {
            return None;
        }
        add(&mut whole, values(rule)?.to_vec())?;
    }
    let is_one = matches!(plain, Plain::Accepts | Plain::Drops) && chains.policy(chain) == Policy::Back;
    whole.filter(|_| is_one).map(|whole| (plain, Fields(whole)))
}
