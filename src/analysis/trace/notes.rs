//! What somebody who reads a trace should know besides the verdicts.

use crate::diagnostic::Span;
use crate::policy::{
    Applied, Carriage, Direction, End, Fleet, GuestPolicy, HostPolicy, Match, Origin, SkipReason, Skipped, Stage,
    Verdict, ZoneRef,
};

use super::ends::Ends;
use super::question::{Answer, Frame, Question};
use super::{Step, Trace};
use crate::analysis::condition::holds;
use crate::analysis::{Judge, Packet, Place, route};

/// One remark.
#[derive(Debug, Clone)]
pub enum Note<'a> {
    /// No protocol was named; a ping stands for the packet.
    Ping,
    /// The frame has more than one VLAN tag; nobody looks at what it carries.
    Unseen,
    /// An option of the question that no hook on the way looks at.
    NoEffect(&'static str),
    /// A machine's firewall is off, and it has no hook on the way.
    Off {
        /// A host, a guest, a vnet or a NIC.
        machine: ZoneRef,
        /// Where it was switched off.
        span: Option<Span>,
    },
    /// Both ends are on this host, in different networks of it: a router outside carries the packet from one to the other.
    Router(&'a HostPolicy),
    /// A guest may run on several hosts.
    Elsewhere {
        /// The guest.
        guest: ZoneRef,
        /// The other hosts, and the verdict there.
        others: Vec<(&'a HostPolicy, Verdict)>,
    },
    /// A rule for one interface that would have decided, had the packet named that interface.
    Interface {
        /// The rule.
        applied: Applied<'a>,
        /// The machine whose rule it is.
        machine: ZoneRef,
        /// The interface's name.
        interface: String,
    },
    /// A rule that is without effect on a machine of the way.
    Skipped {
        /// The machine.
        machine: ZoneRef,
        /// The rule, and why.
        skipped: &'a Skipped,
    },
}

/// Every remark on an answer.
pub(super) fn all<'a>(fleet: &'a Fleet, question: &Question, ends: &Ends<'a>, answer: &Answer<'a>) -> Vec<Note<'a>> {
    let mut notes = Vec::new();
    let undescribed = question.protocol.is_none() && question.icmp_type.is_none() && question.tcp_flags.is_none();
    match question.frame {
        Frame::Ip if undescribed => notes.push(Note::Ping),
        Frame::Stacked => notes.push(Note::Unseen),
        Frame::Ip | Frame::Arp | Frame::Other(_) => {}
    }
    notes.extend(no_effect(question, &answer.trace));
    notes.extend(router(answer));
    notes.extend(off(fleet, &answer.trace));
    notes.extend(elsewhere(ends, answer));
    notes.extend(answer.trace.hooks.iter().flat_map(passed_over));
    notes.extend(skipped(fleet, &answer.trace));
    notes
}

fn no_effect<'a>(question: &Question, trace: &Trace<'_>) -> Vec<Note<'a>> {
    let steps = || trace.hooks.iter().chain(&trace.unreached);
    let of_host = |step: &Step<'_>| matches!(step.crossing.machine, ZoneRef::Host(_));
    let filters = |step: &Step<'_>| step.crossing.hook.stages.iter().any(|stage| matches!(stage, Stage::MacFilter));
    let mut notes = Vec::new();
    if question.interface.is_some() && !steps().any(of_host) {
        notes.push(Note::NoEffect("--iface"));
    }
    if question.mac.is_some() && !steps().any(filters) {
        notes.push(Note::NoEffect("--mac"));
    }
    notes
}

/// Machines on the way whose firewall is off.
fn off<'a>(fleet: &Fleet, trace: &Trace<'a>) -> Vec<Note<'a>> {
    let mut found: Vec<(ZoneRef, Option<Span>)> = Vec::new();
    let mut add = |machine, span| {
        if !found.iter().any(|(known, _)| *known == machine) {
            found.push((machine, span));
        }
    };
    for leg in &trace.legs {
        let host = leg.host;
        if !host.enabled {
            let settings = [&fleet.datacenter.options.enable, &host.options.enable];
            let origin =
                settings.into_iter().find(|setting| !setting.value).and_then(|setting| setting.origin.as_ref());
            add(ZoneRef::Host(host.name.clone()), origin.map(|origin| origin.span));
            continue;
        }
        for end in [leg.from, leg.to] {
            match end {
                End::Guest(guest, _) if !guest.enabled => {
                    add(guest.zone(), guest.options.enable.origin.as_ref().map(|origin| origin.span));
                }
                End::Guest(guest, nic) if !nic.firewall => {
                    add(ZoneRef::Nic(Box::new(guest.zone()), nic.index), Some(nic.span));
                }
                End::Guest(..) | End::Host | End::Unknown(_) => {}
            }
        }
        let bridge = leg.from.bridge().or(leg.to.bridge()).filter(|_| leg.carriage == Carriage::Bridged);
        if let Some(vnet) = host.vnets.iter().find(|vnet| !vnet.enabled && Some(vnet.name.as_str()) == bridge) {
            let origin = vnet.options.enable.origin.as_ref();
            add(ZoneRef::Vnet(vnet.name.clone()), origin.map(|origin| origin.span));
        }
    }
    found.into_iter().map(|(machine, span)| Note::Off { machine, span }).collect()
}

