//! Clauses as diagrams.

use std::borrow::Cow;

use crate::net::{Family, Ranges};
use crate::policy::{Direction, Match};

use super::apply::Operation;
use super::conjunction::{Conjunction, Kinds, Values, is_of_family, own_macs};
use super::field::{self, ARP, Field, IPV4, IPV6, STACKED};
use super::store::Id;
use super::table::Sets;
use super::{Diagram, Label, OverBudget, PacketSet, Region};

/// The last ethertypes of intervals: IPv4, ARP, IPv6, stacked frames, and all others between them.
const FRAMES: [u128; 9] = [IPV4 - 1, IPV4, ARP - 1, ARP, IPV6 - 1, IPV6, STACKED - 1, STACKED, u128::MAX];

const NOTHING: Id = Id::end(Label::NONE);
const YES: Id = Id::end(Label(1));
const NO: Id = Id::end(Label(0));

/// Where packets end that are in what is made, and where all others do.
#[derive(Debug, Clone, Copy)]
struct Ends {
    inside: Id,
    outside: Id,
}

impl Ends {
    /// Of a set.
    const SET: Self = Self { inside: YES, outside: NO };

    /// Of a label, and nothing.
    const fn label(label: Label) -> Self {
        Self { inside: Id::end(label), outside: NOTHING }
    }
}

/// The values of an interval that a field can have; none where that is none. Beyond the greatest value it is as at that value, whatever
/// is said of what is beyond.
fn reached(field: Field, family: Family, (first, last): (u128, u128)) -> Option<(u128, u128)> {
    let greatest = field.greatest(family);
    (first <= greatest).then_some((first, if last >= greatest { u128::MAX } else { last }))
}

fn wide<T: Into<u128>>((first, last): (T, T)) -> (u128, u128) {
    (first.into(), last.into())
}

impl Sets {
    /// A clause at a hook of a direction: `label` for the packets that all conditions hold for, nothing for all others.
    ///
    /// # Errors
    /// Over budget.
    pub fn clause(&mut self, matches: &[Match], direction: Direction, label: Label) -> Result<Diagram, OverBudget> {
        self.ended(matches, direction, Ends::label(label)).map(Diagram)
    }

    /// The packets that all conditions hold for.
    ///
    /// # Errors
    /// Over budget.
    pub fn matching(&mut self, matches: &[Match], direction: Direction) -> Result<PacketSet, OverBudget> {
        self.ended(matches, direction, Ends::SET).map(PacketSet)
    }

    /// The packets of one family that all conditions hold for, where there are no others: nothing looks at their ethertype.
    ///
    /// # Errors
    /// Over budget.
    pub fn matching_of(
        &mut self,
        family: Family,
        matches: &[Match],
        direction: Direction,
    ) -> Result<PacketSet, OverBudget> {
        self.open.clear();
        let kind = Kinds::family(family);
        if !Kinds::of(matches).has(kind) {
            return Ok(PacketSet::EMPTY);
        }
        let conjunction = Conjunction::of(matches, kind, direction, &mut self.interfaces);
        if conjunction.values(Field::Frame).is_some_and(|listed| !listed.contains(field::frame(family))) {
            return Ok(PacketSet::EMPTY);
        }
        self.conjunction(&conjunction, family, Ends::SET).map(PacketSet)
    }

    fn ended(&mut self, matches: &[Match], direction: Direction, ends: Ends) -> Result<Id, OverBudget> {
        self.open.clear();
        let kinds = Kinds::of(matches);
        let groups = if matches.iter().any(is_of_family) {
            // They fit IP alone.
            [Kinds::V4, Kinds::V6]
        } else {
            [Kinds::ALIKE, Kinds::ARP]
        };
        let mut made = [(Kinds::NONE, ends.outside); 2];
        let mut listed = None;
        for (group, made) in groups.into_iter().zip(&mut made) {
            let group = kinds.and(group);
            if group == Kinds::NONE {
                continue;
            }
            let conjunction = Conjunction::of(matches, group, direction, &mut self.interfaces);
            let family = if group == Kinds::V6 { Family::V6 } else { Family::V4 };
            let id = self.conjunction(&conjunction, family, ends)?;
            *made = (group, if group == Kinds::ARP { self.arp_macs(matches, id, ends)? } else { id });
            listed = conjunction.values(Field::Frame).map(Cow::into_owned);
        }
        let of = |kind| made.iter().find(|(group, _)| group.has(kind)).map_or(ends.outside, |(_, id)| *id);
        let [v4, arp, v6, stacked, other] = [Kinds::V4, Kinds::ARP, Kinds::V6, Kinds::STACKED, Kinds::OTHER].map(of);
        let targets = [other, v4, other, arp, other, v6, other, stacked, other];
        self.frames(listed.as_ref(), FRAMES.into_iter().zip(targets), ends.outside)
    }

