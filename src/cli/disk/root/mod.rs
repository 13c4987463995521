//! Reading files of a machine below a root: `/`, or a copy of it.
//!
//! In: a root folder. Out: text and links, no more of them than are asked for. Promise: no link leads out of the root,
//! a pipe is not waited for, what is not there is nothing, and what is there and cannot be read is said with the reason.

mod settings;
mod walk;

pub use settings::{SettingFiles, read_kernel_values, read_module_names, read_root_file, read_setting_files};
