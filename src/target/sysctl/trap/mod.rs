//! Kernel settings that do something else than they seem to: one lint per file.
//!
//! In: a host's policy and the keys in force on it. Out: warnings at what the spec says, each with the other place that
//! it does not go together with. A message names no host: what many hosts inherit is told once.

mod forward;
mod ipv6;
mod later;
mod module;
mod rp_filter;
mod timeout;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::policy::{HostPolicy, SysctlSetting};

use super::KeyValue;

/// What lints look at.
#[derive(Debug, Clone, Copy)]
struct Ground<'a> {
    host: &'a HostPolicy,
    in_force: &'a BTreeMap<String, KeyValue>,
}

impl<'a> Ground<'a> {
    /// A key that the spec sets.
    fn set(self, key: &str) -> Option<&'a SysctlSetting> {
        self.host.sysctl.iter().find(|setting| setting.key == key)
    }

    /// The value of a key that the spec sets or the firewall implies.
    fn value(self, key: &str) -> Option<&'a str> {
        self.in_force.get(key).map(|setting| setting.value.as_str())
    }

    fn number(self, key: &str) -> Option<u64> {
        self.value(key)?.parse().ok()
    }
}

/// What is to be said of one host.
pub(super) fn check(host: &HostPolicy, in_force: &BTreeMap<String, KeyValue>) -> Diagnostics {
    let ground = Ground { host, in_force };
    let mut out = Diagnostics::new();
    timeout::check(ground, &mut out);
    rp_filter::check(ground, &mut out);
    later::check(ground, &mut out);
    module::check(ground, &mut out);
    ipv6::check(ground, &mut out);
    forward::check(ground, &mut out);
    out
}

/// Findings that were made before: the same of the same place, with another host as its second place.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeSet<(Code, Span, String)>);

impl Told {
    /// The findings that are new.
    pub(super) fn news(&mut self, found: &Diagnostics) -> Diagnostics {
        let mut news = Diagnostics::new();
        let is_new = |finding: &&Diagnostic| self.0.insert((finding.code, finding.span(), finding.message.clone()));
        found.iter().filter(is_new).for_each(|finding| news.push(finding.clone()));
        news
    }
}
