//! An alias that nothing refers to.
//!
//! No rule, ipset or test names it. Often the last rule that did was removed, or a name is misspelt where it was to be used.
//! `local_network` has a meaning of its own and is never told.
//!
//! ```yaml
//! datacenter:
//!   aliases: { office: 192.0.2.0/24, old-office: 198.51.100.0/24 }
//!   rules: [ { in: accept, macro: SSH, source: office } ]   # nothing names `old-office`
//! ```
//!
//! Remove it, or allow it at the zone that defines it.

use crate::diagnostic::{Code, Diagnostic};

use super::{Finding, Ground};

/// What fwc itself looks up.
const OWN: &str = "local_network";

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for ((zone, name), alias) in &ground.fleet.aliases {
        if name != OWN && !ground.usage.aliases.contains(&(zone, name)) {
            let message = format!("nothing refers to the alias `{name}`");
            let finding = Diagnostic::warning(Code::UnusedAlias, alias.span, message).help("remove it");
            out.push(Finding::of_zone(zone.clone(), finding));
        }
    }
}
