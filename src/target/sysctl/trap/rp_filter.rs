//! Source validation that is another than its interface's key says.
//!
//! The kernel takes the larger of `conf.all.rp_filter` and the interface's own (ip-sysctl), and 2 (loose) is larger than
//! 1 (strict). Example: `net.ipv4.conf.eth0.rp_filter: 1` beside `net.ipv4.conf.all.rp_filter: 2` is loose.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::policy::SysctlSetting;

use super::Ground;

const ALL: &str = "net.ipv4.conf.all.rp_filter";

pub(super) fn check(ground: Ground<'_>, out: &mut Diagnostics) {
    let Some(all) = ground.number(ALL) else { return };
    for own in ground.host.sysctl.iter().filter(|own| is_of_interface(&own.key)) {
        let Ok(value) = own.value.trim().parse::<u64>() else { continue };
        if value < all {
            smaller(ground, own, all, out);
        } else if (all, value) == (1, 2) {
            loosened(ground, own, out);
        }
    }
}

/// The key of an interface, or of those that come later.
fn is_of_interface(key: &str) -> bool {
    key != ALL && key.starts_with("net.ipv4.conf.") && key.ends_with(".rp_filter")
}

fn smaller(ground: Ground<'_>, own: &SysctlSetting, all: u64, out: &mut Diagnostics) {
    let message = format!("`{}: {}` is without effect: `conf.all` is {all}, and the larger holds", own.key, own.value);
    let finding = Diagnostic::warning(Code::LargerRpFilter, own.origin.span, message);
    out.push(match ground.set(ALL) {
        Some(all) => finding
            .label(all.origin.span, "this holds")
            .help(format!("lower `{ALL}`, and set the key of each interface")),
        None => {
            finding.because(format!("the firewall sets `{ALL}`, as Proxmox VE does")).help(format!("set `{ALL}` too"))
        }
    });
}

fn loosened(ground: Ground<'_>, own: &SysctlSetting, out: &mut Diagnostics) {
    let Some(all) = ground.set(ALL) else { return };
    let message = format!("`{ALL}: 1` is not strict where `{}` is 2: the larger holds", own.key);
    out.push(
        Diagnostic::warning(Code::LargerRpFilter, all.origin.span, message)
            .label(own.origin.span, "this holds there")
            .help(format!("set `{}` to 1 too", own.key)),
    );
}
