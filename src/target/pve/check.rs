//! A strict reader of `.fw` files for tests: what Proxmox VE's two implementations both take, and no more.
//!
//! In: a whole tree of files. Out: nothing, or the first line that one of them would not read, or would read otherwise.
//! It knows nothing of the lowering; it has its own idea of the grammar.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::net::{Family, MACROS, Protocol, icmp_type_names};
use crate::policy::LogLevel;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cluster,
    Host,
    Guest,
    Vnet,
}

/// What a file defines.
#[derive(Debug, Default)]
struct Defined {
    aliases: BTreeMap<String, IpNet>,
    ipsets: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// Panics at the first line of a tree that is not as it must be.
pub(super) fn tree(files: &[(String, String)]) {
    let cluster = files.iter().find(|(path, _)| path == "pve/firewall/cluster.fw").expect("a cluster.fw");
    let dc = definitions(&cluster.1);
    for (path, text) in files {
        let kind = kind(path);
        assert!(text.ends_with('\n') || text.is_empty(), "{path} does not end its last line");
        let own = definitions(text);
        let mut section = String::new();
        let mut seen = BTreeSet::new();
        let mut entries: Vec<IpNet> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let place = format!("{path}:{}: {line}", number + 1);
            assert!(!line.chars().any(char::is_control), "{place}: a control character");
            assert_eq!(line, line.trim_end(), "{place}: trailing blanks");
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('[') {
                section = header(line, kind, &place);
                assert!(seen.insert(section.clone()), "{place}: a section twice");
                entries.clear();
                continue;
            }
            match section.split(' ').next().unwrap() {
                "OPTIONS" => option(line, kind, &place),
                "ALIASES" => drop(alias(line, &place)),
                "IPSET" => entry(line, &own, &mut entries, &place),
                "group" => rule(line, kind, true, &dc, &own, &place),
                "RULES" => rule(line, kind, false, &dc, &own, &place),
                other => panic!("{place}: outside of any section ({other})"),
            }
        }
        assert!(seen.contains("OPTIONS") && seen.contains("RULES"), "{path} lacks a section");
        assert!(
            text.lines().filter(|line| line.starts_with("enable: ")).count() == 1,
            "{path}: enable is not explicit"
        );
    }
}

fn kind(path: &str) -> Kind {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["pve", "firewall", "cluster.fw"] => Kind::Cluster,
        ["pve", "nodes", _, "host.fw"] => Kind::Host,
        ["pve", "firewall", guest] => {
            assert!(guest.strip_suffix(".fw").unwrap().parse::<u32>().is_ok(), "{path}");
            Kind::Guest
        }
        ["pve", "sdn", "firewall", _] => Kind::Vnet,
        _ => panic!("{path} is no place of Proxmox VE's"),
    }
}

fn definitions(text: &str) -> Defined {
    let mut defined = Defined::default();
    let mut section = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix('[') {
            section = rest.split(']').next().unwrap();
            if let Some(name) = section.strip_prefix("IPSET ") {
                assert!(defined.ipsets.insert(name.to_owned()), "ipset {name} twice");
            }
            if let Some(name) = section.strip_prefix("group ") {
                assert!(defined.groups.insert(name.to_owned()), "group {name} twice");
            }
        } else if section == "ALIASES" && !line.is_empty() && !line.starts_with('#') {
            let (name, network) = alias(line, line);
            assert!(defined.aliases.insert(name.clone(), network).is_none(), "alias {name} twice");
        }
    }
    defined
}

fn header(line: &str, kind: Kind, place: &str) -> String {
    let (inside, rest) = line.strip_prefix('[').unwrap().split_once(']').expect(place);
    let named = inside.contains(' ');
    assert!(rest.is_empty() || (named && rest.starts_with(" # ")), "{place}: a comment where none may stand");
    let allowed: &[&str] = match kind {
        Kind::Cluster => &["OPTIONS", "ALIASES", "IPSET", "group", "RULES"],
        Kind::Guest => &["OPTIONS", "ALIASES", "IPSET", "RULES"],
        Kind::Host | Kind::Vnet => &["OPTIONS", "RULES"],
    };
    let word = inside.split(' ').next().unwrap();
    assert!(allowed.contains(&word), "{place}: no such section here");
    if let Some((word, name)) = inside.split_once(' ') {
        name_is_good(name, if word == "group" { 18 } else { 64 }, place);
    } else {
        assert!(word == word.to_uppercase(), "{place}: no name");
    }
    inside.to_owned()
}

fn name_is_good(name: &str, longest: usize, place: &str) {
    let mut chars = name.chars();
    assert!(chars.next().is_some_and(|c| c.is_ascii_lowercase()), "{place}: a name in lower case begins with a letter");
    assert!((2..=longest).contains(&name.len()), "{place}: the length of {name}");
    assert!(chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c)), "{place}: {name}");
}

