//! The new tree, beside the old one, until the two are exchanged.
//!
//! A stage is a hidden folder `.NAME.fwc-XXXXXX` next to the tree `NAME`. It holds the new tree, and
//! after the exchange the old one. Only a build that holds the lock makes or removes stages, so a
//! stage that a build finds when it starts was left by one that was killed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
use rustix::io::Errno;

use crate::cli::Failure;
use crate::cli::failure::reason;

use super::survey::Plan;

/// The tree in a stage.
pub(super) const TREE: &str = "tree";
/// Proves that a folder is a stage, and holds the inode of the new tree: where another tree is found
/// beside it, the exchange has been. It is the last to be removed.
pub(super) const MARK: &str = "this-is-a-stage-of-fwc";

/// How stages of the tree `name` begin.
pub(super) fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".fwc-");
    prefix
}

/// A stage; removed with what it holds when it is dropped.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed now is found, and removed or reported, by the next build.
        let _ = remove(&self.folder);
    }
}

/// Removes a stage: its tree, then its mark.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    for removed in [fs::remove_dir_all(folder.join(TREE)), fs::remove_file(folder.join(MARK))] {
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    fs::remove_dir(folder)
}

impl Stage {
    /// Builds the new tree of `plan` in `parent`, beside the tree `name`.
    pub(super) fn build(parent: &Path, name: &OsStr, old: Option<&Path>, plan: &Plan<'_>) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix(&prefix(name))
            .rand_bytes(6)
            .tempdir_in(parent)
            .map(tempfile::TempDir::keep)
            .map_err(|error| Failure::io("cannot write below", parent, &error))?;
        let stage = Self { folder };
        let fill = || -> io::Result<()> {
            DirBuilder::new().mode(0o777).create(stage.tree())?;
            let inode = fs::metadata(stage.tree())?.ino();
            fs::write(stage.folder.join(MARK), inode.to_string())?;
            stage.fill(old, plan)
        };
        fill().map_err(|error| Failure::io("cannot write below", parent, &error))?;
        Ok(stage)
    }

    /// The tree in it.
    pub(super) fn tree(&self) -> PathBuf {
        self.folder.join(TREE)
    }

    fn fill(&self, old: Option<&Path>, plan: &Plan<'_>) -> io::Result<()> {
        let tree = self.tree();
        if let Some(old) = old {
            for folder in &plan.folders {
                DirBuilder::new().mode(0o777).create(tree.join(folder))?;
            }
            for path in &plan.carried {
                let from = old.join(path);
                carry(&from, &tree.join(path)).map_err(|error| {
                    let message = format!("`{}` cannot be carried over: {}", from.display(), reason(&error));
                    io::Error::new(error.kind(), message)
                })?;
            }
        }
        for (path, (content, mode)) in &plan.written {
            let path = tree.join(path);
            if let Some(parent) = path.parent() {
                DirBuilder::new().mode(0o777).recursive(true).create(parent)?;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path)?;
            file.write_all(content)?;
            if let Some(mode) = mode {
                file.set_permissions(Permissions::from_mode(*mode))?;
            }
        }
        if let Some(old) = old {
            // Children first: a folder's time changes with what is put into it, its mode may forbid that.
            for folder in plan.folders.iter().rev() {
                adopt(&old.join(folder), &tree.join(folder))?;
            }
            adopt(old, &tree)?;
        }
        syncfs(File::open(&tree)?)?;
        Ok(())
    }

    /// Puts the new tree in the place of `target`, in one step; where there was a tree, the stage holds it after.
    pub(super) fn exchange(&self, parent: &File, target: &Path, replaces: bool) -> Result<(), Failure> {
        let flags = if replaces { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        renameat_with(CWD, self.tree(), CWD, target, flags).map_err(|errno| {
            let failure = Failure::io("cannot put the new tree in the place of", target, &errno.into());
            match errno {
                Errno::BUSY | Errno::XDEV => {
                    failure.help("a mount point cannot be exchanged: choose a folder below it")
                }
                Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => failure.help(
                    "this file system cannot exchange two folders in one step: \
                     write to a local one (ext4, xfs, btrfs, tmpfs), and copy it from there",
                ),
                _ => failure,
            }
        })?;
        parent.sync_all().map_err(|error| Failure::io("cannot write", target, &error))
    }

    /// Leaves the stage where it is.
    pub(super) fn keep(self) -> PathBuf {
        let folder = self.folder.clone();
        std::mem::forget(self);
        folder
    }
}

/// The same entry at another place: a further name of the same file, else a copy.
fn carry(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    fs::copy(from, to)?;
    let times = fs::FileTimes::new().set_accessed(metadata.accessed()?).set_modified(metadata.modified()?);
    OpenOptions::new().write(true).open(to)?.set_times(times)?;
    own(&metadata, to);
    Ok(())
}

/// Gives a folder the mode, owner and time of another.
fn adopt(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::metadata(from)?;
    own(&metadata, to);
    File::open(to)?.set_times(fs::FileTimes::new().set_modified(metadata.modified()?))?;
    fs::set_permissions(to, Permissions::from_mode(metadata.mode() & 0o7777))
}

/// Gives a file the owner of another, where we may: only root can.
fn own(metadata: &fs::Metadata, to: &Path) {
    let _ = std::os::unix::fs::lchown(to, Some(metadata.uid()), Some(metadata.gid()));
}
