//! Whether two lists tell the same one by one.
//!
//! Rules that were made from clauses mostly say what these say in the same places, or several rules in a row say what one
//! clause does. That is seen in one pass over both, without a look at what most of the sets are.

use crate::analysis::sets::{Label, OverBudget, PacketSet};

use super::run::Ground;

/// One of a list: of these packets, this.
type Piece = (PacketSet, Label);

/// Pieces of both lists in a row that are looked at together, at most.
const WINDOW: usize = 12;

impl Ground {
    /// Whether two lists say the same of each of some packets, piece by piece or some pieces by some pieces; a no says
    /// nothing.
    pub(super) fn is_told_alike(
        &mut self,
        (mut one, mut other): (&[Piece], &[Piece]),
        among: PacketSet,
    ) -> Result<bool, OverBudget> {
        loop {
            let ([mine, my_rest @ ..], [theirs, their_rest @ ..]) = (one, other) else {
                return Ok(one.is_empty() && other.is_empty());
            };
            if self.is_same_piece(mine, theirs) {
                if mine.0 == PacketSet::ALL {
                    return Ok(true);
                }
                (one, other) = (my_rest, their_rest);
                continue;
            }
            let Some((some, others)) = self.meeting(one, other) else { return Ok(false) };
            let (Some((some, my_rest)), Some((others, their_rest))) =
                (one.split_at_checked(some), other.split_at_checked(others))
            else {
                return Ok(false);
            };
            let is_same = match (self.in_one(some)?, self.in_one(others)?) {
                (InOne::Of(some, label), InOne::Of(others, said)) => {
                    label == said && self.is_same_among(some, others, among)?
                }
                // What one says besides may be about other packets.
                (InOne::Of(besides, _), InOne::Nothing) | (InOne::Nothing, InOne::Of(besides, _)) => {
                    self.sets.intersection(besides, among)?.is_empty()
                }
                (InOne::Nothing, InOne::Nothing) | (InOne::Several, _) | (_, InOne::Several) => false,
            };
            if !is_same {
                return Ok(false);
            }
            (one, other) = (my_rest, their_rest);
        }
    }

    fn is_same_among(&mut self, one: PacketSet, other: PacketSet, among: PacketSet) -> Result<bool, OverBudget> {
        Ok(one == other || self.sets.intersection(one, among)? == self.sets.intersection(other, among)?)
    }

    fn is_same_piece(&self, (one, mine): &Piece, (other, theirs): &Piece) -> bool {
        one == other && (mine == theirs || self.plain(*mine) == self.plain(*theirs))
    }

    /// How many pieces of each stand before the next that both have.
    fn meeting(&self, one: &[Piece], other: &[Piece]) -> Option<(usize, usize)> {
        (1..=WINDOW).find_map(|both| {
            (0..=both).find_map(|some| {
                let others = both - some;
                self.is_same_piece(one.get(some)?, other.get(others)?).then_some((some, others))
            })
        })
    }

    /// The label of some pieces, and the packets of all.
    fn in_one(&mut self, pieces: &[Piece]) -> Result<InOne, OverBudget> {
        let Some(((first, label), rest)) = pieces.split_first() else { return Ok(InOne::Nothing) };
        let label = self.plain(*label);
        if rest.iter().any(|(_, other)| self.plain(*other) != label) {
            return Ok(InOne::Several);
        }
        let all = rest.iter().try_fold(*first, |all, (set, _)| self.sets.union(all, *set))?;
        Ok(InOne::Of(all, label))
    }
}

/// What some pieces are together.
enum InOne {
    /// There are none.
    Nothing,
    /// All these packets have this label.
    Of(PacketSet, Label),
    /// They have no label in common.
    Several,
}
