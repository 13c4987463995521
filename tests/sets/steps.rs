//! Hooks told clause by clause, as the proof takes them: each step, and all of them together.

use std::collections::BTreeMap;

use fwc::analysis::Judge;
use fwc::analysis::sets::{Diagram, FirstMatch, Hooks, Label, PacketSet, Sets, decision, label_of};
use fwc::net::Family;
use fwc::policy::{Clause, Hook, Log, Nic, RuleInterface, Verdict};

use crate::{fleet, hooks, sets, specs};

const SPECS: std::ops::Range<u64> = 200..230;

/// What the clauses of a hook say one by one, in the plain way: what was skipped before is taken out.
fn plain(sets: &mut Sets, family: Option<Family>, hook: &Hook, nic: Option<&Nic>) -> Vec<(PacketSet, Label)> {
    let direction = hook.name.direction();
    let mut steps = Vec::new();
    let mut say = |sets: &mut Sets, clauses: &[Clause]| {
        let mut skipping = PacketSet::EMPTY;
        for clause in clauses {
            let frames = sets.matching(&clause.matches, direction).unwrap();
            let set = match family {
                None => frames,
                Some(Family::V4) => sets.frames_of(frames, 0x0800),
                Some(Family::V6) => sets.frames_of(frames, 0x86dd),
            };
            if clause.verdict == Verdict::Skip {
                skipping = sets.union(skipping, set).unwrap();
            } else {
                steps.push((sets.difference(set, skipping).unwrap(), label_of(clause.verdict, clause.log)));
            }
        }
    };
    for stage in &hook.stages {
        match stage.rules() {
            Some(list) => list.applied(direction, nic).for_each(|applied| say(sets, &applied.clauses())),
            None => say(sets, &stage.clauses(hook.name, nic)),
        }
    }
    steps.push((PacketSet::ALL, label_of(Verdict::Drop, Log::None)));
    steps
}

fn put_together(sets: &mut Sets, steps: &[(PacketSet, Label)]) -> Diagram {
    let mut list = FirstMatch::default();
    for (set, label) in steps {
        list.push(sets.within(*set, Diagram::all(*label)).unwrap());
    }
    list.diagram(sets).unwrap()
}

#[test]
fn each_step_is_the_packets_of_its_clause_and_all_are_the_hook() {
    let mut seen = BTreeMap::new();
    for (seed, fleet) in SPECS.map(|seed| (seed, fleet(&specs::random_spec(seed)))) {
        for family in [None, Some(Family::V4), Some(Family::V6)] {
            let (mut sets, mut maker) = (sets(), Hooks::new(family));
            // The second time all is known.
            for (hook, nic) in [hooks(&fleet), hooks(&fleet)].concat() {
                let which = format!("seed {seed}, {family:?}, {}, {:?}", hook.name.name(), nic.map(|nic| &nic.device));
                let runs = maker.runs(&mut sets, hook, nic).unwrap();
                let steps: Vec<_> = runs.iter().flat_map(|run| maker.told(run)).copied().collect();
                assert_eq!(steps, plain(&mut sets, family, hook, nic), "{which}");
                let whole = sets.hook(&Judge::new(hook, nic)).unwrap();
                let whole = match family {
                    None => whole,
                    Some(Family::V4) => sets.of_frame(whole, 0x0800),
                    Some(Family::V6) => sets.of_frame(whole, 0x86dd),
                };
                assert_eq!(put_together(&mut sets, &steps), whole, "{which}");
                for stage in &hook.stages {
                    *seen.entry(stage.name()).or_insert(0) += 1;
                    let clauses = stage.clauses(hook.name, nic);
                    *seen.entry("skips").or_insert(0) += clauses.iter().filter(|c| c.verdict == Verdict::Skip).count();
                    let rules = stage.rules().into_iter().flat_map(|list| list.applied(hook.name.direction(), nic));
                    let of_host = |interface: &RuleInterface| matches!(interface, RuleInterface::Host(_));
                    *seen.entry("at interfaces").or_insert(0) += rules.filter(|rule| of_host(rule.interface)).count();
                }
                assert!(steps.iter().all(|(_, label)| decision(*label).is_some()));
            }
        }
    }
    for name in ["skips", "at interfaces", "macfilter", "ipfilter", "layer2_protocols", "noise", "tcpflags", "nosmurfs"]
    {
        assert!(seen.get(name).is_some_and(|count| *count > 20), "{name} of {seen:?}");
    }
}
