//! `fwc diff --base` in real repositories, and the pipelines of `docs/ci.md`.

#![expect(clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "every test target takes its own part")]
mod common;

mod base;
mod ci;
mod drift;
mod repository;
mod schema;
#[path = "../judge/specs/tree.rs"]
#[expect(dead_code, reason = "only its reader is needed here")]
mod tree;
