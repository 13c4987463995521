//! Files: the only place that reads and writes them.

mod read;

pub use read::{read_spec, read_templates};
