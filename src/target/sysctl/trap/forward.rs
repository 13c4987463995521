//! Forwarding that is switched off where the spec has rules for it.
//!
//! With `net.ipv4.ip_forward: 0` the host routes nothing, and no forward rule of it ever meets a packet. What bridges
//! carry between guests is not routed and passes all the same; the rules of vnets are about that.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::policy::{Direction, Rule};

use super::{Ground, ipv6};
use crate::target::sysctl::is_on;

pub(super) fn check(ground: Ground<'_>, out: &mut Diagnostics) {
    if !ground.host.enabled {
        return;
    }
    of(ground, &["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"], |rule| !ipv6::is_ipv6_only(rule), out);
    of(ground, &["net.ipv6.conf.all.forwarding"], ipv6::is_ipv6_only, out);
}

fn of(ground: Ground<'_>, keys: &[&str], speaks: impl Fn(&Rule) -> bool, out: &mut Diagnostics) {
    let Some(off) = keys.iter().filter_map(|key| ground.set(key)).find(|setting| !is_on(&setting.value)) else {
        return;
    };
    let Some((rule, _)) = ground.host.rules.rules(Direction::Forward).find(|(rule, _)| speaks(rule)) else { return };
    let message = format!("`{}: {}` leaves forward rules without effect", off.key, off.value);
    out.push(
        Diagnostic::warning(Code::ForwardingOff, off.origin.span, message)
            .because("nothing is routed")
            .label(rule.origin.span, "such a rule")
            .help("set it to 1, or leave the rules out"),
    );
}
