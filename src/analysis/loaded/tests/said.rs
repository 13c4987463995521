//! Lists of steps, against what each means packet by packet.

use crate::analysis::sets::{Budget, Interfaces, Label, PacketSet, Sets};
use crate::analysis::{Body, Packet};
use crate::net::Family;
use crate::policy::Direction;

use super::super::run::Ground;
use super::super::said::{Said, Step};
use super::samples::{Random, clause, packet};

const LABELS: usize = 4;

struct Trial {
    ground: Ground,
    random: Random,
    packets: Vec<Packet>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let packets = (0..60).map(|at| packet(true, Family::BOTH[at % 2], &mut random)).collect();
        Self { ground: Ground::new(Sets::new(Interfaces::default(), Budget::default())), random, packets }
    }

    fn set(&mut self) -> PacketSet {
        match self.random.below(12) {
            0 => PacketSet::ALL,
            1 => PacketSet::EMPTY,
            _ => self.ground.sets.matching(&clause(true, &mut self.random), Direction::In).unwrap(),
        }
    }

    fn label(&mut self) -> Label {
        Label::new(u32::try_from(self.random.below(LABELS)).unwrap())
    }

    fn list(&mut self, depth: usize) -> Said {
        let steps: Vec<Step> = (0..self.random.below(5)).map(|_| self.step(depth)).collect();
        self.ground.said(steps)
    }

    fn step(&mut self, depth: usize) -> Step {
        let kind = if depth == 0 { 0 } else { self.random.below(8) };
        match kind {
            0..4 => Step::One(self.set(), self.label()),
            4 | 5 => Step::Lead(self.set(), self.list(depth - 1)),
            6 => Step::Sub(self.list(depth - 1)),
            _ => {
                let said = self.list(depth - 1);
                Step::Some(self.ground.whole(said).unwrap())
            }
        }
    }

    fn is_in(&self, set: PacketSet, packet: &Packet) -> bool {
        self.ground.sets.label(set.diagram(), packet) == Label::new(1)
    }

    /// What the first step says that says something.
    fn says(&self, said: Said, packet: &Packet) -> Label {
        for step in self.ground.steps(said).iter() {
            let label = match *step {
                Step::One(set, label) if self.is_in(set, packet) => label,
                Step::Lead(set, inside) if self.is_in(set, packet) => return self.says(inside, packet),
                Step::One(..) | Step::Lead(..) => Label::NONE,
                Step::Some(diagram) => self.ground.sets.label(diagram, packet),
                Step::Sub(inside) => self.says(inside, packet),
            };
            if label != Label::NONE {
                return label;
            }
        }
        Label::NONE
    }

    /// The same list in other words: steps are nested, split and told twice.
    fn reworded(&mut self, said: Said) -> Said {
        let mut made = Vec::new();
        for step in self.ground.steps(said).iter() {
            match (*step, self.random.below(4)) {
                (Step::One(set, label), 0) => {
                    let some = self.set();
                    let (inside, outside) = (
                        self.ground.sets.intersection(set, some).unwrap(),
                        self.ground.sets.difference(set, some).unwrap(),
                    );
                    made.extend([Step::One(outside, label), Step::One(inside, label)]);
                }
                (Step::One(set, label), 1) => {
                    let all = self.ground.all(label);
                    made.extend([Step::Lead(set, all), Step::One(set, self.label())]);
                }
                (step @ Step::One(..), 2) => made.push(Step::Sub(self.ground.said([step]))),
                (step, _) => made.push(step),
            }
        }
        self.ground.said(made)
    }

    /// A list in which one step is narrowed, says something else or is not there.
    fn altered(&mut self, said: Said) -> Said {
        let mut made: Vec<Step> = self.ground.steps(said).to_vec();
        let ones: Vec<usize> = (0..made.len()).filter(|at| matches!(made[*at], Step::One(..))).collect();
        let Some(at) = ones.get(self.random.below(ones.len().max(1))).copied() else { return said };
        let Step::One(set, label) = made[at] else { return said };
        match self.random.below(3) {
            0 => {
                let some = self.set();
                made[at] = Step::One(self.ground.sets.intersection(set, some).unwrap(), label);
            }
            1 => made[at] = Step::One(set, self.label()),
            _ => drop(made.remove(at)),
        }
        self.ground.said(made)
    }
}

#[test]
fn lists_mean_what_their_steps_mean() {
    for seed in 0..400 {
        let mut trial = Trial::new(seed);
        let said = trial.list(3);
        let whole = trial.ground.whole(said).unwrap();
        let members = trial.ground.members(said).unwrap();
        let some = trial.set();
        let within = trial.ground.within(some, said).unwrap();
        let names: Vec<Label> = (0..=LABELS).map(|_| [trial.label(), Label::NONE][trial.random.below(2)]).collect();
        let place = |label: Label| if label == Label::NONE { LABELS } else { label.number() as usize };
        let renamed = trial.ground.renamed(said, &|label| names[place(label)]).unwrap();
        let flat = trial.ground.flat(said).unwrap();
        let frames = trial.ground.of_frame(said, 0x0800);
        for packet in &trial.packets {
            let says = trial.says(said, packet);
            assert_eq!(trial.ground.sets.label(whole, packet), says, "seed {seed}");
            assert_eq!(trial.is_in(members, packet), says != Label::NONE, "seed {seed}");
            let inside = if trial.is_in(some, packet) { says } else { Label::NONE };
            assert_eq!(trial.says(within, packet), inside, "seed {seed}");
            assert_eq!(trial.says(renamed, packet), names[place(says)], "seed {seed}");
            assert!(says == Label::NONE || trial.ground.labels(said).contains(&says), "seed {seed}");
            assert!(says != Label::NONE || !trial.ground.is_total(said), "seed {seed}");
            if let Some(flat) = &flat {
                let first = flat.iter().find(|(set, _)| trial.is_in(*set, packet));
                assert_eq!(first.map_or(Label::NONE, |(_, label)| *label), says, "seed {seed}");
            }
            if matches!(&packet.body, Body::Ip(ip) if ip.family() == Family::V4) {
                assert_eq!(trial.says(frames, packet), says, "seed {seed}");
            }
        }
    }
}

#[test]
fn lists_that_are_seen_to_be_the_same_are() {
    let (mut reworded, mut seen, mut others) = (0, 0, 0);
    for seed in 0..1200 {
        let mut trial = Trial::new(seed);
        let one = trial.list(2);
        let (other, is_reworded) = match seed % 4 {
            0 | 2 => (trial.reworded(one), true),
            1 => (trial.list(2), false),
            _ => {
                let reworded = trial.reworded(one);
                (trial.altered(reworded), false)
            }
        };
        let among = if seed % 3 == 0 { trial.set() } else { PacketSet::ALL };
        let is_same = trial.ground.is_same(one, other, among).unwrap();
        let (a, b) = (trial.ground.whole(one).unwrap(), trial.ground.whole(other).unwrap());
        let same = |trial: &mut Trial, diagram| trial.ground.sets.within(among, diagram).unwrap();
        let (a, b) = (same(&mut trial, a), same(&mut trial, b));
        assert!(!is_same || a == b, "seed {seed}");
        if is_reworded {
            assert_eq!(a, b, "seed {seed}");
            reworded += 1;
            seen += u32::from(is_same);
        } else {
            others += u32::from(is_same);
        }
    }
    // Some have diagrams in them, and are not looked into.
    assert!(seen * 2 > reworded, "{seen} of {reworded}");
    assert!(others > 0);
}
