//! DESIGN 4's table: from, to, hooks.

use super::{fleet, guest, host};
use crate::analysis::{NoRoute, Place, route};
use crate::policy::Fleet;

const SPEC: &str = r#"
version: 1
hosts:
  a: { addresses: 10.0.0.1/24 }
  b: { addresses: 10.0.0.2/24 }
  off: { addresses: 10.0.0.3/24, options: { enable: false } }
vnets:
  prod: {}
vms:
  100: { host: a, nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:01", ip: 10.1.0.1 }, net1: { bridge: vmbr1, mac: "BC:24:11:00:00:02", ip: 10.2.0.1 } } }
  101: { host: a, nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:03", ip: 10.1.0.2 }, net1: { bridge: prod, tag: 7, mac: "BC:24:11:00:00:04", ip: 10.3.0.1 } } }
  102: { host: b, nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:05", ip: 10.1.0.3 } } }
  103: { host: a, nics: { net0: { bridge: prod, firewall: false, mac: "BC:24:11:00:00:06", ip: 10.1.0.4 } } }
  104: { host: off, nics: { net0: { bridge: prod, mac: "BC:24:11:00:00:07", ip: 10.1.0.5 } } }
  105: { host: a, options: { enable: false }, nics: { net0: { bridge: vmbr1, mac: "BC:24:11:00:00:08", ip: 10.1.0.6 } } }
"#;

fn place<'a>(fleet: &'a Fleet, text: &str) -> Place<'a> {
    if text == "outside" {
        return Place::Outside;
    }
    let (kind, name) = text.split_once('/').unwrap();
    if kind == "host" {
        return Place::Host(host(fleet, name));
    }
    let (id, nic) = name.split_once(":net").unwrap_or((name, "0"));
    let id = id.parse().unwrap();
    let host = fleet.hosts.iter().find(|host| host.guests.iter().any(|guest| guest.id == id)).unwrap();
    let (guest, nic) = guest(host, id, nic.parse().unwrap());
    Place::Guest(host, guest, nic)
}

/// `host: hook of machine` for each hook.
fn hooks(fleet: &Fleet, from: &str, to: &str, via: Option<&str>) -> Result<Vec<String>, NoRoute> {
    let legs = route(place(fleet, from), place(fleet, to), via.map(|name| host(fleet, name)))?;
    let crossings = legs.iter().flat_map(|leg| leg.crossings());
    Ok(crossings
        .map(|crossing| {
            let nic = crossing.nic.map(|nic| format!(":net{}", nic.index)).unwrap_or_default();
            format!("{}: {} {}{nic}", crossing.host.name, crossing.hook.name.name(), crossing.machine)
        })
        .collect())
}

#[test]
fn every_row_of_the_table() {
    let fleet = fleet(SPEC);
    let rows: &[(&str, &str, Option<&str>, &[&str])] = &[
        ("outside", "host/a", None, &["a: host-in host/a"]),
        ("host/a", "outside", None, &["a: host-out host/a"]),
        ("vm/100", "outside", None, &["a: guest-out vm/100:net0", "a: vnet-forward vnet/prod"]),
        ("vm/100:net1", "outside", None, &["a: guest-out vm/100:net1"]),
        ("outside", "vm/100", None, &["a: vnet-forward vnet/prod", "a: guest-in vm/100:net0"]),
        (
            "vm/100",
            "vm/101",
            None,
            &["a: guest-out vm/100:net0", "a: vnet-forward vnet/prod", "a: guest-in vm/101:net0"],
        ),
        (
            "vm/100",
            "vm/102",
            None,
            &[
                "a: guest-out vm/100:net0",
                "a: vnet-forward vnet/prod",
                "b: vnet-forward vnet/prod",
                "b: guest-in vm/102:net0",
            ],
        ),
        ("vm/100", "host/a", None, &["a: guest-out vm/100:net0", "a: vnet-forward vnet/prod", "a: host-in host/a"]),
        ("vm/100", "host/b", None, &["a: guest-out vm/100:net0", "a: vnet-forward vnet/prod", "b: host-in host/b"]),
        ("host/a", "vm/100", None, &["a: host-out host/a", "a: vnet-forward vnet/prod", "a: guest-in vm/100:net0"]),
        ("host/a", "host/b", None, &["a: host-out host/a", "b: host-in host/b"]),
        ("host/a", "host/a", None, &["a: host-out host/a", "a: host-in host/a"]),
        // Routed: no vnet judges.
        ("outside", "outside", Some("a"), &["a: host-forward host/a"]),
        ("vm/100", "outside", Some("a"), &["a: guest-out vm/100:net0", "a: host-forward host/a"]),
        ("outside", "vm/100", Some("a"), &["a: host-forward host/a", "a: guest-in vm/100:net0"]),
        ("vm/100", "vm/105", Some("a"), &["a: guest-out vm/100:net0", "a: host-forward host/a"]),
        (
            "vm/102",
            "vm/100:net1",
            Some("a"),
            &[
                "b: guest-out vm/102:net0",
                "b: vnet-forward vnet/prod",
                "a: host-forward host/a",
                "a: guest-in vm/100:net1",
            ],
        ),
        // Two bridges, or two VLANs of one: out to a router and back.
        (
            "vm/101",
            "vm/100:net1",
            None,
            &["a: guest-out vm/101:net0", "a: vnet-forward vnet/prod", "a: guest-in vm/100:net1"],
        ),
        (
            "vm/100",
            "vm/101:net1",
            None,
            &[
                "a: guest-out vm/100:net0",
                "a: vnet-forward vnet/prod",
                "a: vnet-forward vnet/prod",
                "a: guest-in vm/101:net1",
            ],
        ),
        // A firewall that is off.
        ("outside", "vm/103", None, &["a: vnet-forward vnet/prod"]),
        ("outside", "vm/104", None, &[]),
        ("outside", "host/off", None, &[]),
        ("outside", "vm/105", None, &[]),
    ];
    for (from, to, via, expected) in rows {
        assert_eq!(hooks(&fleet, from, to, *via).unwrap(), *expected, "{from} to {to} via {via:?}");
    }
}

#[test]
fn some_places_have_no_way_between_them() {
    let fleet = fleet(SPEC);
    assert_eq!(hooks(&fleet, "outside", "outside", None), Err(NoRoute::OutsideOnly));
    assert_eq!(hooks(&fleet, "vm/100", "vm/100", None), Err(NoRoute::SamePort));
    assert_eq!(hooks(&fleet, "vm/100", "host/a", Some("a")), Err(NoRoute::HostIsEnd));
    assert!(hooks(&fleet, "vm/100", "vm/100:net1", None).is_ok(), "its own other NIC");
}
