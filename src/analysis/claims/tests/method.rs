//! The method against the evaluator: the same verdict for each packet that it builds, and for many that it does not.

use crate::analysis::claims::ends::World;
use crate::analysis::claims::sample::verdicts;
use crate::analysis::claims::space::{Ends, Space};
use crate::analysis::tests::fleet;
use crate::analysis::trace::Trace;

use super::meaning::WORLD;

/// Wide claims, so that every stage is in reach.
const CLAIMS: &str = r#"
tests:
  - { from: [outside, host/*, vm/*, ct/*], to: [outside, host/*, vm/*, ct/*], expect: drop }
  - { from: [outside, host/*, vm/*, ct/*], to: [outside, host/*, vm/*, ct/*], expect: accept }
  - { from: [outside, vm/*], to: [host/*, vm/*, ct/*], proto: tcp, dport: [1-100, 8000-9999], expect: drop }
  - { from: [outside, vm/*], to: [host/*, vm/*, ct/*], proto: udp, state: invalid, expect: drop }
"#;

#[test]
fn every_packet_gets_the_evaluators_verdict() {
    let fleet = fleet(&format!("{WORLD}{CLAIMS}"));
    let world = World::new(&fleet);
    let mut compared = 0;
    for claim in &fleet.tests {
        let ends = |list: &[crate::policy::ClaimEnd]| -> Vec<_> {
            list.iter().flat_map(|end| end.endpoints.iter().cloned()).collect()
        };
        for (from, to) in
            ends(&claim.from).iter().flat_map(|a| ends(&claim.to).into_iter().map(move |b| (a.clone(), b)))
        {
            for way in world.ways(claim, &from, &to) {
                let (judges, ends) = (world.judges(&way), Ends::new(&world, claim, &way));
                for service in claim.services.iter().map(Some).chain(claim.services.is_empty().then_some(None)) {
                    for space in Space::all(claim, service, &ends, &judges) {
                        verdicts(&space, &judges, 300, |packet, verdict| {
                            let trace = Trace::new(packet, way.legs.clone());
                            assert_eq!(trace.verdict, verdict, "{from:?} to {to:?}: {packet:?} {trace:?}");
                            compared += 1;
                        });
                    }
                }
            }
        }
    }
    assert!(compared > 20_000, "{compared}");
}
