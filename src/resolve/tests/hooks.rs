//! The stages of every hook and their order (pve-semantics, "Stages").

use super::{fleet, guest};
use crate::net::{Mac, PortSet};
use crate::policy::{Hook, Stage};

fn names(hook: &Hook) -> Vec<&'static str> {
    hook.stages.iter().map(Stage::name).collect()
}

const FULL: &str = "
version: 1
datacenter: { ipsets: { blacklist: [198.51.100.0/24] } }
hosts:
  pm1: { addresses: 10.0.0.1/24, options: { tcpflags: true, policy_out: drop } }
  pm2: { addresses: 10.0.0.2/24 }
vms:
  100:
    host: pm1
    options: { ipfilter: true }
    nics: { net0: { mac: 'BC:24:11:00:00:64', ip: [10.0.0.100/24, 'fe80::1'] } }
vnets: { prod: { options: { policy_forward: drop } } }
";

#[test]
fn stages_stand_in_the_documented_order() {
    let fleet = fleet(FULL);
    let host = &fleet.hosts[0];
    assert_eq!(
        names(&host.hook_in),
        [
            "loopback",
            "conntrack",
            "ndp",
            "blacklist",
            "nosmurfs",
            "tcpflags",
            "igmp",
            "rules",
            "management",
            "corosync",
            "noise",
            "policy"
        ]
    );
    assert_eq!(
        names(&host.hook_out),
        ["loopback", "conntrack", "ndp", "igmp", "rules", "management", "corosync", "noise", "policy"]
    );
    assert_eq!(names(&host.hook_forward), ["conntrack", "rules", "policy"]);
    let vm = guest(host, 100);
    assert_eq!(
        names(&vm.hook_in),
        [
            "stacked-vlan",
            "arp",
            "conntrack",
            "blacklist",
            "nosmurfs",
            "tcpflags",
            "dhcp",
            "ndp",
            "rules",
            "noise",
            "policy"
        ]
    );
    assert_eq!(
        names(&vm.hook_out),
        ["stacked-vlan", "macfilter", "ipfilter", "arp", "conntrack", "dhcp", "radv", "ndp", "rules", "policy"]
    );
    assert_eq!(names(&fleet.vnets[0].hook), ["arp", "conntrack", "rules", "policy"]);
}

#[test]
fn the_ip_filter_knows_the_nics_own_link_local_address_and_no_other() {
    let fleet = fleet(FULL);
    let sources = guest(&fleet.hosts[0], 100).nics[0].sources.clone().unwrap();
    let eui = Mac::parse("BC:24:11:00:00:64").unwrap().link_local();
    assert_eq!(eui.to_string(), "fe80::be24:11ff:fe00:64");
    for (address, inside) in [("10.0.0.100", true), ("10.0.0.101", false), ("fe80::1", false)] {
        assert_eq!(sources.contains(address.parse().unwrap()), inside, "{address}");
    }
    assert!(sources.contains(eui.into()));
}

#[test]
fn nodes_are_managed_from_their_network_and_other_hosts_only_as_the_spec_says() {
    let fleet = fleet(
        "
version: 1
datacenter: { ipsets: { management: [192.0.2.0/24] } }
hosts: { node: { addresses: 10.0.0.1/24 }, plain: { platform: linux, addresses: 10.0.0.2/24 } }
",
    );
    let management = |host: usize| {
        fleet.hosts[host].hook_in.stages.iter().find_map(|stage| {
            let Stage::Management { peers, ports } = stage else { return None };
            Some((peers.clone(), ports.clone()))
        })
    };
    let (peers, ports) = management(0).unwrap();
    assert!(peers.contains("10.0.0.9".parse().unwrap()) && peers.contains("192.0.2.9".parse().unwrap()));
    // pve-semantics, "migration ports 60000-60050": yes.
    assert!(ports.contains(8006) && ports.contains(60050));
    let (peers, ports) = management(1).unwrap();
    assert!(!peers.contains("10.0.0.9".parse().unwrap()));
    assert_eq!(ports, PortSet::single(22));
}

#[test]
fn corosync_is_for_peers_on_the_same_ring_only() {
    // pve-semantics, "corosync": udp 5405-5412, peers only.
    let fleet = fleet(
        "
version: 1
hosts:
  a1: { addresses: 10.0.0.1/24, corosync: [10.1.0.1, 10.2.0.1] }
  b1: { addresses: 10.0.0.2/24, corosync: [10.1.0.2, 10.2.0.2] }
  c1: { platform: linux, addresses: 10.0.0.3/24 }
",
    );
    let rings = fleet.hosts[0].hook_in.stages.iter().find_map(|stage| {
        let Stage::Corosync(rings) = stage else { return None };
        Some(rings.clone())
    });
    let rings = rings.unwrap();
    assert_eq!(rings.len(), 2);
    assert!(rings[0].peers.contains("10.1.0.2".parse().unwrap()));
    assert!(!rings[0].peers.contains("10.2.0.2".parse().unwrap()));
    assert!(!names(&fleet.hosts[2].hook_in).contains(&"corosync"));
    // A host that is no node is nobody's peer.
    let plain = super::fleet(
        "version: 1\nhosts: { p1: { addresses: 10.0.0.1/24 }, l1: { platform: linux, addresses: 10.0.0.9/24 } }\n",
    );
    assert!(!names(&plain.hosts[1].hook_in).contains(&"corosync"));
}

#[test]
fn without_ebtables_frames_other_than_ip_pass_every_hook() {
    let fleet = fleet(&FULL.replace("datacenter: {", "datacenter: { options: { ebtables: false },"));
    let vm = guest(&fleet.hosts[0], 100);
    for hook in [&vm.hook_in, &vm.hook_out, &fleet.hosts[0].vnets[0].hook] {
        assert_eq!(names(hook)[0], "ebtables");
        assert!(!names(hook).contains(&"arp") && !names(hook).contains(&"stacked-vlan"));
    }
}
