//! All packets at once against packets one by one: what samples find the sets find, what the sets find the evaluator
//! confirms, and where samples stand in for all packets both say the same.

#[path = "../../../../tests/judge/specs/mod.rs"]
#[expect(clippy::allow_attributes, reason = "an `expect` of dead code is not kept within a module")]
#[allow(dead_code, unused_imports, reason = "the judge takes the rest")]
mod specs;

use crate::analysis::claims::ends::World;
use crate::analysis::claims::limit::Limits;
use crate::analysis::claims::sample::{Found, sample};
use crate::analysis::claims::space::{Ends, Space};
use crate::analysis::claims::way::Way;
use crate::analysis::claims::{Failure, Weight, check, check_within, exact, guard, weigh};
use crate::analysis::packet::Packet;
use crate::analysis::tests::fleet;
use crate::analysis::trace::Trace;
use crate::net::Family;
use crate::policy::{Claim, Fleet, Verdict};

use super::meaning::WORLD;

/// Claims that something is wrong with, most of them, about all machines of a spec.
fn claims(text: &str) -> String {
    let mut ends = vec!["outside", "host/*"];
    ends.extend(text.contains("\nvms:").then_some("vm/*"));
    ends.extend(text.contains("\ncontainers:").then_some("ct/*"));
    let ends = ends.join(", ");
    let mut all = String::from("tests:\n");
    for service in [
        "proto: tcp, dport: 22",
        "proto: tcp, dport: [1-1023, 8000-9999]",
        "proto: udp, sport: 53",
        "proto: tcp, tcp_flags: { mask: [syn, ack], set: [ack] }",
        "macro: Ping",
        "proto: icmp, icmp_type: 3",
        "proto: gre",
        "proto: [tcp, udp], dport: 53, iface: vmbr0",
        "proto: tcp, dport: 80, source: [10.0.0.0/8, \"2001:db8::/32\"]",
        "proto: tcp, state: established",
        "proto: udp, dport: 1000-2000, state: invalid",
    ] {
        for says in
            ["expect: accept", "expect: drop", "expect: reject", "expect: never", "only: [10.0.0.0/9, 192.0.2.0/24]"]
        {
            all += &format!("  - {{ from: [{ends}], to: [{ends}], {service}, {says} }}\n");
        }
    }
    all
}

/// What a packet is to a claim, by the evaluator.
fn weight(packet: &Packet, way: &Way<'_>, claim: &Claim) -> Weight {
    let trace = Trace::new(packet, way.legs.clone());
    let stopped = trace.hooks.last().filter(|_| trace.verdict != Verdict::Accept);
    weigh(trace.verdict, guard(stopped.and_then(|step| step.decision.stage)), claim.expect)
}

/// How often the sets said each, and how often samples stood in for all packets.
#[derive(Debug, Default)]
struct Count {
    contradicted: usize,
    met: usize,
    excused: usize,
    whole: usize,
}

