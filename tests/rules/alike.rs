//! Guests that differ in their rules and addresses alone are proved at once: what is found is the same as guest by guest.

use fwc::policy::Fleet;
use fwc::target::{self, Doubt, OutputFile, Rules, Why};

use crate::mutator::{KINDS, mutate};
use crate::random::Random;
use crate::{compiled, on_all, own_files};

/// The files of rules of both families.
const IPTABLES: [&str; 2] = ["iptables.rules", "ip6tables.rules"];

/// Guests that nothing else tells apart, on two bridges.
fn guests(count: usize, target: &str) -> String {
    let mut text = "version: 1\n\
        datacenter:\n  ipsets: { partners: [198.51.100.0/24, 192.0.2.7, '2001:db8:9::/48'], other: [10.9.0.0/16] }\n\
        \x20 guests: { options: { ipfilter: true }, rules: [ { in: accept, macro: Ping } ] }\n\
        hosts: { pm1: { addresses: [10.0.0.11/24, '2001:db8::11/64'], targets: TARGET } }\n\
        groups:\n  web: [ { in: accept, macro: Web, source: +partners }, { out: drop, proto: tcp, dport: 445 } ]\n\
        vms:\n"
        .replace("TARGET", target);
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
             \x20     - {{ out: drop, proto: tcp, dport: {port} }}\n\
             \x20     - {{ out: drop, proto: udp, dport: 67 }}\n",
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

fn is(file: &OutputFile, name: &str) -> bool {
    file.path.rsplit('/').next() == Some(name)
}

/// Holds what is found of changed rules against what is found guest by guest.
pub fn found(fleet: &Fleet, files: &[OutputFile], name: &str, text: &str) -> Vec<Doubt> {
    let mut files = files.to_vec();
    for file in files.iter_mut().filter(|file| is(file, name)) {
        text.clone_into(&mut file.content);
    }
    let each = each(fleet, &files);
    for shares in [2, 3] {
        assert_eq!(target::prove_files_in(fleet, &files, shares), each, "{shares}");
    }
    each
}

/// Of how many changes of one line something is found.
fn told(target: &str, names: &[&str], changes: u64) -> usize {
    let (fleet, files) = compiled(&guests(6, target));
    let judged: Vec<&OutputFile> = files.iter().filter(|file| names.iter().any(|name| is(file, name))).collect();
    assert_eq!(judged.len(), names.len());
    for file in &judged {
        assert_eq!(found(&fleet, &files, file.path.rsplit('/').next().unwrap(), &file.content), []);
    }
    let told = std::sync::atomic::AtomicUsize::new(0);
    on_all(0..KINDS.len() as u64 * changes, |seed| {
        let kind = KINDS[seed as usize % KINDS.len()];
        let Some(mutation) = mutate(&judged, kind, &mut Random::new(seed)) else { return };
        let name = mutation.path.rsplit('/').next().unwrap();
        if !found(&fleet, &files, name, &mutation.text).is_empty() {
            told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    told.into_inner()
}

#[test]
fn of_guests_that_are_alike_every_wrong_rule_is_found() {
    let nft = told("nft", &["fwc.nft"], 30);
    assert!(nft >= 200, "{nft}");
    let iptables = told("iptables", &IPTABLES, 40);
    assert!(iptables >= 200, "{iptables}");
}

/// A line that is there once, in other words.
pub fn edited(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}\n{text}");
    text.replacen(from, to, 1)
}

/// What tells one guest from the others is found, wherever it stands.
#[test]
fn what_is_not_alike_is_found() {
    let (fleet, files) = compiled(&guests(6, "nft"));
    let text = &files.iter().find(|file| file.path.ends_with("fwc.nft")).unwrap().content;
    let found = |text: &str| found(&fleet, &files, "fwc.nft", text);
    let differs = |text: &str| found(text).iter().any(|doubt| matches!(doubt.why, Why::Differs { .. }));
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
        let found = found(&behind(head, rule));
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
        assert!(!found(&edited(text, own, &format!("{rule}\n\t\t{own}"))).is_empty(), "{rule}");
    }
    // What changes nothing is found to be right, and what stands elsewhere is so too.
    let elsewhere = "oifname \"tap999i0\" tcp dport 7 accept";
    for rule in [own, elsewhere, "meta protocol arp drop", "ether type 0x88a8 accept", "meta mark 0x7 accept"] {
        assert_eq!(found(&edited(text, own, &format!("{rule}\n\t\t{own}"))), [], "{rule}");
    }
    // Nobody comes back from there.
    let jumps = edited(text, "\"tap103i0\" : goto guest-103-in", "\"tap103i0\" : jump guest-103-in");
    assert_eq!(found(&jumps), []);
}

/// The same in iptables: in front of a rule of another chain, or in place of one.
#[test]
fn what_is_not_alike_in_iptables_is_found() {
    let (fleet, files) = compiled(&guests(6, "iptables"));
    let [v4, v6] = IPTABLES.map(|name| (name, &*files.iter().find(|file| is(file, name)).unwrap().content));
    let found = |name, text: &str| found(&fleet, &files, name, text);
    for ((name, text), from, to) in [
        // Another guest's chains.
        (v4, "--physdev-in tap103i0 -g tap103i0-out", "--physdev-in tap103i0 -g tap104i0-out"),
        (v4, "--physdev-in tap103i0 -g tap103i0-out", "--physdev-in tap103i0 -g vm103-out"),
        (v4, "--physdev-in tap103i0 -g tap103i0-out", "--physdev-in tap103i0 -j ACCEPT"),
        (v4, "--physdev-out tap103i0 -g vm103-net0-in", "--physdev-out tap103i0 -g vm104-net0-in"),
        (v4, "--physdev-out tap103i0 -g vm103-net0-in", "--physdev-out tap103i0 -g vm103-in"),
        (v6, "--physdev-out tap103i0 -g vm103-net0-in", "--physdev-out tap103i0 -g vm103-net1-in"),
        (v4, "-d 10.0.1.4/32 -o vmbr0 -g vm103-net0-in", "-d 10.0.1.4/32 -o vmbr0 -g vm104-net0-in"),
        (v4, "-d 10.0.1.4/32 -o vmbr0 -g vm103-net0-in", "-d 10.0.1.4/32 -o vmbr1 -g vm103-net0-in"),
        (v4, "-d 10.0.1.4/32 -o vmbr0", "-d 10.0.1.40/32 -o vmbr0"),
        (v4, "-A to-guest -d 10.0.1.4/32 -o vmbr0 -g vm103-net0-in\n", ""),
        (v6, "-d fe80::be24:11ff:fe00:3/128 -o vmbr0", "-d fe80::be24:11ff:fe00:30/128 -o vmbr0"),
        // Another's addresses, or more or fewer.
        (v4, "! --mac-source bc:24:11:00:00:03", "! --mac-source bc:24:11:00:00:04"),
        (v4, "! --mac-source bc:24:11:00:00:03", "! --mac-source 00:00:00:00:00:00"),
        (v4, "! --mac-source bc:24:11:00:00:03", "--mac-source bc:24:11:00:00:03"),
        (v4, "-A tap103i0-out -s 10.0.1.4/32", "-A tap103i0-out -s 10.0.1.5/32"),
        (v4, "-A tap103i0-out -s 10.0.1.4/32", "-A tap103i0-out -s 10.0.1.4/31"),
        (v4, "-A tap103i0-out -s 10.0.1.4/32 -g vm103-out", "-A tap103i0-out -s 10.0.1.4/32 -g vm104-out"),
        (v4, "-A tap103i0-out -s 10.0.1.4/32 -g vm103-out", "-A tap103i0-out -s 10.0.1.4/32 -j vm103-out"),
        (v6, "-A tap103i0-out -s fe80::be24:11ff:fe00:3/128 -g vm103-out\n", ""),
        (v6, "-A tap103i0-out -s 2001:db8::4/128 -g vm103-out\n", ""),
        (v4, "-A tap103i0-out -g vm103-out-unspecified", "-A tap103i0-out -g vm103-out"),
        // What stands around a guest's rules.
        (v4, "-A vm103-out -j base-out", "-A vm103-out -j base-in"),
        (v4, "-A vm103-net0-in -g rest-in", "-A vm103-net0-in -g noise-in"),
        (v4, "-A vm103-net0-in -g rest-in\n", ""),
        (v4, "-A vm103-net0-in -j vm103-in", "-A vm103-net0-in -j vm104-in"),
        (v4, "-A vm103-net0-in -j vm103-in", "-A vm103-net0-in -g vm103-in"),
        (v4, "-A vm103-out -m mark --mark 0x80000000/0x80000000 -j RETURN\n", ""),
        (v4, "-A vm103-in -j base-in\n", ""),
        (v4, "-A rest-in -j DROP", "-A rest-in -j RETURN"),
    ] {
        assert_ne!(found(name, &edited(text, from, to)), [], "{from}: {to}");
    }
    for (from, to) in [
        // All go to chains that decide all, and what these say of DHCP is known before.
        ("--physdev-in tap103i0 -g tap103i0-out", "--physdev-in tap103i0 -j tap103i0-out"),
        ("-A vm103-net0-in -g rest-in", "-A vm103-net0-in -j rest-in"),
        ("-A tap103i0-out -g vm103-out-unspecified", "-A tap103i0-out -g vm104-out-unspecified"),
    ] {
        let (name, text) = v4;
        assert_eq!(found(name, &edited(text, from, to)), [], "{from}: {to}");
    }
    // In front of a chain's first rule.
    let mac = "-m mac --mac-source bc:24:11:00:00:03";
    for (name, text) in [v4, v6] {
        let front = |rule: &str| {
            let chain = rule.split(' ').nth(1).unwrap();
            let at = text.find(&format!("-A {chain} ")).unwrap_or_else(|| panic!("{chain}"));
            let (before, behind) = text.split_at(at);
            found(name, &format!("{before}{rule}\n{behind}"))
        };
        for rule in [
            // For the port, the addresses or the marks of one guest alone, or for all.
            "-A FORWARD -m physdev --physdev-is-bridged -m physdev --physdev-out tap103i0 -j ACCEPT",
            "-A FORWARD -m physdev --physdev-out tap103i0 -j ACCEPT",
            "-A bridged -m physdev --physdev-out tap103i0 -j ACCEPT",
            "-A to-port -m physdev --physdev-out tap103i0 -j ACCEPT",
            "-A from-guests -m physdev --physdev-in tap103i0 -j ACCEPT",
            "-A from-port -m physdev --physdev-in tap103i0 -j RETURN",
            "-A from-port -m physdev --physdev-in tap999i0 -g tap103i0-out",
            // Both ends of a way are not looked at together.
            "-A FORWARD -m physdev --physdev-in tap999i0 -m physdev --physdev-out tap998i0 -j to-port",
            &format!("-A from-guests {mac} -j DROP"),
            &format!("-A from-guests {mac} -j ACCEPT"),
            &format!("-A base-out {mac} -j DROP"),
            &format!("-A rest-in {mac} -j ACCEPT"),
            &format!("-A noise-in {mac} -j ACCEPT"),
            &format!("-A vm103-out {mac} -j DROP"),
            &format!("-A tap103i0-out {mac} -j ACCEPT"),
            "-A FORWARD -g to-port",
            "-A FORWARD -j to-guest",
            "-A host-out -g to-guest",
            "-A bridged -j vm103-net0-in",
            "-A bridged -p tcp -m tcp --dport 7 -g vm103-net0-in",
            "-A to-port -p tcp -m tcp --dport 7 -g vm103-net0-in",
            "-A from-port -p tcp -m tcp --dport 7 -g vm103-out",
            "-A rest-in -p tcp -m tcp --dport 7 -j vm103-net0-in",
            "-A rest-in -m physdev --physdev-out tap103i0 -j ACCEPT",
            "-A base-in -m physdev --physdev-out tap103i0 -j ACCEPT",
            "-A base-out -m physdev --physdev-in tap103i0 -j DROP",
            "-A tap103i0-out -p tcp -m tcp --dport 7 -j ACCEPT",
            "-A tap103i0-out -j RETURN",
            // Among a guest's own rules, and in the groups that these name.
            "-A vm103-out -p tcp -m tcp --dport 7 -j DROP",
            "-A vm103-out -j RETURN",
            "-A vm103-out -j vm104-out",
            "-A vm103-net0-in -p tcp -m tcp --dport 7 -j ACCEPT",
            "-A vm103-net0-in -j ACCEPT",
            "-A vm103-net0-in -j RETURN",
            "-A vm103-net0-in -g vm104-net0-in",
            "-A group-web-out -p tcp -m tcp --dport 7 -j DROP",
            "-A group-web-out -p tcp -m tcp --dport 445 -j RETURN",
            "-A group-web-in -m physdev --physdev-out tap103i0 -j ACCEPT",
        ] {
            assert_ne!(front(rule), [], "{name}: {rule}");
        }
        // What changes nothing.
        for rule in [
            "-A from-guests -m mark --mark 0x80000000/0x80000000 -j ACCEPT",
            "-A INPUT -j to-port",
            "-A host-forward -m physdev --physdev-is-bridged -j to-port",
            "-A group-web-in -p tcp -m tcp --dport 7 -j RETURN",
            "-A group-web-in -j MARK --set-xmark 0x1/0x1",
            &format!("-A tap104i0-out {mac} -j DROP"),
            "-A vm103-out -m conntrack --ctstate INVALID -j DROP",
            "-A base-in -m conntrack --ctstate INVALID -j DROP",
            "-A rest-in -p 251 -j DROP",
        ] {
            assert_eq!(front(rule), [], "{name}: {rule}");
        }
    }
}

/// More rules and chains: in front of those of a chain that is there, or in a new one.
fn with(text: &str, rules: &[impl AsRef<str>]) -> String {
    let mut text = text.to_owned();
    let mut new: Vec<&str> = Vec::new();
    for rule in rules.iter().map(AsRef::as_ref) {
        let chain = rule.split(' ').nth(1).unwrap();
        let is_new = !text.contains(&format!(":{chain} "));
        if is_new {
            text = edited(&text, "*filter\n", &format!("*filter\n:{chain} - [0:0]\n"));
            new.push(chain);
        }
        let front = text.find(&format!("-A {chain} ")).filter(|_| !new.contains(&chain));
        text.insert_str(front.unwrap_or_else(|| text.rfind("COMMIT").unwrap()), &format!("{rule}\n"));
    }
    text
}

/// Chains that choose by ports, but not by these alone, tell one guest from others, and so do rules that leave a mark each time.
#[test]
fn guests_that_are_told_apart_behind_other_choices_are_found() {
    let (fleet, files) = compiled(&guests(6, "iptables"));
    let text = &*files.iter().find(|file| is(file, "iptables.rules")).unwrap().content;
    let found = |text: &str| found(&fleet, &files, "iptables.rules", text);
    let differs =
        |text: &str| assert!(found(text).iter().any(|doubt| matches!(doubt.why, Why::Differs { .. })), "{text}");
    let (own, other) = ("-m physdev --physdev-out tap105i0", "-m physdev --physdev-in tap105i0");
    for chain in ["FORWARD", "INPUT"] {
        differs(&with(
            text,
            &[
                format!("-A {chain} -j choice"),
                format!("-A choice -i vmbr0 {other} -j ACCEPT"),
                format!("-A choice -i vmbr1 {other} -j ACCEPT"),
            ],
        ));
        differs(&with(
            text,
            &[
                format!("-A {chain} -j choice"),
                format!("-A choice -d 203.0.113.1/32 {other} -g anything"),
                format!("-A choice -d 203.0.113.2/32 {other} -g anything"),
                "-A anything -j ACCEPT".to_owned(),
            ],
        ));
    }
    for choice in ["-i", "-o"] {
        differs(&with(
            text,
            &[
                "-A FORWARD -j choice".to_owned(),
                format!("-A choice {choice} vmbr0 -g port"),
                format!("-A choice {choice} vmbr1 -g port"),
                format!("-A port {own} -j DROP"),
                "-A port -m physdev --physdev-out tap999i0 -j RETURN".to_owned(),
            ],
        ));
    }
    differs(&with(
        text,
        &[
            "-A OUTPUT -j choice",
            "-A choice -o vmbr0 -d 10.0.1.6/32 -g anything",
            "-A choice -o vmbr0 -d 10.0.1.6/32 -g anything",
            "-A anything -p tcp -m tcp --dport 7 -j ACCEPT",
        ],
    ));
    // By bridge, from another tree: right for one guest, and for none that is like it.
    for (from, to, port) in [("bridged", "vm", "--physdev-out"), ("FORWARD", "tap", "--physdev-in")] {
        let end = |id: u8| if to == "vm" { format!("vm{id}-net0-in") } else { format!("tap{id}i0-out") };
        let mut rules = vec![format!("-A {from} -m physdev --physdev-is-bridged -j select")];
        let all = [(100, 100), (101, 100), (102, 100), (103, 103), (104, 103), (105, 103)];
        rules.extend(all.map(|(id, to)| format!("-A select -m physdev {port} tap{id}i0 -g middle-{to}")));
        for id in [100, 103] {
            rules.push(format!("-A middle-{id} -j choice-{id}"));
            rules.extend(["vmbr0", "vmbr9"].map(|bridge| format!("-A choice-{id} -i {bridge} -g {}", end(id))));
        }
        differs(&with(text, &rules));
    }
    let nics = || (100..106).flat_map(|id| [0, 1].map(|at| (id, format!("tap{id}i{at}"))));
    // By port, and then by bridge: only what is forwarded comes to its guest's rules another way.
    let bridged = edited(
        text,
        "-A FORWARD -m physdev --physdev-is-in -j from-guests",
        "-A FORWARD -m physdev --physdev-is-in ! --physdev-is-bridged -j from-guests",
    );
    for wrong in ["tap105i0", "none"] {
        let mut rules = vec![
            "-A FORWARD -m physdev --physdev-is-bridged -j from-bridges".to_owned(),
            "-A from-bridges -j MARK --set-xmark 0x0/0x80000000".to_owned(),
            "-A from-bridges -j from-each".to_owned(),
            "-A from-bridges -j MARK --set-xmark 0x0/0x80000000".to_owned(),
        ];
        for (_, nic) in nics() {
            rules.push(format!("-A from-each -m physdev --physdev-in {nic} -g {nic}-by-bridge"));
            let to = if nic == wrong { "-j ACCEPT".to_owned() } else { format!("-g {nic}-out") };
            rules.extend(["vmbr0", "vmbr1"].map(|bridge| format!("-A {nic}-by-bridge -i {bridge} {to}")));
        }
        assert_eq!(found(&with(&bridged, &rules)).is_empty(), wrong == "none", "{wrong}");
    }
    // Whoever is accepted in a chain that is jumped to comes back from it.
    let front = "-A vm105-out -j base-out\n-A vm105-out -m mark --mark 0x80000000/0x80000000 -j RETURN\n";
    let inside = edited(text, front, "-A vm105-out -j vm105-out-first\n");
    differs(&with(
        &inside,
        &["-A vm105-out-first -j base-out", "-A vm105-out-first -m mark --mark 0x80000000/0x80000000 -j RETURN"],
    ));
    // What is jumped to twice leaves twice what it leaves.
    for times in [1, 2] {
        let mut counted =
            with(text, &["-A count -m mark --mark 0x1/0x1 -j DROP", "-A count -j MARK --set-xmark 0x1/0x1"]);
        for (number, (id, nic)) in nics().enumerate() {
            let source = format!("10.{}.1.{}/32", number % 2, number / 2 + 1);
            let leads = format!("-A {nic}-out -s {source} -g vm{id}-out\n");
            let jumps = format!("-A {nic}-out -s {source} -j count\n");
            let jumps = jumps.repeat(if nic == "tap105i0" { times } else { 1 });
            counted =
                edited(&counted, &leads, &format!("{jumps}-A {nic}-out -m mark --mark 0x1/0x1 -g {nic}-counted\n"));
            let rules = ["-j MARK --set-xmark 0x0/0x1".to_owned(), format!("-g vm{id}-out")];
            counted = with(&counted, &[format!("-A {nic}-counted {}", rules[0])]);
            let last = format!("-A {nic}-counted {}\n", rules[0]);
            counted = edited(&counted, &last, &format!("{last}-A {nic}-counted {}\n", rules[1]));
        }
        let doubts = found(&counted);
        assert_eq!(doubts.is_empty(), times == 1, "{times}: {doubts:?}");
    }
}
