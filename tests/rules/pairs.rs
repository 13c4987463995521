//! Pairs of ports, of which each port is tried alone: what one leaves for the other to see is doubted.

use fwc::target::Why;

use crate::alike::{edited, found};
use crate::{compiled, doubts};

/// Guests whose frames nobody looks at by their ports before a bridge forwards them.
fn unfiltered(count: usize) -> String {
    let mut text = "version: 1\n\
        datacenter: { guests: { options: { macfilter: false }, rules: [ { in: accept, macro: Ping } ] } }\n\
        hosts: { pm1: { addresses: 10.0.0.11/24, targets: nft } }\n\
        vms:\n"
        .to_owned();
    for number in 0..count {
        let (id, port) = (100 + number, 1000 + number);
        let nic = format!("net0: {{ bridge: vmbr0, mac: 'BC:24:11:00:00:{number:02X}' }}");
        let rules = format!("{{ in: accept, proto: tcp, dport: {port} }}, {{ out: drop, proto: tcp, dport: {port} }}");
        text.push_str(&format!("  {id}: {{ host: pm1, nics: {{ {nic} }}, rules: [ {rules} ] }}\n"));
    }
    text
}

/// What one hook leaves on packets tells a later one where they came from, and so does a bridge.
#[test]
fn ports_that_are_told_by_marks_and_bridges_are_found() {
    let (fleet, files) = compiled(&unfiltered(6));
    let text = &files.iter().find(|file| file.path.ends_with("fwc.nft")).unwrap().content;
    let found = |text: &str| found(&fleet, &files, "fwc.nft", text);
    assert_eq!(found(text), []);
    let (start, bridge) = text.split_once("table bridge fwc {").unwrap();
    let behind = |text: &str, head: &str, rule: &str| edited(text, head, &format!("{head}\n\t\t{rule}"));
    let doubted = |bridge: &str, what: &str| {
        let found = found(&format!("{start}table bridge fwc {{{bridge}"));
        assert!(!found.is_empty(), "{what}");
    };
    let taps = (100..106).map(|id| format!("\"tap{id}i0\"")).collect::<Vec<_>>().join(", ");
    let mark = format!("iifname {{ {taps} }} meta mark set meta mark | 0x1");
    let marked = behind(bridge, "\tchain prerouting {", &mark);
    for (chain, rule) in [
        // Another guest's rules, by the bridge.
        ("forward", "meta mark & 0x1 == 0x1 meta ibrname vmap { \"vmbr0\" : jump guest-103-out }"),
        ("forward", "meta mark & 0x1 == 0x1 meta ibrname vmap { \"vmbr0\" : goto guest-103-out }"),
        ("forward", "meta mark & 0x1 == 0x1 tcp dport 1003 drop"),
        // From the one to the other.
        ("postrouting", "meta mark & 0x1 == 0x1 oifname \"tap103i0\" tcp dport 1003 drop"),
        ("postrouting", "meta mark & 0x1 == 0x1 oifname \"tap103i0\" tcp dport 9 accept"),
    ] {
        doubted(&behind(&marked, &format!("\tchain {chain} {{"), rule), rule);
    }
    for (chain, rule) in [
        ("prerouting", "meta ibrname \"vmbr0\" tcp dport 1003 drop"),
        ("postrouting", "meta obrname \"vmbr0\" tcp dport 1003 drop"),
        ("forward", "meta ibrname \"vmbr0\" tcp dport 1003 drop"),
        ("forward", "meta ibrname vmap { \"vmbr0\" : jump guest-103-out }"),
    ] {
        doubted(&behind(bridge, &format!("\tchain {chain} {{"), rule), rule);
    }
}

#[test]
fn ports_that_are_told_by_marks_of_iptables_are_found() {
    let nic = |id: u8| format!("bridge: vmbr0, mac: 'BC:24:11:00:00:{id:02X}', ip: 10.0.0.{id}/24");
    let guest = |id: u8| {
        format!(
            "  {id}: {{ host: pm1, nics: {{ net0: {{ {} }} }}, rules: [ {{ in: accept, proto: tcp }} ] }}\n",
            nic(id)
        )
    };
    let spec = "version: 1\nhosts: { pm1: { addresses: 10.0.0.11/24, targets: iptables } }\nvms:\n";
    let (fleet, files) = compiled(&(spec.to_owned() + &guest(100) + &guest(101) + &guest(102)));
    assert_eq!(doubts(&fleet, &files), []);
    let changed = |rules: &[&str]| {
        let mut files = files.clone();
        for file in files.iter_mut().filter(|file| file.path == "hosts/pm1/iptables.rules") {
            for rule in rules {
                let head: Vec<&str> = rule.split(' ').take(2).collect();
                let at = file.content.find(&format!("{} ", head.join(" "))).expect("the chain");
                file.content.insert_str(at, &format!("{rule}\n"));
            }
        }
        doubts(&fleet, &files)
    };
    for from in ["FORWARD", "from-guests"] {
        let mark = format!("-A {from} -m physdev --physdev-in tap100i0 -j MARK --set-xmark 0x1/0x1");
        for to in [
            "-A to-port -m physdev --physdev-out tap102i0 -m mark --mark 0x1/0x1 -p tcp -m tcp --dport 22 -j DROP",
            "-A to-port -m physdev --physdev-out tap102i0 -m mark --mark 0x1/0x1 -p udp -m udp --dport 9 -j ACCEPT",
            "-A bridged -m physdev --physdev-out tap102i0 -m mark --mark 0x1/0x1 -p tcp -m tcp --dport 22 -j DROP",
            "-A to-guest -d 10.0.0.102/32 -m mark --mark 0x1/0x1 -p tcp -m tcp --dport 22 -g vm100-in",
        ] {
            assert!(changed(&[&mark, to]).iter().any(|doubt| doubt.why == Why::Marks), "{from} {to}");
        }
        // A mark that nobody asks for tells nothing.
        assert_eq!(changed(&[&mark]), [], "{from}");
    }
    // The other way round, and by both together.
    let by_dest = "-A FORWARD -m physdev --physdev-out tap102i0 -j MARK --set-xmark 0x2/0x2";
    let of_sender = "-m physdev --physdev-in tap100i0";
    for (first, last) in [
        (format!("-A bridged {of_sender} -m mark --mark 0x2/0x2 -j DROP"), None),
        (
            "-A bridged -m mark --mark 0x3/0x3 -j DROP".to_owned(),
            Some(format!("-A FORWARD {of_sender} -j MARK --set-xmark 0x1/0x1")),
        ),
    ] {
        let rules: Vec<&str> = [&*first, by_dest].into_iter().chain(last.as_deref()).collect();
        assert!(!changed(&rules).is_empty(), "{rules:?}");
    }
}
