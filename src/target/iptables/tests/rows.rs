//! The points where Proxmox VE's two implementations differ, each as this target has it.

use super::fixture::*;

const CLUSTER: &str = r#"
version: 1
datacenter:
  options: { policy_out: drop }
  ipsets: { blacklist: [198.51.100.0/24, "!198.51.100.7"], management: [192.0.2.9] }
hosts:
  a:
    addresses: [10.0.0.11/24]
    options: { tcpflags: true, nf_conntrack_allow_invalid: true, log_level_in: info }
    rules:
      - { id: no-web, in: drop, proto: tcp, dport: 8006, log: info }
      - { id: zero, in: accept, proto: tcp, dport: 0 }
      - { id: ping, in: accept, macro: Ping, source: 10.0.0.0/8 }
      - { id: routed, forward: drop, proto: tcp, dport: 25 }
  b: { addresses: [10.0.0.12/24] }
vms:
  100:
    host: a
    ipsets: { ipfilter-net0: [10.0.1.64/28] }
    options: { dhcp: false, ndp: false }
    nics: { net0: { bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.100/24 } }
    rules: [ { id: no, in: reject, proto: [tcp, udp], dport: 99 } ]
  101:
    host: a
    options: { ipfilter: true, ips: true, ips_queues: "2:4", layer2_protocols: [IPv4, ARP, 0x88cc], policy_out: drop }
    nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:65", ip: [10.0.1.101/24, "2001:db8::101/64"] } }
    rules: [ { id: web, in: accept, proto: tcp, dport: 80 } ]
vnets: { prod: { rules: [ { id: mail, forward: drop, proto: tcp, dport: 25 } ] } }
"#;

fn cluster(name: &str) -> String {
    files(CLUSTER).remove(name).unwrap()
}

/// "forward and vnet rules": enforced.
#[test]
fn forward_and_vnet_rules_are_enforced() {
    let text = cluster("iptables.rules");
    assert!(chain(&text, "host-forward").contains(&"-p tcp -m tcp --dport 25 -m comment --comment routed -j DROP"));
    assert!(chain(&text, "vnet-prod").contains(&"-p tcp -m tcp --dport 25 -m comment --comment mail -j DROP"));
    let bridged = chain(&text, "bridged");
    assert!(position(&bridged, "-i prod -j vnet-prod") < position(&bridged, "-j to-port"));
    let forward = chain(&text, "FORWARD");
    assert!(position(&forward, "-m physdev --physdev-is-bridged -g bridged") < position(&forward, "-j host-forward"));
}

/// "management and corosync accepts": after the user's rules. "migration ports": yes. "corosync": udp
/// 5405-5412, peers only.
#[test]
fn management_and_corosync_come_after_the_rules() {
    let text = cluster("iptables.rules");
    let input = chain(&text, "INPUT");
    let management = input.iter().position(|rule| rule.contains("60000:60050")).unwrap();
    assert!(position(&input, "-p tcp -m tcp --dport 8006") < management);
    let corosync = position(&input, "-s 10.0.0.12/32 -d 10.0.0.11/32 -p udp -m udp --dport 5405:5412 -j ACCEPT");
    assert!(management < corosync);
    assert_eq!(input.iter().filter(|rule| rule.contains("5405")).count(), 1);
}

/// "host-out under a drop policy": permits cluster traffic.
#[test]
fn cluster_traffic_may_leave_under_a_drop_policy() {
    let text = cluster("iptables.rules");
    let out = chain(&text, "host-out");
    position(&out, "-d 10.0.0.0/24 -p tcp -m multiport --dports 22,3128,5900:5999,8006 -j RETURN");
    position(&out, "-s 10.0.0.11/32 -d 10.0.0.12/32 -p udp -m udp --dport 5405:5412 -j RETURN");
    assert_eq!(out.last(), Some(&"-j DROP"));
}

/// "smurfs, tcpflags, blacklist": host and guest-in. "ipset exclusion": subtracted.
#[test]
fn protective_stages_hold_for_guests_too() {
    let text = cluster("iptables.rules");
    for name in ["INPUT", "base-in"] {
        let rules = chain(&text, name);
        assert!(rules.iter().any(|rule| rule.contains("--ctstate NEW,INVALID")), "{name}: {rules:#?}");
        assert!(rules.iter().any(|rule| rule.contains("--tcp-flags SYN,RST SYN,RST")), "{name}");
        assert!(rules.iter().any(|rule| rule.contains("-j set-")), "{name}");
    }
    assert!(text.contains("-m iprange --src-range 198.51.100.0-198.51.100.6 "));
    assert!(text.contains("-m iprange --src-range 198.51.100.8-198.51.100.255 "));
}

