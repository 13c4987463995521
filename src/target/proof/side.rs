//! What rules do besides deciding: limits that floods run into, and helpers of connections.

use crate::analysis::loaded::{Exit, Outcome, State, pass};
use crate::analysis::sets::{Field, Label, OverBudget, PacketSet, flag_values};
use crate::net::{Family, Protocol, Ranges, TcpFlags};
use crate::policy::Synflood;

use super::{By, Meant, Prover};

/// Which packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::target) enum Of {
    /// Of a program's one family.
    Family(Family),
    /// Frames of both.
    Frames,
}

impl Of {
    fn families(self) -> &'static [Family] {
        match self {
            Self::Family(Family::V4) => &[Family::V4],
            Self::Family(Family::V6) => &[Family::V6],
            Self::Frames => &Family::BOTH,
        }
    }

    fn frame(self, family: Family) -> Option<(Field, Ranges<u128>)> {
        let number = match family {
            Family::V4 => 0x0800,
            Family::V6 => 0x86dd,
        };
        (self == Self::Frames).then(|| (Field::Frame, Ranges::single(number)))
    }
}

impl Prover<'_> {
    /// What the flood protection of the host does; `above`: how the program's limit is spelled.
    pub(in crate::target) fn flood(
        &mut self,
        of: Of,
        spares_loopback: bool,
        above: impl Fn(Family, Synflood) -> String,
    ) -> Result<Vec<Meant<'static>>, OverBudget> {
        let Some(limit) = self.host.options.synflood().filter(|_| self.host.enabled) else { return Ok(Vec::new()) };
        let bare = TcpFlags { mask: TcpFlags::FIN | TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK, set: TcpFlags::SYN };
        let mut list = Vec::new();
        for family in of.families() {
            let mut fields: Vec<_> = of.frame(*family).into_iter().collect();
            fields.push((Field::Protocol, Ranges::single(Protocol::TCP.0.into())));
            fields.push((Field::Flags, flag_values(bare)));
            if spares_loopback {
                let loopback = self.ground.sets.interface("lo");
                fields.push((Field::InInterface, Ranges::single(loopback).complement()));
            }
            let label = self.event(&format!("{}: drop", above(*family, limit)));
            list.push((self.ground.sets.having(*family, &fields)?, label));
        }
        Ok(self.side(list, "protection_synflood"))
    }

    /// What the helpers of the host follow.
    pub(in crate::target) fn helpers(&mut self, of: Of) -> Result<Vec<Meant<'static>>, OverBudget> {
        let wanted = if self.host.enabled { self.host.options.nf_conntrack_helpers.value.clone() } else { Vec::new() };
        let mut found = Vec::new();
        for helper in wanted {
            let service = helper.service();
            let label = self.event(&format!("helper {}", helper.name()));
            let mut list = Vec::new();
            for family in of.families().iter().filter(|family| !service.only_v4 || **family == Family::V4) {
                let mut fields: Vec<_> = of.frame(*family).into_iter().collect();
                fields.push((Field::Protocol, Ranges::single(service.protocol.0.into())));
                fields.push((Field::DestPort, Ranges::single(service.port.into())));
                list.push((self.ground.sets.having(*family, &fields)?, label));
            }
            found.extend(self.side(list, "nf_conntrack_helpers"));
        }
        Ok(found)
    }

    fn event(&mut self, words: &str) -> Label {
        let mut state = State::default();
        state.event(words);
        self.ground.outcomes.label(Outcome { exit: Exit::Accept, state })
    }

    fn side(&mut self, mut list: Vec<(PacketSet, Label)>, option: &'static str) -> Vec<Meant<'static>> {
        if list.is_empty() {
            return Vec::new();
        }
        list.push((PacketSet::ALL, pass()));
        vec![Meant { said: self.ground.of_clauses(list), by: By::Option(option) }]
    }
}
