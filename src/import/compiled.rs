//! The heads of files that fwc compiled itself: what Proxmox VE's format has no place for stands in them as comments.
//!
//! In: the comments before the first section. Out: the guest's kind, name, comment and NICs, as `pve` wrote them.

use std::collections::BTreeMap;

use crate::net::Mac;
use crate::state::guest_conf::Machine;

use super::draft::Nic;
use super::rule::plain;

/// What a head says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Header {
    /// Whether it is fwc's.
    pub(super) is_there: bool,
    /// Of a guest.
    pub(super) machine: Option<Machine>,
    /// `name` of a guest or of the datacenter.
    pub(super) name: Option<String>,
    /// `comment`.
    pub(super) comment: Option<String>,
    /// `nics`.
    pub(super) nics: BTreeMap<u8, Nic>,
}

const START: &str = "Compiled by fwc from ";
const END: &str = ". Changes made here are lost.";

impl Header {
    /// Reads the comments; none where they are not fwc's.
    pub(super) fn read(lines: &[&str]) -> Option<Self> {
        let (first, rest) = lines.split_first()?;
        let subject = first.strip_prefix(START)?.strip_suffix(END)?;
        let (machine, name) = match subject.split_once(" (") {
            Some((machine, name)) => (machine, name.strip_suffix(')')),
            None => (subject, None),
        };
        let machine = match machine.split_once('/') {
            Some(("vm", _)) => Some(Machine::Vm),
            Some(("ct", _)) => Some(Machine::Container),
            Some(_) | None => None,
        };
        let mut header = Self { is_there: true, machine, name: name.and_then(plain), ..Self::default() };
        for line in rest {
            if let Some((index, nic)) = nic(line) {
                header.nics.insert(index, nic);
            } else if header.comment.is_none() && header.nics.is_empty() && !line.starts_with("Not filtered: ") {
                header.comment = plain(line);
            }
        }
        Some(header)
    }
}

/// `net0 (BC:24:11:00:00:64, bridge vmbr0, tag 5) needs firewall=1 in the guest's configuration:`
fn nic(line: &str) -> Option<(u8, Nic)> {
    let (facts, flag) = line.strip_suffix(" in the guest's configuration:")?.split_once(" needs firewall=")?;
    let (name, facts) = match facts.split_once(" (") {
        Some((name, facts)) => (name, facts.strip_suffix(')')?),
        None => (facts, ""),
    };
    let index = name.strip_prefix("net")?.parse().ok()?;
    let mut nic = Nic { unfiltered: flag == "0", ..Nic::default() };
    for fact in facts.split(", ").filter(|fact| !fact.is_empty()) {
        match fact.split_once(' ') {
            Some(("bridge", bridge)) => nic.bridge = Some(bridge.to_owned()),
            Some(("tag", tag)) => nic.tag = Some(tag.parse().ok()?),
            Some(_) => return None,
            None => nic.mac = Some(Mac::parse(fact).ok()?.to_string().to_uppercase()),
        }
    }
    Some((index, nic))
}
