//! What machines enforce, in no target's words.
//!
//! In: nothing but values (the floor above builds a [`Fleet`] from a spec). Out: for every host its
//! hooks, and for every guest on it the hooks of its NICs, each hook an ordered list of [`Stage`]s.
//! A stage's whole meaning is the list of [`Clause`]s that [`Stage::clauses`] gives: first match wins,
//! through all stages of a hook in order. Targets, evaluator and proofs read that one definition.
//!
//! Promise: every rule knows where it was written ([`Origin`]) and by which way it was inherited.

mod applied;
mod claim;
mod clause;
mod machine;
mod noise;
mod option;
mod profile;
mod rule;
mod stage;
mod way;
pub mod words;
mod written;
mod zone;

pub use applied::Applied;
pub use claim::{Claim, ClaimEnd, Endpoint, Expectation, Only, Selector};
pub use clause::{Clause, FrameKind, Match, State, States, Verdict};
pub use machine::{
    Alias, Datacenter, Fleet, GuestKind, GuestPolicy, HostPolicy, Ipset, IpsetEntry, Nic, Platform, SysctlSetting,
    TargetName, VnetPolicy,
};
pub use option::{
    ConntrackHelper, DatacenterOptions, EtherType, GuestOptions, HelperService, HostOptions, IptablesMode,
    IptablesOptions, LogRateLimit, Setting, Synflood, VnetOptions,
};
pub use profile::{ProfileKey, profile, profile_names};
pub use rule::{
    AddressTerm, Addresses, Direction, Entry, Group, GroupCall, Inherited, Log, LogLevel, Origin, Reference, Rule,
    RuleInterface, RuleList, Section, SectionKind, Service, SkipReason, Skipped,
};
pub use stage::{CorosyncRing, Hook, HookName, Stage};
pub use way::{Carriage, Crossing, End};
pub use written::{Allow, AllowPlace, Hidden, NamedZone, Written};
pub use zone::ZoneRef;

pub(crate) use stage::{NDP_ALL, NDP_NO_ADVERTISEMENT, ip_filter, mac_filter, management_ports};

#[cfg(test)]
mod tests;
