//! What a log line says.
//!
//! In: a hook's decision. Out: what the line must say that it leaves, if it leaves one, whichever target writes it.

use fwc::analysis::Decision;
use fwc::policy::{Crossing, Log, Stage, Verdict, ZoneRef};

/// A log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The guest whose hook wrote it; 0 for none.
    pub guest: u32,
    /// 0 to 7.
    pub level: u8,
    /// Whether the policy decided, and no rule before it.
    pub policy: bool,
    /// The verdict's name.
    pub verdict: &'static str,
}

impl Line {
    /// The line of a decision.
    pub fn of(crossing: &Crossing<'_>, decision: &Decision<'_>) -> Option<Self> {
        let Log::At(level) = decision.log else { return None };
        let guest = match crossing.machine {
            ZoneRef::Vm(id) | ZoneRef::Container(id) if crossing.nic.is_some() => id,
            ZoneRef::Vm(_)
            | ZoneRef::Container(_)
            | ZoneRef::Datacenter
            | ZoneRef::Guests(_)
            | ZoneRef::Zone(_)
            | ZoneRef::Host(_)
            | ZoneRef::Nic(..)
            | ZoneRef::Group(_)
            | ZoneRef::Vnet(_) => 0,
        };
        let verdict = match decision.verdict {
            Verdict::Accept | Verdict::Skip => "ACCEPT",
            Verdict::Drop => "DROP",
            Verdict::Reject => "REJECT",
        };
        let policy = matches!(decision.stage, Some(Stage::Policy { .. }));
        Some(Self { guest, level: level.number(), policy, verdict })
    }

    /// Whether a prefix says so. Guests share chains for what the host's options say of all of them: those have no
    /// number. A line for the kernel log has its level before it, and through iptables no room for numbers.
    pub fn fits(&self, prefix: &str) -> bool {
        let Self { guest, level, policy, verdict } = self;
        let numbered = |text: &str| [*guest, 0].iter().any(|guest| text.starts_with(&format!(":{guest}:{level}:")));
        let begins = match prefix.strip_prefix(&format!("<{level}>fwc ")) {
            Some(said) => !said.starts_with(':') || numbered(said),
            None => numbered(prefix),
        };
        let ends = |words: &str| prefix.ends_with(&format!(": {words}{verdict}: "));
        // Where the kernel's 29 bytes have no room for the word, its first letter stands for it.
        let short = || prefix.strip_prefix(&format!("<{level}>")).is_some_and(|text| text.len() > 23) && ends("p ");
        begins && if *policy { ends("policy ") || short() } else { ends("") }
    }
}
