//! Names, sets and options.

use super::{findings, fleet, guest};
use crate::net::Family;
use crate::policy::{Direction, Reference, SkipReason, Stage, Verdict, ZoneRef};

#[test]
fn the_nearest_definition_wins_where_the_rule_is_written() {
    let yaml = "
version: 1
datacenter: { aliases: { peer: 192.0.2.1 }, guests: { rules: [ { id: far, in: accept, source: peer } ] } }
zones: { z1: { kind: guest, aliases: { peer: 192.0.2.2 }, rules: [ { id: mid, in: accept, source: peer } ] } }
hosts: { pm1: {} }
vms:
  100:
    host: pm1
    inherits: z1
    options: { macfilter: false }
    nics: { net0: {} }
    aliases: { peer: 192.0.2.3 }
    rules: [ { id: near, in: accept, source: peer }, { id: scoped, in: accept, source: dc/peer } ]
";
    let fleet = fleet(yaml);
    let list = &guest(&fleet.hosts[0], 100).rules;
    let found: Vec<(String, String)> = list
        .rules(Direction::In)
        .map(|(rule, _)| {
            let set = &rule.source.as_ref().unwrap().set;
            (rule.origin.identity.clone(), set.networks(Family::V4)[0].addr().to_string())
        })
        .collect();
    let expected = [("near", "192.0.2.3"), ("scoped", "192.0.2.1"), ("mid", "192.0.2.2"), ("far", "192.0.2.1")];
    assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    // Hiding is allowed, and said.
    assert_eq!(fleet.written.hidden.len(), 2);
}

#[test]
fn the_most_specific_prefix_of_an_ipset_wins() {
    // pve-semantics, "ipset exclusion": subtracted at compile time.
    let fleet = fleet(
        "
version: 1
datacenter:
  ipsets: { s1: ['!10.0.0.0/24', 10.0.0.0/8, 10.0.0.7, '!10.1.0.0/16'] }
hosts: { pm1: {} }
",
    );
    let set = &fleet.ipsets[&(ZoneRef::Datacenter, "s1".to_owned())].set;
    for (address, inside) in [("10.0.0.7", true), ("10.0.0.8", false), ("10.1.2.3", false), ("10.2.0.1", true)] {
        assert_eq!(set.contains(address.parse().unwrap()), inside, "{address}");
    }
}

#[test]
fn local_network_is_each_hosts_own() {
    let fleet = fleet(
        "
version: 1
datacenter: { rules: [ { id: local, in: accept, source: local_network } ] }
hosts: { a1: { addresses: 10.1.0.1/24 }, b1: { addresses: 10.2.0.1/24 }, bare: {} }
",
    );
    let source = |host: usize| {
        let (rule, _) = fleet.hosts[host].rules.rules(Direction::In).next()?;
        let source = rule.source.as_ref()?;
        assert_eq!(source.terms[0].reference, Reference::LocalNetwork);
        Some(source.set.networks(Family::V4)[0].to_string())
    };
    assert_eq!(source(0).as_deref(), Some("10.1.0.0/24"));
    assert_eq!(source(1).as_deref(), Some("10.2.0.0/24"));
    assert_eq!(source(2), None);
    assert_eq!(fleet.hosts[2].rules.sections[0].skipped[0].reason, SkipReason::NoAddress);
}

#[test]
fn local_network_in_a_group_is_each_callers_own_and_has_no_place_in_an_ipset() {
    let yaml = "
version: 1
groups: { gg: [ { id: local, in: accept, source: local_network } ] }
hosts:
  a1: { addresses: 10.1.0.1/24, rules: [ { group: gg } ] }
  b1: { addresses: '2001:db8::1/64', rules: [ { group: gg } ] }
  bare: { rules: [ { group: gg } ] }
";
    let fleet = fleet(yaml);
    let source = |host: usize| {
        let (rule, _) = fleet.hosts[host].rules.rules(Direction::In).next()?;
        Some(rule.source.as_ref()?.set.clone())
    };
    assert!(source(0).unwrap().has(Family::V4) && !source(0).unwrap().has(Family::V6));
    assert!(source(1).unwrap().has(Family::V6));
    assert_eq!(source(2), None);
    assert_eq!(fleet.hosts[2].rules.sections[0].skipped[0].origin.identity, "local");
    let found = findings(&yaml.replace("groups:", "datacenter: { ipsets: { ss: [local_network] } }\ngroups:"));
    assert!(found[0].starts_with("resolve::local-network-in-ipset |"), "{found:?}");
}

