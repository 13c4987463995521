//! Proxmox VE's macros: names for services of one or more protocols and ports.

use super::{Family, IcmpType, PortSet, Protocol, parse_ports};

/// One alternative of a macro, as text; [`MacroLine::service`] gives the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacroLine {
    /// Protocol, by name or number.
    pub proto: &'static str,
    /// Source ports, separated by commas; empty for any.
    pub sport: &'static str,
    /// Destination ports, separated by commas; empty for any.
    pub dport: &'static str,
    /// ICMP type; empty for none.
    pub icmp_type: &'static str,
}

/// What a line of a macro matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroService {
    /// The protocol.
    pub protocol: Protocol,
    /// Source ports; none for any.
    pub source_ports: Option<PortSet>,
    /// Destination ports; none for any.
    pub dest_ports: Option<PortSet>,
    /// ICMP type; none for any.
    pub icmp: Option<IcmpType>,
}

impl MacroLine {
    /// The line's values; none where the table itself is wrong, which a test excludes.
    #[must_use]
    pub fn service(&self) -> Option<MacroService> {
        let protocol = Protocol::parse(self.proto).ok()?;
        let ports = |text: &str| -> Option<Option<PortSet>> {
            if text.is_empty() {
                return Some(None);
            }
            let parts: Result<Vec<PortSet>, String> = text.split(',').map(parse_ports).collect();
            Some(Some(PortSet::from_ranges(parts.ok()?.iter().flat_map(|set| set.iter().collect::<Vec<_>>()))))
        };
        let family = if protocol == Protocol::ICMPV6 { Family::V6 } else { Family::V4 };
        let icmp = match self.icmp_type {
            "" => None,
            text => Some(IcmpType::parse(family, text).ok()?),
        };
        Some(MacroService { protocol, source_ports: ports(self.sport)?, dest_ports: ports(self.dport)?, icmp })
    }
}

/// A macro: what it matches is any of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Macro {
    /// Its exact name.
    pub name: &'static str,
    /// Its alternatives, in the order of Proxmox VE's table.
    pub lines: &'static [MacroLine],
}

/// The macro of that exact name.
#[must_use]
pub fn find_macro(name: &str) -> Option<&'static Macro> {
    MACROS.iter().find(|known| known.name == name)
}

const fn line(proto: &'static str, sport: &'static str, dport: &'static str, icmp_type: &'static str) -> MacroLine {
    MacroLine { proto, sport, dport, icmp_type }
}

