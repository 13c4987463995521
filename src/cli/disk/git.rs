//! A spec as it is at a git revision, read from the repository's objects: no checkout is touched.
//!
//! In: where the spec is now, and a revision. Out: the texts it had there. `git` itself is asked, so that whatever it
//! understands as a revision (`origin/main`, `HEAD~2`, a tag) is one here.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use similar::TextDiff;

use crate::cli::Failure;
use crate::diagnostic::{Diagnostics, SourceMap};

use super::read::Reading;

/// How alike two files must be for one to be the other under a new name, as git's own default.
const ALIKE: f32 = 0.5;
/// Files of a revision that are looked at for one that was renamed.
const CANDIDATES: usize = 200;

/// A spec at a revision.
#[derive(Debug)]
pub struct AtRevision {
    /// Its files; their paths begin with the revision: `origin/main:fwc.yaml`.
    pub sources: SourceMap,
    /// What is wrong with them as files.
    pub diagnostics: Diagnostics,
    /// The commit, in short.
    pub commit: String,
    /// Its path there, where that is another one than now.
    pub elsewhere: Option<String>,
}

/// Reads the spec that is now at `spec`, as it is at `revision`; `there` says where it is in that revision, if not where
/// it is now.
///
/// # Errors
/// Where there is no git, no repository, no such revision, or no spec in it.
pub fn read_at_revision(
    spec: &Path,
    texts: &SourceMap,
    revision: &str,
    there: Option<&Path>,
) -> Result<AtRevision, Failure> {
    let repository = Repository::around(spec)?;
    let commit = repository.commit(revision)?;
    let now = match there {
        Some(path) => repository.path_of(path)?,
        None => repository.path_of(spec)?,
    };
    let found = repository.find(&commit, &now, there.is_some(), texts, revision)?;
    let mut reading = Reading::default();
    for (path, bytes) in repository.texts(&commit, &found)? {
        reading.take(PathBuf::from(format!("{revision}:{path}")), bytes.as_slice());
    }
    let (sources, diagnostics) = reading.done();
    let elsewhere = (found != now).then_some(found);
    let commit = commit.get(..9).unwrap_or(&commit).to_owned();
    Ok(AtRevision { sources, diagnostics, commit, elsewhere })
}

/// A repository, by the folder that git runs in.
#[derive(Debug)]
struct Repository {
    folder: PathBuf,
    root: PathBuf,
}

impl Repository {
    fn around(spec: &Path) -> Result<Self, Failure> {
        let folder = if spec.is_dir() { spec } else { spec.parent().unwrap_or(Path::new("")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let folder = folder.canonicalize().map_err(|error| Failure::io("cannot read", folder, &error))?;
        let mut repository = Self { folder, root: PathBuf::new() };
        let root = repository.run(&["rev-parse", "--show-toplevel"])?;
        repository.root = PathBuf::from(text(&root).trim_end_matches('\n'));
        Ok(repository)
    }

    /// What git prints.
    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Failure> {
        let failed = |error: &std::io::Error| {
            let help = "`--base` asks git for the revision; install it, or use `--against` with an output folder";
            Failure::new(format!("cannot run `git`: {}", crate::cli::failure::reason(error))).help(help)
        };
        let mut child = Command::new("git")
            .arg("-C")
            .arg(&self.folder)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            // Both directions at once: git answers while it is still being asked.
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
            child.wait_with_output()
        });
        let output = output.map_err(|error| failed(&error))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        Err(Failure::new(format!("git: {}", line.trim_start_matches("fatal: ").trim_end_matches('.'))))
    }

