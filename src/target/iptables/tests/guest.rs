//! Guests.

use super::fixture::*;

const TWO: &str = r#"
version: 1
groups:
  web:
    - { in: accept, proto: tcp, dport: [80, 443] }
    - { out: drop, proto: tcp, dport: 25 }
    - { out: accept, proto: udp, dport: 53 }
hosts:
  pm1: { addresses: [10.0.0.11/24, "2001:db8::11/64"], targets: iptables }
vms:
  100:
    host: pm1
    options: { ipfilter: true, policy_out: drop, log_level_in: info }
    nics:
      net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: [10.0.1.100/24, "2001:db8:1::100/64"] }
      net1: { bridge: prod, mac: "BC:24:11:00:01:64", ip: 10.9.0.100/24 }
    rules: [ { group: web }, { in: accept, proto: tcp, dport: 22, source: 10.0.0.0/24, log: info } ]
  101:
    host: pm1
    options: { policy_in: accept }
    nics:
      net0: { bridge: prod, mac: "BC:24:11:00:00:65", ip: 10.9.0.101/24 }
    rules: [ { group: web, iface: net0 }, { in: reject, proto: udp } ]
vnets:
  prod: { rules: [ { forward: drop, proto: tcp, dport: 25 } ] }
"#;

#[test]
fn guests_load() {
    loads(&files(TWO));
}
