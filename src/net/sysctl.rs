//! Names of kernel settings.
//!
//! In: a key as somebody writes it. Out: its one spelling, dotted, with a slash for a dot inside a part
//! (`net.ipv4.conf.eth0/1.rp_filter` is that of the interface `eth0.1`).

/// Names of the same variable of the kernel, the usual one first: the table's size stands in two directories
/// (nf_conntrack_standalone.c), and `ip_forward` is the value of `conf.all` (devinet.c).
const TWINS: [(&str, &str); 2] = [
    ("net.netfilter.nf_conntrack_max", "net.nf_conntrack_max"),
    ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"),
];

/// The one spelling of a key. The separator that comes first is the one between parts, and the other stands for a dot
/// inside a part; empty parts are nothing (sysctl.d(5); both programs do the same with `net..ipv4` and `/net/ipv4`).
#[must_use]
pub fn sysctl_key(text: &str) -> String {
    let slashed = text.find(['.', '/']).is_some_and(|at| text.split_at(at).1.starts_with('/'));
    let (separator, dot) = if slashed { ('/', '.') } else { ('.', '/') };
    let parts = text.split(separator).filter(|part| !part.is_empty()).map(|part| part.replace(dot, "/"));
    parts.collect::<Vec<_>>().join(".")
}

/// The other name of a key's variable, if it has one.
#[must_use]
pub fn sysctl_twin(key: &str) -> Option<&'static str> {
    TWINS.iter().find_map(|(usual, other)| match key {
        _ if key == *usual => Some(*other),
        _ if key == *other => Some(*usual),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_key_are_one() {
        for (text, key) in [
            ("net.ipv4.ip_forward", "net.ipv4.ip_forward"),
            ("net/ipv4/ip_forward", "net.ipv4.ip_forward"),
            ("/net/ipv4/ip_forward", "net.ipv4.ip_forward"),
            (".net..ipv4.ip_forward", "net.ipv4.ip_forward"),
            ("net/ipv4/conf/eth0.1/rp_filter", "net.ipv4.conf.eth0/1.rp_filter"),
            ("net.ipv4.conf.eth0/1.rp_filter", "net.ipv4.conf.eth0/1.rp_filter"),
            ("net/ipv4/conf/*/rp_filter", "net.ipv4.conf.*.rp_filter"),
            ("x", "x"),
            ("", ""),
            ("/", ""),
        ] {
            assert_eq!(sysctl_key(text), key, "{text}");
            assert_eq!(sysctl_key(key), key, "the spelling of {text} stays");
        }
    }

    #[test]
    fn twins_name_each_other() {
        for (usual, other) in TWINS {
            assert_eq!(sysctl_twin(usual), Some(other));
            assert_eq!(sysctl_twin(other), Some(usual));
        }
        assert_eq!(sysctl_twin("net.ipv4.tcp_sack"), None);
    }
}
