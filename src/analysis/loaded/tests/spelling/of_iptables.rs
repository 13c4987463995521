//! Of iptables and ip6tables.

use super::*;

/// What the rules of a chain of iptables ask; `ipsets` are its sets.
pub(super) fn iptables(program: Program, rule: &str) -> String {
    let ipsets = "create four hash:net family inet\nadd four 10.0.0.0/24\nadd four 192.0.2.1\n\
        create ips hash:ip netmask 24\nadd ips 10.1.2.3\n\
        create soon hash:net timeout 60\nadd soon 10.0.0.1\n\
        create holes hash:net\nadd holes 10.0.0.0/8\nadd holes 10.1.0.0/16 nomatch\n\
        create pairs hash:net,port\nadd pairs 10.0.0.0/8,tcp:80\n\
        create six hash:net family inet6\nadd six 2001:db8::/32\n";
    let text = format!("*filter\n:c - [0:0]\n-A c {rule}\nCOMMIT\n");
    let mut ruleset = crate::state::iptables::read(FileId(0), &text, program);
    assert_eq!(ruleset.unread, [], "{rule}");
    let table = ruleset.tables.values_mut().next().unwrap();
    table.sets = crate::state::ipset::read(FileId(0), ipsets).0;
    table.chains["c"].rules.iter().map(|rule| show(&asked(program, "", table, rule))).collect::<Vec<_>>().join("\n")
}

#[test]
fn iptables_asks() {
    let cases = [
        ("-j ACCEPT", ""),
        ("-s 10.0.0.0/8 -j DROP", "src a000000-affffff"),
        ("! -d 10.0.0.1 -j DROP", "dst 0-a000000,a000002-ffffffff"),
        ("-s 10.0.0.0/255.0.255.0 -j DROP", "? -s 10.0.0.0/255.0.255.0"),
        ("! -s 0.0.0.0/0 -j DROP", "never"),
        ("-m iprange ! --src-range 0.0.0.5-255.255.255.254", "src 0-4,ffffffff"),
        ("-m set --match-set four src", "src a000000-a0000ff,c0000201"),
        ("-m set ! --match-set four dst", "dst 0-9ffffff,a000100-c0000200,c0000202-ffffffff"),
        ("-m set --match-set ips src", "src a010200-a0102ff"),
        ("-m set --match-set soon src", "? --match-set src @soon"),
        ("-m set --match-set holes src", "? --match-set src @holes"),
        ("-m set --match-set pairs src,dst", "? --match-set src,dst @pairs"),
        ("-m set --match-set pairs src", "? --match-set src @pairs"),
        ("-m set --match-set six src", "? --match-set src @six"),
        ("-m set --match-set none src", "? --match-set src @none"),
        ("-p tcp", "proto 6"),
        ("! -p 47", "proto 0-2e,30-ff"),
        ("-p 0", "? -p 0"),
        ("-p 51", "proto 33"),
        ("-p tcp -m tcp --dport 80:81", "proto 6 dport 50-51"),
        ("-p tcp -m tcp ! --sport 80", "proto 6 sport 0-4f,51-ffff"),
        ("-p sctp -m sctp --dport 80", "proto 84 dport 50"),
        ("-p udplite -m multiport --sports 1,3:4", "proto 88 sport 1,3-4"),
        ("-p dccp -m dccp --sport 7", "proto 21 sport 7"),
        ("-p tcp -m multiport ! --dports 1,3", "proto 6 dport 0,2,4-ffff"),
        ("-p tcp -m multiport --ports 1", "proto 6; proto 6 sport 1 | proto 6 dport 1"),
        ("-p tcp -m multiport ! --ports 1", "proto 6 dport 0,2-ffff sport 0,2-ffff"),
        ("-p 50 -m multiport --ports 1", "proto 32; ? --ports 1"),
        ("! -p tcp -m multiport --dports 1", "proto 0-5,7-ff; ? --dport 1"),
        ("-p tcp -m udp --dport 1", "proto 6 dport 1; ? -m udp"),
        ("-p icmp -m icmp --icmp-type 8", "proto 1 icmp 800-8ff"),
        ("-p icmp -m icmp --icmp-type 3/4", "proto 1 icmp 304"),
        ("-p icmp -m icmp --icmp-type any", "proto 1 icmp 0-ffff"),
        ("-p icmp -m icmp ! --icmp-type 255", "never"),
        ("-p icmp -m icmp ! --icmp-type 0", "proto 1 icmp 100-ffff"),
        ("-p tcp -m tcp --syn", "proto 6 flags 80-8f"),
        ("-p tcp -m tcp ! --tcp-flags SYN,RST SYN,RST", "proto 6 flags 0-9f,c0-df"),
        ("-p tcp -m tcp --tcp-flags ALL NONE", "proto 6 flags 0-3"),
        ("-p tcp -m tcp --tcp-flags SYN SYN,RST", "never"),
        ("-m conntrack --ctstate NEW,RELATED", "state 0,2"),
        ("-m state --state INVALID", "state 3"),
        ("-m conntrack ! --ctstate NEW", "state 1-3"),
        ("-m conntrack --ctstate NEW,DNAT", "? --ctstate DNAT,NEW"),
        ("-m conntrack --ctstate UNTRACKED", "? --ctstate UNTRACKED"),
        ("-m conntrack --ctstate NEW --ctorigdst 10.0.0.1", "state 0; ? --ctorigdst 10.0.0.1"),
        ("-i eth0 -o tap+", "in eth0; out tap*"),
        ("! -i lo", "in not lo"),
        ("! -o +", "never"),
        ("-m physdev --physdev-in tap1+ --physdev-is-in", "bridge-in tap1*; from bridge"),
        ("-m physdev ! --physdev-out tap1 --physdev-is-bridged", "bridged; bridge-out not tap1"),
        ("-m physdev ! --physdev-is-out", "not to bridge"),
        ("-m mac --mac-source 00:00:00:00:00:00", "mac 1"),
        ("-m mac ! --mac-source FF:FF:FF:FF:FF:FF", "mac 1-ffffffffffff"),
        ("-m mark --mark 0x80000000/0x80000000", "mark 80000000/80000000"),
        ("-m mark ! --mark 5", "mark not 5/ffffffff"),
        ("-m mark --mark 0xf/0xf0", "never"),
        ("-m mark ! --mark 0xf/0xf0", ""),
        ("-m connmark --mark 5", "? -m connmark --mark 0x5"),
        ("-m addrtype --dst-type LOCAL", "? --dst-type LOCAL"),
        ("-m pkttype --pkt-type broadcast", "? --pkt-type broadcast"),
        ("-m comment --comment what -j ACCEPT", ""),
        ("-m ah", "? -m ah"),
        ("-f", "? -f"),
    ];
    check(&cases, |rule| iptables(Program::Iptables, rule));
}