/// "ICMP errors before MAC and IP filter": no. "spoofed source inside another guest's established flow":
/// dropped. "`ipfilter-net<N>` without `ipfilter: 1`": filters. "own set": link-local added. "DHCP with an
/// IP filter": works. "duplicate address detection, ARP probes": pass.
#[test]
fn sources_are_filtered_before_conntrack() {
    let v4 = cluster("iptables.rules");
    assert_eq!(
        chain(&v4, "tap100i0-out"),
        [
            "-m mac ! --mac-source bc:24:11:00:00:64 -j DROP",
            "-s 10.0.1.64/28 -g vm100-out",
            "-s 10.0.1.100/32 -g vm100-out",
            "-g vm100-out-unspecified"
        ]
    );
    let discover = "-s 0.0.0.0/32 -p udp -m udp --sport 68 --dport 67 -g vm100-out";
    assert_eq!(chain(&v4, "vm100-out-unspecified"), [discover, "-j DROP"]);
    let v6 = cluster("ip6tables.rules");
    assert_eq!(
        chain(&v6, "tap100i0-out"),
        [
            "-m mac ! --mac-source bc:24:11:00:00:64 -j DROP",
            "-s fe80::be24:11ff:fe00:64/128 -g vm100-out",
            "-g vm100-out-unspecified"
        ]
    );
    let duplicate = "-s ::/128 -p ipv6-icmp -m icmp6 --icmpv6-type 135 -g vm100-out";
    assert_eq!(chain(&v6, "vm100-out-unspecified"), [duplicate, "-j DROP"]);
    let frames = cluster("ebtables.rules");
    let sent = chain(&frames, "tap100i0-sent");
    assert!(position(&sent, "-p ARP --arp-ip-src 0.0.0.0 -j ACCEPT") < position(&sent, "-p ARP -j DROP"));
}

/// "guest `reject`": reject. "reject of UDP": port-unreachable.
#[test]
fn guests_reject_udp_with_port_unreachable() {
    let text = cluster("iptables.rules");
    position(&chain(&text, "vm100-in"), "-p udp -m udp --dport 99 -m comment --comment no -g reject");
    let reject = chain(&text, "reject");
    position(&reject, "-p udp -j REJECT --reject-with icmp-port-unreachable");
    position(&reject, "-p tcp -j REJECT --reject-with tcp-reset");
    assert_eq!(reject.last(), Some(&"-j REJECT --reject-with icmp-host-prohibited"));
}

/// "VLAN-tagged guest frames": never bypass.
#[test]
fn tagged_frames_are_filtered_or_dropped() {
    let text = cluster("ebtables.rules");
    let sent = chain(&text, "frames-sent-accept");
    for line in ["-p 802_1Q --vlan-encap 0806 -j DROP", "-p 0x88a8 -j DROP", "-p 802_1Q --vlan-encap 8100 -j DROP"] {
        position(&sent, line);
    }
}

/// "`dhcp: false`, `ndp: false`": no accept rule.
#[test]
fn no_dhcp_and_no_ndp_is_no_rule() {
    for (name, ports) in [("iptables.rules", "--sport 67 --dport 68"), ("ip6tables.rules", "--icmpv6-type 13")] {
        let text = cluster(name);
        let rules = chain(&text, "vm100-in");
        assert!(!rules.iter().any(|rule| rule.contains(ports)), "{rules:#?}");
    }
}

/// "`-p tcp -dport 0`": as written. "a family-specific source with a two-family macro": IPv4 only.
#[test]
fn what_is_written_is_what_matches() {
    let (v4, v6) = (cluster("iptables.rules"), cluster("ip6tables.rules"));
    position(&chain(&v4, "INPUT"), "-p tcp -m tcp --dport 0 -m comment --comment zero -j ACCEPT");
    position(&chain(&v4, "INPUT"), "-s 10.0.0.0/8 -p icmp -m icmp --icmp-type 8 -m comment --comment ping -j ACCEPT");
    assert!(!v6.contains("--comment ping"));
}

/// "`nf_conntrack_allow_invalid`": forwarded (guest) traffic only.
#[test]
fn invalid_is_allowed_for_forwarded_traffic_only() {
    let text = cluster("iptables.rules");
    let invalid = "-m conntrack --ctstate INVALID -j DROP";
    assert!(chain(&text, "INPUT").contains(&invalid));
    assert!(!chain(&text, "base-in").contains(&invalid));
    assert!(!chain(&text, "base-out").contains(&invalid));
}

