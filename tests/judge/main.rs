//! The kernel as judge of meaning: real packets against what fwc says of them.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod specs;
