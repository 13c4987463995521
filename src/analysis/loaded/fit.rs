//! Which packets a rule is for, once the context is known.

use std::borrow::Cow;

use crate::analysis::sets::{Field, Label, OverBudget, PacketSet, stand};
use crate::net::{Family, Ranges};
use crate::state::ruleset::Verdict;

use super::context::TAG;
use super::outcome::State;
use super::ready::Ready;
use super::run::{Ground, Loaded};
use super::said::{Said, Step};
use super::values::{ARP, frame, mac_number};
use super::{Condition, Context, Fields, Pattern, Port, PortValue, Tagging};

/// Which packets a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fit<'r> {
    /// Those in any of these; none: all.
    boxes: Option<Cow<'r, [Fields]>>,
    /// And these alone.
    among: Option<PacketSet>,
}

/// Whether a rule is for any packets.
pub(super) enum Fitting<'r> {
    /// The context says that it is for none.
    Never,
    /// For these.
    Packets(Fit<'r>),
    /// It asks for what is not known here.
    Unknown,
}

/// Whether a condition holds.
enum Holds {
    Always,
    Never,
    In(PacketSet),
    Unknown,
}

/// The ethertypes of IP, and of ARP (IEEE 802).
const IPV4: u128 = frame(Family::V4);
const IPV6: u128 = frame(Family::V6);

/// The ethertype of a service tag (IEEE 802.1ad).
const SERVICE: u128 = 0x88a8;

impl Fit<'_> {
    /// Whether it is for all packets.
    pub(super) const fn is_all(&self) -> bool {
        self.boxes.is_none() && self.among.is_none()
    }
}

/// Whether the context says that a rule is for no packets, as far as that is seen at a glance: of rules that lead to ports
/// or destinations all but one.
pub(super) fn is_elsewhere(rule: &Ready<'_>, context: &Context) -> bool {
    for condition in &rule.others {
        if let Condition::Port { port, names, negated: false } = condition
            && *context.port(*port) != PortValue::Any
            && !context.port(*port).fits_any(names)
        {
            return true;
        }
    }
    let Some(boxes) = &rule.boxes else { return false };
    let misses_all = |field: Field, is: &Ranges<u128>| {
        boxes.iter().all(|one| one.0.iter().any(|(asked, values)| *asked == field && misses(values, is)))
    };
    let led = context.towards.as_ref().filter(|_| matches!(rule.verdict, Verdict::Jump(_) | Verdict::Goto(_)));
    led.is_some_and(|to| misses_all(Field::Dest, &to.dest))
        || context.tagging.frame().is_some_and(|frame| misses_all(Field::Frame, &Ranges::single(frame)))
}

/// Whether none of some values is among others.
fn misses(values: &Ranges<u128>, is: &Ranges<u128>) -> bool {
    let meets = |first: u128, last: u128| is.at_or_after(first).is_some_and(|value| value <= last);
    !values.iter().any(|(first, last)| meets(first, last))
}

