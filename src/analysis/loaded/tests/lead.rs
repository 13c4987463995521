//! Chains that lead elsewhere, looked up and rule by rule.

use std::fmt::Write;
use std::sync::Arc;

use crate::analysis::sets::{Budget, Diagram, Interfaces, PacketSet, Sets};
use crate::diagnostic::FileId;
use crate::net::Ranges;
use crate::state::iptables;
use crate::state::ruleset::Program;

use super::super::{Base, Chains, Context, Ground, Loaded, PortValue, Towards};
use super::samples::Random;

const PORTS: [&str; 5] = ["tap1", "tap10", "tap1i0", "veth2", "eth0"];
const STARTS: [&str; 4] = ["tap+", "tap1+", "veth+", "t+"];
const DESTS: [&str; 6] = ["10.0.0.1", "10.0.0.2", "10.0.0.0/30", "10.0.0.8/29", "10.0.1.0/24", "192.0.2.1"];
const CHAINS: usize = 6;
const ENDS: [&str; 3] = ["-A end0 -p tcp -j ACCEPT", "-A end1 -p udp -j DROP", "-A end2 -j RETURN"];

/// Chains of which each leads to later ones, by ports or by destinations, and some rules of another kind. What is asked of
/// senders is told wherever their packets go, so some tables have the one kind of chains and some the other.
fn table(random: &mut Random) -> String {
    let mut text = "*filter\n:FORWARD ACCEPT [0:0]\n".to_owned();
    (0..CHAINS).for_each(|at| writeln!(text, ":c{at} - [0:0]").unwrap());
    (0..ENDS.len()).for_each(|at| writeln!(text, ":end{at} - [0:0]\n{}", ENDS[at]).unwrap());
    text.push_str("-A FORWARD -p icmp -j DROP\n-A FORWARD -j c0\n-A FORWARD -p tcp -j c1\n");
    let kinds = random.below(3);
    for at in 0..CHAINS {
        let by_port = [true, false, random.below(2) == 0][kinds];
        for _ in 0..2 + random.below(5) {
            write!(text, "-A c{at}").unwrap();
            match by_port {
                true if random.below(2) == 0 => {
                    write!(text, " -m physdev --physdev-in {}", PORTS[random.below(5)]).unwrap();
                }
                true => write!(text, " -m physdev --physdev-in {}", STARTS[random.below(4)]).unwrap(),
                false => write!(text, " -d {}", DESTS[random.below(6)]).unwrap(),
            }
            match random.below(20) {
                0 => text.push_str(" -p udp"),
                1 => text.push_str(" -o vmbr0"),
                2 => text.push_str(" -m mark --mark 0x0/0x1"),
                _ => {}
            }
            let next = at + 1 + random.below(3);
            let next = if next < CHAINS { format!("c{next}") } else { format!("end{}", random.below(ENDS.len())) };
            match random.below(20) {
                0 | 1 => writeln!(text, " -j {next}").unwrap(),
                2 => writeln!(text, " -j MARK --set-xmark 0x1/0x1").unwrap(),
                3 => writeln!(text, " -j {}", ["ACCEPT", "DROP", "RETURN"][random.below(3)]).unwrap(),
                _ => writeln!(text, " -g {next}").unwrap(),
            }
        }
    }
    text + "COMMIT\n"
}

fn context(random: &mut Random) -> Context {
    let bridge_in = match random.below(8) {
        0 => PortValue::None,
        1 => PortValue::Other("".into()),
        2 => PortValue::Other("tap1".into()),
        _ => PortValue::Is(PORTS[random.below(5)].into()),
    };
    let dest = |first: u128, last: u128| Ranges::from_ranges([(first, last)]);
    let to = match random.below(6) {
        0 => None,
        1 => Some(dest(0x0a00_0001, 0x0a00_0001)),
        2 => Some(dest(0x0a00_0002, 0x0a00_0003)),
        3 => Some(dest(0x0a00_0000, 0x0a00_01ff)),
        4 => Some(dest(0, u128::from(u32::MAX))),
        _ => Some(dest(0x0a00_0001, 0x0a00_0001).union(&dest(0xc000_0201, 0xc000_0201))),
    };
    let out = [PortValue::Any, PortValue::Is("vmbr0".into()), PortValue::Is("eth9".into())];
    let towards = to.map(|dest| Arc::new(Towards { dest, out_interface: out[random.below(3)].clone() }));
    let any = PortValue::Any;
    Context { in_interface: any.clone(), out_interface: any, bridge_in, towards, ..Context::default() }
}

#[test]
fn a_rule_that_is_looked_up_is_the_one_that_packets_meet_first() {
    let mut led = 0;
    for seed in 1..800 {
        let mut random = Random(seed);
        let text = table(&mut random);
        let rules = iptables::read(FileId(0), &text, Program::Iptables);
        let (name, table) = rules.tables.iter().next().unwrap();
        let indexed = Chains::new(Program::Iptables, name, table);
        let mut plain = Chains::new(Program::Iptables, name, table);
        plain.forget_indexes();
        let mut ground = Ground::new(Sets::new(Interfaces::default(), Budget::default()));
        let mut sides = [&indexed, &plain].map(|chains| Loaded::new(chains, Vec::new()).of_several_hooks());
        for _ in 0..6 {
            let context = context(&mut random);
            let base = Base { chain: "FORWARD", sees: PacketSet::ALL, counts: PacketSet::ALL };
            let first = indexed.number("c0").unwrap();
            led += usize::from(indexed.led_to(first, &context) != Some(first));
            let [found, wanted]: [Vec<Diagram>; 2] = [0, 1].map(|side| {
                let parts = sides[side].base(&mut ground, base, 0, &context).unwrap().parts.clone();
                parts.into_iter().map(|part| ground.whole(part).unwrap()).collect()
            });
            assert_eq!(found, wanted, "seed {seed}, {context:?}\n{text}");
        }
    }
    // Often enough something is looked up.
    assert!(led > 1000, "{led}");
}
