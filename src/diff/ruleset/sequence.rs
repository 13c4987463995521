//! What two lists have in common, in order.
//!
//! In: two lists of numbers. Out: pairs of places that hold the same number, ascending on both sides. Promise: the
//! same answer each time, the longest one where numbers are unique or gaps small, and work that stays in bounds:
//! lists that share nothing cost one pass, however long they are.

use std::collections::HashMap;
use std::ops::Range;

/// Cells of one gap's table of common lengths.
const GAP: usize = 250_000;
/// Cells of all tables of one comparison.
const ALL: usize = 4_000_000;
/// How often a gap is searched again for numbers that are unique within it.
const DEPTH: usize = 12;

/// Pairs of equal places.
pub(super) fn align(a: &[u32], b: &[u32]) -> Vec<(usize, usize)> {
    let mut work = Work { a, b, cells: ALL, pairs: Vec::new() };
    work.range(0..a.len(), 0..b.len(), 0);
    let mut pairs = work.pairs;
    pairs.sort_unstable();
    pairs
}

struct Work<'l> {
    a: &'l [u32],
    b: &'l [u32],
    cells: usize,
    pairs: Vec<(usize, usize)>,
}

impl Work<'_> {
    fn range(&mut self, mut a: Range<usize>, mut b: Range<usize>, depth: usize) {
        while !a.is_empty() && !b.is_empty() && self.a.get(a.start) == self.b.get(b.start) {
            self.pairs.push((a.start, b.start));
            a.start += 1;
            b.start += 1;
        }
        while !a.is_empty() && !b.is_empty() && self.a.get(a.end - 1) == self.b.get(b.end - 1) {
            a.end -= 1;
            b.end -= 1;
            self.pairs.push((a.end, b.end));
        }
        if a.is_empty() || b.is_empty() {
            return;
        }
        let size = a.len().saturating_mul(b.len());
        if size <= GAP && size <= self.cells {
            self.cells -= size;
            self.table(a, b);
            return;
        }
        let anchors = if depth < DEPTH { self.anchors(a.clone(), b.clone()) } else { Vec::new() };
        if anchors.is_empty() {
            return;
        }
        let (mut left, mut right) = (a.start, b.start);
        for (at, to) in anchors {
            self.range(left..at, right..to, depth + 1);
            self.pairs.push((at, to));
            (left, right) = (at + 1, to + 1);
        }
        self.range(left..a.end, right..b.end, depth + 1);
    }

    /// The most numbers, each once on either side, that stand in the same order on both.
    fn anchors(&self, a: Range<usize>, b: Range<usize>) -> Vec<(usize, usize)> {
        /// How often a number stands on either side, and where last.
        #[derive(Default)]
        struct Seen {
            counts: [usize; 2],
            at: [usize; 2],
        }
        let mut seen: HashMap<u32, Seen> = HashMap::new();
        for at in a.clone() {
            let Some(number) = self.a.get(at) else { continue };
            let entry = seen.entry(*number).or_default();
            entry.counts = [entry.counts[0] + 1, entry.counts[1]];
            entry.at = [at, entry.at[1]];
        }
        for at in b {
            let Some(number) = self.b.get(at) else { continue };
            let entry = seen.entry(*number).or_default();
            entry.counts = [entry.counts[0], entry.counts[1] + 1];
            entry.at = [entry.at[0], at];
        }
        let unique = |at: usize| {
            let entry = self.a.get(at).and_then(|number| seen.get(number))?;
            (entry.counts == [1, 1]).then_some((at, entry.at[1]))
        };
        longest_ascending(&a.filter_map(unique).collect::<Vec<_>>())
    }

    /// A longest common subsequence by the table of all prefixes.
    fn table(&mut self, a: Range<usize>, b: Range<usize>) {
        let width = b.len() + 1;
        let mut lengths = vec![0_u32; (a.len() + 1) * width];
        let get = |lengths: &[u32], row: usize, column: usize| lengths.get(row * width + column).copied().unwrap_or(0);
        for row in (0..a.len()).rev() {
            for column in (0..b.len()).rev() {
                let best = if self.a.get(a.start + row) == self.b.get(b.start + column) {
                    get(&lengths, row + 1, column + 1) + 1
                } else {
                    get(&lengths, row + 1, column).max(get(&lengths, row, column + 1))
                };
                if let Some(cell) = lengths.get_mut(row * width + column) {
                    *cell = best;
                }
            }
        }
        let (mut row, mut column) = (0, 0);
        while row < a.len() && column < b.len() {
            if self.a.get(a.start + row) == self.b.get(b.start + column) {
                self.pairs.push((a.start + row, b.start + column));
                row += 1;
                column += 1;
            } else if get(&lengths, row + 1, column) >= get(&lengths, row, column + 1) {
                row += 1;
            } else {
                column += 1;
            }
        }
    }
}

/// The longest part of these pairs, ascending by the first, that ascends by the second too.
fn longest_ascending(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length: the pair at the end of a run of that length whose end is smallest.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |at: usize| pairs.get(at).map_or(0, |pair| pair.1);
    for (at, pair) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| second(*end) < pair.1);
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter)).copied());
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut found = Vec::new();
    let mut next = ends.last().copied();
    while let Some(at) = next {
        found.extend(pairs.get(at));
        next = before.get(at).copied().flatten();
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_places_are_paired_in_order() {
        assert_eq!(align(&[1, 2, 3], &[1, 2, 3]), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(align(&[1, 2, 3], &[1, 3]), [(0, 0), (2, 1)]);
        assert_eq!(align(&[1, 2], &[3, 4]), []);
        assert_eq!(align(&[1, 2, 3, 4], &[1, 3, 2, 4]).len(), 3);
        assert_eq!(align(&[7, 7, 7], &[7, 7]).len(), 2);
    }

    #[test]
    fn long_lists_are_paired_by_what_is_unique() {
        let a: Vec<u32> = (0..50_000).collect();
        let mut b = a.clone();
        b.remove(40_000);
        b.insert(10, 90_000);
        b.swap(20_000, 20_001);
        assert_eq!(align(&a, &b).len(), 50_000 - 2);
        let other: Vec<u32> = (100_000..150_000).collect();
        assert_eq!(align(&a, &other), []);
        // Numbers that stand often cannot make it slow.
        let same = vec![1; 50_000];
        let mut mixed = same.clone();
        mixed[0] = 2;
        mixed[49_999] = 3;
        assert!(align(&same, &mixed).len() <= 49_998);
    }
}