impl<'t> Loaded<'t> {
    /// Which packets a rule is for; nothing where the context says that it is for none.
    pub(super) fn fit<'r>(
        &mut self,
        ground: &mut Ground,
        rule: &'r Ready<'t>,
        state: &State,
        context: &Context,
    ) -> Result<Fitting<'r>, OverBudget> {
        let leads = rule.verdict.chain().is_some();
        let led = context.towards.as_ref().filter(|_| leads);
        let mut boxes = rule.boxes.as_deref().map(Cow::Borrowed);
        if let Some(some) = &mut boxes {
            if rule.reads.has_mac() {
                own_macs(some, context, self.standing.is_on);
            }
            if let Some(to) = led {
                known(some, Field::Dest, &to.dest);
            }
            if let Some(frame) = context.tagging.frame() {
                known(some, Field::Frame, &Ranges::single(frame));
            }
            if some.iter().any(|one| one.0.is_empty()) {
                boxes = None;
            } else if some.is_empty() {
                return Ok(Fitting::Never);
            }
        }
        let mut fit = Fit { boxes, among: None };
        for condition in &rule.others {
            let holds = match (condition, led) {
                (Condition::Port { port: Port::Out, names, negated }, Some(to))
                    if to.out_interface != PortValue::Any =>
                {
                    when(to.out_interface.fits_any(names) != *negated)
                }
                (_, _) => self.condition(ground, condition, state, context)?,
            };
            match holds {
                Holds::Always => {}
                Holds::Never => return Ok(Fitting::Never),
                Holds::Unknown => return Ok(Fitting::Unknown),
                Holds::In(set) => {
                    fit.among = Some(match fit.among {
                        Some(known) => ground.sets.intersection(known, set)?,
                        None => set,
                    });
                }
            }
        }
        Ok(Fitting::Packets(fit))
    }

    fn condition(
        &mut self,
        ground: &mut Ground,
        condition: &Condition,
        state: &State,
        context: &Context,
    ) -> Result<Holds, OverBudget> {
        match condition {
            Condition::Packet(boxes) => self.boxes(ground, boxes).map(Holds::In),
            Condition::Outer(values) => match context.tagging {
                Tagging::Plain => plain(ground, values, self.chains.family),
                Tagging::Service => Ok(when(values.contains(SERVICE))),
                Tagging::Double => Ok(when(values.contains(TAG))),
            },
            Condition::Port { port, names, negated } => {
                let value = context.port(*port);
                if *value == PortValue::Any {
                    return any_port(ground, *port, names, *negated);
                }
                Ok(when(value.fits_any(names) != *negated))
            }
            Condition::Keyed { port, .. } if *context.port(*port) == PortValue::Any => Ok(Holds::Unknown),
            Condition::Keyed { port, entries, domain, negated } => {
                let fields =
                    context.port(*port).name().and_then(|name| entries.get(name)).map_or(&[][..], Vec::as_slice);
                let mut fields = Cow::Borrowed(fields);
                own_macs(&mut fields, context, self.standing.is_on);
                if self.standing.is_on {
                    own_sources(&mut fields, context);
                }
                let inside = self.boxes(ground, &fields)?;
                if !*negated && fields.iter().all(|one| is_within(one, domain)) {
                    return Ok(Holds::In(inside));
                }
                let mut domain = Cow::Borrowed(std::slice::from_ref(domain));
                own_macs(&mut domain, context, self.standing.is_on);
                let domain = self.boxes(ground, &domain)?;
                let set = if *negated {
                    ground.sets.difference(domain, inside)?
                } else {
                    ground.sets.intersection(domain, inside)?
                };
                Ok(Holds::In(set))
            }
            Condition::Mark { mask, value, negated } => Ok(when((state.mark & mask == *value) != *negated)),
            Condition::FromBridge(wanted) => Ok(when((context.bridge_in != PortValue::None) == *wanted)),
            Condition::ToBridge(wanted) => Ok(when((context.bridge_out != PortValue::None) == *wanted)),
            Condition::Bridged(wanted) => Ok(when(context.bridged == *wanted)),
            // What exceeds a limit is no packet's own; see `after`.
            Condition::Above(_) | Condition::Opaque(_) => Ok(Holds::Always),
        }
    }

    fn boxes(&self, ground: &mut Ground, boxes: &[Fields]) -> Result<PacketSet, OverBudget> {
        let mut whole = PacketSet::EMPTY;
        for one in boxes {
            let made = ground.sets.having(family(one, self.chains.family), &one.0)?;
            whole = ground.sets.union(whole, made)?;
        }
        Ok(whole)
    }

    /// Whether a rule is for all packets.
    pub(super) fn is_for_all(
        &mut self,
        ground: &mut Ground,
        rule: &Ready<'t>,
        state: &State,
        context: &Context,
    ) -> Result<bool, OverBudget> {
        let fits = matches!(self.fit(ground, rule, state, context)?, Fitting::Packets(fit) if fit.is_all());
        Ok(fits && !rule.is_limited())
    }

    /// The label, for packets that fit.
    pub(super) fn labelled(&self, ground: &mut Ground, fit: &Fit<'_>, label: Label) -> Result<Step, OverBudget> {
        Ok(Step::One(self.set(ground, fit)?, label))
    }

    pub(super) fn set(&self, ground: &mut Ground, fit: &Fit<'_>) -> Result<PacketSet, OverBudget> {
        let made = match &fit.boxes {
            Some(boxes) => self.boxes(ground, boxes)?,
            None => PacketSet::ALL,
        };
        match fit.among {
            Some(among) => ground.sets.intersection(among, made),
            None => Ok(made),
        }
    }

    /// What is said, for packets that fit.
    pub(super) fn among(&self, ground: &mut Ground, fit: &Fit<'_>, said: Said) -> Result<Said, OverBudget> {
        if fit.is_all() {
            return Ok(said);
        }
        let set = self.set(ground, fit)?;
        ground.within(set, said)
    }
}

