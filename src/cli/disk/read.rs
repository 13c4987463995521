//! Reading specs and templates.
//!
//! In: what the command line names. Out: the text of every file, or a finding for each file that is
//! no text, cannot be read, is no regular file or is too large. Files come in the order of their paths.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::cli::failure::reason;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceMap, Span, did_you_mean};
use crate::target::Templates;

/// Bytes that one file may have.
pub(super) const LIMIT: u64 = 64 << 20;

/// Reads the spec that the command line names: a file, a folder, `-` for standard input, or by
/// default `fwc.yaml` or the folder `fwc/`.
///
/// # Errors
/// Where there is no spec at all; a file of it that cannot be read is a finding.
pub fn read_spec(spec: Option<&Path>) -> Result<(SourceMap, Diagnostics), Failure> {
    let mut reading = Reading::default();
    let spec = match spec {
        Some(path) if path == Path::new("-") => {
            reading.take("<stdin>".into(), io::stdin().lock());
            return Ok(reading.done());
        }
        Some(path) => path.to_owned(),
        None => default_spec()?,
    };
    let metadata = fs::metadata(&spec).map_err(|error| {
        Failure::io("cannot read", &spec, &error).help("`SPEC` is a YAML file or a folder of YAML files")
    })?;
    if !metadata.is_dir() {
        reading.file(spec, Ok(metadata));
        return Ok(reading.done());
    }
    reading.folder(&spec, &mut vec![(metadata.dev(), metadata.ino())]);
    if reading.is_empty() {
        return Err(Failure::new(format!("no YAML file in `{}`", spec.display()))
            .help("a spec's files are named `*.yaml` or `*.yml`; hidden ones are left out"));
    }
    Ok(reading.done())
}

/// The path of the spec that the command line names, or the default one.
///
/// # Errors
/// Where none is named and there is no default one.
pub fn spec_path(spec: Option<&Path>) -> Result<PathBuf, Failure> {
    spec.map_or_else(default_spec, |path| Ok(path.to_owned()))
}

fn default_spec() -> Result<PathBuf, Failure> {
    let [file, folder] = [Path::new("fwc.yaml"), Path::new("fwc")];
    match (file.exists(), folder.is_dir()) {
        (true, true) => Err(Failure::new("both `fwc.yaml` and the folder `fwc/` are here")
            .help("say which one is the spec: `fwc check fwc.yaml` or `fwc check fwc/`")),
        (true, false) => Ok(file.to_owned()),
        (false, true) => Ok(folder.to_owned()),
        (false, false) => Err(Failure::new("no spec: neither `fwc.yaml` nor a folder `fwc/` is in the current folder")
            .help("name a file or a folder, such as `fwc check examples/quickstart.yaml`")),
    }
}

/// Reads the templates of a folder; names are paths below it, as below `templates/`.
///
/// # Errors
/// Where the folder or a file in it cannot be read, or no embedded template has a file's name.
pub fn read_templates(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut templates = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in list(&next).map_err(|error| Failure::io("cannot read", &next, &error))? {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            if !Templates::names().any(|known| known == name) {
                return Err(Failure::new(format!("no template is named `{name}` (`{}`)", path.display()))
                    .help(did_you_mean(&name, "templates", Templates::names())));
            }
            // A pipe would be waited for, for ever.
            if !path.is_file() {
                return Err(Failure::new(format!("the template `{}` is not a file", path.display())));
            }
            let text = fs::read_to_string(&path).map_err(|error| Failure::io("cannot read", &path, &error))?;
            templates.insert(name, text);
        }
    }
    Ok(templates)
}

/// The entries of a folder that are not hidden, sorted.
fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// What was read so far. Files are added to the map only at the end, sorted by path.
#[derive(Default)]
pub(super) struct Reading {
    texts: BTreeMap<PathBuf, String>,
    /// Path, code, message, help, and the byte it happened at.
    problems: Vec<(PathBuf, Code, String, Option<String>, usize)>,
}

