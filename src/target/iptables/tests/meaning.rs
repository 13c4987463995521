//! The tests of every clause, written, read back and understood, hold for the packets that the clause is about.

use crate::analysis::loaded::iptables::Words;
use crate::analysis::loaded::tests::samples::{self, Random};
use crate::diagnostic::{FileId, Span};
use crate::net::Family;
use crate::policy::{Clause, Direction, Verdict};
use crate::state::ruleset::Program;

use super::super::render;
use super::super::ruleset::{Chain, Jump, Rule, Test};
use super::super::shape::{Shape, shape};

/// Every choice of tests that the shape of a clause stands for.
fn alternatives(shape: Shape) -> Vec<Vec<Test>> {
    let mut found = vec![shape.tests];
    let mut either = shape.ports;
    for addresses in shape.addresses {
        let tests = addresses.parts.iter().map(|part| part.test(addresses.side, addresses.negated));
        if addresses.negated {
            found.iter_mut().for_each(|all| all.extend(tests.clone()));
        } else {
            either.push(tests.collect());
        }
    }
    for choices in either {
        let with = |all: &Vec<Test>, one: &Test| all.iter().chain([one]).cloned().collect::<Vec<_>>();
        found = found.iter().flat_map(|all| choices.iter().map(move |one| with(all, one))).collect();
    }
    found
}

fn check(family: Family, program: Program, seed: u64) {
    let mut random = Random(seed);
    let (mut held, mut all) = (0, 0);
    for _ in 0..400 {
        let clause = Clause::new(samples::clause(false, &mut random), Verdict::Drop);
        // What it cannot express it says.
        let Ok(shape) = shape(&clause, family, Direction::In, Span::default()) else { continue };
        let rows = shape.map(alternatives).unwrap_or_default();
        let rules = rows.into_iter().map(|tests| Rule::new(tests, Jump::Drop)).collect();
        let chain = Chain { name: "c".into(), policy: "-", rules };
        let text = format!("*filter\n:c - [0:0]\n{}COMMIT\n", render::rules(&[chain], family));
        let ruleset = crate::state::iptables::read(FileId(0), &text, program);
        assert_eq!(ruleset.unread, [], "{text}");
        let (_, table) = ruleset.tables.first_key_value().unwrap();
        let mut words = Words::new(family, table);
        let asked: Vec<_> = table.chains["c"].rules.iter().map(|rule| words.asked(rule)).collect();
        for _ in 0..100 {
            let packet = samples::packet(false, family, &mut random);
            let meant = clause.matches.iter().all(|one| crate::analysis::holds(one, &packet, Direction::In));
            let found = asked.iter().any(|asked| samples::holds(asked, &packet));
            assert_eq!(found, meant, "{packet:?}\n{:?}\n{text}\n{asked:#?}", clause.matches);
            (held, all) = (held + usize::from(meant), all + 1);
        }
    }
    assert!(held * 50 > all, "few packets fit: {held} of {all}");
}

#[test]
fn rules_of_iptables_mean_their_clauses() {
    check(Family::V4, Program::Iptables, 0x9e37_79b9_7f4a_7c15);
}

#[test]
fn rules_of_ip6tables_mean_their_clauses() {
    check(Family::V6, Program::Ip6tables, 0xd1b5_4a32_d192_ed03);
}