const fn when(holds: bool) -> Holds {
    if holds { Holds::Always } else { Holds::Never }
}

/// Whether packets with some fields have others, too, as far as that is seen at a glance.
fn is_within(fields: &Fields, others: &Fields) -> bool {
    others.0.iter().all(|other| fields.0.contains(other))
}

/// The family of the addresses in fields.
fn family(fields: &Fields, otherwise: Family) -> Family {
    let frames = fields.0.iter().find(|(field, _)| *field == Field::Frame);
    frames.map_or(otherwise, |(_, frames)| if frames.contains(0x0800) { Family::V4 } else { Family::V6 })
}

/// A NIC's own hardware address is a value of its own, which stands for what the context knows it to be. Where others stand for it
/// (`stands`), it changes places with that one: what is proved then holds for all.
pub(super) fn own_macs(boxes: &mut Cow<'_, [Fields]>, context: &Context, stands: bool) {
    let Some(own) = context.own_mac.map(mac_number) else { return };
    let other = mac_number(stand::MAC);
    if !boxes.iter().any(|one| one.0.iter().any(|(field, _)| field.is_mac())) {
        return;
    }
    for (_, values) in boxes.to_mut().iter_mut().flat_map(|one| &mut one.0).filter(|(field, _)| field.is_mac()) {
        *values = with_own(values, own, stands.then_some(other));
    }
}

/// Hardware addresses, where the NIC's own is 0; `other` changes places with it.
fn with_own(values: &Ranges<u128>, own: u128, other: Option<u128>) -> Ranges<u128> {
    let numbers = |numbers: &[u128]| Ranges::from_ranges(numbers.iter().map(|number| (*number, *number)));
    // Most that rules ask for is that one alone.
    if *values.as_slice() == [(own, own)] {
        return numbers(&[0, other.unwrap_or(own)]);
    }
    let is_own = values.contains(own);
    let (mut moved, mut held) = (vec![0], if is_own { vec![0] } else { Vec::new() });
    if let Some(other) = other.filter(|other| values.contains(*other) != is_own) {
        moved.extend([own, other]);
        held.push(if is_own { other } else { own });
    }
    let others = values.difference(&numbers(&moved));
    if held.is_empty() { others } else { others.union(&numbers(&held)) }
}

/// What stands for a NIC's own addresses, in place of these.
pub(super) fn own_sources(boxes: &mut Cow<'_, [Fields]>, context: &Context) {
    let Some(own) = &context.own_sources else { return };
    let stand_in = |one: &Fields| {
        let [(Field::Frame, frames), (Field::Source, values)] = one.0.as_slice() else { return None };
        let [(frame, last)] = *frames.as_slice() else { return None };
        let is_own = match frame {
            _ if frame != last || values.is_empty() => false,
            IPV4 | ARP => values.iter().eq(own.v4().iter().map(|(first, last)| (first.into(), last.into()))),
            IPV6 => values == own.v6(),
            _ => false,
        };
        is_own.then(|| Fields(stand::sources(std::iter::once(frame))))
    };
    if boxes.iter().any(|one| stand_in(one).is_some()) {
        let others = boxes.iter().map(|one| stand_in(one).unwrap_or_else(|| one.clone()));
        *boxes = Cow::Owned(others.collect());
    }
}

