//! One edit of one line at a time: one cause, and the line that was edited.

use crate::diff::report::{Cause, Kind, Status};

use super::tests::{built, compared};

const SPEC: &str = r#"version: 1
datacenter:
  aliases:
    office: 203.0.113.0/24
    local_network: 10.0.0.0/24
  ipsets:
    management: [office]
  guests:
    options:
      policy_in: reject
    rules:
      - { id: base, group: base }
groups:
  base:
    - { in: accept, macro: Ping }
  web:
    - { in: accept, proto: tcp, dport: [80, 443], source: +management }
zones:
  node:
    kind: host
    sysctl:
      set:
        vm.swappiness: 10
  web:
    kind: guest
    options:
      dhcp: false
    rules:
      - group: web
hosts:
  pm1:
    inherits: node
    addresses: [10.0.0.11/24]
    sysctl:
      set:
        vm.swappiness: 20
  pm2:
    inherits: node
    addresses: [10.0.0.12/24]
vms:
  100:
    name: first
    host: pm1
    inherits: web
    options:
      policy_in: drop
      ipfilter: false
    nics:
      net0:
        bridge: vmbr0
        mac: "BC:24:11:00:00:64"
        ip: [10.0.1.100/24, 10.0.2.100/24]
        tag: 5
  101:
    host: [pm1, pm2]
    inherits: web
    nics:
      net0: { bridge: vmbr0, mac: "BC:24:11:00:00:65", ip: 10.0.3.101/24 }
"#;

/// The line that a reader is sent to: `12`, or `-12` of the old spec.
fn line(cause: &Cause) -> String {
    let own = || cause.changes.iter().filter(|change| change.zone.is_none());
    let new = own().filter_map(|change| change.place.as_ref()).map(|place| place.line).min();
    let old = own().filter_map(|change| change.old_place.as_ref()).map(|place| place.line).min();
    match (new, old, cause.status) {
        (Some(line), _, Status::Added | Status::Changed | Status::Unchanged) => line.to_string(),
        (_, Some(line), _) => format!("-{line}"),
        (_, _, _) => "?".to_owned(),
    }
}

/// The causes of an edit with their lines, and the machines that they reach.
fn causes(from: &str, to: &str) -> Vec<String> {
    assert_eq!(SPEC.matches(from).count(), 1, "`{from}` is not there once");
    let (old, new) = (built(SPEC), built(&SPEC.replace(from, to)));
    let told = |(old, new)| {
        let (_, causes) = compared(old, new);
        causes.iter().map(|cause| format!("{} {} ({})", cause.path, line(cause), cause.machines)).collect::<Vec<_>>()
    };
    // The same edit undone has the same cause, whatever its line.
    let paths =
        |told: &[String]| told.iter().map(|cause| cause.split(' ').next().map(str::to_owned)).collect::<Vec<_>>();
    let (done, undone) = (told((&old, &new)), told((&new, &old)));
    assert_eq!(paths(&done), paths(&undone), "{from} => {to}");
    done
}

fn check(cases: &[(&str, &str, &[&str])]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(from, to, expected)| (from, to, expected, causes(from, to)))
        .filter(|(_, _, expected, found)| *found != **expected)
        .map(|(from, to, expected, found)| format!("{from:?} => {to:?}\n  {found:?}\n  {expected:?} expected"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_guest_that_moves() {
    check(&[
        // Its networks leave a host and come to another: nobody else changes by his own doing.
        ("    host: pm1\n", "    host: pm2\n", &["vms.100 43 (4)"]),
        ("    host: [pm1, pm2]\n", "    host: pm2\n", &["vms.101 55 (3)"]),
        ("    host: [pm1, pm2]\n", "    host: [pm2, pm1]\n", &[]),
    ]);
}

#[test]
fn a_value_that_falls_back_to_an_ancestors() {
    check(&[
        ("        vm.swappiness: 20\n", "        {}\n", &["hosts.pm1 -36 (1)"]),
        ("      policy_in: drop\n", "", &["vms.100 -46 (1)"]),
        ("        vm.swappiness: 10\n", "        {}\n", &["zones.node -23 (1)"]),
    ]);
}

#[test]
fn what_follows_from_a_definition() {
    check(&[
        ("local_network: 10.0.0.0/24", "local_network: 10.0.0.0/23", &["datacenter.aliases.local_network 5 (2)"]),
        (
            "    addresses: [10.0.0.11/24]\n",
            "    addresses: [10.0.0.11/24]\n    platform: linux\n",
            &["hosts.pm1 34 (2)"],
        ),
        (
            "    nics:\n      net0:\n        bridge",
            "    ipsets: { ipfilter-net0: [10.9.9.9] }\n    nics:\n      net0:\n        bridge",
            &["vms.100.ipsets.ipfilter-net0 48 (1)"],
        ),
    ]);
}

#[test]
fn the_line_that_was_edited() {
    check(&[
        ("        mac: \"BC:24:11:00:00:64\"", "        mac: \"BC:24:11:00:00:74\"", &["vms.100 51 (1)"]),
        ("        tag: 5\n", "        tag: 6\n", &["vms.100 53 (1)"]),
        ("        tag: 5\n", "", &["vms.100 -53 (1)"]),
        ("        tag: 5\n", "        tag: 5\n        firewall: false\n", &["vms.100 54 (1)"]),
        ("        bridge: vmbr0\n", "        bridge: vmbr1\n", &["vms.100 50 (1)"]),
        ("ip: [10.0.1.100/24, 10.0.2.100/24]", "ip: [10.0.2.100/24, 10.0.1.100/24]", &[]),
        ("    name: first\n", "    name: second\n", &["vms.100 42 (1)"]),
        ("[10.0.0.12/24]\n", "[10.0.0.12/24]\n    comment: who\n", &["hosts.pm2 40 (1)"]),
        ("[10.0.0.12/24]\n", "[10.0.0.12/24]\n    targets: [nft]\n", &["hosts.pm2 40 (1)"]),
        ("[10.0.0.12/24]\n", "[10.0.0.13/24]\n", &["hosts.pm2 39 (2)"]),
        ("    kind: host\n", "    kind: host\n    iptables: { mode: shared, prefix: x }\n", &["zones.node 21 (2)"]),
    ]);
}

#[test]
fn what_only_a_reader_sees() {
    check(&[
        (
            "office: 203.0.113.0/24",
            "office: { value: 203.0.113.0/24, comment: us }",
            &["datacenter.aliases.office 4 (0)"],
        ),
        (
            "management: [office]",
            "management: { comment: who, entries: [office] }",
            &["datacenter.ipsets.management 7 (0)"],
        ),
        ("{ id: base, group: base }", "{ id: basis, group: base }", &["datacenter.guests 12 (2)"]),
    ]);
}

#[test]
fn the_only_rule_of_a_group_is_altered() {
    let (old, new) = (built(SPEC), built(&SPEC.replace("macro: Ping", "macro: SSH")));
    let (_, causes) = compared(&old, &new);
    let kinds: Vec<Kind> = causes.iter().flat_map(|cause| &cause.changes).map(|change| change.kind).collect();
    assert_eq!(kinds, [Kind::Altered], "{causes:?}");
}
