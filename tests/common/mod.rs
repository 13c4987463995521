//! What all integration tests share: the examples, and the built binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the crate.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A spec of `examples/`.
#[derive(Debug, Clone)]
pub struct Example {
    /// Its file's or folder's name, without an extension.
    pub name: String,
    /// Where it is, below the crate's folder.
    pub path: PathBuf,
}

/// Every spec of `examples/`, by name.
pub fn examples() -> Vec<Example> {
    let mut found: Vec<Example> = fs::read_dir(root().join("examples"))
        .expect("examples/ can be read")
        .map(|entry| entry.expect("an entry of examples/").path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let path = path.strip_prefix(root()).expect("below the crate").to_owned();
            Example { name, path }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() >= 5, "examples/ has lost some of its specs: {found:?}");
    found
}

/// The built program, in the crate's folder and without colour.
pub fn fwc() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwc"));
    command.current_dir(root()).env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE").env_remove("FORCE_COLOR");
    command
}

/// Compiles a spec into a folder.
pub fn build(spec: &Path, out: &Path) -> Output {
    fwc().arg("build").arg(spec).arg("-o").arg(out).output().expect("fwc runs")
}

/// Compiles an example that must compile; gives the folder, and what was said (there the folder is called `out`).
pub fn built(example: &Example) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = build(&example.path, folder.path());
    let said = String::from_utf8_lossy(&output.stderr).replace(&*folder.path().to_string_lossy(), "out");
    assert!(output.status.success(), "`fwc build` fails on the example {}:\n{said}", example.name);
    (folder, said)
}

/// Every file below a folder, by its path with `/`.
pub fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current).unwrap_or_else(|error| panic!("{}: {error}", current.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned();
                files.insert(name, fs::read(&path).expect("a readable file"));
            }
        }
    }
    files
}

/// Whether the tests are to write what they see in place of comparing it: `UPDATE_GOLDEN=1`.
pub fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value != "0" && !value.is_empty())
}

/// The first lines in which two texts differ, for a message.
pub fn difference(expected: &str, actual: &str) -> String {
    if expected == actual {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[same..].iter().rev().zip(new[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut text = format!("from line {}:\n", same + 1);
    for line in old[same..old.len() - tail].iter().take(20) {
        text.push_str(&format!("- {line:.400}\n"));
    }
    for line in new[same..new.len() - tail].iter().take(20) {
        text.push_str(&format!("+ {line:.400}\n"));
    }
    text
}
