//! A security group that nothing refers to.
//!
//! No list of rules says `group` with its name, so its rules hold nowhere.
//!
//! ```yaml
//! groups:
//!   webserver: [ { in: accept, macro: Web } ]
//!   ftpserver: [ { in: accept, macro: FTP } ]   # nobody refers to it any more
//! vms:
//!   100: { rules: [ { group: webserver } ] }
//! ```
//!
//! Remove it, or allow it in the group itself.

use crate::diagnostic::{Code, Diagnostic};
use crate::policy::ZoneRef;

use super::{Finding, Ground};

pub(super) fn check(ground: &Ground<'_>, out: &mut Vec<Finding>) {
    for (name, group) in &ground.fleet.groups {
        if !ground.usage.groups.contains(name.as_str()) {
            let message = format!("nothing refers to the group `{name}`");
            let finding = Diagnostic::warning(Code::UnusedGroup, group.span, message)
                .because("its rules hold nowhere")
                .help("remove it, or refer to it where its rules are to hold");
            out.push(Finding::of_zone(ZoneRef::Group(name.clone()), finding));
        }
    }
}
