//! How long questions about all packets take over a list of 10,000 rules in which the first match decides: the set that is
//! accepted, the packets that one changed rule decides otherwise, the rules that earlier ones leave no packet, and those
//! without which everything would be decided the same.
//!
//! `cargo bench --bench sets`. Every run begins with an empty table. The rules are those of a large policy: a protocol, one
//! or a few ports, a network on one side or on both, of both families; one in fifty of them never decides anything.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "support/measure.rs"]
#[expect(dead_code, reason = "every benchmark takes its own part")]
mod measure;
#[path = "../tests/judge/random.rs"]
#[expect(dead_code, reason = "every benchmark takes its own part")]
mod random;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use fwc::analysis::sets::{Budget, FirstMatch, Interfaces, Label, Numbered, Sets, label_of};
use fwc::net::{AddressSet, PortSet, Protocol};
use fwc::policy::{Direction, Log, Match, Verdict};
use measure::{Summary, runs};
use random::Random;

const RULES: usize = 10_000;

type Rule = (Vec<Match>, Verdict);

fn network(random: &mut Random) -> Arc<AddressSet> {
    let (a, b, c) = (random.below(32), random.below(256), random.below(256));
    let text = match random.below(10) {
        0..3 => format!("10.{a}.{b}.{c}/32"),
        3..6 => format!("10.{a}.{b}.0/24"),
        6 => format!("10.{a}.0.0/16"),
        7 => format!("2001:db8:{a:x}:{b:x}::{c:x}/128"),
        8 => format!("2001:db8:{a:x}:{b:x}::/64"),
        _ => format!("2001:db8:{a:x}::/48"),
    };
    Arc::new(AddressSet::network(text.parse().expect("a network")))
}

fn rules() -> Vec<Rule> {
    let mut random = Random::new(11);
    let mut list: Vec<Rule> = Vec::with_capacity(RULES);
    while list.len() < RULES {
        let verdict =
            *random.pick(&[Verdict::Accept, Verdict::Accept, Verdict::Accept, Verdict::Drop, Verdict::Reject]);
        if list.len() > 100 && random.once_in(50) {
            let (matches, _) = list[random.below(list.len())].clone();
            list.push((matches, verdict));
            continue;
        }
        let mut matches = vec![Match::Protocol(*random.pick(&[Protocol::TCP, Protocol::TCP, Protocol::UDP]))];
        let port = *random.pick(&[22_u16, 53, 80, 123, 443, 3306, 5432, 6379, 8080, 9100]);
        matches.push(Match::DestPorts(match random.below(4) {
            0 => PortSet::single(port),
            1 => PortSet::single(1024 + random.below(2000) as u16),
            2 => PortSet::from_ranges([(port, port), (port + 1000, port + 1009)]),
            _ => {
                let first = 1024 + random.below(60_000) as u16;
                PortSet::range(first, first + random.below(100) as u16)
            }
        }));
        let both = random.once_in(2);
        let v4 = |set: &AddressSet| set.v6().is_empty();
        let source = network(&mut random);
        if both {
            let mut dest = network(&mut random);
            while v4(&dest) != v4(&source) {
                dest = network(&mut random);
            }
            matches.push(Match::Dest(dest));
        }
        matches.push(if both || random.once_in(2) { Match::Source(source) } else { Match::Dest(source) });
        list.push((matches, verdict));
    }
    list
}

fn table() -> Sets {
    Sets::new(Interfaces::default(), Budget::default())
}

fn decisions(sets: &mut Sets, rules: &[Rule]) -> FirstMatch {
    let clauses = rules.iter().map(|(matches, verdict)| (matches.as_slice(), label_of(*verdict, Log::None)));
    FirstMatch::of(sets, Direction::In, clauses).expect("within the budget")
}

fn accepted(sets: &mut Sets, list: &FirstMatch) -> fwc::analysis::sets::PacketSet {
    let diagram = list.diagram(sets).expect("within the budget");
    sets.select(diagram, |label| label == label_of(Verdict::Accept, Log::None)).expect("within the budget")
}

fn row(what: &str, summary: Summary, limit: &str) {
    let Summary { min, median, max } = summary;
    println!("{what:<34} {:>9.2}ms {:>9.2}ms {:>9.2}ms   {limit}", min * 1e3, median * 1e3, max * 1e3);
}

