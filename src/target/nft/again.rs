//! Judging without a gap while a table is replaced: each hook's rules hang at it twice.
//!
//! In: the rules of a hook. Out: those in a chain of their own, with a base chain that leads every packet to them, and one
//! behind it that leads those there which met no rules yet. Promise: a packet that crosses while `nft -f` replaces the table
//! meets the old rules or the new ones, and where nothing is replaced it meets them once.
//!
//! The kernel switches from old rules to new ones at once, but asks anew at each base chain whether it has done so, and
//! hangs a new base chain before an old one of the same priority. Between the two a packet that crosses just then has met
//! the new chain while that was still empty, and meets the old one when that is empty already; both pass it on. So the
//! packet carries a bit once it has met rules, and a second pair of chains behind both looks for it. And where a verdict
//! map should have had an answer, the bit is taken away: the maps of a table that goes lose their elements at the switch,
//! while packets are still on their way through its rules; its sets keep theirs.
//!
//! The second was seen on Linux 6.1 and 6.18, the first on 6.18 (`nf_hook_entries_grow`, `nft_do_chain`); with rules of
//! somebody else that take 0.1 ms between both chains, one reload in seven let a denied packet through.

use std::sync::Arc;

use super::table::{Action, Condition, Rule};

/// The bit of the packet's mark that says so, between a base chain and the one behind it. (The highest bit would not do: nft
/// lists a test of it as one of a prefix.)
pub(super) const JUDGED: u32 = 0x1000_0000;

/// Why a rule is there, in its comment.
const UNJUDGED: &str = "met no rules yet, as they are being replaced";
const LOST: &str = "in a map that is being replaced";

/// The rules of a hook. `keys`: a set of what a verdict map has answers for.
pub(super) fn judging(rules: Vec<Rule>, mut keys: impl FnMut(&Arc<str>) -> Option<Arc<str>>) -> Vec<Rule> {
    let mut all = Vec::with_capacity(rules.len() + 1);
    for rule in rules {
        let known = match &rule.action {
            Action::Dispatch(side, map) => keys(map).map(|set| Condition::InterfaceIn(*side, set)),
            Action::DispatchBridge(side, map) => keys(map).map(|set| Condition::BridgeIn(*side, set)),
            Action::Accept
            | Action::Drop
            | Action::Return
            | Action::Jump(_)
            | Action::Goto(_)
            | Action::Log(_)
            | Action::Reject(_)
            | Action::Helper(_)
            | Action::Mark { .. } => None,
        };
        all.push(rule);
        let lost = |known| Rule { comment: Some(LOST.into()), ..mark(vec![known], JUDGED, 0) };
        all.extend(known.map(lost));
    }
    all
}

/// The rules of the base chain that leads packets with the bit to those of a chain, and of the one behind it, which also
/// takes away other bits.
pub(super) fn chains(to: &Arc<str>, clear: u32) -> (Vec<Rule>, Vec<Rule>) {
    let go = |conditions| Rule::new(conditions, Action::Goto(Arc::clone(to)));
    let unjudged = Rule { comment: Some(UNJUDGED.into()), ..go(vec![Condition::Mark(JUDGED, 0)]) };
    let again = vec![unjudged, mark(Vec::new(), JUDGED | clear, 0), Rule::new(Vec::new(), Action::Accept)];
    // The bit stands here, so that a rule which somebody puts before the others still decides.
    (vec![mark(Vec::new(), 0, JUDGED), go(Vec::new())], again)
}

const fn mark(conditions: Vec<Condition>, clear: u32, set: u32) -> Rule {
    Rule::new(conditions, Action::Mark { clear, set })
}