impl Reading {
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.problems.is_empty()
    }

    fn problem(&mut self, path: PathBuf, code: Code, message: String, help: Option<&str>) {
        self.problems.push((path, code, message, help.map(str::to_owned), 0));
    }

    /// A part of the spec that has no text.
    pub(super) fn unreadable(&mut self, path: PathBuf, message: String) {
        self.problem(path, Code::CannotRead, message, None);
    }

    /// Reads every `*.yaml` and `*.yml` below; `above` are the folders that lead here, against loops of links.
    fn folder(&mut self, folder: &Path, above: &mut Vec<(u64, u64)>) {
        let paths = match list(folder) {
            Ok(paths) => paths,
            Err(error) => {
                let message = format!("cannot read the folder `{}`: {}", folder.display(), reason(&error));
                return self.problem(folder.to_owned(), Code::CannotRead, message, None);
            }
        };
        for path in paths {
            let metadata = fs::metadata(&path);
            let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            match metadata {
                Ok(metadata) if metadata.is_dir() => {
                    let key = (metadata.dev(), metadata.ino());
                    if above.contains(&key) {
                        let message = format!("the folder `{}` leads back into itself", path.display());
                        self.problem(path, Code::CannotRead, message, Some("remove this link"));
                        continue;
                    }
                    above.push(key);
                    self.folder(&path, above);
                    above.pop();
                }
                other if is_yaml => self.file(path, other),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: PathBuf, metadata: io::Result<Metadata>) {
        let opened = metadata.and_then(|metadata| {
            if !metadata.is_file() {
                return Ok(None);
            }
            File::open(&path).map(|file| Some((file, metadata.len())))
        });
        match opened {
            Ok(Some((_, size))) if size > LIMIT => self.too_large(path),
            Ok(Some((file, _))) => self.take(path, file),
            Ok(None) => {
                let message = format!("`{}` is not a regular file", path.display());
                self.problem(path, Code::CannotRead, message, Some("`-` reads the spec from standard input"));
            }
            Err(error) => {
                let message = format!("cannot read `{}`: {}", path.display(), reason(&error));
                self.problem(path, Code::CannotRead, message, None);
            }
        }
    }

    pub(super) fn take(&mut self, path: PathBuf, reader: impl Read) {
        let mut bytes = Vec::new();
        match reader.take(LIMIT + 1).read_to_end(&mut bytes) {
            Err(error) => {
                let message = format!("cannot read `{}`: {}", path.display(), reason(&error));
                self.problem(path, Code::CannotRead, message, None);
            }
            Ok(_) if bytes.len() as u64 > LIMIT => self.too_large(path),
            Ok(_) => match String::from_utf8(bytes) {
                Ok(text) => {
                    self.texts.insert(path, text);
                }
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    let message = format!("`{}` is not UTF-8", path.display());
                    let help = Some("save the file as UTF-8".to_owned());
                    self.problems.push((path.clone(), Code::NotUtf8, message, help, at));
                    self.texts.insert(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
                }
            },
        }
    }

    fn too_large(&mut self, path: PathBuf) {
        let message = format!("`{}` is larger than 64 MiB", path.display());
        self.problem(path, Code::FileTooLarge, message, Some("split the spec into several files of a folder"));
    }

    pub(super) fn done(self) -> (SourceMap, Diagnostics) {
        let mut texts = self.texts;
        for (path, ..) in &self.problems {
            texts.entry(path.clone()).or_default();
        }
        let mut sources = SourceMap::default();
        let files: BTreeMap<_, _> =
            texts.into_iter().map(|(path, text)| (path.clone(), sources.add(path, text))).collect();
        let mut diagnostics = Diagnostics::new();
        for (path, code, message, help, at) in self.problems {
            let file = files.get(&path).copied().unwrap_or_default();
            let span = Span { file, start: u32::try_from(at).unwrap_or(u32::MAX), len: u32::from(at > 0) };
            let mut diagnostic = Diagnostic::error(code, span, message);
            diagnostic.help = help;
            diagnostics.push(diagnostic);
        }
        (sources, diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(diagnostics: &Diagnostics) -> Vec<&str> {
        diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect()
    }

    #[test]
    fn a_folder_is_read_in_order_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/deep")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        for name in ["z.yml", "b/deep/x.yaml", "a.yaml", ".hidden.yaml", ".git/c.yaml", "notes.txt", "a.yaml~"] {
            fs::write(at(name), name).unwrap();
        }
        let (sources, diagnostics) = read_spec(Some(folder.path())).unwrap();
        let names: Vec<_> = sources.files().map(|(_, _, text)| text.to_owned()).collect();
        assert_eq!(names, ["a.yaml", "b/deep/x.yaml", "z.yml"]);
        assert!(diagnostics.is_empty());
    }

    #[test]
    fn whatever_is_no_text_is_a_finding_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("bad.yaml"), b"a: \xff\xfe").unwrap();
        fs::write(at("good.yaml"), "b: 1").unwrap();
        fs::create_dir(at("sub")).unwrap();
        std::os::unix::fs::symlink("..", at("sub/loop")).unwrap();
        std::os::unix::fs::symlink("gone", at("broken.yaml")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe.yaml"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        File::create(at("huge.yaml")).unwrap().set_len(LIMIT + 1).unwrap();
        let (sources, diagnostics) = read_spec(Some(folder.path())).unwrap();
        let text: String = messages(&diagnostics).join("\n").replace(&format!("{}/", folder.path().display()), "");
        insta::assert_snapshot!(text, @r"
        `bad.yaml` is not UTF-8
        cannot read `broken.yaml`: no such file or directory
        `huge.yaml` is larger than 64 MiB
        `pipe.yaml` is not a regular file
        the folder `sub/loop` leads back into itself
        ");
        assert!(sources.files().any(|(_, _, text)| text == "b: 1"));
        let place = diagnostics.iter().next().unwrap().span();
        assert_eq!(sources.line_column(place), (1, 4));
    }

    #[test]
    fn a_missing_spec_and_an_empty_folder_are_failures() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_spec(Some(folder.path())).unwrap_err().message.starts_with("no YAML file in"));
        let missing = read_spec(Some(&folder.path().join("x"))).unwrap_err();
        assert!(missing.message.ends_with("no such file or directory"), "{missing}");
    }

    #[test]
    fn a_pipe_is_no_template() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("nft")).unwrap();
        let pipe = folder.path().join("nft/fwc.nft.j2");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let refused = read_templates(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("is not a file"), "{refused}");
    }

    #[test]
    fn a_template_that_replaces_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("nothing.j2"), "").unwrap();
        let refused = read_templates(folder.path()).unwrap_err();
        assert!(refused.message.starts_with("no template is named `nothing.j2`"), "{refused}");
    }
}
