//! Several hooks in a row, for packets of which each field is in a set of its own: no diagram is made for that.
//!
//! In: diagrams, each of which lets packets with one label pass on to the next, and a [`Space`]. Out: the labels that
//! packets of the space end with, and a packet for each.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::net::{Family, IcmpType, PortSet, Ranges};
use crate::policy::State;

use super::field::{self, Field, Interfaces, LOOPBACK};
use super::hook::Frozen;
use super::store::{Id, Store};
use super::table::Memo;
use super::witness::Wish;
use super::{Label, OverBudget};

/// At most so many hooks are passed.
const HOOKS: usize = 8;

/// Places that a walk looks at before it is over budget, each with each interval below it.
const STEPS: usize = 4_000_000;

/// The values that a field may have.
#[derive(Debug, Clone)]
pub(in crate::analysis) enum Allowed<'s> {
    /// This one.
    One(u128),
    /// These.
    Values(Ranges<u128>),
    /// These ports.
    Ports(&'s PortSet),
    /// The IPv4 addresses in all of these.
    V4(Vec<&'s Ranges<u32>>),
    /// The IPv6 addresses in all of these.
    V6(Vec<&'s Ranges<u128>>),
}

impl Allowed<'_> {
    /// This state of a connection.
    pub(in crate::analysis) const fn state(state: State) -> Self {
        Self::One(field::state(state))
    }

    /// Every interface but loopback.
    pub(in crate::analysis) fn no_loopback(interfaces: &Interfaces) -> Self {
        match interfaces.number(Some(LOOPBACK)) {
            0 => Self::Values(Ranges::all()),
            number => Self::Values(Ranges::single(number).complement()),
        }
    }

    /// This ICMP type.
    pub(in crate::analysis) fn icmp(icmp: IcmpType) -> Self {
        Self::Values(field::icmp_values(icmp))
    }
}

/// Packets of which each field is in a set of its own; a field without a set has any value.
#[derive(Debug, Clone)]
pub(in crate::analysis) struct Space<'s> {
    family: Family,
    fields: Vec<(Field, Allowed<'s>)>,
}

impl<'s> Space<'s> {
    /// IP packets of a family, from the sending NIC's own hardware address.
    pub(in crate::analysis) fn new(family: Family) -> Self {
        let fields = vec![(Field::Frame, Allowed::One(field::frame(family))), (Field::SourceMac, Allowed::One(0))];
        Self { family, fields }
    }

    /// Narrows a field down.
    pub(in crate::analysis) fn with(mut self, field: Field, allowed: Allowed<'s>) -> Self {
        self.fields.push((field, allowed));
        self
    }

    /// Whether some field has no value.
    pub(in crate::analysis) fn is_empty(&self) -> bool {
        self.fields.iter().any(|(field, _)| self.next(*field, 0).is_none())
    }

    /// The least value of a field from `from` on.
    pub(super) fn next(&self, field: Field, from: u128) -> Option<u128> {
        let Some((_, allowed)) = self.fields.iter().find(|(known, _)| *known == field) else {
            return (from <= field.greatest(self.family)).then_some(from);
        };
        match allowed {
            Allowed::One(value) => (from <= *value).then_some(*value),
            Allowed::Values(values) => values.at_or_after(from),
            Allowed::Ports(ports) => ports.at_or_after(u16::try_from(from).ok()?).map(u128::from),
            Allowed::V4(sets) => least(sets, u32::try_from(from).ok()?).map(u128::from),
            Allowed::V6(sets) => least(sets, from),
        }
    }

    fn has(&self, field: Field, value: u128) -> bool {
        self.next(field, value) == Some(value)
    }
}

/// The smallest number from `from` on that is in all of the sets.
pub(in crate::analysis) fn least<T: crate::net::Number>(sets: &[&Ranges<T>], from: T) -> Option<T> {
    let mut value = from;
    loop {
        let before = value;
        for set in sets {
            value = set.at_or_after(value)?;
        }
        if value == before {
            return Some(value);
        }
    }
}

/// Where a packet is in each hook's diagram.
type Place = [Id; HOOKS];

/// A walk through hooks.
#[derive(Debug)]
pub(in crate::analysis) struct Walk<'w> {
    stores: Vec<&'w Store>,
    start: Place,
    space: &'w Space<'w>,
    pass: Id,
    known: RefCell<Memo<Place, u64>>,
    steps: Cell<usize>,
    limit: usize,
}

impl<'w> Walk<'w> {
    /// Through these hooks in order. What gets the label `pass` at one goes on to the next; all labels are below 64.
    ///
    /// # Errors
    /// Over budget, if there are too many hooks.
    pub(in crate::analysis) fn new(
        hooks: &'w [Arc<Frozen>],
        pass: Label,
        space: &'w Space<'w>,
    ) -> Result<Self, OverBudget> {
        let pass = Id::end(pass);
        let mut start = [pass; HOOKS];
        if hooks.len() > HOOKS {
            return Err(OverBudget);
        }
        for (place, hook) in start.iter_mut().zip(hooks) {
            *place = hook.root;
        }
        let stores = hooks.iter().map(|hook| &hook.store).collect();
        Ok(Self { stores, start, space, pass, known: RefCell::default(), steps: Cell::new(0), limit: STEPS })
    }

