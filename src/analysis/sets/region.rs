//! Boxes: packets whose fields are each in a set of its own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::net::{AddressSet, Family, PortSet, Protocol, Ranges, TcpFlags};
use crate::policy::State;

use super::field::{self, Field};
use super::store::{Id, Store};
use super::table::{Memo, Sets};
use super::{Diagram, Label, PacketSet};

/// Packets whose fields are each in a set of its own: all combinations of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Region(pub(super) Vec<(Field, Ranges<u128>)>);

impl Region {
    /// The values of a field as numbers, see [`Field`]; none where all are in it. The greatest may be beyond the field's
    /// greatest value, and then stands for that.
    #[must_use]
    pub fn values(&self, field: Field) -> Option<&Ranges<u128>> {
        self.0.iter().find(|(known, _)| *known == field).map(|(_, values)| values)
    }

    /// The family, where all of it is IP of one.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        let only = |family: Family| self.values(Field::Frame) == Some(&Ranges::single(field::frame(family)));
        Family::BOTH.into_iter().find(|family| only(*family))
    }

    fn addresses(&self, side: Field) -> Option<AddressSet> {
        let values = self.values(side)?;
        match self.family() {
            Some(Family::V6) => Some(AddressSet::new(Ranges::empty(), values.clone())),
            Some(Family::V4) | None => Some(AddressSet::new(narrowed(values, u32::MAX), Ranges::empty())),
        }
    }

    /// The source addresses; of an ARP frame the sender's; none where all are in it.
    #[must_use]
    pub fn source(&self) -> Option<AddressSet> {
        self.addresses(Field::Source)
    }

    /// The destination addresses; none where all are in it.
    #[must_use]
    pub fn dest(&self) -> Option<AddressSet> {
        self.addresses(Field::Dest)
    }

    /// The source ports; none where all are in it, or its packets have none.
    #[must_use]
    pub fn source_ports(&self) -> Option<PortSet> {
        self.values(Field::SourcePort).map(|values| narrowed(values, u16::MAX))
    }

    /// The destination ports; none where all are in it, or its packets have none.
    #[must_use]
    pub fn dest_ports(&self) -> Option<PortSet> {
        self.values(Field::DestPort).map(|values| narrowed(values, u16::MAX))
    }

    /// The protocols, ascending; none where all are in it.
    #[must_use]
    pub fn protocols(&self) -> Option<Vec<Protocol>> {
        let values: Ranges<u8> = narrowed(self.values(Field::Protocol)?, u8::MAX);
        Some(values.iter().flat_map(|(first, last)| first..=last).map(Protocol).collect())
    }

    /// The states of connections; none where all are in it.
    #[must_use]
    pub fn states(&self) -> Option<Vec<State>> {
        let values = self.values(Field::State)?;
        Some(State::ALL.into_iter().filter(|state| values.contains(field::state(*state))).collect())
    }

    /// The ICMP types in the upper, codes in the lower eight bits; none where all are in it, or its packets have none.
    #[must_use]
    pub fn icmp(&self) -> Option<Ranges<u16>> {
        self.values(Field::Icmp).map(|values| narrowed(values, u16::MAX))
    }

    /// Whether a TCP packet with the flag SYN alone, which opens a connection, may be in it.
    #[must_use]
    pub fn has_bare_syn(&self) -> bool {
        self.values(Field::Flags).is_none_or(|values| values.contains(field::flags(TcpFlags::SYN)))
    }

    /// Whether an address can be the source of one of its packets.
    #[must_use]
    pub fn has_source(&self, address: IpAddr) -> bool {
        self.family().is_none_or(|family| family == Family::of(address))
            && self.values(Field::Source).is_none_or(|values| values.contains(field::address(address)))
    }
}

/// As smaller numbers; what is too great is the greatest.
fn narrowed<T: crate::net::Number + TryFrom<u128>>(values: &Ranges<u128>, greatest: T) -> Ranges<T> {
    let small = |value: u128| T::try_from(value).unwrap_or(greatest);
    Ranges::from_ranges(values.iter().map(|(first, last)| (small(first), small(last))))
}

/// A walk over the boxes of a set, see [`Sets::regions`].
#[derive(Debug)]
pub struct Regions<'s> {
    store: &'s Store,
    /// Where to go on: how many fields are known before, and what the last step there says.
    ahead: Vec<(Id, usize, Option<Known>)>,
    /// What is known where the walk is.
    known: Vec<Known>,
}

/// The values of a field.
type Known = (Field, Ranges<u128>);

impl Iterator for Regions<'_> {
    type Item = Region;

    fn next(&mut self) -> Option<Region> {
        loop {
            let (id, before, last) = self.ahead.pop()?;
            self.known.truncate(before);
            self.known.extend(last);
            let Some(node) = self.store.node(id) else {
                if id == Id::end(Label(1)) {
                    return Some(Region(self.known.clone()));
                }
                continue;
            };
            let before = self.known.len();
            let parts = parts(self.store, id).into_iter().rev();
            self.ahead.extend(parts.map(|(values, target)| (target, before, Some((node.field, values)))));
        }
    }
}

/// The targets of so many edges are looked through one by one.
const FEW_EDGES: usize = 16;

