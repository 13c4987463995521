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

/// What the host sends or routes into a VLAN leaves by an interface of its own.
#[test]
fn a_tagged_guest_is_found_whatever_interface_leads_there() {
    let files = files(
        r#"
version: 1
hosts: { pm1: { addresses: [10.0.0.11/24], targets: iptables } }
vnets: { prod: { rules: [ { forward: drop, proto: tcp, dport: 25 } ] } }
vms:
  100: { host: pm1, nics: { net0: { bridge: vmbr0, tag: 100, mac: "BC:24:11:00:00:64", ip: [10.9.0.5/24, "2001:db8::5/64"] } } }
  101: { host: pm1, nics: { net0: { bridge: vmbr1, mac: "BC:24:11:00:00:65", ip: 10.9.0.5/24 } } }
  102: { host: pm1, nics: { net0: { bridge: prod, tag: 7, mac: "BC:24:11:00:00:66", ip: 10.9.1.5/24 } } }
"#,
    );
    let v4 = files.get("iptables.rules").unwrap();
    let to_guest = chain(v4, "to-guest");
    let tagged = position(&to_guest, "-d 10.9.0.5/32 -g vm100-in");
    assert!(position(&to_guest, "-d 10.9.0.5/32 -o vmbr1 -g") < tagged, "{to_guest:#?}");
    position(&chain(v4, "host-to-guest"), "-d 10.9.1.5/32 -g vnet-prod-vm10");
    let bridged = chain(v4, "bridged");
    assert!(position(&bridged, "-i prod -j vnet-prod") < position(&bridged, "-i prodv7 -j vnet-prod"));
    let v6 = chain(files.get("ip6tables.rules").unwrap(), "to-guest");
    position(&v6, "-d 2001:db8::5/128 -g vm100-in");
    position(&v6, "-d fe80::be24:11ff:fe00:64/128 -g vm100-in");
    loads(&files);
}
