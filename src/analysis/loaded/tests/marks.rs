//! Base chains where packets have marks, or get them, against what each packet would meet.

use std::fmt::Write;

use crate::analysis::sets::{Budget, Field, Interfaces, PacketSet, Sets};
use crate::diagnostic::FileId;
use crate::net::{Family, Ranges};
use crate::state::nft;
use crate::state::ruleset::Program;

use super::super::{Base, Chains, Context, Exit, Ground, Loaded, PortValue};
use super::samples::Random;

const BIT: u32 = 0x4000_0000;
const OTHER: u32 = 0x1;
const CHAINS: usize = 4;

/// What a rule asks.
#[derive(Clone, Copy)]
enum Ask {
    Nothing,
    From,
    To,
    /// Whether it comes from `tap1`, as all do; or from another.
    Port(bool),
    /// Whether a bit is set.
    Bit(u32, bool),
}

/// What a rule does.
#[derive(Clone, Copy)]
enum Does {
    Accept,
    Drop,
    Return,
    Jump(usize),
    Goto(usize),
    Set(u32),
    Clear(u32),
}

type Rules = Vec<Vec<(Ask, Does)>>;

fn program(random: &mut Random) -> Rules {
    let mut rule = |chain: usize| {
        let bit = if random.below(2) == 0 { BIT } else { OTHER };
        let ask = match random.below(12) {
            0..=2 => Ask::Nothing,
            3..=5 => Ask::From,
            6..=8 => Ask::To,
            9 => Ask::Port(random.below(3) > 0),
            _ => Ask::Bit(bit, random.below(2) == 0),
        };
        let next = chain + 1 + random.below(2);
        let does = match random.below(10) {
            0 | 1 => Does::Accept,
            2 | 3 => Does::Drop,
            4 => Does::Return,
            5 | 6 if next < CHAINS => Does::Jump(next),
            7 if next < CHAINS => Does::Goto(next),
            8 => Does::Clear(bit),
            _ => Does::Set(bit),
        };
        (ask, does)
    };
    let mut chains = Vec::new();
    for chain in 0..CHAINS {
        chains.push((0..3).map(|_| rule(chain)).collect());
    }
    chains
}

fn text(program: &Rules) -> String {
    let mut text = "table inet fwc {\n".to_owned();
    for (number, rules) in program.iter().enumerate().rev() {
        writeln!(text, "chain c{number} {{").unwrap();
        if number == 0 {
            text.push_str("type filter hook prerouting priority -100; policy accept;\n");
        }
        for (ask, does) in rules {
            let ask = match ask {
                Ask::Nothing => String::new(),
                Ask::From => "ip saddr 10.0.0.0/8".into(),
                Ask::To => "ip daddr 10.0.0.0/8".into(),
                Ask::Port(own) => format!("iifname \"tap{}\"", if *own { 1 } else { 2 }),
                Ask::Bit(bit, set) => format!("meta mark & {bit:#x} {} {bit:#x}", if *set { "==" } else { "!=" }),
            };
            let does = match does {
                Does::Accept => "accept".into(),
                Does::Drop => "drop".into(),
                Does::Return => "return".into(),
                Does::Jump(chain) => format!("jump c{chain}"),
                Does::Goto(chain) => format!("goto c{chain}"),
                Does::Set(bit) => format!("meta mark set meta mark | {bit:#x}"),
                Does::Clear(bit) => format!("meta mark set meta mark & {:#x}", !bit),
            };
            writeln!(text, "{ask} {does}").unwrap();
        }
        text.push_str("}\n");
    }
    text + "}\n"
}

/// Whether a packet is accepted (none: it comes back), with its mark.
fn meets(program: &Rules, chain: usize, packet: (bool, bool), mark: &mut u32) -> Option<bool> {
    for (ask, does) in &program[chain] {
        let holds = match ask {
            Ask::Nothing => true,
            Ask::From => packet.0,
            Ask::To => packet.1,
            Ask::Port(own) => *own,
            Ask::Bit(bit, set) => (*mark & bit != 0) == *set,
        };
        if !holds {
            continue;
        }
        match does {
            Does::Accept => return Some(true),
            Does::Drop => return Some(false),
            Does::Return => return None,
            Does::Goto(next) => return meets(program, *next, packet, mark),
            Does::Jump(next) => {
                if let Some(end) = meets(program, *next, packet, mark) {
                    return Some(end);
                }
            }
            Does::Set(bit) => *mark |= bit,
            Does::Clear(bit) => *mark &= !bit,
        }
    }
    None
}

