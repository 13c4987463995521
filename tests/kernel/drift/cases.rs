//! Edits of a loaded machine: one of every kind of element, and what is told of it.

use super::Backend;

/// What is edited, in which example and by which program; and what is told of it: kind, subject, cause and a part of the words.
pub struct Case {
    pub name: &'static str,
    pub example: &'static str,
    pub backend: Backend,
    pub edit: &'static str,
    pub kind: &'static str,
    pub subject: &'static str,
    pub cause: &'static str,
    pub words: &'static str,
}

const fn case(
    name: &'static str,
    (example, backend): (&'static str, Backend),
    edit: &'static str,
    (kind, subject, cause, words): (&'static str, &'static str, &'static str, &'static str),
) -> Case {
    Case { name, example, backend, edit, kind, subject, cause, words }
}

pub const SERVER: (&str, Backend) = ("server", Backend::Legacy);
pub const SERVER_NFT: (&str, Backend) = ("server", Backend::Nft);
const SERVER_NFTABLES: (&str, Backend) = ("server", Backend::Nftables);
const DESIGN: (&str, Backend) = ("design", Backend::Nftables);
pub const DOCKER: (&str, Backend) = ("docker", Backend::Legacy);
const FLEET: (&str, Backend) = ("fleet", Backend::Legacy);
const HOST: &str = "hosts.www.example.net";
const OUTSIDE: &str = "not in the spec";

/// One of every kind of element.
pub const CASES: &[Case] = &[
    case(
        "a rule by hand",
        SERVER,
        "iptables-legacy -I INPUT 7 -s 192.0.2.66 -j ACCEPT",
        ("removed", "rule", OUTSIDE, "192.0.2.66"),
    ),
    case("a rule by hand at the end", SERVER, "ip6tables-legacy -A OUTPUT -j LOG", ("removed", "rule", OUTSIDE, "LOG")),
    case(
        "a rule taken away",
        SERVER,
        "iptables-legacy -D INPUT -p udp --dport 443 -m comment --comment quic -j ACCEPT",
        ("added", "rule", HOST, "443"),
    ),
    case(
        "a verdict",
        SERVER,
        "iptables-legacy -R INPUT $(iptables-legacy -nL INPUT --line-numbers | awk '/quic/ {print $1}') -p udp --dport 443 -m comment --comment quic -j DROP",
        ("altered", "rule", HOST, "drop"),
    ),
    case(
        "a port",
        SERVER,
        "iptables-legacy -R INPUT $(iptables-legacy -nL INPUT --line-numbers | awk '/quic/ {print $1}') -p udp --dport 444 -m comment --comment quic -j ACCEPT",
        ("altered", "rule", HOST, "444"),
    ),
    case(
        "an order",
        SERVER,
        "iptables-legacy-save | awk '/comment quic/ {kept = $0; next} {print} /comment ping/ {print kept}' | iptables-legacy-restore",
        ("moved", "rule", HOST, "--icmp-type 8"),
    ),
    case("a policy", SERVER, "iptables-legacy -P FORWARD ACCEPT", ("altered", "property", HOST, "FORWARD")),
    case(
        "a comment",
        SERVER,
        "iptables-legacy-save | sed 's/comment quic/comment kwik/' | iptables-legacy-restore",
        ("altered", "rule", HOST, "comment"),
    ),
    case(
        "a limit",
        SERVER,
        "iptables-legacy-save | sed '/PREROUTING/s/hashlimit-above 100/hashlimit-above 200/' | iptables-legacy-restore",
        ("altered", "rule", HOST, "200"),
    ),
    case(
        "a table by nftables",
        SERVER_NFTABLES,
        "iptables-nft -t raw -F",
        ("added", "rule", HOST, "hashlimit-above 100"),
    ),
    case(
        "IPv6 alone not loaded",
        SERVER_NFTABLES,
        "ip6tables-nft -t filter -F; ip6tables-nft -t filter -X; for c in INPUT FORWARD OUTPUT; do ip6tables-nft -P $c ACCEPT; done",
        ("added", "property", "not loaded", "ip6tables"),
    ),
    case(
        "nft: a rule by hand",
        SERVER_NFT,
        "nft insert rule inet fwc input ip saddr 192.0.2.66 accept",
        ("removed", "rule", OUTSIDE, "192.0.2.66"),
    ),
    case(
        "nft: a rule taken away",
        SERVER_NFT,
        "nft delete rule inet fwc input handle $(nft -a list chain inet fwc input | sed -n 's/.* quic\" # handle //p')",
        ("added", "rule", HOST, "443"),
    ),
    case(
        "nft: an element of a set",
        SERVER_NFT,
        "nft add element inet fwc ports-24a41751 '{ 9999 }'",
        ("altered", "definition", HOST, "removes 9999"),
    ),
    case(
        "a guest's rule",
        DESIGN,
        "iptables-nft -D vm101-net1-in -p tcp --dport 443 -m comment --comment 75b9f6a4 -j ACCEPT",
        ("added", "rule", "vms.101", "443"),
    ),
    case(
        "a group's rule of one guest",
        DESIGN,
        "ip6tables-nft-save | sed 's/--dports 80,443/--dports 80,444/' | ip6tables-nft-restore",
        ("altered", "rule", "groups.webserver", "444"),
    ),
    case(
        "a group's rule",
        DESIGN,
        "iptables-nft -I group-monitoring-in -p udp --dport 161 -j ACCEPT",
        ("removed", "rule", OUTSIDE, "161"),
    ),
    case(
        "a guest's dispatch",
        DESIGN,
        "iptables-nft -D to-port -m physdev --physdev-out tap101i1 -g vm101-net1-in",
        ("added", "property", "vms.101", "tap101i1"),
    ),
    case(
        "a frame's rule",
        DESIGN,
        "ebtables-nft -t nat -D tap101i0-sent -s ! bc:24:11:00:00:65 -j DROP",
        ("added", "rule", "vms.101", "bc:24:11:00:00:65"),
    ),
    case(
        "a kernel setting",
        SERVER,
        "echo 1 > sys/net/ipv4/conf/all/send_redirects",
        ("altered", "sysctl", HOST, "send_redirects"),
    ),
    case(
        "a kernel setting without its module",
        SERVER,
        "rm sys/net/netfilter/nf_conntrack_max",
        ("added", "sysctl", HOST, "nf_conntrack_max"),
    ),
    case(
        "nothing leads to fwc's chains",
        DOCKER,
        "iptables-legacy -D INPUT -j FWC-INPUT",
        ("added", "property", "hosts.build1", "FWC-INPUT"),
    ),
    case(
        "a shared table's own chain",
        DOCKER,
        "iptables-legacy -I FWC-host-in -s 192.0.2.66 -j DROP",
        ("removed", "rule", OUTSIDE, "192.0.2.66"),
    ),
    case(
        "a shared table's chain by hand",
        DOCKER,
        "iptables-legacy -N FWC-mine; iptables-legacy -A FWC-mine -j ACCEPT; iptables-legacy -I INPUT 1 -j FWC-mine",
        ("removed", "property", OUTSIDE, "reached from INPUT"),
    ),
    case(
        "a goto to fwc's chains",
        DOCKER,
        "iptables-legacy -R INPUT 1 -g FWC-INPUT",
        ("altered", "property", "hosts.build1", "goto FWC-INPUT"),
    ),
    case(
        "an entry of an ipset",
        FLEET,
        "ipset add $(ipset -n list | head -n1) 192.0.2.66",
        ("altered", "definition", "hosts.ams-2", "removes 192.0.2.66"),
    ),
    case(
        "an ipset in another's place",
        FLEET,
        "for s in $(ipset -n list | head -n1); do ipset flush $s; done",
        ("altered", "definition", "hosts.ams-2", "adds"),
    ),
    case(
        "nft: a verdict",
        SERVER_NFT,
        "nft replace rule inet fwc input handle $(nft -a list chain inet fwc input | sed -n 's/.* quic\" # handle //p') udp dport 443 drop comment '\"host/www.example.net quic\"'",
        ("altered", "rule", HOST, "drop"),
    ),
    case(
        "rules in the tables of the other kind of iptables",
        SERVER,
        "iptables-nft -I INPUT -s 192.0.2.66 -j DROP",
        ("removed", "property", OUTSIDE, "iptables-nft, table filter"),
    ),
    case(
        "nft: another protocol",
        SERVER_NFT,
        "nft replace rule inet fwc input handle $(nft -a list chain inet fwc input | sed -n 's/.* quic\" # handle //p') tcp dport 443 accept comment '\"host/www.example.net quic\"'",
        ("altered", "rule", HOST, "tcp dport 443"),
    ),
    case(
        "a rule that asks for nothing any more",
        SERVER,
        "iptables-legacy -R INPUT $(iptables-legacy -nL INPUT --line-numbers | awk '/ctstate INVALID/ {print $1; exit}') -j DROP",
        ("altered", "rule", HOST, "INVALID"),
    ),
    case(
        "a rule of a shared chain that asks for nothing any more",
        DESIGN,
        "iptables-nft -R vm100-out 1 -j DROP",
        ("altered", "rule", "hosts.pm4-1", "INVALID"),
    ),
    case(
        "nft: a table asleep",
        SERVER_NFT,
        "nft 'table inet fwc { flags dormant; }'",
        ("altered", "property", HOST, "while it is dormant, the table filters nothing"),
    ),
    case(
        "nft: a base chain by hand",
        SERVER_NFT,
        "nft 'table inet fwc { chain evil { type filter hook input priority -300; policy accept; ip saddr 192.0.2.66 accept; }; }'",
        ("removed", "property", OUTSIDE, "ip saddr 192.0.2.66 accept"),
    ),
    case(
        "nft: a base chain elsewhere",
        SERVER_NFT,
        "nft -s list ruleset | sed 's/hook forward priority filter;/hook forward priority 10;/' > moved; nft flush ruleset; nft -f moved",
        ("altered", "property", HOST, "priority"),
    ),
];
