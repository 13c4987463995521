//! The output folder: the whole of a build, or nothing of it.
//!
//! In: a folder and the files of a build. Out: a folder that holds exactly these files of fwc's, and
//! whatever else was there. A complete new tree is made beside the old one and the two are exchanged
//! in one step (`renameat2` with `RENAME_EXCHANGE`), so that no reader, no failure and no kill ever
//! sees or leaves a tree that is half old, half new. A tree that is right already is not touched.
//!
//! `manifest.json` in the tree says which files are fwc's. A file of another at a path of fwc's is an
//! error; a file of fwc's that was changed by hand is replaced.

mod lock;
mod manifest;
mod stage;
mod survey;
mod sweep;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::Failure;
use crate::cli::report::plural;
use crate::target::OutputFile;

use manifest::Manifest;
use stage::Stage;

/// What a build did to its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Files of this build.
    pub files: usize,
    /// Of these, how many are new or differ from before.
    pub changed: usize,
    /// Files of earlier builds that no longer belong.
    pub removed: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plural(self.files, "file"))?;
        match (self.changed, self.removed) {
            (0, 0) => f.write_str(", nothing changed"),
            (changed, 0) => write!(f, ", {changed} changed"),
            (changed, removed) => write!(f, ", {changed} changed, {removed} removed"),
        }
    }
}

/// Writes `files` to the folder `folder`. A `narrowed` build is a part of a whole: it removes nothing.
///
/// # Errors
/// Where anything is in the way or cannot be read or written. The folder is then as it was.
pub fn write_tree(folder: &Path, files: &[OutputFile], narrowed: bool) -> Result<Summary, Failure> {
    write(folder, files, narrowed, lock::PATIENCE)
}

fn write(folder: &Path, files: &[OutputFile], narrowed: bool, patience: Duration) -> Result<Summary, Failure> {
    let place = Place::find(folder)?;
    let lock = lock::take(&place.parent, patience)?;
    sweep::leftovers(&place.parent, &place.name, &place.target)?;
    let old = place.old()?;
    let old = old.as_deref();

    let owned = read_manifest(old)?;
    let mut manifest = Manifest::new();
    for file in files {
        manifest.insert(&file.path, file.content.as_bytes());
    }
    if narrowed {
        manifest.keep(&owned);
    }
    let manifest = manifest.text();
    let wanted = survey::by_path(files, &manifest)?;
    let plan = survey::plan(old, &owned, &wanted, narrowed)?;
    let summary = Summary { files: files.len(), changed: plan.changed, removed: plan.removed };
    if plan.is_empty() {
        return Ok(summary);
    }

    let stage = Stage::build(&place.parent, &place.name, old, &plan)?;
    stage.exchange(&lock, &place.target, old.is_some())?;
    if old.is_some()
        && let Err(error) = sweep::old_tree(&stage.tree(), &place.target)
    {
        let rest = stage.keep();
        return Err(Failure::io("the new tree is in place, but the old one cannot be removed from", &rest, &error)
            .help("the next build tries again"));
    }
    Ok(summary)
}

fn read_manifest(old: Option<&Path>) -> Result<Manifest, Failure> {
    let Some(old) = old else { return Ok(Manifest::new()) };
    let path = old.join(manifest::NAME);
    match fs::read(&path) {
        Ok(text) => Manifest::parse(&text, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Manifest::new()),
        Err(error) => Err(Failure::io("cannot read", &path, &error)),
    }
}

/// Where the tree is, links resolved.
#[derive(Debug)]
struct Place {
    target: PathBuf,
    parent: PathBuf,
    name: OsString,
}

impl Place {
    fn find(folder: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::io("cannot write to", folder, &error);
        let target = match fs::canonicalize(folder) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::symlink_metadata(folder).is_ok() {
                    return Err(Failure::new(format!("`{}` is a link to nowhere", folder.display()))
                        .help("create the folder that it points to, or remove the link"));
                }
                let name = folder.file_name().ok_or_else(|| failed(error))?;
                let parent = match folder.parent() {
                    Some(parent) if parent != Path::new("") => parent,
                    Some(_) | None => Path::new("."),
                };
                fs::create_dir_all(parent).map_err(failed)?;
                fs::canonicalize(parent).map_err(failed)?.join(name)
            }
            Err(error) => return Err(failed(error)),
        };
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(Failure::new("the root folder cannot be the output folder").help("name a folder of its own"));
        };
        let (parent, name) = (parent.to_owned(), name.to_owned());
        if std::env::current_dir().is_ok_and(|here| here.starts_with(&target)) {
            let message = format!("`{}` is or holds the current folder, and would be exchanged", folder.display());
            return Err(Failure::new(message).help("run the build from outside the output folder"));
        }
        Ok(Self { target, parent, name })
    }

    /// The old tree, if there is one and it can be exchanged.
    fn old(&self) -> Result<Option<PathBuf>, Failure> {
        let target = &self.target;
        let failed = |error| Failure::io("cannot read", target, &error);
        let found = match fs::symlink_metadata(target) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if !found.is_dir() {
            return Err(Failure::new(format!("`{}` is not a folder", target.display()))
                .help("`-o` takes the folder that the output tree is written to"));
        }
        if found.dev() != fs::metadata(&self.parent).map_err(failed)?.dev() {
            return Err(Failure::new(format!("`{}` is a mount point, and cannot be exchanged", target.display()))
                .help("choose a folder below it"));
        }
        Ok(Some(target.clone()))
    }
}

#[cfg(test)]
mod tests;
