//! Text of tables.
//!
//! In: a [`Table`]. Out: the lines between its braces. Promise: the same table gives the same text, and
//! numbers stand for protocols, ports and types, so that a bare machine without `/etc/protocols` reads it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::net::{Family, Protocol, TcpFlags};
use crate::policy::{State, Synflood};

use super::table::{
    Action, Answer, Chain, Condition, Elements, Helper, Item, LogLine, Operand, Rule, Set, Side, Table, TableFamily,
    VerdictMap,
};

/// The lines between a table's braces.
pub(super) fn table(table: &Table) -> String {
    let mut out = Text { out: String::with_capacity(size(table)), family: table.family };
    let mut first = true;
    for item in &table.items {
        if !std::mem::take(&mut first) {
            out.put("\n");
        }
        match item {
            Item::Set(set) => out.set(set),
            Item::Map(map) => out.map(map),
            Item::Chain(chain) => out.chain(chain),
            Item::Helper(helper) => out.helper(helper),
        }
    }
    out.out
}

/// About how many bytes the text has; a table of many guests has some megabytes.
fn size(table: &Table) -> usize {
    let of = |item: &Item| match item {
        Item::Set(set) => match &set.elements {
            Elements::NicMacs(macs) => 64 + macs.len() * 48,
            Elements::NicAddresses(_, addresses) => 64 + addresses.len() * 48,
            Elements::Addresses(_, ranges) => 64 + ranges.len() * 24,
            Elements::Ports(ports) => 64 + ports.as_slice().len() * 16,
            Elements::Interfaces(names) => 64 + names.len() * 20,
            Elements::EtherTypes(_) | Elements::EveryEtherType | Elements::Meter(..) => 128,
        },
        Item::Map(map) => 64 + map.elements.len() * 48,
        Item::Chain(chain) => 64 + chain.rules.len() * 72,
        Item::Helper(_) => 128,
    };
    table.items.iter().map(of).sum()
}

struct Text {
    out: String,
    family: TableFamily,
}

