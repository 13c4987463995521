//! Ways and hooks while they are looked at; they are put in words where something is to be told of them.

use std::fmt;
use std::sync::Arc;

use crate::analysis::loaded::Said;
use crate::policy::{Crossing, GuestPolicy, Nic};

use super::{Decider, Way};

/// An end of a way.
#[derive(Debug, Clone)]
pub(in crate::target) enum Place<'a> {
    /// In a spec's words: `the host`.
    Words(&'static str),
    /// A NIC.
    Nic(&'a GuestPolicy, &'a Nic),
    /// A port of a bridge that no rule names.
    Beside(Arc<str>),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::Nic(guest, nic) => write!(f, "{}:net{}", guest.zone(), nic.index),
            Self::Beside(bridge) => write!(f, "another port of {bridge}"),
        }
    }
}

/// A way of packets.
#[derive(Debug, Clone)]
pub(in crate::target) struct Course<'a> {
    pub(in crate::target) from: Place<'a>,
    pub(in crate::target) to: Place<'a>,
    pub(in crate::target) routed: bool,
    pub(in crate::target) tagged: bool,
}

impl<'a> Course<'a> {
    /// One of whole packets, not routed.
    pub(in crate::target) const fn new(from: Place<'a>, to: Place<'a>) -> Self {
        Self { from, to, routed: false, tagged: false }
    }

    /// The same for packets that the host routes.
    pub(in crate::target) const fn routed(from: Place<'a>, to: Place<'a>) -> Self {
        Self { from, to, routed: true, tagged: false }
    }

    /// The same between ends that have words.
    pub(in crate::target) const fn of(from: &'static str, to: &'static str) -> Self {
        Self::new(Place::Words(from), Place::Words(to))
    }

    /// In words.
    pub(in crate::target) fn way(&self) -> Way {
        Way { from: self.from.to_string(), to: self.to.to_string(), routed: self.routed, tagged: self.tagged }
    }
}

/// What a policy says on a way, and where.
#[derive(Debug, Clone)]
pub(in crate::target) struct Meant<'a> {
    pub(in crate::target) said: Said,
    pub(in crate::target) by: By<'a>,
}

/// What of a policy says something.
#[derive(Debug, Clone)]
pub(in crate::target) enum By<'a> {
    /// A hook.
    Hook(Crossing<'a>),
    /// An option of the host.
    Option(&'static str),
}

impl By<'_> {
    /// The same, whatever becomes of the policy.
    pub(in crate::target) fn decider(&self) -> Decider {
        match self {
            Self::Option(name) => Decider::Option(name),
            Self::Hook(Crossing { hook, machine, nic, .. }) => {
                Decider::Hook { name: hook.name, machine: machine.clone(), nic: nic.map(|nic| nic.index) }
            }
        }
    }
}

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decider().fmt(f)
    }
}
