//! Paths below a root, links followed by hand.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use crate::cli::disk::read::LIMIT;
use crate::cli::failure::reason;

/// Links that are followed for one path, as in the kernel.
const LINKS: usize = 40;

/// What stands at a path's end.
#[derive(Debug)]
pub(super) enum End {
    /// Nothing, or links to nowhere; with the path at which nothing stands, and whether links led there.
    Nothing(String, bool),
    /// Something, at which path, links followed.
    There(String, Metadata),
}

/// Follows a path below `root`. A link to `/x` leads to `x` below the root, and `..` ends there.
pub(super) fn follow(root: &Path, path: &str) -> io::Result<End> {
    let split = |path: &str| -> Vec<String> {
        path.split('/').rev().filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let mut ahead = split(path);
    let mut at = String::new();
    let mut links = 0;
    let mut metadata = fs::metadata(root)?;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            at.truncate(at.rfind('/').unwrap_or(0));
            metadata = fs::symlink_metadata(root.join(&at))?;
            continue;
        }
        let below = if at.is_empty() { part } else { format!("{at}/{part}") };
        let found = match fs::symlink_metadata(root.join(&below)) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                ahead.push(below);
                ahead.reverse();
                return Ok(End::Nothing(ahead.join("/"), links > 0));
            }
            Err(error) => return Err(error),
        };
        if !found.is_symlink() {
            (at, metadata) = (below, found);
            continue;
        }
        links += 1;
        if links > LINKS {
            return Ok(End::Nothing(below, true));
        }
        let target = fs::read_link(root.join(&below))?.to_string_lossy().into_owned();
        if target.starts_with('/') {
            at.clear();
        }
        ahead.append(&mut split(&target));
    }
    Ok(End::There(at, metadata))
}

/// The text of a regular file, with `\u{fffd}` for what is no UTF-8; or why it cannot be read.
pub(super) fn text(root: &Path, path: &str, metadata: &Metadata) -> Result<String, String> {
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = File::open(root.join(path)).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes));
    read.map_err(|error| reason(&error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("larger than {} MiB", LIMIT >> 20));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The names of a folder's entries, sorted; none where it is not there.
pub(super) fn names(root: &Path, path: &str) -> io::Result<Vec<String>> {
    let End::There(path, metadata) = follow(root, path)? else { return Ok(Vec::new()) };
    if !metadata.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(path))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