fn main() {
    let rules = rules();
    println!("{:<34} {:>11} {:>11} {:>11}   limit", "packet sets, 10,000 rules", "min", "median", "max");

    let mut size = (0, 0);
    let built = Summary::time(runs(15), || {
        let mut sets = table();
        let start = Instant::now();
        let list = decisions(&mut sets, &rules);
        black_box(accepted(&mut sets, &list));
        let time = start.elapsed();
        size = (sets.nodes(), sets.spent().0);
        Some(time)
    });
    row("accept set", built, "250 ms");

    // Every rule in turn is narrowed to one port, and what becomes of packets is held against what became of them before.
    let mut sets = table();
    let list = decisions(&mut sets, &rules);
    let before = list.diagram(&mut sets).expect("within the budget");
    let mut at = 0;
    let changed = Summary::time(runs(201), || {
        at = (at + 4_999) % RULES;
        let mut changed = rules[at].0.clone();
        changed.push(Match::DestPorts(PortSet::single(443)));
        let start = Instant::now();
        let mut after = list.clone();
        let label = label_of(rules[at].1, Log::None);
        after.replace(at, sets.clause(&changed, Direction::In, label).expect("within the budget"));
        let after = after.diagram(&mut sets).expect("within the budget");
        black_box(sets.differing(before, after).expect("within the budget"));
        Some(start.elapsed())
    });
    row("one changed rule re-diffed", changed, "5 ms");

    let mut sets = table();
    let list = decisions(&mut sets, &rules);
    let before = list.diagram(&mut sets).expect("within the budget");
    let mut at = 0;
    let added = Summary::time(runs(201), || {
        at = (at + 4_999) % RULES;
        let start = Instant::now();
        let mut after = list.clone();
        let extra = vec![Match::Protocol(Protocol::TCP), Match::DestPorts(PortSet::single(7000 + at as u16))];
        let extra = sets.clause(&extra, Direction::In, label_of(Verdict::Accept, Log::None));
        after.insert(at, extra.expect("within the budget"));
        let after = after.diagram(&mut sets).expect("within the budget");
        black_box(sets.differing(before, after).expect("within the budget"));
        Some(start.elapsed())
    });
    row("one added rule re-diffed", added, "5 ms");

    let mut dead = 0;
    let shadowed = Summary::time(runs(15), || {
        let mut sets = table();
        let start = Instant::now();
        let clauses = rules.iter().zip(0..).map(|((matches, _), number)| (matches.as_slice(), Label::new(number)));
        let list = FirstMatch::of(&mut sets, Direction::In, clauses).expect("within the budget");
        let diagram = list.diagram(&mut sets).expect("within the budget");
        let alive = sets.labels(diagram);
        dead = (0..RULES).filter(|number| !alive.contains(&Label::new(*number as u32))).count();
        Some(start.elapsed())
    });
    row("all shadowed rules", shadowed, "300 ms");

    let (mut dead_too, mut spare) = (0, 0);
    let useless = Summary::time(runs(15), || {
        let mut sets = table();
        let start = Instant::now();
        let mut list = FirstMatch::default();
        for ((matches, verdict), number) in rules.iter().zip(0..) {
            let label = Numbered::label(number, *verdict, Log::None);
            list.push(sets.clause(matches, Direction::In, label).expect("within the budget"));
        }
        let diagram = list.with_behind(&mut sets).expect("within the budget");
        let (mut seen, mut needed) = (vec![false; RULES], vec![false; RULES]);
        for numbered in sets.labels(diagram).into_iter().filter_map(Numbered::of) {
            seen[numbered.number as usize] = true;
            needed[numbered.number as usize] |=
                numbered.behind.unwrap_or((Verdict::Drop, Log::None)) != numbered.decision;
        }
        dead_too = seen.iter().filter(|seen| !**seen).count();
        spare = seen.iter().zip(&needed).filter(|(seen, needed)| **seen && !**needed).count();
        Some(start.elapsed())
    });
    row("and all that could go", useless, "");
    assert_eq!(dead, dead_too, "both ways find the same");
    println!("{spare} rules decide what would be decided the same without them");
    println!("{} nodes, {} edges written; {dead} rules are shadowed", size.0, size.1);
}
