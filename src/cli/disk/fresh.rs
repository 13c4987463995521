//! Writing a spec where none is yet.
//!
//! Promise: what is there already is never touched, and nothing is half written: a file is made beside its place under
//! another name, a folder is made whole, and then it gets its name in one step.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::Failure;

/// Writes a file that is not there yet.
///
/// # Errors
/// Where something is there, or it cannot be written.
pub fn write_new_file(path: &Path, text: &str) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(exists(path));
    }
    let failed = |error| Failure::io("cannot write", path, &error);
    let mut file = tempfile::Builder::new().prefix(".fwc-").tempfile_in(parent(path)).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(exists(path)),
        Err(error) => Err(failed(error.error)),
    }
}

/// Writes a folder (path below it, and text) that is not there yet, or empty.
///
/// # Errors
/// Where something is in it, or it cannot be written.
pub fn write_new_folder(path: &Path, files: &BTreeMap<String, String>) -> Result<(), Failure> {
    let failed = |error| Failure::io("cannot write", path, &error);
    match fs::read_dir(path).map(Iterator::count) {
        Ok(entries) if entries > 0 => {
            let message = format!("the folder `{}` is not empty", path.display());
            return Err(Failure::new(message).help("name a new one: whatever YAML is in a folder is part of the spec"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(_) | Err(_) => {}
    }
    let stage = tempfile::Builder::new().prefix(".fwc-").tempdir_in(parent(path)).map_err(failed)?;
    for (name, text) in files {
        let file = stage.path().join(name);
        let folder = file.parent().unwrap_or(stage.path());
        fs::create_dir_all(folder).and_then(|()| fs::write(&file, text)).map_err(failed)?;
    }
    fs::set_permissions(stage.path(), Permissions::from_mode(0o755)).map_err(failed)?;
    // The new name replaces an empty folder, and no other.
    fs::rename(stage.path(), path).map_err(failed)?;
    let _ = stage.keep();
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!("`{}` exists already", path.display())).help("remove it, or name another file")
}
