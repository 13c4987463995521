//! Rules in values of fields: those that have them are for just these packets.

use fwc::analysis::sets::{Field, InValues, PacketSet, Sets};
use fwc::net::{Family, Ranges};
use fwc::policy::{Clause, Direction, Log};

use crate::{fleet, hooks, sets, specs};

/// The packets that any of some clauses is for.
fn whole(sets: &mut Sets, clauses: &[Clause], direction: Direction) -> PacketSet {
    clauses.iter().fold(PacketSet::EMPTY, |whole, clause| {
        let set = sets.matching(&clause.matches, direction).unwrap();
        sets.union(whole, set).unwrap()
    })
}

/// Whether clauses were told in values, and that these are their packets.
fn hold(sets: &mut Sets, clauses: &[Clause], direction: Direction) -> bool {
    let Some(values) = InValues::of_clauses(sets, clauses, direction) else { return false };
    let whole = whole(sets, clauses, direction);
    let frames = Ranges::from_ranges([0x0800, 0x86dd].map(|frame| (frame, frame)));
    let ip = sets.having(Family::V4, &[(Field::Frame, frames)]).unwrap();
    assert!(sets.is_subset(whole, ip).unwrap(), "{clauses:?}");
    assert!(clauses.iter().all(|clause| clause.verdict == values.verdict && clause.log == Log::None), "{clauses:?}");
    for (family, frame) in [(Family::V4, 0x0800), (Family::V6, 0x86dd)] {
        let set = sets.frames_of(whole, frame);
        match values.of(family) {
            Some(values) => {
                assert!(values.is_sorted_by_key(|(field, _)| *field), "{clauses:?}");
                assert_eq!(sets.having(family, values).unwrap(), set, "{clauses:?} {family:?} {values:?}");
                assert!(!set.is_empty(), "{clauses:?} {family:?}");
            }
            None => assert!(set.is_empty(), "{clauses:?} {family:?}"),
        }
    }
    true
}

#[test]
fn rules_in_values_are_for_the_packets_that_have_them() {
    // All, those in values, those of them with several clauses, and those that are for one family.
    let mut seen = [0; 4];
    for seed in 300..340 {
        let fleet = fleet(&specs::random_spec(seed));
        let mut sets = sets();
        for (hook, nic) in hooks(&fleet) {
            let direction = hook.name.direction();
            for stage in &hook.stages {
                let clauses = stage.clauses(hook.name, nic);
                hold(&mut sets, &clauses, direction);
                for some in clauses.chunks(1).chain(clauses.windows(2)) {
                    hold(&mut sets, some, direction);
                }
                for applied in stage.rules().into_iter().flat_map(|list| list.applied(direction, nic)) {
                    let clauses = applied.clauses();
                    let is_told = hold(&mut sets, &clauses, direction);
                    let values = InValues::of_clauses(&mut sets, &clauses, direction);
                    let is_of_one =
                        values.is_some_and(|values| values.of(Family::V4).is_none() != values.of(Family::V6).is_none());
                    let counts = [true, is_told, is_told && clauses.len() > 1, is_of_one];
                    seen.iter_mut().zip(counts).for_each(|(seen, counts)| *seen += usize::from(counts));
                }
            }
        }
    }
    let [all, told, several, of_one] = seen;
    assert!(told * 2 > all && several > 100 && of_one > 100, "{seen:?}");
}
