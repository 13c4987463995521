//! The log lines that rules leave, as the kernel hands them to a listener (NFLOG, group 0).

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt};

use super::port::drain;

/// The subsystem of `linux/netfilter/nfnetlink_log.h` and its two messages.
const SUBSYSTEM: u16 = 4 << 8;
const PACKET: u16 = SUBSYSTEM;
const CONFIG: u16 = SUBSYSTEM | 1;
/// Attributes of a packet's message.
const PAYLOAD: u16 = 9;
const PREFIX: u16 = 10;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What the rule puts before it.
    pub prefix: String,
    /// The packet, from its network header on.
    pub packet: Vec<u8>,
}

/// A listener in this network namespace.
pub struct Log(OwnedFd);

impl Log {
    /// Listens from now on.
    pub fn new() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::NETFILTER))?;
        sockopt::set_socket_recv_buffer_size_force(&socket, 16 << 20)?;
        let log = Self(socket);
        // Bind; then whole packets, each line at once.
        log.configure(1, &[1])?;
        log.configure(2, &[0, 0, 0xff, 0xff, 2, 0])?;
        log.configure(5, &[0, 0, 0, 1])?;
        log.drain()?;
        Ok(log)
    }

    /// One attribute of a configuration message for group 0.
    fn configure(&self, kind: u16, value: &[u8]) -> io::Result<()> {
        let attribute = 4 + value.len();
        let padded = attribute.div_ceil(4) * 4;
        let mut message = Vec::with_capacity(20 + padded);
        message.extend((20 + padded as u32).to_ne_bytes());
        message.extend(CONFIG.to_ne_bytes());
        message.extend(1_u16.to_ne_bytes());
        message.extend([0; 8]);
        message.extend([0; 4]);
        message.extend((attribute as u16).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(value);
        message.resize(20 + padded, 0);
        rustix::net::send(&self.0, &message, SendFlags::empty())?;
        Ok(())
    }

    /// All lines so far.
    pub fn drain(&self) -> io::Result<Vec<Line>> {
        let messages = drain(|buffer| {
            rustix::net::recv(&self.0, buffer, RecvFlags::empty()).map(|(length, _)| length).map_err(io::Error::from)
        })?;
        Ok(messages.iter().flat_map(|bytes| lines(bytes)).collect())
    }
}

fn lines(mut bytes: &[u8]) -> Vec<Line> {
    let mut found = Vec::new();
    while let (Some(length), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let Some(message) = bytes.get(..length as usize).filter(|message| message.len() >= 20) else { break };
        if kind == PACKET {
            found.push(line(&message[20..]));
        }
        bytes = bytes.get(message.len().div_ceil(4) * 4..).unwrap_or_default();
    }
    found
}

fn line(mut attributes: &[u8]) -> Line {
    let mut line = Line { prefix: String::new(), packet: Vec::new() };
    while let (Some(length), Some(kind)) = (half(attributes, 0), half(attributes, 2)) {
        let Some(value) = attributes.get(4..usize::from(length)) else { break };
        match kind & 0x3fff {
            PAYLOAD => line.packet = value.to_vec(),
            PREFIX => line.prefix = String::from_utf8_lossy(value).trim_end_matches('\0').to_owned(),
            _ => {}
        }
        attributes = attributes.get(usize::from(length).div_ceil(4) * 4..).unwrap_or_default();
    }
    line
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
