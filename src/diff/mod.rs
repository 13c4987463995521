//! What differs between two states of a datacenter, and why.
//!
//! In: two specs resolved, or a spec and what somebody has: files, captured listings, a running machine. Out: a
//! [`report::Report`], which every format prints. Promise: what means the same is no difference; what cannot be read is
//! named, and stops nothing else.

mod collect;
pub mod machine;
pub mod nics;
mod pairing;
pub mod policy;
pub mod report;
pub mod ruleset;
pub mod wire;
