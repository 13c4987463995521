//! A git repository of its own for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A repository with whatever was put into it; gone when it is dropped.
pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// An empty one, its branch `main`.
    pub fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().expect("a folder") };
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    /// A path in it.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file, with its folders.
    pub fn put(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Puts `to` in the place of `from`, which must be there once.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.at(path)).expect("a text");
        assert_eq!(text.matches(from).count(), 1, "`{from}` is not there once");
        self.put(path, &text.replace(from, to));
    }

    /// Commits all there is.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Runs git, which must succeed; what it prints, without the last line's end.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = quiet_git(self.folder.path()).args(arguments).output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    /// Runs fwc in a folder of it.
    pub fn fwc_in(&self, folder: &str, arguments: &[&str]) -> Output {
        self.command(folder, arguments).output().expect("fwc runs")
    }

    /// fwc, to be run in a folder of it.
    pub fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
        command.current_dir(self.at(folder)).args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Status, standard output and standard error of fwc; the commit's name, which nobody knows before, is replaced.
    pub fn said(&self, arguments: &[&str]) -> (i32, String, String) {
        self.told(&self.fwc_in("", arguments))
    }

    /// The same of what ran already.
    pub fn told(&self, output: &Output) -> (i32, String, String) {
        let head = quiet_git(self.folder.path()).args(["rev-parse", "HEAD"]).output().expect("git runs").stdout;
        let head = String::from_utf8_lossy(&head).into_owned();
        let short = head.get(..9).unwrap_or("no commit at all").to_owned();
        let root = self.folder.path().canonicalize().expect("a folder").display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&short, "COMMIT").replace(&root, "ROOT");
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }
}

/// git, with an author and nobody's configuration.
pub fn quiet_git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).stdin(Stdio::null());
    for (name, value) in IDENTITY {
        command.env(name, value);
    }
    command
}

/// The environment of every git here.
pub const IDENTITY: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "fwc"),
    ("GIT_AUTHOR_EMAIL", "fwc@example.org"),
    ("GIT_COMMITTER_NAME", "fwc"),
    ("GIT_COMMITTER_EMAIL", "fwc@example.org"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
];
