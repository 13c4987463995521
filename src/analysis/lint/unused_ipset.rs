//! An ipset that nothing refers to.
//!
//! No rule or test names it. A set that was meant to block or to admit somebody does neither. `management` and `blacklist`
//! of hosts and `ipfilter-net<N>` of guests have a meaning of their own and are never told where they have it.
//!
//! ```yaml
//! datacenter:
//!   ipsets: { partners: [192.0.2.0/24] }   # no rule says `source: +partners`
//! ```
//!
//! Remove it, or allow it at the zone that defines it.

use crate::diagnostic::{Code, Diagnostic};
use crate::policy::ZoneRef;

use super::{Finding, Ground};

/// What fwc itself looks up, for hosts and for guests.
const OF_HOSTS: [&str; 2] = ["management", "blacklist"];
const OF_GUESTS: &str = "ipfilter-net";

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for ((zone, name), ipset) in &ground.fleet.ipsets {
        if !has_meaning(zone, name) && !ground.usage.ipsets.contains(&(zone, name)) {
            let message = format!("nothing refers to the ipset `{name}`");
            let mut finding = Diagnostic::warning(Code::UnusedIpset, ipset.span, message).help("remove it");
            // Whoever reads it will take it for what it is elsewhere.
            if OF_HOSTS.contains(&name.as_str()) {
                finding = finding.because("for hosts alone it has a meaning of its own");
            } else if name.starts_with(OF_GUESTS) {
                finding = finding.because("for guests alone it has a meaning of its own");
            }
            out.push(Finding::of_zone(zone.clone(), finding));
        }
    }
}

/// Whether fwc itself looks a name up in a zone.
fn has_meaning(zone: &ZoneRef, name: &str) -> bool {
    let of_hosts = OF_HOSTS.contains(&name);
    let of_guests = name.starts_with(OF_GUESTS);
    match zone {
        ZoneRef::Datacenter | ZoneRef::Host(_) => of_hosts,
        ZoneRef::Vm(_) | ZoneRef::Container(_) => of_guests,
        ZoneRef::Zone(_) => of_hosts || of_guests,
        ZoneRef::Guests(_) | ZoneRef::Nic(..) | ZoneRef::Group(_) | ZoneRef::Vnet(_) => false,
    }
}