impl Text {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Formats; writing to a string cannot fail.
    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        let _infallible = self.out.write_fmt(arguments);
    }

    fn set(&mut self, set: &Set) {
        let kind = kind(&set.elements);
        self.write(format_args!("\tset {} {{\n\t\ttype {kind}\n", set.name));
        if let Elements::Meter(_, seconds) = &set.elements {
            self.write(format_args!("\t\tsize {}\n\t\tflags dynamic,timeout\n", Synflood::SOURCES));
            self.write(format_args!("\t\ttimeout {seconds}s\n"));
        } else if set.elements.has_intervals() {
            self.put("\t\tflags interval\n");
        }
        match &set.elements {
            Elements::Ports(ports) => self.elements(ports.iter(), |text, (first, last)| text.ports(first, last)),
            Elements::Addresses(family, ranges) => {
                self.elements(ranges.iter(), |text, (first, last)| text.addresses(*family, *first, *last));
            }
            Elements::EtherTypes(kinds) => self.elements(kinds.iter(), |text, kind| {
                text.write(format_args!("0x{kind:04x}"));
            }),
            Elements::EveryEtherType => self.elements(std::iter::once((0, u16::MAX)), |text, (first, last)| {
                text.write(format_args!("0x{first:04x}-0x{last:04x}"));
            }),
            Elements::Interfaces(names) => self.elements(names.iter(), |text, name| {
                text.write(format_args!("\"{name}\""));
            }),
            Elements::NicMacs(macs) => self.elements(macs.iter(), |text, (device, mac)| {
                text.write(format_args!("\"{device}\" . {mac}"));
            }),
            Elements::NicAddresses(family, addresses) => self.elements(addresses.iter(), |text, (device, address)| {
                text.write(format_args!("\"{device}\" . "));
                text.addresses(*family, *address, *address);
            }),
            Elements::Meter(..) => {}
        }
        self.put("\t}\n");
    }

    /// `elements = { … }`, one a line; nothing for an empty set, which nft has no braces for.
    fn elements<T>(&mut self, elements: impl Iterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        let mut open = false;
        for element in elements {
            self.put(if std::mem::replace(&mut open, true) { ",\n\t\t\t" } else { "\t\telements = {\n\t\t\t" });
            each(self, element);
        }
        if open {
            self.put("\n\t\t}\n");
        }
    }

    fn map(&mut self, map: &VerdictMap) {
        let verb = if map.jump { "jump" } else { "goto" };
        self.write(format_args!("\tmap {} {{\n\t\ttype ifname : verdict\n", map.name));
        self.elements(map.elements.iter(), |text, (interface, chain)| {
            text.write(format_args!("\"{interface}\" : {verb} {chain}"));
        });
        self.put("\t}\n");
    }

    fn helper(&mut self, helper: &Helper) {
        let protocol = port_protocol(helper.protocol);
        self.write(format_args!("\tct helper {} {{\n\t\ttype \"{}\" protocol {protocol}\n", helper.name, helper.kind));
        if helper.only_v4 {
            self.put("\t\tl3proto ip\n");
        }
        self.put("\t}\n");
    }

    fn chain(&mut self, chain: &Chain) {
        self.write(format_args!("\tchain {} {{\n", chain.name));
        if let Some(base) = chain.base {
            let (hook, priority) = (base.hook, base.priority);
            self.write(format_args!("\t\ttype filter hook {hook} priority {priority}; policy accept;\n"));
        }
        for rule in &chain.rules {
            self.rule(rule);
        }
        self.put("\t}\n");
    }

    fn rule(&mut self, rule: &Rule) {
        self.put("\t\t");
        for condition in &rule.conditions {
            self.condition(condition);
            self.put(" ");
        }
        self.action(&rule.action);
        if let Some(comment) = &rule.comment {
            self.write(format_args!(" comment \"{comment}\""));
        }
        self.put("\n");
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Interface(side, name, other) => {
                self.write(format_args!("{} {}\"{name}\"", interface(*side), not(*other)));
            }
            Condition::InterfaceIn(side, set) => self.write(format_args!("{} @{set}", interface(*side))),
            Condition::BridgeIn(side, set) => self.write(format_args!("{} @{set}", bridge(*side))),
            Condition::ServiceTag => self.put("ether type 0x88a8"),
            Condition::Carries(set, other) => self.write(format_args!("meta protocol {}@{set}", not(*other))),
            Condition::Arp => self.put("meta protocol arp"),
            Condition::Family(family) => self.put(match (self.family, family) {
                (TableFamily::Inet, Family::V4) => "meta nfproto ipv4",
                (TableFamily::Inet, Family::V6) => "meta nfproto ipv6",
                (TableFamily::Bridge, Family::V4) => "meta protocol ip",
                (TableFamily::Bridge, Family::V6) => "meta protocol ip6",
            }),
            Condition::MacNot(mac) => self.write(format_args!("ether saddr != {mac}")),
            Condition::ArpMacNot(mac) => self.write(format_args!("arp saddr ether != {mac}")),
            Condition::NicMacNotIn(set) => self.write(format_args!("iifname . ether saddr != @{set}")),
            Condition::NicArpMacNotIn(set) => self.write(format_args!("iifname . arp saddr ether != @{set}")),
            Condition::ArpAddress(operand) => {
                self.put("arp saddr ip ");
                self.address_operand(Family::V4, operand);
            }
            Condition::NicArpIn(set) => self.write(format_args!("iifname . arp saddr ip @{set}")),
            Condition::NicSourceIn(family, set) => {
                self.write(format_args!("iifname . {} saddr @{set}", header(*family)));
            }
            Condition::Address(family, side, operand, other) => {
                let end = if *side == Side::Source { "saddr" } else { "daddr" };
                self.write(format_args!("{} {end} {}", header(*family), not(*other)));
                self.address_operand(*family, operand);
            }
            Condition::Protocol(Protocol(number)) => self.write(format_args!("meta l4proto {number}")),
            Condition::Port(protocol, side, operand) => {
                let end = if *side == Side::Source { "sport" } else { "dport" };
                self.write(format_args!("{} {end} ", port_protocol(*protocol)));
                match operand {
                    Operand::Range(first, last) => self.ports(*first, *last),
                    Operand::Set(set) => self.write(format_args!("@{set}")),
                }
            }
            Condition::Icmp(icmp) => {
                let name = if icmp.family == Family::V4 { "icmp" } else { "icmpv6" };
                self.write(format_args!("{name} type {}", icmp.kind));
                if let Some(code) = icmp.code {
                    self.write(format_args!(" {name} code {code}"));
                }
            }
            Condition::TcpFlags(flags, other) => self.tcp_flags(*flags, *other),
            Condition::State(states) => {
                self.put("ct state ");
                for (at, state) in states.iter().enumerate() {
                    self.put(if at == 0 { "" } else { "," });
                    self.put(state_name(state));
                }
            }
            Condition::Mark(bits, 0) => self.write(format_args!("meta mark & 0x{bits:08x} == 0")),
            Condition::Mark(bits, value) => self.write(format_args!("meta mark & 0x{bits:08x} == 0x{value:08x}")),
            Condition::Above(family, set, rate, burst) => {
                let source = match family {
                    Family::V4 => "ip saddr",
                    Family::V6 => "ip6 saddr & ffff:ffff:ffff:ffff::",
                };
                self.write(format_args!(
                    "update @{set} {{ {source} limit rate over {rate}/second burst {burst} packets }}"
                ));
            }
        }
    }

    fn tcp_flags(&mut self, flags: TcpFlags, other: bool) {
        let list = |bits: u8| TcpFlags::names(bits).collect::<Vec<_>>().join("|");
        let set = if flags.set == 0 { "0x0".to_owned() } else { list(flags.set) };
        let operator = if other { "!=" } else { "==" };
        self.write(format_args!("tcp flags & ({}) {operator} {set}", list(flags.mask)));
    }

    fn ports(&mut self, first: u16, last: u16) {
        self.write(format_args!("{first}"));
        if first != last {
            self.write(format_args!("-{last}"));
        }
    }

    fn address_operand(&mut self, family: Family, operand: &Operand<u128>) {
        match operand {
            Operand::Range(first, last) => self.addresses(family, *first, *last),
            Operand::Set(set) => self.write(format_args!("@{set}")),
        }
    }

    /// An address, a network where the range is one, or else a range.
    fn addresses(&mut self, family: Family, first: u128, last: u128) {
        match family {
            Family::V4 => {
                let number = |value: u128| Ipv4Addr::from(u32::try_from(value).unwrap_or(u32::MAX));
                let (a, b) = (number(first), number(last));
                let prefix = prefix_length(first, last).and_then(|free| 32_u8.checked_sub(free));
                match prefix.and_then(|length| Ipv4Net::new(a, length).ok()) {
                    Some(net) if net.prefix_len() == 32 => self.write(format_args!("{a}")),
                    Some(net) => self.write(format_args!("{net}")),
                    None => self.write(format_args!("{a}-{b}")),
                }
            }
            Family::V6 => {
                let (a, b) = (Ipv6Addr::from(first), Ipv6Addr::from(last));
                let prefix = prefix_length(first, last).and_then(|free| 128_u8.checked_sub(free));
                match prefix.and_then(|length| Ipv6Net::new(a, length).ok()) {
                    Some(net) if net.prefix_len() == 128 => self.write(format_args!("{a}")),
                    Some(net) => self.write(format_args!("{net}")),
                    None => self.write(format_args!("{a}-{b}")),
                }
            }
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Accept => self.put("accept"),
            Action::Drop => self.put("drop"),
            Action::Return => self.put("return"),
            Action::Jump(chain) => self.write(format_args!("jump {chain}")),
            Action::Goto(chain) => self.write(format_args!("goto {chain}")),
            Action::Dispatch(side, map) => self.write(format_args!("{} vmap @{map}", interface(*side))),
            Action::DispatchBridge(side, map) => self.write(format_args!("{} vmap @{map}", bridge(*side))),
            Action::Log(line) => self.log(line),
            Action::Reject(answer) => self.put(match answer {
                Answer::Reset => "reject with tcp reset",
                Answer::Port => "reject with icmpx type port-unreachable",
                Answer::HostProhibited => "reject with icmp type host-prohibited",
                Answer::AdminProhibited => "reject with icmpv6 type admin-prohibited",
            }),
            Action::Helper(name) => self.write(format_args!("ct helper set \"{name}\"")),
            Action::Mark { clear, set } => {
                self.put("meta mark set meta mark");
                if *clear != 0 {
                    self.write(format_args!(" & 0x{:08x}", !clear));
                }
                if *set != 0 {
                    self.write(format_args!(" | 0x{set:08x}"));
                }
            }
        }
    }

    fn log(&mut self, line: &LogLine) {
        if let Some((rate, unit, burst)) = line.limit {
            self.write(format_args!("limit rate {rate}/{unit} burst {burst} packets "));
        }
        self.write(format_args!("log prefix \"{}\" ", line.prefix));
        match line.level {
            Some(level) => self.write(format_args!("level {level}")),
            None => self.put("group 0"),
        }
    }
}

