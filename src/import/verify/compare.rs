//! What differs between two copies.

use std::collections::BTreeMap;

use crate::diagnostic::Span;
use crate::net::{AddressSet, Family, Ranges};

use super::Difference;
use super::meaning::{Machine, Meaning, Step};

/// Everything that `before` has and `after` has otherwise, and every rule that only `after` has.
pub(super) fn compare(before: &Meaning, after: &Meaning) -> Vec<Difference> {
    let mut found = Vec::new();
    options(&before.cluster, &after.cluster, "the cluster", &[], &mut found);
    definitions(&before.cluster, &after.cluster, "`cluster.fw`", &mut found);
    for (name, (steps, place)) in &before.groups {
        let what = format!("the group `{name}`");
        match after.groups.get(name) {
            Some((others, _)) => rules(steps, others, &what, *place, &mut found),
            None => found.push(missing(*place, what)),
        }
    }
    each(
        &before.hosts,
        &after.hosts,
        |name| format!("host `{name}`"),
        &mut found,
        |one, other, what, found| {
            options(one, other, what, &[], found);
            rules(&one.rules, &other.rules, what, one.place, found);
        },
    );
    each(
        &before.guests,
        &after.guests,
        |id| format!("guest {id}"),
        &mut found,
        |one, other, what, found| {
            let is_on = |machine: &Machine| machine.options.get("enable").is_some_and(|value| value == "true");
            let off = |host: &String| before.hosts.get(host).is_some_and(|host| !is_on(host));
            let enabled = is_on(one) && (one.hosts.is_empty() || !one.hosts.iter().all(off));
            if enabled != is_on(other) {
                let text = |on: bool| if on { "filtered" } else { "not filtered" }.to_owned();
                let message = format!("whether {what} is filtered");
                found.push(Difference { place: one.place, message, before: text(enabled), after: text(is_on(other)) });
            }
            options(one, other, what, &["enable", "ipfilter"], found);
            filters(one, other, what, found);
            definitions(one, other, what, found);
            rules(&one.rules, &other.rules, what, one.place, found);
        },
    );
    each(
        &before.vnets,
        &after.vnets,
        |name| format!("vnet `{name}`"),
        &mut found,
        |one, other, what, found| {
            options(one, other, what, &[], found);
            rules(&one.rules, &other.rules, what, one.place, found);
        },
    );
    found
}

fn missing(place: Span, what: String) -> Difference {
    Difference {
        place,
        message: format!("{what} is not in the result"),
        before: "there".into(),
        after: "missing".into(),
    }
}

fn each<K: Ord>(
    before: &BTreeMap<K, Machine>,
    after: &BTreeMap<K, Machine>,
    name: impl Fn(&K) -> String,
    found: &mut Vec<Difference>,
    compare: impl Fn(&Machine, &Machine, &str, &mut Vec<Difference>),
) {
    for (key, one) in before {
        match after.get(key) {
            Some(other) => compare(one, other, &name(key), found),
            None => found.push(missing(one.place, name(key))),
        }
    }
}

fn options(before: &Machine, after: &Machine, what: &str, except: &[&str], found: &mut Vec<Difference>) {
    for (name, value) in before.options.iter().filter(|(name, _)| !except.contains(name)) {
        let other = after.options.get(name);
        if other != Some(value) {
            found.push(Difference {
                place: before.place,
                message: format!("the option `{name}` of {what}"),
                before: value.clone(),
                after: other.cloned().unwrap_or_else(|| "not set".to_owned()),
            });
        }
    }
}

/// Aliases and ipsets; fwc may define more, for what it had to give a name.
fn definitions(before: &Machine, after: &Machine, what: &str, found: &mut Vec<Difference>) {
    for (name, network) in &before.aliases {
        let other = after.aliases.get(name);
        if other != Some(network) {
            found.push(Difference {
                place: before.place,
                message: format!("the alias `{name}` of {what}"),
                before: network.to_string(),
                after: other.map_or_else(|| "missing".to_owned(), ToString::to_string),
            });
        }
    }
    for (name, set) in before.ipsets.iter().filter(|(name, _)| !name.starts_with("ipfilter-net")) {
        let other = after.ipsets.get(name);
        if other != Some(set) {
            found.push(Difference {
                place: before.place,
                message: format!("the ipset `{name}` of {what}"),
                before: networks(set),
                after: other.map_or_else(|| "missing".to_owned(), networks),
            });
        }
    }
}

fn networks(set: &AddressSet) -> String {
    let all = Family::BOTH.into_iter().flat_map(|family| set.networks(family));
    all.map(|network| network.to_string()).collect::<Vec<_>>().join(", ")
}

/// Who may send from each filtered NIC.
fn filters(before: &Machine, after: &Machine, what: &str, found: &mut Vec<Difference>) {
    for nic in &before.nics {
        let sources = |machine: &Machine| -> Option<AddressSet> {
            let set = machine.ipsets.get(&format!("ipfilter-net{}", nic.index));
            let on = machine.options.get("ipfilter").is_some_and(|value| value == "true");
            if !on && set.is_none() {
                return None;
            }
            let all = set.cloned().unwrap_or_default().union(&nic.addresses);
            let link_local = AddressSet::new(Ranges::empty(), Ranges::range(0xfe80 << 112, (0xfec0 << 112) - 1));
            let own = nic.mac.map(|mac| AddressSet::address(mac.link_local().into())).unwrap_or_default();
            Some(all.difference(&link_local).union(&own))
        };
        let (one, other) = (sources(before), sources(after));
        if one != other {
            let text = |set: Option<AddressSet>| set.as_ref().map_or_else(|| "any address".to_owned(), networks);
            let message = format!("what `net{}` of {what} may send from", nic.index);
            found.push(Difference { place: before.place, message, before: text(one), after: text(other) });
        }
    }
}

/// The first rule that differs; behind it nothing can be said.
fn rules(before: &[Step], after: &[Step], what: &str, place: Span, found: &mut Vec<Difference>) {
    for at in 0..before.len().max(after.len()) {
        let (one, other) = (before.get(at), after.get(at));
        if one.zip(other).is_some_and(|(one, other)| same(one, other)) {
            continue;
        }
        let text = |step: Option<&Step>| step.map_or_else(|| "no further rule".to_owned(), |step| step.text.clone());
        found.push(Difference {
            place: one.map_or(place, |step| step.span),
            message: format!("a rule of {what}"),
            before: text(one),
            after: text(other),
        });
        return;
    }
}

fn same(one: &Step, other: &Step) -> bool {
    one.action == other.action
        && one.enabled == other.enabled
        && one.interface == other.interface
        && one.log == other.log
        && one.atoms == other.atoms
}
