//! Where text came from: files, and spans of bytes in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub u32);

/// A run of bytes in a file; offsets and lengths are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// The first byte, from 0.
    pub start: u32,
    /// How many bytes.
    pub len: u32,
}

/// A value and the place in the source where it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Located<T> {
    /// A value with its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The same place, another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: f(self.value), span: self.span }
    }
}

impl Located<String> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.value
    }
}

#[derive(Debug, Clone)]
struct Source {
    path: PathBuf,
    text: Arc<str>,
    line_starts: Vec<u32>,
}

/// All files that were read, with their text.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<Source>,
}

impl SourceMap {
    /// Adds a file; `path` is what messages show.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        let newlines = text.bytes().zip(1_u32..).filter(|(byte, _)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(_, next)| next)).collect();
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source { path: path.into(), text, line_starts });
        id
    }

    /// Takes in a file of another map, once; gives it its number here. One that is not there is a file without text.
    pub fn share(&mut self, other: &Self, file: FileId) -> FileId {
        let nothing = || Source { path: PathBuf::new(), text: "".into(), line_starts: vec![0] };
        let source = other.file(file).cloned().unwrap_or_else(nothing);
        let is_same = |known: &Source| known.path == source.path && Arc::ptr_eq(&known.text, &source.text);
        let known = self.files.iter().position(is_same);
        let at = known.unwrap_or(self.files.len());
        if known.is_none() {
            self.files.push(source);
        }
        FileId(u32::try_from(at).unwrap_or(u32::MAX))
    }

    fn file(&self, id: FileId) -> Option<&Source> {
        self.files.get(usize::try_from(id.0).ok()?)
    }

    /// The path of a file as messages show it; empty for an unknown id.
    #[must_use]
    pub fn path(&self, id: FileId) -> &Path {
        self.file(id).map_or(Path::new(""), |source| &source.path)
    }

    /// The whole text of a file; empty for an unknown id.
    #[must_use]
    pub fn text(&self, id: FileId) -> &str {
        self.file(id).map_or("", |source| &source.text)
    }

    /// The text of a span; empty where the span is not in the file.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        let start = span.start as usize;
        self.text(span.file).get(start..start + span.len as usize).unwrap_or("")
    }

    /// Line and column of a span's first byte, both from 1; the column counts characters.
    #[must_use]
    pub fn line_column(&self, span: Span) -> (u32, u32) {
        let Some(source) = self.file(span.file) else { return (1, 1) };
        let line = source.line_starts.partition_point(|start| *start <= span.start);
        let start = source.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = source.text.get(start as usize..span.start as usize).unwrap_or("");
        let column = before.chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// Every file, in the order of its addition.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &Path, &str)> {
        self.files.iter().zip(0..).map(|(source, id)| (FileId(id), source.path.as_path(), &*source.text))
    }
}
