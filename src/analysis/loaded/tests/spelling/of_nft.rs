//! Of nft.

use super::*;

/// What a rule of nft asks in a table of a family.
pub(super) fn nft(family: &str, rule: &str) -> String {
    let text = format!(
        "table {family} t {{\n\
        set four {{ type ipv4_addr; flags interval; elements = {{ 10.0.0.0/24, 192.0.2.1 }}; }}\n\
        set none {{ type ipv4_addr; }}\n\
        set soon {{ type ipv4_addr; timeout 5s; elements = {{ 10.0.0.1 }}; }}\n\
        set filled {{ type ipv4_addr; flags dynamic; elements = {{ 10.0.0.1 }}; }}\n\
        set web {{ type inet_service; elements = {{ 80, 443 }}; }}\n\
        set names {{ type ifname; flags interval; elements = {{ \"eth0\", \"tap1*\" }}; }}\n\
        set kinds {{ type ether_type; elements = {{ 0x0800, 0x86dd }}; }}\n\
        set nics {{ type ifname . ipv4_addr; elements = {{ \"tap1\" . 10.0.0.1, \"tap2\" . 10.0.0.2, \"tap1\" . 10.0.0.2 }}; }}\n\
        set macs {{ type ifname . ether_addr; elements = {{ \"tap1\" . bc:24:11:00:00:64 }}; }}\n\
        set pairs {{ type ipv4_addr . inet_service; flags interval; elements = {{ 10.0.0.0/8 . 80-81, 10.0.0.1 . 22 }}; }}\n\
        set skipped {{ type inet_proto; elements = {{ 44 }}; }}\n\
        ct helper ftp-1 {{ type \"ftp\" protocol tcp; }}\n\
        chain c {{\n{rule}\n}}\n}}\n"
    );
    let ruleset = crate::state::nft::read(FileId(0), &text);
    assert_eq!(ruleset.unread, [], "{rule}");
    let (name, table) = ruleset.tables.first_key_value().unwrap();
    table.chains["c"].rules.iter().map(|rule| show(&asked(Program::Nft, &name.family, table, rule))).collect()
}

