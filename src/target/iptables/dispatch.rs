//! Finding one of many in few steps: trees of chains over interface names and over addresses.
//!
//! In: keys and the chain each leads to. Out: the root of a tree. A packet that fits no key returns.
//! Promise: at most [`LEVELS`] chains below the root, as iptables-nft allows 15 nested ones in all.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::ruleset::{Chains, Condition, Jump, Name, Rule, Side, Test};

/// Nested chains below the root.
const LEVELS: usize = 4;
/// A chain of at most this many keys is not split.
const LEAF: usize = 24;
/// A branch of at most this many keys needs no chain: programs that load rules are slow with many chains.
const TWIG: usize = 4;

/// A tree over the names of bridge ports.
pub(super) fn ports<T: Condition>(chains: &mut Chains<T>, hint: &str, side: Side, keys: &BTreeMap<Name, Name>) -> Name {
    let keys: Vec<(&Name, &Name)> = keys.iter().collect();
    let rules = port_level(chains, hint, side, &keys, 0, LEVELS);
    chains.share(hint, rules)
}

fn port_level<T: Condition>(
    chains: &mut Chains<T>,
    hint: &str,
    side: Side,
    keys: &[(&Name, &Name)],
    shared: usize,
    levels: usize,
) -> Vec<Rule<T>> {
    let leaf = |(port, chain): &(&Name, &Name)| {
        Rule::new(vec![T::port(side, Name::clone(port))], Jump::Goto(Name::clone(chain)))
    };
    if keys.len() <= LEAF || levels == 0 {
        return keys.iter().map(leaf).collect();
    }
    let common = common_prefix(keys, shared);
    let mut rules = Vec::new();
    let group = |key: &(&Name, &Name)| key.0.as_bytes().get(common).copied();
    for run in keys.chunk_by(|a, b| group(a) == group(b)) {
        let Some((first, _)) = run.first() else { continue };
        match first.get(..=common) {
            Some(prefix) if run.len() > TWIG => {
                let below = port_level(chains, hint, side, run, common + 1, levels - 1);
                let name = chains.share(&format!("{hint}-{prefix}"), below);
                rules.push(Rule::new(vec![T::port(side, format!("{prefix}+").into())], Jump::Goto(name)));
            }
            Some(_) | None => rules.extend(run.iter().map(leaf)),
        }
    }
    rules
}

/// How many bytes all names begin with together; at least `known`.
fn common_prefix(keys: &[(&Name, &Name)], known: usize) -> usize {
    let (Some((first, _)), Some((last, _))) = (keys.first(), keys.last()) else { return known };
    first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count().max(known)
}

/// What leads to a guest from where no bridge port is known yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    /// The guest's address.
    pub(super) address: IpAddr,
    /// Whether any interface may reach it; sorted behind those of which one is known.
    pub(super) any_out: bool,
    /// The interface that reaches it, if known.
    pub(super) out: Option<Name>,
    /// Where to.
    pub(super) chain: Name,
}

/// A tree over destination addresses of one family, which must be sorted.
pub(super) fn addresses(chains: &mut Chains, hint: &str, keys: &[Address]) -> Name {
    let rules = address_level(chains, hint, keys, LEVELS);
    chains.share(hint, rules)
}

fn address_level(chains: &mut Chains, hint: &str, keys: &[Address], levels: usize) -> Vec<Rule> {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Vec::new() };
    let common = common_bits(first.address, last.address);
    if keys.len() <= LEAF || levels == 0 || first.address == last.address {
        return keys.iter().map(leaf).collect();
    }
    let width = if first.address.is_ipv4() { 32_u8 } else { 128 };
    let length = common.saturating_add(branching(keys.len())).min(width);
    let branch = |key: &Address| IpNet::new(key.address, length).map(|network| network.trunc()).ok();
    let mut rules = Vec::new();
    for run in keys.chunk_by(|a, b| branch(a) == branch(b)) {
        match run.first().and_then(branch) {
            Some(network) if run.len() > TWIG => {
                let below = address_level(chains, hint, run, levels - 1);
                let name = chains.share(&format!("{hint}-{network}"), below);
                let test = Test::Network { side: Side::Dest, network, negated: false };
                rules.push(Rule::new(vec![test], Jump::Goto(name)));
            }
            Some(_) | None => rules.extend(run.iter().map(leaf)),
        }
    }
    rules
}

/// How many bits of the address a level looks at: as many as it takes to reach leaves, at most four.
fn branching(keys: usize) -> u8 {
    const MOST: u8 = 4;
    let leaves = keys.div_ceil(LEAF).next_power_of_two();
    u8::try_from(leaves.trailing_zeros()).unwrap_or(MOST).clamp(1, MOST)
}

fn leaf(key: &Address) -> Rule {
    let mut tests: Vec<Test> = key.out.iter().map(|out| Test::Out(Name::clone(out))).collect();
    tests.push(Test::Network { side: Side::Dest, network: IpNet::from(key.address), negated: false });
    Rule::new(tests, Jump::Goto(Name::clone(&key.chain)))
}

fn common_bits(a: IpAddr, b: IpAddr) -> u8 {
    let bits = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    };
    u8::try_from(bits).unwrap_or(u8::MAX)
}
