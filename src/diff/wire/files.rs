//! What loading the spec's files changes on the wire, where other files of Proxmox VE are there.
//!
//! In: hooks of which it is known that they differ, as the files have them and as the spec does. Out: rows as two specs give
//! them, where old is what the files say; a rule of theirs is called by its line. Promise: as [`super`] has it.

use std::net::IpAddr;

use crate::diagnostic::{Place, SourceMap};
use crate::diff::report::{At, Wire};
use crate::policy::{Applied, Fleet, Hook, Nic, Rule};

use super::name::Names;
use super::{Pair, of_pairs, of_spec};

/// A hook that the files have otherwise than the spec.
#[derive(Debug, Clone, Copy)]
pub struct Otherwise<'a> {
    /// The host that it is on.
    pub host: &'a str,
    /// The machine: `vm/100`, `vm/100:net1`.
    pub machine: &'a str,
    /// As the files have it, with the NIC that a guest's hook speaks of.
    pub there: (&'a Hook, Option<&'a Nic>),
    /// As the spec has it.
    pub meant: (&'a Hook, Option<&'a Nic>),
}

/// Adds the rows of hooks. `spec` is the text of the spec; `line` gives a rule's line in the files, and where that is.
pub fn files<'h>(
    (fleet, spec): (&Fleet, &SourceMap),
    hooks: &[Otherwise<'h>],
    line: impl Fn(&Rule) -> Option<(Place, String)> + Sync,
    wire: &mut Wire,
) {
    let after = of_spec(spec);
    let before = |applied: &Applied<'_>| match line(applied.rule) {
        Some((place, text)) => (text, Some(place)),
        None => (after(applied).0, None),
    };
    let own = |hook: &Otherwise<'h>| -> Vec<IpAddr> {
        let host = fleet.hosts.iter().find(|host| host.name == hook.host);
        let of_host = host.map(|host| host.addresses.as_slice()).unwrap_or_default();
        let of = hook.meant.1.map_or(of_host, |nic| nic.addresses.as_slice());
        of.iter().map(|address| address.address()).collect()
    };
    let pair = |hook: &Otherwise<'h>| {
        let name = hook.meant.0.name;
        let at = At {
            host: hook.host.to_owned(),
            machine: hook.machine.to_owned(),
            hook: Some(name.name().to_owned()),
            output: Some("pve"),
        };
        Pair { at, name, own: own(hook), old: hook.there, new: hook.meant }
    };
    let pairs: Vec<Pair<'h>> = hooks.iter().map(pair).collect();
    of_pairs(&pairs, [&before, &after], &Names::new(fleet, fleet), wire);
}
