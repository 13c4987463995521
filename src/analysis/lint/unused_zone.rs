//! A zone that no machine inherits.
//!
//! No host, no guest and no `guests` block of one inherits it, by whatever way, so nothing in it holds anywhere.
//!
//! ```yaml
//! zones:
//!   web: { kind: guest, rules: [ { in: accept, macro: Web } ] }
//!   mail: { kind: guest, rules: [ { in: accept, macro: SMTP } ] }   # no machine inherits it
//! vms:
//!   100: { inherits: web }
//! ```
//!
//! Remove it, or allow it in the zone itself.

use crate::diagnostic::{Code, Diagnostic};
use crate::policy::ZoneRef;

use super::{Finding, Ground};

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for zone in ground.fleet.written.zones.iter().filter(|zone| !zone.is_inherited) {
        let message = format!("no machine inherits the zone `{}`", zone.name);
        let finding = Diagnostic::warning(Code::UnusedZone, zone.span, message)
            .because("nothing in it holds anywhere")
            .help("remove it, or inherit it where it is to hold");
        out.push(Finding::of_zone(ZoneRef::Zone(zone.name.clone()), finding));
    }
}