    /// A node with these edges for ethertypes; where some are listed, for those alone, and it leads all others outside.
    fn frames(
        &mut self,
        listed: Option<&Ranges<u128>>,
        edges: impl Iterator<Item = (u128, Id)>,
        outside: Id,
    ) -> Result<Id, OverBudget> {
        let start = self.open.len();
        let Some(listed) = listed else {
            edges.for_each(|(last, id)| self.push(start, last, id));
            return self.close(Field::Frame, start);
        };
        let mut parts = Vec::new();
        let mut first = 0;
        for (last, id) in edges {
            parts.extend(listed.intersection(&Ranges::range(first, last)).iter().map(|interval| (interval, id)));
            first = last.saturating_add(1);
        }
        self.split(Field::Frame, parts.into_iter(), outside)
    }

    /// The packets of a box.
    ///
    /// # Errors
    /// Over budget.
    pub fn boxed(&mut self, region: &Region) -> Result<PacketSet, OverBudget> {
        self.open.clear();
        let mut id = YES;
        for (field, values) in region.0.iter().rev() {
            id = self.split(*field, values.iter().map(|interval| (interval, id)), NO)?;
        }
        Ok(PacketSet(id))
    }

    /// A label for the packets whose fields have these values, nothing for all others. A field that is named twice must
    /// have both; addresses are those of a family.
    ///
    /// # Errors
    /// Over budget.
    pub fn fields(
        &mut self,
        family: Family,
        values: &[(Field, Ranges<u128>)],
        label: Label,
    ) -> Result<Diagram, OverBudget> {
        self.valued(family, values, Ends::label(label)).map(Diagram)
    }

    /// The packets whose fields have these values, see [`Sets::fields`].
    ///
    /// # Errors
    /// Over budget.
    pub fn having(&mut self, family: Family, values: &[(Field, Ranges<u128>)]) -> Result<PacketSet, OverBudget> {
        self.valued(family, values, Ends::SET).map(PacketSet)
    }

    fn valued(&mut self, family: Family, values: &[(Field, Ranges<u128>)], ends: Ends) -> Result<Id, OverBudget> {
        self.open.clear();
        let is_in_order = values.iter().zip(values.iter().skip(1)).all(|((field, _), (next, _))| field < next);
        if !is_in_order {
            let conjunction = Conjunction::having(values);
            return self.chain(&conjunction, conjunction.fields(), family, ends);
        }
        // Nothing is to be put together.
        if values.iter().any(|(_, ranges)| ranges.is_empty()) {
            return Ok(ends.outside);
        }
        let mut id = ends.inside;
        for (field, ranges) in values.iter().rev() {
            let ends = (id, ends.outside);
            id = match ranges.as_slice() {
                [interval] => self.one(*field, family, *interval, ends)?,
                intervals => self.level(*field, family, intervals.iter().copied(), ends)?,
            };
        }
        Ok(id)
    }

    /// What a diagram says of frames of one ethertype alone, which is then not looked at any more.
    #[must_use]
    pub fn of_frame(&self, diagram: Diagram, ethertype: u16) -> Diagram {
        Diagram(self.store.step(diagram.0, Field::Frame, ethertype.into()).1)
    }

    /// Of a set, frames of one ethertype alone, which is then not looked at any more.
    #[must_use]
    pub fn frames_of(&self, set: PacketSet, ethertype: u16) -> PacketSet {
        PacketSet(self.store.step(set.0, Field::Frame, ethertype.into()).1)
    }

