//! Removing what an exchange leaves behind, without losing anybody's file.
//!
//! After the exchange the stage holds the old tree, whose files are fwc's own or further names of files
//! in the new tree. Should somebody have put a file there, or replaced one, since fwc looked: it is
//! moved into the new tree, not deleted.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::cli::Failure;

use super::manifest::{self, Manifest};
use super::stage::{self, MARK, TREE};

/// Removes the stages that killed builds left beside the tree `name`. The lock must be held.
pub(super) fn leftovers(parent: &Path, name: &OsStr, target: &Path) -> Result<(), Failure> {
    let prefix = stage::prefix(name);
    let failed = |error| Failure::io("cannot remove what a killed build left in", parent, &error);
    for entry in fs::read_dir(parent).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_named_so = entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
        if !is_named_so || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let folder = entry.path();
        let tree = folder.join(TREE);
        let Ok(mark) = fs::read_to_string(folder.join(MARK)) else {
            // Killed before the mark was made, or after it was removed: then there is nothing in it, and
            // only folders without anything in them can be removed so.
            let _ = fs::remove_dir(&tree);
            let _ = fs::remove_dir(&folder);
            continue;
        };
        // The mark is complete before any exchange.
        if let Ok(found) = fs::symlink_metadata(&tree)
            && !mark.is_empty()
            && found.ino().to_string() != mark
        {
            old_tree(&tree, target).map_err(failed)?;
        }
        stage::remove(&folder).map_err(failed)?;
    }
    Ok(())
}

/// Removes the tree `old`, in whose place `new` is now.
pub(super) fn old_tree(old: &Path, new: &Path) -> io::Result<()> {
    let read = |tree: &Path| {
        let path = tree.join(manifest::NAME);
        fs::read(&path).ok().and_then(|text| Manifest::parse(&text, &path).ok()).unwrap_or_default()
    };
    let mut owned = read(new);
    owned.keep(&read(old));
    folder(old, new, Path::new(""), &owned)?;
    // Last, since a sweep that is killed before needs it to know fwc's files.
    match fs::remove_file(old.join(manifest::NAME)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::remove_dir(old)
}

fn folder(old: &Path, new: &Path, below: &Path, owned: &Manifest) -> io::Result<()> {
    let mut was_empty = true;
    for entry in fs::read_dir(old.join(below))? {
        was_empty = false;
        let path = below.join(entry?.file_name());
        let from = old.join(&path);
        let metadata = fs::symlink_metadata(&from)?;
        if metadata.is_dir() {
            folder(old, new, &path, owned)?;
            fs::remove_dir(&from)?;
        } else if path != Path::new(manifest::NAME) {
            if owned.lists(&path) || is_there(&from, &metadata, &new.join(&path)) {
                fs::remove_file(&from)?;
            } else {
                let to = new.join(&path);
                if let Some(parent) = to.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::rename(&from, &to)?;
            }
        }
    }
    if was_empty {
        fs::create_dir_all(new.join(below))?;
    }
    Ok(())
}

/// Whether the new tree has the same file, link or copy.
fn is_there(from: &Path, old: &Metadata, to: &Path) -> bool {
    let Ok(new) = fs::symlink_metadata(to) else { return false };
    if old.is_symlink() && new.is_symlink() {
        return fs::read_link(from).is_ok_and(|link| fs::read_link(to).is_ok_and(|other| link == other));
    }
    let same_inode = (old.dev(), old.ino()) == (new.dev(), new.ino());
    let same_copy = (old.len(), old.mtime(), old.mtime_nsec()) == (new.len(), new.mtime(), new.mtime_nsec());
    same_inode || (old.is_file() && new.is_file() && same_copy)
}
