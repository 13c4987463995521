//! fwc: one YAML spec of a datacenter's firewall, compiled to what each machine loads.

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
