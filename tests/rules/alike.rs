//! Guests that differ in their rules and addresses alone are proved at once: what is found is the same as guest by guest.

use fwc::policy::Fleet;
use fwc::target::{self, Doubt, OutputFile, Rules, Why};

use crate::mutator::{KINDS, mutate};
use crate::random::Random;
use crate::{compiled, on_all, own_files};

/// Guests that nothing else tells apart, on two bridges.
fn guests(count: usize) -> String {
    let mut text = "version: 1\n\
        datacenter:\n  ipsets: { partners: [198.51.100.0/24, 192.0.2.7, '2001:db8:9::/48'], other: [10.9.0.0/16] }\n\
        \x20 guests: { options: { ipfilter: true }, rules: [ { in: accept, macro: Ping } ] }\n\
        hosts: { pm1: { addresses: [10.0.0.11/24, '2001:db8::11/64'], targets: nft } }\n\
        groups:\n  web: [ { in: accept, macro: Web, source: +partners }, { out: drop, proto: tcp, dport: 445 } ]\n\
        vms:\n"
        .to_owned();
    for number in 0..count {
        let nic = |at: usize| {
            format!(
                "net{at}: {{ bridge: vmbr{at}, mac: 'BC:24:11:0{at}:00:{number:02X}', \
                 ip: [10.{at}.1.{}/24, '2001:db8:{at}::{:x}/64'] }}",
                number + 1,
                number + 1
            )
        };
        let port = 1000 + number;
        text.push_str(&format!(
            "  {}:\n    host: pm1\n    nics: {{ {}, {} }}\n    rules:\n      - group: web\n\
             \x20     - {{ in: accept, proto: tcp, dport: {port}, source: 172.16.0.{number} }}\n\
             \x20     - {{ in: drop, proto: udp, dport: {port}-{} }}\n\
             \x20     - {{ in: accept, proto: tcp, dport: 22, source: '2001:db8:a:{number:x}::/64', iface: net0 }}\n\
             \x20     - {{ in: accept, proto: udp, source: +other, dport: {port} }}\n\
             \x20     - {{ out: drop, proto: tcp, dport: {port} }}\n",
            100 + number,
            nic(0),
            nic(1),
            port + number,
        ));
    }
    text
}

fn each(fleet: &Fleet, files: &[OutputFile]) -> Vec<Doubt> {
    let host = &fleet.hosts[0];
    let own = own_files(host, files);
    let own: Vec<_> = own.iter().map(|file| (file.path.rsplit('/').next().unwrap(), &*file.content)).collect();
    target::prove(host, &Rules::read(own))
}

/// Holds what is found of changed rules against what is found guest by guest.
pub fn found(fleet: &Fleet, files: &[OutputFile], text: &str) -> Vec<Doubt> {
    let mut files = files.to_vec();
    for file in files.iter_mut().filter(|file| file.path.ends_with("fwc.nft")) {
        text.clone_into(&mut file.content);
    }
    let each = each(fleet, &files);
    for shares in [2, 3] {
        assert_eq!(target::prove_files_in(fleet, &files, shares), each, "{shares}");
    }
    each
}

