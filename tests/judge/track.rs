//! What connection tracking says of each probe, from what was sent before it.
//!
//! In: packets in the order in which they are sent, and which of them were let through. Out: each one's state.
//! It knows what the kernel knows of the packets that probes are made of, and no more.

use std::collections::HashMap;
use std::net::IpAddr;

use fwc::net::{Family, TcpFlags};
use fwc::policy::State;

use crate::ftp;
use crate::wire::{Ip, Payload};

/// A flow's identity in one direction: addresses, protocol, and what stands for ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Tuple {
    source: IpAddr,
    dest: IpAddr,
    protocol: u8,
    from: u16,
    to: u16,
}

impl Tuple {
    fn reversed(&self) -> Self {
        Self { source: self.dest, dest: self.source, protocol: self.protocol, from: self.to, to: self.from }
    }
}

/// All flows so far.
#[derive(Debug, Default)]
pub struct Tracker {
    /// By the tuple of the first packet.
    flows: HashMap<Tuple, Flow>,
    /// Connections that a helper heard announced, by the flow in which it did: source, destination, and its port.
    expected: HashMap<Tuple, (IpAddr, IpAddr, u16)>,
}

#[derive(Debug, Clone, Copy)]
struct Flow {
    /// Whether a packet of the other direction was seen.
    answered: bool,
    /// Whether it began with a bare SYN.
    syn: bool,
    /// Whether a helper listens to it.
    helped: bool,
    /// Whether it was announced.
    announced: bool,
}

impl Tracker {
    /// The state of a packet that is about to be sent.
    pub fn state(&self, ip: &Ip) -> State {
        if let Payload::Error { about, .. } = &ip.payload {
            // The error goes to whoever sent what it is about.
            let known = tuple(about).is_some_and(|tuple| self.find(&tuple).is_some()) && ip.dest == about.source;
            return if known { State::Related } else { State::Invalid };
        }
        if is_malformed(ip) {
            return State::Invalid;
        }
        let Some(tuple) = tuple(ip) else { return if is_untracked(ip) { State::New } else { State::Invalid } };
        match self.find(&tuple) {
            // Before the answer, TCP lets nothing but the SYN again.
            Some((flow, true)) if !flow.answered && flow.syn && !is_syn(ip) => State::Invalid,
            Some((flow, true)) if !flow.answered && flow.announced => State::Related,
            Some((flow, true)) if !flow.answered => State::New,
            Some(_) => State::Established,
            None if !may_begin(ip) => State::Invalid,
            None if self.announced(ip).is_some() => State::Related,
            None => State::New,
        }
    }

    /// A packet reached connection tracking, which is before all hooks: it may be the answer to a flow.
    pub fn seen(&mut self, ip: &Ip) {
        if is_malformed(ip) || matches!(ip.payload, Payload::Error { .. }) {
            return;
        }
        if let Some(flow) = tuple(ip).and_then(|tuple| self.flows.get_mut(&tuple.reversed())) {
            flow.answered = true;
        }
        // One connection for each announcement, whatever becomes of it.
        if may_begin(ip)
            && tuple(ip).is_some_and(|tuple| self.find(&tuple).is_none())
            && let Some(flow) = self.announced(ip)
        {
            self.expected.remove(&flow);
        }
    }

    /// A packet passed all hooks: its flow is known from now on, and a helper hears what it says.
    ///
    /// `state`: the packet's own; `helped`: whether FTP's helper looks at flows that begin so.
    pub fn passed(&mut self, ip: &Ip, state: State, helped: bool) {
        if is_malformed(ip) {
            return;
        }
        let Some(tuple) = tuple(ip) else { return };
        if let (Payload::Tcp(tcp), State::Established) = (&ip.payload, state)
            && self.find(&tuple).is_some_and(|(flow, _)| flow.helped)
            && let Some(port) = ftp::announced(ip, tcp)
        {
            // A flow has room for one: the last.
            let flow = if self.flows.contains_key(&tuple) { tuple.clone() } else { tuple.reversed() };
            self.expected.insert(flow, (ip.dest, ip.source, port));
        }
        if may_begin(ip) && !self.flows.contains_key(&tuple.reversed()) {
            let helped = helped && ip.protocol() == 6 && tuple.to == ftp::PORT;
            let announced = state == State::Related;
            self.flows.entry(tuple).or_insert(Flow { answered: false, syn: is_syn(ip), helped, announced });
        }
    }

