//! Shared tables, ipsets, a firewall that is off; what is refused.

use super::fixture::*;

const SHARED: &str = r#"
version: 1
hosts:
  pm1:
    addresses: [10.0.0.11/24]
    targets: iptables
    iptables: { mode: shared, prefix: FWC }
    options: { policy_out: drop, protection_synflood: true }
    rules: [ { in: accept, proto: tcp, dport: 22 }, { out: accept, proto: tcp, dport: 443 } ]
vms:
  100:
    host: pm1
    options: { ipfilter: true, policy_out: drop }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.100/24 } }
    rules: [ { in: accept, proto: tcp, dport: 80 } ]
"#;

/// The commands of a header.
fn commands(text: &str, of: &str) -> String {
    text.lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .filter(|line| line.contains(of))
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn shared_tables_keep_what_others_own() {
    let files = files(SHARED);
    let text = files.get("iptables.rules").unwrap();
    for line in text.lines().filter(|line| line.starts_with(':')) {
        assert!(line.starts_with(":FWC-"), "{line}");
    }
    assert!(!text.contains("-j ACCEPT"), "others judge what fwc accepts");
    if !kernel() {
        return;
    }
    let hooks = commands(text, " -I ");
    assert_eq!(hooks.lines().count(), 4);
    for kind in ["legacy", "nft"] {
        let at = |commands: &str| {
            commands
                .replace("iptables-restore", &format!("iptables-{kind}-restore"))
                .replace("iptables -", &format!("iptables-{kind} -"))
        };
        let own = format!("iptables-{kind}");
        let once = format!("{own}-restore --noflush < iptables.rules\n{}", at(&hooks));
        let script = format!(
            "{own} -P FORWARD DROP; {own} -N DOCKER; {own} -A FORWARD -j DOCKER; {own} -A DOCKER -i docker0 -j ACCEPT\n\
             {once}\n{own}-save | grep -v '^#' > first\n{once}\n{own}-save | grep -v '^#' > second\n\
             diff first second >&2\n{own} -N FWC-old; {own} -A FWC-old -j FWC-older 2>/dev/null || true\n{own} -A FWC-old -j DROP\n\
             {}\n{own}-save | grep -v '^#' > third\n diff first third >&2\n{own} -S",
            at(&commands(text, "").lines().filter(|line| !line.contains(" -I ")).collect::<Vec<_>>().join("\n"))
        );
        let listing = in_namespace(&files, &script);
        assert_eq!(listing.matches("-A INPUT -j FWC-INPUT").count(), 1, "{listing}");
        assert!(listing.contains("-A DOCKER -i docker0 -j ACCEPT"), "{listing}");
        assert!(listing.contains("-P FORWARD DROP"), "{listing}");
        assert!(!listing.contains("FWC-old"), "{listing}");
    }
    let frames = files.get("ebtables.rules").unwrap();
    let script = format!(
        "for i in 1 2; do ebtables-nft-restore --noflush < ebtables.rules\n{}done; ebtables-nft-save",
        commands(frames, " -I ").replace("ebtables -", "ebtables-nft -")
    );
    let listing = in_namespace(&files, &script);
    assert_eq!(listing.matches("-A PREROUTING -j FWC-PREROUTING").count(), 1, "{listing}");
    assert_eq!(listing.matches("-A FWC-tap100i0-sent -p ARP -j DROP").count(), 1, "{listing}");
}

/// Rules that others have behind the hook see every frame that fwc lets pass.
#[test]
fn frames_that_pass_go_back_to_shared_tables() {
    let frames = files(SHARED).remove("ebtables.rules").unwrap();
    assert!(!frames.contains("ACCEPT"), "{frames}");
    let port = chain(&frames, "FWC-from-port");
    assert_eq!(port, ["-i tap100i0 -j FWC-tap100i0-sent", "-i tap100i0 -j RETURN"]);
    let own = chain(
        &files(&SHARED.replace("    iptables: { mode: shared, prefix: FWC }\n", "")).remove("ebtables.rules").unwrap(),
        "from-port",
    )
    .len();
    assert_eq!(own, 1, "fwc's own tables need no way back");
}

/// What an older version loaded does not stay where nothing is to be filtered any more.
#[test]
fn frames_that_nobody_filters_any_more_pass() {
    let off = SHARED.replace("version: 1\n", "version: 1\ndatacenter: { options: { ebtables: false } }\n");
    let gone = SHARED.split("vms:").next().unwrap().to_owned();
    for spec in [off, gone] {
        let before = files(SHARED).remove("ebtables.rules").unwrap();
        let mut shared = files(&spec);
        assert!(!shared.get("ebtables.rules").unwrap().contains("\n-A"), "{spec}");
        let own = "    iptables: { mode: shared, prefix: FWC }\n";
        let mut alone = files(&spec.replace(own, ""));
        if !kernel() {
            continue;
        }
        shared.insert("old".into(), before);
        alone.insert("old".into(), files(&SHARED.replace(own, "")).remove("ebtables.rules").unwrap());
        for (files, option) in [(shared, "--noflush"), (alone, "")] {
            let load = format!("ebtables-nft-restore {option}");
            let script = format!("{load} < old; {load} < ebtables.rules; ebtables-nft -t nat -L");
            let listing = in_namespace(&files, &script);
            assert!(
                !listing.contains("-j from-port")
                    && !listing.contains("-j FWC-from-port")
                    && listing.contains("PREROUTING"),
                "{listing}"
            );
        }
    }
}

const SETS: &str = r#"
version: 1
datacenter:
  ipsets:
    blacklist: [192.0.2.1, 192.0.2.3, 192.0.2.5, 192.0.2.7, 192.0.2.9, 192.0.2.11, 192.0.2.12-192.0.2.99]
    six: ["2001:db8::1", "2001:db8::3", "2001:db8::5", "2001:db8::7", "2001:db8::9", "2001:db8::b"]
    few: [10.1.1.1, 10.1.1.3]
hosts:
  pm1:
    addresses: [10.0.0.11/24]
    targets: iptables
    iptables: { ipset: true }
    rules: [ { in: accept, proto: tcp, dport: 22, source: +six }, { in: accept, proto: tcp, dport: 23, source: +few } ]
"#;

#[test]
fn large_sets_are_ipsets() {
    let files = files(SETS);
    let sets = files.get("ipset.rules").unwrap();
    let names: Vec<&str> =
        sets.lines().filter_map(|line| line.strip_prefix("swap ")?.split_once(' ')).map(|(_, name)| name).collect();
    assert_eq!(names.len(), 2, "{sets}");
    for (name, address) in [("iptables.rules", "192.0.2"), ("ip6tables.rules", "2001:db8")] {
        let text = files.get(name).unwrap();
        assert!(text.contains("-m set --match-set fwc-"), "{text}");
        assert!(!text.contains(address), "{text}");
    }
    assert!(files.get("iptables.rules").unwrap().contains("-s 10.1.1.1/32"));
    loads(&files);
}

#[test]
fn a_firewall_that_is_off_leaves_all_open() {
    let files = files(
        r#"
version: 1
datacenter: { options: { enable: false } }
hosts: { pm1: { addresses: [10.0.0.11/24], targets: iptables, options: { protection_synflood: true } } }
vms: { 100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.100/24 } } } }
"#,
    );
    assert_eq!(files.keys().collect::<Vec<_>>(), ["ebtables.rules", "ip6tables.rules", "iptables.rules"]);
    for text in files.values() {
        assert!(text.contains("everything is open"), "{text}");
        assert!(!text.contains("\n-A") && !text.contains("DROP"), "{text}");
    }
    loads(&files);
}

