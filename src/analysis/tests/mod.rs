//! The evaluator against the design: every row of the table of ways, and packets whose verdict the text gives.

mod asking;
mod judging;
mod tracing;
mod ways;

use crate::diagnostic::SourceMap;
use crate::policy::{Fleet, GuestPolicy, HostPolicy, Nic};

/// What a spec resolves to.
pub(in crate::analysis) fn fleet(yaml: &str) -> Fleet {
    let mut sources = SourceMap::default();
    sources.add("fwc.yaml", yaml);
    let (spec, diagnostics) = crate::spec::load(&sources);
    let Some(spec) = spec.filter(|_| !diagnostics.has_errors()) else { panic!("{diagnostics:?}") };
    let (fleet, diagnostics) = crate::resolve::resolve(&spec);
    fleet.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn host<'a>(fleet: &'a Fleet, name: &str) -> &'a HostPolicy {
    fleet.hosts.iter().find(|host| host.name == name).unwrap()
}

fn guest(host: &HostPolicy, id: u32, nic: u8) -> (&GuestPolicy, &Nic) {
    let guest = host.guests.iter().find(|guest| guest.id == id).unwrap();
    (guest, guest.nics.iter().find(|known| known.index == nic).unwrap())
}
