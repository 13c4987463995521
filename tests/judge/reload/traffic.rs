//! Packets of every kind over every way, sent and counted.
//!
//! In: a network. Out: of every stream how many packets were sent, and how many arrived where they should, or should not.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use fwc::net::{Family, Mac};
use fwc::policy::TargetName;

use super::{Flavour, OPEN, SHUT};
use crate::load::Backend;
use crate::topology::{Network, Port};
use crate::wire::{Arp, Body, Frame, Host, Ip, Payload, Ports, Seen, number, read, read_packet};

/// The port that clients send from.
const CLIENT: u16 = 4000;

/// Where packets of a stream come from or should go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Host,
    Port(usize),
}

/// Packets that are alike.
struct Stream {
    name: String,
    from: Place,
    to: Place,
    accepted: bool,
    /// What is sent; of the host's own the IP packet alone.
    frame: Frame,
    bytes: Vec<u8>,
    sent: u64,
    /// Where it should arrive, or anywhere if it should not.
    arrived: u64,
}

/// All streams, and where they go in and come out.
pub(super) struct Traffic<'a> {
    network: &'a Network<'a>,
    host: Host,
    streams: Vec<Stream>,
    /// Where the kernel fills sets of intervals late: of how many first packets one may meet a set that is too young.
    young: Option<u64>,
}

/// Whether this kernel may fill sets of intervals after the transaction that makes them: 6.18 does, 6.1 does not.
fn fills_late() -> io::Result<bool> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split('.').map_while(|part| part.parse::<u32>().ok());
    Ok((numbers.next(), numbers.next()) > (Some(6), Some(1)))
}

impl<'a> Traffic<'a> {
    pub(super) fn new(network: &'a Network<'a>, backend: Backend, flavour: Flavour) -> io::Result<Self> {
        let mut host = Host::new()?;
        for family in Family::BOTH {
            host.listen(family, 17)?;
        }
        let mut streams = streams(network, backend);
        for (number, stream) in streams.iter_mut().enumerate() {
            stream.bytes = stream.frame.encode(u32::try_from(number).map_err(io::Error::other)?);
        }
        let young = flavour.young().filter(|_| backend.target() == TargetName::Nft);
        let young = if fills_late()? { young } else { None };
        Ok(Self { network, host, streams, young })
    }

    /// One packet of every stream, then whatever has arrived.
    pub(super) fn round(&mut self) -> io::Result<()> {
        for (number, stream) in (0..).zip(&mut self.streams) {
            stream.sent += 1;
            match (stream.from, &stream.frame.body) {
                (Place::Port(port), _) => self.network.ports[port].tap.send(&stream.bytes)?,
                (Place::Host, Body::Ip(ip)) => match self.host.send(ip, number) {
                    // What the rules drop on its way out is told to the sender.
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    sent => sent?,
                },
                (Place::Host, Body::Arp(_) | Body::Other(_)) => {}
            }
        }
        for (at, port) in self.network.ports.iter().enumerate() {
            for frame in port.tap.drain()? {
                self.count(Place::Port(at), read(&frame));
            }
        }
        for (source, _, packet) in self.host.drain()? {
            let seen = match source {
                IpAddr::V4(_) => read_packet(&packet),
                // The header is cut off there.
                IpAddr::V6(_) => number(&packet, false),
            };
            self.count(Place::Host, seen);
        }
        Ok(())
    }

    fn count(&mut self, place: Place, seen: Seen) {
        // An error that quotes a packet is no packet of its stream.
        let Seen::Number { number, icmp_error: false } = seen else { return };
        let stream = usize::try_from(number).ok().and_then(|number| self.streams.get_mut(number));
        if let Some(stream) = stream.filter(|stream| stream.to == place) {
            stream.arrived += 1;
        }
    }

