//! What the hooks see of a probe.

use fwc::analysis::{self, IpPacket, Packet};
use fwc::net::Protocol;
use fwc::policy::Carriage;

use super::{Model, Place, Probe};
use crate::stack;
use crate::wire::{self, Frame, Payload, Tag};

impl Model<'_> {
    /// The probe as a hook sees it, where it is not known yet by which interface it leaves.
    pub fn packet(&self, probe: &Probe) -> Packet {
        let mut packet = Packet::new(self.body(&probe.frame, &probe.frame.tags));
        if let Place::Port(port) = probe.from {
            packet.source_mac = Some(probe.frame.source);
            packet.in_interface = Some(self.segment_device(port).to_owned());
        }
        packet
    }

    /// What a frame carries behind these tags.
    pub(super) fn body(&self, frame: &Frame, tags: &[Tag]) -> analysis::Body {
        if !stack::looks_into(tags) {
            return analysis::Body::Stacked;
        }
        let ip = match &frame.body {
            wire::Body::Other(ethertype) => return analysis::Body::Other(*ethertype),
            wire::Body::Arp(arp) => {
                return analysis::Body::Arp(analysis::ArpPacket {
                    sender_mac: Some(arp.sender_mac),
                    sender: arp.sender,
                    target: arp.target,
                });
            }
            wire::Body::Ip(ip) => ip,
        };
        let payload = match (&ip.payload, ip.payload.ports()) {
            (Payload::Tcp(tcp), _) => {
                let (source, dest) = (tcp.ports.source, tcp.ports.dest);
                analysis::Payload::Tcp { source, dest, flags: tcp.flags }
            }
            (_, Some(ports)) => analysis::Payload::Ports { source: ports.source, dest: ports.dest },
            (Payload::Icmp { kind, code, .. } | Payload::Error { kind, code, .. }, None) => {
                analysis::Payload::Icmp { kind: *kind, code: *code }
            }
            (Payload::Neighbour { kind, .. }, None) => analysis::Payload::Icmp { kind: *kind, code: 0 },
            (_, None) => analysis::Payload::Other,
        };
        let (protocol, state) = (Protocol(ip.protocol()), self.tracker.state(ip));
        analysis::Body::Ip(IpPacket { source: ip.source, dest: ip.dest, protocol, payload, state })
    }

    /// A packet as the hooks see it on its way to a place.
    pub fn on_its_way(&self, probe: &Probe, packet: &Packet, place: Place, carriage: Carriage) -> Packet {
        let mut packet = packet.clone();
        let by_stack = probe.from == Place::Host || carriage == Carriage::Routed;
        if let (Place::Port(port), true) = (place, by_stack) {
            packet.out_interface = Some(self.segment_device(port).to_owned());
        }
        if (probe.from, place) == (Place::Host, Place::Host) {
            packet.in_interface = Some("lo".to_owned());
            packet.out_interface = Some("lo".to_owned());
        }
        packet
    }
}
