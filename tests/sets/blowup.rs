//! Lists made to blow up: the answer is right, or it is that there is none.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fwc::analysis::holds;
use fwc::analysis::sets::{Budget, FirstMatch, Interfaces, Label, OverBudget, Sets};
use fwc::net::{AddressSet, Family, PortSet, Protocol};
use fwc::policy::{Direction, Match};

use crate::packets::Near;
use crate::random::Random;

/// A list with ranges in every field.
fn list(rules: usize, random: &mut Random) -> Vec<Vec<Match>> {
    let ports = |random: &mut Random| {
        let (a, b) = (random.below(65536) as u16, random.below(65536) as u16);
        PortSet::range(a.min(b), a.max(b))
    };
    let addresses = |random: &mut Random, family: Family| {
        let (a, b) = (random.between(0, u128::MAX), random.between(0, u128::MAX));
        let address = |number: u128| match family {
            Family::V4 => IpAddr::V4(((number >> 96) as u32).into()),
            Family::V6 => IpAddr::V6(number.into()),
        };
        Arc::new(AddressSet::span(address(a.min(b)), address(a.max(b))).unwrap())
    };
    let mut rule = |number: usize| {
        let family = Family::BOTH[number % 2];
        vec![
            Match::Family(family),
            Match::Protocol([Protocol::TCP, Protocol::UDP][random.below(2)]),
            Match::Source(addresses(random, family)),
            Match::Dest(addresses(random, family)),
            Match::DestPorts(ports(random)),
            Match::SourcePorts(ports(random)),
        ]
    };
    (0..rules).map(&mut rule).collect()
}

/// The whole of a list, each rule with its number.
fn answer(list: &[Vec<Match>], budget: usize) -> Result<(), OverBudget> {
    let mut sets = Sets::new(Interfaces::default(), Budget(budget));
    let clauses = list.iter().zip(0..).map(|(matches, number)| (matches.as_slice(), Label::new(number)));
    let diagram = FirstMatch::of(&mut sets, Direction::In, clauses)?.diagram(&mut sets)?;
    let near = Near::of(list.iter().flatten());
    let mut random = Random::new(7);
    for packet in (0..2000).flat_map(|_| Family::BOTH.map(|family| near.packet(family, &mut random))) {
        let first = list.iter().position(|matches| matches.iter().all(|m| holds(m, &packet, Direction::In)));
        let wanted = first.map_or(Label::NONE, |number| Label::new(u32::try_from(number).unwrap()));
        assert_eq!(sets.label(diagram, &packet), wanted, "{packet:?}");
    }
    Ok(())
}

#[test]
fn random_lists_end_with_a_right_answer_or_none() {
    let mut random = Random::new(3);
    for rules in [1, 2, 3, 5, 8, 13] {
        assert_eq!(answer(&list(rules, &mut random), 20_000_000), Ok(()), "{rules} rules");
    }
    let start = Instant::now();
    assert_eq!(answer(&list(10_000, &mut random), 2_000_000), Err(OverBudget));
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn what_was_made_before_the_budget_ran_out_stays_good() {
    let mut random = Random::new(4);
    let list = list(2000, &mut random);
    let mut sets = Sets::new(Interfaces::default(), Budget(300_000));
    let first = sets.matching(&list[0], Direction::In).unwrap();
    let second = sets.matching(&list[1], Direction::In).unwrap();
    let clauses = list.iter().map(|matches| (matches.as_slice(), Label::new(1)));
    let whole = FirstMatch::of(&mut sets, Direction::In, clauses).and_then(|list| list.diagram(&mut sets));
    assert_eq!(whole, Err(OverBudget));
    assert_eq!(sets.union(first, second), Err(OverBudget), "nothing is made any more");
    let near = Near::of(list[0].iter());
    for packet in (0..500).map(|_| near.packet(Family::V4, &mut random)) {
        let wanted = list[0].iter().all(|m| holds(m, &packet, Direction::In));
        assert_eq!(sets.contains(first, &packet), wanted);
    }
}
