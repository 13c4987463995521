//! What hosts share and what they do not.

use super::{compile, section};

#[test]
fn a_hosts_own_policy_is_final_rules_after_what_they_would_hide() {
    let (files, findings) = compile(
        "
version: 1
datacenter:
  options: { policy_in: accept, policy_out: accept }
  ipsets: { management: 192.0.2.1 }
  rules: [ { id: web, in: accept, macro: Web } ]
hosts:
  pm1:
    addresses: 10.0.0.1/24
    options: { policy_in: drop, policy_forward: drop, nftables: false, log_level_in: info }
    rules: [ { id: own, in: accept, macro: DNS } ]
  pm2: { addresses: 10.0.0.2/24 }
",
    );
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(
        findings.iter().any(|finding| finding.starts_with("warning pve::policy `policy_in`: Proxmox VE also logs"))
    );
    assert!(findings.iter().any(|finding| finding.starts_with("warning pve::forward-ignored")));
    assert_eq!(section(&files["pve/firewall/cluster.fw"], "RULES"), ["IN Web(ACCEPT) # [web]"]);
    assert_eq!(section(&files["pve/nodes/pm2/host.fw"], "RULES"), [] as [&str; 0]);
    assert_eq!(
        section(&files["pve/nodes/pm1/host.fw"], "RULES"),
        [
            "IN DNS(ACCEPT) # [own]",
            "IN Web(ACCEPT) # [web]",
            "IN ACCEPT -source 10.0.0.0/24,192.0.2.1 -p tcp -dport 22,3128,5900:5999,8006,60000:60050 # management",
            "IN ACCEPT -source 10.0.0.2 -dest 10.0.0.1 -p udp -dport 5405:5412 # corosync",
            "IN REJECT -dest ::/0 -p tcp -dport 43 # noise",
            "IN DROP -dest 10.0.0.255,224.0.0.0/4,255.255.255.255 # noise",
            "IN DROP -dest ff00::/8 # noise",
            "IN ACCEPT -p icmp -icmp-type fragmentation-needed # noise",
            "IN ACCEPT -p icmp -icmp-type time-exceeded # noise",
            "IN ACCEPT -p icmpv6 -icmp-type destination-unreachable # noise",
            "IN ACCEPT -p icmpv6 -icmp-type time-exceeded # noise",
            "IN ACCEPT -p icmpv6 -icmp-type packet-too-big # noise",
            "IN DROP -p udp -dport 135,137:139,445 # noise",
            "IN DROP -p udp -dport 1024:65535 -sport 137 # noise",
            "IN DROP -p tcp -dport 135,139,445 # noise",
            "IN DROP -p udp -dport 1900 # noise",
            "IN DROP -p udp -sport 53 # noise",
            "IN DROP -log info # policy",
            "FORWARD DROP # policy",
        ]
    );
}

