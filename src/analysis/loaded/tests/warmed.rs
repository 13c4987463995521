//! What is kept of base chains that were asked before, against chains that nobody asked yet.

use std::fmt::Write;
use std::sync::Arc;

use crate::analysis::sets::{Budget, Field, Interfaces, PacketSet, Sets};
use crate::diagnostic::FileId;
use crate::net::{Family, Mac, Ranges};
use crate::state::nft;
use crate::state::ruleset::Program;

use super::super::{Base, Chains, Context, Ground, Loaded, PortValue, Tagging};
use super::samples::Random;

const CHAINS: usize = 5;

/// What a rule may look at: each kind of what a context can know, alone and together.
const ASKS: [&str; 14] = [
    "",
    "iifname \"tap1\"",
    "iifname != \"tap2\"",
    "oifname \"tap1\"",
    "meta ibrname \"vmbr0\"",
    "iifname . ether saddr @own",
    "iifname . ether saddr != @own",
    "oifname \"tap2\" iifname . ether saddr @own",
    "ether type 0x88a8",
    "meta protocol arp",
    "meta protocol ip",
    "ip saddr 10.0.0.0/8",
    "meta mark & 0x1 == 0x1",
    "meta mark & 0x1 == 0x0 iifname \"tap1\"",
];

fn table(random: &mut Random) -> String {
    let mut text =
        "table bridge fwc {\nset own { type ifname . ether_addr; elements = { \"tap1\" . bc:24:11:00:00:01, \
         \"tap2\" . bc:24:11:00:00:02 } }\n"
            .to_owned();
    text.push_str("map led { type ifname : verdict; elements = { \"tap1\" : goto c3, \"tap2\" : goto c4 } }\n");
    for chain in (0..CHAINS).rev() {
        writeln!(text, "chain c{chain} {{").unwrap();
        if chain == 0 {
            text.push_str("type filter hook prerouting priority -100; policy accept;\n");
        }
        for _ in 0..4 {
            let next = chain + 1 + random.below(2);
            let does = match random.below(9) {
                0 => "accept".to_owned(),
                1 => "drop".to_owned(),
                2 => "return".to_owned(),
                3 | 4 if next < CHAINS => format!("jump c{next}"),
                5 if next < CHAINS => format!("goto c{next}"),
                6 => "meta mark set meta mark | 0x1".to_owned(),
                7 => "meta mark set meta mark & 0xfffffffe".to_owned(),
                8 if chain < 3 => {
                    text.push_str("iifname vmap @led\n");
                    continue;
                }
                _ => "accept".to_owned(),
            };
            writeln!(text, "{} {does}", ASKS[random.below(ASKS.len())]).unwrap();
        }
        text.push_str("}\n");
    }
    text + "}\n"
}

fn context(random: &mut Random) -> Context {
    let mut port = || match random.below(4) {
        0 => PortValue::None,
        1 => PortValue::Is("tap2".into()),
        _ => PortValue::Is("tap1".into()),
    };
    let (in_interface, out_interface) = (port(), port());
    let bridge = if random.below(2) == 0 { PortValue::Is("vmbr0".into()) } else { PortValue::None };
    let own_mac = match random.below(3) {
        0 => None,
        number => Some(Mac([0xbc, 0x24, 0x11, 0, 0, u8::try_from(number).unwrap()])),
    };
    let tagging = [Tagging::Plain, Tagging::Plain, Tagging::Service, Tagging::Double][random.below(4)];
    Context { in_interface, out_interface, bridge, own_mac, tagging, ..Context::default() }
}

#[test]
fn what_is_known_of_one_way_is_right_on_the_next() {
    let (mut known, mut marked) = (0, 0);
    for seed in 1..600 {
        let mut random = Random(seed * 6607);
        let text = table(&mut random);
        let rules = nft::read(FileId(0), &text);
        assert_eq!(rules.unread, [], "{text}");
        let (name, table) = rules.tables.iter().next().unwrap();
        let chains = Chains::new(Program::Nft, name, table);
        let mut warmed = Loaded::new(&chains, Vec::new());
        let mut ground = Ground::new(Sets::new(Interfaces::default(), Budget::default()));
        let arp = ground.sets.having(Family::V4, &[(Field::Frame, Ranges::single(0x0806))]).unwrap();
        let mut before = Vec::new();
        for _ in 0..60 {
            let context = context(&mut random);
            let counts = if random.below(4) == 0 { arp } else { PacketSet::ALL };
            let (base, mark) = (Base { chain: "c0", sees: PacketSet::ALL, counts }, u32::from(random.below(2) == 0));
            let kept = warmed.base(&mut ground, base, mark, &context).unwrap();
            let fresh = Loaded::new(&chains, Vec::new()).base(&mut ground, base, mark, &context).unwrap();
            assert_eq!((&kept.parts, kept.mark), (&fresh.parts, fresh.mark), "seed {seed}: {context:?}\n{text}");
            known += usize::from(before.iter().any(|other| Arc::ptr_eq(other, &kept)));
            marked += usize::from(kept.mark.is_none());
            before.push(kept);
        }
    }
    assert!(known > 2000 && marked > 2000, "{known} {marked}");
}