/// Packets from a network or not, to it or not.
fn packets(ground: &mut Ground) -> Vec<((bool, bool), PacketSet)> {
    let mut all = Vec::new();
    for packet in [(false, false), (false, true), (true, false), (true, true)] {
        let address = |inside| Ranges::single(if inside { 0x0a00_0001 } else { 0xc000_0201 });
        let frame = (Field::Frame, Ranges::single(0x0800));
        let fields = [frame, (Field::Dest, address(packet.1)), (Field::Source, address(packet.0))];
        all.push((packet, ground.sets.having(Family::V4, &fields).unwrap()));
    }
    all
}

#[test]
fn marks_that_packets_come_with_and_get_are_followed() {
    let [one, several, lost] = followed(false);
    assert!(one > 1000 && several > 2000 && lost == 0, "{one} {several} {lost}");
}

#[test]
fn marks_are_followed_from_part_to_part() {
    let [one, several, lost] = followed(true);
    assert!(one > 1000 && several > 1000 && lost > 100, "{one} {several} {lost}");
}

/// How often packets left with another mark than they came with, with several, or came to a question about a mark that only some
/// have.
fn followed(splits: bool) -> [usize; 3] {
    let (mut one, mut several, mut lost) = (0, 0, 0);
    for seed in 1..4000 {
        let mut random = Random(seed * 7919);
        let program = program(&mut random);
        let text = text(&program);
        let rules = nft::read(FileId(0), &text);
        let (name, table) = rules.tables.iter().next().unwrap();
        let chains = Chains::new(Program::Nft, name, table);
        let loaded = Loaded::new(&chains, Vec::new());
        let mut loaded = if splits { loaded.of_several_hooks() } else { loaded };
        let mut ground = Ground::new(Sets::new(Interfaces::default(), Budget::default()));
        let packets = packets(&mut ground);
        // One after the other, by the same tables: what is known of one mark serves the next.
        for mark in [BIT, 0, OTHER | BIT, BIT] {
            let context = Context { in_interface: PortValue::Is("tap1".into()), ..Context::default() };
            let base = Base { chain: "c0", sees: PacketSet::ALL, counts: PacketSet::ALL };
            let passage = loaded.base(&mut ground, base, mark, &context).unwrap();
            let wholes: Vec<_> = passage.parts.iter().map(|part| ground.whole(*part).unwrap()).collect();
            let mut left = Vec::new();
            for (packet, set) in &packets {
                let mut ends = Vec::new();
                for whole in &wholes {
                    let within = ground.sets.within(*set, *whole).unwrap();
                    ends.extend(
                        ground.sets.labels(within).into_iter().map(|label| ground.outcomes.outcome(label).unwrap()),
                    );
                }
                assert!(ends.iter().all(|end| end.state.mark == 0), "seed {seed}: {ends:?}\n{text}");
                let end = ends.into_iter().map(|end| end.exit).find(|exit| *exit != Exit::Accept);
                let mut meant = mark;
                let accepted = meets(&program, 0, *packet, &mut meant).unwrap_or(true);
                match end {
                    // A mark of some packets alone was asked for: that is told, and nothing taken for granted.
                    Some(Exit::Unknown(_)) => lost += 1,
                    Some(Exit::Drop) => assert!(!accepted, "seed {seed}, {mark:#x}, {packet:?}\n{text}"),
                    None => {
                        assert!(accepted, "seed {seed}, {mark:#x}, {packet:?}\n{text}");
                        left.push(meant);
                    }
                    // Past all chains, whatever its mark.
                    Some(Exit::Final) if splits => assert!(accepted, "seed {seed}, {mark:#x}, {packet:?}\n{text}"),
                    Some(other) => panic!("seed {seed}: {other:?}\n{text}"),
                }
            }
            match passage.mark {
                Some(mark) => {
                    assert!(left.iter().all(|left| *left == mark), "seed {seed}: {mark:#x} {left:x?}\n{text}")
                }
                None => several += 1,
            }
            one += usize::from(passage.mark.is_some_and(|behind| behind != mark) && !left.is_empty());
        }
    }
    [one, several, lost]
}
