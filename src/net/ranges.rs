//! Sets of numbers as sorted, disjoint, inclusive ranges that do not touch.

use std::cmp::Ordering;
use std::fmt;

/// An unsigned number with a next and a previous one.
pub trait Number: Copy + Ord + std::hash::Hash + fmt::Debug {
    /// The smallest.
    const MIN: Self;
    /// The largest.
    const MAX: Self;
    /// One more, or none at the end.
    fn next(self) -> Option<Self>;
    /// One less, or none at the start.
    fn previous(self) -> Option<Self>;
}

macro_rules! number {
    ($($t:ty),+) => {$(
        impl Number for $t {
            const MIN: Self = <$t>::MIN;
            const MAX: Self = <$t>::MAX;
            fn next(self) -> Option<Self> { self.checked_add(1) }
            fn previous(self) -> Option<Self> { self.checked_sub(1) }
        }
    )+};
}
number!(u8, u16, u32, u128);

/// A set of numbers. Equal sets have equal representations.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ranges<T>(Held<T>);

/// The ranges of a set. Most sets have one, which stands where the set does.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Held<T> {
    One((T, T)),
    /// None, or two and more.
    Others(Vec<(T, T)>),
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self(Held::Others(Vec::new()))
    }
}

impl<T: Number> fmt::Debug for Ranges<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ranges").field(&self.as_slice()).finish()
    }
}

impl<T: Number> Ord for Ranges<T> {
    /// By their ranges, one after another.
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl<T: Number> PartialOrd for Ranges<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Number> Ranges<T> {
    /// The empty set.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Held::Others(Vec::new()))
    }

    /// Of ranges that are sorted, disjoint and do not touch.
    fn of_sorted(ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut ranges = ranges.into_iter();
        let Some(first) = ranges.next() else { return Self::empty() };
        let Some(second) = ranges.next() else { return Self(Held::One(first)) };
        let mut all = Vec::with_capacity(ranges.size_hint().0.saturating_add(2));
        all.extend([first, second]);
        all.extend(ranges);
        Self(Held::Others(all))
    }

    /// Every number.
    #[must_use]
    pub fn all() -> Self {
        Self(Held::One((T::MIN, T::MAX)))
    }

    /// One number.
    #[must_use]
    pub fn single(value: T) -> Self {
        Self(Held::One((value, value)))
    }

    /// The numbers from `first` to `last`, both included; empty where `first > last`.
    #[must_use]
    pub fn range(first: T, last: T) -> Self {
        if first > last { Self::empty() } else { Self(Held::One((first, last))) }
    }

    /// The union of ranges in any order, overlapping or not.
    #[must_use]
    pub fn from_ranges(ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut ranges = ranges.into_iter().filter(|(first, last)| first <= last);
        let Some(first) = ranges.next() else { return Self::empty() };
        let Some(second) = ranges.next() else { return Self(Held::One(first)) };
        let mut merged: Vec<(T, T)> = [first, second].into_iter().chain(ranges).collect();
        merged.sort_unstable();
        merged.dedup_by(|(first, last), (_, end)| {
            let touches = end.next().is_none_or(|after| *first <= after);
            if touches {
                *end = (*end).max(*last);
            }
            touches
        });
        match merged.as_slice() {
            [one] => Self(Held::One(*one)),
            _ => Self(Held::Others(merged)),
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Whether everything is in it.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self.as_slice(), [(first, last)] if *first == T::MIN && *last == T::MAX)
    }

    /// The ranges, ascending.
    #[must_use]
    pub const fn as_slice(&self) -> &[(T, T)] {
        match &self.0 {
            Held::One(one) => std::slice::from_ref(one),
            Held::Others(others) => others.as_slice(),
        }
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (T, T)> + '_ {
        self.as_slice().iter().copied()
    }

    /// Whether `value` is in it.
    #[must_use]
    pub fn contains(&self, value: T) -> bool {
        let at = self.as_slice().partition_point(|(first, _)| *first <= value);
        at.checked_sub(1).and_then(|at| self.as_slice().get(at)).is_some_and(|(_, last)| value <= *last)
    }

    /// The smallest member that is not below `value`.
    #[must_use]
    pub fn at_or_after(&self, value: T) -> Option<T> {
        let at = self.as_slice().partition_point(|(_, last)| *last < value);
        self.as_slice().get(at).map(|(first, _)| value.max(*first))
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::from_ranges(self.iter().chain(other.iter()))
    }

    /// What is in neither `self`.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut from = Some(T::MIN);
        let before = self.iter().map(Some).chain([None]).filter_map(|range| {
            let Some((first, last)) = range else { return from.map(|start| (start, T::MAX)) };
            let gap = from.zip(first.previous()).filter(|(start, end)| start <= end);
            from = last.next();
            gap
        });
        Self::of_sorted(before)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.as_slice(), other.as_slice());
        Self::of_sorted(std::iter::from_fn(|| {
            loop {
                let ([a, after_a @ ..], [b, after_b @ ..]) = (left, right) else { return None };
                if a.1 <= b.1 {
                    left = after_a;
                } else {
                    right = after_b;
                }
                let (first, last) = (a.0.max(b.0), a.1.min(b.1));
                if first <= last {
                    return Some((first, last));
                }
            }
        }))
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// Whether all of `self` is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|(first, last)| {
            let at = other.as_slice().partition_point(|(_, end)| *end < first);
            other.as_slice().get(at).is_some_and(|(start, end)| *start <= first && last <= *end)
        })
    }
}