fn option(line: &str, kind: Kind, place: &str) {
    let (name, value) = line.split_once(": ").expect(place);
    assert!(!line.contains('#'), "{place}: a comment on an option");
    let (switches, others): (&[&str], &[&str]) = match kind {
        Kind::Cluster => (&["enable", "ebtables"], &["policy_in", "policy_out", "policy_forward", "log_ratelimit"]),
        Kind::Host => (
            &[
                "enable",
                "nosmurfs",
                "tcpflags",
                "ndp",
                "nf_conntrack_allow_invalid",
                "protection_synflood",
                "log_nf_conntrack",
                "nftables",
            ],
            &[
                "nf_conntrack_max",
                "nf_conntrack_tcp_timeout_established",
                "nf_conntrack_tcp_timeout_syn_recv",
                "nf_conntrack_helpers",
                "protection_synflood_rate",
                "protection_synflood_burst",
                "log_level_in",
                "log_level_out",
                "log_level_forward",
                "tcp_flags_log_level",
                "smurf_log_level",
            ],
        ),
        Kind::Guest => (
            &["enable", "macfilter", "dhcp", "ndp", "radv", "ipfilter", "ips"],
            &["policy_in", "policy_out", "log_level_in", "log_level_out", "layer2_protocols", "ips_queues"],
        ),
        Kind::Vnet => (&["enable"], &["policy_forward", "log_level_forward"]),
    };
    if switches.contains(&name) {
        assert!(["0", "1"].contains(&value), "{place}: a switch is 0 or 1");
        return;
    }
    assert!(others.contains(&name), "{place}: no such option");
    match name {
        "policy_forward" => assert!(["ACCEPT", "DROP"].contains(&value), "{place}"),
        "policy_in" | "policy_out" => assert!(["ACCEPT", "DROP", "REJECT"].contains(&value), "{place}"),
        _ if name.contains("log_level") => assert!(value == "nolog" || is_level(value), "{place}"),
        "log_ratelimit" => assert!(value == "enable=0" || value.starts_with("enable=1,rate="), "{place}"),
        "nf_conntrack_helpers" | "layer2_protocols" => {
            assert!(value.split(',').all(|word| !word.is_empty() && !word.contains(' ')), "{place}");
        }
        "ips_queues" => assert!(value.split(':').all(|part| part.parse::<u16>().is_ok()), "{place}"),
        _ => assert!(value.parse::<u64>().is_ok(), "{place}: a number"),
    }
}

fn is_level(word: &str) -> bool {
    LogLevel::ALL.iter().any(|level| level.name() == word)
}

/// A line without its comment.
fn bare<'l>(line: &'l str, place: &str) -> &'l str {
    match line.split_once('#') {
        None => line,
        Some((before, after)) => {
            assert!(
                before.ends_with(' ') && after.starts_with(' ') && after.len() > 1,
                "{place}: a comment is ` # text`"
            );
            before.trim_end()
        }
    }
}

fn alias(line: &str, place: &str) -> (String, IpNet) {
    let words: Vec<&str> = bare(line, place).split(' ').collect();
    let [name, value] = words.as_slice() else { panic!("{place}: an alias is a name and a network") };
    name_is_good(name, 64, place);
    ((*name).to_owned(), network(value).unwrap_or_else(|| panic!("{place}: {value} is no network")))
}

/// An address or a network without host bits.
fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(IpNet::from(address));
    }
    let network: IpNet = text.parse().ok()?;
    (network.trunc() == network && network.prefix_len() < network.max_prefix_len()).then_some(network)
}

fn entry(line: &str, own: &Defined, entries: &mut Vec<IpNet>, place: &str) {
    let value = bare(line, place);
    let value = match own.aliases.get(value) {
        Some(network) => *network,
        None => network(value).unwrap_or_else(|| panic!("{place}: {value} is neither network nor alias of this file")),
    };
    assert!(value.prefix_len() > 0, "{place}: /0 in an ipset");
    for other in entries.iter() {
        assert!(!other.contains(&value) && !value.contains(other), "{place}: overlaps {other}");
    }
    entries.push(value);
}