#[test]
fn a_hosts_own_accept_needs_one_rule() {
    let (files, findings) = compile(
        "
version: 1
hosts: { pm1: { addresses: 10.0.0.1/24, options: { policy_in: accept } }, pm2: { addresses: 10.0.0.2/24 } }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
    assert_eq!(section(&files["pve/nodes/pm1/host.fw"], "RULES"), ["IN ACCEPT # policy"]);
}

#[test]
fn a_hosts_own_reject_is_refused() {
    let (files, findings) = compile(
        "
version: 1
hosts: { pm1: { addresses: 10.0.0.1/24, options: { policy_in: reject } } }
",
    );
    assert!(files.is_empty());
    assert!(findings[0].starts_with("error pve::policy `policy_in`"), "{findings:?}");
}

#[test]
fn datacenter_rules_that_differ_between_hosts_go_into_each_hosts_file() {
    let (files, findings) = compile(
        "
version: 1
datacenter: { rules: [ { id: a, in: accept, source: local_network }, { id: b, in: accept, macro: Web } ] }
groups: { local: [ { id: c, in: drop, source: local_network } ] }
hosts:
  pm1: { addresses: 10.0.0.1/24, rules: [ { id: g, group: local } ] }
  pm2: { addresses: 10.7.0.1/24, rules: [ { id: g, group: local } ] }
",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let cluster = &files["pve/firewall/cluster.fw"];
    assert_eq!(section(cluster, "RULES"), [] as [&str; 0]);
    assert!(!cluster.contains("local_network "), "each node knows its own");
    assert_eq!(
        section(&files["pve/nodes/pm1/host.fw"], "RULES"),
        ["GROUP local # [g]", "IN ACCEPT -source 10.0.0.0/24 # [a]", "IN Web(ACCEPT) # [b]"]
    );
    // The group in cluster.fw speaks of the first node's network, so the second one has the group's rules instead.
    assert_eq!(
        section(&files["pve/nodes/pm2/host.fw"], "RULES"),
        ["IN DROP -source 10.7.0.0/24 # [c]", "IN ACCEPT -source 10.7.0.0/24 # [a]", "IN Web(ACCEPT) # [b]"]
    );
}

#[test]
fn a_guest_of_several_hosts_has_one_file_or_an_error() {
    let spec = |guests: &str| {
        compile(&format!(
            "
version: 1
hosts:
  pm1: {{ addresses: 10.0.0.1/24 }}
  pm2: {{ addresses: 10.0.0.2/24, {guests} }}
vms:
  100: {{ host: any, nics: {{ net0: {{ bridge: vmbr0, mac: 'BC:24:11:00:00:64' }} }}, rules: [ {{ id: web, in: accept, macro: Web }} ] }}
"
        ))
    };
    let (files, findings) = spec("comment: the other one");
    assert_eq!(findings, [] as [&str; 0]);
    assert_eq!(section(&files["pve/firewall/100.fw"], "RULES"), ["IN Web(ACCEPT) # [web]"]);
    // The same by another way is the same.
    let (_, findings) = spec("guests: { options: { dhcp: true } }");
    assert_eq!(findings, [] as [&str; 0]);
    for different in [
        "guests: { options: { dhcp: false } }",
        "guests: { rules: [ { in: drop, macro: SSH } ] }",
        "options: { enable: false }",
    ] {
        let (files, findings) = spec(different);
        assert!(files.is_empty());
        let expected = "error pve::guest-differs `100`: Proxmox VE has one file for guest 100, and it would differ \
                        between `pm1` and `pm2`";
        assert_eq!(findings, [expected], "{different}");
    }
}

#[test]
fn a_guest_of_a_host_that_is_off_is_off() {
    let (files, _) = compile(
        "
version: 1
hosts: { pm1: { addresses: 10.0.0.1/24, options: { enable: false } } }
vms:
  100: { host: pm1, nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64' } } }
",
    );
    assert_eq!(section(&files["pve/nodes/pm1/host.fw"], "OPTIONS"), ["enable: 0"]);
    assert_eq!(section(&files["pve/firewall/100.fw"], "OPTIONS")[0], "enable: 0");
}

#[test]
fn the_header_names_what_the_guests_own_configuration_needs() {
    let (files, _) = compile(
        "
version: 1
hosts: { pm1: { addresses: 10.0.0.1/24 } }
containers:
  200:
    host: pm1
    name: db
    nics:
      net0: { bridge: vmbr0, tag: 7, mac: 'BC:24:11:00:00:C8' }
      net1: { bridge: vmbr1, mac: 'BC:24:11:00:01:C8', firewall: false }
",
    );
    let text = &files["pve/firewall/200.fw"];
    let header: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(
        header,
        [
            "# Compiled by fwc from ct/200 (db). Changes made here are lost.",
            "# net0 (BC:24:11:00:00:C8, bridge vmbr0, tag 7) needs firewall=1 in the guest's configuration:",
            "#   pct set 200 --net0 \"$(pct config 200 | sed -n 's/^net0: //p' | sed 's/,firewall=[01]//'),firewall=1\"",
            "# net1 (BC:24:11:00:01:C8, bridge vmbr1) needs firewall=0 in the guest's configuration:",
            "#   pct set 200 --net1 \"$(pct config 200 | sed -n 's/^net1: //p' | sed 's/,firewall=[01]//'),firewall=0\"",
        ]
    );
}

#[test]
fn hosts_of_other_platforms_have_no_files() {
    let (files, findings) = compile(
        "
version: 1
hosts: { srv: { addresses: 10.0.0.1/24, platform: linux } }
",
    );
    assert!(files.is_empty() && findings.is_empty());
}
