//! Rejections: what programs spell out as several rules is one verdict of a policy.

use std::sync::Arc;

use crate::analysis::sets::{Diagram, Field, FirstMatch, OverBudget};
use crate::net::Ranges;
use crate::state::ruleset::Program;

use super::outcome::{Exit, Outcome, State};
use super::run::{Ground, Loaded};
use super::said::Said;

impl Loaded<'_> {
    /// One label, where a chain does all that a rejection does and nothing else.
    pub(super) fn rejected(&mut self, ground: &mut Ground, said: Said, state: &State) -> Result<Said, OverBudget> {
        if !ground.labels(said).iter().any(|label| ground.outcomes.is_answer(*label)) {
            return Ok(said);
        }
        let whole = match self.rejection.get(state) {
            Some(known) => *known,
            None => {
                let made = self.rejection(ground, state)?;
                self.rejection.insert(state.clone(), made);
                made
            }
        };
        let label = ground.outcomes.label(Outcome { exit: Exit::Reject, state: state.clone() });
        Ok(if ground.whole(said)? == whole { ground.all(label) } else { said })
    }

    /// All that a rejection does.
    pub(super) fn rejection(&self, ground: &mut Ground, state: &State) -> Result<Diagram, OverBudget> {
        let label = |ground: &mut Ground, exit| ground.outcomes.label(Outcome { exit, state: state.clone() });
        let drop = label(ground, Exit::Drop);
        let mut list = FirstMatch::default();
        let is_frames = self.chains.program == Program::Nft;
        for (family, silent) in &self.silent {
            let fields: Vec<_> =
                silent.0.iter().filter(|(field, _)| is_frames || *field != Field::Frame).cloned().collect();
            if is_frames || *family == self.chains.family {
                list.push(ground.sets.fields(*family, &fields, drop)?);
            }
        }
        let ip = Ranges::from_ranges([(0x0800, 0x0800), (0x86dd, 0x86dd)]);
        let frames = is_frames.then_some((Field::Frame, ip));
        for (protocol, words) in [(Some(6), "tcp-reset"), (Some(17), "port-unreachable"), (None, "prohibited")] {
            let answer = label(ground, Exit::Answer(words.into()));
            let protocol = protocol.map(|number| (Field::Protocol, Ranges::single(number)));
            let fields: Vec<_> = frames.clone().into_iter().chain(protocol).collect();
            list.push(ground.sets.fields(self.chains.family, &fields, answer)?);
        }
        list.push(Diagram::all(drop));
        list.diagram(&mut ground.sets)
    }
}

/// The answers of all programs in the same words.
pub(super) fn answer(words: &str) -> Arc<str> {
    match words {
        "tcp-reset" | "tcp reset" => "tcp-reset",
        "icmp-port-unreachable"
        | "icmp6-port-unreachable"
        | "icmpx port-unreachable"
        | "icmp port-unreachable"
        | "icmpv6 port-unreachable" => "port-unreachable",
        "icmp-host-prohibited" | "icmp6-adm-prohibited" | "icmp host-prohibited" | "icmpv6 admin-prohibited" => {
            "prohibited"
        }
        other => other,
    }
    .into()
}
