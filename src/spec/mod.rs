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

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, FileId, SourceMap, Span};

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
    if matches!(tree.value, yaml::Value::Map(_)) {
        return Parsed { tree, whole, found };
    }
    let message = format!("expected a map for a spec, found {}", tree.describe());
    let error = Diagnostic::error(Code::WrongShape, tree.span, message);
    found.push(
        error.help("begin the spec with `version: 1`; `datacenter`, `hosts`, `vms` and so on are its other keys"),
    );
    Parsed { tree: yaml::Node::empty(file), whole: false, found }
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
    let mut whole = true;
    for file in parsed {
        trees.push(file.tree);
        whole &= file.whole;
        found.append(file.found);
    }
    let root = merge::merge(trees, &mut found);
    shape::check(&root, whole, &mut found);
    unique_guests(&root, &mut found);
    let spec = if found.has_errors() { None } else { Some(decode::spec(root)) };
    found.sort();
    (spec, found)
}

/// VMs and containers share one number space.
fn unique_guests(root: &yaml::Node<'_>, found: &mut Diagnostics) {
    let (Some(vms), Some(containers)) = (root.get("vms"), root.get("containers")) else { return };
    let numbers: BTreeMap<&str, Span> = vms.keys().map(|key| (&*key.text, key.span)).collect();
    for key in containers.keys() {
        if let Some(first) = numbers.get(&*key.text) {
            let message = format!("`{}` is both a VM and a container", key.text);
            let error = Diagnostic::error(Code::DuplicateKey, key.span, message).label(*first, "the VM");
            found.push(error.help("VMs and containers share one number space; choose another number"));
        }
    }
}

/// The JSON Schema (draft 2020-12) of a spec in one file.
#[must_use]
pub fn schema() -> serde_json::Value {
    shape::schema()
}

#[cfg(test)]
mod tests;
