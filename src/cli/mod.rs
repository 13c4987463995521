//! The command line: arguments in, files and text out, an exit status.
//!
//! One file per command. All printing of the program happens here, and all reading and writing of
//! files in [`disk`].

mod console;
pub mod disk;
mod exit;
mod failure;
pub mod report;

pub use console::Style;
pub use exit::Exit;
pub use failure::Failure;