    /// The ways to the ends for packets that a conjunction holds for; nothing looks at the ethertype.
    fn conjunction(&mut self, conjunction: &Conjunction<'_>, family: Family, ends: Ends) -> Result<Id, OverBudget> {
        let fields = conjunction.fields().filter(|(field, _)| *field != Field::Frame);
        self.chain(conjunction, fields, family, ends)
    }

    /// A node below a node, the last field first.
    fn chain<'c>(
        &mut self,
        conjunction: &Conjunction<'c>,
        fields: impl Iterator<Item = (Field, Values<'c>)>,
        family: Family,
        ends: Ends,
    ) -> Result<Id, OverBudget> {
        if conjunction.is_empty() {
            return Ok(ends.outside);
        }
        let mut id = ends.inside;
        for (field, values) in fields {
            let ends = (id, ends.outside);
            id = match values {
                Values::All => id,
                Values::One(interval) => self.one(field, family, interval, ends)?,
                Values::Ports(ports) => self.level(field, family, ports.iter().map(wide), ends)?,
                Values::V4(addresses) => self.level(field, family, addresses.iter().map(wide), ends)?,
                Values::Wide(values) => self.level(field, family, values.iter(), ends)?,
                Values::Made(place) => self.level(field, family, conjunction.made(place).iter().copied(), ends)?,
            };
        }
        Ok(id)
    }

    /// A node that leads from the values of these intervals of a field, ascending, inside, from all others outside.
    fn level(
        &mut self,
        field: Field,
        family: Family,
        intervals: impl Iterator<Item = (u128, u128)>,
        ends: (Id, Id),
    ) -> Result<Id, OverBudget> {
        self.intervals(field, intervals.filter_map(|interval| reached(field, family, interval)), ends)
    }

    /// The same of one interval.
    fn one(&mut self, field: Field, family: Family, interval: (u128, u128), ends: (Id, Id)) -> Result<Id, OverBudget> {
        match reached(field, family, interval) {
            Some(interval) => self.interval(field, interval, ends),
            None => Ok(ends.1),
        }
    }

    /// A node that leads from the values of these intervals, ascending, inside, from all others outside.
    fn intervals(
        &mut self,
        field: Field,
        intervals: impl Iterator<Item = (u128, u128)>,
        (inside, outside): (Id, Id),
    ) -> Result<Id, OverBudget> {
        self.split(field, intervals.map(|interval| (interval, inside)), outside)
    }

    /// A node with these intervals, ascending; between them it leads outside.
    fn split(
        &mut self,
        field: Field,
        intervals: impl Iterator<Item = ((u128, u128), Id)>,
        outside: Id,
    ) -> Result<Id, OverBudget> {
        let start = self.open.len();
        let mut next = Some(0_u128);
        for ((first, last), id) in intervals {
            if let Some(before) = first.checked_sub(1).filter(|_| next.is_some_and(|next| next < first)) {
                self.push(start, before, outside);
            }
            self.push(start, last, id);
            next = last.checked_add(1);
        }
        if next.is_some() {
            self.push(start, u128::MAX, outside);
        }
        self.close(field, start)
    }

    /// `made`, for ARP frames alone of which one hardware address, of the frame or in it, is another than each of those
    /// that conditions name.
    fn arp_macs(&mut self, matches: &[Match], made: Id, ends: Ends) -> Result<Id, OverBudget> {
        let operation = if ends.outside == NO { Operation::Intersection } else { Operation::Within };
        let mut id = made;
        for condition in matches {
            let Match::SourceMacNot(mac) = condition else { continue };
            let own = own_macs(*mac);
            let inside = self.boolean(Field::ArpMac, &own, NO, YES)?;
            let other = self.boolean(Field::SourceMac, &own, inside, YES)?;
            id = self.apply(operation, other, id)?;
        }
        Ok(id)
    }

    fn boolean(&mut self, field: Field, values: &Ranges<u128>, inside: Id, outside: Id) -> Result<Id, OverBudget> {
        let start = self.open.len();
        for (first, last) in values.iter() {
            if let Some(before) = first.checked_sub(1) {
                self.push(start, before, outside);
            }
            self.push(start, last, inside);
        }
        self.push(start, u128::MAX, outside);
        self.close(field, start)
    }
}
