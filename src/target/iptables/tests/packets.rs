//! Connections between guests, host, outside and a routed network, through the kernel.

use super::fixture::*;

const SPEC: &str = r#"
version: 1
datacenter: { options: { policy_forward: drop } }
hosts:
  pm1:
    addresses: [10.0.1.1/24]
    targets: iptables
    rules:
      - { in: accept, proto: tcp, dport: [23, 25, 2222] }
      - { out: drop, proto: tcp, dport: 99 }
      - { forward: accept, proto: tcp, dport: [80, 81, 23] }
vms:
  100:
    host: pm1
    options: { ipfilter: true, policy_out: drop }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: [10.0.1.100/24, "2001:db8:1::100/64"] } }
    rules:
      - { in: accept, proto: tcp, dport: [80, 99, 2222] }
      - { out: accept, proto: tcp, dport: [80, 81, 23] }
  102:
    host: pm1
    options: { ipfilter: true }
    nics:
      net0: { bridge: vmbr0, mac: "BC:24:11:00:00:66", ip: [10.0.1.102/24, "2001:db8:1::102/64"] }
      net1: { bridge: vmbr0, mac: "BC:24:11:00:01:66", ip: 10.0.1.202/24 }
    rules:
      - { in: accept, proto: tcp, dport: 80 }
      - { in: accept, proto: tcp, dport: [99, 2222] }
      - { in: drop, proto: udp, dport: 1 }
      - { in: drop, proto: tcp, dport: 2224, iface: net0 }
      - { in: accept, proto: tcp, dport: 81, iface: net1 }
      - { in: accept, proto: tcp, dport: [2224, 2225] }
      - { out: drop, proto: tcp, dport: 2222 }
  101: { host: pm1, inherits: prod, nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:65", ip: 10.9.0.101/24 } } }
  103: { host: pm1, inherits: prod, nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:67", ip: 10.9.0.103/24 } } }
zones: { prod: { kind: guest, rules: [ { in: accept, proto: tcp, dport: [80, 25, 23] } ] } }
vnets: { prod: { rules: [ { forward: drop, proto: tcp, dport: 25 } ] } }
"#;

fn judge(spec: &str, load: &str) {
    if !kernel() {
        return;
    }
    let script = format!("load() {{\n{load}\n}}\n{}", include_str!("packets.sh"));
    assert_eq!(in_namespace(&files(spec), &script), "", "{load}");
}

#[test]
fn packets_meet_their_hooks_with_legacy() {
    judge(
        SPEC,
        "for i in 1 2; do iptables-legacy-restore < iptables.rules; ip6tables-legacy-restore < ip6tables.rules; done",
    );
}

#[test]
fn packets_meet_their_hooks_with_nft() {
    judge(
        SPEC,
        "for i in 1 2; do iptables-nft-restore < iptables.rules; ip6tables-nft-restore < ip6tables.rules; ebtables-nft-restore < ebtables.rules; done",
    );
}

#[test]
fn packets_meet_their_hooks_in_shared_tables() {
    let shared =
        SPEC.replace("    targets: iptables\n", "    targets: iptables\n    iptables: { mode: shared, prefix: FWC }\n");
    judge(
        &shared,
        "for family in iptables ip6tables; do\n\
         $family-nft-restore --noflush < $family.rules\n$family-nft-restore --noflush < $family.rules\n\
         for chain in INPUT FORWARD OUTPUT; do $family-nft -I $chain 1 -j FWC-$chain; done\ndone",
    );
}
