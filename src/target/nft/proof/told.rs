//! By which rules a packet goes that is treated otherwise.

use std::mem::replace;

use crate::analysis::loaded::{Loaded, Said};
use crate::analysis::sets::OverBudget;
use crate::target::proof::Told;

use super::{Among, Bridge, Hook, Inet, Ports, Proof};

impl Proof<'_, '_, '_> {
    /// Tells by which rules of the chains of hooks a packet goes.
    pub(super) fn goes_by(
        &mut self,
        told: &Told,
        hooks: &[Hook],
        (ports, among): (&Ports, Among),
    ) -> Result<(), OverBudget> {
        // What is found with any rules for the guests' is told of nobody.
        if self.stands {
            return Ok(());
        }
        let (inet, frames) = (self.inet.alone(&told.packet), self.frames.as_ref().map(|all| all.alone(&told.packet)));
        let (inet, frames) = (replace(&mut self.inet, inet), replace(&mut self.frames, frames));
        let parts = self.parts(hooks, ports, among);
        let (inet, frames) = (replace(&mut self.inet, inet), replace(&mut self.frames, frames));
        let of = |(hook, parts): (Hook, Vec<Said>)| match hook {
            Bridge(_) => Some((frames.as_ref()?, parts)),
            Inet(_) => Some((&inet, parts)),
        };
        let tables: Vec<(&Loaded<'_>, Vec<Said>)> = parts?.into_iter().filter_map(of).collect();
        self.prover.goes_by(told, &tables)
    }

    /// What the chains of hooks say one after the other, as far as the marks of packets are known.
    fn parts(&mut self, hooks: &[Hook], ports: &Ports, among: Among) -> Result<Vec<(Hook, Vec<Said>)>, OverBudget> {
        let (mut found, mut mark) = (Vec::new(), 0);
        for hook in hooks.iter().filter(|hook| among != Among::Other || matches!(hook, Bridge(_))) {
            for chain in self.chains(*hook).iter() {
                let passage = self.base(*hook, chain, mark, ports, among)?;
                found.push((*hook, passage.parts.clone()));
                let Some(after) = passage.mark else { return Ok(found) };
                mark = after;
            }
        }
        Ok(found)
    }
}
