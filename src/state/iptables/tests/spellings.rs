use super::*;
use Program::{Ebtables, Ip6tables, Iptables};

#[track_caller]
fn same(program: Program, a: &str, b: &str) {
    assert_eq!(rules(program, a), rules(program, b), "{a}\n{b}");
}

#[track_caller]
fn other(program: Program, a: &str, b: &str) {
    assert_ne!(rules(program, a), rules(program, b), "{a}\n{b}");
}

#[test]
fn spellings_of_one_rule_are_one() {
    for (a, b) in [
        ("-p tcp --dport 22 -s 10.0.0.1 -j ACCEPT", "-s 10.0.0.1/32 -p tcp -m tcp --dport 22 -j ACCEPT"),
        ("-p tcp --dport ssh -j ACCEPT", "--protocol 6 --destination-port 22 --jump ACCEPT"),
        ("-p tcp -m multiport --dports 22 -j ACCEPT", "-p tcp -m tcp --dport 22 -j ACCEPT"),
        ("-p tcp -m multiport --dports 443,80,81", "-p tcp -m multiport --dports 80:81,443"),
        ("-p udp --sport :1023", "-p udp -m udp --sport 0:1023"),
        ("-p tcp -m tcp --dport :", "-p tcp -m tcp"),
        ("-p tcp --syn -j DROP", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"),
        ("-p tcp --tcp-flags ALL NONE", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE"),
        ("-p tcp --tcp-flags ACK,SYN SYN", "-p tcp --tcp-flags SYN,ACK SYN"),
        ("-m limit --limit 1/second --limit-burst 5 -j NFLOG", "-m limit --limit 1/sec -j NFLOG --nflog-group 0"),
        ("-m limit", "-m limit --limit 3/hour --limit-burst 5"),
        ("-m limit --limit 7000/hour", "-m limit --limit 7001/hour"),
        ("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"),
        ("-j REJECT --reject-with net-prohib", "-j REJECT --reject-with icmp-net-prohibited"),
        ("-p icmp --icmp-type echo-request -j DROP", "-p 1 -m icmp --icmp-type 8 -j DROP"),
        ("-p icmp --icmp-type 255", "-p icmp -m icmp --icmp-type any"),
        ("-p icmp --icmp-type network-unreachable", "-p icmp -m icmp --icmp-type 3/0"),
        ("-s 10.0.0.9/255.255.255.0", "-s 10.0.0.0/24"),
        ("-s 0.0.0.0/0 -i + -p all -j c", "-j c"),
        ("! -s 10.0.0.1 -j DROP", "-s ! 10.0.0.1/32 -j DROP"),
        ("-m state --state NEW,RELATED", "-m conntrack --ctstate RELATED,NEW"),
        ("-m mark --mark 16", "-m mark --mark 0x10/0xFFFFFFFF"),
        ("-j MARK --set-mark 5", "-j MARK --set-xmark 0x5/0xffffffff"),
        ("-j MARK --or-mark 0xF", "-j MARK --set-xmark 0xf/0xf"),
        ("-j MARK --and-mark 0xF", "-j MARK --set-xmark 0x0/0xfffffff0"),
        ("-j CONNMARK --save-mark", "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"),
        ("-j CONNMARK --restore-mark --mask 0xff", "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff"),
        ("-j LOG --log-level warning --log-prefix \"a b\"", "-j LOG --log-prefix \"a b\""),
        ("-j LOG --log-level info", "-j LOG --log-level 6"),
        ("-j NFQUEUE", "-j NFQUEUE --queue-num 0"),
        ("-j NOTRACK", "-j CT --notrack"),
        ("-m mac --mac-source BC:24:11:00:00:64", "-m mac --mac-source bc:24:11:00:00:64"),
        ("-p 89 -j c", "-p ospf -j c"),
        ("-p 3 -j c", "-p ggp -j c"),
        ("-p vrrp -m comment --comment x", "-m comment --comment \"x\" -p 112"),
        ("-c 12 3456 -j c", "-j c"),
        (
            "-i eth0 -m mac --mac-source 00:11:22:33:44:55 -o eth1",
            "-o eth1 -i eth0 -m mac --mac-source 00:11:22:33:44:55",
        ),
        ("-j c -p tcp --dport 1", "-p tcp --dport 1 -j c"),
        ("-m iprange --src-range 1.1.1.1", "-m iprange --src-range 1.1.1.1-1.1.1.1"),
        (
            "-m hashlimit --hashlimit 10/min --hashlimit-name x",
            "-m hashlimit --hashlimit-upto 10/min --hashlimit-burst 5 --hashlimit-name x --hashlimit-htable-expire 60000",
        ),
        (
            "-m hashlimit --hashlimit-name x --hashlimit-mode dstip,srcip --hashlimit-above 1/s --hashlimit-srcmask 32",
            "-m hashlimit --hashlimit-above 1/sec --hashlimit-burst 5 --hashlimit-mode srcip,dstip --hashlimit-name x",
        ),
        // As it is listed: the rate in seconds, and so the minute that nobody wrote.
        (
            "-m hashlimit --hashlimit-upto 60/min --hashlimit-name x",
            "-m hashlimit --hashlimit-upto 1/sec --hashlimit-name x --hashlimit-htable-expire 60000",
        ),
    ] {
        same(Iptables, a, b);
    }
}

#[test]
fn spellings_of_ipv6_are_one() {
    same(Ip6tables, "-p icmpv6 --icmpv6-type router-solicitation", "-p ipv6-icmp -m icmp6 --icmpv6-type 133");
    same(Ip6tables, "-s 2001:DB8:0:0::1 -d 2001:db8:1::/32", "-d 2001:db8::/32 -s 2001:db8::1/128");
    same(Ip6tables, "-j REJECT", "-j REJECT --reject-with icmp6-port-unreachable");
    same(Ip6tables, "-s ::/0 -j REJECT --reject-with adm-prohibited", "-j REJECT --reject-with icmp6-adm-prohibited");
    other(Ip6tables, "-m ah -j DROP", "-j DROP");
}

#[test]
fn spellings_of_frames_are_one() {
    for (a, b) in [
        ("-s ! bc:24:11:0:0:64 -j DROP", "-s ! BC:24:11:00:00:64 -j DROP"),
        ("-p ! IPv4 -j c", "! -p 0x0800 -j c"),
        ("-p 0x88a8 -j DROP", "-p S-TAG -j DROP"),
        ("-p LENGTH -j DROP", "-p Length -j DROP"),
        ("-p 802_1Q --vlan-encap 0800 -j c", "-p 0x8100 --vlan-encap IPv4 -j c"),
        ("-i eth0", "-i eth0 -j CONTINUE"),
        ("-s 00:11:22:33:44:55/ff:ff:ff:00:00:00", "-s 00:11:22:00:00:00/ff:ff:ff:00:00:00"),
        ("-p IPv4 --ip-proto 6 --ip-destination-port 80:90", "-p IPv4 --ip-dport 80:90 --ip-proto tcp"),
        ("--limit 10/minute -p ARP", "-p ARP --limit 10/min --limit-burst 5"),
        ("--log -j c", "--log-level notice -j c"),
        ("-p ARP --arp-ip-src 10.0.0.1", "--arp-ip-src 10.0.0.1/32 -p ARP"),
    ] {
        same(Ebtables, a, b);
    }
    other(Ebtables, "-s ! bc:24:11:00:00:64 -j DROP", "-s bc:24:11:00:00:64 -j DROP");
    other(Ebtables, "-p 802_1Q --vlan-encap 0800 -j DROP", "-p 802_1Q --vlan-encap 0806 -j DROP");
    other(Ebtables, "-j mark --mark-set 0x1", "-j mark --mark-set 0x2");
    other(Ebtables, "--log-prefix a -j c", "--log-prefix b -j c");
}

#[test]
fn other_rules_are_others() {
    for (a, b) in [
        ("-p tcp --dport 22 -j ACCEPT", "-p tcp --dport 23 -j ACCEPT"),
        ("-p tcp --dport 22 -j ACCEPT", "-p tcp --sport 22 -j ACCEPT"),
        ("-p tcp --dport 22 -j ACCEPT", "-p udp --dport 22 -j ACCEPT"),
        ("-p tcp -m multiport --ports 22", "-p tcp --dport 22"),
        ("-s 10.0.0.1 -j ACCEPT", "-j ACCEPT"),
        ("! -s 10.0.0.1 -j ACCEPT", "-s 10.0.0.1 -j ACCEPT"),
        ("! -s 0.0.0.0/0 -j ACCEPT", "-j ACCEPT"),
        ("-p 0 -j ACCEPT", "-j ACCEPT"),
        ("-m limit --limit 1/sec -j NFLOG", "-m limit --limit 1/min -j NFLOG"),
        ("-m physdev --physdev-is-in -j c", "-j c"),
        ("-m physdev --physdev-is-in -j c", "-m physdev ! --physdev-is-in -j c"),
        ("-m socket -j c", "-j c"),
        ("-m tcp -p tcp", "-p tcp"),
        ("-p tcp -m udp --dport 22", "-p tcp -m tcp --dport 22"),
        ("-j c", "-g c"),
        ("-j c", "-j d"),
        ("-j ACCEPT", "-j ACCEPT --unheard-of 1"),
        ("-m unheard --of 1", "-m unheard --of 2"),
        ("-m unheard --of -1", "-m unheard --of"),
        ("-m unheard ! --of 1", "-m unheard --of 1"),
        ("-m mark --mark 1", "-m connmark --mark 1"),
        ("-m mark --mark 1 -m connmark --mark 2", "-m mark --mark 2 -m connmark --mark 1"),
        ("-m set --match-set a src", "-m set --match-set a dst"),
        ("-m set --match-set a src", "-m set --match-set a src --return-nomatch"),
        (
            "-m recent --name a --rcheck -m recent --name b --set",
            "-m recent --name b --rcheck -m recent --name a --set",
        ),
        // What is counted: all packets, or the new ones.
        ("-m limit --limit 1/s -m conntrack --ctstate NEW", "-m conntrack --ctstate NEW -m limit --limit 1/s"),
        ("-j LOG --log-prefix a", "-j LOG --log-prefix b"),
        ("-j MARK --set-xmark 0x1/0x1", "-j MARK --set-xmark 0x1"),
        ("-j MARK --set-mark 0x10/0xf", "-j MARK --set-xmark 0x10/0xf"),
        ("-j DNAT --to-destination 10.0.0.1", "-j DNAT --to-destination 10.0.0.2"),
        ("-m comment --comment a", "-m comment --comment b"),
        ("-m statistic --mode nth --every 3 --packet 0", "-m statistic --mode nth --every 3 --packet 1"),
    ] {
        other(Iptables, a, b);
    }
}

#[test]
fn a_rule_becomes_what_the_model_says() {
    let text = "! -s 10.0.0.1 -p tcp -m multiport --dports 80,443,8000:8099 -m set --match-set a src \
                -m limit --limit 10/min -m comment --comment \"a \\\"b\\\"\" -j NFLOG --nflog-prefix \"x: \"";
    let found = rule(Iptables, text);
    let test = |key: &str, negated, value| Test { key: key.into(), negated, value };
    let ports = ["443", "80", "8000-8099"].map(str::to_owned).into();
    assert_eq!(
        found.tests,
        [
            test("-s", true, Value::One("10.0.0.1".into())),
            test("-p", false, Value::One("tcp".into())),
            test("--dport", false, Value::Any(ports)),
            test("--match-set src", false, Value::Set("a".into())),
        ]
    );
    assert_eq!(found.statements, ["-m limit --limit 10/minute --limit-burst 5", "-j NFLOG --nflog-prefix \"x: \"",]);
    assert_eq!((found.verdict, found.comment.as_deref()), (Verdict::Continue, Some("a \"b\"")));
}

#[test]
fn verdicts_are_told_from_chains_and_extensions() {
    let verdict = |text| rule(Iptables, text).verdict;
    assert_eq!(verdict("-j RETURN"), Verdict::Return);
    assert_eq!(verdict("-j log"), Verdict::Jump("log".into()));
    assert_eq!(verdict("-g c"), Verdict::Goto("c".into()));
    assert_eq!(verdict("-p tcp -j REJECT --reject-with tcp-rst"), Verdict::Reject("tcp-reset".into()));
    assert_eq!(verdict("-j MASQUERADE"), Verdict::Other("-j MASQUERADE".into()));
    assert_eq!(
        verdict("-j DNAT --to-destination 1.1.1.1:80"),
        Verdict::Other("-j DNAT --to-destination 1.1.1.1:80".into())
    );
    assert_eq!(verdict("-j UNHEARD --of x"), Verdict::Other("-j UNHEARD --of x".into()));
    assert_eq!(verdict("-p tcp"), Verdict::Continue);
    // An option behind a chain's name is a test.
    assert_eq!(verdict("-j c --unheard-of 1"), Verdict::Jump("c".into()));
}

#[test]
fn a_list_of_networks_is_a_rule_for_each() {
    let listed = rules(Iptables, "-s 10.0.0.1,10.1.0.0/16 -d 10.2.0.1,10.2.0.2 -j ACCEPT");
    assert_eq!(listed.len(), 4);
    assert_eq!(listed, rules(Iptables, "-d 10.2.0.1,10.2.0.2 -s 10.0.0.1,10.1.0.0/16 -j ACCEPT"));
    assert_eq!(listed[2], rule(Iptables, "-s 10.1.0.0/16 -d 10.2.0.1 -j ACCEPT"));
}

#[test]
fn text_that_looks_like_an_option_is_text() {
    assert_eq!(rule(Iptables, "-m comment --comment --dport -j c").comment.as_deref(), Some("--dport"));
    assert_eq!(rule(Iptables, "-m comment --comment \"-j DROP\" -j c").verdict, Verdict::Jump("c".into()));
    assert_eq!(rule(Iptables, "-m comment --comment ! -j c").comment.as_deref(), Some("!"));
    assert_eq!(rule(Iptables, "-m comment --comment \"\"").comment.as_deref(), Some(""));
    assert_eq!(
        rule(Iptables, "-m comment --comment \"zurück \\\\ \\'x\\'\"").comment.as_deref(),
        Some("zurück \\ 'x'")
    );
}
