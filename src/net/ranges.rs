//! Sets of numbers as sorted, disjoint, inclusive ranges that do not touch.

/// An unsigned number with a next and a previous one.
pub trait Number: Copy + Ord + std::hash::Hash + std::fmt::Debug {
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ranges<T>(Vec<(T, T)>);

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Number> Ranges<T> {
    /// The empty set.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Every number.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![(T::MIN, T::MAX)])
    }

    /// One number.
    #[must_use]
    pub fn single(value: T) -> Self {
        Self(vec![(value, value)])
    }

    /// The numbers from `first` to `last`, both included; empty where `first > last`.
    #[must_use]
    pub fn range(first: T, last: T) -> Self {
        if first > last { Self::empty() } else { Self(vec![(first, last)]) }
    }

    /// The union of ranges in any order, overlapping or not.
    #[must_use]
    pub fn from_ranges(ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut sorted: Vec<(T, T)> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some((_, end)) if end.next().is_none_or(|after| first <= after) => *end = (*end).max(last),
                Some(_) | None => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everything is in it.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self.0.as_slice(), [(first, last)] if *first == T::MIN && *last == T::MAX)
    }

    /// The ranges, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[(T, T)] {
        &self.0
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (T, T)> + '_ {
        self.0.iter().copied()
    }

    /// Whether `value` is in it.
    #[must_use]
    pub fn contains(&self, value: T) -> bool {
        let at = self.0.partition_point(|(first, _)| *first <= value);
        at.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| value <= *last)
    }

    /// The smallest member that is not below `value`.
    #[must_use]
    pub fn at_or_after(&self, value: T) -> Option<T> {
        let at = self.0.partition_point(|(_, last)| *last < value);
        self.0.get(at).map(|(first, _)| value.max(*first))
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::from_ranges(self.iter().chain(other.iter()))
    }

    /// What is in neither `self`.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut from = Some(T::MIN);
        for (first, last) in self.iter() {
            if let (Some(start), Some(end)) = (from, first.previous())
                && start <= end
            {
                gaps.push((start, end));
            }
            from = last.next();
        }
        if let Some(start) = from {
            gaps.push((start, T::MAX));
        }
        Self(gaps)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                both.push((first, last));
            }
            if a.1 <= b.1 {
                left.next()
            } else {
                right.next()
            };
        }
        Self(both)
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// Whether all of `self` is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }
}
