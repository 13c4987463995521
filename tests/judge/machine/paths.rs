//! Packets on every way through a host, judged by a stock kernel with a host's whole `fwc.nft`.
//!
//! In: a host with two bridges, of which one is a vnet that lets nothing pass. Out: who hears an answer from whom.
//! A guest's ping is accepted by all other hooks, so a missing answer is the vnet's doing.

use std::collections::BTreeMap;
use std::fs;

use super::qemu::{Job, Outcome};
use crate::common;

const SPEC: &str = "version: 1
datacenter: { options: { policy_in: drop, policy_forward: drop } }
hosts:
  pm1:
    addresses: 10.0.1.1/24
    targets: nft
    rules: [ { in: accept, macro: Ping }, { forward: accept, macro: Ping } ]
vms:
  100:
    host: pm1
    nics: { net0: { bridge: vmbr0, mac: 'BC:24:11:00:00:64', ip: 10.0.1.100/24 } }
    rules: [ { in: accept, macro: Ping } ]
  101:
    host: pm1
    nics: { net0: { bridge: prod, mac: 'BC:24:11:00:00:65', ip: 10.0.2.101/24 } }
    rules: [ { in: accept, macro: Ping } ]
vnets: { prod: { options: { policy_forward: drop } } }
";

/// Who calls whom, and whether the answer comes: `plain` is on vmbr0, `vnet` on the vnet, `port` on a port of the
/// vnet's bridge that the spec does not know.
const WAYS: &[(&str, &str, bool)] = &[
    // A vnet stands between its guests and the host, whichever address of the host's they call.
    ("vnet", "10.0.2.1", false),
    ("vnet", "10.0.1.1", false),
    ("vnet", "10.0.5.1", false),
    ("host", "10.0.2.101", false),
    // It has no say in what is routed.
    ("vnet", "10.0.1.100", true),
    ("plain", "10.0.2.101", true),
    ("port", "10.0.1.100", true),
    ("plain", "10.0.2.50", true),
    // Nor between the host and others.
    ("port", "10.0.2.1", true),
    ("host", "10.0.2.50", true),
    ("plain", "10.0.1.1", true),
    ("host", "10.0.1.100", true),
    // It judges what crosses its bridge.
    ("port", "10.0.2.101", false),
    ("vnet", "10.0.2.50", false),
];

const SETUP: &str = r#"set -e
# busybox has an `ip` of its own, which knows less.
ip() { /usr/sbin/ip "$@"; }
ip link set lo up
for bridge in vmbr0 prod; do ip link add $bridge type bridge; ip link set $bridge up; done
ip addr add 10.0.1.1/24 dev vmbr0
ip addr add 10.0.2.1/24 dev prod
echo 1 > /proc/sys/net/ipv4/ip_forward
# Name, port, bridge, MAC, address, the host's address.
machine() {
    unshare -n sleep 600 &
    eval "$1=$!"
    while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
    ip link add $2 type veth peer name eth0 netns $!
    ip link set $2 master $3 up
    inside="nsenter -t $! -n /usr/sbin/ip"
    $inside link set eth0 address $4 up
    $inside addr add $5/24 dev eth0
    $inside route add default via $6
}
machine plain tap100i0 vmbr0 bc:24:11:00:00:64 10.0.1.100 10.0.1.1
machine vnet tap101i0 prod bc:24:11:00:00:65 10.0.2.101 10.0.2.1
machine port eth1 prod 02:00:00:00:00:50 10.0.2.50 10.0.2.1
# An interface above the vnet's bridge, by another name.
ip link add link prod name trunk type vlan id 5
ip link set trunk up
ip addr add 10.0.5.1/24 dev trunk
nsenter -t $vnet -n /usr/sbin/ip link add link eth0 name eth0.5 type vlan id 5
nsenter -t $vnet -n /usr/sbin/ip link set eth0.5 up
nsenter -t $vnet -n /usr/sbin/ip addr add 10.0.5.101/24 dev eth0.5
sleep 1
nft -f fwc.nft
nft -f fwc.nft
call() {
    if [ $1 = host ]; then inside=; else eval "inside=\"nsenter -t \$$1 -n\""; fi
    if $inside ping -q -c 1 -W 3 $2 >/dev/null 2>&1; then echo "$1 $2 true"; else echo "$1 $2 false"; fi
}
set +e
"#;

/// All ways, with bridged frames shown to `inet` and without.
pub fn jobs() -> Vec<Job> {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("fwc.yaml");
    fs::write(&spec, SPEC).expect("the spec");
    let built = common::fwc().arg("build").arg(&spec).args(["--host", "pm1", "--target", "nft"]).output();
    let built = built.expect("fwc runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let mut script = SETUP.to_owned();
    for switch in [0, 1] {
        script += &format!("sysctl -q -w net.bridge.bridge-nf-call-iptables={switch}\n");
        // All at once: those that hear nothing take their time.
        script += "calls=\n";
        for (at, (from, to, _)) in WAYS.iter().enumerate() {
            script += &format!("call {from} {to} >{at} & calls=\"$calls $!\"\n");
        }
        script += "wait $calls\n";
        script += &(0..WAYS.len()).map(|at| format!("cat {at}\n")).collect::<String>();
    }
    script += "kill $plain $vnet $port\n";
    vec![Job { name: "paths".into(), private: true, script, files: vec![("fwc.nft".into(), built.stdout)] }]
}

/// What is not as it should be.
pub fn check(outcomes: &BTreeMap<String, Outcome>) -> Vec<String> {
    let outcome = &outcomes["paths"];
    let once: String = WAYS.iter().map(|(from, to, answer)| format!("{from} {to} {answer}\n")).collect();
    let meant = once.repeat(2);
    let difference = common::difference(&meant, &outcome.output);
    (outcome.output != meant).then_some(difference).into_iter().collect()
}
