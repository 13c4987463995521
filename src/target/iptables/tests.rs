//! Small policies made by hand, and what becomes of them.

mod fixture;
mod host;
