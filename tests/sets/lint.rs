//! What lints say of random specs, held against what the specs mean without the rules that they tell.

use std::collections::BTreeSet;

use fwc::analysis::sets::{Diagram, FirstMatch, Label, Sets, label_of};
use fwc::analysis::{Judge, lint};
use fwc::diagnostic::{Code, Span};
use fwc::net::Family;
use fwc::policy::{Entry, Fleet, Hook, Nic, Rule, RuleList, Section, Stage, Verdict};

use crate::packets::Near;
use crate::random::Random;
use crate::{conditions, fleet, hooks, sets, specs};
use std::sync::Arc;

/// Lints after which a rule can go.
const USELESS: [Code; 4] = [Code::Shadowed, Code::Redundant, Code::ContradictedByGuardrail, Code::NeverMatching];

/// A hook of which the rules at some places are disabled.
fn without(hook: &Hook, gone: &BTreeSet<Span>) -> Hook {
    let rule = |rule: &Arc<Rule>| {
        let enabled = rule.enabled && !gone.contains(&rule.origin.span);
        Arc::new(Rule { enabled, ..Rule::clone(rule) })
    };
    let entry = |entry: &Entry| match entry {
        Entry::Rule(one) => Entry::Rule(rule(one)),
        Entry::Group(call) => {
            let mut call = fwc::policy::GroupCall::clone(call);
            let mut group = fwc::policy::Group::clone(&call.group);
            group.rules = group.rules.iter().map(rule).collect();
            call.group = Arc::new(group);
            Entry::Group(Arc::new(call))
        }
    };
    let stage = |stage: &Stage| match stage.rules() {
        None => stage.clone(),
        Some(list) => {
            let mut sections = list.sections.clone();
            for inherited in &mut sections {
                let entries = inherited.section.entries.iter().map(entry).collect();
                inherited.section = Arc::new(Section { entries, ..Section::clone(&inherited.section) });
            }
            Stage::Rules(Arc::new(RuleList { sections }))
        }
    };
    Hook { name: hook.name, stages: hook.stages.iter().map(stage).collect() }
}

fn told(fleet: &Fleet, lints: &[Code]) -> BTreeSet<Span> {
    let found = lint::check(fleet, None);
    assert!(found.iter().all(|finding| finding.code != Code::OverBudget), "{found:?}");
    found.iter().filter(|finding| lints.contains(&finding.code)).map(|finding| finding.span()).collect()
}

/// A host's own rule about its loopback addresses matches forged packets, which no kernel lets come that far.
fn is_forged(rule: &Rule) -> bool {
    let sides = rule.source.iter().chain(&rule.dest);
    let loopback =
        |set: &fwc::net::AddressSet| ["127.0.0.1", "::1"].iter().any(|text| set.contains(text.parse().unwrap()));
    sides.map(|addresses| &addresses.set).any(|set| loopback(set))
}

fn filtered(fleet: &Fleet) -> Vec<(&Hook, Option<&Nic>)> {
    let all = hooks(fleet);
    let unfiltered: Vec<*const Nic> = fleet
        .hosts
        .iter()
        .flat_map(|host| host.guests.iter().map(move |guest| (host, guest)))
        .flat_map(|(host, guest)| guest.nics.iter().filter(move |nic| !host.enabled || !guest.enabled || !nic.firewall))
        .map(std::ptr::from_ref)
        .collect();
    let off = |hook: &Hook| {
        let host = fleet.hosts.iter().filter(|host| !host.enabled);
        let vnet = fleet.vnets.iter().filter(|vnet| !vnet.enabled);
        let hooks = host.flat_map(|host| [&host.hook_in, &host.hook_out, &host.hook_forward]);
        hooks.chain(vnet.map(|vnet| &vnet.hook)).any(|other| std::ptr::eq(other, hook))
    };
    all.into_iter()
        .filter(|(hook, nic)| !off(hook) && nic.is_none_or(|nic| !unfiltered.contains(&std::ptr::from_ref(nic))))
        .collect()
}

fn decided(sets: &mut Sets, hook: &Hook, nic: Option<&Nic>) -> Diagram {
    sets.hook(&Judge::new(hook, nic)).unwrap()
}

#[test]
fn what_is_told_as_useless_can_all_go_at_once() {
    let (mut rules, mut compared) = (0, 0);
    for seed in 0..150 {
        let fleet = fleet(&specs::random_spec(seed));
        let mut gone = told(&fleet, &USELESS);
        let lists = fleet
            .hosts
            .iter()
            .flat_map(|host| std::iter::once(&host.rules).chain(host.guests.iter().map(|guest| &guest.rules)));
        for (entry, _) in lists.flat_map(|list| list.entries()) {
            let forged = |rule: &Arc<Rule>| is_forged(rule).then_some(rule.origin.span);
            let spans: Vec<Span> = match entry {
                Entry::Rule(rule) => forged(rule).into_iter().collect(),
                Entry::Group(call) => call.group.rules.iter().filter_map(forged).collect(),
            };
            spans.iter().for_each(|span| {
                gone.remove(span);
            });
        }
        rules += gone.len();
        for (hook, nic) in filtered(&fleet) {
            let mut sets = sets();
            let before = decided(&mut sets, hook, nic);
            let after = decided(&mut sets, &without(hook, &gone), nic);
            assert_eq!(before, after, "seed {seed}, {}", hook.name.name());
            compared += 1;
        }
    }
    assert!(rules > 100 && compared > 1000, "{rules} rules, {compared} hooks");
}

