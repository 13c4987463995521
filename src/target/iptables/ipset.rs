//! Large sets of addresses as ipsets.
//!
//! In: sets of addresses that rules name. Out: the sets, each once, under a name made from its content,
//! and the text for `ipset restore`. As the name follows the content, a set that rules of the kernel use is
//! never changed: new sets are loaded first, then the rules that name them.

use std::collections::BTreeMap;
use std::fmt::Write;

use ipnet::IpNet;

use crate::net::Family;

use super::ruleset::{Name, digest};
use super::shape::{Addresses, Part};

/// Sets with more parts than this become ipsets.
const LARGE: usize = 5;

/// The ipsets of one host and family.
#[derive(Debug, Default, Clone)]
pub(super) struct Sets(BTreeMap<Name, (Family, Vec<IpNet>)>);

impl Sets {
    /// The ipset for these addresses; none where they are few.
    pub(super) fn name(&mut self, addresses: &Addresses, family: Family) -> Option<Name> {
        if addresses.parts.len() <= LARGE {
            return None;
        }
        let networks: Vec<IpNet> = addresses.parts.iter().flat_map(|part| networks(*part)).collect();
        let content = networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        // Two hashes of 32 bits, over the text and over its reverse.
        let reverse: String = content.chars().rev().collect();
        let name: Name = format!("fwc-{}{}", digest(&content), digest(&reverse)).into();
        self.0.entry(Name::clone(&name)).or_insert((family, networks));
        Some(name)
    }

    /// Adds the sets of another family.
    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The lines for `ipset restore`.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        for (name, (family, networks)) in &self.0 {
            let inet = match family {
                Family::V4 => "inet",
                Family::V6 => "inet6",
            };
            let size = networks.len().next_power_of_two().max(64);
            let options = format!("hash:net family {inet} hashsize {size} maxelem {}", size.saturating_mul(2));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "create {name} {options} -exist");
            let _ = writeln!(text, "create {name}-t {options} -exist\nflush {name}-t");
            for network in networks {
                let _ = writeln!(text, "add {name}-t {network}");
            }
            let _ = writeln!(text, "swap {name}-t {name}\ndestroy {name}-t");
        }
        text
    }
}

fn networks(part: Part) -> Vec<IpNet> {
    match part {
        // hash:net takes no /0.
        Part::Network(network) if network.prefix_len() == 0 => {
            network.subnets(1).map(Iterator::collect).unwrap_or_default()
        }
        Part::Network(network) => vec![network],
        Part::Range(first, last) => {
            let set = crate::net::AddressSet::span(first, last).unwrap_or_default();
            set.networks(Family::of(first))
        }
    }
}
