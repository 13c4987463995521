//! What names of the spec stand for beside addresses that stages of their own stop.
//!
//! In: the named sets, and the addresses apart. Out: the name of a set that has none of these, or the names that are it
//! together. Promise: a name is found whatever it has of the addresses apart; of names for the same set the first by the
//! alphabet; of names together each time the one that has most of what is left, as if every one were tried.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::analysis::sets::Memo;
use crate::net::{AddressSet, Family};

/// Names that are put together to one set.
const TOGETHER: usize = 4;

/// Names without the addresses apart. Those that have no others are not among them.
#[derive(Debug, Default)]
pub(super) struct Beside<'n> {
    alone: Memo<AddressSet, &'n str>,
    /// The widest first.
    widest: Vec<Wide<'n>>,
}

#[derive(Debug)]
struct Wide<'n> {
    width: u128,
    /// Its place among the names.
    place: usize,
    set: AddressSet,
    name: &'n str,
}

/// What names mean beside some addresses or others, for all that ask at the same time: each is found once.
#[derive(Debug, Default)]
pub(super) struct Besides<'n> {
    all: Mutex<Memo<(Family, AddressSet), Found<'n>>>,
}

/// What one finds, and others then have.
type Found<'n> = Arc<OnceLock<Beside<'n>>>;

impl<'n> Besides<'n> {
    /// The place for what names mean beside addresses of one family: whoever comes first finds it.
    pub(super) fn of(&self, family: Family, apart: &AddressSet) -> Found<'n> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((family, apart.clone())).or_default())
    }
}

impl<'n> Beside<'n> {
    /// Of the names of one family, in order.
    pub(super) fn new(names: impl IntoIterator<Item = (&'n AddressSet, &'n str)>, apart: &AddressSet) -> Self {
        let mut found = Self::default();
        for (place, (set, name)) in names.into_iter().enumerate() {
            let set = set.difference(apart);
            if set.is_empty() {
                continue;
            }
            found.alone.entry(set.clone()).and_modify(|known| *known = name.min(*known)).or_insert(name);
            found.widest.push(Wide { width: width(&set), place, set, name });
        }
        found.widest.sort_by_key(|wide| Reverse(wide.width));
        found
    }

    /// The name that stands for the set, which has none of the addresses apart.
    pub(super) fn alone(&self, core: &AddressSet) -> Option<&'n str> {
        self.alone.get(core).copied()
    }

    /// Names that together stand for the set: at most [`TOGETHER`], each time the one that has most of what is left, and of
    /// those the first.
    pub(super) fn together(&self, core: &AddressSet) -> Option<String> {
        let mut left = core.clone();
        let mut chosen: Vec<&str> = Vec::new();
        for others in (1..=TOGETHER as u128).rev() {
            // Of so few that are all that is left, one has its share at least: no narrower one needs to be tried.
            let share = width(&left).div_ceil(others);
            let mut best: Option<(u128, Reverse<usize>, &Wide<'_>)> = None;
            for wide in self.widest.iter().take_while(|wide| wide.width >= share) {
                if best.is_some_and(|(most, ..)| wide.width < most) {
                    break;
                }
                if wide.set.is_subset(core) {
                    let gain = if left == *core { wide.width } else { width(&wide.set.intersection(&left)) };
                    let better = (gain, Reverse(wide.place));
                    if best.is_none_or(|(most, place, _)| better > (most, place)) {
                        best = Some((better.0, better.1, wide));
                    }
                }
            }
            let (_, _, best) = best.filter(|(gain, ..)| *gain > 0)?;
            left = left.difference(&best.set);
            chosen.push(best.name);
            if left.is_empty() {
                chosen.sort_unstable();
                return Some(chosen.join(", "));
            }
        }
        None
    }
}

/// How many addresses a set of one family has; of all of IPv6 one less.
fn width(set: &AddressSet) -> u128 {
    let v4 = set.v4().iter().map(|(first, last)| u128::from(last - first) + 1).sum::<u128>();
    set.v6().iter().fold(v4, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Beside, TOGETHER, width};
    use crate::net::{AddressSet, Ranges};

    /// Among few addresses, so that sets often have to do with each other.
    fn set() -> impl Strategy<Value = AddressSet> {
        prop::collection::vec((0_u32..24, 0_u32..24), 1..4)
            .prop_map(|ranges| AddressSet::new(Ranges::from_ranges(ranges), Ranges::empty()))
    }

    /// By trying every name each time.
    fn tried(names: &[(AddressSet, String)], core: &AddressSet, apart: &AddressSet) -> Option<String> {
        let mut fitting: Vec<(AddressSet, &str)> = names
            .iter()
            .map(|(set, name)| (set.difference(apart), name.as_str()))
            .filter(|(set, _)| !set.is_empty() && set.difference(core).is_empty())
            .collect();
        let (mut left, mut chosen) = (core.clone(), Vec::new());
        while !left.is_empty() {
            let gain = |(set, _): &(AddressSet, &str)| width(&set.intersection(&left));
            let most = fitting.iter().map(gain).max().filter(|most| *most > 0)?;
            let at = fitting.iter().position(|name| gain(name) == most)?;
            let (set, name) = fitting.remove(at);
            left = left.difference(&set);
            chosen.push(name);
        }
        chosen.sort_unstable();
        (chosen.len() <= TOGETHER).then(|| chosen.join(", "))
    }

    proptest! {
        #[test]
        fn names_are_those_that_trying_every_one_finds(
            sets in prop::collection::vec(set(), 0..12),
            apart in set(),
            parts in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        ) {
            let names: Vec<(AddressSet, String)> =
                sets.into_iter().enumerate().map(|(at, set)| (set, format!("n{}", at * 7 % 12))).collect();
            let beside = Beside::new(names.iter().map(|(set, name)| (set, name.as_str())), &apart);
            let chosen = parts.iter().filter(|_| !names.is_empty()).map(|part| &part.get(&names).0);
            let core = AddressSet::union_of(chosen.collect::<Vec<_>>()).difference(&apart);
            prop_assume!(!core.is_empty());
            prop_assert_eq!(beside.together(&core), tried(&names, &core, &apart));
            let alone = names.iter().filter(|(set, _)| set.difference(&apart) == core).map(|(_, name)| name.as_str());
            prop_assert_eq!(beside.alone(&core), alone.min());
        }
    }
}
