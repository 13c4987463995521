//! A node that Proxmox VE's firewall filters for.
//!
//! In: what was captured of a machine. Out: whether it is such a node, and which of its rules are none of fwc's. Promise: as
//! `fwc verify --live` has it. There rules of fwc's are not loaded by design, and that nothing of them is there says nothing
//! about packets: these come to what Proxmox VE makes of its files, which are compared.

use std::collections::BTreeMap;

use crate::diff::ruleset;
use crate::import::proof;
use crate::policy::{Fleet, HostPolicy};
use crate::state::ruleset::{Program, Ruleset};
use crate::target;

use super::capture::{Captures, HostCapture};

/// Whether Proxmox VE filters on this machine, by all of its files.
pub(super) fn is_enforced(fleet: &Fleet, host: &HostPolicy, captures: &Captures, capture: &HostCapture) -> bool {
    let is_node = capture.is_whole && proof::is_node(host);
    is_node && files(fleet, captures).is_some_and(|files| proof::is_on(fleet, host, &files))
}

/// What `/etc/pve` has of the spec's machines, by the paths of an output tree; nothing where it was not all read.
pub(in crate::cli) fn files(fleet: &Fleet, captures: &Captures) -> Option<BTreeMap<String, String>> {
    let files = captures.pve.as_ref().filter(|_| captures.pve_unread.is_empty())?;
    let is_known = |path: &str| {
        let guest = path.strip_suffix(".conf").and_then(|path| path.rsplit('/').next()?.parse::<u32>().ok());
        guest.is_none_or(|id| fleet.hosts.iter().flat_map(|host| &host.guests).any(|guest| guest.id == id))
    };
    let known = files.iter().filter(|(path, _)| is_known(path));
    Some(known.map(|(path, file)| (path.clone(), captures.sources.text(*file).to_owned())).collect())
}

/// Whether rules that are loaded are not Proxmox VE's alone: fwc's, or such as filter packets in the place of these.
pub(super) fn is_filtering(host: &HostPolicy, meant: &Ruleset, found: &Ruleset) -> bool {
    let is_enforced = match found.program {
        Program::Iptables | Program::Ip6tables | Program::Nft => target::is_enforced(host, found),
        // It only judges beside iptables.
        Program::Ebtables => false,
    };
    (is_enforced || ruleset::is_loaded(meant, found)) && !target::is_of_proxmox(found)
}
