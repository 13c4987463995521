//! Which options the programs know: what each asks, how many values it takes, and its one name.
//!
//! What is not in these tables is kept as it was written.

use crate::net::Family;

use super::super::ruleset::Program;
use super::known;

/// What an option belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    /// The rule itself: the kernel asks these first.
    Rule,
    /// tcp, udp, sctp, dccp: loaded by the protocol alone.
    Transport,
    /// icmp, icmp6: loaded by the protocol alone.
    Icmp,
    /// Ports in lists.
    Multiport,
    /// conntrack, and state, which is an old name of it.
    Conntrack,
    /// The packet's mark.
    Mark,
    /// The connection's mark.
    Connmark,
    /// The source MAC.
    Mac,
    /// Ranges of addresses.
    Range,
    /// Ports of a bridge.
    Physdev,
    /// Kinds of addresses.
    Addrtype,
    /// ipsets.
    Set,
    /// How a frame was addressed.
    Pkttype,
    /// Tests nothing.
    Comment,
    /// So many packets, and no more.
    Limit,
    /// So many packets of each source, and no more.
    Hashlimit,
    /// ebtables: any of its tests, of which each is asked for itself.
    Frame,
    /// ebtables: what is written to a log before the verdict.
    Watcher,
    /// What becomes of the packet.
    Target,
    /// Asks the packet alone, in options that belong together.
    Pure,
    /// Another one; what it asks may change with each packet.
    Unknown,
}

/// What an option's value is, and so how it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No value.
    Flag,
    /// As written.
    Text,
    /// Two values, as written.
    Pair,
    /// An interface; a lone `+` is any.
    Interface,
    /// Addresses with a prefix or mask.
    Network,
    /// An IP protocol.
    Protocol,
    /// A port or a range.
    Port,
    /// Ports and ranges.
    Ports,
    /// Two lists of TCP's flags.
    Flags,
    /// No value: a SYN alone.
    Syn,
    /// Words of which any will do.
    Words,
    /// A MAC.
    Mac,
    /// A MAC with or without a mask.
    MaskedMac,
    /// A range of addresses.
    Span,
    /// A type of ICMP.
    Icmp(Family),
    /// A number with or without a mask.
    Mark,
    /// An ipset, and which addresses are looked up in it.
    Set,
    /// An ethertype: a name, or a number with `0x`.
    Ethertype,
    /// An ethertype: a name, or a number in hexadecimal.
    Encapsulated,
}

impl Kind {
    /// How many values there are.
    pub(super) const fn values(self) -> usize {
        match self {
            Self::Flag | Self::Syn => 0,
            Self::Flags | Self::Set | Self::Pair => 2,
            Self::Text
            | Self::Interface
            | Self::Network
            | Self::Protocol
            | Self::Port
            | Self::Ports
            | Self::Words
            | Self::Mac
            | Self::MaskedMac
            | Self::Span
            | Self::Icmp(_)
            | Self::Mark
            | Self::Ethertype
            | Self::Encapsulated => 1,
        }
    }
}

/// An option that fwc knows.
#[derive(Debug)]
pub(super) struct Known {
    /// As written.
    pub(super) name: &'static str,
    /// Whose it is.
    pub(super) module: Module,
    /// What its value is.
    pub(super) kind: Kind,
    /// Its one name.
    pub(super) key: &'static str,
}

/// The options of a program, by name.
pub(super) const fn table(program: Program) -> &'static [Known] {
    match program {
        Program::Ebtables => known::FRAMES,
        Program::Iptables | Program::Ip6tables | Program::Nft => known::PACKETS,
    }
}

/// Where a table has the options of each name: looked up for every option of a file.
#[derive(Debug)]
pub(super) struct Places {
    /// The first place of a name and how many there are, by a number made from the name or behind that; less than half of them
    /// are taken.
    of_name: [Option<(u8, u8)>; Self::ROOM],
}

impl Places {
    const ROOM: usize = 256;

    /// Of a table in the order of names.
    pub(super) fn of(table: &[Known]) -> Self {
        let mut places = Self { of_name: [None; Self::ROOM] };
        let mut first = 0;
        for same in table.chunk_by(|one, next| one.name == next.name) {
            let name = same.first().map_or("", |known| known.name);
            let count = u8::try_from(same.len()).unwrap_or(u8::MAX);
            let free = ways(name).find(|way| places.of_name.get(*way).is_some_and(Option::is_none));
            if let Some(slot) = free.and_then(|free| places.of_name.get_mut(free)) {
                *slot = Some((first, count));
            }
            first = first.saturating_add(count);
        }
        places
    }

    /// The places in the table of all options of a name.
    pub(super) fn find(&self, table: &[Known], name: &str) -> std::ops::Range<usize> {
        for way in ways(name) {
            let Some((first, count)) = self.of_name.get(way).copied().flatten() else { break };
            let first = usize::from(first);
            if table.get(first).is_some_and(|known| known.name == name) {
                return first..first + usize::from(count);
            }
        }
        0..0
    }
}

/// Where a name is looked for, one place after another.
fn ways(name: &str) -> impl Iterator<Item = usize> {
    let bytes = name.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().map_or(0, usize::from);
    let last = byte(name.len().saturating_sub(1));
    // So that the names of both tables are soon found.
    let begin = name.len() * 63 + byte(2) * 54 + byte(name.len() / 2) * 3 + last * 62;
    (0..Places::ROOM).map(move |step| (begin + step) % Places::ROOM)
}

/// A module by its name.
pub(super) fn module(name: &str) -> Module {
    match name {
        "tcp" | "udp" | "sctp" | "dccp" | "udplite" => Module::Transport,
        "icmp" | "icmp6" | "icmpv6" => Module::Icmp,
        "multiport" => Module::Multiport,
        "conntrack" | "state" => Module::Conntrack,
        "mark" => Module::Mark,
        "connmark" => Module::Connmark,
        "mac" => Module::Mac,
        "iprange" => Module::Range,
        "physdev" => Module::Physdev,
        "addrtype" => Module::Addrtype,
        "set" => Module::Set,
        "pkttype" => Module::Pkttype,
        "comment" => Module::Comment,
        "limit" => Module::Limit,
        "hashlimit" => Module::Hashlimit,
        "ah" | "bpf" | "cgroup" | "connlabel" | "cpu" | "devgroup" | "dscp" | "dst" | "ecn" | "esp" | "eui64"
        | "frag" | "hbh" | "helper" | "hl" | "ipv6header" | "ipvs" | "length" | "mh" | "osf" | "owner" | "policy"
        | "realm" | "rpfilter" | "rt" | "socket" | "string" | "tcpmss" | "time" | "tos" | "ttl" | "u32" => Module::Pure,
        _ => Module::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use known::{FRAMES, PACKETS};

    #[test]
    fn options_are_in_order_and_found() {
        for table in [PACKETS, FRAMES] {
            assert!(table.windows(2).all(|pair| pair[0].name <= pair[1].name));
            let places = Places::of(table);
            for known in table {
                assert!(table[places.find(table, known.name)].iter().any(|found| found.key == known.key));
            }
        }
        let places = Places::of(PACKETS);
        assert_eq!(places.find(PACKETS, "--mark").len(), 2);
        for unknown in ["--unheard-of", "", "-"] {
            assert!(places.find(PACKETS, unknown).is_empty());
        }
    }
}
