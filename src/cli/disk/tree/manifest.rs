//! `manifest.json`: fwc's version, and every file of the tree with the digest of its content.
//!
//! It is how fwc knows later which files of a folder are its own. Sorted, without dates: the same tree
//! has the same manifest.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cli::Failure;

/// The manifest's own name.
pub(super) const NAME: &str = "manifest.json";

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version of fwc that wrote the tree.
    fwc: String,
    /// Path (with `/`) and SHA-256 in hexadecimal of every file of fwc's.
    sha256: BTreeMap<String, String>,
}

impl Manifest {
    /// An empty one, of this version.
    pub(super) fn new() -> Self {
        Self { fwc: env!("CARGO_PKG_VERSION").to_owned(), sha256: BTreeMap::new() }
    }

    /// Reads one. `path` is for the message.
    pub(super) fn parse(text: &[u8], path: &Path) -> Result<Self, Failure> {
        let parsed: Result<Self, _> = serde_json::from_slice(text);
        parsed.map_err(|error| {
            Failure::new(format!("`{}` is no manifest of fwc's: {error}", path.display()))
                .help("choose another folder, or remove the file: fwc then takes no file there for its own")
        })
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        // Maps of strings always serialise.
        serde_json::to_string_pretty(self).map_or_else(|_| String::new(), |text| text + "\n")
    }

    /// Adds a file, or replaces its digest.
    pub(super) fn insert(&mut self, path: &str, content: &[u8]) {
        let digest = Sha256::digest(content);
        let hexadecimal = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.sha256.insert(path.to_owned(), hexadecimal);
    }

    /// Takes over the entries of an older manifest that this one does not have.
    pub(super) fn keep(&mut self, older: &Self) {
        for (path, digest) in &older.sha256 {
            self.sha256.entry(path.clone()).or_insert_with(|| digest.clone());
        }
    }

    /// Whether a path below the tree is a file of fwc's.
    pub(super) fn lists(&self, path: &Path) -> bool {
        path.to_str().is_some_and(|path| path == NAME || self.sha256.contains_key(path))
    }
}

/// A path of an output file as a path below the tree; none where it would leave the tree or hide the manifest.
pub(super) fn below(path: &str) -> Option<PathBuf> {
    let is_plain = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    let path = PathBuf::from(path);
    let stays = path.components().all(|component| matches!(component, Component::Normal(_)));
    (is_plain && stays && path != Path::new(NAME)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_back_and_has_known_digests() {
        let mut manifest = Manifest::new();
        manifest.insert("b", b"");
        manifest.insert("a/x", b"abc");
        let text = manifest.text();
        assert!(text.contains("\"b\": \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""), "{text}");
        assert!(text.find("a/x") < text.find("\"b\""));
        assert_eq!(Manifest::parse(text.as_bytes(), Path::new("m")).unwrap(), manifest);
        assert!(Manifest::parse(b"{}", Path::new("m")).unwrap_err().message.starts_with("`m` is no manifest"));
    }

    #[test]
    fn paths_stay_below_the_tree() {
        assert!(below("hosts/pm1/fwc.nft").is_some());
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "manifest.json"] {
            assert_eq!(below(path), None, "{path}");
        }
    }
}
