//! Checksums.

use std::net::IpAddr;

/// The Internet checksum (RFC 1071) over several pieces, each of an even length but for the last.
pub fn internet(pieces: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for piece in pieces {
        for pair in piece.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Over a transport header with its payload, and the pseudo header of its addresses.
pub fn transport(source: IpAddr, dest: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let length = (segment.len() as u32).to_be_bytes();
    let pseudo = [octets(source), octets(dest)].concat();
    let sum = internet(&[&pseudo, &length, &[0, 0, 0, protocol], segment]);
    // UDP says "none" by zero; the other protocols take either form.
    if sum == 0 { 0xffff } else { sum }
}

/// An address as it stands in a header.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// CRC-32C (Castagnoli), which SCTP uses (RFC 9260).
pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}
