//! Options, made from fwc's own table: whoever adds an option there has it tried here.

use fwc::spec::options::{self, OptionKind, OptionSpec, OptionZone, RATE_UNITS};

use super::random::Random;
use super::tree::{Node, word, words};

/// What a spec's options have to respect.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Locked by a guardrail: nobody may set them.
    pub locked: Vec<&'static str>,
    /// Whether Proxmox VE's files must be able to say it.
    pub pve: bool,
    /// Whether guests may have options that nft cannot do.
    pub no_nft: bool,
    /// Whether frames other than IP are filtered.
    pub frames: bool,
}

/// Options of a zone; each is there so many times of a hundred.
pub fn options(random: &mut Random, zone: OptionZone, percent: usize, limits: &Limits) -> Node {
    let mut node = Node::map();
    for option in options::table(zone) {
        if random.chance(percent) && !limits.locked.contains(&option.name) {
            node.set(option.name, value(random, zone, option, limits));
        }
    }
    node
}

/// A value, the default seldom; an empty list where the option has to stay out.
fn value(random: &mut Random, zone: OptionZone, option: &OptionSpec, limits: &Limits) -> Node {
    let left_out = Node::List(Vec::new());
    let seldom = match (zone, option.name) {
        // What turns a firewall off leaves little to look at.
        (OptionZone::Datacenter | OptionZone::Host, "enable") => 10,
        (OptionZone::Guest | OptionZone::Vnet, "enable") | (OptionZone::Datacenter, "ebtables") => 25,
        (OptionZone::Guest, "layer2_protocols" | "ips" | "ips_queues") if !limits.no_nft => 0,
        (OptionZone::Guest, "layer2_protocols") if !limits.frames => 0,
        // A host's own policy becomes rules in `host.fw`, which have no words for all that a policy does.
        (OptionZone::Host, "policy_in" | "policy_out" | "policy_forward") if limits.pve => 0,
        (_, _) => 100,
    };
    if !random.chance(seldom) {
        return left_out;
    }
    let opposite = |default: Option<&str>| word(default != Some("true"));
    match option.kind {
        OptionKind::Bool if random.chance(80) => opposite(option.default),
        OptionKind::Bool => word(option.default == Some("true")),
        // A judge sends many packets in a second: the limit must not be what stops them.
        OptionKind::Integer { .. } if option.name == "protection_synflood_rate" => {
            word(random.pick(&["50000", "1000000"]))
        }
        OptionKind::Integer { .. } if option.name == "protection_synflood_burst" => {
            word(random.pick(&["20000", "1000000"]))
        }
        OptionKind::Integer { min, max, .. } => {
            let (min, max) = (usize::try_from(min).expect("a number"), usize::try_from(max).expect("a number"));
            match random.below(4) {
                0 => word(min),
                1 => word(max.min(4_194_304)),
                _ => word(random.between(min, max.min(4 * min))),
            }
        }
        OptionKind::Choice(all) => word(random.pick(all)),
        OptionKind::Choices(all) => {
            let count = random.between(1, 3);
            words(&random.some(all, count))
        }
        OptionKind::RateLimit => {
            let rate = format!("{}/{}", random.pick(&["1", "5", "40"]), random.pick(&RATE_UNITS[..3]));
            let mut limit = Node::map().with("rate", word(rate));
            if random.chance(50) {
                limit.set("burst", word(random.between(1, 20)));
            }
            if random.chance(30) {
                limit.set("enable", word(random.chance(50)));
            }
            limit
        }
        OptionKind::EtherTypes => {
            let mut list = vec!["IPv4", "ARP"];
            list.extend(random.some(&["IPv6", "LLDP", "0x88e5", "RARP"], 2));
            let count = random.between(1, list.len());
            words(&random.some(&list, count))
        }
        OptionKind::Queues => word(random.pick(&["0", "3", "2:4"])),
    }
}
