//! The language: YAML files to a typed [`Spec`].
//!
//! In: a [`SourceMap`]. Out: the spec, and all that is wrong with its YAML, its shape and the values that
//! need no other part of the spec to be judged. Promises: all errors of this phase at once, across all files.

mod decode;
mod merge;
pub mod model;
pub mod options;
mod shape;
mod yaml;

use rayon::prelude::*;

use crate::diagnostic::{Diagnostics, FileId, SourceMap};

pub use model::Spec;

/// What became of one file.
struct Parsed<'a> {
    tree: yaml::Node<'a>,
    whole: bool,
    found: Diagnostics,
}

fn parse((file, text): (FileId, &str)) -> Parsed<'_> {
    let mut found = Diagnostics::new();
    let (tree, whole) = yaml::parse(file, text, &mut found);
    Parsed { tree, whole, found }
}

/// Reads all files of the map as one spec. There is no spec where there is an error.
#[must_use]
pub fn load(sources: &SourceMap) -> (Option<Spec>, Diagnostics) {
    let mut found = Diagnostics::new();
    let files: Vec<(FileId, &str)> = sources.files().map(|(file, _, text)| (file, text)).collect();
    let parsed: Vec<Parsed<'_>> = if files.len() > 1 {
        files.into_par_iter().map(parse).collect()
    } else {
        files.into_iter().map(parse).collect()
    };
    let mut trees = Vec::with_capacity(parsed.len());
    let mut _whole = true;
    for file in parsed {
        trees.push(file.tree);
        _whole &= file.whole;
        found.append(file.found);
    }
    let root = merge::merge(trees, &mut found);
    let spec = if found.has_errors() { None } else { Some(decode::spec(root)) };
    found.sort();
    (spec, found)
}

#[cfg(test)]
mod tests;
