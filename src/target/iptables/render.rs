//! Rules as text.
//!
//! In: chains. Out: the lines of a table as `iptables-restore` (or `ebtables-restore`) reads them. Nothing is decided here.

use std::fmt::{self, Write};

use crate::net::{Family, TcpFlags};
use crate::policy::{State, Synflood};

use super::ruleset::{Chain, FrameTest, Jump, Rule, Side, Test};

/// The bit of a packet's mark that says: a called chain accepted it.
pub(super) const MARK: &str = "0x80000000/0x80000000";

/// The `:chain` lines of a table, each with its newline.
pub(super) fn declarations<T>(chains: &[Chain<T>]) -> String {
    let mut text = String::new();
    for chain in chains {
        // Writing to a string cannot fail.
        let _ = writeln!(text, ":{} {} [0:0]", chain.name, chain.policy);
    }
    text
}

/// The `-A` lines of a table, each with its newline.
pub(super) fn rules(chains: &[Chain], family: Family) -> String {
    let mut text = String::with_capacity(LINE * chains.iter().map(|chain| chain.rules.len()).sum::<usize>());
    for chain in chains {
        for rule in &chain.rules {
            text.push_str("-A ");
            text.push_str(&chain.name);
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", Line(rule, family));
            text.push('\n');
        }
    }
    text
}

/// Room for a line of most rules; text that grows has to be copied.
const LINE: usize = 96;

struct Line<'a>(&'a Rule, Family);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(rule, family) = self;
        let mut loaded = None;
        for one in &rule.tests {
            let module = own_module(one);
            if let Some(module) = module.filter(|_| module != loaded) {
                write!(f, " -m {module}")?;
                loaded = Some(module);
            }
            test(f, one, *family)?;
        }
        if let Some(comment) = &rule.comment {
            write!(f, " -m comment --comment {comment}")?;
        }
        jump(f, &rule.jump)
    }
}

/// The module of a test that shares it with others of its rule: named once.
fn own_module(test: &Test) -> Option<&'static str> {
    match test {
        Test::Ports { ports, native, .. } if ports.len() == 1 => *native,
        Test::Flags { .. } => Some("tcp"),
        Test::Network { .. }
        | Test::In(_)
        | Test::NotLoopback
        | Test::Out(_)
        | Test::FromPort
        | Test::Bridged(_)
        | Test::Port(..)
        | Test::Protocol(_)
        | Test::Range { .. }
        | Test::Set { .. }
        | Test::Ports { .. }
        | Test::Icmp(_)
        | Test::AuthenticationHeader
        | Test::State(_)
        | Test::MacNot(_)
        | Test::Accepted
        | Test::Limit { .. }
        | Test::Flood(_) => None,
    }
}

/// The buckets that they are found by; the kernel's default would be 8,192, and long chains under a flood.
const FLOOD_BUCKETS: u32 = Synflood::SOURCES / 3;

const fn not(negated: bool) -> &'static str {
    if negated { " !" } else { "" }
}

const fn side(side: Side, source: &'static str, dest: &'static str) -> &'static str {
    match side {
        Side::Source => source,
        Side::Dest => dest,
    }
}

fn test(f: &mut fmt::Formatter<'_>, test: &Test, family: Family) -> fmt::Result {
    match test {
        Test::In(name) => write!(f, " -i {name}"),
        Test::NotLoopback => f.write_str(" ! -i lo"),
        Test::Out(name) => write!(f, " -o {name}"),
        Test::FromPort => f.write_str(" -m physdev --physdev-is-in"),
        Test::Bridged(is) => write!(f, " -m physdev{} --physdev-is-bridged", not(!is)),
        Test::Port(at, name) => write!(f, " -m physdev --physdev-{} {name}", side(*at, "in", "out")),
        Test::Protocol(number) => match (number, family) {
            (1, Family::V4) => f.write_str(" -p icmp"),
            (6, _) => f.write_str(" -p tcp"),
            (17, _) => f.write_str(" -p udp"),
            (58, Family::V6) => f.write_str(" -p ipv6-icmp"),
            (number, _) => write!(f, " -p {number}"),
        },
        Test::Network { side: at, network, negated } => {
            write!(f, "{} {} {network}", not(*negated), side(*at, "-s", "-d"))
        }
        Test::Range { side: at, first, last, negated } => {
            write!(f, " -m iprange{} --{}-range {first}-{last}", not(*negated), side(*at, "src", "dst"))
        }
        Test::Set { side: at, name, negated } => {
            write!(f, " -m set{} --match-set {name} {}", not(*negated), side(*at, "src", "dst"))
        }
        Test::Ports { side: at, ports, native } => write_ports(f, *at, ports, *native),
        Test::Icmp(icmp) => {
            match icmp.family {
                Family::V4 => write!(f, " -m icmp --icmp-type {}", icmp.kind),
                Family::V6 => write!(f, " -m icmp6 --icmpv6-type {}", icmp.kind),
            }?;
            icmp.code.map_or(Ok(()), |code| write!(f, "/{code}"))
        }
        Test::AuthenticationHeader => f.write_str(" -m ah"),
        Test::Flags { flags, negated } => {
            write!(f, "{} --tcp-flags {} {}", not(*negated), flag_names(flags.mask), flag_names(flags.set))
        }
        Test::State(states) => {
            let names: Vec<&str> = states.iter().map(state_name).collect();
            write!(f, " -m conntrack --ctstate {}", names.join(","))
        }
        Test::MacNot(mac) => write!(f, " -m mac ! --mac-source {mac}"),
        Test::Accepted => write!(f, " -m mark --mark {MARK}"),
        Test::Limit { rate, unit, burst } => write!(f, " -m limit --limit {rate}/{unit} --limit-burst {burst}"),
        Test::Flood(limit @ Synflood { rate, burst }) => {
            let mask = match family {
                Family::V4 => 32,
                Family::V6 => 64,
            };
            // A reload keeps the limits of a table of the same name: they are part of the name.
            write!(
                f,
                " -m hashlimit --hashlimit-above {rate}/second --hashlimit-burst {burst} --hashlimit-mode srcip"
            )?;
            write!(f, " --hashlimit-srcmask {mask} --hashlimit-name fwc-syn-{rate}-{burst}")?;
            let milliseconds = u64::from(limit.seconds()) * 1000;
            write!(f, " --hashlimit-htable-size {FLOOD_BUCKETS} --hashlimit-htable-max {}", Synflood::SOURCES)?;
            write!(f, " --hashlimit-htable-expire {milliseconds}")
        }
    }
}

