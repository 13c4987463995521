//! Which element of one list is which of the other: by identity, then by likeness; and which have moved.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// Pairs beyond this number are not looked at for likeness: what is left is gone, and new.
const PAIRS: usize = 40_000;

/// An element of a list that is compared.
pub(super) trait Element {
    /// What it is called, unless it has no name. Of several of one name, each is paired once, in their order.
    fn identity(&self) -> Option<&str>;
    /// How alike two elements are; 0: not the same thing at all.
    fn likeness(&self, other: &Self) -> u32;
}

/// Indices of elements: in the old list, in the new one.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// Every element of both lists once: pairs and those gone in the order of the old list, then new ones.
pub(super) fn pairs<T: Element>(old: &[T], new: &[T]) -> Vec<Pair> {
    let mut by_identity: HashMap<&str, VecDeque<usize>> = HashMap::new();
    let mut left: BTreeSet<usize> = (0..new.len()).collect();
    for (at, element) in new.iter().enumerate() {
        if let Some(identity) = element.identity() {
            by_identity.entry(identity).or_default().push_back(at);
        }
    }
    let mut found: Vec<Pair> = Vec::with_capacity(old.len().max(new.len()));
    for (at, element) in old.iter().enumerate() {
        let partner = element.identity().and_then(|identity| by_identity.get_mut(identity)?.pop_front());
        if let Some(partner) = partner {
            left.remove(&partner);
        }
        found.push((Some(at), partner));
    }
    let mut left: Vec<usize> = left.into_iter().collect();
    alike(old, new, &mut found, &mut left);
    found.extend(left.into_iter().map(|at| (None, Some(at))));
    found
}

/// Gives old elements without a partner the most alike of those left; the best match first.
fn alike<T: Element>(old: &[T], new: &[T], found: &mut [Pair], left: &mut Vec<usize>) {
    let lonely: Vec<usize> =
        found.iter().enumerate().filter(|(_, (_, partner))| partner.is_none()).map(|(at, _)| at).collect();
    if lonely.len().saturating_mul(left.len()) > PAIRS {
        return;
    }
    let mut scores: Vec<(u32, usize, usize)> = Vec::new();
    for slot in lonely {
        let Some(before) = found.get(slot).and_then(|(at, _)| old.get((*at)?)) else { continue };
        for candidate in left.iter() {
            let score = new.get(*candidate).map_or(0, |after| before.likeness(after));
            if score > 0 {
                scores.push((score, slot, *candidate));
            }
        }
    }
    scores.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    for (_, slot, candidate) in scores {
        let Some(place) = left.iter().position(|at| *at == candidate) else { continue };
        if let Some(pair) = found.get_mut(slot).filter(|(_, partner)| partner.is_none()) {
            pair.1 = Some(candidate);
            left.remove(place);
        }
    }
}

/// Which of these positions (of the new list, in the order of the old one) are not in a longest rising run:
/// the fewest that must move for one order to become the other. As indices into `positions`.
pub(super) fn moved(positions: &[usize]) -> Vec<usize> {
    // Patience: the ends of the best runs of each length, and for each element the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; positions.len()];
    let value = |at: &usize| positions.get(*at).copied().unwrap_or(usize::MAX);
    for (at, position) in positions.iter().enumerate() {
        let length = ends.partition_point(|end| value(end) < *position);
        if let Some(slot) = before.get_mut(at) {
            *slot = length.checked_sub(1).and_then(|last| ends.get(last).copied());
        }
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut stays = vec![false; positions.len()];
    let mut next = ends.last().copied();
    while let Some(at) = next {
        if let Some(stay) = stays.get_mut(at) {
            *stay = true;
        }
        next = before.get(at).copied().flatten();
    }
    stays.iter().enumerate().filter(|(_, stays)| !**stays).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_move() {
        assert_eq!(moved(&[0, 1, 2, 3]), Vec::<usize>::new());
        assert_eq!(moved(&[1, 0]).len(), 1, "a swap of two is one move");
        assert_eq!(moved(&[3, 0, 1, 2]), [0], "the first went to the end");
        assert_eq!(moved(&[1, 2, 3, 0]), [3], "the last came to the front");
    }
}