#[test]
fn nft_asks() {
    let cases = [
        ("accept", ""),
        ("ip saddr 10.0.0.0/8", "frame 800 src a000000-affffff"),
        ("ip saddr != 10.0.0.1", "frame 800 src 0-a000000,a000002-ffffffff"),
        (
            "ip6 daddr 2001:db8::1-2001:db8::3",
            "frame 86dd dst 20010db8000000000000000000000001-20010db8000000000000000000000003",
        ),
        ("ip daddr { 10.0.0.1, 10.0.0.5-10.0.0.6 }", "frame 800 dst a000001,a000005-a000006"),
        ("ip saddr & 255.0.0.0 == 10.0.0.0", "frame 800 src a000000-affffff"),
        ("ip saddr & 0.0.0.255 == 0.0.0.1", "? ip saddr & 0.0.0.255 0.0.0.1"),
        ("ip saddr @four", "frame 800 src a000000-a0000ff,c0000201"),
        ("ip daddr != @four", "frame 800 dst 0-9ffffff,a000100-c0000200,c0000202-ffffffff"),
        ("ip saddr @none", "never"),
        ("ip saddr != @none", "frame 800 src 0-ffffffff"),
        ("ip saddr @soon", "? ip saddr @soon"),
        ("ip saddr @filled", "? ip saddr @filled"),
        ("ip saddr @absent", "? ip saddr @absent"),
        ("ip saddr 10.0.0.1 ip6 saddr ::1", "never"),
        ("meta nfproto ipv4", "frame 800"),
        ("meta nfproto != ipv4", "frame 86dd"),
        ("meta nfproto ipv6 tcp dport 22", "frame 86dd proto 6 dport 16"),
        ("tcp dport 22", "frame 800,86dd proto 6 dport 16"),
        ("tcp dport != 22", "frame 800,86dd proto 6 dport 0-15,17-ffff"),
        ("udp sport < 1024", "frame 800,86dd proto 11 sport 0-3ff"),
        ("tcp dport @web", "frame 800,86dd proto 6 dport 50,1bb"),
        ("sctp dport 1", "frame 800,86dd proto 84 dport 1"),
        ("dccp sport 1", "frame 800,86dd proto 21 sport 1"),
        ("udplite dport 1-2", "frame 800,86dd proto 88 dport 1-2"),
        ("meta l4proto { tcp, udp } th dport 53", "frame 800,86dd proto 6,11 dport 35"),
        ("th dport 53", "? th dport 53"),
        ("meta l4proto 47 th dport 53", "frame 800,86dd proto 2f; ? th dport 53"),
        ("meta l4proto 89", "frame 800,86dd proto 59"),
        ("meta l4proto != tcp", "frame 800,86dd proto 0-5,7-ff"),
        // A listing would not say whether the family is asked for.
        ("meta l4proto icmp", "? meta l4proto icmp"),
        ("meta nfproto ipv4 meta l4proto icmp", "frame 800 proto 1"),
        ("ip saddr 10.0.0.1 meta l4proto icmp", "frame 800 proto 1 src a000001"),
        // Of IPv6 packets it sees what is behind this header.
        ("meta l4proto 44", "? meta l4proto 44"),
        ("meta nfproto ipv4 meta l4proto 44", "frame 800 proto 2c"),
        ("ip protocol 44", "frame 800 proto 2c"),
        ("ip6 nexthdr tcp", "? ip6 nexthdr tcp"),
        ("icmp type echo-request", "frame 800 proto 1 icmp 800-8ff"),
        ("ip saddr 10.0.0.1 icmp type 8", "frame 800 proto 1 icmp 800-8ff src a000001"),
        // nft asks for no family beside the protocol, and for none of both where another is named.
        ("meta l4proto icmp icmp type 8", "? icmp type echo-request; ? meta l4proto icmp"),
        ("meta nfproto ipv4 meta l4proto icmp icmp type 8", "frame 800 proto 1 icmp 800-8ff"),
        ("meta nfproto ipv6 icmp type 8", "frame 86dd; ? icmp type echo-request"),
        ("icmp type != echo-request", "frame 800 proto 1 icmp 0-7ff,900-ffff"),
        ("icmp type 3 icmp code 4", "frame 800 proto 1 icmp 304"),
        ("icmpv6 type { 135, 136 }", "frame 86dd proto 3a icmp 8700-88ff"),
        ("tcp flags & (fin|syn|rst|ack) == syn", "frame 800,86dd proto 6 flags 80-8f"),
        ("tcp flags & (fin|syn|rst|ack) != syn", "frame 800,86dd proto 6 flags 0-7f,90-ff"),
        ("tcp flags == syn", "frame 800,86dd proto 6 flags 80"),
        ("tcp flags syn / fin,syn", "frame 800,86dd proto 6 flags 80-bf"),
        ("ct state established,related", "frame 800,86dd state 1-2"),
        ("ct state { new, invalid }", "frame 800,86dd state 0,3"),
        ("ct state invalid", "frame 800,86dd state 3"),
        ("ct state != new", "frame 800,86dd state 1-3"),
        ("ct state new,untracked", "? ct state new,untracked"),
        ("meta mark 5", "mark 5/ffffffff"),
        ("meta mark & 0x60000000 == 0", "mark 0/60000000"),
        ("meta mark & 0x40000000 == 0x40000000", "mark 40000000/40000000"),
        ("meta mark & 0x40000000 == 0", "mark not 40000000/40000000"),
        ("meta mark & 0x40000000 == 1", "never"),
        ("meta mark { 1, 2 }", "? meta mark 0x1-0x2"),
        ("iifname \"eth0\"", "in eth0"),
        ("oifname != { \"eth0\", \"tap1*\" }", "out not eth0,tap1*"),
        ("iifname @names", "in eth0,tap1*"),
        ("iifname \"tap\\*\"", "? iifname tap\\*"),
        ("iif lo", "in lo"),
        ("iif != lo", "? iif != lo"),
        ("iif eth0", "? iif eth0"),
        (
            "iifname . ip saddr @nics",
            "in [tap1: frame 800 src a000001-a000002, tap2: frame 800 src a000002] of [frame 800]",
        ),
        ("iifname . ip saddr != { \"a\" . 10.0.0.1 }", "in not [a: frame 800 src a000001] of [frame 800]"),
        ("iifname . oifname { \"a\" . \"b\" }", "? iifname . oifname a . b"),
        (
            "ip saddr . tcp dport @pairs",
            "frame 800 proto 6 src a000000-affffff dport 50-51 | frame 800 proto 6 src a000001 dport 16",
        ),
        ("ip saddr . tcp dport != @pairs", "? ip saddr . tcp dport != @pairs"),
        ("ether saddr 00:00:00:00:00:01", "? ether saddr 00:00:00:00:00:01"),
        ("fib daddr type local", "? fib daddr type local"),
        ("reject with tcp reset", "frame 800,86dd proto 6"),
        ("meta nfproto ipv4 reject with tcp reset", "frame 800 proto 6"),
        ("reject", ""),
        ("reject with icmp type host-prohibited", "frame 800"),
        ("reject with icmpv6 type admin-prohibited", "frame 86dd"),
    ];
    check(&cases, |rule| nft("inet", rule));
    let own = [
        ("meta l4proto icmp", "frame 800,86dd proto 1"),
        ("icmp type 8", "frame 800 proto 1 icmp 800-8ff"),
        ("icmpv6 type 8", "frame 800 proto 3a icmp 800-8ff"),
        ("meta protocol ip", "frame 800"),
    ];
    check(&own, |rule| nft("ip", rule));
    check(&[("ip saddr 10.0.0.1", "? ip saddr 10.0.0.1")], |rule| nft("netdev", rule));
}

