//! The packet sets against the plain evaluator, which is written without them: the same answer for every packet.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod blowup;
#[path = "../specs/edits.rs"]
mod edits;
mod laws;
mod lint;
mod packets;
#[path = "../judge/random.rs"]
#[expect(dead_code, reason = "the judge takes the rest")]
mod random;
mod rules;
#[path = "../common/side.rs"]
mod side;
#[path = "../judge/specs/mod.rs"]
#[expect(clippy::allow_attributes, reason = "an `expect` of dead code is not kept within a module")]
#[allow(dead_code, unused_imports, reason = "the judge takes the rest")]
mod specs;
mod steps;
mod values;
mod wire;

use fwc::analysis::Judge;
use fwc::analysis::sets::{Budget, Interfaces, Sets, decision};
use fwc::diagnostic::SourceMap;
use fwc::net::Family;
use fwc::policy::{Fleet, Hook, Match, Nic};

use packets::Near;
use random::Random;

fn fleet(text: &str) -> Fleet {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", text);
    let (spec, found) = fwc::spec::load(&sources);
    let spec = spec.unwrap_or_else(|| panic!("{found:?}"));
    let (fleet, found) = fwc::resolve::resolve(&spec);
    fleet.unwrap_or_else(|| panic!("{found:?}"))
}

/// Every hook of a fleet.
fn hooks(fleet: &Fleet) -> Vec<(&Hook, Option<&Nic>)> {
    let mut found = Vec::new();
    for host in &fleet.hosts {
        found.extend([&host.hook_in, &host.hook_out, &host.hook_forward].map(|hook| (hook, None)));
        for guest in &host.guests {
            for nic in &guest.nics {
                found.extend([(&guest.hook_in, Some(nic)), (&guest.hook_out, Some(nic))]);
            }
        }
    }
    found.extend(fleet.vnets.iter().map(|vnet| (&vnet.hook, None)));
    found
}

fn conditions<'j>(judge: &'j Judge<'_>) -> impl Iterator<Item = &'j Match> {
    judge.clauses().flat_map(|(_, clause, _)| &clause.matches)
}

fn sets() -> Sets {
    Sets::new(Interfaces::default(), Budget::default())
}

/// Specs that are tried, and packets for each hook.
const SPECS: u64 = 60;
const PACKETS: usize = 1_000_000;

#[test]
fn a_million_packets_get_the_evaluators_verdict() {
    let fleets: Vec<Fleet> = (0..SPECS).map(|seed| fleet(&specs::random_spec(seed))).collect();
    let count: usize = fleets.iter().map(|fleet| hooks(fleet).len()).sum();
    let each = PACKETS / count / 2 + 1;
    let mut random = Random::new(1);
    let (mut compared, mut by_verdict) = (0, [0_usize; 3]);
    for fleet in &fleets {
        for (hook, nic) in hooks(fleet) {
            let judge = Judge::new(hook, nic);
            let mut sets = sets();
            let diagram = sets.hook(&judge).expect("within the budget");
            let near = Near::of(conditions(&judge));
            for packet in (0..each).flat_map(|_| Family::BOTH.map(|family| near.packet(family, &mut random))) {
                let found = decision(sets.label(diagram, &packet)).expect("a decision");
                let wanted = judge.decide(&packet);
                assert_eq!(found, (wanted.verdict, wanted.log), "{packet:?} at {:?}", hook.name);
                by_verdict[found.0 as usize] += 1;
                compared += 1;
            }
        }
    }
    assert!(compared >= PACKETS, "{compared}");
    assert!(by_verdict.iter().all(|count| *count > 1000), "{by_verdict:?}");
}
