//! An alias or ipset that hides another one of the same name.
//!
//! Names are looked up from where they are used outwards, and the nearest definition wins. Two definitions of one name mean
//! that the same words stand for different addresses in different places of a spec.
//!
//! ```yaml
//! datacenter: { aliases: { office: 192.0.2.0/24 } }
//! zones:
//!   branch: { kind: guest, aliases: { office: 198.51.100.0/24 } }   # hides the datacenter's
//! ```
//!
//! Give one of them another name.

use crate::diagnostic::{Code, Diagnostic};

use super::{Finding, Ground};

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for hidden in &ground.fleet.written.hidden {
        let message = format!("the {} `{}` hides the one of `{}`", hidden.kind, hidden.name, hidden.hidden_zone);
        let finding = Diagnostic::warning(Code::HiddenDefinition, hidden.span, message)
            .because(format!("what the name stands for in `{}`", hidden.zone))
            .label(hidden.hidden_span, format!("hidden in `{}`", hidden.zone))
            .help("give one of them another name, so that a reader need not know which one counts");
        out.push(Finding::of_zone(hidden.zone.clone(), finding));
    }
}
