//! Settings that reach only interfaces which are made later.
//!
//! `net.ipv4.conf.default` and `net.ipv6.conf.default` are what an interface begins with (ip-sysctl). Network cards are
//! there before the file is read at boot, and keep what they have. Example:
//! `net.ipv4.conf.default.accept_source_route: 0` alone leaves `eth0` as it is.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};

use super::Ground;

pub(super) fn check(ground: Ground<'_>, out: &mut Diagnostics) {
    // What a profile says of `default` stands beside what it says of `all`, or is a default that does no harm.
    for setting in ground.host.sysctl.iter().filter(|setting| setting.profile.is_none()) {
        let Some((family, name)) = ["net.ipv4.conf.", "net.ipv6.conf."]
            .into_iter()
            .find_map(|family| Some((family, setting.key.strip_prefix(family)?.strip_prefix("default.")?)))
        else {
            continue;
        };
        let elsewhere = |key: &String| {
            let interface = key.strip_prefix(family).and_then(|rest| rest.strip_suffix(name)?.strip_suffix('.'));
            interface.is_some_and(|interface| interface != "default")
        };
        if ground.in_force.keys().any(elsewhere) {
            continue;
        }
        let message = format!("`{}` reaches only interfaces that are made later", setting.key);
        out.push(
            Diagnostic::warning(Code::LaterInterfaces, setting.origin.span, message)
                .because("those of network cards are there before it is set")
                .help(format!("set `{family}all.{name}` too, or the key of each interface")),
        );
    }
}
