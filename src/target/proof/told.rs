//! What is told of a packet that rules treat otherwise: what decides about it in the policy, and by which rules it goes.
//!
//! All of this is asked for where there is a doubt, and only there.

use std::fmt::{self, Write};

use crate::analysis::Packet;
use crate::analysis::loaded::{Difference, Ends, Exit, Loaded, Met, Outcome, Said, deciding};
use crate::analysis::sets::{Diagram, OverBudget};
use crate::policy::{HookName, LogLevel, ZoneRef};

use super::{Course, Meant, Prover, Why};

/// What of a policy decides about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decider {
    /// A hook.
    Hook {
        /// Its name.
        name: HookName,
        /// Whose it is.
        machine: ZoneRef,
        /// The NIC that a guest's hook speaks of: N of `netN`.
        nic: Option<u8>,
    },
    /// An option of the host: `protection_synflood`.
    Option(&'static str),
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => write!(f, "`{name}`"),
            Self::Hook { name, machine, nic } => {
                write!(f, "{} of {machine}", name.name())?;
                match (machine, nic) {
                    (ZoneRef::Host(_), _) | (_, None) => Ok(()),
                    (_, Some(nic)) => write!(f, ":net{nic}"),
                }
            }
        }
    }
}

/// A packet of which is told that rules treat it otherwise.
pub(in crate::target) struct Told {
    pub(in crate::target) packet: Packet,
    /// Whether something else becomes of it, not only of what is left on it.
    pub(super) is_fate: bool,
    pub(super) place: ToldIn,
}

/// Where it is told of.
pub(super) enum ToldIn {
    /// In the last doubt.
    Doubt,
    /// In the change of this number.
    Change(usize),
}

impl Prover<'_> {
    /// Tells of a packet that rules treat otherwise; nothing where it is only counted.
    pub(super) fn differs(
        &mut self,
        (program, way): (&'static str, &Course<'_>),
        difference: &Difference,
        (found, meant): (&[Diagram], &[(Diagram, &Meant<'_>)]),
        packet: Packet,
    ) -> Option<Told> {
        let ground = &self.ground;
        let outcome = |diagram| ground.outcomes.outcome(ground.sets.label(diagram, &packet));
        let exit = |diagram| outcome(diagram).map_or(Exit::Accept, |outcome| outcome.exit);
        // What is accepted for good is accepted.
        let becomes = |diagram| Some(exit(diagram)).filter(|exit| *exit != Exit::Final).unwrap_or(Exit::Accept);
        let is_fate = becomes(difference.found) != becomes(difference.meant);
        // Where rules and hooks go in step, the first that part; else the one that stops it.
        let steps = || found.iter().zip(meant).filter(|_| found.len() == meant.len());
        let logs = |diagram| outcome(diagram).map(|outcome| outcome.state.logs().to_vec()).unwrap_or_default();
        let parts = |part, hook| becomes(part) != becomes(hook) || logs(part) != logs(hook);
        let parting = steps().find(|(part, (hook, _))| parts(**part, *hook)).map(|(_, hook)| hook);
        let stops = || meant.iter().find(|(hook, _)| becomes(*hook) != Exit::Accept);
        let hook = parting.or_else(stops).or(meant.last()).map(|(_, meant)| meant.by.decider());
        let says = |diagram| outcome(diagram).map_or_else(|| "accept".to_owned(), |outcome| words(&outcome));
        let (meant, found) = (says(difference.meant), says(difference.found));
        let told = Told { packet: packet.clone(), is_fate, place: ToldIn::Doubt };
        let why = Why::Differs { packet: Box::new(packet), meant, found, hook, by: Vec::new() };
        self.doubt(program, way.way(), why).then_some(told)
    }

    /// Adds the rules by which a packet goes to what is told of it: what tables say of it one after the other, made for it alone.
    pub(in crate::target) fn goes_by(
        &mut self,
        told: &Told,
        tables: &[(&Loaded<'_>, Vec<Said>)],
    ) -> Result<(), OverBudget> {
        let mut met: Vec<Met> = Vec::new();
        let mut ends = Ends::Through;
        for (alone, parts) in tables {
            let (more, end) = alone.met(&mut self.ground, parts)?;
            met.extend(more);
            ends = end;
            if ends != Ends::Through {
                break;
            }
        }
        let decide = deciding(&met, ends, told.is_fate);
        match told.place {
            ToldIn::Doubt => {
                if let Some(Why::Differs { by, .. }) = self.doubts.last_mut().map(|doubt| &mut doubt.why) {
                    *by = decide;
                }
            }
            ToldIn::Change(number) => {
                if let Some(change) = self.changes.as_mut().and_then(|all| all.changes.get_mut(number)) {
                    change.by = decide;
                }
            }
        }
        Ok(())
    }
}

/// What becomes of a packet, in words.
fn words(outcome: &Outcome) -> String {
    let mut text = match &outcome.exit {
        Exit::Accept | Exit::Final | Exit::Return | Exit::Leave => "accept".to_owned(),
        Exit::Drop => "drop".to_owned(),
        Exit::Reject => "reject".to_owned(),
        Exit::Answer(answer) => format!("reject with {answer}"),
        Exit::Queue(queue) => format!("give to a program ({queue})"),
        Exit::Unknown(_) => "unknown".to_owned(),
    };
    let levels: Vec<&str> = outcome.state.logs().iter().map(|level: &LogLevel| level.name()).collect();
    if !levels.is_empty() {
        let _ = write!(text, ", logged at {}", levels.join(" and "));
    }
    for event in outcome.state.events() {
        let _ = write!(text, "; {event}");
    }
    text
}