fn rule(line: &str, kind: Kind, in_group: bool, dc: &Defined, own: &Defined, place: &str) {
    let line = bare(line.strip_prefix('|').unwrap_or(line), place);
    let mut words = line.split(' ');
    let head = words.next().unwrap();
    let mut ipversion: BTreeSet<Family> = Family::BOTH.into_iter().collect();
    let name = words.next().expect(place);
    if head == "GROUP" {
        assert!(!in_group && kind != Kind::Vnet, "{place}: no group here");
        assert!(dc.groups.contains(name), "{place}: no such group");
    } else {
        assert!(["IN", "OUT", "FORWARD"].contains(&head), "{place}: no direction");
        assert!(kind != Kind::Vnet || head == "FORWARD", "{place}: vnets have forward rules only");
        assert!(kind != Kind::Guest || head != "FORWARD", "{place}: guests have no forward rules");
    }
    let mut macro_lines = None;
    let verdict = match name.split_once('(') {
        Some((macro_name, rest)) => {
            let known = MACROS.iter().find(|known| known.name == macro_name).expect(place);
            assert!(!["HTTP/3", "PBS"].contains(&macro_name), "{place}: a macro that one implementation lacks");
            macro_lines = Some(known.lines);
            rest.strip_suffix(')').expect(place)
        }
        None => name,
    };
    if head != "GROUP" {
        assert!(["ACCEPT", "DROP", "REJECT"].contains(&verdict), "{place}: no verdict");
        assert!(head != "FORWARD" || verdict != "REJECT", "{place}: reject in a forward rule");
    }
    let mut options = BTreeMap::new();
    while let Some(option) = words.next() {
        let value = words.next().unwrap_or_else(|| panic!("{place}: {option} without a value"));
        assert!(options.insert(option, value).is_none(), "{place}: {option} twice");
    }
    let allowed: &[&str] = match (head, macro_lines) {
        ("GROUP", _) => &["-i"],
        (_, Some(_)) => &["-i", "-source", "-dest", "-log"],
        (_, None) => &["-i", "-source", "-dest", "-p", "-dport", "-sport", "-icmp-type", "-log"],
    };
    for (option, value) in &options {
        assert!(allowed.contains(option), "{place}: {option} has no place here");
        match *option {
            "-i" => interface(value, kind, in_group, place),
            "-source" | "-dest" => {
                let families = addresses(value, dc, own, place);
                ipversion.retain(|family| families.contains(family));
            }
            "-dport" | "-sport" => ports(value, options.get("-p"), place),
            "-p" => drop(Protocol::parse(value).expect(place)),
            "-icmp-type" => icmp_type(value, options.get("-p"), place),
            "-log" => assert!(is_level(value), "{place}: no log level"),
            other => panic!("{place}: {other}"),
        }
    }
    assert!(!ipversion.is_empty(), "{place}: source and destination of different families");
    for icmp in macro_lines.unwrap_or_default().iter().filter(|line| line.proto.starts_with("icmp")) {
        let family = if icmp.proto == "icmp" { Family::V4 } else { Family::V6 };
        assert!(ipversion.contains(&family), "{place}: a macro of both families beside addresses of one");
    }
    match options.get("-p") {
        Some(&"icmp") => assert!(ipversion.contains(&Family::V4), "{place}: ICMP from IPv6"),
        Some(&"icmpv6") => assert!(ipversion.contains(&Family::V6), "{place}: ICMPv6 from IPv4"),
        _ => {}
    }
}

fn interface(value: &str, kind: Kind, in_group: bool, place: &str) {
    assert!(!in_group && kind != Kind::Vnet, "{place}: no interface here");
    if kind == Kind::Guest {
        let digits = value.strip_prefix("net").expect(place);
        assert!(digits.parse::<u8>().is_ok(), "{place}: {value} is no NIC");
    } else {
        assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c)), "{place}: {value}");
    }
}

/// The families of an address match.
fn addresses(value: &str, dc: &Defined, own: &Defined, place: &str) -> BTreeSet<Family> {
    let of = |address: IpAddr| BTreeSet::from([Family::of(address)]);
    if let Some(name) = value.strip_prefix("+dc/") {
        assert!(dc.ipsets.contains(name), "{place}: no ipset {name} in cluster.fw");
        return Family::BOTH.into_iter().collect();
    }
    if let Some(name) = value.strip_prefix("+guest/") {
        assert!(own.ipsets.contains(name), "{place}: no ipset {name} in this file");
        return Family::BOTH.into_iter().collect();
    }
    for (scope, defined) in [("dc/", dc), ("guest/", own)] {
        if let Some(name) = value.strip_prefix(scope) {
            let network = defined.aliases.get(name).unwrap_or_else(|| panic!("{place}: no alias {name}"));
            return of(network.addr());
        }
    }
    if let Some((first, last)) = value.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.parse().expect(place), last.parse().expect(place));
        assert!(first < last && Family::of(first) == Family::of(last), "{place}: {value} is no range");
        return of(first);
    }
    let mut families = BTreeSet::new();
    for part in value.split(',') {
        let network = network(part).unwrap_or_else(|| panic!("{place}: {part} is no network"));
        families.insert(Family::of(network.addr()));
    }
    assert_eq!(families.len(), 1, "{place}: a list of both families");
    families
}

fn ports(value: &str, protocol: Option<&&str>, place: &str) {
    let protocol = protocol.unwrap_or_else(|| panic!("{place}: ports without a protocol"));
    assert!(Protocol::parse(protocol).expect(place).has_ports(), "{place}: a protocol without ports");
    assert_ne!(value, "0", "{place}: port 0 alone");
    let mut weight = 0;
    for part in value.split(',') {
        match part.split_once(':') {
            Some((first, last)) => {
                assert!(first.parse::<u16>().expect(place) < last.parse::<u16>().expect(place), "{place}");
                weight += 2;
            }
            None => {
                part.parse::<u16>().expect(place);
                weight += 1;
            }
        }
    }
    assert!(weight <= 15, "{place}: {weight} ports");
}

fn icmp_type(value: &str, protocol: Option<&&str>, place: &str) {
    let family = match protocol {
        Some(&"icmp") => Family::V4,
        Some(&"icmpv6") => Family::V6,
        other => panic!("{place}: an ICMP type with {other:?}"),
    };
    assert!(icmp_type_names(family).any(|name| name == value), "{place}: {value} has no name there");
}
