//! What `diff` says of packets, held against the plain evaluator: random specs, random edits, packets near the edges.

use std::collections::BTreeSet;

use fwc::analysis::Judge;
use fwc::diff::policy::compare;
use fwc::diff::report::{Wire, WireRow};
use fwc::diff::wire;
use fwc::net::Family;
use fwc::policy::{Fleet, Hook, Nic, Verdict};

use crate::edits::edited;
use crate::packets::Near;
use crate::random::Random;
use crate::side::{Built, built};
use crate::specs::random_spec;
use crate::specs::tree::Node;

const SEEDS: u64 = 40;
const EDITS: usize = 12;
/// Packets of each family for each hook.
const PACKETS: usize = 40;

/// A hook by host, machine (with the NIC, but for the first) and name; as `At` has them.
type Place = (String, String, String);

/// Every hook that filters.
fn hooks(fleet: &Fleet) -> Vec<(Place, &Hook, Option<&Nic>)> {
    let mut found = Vec::new();
    for host in fleet.hosts.iter().filter(|host| host.enabled) {
        let place = |machine: String, hook: &Hook| (host.name.clone(), machine, hook.name.name().to_owned());
        for hook in [&host.hook_in, &host.hook_out, &host.hook_forward] {
            found.push((place(format!("host/{}", host.name), hook), hook, None));
        }
        for guest in &host.guests {
            for nic in guest.filtered_nics() {
                let net = if nic.index > 0 { format!(":net{}", nic.index) } else { String::new() };
                for hook in [&guest.hook_in, &guest.hook_out] {
                    found.push((place(format!("{}{net}", guest.zone()), hook), hook, Some(nic)));
                }
            }
        }
        for vnet in host.vnets.iter().filter(|vnet| vnet.enabled) {
            found.push((place(format!("vnet/{}", vnet.name), &vnet.hook), &vnet.hook, None));
        }
    }
    found
}

fn places(rows: &[WireRow]) -> BTreeSet<Place> {
    let place = |at: &fwc::diff::report::At| (at.host.clone(), at.machine.clone(), at.hook.clone().unwrap_or_default());
    rows.iter().flat_map(|row| &row.at).map(place).collect()
}

/// What the rows say wrongly; none where no packet shows it.
fn wrong(old: &Built, new: &Built, told: &Wire, random: &mut Random) -> Option<String> {
    let (accepted, refused, otherwise) = (places(&told.accepted), places(&told.refused), places(&told.otherwise));
    let before = hooks(&old.fleet);
    for (place, hook, nic) in hooks(&new.fleet) {
        let Some((_, old_hook, old_nic)) = before.iter().find(|(other, ..)| *other == place) else { continue };
        let (was, is) = (Judge::new(old_hook, *old_nic), Judge::new(hook, nic));
        let near = Near::of(was.clauses().chain(is.clauses()).flat_map(|(_, clause, _)| &clause.matches));
        for packet in (0..PACKETS).flat_map(|_| Family::BOTH.map(|family| near.packet(family, random))) {
            let (a, b) = (was.decide(&packet).verdict, is.decide(&packet).verdict);
            let list = match (a == Verdict::Accept, b == Verdict::Accept) {
                _ if a == b => continue,
                (_, true) => &accepted,
                (true, false) => &refused,
                (false, false) => &otherwise,
            };
            if !list.contains(&place) {
                return Some(format!("{place:?}: {a:?} → {b:?} is not told: {packet:?}"));
            }
        }
    }
    None
}

#[test]
fn every_packet_of_another_fate_is_in_a_row() {
    let (mut compared, mut silent, mut wrongs) = (0, 0, Vec::new());
    for seed in 0..SEEDS {
        let text = random_spec(seed);
        let tree = Node::parse(&text).expect("a tree");
        let old = built(&text).expect("a random spec compiles");
        let mut random = Random::new(seed + 70_000);
        let mut edits = crate::specs::random::Random::new(seed + 90_000);
        for _ in 0..EDITS {
            let Some((other, done)) = edited(&tree, &mut edits) else { continue };
            let Some(new) = built(&other.render()) else { continue };
            let (hosts, _) = compare(old.side(), new.side());
            let told = wire::compare(old.side(), new.side(), &hosts);
            assert!(told.undecided.is_empty(), "{seed}: {done}: over budget");
            compared += 1;
            silent += usize::from(told.is_same());
            wrongs.extend(wrong(&old, &new, &told, &mut random).map(|message| format!("{seed}: {done}: {message}")));
        }
    }
    assert!(compared > 100 && silent > 10 && compared - silent > 40, "{compared} edits, {silent} without a row");
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}
