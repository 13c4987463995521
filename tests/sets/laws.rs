//! Laws that hold for all sets, held against each other by their roots.

use std::collections::BTreeSet;
use std::sync::Arc;

use fwc::analysis::Judge;
use fwc::analysis::sets::{Diagram, FirstMatch, Label, PacketSet, Sets, Wish, decision, label_of};
use fwc::net::{AddressSet, Family, PortSet, Protocol};
use fwc::policy::{Direction, Log, Match, Verdict};

use crate::packets::Near;
use crate::random::Random;
use crate::{conditions, fleet, hooks, sets, specs};

/// Calls back for every hook of some specs.
fn each(seeds: std::ops::Range<u64>, mut found: impl FnMut(&Judge<'_>, &mut Sets, Diagram)) {
    for seed in seeds {
        let fleet = fleet(&specs::random_spec(seed));
        for (hook, nic) in hooks(&fleet) {
            let judge = Judge::new(hook, nic);
            let mut sets = sets();
            let diagram = sets.hook(&judge).unwrap();
            found(&judge, &mut sets, diagram);
        }
    }
}

/// The packets of each clause, and those that are accepted.
fn some(judge: &Judge<'_>, sets: &mut Sets, diagram: Diagram) -> Vec<PacketSet> {
    let direction = judge.direction();
    let mut found = vec![sets.select(diagram, |label| label == label_of(Verdict::Accept, Log::None)).unwrap()];
    for (_, clause, _) in judge.clauses() {
        found.push(sets.matching(&clause.matches, direction).unwrap());
    }
    found
}

#[test]
fn sets_made_in_two_ways_have_one_root() {
    let mut compared = 0;
    each(100..110, |judge, sets, diagram| {
        let found = some(judge, sets, diagram);
        let mut random = Random::new(compared);
        for _ in 0..30 {
            let [a, b, c] = [(); 3].map(|()| *random.pick(&found));
            let union = sets.union(a, b).unwrap();
            let (not_a, not_b) = (sets.complement(a).unwrap(), sets.complement(b).unwrap());
            // De Morgan.
            let neither = sets.intersection(not_a, not_b).unwrap();
            assert_eq!(sets.complement(union).unwrap(), neither);
            let both = sets.intersection(a, b).unwrap();
            let not_both = sets.union(not_a, not_b).unwrap();
            assert_eq!(sets.complement(both).unwrap(), not_both);
            // A union falls apart into what is only in one, and what is in both.
            let (only_a, only_b) = (sets.difference(a, b).unwrap(), sets.difference(b, a).unwrap());
            let apart = sets.union(only_a, only_b).unwrap();
            assert_eq!(sets.union(apart, both).unwrap(), union);
            assert_eq!(sets.differing(a.diagram(), b.diagram()).unwrap(), apart);
            assert_eq!(sets.intersection(apart, both).unwrap(), PacketSet::EMPTY);
            // Order and brackets say nothing; the product goes over the sum.
            let (bc, ac) = (sets.union(b, c).unwrap(), sets.intersection(a, c).unwrap());
            assert_eq!(sets.union(a, bc).unwrap(), sets.union(union, c).unwrap());
            let product = sets.intersection(a, bc).unwrap();
            assert_eq!(sets.union(both, ac).unwrap(), product);
            assert_eq!(sets.complement(not_a).unwrap(), a);
            assert!(sets.is_subset(product, a).unwrap());
            compared += 1;
        }
    });
    assert!(compared > 1000, "{compared}");
}

#[test]
fn a_list_says_the_same_one_by_one_and_in_halves() {
    each(120..130, |judge, sets, diagram| {
        let list: Vec<Diagram> = judge
            .clauses()
            .zip(0..)
            .map(|((_, clause, _), number)| {
                sets.clause(&clause.matches, judge.direction(), Label::new(number)).unwrap()
            })
            .collect();
        let mut one_by_one = Diagram::all(Label::NONE);
        let mut first = FirstMatch::default();
        for clause in &list {
            one_by_one = sets.over(one_by_one, *clause).unwrap();
            first.push(*clause);
        }
        assert_eq!(first.diagram(sets).unwrap(), one_by_one);
        // A rule taken out and put back changes nothing; one replaced by what never matches is as one taken out.
        let middle = list.len() / 2;
        let mut without = first.clone();
        without.remove(middle);
        let gone = without.diagram(sets).unwrap();
        without.insert(middle, list[middle]);
        assert_eq!(without.diagram(sets).unwrap(), one_by_one);
        first.replace(middle, Diagram::all(Label::NONE));
        assert_eq!(first.diagram(sets).unwrap(), gone);
        let _ = diagram;
    });
}

/// Ordinary rules: a protocol, a port and a network each.
fn ordinary(sets: &mut Sets, random: &mut Random) -> Diagram {
    let source = format!("10.{}.{}.0/24", random.below(32), random.below(256)).parse().unwrap();
    let matches = [
        Match::Protocol([Protocol::TCP, Protocol::UDP][random.below(2)]),
        Match::DestPorts(PortSet::single(1000 + random.below(300) as u16)),
        Match::Source(Arc::new(AddressSet::network(source))),
    ];
    let verdict = [Verdict::Accept, Verdict::Drop][random.below(2)];
    sets.clause(&matches, Direction::In, label_of(verdict, Log::None)).unwrap()
}

#[test]
fn of_a_list_with_one_other_rule_little_is_made_anew() {
    const RULES: usize = 2_000;
    let mut random = Random::new(5);
    let (mut list, mut sets) = (FirstMatch::default(), sets());
    (0..RULES).for_each(|_| list.push(ordinary(&mut sets, &mut random)));
    let before = sets.spent().0;
    list.diagram(&mut sets).unwrap();
    let whole = sets.spent().0 - before;
    for at in (0..RULES).step_by(7) {
        let mut others = [list.clone(), list.clone(), list.clone()];
        let other = ordinary(&mut sets, &mut random);
        others[0].replace(at, other);
        others[1].insert(at, other);
        others[2].remove(at);
        for other in others {
            let before = sets.spent().0;
            other.diagram(&mut sets).unwrap();
            let spent = sets.spent().0 - before;
            assert!(spent * 10 < whole, "rule {at} of {} costs {spent} of {whole}", other.len());
        }
    }
}

#[test]
fn a_witness_is_in_its_set_and_in_one_of_its_boxes() {
    let mut families = BTreeSet::new();
    let mut witnessed = 0;
    each(140..160, |judge, sets, diagram| {
        for verdict in [Verdict::Accept, Verdict::Drop, Verdict::Reject] {
            let wanted = |label: Label| decision(label).is_some_and(|(known, _)| known == verdict);
            let set = sets.select(diagram, wanted).unwrap();
            assert_eq!(sets.witness(set, &Wish::default()).is_none(), set.is_empty());
            assert_eq!(sets.largest(set).is_none(), set.is_empty());
            let Some(packet) = sets.witness(set, &Wish::default()) else { continue };
            assert!(sets.contains(set, &packet), "{packet:?}");
            assert_eq!(judge.decide(&packet).verdict, verdict, "{packet:?}");
            families.insert(packet.ip().map(|ip| ip.family() == Family::V4));
            witnessed += 1;
        }
    });
    assert!(witnessed > 500, "{witnessed}");
    assert!(families.contains(&Some(true)), "{families:?}");
}

#[test]
fn boxes_are_together_the_set() {
    let mut seen = 0;
    each(160..164, |judge, sets, diagram| {
        let accepted = sets.select(diagram, |label| label == label_of(Verdict::Accept, Log::None)).unwrap();
        let regions: Vec<_> = sets.regions(accepted).take(3000).collect();
        if regions.len() == 3000 {
            return;
        }
        let near = Near::of(conditions(judge));
        let mut random = Random::new(seen);
        for family in (0..100).flat_map(|_| Family::BOTH) {
            let packet = near.packet(family, &mut random);
            let holding = regions.iter().filter(|region| sets.is_in(region, &packet)).count();
            assert_eq!(holding, usize::from(sets.contains(accepted, &packet)), "{packet:?}");
            seen += 1;
        }
        let largest = sets.largest(accepted).unwrap();
        assert!(regions.contains(&largest), "{largest:?}");
    });
    assert!(seen > 1000, "{seen}");
}
