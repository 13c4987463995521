//! The named sets of a table: one for each distinct list of ports or addresses.
//!
//! In: ports and addresses. Out: operands, a value itself where there is one alone. Promise: the same
//! content has the same name in the same table, and two contents never share one. The kernel walks all
//! sets of a table for every rule that names one, so beyond [`BUDGET`] of them short lists are spelled
//! out in plain rules instead. Lookups are by content: hash order is never looked at.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use crate::net::{AddressSet, Family, Number, PortSet, Ranges};
use crate::policy::{Fleet, ZoneRef};

use super::digest::Quick;
use super::name;
use super::table::{Elements, Operand, Set};

/// How many named sets a table gets before short lists are spelled out.
const BUDGET: usize = 900;
/// Lists up to this length are short.
const SHORT: usize = 32;

type Lookup<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// Any of these; none at all where nothing can match.
pub(super) type Operands<T> = Arc<[Operand<T>]>;

/// The names of ipsets, by what they stand for.
#[derive(Debug, Default)]
pub(super) struct IpsetNames<'a>(Lookup<&'a AddressSet, String>);

impl<'a> IpsetNames<'a> {
    /// Of a fleet; the first name of the nearest zone to the datacenter wins.
    pub(super) fn new(fleet: &'a Fleet) -> Self {
        let mut names = Lookup::default();
        for ((zone, name), ipset) in &fleet.ipsets {
            let text = match zone {
                ZoneRef::Datacenter => name::name(&["ipset", name]),
                ZoneRef::Guests(_)
                | ZoneRef::Zone(_)
                | ZoneRef::Host(_)
                | ZoneRef::Vm(_)
                | ZoneRef::Container(_)
                | ZoneRef::Nic(..)
                | ZoneRef::Group(_)
                | ZoneRef::Vnet(_) => name::name(&["ipset", &zone.to_string(), name]),
            };
            names.entry(&*ipset.set).or_insert(text);
        }
        Self(names)
    }
}

/// The sets of one table.
#[derive(Debug)]
pub(super) struct Pool<'a> {
    ipsets: &'a IpsetNames<'a>,
    ports: Lookup<PortSet, Operands<u16>>,
    v4: Lookup<AddressSet, Operands<u128>>,
    v6: Lookup<AddressSet, Operands<u128>>,
    sets: BTreeMap<Arc<str>, Elements>,
}

impl<'a> Pool<'a> {
    /// No sets yet.
    pub(super) fn new(ipsets: &'a IpsetNames<'a>) -> Self {
        Self { ipsets, ports: Lookup::default(), v4: Lookup::default(), v6: Lookup::default(), sets: BTreeMap::new() }
    }

    /// A set of a fixed name.
    pub(super) fn fixed(&mut self, name: &str, elements: Elements) -> Arc<str> {
        let name: Arc<str> = name.into();
        self.sets.entry(Arc::clone(&name)).or_insert(elements);
        name
    }

    /// These interfaces, in order.
    pub(super) fn interfaces(&mut self, names: Vec<String>) -> Arc<str> {
        let text = names.join(",");
        self.insert("interfaces", &text, Elements::Interfaces(names))
    }

    /// All sets, by name.
    pub(super) fn into_sets(self) -> impl Iterator<Item = Set> {
        self.sets.into_iter().map(|(name, elements)| Set { name, elements })
    }

    /// These ports.
    pub(super) fn ports(&mut self, ports: &PortSet) -> Operands<u16> {
        if let Some(known) = self.ports.get(ports) {
            return Arc::clone(known);
        }
        let inline = || ports.iter().map(|(first, last)| Operand::Range(first, last)).collect();
        let operands = if self.is_inline(ports.iter().len()) {
            inline()
        } else {
            let text: Vec<String> = ports.iter().map(|(first, last)| format!("{first}-{last}")).collect();
            let name = self.insert("ports", &text.join(","), Elements::Ports(ports.clone()));
            Arc::from([Operand::Set(name)])
        };
        self.ports.insert(ports.clone(), Arc::clone(&operands));
        operands
    }

    /// The addresses of a family in the set.
    pub(super) fn addresses(&mut self, family: Family, set: &AddressSet) -> Operands<u128> {
        let known = match family {
            Family::V4 => self.v4.get(set),
            Family::V6 => self.v6.get(set),
        };
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let ranges = ranges(family, set);
        let operands = if self.is_inline(ranges.len()) {
            ranges.into_iter().map(|(first, last)| Operand::Range(first, last)).collect()
        } else {
            let suffix = if family == Family::V4 { "v4" } else { "v6" };
            let name = match self.ipsets.0.get(set) {
                Some(ipset) => self.insert_named(&name::name(&[ipset, suffix]), Elements::Addresses(family, ranges)),
                None => {
                    let text: Vec<String> = ranges.iter().map(|(first, last)| format!("{first:x}-{last:x}")).collect();
                    let prefix = format!("addresses-{suffix}");
                    self.insert(&prefix, &text.join(","), Elements::Addresses(family, ranges))
                }
            };
            Arc::from([Operand::Set(name)])
        };
        let lookup = match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        lookup.insert(set.clone(), Arc::clone(&operands));
        operands
    }

    fn is_inline(&self, length: usize) -> bool {
        length <= 1 || (self.sets.len() >= BUDGET && length <= SHORT)
    }

    /// Under a name made of its content.
    fn insert(&mut self, prefix: &str, content: &str, elements: Elements) -> Arc<str> {
        self.insert_named(&format!("{prefix}-{}", name::hash(content, 8)), elements)
    }

    /// Under that name, or one with a number where it is taken by other content.
    fn insert_named(&mut self, wanted: &str, elements: Elements) -> Arc<str> {
        let numbered = (2_u32..).map(|number| format!("{wanted}.{number}"));
        for candidate in std::iter::once(wanted.to_owned()).chain(numbered) {
            match self.sets.get(candidate.as_str()) {
                Some(taken) if *taken != elements => {}
                Some(_) => return candidate.into(),
                None => {
                    let name: Arc<str> = candidate.into();
                    self.sets.insert(Arc::clone(&name), elements);
                    return name;
                }
            }
        }
        wanted.into()
    }
}

/// One family's ranges, as numbers in host order.
fn ranges(family: Family, set: &AddressSet) -> Vec<(u128, u128)> {
    match family {
        Family::V4 => set.v4().iter().map(|(first, last)| (first.into(), last.into())).collect(),
        Family::V6 => set.v6().iter().collect(),
    }
}

/// Whether the set holds every address of a family.
pub(super) fn is_all(family: Family, set: &AddressSet) -> bool {
    match family {
        Family::V4 => set.v4().is_all(),
        Family::V6 => set.v6().is_all(),
    }
}

/// The set's addresses one by one, where there are at most `limit` of them.
pub(super) fn singles<T: Number + Into<u128>>(ranges: &Ranges<T>, limit: u128) -> Option<Vec<u128>> {
    let mut all = Vec::new();
    for (first, last) in ranges.iter() {
        let (first, last): (u128, u128) = (first.into(), last.into());
        if last - first >= limit {
            return None;
        }
        all.extend(first..=last);
    }
    (u128::try_from(all.len()).is_ok_and(|count| count <= limit)).then_some(all)
}
