//! Options of every kind of machine as a list: name, value, who set it.

use crate::cli::place::Places;
use crate::cli::words::Words;
use crate::policy::{GuestOptions, HostOptions, Setting};

use super::view::OptionView;

macro_rules! list {
    ($places:expr, $options:expr, $($name:ident)+) => {
        vec![$(one($places, stringify!($name), &$options.$name)),+]
    };
}

fn one<T: Words>(places: &Places<'_>, name: &'static str, setting: &Setting<T>) -> OptionView {
    OptionView {
        name: name.to_owned(),
        value: setting.value.words(),
        zone: setting.origin.as_ref().map(|origin| origin.zone.to_string()),
        place: setting.origin.as_ref().map(|origin| places.of(origin.span)),
    }
}

/// Of a host.
pub(super) fn host(places: &Places<'_>, options: &HostOptions) -> Vec<OptionView> {
    list!(places, options,
        enable policy_in policy_out policy_forward nosmurfs tcpflags ndp nf_conntrack_allow_invalid nf_conntrack_max
        nf_conntrack_tcp_timeout_established nf_conntrack_tcp_timeout_syn_recv nf_conntrack_helpers
        protection_synflood protection_synflood_rate protection_synflood_burst log_level_in log_level_out
        log_level_forward tcp_flags_log_level smurf_log_level log_nf_conntrack nftables)
}

/// Of a guest.
pub(super) fn guest(places: &Places<'_>, options: &GuestOptions) -> Vec<OptionView> {
    list!(places, options,
        enable policy_in policy_out macfilter ipfilter dhcp ndp radv log_level_in log_level_out layer2_protocols
        ips ips_queues)
}
