//! Which rule of one list is which of the other: by identity, then by likeness; and which have moved.

use std::collections::HashMap;

use crate::policy::{Entry, Rule};

/// Pairs beyond this number are not looked at for likeness: what is left is gone, and new.
const PAIRS: usize = 40_000;

/// Indices of entries: in the old list, in the new one.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// Every entry of both lists once: pairs and those gone in the order of the old list, then new ones.
pub(super) fn pairs(old: &[Entry], new: &[Entry]) -> Vec<Pair> {
    let mut by_identity: HashMap<&str, usize> =
        new.iter().enumerate().map(|(at, entry)| (entry.origin().identity.as_str(), at)).collect();
    let mut found: Vec<Pair> = Vec::with_capacity(old.len().max(new.len()));
    for (at, entry) in old.iter().enumerate() {
        found.push((Some(at), by_identity.remove(entry.origin().identity.as_str())));
    }
    let mut left: Vec<usize> = by_identity.into_values().collect();
    left.sort_unstable();
    alike(old, new, &mut found, &mut left);
    found.extend(left.into_iter().map(|at| (None, Some(at))));
    found
}

/// Gives old entries without a partner the most alike of those left; the best match first.
fn alike(old: &[Entry], new: &[Entry], found: &mut [Pair], left: &mut Vec<usize>) {
    let lonely: Vec<usize> =
        found.iter().enumerate().filter(|(_, (_, partner))| partner.is_none()).map(|(at, _)| at).collect();
    if lonely.len().saturating_mul(left.len()) > PAIRS {
        return;
    }
    let mut scores: Vec<(u32, usize, usize)> = Vec::new();
    for slot in lonely {
        let Some(before) = found.get(slot).and_then(|(at, _)| old.get((*at)?)) else { continue };
        for candidate in left.iter() {
            let score = new.get(*candidate).map_or(0, |after| likeness(before, after));
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

/// How alike two entries are; 0: not the same thing at all.
fn likeness(old: &Entry, new: &Entry) -> u32 {
    match (old, new) {
        (Entry::Rule(old), Entry::Rule(new)) => of_rules(old, new),
        (Entry::Group(old), Entry::Group(new)) => u32::from(old.group.name == new.group.name),
        (Entry::Rule(_), Entry::Group(_)) | (Entry::Group(_), Entry::Rule(_)) => 0,
    }
}

fn of_rules(old: &Rule, new: &Rule) -> u32 {
    if old.direction != new.direction {
        return 0;
    }
    let terms = |rule: &Rule, dest: bool| {
        let addresses = if dest { &rule.dest } else { &rule.source };
        addresses.as_ref().map(|a| a.terms.iter().map(|term| term.reference.clone()).collect::<Vec<_>>())
    };
    let protocols = |rule: &Rule| rule.services.iter().map(|service| service.protocol).collect::<Vec<_>>();
    let verdict = old.verdict == new.verdict;
    let service = old.services == new.services && old.macro_name == new.macro_name;
    let protocol = protocols(old) == protocols(new);
    let (source, dest) = (terms(old, false) == terms(new, false), terms(old, true) == terms(new, true));
    let named = (source && old.source.is_some()) || (dest && old.dest.is_some());
    let same = service && (verdict || source || dest) || verdict && protocol && (source || dest) || verdict && named;
    if !same {
        return 0;
    }
    let worth = |holds: bool, points: u32| if holds { points } else { 0 };
    1 + worth(service, 8)
        + worth(protocol, 2)
        + worth(verdict, 3)
        + worth(source, 3)
        + worth(dest, 3)
        + worth(named, 4)
        + worth(old.interface == new.interface, 1)
        + worth(old.comment.is_some() && old.comment == new.comment, 4)
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
