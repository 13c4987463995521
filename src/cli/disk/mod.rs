//! Files: the only place that reads and writes them.

mod captured;
mod copy;
mod fresh;
mod git;
mod likeness;
mod pages;
mod programs;
mod read;
mod root;
mod tree;

pub use captured::{CapturedText, files_below, read_captured, read_tree};
pub use copy::{read_copy, read_running};
pub use fresh::{write_new_file, write_new_folder};
pub use git::{AtRevision, read_at_revision};
pub use pages::write_pages;
pub use programs::{Silence, listing};
pub use read::{read_spec, read_templates, spec_path};
pub use root::{SettingFiles, read_kernel_values, read_module_names, read_root_file, read_setting_files};
pub use tree::{Summary, write_tree};
