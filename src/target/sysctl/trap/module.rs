//! Keys that may not be there when they are set.
//!
//! A key of `net.netfilter` exists once the module that brings it is loaded, and at boot that must happen before the
//! file is read. `modules-load.d/fwc.conf` sees to it for the keys that fwc knows; of others it knows no module.
//! Example: `net.netfilter.nf_something: 1` is an error of `sysctl` after every boot, until something loads the module.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, closest};
use crate::target::sysctl::modules;

use super::Ground;

/// Directories whose keys come with modules.
const OF_MODULES: [&str; 2] = ["net.bridge.", "net.netfilter."];
/// Those that are in every kernel with netfilter.
const ALWAYS: [&str; 2] = ["net.netfilter.nf_log.", "net.netfilter.nf_log_all_netns"];

pub(super) fn check(ground: Ground<'_>, out: &mut Diagnostics) {
    for setting in &ground.host.sysctl {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| setting.key.starts_with(prefix));
        if !starts(&OF_MODULES) || starts(&ALWAYS) || modules::of_key(&setting.key).is_some() {
            continue;
        }
        let known = ground.in_force.keys().filter(|key| modules::of_key(key).is_some()).map(String::as_str);
        let message = format!("`{}` exists only once some module is loaded, and fwc does not know which", setting.key);
        let guess = closest(&setting.key, known).map(|key| format!("did you mean `{key}`?"));
        let help = || "name the module in a file of `/etc/modules-load.d`".to_owned();
        out.push(
            Diagnostic::warning(Code::UnknownModule, setting.origin.span, message)
                .because("before that it cannot be set")
                .help(guess.unwrap_or_else(help)),
        );
    }
}
