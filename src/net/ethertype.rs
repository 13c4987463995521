//! Ethertypes by name and number.

/// Names as ebtables knows them (its `ethertypes` file; IEEE 802 Numbers), and their numbers.
const NAMES: &[(&str, u16)] = &[
    ("IPv4", 0x0800),
    ("X25", 0x0805),
    ("ARP", 0x0806),
    ("FR_ARP", 0x0808),
    ("BPQ", 0x08ff),
    ("TRAILER", 0x1000),
    ("DEC", 0x6000),
    ("DNA_DL", 0x6001),
    ("DNA_RC", 0x6002),
    ("DNA_RT", 0x6003),
    ("LAT", 0x6004),
    ("DIAG", 0x6005),
    ("CUST", 0x6006),
    ("SCA", 0x6007),
    ("TEB", 0x6558),
    ("RAW_FR", 0x6559),
    ("RARP", 0x8035),
    ("AARP", 0x80f3),
    ("ATALK", 0x809b),
    ("802_1Q", 0x8100),
    ("IPX", 0x8137),
    ("NetBEUI", 0x8191),
    ("IPv6", 0x86dd),
    ("PPP", 0x880b),
    ("MPLS", 0x8847),
    ("MPLS_MULTI", 0x8848),
    ("ATMMPOA", 0x884c),
    ("PPP_DISC", 0x8863),
    ("PPP_SES", 0x8864),
    ("ATMFATE", 0x8884),
    ("EAPOL", 0x888e),
    ("LLDP", 0x88cc),
    ("LOOP", 0x9000),
];

/// A name, in any case, or `0x` and hexadecimal digits of a number from 0x0600 (smaller ones are lengths).
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_ethertype(text: &str) -> Result<u16, String> {
    if let Some((_, number)) = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*number);
    }
    let number = text.strip_prefix("0x").and_then(|digits| u16::from_str_radix(digits, 16).ok());
    number.filter(|number| *number >= 0x0600).ok_or_else(|| format!("unknown ethertype `{text}`"))
}

/// The name of a number, where it has one.
#[must_use]
pub fn ethertype_name(number: u16) -> Option<&'static str> {
    NAMES.iter().find(|(_, known)| *known == number).map(|(name, _)| *name)
}

/// Every name that [`parse_ethertype`] takes.
pub fn ethertype_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}
