//! How the kernel's chains lead to fwc's, in tables that others share.
//!
//! In: a host, and a table as it was found. Out: the chains that do not lead to fwc's, and how many rules of others stand
//! before those that do. A file of fwc's has none of the kernel's chains: whether its header was followed is a machine's
//! to tell.

use crate::policy::HostPolicy;
use crate::state::ruleset::{Table, Verdict};

use super::host::{exclusive, prefix};

/// A chain of the kernel's that leads to one of fwc's, or should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    /// The kernel's chain.
    pub(super) built_in: &'static str,
    /// fwc's.
    pub(super) own: String,
    /// The rules before the one that leads there; none where there is no such rule for all packets.
    pub(super) before: Option<usize>,
}

/// How packets come to the own chains of a table that have rules.
pub(super) fn leads(host: &HostPolicy, name: &str, table: &Table) -> Vec<Lead> {
    let built_in: &[&'static str] = match name {
        "filter" => &["INPUT", "FORWARD", "OUTPUT"],
        "raw" => &["PREROUTING"],
        _ => &[],
    };
    if exclusive(host) || !built_in.iter().any(|chain| table.chains.contains_key(*chain)) {
        return Vec::new();
    }
    let prefix = prefix(host);
    let lead = |built_in: &'static str| {
        let own = format!("{prefix}{built_in}");
        table.chains.get(own.as_str()).filter(|chain| !chain.rules.is_empty())?;
        let rules = table.chains.get(built_in).map(|chain| chain.rules.as_slice()).unwrap_or_default();
        let before = rules.iter().position(|rule| {
            let to = matches!(&rule.verdict, Verdict::Jump(to) | Verdict::Goto(to) if **to == *own);
            to && rule.tests.is_empty() && rule.statements.is_empty()
        });
        Some(Lead { built_in, own, before })
    };
    built_in.iter().filter_map(|chain| lead(chain)).collect()
}
