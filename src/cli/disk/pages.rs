//! Writing single files: manual pages.

use std::fs;
use std::path::Path;

use crate::cli::Failure;

/// Writes files (name and text) into a folder, which is made if need be.
///
/// # Errors
/// Where the folder or a file cannot be written.
pub fn write_pages(folder: &Path, pages: &[(String, String)]) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::io("cannot write to", folder, &error))?;
    for (name, text) in pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| Failure::io("cannot write", &path, &error))?;
    }
    Ok(())
}
