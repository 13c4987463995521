//! Files: the only place that reads and writes them.

mod pages;
mod read;
mod tree;

pub use pages::write_pages;
pub use read::{read_spec, read_templates};
pub use tree::{Summary, write_tree};
