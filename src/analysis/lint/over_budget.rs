//! Rules that could not be judged.
//!
//! What becomes of every packet at a hook is worked out within a budget. Rules without end that mix ranges in many fields
//! can split the packets in so many ways that it is used up. Then nothing is said of the rules of that hook as a whole:
//! they count as needed, and none of them is told, although it may be shadowed or redundant.
//!
//! Use ipsets in place of many rules, or split the hook's rules over machines that need them. `allow` at the machine silences
//! it.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic};
use crate::policy::ZoneRef;

use super::{Finding, Ground};

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    let mut told: BTreeSet<(ZoneRef, &str)> = BTreeSet::new();
    for site in ground.fates.unjudged.iter().filter_map(|number| ground.sites.get(*number)) {
        let hook = site.hook.name.name();
        if told.insert((site.machine.clone(), hook)) {
            let message = match site.applied().next() {
                Some(_) => format!("the rules of {hook} of {} are not judged", site.machine),
                None => format!("what {hook} of {} accepts is not judged", site.machine),
            };
            let finding = Diagnostic::warning(Code::OverBudget, site.span, message)
                .because("they split the packets in too many ways")
                .help("use ipsets in place of many rules; lints say nothing of rules at this hook");
            out.push(Finding::of_zone(site.machine.clone(), finding));
        }
    }
}
