//! The companion of the profile `tcp-hardening`: chronyd without IPv6.
//!
//! Without it chronyd listens on `[::1]:323` also where IPv6 is disabled (chronyd(8), `-4`). Debian's unit takes its
//! options from `/etc/default/chrony`; `-F 1` is what Debian's package has there.

use std::collections::BTreeMap;

use crate::policy::HostPolicy;

use super::KeyValue;

/// The line of `/etc/default/chrony`.
pub(super) const OPTIONS: &str = r#"DAEMON_OPTS="-4 -F 1""#;

/// The profile that it comes with.
const PROFILE: &str = "tcp-hardening";

/// Whether a host with these keys in force needs it: the profile is in use, and nothing takes back that it disables
/// IPv6 on the loopback interface, where chronyd's commands arrive.
pub(super) fn is_needed(host: &HostPolicy, settings: &BTreeMap<String, KeyValue>) -> bool {
    let has_profile = host.sysctl.iter().any(|setting| setting.profile == Some(PROFILE));
    // A key of the interface is written after `all`, which reaches it too.
    let keys = ["net.ipv6.conf.lo.disable_ipv6", "net.ipv6.conf.all.disable_ipv6"];
    let setting = keys.iter().find_map(|key| settings.get(*key));
    has_profile && setting.is_some_and(|setting| super::is_on(&setting.value))
}
