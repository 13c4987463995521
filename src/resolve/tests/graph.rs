//! Inheritance: who comes before whom, and what has no order.

use super::{finding, fleet, guest, rules};
use crate::policy::{Direction, ZoneRef};

const CASCADE: &str = "
version: 1
datacenter:
  guardrails: { rules: [ { id: no-rdp, in: drop, proto: tcp, dport: 3389 } ] }
  rules: [ { id: dc, in: accept, proto: tcp, dport: 1 } ]
  guests:
    inherits: base
    guardrails: { rules: [ { id: guests-guard, in: drop, proto: tcp, dport: 23 } ] }
    rules: [ { id: all, group: gg } ]
groups: { gg: [ { id: ping, in: accept, macro: Ping } ] }
zones:
  base: { kind: guest, rules: [ { id: base, in: accept, proto: tcp, dport: 2 } ] }
  web: { kind: guest, inherits: base, rules: [ { id: web, in: accept, proto: tcp, dport: 80 } ] }
  metal:
    kind: host
    rules: [ { id: metal, in: accept, proto: tcp, dport: 3 } ]
    guests: { rules: [ { id: metal-guests, in: accept, proto: tcp, dport: 4 } ] }
hosts:
  pm1:
    inherits: metal
    addresses: 10.0.0.1/24
    rules: [ { id: own, in: accept, proto: tcp, dport: 5 } ]
    guests: { rules: [ { id: pm1-guests, in: accept, proto: tcp, dport: 6 } ] }
vms:
  100:
    host: pm1
    inherits: web
    rules: [ { id: mine, in: accept, proto: tcp, dport: 7 } ]
    nics:
      net0: { mac: 'BC:24:11:00:00:64', rules: [ { id: nic, in: accept, proto: tcp, dport: 8 } ] }
  101: { host: pm1, inherits: web, without: [all, web], nics: { net0: { mac: 'BC:24:11:00:00:65' } } }
";

#[test]
fn rules_come_as_guardrails_own_and_then_by_nearness() {
    let fleet = fleet(CASCADE);
    let host = &fleet.hosts[0];
    assert_eq!(
        rules(&host.rules, Direction::In),
        ["datacenter no-rdp", "host/pm1 own", "zone/metal metal", "datacenter dc"]
    );
    assert_eq!(
        rules(&guest(host, 100).rules, Direction::In),
        [
            "datacenter no-rdp",
            "datacenter/guests guests-guard",
            "vm/100:net0 nic",
            "vm/100 mine",
            "zone/web web",
            "host/pm1/guests pm1-guests",
            "zone/metal/guests metal-guests",
            "datacenter/guests all",
            "zone/base base",
        ]
    );
}

#[test]
fn without_leaves_out_and_remembers() {
    let fleet = fleet(CASCADE);
    let policy = guest(&fleet.hosts[0], 101);
    let kept = rules(&policy.rules, Direction::In);
    assert!(!kept.iter().any(|rule| rule.ends_with(" all") || rule.ends_with(" web")), "{kept:?}");
    let skipped: Vec<&str> =
        policy.rules.sections.iter().flat_map(|s| &s.skipped).map(|s| s.origin.identity.as_str()).collect();
    assert_eq!(skipped, ["web", "all"]);
}

#[test]
fn the_path_of_a_rule_is_the_way_it_was_inherited_by() {
    let fleet = fleet(CASCADE);
    let list = &guest(&fleet.hosts[0], 100).rules;
    let path_of = |identity: &str| {
        let (_, inherited) = list.entries().find(|(entry, _)| entry.origin().identity == identity).unwrap();
        inherited.path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ← ")
    };
    assert_eq!(path_of("base"), "vm/100 ← zone/web ← zone/base");
    assert_eq!(path_of("all"), "vm/100 ← host/pm1/guests ← datacenter/guests");
    assert_eq!(path_of("no-rdp"), "vm/100 ← datacenter");
}

#[test]
fn machines_share_the_sections_that_they_take_whole() {
    let fleet = fleet(CASCADE);
    let section = |id: u32| {
        let policy = guest(&fleet.hosts[0], id);
        let base = policy.rules.sections.iter().find(|s| s.section.zone == ZoneRef::Zone("base".to_owned()));
        std::sync::Arc::as_ptr(&base.unwrap().section)
    };
    assert_eq!(section(100), section(101));
}

#[test]
fn a_circle_names_every_edge() {
    let (diagnostic, labels) = finding(
        "version: 1\nzones:\n  a1: { kind: host, inherits: b1 }\n  b1: { kind: host, inherits: c1 }\n  c1: { kind: host, inherits: a1 }\n",
    );
    assert_eq!(
        diagnostic.message,
        "zones inherit each other in a circle: `zone/a1` → `zone/b1` → `zone/c1` → `zone/a1`"
    );
    assert_eq!(labels, ["b1", "c1", "a1"]);
    assert_eq!(diagnostic.labels[1].text, "`zone/b1` inherits `zone/c1`");
}

#[test]
fn an_impossible_order_names_the_edges_that_contradict() {
    let (diagnostic, labels) = finding(
        "version: 1
zones:
  x1: { kind: guest }
  y1: { kind: guest }
  a1: { kind: guest, inherits: [x1, y1] }
  b1: { kind: guest, inherits: [y1, x1] }
  both: { kind: guest, inherits: [a1, b1] }
",
    );
    assert_eq!(diagnostic.message, "`zone/both` inherits `zone/y1` and `zone/x1` in orders that contradict each other");
    assert_eq!(labels, ["a1", "b1", "x1", "y1", "y1", "x1"]);
}
