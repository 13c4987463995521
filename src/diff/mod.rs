//! What is, held against what the spec says.

pub mod nics;
