//! `/etc/pve` as a spec: a corpus of everything in the format, and specs that go to Proxmox VE's files and back.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod broken;
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "every test target takes its own part")]
mod common;
mod corpus;
mod own;
mod random;
#[path = "../judge/specs/mod.rs"]
mod specs;
mod verdicts;
