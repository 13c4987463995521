//! What contexts say of frames and of the names of ports, and which rule it is that is not understood.

use std::fmt::Write;

use crate::analysis::sets::{Budget, Diagram, Field, Interfaces, Label, PacketSet, Sets};
use crate::diagnostic::FileId;
use crate::net::{Family, Ranges};
use crate::state::ruleset::{Program, Ruleset};
use crate::state::{iptables, nft};

use super::super::{Base, Chains, Context, Exit, Ground, Loaded, Outcome, PortValue, Tagging};
use super::samples::Random;

const ASKS: [&str; 9] = [
    "meta protocol ip",
    "meta protocol != ip",
    "meta protocol { 8021q, 8021ad }",
    "meta protocol { ip, 8021q }",
    "ip saddr 10.0.0.0/8",
    "meta protocol != ip6 ip daddr 10.0.0.1",
    "ether saddr bc:24:11:00:00:01",
    "udp dport 53",
    "meta protocol arp",
];
const ENDS: [&str; 6] = ["accept", "drop", "return", "jump c", "goto c", "meta mark set meta mark | 0x40000000"];
const CHAINS: usize = 4;

fn table(random: &mut Random) -> String {
    let mut text = "table bridge fwc {\n".to_owned();
    for at in (0..=CHAINS).rev() {
        let base = at == 0;
        writeln!(text, "chain c{at} {{").unwrap();
        if base {
            text.push_str("type filter hook prerouting priority -100; policy accept;\n");
        }
        for _ in 0..2 + random.below(4) {
            let ask = if random.below(6) == 0 { "" } else { ASKS[random.below(ASKS.len())] };
            let end = ENDS[random.below(ENDS.len())];
            let next = at + 1 + random.below(2);
            match end.strip_suffix('c') {
                Some(_) if next > CHAINS => writeln!(text, "{ask} drop").unwrap(),
                Some(_) => writeln!(text, "{ask} {end}{next}").unwrap(),
                None if end == "return" && base => writeln!(text, "{ask} accept").unwrap(),
                None => writeln!(text, "{ask} {end}").unwrap(),
            }
        }
        text.push_str("}\n");
    }
    text + "}\n"
}

/// What a base chain of a table does.
fn parts(ground: &mut Ground, rules: &Ruleset, chain: &str, context: &Context) -> Vec<Diagram> {
    let (name, table) = rules.tables.iter().next().unwrap();
    let chains = Chains::new(Program::Nft, name, table);
    let mut loaded = Loaded::new(&chains, Vec::new());
    let base = Base { chain, sees: PacketSet::ALL, counts: PacketSet::ALL };
    let parts = loaded.base(ground, base, 0, context).unwrap().parts.clone();
    parts.into_iter().map(|part| ground.whole(part).unwrap()).collect()
}

#[test]
fn frames_with_a_second_tag_meet_the_rules_as_all_others_of_their_type() {
    let (mut shown, mut said) = (0, 0);
    for seed in 1..600 {
        let mut random = Random(seed);
        let text = table(&mut random);
        let rules = nft::read(FileId(0), &text);
        let mut ground = Ground::new(Sets::new(Interfaces::default(), Budget::default()));
        let tags = [(Field::Frame, Ranges::single(0x8100))];
        let tags = ground.sets.having(Family::V4, &tags).unwrap();
        let [found, wanted] = [Tagging::Double, Tagging::Plain].map(|tagging| {
            let context = Context { in_interface: PortValue::Is("tap1".into()), tagging, ..Context::default() };
            let parts = parts(&mut ground, &rules, "c0", &context);
            let within = |part: &Diagram| ground.sets.within(tags, *part).unwrap();
            parts.iter().map(within).collect::<Vec<_>>()
        });
        // A part that passes all of them need not be there.
        let accepts = |ground: &mut Ground| ground.sets.within(tags, Diagram::all(super::super::pass())).unwrap();
        let passes = accepts(&mut ground);
        let does = |parts: Vec<Diagram>| parts.into_iter().filter(|part| *part != passes).collect::<Vec<_>>();
        let (found, wanted) = (does(found), does(wanted));
        shown += usize::from(!wanted.is_empty());
        said += wanted.len();
        assert_eq!(found, wanted, "seed {seed}\n{text}");
    }
    assert!(shown > 150 && said >= shown, "{shown} {said}");
}

#[test]
fn what_is_looked_up_by_a_port_that_is_not_known_is_not_told() {
    let text = "table inet fwc {\n\
        set guards { type ifname . ipv4_addr; elements = { \"eth0\" . 10.0.0.1 } }\n\
        chain input {\n\
        type filter hook input priority 0; policy accept;\n\
        iifname . ip saddr @guards drop\n\
        }\n}\n";
    let rules = nft::read(FileId(0), text);
    let mut ground = Ground::new(Sets::new(Interfaces::default(), Budget::default()));
    let mut exits = |in_interface: PortValue| {
        let context = Context { in_interface, out_interface: PortValue::Any, ..Context::default() };
        let parts = parts(&mut ground, &rules, "input", &context);
        let labels = parts.into_iter().flat_map(|part| ground.sets.labels(part)).collect::<Vec<Label>>();
        let exits = labels.into_iter().filter_map(|label| ground.outcomes.outcome(label));
        exits.map(|Outcome { exit, .. }| exit).collect::<Vec<_>>()
    };
    assert!(exits(PortValue::Is("eth0".into())).contains(&Exit::Drop));
    assert_eq!(exits(PortValue::Is("eth1".into())), []);
    let unknown = exits(PortValue::Any);
    assert!(unknown.iter().any(|exit| matches!(exit, Exit::Unknown(_))), "{unknown:?}");
}

#[test]
fn each_rule_that_is_not_understood_is_told_as_itself() {
    let mut text = "*filter\n:FORWARD ACCEPT [0:0]\n".to_owned();
    (0..20).for_each(|at| writeln!(text, ":c{at:02} - [0:0]").unwrap());
    for at in 0..20 {
        writeln!(text, "-A FORWARD -s 10.0.0.{at} -g c{at:02}").unwrap();
        writeln!(text, "-A c{at:02} -p tcp -j ACCEPT\n-A c{at:02} -m odd --words w{at:02} -j DROP").unwrap();
    }
    text.push_str("COMMIT\n");
    let rules = iptables::read(FileId(0), &text, Program::Iptables);
    let (name, table) = rules.tables.iter().next().unwrap();
    let chains = Chains::new(Program::Iptables, name, table);
    let mut loaded = Loaded::new(&chains, Vec::new()).of_several_hooks();
    let mut ground = Ground::new(Sets::new(Interfaces::default(), Budget::default()));
    let base = Base { chain: "FORWARD", sees: PacketSet::ALL, counts: PacketSet::ALL };
    let parts = loaded.base(&mut ground, base, 0, &Context::default()).unwrap().parts.clone();
    let wholes = parts.into_iter().map(|part| ground.whole(part).unwrap()).collect::<Vec<_>>();
    let labels = wholes.into_iter().flat_map(|whole| ground.sets.labels(whole));
    let numbers = labels.filter_map(|label| {
        let Exit::Unknown(number) = ground.outcomes.outcome(label)?.exit else { return None };
        loaded.unknown(number)
    });
    let mut found: Vec<String> = numbers.map(|one| format!("{}: {}", one.chain, one.words)).collect();
    found.sort();
    let wanted: Vec<String> = (0..20).map(|at| format!("c{at:02}: -m odd --words w{at:02}")).collect();
    assert_eq!(found, wanted);
}
