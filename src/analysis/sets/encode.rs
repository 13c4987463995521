//! Clauses as diagrams.

use crate::net::{AddressSet, Family, Mac, Number, Protocol, Ranges};
use crate::policy::{Direction, FrameKind, Match, State};

use super::apply::Operation;
use super::field::{self, ARP, Field, IPV4, IPV6, Interfaces, LOOPBACK, STACKED};
use super::store::Id;
use super::table::Sets;
use super::{Diagram, Label, OverBudget, PacketSet, Region};

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

/// The values that a conjunction leaves to each field; a field without an entry has all.
#[derive(Debug, Clone, Default)]
struct Conjunction(Vec<(Field, Ranges<u128>)>);

impl Conjunction {
    fn require(&mut self, field: Field, values: Ranges<u128>) {
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, known)) => *known = known.intersection(&values),
            None => self.0.push((field, values)),
        }
    }
}

/// What a frame carries, as far as conditions are about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ip(Family),
    Arp,
    Stacked,
    Other,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Ip(Family::V4), Self::Ip(Family::V6), Self::Arp, Self::Stacked, Self::Other];

    const fn frame(self) -> FrameKind {
        match self {
            Self::Ip(_) => FrameKind::Ip,
            Self::Arp => FrameKind::Arp,
            Self::Stacked => FrameKind::Stacked,
            Self::Other => FrameKind::Other,
        }
    }

    /// The ethertypes of frames of this kind.
    fn ethertypes(self) -> Ranges<u128> {
        match self {
            Self::Ip(family) => Ranges::single(field::frame(family)),
            Self::Arp => Ranges::single(ARP),
            Self::Stacked => Ranges::single(STACKED),
            Self::Other => Ranges::from_ranges([IPV4, ARP, IPV6, STACKED].map(|number| (number, number))).complement(),
        }
    }
}

fn widened<T: Number + Into<u128>>(ranges: &Ranges<T>) -> Ranges<u128> {
    Ranges::from_ranges(ranges.iter().map(|(first, last)| (first.into(), last.into())))
}

/// The hardware addresses that are no other than this one, which the sending NIC's own never is.
fn own_macs(mac: Mac) -> Ranges<u128> {
    Ranges::from_ranges([(0, 0), Field::SourceMac.single(field::mac(Some(mac)))])
}

fn addresses(set: &AddressSet, family: Family) -> Ranges<u128> {
    match family {
        Family::V4 => widened(set.v4()),
        Family::V6 => set.v6().clone(),
    }
}

