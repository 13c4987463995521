//! A spec as it is at a git revision, read from the repository's objects: no checkout is touched.
//!
//! In: where the spec is now, and a revision. Out: the texts it had there. `git` itself is asked, so that whatever it
//! understands as a revision (`origin/main`, `HEAD~2`, a tag) is one here. Links are followed within the repository;
//! what is in another one (a submodule, a target outside) is a finding.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::Failure;
use crate::diagnostic::{Diagnostics, SourceMap};

use super::likeness::Likeness;
use super::read::Reading;

/// Files of a revision that are looked at for one that was renamed.
const CANDIDATES: usize = 200;
/// Links that lead to one another.
const LINKS: usize = 8;
/// What a hook's environment says of its own repository; the one around the spec is asked.
const OF_ANOTHER: [&str; 5] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"];

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
    /// Where the spec is now, below the root of the repository.
    pub here: String,
}

/// What a revision has at a path.
#[derive(Debug, Clone)]
struct Entry {
    /// `blob`, or `commit` for a submodule.
    kind: String,
    link: bool,
    object: String,
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
    let piped = spec == Path::new("-");
    let repository = Repository::around(if piped { Path::new(".") } else { spec })?;
    let commit = repository.commit(revision)?;
    let now = match (there, piped) {
        (Some(path), _) => repository.path_of(path)?,
        (None, false) => repository.path_of(spec)?,
        (None, true) => {
            return Err(Failure::new("a spec from standard input has no place in the revision")
                .help("`--base-spec PATH` says where it is there"));
        }
    };
    let tree = repository.around_spec(&commit, &now, there.is_some())?;
    let found = repository.find(&tree, &now, there.is_some(), texts, revision)?;
    let mut reading = Reading::default();
    repository.read(&tree, &found, revision, &mut reading)?;
    let (sources, diagnostics) = reading.done();
    let elsewhere = (found != now).then_some(found);
    let commit = commit.get(..9).unwrap_or(&commit).to_owned();
    Ok(AtRevision { sources, diagnostics, commit, elsewhere, here: now })
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
        let mut command = Command::new("git");
        for variable in OF_ANOTHER {
            command.env_remove(variable);
        }
        let mut child = command
            .arg("-C")
            .arg(&self.folder)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("GIT_LITERAL_PATHSPECS", "1")
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
        let failure = Failure::new(format!("git: {}", line.trim_start_matches("fatal: ").trim_end_matches('.')));
        Err(if line.contains("dubious ownership") {
            failure
                .help(format!("if you trust it: `git config --global --add safe.directory {}`", self.root_for_help()))
        } else if line.contains("not a git repository") {
            failure.help("`--base` compares with a revision of the spec's repository; `--against` with a folder")
        } else {
            failure
        })
    }

    /// The folder that git named as not ours, as far as one can tell without it.
    fn root_for_help(&self) -> String {
        let root = self.folder.ancestors().find(|folder| folder.join(".git").exists());
        root.unwrap_or(&self.folder).display().to_string()
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

    /// The entries of a revision that matter: those where the spec is looked for first, or, where there is none or links lead
    /// elsewhere, all of them.
    fn around_spec(&self, commit: &str, now: &str, told: bool) -> Result<Tree, Failure> {
        let places = places(now, told);
        let near = self.list(commit, &places)?;
        let is_text = |(name, entry): (&String, &Entry)| entry.is_text() && (is_spec(name) || places.contains(name));
        let enough = near.iter().any(is_text) && !near.values().any(|entry| entry.link);
        if enough { Ok(near) } else { self.list(commit, &[]) }
    }

    /// The entries at some paths of a revision and below them, by their paths; all, where one is empty or none is named.
    fn list(&self, commit: &str, paths: &[String]) -> Result<Tree, Failure> {
        let mut arguments = vec!["ls-tree", "-r", "-z", "--full-tree", commit, "--"];
        if !paths.iter().any(String::is_empty) {
            arguments.extend(paths.iter().map(String::as_str));
        }
        let listed = self.run(&arguments)?;
        let mut found = Tree::new();
        for entry in text(&listed).split('\0') {
            let Some((head, name)) = entry.split_once('\t') else { continue };
            if let [mode, kind, object] = head.split(' ').collect::<Vec<_>>()[..] {
                let entry = Entry { kind: kind.to_owned(), link: mode == "120000", object: object.to_owned() };
                found.insert(name.to_owned(), entry);
            }
        }
        Ok(found)
    }

    /// Where the spec is in a revision: where it is now, at the other default name, or where a file like it is.
    fn find(&self, tree: &Tree, now: &str, told: bool, texts: &SourceMap, revision: &str) -> Result<String, Failure> {
        for path in places(now, told) {
            let inside = |name: &str| is_spec(name) && !is_hidden(name.strip_prefix(&path).unwrap_or(name));
            if tree.contains_key(&path) || below(tree, &path).any(|(name, _)| inside(name)) {
                return Ok(path);
            }
        }
        let renamed = if told { None } else { self.renamed(tree, now, texts)? };
        renamed.ok_or_else(|| {
            Failure::new(format!("there is no spec at `{now}` in `{revision}`, and nothing like it elsewhere"))
                .help("`--base-spec PATH` says where it is there")
        })
    }

    /// The file of a revision that is no longer there and most like one of the spec's; of a folder, the folder.
    fn renamed(&self, tree: &Tree, now: &str, texts: &SourceMap) -> Result<Option<String>, Failure> {
        let gone: Vec<(&String, &Entry)> = tree
            .iter()
            .filter(|(name, entry)| entry.is_text() && is_spec(name) && !self.root.join(name).exists())
            .take(CANDIDATES)
            .collect();
        let objects = self.objects(gone.iter().map(|(_, entry)| entry.object.as_str()))?;
        let mut likeness = Likeness::default();
        for ((path, _), bytes) in gone.iter().zip(&objects) {
            for (_, own, own_text) in texts.files() {
                if likeness.is_best(own_text, &String::from_utf8_lossy(bytes)) {
                    likeness.best = Some(self.root_of(path, own, now));
                }
            }
        }
        Ok(likeness.best)
    }

    /// The spec that an old file belongs to: itself, or the folder that stands to it as the spec's folder stands to the
    /// new file.
    fn root_of(&self, old: &str, own: &Path, now: &str) -> String {
        let own = self.path_of(own).unwrap_or_default();
        let rest = if now.is_empty() { Some(own.as_str()) } else { inside(&own, now) };
        let folder = rest.and_then(|rest| match old.strip_suffix(rest)? {
            "" => Some(String::new()),
            folder => Some(folder.strip_suffix('/')?.to_owned()),
        });
        folder.unwrap_or_else(|| old.to_owned())
    }

    /// Reads the spec's files at a path of a revision.
    fn read(&self, tree: &Tree, path: &str, revision: &str, reading: &mut Reading) -> Result<(), Failure> {
        let mut wanted: Vec<(String, &Entry)> = Vec::new();
        self.collect(tree, path, path, true, 0, &mut wanted)?;
        let shown = |name: &str| PathBuf::from(format!("{revision}:{name}"));
        let (texts, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(_, entry)| entry.is_text());
        for (name, entry) in others {
            let what = if entry.link { "is a link that leads to no file of the revision" } else { "is a submodule" };
            reading.unreadable(shown(&name), format!("`{revision}:{name}` {what}"));
        }
        let objects = self.objects(texts.iter().map(|(_, entry)| entry.object.as_str()))?;
        for ((name, _), bytes) in texts.iter().zip(&objects) {
            reading.take(shown(name), bytes.as_slice());
        }
        Ok(())
    }

    /// The entries at a path and below it that a spec is made of, under the names by which they are reached (`shown` stands for
    /// `path`); links are followed. What was `named` is taken whatever it is called.
    fn collect<'t>(
        &self,
        tree: &'t Tree,
        path: &str,
        shown: &str,
        named: bool,
        depth: usize,
        found: &mut Vec<(String, &'t Entry)>,
    ) -> Result<(), Failure> {
        let own = tree.get(path).filter(|_| named || is_spec(shown)).map(|entry| (path.to_owned(), entry));
        let inside = below(tree, path).map(|(name, entry)| (name.clone(), entry));
        for (name, entry) in own.into_iter().chain(inside) {
            let rest = name.strip_prefix(path).unwrap_or_default();
            let visible = format!("{shown}{rest}");
            if is_hidden(rest) {
                continue;
            }
            let target = if entry.link && depth < LINKS { self.target(tree, &name, entry)? } else { None };
            match target {
                Some(target) => self.collect(tree, &target, &visible, rest.is_empty() && named, depth + 1, found)?,
                None if entry.is_text() && !(rest.is_empty() && named) && !is_spec(&visible) => {}
                // A folder that cannot be looked into may hold a part of the spec.
                None if entry.link && !is_spec(&visible) && !rest.is_empty() => {}
                None => found.push((visible.trim_start_matches('/').to_owned(), entry)),
            }
        }
        Ok(())
    }

    /// What a link leads to, if that is in the revision.
    fn target(&self, tree: &Tree, name: &str, link: &Entry) -> Result<Option<String>, Failure> {
        let bytes = self.objects(std::iter::once(link.object.as_str()))?.into_iter().next().unwrap_or_default();
        let target = text(&bytes);
        let mut parts: Vec<&str> = name.split('/').collect();
        parts.pop();
        if target.starts_with('/') {
            return Ok(None);
        }
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_none() => return Ok(None),
                ".." => {}
                part => parts.push(part),
            }
        }
        let path = parts.join("/");
        // A link into a folder that holds it would never end.
        let around = path.is_empty() || inside(name, &path).is_some();
        let there = tree.contains_key(&path) || below(tree, &path).next().is_some();
        Ok(Some(path).filter(|_| there && !around))
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

/// The entries of a revision by their paths.
type Tree = BTreeMap<String, Entry>;

impl Entry {
    fn is_text(&self) -> bool {
        self.kind == "blob" && !self.link
    }
}

/// Where a spec that is now at a path is looked for first: there, and at the other default name.
fn places(now: &str, told: bool) -> Vec<String> {
    let (parent, name) = now.rsplit_once('/').unwrap_or(("", now));
    let beside = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
    let mut places = vec![now.to_owned()];
    if !told && ["fwc", "fwc.yaml"].contains(&name) {
        places.extend(["fwc.yaml", "fwc"].map(beside));
    }
    places
}

/// The entries below a path.
fn below<'t>(tree: &'t Tree, path: &str) -> impl Iterator<Item = (&'t String, &'t Entry)> {
    let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
    tree.range(folder.clone()..).take_while(move |(name, _)| name.starts_with(&folder))
}

/// What is left of a path below a folder.
fn inside<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder)?.strip_prefix('/')
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