#[test]
fn options_come_from_the_nearest_zone() {
    let fleet = fleet(
        "
version: 1
datacenter:
  options: { policy_in: reject }
  guests: { options: { policy_in: reject, dhcp: false } }
zones: { z1: { kind: guest, options: { policy_in: accept } } }
hosts: { a1: { options: { policy_in: accept } }, b1: {} }
vms: { 100: { host: a1, inherits: z1, options: { radv: true } } }
",
    );
    let options = &guest(&fleet.hosts[0], 100).options;
    assert_eq!(options.policy_in.value, Verdict::Accept);
    assert_eq!(options.policy_in.origin.as_ref().unwrap().zone, ZoneRef::Zone("z1".to_owned()));
    assert!(!options.dhcp.value && options.radv.value && options.macfilter.value);
    assert_eq!(options.macfilter.origin, None);
    assert_eq!(fleet.hosts[0].options.policy_in.value, Verdict::Accept);
    assert_eq!(fleet.hosts[1].options.policy_in.value, Verdict::Reject);
}

#[test]
fn a_rule_for_a_nic_that_the_guest_lacks_is_skipped_if_inherited_and_refused_if_own() {
    let spec = |own: &str| {
        format!(
            "
version: 1
zones: {{ z1: {{ kind: guest, rules: [ {{ id: second, in: accept, iface: net1 }} ] }} }}
hosts: {{ pm1: {{}} }}
vms: {{ 100: {{ host: pm1, inherits: z1, nics: {{ net0: {{ mac: 'BC:24:11:00:00:64' }} }}, rules: [{own}] }} }}
"
        )
    };
    let whole = fleet(&spec(""));
    let list = &guest(&whole.hosts[0], 100).rules;
    assert_eq!(list.sections[0].skipped[0].reason, SkipReason::NoSuchNic);
    assert_eq!(list.rules(Direction::In).count(), 0);
    let found = findings(&spec("{ in: accept, iface: net1 }"));
    assert!(found[0].starts_with("resolve::unknown-nic | `vm/100` has no NIC `net1`"), "{found:?}");
}

#[test]
fn inserting_a_rule_changes_no_other_rules_identity() {
    let identities = |rules: &str| {
        let fleet = fleet(&format!("version: 1\nhosts: {{ pm1: {{ rules: [{rules}] }} }}\n"));
        super::rules(&fleet.hosts[0].rules, Direction::In)
    };
    let before = identities("{ in: accept, proto: tcp, dport: 1 }, { in: accept, proto: tcp, dport: 2 }");
    let after = identities(
        "{ in: drop, proto: tcp, dport: 3 }, { in: accept, proto: tcp, dport: 1 }, { in: accept, proto: tcp, dport: 2, comment: x }",
    );
    assert_eq!(after[1..], before);
    let repeated = identities("{ in: accept, proto: tcp, dport: 1 }, { in: accept, proto: tcp, dport: 1 }");
    assert_eq!(repeated, [before[0].clone(), format!("{}-2", before[0])]);
}

#[test]
fn what_is_for_hosts_alone_does_not_reach_guests() {
    let fleet = fleet(
        "
version: 1
datacenter:
  guardrails:
    rules:
      - { id: telnet, in: drop, proto: tcp, dport: 23 }
      - { id: uplink, in: drop, iface: eno1, proto: tcp, dport: 3389 }
      - { id: through, forward: drop, proto: tcp, dport: 25 }
hosts: { pm1: { addresses: 10.0.0.1/24 } }
vms: { 100: { host: pm1, nics: { net0: { mac: 'BC:24:11:00:00:64' } } } }
",
    );
    let list = &guest(&fleet.hosts[0], 100).rules;
    assert_eq!(super::rules(list, Direction::In), ["datacenter telnet"]);
    let skipped: Vec<&str> = list.sections[0].skipped.iter().map(|s| s.origin.identity.as_str()).collect();
    assert_eq!(skipped, ["uplink", "through"]);
    assert_eq!(super::rules(&fleet.hosts[0].rules, Direction::In), ["datacenter telnet", "datacenter uplink"]);
}

#[test]
fn a_machines_own_rule_that_stands_for_nothing_there_is_refused() {
    // Inherited it would be left out; an own drop that vanished would open the machine.
    let found = findings(
        "
version: 1
hosts:
  bare: { rules: [ { in: drop, source: local_network, proto: tcp, dport: 22 }, { in: accept, proto: tcp, dport: 22 } ] }
  h2: { addresses: 10.0.0.2/24 }
vms:
  100:
    host: h2
    nics: { net0: { mac: 'BC:24:11:00:00:64' } }
    rules:
      - { in: accept, source: local_network, proto: tcp, dport: 22 }
      - { in: drop, source: 10.0.0.0/8, dest: '2001:db8::/32' }
",
    );
    let codes: Vec<&str> = found.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(codes, ["resolve::no-addresses", "resolve::never-holds"]);
}