/// Of packets whose field has one of some values, what is known needs no test.
fn known(boxes: &mut Cow<'_, [Fields]>, field: Field, is: &Ranges<u128>) {
    let ends = is.as_slice().first().zip(is.as_slice().last());
    let holds = |(asked, values): &(Field, Ranges<u128>)| {
        *asked == field
            && match (values.as_slice(), ends) {
                ([(first, last)], Some(((least, _), (_, greatest)))) => first <= least && greatest <= last,
                (_, _) => is.is_subset(values),
            }
    };
    let never = |(asked, values): &(Field, Ranges<u128>)| *asked == field && misses(values, is);
    if !boxes.iter().any(|one| one.0.iter().any(|field| holds(field) || never(field))) {
        return;
    }
    // Of which family addresses are is said by the frame beside them.
    let is_needed = |one: &Fields| field == Field::Frame && one.0.iter().any(|(field, _)| field.is_address());
    let kept = boxes.iter().filter(|one| !one.0.iter().any(never));
    let kept = kept.map(|one| Fields(one.0.iter().filter(|field| is_needed(one) || !holds(field)).cloned().collect()));
    let kept = kept.collect();
    *boxes = Cow::Owned(kept);
}

/// What `ether type` asks of frames without a second tag, which may have one of 802.1Q that hides their type.
fn plain(ground: &mut Ground, values: &Ranges<u128>, family: Family) -> Result<Holds, OverBudget> {
    let service = Ranges::single(SERVICE);
    let inside = values.is_subset(&service);
    if !inside && !values.complement().is_subset(&service) {
        return Ok(Holds::Unknown);
    }
    ground.sets.having(family, &[(Field::Frame, values.clone())]).map(Holds::In)
}

/// A port that is a field of the packet.
fn any_port(ground: &mut Ground, port: Port, names: &[Pattern], negated: bool) -> Result<Holds, OverBudget> {
    let field = match port {
        Port::In => Field::InInterface,
        Port::Out => Field::OutInterface,
        Port::BridgeIn | Port::BridgeOut | Port::Bridge => return Ok(Holds::Unknown),
    };
    let mut numbers = Vec::new();
    for name in names {
        match name {
            Pattern::Is(name) => numbers.push(ground.sets.interface(name)),
            Pattern::BeginsWith(_) => return Ok(Holds::Unknown),
        }
    }
    let wanted = Ranges::from_ranges(numbers.into_iter().map(|number| (number, number)));
    let wanted = if negated { wanted.complement() } else { wanted };
    ground.sets.having(Family::V4, &[(field, wanted)]).map(Holds::In)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sets of seven addresses, each pair of them as the NIC's own and what stands for it.
    #[test]
    fn a_nics_own_address_changes_places_with_what_stands_for_it() {
        for bits in 0..1_u32 << 7 {
            let among = |numbers: &[u128]| Ranges::from_ranges(numbers.iter().map(|number| (*number, *number)));
            let has = |number: u128| bits >> number & 1 == 1;
            let listed: Vec<u128> = (1..7).filter(|number| has(*number)).collect();
            let values = if has(0) { among(&listed).union(&Ranges::range(7, 20)) } else { among(&listed) };
            for own in 1..7 {
                let plain = with_own(&values, own, None);
                for other in 1..7 {
                    let turned = with_own(&values, own, Some(other));
                    for number in 1..=21 {
                        assert_eq!(plain.contains(number), values.contains(number));
                        let place = if number == own {
                            other
                        } else if number == other {
                            own
                        } else {
                            number
                        };
                        assert_eq!(
                            turned.contains(number),
                            values.contains(place),
                            "{values:?} {own} {other} {number}"
                        );
                    }
                    assert_eq!([&plain, &turned].map(|values| values.contains(0)), [values.contains(own); 2]);
                }
            }
        }
    }
}
