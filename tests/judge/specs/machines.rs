//! Hosts, bridges and guests: who has which addresses, and who inherits what.

use super::names::Term;
use super::random::Random;
use super::tree::{Node, word, words};

/// A NIC, as far as other parts of the spec must know it.
#[derive(Debug, Clone)]
pub struct Nic {
    /// Everything but its rules.
    pub node: Node,
    /// Whether it has addresses of IPv4.
    pub v4: bool,
    /// Whether it has addresses of IPv6.
    pub v6: bool,
}

/// A guest before its options and rules.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Its number.
    pub id: usize,
    /// Whether it is a container.
    pub container: bool,
    /// Names of the guest zones that it inherits, nearest first.
    pub inherits: Vec<String>,
    /// One or two.
    pub nics: Vec<Nic>,
}

impl Guest {
    /// As other rules refer to it; none where it has no addresses.
    pub fn term(&self) -> Option<Term> {
        let (v4, v6) = (self.nics.iter().any(|nic| nic.v4), self.nics.iter().any(|nic| nic.v6));
        let kind = if self.container { "ct" } else { "vm" };
        (v4 || v6).then(|| Term::new(format!("{kind}/{}", self.id), v4, v6))
    }

    /// The names of its NICs.
    pub fn interfaces(&self) -> &'static [&'static str] {
        if self.nics.len() == 2 { &["net0", "net1"] } else { &["net0"] }
    }
}

/// The host's addresses: one of each family on each bridge that it serves as a router.
pub fn host_addresses(random: &mut Random, bridges: usize) -> Node {
    let mut addresses = vec!["10.0.0.1/24".to_owned()];
    if random.chance(85) {
        addresses.push("2001:db8::1/64".into());
    }
    if bridges > 1 && random.chance(75) {
        addresses.push("10.0.1.1/24".into());
        if random.chance(75) {
            addresses.push("2001:db8:1::1/64".into());
        }
    }
    words(&addresses)
}

/// The guests. The first has addresses of both families, on the first bridge.
pub fn guests(random: &mut Random, bridges: &[&str], zones: &[String]) -> Vec<Guest> {
    let count = random.between(2, 8);
    let mut guests = Vec::new();
    for at in 0..count {
        let nics = if random.chance(30) { 2 } else { 1 };
        let count = random.below(3);
        guests.push(Guest {
            id: 100 + at,
            container: random.chance(30),
            inherits: random.some(zones, count),
            nics: (0..nics).map(|index| nic(random, bridges, at, index)).collect(),
        });
    }
    guests
}

fn nic(random: &mut Random, bridges: &[&str], guest: usize, index: usize) -> Nic {
    let first = guest == 0 && index == 0;
    let bridge = if first { 0 } else { random.below(bridges.len()) };
    let number = 10 + 2 * guest + index;
    // Some guests are in no network of the host.
    let net = if !first && random.chance(12) { 7 } else { bridge };
    let v4 = format!("10.0.{net}.{number}{}", if random.chance(80) { "/24" } else { "" });
    let v6 = format!("2001:db8:{net}::{number:x}{}", if random.chance(80) { "/64" } else { "" });
    let v6 = v6.replace("2001:db8:0::", "2001:db8::");
    let ip: Vec<String> = match if first { 0 } else { random.below(24) } {
        0..13 => vec![v4, v6],
        13..16 => vec![v4],
        16..19 => vec![v6],
        19 | 20 => vec![v4, v6, format!("10.0.{net}.{}/24", number + 100)],
        21 => vec!["dhcp".into()],
        22 => vec!["dhcp".into(), v6],
        _ => Vec::new(),
    };
    let mut node = Node::map()
        .with("bridge", word(bridges[bridge]))
        .with("mac", word(format!("BC:24:11:00:{index:02X}:{:02X}", 100 + guest)))
        .with("ip", words(&ip));
    if !first && random.chance(15) {
        node.set("tag", word(random.pick(&["7", "100", "4094"])));
    }
    if random.chance(8) {
        node.set("device", word(format!("port{guest}.{index}")));
    }
    if !first && random.chance(8) {
        node.set("firewall", word(false));
    }
    let v4 = ip.iter().any(|text| text.contains('.'));
    let v6 = ip.iter().any(|text| text.contains(':'));
    Nic { node, v4, v6 }
}
