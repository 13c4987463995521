//! Words of the network: addresses, ports, protocols, ICMP types, macros, sets of them, and names of kernel settings.
//!
//! In: text. Out: typed values and exact sets. Nothing here knows of zones, rules or targets.
//! Parsers return a plain sentence in lower case as their error, for a diagnostic's message.

mod address;
mod ethertype;
mod flags;
mod icmp;
mod mac;
mod macros;
mod port;
mod protocol;
mod ranges;
mod spelling;
mod sysctl;

pub use address::{AddressSet, Family, Interface as InterfaceAddress, parse_address_range, parse_prefix};
pub use ethertype::{ethertype_name, ethertype_names, parse_ethertype};
pub use flags::TcpFlags;
pub use icmp::{IcmpType, icmp_type_names};
pub use mac::Mac;
pub use macros::{MACROS, Macro, MacroLine, MacroService, find_macro};
pub use port::{PortSet, parse_ports, service_names};
pub use protocol::Protocol;
pub use ranges::{Number, Ranges};
pub use spelling::{is_decimal, read_v4, spell_v6, spelled_v6};
pub use sysctl::{sysctl_key, sysctl_twin};

/// A number from 0 to 255 in plain decimals: no sign, and no zeros before it, which elsewhere make it octal.
fn small_number(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests;