/// What a set means may depend on the rule.
#[test]
fn a_set_is_read_for_each_family() {
    let both = "meta nfproto ipv4 meta l4proto @skipped accept\nmeta l4proto @skipped accept";
    assert_eq!(nft("inet", both), "frame 800 proto 2c? meta l4proto @skipped");
}

#[test]
fn nft_asks_in_bridges() {
    let cases = [
        ("meta protocol arp", "frame 806"),
        ("meta protocol != @kinds", "frame 0-7ff,801-86dc,86de-ffff"),
        ("ether type 0x88a8", "outer 88a8"),
        ("ether type != { ip, arp }", "outer 0-7ff,801-805,807-ffff"),
        ("ether type @kinds", "outer 800,86dd"),
        ("ether saddr != 00:00:00:00:00:01", "mac 1,3-1000000000000"),
        ("iifname . ether saddr != @macs", "in not [tap1: mac bc2411000065] of []"),
        (
            "meta protocol arp iifname . arp saddr ether != @macs",
            "frame 806; in not [tap1: frame 806 arp-mac bc2411000065] of [frame 806]",
        ),
        ("meta protocol arp arp saddr ip 10.0.0.1", "frame 806 src a000001"),
        ("meta protocol arp arp saddr ether != 00:00:00:00:00:01", "frame 806 arp-mac 1,3-1000000000000"),
        // Without the protocol it would be asked for the frame's outer one; a listing would not say which.
        ("arp saddr ip 10.0.0.1", "? arp saddr ip 10.0.0.1; outer 806"),
        ("icmp type 8", "? icmp type echo-request; outer 800"),
        ("icmp type 8 ip saddr 10.0.0.1", "frame 800 proto 1 icmp 800-8ff src a000001; outer 800"),
        ("icmp type 8 meta protocol ip", "frame 800 proto 1 icmp 800-8ff; outer 800"),
        ("meta protocol ip icmp type 8", "frame 800 proto 1 icmp 800-8ff"),
        ("ip saddr 10.0.0.1 icmp type 8", "frame 800 proto 1 icmp 800-8ff src a000001"),
        ("ether type ip ip saddr 10.0.0.1", "frame 800 src a000001; outer 800"),
        ("meta l4proto icmp", "? meta l4proto icmp"),
        ("tcp dport 22", "frame 800,86dd proto 6 dport 16"),
        // Connections of other frames are not tracked: these are invalid.
        ("ct state invalid", "frame 800,86dd state 3 | frame 0-7ff,801-86dc,86de-ffff"),
        ("ct state new", "frame 800,86dd state 0"),
        ("meta ibrname \"vmbr0\"", "bridge vmbr0"),
        ("meta obrname != \"vmbr0\"", "bridge not vmbr0"),
        ("ether daddr 00:00:00:00:00:01", "? ether daddr 00:00:00:00:00:01"),
        ("meta nfproto ipv4", "? meta nfproto ipv4"),
        ("reject with icmpx port-unreachable", ""),
    ];
    check(&cases, |rule| nft("bridge", rule));
}