/// One by one in the plainest way: a rule's packets all decided before, or all decided the same behind it.
#[test]
fn no_rule_that_does_nothing_at_all_is_left_out() {
    let (mut dead, mut spare) = (0, 0);
    for seed in 200..260 {
        let fleet = fleet(&specs::random_spec(seed));
        let found = told(&fleet, &USELESS);
        let mut useful: BTreeSet<Span> = BTreeSet::new();
        let mut silent: BTreeSet<Span> = BTreeSet::new();
        for (hook, nic) in filtered(&fleet) {
            let mut sets = sets();
            let judge = Judge::new(hook, nic);
            let mut deciders: Vec<Span> = Vec::new();
            let by_rule = sets.hook_by(&judge, |_, _, applied| match applied {
                Some(applied) => {
                    deciders.push(applied.rule.origin.span);
                    Label::new(deciders.len() as u32)
                }
                None => Label::new(0),
            });
            let labels = sets.labels(by_rule.unwrap());
            for (span, number) in deciders.iter().zip(1..) {
                let is_useful = labels.contains(&Label::new(number));
                if is_useful {
                    useful.insert(*span)
                } else {
                    silent.insert(*span)
                };
            }
        }
        silent.retain(|span| !useful.contains(span));
        dead += silent.len();
        for span in silent {
            assert!(found.contains(&span), "seed {seed}: {span:?} decides nothing and is not told");
        }
        // What is told is one of these, or decides what would be decided the same.
        spare += found.iter().filter(|span| useful.contains(*span)).count();
    }
    assert!(dead > 30 && spare > 5, "{dead} dead, {spare} spare");
}

#[test]
fn what_never_matches_matches_no_sample() {
    for seed in 300..360 {
        let fleet = fleet(&specs::random_spec(seed));
        let never = told(&fleet, &[Code::NeverMatching]);
        let mut random = Random::new(seed);
        for (hook, nic) in filtered(&fleet) {
            let judge = Judge::new(hook, nic);
            let near = Near::of(conditions(&judge));
            for _ in 0..200 {
                let packet = near.packet(*random.pick(&Family::BOTH), &mut random);
                let rule = judge.decide(&packet).rule;
                let is_never =
                    rule.is_some_and(|applied| never.contains(&applied.rule.origin.span) && !is_forged(applied.rule));
                assert!(!is_never, "seed {seed}: {packet:?}");
            }
        }
    }
}

/// Two rules in a row in every way that they can be: which decides, and what the other would say.
#[test]
fn the_rule_behind_is_the_first_other_one() {
    use fwc::analysis::sets::Numbered;
    use fwc::policy::{Direction, Log, Match};
    let port = |first, last| vec![Match::DestPorts(fwc::net::PortSet::range(first, last))];
    let rules = [
        (1, port(10, 20), Verdict::Accept),
        (2, port(15, 30), Verdict::Drop),
        (1, port(25, 40), Verdict::Accept),
        (3, port(0, 65535), Verdict::Reject),
    ];
    let mut sets = sets();
    let mut list = FirstMatch::default();
    for (number, matches, verdict) in &rules {
        let label = Numbered::label(*number, *verdict, Log::None);
        list.push(sets.clause(matches, Direction::In, label).unwrap());
    }
    let whole = list.with_behind(&mut sets).unwrap();
    for (port, number, behind) in [
        (5, 3, None),
        (12, 1, Some(Verdict::Reject)),
        (17, 1, Some(Verdict::Drop)),
        (22, 2, Some(Verdict::Reject)),
        (27, 2, Some(Verdict::Accept)),
        (35, 1, Some(Verdict::Reject)),
        (50, 3, None),
    ] {
        let matches = vec![Match::DestPorts(fwc::net::PortSet::single(port))];
        let set = sets.matching(&matches, Direction::In).unwrap();
        let within = sets.within(set, whole).unwrap();
        let found: Vec<Numbered> = sets.labels(within).into_iter().filter_map(Numbered::of).collect();
        let said: Vec<_> = found.iter().map(|one| (one.number, one.behind.map(|behind| behind.0))).collect();
        assert_eq!(said, [(number, behind)], "port {port}");
    }
    assert!(Numbered::of(label_of(Verdict::Drop, Log::None)).is_none_or(|one| one.number == 0));
}
