//! Room on a page of bounded size, shared out in whole elements.

/// How much of each thing was left out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct LeftOut(Vec<(&'static str, usize)>);

impl LeftOut {
    /// Counts more of a thing; `noun` is its singular.
    pub(super) fn add(&mut self, noun: &'static str, number: usize) {
        if number == 0 {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == noun) {
            Some((_, count)) => *count += number,
            None => self.0.push((noun, number)),
        }
    }

    /// In the order in which they were left out first.
    pub(super) fn all(&self) -> &[(&'static str, usize)] {
        &self.0
    }
}

/// The elements that fit into some bytes, one behind the other, and how many do not.
pub(super) fn fitting(elements: impl ExactSizeIterator<Item = String>, room: usize) -> (String, usize) {
    let mut text = String::new();
    let mut left = elements.len();
    for element in elements {
        if text.len() + element.len() > room {
            break;
        }
        text.push_str(&element);
        left -= 1;
    }
    (text, left)
}

/// What the element `at` may take of `room`, when those behind it want some as well: they keep `least` each, as far as
/// they want it and half of the room goes.
pub(super) fn share(wanted: &[usize], at: usize, room: usize, least: usize) -> usize {
    let later: usize = wanted.iter().skip(at + 1).map(|want| (*want).min(least)).sum();
    room.saturating_sub(later).max(room / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_elements_are_taken() {
        let elements = || ["aaa".to_owned(), "bb".to_owned(), "c".to_owned()].into_iter();
        assert_eq!(fitting(elements(), 6), ("aaabbc".to_owned(), 0));
        assert_eq!(fitting(elements(), 5), ("aaabb".to_owned(), 1));
        assert_eq!(fitting(elements(), 4), ("aaa".to_owned(), 2), "what follows a gap would be out of order");
    }

    #[test]
    fn the_first_takes_most_and_leaves_some() {
        assert_eq!(share(&[100, 10, 10], 0, 60, 20), 40);
        assert_eq!(share(&[100, 90, 90], 0, 60, 20), 30);
        assert_eq!(share(&[100], 0, 60, 20), 60);
    }
}
