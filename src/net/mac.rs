//! Ethernet addresses.

use std::fmt;
use std::net::Ipv6Addr;

/// A MAC address (EUI-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Six octets in hexadecimal, separated by `:` or `-`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a MAC address");
        let mut octets = [0_u8; 6];
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let parts = text.as_bytes().chunks(3);
        if text.len() != 17 {
            return Err(bad());
        }
        for (octet, part) in octets.iter_mut().zip(parts) {
            let ([high, low] | [high, low, b':' | b'-']) = part else { return Err(bad()) };
            *octet = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or_else(bad)?;
        }
        Ok(Self(octets))
    }

    /// Whether a text is an address in the one spelling that is shown: lower case, with colons.
    #[must_use]
    pub fn is_spelled(text: &str) -> bool {
        let fits = |(at, byte): (usize, u8)| match at % 3 {
            2 => byte == b':',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        };
        text.len() == 17 && text.bytes().enumerate().all(fits)
    }

    /// Whether it addresses a group of stations (and so can be no station's own).
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// The IPv6 link-local address made from it (modified EUI-64, RFC 4291 appendix A).
    #[must_use]
    pub const fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let word = u16::from_be_bytes;
        Ipv6Addr::new(0xfe80, 0, 0, 0, word([a ^ 2, b]), word([c, 0xff]), word([0xfe, d]), word([e, f]))
    }
}

impl fmt::Display for Mac {
    /// Lower case, with colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
