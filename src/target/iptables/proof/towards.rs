//! Where packets go that are routed or that the host sends: to a guest, where the destination alone tells which one, or to none.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::analysis::Judge;
use crate::analysis::loaded::{Chains, Pattern, PortValue, Towards};
use crate::net::{Family, Ranges};
use crate::policy::{Carriage, End, HostPolicy, Match, Nic};

/// The destinations of a host's packets, as far as its policy or a program's rules tell them apart.
#[derive(Debug, Default)]
pub(in crate::target) struct Destinations {
    /// Those that lead to a NIC alone, by its place among all of the host.
    of_nics: Vec<Vec<Arc<Towards>>>,
    /// By each interface that anything names, and by one that nothing does, all others.
    others: Vec<Arc<Towards>>,
}

/// What is known of a NIC that packets are routed to.
struct Known<'a> {
    place: usize,
    /// The interface that they leave by, where it is known.
    out: Option<&'a str>,
    addresses: Vec<u128>,
}

impl Destinations {
    /// Of packets of a family.
    pub(in crate::target) fn new(host: &HostPolicy, family: Family, chains: &Chains<'_>) -> Self {
        let nics = host.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic)));
        let is_routed_to = |end| !host.way(End::Unknown(None), end, Carriage::Routed).is_empty();
        let mut of_nics = Vec::new();
        let known: Vec<Known<'_>> = (0..)
            .zip(nics)
            .inspect(|_| of_nics.push(Vec::new()))
            .filter(|(_, (guest, nic))| is_routed_to(End::Guest(guest, nic)))
            .map(|(place, (_, nic))| Known::new(place, nic, family))
            .collect();
        let mut by_address: Vec<(u128, Option<&str>)> =
            known.iter().flat_map(|nic| nic.addresses.iter().map(|address| (*address, nic.out))).collect();
        by_address.sort_unstable();
        // An address that several NICs have belongs to whichever answers.
        let alone = |address: u128, out: Option<&str>| {
            let from = by_address.partition_point(|(other, _)| *other < address);
            let all = by_address.get(from..).into_iter().flatten().take_while(|(other, _)| *other == address);
            all.filter(|(_, by)| out.is_none() || by.is_none() || *by == out).count() == 1
        };
        for Known { place, out, addresses } in &known {
            let Some(of_nic) = of_nics.get_mut(*place) else { continue };
            // Of one address the rules that lead to it say which NIC it is; of two they would have to be put together.
            for dest in addresses.iter().filter(|address| alone(**address, *out)) {
                let out_interface = out.map_or(PortValue::Any, |out| PortValue::Is(out.into()));
                of_nic.push(Arc::new(Towards { dest: Ranges::single(*dest), out_interface }));
            }
        }
        let mut outs = outs(host, chains);
        outs.extend(known.iter().filter_map(|nic| nic.out).map(|out| PortValue::Is(out.into())));
        Self { of_nics, others: outs.into_iter().map(|out| Arc::new(elsewhere(&known, out))).collect() }
    }

    /// Those that lead to the NIC at a place among all of the host.
    pub(super) fn of(&self, nic: usize) -> &[Arc<Towards>] {
        self.of_nics.get(nic).map_or(&[], Vec::as_slice)
    }

    /// Those that lead to no NIC.
    pub(super) fn others(&self) -> &[Arc<Towards>] {
        &self.others
    }
}

impl<'a> Known<'a> {
    fn new(place: usize, nic: &'a Nic, family: Family) -> Self {
        let out = if nic.tag.is_none() { nic.bridge.as_deref() } else { None };
        let local = nic.mac.filter(|_| nic.bridge.is_some()).map(|mac| IpAddr::V6(mac.link_local()));
        let all = nic.addresses.iter().map(|address| address.address()).chain(local);
        let mut addresses: Vec<u128> = all.filter(|one| Family::of(*one) == family).map(number).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Self { place, out, addresses }
    }
}

/// Out by an interface, to what is no NIC's address there.
fn elsewhere(known: &[Known<'_>], out_interface: PortValue) -> Towards {
    let by = out_interface.name();
    let is_taken = |nic: &&Known<'_>| nic.out.is_none_or(|out| by.is_some_and(|by| **by == *out));
    let taken = known.iter().filter(is_taken).flat_map(|nic| &nic.addresses);
    let dest = Ranges::from_ranges(taken.map(|address| (*address, *address))).complement();
    Towards { dest, out_interface }
}

/// The interfaces that packets leave by, as far as the rules or the host's policy tell them apart.
fn outs(host: &HostPolicy, chains: &Chains<'_>) -> BTreeSet<PortValue> {
    let mut outs: BTreeSet<PortValue> = [PortValue::Other("".into()), PortValue::Is("lo".into())].into();
    outs.extend(chains.out_interfaces().into_iter().map(|name| match name {
        Pattern::Is(name) => PortValue::Is(name),
        Pattern::BeginsWith(start) => PortValue::Other(start),
    }));
    for hook in [&host.hook_out, &host.hook_forward] {
        let judge = Judge::new(hook, None);
        for condition in judge.clauses().flat_map(|(_, clause, _)| &clause.matches) {
            if let Match::OutInterface(name) = condition {
                outs.insert(PortValue::Is(name.as_str().into()));
            }
        }
    }
    outs
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}