#[test]
fn ip6tables_asks() {
    let cases = [
        ("-s 2001:db8::/32", "src 20010db8000000000000000000000000-20010db8ffffffffffffffffffffffff"),
        ("! -d ::", "dst 1-ffffffffffffffffffffffffffffffff"),
        ("-m set --match-set six src", "src 20010db8000000000000000000000000-20010db8ffffffffffffffffffffffff"),
        ("-m set --match-set four src", "? --match-set src @four"),
        ("-p ipv6-icmp -m icmp6 --icmpv6-type 135", "proto 3a icmp 8700-87ff"),
        ("-p ipv6-icmp -m icmp6 --icmpv6-type 255", "proto 3a icmp ff00-ffff"),
        ("-p ipv6-icmp -m icmp6 ! --icmpv6-type 1/4", "proto 3a icmp 0-103,105-ffff"),
        ("-m ah", "proto 33"),
        ("-m ah --ahspi 5", "? -m ah --ahspi 5"),
        // Never true: ip6tables looks at what is behind these headers.
        ("-p 51", "? -p ah"),
        ("! -p 60", "? ! -p 60"),
        ("-p icmp", "proto 1"),
    ];
    check(&cases, |rule| iptables(Program::Ip6tables, rule));
}

#[test]
fn iptables_does() {
    let limit = "-m limit --limit 5/second --limit-burst 10";
    let above =
        "-m hashlimit --hashlimit-above 200/second --hashlimit-burst 1000 --hashlimit-mode srcip --hashlimit-name x";
    let cases = [
        ("-j NFLOG --nflog-group 0 --nflog-prefix \":100:6:tap100i0-OUT: ACCEPT: \"", "> log info"),
        ("-j NFLOG --nflog-prefix \"mine \"", "> ? -j NFLOG --nflog-prefix \"mine \""),
        ("-j LOG", "> log warning"),
        ("-j LOG --log-level 7 --log-prefix \"a b\"", "> log debug"),
        ("-j LOG --log-prefix \"x --log-level 3 \"", "> log warning"),
        (&format!("-p tcp {limit} -j LOG --log-level 6"), "proto 6 > log info"),
        ("-m limit ! --limit 5/second -j LOG", "? -m limit ! --limit 5/second > log warning"),
        (&format!("{limit} -j ACCEPT"), &format!("? {limit}")),
        (&format!("{limit} -j MARK --set-mark 1"), &format!("? {limit} > mark & 0 ^ 1")),
        ("-j MARK --set-xmark 0x0/0x80000000", "> mark & 7fffffff ^ 0"),
        ("-j MARK --set-mark 0x3/0x3", "> mark & fffffffc ^ 3"),
        ("-j MARK --or-mark 0x4", "> mark & fffffffb ^ 4"),
        ("-j MARK --xor-mark 0x4", "> mark & ffffffff ^ 4"),
        ("-p tcp -m tcp --dport 21 -j CT --helper ftp", "proto 6 dport 15 > helper ftp"),
        ("-j CT --helper ftp --zone 3", "> ? -j CT --helper ftp --zone 3"),
        ("-j CT --notrack", "> ? -j CT --notrack"),
        ("-j TCPMSS --clamp-mss-to-pmtu", "> ? -j TCPMSS --clamp-mss-to-pmtu"),
        (&format!("{above} -j DROP"), "above 200/second burst 1000 by ipv4 source /32"),
        (&format!("{above} --hashlimit-srcmask 24"), "above 200/second burst 1000 by ipv4 source /24"),
        ("-m statistic --mode random --probability 0.5", "? -m statistic --mode random --probability 0.5"),
    ];
    check(&cases, |rule| iptables(Program::Iptables, rule));
}
