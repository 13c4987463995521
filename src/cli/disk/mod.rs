//! Files: the only place that reads and writes them.

mod copy;
mod fresh;
mod pages;
mod read;
mod tree;

pub use copy::read_copy;
pub use fresh::{write_new_file, write_new_folder};
pub use pages::write_pages;
pub use read::{read_spec, read_templates};
pub use tree::{Summary, write_tree};