    /// The streams of which nothing has arrived so far.
    pub(super) fn lost_all(&self) -> Option<String> {
        let silent = self.streams.iter().filter(|stream| stream.arrived == 0).map(|stream| &*stream.name);
        Some(silent.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
    }

    pub(super) fn reset(&mut self) {
        for stream in &mut self.streams {
            (stream.sent, stream.arrived) = (0, 0);
        }
    }

    pub(super) fn sent(&self) -> u64 {
        self.streams.iter().map(|stream| stream.sent).sum()
    }

    /// Whether what a stream lost is explained by sets of intervals that were empty for a moment.
    fn is_young(&self, stream: &Stream) -> bool {
        let few = |young| (stream.sent - stream.arrived) * young < stream.sent;
        stream.name.contains(FIRST) && self.young.is_some_and(few)
    }

    pub(super) fn wrong(&self) -> Vec<String> {
        let said = |stream: &Stream| match (stream.accepted, stream.sent, stream.arrived) {
            (true, sent, arrived) if arrived < sent && self.is_young(stream) => None,
            (true, sent, arrived) if arrived < sent => {
                Some(format!("{}: {} of {sent} lost", stream.name, sent - arrived))
            }
            (true, sent, arrived) if arrived > sent => Some(format!("{}: {arrived} of {sent} arrived", stream.name)),
            (false, sent, arrived) if arrived > 0 => Some(format!("{}: {arrived} of {sent} let through", stream.name)),
            (true | false, ..) => None,
        };
        self.streams.iter().filter_map(said).collect()
    }
}

/// Who takes part.
struct Cast {
    guests: [usize; 2],
    uplink: usize,
    beside: usize,
}

fn streams(network: &Network<'_>, backend: Backend) -> Vec<Stream> {
    let of = |wanted: &str| network.ports.iter().position(|port| port.tap.device == wanted).unwrap_or_default();
    let cast = Cast { guests: [of("tap100i0"), of("tap101i0")], uplink: of("uplink0"), beside: of("beside0") };
    let guest_tables = backend != Backend::NftHost;
    let mut found = Vec::new();
    for family in Family::BOTH {
        let [first, second] = cast.guests.map(Place::Port);
        let (uplink, beside) = (Place::Port(cast.uplink), Place::Port(cast.beside));
        let mut ways = vec![
            (uplink, Place::Host),
            (Place::Host, uplink),
            (beside, Place::Host),
            (beside, uplink),
            (uplink, beside),
        ];
        if guest_tables {
            ways.extend([
                (uplink, first),
                (first, uplink),
                (first, second),
                (first, Place::Host),
                (Place::Host, second),
            ]);
            ways.extend([(beside, second), (first, beside)]);
        }
        for (from, to) in ways {
            found.extend(dialogue(network, family, from, to));
        }
        if guest_tables {
            found.extend(spoofed(network, family, cast.guests[0], cast.uplink));
        }
    }
    // ebtables and the bridge table judge these.
    if guest_tables {
        for (name, address, accepted) in [("own", [10, 0, 0, 100], true), ("spoofed", [10, 0, 0, 105], false)] {
            let source = network.ports[cast.guests[0]].mac;
            let arp = Arp { operation: 1, sender_mac: source, sender: address.into(), target: [203, 0, 113, 9].into() };
            let frame = Frame { dest: Mac([0xff; 6]), source, tags: Vec::new(), body: Body::Arp(arp) };
            let (from, to) = (Place::Port(cast.guests[0]), Place::Port(cast.uplink));
            found.push(stream(format!("ARP with {name} address"), from, to, accepted, frame));
        }
    }
    found
}

fn stream(name: String, from: Place, to: Place, accepted: bool, frame: Frame) -> Stream {
    Stream { name, from, to, accepted, frame, bytes: Vec::new(), sent: 0, arrived: 0 }
}

/// What the streams are called whose every packet is the first of its connection.
const FIRST: &str = "first packets";

/// A new flow to the open port, an answered one in both directions, and one to the port that is shut.
fn dialogue(network: &Network<'_>, family: Family, from: Place, to: Place) -> Vec<Stream> {
    let title = |what: &str| format!("{} {what} from {} to {}", family.name(), name(network, from), name(network, to));
    let packet = |from: Place, to: Place, ports: Ports| {
        let (source, dest) = (address(network, from, family), address(network, to, family));
        frame(network, from, to, Ip { source, dest, ttl: 64, payload: Payload::Udp(ports) })
    };
    let there = |client: u16, dest: u16| packet(from, to, Ports { source: client, dest });
    let back = packet(to, from, Ports { source: OPEN, dest: CLIENT });
    vec![
        stream(title(FIRST), from, to, true, there(CLIENT + 1, OPEN)),
        stream(title("answered packets"), from, to, true, there(CLIENT, OPEN)),
        stream(title("answers to those"), to, from, true, back),
        stream(title("denied packets"), from, to, false, there(CLIENT, SHUT)),
    ]
}

/// Packets to the open port that a guest sends with somebody else's address, and under somebody else's MAC.
fn spoofed(network: &Network<'_>, family: Family, guest: usize, uplink: usize) -> Vec<Stream> {
    let (from, to) = (Place::Port(guest), Place::Port(uplink));
    let (own, dest) = (address(network, from, family), address(network, to, family));
    let ports = Ports { source: CLIENT + 2, dest: OPEN };
    let sent = |source| frame(network, from, to, Ip { source, dest, ttl: 64, payload: Payload::Udp(ports) });
    let other = match family {
        Family::V4 => [10, 0, 0, 77].into(),
        Family::V6 => [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77].into(),
    };
    let foreign_mac = Frame { source: Mac([0x02, 0x99, 0, 0, 0, 1]), ..sent(own) };
    vec![
        stream(format!("{} with a spoofed address", family.name()), from, to, false, sent(other)),
        stream(format!("{} with a spoofed MAC", family.name()), from, to, false, foreign_mac),
    ]
}

fn name(network: &Network<'_>, place: Place) -> String {
    match place {
        Place::Host => "the host".to_owned(),
        Place::Port(port) => network.ports[port].tap.device.clone(),
    }
}

/// The host's own address, a guest's first, or one behind an unknown port.
fn address(network: &Network<'_>, place: Place, family: Family) -> IpAddr {
    let (known, device) = match place {
        Place::Host => (network.own_of(family), ""),
        Place::Port(port) => (network.ports[port].address(family), &*network.ports[port].tap.device),
    };
    let other: [&str; 2] =
        if device == "beside0" { ["64.0.0.9", "3000::9"] } else { ["203.0.113.9", "2001:db8:f0::9"] };
    let texts = other.map(str::parse::<IpAddr>).into_iter().flatten();
    let unknown = texts.into_iter().find(|address| Family::of(*address) == family);
    known.or(unknown).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// To the station itself on the same bridge, else to the host, which routes.
fn frame(network: &Network<'_>, from: Place, to: Place, ip: Ip) -> Frame {
    let port = |place: Place| -> Option<&Port<'_>> {
        match place {
            Place::Host => None,
            Place::Port(port) => network.ports.get(port),
        }
    };
    let source = port(from);
    let gateway = source.map_or(Mac([0; 6]), |source| network.segments[source.segment].mac);
    let near = port(to).filter(|to| source.is_some_and(|source| source.segment == to.segment));
    Frame {
        dest: near.map_or(gateway, |to| to.mac),
        source: source.map_or(gateway, |source| source.mac),
        tags: Vec::new(),
        body: Body::Ip(ip),
    }
}