/// Where a node leads, and for which of its values; by the least of these.
fn parts(store: &Store, id: Id) -> Vec<(Ranges<u128>, Id)> {
    let Some(node) = store.node(id) else { return Vec::new() };
    let is_few = store.edges(node).1.len() <= FEW_EDGES;
    let mut found: Vec<(Vec<(u128, u128)>, Id)> = Vec::new();
    let mut places: Memo<u64, usize> = Memo::default();
    for (interval, target) in store.intervals(node).filter(|(_, target)| *target != Id::end(Label(0))) {
        let place = if is_few {
            found.iter().position(|(_, known)| *known == target)
        } else {
            places.get(&target.raw().into()).copied()
        };
        match place.and_then(|place| found.get_mut(place)) {
            Some((intervals, _)) => intervals.push(interval),
            None => {
                if !is_few {
                    places.insert(target.raw().into(), found.len());
                }
                found.push((vec![interval], target));
            }
        }
    }
    found.into_iter().map(|(intervals, target)| (Ranges::from_ranges(intervals), target)).collect()
}

/// Nodes that a walk has been at: of few nodes among very many, only these are written down.
struct Seen {
    few: Memo<u32, ()>,
    many: Vec<bool>,
    nodes: usize,
}

/// So many are few.
const FEW: usize = 1 << 12;

impl Seen {
    fn is_new(&mut self, id: Id) -> bool {
        if self.few.len() < FEW {
            return self.few.insert(id.raw(), ()).is_none();
        }
        if self.many.is_empty() {
            self.many = vec![false; self.nodes];
        }
        let is_known = self.many.get_mut(id.index()).is_none_or(|seen| std::mem::replace(seen, true));
        !is_known && !self.few.contains_key(&id.raw())
    }
}

impl Sets {
    /// Every label that some packet has.
    #[must_use]
    pub fn labels(&self, diagram: Diagram) -> BTreeSet<Label> {
        self.labels_among(diagram, &Region::default())
    }

    /// Every label that some packet of a box has: of the diagram of a list whose labels are its rules' numbers, and the
    /// box of a rule that has no packet, the rules that take its packets before it.
    #[must_use]
    pub fn labels_among(&self, diagram: Diagram, region: &Region) -> BTreeSet<Label> {
        let mut found = BTreeSet::new();
        let mut seen = Seen { few: Memo::default(), many: Vec::new(), nodes: self.store.nodes.len() };
        let mut ahead = vec![diagram.0];
        while let Some(id) = ahead.pop() {
            let Some(node) = self.store.node(id) else {
                found.extend(id.label().filter(|label| *label != Label::NONE));
                continue;
            };
            if !seen.is_new(id) {
                continue;
            }
            match region.values(node.field) {
                None => ahead.extend_from_slice(self.store.edges(node).1),
                Some(values) => {
                    let meets = |first: u128, last: u128| values.at_or_after(first).is_some_and(|value| value <= last);
                    let inside = self.store.intervals(node).filter(|((first, last), _)| meets(*first, *last));
                    ahead.extend(inside.map(|(_, target)| target));
                }
            }
        }
        found
    }

    /// The boxes of a set, which share no packet and are together all of it. There may be very many: take as many as are
    /// wanted.
    #[must_use]
    pub fn regions(&self, set: PacketSet) -> Regions<'_> {
        Regions { store: &self.store, ahead: vec![(set.0, 0, None)], known: Vec::new() }
    }

    /// The greatest of the boxes that [`Sets::regions`] gives; none of an empty set. Each field counts by the share of its
    /// values; IP counts more than other frames.
    #[must_use]
    pub fn largest(&self, set: PacketSet) -> Option<Region> {
        let mut shares = Memo::default();
        let mut family = Family::V4;
        let mut region = Region::default();
        let mut id = set.0;
        while let Some(node) = self.store.node(id) {
            let mut best: Option<(f64, Ranges<u128>, Id)> = None;
            for (values, target) in parts(&self.store, id) {
                let below = if node.field == Field::Frame { family_of(&values) } else { family };
                let share = share(node.field, below, &values) * self.share(target, below, &mut shares);
                if best.as_ref().is_none_or(|(most, ..)| share > *most) {
                    best = Some((share, values, target));
                }
            }
            let (_, values, target) = best?;
            if node.field == Field::Frame {
                family = family_of(&values);
            }
            region.0.push((node.field, values));
            id = target;
        }
        (id == Id::end(Label(1))).then_some(region)
    }

    /// The share of the greatest box below a node in all packets.
    fn share(&self, id: Id, family: Family, known: &mut Memo<(u32, u32), f64>) -> f64 {
        let Some(node) = self.store.node(id) else { return if id == Id::end(Label(1)) { 1.0 } else { 0.0 } };
        let key = (id.raw(), u32::from(family == Family::V6));
        if let Some(share) = known.get(&key) {
            return *share;
        }
        let all = parts(&self.store, id).into_iter();
        let best = all.map(|(values, target)| share(node.field, family, &values) * self.share(target, family, known));
        let best = best.fold(0.0, f64::max);
        known.insert(key, best);
        best
    }
}

fn family_of(frames: &Ranges<u128>) -> Family {
    if *frames == Ranges::single(field::IPV6) { Family::V6 } else { Family::V4 }
}

/// The share of some values in all of a field.
#[expect(clippy::cast_precision_loss, reason = "boxes that are nearly as great are as good")]
fn share(field: Field, family: Family, values: &Ranges<u128>) -> f64 {
    if field == Field::Frame {
        let ip = Family::BOTH.into_iter().filter(|family| values.contains(field::frame(*family))).count();
        return ip as f64 + 0.01;
    }
    let greatest = field.greatest(family);
    let counts = values.iter().map(|(first, last)| (last.min(greatest).saturating_sub(first)) as f64 + 1.0);
    counts.sum::<f64>() / (greatest as f64 + 1.0)
}