    /// With no more than so many steps, if that is less than what any walk may take.
    pub(in crate::analysis) fn within(mut self, steps: usize) -> Self {
        self.limit = self.limit.min(steps);
        self
    }

    /// How many steps were taken.
    pub(in crate::analysis) const fn steps(&self) -> usize {
        self.steps.get()
    }

    /// The labels that packets of the space end with, as bits: 1 for label 0, 2 for label 1, and so on.
    ///
    /// # Errors
    /// Over budget.
    pub(in crate::analysis) fn labels(&self) -> Result<u64, OverBudget> {
        self.below(&self.start)
    }

    /// The first label that is not to pass, or else that; none where that depends on the packet.
    fn end(&self, place: &Place) -> Option<Label> {
        place.iter().find(|id| **id != self.pass).map_or_else(|| self.pass.label(), |id| id.label())
    }

    fn field(&self, place: &Place) -> Option<Field> {
        self.stores.iter().zip(place).filter_map(|(store, id)| store.field(*id)).min()
    }

    /// Where a value leads, and up to which other value.
    fn step(&self, place: &Place, field: Field, value: u128) -> (u128, Place) {
        let mut next = *place;
        let mut last = u128::MAX;
        for (id, store) in next.iter_mut().zip(&self.stores) {
            let (end, target) = store.step(*id, field, value);
            *id = target;
            last = last.min(end);
        }
        // Behind a hook that stops the packet nothing matters.
        let stopped = |id: &Id| *id != self.pass && id.label().is_some();
        if let Some(at) = next.iter().position(stopped) {
            next.iter_mut().skip(at + 1).for_each(|id| *id = self.pass);
        }
        (last, next)
    }

    fn below(&self, place: &Place) -> Result<u64, OverBudget> {
        if let Some(label) = self.end(place) {
            return Ok(1_u64.checked_shl(label.number()).unwrap_or(0));
        }
        if let Some(known) = self.known.borrow().get(place) {
            return Ok(*known);
        }
        let Some(field) = self.field(place) else { return Ok(0) };
        let mut labels = 0;
        let mut from = self.space.next(field, 0);
        while let Some(value) = from {
            self.steps.set(self.steps.get() + 1);
            if self.steps.get() > self.limit {
                return Err(OverBudget);
            }
            let (last, next) = self.step(place, field, value);
            labels |= self.below(&next)?;
            from = last.checked_add(1).and_then(|after| self.space.next(field, after));
        }
        self.known.borrow_mut().insert(*place, labels);
        Ok(labels)
    }

    /// The fields of a packet of the space that ends with one of these labels, each with a value that reads well.
    ///
    /// # Errors
    /// Over budget.
    pub(in crate::analysis) fn packet(
        &self,
        wanted: u64,
        wish: &Wish,
    ) -> Result<Option<Vec<(Field, u128)>>, OverBudget> {
        let mut place = self.start;
        let mut values = Vec::with_capacity(Field::ALL.len());
        for field in Field::ALL {
            let wishes = wish.values(field, self.space.family);
            let wishes = wishes.into_iter().filter(|value| self.space.has(field, *value));
            let mut found = None;
            for value in wishes {
                let (_, next) = self.step(&place, field, value);
                if self.below(&next)? & wanted != 0 {
                    found = Some((value, next));
                    break;
                }
            }
            let mut from = if found.is_some() { None } else { self.space.next(field, 0) };
            while let Some(value) = from {
                let (last, next) = self.step(&place, field, value);
                if self.below(&next)? & wanted != 0 {
                    found = Some((self.readable(field, value, last), next));
                    break;
                }
                from = last.checked_add(1).and_then(|after| self.space.next(field, after));
            }
            let Some((value, next)) = found else { return Ok(None) };
            values.push((field, value));
            place = next;
        }
        Ok(Some(values))
    }

    /// The next address, where it is as good: the first of a network is nobody's.
    fn readable(&self, field: Field, value: u128, last: u128) -> u128 {
        let next = value.checked_add(1).filter(|next| *next <= last && self.space.has(field, *next));
        match field {
            Field::Dest | Field::Source => next.unwrap_or(value),
            Field::Frame
            | Field::SourceMac
            | Field::ArpMac
            | Field::InInterface
            | Field::OutInterface
            | Field::State
            | Field::Protocol
            | Field::DestPort
            | Field::Icmp
            | Field::SourcePort
            | Field::Flags
            | Field::Stand => value,
        }
    }
}