/// Every macro, in alphabetical order but for case.
#[rustfmt::skip]
pub const MACROS: &[Macro] = &[
    Macro { name: "Amanda", lines: &[
        line("udp", "", "10080", ""),
        line("tcp", "", "10080", ""),
    ] },
    Macro { name: "Auth", lines: &[
        line("tcp", "", "113", ""),
    ] },
    Macro { name: "BGP", lines: &[
        line("tcp", "", "179", ""),
    ] },
    Macro { name: "BitTorrent", lines: &[
        line("tcp", "", "6881-6889", ""),
        line("udp", "", "6881", ""),
    ] },
    Macro { name: "BitTorrent32", lines: &[
        line("tcp", "", "6881-6999", ""),
        line("udp", "", "6881", ""),
    ] },
    Macro { name: "Ceph", lines: &[
        line("tcp", "", "6789", ""),
        line("tcp", "", "3300", ""),
        line("tcp", "", "6800-7300", ""),
    ] },
    Macro { name: "Citrix", lines: &[
        line("tcp", "", "1494", ""),
        line("udp", "", "1604", ""),
        line("tcp", "", "2598", ""),
    ] },
    Macro { name: "CVS", lines: &[
        line("tcp", "", "2401", ""),
    ] },
    Macro { name: "DAAP", lines: &[
        line("tcp", "", "3689", ""),
        line("udp", "", "3689", ""),
    ] },
    Macro { name: "DCC", lines: &[
        line("tcp", "", "6277", ""),
    ] },
    Macro { name: "DHCPfwd", lines: &[
        line("udp", "67-68", "67-68", ""),
    ] },
    Macro { name: "DHCPv6", lines: &[
        line("udp", "546-547", "546-547", ""),
    ] },
    Macro { name: "Distcc", lines: &[
        line("tcp", "", "3632", ""),
    ] },
    Macro { name: "DNS", lines: &[
        line("udp", "", "53", ""),
        line("tcp", "", "53", ""),
    ] },
    Macro { name: "Finger", lines: &[
        line("tcp", "", "79", ""),
    ] },
    Macro { name: "FTP", lines: &[
        line("tcp", "", "21", ""),
    ] },
    Macro { name: "Git", lines: &[
        line("tcp", "", "9418", ""),
    ] },
    Macro { name: "GNUnet", lines: &[
        line("tcp", "", "2086", ""),
        line("udp", "", "2086", ""),
        line("tcp", "", "1080", ""),
        line("udp", "", "1080", ""),
    ] },
    Macro { name: "GRE", lines: &[
        line("47", "", "", ""),
    ] },
    Macro { name: "HKP", lines: &[
        line("tcp", "", "11371", ""),
    ] },
    Macro { name: "HTTP", lines: &[
        line("tcp", "", "80", ""),
    ] },
    Macro { name: "HTTP/3", lines: &[
        line("udp", "", "443", ""),
    ] },
    Macro { name: "HTTPS", lines: &[
        line("tcp", "", "443", ""),
    ] },
    Macro { name: "ICPV2", lines: &[
        line("udp", "", "3130", ""),
    ] },
    Macro { name: "ICQ", lines: &[
        line("tcp", "", "5190", ""),
    ] },
    Macro { name: "IMAP", lines: &[
        line("tcp", "", "143", ""),
    ] },
    Macro { name: "IMAPS", lines: &[
        line("tcp", "", "993", ""),
    ] },
    Macro { name: "IPIP", lines: &[
        line("94", "", "", ""),
    ] },
    Macro { name: "IPsec", lines: &[
        line("udp", "500", "500", ""),
        line("50", "", "", ""),
    ] },
    Macro { name: "IPsecah", lines: &[
        line("udp", "500", "500", ""),
        line("51", "", "", ""),
    ] },
    Macro { name: "IPsecnat", lines: &[
        line("udp", "", "500", ""),
        line("udp", "", "4500", ""),
        line("50", "", "", ""),
    ] },
    Macro { name: "IRC", lines: &[
        line("tcp", "", "6667", ""),
    ] },
    Macro { name: "Jetdirect", lines: &[
        line("tcp", "", "9100", ""),
    ] },
    Macro { name: "L2TP", lines: &[
        line("udp", "", "1701", ""),
    ] },
    Macro { name: "LDAP", lines: &[
        line("tcp", "", "389", ""),
    ] },
    Macro { name: "LDAPS", lines: &[
        line("tcp", "", "636", ""),
    ] },
    Macro { name: "Mail", lines: &[
        line("tcp", "", "25", ""),
        line("tcp", "", "465", ""),
        line("tcp", "", "587", ""),
    ] },
    Macro { name: "MDNS", lines: &[
        line("udp", "", "5353", ""),
    ] },
    Macro { name: "MSNP", lines: &[
        line("tcp", "", "1863", ""),
    ] },
    Macro { name: "MSSQL", lines: &[
        line("tcp", "", "1433", ""),
    ] },
    Macro { name: "Munin", lines: &[
        line("tcp", "", "4949", ""),
    ] },
    Macro { name: "MySQL", lines: &[
        line("tcp", "", "3306", ""),
    ] },
    Macro { name: "NeighborDiscovery", lines: &[
        line("icmpv6", "", "", "router-solicitation"),
        line("icmpv6", "", "", "router-advertisement"),
        line("icmpv6", "", "", "neighbor-solicitation"),
        line("icmpv6", "", "", "neighbor-advertisement"),
    ] },
    Macro { name: "NNTP", lines: &[
        line("tcp", "", "119", ""),
    ] },
    Macro { name: "NNTPS", lines: &[
        line("tcp", "", "563", ""),
    ] },
    Macro { name: "NTP", lines: &[
        line("udp", "", "123", ""),
    ] },
    Macro { name: "OpenVPN", lines: &[
        line("udp", "", "1194", ""),
    ] },
    Macro { name: "OSPF", lines: &[
        line("89", "", "", ""),
    ] },
    Macro { name: "PBS", lines: &[
        line("tcp", "", "8007", ""),
    ] },
    Macro { name: "PCA", lines: &[
        line("udp", "", "5632", ""),
        line("tcp", "", "5631", ""),
    ] },
    Macro { name: "Ping", lines: &[
        line("icmp", "", "", "echo-request"),
        line("icmpv6", "", "", "echo-request"),
    ] },
    Macro { name: "PMG", lines: &[
        line("tcp", "", "8006", ""),
    ] },
    Macro { name: "POP3", lines: &[
        line("tcp", "", "110", ""),
    ] },
    Macro { name: "POP3S", lines: &[
        line("tcp", "", "995", ""),
    ] },
    Macro { name: "PostgreSQL", lines: &[
        line("tcp", "", "5432", ""),
    ] },
    Macro { name: "PPtP", lines: &[
        line("47", "", "", ""),
        line("tcp", "", "1723", ""),
    ] },
    Macro { name: "Printer", lines: &[
        line("tcp", "", "515", ""),
    ] },
    Macro { name: "Razor", lines: &[
        line("tcp", "", "2703", ""),
    ] },
    Macro { name: "Rdate", lines: &[
        line("tcp", "", "37", ""),
    ] },
    Macro { name: "RDP", lines: &[
        line("tcp", "", "3389", ""),
    ] },
    Macro { name: "RIP", lines: &[
        line("udp", "", "520", ""),
    ] },
    Macro { name: "RNDC", lines: &[
        line("tcp", "", "953", ""),
    ] },
    Macro { name: "Rsync", lines: &[
        line("tcp", "", "873", ""),
    ] },
    Macro { name: "SANE", lines: &[
        line("tcp", "", "6566", ""),
    ] },
    Macro { name: "SixXS", lines: &[
        line("tcp", "", "3874", ""),
        line("udp", "", "3740", ""),
        line("41", "", "", ""),
        line("udp", "", "5072,8374", ""),
    ] },
    Macro { name: "SMB", lines: &[
        line("udp", "", "135,445", ""),
        line("udp", "", "137-139", ""),
        line("udp", "137", "1024-65535", ""),
        line("tcp", "", "135,139,445", ""),
    ] },
    Macro { name: "SMBswat", lines: &[
        line("tcp", "", "901", ""),
    ] },
    Macro { name: "SMTP", lines: &[
        line("tcp", "", "25", ""),
    ] },
    Macro { name: "SMTPS", lines: &[
        line("tcp", "", "465", ""),
    ] },
    Macro { name: "SNMP", lines: &[
        line("udp", "", "161-162", ""),
        line("tcp", "", "161", ""),
    ] },
    Macro { name: "SPAMD", lines: &[
        line("tcp", "", "783", ""),
    ] },
    Macro { name: "SPICEproxy", lines: &[
        line("tcp", "", "3128", ""),
    ] },
    Macro { name: "Squid", lines: &[
        line("tcp", "", "3128", ""),
    ] },
    Macro { name: "SSH", lines: &[
        line("tcp", "", "22", ""),
    ] },
    Macro { name: "Submission", lines: &[
        line("tcp", "", "587", ""),
    ] },
    Macro { name: "SVN", lines: &[
        line("tcp", "", "3690", ""),
    ] },
    Macro { name: "Syslog", lines: &[
        line("udp", "", "514", ""),
        line("tcp", "", "514", ""),
    ] },
    Macro { name: "Telnet", lines: &[
        line("tcp", "", "23", ""),
    ] },
    Macro { name: "Telnets", lines: &[
        line("tcp", "", "992", ""),
    ] },
    Macro { name: "TFTP", lines: &[
        line("udp", "", "69", ""),
    ] },
    Macro { name: "Time", lines: &[
        line("tcp", "", "37", ""),
    ] },
    Macro { name: "Trcrt", lines: &[
        line("udp", "", "33434-33524", ""),
        line("icmp", "", "", "echo-request"),
        line("icmpv6", "", "", "echo-request"),
    ] },
    Macro { name: "VNC", lines: &[
        line("tcp", "", "5900-5999", ""),
    ] },
    Macro { name: "VNCL", lines: &[
        line("tcp", "", "5500", ""),
    ] },
    Macro { name: "Web", lines: &[
        line("tcp", "", "80", ""),
        line("tcp", "", "443", ""),
    ] },
    Macro { name: "Webcache", lines: &[
        line("tcp", "", "8080", ""),
    ] },
    Macro { name: "Webmin", lines: &[
        line("tcp", "", "10000", ""),
    ] },
    Macro { name: "Whois", lines: &[
        line("tcp", "", "43", ""),
    ] },
];
