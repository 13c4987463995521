//! Random specs: a seed goes in, the text of a spec comes out that fwc compiles for every target that its host wants.
//!
//! The same seed gives the same text for all time (as long as fwc's tables of macros, services and options stay as
//! they are), so a failure is known by its number. Texts look as people write them, and [`shrink`] cuts one down to
//! what a failure needs. Every spec has one host, two to eight guests on up to two bridges, and rules that speak of
//! each address family on one side, on the other and on both.

mod machines;
mod names;
mod options;
pub mod random;
mod rules;
mod shrink;
pub mod tree;
mod write;

pub use shrink::shrink;
pub use write::random_spec;
