//! FTP: what the two ends say to each other, and what connection tracking's helper makes of it.
//!
//! In: the end of a handshake. Out: the lines that announce a data connection (RFC 959, RFC 2428), and its first packets. And
//! for the model, from a line: which connection it announces. One half does not know of the other.

use std::net::IpAddr;
use std::str::FromStr;

use fwc::net::TcpFlags as F;

use crate::random::Random;
use crate::wire::{Ip, Payload, Ports, Tcp};

/// Where the server listens.
pub const PORT: u16 = 21;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who opened the connection.
    Client,
    /// Who listened.
    Server,
}

/// What follows the handshake's last two packets, if they are of FTP: some lines, one of which announces a data
/// connection; its first two packets; and one more like its first, which nobody announced.
pub fn talk(handshake: (&Ip, &Ip), random: &mut Random) -> Option<Vec<(Side, Ip)>> {
    let (server, client) = handshake;
    let (Payload::Tcp(answer), Payload::Tcp(last)) = (&server.payload, &client.payload) else { return None };
    if last.ports.dest != PORT {
        return None;
    }
    let mut ends = [(client, last.clone(), last.next()), (server, answer.clone(), answer.next())];
    let mut list = Vec::new();
    let active = random.once_in(2);
    let port = 40_000 + random.below(20_000) as u16;
    let speaker = if active { Side::Client } else { Side::Server };
    let announced = announcement(if active { client } else { server }.source, port, active);
    // The helper looks for words at the start of a line: it must have seen the end of one.
    let lines = [(Side::Client, "USER probe\r"), (Side::Server, "220 probe\r"), (speaker, announced.as_str())];
    for (side, text) in lines {
        let acknowledges = ends[usize::from(side == Side::Client)].2;
        let (ip, tcp, sequence) = &mut ends[usize::from(side == Side::Server)];
        let line = Tcp { flags: F::ACK | F::PSH, sequence: *sequence, acknowledges, data: text.into(), ..tcp.clone() };
        *sequence = line.next();
        list.push((side, Ip { payload: Payload::Tcp(line), ..(*ip).clone() }));
    }
    let (opener, taker) = if active { (Side::Server, Side::Client) } else { (Side::Client, Side::Server) };
    let ip = |side: Side, tcp: Tcp| {
        let own = if side == Side::Client { client } else { server };
        (side, Ip { payload: Payload::Tcp(tcp), ..own.clone() })
    };
    let source = if active { PORT - 1 } else { 1024 + random.below(30_000) as u16 };
    let first = |source: u16| Tcp {
        ports: Ports { source, dest: port },
        flags: F::SYN,
        sequence: 9000,
        acknowledges: 0,
        data: Vec::new(),
    };
    let second = Tcp {
        ports: Ports { source: port, dest: source },
        flags: F::SYN | F::ACK,
        sequence: 7000,
        acknowledges: first(source).next(),
        data: Vec::new(),
    };
    list.push(ip(opener, first(source)));
    list.push(ip(taker, second));
    list.push(ip(opener, first(source + 30_000)));
    Some(list)
}

fn announcement(own: IpAddr, port: u16, active: bool) -> String {
    let [high, low] = port.to_be_bytes();
    let commas = |own: std::net::Ipv4Addr| own.octets().map(|octet| octet.to_string()).join(",");
    match (own, active) {
        (IpAddr::V4(own), true) => format!("PORT {},{high},{low}\r", commas(own)),
        (IpAddr::V4(own), false) => format!("227 Entering Passive Mode ({},{high},{low})\r", commas(own)),
        (IpAddr::V6(own), true) => format!("EPRT |2|{own}|{port}|\r"),
        (IpAddr::V6(_), false) => format!("229 Entering Extended Passive Mode (|||{port}|)\r"),
    }
}

/// The port to which a line of one of the ends invites the other.
pub fn announced(ip: &Ip, tcp: &Tcp) -> Option<u16> {
    let text = std::str::from_utf8(&tcp.data).ok()?.strip_suffix('\r')?;
    let commas = |text: &str| {
        let numbers: Vec<u8> = text.split(',').map(u8::from_str).collect::<Result<_, _>>().ok()?;
        let [a, b, c, d, high, low] = numbers[..] else { return None };
        (IpAddr::from([a, b, c, d]) == ip.source).then_some(u16::from_be_bytes([high, low]))
    };
    let inner = |text: &'_ str| Some(text.split_once('(')?.1.strip_suffix(')')?.to_owned());
    if tcp.ports.dest == PORT {
        if let Some(extended) = text.strip_prefix("EPRT |2|") {
            let (address, port) = extended.strip_suffix('|')?.split_once('|')?;
            return port.parse().ok().filter(|_| address.parse() == Ok(ip.source));
        }
        return commas(text.strip_prefix("PORT ")?);
    }
    match text.strip_prefix("229 ") {
        Some(extended) => inner(extended)?.strip_prefix("|||")?.strip_suffix('|')?.parse().ok(),
        None => commas(&inner(text.strip_prefix("227 ")?)?),
    }
}
