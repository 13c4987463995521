//! The host's own hooks.

use super::fixture::*;

#[test]
fn host_hooks_load() {
    let files = files(
        r#"
version: 1
hosts:
  pm1:
    addresses: [10.0.0.11/24, "2001:db8::11/64"]
    targets: iptables
    options: { tcpflags: true, log_level_in: info, smurf_log_level: info, policy_forward: drop, protection_synflood: true, nf_conntrack_helpers: [ftp, irc] }
    rules:
      - { id: office, in: accept, proto: tcp, dport: 22, source: 203.0.113.0/24 }
      - { id: ports, in: accept, proto: tcp, dport: [1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,40-50] }
      - { id: set, in: accept, proto: tcp, dport: 443, source: [192.0.2.1, 192.0.2.3, 192.0.2.5, 192.0.2.7-192.0.2.9, "2001:db8::1"], log: info }
      - { id: mail, in: reject, proto: tcp, dport: 25, iface: eth0 }
      - { id: out, out: drop, proto: tcp, dport: 25 }
      - { id: web, forward: accept, proto: tcp, dport: 80 }
      - { id: sctp, in: accept, proto: sctp, dport: 5000 }
      - { id: gre, in: accept, proto: [gre, esp, ah] }
      - { id: flags, in: drop, proto: tcp, tcp_flags: { mask: [syn, ack], set: [syn] }, dport: 99 }
      - { id: ping, in: accept, macro: Ping }
"#,
    );
    loads(&files);
}
