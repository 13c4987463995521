//! Reading `/etc/pve`, or a copy of it.
//!
//! In: a folder. Out: the text of every file in it that the firewall's configuration is made of. Promise: links to
//! folders are not followed (`local` and its like would show a node twice), a pipe is not waited for, and a file that
//! cannot be read, is too large or no text is an error: what it says would be missing in silence.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::cli::Failure;
use crate::cli::failure::reason;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceMap, Span};
use crate::import::{Input, Role, leads_on, role};

use super::read::LIMIT;

/// A file that is wanted, as far as it could be read.
type Read1 = Result<(String, Option<usize>), (Code, String)>;

/// The texts, what each of them is, and what could not be read.
type Copied = (SourceMap, Vec<Input>, Diagnostics);

/// Reads a copy.
///
/// # Errors
/// Where the folder cannot be read, or nothing in it is of a firewall.
pub fn read_copy(folder: &Path) -> Result<Copied, Failure> {
    let found = read_all(folder)?;
    if found.1.is_empty() && found.2.iter().next().is_none() {
        let message = format!("nothing of Proxmox VE's firewall is in `{}`", folder.display());
        return Err(Failure::new(message).help(
            "`DIR` is a copy of `/etc/pve`, or a folder with `cluster.fw`, `host.fw`, `<VMID>.fw` and `<VMID>.conf`",
        ));
    }
    Ok(found)
}

/// Reads a running node's own, in which nothing of a firewall needs to be.
///
/// # Errors
/// Where the folder cannot be read, or is there without Proxmox VE's cluster file system in it.
pub fn read_running(folder: &Path) -> Result<Copied, Failure> {
    let found = read_all(folder)?;
    // The cluster file system has this folder whatever else it has; where it is not mounted there is nothing.
    if !folder.join("nodes").is_dir() {
        let message = format!("`{}` is not what Proxmox VE has there: it has no `nodes`", folder.display());
        return Err(Failure::new(message).help("see whether the service `pve-cluster` runs"));
    }
    Ok(found)
}

fn read_all(folder: &Path) -> Result<Copied, Failure> {
    let mut wanted = Vec::new();
    walk(folder, "", &mut wanted)?;
    wanted.sort_by(|(left, _), (right, _)| left.cmp(right));
    let texts: Vec<Read1> = wanted.par_iter().map(|(path, _)| read(&folder.join(path))).collect();
    let (mut sources, mut inputs, mut found) = (SourceMap::default(), Vec::new(), Diagnostics::new());
    for ((path, role), text) in wanted.into_iter().zip(texts) {
        match text {
            Ok((text, bad)) => {
                let file = sources.add(folder.join(path), text);
                if let Some(at) = bad {
                    let span = Span { file, start: u32::try_from(at).unwrap_or(u32::MAX), len: 1 };
                    let message = "a byte that is no UTF-8, as in comments of old editors";
                    let help = "the spec has `\u{fffd}` in its place: save the file as UTF-8 to keep it";
                    found.push(Diagnostic::warning(Code::ImportChanged, span, message).help(help));
                }
                inputs.push(Input { role, file });
            }
            Err((code, message)) => {
                let file = sources.add(folder.join(path), "");
                found.push(Diagnostic::error(code, Span { file, start: 0, len: 0 }, message));
            }
        }
    }
    Ok((sources, inputs, found))
}

/// Every file below that has a role.
fn walk(top: &Path, below: &str, wanted: &mut Vec<(String, Role)>) -> Result<(), Failure> {
    let folder = if below.is_empty() { top.to_owned() } else { top.join(below) };
    let failed = |error| Failure::io("cannot read the folder", &folder, &error);
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type().map_err(failed)?.is_dir() {
            if leads_on(&path) {
                walk(top, &path, wanted)?;
            }
        } else if let Some(role) = role(&path) {
            wanted.push((path, role));
        }
    }
    Ok(())
}

/// A file's text, and the first byte of it that is no UTF-8.
fn read(path: &PathBuf) -> Read1 {
    let failed =
        |error: std::io::Error| (Code::CannotRead, format!("cannot read `{}`: {}", path.display(), reason(&error)));
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err((Code::CannotRead, format!("`{}` is not a regular file", path.display())));
    }
    let too_large = || (Code::FileTooLarge, format!("`{}` is larger than {} MiB", path.display(), LIMIT >> 20));
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(LIMIT)).unwrap_or(0));
    File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(too_large());
    }
    if bytes.contains(&0) {
        return Err((Code::NotUtf8, format!("`{}` is no text", path.display())));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, None)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Ok((String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(at)))
        }
    }
}