fn write_ports(f: &mut fmt::Formatter<'_>, at: Side, ports: &[(u16, u16)], native: Option<&str>) -> fmt::Result {
    match (ports, native) {
        ([_], Some(_)) => write!(f, " {} ", side(at, "--sport", "--dport"))?,
        (_, _) => write!(f, " -m multiport {} ", side(at, "--sports", "--dports"))?,
    }
    for (position, (first, last)) in ports.iter().enumerate() {
        if position > 0 {
            f.write_char(',')?;
        }
        write!(f, "{first}")?;
        if first != last {
            write!(f, ":{last}")?;
        }
    }
    Ok(())
}

fn flag_names(bits: u8) -> String {
    let names: Vec<String> = TcpFlags::names(bits).map(str::to_ascii_uppercase).collect();
    if names.is_empty() { "NONE".to_owned() } else { names.join(",") }
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::New => "NEW",
        State::Established => "ESTABLISHED",
        State::Related => "RELATED",
        State::Invalid => "INVALID",
    }
}

fn jump(f: &mut fmt::Formatter<'_>, jump: &Jump) -> fmt::Result {
    match jump {
        Jump::Accept => f.write_str(" -j ACCEPT"),
        Jump::Drop => f.write_str(" -j DROP"),
        Jump::Return => f.write_str(" -j RETURN"),
        Jump::Call(name) => write!(f, " -j {name}"),
        Jump::Goto(name) => write!(f, " -g {name}"),
        Jump::Reject(with) => write!(f, " -j REJECT --reject-with {with}"),
        Jump::SetMark => write!(f, " -j MARK --set-xmark {MARK}"),
        Jump::ClearMark => f.write_str(" -j MARK --set-xmark 0x0/0x80000000"),
        Jump::Nflog(prefix) => write!(f, " -j NFLOG --nflog-group 0 --nflog-prefix \"{prefix}\""),
        Jump::Log { level, prefix } => write!(f, " -j LOG --log-level {level} --log-prefix \"{prefix}\""),
        Jump::Queue(None) => f.write_str(" -j NFQUEUE --queue-bypass"),
        Jump::Queue(Some((first, last))) if first == last => {
            write!(f, " -j NFQUEUE --queue-num {first} --queue-bypass")
        }
        Jump::Queue(Some((first, last))) => write!(f, " -j NFQUEUE --queue-balance {first}:{last} --queue-bypass"),
        Jump::Helper(name) => write!(f, " -j CT --helper {name}"),
    }
}

/// The `:chain` lines of an ebtables table.
pub(super) fn frame_declarations(chains: &[Chain<FrameTest>], own: &str) -> String {
    let mut text = String::new();
    for chain in chains {
        let policy = if chain.policy == "-" { own } else { chain.policy };
        let _ = writeln!(text, ":{} {policy}", chain.name);
    }
    text
}

/// The `-A` lines of an ebtables table.
pub(super) fn frame_rules(chains: &[Chain<FrameTest>]) -> String {
    let mut text = String::with_capacity(LINE * chains.iter().map(|chain| chain.rules.len()).sum::<usize>());
    for chain in chains {
        for rule in &chain.rules {
            text.push_str("-A ");
            text.push_str(&chain.name);
            for test in &rule.tests {
                let _ = frame_test(&mut text, test);
            }
            let _ = match &rule.jump {
                Jump::Accept => writeln!(text, " -j ACCEPT"),
                Jump::Return => writeln!(text, " -j RETURN"),
                Jump::Call(name) | Jump::Goto(name) => writeln!(text, " -j {name}"),
                // What ebtables cannot do would have to block.
                Jump::Drop
                | Jump::Reject(_)
                | Jump::SetMark
                | Jump::ClearMark
                | Jump::Nflog(_)
                | Jump::Log { .. }
                | Jump::Queue(_)
                | Jump::Helper(_) => writeln!(text, " -j DROP"),
            };
        }
    }
    text
}

fn frame_test(text: &mut String, test: &FrameTest) -> fmt::Result {
    match test {
        FrameTest::Port(at, name) => write!(text, " {} {name}", side(*at, "-i", "-o")),
        FrameTest::MacNot(mac) => write!(text, " -s ! {mac}"),
        FrameTest::Type(0x0800) => text.write_str(" -p IPv4"),
        FrameTest::Type(0x86dd) => text.write_str(" -p IPv6"),
        FrameTest::Type(0x0806) => text.write_str(" -p ARP"),
        FrameTest::Type(number) => write!(text, " -p 0x{number:04x}"),
        FrameTest::Tagged(number) => write!(text, " -p 802_1Q --vlan-encap {number:04X}"),
        FrameTest::ArpMacNot(mac) => write!(text, " --arp-mac-src ! {mac}"),
        FrameTest::ArpSender(network) if network.prefix_len() == 32 => {
            write!(text, " --arp-ip-src {}", network.addr())
        }
        FrameTest::ArpSender(network) => write!(text, " --arp-ip-src {network}"),
    }
}