#[test]
fn of_guests_that_are_alike_every_wrong_rule_is_found() {
    let (fleet, files) = compiled(&guests(6));
    let judged: Vec<&OutputFile> = files.iter().filter(|file| file.path.ends_with("fwc.nft")).collect();
    assert_eq!(found(&fleet, &files, &judged[0].content), []);
    let told = std::sync::atomic::AtomicUsize::new(0);
    on_all(0..KINDS.len() as u64 * 30, |seed| {
        let kind = KINDS[seed as usize % KINDS.len()];
        let Some(mutation) = mutate(&judged, kind, &mut Random::new(seed)) else { return };
        if !found(&fleet, &files, &mutation.text).is_empty() {
            told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let told = told.into_inner();
    assert!(told >= 200, "{told}");
}

/// A line that is there once, in other words.
pub fn edited(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}\n{text}");
    text.replacen(from, to, 1)
}

/// What tells one guest from the others is found, wherever it stands.
#[test]
fn what_is_not_alike_is_found() {
    let (fleet, files) = compiled(&guests(6));
    let text = &files.iter().find(|file| file.path.ends_with("fwc.nft")).unwrap().content;
    let differs = |text: &str| found(&fleet, &files, text).iter().any(|doubt| matches!(doubt.why, Why::Differs { .. }));
    let behind = |head: &str, rule: &str| edited(text, head, &format!("{head}\n\t\t{rule}"));
    for (from, to) in [
        // Another guest's chains.
        ("\"tap103i0\" : goto guest-103-in", "\"tap103i0\" : goto guest-104-in"),
        ("\"tap103i0\" : goto guest-103-out", "\"tap103i0\" : goto guest-104-out"),
        ("\"tap103i0\" : goto guest-103-out", "\"tap103i0\" : accept"),
        // Another's addresses, or more or fewer.
        ("\"tap103i0\" . bc:24:11:00:00:03", "\"tap103i0\" . bc:24:11:00:00:04"),
        ("\"tap103i0\" . bc:24:11:00:00:03", "\"tap103i0\" . 00:00:00:00:00:00"),
        ("\"tap103i0\" . 10.0.1.4", "\"tap103i0\" . 10.0.1.5"),
        ("\"tap103i0\" . 10.0.1.4", "\"tap103i0\" . 10.0.1.4,\n\t\t\t\"tap103i0\" . 10.0.1.5"),
        ("\"tap103i0\" . 2001:db8::4", "\"tap103i0\" . 2001:db8::5"),
        ("\t\t\t\"tap103i0\" . 10.0.1.4,\n", ""),
    ] {
        assert!(differs(&edited(text, from, to)), "{from} {to}");
    }
    for (head, rule) in [
        // For the port, the addresses or the marks of one guest alone.
        ("chain guests-in-before {", "oifname \"tap103i0\" accept"),
        ("chain guests-out-before {", "iifname \"tap103i0\" accept"),
        ("chain guests-out-before {", "ether saddr bc:24:11:00:00:03 drop"),
        ("chain guests-out-before {", "ether saddr 00:00:00:00:00:00 accept"),
        ("chain guests-out-before {", "ip saddr 10.0.1.4 drop"),
        ("chain guests-out-after {", "ip saddr 10.0.1.4 drop"),
        ("chain guests-in-after {", "ip saddr 172.16.0.3 tcp dport 1003 accept"),
        ("chain guests-in-after {", "ip daddr 10.0.1.4 tcp dport 7 accept"),
        // Between a guest's own rules.
        ("chain guest-103-in {", "tcp dport 7 accept"),
        ("chain guest-103-in {", "jump guest-104-in"),
        ("chain guest-103-in {", "meta mark set meta mark | 0x1"),
        ("chain guest-103-in {", "return"),
        ("chain guest-103-out {", "tcp dport 7 drop"),
        ("chain guest-103-out {", "ether type 0x88a8 accept"),
        ("chain guest-103-out {", "meta protocol arp drop"),
        ("chain guest-103-out {", "return"),
    ] {
        let found = found(&fleet, &files, &behind(head, rule));
        assert!(!found.is_empty(), "{head} {rule}");
    }
    // In the middle of a guest's own rules.
    let own = "ip saddr 172.16.0.3 tcp dport 1003 accept";
    assert_eq!(text.matches(own).count(), 1);
    for rule in [
        "tcp dport 7 accept",
        "oifname \"tap103i0\" tcp dport 7 accept",
        "oifname \"tap103i1\" tcp dport 7 accept",
        "drop",
        "goto guests-in-after",
        "goto guest-104-in",
        "ether saddr bc:24:11:00:00:04 drop",
        "tcp dport 7 log prefix \":103:6:x: \" group 0",
    ] {
        assert!(!found(&fleet, &files, &edited(text, own, &format!("{rule}\n\t\t{own}"))).is_empty(), "{rule}");
    }
    // What changes nothing is found to be right, and what stands elsewhere is so too.
    let elsewhere = "oifname \"tap999i0\" tcp dport 7 accept";
    for rule in [own, elsewhere, "meta protocol arp drop", "ether type 0x88a8 accept", "meta mark 0x7 accept"] {
        assert_eq!(found(&fleet, &files, &edited(text, own, &format!("{rule}\n\t\t{own}"))), [], "{rule}");
    }
    // Nobody comes back from there.
    let jumps = edited(text, "\"tap103i0\" : goto guest-103-in", "\"tap103i0\" : jump guest-103-in");
    assert_eq!(found(&fleet, &files, &jumps), []);
}
