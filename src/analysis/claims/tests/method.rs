//! The method against the evaluator: the same verdict for each packet that it builds; and no packet of a space meets a
//! fate that none of those meets.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::analysis::claims::ends::World;
use crate::analysis::claims::field::Field;
use crate::analysis::claims::limit::Limits;
use crate::analysis::claims::sample::verdicts;
use crate::analysis::claims::space::{Ends, Space};
use crate::analysis::claims::way::Way;
use crate::analysis::judge::Judge;
use crate::analysis::packet::Packet;
use crate::analysis::tests::fleet;
use crate::analysis::trace::Trace;
use crate::net::{AddressSet, Family, PortSet};
use crate::policy::{Endpoint, Fleet, Match, Verdict};

use super::meaning::WORLD;

/// Wide claims, so that every stage is in reach.
const CLAIMS: &str = r#"
tests:
  - { from: [outside, host/*, vm/*, ct/*], to: [outside, host/*, vm/*, ct/*], expect: drop }
  - { from: [outside, host/*, vm/*, ct/*], to: [outside, host/*, vm/*, ct/*], expect: accept }
  - { from: [outside, vm/*], to: [host/*, vm/*, ct/*], proto: tcp, dport: [1-100, 8000-9999], expect: drop }
  - { from: [outside, vm/*], to: [host/*, vm/*, ct/*], proto: udp, state: invalid, expect: drop }
  - { from: outside, to: vm/*, source: 198.51.96.0/20, macro: Ping, expect: accept }
"#;

/// Calls back for every so many-th space of every claim.
fn spaces(fleet: &Fleet, every: usize, mut found: impl FnMut(&Space<'_>, &[Arc<Judge<'_>>], &Way<'_>)) {
    let world = World::new(fleet, Limits::default());
    let mut number = 0;
    for claim in &fleet.tests {
        let all = |list: &[crate::policy::ClaimEnd]| -> Vec<Endpoint> {
            list.iter().flat_map(|end| end.endpoints.iter().cloned()).collect()
        };
        for (from, to) in all(&claim.from).iter().flat_map(|a| all(&claim.to).into_iter().map(move |b| (a, b))) {
            for way in world.ways(claim, from, &to) {
                let (judges, ends) = (world.judges(&way), Ends::new(&world, claim, &way));
                for service in claim.services.iter().map(Some).chain(claim.services.is_empty().then_some(None)) {
                    for space in Family::BOTH.into_iter().flat_map(|f| Space::all(claim, service, &ends, &judges, f)) {
                        number += 1;
                        if usize::is_multiple_of(number, every) {
                            found(&space, &judges, &way);
                        }
                    }
                }
            }
        }
    }
}

fn fate(packet: &Packet, way: &Way<'_>) -> (Verdict, Option<&'static str>) {
    let trace = Trace::new(packet, way.legs.clone());
    let stopped = trace.hooks.last().filter(|_| trace.verdict != Verdict::Accept);
    (trace.verdict, stopped.and_then(|step| step.decision.stage).map(|stage| stage.name()))
}

/// What decides at each hook that the packet reaches: the stage, and the rule.
fn reasons(packet: &Packet, way: &Way<'_>) -> Vec<(&'static str, Option<String>)> {
    let trace = Trace::new(packet, way.legs.clone());
    let reason = |step: &crate::analysis::Step<'_>| {
        let rule = step.decision.rule.map(|applied| applied.rule.origin.identity.clone());
        (step.decision.stage.map_or("none", |stage| stage.name()), rule)
    };
    trace.hooks.iter().map(reason).collect()
}

#[test]
fn every_packet_gets_the_evaluators_verdict() {
    let fleet = fleet(&format!("{WORLD}{CLAIMS}"));
    let mut compared = 0;
    spaces(&fleet, 1, |space, judges, way| {
        verdicts(space, judges, 50, |packet, verdict, stage| {
            assert_eq!(fate(packet, way), (verdict, stage), "{packet:?}");
            compared += 1;
        });
    });
    assert!(compared > 10_000, "{compared}");
}

/// A fixed sequence of numbers without a pattern (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 16
    }

    /// A packet of the space: each field has a value from a random place on, which no condition needs to name.
    fn packet(&mut self, space: &Space<'_>, near: &[IpAddr]) -> Packet {
        let mut packet = space.template().clone();
        for field in Field::ALL {
            let from = near[self.next() as usize % near.len()];
            let address = match from {
                IpAddr::V4(address) => {
                    IpAddr::V4((u32::from(address) ^ (self.next() as u32 >> (self.next() % 33).min(31))).into())
                }
                IpAddr::V6(address) => {
                    IpAddr::V6((u128::from(address) ^ (u128::from(self.next()) << (self.next() % 80))).into())
                }
            };
            let set = Arc::new(AddressSet::address(address));
            let ports: [u16; 12] = [0, 24, 43, 68, 80, 113, 443, 2049, 5005, 5432, 8050, 9005];
            let port =
                ports[self.next() as usize % ports.len()].wrapping_add((self.next() % 200) as u16).wrapping_sub(100);
            let port = PortSet::single(if self.next().is_multiple_of(2) {
                port
            } else {
                ports[self.next() as usize % ports.len()]
            });
            let icmp =
                crate::net::IcmpType { family: Family::V4, kind: self.next() as u8, code: Some(self.next() as u8) };
            let condition = match field {
                Field::DestPort => Match::DestPorts(port),
                Field::SourcePort => Match::SourcePorts(port),
                Field::Source => Match::Source(set),
                Field::Dest => Match::Dest(set),
                Field::Icmp => Match::Icmp(icmp),
                Field::InInterface => Match::InInterface("eno1".to_owned()),
                Field::OutInterface => Match::OutInterface("eno1".to_owned()),
                Field::Flags => Match::Loopback,
            };
            let values = space.values(field, &[&condition]);
            values[self.next() as usize % values.len()].set(field, &mut packet);
        }
        packet
    }
}

#[test]
fn no_packet_has_a_fate_that_none_of_the_chosen_has() {
    let fleet = fleet(&format!("{WORLD}{CLAIMS}"));
    let near: Vec<IpAddr> = [
        "203.0.113.9",
        "198.51.100.1",
        "10.0.1.100",
        "10.0.2.101",
        "10.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "2001:db8:1::100",
        "fe80::be24:11ff:fe00:64",
        "ff02::1",
        "::",
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect();
    let mut numbers = Numbers(1);
    let mut fates = BTreeSet::new();
    spaces(&fleet, 5, |space, judges, way| {
        let mut chosen = BTreeSet::new();
        verdicts(space, judges, usize::MAX, |packet, _, _| {
            chosen.insert(reasons(packet, way));
        });
        for _ in 0..40 {
            let packet = numbers.packet(space, &near);
            let fate = reasons(&packet, way);
            assert!(chosen.contains(&fate), "{fate:?} is none of {chosen:?}: {packet:?}");
            fates.insert(fate);
        }
    });
    assert!(fates.len() > 25, "{}: {fates:?}", fates.len());
}