/// Code and message of each finding.
fn findings(yaml: &str) -> Vec<String> {
    let (files, diagnostics) = compile(&fleet(yaml));
    assert_eq!(files.is_empty(), diagnostics.has_errors());
    diagnostics.iter().map(|one| format!("{}: {}", one.code.as_str(), one.message)).collect()
}

#[test]
fn what_iptables_cannot_match_is_an_error() {
    let host = |rule: &str| {
        format!("version: 1\nhosts: {{ pm1: {{ addresses: [10.0.0.1/24], targets: iptables, rules: [ {rule} ] }} }}\n")
    };
    for (rule, expected) in [
        ("{ in: accept, proto: 0 }", "iptables::protocol: iptables cannot match protocol 0"),
        (
            "{ in: drop, proto: 44, source: \"2001:db8::/32\" }",
            "iptables::protocol: ip6tables cannot match protocol 44",
        ),
        (
            "{ in: accept, proto: icmp, icmp_type: 255 }",
            "iptables::icmp-type: iptables cannot tell ICMP type 255 from any type",
        ),
    ] {
        let found = findings(&host(rule));
        assert!(found.iter().any(|one| one == expected), "{rule}: {found:?}");
    }
}

#[test]
fn rates_beyond_the_kernel_are_errors_and_its_limits_load() {
    let spec = |options: &str, log: &str| {
        format!(
            "version: 1\ndatacenter: {{ options: {{ log_ratelimit: {{ enable: true, {log} }} }} }}\n\
             hosts: {{ pm1: {{ addresses: [10.0.0.1/24], targets: iptables, options: {{ log_level_in: info, \
             protection_synflood: true, protection_synflood_rate: {options} }} }} }}\n"
        )
    };
    let found = findings(&spec("200", "rate: 1/day, burst: 5"));
    assert_eq!(found, ["iptables::rate: iptables cannot count 1 log lines a day with a burst of 5"]);
    for (options, log) in [
        ("1000000", "rate: 10000/second, burst: 10000"),
        ("1", "rate: 1/day, burst: 1"),
        ("1", "rate: 1/hour, burst: 24"),
    ] {
        loads(&files(&spec(options, log)));
    }
}

