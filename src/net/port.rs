//! Ports of TCP, UDP, SCTP, DCCP and UDP-Lite.

use super::Ranges;

/// A set of ports, 0 to 65535.
pub type PortSet = Ranges<u16>;

/// Service names (IANA "Service Name and Transport Protocol Port Number Registry", as `/etc/services` has them).
/// A fixed table, so that a spec means the same on every machine.
const SERVICES: &[(&str, u16)] = &[
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("whois", 43),
    ("tacacs", 49),
    ("domain", 53),
    ("dns", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("www", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("portmapper", 111),
    ("auth", 113),
    ("nntp", 119),
    ("ntp", 123),
    ("epmap", 135),
    ("loc-srv", 135),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap2", 143),
    ("imap", 143),
    ("snmp", 161),
    ("snmp-trap", 162),
    ("bgp", 179),
    ("irc", 194),
    ("ldap", 389),
    ("https", 443),
    ("snpp", 444),
    ("microsoft-ds", 445),
    ("kpasswd", 464),
    ("submissions", 465),
    ("smtps", 465),
    ("isakmp", 500),
    ("syslog", 514),
    ("printer", 515),
    ("route", 520),
    ("dhcpv6-client", 546),
    ("dhcpv6-server", 547),
    ("rtsp", 554),
    ("nntps", 563),
    ("submission", 587),
    ("ipp", 631),
    ("ldaps", 636),
    ("domain-s", 853),
    ("rsync", 873),
    ("ftps-data", 989),
    ("ftps", 990),
    ("telnets", 992),
    ("imaps", 993),
    ("pop3s", 995),
    ("socks", 1080),
    ("openvpn", 1194),
    ("ms-sql-s", 1433),
    ("ms-sql-m", 1434),
    ("l2f", 1701),
    ("radius", 1812),
    ("radius-acct", 1813),
    ("nfs", 2049),
    ("gnunet", 2086),
    ("git", 9418),
    ("iscsi-target", 3260),
    ("mysql", 3306),
    ("ms-wbt-server", 3389),
    ("nut", 3493),
    ("distcc", 3632),
    ("daap", 3689),
    ("svn", 3690),
    ("subversion", 3690),
    ("ipsec-nat-t", 4500),
    ("iax", 4569),
    ("mdns", 5353),
    ("postgresql", 5432),
    ("rfb", 5900),
    ("amqps", 5671),
    ("amqp", 5672),
    ("sip", 5060),
    ("sip-tls", 5061),
    ("xmpp-client", 5222),
    ("xmpp-server", 5269),
    ("x11", 6000),
    ("redis", 6379),
    ("ircd", 6667),
    ("ircs-u", 6697),
    ("bacula-dir", 9101),
    ("bacula-fd", 9102),
    ("bacula-sd", 9103),
    ("amanda", 10080),
    ("zabbix-agent", 10050),
    ("zabbix-trapper", 10051),
    ("webmin", 10000),
];

fn port(text: &str) -> Result<u16, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Elsewhere these are octal.
        if text.len() > 1 && text.starts_with('0') {
            return Err(format!("port `{text}` begins with a zero"));
        }
        return text.parse().map_err(|_| format!("port `{text}` is above 65535"));
    }
    if let Some((_, number)) = SERVICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*number);
    }
    Err(format!("unknown service name `{text}`"))
}

/// A port, a service name, or a range `a-b` of ports, both included.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_ports(text: &str) -> Result<PortSet, String> {
    // A service name may hold a dash itself, so names are tried first.
    if let Ok(single) = port(text) {
        return Ok(PortSet::single(single));
    }
    let Some((first, last)) = text.split_once('-') else { return port(text).map(PortSet::single) };
    let (first, last) = (port(first.trim())?, port(last.trim())?);
    if first > last {
        return Err(format!("the range `{text}` ends before it starts"));
    }
    Ok(PortSet::range(first, last))
}

/// Every service name that [`parse_ports`] takes.
pub fn service_names() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|(name, _)| *name)
}
