//! NICs that nothing tells apart but their guests' rules and their addresses.
//!
//! Where a guest's rules decide the same as the policy's, all that stands around them is proved for any rules in their place, and
//! for any addresses of the NIC (see [`stand`](crate::analysis::sets::stand)): once for all NICs on the same bridge whose hooks
//! have the same around the rules, and whose ports and destinations all other rules see alike.

use std::sync::Arc;

use crate::analysis::loaded::{Context, Ground, Loaded, Meant, Said, Stand, View};
use crate::analysis::sets::{Memo, OverBudget, RuleAt};
use crate::policy::{Carriage, Crossing, End, GuestPolicy, HookName, Nic};
use crate::state::ruleset::Program;

use super::Prover;

/// What tells apart the ways from or to NICs, besides the rules of their guests and their addresses.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::target) struct Kind<'t> {
    pub(in crate::target) side: Side,
    pub(in crate::target) views: Vec<View<'t>>,
    /// The bridge, and the interface that packets leave by to it.
    pub(in crate::target) bridge: (Option<Arc<str>>, Option<Arc<str>>),
    /// The hooks on each way, with what they say around the rules.
    pub(in crate::target) hooks: Arc<[Around]>,
}

/// The hooks on a way: where they are, or what a guest's says around its rules.
pub(in crate::target) type Around = Vec<(usize, Option<Said>)>;

/// Whether what comes from or to a NIC of a kind is proved for any rules of its guest.
pub(in crate::target) type Kinds<'t> = Memo<Kind<'t>, bool>;

/// Whether packets come from a NIC or go to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::target) enum Side {
    From,
    To,
}

impl Side {
    /// The hook of guests that judges there.
    const fn hook(self) -> HookName {
        match self {
            Self::From => HookName::GuestOut,
            Self::To => HookName::GuestIn,
        }
    }
}

/// The hooks on the ways from or to a NIC, and its guest's.
pub(in crate::target) type Hooked<'a> = Option<(Arc<[Around]>, Crossing<'a>)>;

/// The chain of a program's rules that has a guest's, and those of the policy.
pub(super) type Judged = (Program, HookName, Stand, Arc<[RuleAt]>);

/// A hook, and the NIC that it is asked at.
pub(super) fn place(crossing: &Crossing<'_>) -> (usize, usize) {
    let nic = crossing.nic.map_or(0, |nic| std::ptr::from_ref(nic) as usize);
    (std::ptr::from_ref(crossing.hook) as usize, nic)
}

impl<'a> Prover<'a> {
    /// The hooks on each way from or to a NIC, and its guest's, which must be the one that judges on all of them.
    pub(in crate::target) fn around(
        &mut self,
        side: Side,
        (guest, nic): (&'a GuestPolicy, &'a Nic),
    ) -> Result<Hooked<'a>, OverBudget> {
        let key = (side, std::ptr::from_ref(nic) as usize);
        if let Some(known) = self.hooked.get(&key) {
            return Ok(known.clone());
        }
        let found = self.hooked(side, (guest, nic))?;
        self.hooked.insert(key, found.clone());
        Ok(found)
    }

    fn hooked(&mut self, side: Side, (guest, nic): (&'a GuestPolicy, &'a Nic)) -> Result<Hooked<'a>, OverBudget> {
        let host = self.host;
        let end = End::Guest(guest, nic);
        let (mut hooks, mut own): (Vec<_>, Option<(Crossing<'a>, Said)>) = (Vec::with_capacity(3), None);
        for (other, carriage) in [
            (End::Unknown(nic.bridge.as_deref()), Carriage::Bridged),
            (End::Host, Carriage::Bridged),
            (End::Unknown(None), Carriage::Routed),
        ] {
            let way = match side {
                Side::From => host.way(end, other, carriage),
                Side::To => host.way(other, end, carriage),
            };
            let mut of_way = Vec::with_capacity(way.len());
            let mut owns = 0;
            for crossing in way {
                if crossing.hook.name != side.hook() {
                    of_way.push((std::ptr::from_ref(crossing.hook) as usize, None));
                    continue;
                }
                let said = match own.as_ref() {
                    Some((known, said)) if std::ptr::eq(known.hook, crossing.hook) => *said,
                    Some(_) => return Ok(None),
                    None => {
                        let Some(said) = self.standing(&crossing)? else { return Ok(None) };
                        own = Some((crossing, said));
                        said
                    }
                };
                of_way.push((0, Some(said)));
                owns += 1;
            }
            if owns != 1 {
                return Ok(None);
            }
            hooks.push(of_way);
        }
        Ok(own.map(|(own, _)| (hooks.into(), own)))
    }

    /// Whether the rules of a chain that any may stand for decide the same as the policy's at a hook, as `turned` has these.
    pub(in crate::target) fn has_rules(
        &mut self,
        crossing: &Crossing<'a>,
        (standing, stand, context): (&mut Loaded<'_>, Stand, &Context),
        turned: impl FnMut(&mut Ground, Said) -> Result<Said, OverBudget>,
    ) -> Result<bool, OverBudget> {
        let of_guest = self.rules_of(crossing);
        // Several NICs of a guest mostly have the same.
        let key = (standing.chains().program(), crossing.hook.name, stand, Arc::clone(&of_guest));
        let is_for_all = !standing.chains().asks_context(stand, context);
        if is_for_all && let Some(known) = self.judged.get(&key) {
            return Ok(*known);
        }
        let mut meant = Meant { rules: &mut self.of_machines, of_guest: &of_guest };
        let is_same = standing.decides(&mut self.ground, (stand, context), &mut meant, turned)?;
        if is_for_all {
            self.judged.insert(key, is_same);
        }
        Ok(is_same)
    }

    /// The same with any rules in place of the machine's, see [`Hooks::standing`](crate::analysis::sets::Hooks::standing).
    pub(in crate::target) fn standing(&mut self, crossing: &Crossing<'a>) -> Result<Option<Said>, OverBudget> {
        let runs = self.maker.standing(&mut self.ground.sets, crossing.hook, crossing.nic)?;
        Ok(runs.map(|runs| self.listed(runs)))
    }

    /// The rules of a hook's machine, without all that stands around them.
    fn rules_of(&mut self, crossing: &Crossing<'a>) -> Arc<[RuleAt]> {
        let (all, sets) = (&mut self.of_machines, &mut self.ground.sets);
        let known = self.of_hooks.entry(place(crossing));
        Arc::clone(known.or_insert_with(|| all.of(sets, crossing.hook, crossing.nic)))
    }
}
