//! Reading what was captured or built before: output trees, and files that hold what programs listed.
//!
//! Promise: a link to a folder is followed where fwc has a folder of that name in a tree, and nowhere else; pipes are read
//! only where one was named; and bytes that are no UTF-8 are replaced, since one bad comment is no reason not to compare the
//! rest; which files have some is said. What stands in a tree under the name of a file or folder of fwc's and is none is an
//! error: it must not count as not there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::policy::HostPolicy;

use super::read::LIMIT;

/// A text, and whether some of its bytes were replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedText {
    /// All of it.
    pub text: String,
    /// Whether bytes that are no UTF-8 were replaced.
    pub is_lossy: bool,
}

/// Every file of an output tree by its path below the folder, with `/`: those in `hosts/` and `pve/`.
///
/// # Errors
/// Where the folder, or a file in it, cannot be read; where nothing of fwc's is in it.
pub fn read_tree(folder: &Path, hosts: &[HostPolicy]) -> Result<BTreeMap<String, CapturedText>, Failure> {
    let mut walk = Walk { top: folder, hosts, found: BTreeMap::new() };
    fs::read_dir(folder).map_err(|error| Failure::io("cannot read the folder", folder, &error))?;
    for top in ["hosts", "pve"] {
        if fs::symlink_metadata(folder.join(top)).is_ok() {
            walk.folder(top)?;
        }
    }
    if walk.found.is_empty() {
        return Err(Failure::new(format!("there is no output of fwc's in `{}`", folder.display()))
            .help("`--against` takes a folder that `fwc build -o DIR` wrote: it has `hosts/` or `pve/` in it"));
    }
    Ok(walk.found)
}

/// A tree as it is read.
struct Walk<'w> {
    top: &'w Path,
    hosts: &'w [HostPolicy],
    found: BTreeMap<String, CapturedText>,
}

impl Walk<'_> {
    /// A folder of fwc's, or a link to one.
    fn folder(&mut self, below: &str) -> Result<(), Failure> {
        let full = self.top.join(below);
        let metadata = fs::metadata(&full).map_err(|error| Failure::io("cannot read", &full, &error))?;
        if !metadata.is_dir() {
            let message = format!("`{}` is no folder, and fwc writes one of that name", full.display());
            return Err(Failure::new(message));
        }
        self.below(below)
    }

    fn below(&mut self, below: &str) -> Result<(), Failure> {
        let folder = self.top.join(below);
        let failed = |error| Failure::io("cannot read the folder", &folder, &error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = format!("{below}/{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(failed)?;
            let (full, is_own) = (entry.path(), is_own(below, &path));
            if self.is_folder(&path) {
                self.folder(&path)?;
                continue;
            }
            if kind.is_dir() {
                if is_own {
                    return Err(Failure::new(format!(
                        "`{}` is a folder, and fwc writes a file of that name",
                        full.display()
                    )));
                }
                self.below(&path)?;
                continue;
            }
            // A link to a file is as good as the file.
            match fs::metadata(&full) {
                Ok(metadata) if metadata.is_file() => {
                    self.found.insert(path, read_captured(&full)?);
                }
                Ok(metadata) if metadata.is_dir() || !is_own => {}
                Ok(_) => return Err(Failure::new(format!("`{}` is not a regular file", full.display()))),
                Err(error) if is_own => return Err(Failure::io("cannot read", &full, &error)),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Whether fwc has a folder there.
    fn is_folder(&self, path: &str) -> bool {
        let is_host = |name: &str| self.hosts.iter().any(|host| host.name == name);
        match path.split('/').collect::<Vec<_>>()[..] {
            ["hosts", host] | ["pve", "nodes", host] => is_host(host),
            ["hosts", host, "sysctl.d" | "modules-load.d" | "modprobe.d" | "default"] => is_host(host),
            ["pve", "firewall" | "nodes" | "sdn"] | ["pve", "sdn", "firewall"] => true,
            _ => false,
        }
    }
}

/// Whether something is called as fwc calls its files. Hosts may be called anything.
fn is_own(below: &str, path: &str) -> bool {
    let ends = ["rules", "nft", "conf", "fw"];
    let has_end = Path::new(path).extension().is_some_and(|end| ends.iter().any(|own| end == *own));
    has_end && !["hosts", "pve", "pve/nodes"].contains(&below)
}

/// Files that were named, and in place of a folder every file below it that is not hidden.
///
/// # Errors
/// Where a folder cannot be read.
pub fn files_below(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in named {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let failed = |error| Failure::io("cannot read the folder", path, &error);
        let mut below = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            // A link to a folder may lead anywhere; one to a file is as good as the file.
            if (kind.is_dir() || !entry.path().is_dir()) && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                below.push(entry.path());
            }
        }
        below.sort();
        found.extend(files_below(&below)?);
    }
    Ok(found)
}

/// A file that was named; `-` is standard input.
///
/// # Errors
/// Where it cannot be read, or is too large.
pub fn read_captured(path: &Path) -> Result<CapturedText, Failure> {
    let failed = |error: std::io::Error| Failure::io("cannot read", path, &error);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(Failure::new(format!("`{}` is a folder", path.display()))
                .help("`--state` takes files; a folder that fwc built is for `--against`"));
        }
        file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LIMIT {
        return Err(Failure::new(format!("`{}` is larger than {} MiB", path.display(), LIMIT >> 20)));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => CapturedText { text, is_lossy: false },
        Err(error) => CapturedText { text: String::from_utf8_lossy(error.as_bytes()).into_owned(), is_lossy: true },
    })
}
