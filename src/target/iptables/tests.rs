//! Small specs, and what becomes of them.

mod fixture;
mod guest;
mod host;
mod meaning;
mod modes;
mod packets;
mod rows;
mod size;