/// The kernel's prefix is short, and guests' numbers have up to nine digits.
#[test]
fn a_log_prefix_never_cuts_a_guests_number() {
    let prefixes = |number: &str| {
        let spec = format!(
            r#"
version: 1
hosts: {{ kvm: {{ addresses: 10.0.0.1/24, platform: linux, targets: [iptables, sysctl] }} }}
vms:
  {number}:
    host: kvm
    options: {{ policy_in: reject, policy_out: reject, log_level_in: info, log_level_out: info }}
    rules: [ {{ in: accept, proto: tcp, dport: 22, log: info }} ]
    nics: {{ net0: {{ bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.4/24 }} }}
"#
        );
        let text = files(&spec).remove("iptables.rules").unwrap();
        let found = text.lines().filter_map(|line| line.split("--log-prefix \"").nth(1)?.split('"').next());
        let mut found: Vec<String> = found.map(str::to_owned).collect();
        found.sort();
        found.dedup();
        assert!(found.iter().all(|prefix| prefix.len() <= 29 && prefix.contains(&format!("{number}-"))), "{found:?}");
        found
    };
    assert_eq!(
        prefixes("100"),
        ["fwc vm100-in: ACCEPT: ", "fwc vm100-in: policy REJECT: ", "fwc vm100-out: p REJECT: "]
    );
    assert_eq!(
        prefixes("100200300"),
        ["fwc 100200300-in: p REJECT: ", "fwc 100200300-out: p REJECT: ", "fwc vm100200300-in: ACCEPT: "]
    );
}

/// "log prefix action": the verdict as written.
#[test]
fn log_lines_say_the_verdict() {
    let text = cluster("iptables.rules");
    assert!(text.contains("--nflog-prefix \":0:6:host-in: DROP: \""));
    assert!(text.contains("--nflog-prefix \":0:6:host-in: policy DROP: \""));
}

/// "`ips`, `layer2_protocols`": yes in iptables and ebtables.
#[test]
fn ips_and_layer2_protocols_hold() {
    let text = cluster("iptables.rules");
    let queue = "-j NFQUEUE --queue-balance 2:4 --queue-bypass";
    let into = chain(&text, "vm101-in");
    position(&into, &format!("-p tcp -m tcp --dport 80 -m comment --comment web {queue}"));
    let frames = cluster("ebtables.rules");
    let sent = chain(&frames, "frames-sent-drop");
    assert!(!sent.iter().any(|rule| rule.contains("88cc")), "policy_out drops what it lists: {sent:#?}");
    assert_eq!(chain(&cluster("ip6tables.rules"), "vm101-out").first(), Some(&"-j DROP"), "IPv6 is not listed");
}

#[test]
fn the_cluster_loads() {
    loads(&files(CLUSTER));
}

/// The mark says that a called chain accepted. It is asked for only behind such chains, and every packet
/// that can meet the question had it taken away before, whoever had set it.
#[test]
fn a_mark_that_others_set_accepts_nothing() {
    let spec = |rules: &str| {
        format!(
            r#"
version: 1
datacenter: {{ options: {{ policy_forward: drop }} }}
groups:
  no: [ {{ out: drop, proto: tcp, dport: 25 }}, {{ out: drop, proto: tcp, dport: 26 }}, {{ out: drop, proto: udp }} ]
  yes: [ {{ out: accept, proto: tcp, dport: 80 }} ]
hosts: {{ pm1: {{ addresses: [10.0.0.11/24], targets: iptables }} }}
vms:
  100:
    host: pm1
    options: {{ ipfilter: true, dhcp: false, ndp: false }}
    nics: {{ net0: {{ bridge: vmbr0, mac: "BC:24:11:00:00:64", ip: 10.0.1.100/24 }} }}
    rules: [ {rules} ]
"#
        )
    };
    let none = files(&spec("{ group: no }")).remove("iptables.rules").unwrap();
    assert!(chain(&none, "vm100-out").iter().any(|rule| rule.ends_with("-j group-no-out")), "{none}");
    assert!(!none.contains("-m mark"), "{none}");
    let some = files(&spec("{ group: no }, { group: yes }")).remove("iptables.rules").unwrap();
    let out = chain(&some, "vm100-out");
    let asked = out.iter().position(|rule| rule.contains("-m mark")).unwrap();
    assert!(out[asked - 1].ends_with("-j group-yes-out"), "{out:#?}");
    assert!(chain(&some, "from-guests").first().unwrap().starts_with("-j MARK --set-xmark 0x0/"), "{some}");
}