/// What a condition asks of a packet of a kind; none where such a packet never fits.
fn require(
    condition: &Match,
    kind: Kind,
    direction: Direction,
    interfaces: &mut Interfaces,
    conjunction: &mut Conjunction,
) -> Option<()> {
    let mut interface = |name: &str| Ranges::single(interfaces.add(name));
    // Every other condition is one on a field of IP packets.
    let family = match (condition, kind) {
        (Match::Frame(wanted), _) => return (*wanted == kind.frame()).then_some(()),
        (Match::EtherTypeNot(listed), _) => {
            let listed = listed.iter().map(|number| Field::Frame.single((*number).into()));
            conjunction.require(Field::Frame, Ranges::from_ranges(listed).complement());
            return Some(());
        }
        (Match::SourceMacNot(_), Kind::Arp) => return Some(()),
        (Match::SourceMacNot(mac), _) => {
            conjunction.require(Field::SourceMac, own_macs(*mac).complement());
            return Some(());
        }
        (Match::InInterface(name), _) => {
            conjunction.require(Field::InInterface, interface(name));
            return Some(());
        }
        (Match::OutInterface(name), _) => {
            conjunction.require(Field::OutInterface, interface(name));
            return Some(());
        }
        (Match::Loopback, _) => {
            let side = match direction {
                Direction::In | Direction::Forward => Field::InInterface,
                Direction::Out => Field::OutInterface,
            };
            conjunction.require(side, interface(LOOPBACK));
            return Some(());
        }
        (Match::ArpSender(set), Kind::Arp) => {
            conjunction.require(Field::Source, addresses(set, Family::V4));
            return Some(());
        }
        (_, Kind::Arp | Kind::Stacked | Kind::Other) => return None,
        (_, Kind::Ip(family)) => family,
    };
    let all = || Ranges::range(0, Field::Source.greatest(family));
    match condition {
        Match::Frame(_)
        | Match::EtherTypeNot(_)
        | Match::SourceMacNot(_)
        | Match::InInterface(_)
        | Match::OutInterface(_)
        | Match::Loopback => {}
        Match::ArpSender(_) => return None,
        Match::Family(wanted) => return (*wanted == family).then_some(()),
        Match::State(states) => {
            let wanted = State::ALL.into_iter().filter(|state| states.contains(*state)).map(field::state);
            conjunction.require(Field::State, Ranges::from_ranges(wanted.map(|number| (number, number))));
        }
        Match::Source(set) => conjunction.require(Field::Source, addresses(set, family)),
        Match::SourceNot(set) => conjunction.require(Field::Source, all().difference(&addresses(set, family))),
        Match::Dest(set) => conjunction.require(Field::Dest, addresses(set, family)),
        Match::Protocol(protocol) => conjunction.require(Field::Protocol, Ranges::single(protocol.0.into())),
        Match::SourcePorts(ports) => {
            conjunction.require(Field::Protocol, field::with_ports().clone());
            conjunction.require(Field::SourcePort, widened(ports));
        }
        Match::DestPorts(ports) => {
            conjunction.require(Field::Protocol, field::with_ports().clone());
            conjunction.require(Field::DestPort, widened(ports));
        }
        Match::Icmp(wanted) => {
            if wanted.family != family {
                return None;
            }
            conjunction.require(Field::Protocol, field::with_icmp().clone());
            conjunction.require(Field::Icmp, field::icmp_values(*wanted));
        }
        Match::TcpFlags(wanted) => {
            conjunction.require(Field::Protocol, Ranges::single(Protocol::TCP.0.into()));
            conjunction.require(Field::Flags, field::flag_values(*wanted));
        }
        Match::TcpFlagsNot(unwanted) => {
            conjunction.require(Field::Protocol, Ranges::single(Protocol::TCP.0.into()));
            conjunction.require(Field::Flags, Ranges::range(0, 0xff).difference(&field::flag_values(*unwanted)));
        }
    }
    Some(())
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
        let kind = Kind::Ip(family);
        let mut conjunction = Conjunction(Vec::with_capacity(matches.len() + 2));
        let fits = matches.iter().try_for_each(|m| require(m, kind, direction, &mut self.interfaces, &mut conjunction));
        let frames = conjunction.0.iter().find(|(field, _)| *field == Field::Frame);
        if fits.is_none() || frames.is_some_and(|(_, listed)| !listed.contains(field::frame(family))) {
            return Ok(PacketSet::EMPTY);
        }
        self.conjunction(&conjunction, kind, Ends::SET).map(PacketSet)
    }

    fn ended(&mut self, matches: &[Match], direction: Direction, ends: Ends) -> Result<Id, OverBudget> {
        self.open.clear();
        let mut kinds = Vec::with_capacity(Kind::ALL.len());
        let mut alike: Option<(Conjunction, Id)> = None;
        for kind in Kind::ALL {
            let mut conjunction = Conjunction(Vec::with_capacity(matches.len() + 2));
            let fits =
                matches.iter().try_for_each(|m| require(m, kind, direction, &mut self.interfaces, &mut conjunction));
            if fits.is_none() {
                continue;
            }
            let known = alike.as_ref().filter(|(known, _)| known.0 == conjunction.0).map(|(_, id)| *id);
            let made = match known {
                Some(id) => id,
                None => self.conjunction(&conjunction, kind, ends)?,
            };
            let ethertypes = match conjunction.0.iter().find(|(field, _)| *field == Field::Frame) {
                Some((_, listed)) => kind.ethertypes().intersection(listed),
                None => kind.ethertypes(),
            };
            let made = if kind == Kind::Arp { self.arp_macs(matches, made, ends)? } else { made };
            // The same numbers are other addresses in the other family.
            if kind != Kind::Arp && !conjunction.0.iter().any(|(field, _)| matches!(field, Field::Source | Field::Dest))
            {
                alike = Some((conjunction, made));
            }
            kinds.extend(ethertypes.iter().map(|interval| (interval, made)));
        }
        kinds.sort_unstable_by_key(|((first, _), _)| *first);
        self.split(Field::Frame, kinds.into_iter(), ends.outside)
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
        let mut conjunction = Conjunction(Vec::with_capacity(values.len()));
        for (field, ranges) in values {
            conjunction.require(*field, ranges.clone());
        }
        conjunction.0.sort_unstable_by_key(|(field, _)| std::cmp::Reverse(*field));
        let mut id = ends.inside;
        for (field, values) in &conjunction.0 {
            if values.is_empty() {
                return Ok(ends.outside);
            }
            // Beyond the greatest value it is as at that value, whatever is said of what is beyond.
            let greatest = field.greatest(family);
            let open = |(first, last)| ((first, if last >= greatest { u128::MAX } else { last }), id);
            id = self.split(*field, values.iter().filter(|(first, _)| *first <= greatest).map(open), ends.outside)?;
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

    /// The ways to the ends for packets that a conjunction holds for, from its second field on: the first is the ethertype.
    fn conjunction(&mut self, conjunction: &Conjunction, kind: Kind, ends: Ends) -> Result<Id, OverBudget> {
        let family = if let Kind::Ip(family) = kind { family } else { Family::V4 };
        let mut fields: Vec<_> = conjunction.0.iter().filter(|(field, _)| *field != Field::Frame).collect();
        fields.sort_unstable_by_key(|(field, _)| std::cmp::Reverse(*field));
        let mut id = ends.inside;
        for (field, values) in fields {
            if values.is_empty() {
                return Ok(ends.outside);
            }
            // Beyond the greatest value it is as at that value.
            let greatest = field.greatest(family);
            let open = |(first, last)| ((first, if last >= greatest { u128::MAX } else { last }), id);
            id = self.split(*field, values.iter().map(open), ends.outside)?;
        }
        Ok(id)
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
