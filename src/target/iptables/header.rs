//! The comments on top of each file: what it is, and how it is loaded.

use crate::net::Family;
use crate::policy::HostPolicy;

use super::host::{exclusive, prefix};
use super::shape::program;

/// The header of a filter file, without `# `.
pub(super) fn filter(host: &HostPolicy, family: Family) -> Vec<String> {
    let program = program(family);
    let mut lines = vec![format!("{} packets, for {program}-restore (legacy or nft)", family.name())];
    if !host.enabled {
        lines.push("The firewall of this host is off: everything is open.".to_owned());
    }
    if host.iptables.ipset {
        lines.push("Load ipset.rules first: ipset restore < ipset.rules".to_owned());
    }
    if exclusive(host) {
        lines.push(
            "It replaces the tables raw and filter as a whole, each at once; no other table is touched.".to_owned(),
        );
        return lines;
    }
    let own = prefix(host);
    lines.push(format!("It owns only the chains {own}*; load it with: {program}-restore --noflush"));
    lines.push("Then lead packets there (each line does so once, however often it runs):".to_owned());
    for chain in ["INPUT", "FORWARD", "OUTPUT"] {
        lines.push(format!(
            "  {program} -C {chain} -j {own}{chain} 2>/dev/null || {program} -I {chain} 1 -j {own}{chain}"
        ));
    }
    let raw = format!("{program} -t raw");
    lines.push(format!(
        "  {raw} -C PREROUTING -j {own}PREROUTING 2>/dev/null || {raw} -I PREROUTING 1 -j {own}PREROUTING"
    ));
    lines.push(
        "What fwc accepts returns to the built-in chain: the rules behind it and its policy still judge it.".to_owned(),
    );
    lines.push("Chains of older versions that this file no longer has do no harm; this removes them:".to_owned());
    let known = format!("sed -n 's/^:\\([^ ]*\\) .*/\\1/p' {program}.rules");
    lines.push(format!("  {program} -S | sed -n 's/^-N \\({own}.*\\)/\\1/p' | grep -vxF \"$({known})\" |"));
    lines.push(
        r#"  awk 'BEGIN {print "*filter"} {print ":" $0 " -"; x = x "-X " $0 "\n"} END {printf "%sCOMMIT\n", x}' |"#
            .to_owned(),
    );
    lines.push(format!("  {program}-restore --noflush"));
    lines
}

/// The header of the file of ipsets.
pub(super) fn ipset(host: &HostPolicy) -> Vec<String> {
    let mut lines = vec![
        "Address sets, for: ipset restore < ipset.rules".to_owned(),
        "Order: this file first, then iptables.rules and ip6tables.rules.".to_owned(),
        "A set's name follows from its content: sets in use are never changed, so no packet sees half a set."
            .to_owned(),
        "Sets that no rule names any more: ipset list -n | grep '^fwc-' | xargs -rn1 ipset destroy 2>/dev/null"
            .to_owned(),
    ];
    if !host.enabled {
        lines.push("The firewall of this host is off.".to_owned());
    }
    lines
}

/// The header of the file of layer 2 rules.
pub(super) fn ebtables(host: &HostPolicy) -> Vec<String> {
    let mut lines = vec!["Frames other than IP, and source MACs, for ebtables-nft-restore.".to_owned()];
    if !host.enabled {
        lines.push("The firewall of this host is off: everything is open.".to_owned());
    }
    if exclusive(host) {
        lines.push("It replaces the table nat of ebtables as a whole; no other table is touched.".to_owned());
    } else {
        let own = prefix(host);
        lines.push(format!("It owns only the chains {own}*; load it with: ebtables-nft-restore --noflush"));
        lines.push("Then lead frames there (each line does so once, however often it runs):".to_owned());
        for chain in ["PREROUTING", "POSTROUTING"] {
            lines.push(format!(
                "  ebtables -t nat -L {chain} | grep -qx -- '-j {own}{chain}' || ebtables -t nat -I {chain} -j {own}{chain}"
            ));
        }
    }
    lines.push(
        "ARP within a VLAN tag cannot be looked into: a NIC with a MAC or IP filter does not send it.".to_owned(),
    );
    lines
}