#[test]
fn one_hosts_family_does_not_make_a_shared_rule_impossible() {
    let fleet = fleet(
        "
version: 1
datacenter: { rules: [ { id: six, in: accept, source: local_network, dest: '2001:db8::/32' } ] }
hosts: { a1: { addresses: 10.0.0.1/24 }, b1: { addresses: '2001:db8::1/64' } }
",
    );
    assert_eq!(super::rules(&fleet.hosts[0].rules, Direction::In), Vec::<String>::new());
    assert_eq!(super::rules(&fleet.hosts[1].rules, Direction::In), ["datacenter six"]);
}

#[test]
fn a_vnets_rules_are_each_hosts_own() {
    let fleet = fleet(
        "
version: 1
hosts:
  a1: { addresses: 10.0.0.1/24 }
  b1: { addresses: 192.168.0.2/24, options: { nf_conntrack_allow_invalid: true } }
vnets: { prod: { rules: [ { forward: drop, source: local_network, proto: tcp, dport: 25 } ] } }
",
    );
    let source = |host: usize| {
        let vnet = &fleet.hosts[host].vnets[0];
        let (rule, _) = vnet.rules.rules(Direction::Forward).next().unwrap();
        rule.source.as_ref().unwrap().set.networks(Family::V4)[0].to_string()
    };
    assert_eq!([source(0), source(1)], ["10.0.0.0/24", "192.168.0.0/24"]);
    // Invalid packets are forwarded where the host lets them.
    let conntrack = |host: usize| fleet.hosts[host].vnets[0].hook.stages[1].clone();
    assert_eq!(conntrack(0), Stage::Conntrack { drop_invalid: true });
    assert_eq!(conntrack(1), Stage::Conntrack { drop_invalid: false });
}

#[test]
fn a_guest_on_several_hosts_means_the_same_on_each() {
    let spec = |hosts: &str| {
        format!(
            "
version: 1
hosts: {{ h1: {{ aliases: {{ gw: 10.1.1.1 }} }}, h2: {{ aliases: {{ gw: 10.2.2.2 }} }} }}
vms: {{ 100: {{ host: {hosts}, ipsets: {{ trusted: [gw] }}, without: [sssh] }} }}
"
        )
    };
    let codes = |hosts: &str| -> Vec<String> {
        findings(&spec(hosts)).iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    };
    assert_eq!(codes("h1"), ["resolve::unknown-rule"]);
    assert_eq!(codes("[h1, h2]"), ["resolve::unknown-name", "resolve::unknown-rule"]);
}

#[test]
fn the_addresses_of_machines_are_excluded_one_by_one() {
    let set = |entries: &str| {
        let yaml = format!(
            "
version: 1
datacenter: {{ ipsets: {{ ss: [{entries}] }} }}
zones: {{ xx: {{ kind: host }} }}
hosts:
  h1: {{ inherits: xx, addresses: [10.0.0.4/24, 10.0.0.5/24, 10.0.0.6/24, 10.0.0.7/24] }}
"
        );
        findings(&yaml).first().map(|line| line.split(' ').next().unwrap().to_owned())
    };
    assert_eq!(set("'!zone/xx', 10.0.0.4/31").as_deref(), Some("resolve::empty-match"));
    assert_eq!(set("10.0.0.4/31, '!zone/xx'").as_deref(), Some("resolve::empty-match"));
    assert_eq!(set("'!10.0.0.4-10.0.0.11', 10.0.0.4/30").as_deref(), Some("resolve::contradicting-entries"));
}

#[test]
fn sysctl_keys_have_one_spelling() {
    let yaml = "
version: 1
hosts: { h1: { sysctl: { set: { net/ipv4/conf/eth0.1/rp_filter: 1, net.ipv4.tcp_sack: 0 } } } }
";
    let keys: Vec<String> = fleet(yaml).hosts[0].sysctl.iter().map(|setting| setting.key.clone()).collect();
    assert_eq!(keys, ["net.ipv4.conf.eth0/1.rp_filter", "net.ipv4.tcp_sack"]);
    let found = findings(&yaml.replace("eth0.1/rp_filter: 1", "eth0.1/rp_filter: 1, net/ipv4/tcp_sack: 1"));
    assert!(found[0].starts_with("resolve::repeated-sysctl-key |"), "{found:?}");
}
