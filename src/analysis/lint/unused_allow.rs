//! An `allow` that takes no finding away.
//!
//! `allow` at a rule or a zone names lints and why they are wrong there. Once there is nothing to be told any more, it is a
//! reason without a subject, and would hide the next finding of its kind.
//!
//! ```yaml
//! rules:
//!   - { in: accept, macro: Web, allow: { shadowed: "until the move is done" } }   # nothing shadows it
//! ```
//!
//! Remove it. Where a rule holds on no machine, where rules could not be judged, or where only `--live` may tell, this lint says
//! nothing.

use crate::diagnostic::{Code, Diagnostic};
use crate::policy::{Allow, AllowPlace, ZoneRef};

use super::{Finding, Ground};

/// The findings that are not allowed; besides, those about what is allowed in vain.
pub(super) fn sift(ground: &Ground<'_>, found: Vec<Finding>) -> Vec<Finding> {
    let allows = &ground.fleet.written.allows;
    let mut is_used = vec![false; allows.len()];
    let mut left = Vec::with_capacity(found.len());
    for finding in found {
        let mut is_allowed = false;
        for (allow, is_used) in allows.iter().zip(&mut is_used) {
            if covers(allow, &finding) {
                *is_used = true;
                is_allowed = true;
            }
        }
        if !is_allowed {
            left.push(finding);
        }
    }
    let is_certain = |allow: &Allow| {
        let is_seen = match &allow.place {
            AllowPlace::Rule(span) => ground.fates.rules.contains_key(span),
            AllowPlace::Zone(_) => allow.lint != Code::LockOut || ground.session.is_some(),
        };
        is_seen && ground.fates.unjudged.is_empty()
    };
    for (allow, _) in allows.iter().zip(is_used).filter(|(allow, is_used)| !is_used && is_certain(allow)) {
        let name = allow.lint.lint_name().unwrap_or_default();
        let finding = Diagnostic::warning(Code::UnusedAllow, allow.span, format!("`{name}` finds nothing here"))
            .because("allowed in vain")
            .help("remove it, so that it does not hide the next finding");
        left.push(Finding::of_zone(ZoneRef::Datacenter, finding));
    }
    left
}

fn covers(allow: &Allow, finding: &Finding) -> bool {
    allow.lint == finding.diagnostic.code
        && match &allow.place {
            AllowPlace::Rule(span) => finding.rule == Some(*span),
            AllowPlace::Zone(zone) => holds(zone, &finding.zone),
        }
}

/// Whether a zone is part of another's text, or that itself.
fn holds(whole: &ZoneRef, part: &ZoneRef) -> bool {
    whole == part
        || match part {
            ZoneRef::Guests(owner) | ZoneRef::Nic(owner, _) => holds(whole, owner),
            ZoneRef::Datacenter
            | ZoneRef::Zone(_)
            | ZoneRef::Host(_)
            | ZoneRef::Vm(_)
            | ZoneRef::Container(_)
            | ZoneRef::Group(_)
            | ZoneRef::Vnet(_) => false,
        }
}
