//! Rulesets that differ from the spec's, until it is known what that does to packets.

use crate::diagnostic::SourceMap;
use crate::diff::report::{Aside, Wire};
use crate::diff::wire;
use crate::policy::{Fleet, HostPolicy};
use crate::state::ruleset::{Program, Ruleset};
use crate::target::Rules;

use super::capture::HostCapture;

/// By host; those that are known to mean the same are not among them.
#[derive(Debug, Default)]
pub(super) struct Otherwise<'f> {
    hosts: Vec<(&'f HostPolicy, Rules)>,
    not_compared: Vec<Aside>,
}

impl<'f> Otherwise<'f> {
    /// Keeps one.
    pub(super) fn take(&mut self, host: &'f HostPolicy, output: &'static str, capture: &HostCapture, found: Ruleset) {
        let listed = !capture.is_tree && !capture.is_whole;
        let bridge = || found.tables.keys().any(|table| &*table.family == "bridge");
        let why = match found.program {
            Program::Ebtables => Some("what frames' rules come to is not looked at"),
            // Which ethertype is asked for, the kernel's instructions alone tell.
            Program::Nft if listed && bridge() => {
                Some("a listing does not tell all that rules of a bridge ask; `fwc diff --live` asks the kernel")
            }
            Program::Iptables | Program::Ip6tables | Program::Nft => None,
        };
        if let Some(why) = why {
            let message = why.to_owned();
            return self.not_compared.push(Aside { host: host.name.clone(), output, message, place: None });
        }
        match self.hosts.last_mut().filter(|(last, _)| last.name == host.name) {
            Some((_, rules)) => {
                rules.of.insert(found.program, found);
            }
            None => self.hosts.push((host, Rules { of: [(found.program, found)].into() })),
        }
    }

    /// What becomes of packets, where something differs at all.
    pub(super) fn wire(self, fleet: &Fleet, spec: &SourceMap, there: &SourceMap) -> Option<Wire> {
        if self.hosts.is_empty() && self.not_compared.is_empty() {
            return None;
        }
        let mut wire = wire::loaded(fleet, (spec, there), &self.hosts);
        wire.not_compared.extend(self.not_compared);
        Some(wire)
    }
}