/// Remembered no longer than its allowance takes to fill, and by the same numbers as in nft.
#[test]
fn a_flood_of_sources_has_room() {
    let spec = |options: &str| {
        format!(
            "version: 1\nhosts: {{ pm1: {{ addresses: [10.0.0.1/24], targets: iptables, options: {{ \
             protection_synflood: true{options} }} }} }}\n"
        )
    };
    for (options, seconds) in [("", 6), (", protection_synflood_rate: 30, protection_synflood_burst: 100", 5)] {
        for text in files(&spec(options)).values().filter(|text| text.contains("*raw")) {
            let end = format!("--hashlimit-htable-max 786432 --hashlimit-htable-expire {seconds}000 -j DROP\n");
            assert!(text.contains(&end), "{text}");
        }
    }
}

#[test]
fn an_interface_name_cannot_break_out_of_its_line() {
    for name in ["eth+", "a b", "a\nb", "a\"", "-j", "!a", "", "a234567890123456", "a#"] {
        let error = crate::target::iptables::shape::interface(name, Default::default()).unwrap_err();
        assert_eq!(error.code.as_str(), "iptables::interface-name", "{name}");
    }
    assert!(crate::target::iptables::shape::interface("enp0s31f6.100", Default::default()).is_ok());
}

#[test]
fn a_nic_without_addresses_is_a_warning() {
    let found = findings(
        r#"
version: 1
hosts: { pm1: { addresses: [10.0.0.11/24], targets: [iptables, sysctl] } }
vms:
  100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64" }, net1: { bridge: vmbr0, mac: "BC:24:11:00:00:65", firewall: false } } }
"#,
    );
    assert_eq!(
        found,
        ["iptables::unknown-address: packets that the host sends or routes reach `net0` of vm/100 unfiltered"]
    );
}

/// One warning a host, where guests may take addresses that the spec does not give them.
#[test]
fn addresses_that_a_guest_may_take_are_a_warning() {
    let spec = |options: &str| {
        format!(
            r#"
version: 1
hosts: {{ pm1: {{ addresses: [10.0.0.11/24], targets: [iptables, sysctl] }} }}
vms:
  100: {{ host: pm1, {options} nics: {{ net0: {{ bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.4/24 }}, net1: {{ bridge: vmbr0, mac: "BC:24:11:00:00:65", firewall: false, ip: 10.0.1.5/24 }} }} }}
  101: {{ host: pm1, {options} nics: {{ net0: {{ bridge: vmbr0, mac: "BC:24:11:00:00:66", ip: 10.0.1.6/24 }} }} }}
"#
        )
    };
    let warning = |nics: &str| {
        format!(
            "iptables::unknown-address: packets that `pm1` sends or routes reach {nics} unfiltered at any address \
             but those in `ip`"
        )
    };
    assert_eq!(findings(&spec("")), [warning("2 NICs")]);
    assert_eq!(findings(&spec("options: { ipfilter: true },")), Vec::<String>::new());
    let wider = spec("options: { ipfilter: true },")
        .replace("101: { host: pm1,", "101: { host: pm1, ipsets: { ipfilter-net0: [10.0.1.64/28] },");
    assert_eq!(findings(&wider), [warning("1 NIC")]);
}

#[test]
fn long_names_are_shortened_without_collisions() {
    use crate::target::iptables::ruleset::{Chains, Jump, Rule, Test};
    let mut chains: Chains<Test> = Chains::new(String::new());
    let names: Vec<_> = ["a".repeat(40), "a".repeat(41), "a".repeat(40)].iter().map(|hint| chains.name(hint)).collect();
    assert!(names.iter().all(|name| name.len() <= 28), "{names:?}");
    assert!(names.iter().collect::<std::collections::BTreeSet<_>>().len() == 3, "{names:?}");
    let one = chains.share("x", vec![Rule::new(Vec::new(), Jump::Drop)]);
    let two = chains.share("y", vec![Rule::new(Vec::new(), Jump::Drop)]);
    let three = chains.share("x", vec![Rule::new(Vec::new(), Jump::Accept)]);
    assert_eq!(one, two);
    assert_ne!(one, three);
}
