//! Where a frame arrives if no rule stops it.

use fwc::policy::Carriage;

use super::{Model, Place, Probe};
use crate::stack;
use crate::wire::{Body, Frame};

impl Model<'_> {
    /// Every place where the bridges and the host's routes let a frame arrive, and how.
    pub fn reachable(&self, probe: &Probe) -> Vec<(Place, Carriage)> {
        let frame = &probe.frame;
        let Place::Port(from) = probe.from else {
            let Body::Ip(ip) = &frame.body else { return Vec::new() };
            if self.network.is_own(ip.dest) {
                // What comes back by the loopback interface had its route checked, in IPv4, when it was sent.
                let taken = ip.source.is_ipv4() || stack::takes(ip);
                return taken.then_some((Place::Host, Carriage::Routed)).into_iter().collect();
            }
            return self.network.route(ip.dest).map(|port| (Place::Port(port), Carriage::Routed)).into_iter().collect();
        };
        let number = self.network.ports[from].segment;
        let segment = &self.network.segments[number];
        let others = || {
            let ports = self.network.ports.iter().enumerate();
            ports.filter(move |(at, port)| segment.bridge.is_some() && port.segment == number && *at != from)
        };
        let bridged = |at: usize| (Place::Port(at), Carriage::Bridged);
        if frame.dest == segment.mac {
            return self.by_stack(frame, from).into_iter().collect();
        }
        if frame.dest.is_multicast() {
            let here = self.by_stack(frame, from).filter(|(place, _)| *place == Place::Host);
            return others().map(|(at, _)| bridged(at)).chain(here).collect();
        }
        if segment.bridge.is_some()
            && self.network.ports.iter().any(|port| port.segment == number && port.mac == frame.dest)
        {
            return others().filter(|(_, port)| port.mac == frame.dest).map(|(at, _)| bridged(at)).take(1).collect();
        }
        others().map(|(at, _)| bridged(at)).collect()
    }

    /// Where the host's IP stack takes a frame.
    fn by_stack(&self, frame: &Frame, from: usize) -> Option<(Place, Carriage)> {
        let Body::Ip(ip) = &frame.body else { return None };
        if !frame.tags.is_empty() {
            return None;
        }
        if stack::is_local(self.network, self.network.ports[from].segment, ip.dest) {
            return stack::takes(ip).then_some((Place::Host, Carriage::Routed));
        }
        let to = self.network.route(ip.dest)?;
        let back = self.network.ports[to].segment == self.network.ports[from].segment;
        stack::forwards(ip, back).then_some((Place::Port(to), Carriage::Routed))
    }
}