#[test]
fn nft_does() {
    let cases = [
        ("limit rate 5/second burst 10 packets log prefix \":100:6:x: \" group 0", "> log info"),
        ("log prefix \"mine\" group 0", "? log prefix \"mine\" group 0 > ? log prefix \"mine\" group 0"),
        ("log prefix \"x level debug\"", "> log warning"),
        ("log prefix \"x\" level debug accept", "> log debug"),
        ("log level audit", "? log level audit > ? log level audit"),
        ("limit rate 5/second log prefix \"x\" accept", "? limit rate 5/second burst 5 packets > log warning"),
        ("limit rate over 5/second log level info", "? limit rate over 5/second burst 5 packets > log info"),
        ("limit rate 5/second accept", "? limit rate 5/second burst 5 packets"),
        ("meta mark set 5", "> mark & 0 ^ 5"),
        ("meta mark set meta mark | 0x10", "> mark & ffffffef ^ 10"),
        ("meta mark set meta mark & 0xefffffff | 0x20000000", "> mark & cfffffff ^ 20000000"),
        ("meta mark set meta mark ^ 0x10", "> mark & ffffffff ^ 10"),
        (
            "meta mark set meta mark | 0x1 & 0x2",
            "? meta mark set meta mark | 0x1 & 0x2 > ? meta mark set meta mark | 0x1 & 0x2",
        ),
        ("meta mark set ct mark", "? meta mark set ct mark > ? meta mark set ct mark"),
        ("ct helper set \"ftp-1\"", "> helper ftp"),
        ("ct helper set \"no\"", "? ct helper set no > ? ct helper set no"),
        (
            "update @filled { ip saddr limit rate over 200/second burst 1000 packets } drop",
            "frame 800; above 200/second burst 1000 by ipv4 source /32",
        ),
        (
            "update @filled { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 2/minute burst 3 packets } drop",
            "frame 86dd; above 2/minute burst 3 by ipv6 source /64",
        ),
        (
            "update @filled { ip saddr limit rate 2/second burst 3 packets } drop",
            "? update @filled { ip saddr limit rate 2/second burst 3 packets } \
             > ? update @filled { ip saddr limit rate 2/second burst 3 packets }",
        ),
        ("counter name hits accept", ""),
        ("counter packets 1 bytes 2 accept", ""),
        ("notrack", "? notrack > ? notrack"),
    ];
    check(&cases, |rule| nft("inet", rule));
}

/// Verdicts that are looked up, each in one line.
fn cases(family: &str, rule: &str) -> Vec<String> {
    let text = format!(
        "table {family} t {{\n\
        map to {{ type ifname : verdict; elements = {{ \"tap1\" : goto a, \"tap2\" : jump b }}; }}\n\
        map wild {{ type ifname : verdict; elements = {{ \"tap1*\" : goto a }}; }}\n\
        map soon {{ type ifname : verdict; timeout 5s; elements = {{ \"tap1\" : goto a }}; }}\n\
        chain c {{\n{rule}\n}}\n}}\n"
    );
    let ruleset = crate::state::nft::read(FileId(0), &text);
    let (name, table) = ruleset.tables.first_key_value().unwrap();
    match Words::new(&name.family, table).cases(&table.chains["c"].rules[0]) {
        None => vec![],
        Some(Cases::Opaque) => vec!["?".into()],
        Some(Cases::Port { port, entries }) => {
            entries.iter().map(|(name, verdict)| format!("{port:?} {name}: {verdict}")).collect()
        }
        Some(Cases::Packet(all)) => {
            let one = |(conditions, verdict): &(Vec<Condition>, Verdict)| {
                format!("{}: {verdict}", conditions.iter().map(condition).collect::<Vec<_>>().join("; "))
            };
            all.iter().map(one).collect()
        }
    }
}

#[test]
fn verdicts_are_looked_up() {
    assert_eq!(cases("inet", "iifname vmap @to"), ["In tap1: goto a", "In tap2: jump b"]);
    assert_eq!(cases("bridge", "meta obrname vmap { \"br\" : drop }"), ["Bridge br: drop"]);
    assert_eq!(cases("inet", "iifname vmap @wild"), ["?"]);
    assert_eq!(cases("inet", "iifname vmap @absent"), ["?"]);
    assert_eq!(cases("inet", "iifname vmap @soon"), ["?"]);
    assert_eq!(cases("inet", "iifname vmap { \"a\" : drop, * : accept }"), ["?"]);
    let ports = ["frame 800,86dd proto 6 dport 16: accept", "frame 800,86dd proto 6 dport 50-51: drop"];
    assert_eq!(cases("inet", "tcp dport vmap { 22 : accept, 80-81 : drop }"), ports);
    assert_eq!(cases("inet", "ip protocol vmap { tcp : jump a }"), ["frame 800 proto 6: jump a"]);
    let states = ["frame 800,86dd state 1: accept", "frame 800,86dd state 3 | frame 0-7ff,801-86dc,86de-ffff: drop"];
    assert_eq!(cases("bridge", "ct state vmap { established : accept, invalid : drop }"), states);
    assert_eq!(cases("inet", "ip saddr . tcp dport vmap { 10.0.0.1 . 22 : accept }"), ["?"]);
    assert_eq!(cases("inet", "meta mark vmap { 1 : accept }"), ["?"]);
    assert_eq!(cases("inet", "meta l4proto vmap { icmp : accept }"), ["frame 800,86dd proto 1: accept"]);
    assert_eq!(cases("inet", "accept"), [""; 0]);
}
