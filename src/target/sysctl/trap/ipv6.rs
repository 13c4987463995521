//! IPv6 that is switched off where the spec speaks of it.
//!
//! With `net.ipv6.conf.all.disable_ipv6` the kernel takes the IPv6 addresses from every interface and takes no new ones.
//! Guests' frames pass bridges all the same. Example: the profile `tcp-hardening` on a host whose `addresses` hold
//! `2001:db8::11/64`.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::net::Family;
use crate::policy::{Addresses, Direction, HostPolicy, Rule};

use super::Ground;
use crate::target::sysctl::is_on;

const KEY: &str = "net.ipv6.conf.all.disable_ipv6";

pub(super) fn check(ground: Ground<'_>, out: &mut Diagnostics) {
    let Some(setting) = ground.set(KEY).filter(|setting| is_on(&setting.value)) else { return };
    let Some((place, what)) = address(ground.host).or_else(|| rule(ground.host)) else { return };
    let (message, why) = match setting.profile {
        Some(profile) => (format!("the profile `{profile}` disables IPv6"), format!("it sets `{KEY}` to 1")),
        None => ("this disables IPv6".to_owned(), String::new()),
    };
    out.push(
        Diagnostic::warning(Code::Ipv6Disabled, setting.origin.span, format!("{message}, of which the spec speaks"))
            .because(why)
            .label(place, what)
            .help(format!("set `{KEY}` to 0, and `net.ipv6.conf.default.disable_ipv6`, or leave IPv6 out")),
    );
}

fn address(host: &HostPolicy) -> Option<(Span, &'static str)> {
    let mut addresses = host.addresses.iter();
    addresses
        .any(|address| Family::of(address.address()) == Family::V6)
        .then_some((host.span, "a host with an IPv6 address"))
}

/// A rule that only IPv6 can match, by its addresses: macros and `proto: icmpv6` are written for both families.
fn rule(host: &HostPolicy) -> Option<(Span, &'static str)> {
    if !host.enabled {
        return None;
    }
    let mut rules =
        [Direction::In, Direction::Out, Direction::Forward].into_iter().flat_map(|way| host.rules.rules(way));
    rules.find(|(rule, _)| is_ipv6_only(rule)).map(|(rule, _)| (rule.origin.span, "a rule about IPv6 alone"))
}

pub(super) fn is_ipv6_only(rule: &Rule) -> bool {
    let only = |addresses: &Option<Addresses>| addresses.as_ref().is_some_and(|it| !it.set.has(Family::V4));
    only(&rule.source) || only(&rule.dest)
}
