//! Random base chains, with marks, log lines, and rules for ports, against what each packet meets that goes through them.

use std::fmt::Write;

use crate::analysis::sets::{Budget, Field, Interfaces, PacketSet, Sets};
use crate::diagnostic::FileId;
use crate::net::{Family, Ranges};
use crate::policy::LogLevel;
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
    /// Whether it comes by a port, or by another one.
    Port(&'static str, bool),
    /// Whether a bit is set.
    Bit(u32, bool),
}

/// What a rule does.
#[derive(Clone)]
enum Does {
    Accept,
    Drop,
    Return,
    Jump(usize),
    Goto(usize),
    Set(u32),
    Clear(u32),
    Log(LogLevel),
    /// What the port is led to, if it is among these.
    Map(Vec<(&'static str, Does)>),
}

/// The ports that rules name.
const PORTS: [&str; 2] = ["tap1", "tap2"];

type Rules = Vec<Vec<(Ask, Does)>>;

fn program(random: &mut Random) -> Rules {
    let mut rule = |chain: usize| {
        let bit = if random.below(2) == 0 { BIT } else { OTHER };
        let ask = match random.below(12) {
            0..=2 => Ask::Nothing,
            3..=5 => Ask::From,
            6..=8 => Ask::To,
            9 => Ask::Port(PORTS[random.below(2)], random.below(3) > 0),
            _ => Ask::Bit(bit, random.below(2) == 0),
        };
        let mut does = |kinds: usize| {
            let next = chain + 1 + random.below(2);
            match random.below(kinds) {
                0 | 1 => Does::Accept,
                2 | 3 => Does::Drop,
                4 => Does::Return,
                5 | 6 if next < CHAINS => Does::Jump(next),
                7 if next < CHAINS => Does::Goto(next),
                5..=7 => Does::Accept,
                8 => Does::Clear(bit),
                9 => Does::Log(if next.is_multiple_of(2) { LogLevel::Info } else { LogLevel::Debug }),
                _ => Does::Set(bit),
            }
        };
        let leads = [does(8), does(8)];
        let does = does(12);
        if matches!(does, Does::Log(LogLevel::Info)) {
            (Ask::Nothing, Does::Map(PORTS.into_iter().zip(leads).collect()))
        } else {
            (ask, does)
        }
    };
    let mut chains = Vec::new();
    for chain in 0..CHAINS {
        chains.push((0..3).map(|_| rule(chain)).collect());
    }
    chains
}

fn text(program: &Rules) -> String {
    let (mut chains, mut maps) = (String::new(), String::new());
    for (number, rules) in program.iter().enumerate().rev() {
        writeln!(chains, "chain c{number} {{").unwrap();
        if number == 0 {
            chains.push_str("type filter hook prerouting priority -100; policy accept;\n");
        }
        for (at, (ask, does)) in rules.iter().enumerate() {
            let ask = match ask {
                Ask::Nothing => String::new(),
                Ask::From => "ip saddr 10.0.0.0/8".into(),
                Ask::To => "ip daddr 10.0.0.0/8".into(),
                Ask::Port(name, own) => format!("iifname {}\"{name}\"", if *own { "" } else { "!= " }),
                Ask::Bit(bit, set) => format!("meta mark & {bit:#x} {} {bit:#x}", if *set { "==" } else { "!=" }),
            };
            let does = if let Does::Map(leads) = does {
                let elements: Vec<_> =
                    leads.iter().map(|(port, does)| format!("\"{port}\" : {}", word(does))).collect();
                let elements = elements.join(", ");
                writeln!(maps, "map m{number}{at} {{ type ifname : verdict; elements = {{ {elements} }} }}").unwrap();
                format!("iifname vmap @m{number}{at}")
            } else {
                word(does)
            };
            writeln!(chains, "{ask} {does}").unwrap();
        }
        chains.push_str("}\n");
    }
    format!("table inet fwc {{\n{maps}{chains}}}\n")
}

fn word(does: &Does) -> String {
    match does {
        Does::Accept => "accept".into(),
        Does::Drop => "drop".into(),
        Does::Return => "return".into(),
        Does::Jump(chain) => format!("jump c{chain}"),
        Does::Goto(chain) => format!("goto c{chain}"),
        Does::Set(bit) => format!("meta mark set meta mark | {bit:#x}"),
        Does::Clear(bit) => format!("meta mark set meta mark & {:#x}", !bit),
        Does::Log(level) => {
            format!("log prefix \"x\" level {}", if *level == LogLevel::Info { "info" } else { "debug" })
        }
        Does::Map(_) => panic!("a map within a map"),
    }
}

/// A packet on its way.
#[derive(Clone)]
struct Met {
    from: bool,
    to: bool,
    port: &'static str,
    mark: u32,
    logs: Vec<LogLevel>,
}

impl Met {
    /// Whether it is accepted; none: it comes back.
    fn chain<'p>(&mut self, program: &'p Rules, chain: usize) -> Option<bool> {
        for (ask, does) in &program[chain] {
            let holds = match ask {
                Ask::Nothing => true,
                Ask::From => self.from,
                Ask::To => self.to,
                Ask::Port(name, own) => (self.port == *name) == *own,
                Ask::Bit(bit, set) => (self.mark & bit != 0) == *set,
            };
            if !holds {
                continue;
            }
            let led =
                |leads: &'p [(&str, Does)]| leads.iter().find(|(port, _)| *port == self.port).map(|(_, does)| does);
            let Some(does) = (if let Does::Map(leads) = does { led(leads) } else { Some(does) }) else { continue };
            match does {
                Does::Accept => return Some(true),
                Does::Drop => return Some(false),
                Does::Return => return None,
                Does::Goto(next) => return self.chain(program, *next),
                Does::Jump(next) => {
                    if let Some(end) = self.chain(program, *next) {
                        return Some(end);
                    }
                }
                Does::Set(bit) => self.mark |= bit,
                Does::Clear(bit) => self.mark &= !bit,
                Does::Log(level) => self.logs.push(*level),
                Does::Map(_) => panic!("a map within a map"),
            }
        }
        None
    }
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
fn a_chain_does_what_each_packet_meets() {
    let [one, several, lost] = followed(false);
    assert!(one > 1000 && several > 2000 && lost == 0, "{one} {several} {lost}");
}

#[test]
fn a_chain_for_several_hooks_does_what_each_packet_meets() {
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
        // One after the other, by the same tables: what is known of one mark and port serves the next.
        for (mark, port) in [(BIT, "tap1"), (0, "tap1"), (OTHER | BIT, "tap2"), (BIT, "eth0"), (BIT, "tap2")] {
            let in_interface =
                if PORTS.contains(&port) { PortValue::Is(port.into()) } else { PortValue::Other("".into()) };
            let context = Context { in_interface, ..Context::default() };
            let base = Base { chain: "c0", sees: PacketSet::ALL, counts: PacketSet::ALL };
            let passage = loaded.base(&mut ground, base, mark, &context).unwrap();
            let wholes: Vec<_> = passage.parts.iter().map(|part| ground.whole(*part).unwrap()).collect();
            let mut left = Vec::new();
            for ((from, to), set) in &packets {
                let mut logs: Vec<LogLevel> = Vec::new();
                let mut end = None;
                for whole in &wholes {
                    let within = ground.sets.within(*set, *whole).unwrap();
                    let labels: Vec<_> = ground.sets.labels(within).into_iter().collect();
                    let [label] = labels.as_slice() else { panic!("seed {seed}: {labels:?}\n{text}") };
                    let outcome = ground.outcomes.outcome(*label).unwrap();
                    assert!(outcome.state.mark == 0, "seed {seed}: {outcome:?}\n{text}");
                    logs.extend(outcome.state.logs());
                    if outcome.exit != Exit::Accept {
                        end = Some(outcome.exit);
                        break;
                    }
                }
                let mut met = Met { from: *from, to: *to, port, mark, logs: Vec::new() };
                let accepted = met.chain(&program, 0).unwrap_or(true);
                match end {
                    // A mark of some packets alone was asked for: that is told, and nothing taken for granted.
                    Some(Exit::Unknown(_)) => {
                        lost += 1;
                        continue;
                    }
                    Some(Exit::Drop) => assert!(!accepted, "seed {seed}, {mark:#x}, {from} {to} {port}\n{text}"),
                    // Past all chains, whatever its mark.
                    Some(Exit::Final) if splits => {
                        assert!(accepted, "seed {seed}, {mark:#x}, {from} {to} {port}\n{text}")
                    }
                    None => {
                        assert!(accepted, "seed {seed}, {mark:#x}, {from} {to} {port}\n{text}");
                        left.push(met.mark);
                    }
                    Some(other) => panic!("seed {seed}: {other:?}\n{text}"),
                }
                assert_eq!(logs, met.logs, "seed {seed}, {mark:#x}, {from} {to} {port}\n{text}");
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
