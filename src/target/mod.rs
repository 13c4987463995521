//! The targets: what a [`Fleet`] looks like in the words of each program that enforces it.
//!
//! In: a fleet. Out: files, byte for byte the same for the same fleet. Each target lowers what it is
//! given into a data type of its own, or says at the rule's line what it cannot express; then renders.
//! Facts of a target stay in its folder.

mod iptables;
mod nft;
mod proof;
mod pve;
mod sysctl;
mod template;

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostics;
use crate::policy::{Fleet, HostPolicy, TargetName};

pub use crate::analysis::loaded::{Does, Met};
pub use iptables::Iptables;
pub use nft::Nft;
pub use proof::{
    Change, Changes, Decider, Doubt, Fate, Proving, ReadBack, Rules, Turn, Way, Why, changes, is_enforced, led_late,
    prove, prove_files_in,
};
pub use pve::{Pve, is_of_proxmox};
pub use sysctl::Sysctl;
pub use template::{TemplateError, Templates};

/// A kind of output file, as `--target` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputName {
    /// `pve/…`.
    Pve,
    /// `iptables.rules`.
    Iptables,
    /// `ip6tables.rules`.
    Ip6tables,
    /// `ipset.rules`.
    Ipset,
    /// `ebtables.rules`.
    Ebtables,
    /// `fwc.nft`.
    Nft,
    /// `sysctl.d/…`, `modules-load.d/…`, `modprobe.d/…`, `default/chrony`.
    Sysctl,
}

impl OutputName {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Pve, Self::Iptables, Self::Ip6tables, Self::Ipset, Self::Ebtables, Self::Nft, Self::Sysctl];

    /// As `--target` takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pve => "pve",
            Self::Iptables => "iptables",
            Self::Ip6tables => "ip6tables",
            Self::Ipset => "ipset",
            Self::Ebtables => "ebtables",
            Self::Nft => "nft",
            Self::Sysctl => "sysctl",
        }
    }

    /// The target that makes it.
    #[must_use]
    pub const fn target(self) -> TargetName {
        match self {
            Self::Pve => TargetName::Pve,
            Self::Iptables | Self::Ip6tables | Self::Ipset | Self::Ebtables => TargetName::Iptables,
            Self::Nft => TargetName::Nft,
            Self::Sysctl => TargetName::Sysctl,
        }
    }
}

/// A file of the output tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Below the output folder, with `/`: `hosts/pm4-1/iptables.rules`.
    pub path: String,
    /// The host it is for; none for files of the whole cluster.
    pub host: Option<String>,
    /// Which kind.
    pub output: OutputName,
    /// All of it.
    pub content: String,
}

/// What of the whole output is wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these hosts; none for all.
    pub hosts: Option<BTreeSet<String>>,
    /// Only these kinds; none for all.
    pub outputs: Option<BTreeSet<OutputName>>,
}

impl Selection {
    /// Whether a host's files of a kind are wanted, and the host wants that target.
    #[must_use]
    pub fn wants(&self, host: &HostPolicy, output: OutputName) -> bool {
        host.targets.contains(&output.target()) && self.wants_host(&host.name) && self.wants_output(output)
    }

    /// Whether a host is selected.
    #[must_use]
    pub fn wants_host(&self, host: &str) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(host))
    }

    /// Whether a kind is selected.
    #[must_use]
    pub fn wants_output(&self, output: OutputName) -> bool {
        self.outputs.as_ref().is_none_or(|outputs| outputs.contains(&output))
    }
}

/// What a target made of a fleet.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// Sorted by path; empty where there are errors.
    pub files: Vec<OutputFile>,
    /// What it cannot express, and what deserves a warning.
    pub diagnostics: Diagnostics,
}

/// Something that enforces firewalls.
pub trait Target: Sync {
    /// Which one.
    fn name(&self) -> TargetName;

    /// Lowers and renders all that is selected.
    ///
    /// # Errors
    /// Where a template (a replaced one, that is) does not render, or leaves out lines.
    fn compile(&self, fleet: &Fleet, selection: &Selection, templates: &Templates) -> Result<Compiled, TemplateError>;
}

/// Every target, in the order of [`TargetName::ALL`].
pub const ALL: [&dyn Target; 4] = [&Pve, &Iptables, &Nft, &Sysctl];