fn compare(fleet: &Fleet, count: &mut Count) {
    let world = World::new(fleet, Limits::default());
    for claim in &fleet.tests {
        let all = |list: &[crate::policy::ClaimEnd]| -> Vec<_> {
            list.iter().flat_map(|end| end.endpoints.iter().cloned()).collect()
        };
        for (from, to) in all(&claim.from).iter().flat_map(|a| all(&claim.to).into_iter().map(move |b| (a, b))) {
            for way in world.ways(claim, from, &to) {
                let (judges, ends) = (world.judges(&way), Ends::new(&world, claim, &way));
                let hooks = world.diagrams(&way).expect("within the budget");
                for (service, family) in claim.services.iter().flat_map(|s| Family::BOTH.map(|f| (Some(s), f))) {
                    let found = exact::all(&world, &hooks, (claim, service), &ends, family, &mut world.allowance(1))
                        .expect("within the budget");
                    let samples: Vec<_> = Space::all(claim, service, &ends, &judges, family)
                        .iter()
                        .map(|space| {
                            sample(space, &judges, claim.expect, &mut world.allowance(1)).expect("within the allowance")
                        })
                        .collect();
                    let contradicted = samples.iter().any(|found| matches!(found.result, Found::Contradiction(_)));
                    let met = samples.iter().any(|found| matches!(found.result, Found::Met));
                    let whole = samples.iter().all(|found| found.left_out == 0);
                    count.whole += usize::from(whole);
                    match found {
                        None => assert!(samples.is_empty(), "{claim:?}"),
                        Some(Found::Contradiction(packet)) => {
                            assert_eq!(weight(&packet, &way, claim), Weight::Contradicts, "{packet:?}");
                            assert!(contradicted || !whole, "{packet:?} was not among the samples");
                            count.contradicted += 1;
                        }
                        Some(Found::Met) => {
                            assert!(!contradicted && (met || !whole), "{claim:?}");
                            count.met += 1;
                        }
                        Some(Found::Excused(packet)) => {
                            assert_eq!(weight(&packet, &way, claim), Weight::Excused, "{packet:?}");
                            assert!(!contradicted && !met && !samples.is_empty(), "{claim:?}");
                            count.excused += 1;
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn sets_and_samples_agree_and_the_evaluator_confirms() {
    let mut count = Count::default();
    compare(&fleet(&format!("{WORLD}{}", claims(WORLD))), &mut count);
    for seed in 0..6 {
        let text = specs::random_spec(1000 + seed);
        compare(&fleet(&format!("{text}{}", claims(&text))), &mut count);
    }
    let Count { contradicted, met, excused, whole } = count;
    assert!(contradicted > 500 && met > 500 && excused > 100 && whole > 1000, "{count:?}");
}

#[test]
fn what_is_too_much_for_samples_is_decided_for_all_packets() {
    let mut rules = String::new();
    for index in 0..60 {
        let (a, b) = (index * 7 % 251, index * 13 % 241);
        rules += &format!(
            "      - {{ in: accept, proto: tcp, source: 10.{a}.0.0/16, dest: 10.9.{b}.0/24, sport: {}-{}, dport: {}-{} }}\n",
            1000 + a * 10,
            1000 + a * 10 + 99,
            2000 + b * 10,
            2000 + b * 10 + 99
        );
    }
    let text = format!(
        "version: 1\ndatacenter: {{ name: x }}\nhosts:\n  a:\n    addresses: 10.9.0.1/8\n    rules:\n{rules}\ntests:\n  - {{ from: outside, to: host/a, dest: 10.9.0.0/16, source: 10.0.0.0/8, expect: drop }}\n  - {{ from: outside, to: host/a, dest: 10.9.0.0/16, source: 11.0.0.0/8, proto: tcp, dport: 2000-9999, expect: drop }}\n"
    );
    let fleet = fleet(&text);
    let outcomes = check(&fleet, |_| true);
    assert!(outcomes.iter().all(|outcome| (outcome.packets, outcome.left_out) == (0, 0)), "samples were needed");
    assert!(matches!(outcomes[0].failure, Some(Failure::Counterexample(_))));
    assert!(outcomes[1].failure.is_none());
}

/// Ranges in every field that overlap without a pattern: no diagram of many of these is small.
fn without_pattern(indent: &str, seeds: std::ops::Range<u64>) -> String {
    let range = |seed: u64, field: u64| {
        let at = |salt: u64| (seed * 7919 + field * 104_729 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        (at(1).min(at(2)), at(1).max(at(2)))
    };
    let mut rules = String::new();
    for seed in seeds {
        let [(a, b), (c, d), (e, f), (g, h)] = [0, 1, 2, 3].map(|field| range(seed, field));
        rules += &format!(
            "{indent}- {{ in: {}, proto: tcp, source: 10.1.{}.{}-10.1.{}.{}, dest: 10.9.{}.{}-10.9.{}.{}, sport: {e}-{f}, dport: {g}-{h} }}\n",
            if seed % 2 == 0 { "accept" } else { "drop" },
            a >> 8,
            a & 255,
            b >> 8,
            b & 255,
            c >> 8,
            c & 255,
            d >> 8,
            d & 255,
        );
    }
    rules
}

/// Less than a run has.
fn scarce() -> Limits {
    Limits { most: 200_000, least: 1000, each: 100, pool: 200_000, ..Limits::default() }
}

#[test]
fn what_is_over_budget_is_sampled() {
    let rules = without_pattern("      ", 0..160);
    let text = format!(
        "version: 1\ndatacenter: {{ options: {{ policy_in: accept }} }}\nhosts:\n  a:\n    addresses: 10.9.0.1/8\n    rules:\n{rules}\ntests:\n  - {{ from: outside, to: host/a, dest: 10.9.0.0/16, source: 10.1.0.0/16, proto: tcp, expect: reject }}\n  - {{ from: outside, to: host/a, dest: 10.9.0.0/16, source: 10.1.0.0/16, proto: tcp, state: established, expect: accept }}\n"
    );
    let fleet = fleet(&text);
    let outcomes = check_within(&fleet, |_| true, scarce());
    assert!(outcomes[0].packets > 0, "the sets were not over budget");
    assert!(matches!(outcomes[0].failure, Some(Failure::Counterexample(_))));
    let held = &outcomes[1];
    assert!(held.failure.is_none() && held.packets > 0, "{} {}", held.packets, held.left_out);
    // With what an ordinary run has, both are decided.
    assert!(check(&fleet, |_| true).iter().all(|outcome| outcome.packets == 0));
}

/// Guests with rules that split packets in too many ways, although all are accepted; and claims about all of them.
fn hard(guests: u64, claims: u64) -> Fleet {
    let mut text = "version: 1\nhosts: { a: { addresses: 10.9.0.1/8 } }\nvms:\n".to_owned();
    for guest in 0..guests {
        text += &format!(
            "  {}:\n    host: a\n    options: {{ policy_in: accept, macfilter: false }}\n    nics: {{ net0: {{ bridge: vmbr0, ip: 10.9.128.{}/16 }} }}\n    rules:\n{}",
            100 + guest,
            guest + 1,
            without_pattern("      ", guest * 100..guest * 100 + 160).replace("drop", "accept"),
        );
    }
    text += "tests:\n";
    for claim in 0..claims {
        text += &format!(
            "  - {{ from: outside, to: vm/*, source: 10.1.0.0/16, proto: tcp, dport: {}-60000, tcp_flags: {{ mask: [syn, ack], set: [syn] }}, expect: accept }}\n",
            1000 + claim
        );
    }
    fleet(&text)
}

#[test]
fn many_that_are_over_budget_share_what_a_run_may_take() {
    let packets = |fleet: &Fleet, limits: Limits| -> u64 {
        let outcomes = check_within(fleet, |_| true, limits);
        for outcome in &outcomes {
            assert!(
                outcome.failure.is_none() && outcome.left_out > 0,
                "{:?} {} {}",
                outcome.failure,
                outcome.packets,
                outcome.left_out
            );
        }
        outcomes.iter().map(|outcome| outcome.packets).sum()
    };
    let limits = Limits { work: 20_000_000, question: 5000, ..scarce() };
    let (few, many) = (hard(4, 2), hard(12, 12));
    let (less, more) = (packets(&few, limits), packets(&many, limits));
    assert!(less > 10_000 && more > 10_000, "{less}, {more}");
    // Eighteen times as many questions: what each may take without being counted is all that adds to the pool.
    assert!(more < less * 9, "{less}, {more}");
    assert_eq!(more, packets(&many, limits), "another run, another answer");
    let whole = packets(&many, Limits { work: u64::MAX, ..limits });
    assert!(whole > more * 2, "{whole}, {more}");
}

#[test]
fn what_nothing_is_known_of_does_not_hold() {
    let fleet = hard(3, 1);
    let outcomes = check_within(&fleet, |_| true, Limits { work: 0, question: 1000, ..scarce() });
    assert!(matches!(outcomes[0].failure, Some(Failure::Undecided(..))), "{:?}", outcomes[0]);
    // Where the sets are made and small, nothing else is needed.
    let outcomes = check_within(&fleet, |_| true, Limits { question: 1000, ..Limits::default() });
    assert!(outcomes[0].failure.is_none(), "{:?}", outcomes[0]);
}
