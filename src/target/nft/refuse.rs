//! What the tables cannot do, and what they do otherwise.
//!
//! In: a host's guests, places of rules. Out: errors and warnings at the place of the option or rule.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::net::Protocol;
use crate::policy::{GuestPolicy, HostPolicy, Setting, Stage, Verdict};

/// Where an option was set, or else the guest's own place.
fn place<T>(setting: &Setting<T>, guest: &GuestPolicy) -> Span {
    setting.origin.as_ref().map_or(guest.span, |origin| origin.span)
}

/// Of every filtered guest of the host.
pub(super) fn guests(host: &HostPolicy, diagnostics: &mut Diagnostics) {
    for guest in host.guests.iter().filter(|guest| guest.filtered_nics().next().is_some()) {
        let options = &guest.options;
        if options.ips.value {
            diagnostics.push(unsupported("ips", place(&options.ips, guest), guest, host));
        }
        if guest.hook_out.stages.iter().any(|stage| matches!(stage, Stage::Layer2(_))) {
            diagnostics.push(unsupported("layer2_protocols", place(&options.layer2_protocols, guest), guest, host));
        }
        if options.policy_in.value == Verdict::Reject {
            diagnostics.push(softened(place(&options.policy_in, guest)));
        }
    }
}

fn unsupported(option: &str, span: Span, guest: &GuestPolicy, host: &HostPolicy) -> Diagnostic {
    let message = format!("nft cannot do `{option}` for `{}`", guest.zone());
    Diagnostic::error(Code::NftUnsupportedOption, span, message)
        .label(host.span, "this host wants nft")
        .help(format!("leave `{option}` out, or take `nft` out of the host's `targets`"))
}

/// The warning that a rejection towards a guest is a drop.
///
/// It is given for rules and policies alone. What the noise stage rejects by itself (whois over IPv6, and
/// Microsoft's ports under a reject policy) becomes a drop too, which is what such a policy says anyway.
pub(super) fn softened(span: Span) -> Diagnostic {
    Diagnostic::warning(Code::NftRejectBecomesDrop, span, "`reject` towards a guest becomes `drop` in nft")
        .because("the bridge's postrouting hook has no reject")
        .help("write `drop`, which is what happens, or take `nft` out of the hosts' `targets`")
}

/// The error that nft would never match a protocol in IPv6.
pub(super) fn unseen(span: Span, protocol: Protocol) -> Diagnostic {
    Diagnostic::error(Code::NftProtocol, span, format!("nft cannot match protocol {} in IPv6", protocol.0))
        .because("there it is an extension header, which nft looks through")
        .help("restrict the rule to IPv4 addresses, or take `nft` out of the hosts' `targets`")
}