/// nft's type of a set's elements.
const fn kind(elements: &Elements) -> &'static str {
    match elements {
        Elements::Ports(_) => "inet_service",
        Elements::Addresses(Family::V4, _) | Elements::Meter(Family::V4, _) => "ipv4_addr",
        Elements::Addresses(Family::V6, _) | Elements::Meter(Family::V6, _) => "ipv6_addr",
        Elements::EtherTypes(_) | Elements::EveryEtherType => "ether_type",
        Elements::Interfaces(_) => "ifname",
        Elements::NicMacs(_) => "ifname . ether_addr",
        Elements::NicAddresses(Family::V4, _) => "ifname . ipv4_addr",
        Elements::NicAddresses(Family::V6, _) => "ifname . ipv6_addr",
    }
}

/// How many low bits are free, where the range is a network.
fn prefix_length(first: u128, last: u128) -> Option<u8> {
    let free = (first ^ last).count_ones();
    let mask = 1_u128.checked_shl(free).map_or(u128::MAX, |bit| bit - 1);
    (first & mask == 0 && last == first | mask).then(|| u8::try_from(free).ok()).flatten()
}

/// The key that names the bridge of a port.
const fn bridge(side: Side) -> &'static str {
    match side {
        Side::Source => "meta ibrname",
        Side::Dest => "meta obrname",
    }
}

const fn interface(side: Side) -> &'static str {
    match side {
        Side::Source => "iifname",
        Side::Dest => "oifname",
    }
}

const fn not(other: bool) -> &'static str {
    if other { "!= " } else { "" }
}

const fn header(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

/// The header whose ports are looked at.
const fn port_protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
        Protocol::SCTP => "sctp",
        Protocol::DCCP => "dccp",
        Protocol::UDPLITE => "udplite",
        Protocol(_) => "th",
    }
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Established => "established",
        State::Related => "related",
        State::Invalid => "invalid",
    }
}
