//! Drafts of what happens on every network, whatever the rules speak of.

use std::net::{Ipv4Addr, Ipv6Addr};

use fwc::net::{Family, TcpFlags};
use ipnet::IpNet;

use super::draft::{Draft, Kind, solicited};
use crate::ftp;
use crate::judge::Place;
use crate::random::Random;
use crate::wire::Ports;

impl Draft<'_> {
    /// Makes it one of them.
    pub fn be_special(&mut self, random: &mut Random) {
        self.kind = Kind::Ip;
        if self.path.from == Place::Host {
            self.tags.clear();
        }
        match random.below(5) {
            0 => (self.protocol, self.flags, self.ports.dest) = (6, TcpFlags::SYN, ftp::PORT),
            1 => self.be_dhcp(random),
            2 => self.be_smurf(random),
            3 => {
                self.family = Family::V6;
                (self.protocol, self.icmp) = (58, (135, 0));
                self.source[1] = Ipv6Addr::UNSPECIFIED.into();
                self.dest[1] = solicited(self.dest[1]);
            }
            _ => (self.protocol, self.icmp) = if self.family == Family::V4 { (1, (8, 0)) } else { (58, (128, 0)) },
        }
    }

    /// As clients and servers of DHCP speak: from no address, or to everybody.
    fn be_dhcp(&mut self, random: &mut Random) {
        let asks = random.once_in(2);
        let (client, server) = match self.family {
            Family::V4 => (68, 67),
            Family::V6 => (546, 547),
        };
        let (source, dest) = if asks { (client, server) } else { (server, client) };
        (self.protocol, self.ports) = (17, Ports { source, dest });
        if asks || random.once_in(2) {
            self.dest[0] = Ipv4Addr::BROADCAST.into();
        }
        if asks {
            self.source[0] = Ipv4Addr::UNSPECIFIED.into();
            self.source[1] = self.source_mac.link_local().into();
            self.dest[1] = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2).into();
        }
    }

    /// From an address of many, which an answer would go to.
    fn be_smurf(&mut self, random: &mut Random) {
        let network = self.network.segments.iter().flat_map(|segment| &segment.addresses).find_map(|own| match own {
            IpNet::V4(own) => Some(own.broadcast()),
            IpNet::V6(_) => None,
        });
        let groups = [Some(Ipv4Addr::BROADCAST), Some(Ipv4Addr::new(224, 0, 0, 5)), network];
        self.set_source(random.pick(&groups).unwrap_or(Ipv4Addr::BROADCAST).into());
    }
}
