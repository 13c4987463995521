//! What is in the old tree, and what becomes of each entry.
//!
//! In: the old tree, its manifest, the files of this build. Out: a [`Plan`], or every file in the way.
//! Nothing is written here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::target::OutputFile;

use super::manifest::{self, Manifest};

/// What the new tree is made of, besides the folders that its files need.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    /// Folders of the old tree that stay, parents first.
    pub(super) folders: Vec<PathBuf>,
    /// Entries of the old tree that are carried over: others' files, and fwc's own that did not change.
    pub(super) carried: Vec<PathBuf>,
    /// Files to write, each with its mode if it replaces one.
    pub(super) written: BTreeMap<PathBuf, (&'a [u8], Option<u32>)>,
    /// How many of `written` are new or different, the manifest left aside.
    pub(super) changed: usize,
    /// fwc's files that no longer belong.
    pub(super) removed: usize,
}

impl Plan<'_> {
    /// Whether the old tree is already as the new one would be.
    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty() && self.removed == 0
    }
}

/// The files of a build by their paths below the tree.
pub(super) fn by_path<'a>(files: &'a [OutputFile], manifest: &'a str) -> Result<BTreeMap<PathBuf, &'a [u8]>, Failure> {
    let mut wanted = BTreeMap::new();
    for file in files {
        let path = manifest::below(&file.path)
            .ok_or_else(|| Failure::new(format!("the output file `{}` would leave the output folder", file.path)))?;
        if wanted.insert(path, file.content.as_bytes()).is_some() {
            return Err(Failure::new(format!("two output files are named `{}`", file.path)));
        }
    }
    wanted.insert(manifest::NAME.into(), manifest.as_bytes());
    Ok(wanted)
}

/// Looks through the old tree.
pub(super) fn plan<'a>(
    old: Option<&Path>,
    owned: &Manifest,
    wanted: &BTreeMap<PathBuf, &'a [u8]>,
    narrowed: bool,
) -> Result<Plan<'a>, Failure> {
    let mut survey = Survey { owned, wanted, narrowed, plan: Plan::default(), blocked: BTreeSet::new() };
    if let Some(old) = old {
        survey.folder(old, Path::new(""))?;
    }
    let Survey { mut plan, blocked, .. } = survey;
    if !blocked.is_empty() {
        return Err(in_the_way(old.unwrap_or(Path::new("")), &blocked));
    }
    let carried: BTreeSet<&PathBuf> = plan.carried.iter().collect();
    for (path, content) in wanted {
        if !carried.contains(path) && !plan.written.contains_key(path) {
            plan.written.insert(path.clone(), (content, None));
        }
    }
    plan.changed = plan.written.keys().filter(|path| *path != Path::new(manifest::NAME)).count();
    Ok(plan)
}

fn in_the_way(old: &Path, blocked: &BTreeSet<PathBuf>) -> Failure {
    let shown: Vec<String> = blocked.iter().take(10).map(|path| format!("`{}`", old.join(path).display())).collect();
    let more = blocked.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Failure::new(format!("not written by fwc, and in the way: {}{more}", shown.join(", ")))
        .help("move them away, or choose another output folder")
}

struct Survey<'a, 'b> {
    owned: &'b Manifest,
    wanted: &'b BTreeMap<PathBuf, &'a [u8]>,
    narrowed: bool,
    plan: Plan<'a>,
    blocked: BTreeSet<PathBuf>,
}

impl Survey<'_, '_> {
    /// Looks through a folder; says whether anything in it stays.
    fn folder(&mut self, old: &Path, below: &Path) -> Result<bool, Failure> {
        let full = old.join(below);
        let failed = |error| Failure::io("cannot read", &full, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&full).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
        }
        names.sort();
        // A folder that was empty is somebody's; one that only held fwc's removed files goes with them.
        let mut stays = names.is_empty();
        let place = self.plan.folders.len();
        for name in &names {
            stays |= self.entry(old, below, name)?;
        }
        if stays && below != Path::new("") {
            self.plan.folders.insert(place, below.to_owned());
        }
        Ok(stays)
    }

    fn entry(&mut self, old: &Path, below: &Path, name: &OsStr) -> Result<bool, Failure> {
        let path = below.join(name);
        let full = old.join(&path);
        let metadata = fs::symlink_metadata(&full).map_err(|error| Failure::io("cannot read", &full, &error))?;
        if metadata.is_dir() {
            if self.wanted.contains_key(&path) {
                self.blocked.insert(path);
                return Ok(true);
            }
            return self.folder(old, &path);
        }
        // A file or a link where a folder of the new tree must be.
        if self.wanted.range(path.join("")..).next().is_some_and(|(next, _)| next.starts_with(&path) && *next != path) {
            self.blocked.insert(path);
            return Ok(true);
        }
        self.file(&full, path, &metadata)
    }

    fn file(&mut self, full: &Path, path: PathBuf, metadata: &Metadata) -> Result<bool, Failure> {
        let is_ours = metadata.is_file() && self.owned.lists(&path);
        match self.wanted.get(&path) {
            Some(content) => {
                if metadata.is_file() && same(full, metadata, content)? {
                    self.plan.carried.push(path);
                } else if is_ours {
                    self.plan.written.insert(path, (content, Some(metadata.permissions().mode() & 0o7777)));
                } else {
                    self.blocked.insert(path);
                }
                Ok(true)
            }
            None if is_ours && !self.narrowed => {
                self.plan.removed += 1;
                Ok(false)
            }
            None => {
                self.plan.carried.push(path);
                Ok(true)
            }
        }
    }
}

fn same(path: &Path, metadata: &Metadata, content: &[u8]) -> Result<bool, Failure> {
    if metadata.len() != content.len() as u64 {
        return Ok(false);
    }
    fs::read(path).map(|old| old == content).map_err(|error| Failure::io("cannot read", path, &error))
}
