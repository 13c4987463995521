//! Sets of packets with a field left out.

use super::apply::Operation;
use super::field::Field;
use super::store::Id;
use super::table::{Memo, Sets};
use super::{OverBudget, PacketSet};

impl Sets {
    /// The packets that are in the set with some value of a field; whatever value they have themselves.
    ///
    /// # Errors
    /// Over budget.
    pub fn regardless(&mut self, set: PacketSet, field: Field) -> Result<PacketSet, OverBudget> {
        self.open.clear();
        self.left_out(set.0, field, &mut Memo::default()).map(PacketSet)
    }

    fn left_out(&mut self, id: Id, field: Field, done: &mut Memo<u64, Id>) -> Result<Id, OverBudget> {
        let Some(node) = self.store.node(id).filter(|node| node.field <= field) else { return Ok(id) };
        if let Some(known) = done.get(&id.raw().into()) {
            return Ok(*known);
        }
        let made = if node.field == field {
            let targets: Vec<Id> = self.store.edges(node).1.to_vec();
            let mut all = PacketSet::EMPTY.0;
            for target in targets {
                all = self.apply(Operation::Union, all, target)?;
            }
            all
        } else {
            self.merge(id, PacketSet::EMPTY.0, |sets, part, _| sets.left_out(part, field, done))?
        };
        done.insert(id.raw().into(), made);
        Ok(made)
    }
}