    /// The flow in which a packet was announced.
    fn announced(&self, ip: &Ip) -> Option<Tuple> {
        let Payload::Tcp(tcp) = &ip.payload else { return None };
        let own = (ip.source, ip.dest, tcp.ports.dest);
        self.expected.iter().find(|(_, expected)| **expected == own).map(|(flow, _)| flow.clone())
    }

    /// The flow, and whether the tuple is that of its first packet.
    fn find(&self, tuple: &Tuple) -> Option<(Flow, bool)> {
        let first = self.flows.get(tuple).map(|flow| (*flow, true));
        first.or_else(|| self.flows.get(&tuple.reversed()).map(|flow| (*flow, false)))
    }
}

/// None where the packet is tracked by no tuple.
fn tuple(ip: &Ip) -> Option<Tuple> {
    let (from, to) = match &ip.payload {
        Payload::Icmp { kind, rest, .. } => {
            let id = u16::from_be_bytes([rest[0], rest[1]]);
            // A request and its reply are one flow: both are named by the request's type.
            let request = request_of(ip.family(), *kind)?;
            if request == *kind { (id, u16::from(request)) } else { (u16::from(request), id) }
        }
        Payload::Neighbour { .. } | Payload::Error { .. } => return None,
        Payload::Tcp(_) | Payload::Udp(_) | Payload::Sctp(_) | Payload::UdpLite(_) | Payload::Dccp(_) => {
            let ports = ip.payload.ports()?;
            (ports.source, ports.dest)
        }
        // The other family's ICMP is nobody's.
        Payload::Other(1 | 58) => return None,
        Payload::Other(_) => (0, 0),
    };
    Some(Tuple { source: ip.source, dest: ip.dest, protocol: ip.protocol(), from, to })
}

/// The type that asks, for one that asks or answers.
fn request_of(family: Family, kind: u8) -> Option<u8> {
    match (family, kind) {
        (Family::V4, 8 | 0) => Some(8),
        (Family::V4, 13 | 14) => Some(13),
        (Family::V4, 15 | 16) => Some(15),
        (Family::V4, 17 | 18) => Some(17),
        (Family::V6, 128 | 129) => Some(128),
        (Family::V6, 139 | 140) => Some(139),
        _ => None,
    }
}

/// Neighbour discovery and multicast listener discovery are nobody's flow.
fn is_untracked(ip: &Ip) -> bool {
    let listener = |kind: u8| ip.family() == Family::V6 && matches!(kind, 130..=136 | 143);
    matches!(ip.payload, Payload::Neighbour { .. })
        || matches!(ip.payload, Payload::Icmp { kind, .. } if listener(kind))
}

/// TCP flags that no state of a connection allows.
fn is_malformed(ip: &Ip) -> bool {
    use TcpFlags as F;
    let Payload::Tcp(tcp) = &ip.payload else { return false };
    let flags = tcp.flags & !F::PSH;
    const SYN_ACK: u8 = F::SYN | F::ACK;
    const SYN_URG: u8 = F::SYN | F::URG;
    const RST_ACK: u8 = F::RST | F::ACK;
    const FIN_ACK: u8 = F::FIN | F::ACK;
    const FIN_ACK_URG: u8 = F::FIN | F::ACK | F::URG;
    const ACK_URG: u8 = F::ACK | F::URG;
    !matches!(flags, F::SYN | SYN_URG | SYN_ACK | F::RST | RST_ACK | FIN_ACK | FIN_ACK_URG | F::ACK | ACK_URG)
}

fn is_syn(ip: &Ip) -> bool {
    use TcpFlags as F;
    matches!(&ip.payload, Payload::Tcp(tcp) if tcp.flags & (F::SYN | F::ACK | F::RST) == F::SYN)
}

/// Whether a packet can be the first of a flow. TCP may be picked up in the middle of a connection.
fn may_begin(ip: &Ip) -> bool {
    use TcpFlags as F;
    match &ip.payload {
        Payload::Tcp(tcp) => {
            let ack_alone = tcp.flags & (F::SYN | F::ACK | F::RST | F::FIN) == F::ACK;
            is_syn(ip) || ack_alone
        }
        Payload::Icmp { kind, .. } => request_of(ip.family(), *kind) == Some(*kind),
        Payload::Udp(_) | Payload::Sctp(_) | Payload::UdpLite(_) | Payload::Dccp(_) | Payload::Other(_) => true,
        Payload::Error { .. } | Payload::Neighbour { .. } => false,
    }
}
