//! Which file another one most likely was, before it was renamed.

use std::time::{Duration, Instant};

use similar::TextDiff;

/// How alike two files must be for one to be the other under a new name, as git's own default.
const ALIKE: f32 = 0.5;
/// Time for all comparisons together; what was not looked at by then is not found.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks for the pair of texts that is most alike.
#[derive(Debug)]
pub(super) struct Likeness {
    ratio: f32,
    deadline: Instant,
    /// What the best pair stands for; kept by the asker.
    pub(super) best: Option<String>,
}

impl Default for Likeness {
    fn default() -> Self {
        Self { ratio: 0.0, deadline: Instant::now() + PATIENCE, best: None }
    }
}

impl Likeness {
    /// Whether these two are alike, and more so than any before.
    pub(super) fn is_best(&mut self, one: &str, other: &str) -> bool {
        let ratio = if one == other {
            1.0
        } else if bound(one, other) < ALIKE.max(self.ratio) || Instant::now() > self.deadline {
            return false;
        } else {
            // At most this much of 1: only the same text is the same.
            TextDiff::configure().deadline(self.deadline).diff_lines(one, other).ratio().min(0.999)
        };
        let best = ratio >= ALIKE && ratio > self.ratio;
        if best {
            self.ratio = ratio;
        }
        best
    }
}

/// What the ratio of two texts cannot exceed, by their numbers of lines.
fn bound(one: &str, other: &str) -> f32 {
    let (a, b) = (one.lines().count(), other.lines().count());
    #[expect(clippy::cast_precision_loss, reason = "a bound need not be exact")]
    let (less, all) = (2.0 * a.min(b) as f32, (a + b) as f32);
    if all == 0.0 { 1.0 } else { less / all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_wins_and_strangers_do_not() {
        let mut likeness = Likeness::default();
        assert!(!likeness.is_best("a\nb\nc\nd\n", "w\nx\ny\nz\n"));
        assert!(!likeness.is_best("a\n", "a\nb\nc\nd\ne\n"), "by length alone");
        assert!(likeness.is_best("a\nb\nc\nd\n", "a\nb\nx\ny\n"));
        assert!(likeness.is_best("a\nb\nc\nd\n", "a\nb\nc\ny\n"));
        assert!(!likeness.is_best("a\nb\nc\nd\n", "a\nb\nx\ny\n"), "less than before");
        assert!(likeness.is_best("a\n", "a\n"));
    }
}
