//! A question about one packet, with all that the asker may leave out.

use std::net::IpAddr;

use crate::net::{Family, Mac, Protocol};
use crate::policy::{Endpoint, Fleet, HostPolicy, State};

use super::notes::{self, Note};
use super::{Trace, ends, first_packet};
use crate::analysis::{NoRoute, Packet, Place, route};

/// What kind of frame is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Frame {
    /// An IP packet, in a plain frame or behind one VLAN tag.
    #[default]
    Ip,
    /// ARP.
    Arp,
    /// Anything behind more than one VLAN tag, or behind an 802.1ad one.
    Stacked,
    /// Another ethertype.
    Other(u16),
}

/// A packet as far as it is described. What is left out is taken from an ordinary first packet: see [`Question::ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Where it begins.
    pub from: Endpoint,
    /// Where it ends.
    pub to: Endpoint,
    /// The host that routes it.
    pub via: Option<String>,
    /// Where guests run that may run on several hosts: of both ends, or one for each.
    pub on: Vec<String>,
    /// What the frame carries.
    pub frame: Frame,
    /// IPv4 or IPv6.
    pub family: Option<Family>,
    /// The source address.
    pub source: Option<IpAddr>,
    /// The destination address.
    pub dest: Option<IpAddr>,
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// The source port.
    pub sport: Option<u16>,
    /// The destination port.
    pub dport: Option<u16>,
    /// The ICMP type, as a rule writes it.
    pub icmp_type: Option<String>,
    /// The TCP flags that are set; bits as in [`crate::net::TcpFlags`].
    pub tcp_flags: Option<u8>,
    /// What connection tracking says.
    pub state: Option<State>,
    /// The host's interface by which it comes in or leaves.
    pub interface: Option<String>,
    /// The Ethernet source.
    pub mac: Option<Mac>,
}

/// What becomes of the packet that was asked about.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// Where it begins, on one host.
    pub from: Place<'a>,
    /// Where it ends, on one host.
    pub to: Place<'a>,
    /// The host that routes it.
    pub via: Option<&'a HostPolicy>,
    /// The packet, complete.
    pub packet: Packet,
    /// What the hooks decide.
    pub trace: Trace<'a>,
    /// What the asker should know besides.
    pub notes: Vec<Note<'a>>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswerable {
    /// A sentence in lower case without a full stop.
    pub message: String,
    /// The fix.
    pub help: String,
}

impl Unanswerable {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl Question {
    /// Everything left out between two ends.
    #[must_use]
    pub const fn between(from: Endpoint, to: Endpoint) -> Self {
        Self {
            from,
            to,
            via: None,
            on: Vec::new(),
            frame: Frame::Ip,
            family: None,
            source: None,
            dest: None,
            protocol: None,
            sport: None,
            dport: None,
            icmp_type: None,
            tcp_flags: None,
            state: None,
            interface: None,
            mac: None,
        }
    }

    /// Completes the packet and judges it.
    ///
    /// What is left out: the ends' first addresses of one family (IPv4, where both ends have it), state new, a bare SYN
    /// for TCP, source port [`super::EPHEMERAL`], an echo request for ICMP and where no protocol is named, the sending
    /// NIC's own MAC. A guest that may run on several hosts runs where both ends may, or else on the first by name.
    ///
    /// # Errors
    /// If a machine does not exist, no way leads from end to end, an address or port is missing that has no default, or
    /// two parts of the description contradict each other.
    pub fn ask<'a>(&self, fleet: &'a Fleet) -> Result<Answer<'a>, Unanswerable> {
        let via = self.via.as_deref().map(|name| ends::host(fleet, name)).transpose()?;
        let ends = ends::Ends::find(fleet, self)?;
        let legs = route(ends.from, ends.to, via).map_err(|reason| no_route(reason, &ends))?;
        let packet = first_packet::complete(self, ends.from, ends.to)?;
        let trace = Trace::new(&packet, legs);
        let mut answer = Answer { from: ends.from, to: ends.to, via, packet, trace, notes: Vec::new() };
        answer.notes = notes::all(fleet, self, &ends, &answer);
        Ok(answer)
    }
}

fn no_route(reason: NoRoute, ends: &ends::Ends<'_>) -> Unanswerable {
    match reason {
        NoRoute::OutsideOnly => Unanswerable::new(
            "between `outside` and `outside` there is no host of the spec",
            "name the host that routes the packet with `--via host/NAME`, or a machine at one end",
        ),
        NoRoute::SamePort => Unanswerable::new(
            format!("both ends are `{}`", ends::name(ends.from)),
            "what a guest sends to itself passes no firewall; write another machine or NIC",
        ),
        NoRoute::HostIsEnd => Unanswerable::new(
            "the host of `--via` is an end of the way itself",
            "leave `--via` out, or name another host",
        ),
    }
}
