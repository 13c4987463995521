//! Where frames go in and come out.
//!
//! A [`Tap`] is a station's end of a port: the host sees a device, whoever holds this end is the station. Writing
//! a frame hands it to the host's stack, and when the write has returned the frame has arrived where
//! it goes or was dropped: there is nothing to wait for. [`Host`] is the host's own end: raw sockets, which
//! get packets after the input hook, and send them before the output hook.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use tappers::Interface;

use fwc::net::Family;

use super::{Ip, encode};

/// Longer than any frame or message here.
const LARGEST: usize = 8192;

/// A station's end of a port.
pub struct Tap {
    tap: tappers::Tap,
    /// The device's name on the host.
    pub device: String,
}

impl Tap {
    /// Makes the device in this thread's network namespace.
    pub fn new(device: &str) -> io::Result<Self> {
        let mut tap = tappers::Tap::new_named(Interface::new(device)?)?;
        tap.set_nonblocking(true)?;
        Ok(Self { tap, device: device.to_owned() })
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.tap.send(frame).map(|_| ())
    }

    /// All that has arrived.
    pub fn drain(&self) -> io::Result<Vec<Vec<u8>>> {
        drain(|buffer| self.tap.recv(buffer))
    }
}

pub(super) fn drain(mut receive: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let mut buffer = [0; LARGEST];
    loop {
        match receive(&mut buffer) {
            Ok(length) => found.push(buffer[..length].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(found),
            Err(error) => return Err(error),
        }
    }
}

/// The host's own end.
pub struct Host {
    send: BTreeMap<Family, OwnedFd>,
    receive: BTreeMap<(Family, u8), OwnedFd>,
}

impl Host {
    /// Sockets for sending; those for receiving are made by [`Host::listen`].
    pub fn new() -> io::Result<Self> {
        let mut send = BTreeMap::new();
        for family in Family::BOTH {
            // With the protocol RAW the header is the sender's, in both families.
            let socket = socket(family, 255)?;
            sockopt::set_socket_broadcast(&socket, true)?;
            send.insert(family, socket);
        }
        let mut host = Self { send, receive: BTreeMap::new() };
        // Its own packets may be rejected.
        host.listen(Family::V4, 1)?;
        host.listen(Family::V6, 58)?;
        Ok(host)
    }

    /// Receives packets of a protocol from now on.
    pub fn listen(&mut self, family: Family, protocol: u8) -> io::Result<()> {
        if let std::collections::btree_map::Entry::Vacant(entry) = self.receive.entry((family, protocol)) {
            let socket = socket(family, protocol)?;
            sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20)?;
            entry.insert(socket);
        }
        Ok(())
    }

    /// Sends a packet of the host's own.
    pub fn send(&self, ip: &Ip, number: u32) -> io::Result<()> {
        let bytes = encode::packet(ip, number);
        let socket = &self.send[&ip.family()];
        let sent = match ip.dest {
            IpAddr::V4(dest) => rustix::net::sendto(socket, &bytes, SendFlags::empty(), &SocketAddrV4::new(dest, 0)),
            IpAddr::V6(dest) => {
                rustix::net::sendto(socket, &bytes, SendFlags::empty(), &SocketAddrV6::new(dest, 0, 0, 0))
            }
        };
        sent.map(|_| ()).map_err(io::Error::from)
    }

    /// All that has arrived: source, protocol, and the packet (IPv6: without its header).
    pub fn drain(&self) -> io::Result<Vec<(IpAddr, u8, Vec<u8>)>> {
        let mut found = Vec::new();
        for ((family, protocol), socket) in &self.receive {
            let mut sources = Vec::new();
            let packets = drain(|buffer| {
                let (length, _, source) = rustix::net::recvfrom(socket, buffer, RecvFlags::empty())?;
                sources.push(source);
                Ok(length)
            })?;
            for (packet, source) in packets.into_iter().zip(sources) {
                let source = source.map(SocketAddr::try_from).and_then(Result::ok).map(|source| source.ip());
                found.push((source.unwrap_or(nobody(*family)), *protocol, packet));
            }
        }
        Ok(found)
    }
}

fn nobody(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn socket(family: Family, protocol: u8) -> io::Result<OwnedFd> {
    let domain = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    let protocol = NonZeroU32::new(u32::from(protocol)).map(Protocol::from_raw);
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(domain, SocketType::RAW, flags, protocol)?)
}
