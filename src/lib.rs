//! fwc: one YAML spec of a datacenter's firewall, compiled to what each machine loads.

/// Tests that stand among the sources share random specs with those that do not.
#[cfg(test)]
extern crate self as fwc;

pub mod analysis;
pub mod cli;
pub mod diagnostic;
pub mod diff;
pub mod import;
pub mod net;
pub mod policy;
pub mod resolve;
pub mod spec;
pub mod state;
pub mod target;