/// Guests that may run on other hosts, with the verdicts there.
fn elsewhere<'a>(ends: &Ends<'a>, answer: &Answer<'a>) -> Vec<Note<'a>> {
    let verdict = |from, to| {
        let legs = route(from, to, answer.via).ok()?;
        Some(Trace::new(&answer.packet, legs).verdict)
    };
    let note = |place: Place<'a>, others: &[Place<'a>], judge: &dyn Fn(Place<'a>) -> Option<Verdict>| {
        let guest = guest(place)?;
        let others: Vec<_> = others.iter().filter_map(|other| Some((other.host()?, judge(*other)?))).collect();
        (!others.is_empty()).then(|| Note::Elsewhere { guest: guest.zone(), others })
    };
    [
        note(ends.from, &ends.from_elsewhere, &|from| verdict(from, ends.to)),
        note(ends.to, &ends.to_elsewhere, &|to| verdict(ends.from, to)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const fn guest<'a>(place: Place<'a>) -> Option<&'a GuestPolicy> {
    match place {
        Place::Guest(_, guest, _) => Some(guest),
        Place::Outside | Place::Host(_) => None,
    }
}

/// Whether a host hands the packet to somebody outside and gets it back.
fn router<'a>(answer: &Answer<'a>) -> Option<Note<'a>> {
    match answer.trace.legs.as_slice() {
        [first, second] if first.host.name == second.host.name => Some(Note::Router(first.host)),
        _ => None,
    }
}

/// Rules of a host for one interface that come before what decides, and of which all else holds.
fn passed_over<'a>(step: &Step<'a>) -> Vec<Note<'a>> {
    let direction = step.crossing.hook.name.direction();
    let mut notes = Vec::new();
    for (_, clause, applied) in Judge::new(step.crossing.hook, step.crossing.nic).clauses() {
        let mut failing = clause.matches.iter().filter(|condition| !holds(condition, &step.packet, direction));
        match (failing.next(), failing.next(), applied) {
            (None, ..) if clause.verdict != Verdict::Skip => break,
            (Some(condition), None, Some(applied)) => {
                if let Some(interface) = unnamed(condition, &step.packet, direction) {
                    let machine = step.crossing.machine.clone();
                    notes.push(Note::Interface { applied, machine, interface: interface.to_owned() });
                }
            }
            (None | Some(_), ..) => {}
        }
    }
    notes
}

/// The interface that a condition asks for, where the packet says nothing of it.
fn unnamed<'m>(condition: &'m Match, packet: &Packet, direction: Direction) -> Option<&'m str> {
    let known = match direction {
        Direction::In | Direction::Forward => &packet.in_interface,
        Direction::Out => &packet.out_interface,
    };
    match condition {
        Match::InInterface(name) | Match::OutInterface(name) if known.is_none() => Some(name),
        Match::InInterface(_)
        | Match::OutInterface(_)
        | Match::Frame(_)
        | Match::EtherTypeNot(_)
        | Match::Family(_)
        | Match::State(_)
        | Match::Source(_)
        | Match::SourceNot(_)
        | Match::Dest(_)
        | Match::Protocol(_)
        | Match::SourcePorts(_)
        | Match::DestPorts(_)
        | Match::Icmp(_)
        | Match::TcpFlags(_)
        | Match::TcpFlagsNot(_)
        | Match::Loopback
        | Match::SourceMacNot(_)
        | Match::ArpSender(_) => None,
    }
}

/// What a machine inherits and has not, where the packet comes as far as its rules: what `without` leaves out if it would
/// have decided, what stands for no address there in any case. The rest could not have held: it is for hosts, or for
/// another NIC.
fn skipped<'a>(fleet: &Fleet, trace: &Trace<'a>) -> Vec<Note<'a>> {
    let mut notes: Vec<Note<'a>> = Vec::new();
    for step in &trace.hooks {
        let stages = &step.crossing.hook.stages;
        let mut passed = stages.iter().take_while(|stage| Some(*stage) != step.decision.stage);
        if step.decision.rule.is_none() && !passed.any(|stage| stage.rules().is_some()) {
            continue;
        }
        let machine = &step.crossing.machine;
        let sections = stages.iter().filter_map(Stage::rules).flat_map(|list| &list.sections);
        for skipped in sections.flat_map(|inherited| &inherited.skipped) {
            let matters = match skipped.reason {
                SkipReason::Without => would_decide(fleet, &skipped.origin, step),
                SkipReason::NoAddress => true,
                SkipReason::HostsOnly | SkipReason::NoSuchNic => false,
            };
            let said = notes.iter().any(|note| {
                matches!(note, Note::Skipped { machine: other, skipped: known } if other == machine && *known == skipped)
            });
            if matters && !said {
                notes.push(Note::Skipped { machine: machine.clone(), skipped });
            }
        }
    }
    notes
}

/// Whether a rule that is left out speaks of the packet, as other machines have it. Yes where none has it.
fn would_decide(fleet: &Fleet, origin: &Origin, step: &Step<'_>) -> bool {
    let direction = step.crossing.hook.name.direction();
    let of_guests = fleet.hosts.iter().flat_map(|host| &host.guests).map(|guest| &guest.rules);
    let lists = fleet.hosts.iter().map(|host| &host.rules).chain(of_guests);
    let sections = lists.flat_map(|list| &list.sections).map(|inherited| &inherited.section);
    let mut entries = sections.filter(|section| section.zone == origin.zone).flat_map(|section| &section.entries);
    entries.find(|entry| entry.origin() == origin).is_none_or(|entry| {
        let clauses = entry.rules(direction).flat_map(|(rule, _)| rule.clauses());
        clauses.into_iter().any(|clause| clause.matches.iter().all(|m| holds(m, &step.packet, direction)))
    })
}
