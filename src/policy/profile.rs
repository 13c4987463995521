//! Named bundles of sysctl keys that `sysctl.profiles` takes.
//!
//! In: a profile's name. Out: its keys and values. A key that the spec sets by hand wins over a
//! profile of the same zone; that is the resolver's work, not done here.

/// A key in dotted form and its value.
pub type ProfileKey = (&'static str, &'static str);

/// Against spoofed, redirected and half-open traffic; switches IPv6 off.
const TCP_HARDENING: &[ProfileKey] = &[
    ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv4.conf.all.secure_redirects", "0"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.accept_redirects", "0"),
    ("net.ipv4.conf.default.accept_source_route", "0"),
    ("net.ipv4.conf.default.rp_filter", "2"),
    ("net.ipv4.conf.default.secure_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
    ("net.ipv4.tcp_fin_timeout", "10"),
    ("net.ipv4.tcp_orphan_retries", "2"),
    ("net.ipv4.tcp_rfc1337", "1"),
    ("net.ipv4.tcp_sack", "0"),
    ("net.ipv4.tcp_syn_retries", "2"),
    ("net.ipv4.tcp_synack_retries", "2"),
    ("net.ipv6.conf.all.disable_ipv6", "1"),
    ("net.ipv6.conf.default.disable_ipv6", "1"),
];

/// Every profile, sorted by name.
const PROFILES: &[(&str, &[ProfileKey])] = &[("tcp-hardening", TCP_HARDENING)];

/// The keys of a profile, sorted; none where no profile has that name.
#[must_use]
pub fn profile(name: &str) -> Option<&'static [ProfileKey]> {
    PROFILES.iter().find(|(known, _)| *known == name).map(|(_, keys)| *keys)
}

/// The names of all profiles, sorted.
pub fn profile_names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_their_keys_are_sorted_and_unique() {
        assert!(PROFILES.is_sorted_by(|a, b| a.0 < b.0));
        for (name, keys) in PROFILES {
            assert!(keys.is_sorted_by(|a, b| a.0 < b.0), "{name}");
        }
    }

    #[test]
    fn a_profile_is_found_by_its_exact_name() {
        assert_eq!(profile("tcp-hardening").map(<[_]>::len), Some(16));
        assert_eq!(profile("TCP-hardening"), None);
    }
}