    fn commit(&self, revision: &str) -> Result<String, Failure> {
        // What begins with a dash would be an option.
        let wanted = format!("{revision}^{{commit}}");
        let found = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]);
        found.map(|found| text(&found).trim().to_owned()).map_err(|_| {
            Failure::new(format!("there is no revision `{revision}` in this repository")).help(
                "a clone of a pipeline may hold one commit alone: fetch the branch first, such as `git fetch origin main`",
            )
        })
    }

    /// A path below the root of the repository, with `/`.
    fn path_of(&self, path: &Path) -> Result<String, Failure> {
        // The last part may not be there any more, or be a link that belongs to the repository as a link.
        let (parent, name) = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => {
                (if parent.as_os_str().is_empty() { Path::new(".") } else { parent }, Some(name))
            }
            (_, _) => (path, None),
        };
        let parent = parent.canonicalize().unwrap_or_else(|_| self.root.join(parent));
        let whole = name.map_or(parent.clone(), |name| parent.join(name));
        let below = whole.strip_prefix(&self.root).map_err(|_| {
            Failure::new(format!("`{}` is not in the repository `{}`", path.display(), self.root.display()))
        })?;
        let parts: Vec<String> = below
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
            })
            .collect();
        Ok(parts.join("/"))
    }

    /// Files of a revision below a path (or at it): name and object.
    fn list(&self, commit: &str, path: &str) -> Result<BTreeMap<String, String>, Failure> {
        let mut arguments = vec!["ls-tree", "-r", "-z", "--full-tree", commit];
        let literal = format!(":(literal){path}");
        if !path.is_empty() {
            arguments.extend(["--", &literal]);
        }
        // `ls-tree` takes no pathspec magic in older versions; a plain path is literal there.
        let listed = self.run(&arguments).or_else(|_| {
            if let Some(last) = arguments.last_mut() {
                *last = path;
            }
            self.run(&arguments)
        })?;
        let mut found = BTreeMap::new();
        for entry in text(&listed).split('\0') {
            let Some((head, name)) = entry.split_once('\t') else { continue };
            if let [_, "blob", object] = head.split(' ').collect::<Vec<_>>()[..] {
                found.insert(name.to_owned(), object.to_owned());
            }
        }
        Ok(found)
    }

    /// Where the spec is in a revision: where it is now, at the other default name, or where a file like it is.
    fn find(&self, commit: &str, now: &str, told: bool, texts: &SourceMap, revision: &str) -> Result<String, Failure> {
        let (parent, name) = now.rsplit_once('/').unwrap_or(("", now));
        let beside = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
        let defaults =
            if ["fwc", "fwc.yaml"].contains(&name) { vec![beside("fwc.yaml"), beside("fwc")] } else { vec![] };
        for path in std::iter::once(now.to_owned()).chain(defaults.into_iter().filter(|_| !told)) {
            if self.list(commit, &path)?.keys().any(|name| is_spec(name)) {
                return Ok(path);
            }
        }
        let renamed = if told { None } else { self.renamed(commit, now, texts)? };
        renamed.ok_or_else(|| {
            Failure::new(format!("there is no spec at `{now}` in `{revision}`, and nothing like it elsewhere"))
                .help("`--base-spec PATH` says where it is there")
        })
    }

    /// The file of a revision that is no longer there and most like one of the spec's; of a folder, the folder.
    fn renamed(&self, commit: &str, now: &str, texts: &SourceMap) -> Result<Option<String>, Failure> {
        let gone: Vec<(String, String)> = self
            .list(commit, "")?
            .into_iter()
            .filter(|(name, _)| is_spec(name) && !self.root.join(name).exists())
            .take(CANDIDATES)
            .collect();
        let objects = self.objects(gone.iter().map(|(_, object)| object.as_str()))?;
        let mut best: Option<(f32, String)> = None;
        for (path, bytes) in gone.iter().map(|(path, _)| path).zip(&objects) {
            for (_, own, text) in texts.files() {
                let other = String::from_utf8_lossy(bytes);
                let ratio = TextDiff::configure()
                    .timeout(std::time::Duration::from_millis(200))
                    .diff_lines(text, other.as_ref())
                    .ratio();
                if ratio >= ALIKE && best.as_ref().is_none_or(|(known, _)| ratio > *known) {
                    best = Some((ratio, self.root_of(path, own, now)));
                }
            }
        }
        Ok(best.map(|(_, path)| path))
    }

    /// The spec that an old file belongs to: itself, or the folder that stands to it as the spec's folder stands to the
    /// new file.
    fn root_of(&self, old: &str, own: &Path, now: &str) -> String {
        let own = self.path_of(own).unwrap_or_default();
        match own.strip_prefix(now).and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) => match old.strip_suffix(rest).and_then(|folder| folder.strip_suffix('/')) {
                Some(folder) => folder.to_owned(),
                None => old.to_owned(),
            },
            None => old.to_owned(),
        }
    }

    /// The spec's files at a path of a revision, with their bytes.
    fn texts(&self, commit: &str, path: &str) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let files: Vec<(String, String)> = self
            .list(commit, path)?
            .into_iter()
            .filter(|(name, _)| name == path || is_spec(name) && !is_hidden(name.strip_prefix(path).unwrap_or(name)))
            .collect();
        let objects = self.objects(files.iter().map(|(_, object)| object.as_str()))?;
        Ok(files.into_iter().map(|(name, _)| name).zip(objects).collect())
    }

    /// The bytes of objects, in their order.
    fn objects<'o>(&self, objects: impl Iterator<Item = &'o str>) -> Result<Vec<Vec<u8>>, Failure> {
        let wanted: Vec<&str> = objects.collect();
        let input: String = wanted.iter().flat_map(|object| [object, "\n"]).collect();
        let output = self.run_with(&["cat-file", "--batch"], input.as_bytes())?;
        let broken = || Failure::new("git: an object of the revision cannot be read");
        let mut rest = output.as_slice();
        let mut found = Vec::with_capacity(wanted.len());
        for _ in &wanted {
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(broken)?;
            let (head, tail) = rest.split_at_checked(end).ok_or_else(broken)?;
            let size = text(head).rsplit(' ').next().and_then(|size| size.parse::<u64>().ok()).ok_or_else(broken)?;
            let size = usize::try_from(size).map_err(|_| broken())?;
            let mut bytes = vec![0; size];
            let mut reader = tail.get(1..).unwrap_or_default();
            reader.read_exact(&mut bytes).map_err(|_| broken())?;
            rest = reader.get(1..).unwrap_or_default();
            found.push(bytes);
        }
        Ok(found)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_spec(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn is_hidden(below: &str) -> bool {
    below.split('/').any(|part| part.starts_with('.'))
}
