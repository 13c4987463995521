//! TCP flags.

/// A test of TCP's six classic flags: of those in `mask`, exactly those in `set` are set.
///
/// Bits are those of the TCP header (RFC 9293): FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpFlags {
    /// The flags that are looked at.
    pub mask: u8,
    /// Those of them that must be set.
    pub set: u8,
}

impl TcpFlags {
    /// FIN.
    pub const FIN: u8 = 1;
    /// SYN.
    pub const SYN: u8 = 2;
    /// RST.
    pub const RST: u8 = 4;
    /// PSH.
    pub const PSH: u8 = 8;
    /// ACK.
    pub const ACK: u8 = 16;
    /// URG.
    pub const URG: u8 = 32;
    /// The flags' names, in the order of their bits from the lowest, in lower case.
    pub const NAMES: [(&'static str, u8); 6] = [
        ("fin", Self::FIN),
        ("syn", Self::SYN),
        ("rst", Self::RST),
        ("psh", Self::PSH),
        ("ack", Self::ACK),
        ("urg", Self::URG),
    ];

    /// The bit of a flag's name, in any case.
    #[must_use]
    pub fn bit(name: &str) -> Option<u8> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, bit)| *bit)
    }

    /// The names of the flags in `bits`, lowest bit first.
    pub fn names(bits: u8) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(_, bit)| bits & bit != 0).map(|(name, _)| *name)
    }
}
