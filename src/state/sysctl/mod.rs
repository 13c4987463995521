//! Kernel settings on disk and in force: files of `sysctl.d`, the order in which they are read, `sysctl -a`.
//!
//! In: what is below a root, as a [`Tree`] of paths with their text or link. Out: for each of the two programs that
//! load such files, a [`Model`] with every file in its order, and for each key the line that has the last word and all
//! those that lose; a [`Survey`] holds both against the lines of one file, fwc's own. Promise: what is said of a key is
//! what the program would set, given that it can set it; a line that a program does not take is never taken for it.
//!
//! Facts: sysctl.d(5), sysctl(8), sysctl.conf(5), and both programs watched at work on Debian 12 (procps 4.0.2,
//! systemd 252). They differ in this:
//!
//! | point | `sysctl --system` | `systemd-sysctl` |
//! |---|---|---|
//! | `/etc/sysctl.conf` | read after all others | read only where a link in `sysctl.d` leads to it |
//! | a hidden file (`.x.conf`) | read | passed over |
//! | `-key` after `key = 1` | the key is set all the same | the key is not set |
//! | `- key = 1` (a blank behind the dash) | not set | set |
//! | `- key`, and a pattern for `key` | the pattern sets it | the key is not set |
//! | `/net/x` or `net..x`, and a pattern for `net.x` | the last of them | the key's own line |
//!
//! In both an explicit key wins over a pattern, whatever their order; of two patterns the last wins; `-key` keeps
//! patterns from the key; a file hides those of the same name in later folders, even if it is empty, a folder or a link
//! to nowhere.

mod glob;
mod model;
mod read;
mod running;
mod survey;
mod tree;

pub use model::{Assignment, Masked, Model, Outcome, Place, Program, ReadFile};
pub use read::{File, Line, read};
pub use running::{Difference, Running, RunningValue, read_running};
pub use survey::{Loss, Standing, Survey};
pub use tree::{FOLDERS, Node, Resolved, SYSCTL_CONF, Tree};

/// A value without the difference between blanks and tabs, which the kernel does not keep.
#[must_use]
pub fn normal(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
